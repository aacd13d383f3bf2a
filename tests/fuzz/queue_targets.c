/* queue_targets.c - Description: what an input is for the table store, the index, a whole directory
 * and a repair; then the queue is used, or mended. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "fuzz.h"

static void begin(void)
{
    fuzz_begin();
    fuzz_clear();
    fuzz_put_sound();
    fuzz_use(FUZZ_ANYTHING); /* learns what is in it */
}

/* ---- the table store: its bytes as they are, or patches over the sound one ---- */

enum { TABLE_SIZE = 128 * 1024 };

static void table(const uint8_t *data, size_t size)
{
    fuzz_clear();
    fuzz_put_sound();
    if (size && data[0] & 1)
        fuzz_put_patched(FUZZ_TABLE, data + 1, size - 1, 0, 1);
    else if (size)
        fuzz_put(fuzz_sound[FUZZ_TABLE].name, data + 1, size - 1,
                 data[0] & 2 ? size - 1 : TABLE_SIZE);
    fuzz_use(FUZZ_ANYTHING);
}

const fuzz_target_t table_target = {"table", begin, table};

/* ---- the index: other words in its cells, and in those of the header that lead to it ---- */

enum { CELLS = 400, CELL_PATCH = 6 };
static size_t cells[CELLS], cell_count, places[CELLS], place_count;

/* The value of a bound word of the header, behind its name, padding and code. */
static size_t bound(const fuzz_file_t *f, const char *name, uint8_t code)
{
    const uint8_t *p = memmem(f->bytes, f->used, name, strlen(name));
    FUZZ_SURE(p);
    for (p += strlen(name); *p != code;) p++;
    return (size_t)(p + 1 - f->bytes);
}

static void add_cells(size_t first, size_t count)
{
    for (size_t i = 0; i < count && cell_count < CELLS; i++) cells[cell_count++] = first + 8 * i;
}

/* The file with two pages of the index: the words of its header, of all arrays, and all places. */
static void begin_index(void)
{
    begin();
    const fuzz_file_t *f = &fuzz_sound[FUZZ_FULL];
    add_cells(bound(f, "writePosition", 0x8D) + 16, 2); /* behind capacity and used */
    add_cells(bound(f, "index2Index", 0xA7), 1);
    add_cells(bound(f, "lastIndex", 0xA7), 1);
    for (size_t at = 0; place_count < CELLS;) {
        const uint32_t word = tape__get_u32(f->bytes + at);
        places[place_count++] = at;
        if (word == 0 || word >> 31) break;
        if (at && word >> 30) {
            const uint8_t *code = memchr(f->bytes + at + 8, 0x8D, 64);
            FUZZ_SURE(code);
            add_cells((size_t)(code + 1 - f->bytes), 2 + tape__get_u64(code + 1));
        }
        at = (at + 4 + (word & 0x3FFFFFFF) + 3) & ~(size_t)3;
    }
}

static uint64_t changed(uint64_t cell, const uint8_t *p, const fuzz_file_t *f)
{
    const uint64_t little = tape__get_u16(p);
    switch (p[-1] & 7) {
    case 0: return places[little % place_count];
    case 1: return cell + (uint64_t)(int64_t)(int16_t)little;
    case 2: return (uint64_t)(int64_t)(int16_t)little;
    case 3: return cell ^ UINT64_C(1) << little % 64;
    case 4: return tape__get_u64(f->bytes + cells[little % cell_count]);
    case 5: return f->size + (uint64_t)(int64_t)(int16_t)little;
    case 6: return little << 48 | (cell & UINT64_C(0xFFFFFFFFFFFF));
    default: return tape__get_u32(p) * UINT64_C(0x100000001);
    }
}

/* A patch: two bytes choose the cell, one what becomes of it, two say more. */
static void index_one(const uint8_t *data, size_t size)
{
    const fuzz_file_t *f = &fuzz_sound[FUZZ_FULL];
    uint8_t *bytes = malloc(f->used + 8);
    if (!bytes) return;
    fuzz_clear();
    fuzz_put_sound();
    memcpy(bytes, f->bytes, f->used);
    for (; size > CELL_PATCH; data += CELL_PATCH, size -= CELL_PATCH) {
        const size_t at = cells[tape__get_u16(data) % cell_count];
        const uint64_t value = changed(tape__get_u64(bytes + at), data + 3, f);
        memcpy(bytes + at, &value, 8);
    }
    if (size & 1) { /* it is the newest one, to which is appended */
        char path[600];
        snprintf(path, sizeof path, "%s/%s", fuzz_queue, fuzz_sound[FUZZ_LAST].name);
        unlink(path);
    }
    fuzz_put(f->name, bytes, f->used, f->size);
    free(bytes);
    fuzz_use(size & 1 ? FUZZ_ALL_OF_ONE : FUZZ_ALL_OF_BOTH);
}

const fuzz_target_t index_target = {"index", begin_index, index_one};

/* ---- a directory: what each record of the input puts into the sound one ---- */

/* Takes bytes off the input, zeros when it has ended. */
typedef struct {
    const uint8_t *data;
    size_t left;
} input_t;

static const uint8_t *take(input_t *in, size_t size)
{
    static const uint8_t zeros[8];
    if (in->left < size) {
        in->left = 0;
        return zeros;
    }
    const uint8_t *p = in->data;
    in->data += size;
    in->left -= size;
    return p;
}

static void name_of(input_t *in, char *out, size_t size)
{
    static const char *const names[] = {
        "metadata.cq4t", "tape.side", "20200913-122639T4.cq4", "20200913-122640T4.cq4",
        "20200913-122641T4.cq4", "20200913-122642T4.cq4", "20200913-122643T4.cq4",
        "directory-listing.cq4t", "20200913T4.cq4", "20340101-000000T4.cq4",
        "20200913-122640T4.cq4.gz", ".tape-cycle-1.tmp", "20200913-122641T4.cq4-1.discard",
        "19700101-000000T4.cq4", "99991231-235959T4.cq4"};
    const size_t n = *take(in, 1), known = sizeof names / sizeof *names;
    const size_t length = n % (known + 1) == known ? *take(in, 1) % 40u : 0;
    if (!length || in->left < length) {
        snprintf(out, size, "%s", names[n % known]);
        return;
    }
    memcpy(out, take(in, length), length);
    out[length] = '\0';
    for (size_t i = 0; i < length; i++)
        if (out[i] == '/' || out[i] == '\0') out[i] = '-';
}

static void put_strange(int kind, const char *name)
{
    static const char *const leads[] = {"nowhere", ".", "/dev/null", "/dev/zero"};
    char path[600];
    snprintf(path, sizeof path, "%s/%s", fuzz_queue, name);
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return;
    if (unlink(path) != 0) rmdir(path);
    int rc = 0;
    if (kind == 0) rc = mkdir(path, 0777);
    else if (kind == 1) rc = mkfifo(path, 0666);
    else if (kind == 2) rc = symlink(path, path);
    else rc = symlink(leads[kind % 4], path);
    (void)rc; /* a name that the file system refuses is none */
}

static void record(input_t *in)
{
    char name[64];
    const uint8_t kind = *take(in, 1);
    name_of(in, name, sizeof name);
    const fuzz_file_t *f = &fuzz_sound[kind / 8 % FUZZ_FILES];
    const size_t a = tape__get_u16(take(in, 2));
    switch (kind & 7) {
    case 0: fuzz_put(name, f->bytes, f->used, f->size); break;
    case 1: fuzz_put(name, NULL, 0, kind & 8 ? 0 : a * 4); break;
    case 2: fuzz_put(name, f->bytes, a % f->used, kind & 64 ? a % f->used : f->size); break;
    case 3: put_strange(a % 8, name); break;
    case 4: {
        const size_t length = a % 600, had = length < in->left ? length : in->left;
        fuzz_put(name, take(in, had), had, kind & 8 ? had : 65536);
        break;
    }
    default: {
        const size_t length = (a % 8 + 1) * FUZZ_PATCH, had = length < in->left ? length : in->left;
        fuzz_put_patched((int)(f - fuzz_sound), take(in, had), had, 0, 1);
    }
    }
}

static void directory(const uint8_t *data, size_t size)
{
    input_t in = {data, size};
    fuzz_clear();
    fuzz_put_sound();
    while (in.left) record(&in);
    fuzz_use(FUZZ_ANYTHING);
    fuzz_mend();
}

const fuzz_target_t directory_target = {"directory", begin, directory};

/* ---- a repair: patches over all three files ---- */

static void repair(const uint8_t *data, size_t size)
{
    fuzz_clear();
    for (int n = 0; n < FUZZ_FILES; n++) fuzz_put_patched(n, data, size, n, FUZZ_FILES);
    fuzz_mend();
}

const fuzz_target_t repair_target = {"repair", begin, repair};
