/* sync_point.h - named steps of the protocols, for tests that stop or kill a process at each.
 *
 * In a release build SYNC_POINT(x) is nothing, and PLANTED(x) false. With TAPE_SYNC_POINTS the hook
 * is called with the name, between the step that it names and the one after it; and one of the bugs
 * can be planted, for a test to show that it would find it.
 */
#ifndef TAPE_SYNC_POINT_H
#define TAPE_SYNC_POINT_H

#ifdef TAPE_SYNC_POINTS
typedef enum {
    TAPE__SOUND,
    TAPE__BUG_ARMS_LATE,           /* who waits looks for messages before arming, and not after */
    TAPE__BUG_PUBLISHES_EARLY,     /* the header word is complete before the body is copied */
    TAPE__BUG_LETS_GO_EARLY,       /* the lock is free before the write position is set */
    TAPE__BUG_CLEARS_RESERVATIONS, /* what another writer reserved is used again */
    TAPE__BUG_LINKS_LATE,          /* a file that was linked without the lock is taken as it is */
    TAPE__BUGS
} tape__bug_t;
extern tape__bug_t tape__sync_point_bug;
#define PLANTED(bug) (tape__sync_point_bug == (bug))
extern void (*tape__sync_point_hook)(const char *name);
#define SYNC_POINT(name)                                                                           \
    do {                                                                                           \
        if (tape__sync_point_hook) tape__sync_point_hook(#name);                                   \
    } while (0)
#else
#define SYNC_POINT(name) ((void)0)
#define PLANTED(bug) 0
#endif

#endif
