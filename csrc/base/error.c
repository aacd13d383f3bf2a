/* error.c - the one table of codes, texts and hints, and the trail. */
#define _POSIX_C_SOURCE 200809L
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/platform.h"

enum { TRAIL_SIZE = 1024 };

typedef struct {
    tape_error_facts_t facts;
    size_t used;
    char trail[TRAIL_SIZE];
    char file[TAPE__PATH_SIZE];
} failure_t;

static _Thread_local failure_t last_failure = {.facts = {.position = -1, .index = -1}};

typedef struct {
    const char *name;
    const char *text;
    const char *hint;
} code_row_t;

/* No default: -Wswitch reports a code without a row. */
static code_row_t code_row(tape_code_t code)
{
    switch (code) {
    case TAPE_EINVAL:
        return (code_row_t){"TAPE_EINVAL", "an argument is out of range",
                            "see the documentation of the call for the range"};
    case TAPE_ENOMEM:
        return (code_row_t){"TAPE_ENOMEM", "out of memory", "free some and try again"};
    case TAPE_EIO:
        return (code_row_t){"TAPE_EIO", "a system call failed",
                            "the message names the call and the operating system's reason"};
    case TAPE_EACCES:
        return (code_row_t){"TAPE_EACCES", "the operating system refuses access",
                            "check owner and mode of the directory and the files in it"};
    case TAPE_ENOTFOUND:
        return (code_row_t){"TAPE_ENOTFOUND", "there is no queue at this path",
                            "check the path, or let the queue be created"};
    case TAPE_EREADONLY:
        return (code_row_t){"TAPE_EREADONLY", "the queue can only be read",
                            "open it without read_only, as a user who may write there"};
    case TAPE_EUNSUPPORTED:
        return (code_row_t){"TAPE_EUNSUPPORTED", "not a queue that tape can use",
                            "tape reads and writes directories of Chronicle Queue 5 "
                            "(BINARY_LIGHT, built-in roll cycles, UTC)"};
    case TAPE_EFILESYSTEM:
        return (code_row_t){"TAPE_EFILESYSTEM", "the file system cannot share memory safely",
                            "keep the queue on a local disk, or pass unsafe_filesystem when only "
                            "one host ever opens it"};
    case TAPE_ECORRUPT:
        return (code_row_t){"TAPE_ECORRUPT", "the file holds bytes that no writer makes",
                            "what stands before this position can still be read; `tape verify` "
                            "shows what is wrong, `tape repair` makes a sound copy"};
    case TAPE_ECLOSED:
        return (code_row_t){"TAPE_ECLOSED", "it was closed", "open it again"};
    case TAPE_EBUSY:
        return (code_row_t){"TAPE_EBUSY", "it is in use elsewhere",
                            "use one tailer per thread and one holder per name (stealing takes it "
                            "over), and close children before their queue"};
    case TAPE_EFORKED:
        return (code_row_t){"TAPE_EFORKED", "it was made before fork()",
                            "open the queue again in the child process"};
    case TAPE_ELOCKED:
        return (code_row_t){"TAPE_ELOCKED", "another process holds the write lock",
                            "see what the holder is doing, or raise lock_timeout; when it is "
                            "certain that nobody writes, `tape unlock` frees the lock"};
    case TAPE_EAPPENDLOCK:
        return (code_row_t){"TAPE_EAPPENDLOCK", "appends are switched off for this queue",
                            "a replication sink holds chronicle.append.lock; append to the source"};
    case TAPE_ETAKEN:
        return (code_row_t){"TAPE_ETAKEN", "the write lock was broken while it was held",
                            "write the message again; if this repeats, do writers see each "
                            "other's pids (one pid namespace)?"};
    case TAPE_ETOOBIG:
        return (code_row_t){"TAPE_ETOOBIG", "the message is too large",
                            "split it, or open the queue with a larger block_size everywhere"};
    case TAPE_ENOSPC:
        return (code_row_t){"TAPE_ENOSPC", "no space left on the file system",
                            "make room (or raise the limit on file sizes), and write again; "
                            "nothing of the message was stored"};
    case TAPE_ECYCLEFULL:
        return (code_row_t){"TAPE_ECYCLEFULL", "the cycle is full",
                            "wait for the next cycle, or choose a shorter or larger roll cycle"};
    case TAPE_ECLOCK:
        return (code_row_t){"TAPE_ECLOCK", "the clock is behind the newest cycle",
                            "set the clock right; the newest cycle is finished and older ones "
                            "are never written"};
    case TAPE_ENOINDEX:
        return (code_row_t){"TAPE_ENOINDEX", "there is no message with that index",
                            "see first_index and last_index of the queue"};
    case TAPE_ESTATE:
        return (code_row_t){"TAPE_ESTATE", "the call makes no sense in this state",
                            "see the documentation of the call"};
    case TAPE_EMISMATCH:
        return (code_row_t){"TAPE_EMISMATCH", "the queue has other settings than asked for",
                            "leave the option out to take the stored settings"};
    case TAPE_ETIMEOUT:
        return (code_row_t){"TAPE_ETIMEOUT", "another process did not finish in time",
                            "see whether the process that creates the queue is alive, and try "
                            "again"};
    case TAPE_EINTERNAL:
        return (code_row_t){"TAPE_EINTERNAL", "a defect of tape itself",
                            "please report it with the text of this error"};
    case TAPE_ECONFLICT:
        return (code_row_t){"TAPE_ECONFLICT", "the message would have got another index",
                            "somebody else wrote: read on to the end, and decide anew"};
    case TAPE_EAGAIN:
        return (code_row_t){"TAPE_EAGAIN", "it would have to wait or to ask the operating system",
                            "write() does both"};
    case TAPE_ESYNC:
        return (code_row_t){"TAPE_ESYNC", "what was written may not be on disk",
                            "copy the queue's directory, while memory still holds it all, to a "
                            "disk that works, and open the copy; this queue acknowledges nothing "
                            "more, whoever opens it, until the machine has started anew"};
    case TAPE_EGAP:
        return (code_row_t){"TAPE_EGAP", "messages that were yet to be read are gone",
                            "read again to go on behind the gap; let nobody delete cycles that a "
                            "tailer still needs; tape verify tells what a file lacks"};
    }
    return (code_row_t){"TAPE_UNKNOWN", "unknown code", ""};
}

const char *tape_strerror(int code)
{
    return code >= 0 ? "success" : code_row((tape_code_t)code).text;
}

const char *tape_hint(int code) { return code >= 0 ? "" : code_row((tape_code_t)code).hint; }

const char *tape_code_name(int code)
{
    return code >= 0 ? "TAPE_OK" : code_row((tape_code_t)code).name;
}

static void trail_line(const char *format, va_list args)
{
    failure_t *f = &last_failure;
    if (f->used > 0 && f->used + 1 < TRAIL_SIZE) f->trail[f->used++] = '\n';
    int n = vsnprintf(f->trail + f->used, TRAIL_SIZE - f->used, format, args);
    if (n > 0) f->used += (size_t)n;
    if (f->used >= TRAIL_SIZE) f->used = TRAIL_SIZE - 1;
}

static void start(int code, const char *file, int64_t position)
{
    failure_t *f = &last_failure;
    memset(&f->facts, 0, sizeof f->facts);
    f->facts.code = code;
    f->facts.position = position;
    f->facts.index = -1;
    f->used = 0;
    f->trail[0] = 0;
    f->file[0] = 0;
    if (file) snprintf(f->file, sizeof f->file, "%s", file);
}

int tape__fail(int code, const char *file, int64_t position, const char *format, ...)
{
    va_list args;
    start(code, file, position);
    va_start(args, format);
    trail_line(format, args);
    va_end(args);
    return code;
}

int tape__error_of_errno(int system_errno)
{
    switch (system_errno) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: /* of a limit on the size of files; the trail has the errno */
        return TAPE_ENOSPC;
    case EACCES:
    case EPERM:
        return TAPE_EACCES;
    case EROFS:
        return TAPE_EREADONLY;
    case ENOENT:
        return TAPE_ENOTFOUND;
    case ENOMEM:
        return TAPE_ENOMEM;
    default:
        return TAPE_EIO;
    }
}

static int fail_errno(int code, int system_errno, const char *file, const char *doing)
{
    char reason[128];
    if (strerror_r(system_errno, reason, sizeof reason) != 0)
        snprintf(reason, sizeof reason, "errno %d", system_errno);
    tape__fail(code, file, -1, "%s%s%s: %s", file ? file : "", file ? ": " : "", doing, reason);
    last_failure.facts.system_errno = system_errno;
    return code;
}

int tape__fail_errno(int system_errno, const char *file, const char *doing)
{
    return fail_errno(tape__error_of_errno(system_errno), system_errno, file, doing);
}

int tape__fail_sync(int system_errno, const char *file)
{
    return fail_errno(TAPE_ESYNC, system_errno, file, "writing it to the disk (fdatasync)");
}

int tape__while(int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    trail_line(format, args);
    va_end(args);
    return code;
}

int tape__error_code(void) { return last_failure.facts.code; }

void tape__error_index(int64_t index) { last_failure.facts.index = index; }

void tape__error_holder(int64_t pid, int alive, int64_t held_for_ns)
{
    last_failure.facts.holder_pid = pid;
    last_failure.facts.holder_alive = alive;
    last_failure.facts.held_for_ns = held_for_ns;
}

size_t tape_error_trail(char *buffer, size_t size)
{
    if (size > 0) snprintf(buffer, size, "%s", last_failure.trail);
    return last_failure.used;
}

void tape_error_last(tape_error_facts_t *out)
{
    *out = last_failure.facts;
    out->file = last_failure.file;
    out->message = last_failure.trail;
}

#ifdef TAPE_SYNC_POINTS
#include "base/sync_point.h"
void (*tape__sync_point_hook)(const char *name);
tape__bug_t tape__sync_point_bug;
#endif
