/* repair_lease.c - while a queue is mended in place nobody else has it open, as far as that can be
 * known, and who opens it meanwhile is kept from writing: tape's writers by a kernel lock of the
 * side file, JVMs by the write lock. Files change places by renaming, so readers lose nothing. */
#include <inttypes.h>

#include "base/atomics.h"
#include "base/error.h"
#include "base/platform_check.h"
#include "check/repair.h"
#include "file/side_file.h"
#include "format/table_keys.h"

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

int tape__repair_keep_others_out(tape__repair_t *r)
{
    int rc = tape__side_file_lease(r->q.path, &r->lease);
    if (rc != TAPE_OK) {
        r->lease = -1;
        return rc;
    }
    const int64_t user = tape__directory_user(r->q.path);
    if (user) return tape__side_file_fail_in_use(r->q.path, user);
    rc = tape__queue_look_again(&r->q); /* somebody may just have written */
    if (rc == TAPE_OK) take_write_lock(r);
    return rc;
}

/* Who waits for the lock of a table store that was replaced shall not get it: what it led to is not
 * the queue any more. */
void tape__repair_let_others_in(tape__repair_t *r)
{
    if (r->write_lock) {
        if (!r->table_replaced)
            (void)CLAIM64(write_lock, r->write_lock, (uint64_t)tape__pid(), TAPE__LOCK_FREE);
        tape__table_store_close(&r->table);
    }
    if (r->lease < 0) return;
    const int64_t user = tape__directory_user(r->q.path);
    if (user && r->f->report.mended_files > 0) {
        tape__findings_begin_file(r->f, r->q.path);
        tape__findings_add(r->f, TAPE__FOUND_MENDED, TAPE_NOTE, -1, -1,
                           "process %" PRId64 " opened the queue while it was mended, and should "
                           "open it again", user);
    }
    tape__close_file(r->lease);
}
