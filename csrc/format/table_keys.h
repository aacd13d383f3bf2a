/* table_keys.h - keys of the table store, and what its locks hold (format.md 5.4).
 *
 * A lock's cell is TAPE__LOCK_FREE, or names its holder: the pid is in the low 32 bits (8.1).
 */
#ifndef TAPE_TABLE_KEYS_H
#define TAPE_TABLE_KEYS_H

#include <stdint.h>

#define TAPE__KEY_HIGHEST "listing.highestCycle"
#define TAPE__KEY_LOWEST "listing.lowestCycle"
#define TAPE__KEY_MOD_COUNT "listing.modCount"
#define TAPE__KEY_WRITE_LOCK "chronicle.write.lock"
#define TAPE__KEY_APPEND_LOCK "chronicle.append.lock"

#define TAPE__LOCK_FREE UINT64_C(0x8000000000000000)

/* The pid of who holds a lock; 0 nobody. */
static inline int64_t tape__table_keys_holder(uint64_t word)
{
    return word == TAPE__LOCK_FREE ? 0 : (int64_t)(word & 0xFFFFFFFF);
}

#endif
