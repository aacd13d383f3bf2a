/* writer_open.c - creating a queue, and the words of the table store that writers work on. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/platform.h"
#include "base/sync_point.h"
#include "file/side_file.h"
#include "format/file_names.h"
#include "write/roll.h"

#define LOCK_TIMEOUT_DEFAULT INT64_C(10000000000)
#define STALE_AFTER_DEFAULT INT64_C(2000000000)

/* Parents first, like mkdir -p. *made: so many characters of the path were there before. */
static int make_directories(const char *path, size_t *made)
{
    char part[TAPE__PATH_SIZE];
    snprintf(part, sizeof part, "%s", path);
    *made = strlen(path);
    for (char *p = part + 1;; p++) {
        if (*p != '/' && *p != 0) continue;
        char end = *p;
        *p = 0;
        int rc = tape__mkdir(part);
        if (rc == 0 && strlen(part) < *made) *made = strlen(part);
        if (rc < 0 && rc != -EEXIST) {
            tape__stat_t st; /* a parent may exist where we must not create */
            if (tape__stat_path(part, &st) < 0 || !st.is_directory)
                return tape__fail_errno(-rc, part, "creating the directory");
        }
        if (end == 0) return TAPE_OK;
        *p = end;
    }
}

/* A failed opening leaves no directories behind that it made, from the one whose name ends at
 * `made` on; those that somebody else uses by now stay. */
static void remove_directories(const char *path, size_t made)
{
    char part[TAPE__PATH_SIZE];
    snprintf(part, sizeof part, "%s", path);
    for (size_t n = strlen(part); n >= made && n > 0; n--) {
        if (part[n] != 0 && part[n] != '/') continue;
        part[n] = 0;
        int rc = tape__rmdir(part);
        if (rc < 0 && rc != -ENOENT) return;
    }
}

/* Makes the table store, and so the queue: with `fill` in the file that somebody began. */
static int create(const tape__site_t *site, const tape_queue_options_t *o,
                  const tape_roll_cycle_t *wish, const tape__contents_t *c, bool fill)
{
    tape__settings_t s = {.roll_cycle = wish ? wish : tape_roll_cycle_named("FAST_DAILY"),
                          .epoch_ms = o->epoch_ms,
                          .source_id = o->source_id};
    int64_t lowest = 0, highest = -1;
    if (c->of_names && wish && wish != c->of_names && (o->flags & TAPE_STRICT))
        return tape__fail(TAPE_EMISMATCH, site->path, -1, "%s has roll cycle %s, by the names of "
                          "its files", site->path, c->of_names->name);
    if (c->of_names) { /* the table store was lost: the names tell the cycle */
        s.roll_cycle = c->of_names;
        tape__listing_t l = {.directory = site->path, .roll_cycle = s.roll_cycle,
                             .epoch_ms = tape__roll_cycle_epoch(s.roll_cycle, s.epoch_ms)};
        int rc = tape__listing_scan(&l, &lowest, &highest);
        if (rc != TAPE_OK) return rc;
    }
    return fill ? tape__table_store_fill(site->path, &s, lowest, highest)
                : tape__table_store_create(site->path, &s, lowest, highest);
}

/* A JVM, or the machine, died between making metadata.cq4t and filling it. */
static int fill_and_open(tape__site_t *site, const tape_queue_options_t *o,
                         const tape_roll_cycle_t *wish)
{
    tape__contents_t c;
    int rc = tape__site_look_at_names(site, &c);
    if (rc != TAPE_OK) return rc;
    if ((o->flags & TAPE_OPEN_EXISTING) && !c.of_names) return tape__site_no_queue(site);
    rc = create(site, o, wish, &c, true);
    if (rc == TAPE_OK) rc = tape__site_open_table(site);
    if (rc != TAPE__NEVER_FILLED) return rc;
    return tape__fail(TAPE_ETIMEOUT, site->path, -1, "%s: the table store was emptied again",
                      site->path);
}

/* Whether the table store can be written: who has rights on the files and none on the directory
 * does all that needs no new file. */
static bool may_write_table(const tape__site_t *site)
{
    char table[TAPE__PATH_SIZE];
    snprintf(table, sizeof table, "%s/" TAPE__TABLE_NAME, site->path);
    int fd = tape__open_file(table, TAPE__RDWR);
    tape__close_file(fd);
    return fd >= 0;
}

static int check_permission(const tape__site_t *site, const tape__contents_t *c)
{
    int rc = tape__can_write(site->path);
    if (rc == 0) return TAPE_OK;
    rc = tape__fail_errno(-rc, site->path, "opening the queue for writing");
    if (rc != TAPE_EACCES || !c->table) return rc;
    if (may_write_table(site)) return TAPE_OK;
    return tape__fail(TAPE_EREADONLY, site->path, -1, "%s: this user may only read the queue",
                      site->path);
}

/* What is there decides; `o` only where there is nothing. */
static int open_or_create(tape__site_t *site, const tape_queue_options_t *o,
                          const tape_roll_cycle_t *roll_cycle)
{
    tape__contents_t c;
    bool may_create = !(o->flags & TAPE_OPEN_EXISTING);
    int rc = tape__site_look(site, &c);
    if (rc == TAPE_OK && !(o->flags & TAPE_UNSAFE_FILESYSTEM))
        rc = tape__site_check_filesystem(site);
    if (rc == TAPE_OK) rc = check_permission(site, &c);
    if (rc != TAPE_OK) return rc;
    if (!c.table && !may_create && !c.of_names) return tape__site_no_queue(site);
    /* Also an existing queue that lost its table store gets one. */
    if (!c.table) rc = create(site, o, roll_cycle, &c, false);
    if (rc == TAPE_OK) rc = tape__site_open_table(site);
    return rc == TAPE__NEVER_FILLED ? fill_and_open(site, o, roll_cycle) : rc;
}

int tape__writer_open_files(tape__writer_t *w, const tape_queue_options_t *o,
                            const tape_roll_cycle_t *roll_cycle)
{
    tape__site_t *site = w->site;
    tape__stat_t st;
    size_t made = SIZE_MAX;
    int rc = o->flags & TAPE_OPEN_EXISTING ? 0 : tape__stat_path(site->path, &st);
    if (rc == -ENOENT) rc = make_directories(site->path, &made);
    else if (rc < 0) rc = tape__fail_errno(-rc, site->path, "opening the queue");
    SYNC_POINT(directory_made);
    if (rc == TAPE_OK) rc = open_or_create(site, o, roll_cycle);
    if (rc != TAPE_OK) remove_directories(site->path, made);
    return rc;
}

void tape__writer_mend(tape__writer_t *w)
{
    tape__step_t step;
    if (!tape__write_lock_take_over(&w->lock)) return;
    tape__roll_doubt_all(w);
    if (tape__roll_to_now(w, NULL, &step) == TAPE_OK) (void)tape__write_lock_release(&w->lock);
    else tape__write_lock_give_back(&w->lock); /* who writes meets it again, and tells */
}

int tape__writer_bind(tape__writer_t *w, const tape_queue_options_t *o)
{
    tape__site_t *site = w->site;
    tape__listing_t *l = &site->listing;
    tape__table_store_t *t = &site->table;
    tape__site_bind_listing(site);
    if (!l->highest)
        l->highest = tape__table_store_make_cell(t, TAPE__KEY_HIGHEST, TAPE__MIN64);
    if (!l->lowest) l->lowest = tape__table_store_make_cell(t, TAPE__KEY_LOWEST, INT32_MAX);
    if (!l->mod_count) l->mod_count = tape__table_store_make_cell(t, TAPE__KEY_MOD_COUNT, 0);
    w->append_lock = tape__table_store_make_cell(t, TAPE__KEY_APPEND_LOCK, TAPE__LOCK_FREE);
    uint64_t *word = tape__table_store_make_cell(t, TAPE__KEY_WRITE_LOCK, TAPE__LOCK_FREE);
    if (!l->highest || !l->lowest || !l->mod_count || !word || !w->append_lock)
        return tape__error_code();
    l->may_repair = true;
    tape__stat_t st;
    int rc = tape__stat_fd(t->file.fd, &st);
    if (rc < 0) return tape__fail_errno(-rc, t->file.path, "asking for the inode");
    site->entry = tape__process_acquire(st.device, st.inode);
    if (!site->entry) return tape__fail(TAPE_ENOMEM, site->path, -1, "out of memory");
    tape__side_file_attach(site->entry, site->path, word);
    rc = tape__side_file_check_lease(site->entry, site->path);
    if (rc != TAPE_OK) return rc;
    w->lock = (tape__write_lock_t){
        .word = word,
        .pulse = l->mod_count,
        .closed = &site->closed,
        .doubt = &w->doubtful,
        .entry = site->entry,
        .guard = tape__process_guard_of(site->entry),
        .own = (uint64_t)tape__pid(),
        .generation = site->generation,
        .table_inode = st.inode,
        .directory = site->path,
        .timeout_ns = o->lock_timeout_ns ? o->lock_timeout_ns : LOCK_TIMEOUT_DEFAULT,
        .stale_after_ns = (o->flags & TAPE_NEVER_BREAK) ? -1
                          : o->stale_after_ns           ? o->stale_after_ns
                                                        : STALE_AFTER_DEFAULT,
        .interrupted = o->interrupted,
        .interrupted_user = o->interrupted_user,
    };
    return TAPE_OK;
}
