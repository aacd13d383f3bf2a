/* queue_files.c - Description: the sound queue, the directory in which damaged ones are made of it,
 * and a machine on which nobody waits: sleeping moves a clock instead, and no time goes by but with
 * steps of the library. So what an input does is the same on a busy machine, too. Each mapping of
 * libtape has a guard page on either side. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

enum { PAGE = 4096 };

fuzz_file_t fuzz_sound[FUZZ_FILES];
char fuzz_queue[300], fuzz_copy[300];
static char folder[280];
static int64_t clock_ms = FUZZ_FIRST_CYCLE * INT64_C(1000);

/* ---- in place of the system's ---- */

void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t size);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int __wrap_munmap(void *at, size_t size);
int64_t __wrap_tape__monotonic_ns(void);
int64_t __wrap_tape__now_ms(void);
int64_t __wrap_tape__now_coarse_ms(void);
void __wrap_tape__sleep_ns(int64_t ns);

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (at || fd < 0) return __real_mmap(at, size, protection, flags, fd, offset);
    const int nothing = MAP_PRIVATE | MAP_ANONYMOUS;
    char *room = __real_mmap(NULL, size + 2 * PAGE, PROT_NONE, nothing, -1, 0);
    if (room == MAP_FAILED) return room;
    void *got = __real_mmap(room + PAGE, size, protection, flags | MAP_FIXED, fd, offset);
    if (got == MAP_FAILED) __real_munmap(room, size + 2 * PAGE);
    return got;
}

int __wrap_munmap(void *at, size_t size)
{
    return __real_munmap((char *)at - PAGE, size + 2 * PAGE);
}

static int64_t monotonic_ns = 1000000000;

int64_t __wrap_tape__monotonic_ns(void) { return monotonic_ns += 1000; }

void __wrap_tape__sleep_ns(int64_t ns) { monotonic_ns += ns; }

/* A day behind what the file system notes, for each input anew: no directory is old enough for what
 * was seen in it to be believed without looking again. */
enum { DAY_S = 86400 };
static int64_t began_s, input_ns;

int64_t __wrap_tape__now_coarse_ms(void)
{
    return (began_s - DAY_S) * 1000 + (monotonic_ns - input_ns) / 1000000;
}

int64_t __wrap_tape__now_ms(void)
{
    monotonic_ns += 1000000;
    return __wrap_tape__now_coarse_ms();
}

/* ---- directories ---- */

static void empty(const char *path)
{
    DIR *d = opendir(path);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d));) {
        char inner[600];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
        if (unlink(inner) != 0) empty(inner);
    }
    closedir(d);
    rmdir(path);
}

static void remove_folder(void) { empty(folder); }

void fuzz_clear(void)
{
    input_ns = monotonic_ns;
    empty(fuzz_copy);
    empty(fuzz_queue);
    if (mkdir(fuzz_queue, 0777) != 0) fuzz_found("%s: %s", fuzz_queue, strerror(errno));
}

void fuzz_put(const char *name, const uint8_t *bytes, size_t used, size_t size)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", fuzz_queue, name);
    if (unlink(path) != 0) rmdir(path);
    FILE *f = fopen(path, "wb");
    if (!f) return; /* no name that a file can have */
    if ((used && fwrite(bytes, 1, used, f) != used) || fflush(f) ||
        ftruncate(fileno(f), (off_t)size) != 0 || fclose(f))
        fuzz_found("%s: %s", path, strerror(errno));
}

void fuzz_put_sound(void)
{
    for (int n = 0; n < FUZZ_FILES; n++)
        fuzz_put(fuzz_sound[n].name, fuzz_sound[n].bytes, fuzz_sound[n].used, fuzz_sound[n].size);
}

void fuzz_put_patched(int file, const uint8_t *data, size_t size, int part, int parts)
{
    const fuzz_file_t *f = &fuzz_sound[file];
    const size_t room = f->used + 64;
    size_t used = room < f->size ? room : f->size, length = f->size;
    uint8_t *bytes = calloc(1, room);
    if (!bytes) return;
    memcpy(bytes, f->bytes, f->used);
    for (; size >= FUZZ_PATCH; data += FUZZ_PATCH, size -= FUZZ_PATCH) {
        const size_t place = (size_t)data[1] | (size_t)data[2] << 8 | (size_t)data[3] << 16;
        const size_t at = place % used, rest = used - at;
        if ((data[0] & 0xF) % parts != part) continue;
        switch (data[0] >> 4 & 3) {
        case 0: bytes[at] = data[4], bytes[rest > 1 ? at + 1 : at] = data[5]; break;
        case 1: bytes[at] ^= data[4] ? data[4] : 1; break;
        case 2: memset(bytes + at, data[4], rest < data[5] ? rest : data[5]); break;
        default: length = place % f->size; /* it is cut there */
        }
    }
    fuzz_put(f->name, bytes, used < length ? used : length, length);
    free(bytes);
}

/* ---- the sound queue ---- */

static int64_t now(void *user)
{
    (void)user;
    return clock_ms;
}

/* Lengths around the paddings; some bodies hold words that look like headers. */
static size_t body_of(int n, uint8_t *out)
{
    static const uint8_t words[] = {0x08, 0, 0, 0, 0x0C, 0, 0, 0, 0x10, 0, 0, 0, 0x40, 0, 0, 0x40};
    memcpy(out, words, sizeof words);
    return n % 7 == 3 ? sizeof words : (size_t)(sprintf((char *)out, "message %d", n) - n % 4);
}

/* Messages in two cycles, the first with two pages of the index, and a named tailer. */
static void make(void)
{
    tape_queue_options_t o = {.struct_size = sizeof o, .roll_cycle = "TEST4_SECONDLY",
                              .block_size = 65536, .clock = now};
    tape_tailer_options_t named = {.struct_size = sizeof named, .id = "named"};
    tape_queue_t *q;
    tape_appender_t *a;
    tape_tailer_t *t;
    tape_excerpt_t x;
    FUZZ_SURE(tape_queue_open(fuzz_queue, &o, &q) == TAPE_OK);
    FUZZ_SURE(tape_appender_open(q, NULL, &a) == TAPE_OK);
    for (int n = 0; n < FUZZ_FULL_COUNT + FUZZ_LAST_COUNT; n++) {
        uint8_t body[32];
        if (n == FUZZ_FULL_COUNT) clock_ms += 1000;
        FUZZ_SURE(tape_appender_write(a, body, body_of(n, body)) >= 0);
    }
    FUZZ_SURE(tape_tailer_open(q, &named, &t) == TAPE_OK);
    FUZZ_SURE(tape_tailer_next(t, &x) == 1 && tape_tailer_commit(t) == TAPE_OK);
    tape_tailer_close(t);
    tape_appender_close(a);
    FUZZ_SURE(tape_queue_close(q) == TAPE_OK);
}

static void load(fuzz_file_t *file, const char *name)
{
    char path[600];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", fuzz_queue, name);
    snprintf(file->name, sizeof file->name, "%s", name);
    FILE *f = fopen(path, "rb");
    if (!f || fstat(fileno(f), &st) != 0) fuzz_found("%s: %s", path, strerror(errno));
    file->size = (size_t)st.st_size;
    file->bytes = malloc(file->size);
    FUZZ_SURE(file->bytes && fread(file->bytes, 1, file->size, f) == file->size);
    fclose(f);
    for (file->used = file->size; file->used && !file->bytes[file->used - 1];) file->used--;
}

void fuzz_begin(void)
{
    began_s = time(NULL);
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(folder, sizeof folder, "%s/queue-fuzz-XXXXXX", parent);
    if (!mkdtemp(folder)) fuzz_found("%s: %s", folder, strerror(errno));
    atexit(remove_folder);
    snprintf(fuzz_queue, sizeof fuzz_queue, "%s/q", folder);
    snprintf(fuzz_copy, sizeof fuzz_copy, "%s/copy", folder);
    make();
    load(&fuzz_sound[FUZZ_TABLE], "metadata.cq4t");
    load(&fuzz_sound[FUZZ_FULL], "20200913-122640T4.cq4");
    load(&fuzz_sound[FUZZ_LAST], "20200913-122641T4.cq4");
}
