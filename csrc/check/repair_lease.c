/* repair_lease.c - while a queue is mended in place nobody else has it open, as far as that can be
 * known, and who opens it meanwhile is kept from writing: tape's writers by a kernel lock of the
 * side file, JVMs by the write lock. Files change places by renaming, so readers lose nothing.
 *
 * A JVM that comes meanwhile may have a file open that then goes out of its place, and would write
 * there what nobody reads. So it never gets the lock: the queue gets another table store, which is
 * the same but for its lock being free, and in the one that the JVM has it is held for good.
 */
#include <inttypes.h>

#include "base/atomics.h"
#include "base/error.h"
#include "base/platform.h"
#include "base/platform_check.h"
#include "base/sync_point.h"
#include "check/repair.h"
#include "file/side_file.h"
#include "format/table_keys.h"

/* A process that lives wherever one looks from; Java frees the lock of a dead one. */
enum { PID_FOR_GOOD = 1 };

/* Nobody is there, so whoever stands in the word is dead. Where the table store is so damaged that
 * it cannot be opened, nobody else opens it either. */
static void take_write_lock(tape__repair_t *r)
{
    if (!r->q.has_table || tape__table_store_open(&r->table, r->q.path, true) != TAPE_OK) return;
    uint64_t *word = tape__table_store_cell(&r->table, TAPE__KEY_WRITE_LOCK);
    if (word && CLAIM64(write_lock, word, OBSERVE64(write_lock, word), (uint64_t)tape__pid()))
        r->write_lock = word;
    else
        tape__table_store_close(&r->table);
}

static void free_write_lock(tape__repair_t *r, uint64_t word)
{
    if (!r->write_lock) return;
    (void)CLAIM64(write_lock, r->write_lock, (uint64_t)tape__pid(), word);
    tape__table_store_close(&r->table);
    r->write_lock = NULL;
}

/* Another process that may write, although nobody of tape may; 0: none that can be seen. */
static int64_t foreign_writer(const tape__repair_t *r)
{
    tape__stat_t st;
    if (!r->write_lock || tape__stat_fd(r->table.file.fd, &st) < 0) return 0;
    return tape__other_writer(st.inode);
}

int tape__repair_keep_others_out(tape__repair_t *r)
{
    int rc = tape__side_file_lease(r->q.path, &r->lease);
    if (rc != TAPE_OK) {
        r->lease = -1;
        return rc;
    }
    int64_t user = tape__directory_user(r->q.path);
    if (user) return tape__side_file_fail_in_use(r->q.path, user);
    rc = tape__queue_look_again(&r->q); /* somebody may just have written */
    if (rc != TAPE_OK) return rc;
    take_write_lock(r);
    SYNC_POINT(repair_locked);
    user = foreign_writer(r); /* one that came before the lock was ours may have written since */
    if (!user) return TAPE_OK;
    free_write_lock(r, TAPE__LOCK_FREE);
    return tape__side_file_fail_in_use(r->q.path, user);
}

/* The table store as it is, but for the lock, takes its place. */
static int renew_table(tape__repair_t *r)
{
    char temporary[TAPE__PATH_SIZE];
    const uint64_t unlocked = TAPE__LOCK_FREE;
    const tape__window_t *w = &r->table.window;
    const uint64_t at = w->start + (uint64_t)((const uint8_t *)r->write_lock - w->base);
    tape__repair_temporary(r, temporary, sizeof temporary);
    int rc = tape__repair_copy(r, r->q.table_path, temporary);
    if (rc != TAPE_OK) return rc;
    int fd = tape__open_file(temporary, TAPE__RDWR);
    rc = fd < 0 ? fd : tape__file_write(fd, at, &unlocked, sizeof unlocked);
    if (rc == 0) rc = tape__file_sync(fd);
    if (fd >= 0) tape__close_file(fd);
    if (rc == 0) rc = tape__rename(temporary, r->q.table_path);
    SYNC_POINT(repair_table_renewed);
    if (rc == 0) return tape__repair_sync_directory(r->q.path);
    (void)tape__unlink(temporary);
    return tape__fail_errno(-rc, r->q.table_path, "giving the queue another table store");
}

static void tell_of_user(const tape__repair_t *r, int64_t user, const char *what)
{
    tape__findings_begin_file(r->f, r->q.path);
    tape__findings_add(r->f, TAPE__FOUND_MENDED, TAPE_NOTE, -1, -1,
                       "process %" PRId64 " opened the queue while it was mended, and %s", user,
                       what);
}

int tape__repair_let_others_in(tape__repair_t *r)
{
    const bool changed = r->f->report.damage + r->f->report.unfinished > 0;
    const int64_t writer = changed ? foreign_writer(r) : 0;
    int rc = TAPE_OK;
    if (writer && !r->table_replaced) {
        rc = renew_table(r);
        r->table_replaced = rc == TAPE_OK;
    }
    free_write_lock(r, r->table_replaced ? PID_FOR_GOOD : TAPE__LOCK_FREE);
    if (r->lease < 0) return rc;
    const int64_t user = writer ? 0 : tape__directory_user(r->q.path);
    if (writer) tell_of_user(r, writer, "cannot write before it has opened it again");
    else if (user && r->f->report.mended_files > 0) tell_of_user(r, user, "should open it again");
    tape__close_file(r->lease);
    return rc;
}
