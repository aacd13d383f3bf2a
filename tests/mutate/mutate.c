/* mutate.c - hurts a copy of a queue in every small way and sees that libtape survives it.
 *
 * Build, from the root of the project, and run:
 *
 *     gcc -std=c11 -O1 -g -Wall -Wextra -Icsrc -fsanitize=address,undefined \
 *         -fno-sanitize-recover=all -Wl,--wrap=mmap,--wrap=munmap \
 *         tests/mutate/mutate.c $(find csrc -name "*.c") -lpthread -o mutate
 *     ./mutate --make small small && ./mutate small
 *
 * (Without the sanitizers it is three times as fast and still has its guard pages.)
 *
 * A case is one damage: a flipped bit, a shorter file, a word or a stretch with other bytes. For
 * each one, in a copy of the queue on a memory file system:
 *   1. everything that reads is called on a queue opened read-only; then no byte may have changed;
 *   2. the queue is opened for writing and closed; then only new table entries may have come;
 *   3. messages are appended in the newest cycle, two or enough to pass the next index entry, then,
 *      with the damage made anew,
 *   4. one in the next cycle, which ends the older ones; each appended message must be found by its
 *      index, at once and by a queue opened afterwards, and after each step every message that
 *      could be read in step 1 must still be readable.
 * Each error must have a known code, a hint and a file; no call may take longer than a second; a
 * crash (or a finding of the sanitizers) is the death of the child that runs the cases, whose
 * number stands in shared memory, and the next child goes on behind it. Each mapping of the library
 * gets a guard page on either side, so a look outside a window is a crash, too.
 *
 * Cases are numbered and deterministic: `--only N` runs one of them, in this process.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tape.h"

enum {
    FILES_MAX = 8,
    MESSAGES_MAX = 20000, /* that a damaged queue may seem to have before we call it endless */
    SEEKS_MAX = 14,
    FINDINGS_SHOWN = 40,
    PATCH_MAX = 40,
    APPENDS_MAX = 10
};
#define SLOW_NS INT64_C(1000000000) /* a call that takes longer hangs */

static void die(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fprintf(stderr, " (%s)\n", strerror(errno));
    exit(2);
}

/* ---- guard pages around the library's mappings ---- */

void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t size);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int __wrap_munmap(void *at, size_t size);

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (at || fd < 0) return __real_mmap(at, size, protection, flags, fd, offset);
    char *room = __real_mmap(NULL, size + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) return room;
    void *got = __real_mmap(room + 4096, size, protection, flags | MAP_FIXED, fd, offset);
    if (got == MAP_FAILED) __real_munmap(room, size + 8192);
    return got;
}

int __wrap_munmap(void *at, size_t size) { return __real_munmap((char *)at - 4096, size + 8192); }

/* ---- the pristine queue ---- */

typedef struct {
    char name[256];
    uint8_t *bytes;
    size_t size;
    size_t used;      /* behind the last byte that is not 0 */
    uint8_t *matters; /* one per byte: belongs to the structure, so its zeros are flipped, too */
    bool table;
    bool aligned;
    size_t end;       /* of the chain of documents */
    size_t words[4096]; /* positions of header words */
    int word_count;
    size_t cells[4096]; /* positions of 64-bit words with a meaning */
    int cell_count;
    size_t pair, first_message;
} file_t;

static file_t files[FILES_MAX];
static int file_count;
static char work[900];
static const char *roll_name = "";
static int64_t length_ms, epoch_ms, last_cycle;
static int appends; /* in the newest cycle: over the next entry of the index, where that is near */

typedef struct {
    int64_t index;
    uint64_t hash;
} message_t;

typedef struct {
    message_t messages[MESSAGES_MAX];
    int count;
    int end;                       /* 0: the end was reached; else the code that ended it */
    uint64_t sought[SEEKS_MAX];    /* hash of what seek + next gave; 0: nothing */
} seen_t;

static seen_t pristine, before, after;
static int64_t seeks[SEEKS_MAX];
static int seek_count;

static uint64_t hash_of(const uint8_t *data, size_t size)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ size;
    for (size_t i = 0; i < size; i++) h = (h ^ data[i]) * UINT64_C(0x100000001b3);
    return h | 1;
}

static uint32_t get32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

/* ---- cases ---- */

typedef enum { FLIP, CUT, PATCH, FILL } kind_t;

/* PATCH: `bytes` at `at`. FILL: the 8 bytes repeated over `count` words from `at`. */
typedef struct {
    kind_t kind;
    int file;
    size_t at;
    int bit;
    uint8_t bytes[PATCH_MAX];
    size_t count;
} case_t;

static case_t *cases;
static size_t case_count, case_room;

static case_t *add_case(kind_t kind, int file, size_t at)
{
    if (case_count == case_room) {
        case_room = case_room ? case_room * 2 : 4096;
        cases = realloc(cases, case_room * sizeof *cases);
        if (!cases) die("no memory for %zu cases", case_room);
    }
    case_t *c = &cases[case_count++];
    memset(c, 0, sizeof *c);
    c->kind = kind;
    c->file = file;
    c->at = at;
    return c;
}

static void add_patch(int file, size_t at, const void *bytes, size_t count)
{
    if (at + count > files[file].size || memcmp(files[file].bytes + at, bytes, count) == 0) return;
    case_t *c = add_case(PATCH, file, at);
    memcpy(c->bytes, bytes, count);
    c->count = count;
}

static void add_word64(int file, size_t at, uint64_t value) { add_patch(file, at, &value, 8); }
static void add_word32(int file, size_t at, uint32_t value) { add_patch(file, at, &value, 4); }

static void describe(const case_t *c, char *out, size_t size)
{
    const char *name = files[c->file].name;
    char hex[2 * PATCH_MAX + 1] = "";
    for (size_t i = 0; i < c->count && i < PATCH_MAX && c->kind == PATCH; i++)
        snprintf(hex + 2 * i, 3, "%02x", c->bytes[i]);
    switch (c->kind) {
    case FLIP: snprintf(out, size, "%s: bit %d of byte 0x%zx", name, c->bit, c->at); break;
    case CUT: snprintf(out, size, "%s: cut to %zu bytes", name, c->at); break;
    case PATCH: snprintf(out, size, "%s: %s at 0x%zx", name, hex, c->at); break;
    case FILL:
        snprintf(out, size, "%s: %zu words 0x%" PRIx64 " at 0x%zx", name, c->count,
                 get64(c->bytes), c->at);
        break;
    }
}

/* ---- what the structure of a file is ---- */

static void matters(file_t *f, size_t from, size_t to)
{
    for (size_t at = from; at < to && at < f->size; at++) f->matters[at] = 1;
}

static void add_cell(file_t *f, size_t at)
{
    if (f->cell_count < 4096 && at + 8 <= f->size) f->cells[f->cell_count++] = at;
    matters(f, at, at + 8);
}

/* The place behind a name in the header, where its value's code stands; 0 when it is not there. */
static size_t field(const file_t *f, const char *name)
{
    size_t limit = 4 + (get32(f->bytes) & 0x3FFFFFFF);
    const uint8_t *p = memmem(f->bytes, limit < f->size ? limit : f->size, name, strlen(name));
    return p ? (size_t)(p - f->bytes) + strlen(name) : 0;
}

/* The value bytes of a bound word: behind padding and code. */
static size_t bound(const file_t *f, size_t at, uint8_t code)
{
    while (at && at < f->size && f->bytes[at] != code) at++;
    return at ? at + 1 : 0;
}

static void learn_cycle_header(file_t *f)
{
    size_t pair = bound(f, field(f, "writePosition"), 0x8D);
    f->aligned = field(f, "dataFormat") != 0;
    if (pair) {
        f->pair = pair + 16;
        for (size_t i = 0; i < 4; i++) add_cell(f, pair + 8 * i);
    }
    size_t outer = bound(f, field(f, "index2Index"), 0xA7);
    size_t last = bound(f, field(f, "lastIndex"), 0xA7);
    if (outer) add_cell(f, outer);
    if (last) add_cell(f, last);
}

/* Capacity, used, the filled entries and the first empty one of an index page. */
static void learn_array(file_t *f, size_t at, size_t length)
{
    const uint8_t *code = memchr(f->bytes + at + 8, 0x8D, length < 64 ? length : 64);
    if (!code) return;
    size_t counts = (size_t)(code - f->bytes) + 1;
    uint64_t capacity = get64(f->bytes + counts), used = get64(f->bytes + counts + 8);
    matters(f, at, counts);
    for (uint64_t i = 0; i < used + 3 && i < capacity + 2; i++) add_cell(f, counts + 8 * i);
    if (capacity > 0) add_cell(f, counts + 8 * (capacity + 1));
}

static void learn(file_t *f)
{
    size_t at = 0;
    f->aligned = true;
    if (!f->table) learn_cycle_header(f);
    while (at + 4 <= f->size && f->word_count < 4000) {
        uint32_t word = get32(f->bytes + at);
        f->words[f->word_count++] = at;
        matters(f, at, at + 4);
        if (word == 0 || (word & 0x80000000)) break;
        size_t length = word & 0x3FFFFFFF;
        if (at == 0 || f->table) matters(f, at, at + 4 + length);
        else if (word & 0x40000000) learn_array(f, at, length);
        else if (!f->first_message) f->first_message = at;
        if (f->table && at > 0) add_cell(f, at + 4 + length - 8);
        at += 4 + length;
        if (f->aligned) at = (at + 3) & ~(size_t)3;
    }
    f->end = at;
    matters(f, at, at + 16);
}

static void load(const char *directory)
{
    struct dirent **names;
    int n = scandir(directory, &names, NULL, alphasort);
    if (n < 0) die("%s", directory);
    for (int i = 0; i < n; i++) {
        char path[1200];
        const char *name = names[i]->d_name;
        size_t length = strlen(name);
        bool table = strcmp(name, "metadata.cq4t") == 0;
        if (!table && (length < 5 || strcmp(name + length - 4, ".cq4") != 0)) continue;
        if (file_count == FILES_MAX) die("%s has more than %d files", directory, FILES_MAX);
        snprintf(path, sizeof path, "%s/%s", directory, name);
        FILE *in = fopen(path, "rb");
        struct stat st;
        if (!in || fstat(fileno(in), &st) != 0) die("%s", path);
        file_t *f = &files[file_count++];
        snprintf(f->name, sizeof f->name, "%s", name);
        f->size = (size_t)st.st_size;
        f->bytes = calloc(1, f->size + 8);
        f->matters = calloc(1, f->size + 8);
        if (!f->bytes || !f->matters || fread(f->bytes, 1, f->size, in) != f->size) die("%s", path);
        fclose(in);
        f->table = table;
        for (f->used = f->size; f->used > 0 && f->bytes[f->used - 1] == 0;) f->used--;
        learn(f);
    }
    for (int i = 0; i < n; i++) free(names[i]);
    free(names);
    if (file_count == 0) die("%s holds no queue", directory);
}

/* ---- making the list of cases ---- */

static void add_flips(int n)
{
    const file_t *f = &files[n];
    for (size_t at = 0; at < f->size && (at < f->used || at < f->end + 16); at++)
        for (int bit = 0; bit < 8 && (f->bytes[at] || f->matters[at]); bit++)
            add_case(FLIP, n, at)->bit = bit;
}

static void add_cuts(int n)
{
    const file_t *f = &files[n];
    size_t every = f->end + 8 < 65536 ? f->end + 8 : 65536;
    for (size_t at = 0; at < f->size; at++) {
        bool hole = at > 64 && f->bytes[at] == 0 && f->bytes[at - 1] == 0 && !f->matters[at];
        if ((at < every && !hole) || at % 4096 == 0 || at % 4096 == 4095) add_case(CUT, n, at);
    }
    for (int i = 0; i < f->word_count; i++)
        if (f->words[i] >= every)
            for (size_t k = 0; k < 8; k++) add_case(CUT, n, f->words[i] - 3 + k);
}

static void add_words(int n)
{
    const file_t *f = &files[n];
    for (int i = 0; i < f->word_count; i++) {
        size_t at = f->words[i];
        uint32_t word = get32(f->bytes + at), rest = (uint32_t)(f->size - at - 4);
        const uint32_t values[] = {
            0, 1, 0x3FFFFFFF, 0x40000000, 0x40000001, 0x7FFFFFFF, 0x80000000, 0x80000010,
            0xC0000000, 0xC0000001, 0xFFFFFFFF, rest, rest - 4, rest + 1, word + 1, word + 4,
            word - 1, word * 2, word | 0x80000000, word ^ 0x40000000, word + 64};
        for (size_t k = 0; k < sizeof values / sizeof *values; k++) add_word32(n, at, values[k]);
    }
    for (int i = 0; i < f->cell_count; i++) {
        size_t at = f->cells[i];
        uint64_t cell = get64(f->bytes + at);
        const uint64_t values[] = {
            0, 1, 3, 4, UINT64_MAX, UINT64_MAX - 3, INT64_MAX, (uint64_t)INT64_MIN,
            UINT64_C(1) << 32, UINT64_C(1) << 40, UINT64_C(1) << 62, f->size, f->size - 1,
            f->size - 4, f->size + 4, f->size - 8, f->end, f->end + 4, at, at - 16, cell + 1,
            cell + 2, cell + 4, cell + 8, cell - 4, f->first_message, f->words[f->word_count / 2],
            f->words[f->word_count > 1], get64(f->bytes + f->cells[0]), cell << 1};
        for (size_t k = 0; k < sizeof values / sizeof *values; k++) add_word64(n, at, values[k]);
    }
}

/* A write position and a sequence word that agree, anywhere: in the middle of messages, too. */
static void add_pairs(int n)
{
    const file_t *f = &files[n];
    if (!f->pair) return;
    uint64_t right = get64(f->bytes + f->pair + 8) & 0xFFFFFFFF;
    size_t from = f->first_message > 8 ? f->first_message - 8 : 0;
    for (size_t at = from; at < f->end + 16 && at < from + 6000; at++) {
        uint64_t both[2] = {at, ((uint64_t)at << 32) + right};
        add_patch(n, f->pair, both, 16);
        if (at % 4) continue;
        for (uint64_t k = 0; k < 4; k++) {
            both[1] = ((uint64_t)at << 32) + (k == 0 ? 0 : k == 1 ? right + 1 : k == 2 ? right - 1
                                                                             : UINT32_MAX);
            add_patch(n, f->pair, both, 16);
        }
    }
    const uint64_t far[] = {f->size, f->size - 4, f->size + 4, UINT64_C(1) << 31, UINT32_MAX - 3,
                            UINT64_MAX - 3, UINT64_C(1) << 60, f->words[1]};
    for (size_t k = 0; k < sizeof far / sizeof *far; k++) {
        uint64_t both[2] = {far[k], (far[k] << 32) + right};
        add_patch(n, f->pair, both, 16);
    }
}

/* Index pages whose entries all lead to one place: themselves, the header, another page. */
static void add_fills(int n)
{
    const file_t *f = &files[n];
    for (int i = 0; i + 1 < f->word_count && !f->table; i++) {
        size_t at = f->words[i];
        uint32_t word = get32(f->bytes + at);
        if (at == 0 || (word & 0xC0000000) != 0x40000000) continue;
        const uint8_t *code = memchr(f->bytes + at + 8, 0x8D, 64);
        if (!code) continue;
        size_t first = (size_t)(code - f->bytes) + 17, count = get64(code + 1);
        for (int k = 0; k < f->word_count + 4; k++) {
            uint64_t to = k < f->word_count ? f->words[k] : k == f->word_count ? f->size
                        : k == f->word_count + 1 ? at + 4 : k == f->word_count + 2 ? UINT64_MAX : 0;
            case_t *c = add_case(FILL, n, first);
            memcpy(c->bytes, &to, 8);
            c->count = count;
        }
    }
}

static uint64_t chance_state;
static uint64_t chance(uint64_t below)
{
    chance_state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = chance_state;
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return (z ^ z >> 31) % below;
}

static void add_random(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int n = (int)chance((uint64_t)file_count);
        const file_t *f = &files[n];
        uint8_t bytes[PATCH_MAX];
        size_t size = 1 + chance(PATCH_MAX);
        size_t at = chance(f->end + 32 < f->size ? f->end + 32 : f->size);
        while (at > 0 && !f->bytes[at] && !f->matters[at]) at = chance(f->end + 32);
        for (size_t k = 0; k < size; k++) {
            static const uint8_t nice[] = {0, 0x80, 0x8D, 0x8E, 0xA7, 0xC0, 0xFF, 1};
            bytes[k] = chance(2) ? nice[chance(sizeof nice)] : (uint8_t)chance(256);
        }
        add_patch(n, at, bytes, size);
    }
}

/* ---- the copy that is hurt ---- */

static int descriptors[FILES_MAX];

static void path_of(const char *name, char *out, size_t size)
{
    snprintf(out, size, "%s/%.255s", work, name);
}

static void open_copies(void)
{
    char path[1200];
    for (int n = 0; n < file_count; n++) {
        path_of(files[n].name, path, sizeof path);
        descriptors[n] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (descriptors[n] < 0) die("%s", path);
    }
}

/* Calls `strange` for each name that the pristine queue does not have. */
static int each_strange(void (*strange)(const char *path))
{
    char path[1400];
    int count = 0;
    DIR *dir = opendir(work);
    if (!dir) die("%s", work);
    for (struct dirent *e; (e = readdir(dir));) {
        bool known = e->d_name[0] == '.' && (!e->d_name[1] || e->d_name[1] == '.');
        for (int n = 0; n < file_count; n++) known |= strcmp(e->d_name, files[n].name) == 0;
        if (known) continue;
        count++;
        snprintf(path, sizeof path, "%s/%s", work, e->d_name);
        if (strange) strange(path);
    }
    closedir(dir);
    return count;
}

static void remove_path(const char *path) { unlink(path); }

static void restore(void)
{
    static uint8_t block[65536];
    each_strange(remove_path);
    for (int n = 0; n < file_count; n++) {
        const file_t *f = &files[n];
        struct stat st, named;
        char path[1200];
        path_of(f->name, path, sizeof path);
        if (fstat(descriptors[n], &st) != 0) die("%s", path);
        if (stat(path, &named) != 0 || named.st_ino != st.st_ino) { /* it was moved aside */
            close(descriptors[n]);
            unlink(path);
            descriptors[n] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
            st.st_size = 0;
        }
        if ((size_t)st.st_size != f->size && ftruncate(descriptors[n], (off_t)f->size) != 0)
            die("%s", path);
        for (size_t at = 0; at < f->size; at += sizeof block) {
            size_t size = f->size - at < sizeof block ? f->size - at : sizeof block;
            if (pread(descriptors[n], block, size, (off_t)at) != (ssize_t)size) die("%s", path);
            if (memcmp(block, f->bytes + at, size) != 0 &&
                pwrite(descriptors[n], f->bytes + at, size, (off_t)at) != (ssize_t)size)
                die("%s", path);
        }
    }
}

static void hurt(const case_t *c)
{
    int fd = descriptors[c->file];
    uint8_t byte = files[c->file].bytes[c->at] ^ (uint8_t)(1 << c->bit);
    ssize_t rc = 1;
    switch (c->kind) {
    case FLIP: rc = pwrite(fd, &byte, 1, (off_t)c->at); break;
    case CUT: rc = ftruncate(fd, (off_t)c->at) == 0; break;
    case PATCH: rc = pwrite(fd, c->bytes, c->count, (off_t)c->at); break;
    case FILL:
        for (size_t i = 0; i < c->count && rc > 0; i++)
            rc = pwrite(fd, c->bytes, 8, (off_t)(c->at + 8 * i));
    }
    if (rc <= 0) die("hurting %s", files[c->file].name);
}

/* What file `n` must look like while the damage is in it. */
static void expected(const case_t *c, int n, uint8_t *out, size_t *size)
{
    const file_t *f = &files[n];
    memcpy(out, f->bytes, f->size);
    *size = f->size;
    if (c->file != n) return;
    switch (c->kind) {
    case FLIP: out[c->at] ^= (uint8_t)(1 << c->bit); break;
    case CUT: *size = c->at; break;
    case PATCH: memcpy(out + c->at, c->bytes, c->count); break;
    case FILL:
        for (size_t i = 0; i < c->count; i++) memcpy(out + c->at + 8 * i, c->bytes, 8);
    }
}

/* ---- findings, in memory that outlives the child ---- */

typedef struct {
    size_t now;       /* the case being run */
    int step;
    uint64_t calls, errors, changed, worse, bad_errors, slow, endless, appended, refused, unfound;
    int64_t slowest_ns;
    size_t slowest_case;
    char slowest_call[40];
} tally_t;

static tally_t *tally;
static const char *call_name = "";

static void finding(uint64_t *counter, const char *format, ...)
{
    char what[300], where[400];
    va_list list;
    va_start(list, format);
    vsnprintf(what, sizeof what, format, list);
    va_end(list);
    describe(&cases[tally->now], where, sizeof where);
    if (++*counter <= FINDINGS_SHOWN)
        printf("case %zu (%s), step %d, %s: %s\n", tally->now, where, tally->step, call_name, what);
    fflush(stdout);
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Every call's result goes through here: how long it took, and whether an error is a good one. */
static int64_t judged(const char *name, int64_t began, int64_t result)
{
    int64_t took = now_ns() - began;
    call_name = name;
    tally->calls++;
    if (took > tally->slowest_ns) {
        tally->slowest_ns = took;
        tally->slowest_case = tally->now;
        snprintf(tally->slowest_call, sizeof tally->slowest_call, "%s", name);
    }
    if (took > SLOW_NS) finding(&tally->slow, "took %.3f s", (double)took / 1e9);
    if (result >= 0) return result;
    tally->errors++;
    tape_error_facts_t facts;
    tape_error_last(&facts);
    if (result < TAPE_EINTERNAL - 100 || result > TAPE_EINVAL)
        finding(&tally->bad_errors, "%" PRId64 " is no code", result);
    else if (result == TAPE_EINTERNAL)
        finding(&tally->bad_errors, "a defect: %s", facts.message);
    else if (facts.code != result)
        finding(&tally->bad_errors, "code %" PRId64 " with the trail of %d", result, facts.code);
    else if (!facts.file || !*facts.file || !*tape_hint((int)result))
        finding(&tally->bad_errors, "code %" PRId64 " without file or hint", result);
    else if (result == TAPE_ECORRUPT && !strstr(facts.message, facts.file))
        finding(&tally->bad_errors, "a message without its file: %s", facts.message);
    return result;
}
#define CALL(f, ...) judged(#f, now_ns(), f(__VA_ARGS__))

/* ---- what is done to a hurt queue ---- */

static int64_t clock_now;
static int64_t test_clock(void *user)
{
    (void)user;
    return clock_now;
}

static tape_queue_t *open_queue(uint32_t flags)
{
    tape_queue_t *q = NULL;
    tape_queue_options_t o = {.struct_size = sizeof o,
                              .flags = flags | TAPE_OPEN_EXISTING,
                              .roll_cycle = *roll_name ? roll_name : NULL,
                              .block_size = 65536,
                              .lock_timeout_ns = 20000000,
                              .stale_after_ns = 1000000,
                              .clock = test_clock};
    CALL(tape_queue_open, work, &o, &q);
    return q;
}

static void read_forward(tape_tailer_t *t, seen_t *seen)
{
    tape_excerpt_t x;
    int64_t rc = 0;
    seen->count = 0;
    while (seen->count < MESSAGES_MAX && (rc = CALL(tape_tailer_next, t, &x)) == 1)
        seen->messages[seen->count++] = (message_t){x.index, hash_of(x.data, x.size)};
    if (rc == 1) finding(&tally->endless, "%d messages and more", seen->count);
    seen->end = (int)rc;
    CALL(tape_tailer_index, t);
}

static void read_backward(tape_tailer_t *t)
{
    tape_excerpt_t x;
    int count = 0;
    if (CALL(tape_tailer_seek_end, t) < 0) CALL(tape_tailer_seek_start, t);
    if (CALL(tape_tailer_set_direction, t, TAPE_BACKWARD) < 0) return;
    while (CALL(tape_tailer_next, t, &x) == 1 && hash_of(x.data, x.size))
        if (++count == MESSAGES_MAX) {
            finding(&tally->endless, "%d messages and more, backward", count);
            break;
        }
    CALL(tape_tailer_index, t);
    CALL(tape_tailer_set_direction, t, TAPE_FORWARD);
    CALL(tape_tailer_peek, t, &x);
}

static void seek_around(tape_tailer_t *t, seen_t *seen)
{
    tape_excerpt_t x;
    for (int i = 0; i < seek_count; i++) {
        seen->sought[i] = 0;
        if (CALL(tape_tailer_seek, t, seeks[i]) == 1 && CALL(tape_tailer_peek, t, &x) == 1)
            seen->sought[i] = hash_of(x.data, x.size) ^ (uint64_t)(x.index - seeks[i]);
    }
}

/* Every document, the header and index pages included. */
static void read_documents(tape_queue_t *q)
{
    tape_tailer_options_t o = {.struct_size = sizeof o,
                               .flags = TAPE_TAILER_DOCUMENTS | TAPE_TAILER_METADATA};
    tape_tailer_info_t info;
    tape_tailer_t *t = NULL;
    tape_excerpt_t x;
    int count = 0;
    if (CALL(tape_tailer_open, q, &o, &t) != TAPE_OK) return;
    CALL(tape_tailer_info, t, &info);
    while (CALL(tape_tailer_next, t, &x) == 1 && hash_of(x.data, x.size))
        if (++count == MESSAGES_MAX) {
            finding(&tally->endless, "%d documents and more", count);
            break;
        }
    CALL(tape_tailer_info, t, &info);
    CALL(tape_tailer_close, t);
}

/* Many at once; half of each batch is taken back. */
static void read_batches(tape_tailer_t *t)
{
    static uint8_t buffer[8192];
    int64_t ends[64], indexes[64], got;
    uint32_t framings[64];
    tape_batch_t b = {buffer, sizeof buffer, ends, indexes, framings, 64};
    int count = 0;
    if (CALL(tape_tailer_seek_start, t) < 0) return;
    while ((got = CALL(tape_tailer_next_many, t, &b)) > 0 &&
           hash_of(buffer, (size_t)ends[got - 1])) {
        int64_t keep = (got + 1) / 2;
        if (keep < got && CALL(tape_tailer_unread_many, t, (size_t)keep) < 0) return;
        if ((count += (int)keep) >= MESSAGES_MAX) {
            finding(&tally->endless, "%d messages and more, in batches", count);
            return;
        }
    }
}

static void look_at_table(tape_queue_t *q)
{
    char key[300];
    int64_t value;
    for (size_t n = 0; n < 8192; n++)
        if (CALL(tape_queue_table_word, q, n, key, sizeof key, &value) != 1) return;
    finding(&tally->endless, "more than 8192 words in the table store");
}

static void read_all(seen_t *seen)
{
    tape_queue_info_t info;
    tape_tailer_info_t place;
    tape_tailer_t *t = NULL;
    seen->count = 0;
    memset(seen->sought, 0, sizeof seen->sought);
    tape_queue_t *q = open_queue(TAPE_READ_ONLY);
    if (!q) return;
    CALL(tape_queue_info, q, &info);
    CALL(tape_queue_first_index, q);
    CALL(tape_queue_last_index, q);
    CALL(tape_queue_count, q, 0, INT64_MAX);
    look_at_table(q);
    read_documents(q);
    if (CALL(tape_tailer_open, q, NULL, &t) == TAPE_OK) {
        read_forward(t, seen);
        seek_around(t, seen);
        read_backward(t);
        CALL(tape_tailer_info, t, &place);
        read_batches(t);
        CALL(tape_tailer_close, t);
    }
    CALL(tape_queue_close, q);
}

/* No byte may differ; a writer's opening may add entries behind those of a sound table store. */
static void compare(const case_t *c, bool writer)
{
    static uint8_t *is, *should;
    static size_t room;
    char side[1200];
    path_of("tape.side", side, sizeof side); /* a writer makes its own */
    int allowed = writer && access(side, F_OK) == 0;
    if (each_strange(NULL) > allowed) finding(&tally->changed, "there is a new file");
    for (int n = 0; n < file_count; n++) {
        const file_t *f = &files[n];
        if (room < f->size + 1) {
            room = f->size + 1;
            is = realloc(is, room);
            should = realloc(should, room);
            if (!is || !should) die("no memory");
        }
        size_t size;
        expected(c, n, should, &size);
        ssize_t got = pread(descriptors[n], is, f->size + 1, 0);
        if (got < 0) die("%s", f->name);
        struct stat st;
        if (fstat(descriptors[n], &st) != 0) die("%s", f->name);
        if (writer && f->table) { /* made longer (11.2), or with more keys: only at its end */
            bool longer = st.st_size == 131072 && size < 131072;
            size_t end = f->end < size ? f->end : size;
            if (((size_t)got == size || longer) && memcmp(is, should, end) == 0) continue;
        }
        if ((size_t)got != size || memcmp(is, should, size) != 0)
            finding(&tally->changed, "%s changed", f->name);
    }
}

static const char *body_appended(int i)
{
    static char body[] = "appended after damage: ?";
    body[sizeof body - 2] = (char)('a' + i);
    return body;
}

/* An acknowledged message is there for whoever knows its index. */
static void look_up(tape_queue_t *q, const int64_t *indexes, int count, const char *when)
{
    tape_tailer_t *t = NULL;
    tape_excerpt_t x;
    for (int i = 0; i < count; i++) {
        if (indexes[i] < 0 || tape_tailer_open(q, NULL, &t) != TAPE_OK) continue;
        const char *body = body_appended(i);
        size_t size = strlen(body);
        bool found = tape_tailer_seek(t, indexes[i]) == 1 && tape_tailer_peek(t, &x) == 1 &&
                     x.index == indexes[i] && x.size == size && memcmp(x.data, body, size) == 0;
        if (!found)
            finding(&tally->unfound, "message %d (index 0x%" PRIx64 ") is not found %s", i,
                    indexes[i], when);
        tape_tailer_close(t);
    }
}

static void append(int64_t now_ms, int count)
{
    tape_appender_t *a = NULL;
    int64_t indexes[APPENDS_MAX];
    clock_now = now_ms;
    for (int i = 0; i < count; i++) indexes[i] = -1;
    tape_queue_t *q = open_queue(0);
    if (!q) return;
    if (CALL(tape_appender_open, q, NULL, &a) == TAPE_OK) {
        for (int i = 0; i < count; i++) {
            const char *body = body_appended(i);
            indexes[i] = CALL(tape_appender_write, a, body, strlen(body));
            if (indexes[i] < 0) tally->refused++;
            else tally->appended++;
            look_up(q, indexes, i + 1, "at once");
        }
        CALL(tape_appender_close, a);
    }
    CALL(tape_queue_close, q);
    q = open_queue(TAPE_READ_ONLY);
    if (!q) return;
    look_up(q, indexes, count, "by another queue");
    CALL(tape_queue_close, q);
}

/* Somebody wrote this; it is not a stretch of bytes that damage made look like a message. */
static bool is_message(uint64_t hash)
{
    for (int i = 0; i < pristine.count; i++)
        if (pristine.messages[i].hash == hash) return true;
    return false;
}

/* What could be read must still be read. */
static void compare_messages(void)
{
    read_all(&after);
    call_name = "after appending";
    for (int i = 0; i < before.count; i++)
        if ((i >= after.count || before.messages[i].index != after.messages[i].index ||
             before.messages[i].hash != after.messages[i].hash) &&
            is_message(before.messages[i].hash)) {
            finding(&tally->worse, "message %d of %d (index 0x%" PRIx64 ") was readable", i,
                    before.count, before.messages[i].index);
            return;
        }
    for (int i = 0; i < seek_count; i++)
        if (before.sought[i] && before.sought[i] != after.sought[i] &&
            before.sought[i] == pristine.sought[i]) {
            finding(&tally->worse, "index 0x%" PRIx64 " could be sought", seeks[i]);
            return;
        }
}

static void run_case(size_t number)
{
    const case_t *c = &cases[number];
    int64_t newest = last_cycle * length_ms + epoch_ms;
    tally->now = number;
    tally->step = 1;
    hurt(c);
    read_all(&before);
    compare(c, false);
    tally->step = 2;
    /* Else opening takes over the lock of one who is not to be seen, and looking for him may last
     * longer than stale_after_ns. */
    tape_queue_t *q = open_queue(TAPE_NEVER_BREAK);
    if (q) CALL(tape_queue_close, q);
    compare(c, true);
    tally->step = 3;
    append(newest, appends);
    compare_messages();
    restore();
    tally->step = 4;
    hurt(c);
    append(newest + length_ms, 1);
    compare_messages();
    restore();
}

/* ---- running ---- */

static void learn_messages(void)
{
    tape_queue_info_t info;
    case_t none = {.kind = PATCH};
    cases = &none;
    clock_now = INT64_C(1600000000000);
    tape_queue_t *q = open_queue(TAPE_READ_ONLY);
    if (!q || tape_queue_info(q, &info) != TAPE_OK) die("%s cannot be opened", work);
    length_ms = info.roll_cycle->length_ms;
    epoch_ms = info.epoch_ms;
    last_cycle = info.highest_cycle;
    int64_t spacing = info.roll_cycle->index_spacing;
    appends = spacing + 2 <= APPENDS_MAX ? (int)spacing + 2 : 2;
    tape_queue_close(q);
    read_all(&pristine);
    if (pristine.end != 0 || pristine.count == 0) die("%s is no sound queue", work);
    cases = NULL;
    for (int i = 0; i < SEEKS_MAX - 4 && i < pristine.count; i++)
        seeks[seek_count++] =
            pristine.messages[(size_t)i * (size_t)pristine.count / (SEEKS_MAX - 4)].index;
    int64_t last = pristine.messages[pristine.count - 1].index;
    seeks[seek_count++] = last;
    seeks[seek_count++] = last + 1;
    seeks[seek_count++] = last + (INT64_C(1) << 31);
    seeks[seek_count++] = 0;
    printf("%d files, %d messages\n", file_count, pristine.count);
}

static size_t run(size_t sample, size_t offset)
{
    size_t next = offset, crashes = 0, hangs = 0;
    while (next < case_count) {
        fflush(stdout);
        pid_t child = fork();
        if (child < 0) die("fork");
        if (child == 0) {
            for (size_t i = next; i < case_count; i += sample) {
                alarm(60);
                run_case(i);
            }
            fflush(stdout);
            _exit(0);
        }
        int status;
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
        char where[400];
        describe(&cases[tally->now], where, sizeof where);
        bool hang = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
        crashes += !hang;
        hangs += hang;
        printf("case %zu (%s), step %d: %s (%s %d)\n", tally->now, where, tally->step,
               hang ? "hangs" : "crashes", WIFSIGNALED(status) ? "signal" : "exit",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        next = tally->now + sample;
        restore();
        if (crashes + hangs >= FINDINGS_SHOWN) break;
    }
    size_t ran = (case_count + sample - 1 - offset) / sample;
    printf("cases=%zu calls=%" PRIu64 " errors=%" PRIu64 " appended=%" PRIu64 " refused=%" PRIu64
           "\n", ran, tally->calls, tally->errors, tally->appended, tally->refused);
    printf("crashes=%zu hangs=%zu slow=%" PRIu64 " changed=%" PRIu64 " worse=%" PRIu64
           " bad_errors=%" PRIu64 " endless=%" PRIu64 " not_found_by_index=%" PRIu64 "\n", crashes,
           hangs, tally->slow, tally->changed, tally->worse, tally->bad_errors, tally->endless,
           tally->unfound);
    printf("slowest_call_ms=%.1f (%s in case %zu)\n", (double)tally->slowest_ns / 1e6,
           tally->slowest_call, tally->slowest_case);
    return crashes + hangs + tally->slow + tally->changed + tally->worse + tally->bad_errors +
           tally->endless + tally->unfound;
}

/* ---- queues to hurt ---- */

typedef struct {
    const char *name, *roll_cycle;
    int cycles[4]; /* messages in each; the last one stays open */
    int gap;       /* cycles without a file between the first and the second */
} recipe_t;

static const recipe_t recipes[] = {
    {"small", "TEST4_SECONDLY", {150, 20, 9, 0}, 1}, /* two index pages in the first file */
    {"daily", "TEST8_DAILY", {30, 12, 0, 0}, 0},
    {"fast", "FAST_DAILY", {12, 7, 0, 0}, 0},        /* what most queues are */
    {"full", "TEST_DAILY", {64, 60, 0, 0}, 0},       /* eight pages of eight, all full */
};

/* Sizes around the paddings; some bodies hold words that look like headers. */
static size_t body_of(int n, uint8_t *out)
{
    static const uint8_t words[] = {0x08, 0, 0, 0, 0x0C, 0, 0, 0, 0x10, 0, 0, 0, 0x40, 0, 0, 0x40};
    if (n % 7 == 3) {
        memcpy(out, words, sizeof words);
        return sizeof words;
    }
    int length = sprintf((char *)out, "message %d", n);
    return (size_t)length - (size_t)(n % 4);
}

static void make(const char *name, const char *path)
{
    const recipe_t *r = recipes;
    while (strcmp(r->name, name) != 0)
        if (++r == recipes + sizeof recipes / sizeof *recipes) die("no recipe \"%s\"", name);
    tape_queue_options_t o = {.struct_size = sizeof o, .roll_cycle = r->roll_cycle,
                              .block_size = 65536, .clock = test_clock};
    tape_queue_t *q;
    tape_appender_t *bytes, *documents;
    tape_appender_options_t raw = {.struct_size = sizeof raw, .framing = TAPE_FRAMING_DOCUMENT};
    const tape_roll_cycle_t *cycle = tape_roll_cycle_named(r->roll_cycle);
    clock_now = INT64_C(1600000000000) / cycle->length_ms * cycle->length_ms;
    int n = 0;
    if (tape_queue_open(path, &o, &q) || tape_appender_open(q, NULL, &bytes) ||
        tape_appender_open(q, &raw, &documents))
        die("%s: %s", path, tape_strerror(0));
    for (int i = 0; i < 4 && r->cycles[i]; i++) {
        for (int k = 0; k < r->cycles[i]; k++, n++) {
            uint8_t body[64];
            size_t size = body_of(n, body);
            tape_appender_t *a = n % 5 == 4 || n % 7 == 3 ? documents : bytes;
            int64_t index = tape_appender_write(a, body, size);
            if (index < 0) die("%s: %s", path, tape_strerror((int)index));
        }
        clock_now += cycle->length_ms * (1 + (i == 0 ? r->gap : 0));
    }
    tape_appender_close(bytes);
    tape_appender_close(documents);
    tape_queue_close(q);
}

int main(int argc, char **argv)
{
    size_t sample = 1, offset = 0, random = 5000, only = SIZE_MAX;
    const char *parent = "/dev/shm";
    int i = 1;
    chance_state = 1;
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        if (strcmp(argv[i], "--make") == 0 && i + 2 < argc) {
            make(argv[i + 1], argv[i + 2]);
            return 0;
        }
        if (strcmp(argv[i], "--sample") == 0) sample = strtoull(argv[i + 1], NULL, 0);
        else if (strcmp(argv[i], "--offset") == 0) offset = strtoull(argv[i + 1], NULL, 0);
        else if (strcmp(argv[i], "--random") == 0) random = strtoull(argv[i + 1], NULL, 0);
        else if (strcmp(argv[i], "--seed") == 0) chance_state = strtoull(argv[i + 1], NULL, 0);
        else if (strcmp(argv[i], "--only") == 0) only = strtoull(argv[i + 1], NULL, 0);
        else if (strcmp(argv[i], "--work") == 0) parent = argv[i + 1];
        else die("no option %s", argv[i]);
    }
    if (i + 1 != argc || sample == 0) {
        fprintf(stderr, "usage: mutate [--sample N] [--offset N] [--random N] [--seed N]"
                        " [--only CASE] [--work DIRECTORY] QUEUE\n"
                        "       mutate --make RECIPE QUEUE\n");
        return 2;
    }
    load(argv[i]);
    snprintf(work, sizeof work, "%s/mutate-XXXXXX", parent);
    if (!mkdtemp(work)) die("%s", work);
    open_copies();
    restore();
    tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tally == MAP_FAILED) die("no shared memory");
    learn_messages();
    for (int n = 0; n < file_count; n++) {
        add_flips(n);
        add_cuts(n);
        add_words(n);
        add_pairs(n);
        add_fills(n);
    }
    add_random(random);
    size_t findings = 0;
    int64_t began = now_ns();
    if (only < case_count) run_case(only);
    else findings = run(sample, offset);
    printf("seconds=%.1f\n", (double)(now_ns() - began) / 1e9);
    restore();
    for (int n = 0; n < file_count; n++) {
        char path[1200];
        path_of(files[n].name, path, sizeof path);
        unlink(path);
    }
    rmdir(work);
    return findings ? 1 : 0;
}
