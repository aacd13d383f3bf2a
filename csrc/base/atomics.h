/* atomics.h - the verbs for memory that others read or write at the same time.
 *
 * Nobody else in libtape spells __atomic, a fence or volatile. Each use names its order: the first
 * argument is a word that docs/memory_order.md explains in one paragraph and that stands at the
 * publishing and at the observing side alike; tests/house/test_orderings.py checks that both exist.
 *
 *   PUBLISH  release store: whoever OBSERVEs the value also sees all that was written before it.
 *   OBSERVE  acquire load: the other side of PUBLISH and CLAIM.
 *   CLAIM    compare and swap: true if *p was `expected` and is now `desired`; only one of several
 *            claimants of one state wins. It observes when it fails and publishes when it wins.
 *   TAKE     CLAIM of a word of this process's own memory, which only its threads change: while
 *            libc says that there is but one, a load and a store.
 *   PEEK     relaxed load: a value that only decides whether to look again, or that a lock guards.
 *   BUMP     atomic add: counters that several processes raise; it publishes.
 *   COUNT    relaxed add that is no read-modify-write: a counter that a lock guards for those who
 *            raise it, and that anybody may PEEK.
 *
 *   LOOK     sequentially consistent load: behind a CLAIM in the same thread, for the writing side
 *            of "publish, then look whether anybody waits".
 *   FENCE    full fence, for the other side: "say that I wait, then look once more".
 *
 * Java's side: volatile loads OBSERVE, ordered stores PUBLISH, compareAndSwap CLAIMs (format.md
 * 8.7). The words lie in mapped files, so several processes see them at different addresses.
 */
#ifndef TAPE_ATOMICS_H
#define TAPE_ATOMICS_H

#include <stdbool.h>
#include <stdint.h>

_Static_assert(__atomic_always_lock_free(4, 0) && __atomic_always_lock_free(8, 0),
               "words in shared files need lock-free 32- and 64-bit atomics");

#define OBSERVE32(order, p) tape__observe32(p)
#define OBSERVE64(order, p) tape__observe64(p)
#define PUBLISH32(order, p, value) tape__publish32((p), (value))
#define PUBLISH64(order, p, value) tape__publish64((p), (value))
#define CLAIM32(order, p, expected, desired) tape__claim32((p), (expected), (desired))
#define CLAIM64(order, p, expected, desired) tape__claim64((p), (expected), (desired))
#define TAKE32(order, p, expected, desired) tape__take32((p), (expected), (desired))
#define PEEK32(order, p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define PEEK64(order, p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define LOOK32(order, p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define FENCE(order) __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define BUMP64(order, p, n) __atomic_fetch_add((p), (n), __ATOMIC_ACQ_REL)
#define COUNT64(order, p, n)                                                                       \
    __atomic_store_n((p), __atomic_load_n((p), __ATOMIC_RELAXED) + (n), __ATOMIC_RELAXED)

/* The canary build breaks this one order on purpose, to prove that ThreadSanitizer would see it. */
#ifdef TAPE_CANARY_RELAXED_PUBLISH
#define TAPE_CLAIM_ORDER __ATOMIC_RELAXED
#else
#define TAPE_CLAIM_ORDER __ATOMIC_SEQ_CST
#endif

static inline uint32_t tape__observe32(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline uint64_t tape__observe64(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void tape__publish32(uint32_t *p, uint32_t value)
{
    __atomic_store_n(p, value, __ATOMIC_RELEASE);
}

static inline void tape__publish64(uint64_t *p, uint64_t value)
{
    __atomic_store_n(p, value, __ATOMIC_RELEASE);
}

static inline bool tape__claim32(uint32_t *p, uint32_t expected, uint32_t desired)
{
    return __atomic_compare_exchange_n(p, &expected, desired, false, TAPE_CLAIM_ORDER,
                                       __ATOMIC_RELAXED == TAPE_CLAIM_ORDER ? __ATOMIC_RELAXED
                                                                            : __ATOMIC_ACQUIRE);
}

static inline bool tape__claim64(uint64_t *p, uint64_t expected, uint64_t desired)
{
    return __atomic_compare_exchange_n(p, &expected, desired, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_ACQUIRE);
}

/* glibc clears the flag before a second thread runs. ThreadSanitizer is to see the CLAIM. */
#if defined(__has_include) && !defined(__SANITIZE_THREAD__)
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define TAPE__IS_ALONE __libc_single_threaded
#endif
#endif
#ifndef TAPE__IS_ALONE
#define TAPE__IS_ALONE 0
#endif

static inline bool tape__take32(uint32_t *p, uint32_t expected, uint32_t desired)
{
    if (!TAPE__IS_ALONE) return tape__claim32(p, expected, desired);
    if (__atomic_load_n(p, __ATOMIC_RELAXED) != expected) return false;
    __atomic_store_n(p, desired, __ATOMIC_RELAXED);
    return true;
}

/* Two words that lie at a multiple of 16 are changed together where the processor can do that
 * (CMPXCHG16B): as two CLAIMs between which nobody looks. */
#define CLAIM_PAIR(order, p, expected, expected2, desired, desired2) \
    tape__claim_pair((p), (expected), (expected2), (desired), (desired2))

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
extern bool tape__atomics_have_pairs; /* set once, before the first queue is opened for writing */
void tape__atomics_begin(void);

static inline bool tape__can_claim_pair(const uint64_t *p)
{
    return tape__atomics_have_pairs && ((uintptr_t)p & 15) == 0;
}

static inline bool tape__claim_pair(uint64_t *p, uint64_t expected, uint64_t expected2,
                                    uint64_t desired, uint64_t desired2)
{
    bool won;
    __asm__ __volatile__("lock cmpxchg16b %1"
                         : "=@ccz"(won), "+m"(*(uint64_t(*)[2])p), "+a"(expected), "+d"(expected2)
                         : "b"(desired), "c"(desired2)
                         : "memory");
    return won;
}
#else
static inline void tape__atomics_begin(void) {}
static inline bool tape__can_claim_pair(const uint64_t *p) { return (void)p, false; }
static inline bool tape__claim_pair(uint64_t *p, uint64_t expected, uint64_t expected2,
                                    uint64_t desired, uint64_t desired2)
{
    return (void)p, (void)expected, (void)expected2, (void)desired, (void)desired2, false;
}
#endif

/* Header words of data format 0 need not be aligned (format.md 2.2). Both verbs are those of an
 * aligned word where it happens to be one. */
#define OBSERVE32_UNALIGNED(order, p) tape__observe32_unaligned(p)
#define CLAIM32_UNALIGNED(order, p, expected, desired) \
    tape__claim32_unaligned((p), (expected), (desired))

/* x86-64 has locked instructions for misaligned words; elsewhere nobody may write such files. */
#if defined(__x86_64__)
#define TAPE__CAN_CLAIM_UNALIGNED 1
#else
#define TAPE__CAN_CLAIM_UNALIGNED 0
#endif

static inline bool tape__is_aligned32(const uint8_t *p) { return ((uintptr_t)p & 3) == 0; }

/* A load across two cache lines is two loads; everywhere else x86-64 reads the word whole. */
static inline bool tape__is_split32(const uint8_t *p) { return ((uintptr_t)p & 63) > 60; }

static inline uint32_t tape__observe32_unaligned(const uint8_t *p)
{
    uint32_t value, again;
    if (tape__is_aligned32(p)) return tape__observe32((const uint32_t *)(const void *)p);
    __builtin_memcpy(&again, p, sizeof again);
    do { /* halves of two different values do not come twice in the same way */
        value = again;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (!tape__is_split32(p)) break;
        __builtin_memcpy(&again, p, sizeof again);
    } while (value != again);
    return value;
}

static inline bool tape__claim32_unaligned(uint8_t *p, uint32_t expected, uint32_t desired)
{
    if (tape__is_aligned32(p)) return tape__claim32((uint32_t *)(void *)p, expected, desired);
#if TAPE__CAN_CLAIM_UNALIGNED
    /* By hand: __atomic builtins on such an address are undefined in C. */
    bool won;
    __asm__ __volatile__("lock cmpxchgl %3, %1"
                         : "=@ccz"(won), "+m"(*(uint8_t(*)[4])p), "+a"(expected)
                         : "r"(desired)
                         : "memory");
    return won;
#else
    (void)expected, (void)desired;
    return false;
#endif
}

/* Tells the processor that this is a waiting loop. */
static inline void tape__spin_hint(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

#endif
