/* site.h - what both wings share of a queue: its path, settings, table store and listing of cycles,
 * who is inside a call, and the children that are open.
 *
 * Appenders and tailers know the site, and no queue: whatever a reader needs is here or below. The
 * queue (queue/) has a site and the writing wing's state, and closes both from above. A child
 * begins with a tape__child_t and brings its own way to be shut, so a site does not know what it
 * is.
 *
 *     site.c         calls, children, the clock           site_open.c    what stands at the path
 */
#ifndef TAPE_SITE_H
#define TAPE_SITE_H

#include <pthread.h>

#include "base/atomics.h"
#include "base/process.h"
#include "file/directory_listing.h"
#include "file/notice.h"
#include "file/shelf.h"
#include "file/table_store.h"

enum { TAPE__DIRECTORY_MAX = 900 }; /* of a queue's path; leaves room for file names */

/* The first member of an appender and of a tailer. */
typedef struct tape__child tape__child_t;
struct tape__child {
    tape__child_t *next;
    /* Gives back what the child has open; later calls on it give TAPE_ECLOSED. TAPE_OK, or
     * TAPE_EBUSY while another thread is inside. NULL: nothing to give back. */
    int (*shut)(tape__child_t *child);
    /* Lets go of a file that was deleted and that it needs no more, unless it is in use just now.
     * NULL: it has none. */
    void (*let_go)(tape__child_t *child);
};

/* What wait/ hangs on a site, and how a site that is shut gets rid of it. */
typedef struct tape__bell tape__bell_t;
struct tape__bell {
    void (*let_go)(tape__bell_t *bell);
};

typedef struct tape__site tape__site_t;
struct tape__site {
    uint64_t generation;    /* of the process that opened it (fork) */
    uint32_t closed;
    uint32_t users;         /* threads inside calls on the queue itself */
    pthread_mutex_t children_lock;
    tape__child_t *children;
    int32_t children_count;
    bool released;          /* nobody has the handle any more: `destroy` with the last child */
    void (*destroy)(tape__site_t *site);

    char path[TAPE__DIRECTORY_MAX + 1];
    bool read_only;
    tape_clock_fn clock;    /* NULL: the system's */
    void *clock_user;

    tape__settings_t settings;
    bool has_table;
    tape__table_store_t table;
    tape__listing_t listing; /* what writers see */
    tape__shelf_t shelf;     /* what readers see */
    tape__process_entry_t *entry; /* NULL when opened for reading alone */

    pthread_mutex_t wait_lock; /* guards the making of these two */
    tape__notice_t notice;  /* for those who wait; writers have their own, beside the lock */
    tape__bell_t *bell;     /* what the waiting service knows of it (wait/bell.h); NULL: nothing */
};

/* ---- site.c ---- */

/* Begins one: nothing is open yet. `destroy` frees what the site is a part of. */
void tape__site_begin(tape__site_t *site, void (*destroy)(tape__site_t *site));
/* Gives back the table store; the site still answers calls, with TAPE_ECLOSED. */
void tape__site_close(tape__site_t *site);
/* Gives back the rest. Nobody uses it any more, or it was never complete. */
void tape__site_end(tape__site_t *site);

/* TAPE_OK, TAPE_ECLOSED or TAPE_EFORKED, without holding it open. */
int tape__site_check(const tape__site_t *site);
/* The same as a question, for hot paths: true when tape__site_check() would say TAPE_OK. */
static inline bool tape__site_is_usable(const tape__site_t *site)
{
    return site->generation == tape__process_generation() && !OBSERVE32(closed, &site->closed);
}
/* Begins and ends a call on the queue itself: tape__site_shut() waits for the end. The same
 * codes. */
int tape__site_enter(tape__site_t *site);
void tape__site_leave(tape__site_t *site);
/* Makes later calls give TAPE_ECLOSED, shuts all children and waits for calls that are inside.
 * False when somebody did before, or in a forked child, where it is the parent's business. *code:
 * TAPE_OK, or that of a child that could not be shut. */
bool tape__site_shut(tape__site_t *site, int *code);

void tape__site_add_child(tape__site_t *site, tape__child_t *child);
/* May destroy the site: do not use it afterwards. */
void tape__site_remove_child(tape__site_t *site, tape__child_t *child);
int tape__site_children(tape__site_t *site); /* how many are open */
/* Each lets go of deleted files, whose blocks the disk then gets back. From inside a call. */
void tape__site_let_go(tape__site_t *site);
/* The handle is gone: destroys the site now, or with its last child. */
void tape__site_release(tape__site_t *site);

/* The notice for those who wait, opened when first asked for. */
tape__notice_t *tape__site_notice(tape__site_t *site);
/* Wakes all who wait for messages of the queue, to be told of something else. */
void tape__site_stir(tape__site_t *site);

/* Milliseconds by the clock that decides cycles (format.md 9.7); negative when it gives no time. */
int64_t tape__site_clock_ms(const tape__site_t *site);

/* ---- site_open.c ---- */

/* What is in a queue's directory. */
typedef struct {
    bool table, listing_4, any_cycle_file;
    const tape_roll_cycle_t *of_names;
    char cycle_file[TAPE__NAME_MAX]; /* one that of_names is of */
} tape__contents_t;

/* Makes the path absolute, since the process may change its directory; links stay as they are. */
int tape__site_set_path(tape__site_t *site, const char *path);
/* Looks at the directory. TAPE_ENOTFOUND when there is none; TAPE_EUNSUPPORTED when it is not one
 * of Chronicle Queue 5. */
int tape__site_look(const tape__site_t *site, tape__contents_t *contents);
/* The names alone, as if there were no table store: one that was never filled counts as none. */
int tape__site_look_at_names(const tape__site_t *site, tape__contents_t *contents);
/* TAPE_EFILESYSTEM when hosts may see different bytes there. */
int tape__site_check_filesystem(const tape__site_t *site);
/* "A directory without a queue": TAPE_ENOTFOUND. */
int tape__site_no_queue(const tape__site_t *site);
/* Opens the table store and takes its settings. */
int tape__site_open_table(tape__site_t *site);
/* Finds the listing's words in the table store, as far as there are any. */
void tape__site_bind_listing(tape__site_t *site);
/* Opens what stands at the path for reading alone: no byte is written, no file made. With the path
 * set. TAPE_OK or a code. */
int tape__site_open_to_read(tape__site_t *site, bool any_filesystem);

#endif
