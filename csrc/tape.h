/* tape.h - libtape: queues that store everything to disk.
 *
 * libtape reads and writes queue directories of Chronicle Queue 5 and shares them, live, with
 * Java processes. The bytes are specified in docs/format.md.
 *
 *     tape_queue_t *queue;
 *     tape_appender_t *appender;
 *     int rc = tape_queue_open("orders", NULL, &queue);
 *     if (rc == TAPE_OK) rc = tape_appender_open(queue, NULL, &appender);
 *     int64_t index = rc == TAPE_OK ? tape_appender_write(appender, "hello", 5) : rc;
 *     if (index < 0) fprintf(stderr, "%s\n%s\n", tape_strerror((int)index), tape_hint((int)index));
 *
 * Conventions
 *   A function that can fail returns TAPE_OK (0) or more on success and a negative code on failure.
 *   tape_strerror() and tape_hint() give the code's text and remedy; tape_error_trail() gives the
 *   story of the last failure of the calling thread: file, offset, what was being done, errno.
 *   An index is what Java prints: (cycle << shift) + sequence; it is never negative.
 *   Options structs begin with `uint32_t struct_size` (sizeof the struct as the caller knows it);
 *   zero in any other member means the default, and NULL options mean all defaults. What a smaller
 *   struct, of an older tape.h, lacks is its default; what this library does not know of a larger
 *   one must be zero (TAPE_EINVAL).
 *
 * Threads: a queue and an appender may be used by any thread; a tailer by one thread at a time,
 *   otherwise TAPE_EBUSY. No function is async-signal-safe.
 *
 * Caveats
 *   fork: handles made before fork() answer TAPE_EFORKED in the child.
 *     Fix: open the queue again in the child.
 *   pid namespaces: Java knows the holder of the write lock by its pid alone, so all processes that
 *     write one queue must see the same pids. Fix: let the containers share a pid namespace.
 *   network file systems do not share memory between hosts and are refused (TAPE_EFILESYSTEM).
 *     Fix: keep the queue on a local disk.
 *   truncating a cycle file that is open anywhere kills the processes that have it mapped (SIGBUS),
 *     as with any mapped file. Fix: remove whole files instead.
 *   deleting the file that is written: writers notice within a second and make a new one, numbered
 *     from the cycle's first index again. Fix: remove only older cycles.
 *
 * libtape never prints, exits, reads the environment, or installs signal handlers. Its one mutable
 * global is the registry of open queues of the process (csrc/process.c says why it must be).
 */
#ifndef TAPE_H
#define TAPE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef TAPE_API
#define TAPE_API __attribute__((visibility("default")))
#endif

/* [cdef begin] From here to [cdef end] build_ffi.py feeds this header to cffi. */

/* ---- codes ---------------------------------------------------------------------------------- */

#define TAPE_OK 0

typedef enum tape_code {
    TAPE_EINVAL = -20001,      /* an argument is out of range */
    TAPE_ENOMEM = -20002,      /* out of memory */
    TAPE_EIO = -20003,         /* a system call failed; the trail has errno */
    TAPE_EACCES = -20004,      /* the operating system refuses access to a file */
    TAPE_ENOTFOUND = -20005,   /* there is no queue at the path */
    TAPE_EREADONLY = -20006,   /* the queue can only be read */
    TAPE_EUNSUPPORTED = -20007, /* not a queue that tape can use: version, wire type, roll cycle */
    TAPE_EFILESYSTEM = -20008, /* the file system cannot share memory between processes safely */
    TAPE_ECORRUPT = -20009,    /* bytes that no writer of this format makes */
    TAPE_ECLOSED = -20010,     /* the handle was closed */
    TAPE_EBUSY = -20011,       /* in use by another thread, or children are still open */
    TAPE_EFORKED = -20012,     /* the handle was made before fork() */
    TAPE_ELOCKED = -20013,     /* a live process held the write lock for longer than lock_timeout */
    TAPE_EAPPENDLOCK = -20014, /* appends are switched off by chronicle.append.lock */
    TAPE_ETAKEN = -20015,      /* our lock was broken while we held it, and the slot was taken */
    TAPE_ETOOBIG = -20016,     /* the message is larger than the queue's block size allows */
    TAPE_ENOSPC = -20017,      /* no room on the file system; nothing was written */
    TAPE_ECYCLEFULL = -20018,  /* the cycle has as many messages as its index can number */
    TAPE_ECLOCK = -20019,      /* the newest cycle is finished and the clock is behind it */
    TAPE_ENOINDEX = -20020,    /* there is no message with that index */
    TAPE_ESTATE = -20021,      /* the call makes no sense in this state */
    /* stored settings differ from the wished ones, and strict was asked */
    TAPE_EMISMATCH = -20022,
    TAPE_ETIMEOUT = -20023,    /* another process did not finish creating a file in time */
    TAPE_EINTERNAL = -20024,   /* a defect of libtape itself */
    TAPE_EGAP = -20025,        /* messages that the tailer had yet to read are gone */
    TAPE_ECONFLICT = -20026,   /* the message would have got another index than expected */
    TAPE_EAGAIN = -20027,      /* it would have to wait, or to ask the operating system */
    TAPE_ESYNC = -20028        /* a sync failed: what was written may not be on disk */
} tape_code_t;

/* One line of text for a code, and what to do about it; never NULL, also for unknown codes. */
TAPE_API const char *tape_strerror(int code);
TAPE_API const char *tape_hint(int code);
/* The symbolic name of a code, like "TAPE_ECORRUPT". */
TAPE_API const char *tape_code_name(int code);

/* Copies the trail of the last failure of this thread, newest frame first, one line a frame, cut to
 * fit and NUL-terminated. Returns the length of the whole trail, without the NUL. It has a meaning
 * only after a negative code: a call that succeeds may have met failures on its way. */
TAPE_API size_t tape_error_trail(char *buffer, size_t size);

/* The facts of the last failure of this thread. `position` and `index` are -1 when unknown; the
 * holder's fields are set for TAPE_ELOCKED. The strings live until the next failure. */
typedef struct tape_error_facts {
    int32_t code;
    int32_t system_errno;
    int64_t position;
    int64_t index;
    int64_t holder_pid;
    int32_t holder_alive;
    int32_t reserved;
    int64_t held_for_ns;
    const char *file;
    const char *message;
} tape_error_facts_t;
TAPE_API void tape_error_last(tape_error_facts_t *out);

/* The version of the library, "major.minor.patch". */
TAPE_API const char *tape_version(void);

/* ---- roll cycles ---------------------------------------------------------------------------- */

typedef struct tape_roll_cycle {
    const char *name;        /* Java's name, like "FAST_DAILY" */
    const char *pattern;     /* Java's file name pattern, like "yyyyMMdd'F'" */
    int64_t length_ms;       /* length of a cycle */
    int64_t default_epoch_ms; /* 0 but for WEEKLY */
    int64_t max_messages;    /* per cycle */
    int32_t index_count;     /* entries per index page */
    int32_t index_spacing;   /* messages per index entry */
    int32_t shift;           /* low bits of an index that number the sequence */
    int32_t reserved;
} tape_roll_cycle_t;

/* The built-in roll cycles in Java's search order; NULL when `i` is out of range. */
TAPE_API const tape_roll_cycle_t *tape_roll_cycle_at(size_t i);
/* By name in any spelling ("fast-daily", "FAST_DAILY"); NULL when unknown. */
TAPE_API const tape_roll_cycle_t *tape_roll_cycle_named(const char *name);

/* ---- queue ---------------------------------------------------------------------------------- */

typedef struct tape_queue tape_queue_t;
typedef struct tape_appender tape_appender_t;
typedef struct tape_tailer tape_tailer_t;

/* Flags of tape_queue_options_t. */
#define TAPE_OPEN_EXISTING 1  /* TAPE_ENOTFOUND when there is no queue, instead of creating it */
#define TAPE_READ_ONLY 2      /* write no byte, make no file */
#define TAPE_STRICT 4         /* TAPE_EMISMATCH when stored settings differ from the wished ones */
#define TAPE_UNSAFE_FILESYSTEM 8 /* accept network file systems */
#define TAPE_EPOCH_GIVEN 16   /* `epoch_ms` is a wish even when it is 0 */
#define TAPE_SOURCE_ID_GIVEN 32 /* `source_id` is a wish even when it is 0 */
#define TAPE_NEVER_BREAK 64   /* never break a lock whose holder is only not to be seen */

/* Milliseconds since 1970-01-01T00:00Z. Called by writes, with the write lock held, so it must be
 * quick and must not use the queue; and by those who read, several threads at once. If it forks,
 * the call goes on in the parent alone: in the child it gives TAPE_EFORKED, and writes nothing.
 * A result that is negative or above 2^62 fails a write with TAPE_ECLOCK, and makes lag_ms 0. */
typedef int64_t (*tape_clock_fn)(void *user);

/* Asked about every 20 ms while a write waits for another process's lock, by the thread that waits,
 * which then holds nothing. Not 0: it gives up, with TAPE_ELOCKED; nothing was written. If it
 * forks, the child's call gives TAPE_EFORKED. */
typedef int (*tape_interrupted_fn)(void *user);

/* Decompresses a cycle file, so that it is read as part of the queue: `path` is one that was
 * compressed (its name ends in .cq4.zst or .cq4.gz). Returns a descriptor of a regular file, as
 * long as what was compressed, in which bytes [at, at + size) are right (others may be missing: it
 * is asked again for them); libtape closes the descriptor. Or TAPE_ECORRUPT, TAPE_EUNSUPPORTED
 * (what decompresses it is missing), TAPE_ENOSPC, TAPE_ENOTFOUND, TAPE_EACCES, TAPE_ENOMEM or
 * TAPE_EIO.
 * Called by threads that read, several at once; it must not use the queue. */
typedef int (*tape_unpack_fn)(void *user, const char *path, uint64_t at, uint64_t size);

/* When a message is on disk (docs/durability.md). OS: the page cache has it when a write returns;
 * it survives the death of the process, not that of the machine. INTERVAL: it is on disk after
 * sync_interval_ns at the latest, and the time that a sync takes. EACH: it is when the write
 * returns; those who write at the same time share a sync. */
#define TAPE_DURABILITY_OS 1
#define TAPE_DURABILITY_INTERVAL 2
#define TAPE_DURABILITY_EACH 3

/* What held an append up, and for how long. */
typedef struct tape_slow_append {
    int64_t index;      /* of the message; of the last one of a batch */
    int64_t took_ns;    /* all of these together */
    int64_t lock_ns;    /* another process or thread had the write lock, ... */
    int64_t holder_pid; /* ... this process; 0 when nobody had */
    int64_t clock_ns;   /* the cycle was finished, and the clock had not left it */
    int64_t cycle_ns;   /* files were looked after, a cycle was entered, older ones ended, or what a
                         * dead writer left was repaired */
    int64_t room_ns;    /* the file was enlarged, blocks were reserved */
    int64_t pages_ns;   /* pages were mapped and brought in */
    int64_t sync_ns;    /* the disk had to say that it has it */
} tape_slow_append_t;

/* Told of an append that these held up for slow_append_ns or longer, when it is done, by the thread
 * that calls, which holds nothing then. It may append itself, and is then told of that as well. */
typedef void (*tape_slow_append_fn)(void *user, const tape_slow_append_t *slow);

typedef struct tape_queue_options {
    uint32_t struct_size;
    uint32_t flags;
    const char *roll_cycle;  /* a name; NULL: the stored one, else FAST_DAILY */
    int64_t epoch_ms;        /* 0: none wished, unless TAPE_EPOCH_GIVEN; within 10000 years */
    int64_t block_size;      /* bytes, 0: 64 MiB; raised to Java's minimum of the roll cycle */
    int64_t lock_timeout_ns; /* 0: 10 s; -1: for ever */
    int64_t stale_after_ns;  /* 0: 2 s */
    int32_t source_id;
    int32_t reserved;
    tape_clock_fn clock;     /* NULL: the system's clock */
    void *clock_user;
    tape_interrupted_fn interrupted; /* NULL: nothing interrupts a wait */
    void *interrupted_user;
    tape_unpack_fn unpack;   /* NULL: compressed cycle files are no part of the queue */
    void *unpack_user;
    uint32_t durability;     /* TAPE_DURABILITY_..., 0: OS; of appenders without their own */
    int32_t reserved_2;
    int64_t sync_interval_ns; /* for INTERVAL, 1 ms to 1 h; the shortest of a process counts */
    tape_slow_append_fn slow_append; /* NULL: nobody is told of slow appends */
    void *slow_append_user;
    int64_t slow_append_ns;  /* 0: 100 ms */
} tape_queue_options_t;

/* Which stored settings differ from the wished ones (tape_queue_info_t.mismatch). */
#define TAPE_MISMATCH_ROLL_CYCLE 1
#define TAPE_MISMATCH_EPOCH 2
#define TAPE_MISMATCH_SOURCE_ID 4

/* Opens the queue directory `path` (a relative one leads from the current directory as it is now),
 * creating it (and its parents) unless TAPE_OPEN_EXISTING or TAPE_READ_ONLY. Stored settings win
 * over wished ones. On success *out is the handle.
 * Errors: TAPE_EINVAL, TAPE_ENOTFOUND, TAPE_EACCES, TAPE_EUNSUPPORTED (not a directory, 4.x,
 * unknown roll pattern, wire type, roll time zone), TAPE_ECORRUPT, TAPE_EFILESYSTEM,
 * TAPE_EMISMATCH, TAPE_ETIMEOUT, TAPE_EREADONLY (asked for writing, and only reading is permitted),
 * TAPE_EIO, TAPE_ENOSPC, TAPE_ENOMEM. A failed open leaves the directory as it was. */
TAPE_API int tape_queue_open(const char *path, const tape_queue_options_t *options,
                             tape_queue_t **out);

/* Ends all use of the queue and its children: every later call on them gives TAPE_ECLOSED, also in
 * other threads, and their mappings and descriptors are given back, but for the excerpt that a
 * tailer delivered last: that stays until the tailer is closed. The handle stays valid memory until
 * tape_queue_close(). Idempotent. TAPE_ESYNC: all is closed, but what was written in intervals may
 * not be on disk. */
TAPE_API int tape_queue_shutdown(tape_queue_t *queue);

/* Shuts down and frees the handle. TAPE_EBUSY while appenders or tailers of it are open. TAPE_ESYNC
 * as of tape_queue_shutdown(): it is freed. */
TAPE_API int tape_queue_close(tape_queue_t *queue);

/* As tape_queue_close(), but when children are still open the memory is freed with the last one:
 * for bindings whose finalizers run in any order. */
TAPE_API void tape_queue_release(tape_queue_t *queue);

/* The index of the first and last message. TAPE_ENOINDEX when the queue is empty; otherwise as for
 * reading: TAPE_ECORRUPT, TAPE_EIO, TAPE_ECLOSED, TAPE_EFORKED. */
TAPE_API int64_t tape_queue_first_index(tape_queue_t *queue);
TAPE_API int64_t tape_queue_last_index(tape_queue_t *queue);

/* How many messages there are with a <= index < b; the order of a and b counts (a >= b: 0). As for
 * reading. Cost: a few system calls for each cycle between them. */
TAPE_API int64_t tape_queue_count(tape_queue_t *queue, int64_t a, int64_t b);

/* Between which indexes the first message lies that was written at `ms` (since 1970, by the queue's
 * clock) or later: at *earliest or behind it, and at *latest or before it. All before *earliest
 * were written before `ms`, all from *latest on at `ms` or later; there need be no message of
 * either index. As of tape_tailer_seek_time(). TAPE_OK, TAPE_EINVAL, or as for reading. */
TAPE_API int tape_queue_time_bounds(tape_queue_t *queue, int64_t ms, int64_t *earliest,
                                    int64_t *latest);

/* States of a cycle file. */
#define TAPE_CYCLE_OPEN 0      /* messages may still be appended */
#define TAPE_CYCLE_FINISHED 1  /* it has its END_OF_DATA */
#define TAPE_CYCLE_HALF_MADE 2 /* being created, or left by a dead creator */

typedef struct tape_cycle_info {
    int64_t cycle;
    int64_t first_index;   /* of sequence 0, whether there is such a message or not */
    int64_t count;         /* messages */
    int64_t bytes;         /* length of the file */
    int64_t bytes_on_disk;
    int32_t state;
    int32_t data_format;   /* 1, or 0 for files of before 5.19.11 */
    int32_t compressed;    /* `bytes` are those of what it holds */
    int32_t reserved;
} tape_cycle_info_t;

/* Facts about the file of `cycle`. TAPE_ENOTFOUND when there is none; else as for reading. */
TAPE_API int tape_queue_cycle_info(tape_queue_t *queue, int64_t cycle, tape_cycle_info_t *out);
/* Looks at the directory again, and lets all other processes do so, too: after files were deleted
 * or brought back by hand. Without that each notices within 60 s. TAPE_OK or as for reading. */
TAPE_API int tape_queue_refresh(tape_queue_t *queue);
/* Removes the file of a cycle that is not the newest: with the write lock held, the listing's words
 * first, so that no reader, Java's included, looks for a file that is gone. Tailers that stand in
 * it read to its end; no mapping of the queue's own keeps its blocks. Whether anybody still needs
 * it is the caller's to know. TAPE_OK, TAPE_ENOTFOUND, TAPE_ESTATE (it is the newest),
 * TAPE_EREADONLY, TAPE_ELOCKED, TAPE_EACCES, TAPE_EIO, TAPE_ECLOSED, TAPE_EFORKED, TAPE_EINVAL. */
TAPE_API int tape_queue_remove_cycle(tape_queue_t *queue, int64_t cycle);
/* The first cycle from `cycle` on that has a file; TAPE_ENOINDEX when there is none. */
TAPE_API int64_t tape_queue_cycle_from(tape_queue_t *queue, int64_t cycle);
/* The cycle of a file name (without directory), or TAPE_EINVAL when it is not that of a cycle. */
TAPE_API int64_t tape_queue_cycle_of_name(tape_queue_t *queue, const char *name);

/* The `n`th word of the table store (from 0): its key, cut to `size` and NUL-terminated, and value.
 * 1, 0 when there are not so many, or a code. */
TAPE_API int tape_queue_table_word(tape_queue_t *queue, size_t n, char *key, size_t size,
                                   int64_t *value);

/* The file name (without directory) of a cycle. TAPE_EINVAL when it does not fit or is no cycle. */
TAPE_API int tape_queue_cycle_name(tape_queue_t *queue, int64_t cycle, char *buffer, size_t size);

typedef struct tape_queue_info {
    const tape_roll_cycle_t *roll_cycle;
    const char *path;         /* absolute */
    int64_t epoch_ms;
    int64_t block_size;
    int64_t lowest_cycle;     /* -1: none */
    int64_t highest_cycle;    /* -1: none */
    int64_t listing_mod_count;
    int64_t lock_holder_pid;  /* 0: nobody holds the write lock */
    int64_t lock_acquired;    /* times this handle took the write lock */
    int64_t lock_contended;   /* of these, how often it was not free at once */
    int64_t lock_broken;      /* of these, how often a dead holder's lock was taken over */
    int64_t lock_lost;        /* how often our lock was broken by somebody else */
    int64_t repairs;          /* things left by dead writers that this handle repaired */
    int64_t rolls;            /* cycle files this handle created */
    int64_t clock_went_back;  /* appends for which the clock showed an older cycle */
    int64_t files_lost;       /* how often the file being written was found deleted */
    int32_t source_id;
    int32_t delta_checkpoint_interval; /* as stored, without meaning for tape; -1: not stored */
    int32_t read_only;
    int32_t mismatch;         /* TAPE_MISMATCH_... */
    int32_t closed;
    int32_t durability;       /* TAPE_DURABILITY_... */
    int64_t sync_interval_ns; /* 0 unless INTERVAL */
    int64_t syncs;            /* that this process made for the queue, each for all who waited */
    int32_t sync_failed;      /* the errno of one that failed; 0: none did */
    int32_t in_memory;        /* 1: the file system has no disk (tmpfs): no sync makes it durable */
} tape_queue_info_t;
/* What is stored, and what this handle has met and done. TAPE_OK, also when the queue was closed;
 * TAPE_EINVAL, TAPE_EFORKED. */
TAPE_API int tape_queue_info(tape_queue_t *queue, tape_queue_info_t *out);

/* Waits until the queue is on disk: all messages that stand in it at the call, whoever wrote them,
 * from the cycle on that was the newest when it was opened; and stored positions. Also for queues
 * opened read-only, for those who act on what they read. TAPE_OK, TAPE_ESYNC (and from then on this
 * process acknowledges nothing that is to be synced: docs/durability.md), TAPE_ECLOSED,
 * TAPE_EFORKED, TAPE_EINVAL, or as for reading. */
TAPE_API int tape_queue_sync(tape_queue_t *queue);

/* ---- appender ------------------------------------------------------------------------------- */

/* How a message's bytes stand in its document (docs/format.md 13). */
#define TAPE_FRAMING_BYTES 0    /* wire().write().bytes(): what Clojure's tape writes */
#define TAPE_FRAMING_DOCUMENT 1 /* the bytes are the document */

typedef struct tape_appender_options {
    uint32_t struct_size;
    uint32_t framing;
    uint32_t durability;      /* TAPE_DURABILITY_..., 0: the queue's */
    int32_t reserved;
    int64_t sync_interval_ns; /* for INTERVAL, 1 ms to 1 h */
} tape_appender_options_t;

/* Makes an appender. Appenders of one queue share its file and lock; make as many as you like.
 * Errors: TAPE_EREADONLY, TAPE_ECLOSED, TAPE_EFORKED, TAPE_EINVAL, TAPE_ENOMEM; with durability
 * also TAPE_EIO, TAPE_EACCES (the directory cannot be opened, or no thread be made). */
TAPE_API int tape_appender_open(tape_queue_t *queue, const tape_appender_options_t *options,
                                tape_appender_t **out);
/* TAPE_OK; TAPE_ESYNC when what it wrote in intervals may not be on disk (it is closed all the
 * same). */
TAPE_API int tape_appender_close(tape_appender_t *appender);

/* Appends one message and returns its index. After that every tailer in every process sees it; it
 * survives the death of this process, and that of the machine by the appender's durability.
 * TAPE_ESYNC: with an index in tape_error_last() the message is there, and readers may have seen
 * it, but it may not be on disk; without one nothing was written, because a sync had failed before.
 * Other errors, after each of which the file is as if nothing had been tried: TAPE_ETOOBIG,
 * TAPE_ENOSPC, TAPE_ELOCKED, TAPE_EAPPENDLOCK, TAPE_ECYCLEFULL, TAPE_ECLOCK, TAPE_ETAKEN,
 * TAPE_ECORRUPT, TAPE_EIO, TAPE_EACCES, TAPE_ENOMEM, TAPE_ECLOSED, TAPE_EFORKED, TAPE_EINVAL. */
TAPE_API int64_t tape_appender_write(tape_appender_t *appender, const void *data, size_t size);

/* The same, if the message gets index `expect`, which is compared under the lock; otherwise
 * TAPE_ECONFLICT, and tape_error_last() tells as `index` the one that it would have had. For those
 * who have read all there is and decide by it: `expect` is then tape_tailer_index(). */
TAPE_API int64_t tape_appender_write_expect(tape_appender_t *appender, const void *data,
                                            size_t size, int64_t expect);

/* The same, if that takes no waiting and no call of the operating system: nobody holds the lock,
 * the cycle goes on, and there is room in memory at hand. Otherwise TAPE_EAGAIN, with nothing in
 * the trail, and tape_appender_write() does it. To try again alone may be in vain: only write()
 * makes files and room (once for 256 KiB or less) and looks after them (once a second). It does
 * not wait for the disk either: with TAPE_DURABILITY_EACH the next write or sync that returns makes
 * the message durable. */
TAPE_API int64_t tape_appender_try_write(tape_appender_t *appender, const void *data, size_t size);

/* Bytes of the caller's or, read, of a mapped file. */
typedef struct tape_span {
    const void *data;
    size_t size;
} tape_span_t;

/* Appends `count` messages under one lock, with indexes that follow one another, all in the cycle
 * that the clock shows at the first. Returns the index of the first one, or a code as for
 * tape_appender_write() when not even that was written. *written tells how many were: fewer than
 * `count` when something failed behind the first (tape_error_last() says what, and so does the next
 * call for the rest). A reader may see some of them before the others. TAPE_EINVAL also when
 * `count` is 0; a message that is too large is TAPE_ETOOBIG before any is written. */
TAPE_API int64_t tape_appender_write_many(tape_appender_t *appender, const tape_span_t *spans,
                                          size_t count, size_t *written);

/* Writing in place: tape_appender_reserve() gives a buffer of `size` bytes in the file, where the
 * message is then made, and tape_appender_publish() appends what is there, cut to `size` bytes.
 * Between the two the write lock is held: calls of this process that would wait for it give
 * TAPE_EBUSY, and other processes wait, so be quick. The buffer holds anything at first. Where a
 * new file must be made it is memory of the library's instead, and is copied.
 *
 *     rc = tape_appender_reserve(appender, 64, &buffer);
 *     if (rc == TAPE_OK) index = tape_appender_publish(appender, make_message(buffer, 64));
 *
 * reserve: TAPE_OK, or as for tape_appender_write(). publish: the index, or TAPE_ESTATE (nothing is
 * reserved), TAPE_EINVAL (`size` is larger than what was reserved: it still is), TAPE_ETAKEN (the
 * lock was broken meanwhile: nothing was written, reserve again), or as for tape_appender_write().
 * abandon gives the lock back, and nothing was written: TAPE_OK or TAPE_ESTATE. Closing the
 * appender abandons, too. Both give TAPE_EFORKED in a forked child, whose parent has the lock. */
TAPE_API int tape_appender_reserve(tape_appender_t *appender, size_t size, void **buffer);
TAPE_API int64_t tape_appender_publish(tape_appender_t *appender, size_t size);
TAPE_API int tape_appender_abandon(tape_appender_t *appender);

/* Waits until all that this appender wrote is on disk; codes as of tape_queue_sync(). */
TAPE_API int tape_appender_sync(tape_appender_t *appender);

/* The index of the last message this appender wrote; TAPE_ENOINDEX before the first. */
TAPE_API int64_t tape_appender_last_index(tape_appender_t *appender);

typedef struct tape_appender_info {
    int64_t last_index; /* TAPE_ENOINDEX before the first message */
    int64_t messages;   /* that it wrote */
    int64_t bytes;      /* of these messages, without headers and frames */
} tape_appender_info_t;
/* What this appender has written. TAPE_OK, also when the queue was closed; TAPE_EINVAL. */
TAPE_API int tape_appender_info(tape_appender_t *appender, tape_appender_info_t *out);

/* ---- tailer --------------------------------------------------------------------------------- */

/* Flags of tape_tailer_options_t. */
#define TAPE_TAILER_STEAL 1  /* take the name even if a live tailer on this host has it: that one
                              * gets TAPE_EBUSY from then on, but for calls that only tell */
#define TAPE_TAILER_DOCUMENTS 2 /* give whole documents, also those that look like a frame */
#define TAPE_TAILER_METADATA 4  /* forward, give metadata, too: headers, index pages, users' */
#define TAPE_TAILER_TELL_GAPS 8 /* answer a gap with TAPE_EGAP, once */

typedef struct tape_tailer_options {
    uint32_t struct_size;
    uint32_t flags;
    int64_t window_size;     /* bytes of a cycle file mapped at a time, 0: 16 MiB */
    const char *id;          /* a name, at most 256 bytes of ISO-8859-1; NULL: none. Not one that
                              * ends in .lock or .version, as words of Java's do */
    int64_t poll_interval_ns; /* the longest pause between looks while it waits, 0: 50 ms */
} tape_tailer_options_t;

typedef struct tape_excerpt {
    const uint8_t *data;     /* the message; with TAPE_FRAMING_DOCUMENT the whole document */
    size_t size;
    int64_t index;
    uint32_t framing;
    uint32_t metadata;       /* 1: no message but metadata; `index` is that of the next message */
} tape_excerpt_t;

/* Makes a tailer that stands before the first message. A named one stands where its position was
 * stored last, by whatever language, under Java's key `index.<id>`; the queue keeps it (Java
 * ignores the case of names). When the cycle of a stored position is gone it stands before the next
 * one that exists: a gap.
 * Errors: TAPE_ECLOSED, TAPE_EFORKED, TAPE_EINVAL, TAPE_ENOMEM; named also TAPE_EBUSY (a live
 * tailer on this host has the name), TAPE_EREADONLY (it is new and the queue is read-only),
 * TAPE_EIO, TAPE_ECORRUPT. */
TAPE_API int tape_tailer_open(tape_queue_t *queue, const tape_tailer_options_t *options,
                              tape_tailer_t **out);
TAPE_API int tape_tailer_close(tape_tailer_t *tailer);
/* Makes later calls give TAPE_ECLOSED and gives back the mappings; tape_tailer_close() frees. A
 * thread in tape_tailer_wait() is woken and gets TAPE_ECLOSED; TAPE_EBUSY while one is inside
 * another call. */
TAPE_API int tape_tailer_shutdown(tape_tailer_t *tailer);

/* Reads the next message: 1 and *out filled, 0 when there is none now, or a code: TAPE_ECORRUPT
 * (the position stays), TAPE_EBUSY, TAPE_EIO, TAPE_EACCES, TAPE_ECLOSED, TAPE_EFORKED; with
 * TAPE_TAILER_TELL_GAPS also TAPE_EGAP: the next call then goes on behind the gap. `out->data` is
 * valid until the next call on this tailer. */
TAPE_API int tape_tailer_next(tape_tailer_t *tailer, tape_excerpt_t *out);

/* Takes the last tape_tailer_next() back: the same message is next again, or the same TAPE_EGAP.
 * For callers who find that they cannot use it. TAPE_ESTATE unless that was the last call on this
 * tailer, but for those that only tell and tape_tailer_commit(), and it gave one. */
TAPE_API int tape_tailer_unread(tape_tailer_t *tailer);

/* Where tape_tailer_next_many() puts messages: bodies one after the other in `buffer`. */
typedef struct tape_batch {
    uint8_t *buffer;
    size_t size;
    int64_t *ends;       /* of each body, as an offset in the buffer */
    int64_t *indexes;
    uint32_t *framings;
    size_t count;        /* room in the three arrays, in messages */
} tape_batch_t;

/* Reads up to batch->count messages in one call and copies them: how many, 0 when there is none
 * now, or a code as of tape_tailer_next(), and TAPE_ETOOBIG when the first one does not fit into
 * the buffer (then tape_tailer_next() gives it). All are of one cycle. A failure behind the first
 * message ends the batch, and the next call gives its code. Metadata documents are passed over. */
TAPE_API int64_t tape_tailer_next_many(tape_tailer_t *tailer, const tape_batch_t *batch);

/* What tape_tailer_next_spans() says of its messages. */
typedef struct tape_run {
    int64_t first_index; /* of the first; each further one has the next index (backward: the one
                          * before) */
    uint32_t framing;    /* of them all */
    uint32_t reserved;
} tape_run_t;

/* Reads up to `count` messages in one call without copying them: how many, with spans[0] .. filled,
 * 0 when there is none now, or a code as of tape_tailer_next(). The bytes are valid until the next
 * call on this tailer. A run has messages of one cycle, one framing and one mapped window, so it is
 * often shorter than `count` although more follow. Metadata documents are passed over.
 *
 *     while ((n = tape_tailer_next_spans(tailer, spans, 64, &run)) > 0)
 *         for (int64_t i = 0; i < n; i++) use(run.first_index + i, spans[i].data, spans[i].size);
 */
TAPE_API int64_t tape_tailer_next_spans(tape_tailer_t *tailer, tape_span_t *spans, size_t count,
                                        tape_run_t *run);

/* Takes back all but the first `keep` messages that the last tape_tailer_next_many() or
 * tape_tailer_next_spans() gave: they are next again. TAPE_ESTATE unless that was the last call on
 * this tailer, but for those that only tell and tape_tailer_commit(), and it gave that many. */
TAPE_API int tape_tailer_unread_many(tape_tailer_t *tailer, size_t keep);

/* As tape_tailer_next(), but the tailer stays before the message. */
TAPE_API int tape_tailer_peek(tape_tailer_t *tailer, tape_excerpt_t *out);

/* Moves so that the next read gives `index`: 1. When there is no such message: 0, and the tailer
 * waits there if it is the one after the last of its cycle, otherwise it stays where it was. Errors
 * as for tape_tailer_next(), and TAPE_EINVAL for negative indexes. */
TAPE_API int tape_tailer_seek(tape_tailer_t *tailer, int64_t index);
/* Moves to the first message that was written at `ms` (since 1970, by the queue's clock) or later:
 * 1; 0 when there is none: it then stands behind the last one. Messages bear no time, so the first
 * message is taken that may be the one, by what tape's writers noted about once a second
 * (docs/seek_by_time.md): never a later one, and where one process writes one that was written less
 * than a second before. What nobody noted, Java above all, is known by its cycle alone. Errors as
 * for tape_tailer_seek(), and TAPE_EINVAL beyond 2^62 ms. */
TAPE_API int tape_tailer_seek_time(tape_tailer_t *tailer, int64_t ms);
/* Moves before the first message, or behind the last one. Errors as for tape_tailer_next(). */
TAPE_API int tape_tailer_seek_start(tape_tailer_t *tailer);
TAPE_API int tape_tailer_seek_end(tape_tailer_t *tailer);

/* Stores the position of a named tailer: the index of its next read. Nothing else does.
 * TAPE_OK, TAPE_ESTATE (it has no name), TAPE_EREADONLY, or as for tape_tailer_next(). */
TAPE_API int tape_tailer_commit(tape_tailer_t *tailer);
/* The same for a position further back: `index` is what shall be read first by who comes after. For
 * callers who read ahead of what they are done with. What was read last can still be taken back.
 * TAPE_EINVAL when it is negative. */
TAPE_API int tape_tailer_commit_at(tape_tailer_t *tailer, int64_t index);
/* What is stored: the index, 0 when nothing is; TAPE_ESTATE when it has no name. */
TAPE_API int64_t tape_tailer_committed(tape_tailer_t *tailer);
/* 1 when messages from *first_gone up to, not including, *next are gone, or may be, that the tailer
 * had yet to read; told once. 0 otherwise. So it is when the file of a stored position does not
 * exist, and when the file in hand was deleted and the next one that exists is not the cycle after
 * it, or the deleted one had no end. *next is in the same cycle, at its first message, when a new
 * file was made for it. Files that are missing beside one that still exists are no gap: most cycles
 * without messages never had one. */
TAPE_API int tape_tailer_gap(tape_tailer_t *tailer, int64_t *first_gone, int64_t *next);

/* The direction of reading. Turned backward, the next read gives the message at
 * tape_tailer_index(), or the last one when there is none (yet); beyond the first message it gives
 * nothing, and turned forward again the first. Set: TAPE_OK, TAPE_EINVAL, or as for
 * tape_tailer_next(). */
#define TAPE_FORWARD 1
#define TAPE_BACKWARD 2
TAPE_API int tape_tailer_set_direction(tape_tailer_t *tailer, int direction);
TAPE_API int tape_tailer_direction(tape_tailer_t *tailer);

/* The index of the next read, as far as known (0 before the first read of an empty queue), and the
 * one that was read last (TAPE_ENOINDEX when none was). */
TAPE_API int64_t tape_tailer_index(tape_tailer_t *tailer);
TAPE_API int64_t tape_tailer_last_read(tape_tailer_t *tailer);

/* How a tailer stands, in Java's words (format.md 12.1). One is never moved to where nothing is, so
 * Java's CYCLE_NOT_FOUND has no counterpart. */
typedef enum tape_tailer_state {
    TAPE_UNINITIALISED = 0,         /* nowhere: the queue has no file yet */
    TAPE_FOUND_IN_CYCLE = 1,        /* at a message, or where the next one of the cycle will be */
    TAPE_NOT_REACHED_IN_CYCLE = 2,  /* Java's, which tape does not use: see named tailers */
    TAPE_END_OF_CYCLE = 3,          /* at the end of a finished cycle, with none behind it */
    TAPE_BEYOND_START_OF_CYCLE = 4  /* backward, before the first message */
} tape_tailer_state_t;

typedef struct tape_tailer_info {
    int64_t index;        /* as tape_tailer_index() */
    int64_t last_read;    /* as tape_tailer_last_read() */
    int64_t committed;    /* as tape_tailer_committed(); -1 without a name */
    int64_t lag_messages; /* from `index` to the end of the queue, whatever the direction */
    int64_t lag_bytes;    /* that they take in their files, index pages included */
    int64_t lag_ms;       /* the message at `index` is at least that old: its cycle ended then */
    int32_t direction;
    int32_t state;        /* TAPE_UNINITIALISED, ... */
} tape_tailer_info_t;
/* Where a tailer stands, and how far behind. Nothing moves, but that a fresh tailer comes to stand
 * before the first message. Cost: a few system calls for each cycle behind. Errors as for
 * tape_tailer_next(). */
TAPE_API int tape_tailer_info(tape_tailer_t *tailer, tape_tailer_info_t *out);

/* ---- waiting -------------------------------------------------------------------------------- */

/* A writer of libtape wakes all who wait, in whatever process, when it has published; that costs it
 * one load while nobody waits. Messages of other writers (Java) are found by looking: at least
 * every poll_interval, and for a while more often once such a message was found. Rolls, new files,
 * deleted files and closing wake, too. A queue that is only read is looked at in the same way,
 * since it has no word that could be shared. */

/* Waits until the next read would give something: a message, a gap or an error. timeout_ns: 0 only
 * looks, -1 waits for ever.
 * TAPE_WAIT_READY, TAPE_WAIT_TIMED_OUT, TAPE_WAIT_INTERRUPTED (a signal handler ran), or a code:
 * TAPE_ECLOSED (also when another thread closes the tailer or its queue meanwhile), TAPE_ENOTFOUND
 * (the queue's directory was deleted or replaced), TAPE_EINVAL, TAPE_EBUSY, TAPE_EFORKED, or as of
 * tape_tailer_next(). */
#define TAPE_WAIT_TIMED_OUT 0
#define TAPE_WAIT_READY 1
#define TAPE_WAIT_INTERRUPTED 2
TAPE_API int tape_tailer_wait(tape_tailer_t *tailer, int64_t timeout_ns);
/* Sets the longest pause between looks, in place of the option's; 0: 50 ms. TAPE_OK, TAPE_EINVAL
 * when it is negative, or as of tape_tailer_next(). */
TAPE_API int tape_tailer_set_poll_interval(tape_tailer_t *tailer, int64_t interval_ns);

/* A waiter waits for many tailers, of one or many queues, with one descriptor for event loops. One
 * thread of libtape sleeps for all waiters of a process (and one more for every 127 queues); it is
 * made with the first tailer that is added, and ends when the last queue is closed. */
typedef struct tape_waiter tape_waiter_t;

/* Makes a waiter. TAPE_OK, TAPE_ENOMEM, TAPE_EIO (no descriptor is left). */
TAPE_API int tape_waiter_open(tape_waiter_t **out);
/* Closes a waiter, at any time; tailers that were added are then waited for by nobody. TAPE_OK. */
TAPE_API int tape_waiter_close(tape_waiter_t *waiter);
/* The descriptor: readable while tape_waiter_take() has something to give. */
TAPE_API int tape_waiter_fd(tape_waiter_t *waiter);

/* Waits for the tailer, once: when its next read would give something, or it is shut, `token` is
 * there for tape_waiter_take(). Any other call on the tailer ends the waiting, and that is told in
 * the same way. For the tailer this is a call like reading: one thread at a time.
 * TAPE_WAIT_READY (there is something at once, and nothing is waited for), TAPE_OK, or a code:
 * TAPE_ESTATE (tape_tailer_fd() has it), TAPE_EIO (no thread could be made), TAPE_ENOMEM, or as of
 * tape_tailer_wait(). */
TAPE_API int tape_waiter_add(tape_waiter_t *waiter, tape_tailer_t *tailer, uint64_t token);

/* The tokens of tailers that became ready, at most `count`; how many. When there are no more, the
 * descriptor is readable no longer. A token may come for a tailer that has nothing any more. */
TAPE_API int64_t tape_waiter_take(tape_waiter_t *waiter, uint64_t *tokens, size_t count);

/* Waits until there are tokens, as tape_tailer_wait(). */
TAPE_API int tape_waiter_wait(tape_waiter_t *waiter, int64_t timeout_ns);

/* A descriptor of the tailer's own, for select() and event loops, made when first asked for and
 * closed with the tailer: readable when there may be something to read. Read until there is nothing
 * more: then it is readable no longer, until something comes. A descriptor or a code. */
TAPE_API int tape_tailer_fd(tape_tailer_t *tailer);

/* ---- checking and mending ------------------------------------------------------------------- */

/* How much a finding matters. */
#define TAPE_NOTE 1       /* told; nothing need be done */
#define TAPE_UNFINISHED 2 /* a writer died, or never came back: the next one puts it right */
#define TAPE_DAMAGE 3     /* bytes that no writer of this format makes, or that Java trips over */

typedef struct tape_finding {
    int32_t level;
    int32_t reserved;
    const char *kind;    /* a word for programs, like "index-entry"; docs/repair.md lists them */
    const char *file;    /* path */
    int64_t offset;      /* of the byte it is about; -1: the file as a whole */
    int64_t index;       /* of the message it is about; -1: none */
    const char *text;    /* one sentence */
    const char *remedy;  /* one sentence */
} tape_finding_t;

/* Takes a finding, whose strings live until it returns. Not 0 ends the check. */
typedef int (*tape_finding_fn)(void *user, const tape_finding_t *finding);
/* Told now and then how many bytes of the queue's files were looked at. Not 0 ends the work. */
typedef int (*tape_progress_fn)(void *user, const char *file, int64_t done, int64_t total);

/* Flags of tape_check_options_t. */
#define TAPE_IN_PLACE 1 /* mend the queue itself; what is replaced stays beside it, renamed */

typedef struct tape_check_options {
    uint32_t struct_size;
    uint32_t flags;
    tape_finding_fn finding;   /* NULL: only counted */
    void *finding_user;
    tape_progress_fn progress; /* NULL: nobody is told */
    void *progress_user;
} tape_check_options_t;

typedef struct tape_check_report {
    int64_t files;         /* cycle files, and the table store */
    int64_t messages;      /* that were met; of tape_repair(): those in the result */
    int64_t damage;        /* findings, by level */
    int64_t unfinished;
    int64_t notes;
    /* Of tape_repair() alone: */
    int64_t lost;          /* messages that are known to be gone */
    int64_t lost_bytes;    /* that belonged to no message that could be had */
    int64_t recovered;     /* messages whose header word or length was put right */
    int64_t placeholders;  /* empty messages where lost ones were, so that indexes stay */
    int64_t mended_files;
    int64_t dropped_files; /* that held bytes, and no message could be had of them */
    int32_t renumbered;    /* 1: some messages may have got other indexes */
    int32_t nothing;       /* 1: nothing could be had */
} tape_check_report_t;

/* Checks the queue at `path` by reading its files, never by mapping them: the table store, each
 * cycle file from its header to its end with its index, and what they say of each other. No byte is
 * written, writers may be at work (what they are in the middle of is told as a note), and memory is
 * bounded whatever the files hold. The bytes of messages have no checksum and are not looked into.
 * TAPE_OK when it was checked, whatever was found; 1 when a callback ended it; TAPE_ENOTFOUND,
 * TAPE_EUNSUPPORTED, TAPE_EINVAL, TAPE_ENOMEM, TAPE_EIO, TAPE_EACCES. `report` may be NULL. */
TAPE_API int tape_verify(const char *path, const tape_check_options_t *options,
                         tape_check_report_t *report);

/* Writes a mended copy of the queue at `path` into the new directory `into`; with TAPE_IN_PLACE
 * `into` is NULL, and files are replaced one by one, each at once and whole. Messages keep their
 * indexes where it is known how many are lost, by empty messages in their place. It tells, as
 * findings, what it mends. Java and tape read and write the result.
 * TAPE_OK, with what became of it in `report`; 1 when a callback ended it (a copy is then
 * incomplete, a queue in place whole); TAPE_EBUSY (in place, and a process has the queue open),
 * TAPE_EINVAL (`into` exists), TAPE_ENOSPC, or as of tape_verify(). */
TAPE_API int tape_repair(const char *path, const char *into,
                         const tape_check_options_t *options, tape_check_report_t *report);

/* [cdef end] */

#ifdef __cplusplus
}
#endif
#endif
