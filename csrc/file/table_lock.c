/* table_lock.c - the lock of those who create metadata.cq4t or add to it (format.md 5.3). */
#include <errno.h>

#include "base/error.h"
#include "base/platform.h"
#include "file/table_store.h"

#define LOCK_BYTE UINT64_C(0x7FFFFFFFFFFFFFFE)
#define PATIENCE_NS INT64_C(10000000000)

int tape__table_lock(tape__file_t *file)
{
    int64_t start = tape__monotonic_ns();
    for (int64_t k = 1;; k++) {
        int rc = tape__lock_range(file->fd, LOCK_BYTE, 1, true);
        if (rc == 0) return TAPE_OK;
        if (rc != -EAGAIN) return tape__fail_errno(-rc, file->path, "locking the table store");
        if (tape__monotonic_ns() - start > PATIENCE_NS)
            return tape__fail(TAPE_ETIMEOUT, file->path, -1,
                              "%s: another process has locked the table store for 10 s",
                              file->path);
        tape__sleep_ns((k * k < 250 ? k * k : 250) * 1000000);
    }
}

void tape__table_lock_release(tape__file_t *file) { tape__unlock_range(file->fd, LOCK_BYTE, 1); }
