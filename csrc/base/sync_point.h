/* sync_point.h - named steps of the protocols, for tests that stop or kill a process at each.
 *
 * In a release build SYNC_POINT(x) is nothing. With TAPE_SYNC_POINTS the hook is called with the
 * name, between the step that it names and the one after it.
 */
#ifndef TAPE_SYNC_POINT_H
#define TAPE_SYNC_POINT_H

#ifdef TAPE_SYNC_POINTS
extern void (*tape__sync_point_hook)(const char *name);
#define SYNC_POINT(name)                                                                           \
    do {                                                                                           \
        if (tape__sync_point_hook) tape__sync_point_hook(#name);                                   \
    } while (0)
#else
#define SYNC_POINT(name) ((void)0)
#endif

#endif
