/* disk_states.c - see disk_states.h. */
#include "disk_states.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "format/file_names.h"
#include "helpers.h"

enum { FILES_MAX = 32, NAME_SIZE = 256, BLOCK = 4096, MET = 1 << 16 };

/* ---- files of a directory, mapped ---- */

typedef struct {
    char name[NAME_SIZE];
    ino_t inode;
    size_t size;
    uint8_t *bytes;
} image_t;

static image_t open_image(const char *directory, const char *name)
{
    image_t i = {.bytes = NULL};
    struct stat st;
    snprintf(i.name, sizeof i.name, "%.255s", name);
    int fd = open(t_path(directory, name), O_RDONLY);
    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    i.inode = st.st_ino;
    i.size = (size_t)st.st_size;
    if (i.size > 0) i.bytes = mmap(NULL, i.size, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(i.bytes != MAP_FAILED);
    close(fd);
    return i;
}

static void close_image(image_t *i)
{
    if (i->bytes) munmap(i->bytes, i->size);
    i->bytes = NULL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const image_t *)a)->name, ((const image_t *)b)->name);
}

/* In order of their names; how many. */
static int open_all(const char *directory, image_t *out)
{
    int n = 0;
    DIR *dir = opendir(directory);
    CHECK(dir != NULL);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.' && strchr("..", e->d_name[1])) continue;
        CHECK(n < FILES_MAX);
        out[n++] = open_image(directory, e->d_name);
    }
    closedir(dir);
    qsort(out, (size_t)n, sizeof *out, by_name);
    return n;
}

/* All files are compared at each step: glibc's memcmp() is the quickest, musl's goes byte by byte
 * and takes hours. */
static bool is_same(const uint8_t *a, const uint8_t *b, size_t size)
{
#ifndef __GLIBC__
    uint64_t x[8], y[8];
    for (; size >= sizeof x; a += sizeof x, b += sizeof x, size -= sizeof x) {
        uint64_t differ = 0;
        memcpy(x, a, sizeof x);
        memcpy(y, b, sizeof y);
        for (int n = 0; n < 8; n++) differ |= x[n] ^ y[n];
        if (differ) return false;
    }
#endif
    return memcmp(a, b, size) == 0;
}

static bool is_zero(const uint8_t *block, size_t size)
{
    return block[0] == 0 && is_same(block, block + 1, size - 1);
}

static size_t block_at(const image_t *i, size_t at)
{
    return i->size - at < BLOCK ? i->size - at : BLOCK;
}

/* ---- copies ---- */

void t_disk_copy(const char *from, const char *to)
{
    image_t all[FILES_MAX];
    t_empty(to);
    const int n = open_all(from, all);
    for (image_t *i = all; i < all + n; i++) {
        int fd = open(t_path(to, i->name), O_RDWR | O_CREAT | O_EXCL, 0644);
        CHECK(fd >= 0);
        CHECK_EQ(ftruncate(fd, (off_t)i->size), 0);
        for (size_t at = 0; at < i->size; at += BLOCK) {
            const size_t size = block_at(i, at);
            if (!is_zero(i->bytes + at, size))
                CHECK_EQ(pwrite(fd, i->bytes + at, size, (off_t)at), size);
        }
        close(fd);
        close_image(i);
    }
}

/* ---- numbers ---- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 29;
}

/* Digits in the names of temporary files, and of those that were moved aside, are a clock's. */
static uint64_t hash_name(uint64_t hash, const char *name)
{
    const bool cycle = strlen(name) > 4 && strcmp(name + strlen(name) - 4, ".cq4") == 0;
    for (const char *p = name; *p; p++)
        if (cycle || !strchr("0123456789abcdef", *p)) hash = mix(hash, (uint64_t)*p);
    return hash;
}

static uint64_t hash_block(uint64_t hash, const uint8_t *block, size_t size, pid_t pid)
{
    for (size_t at = 0; at < size; at += 8) {
        uint64_t word = 0;
        memcpy(&word, block + at, size - at < 8 ? size - at : 8);
        hash = mix(hash, word == (uint64_t)pid ? 1 : word);
    }
    return hash;
}

uint64_t t_disk_hash(const char *directory, pid_t pid)
{
    image_t all[FILES_MAX];
    uint64_t hash = 0;
    const int n = open_all(directory, all);
    for (image_t *i = all; i < all + n; i++) {
        hash = mix(hash_name(hash, i->name), i->size);
        for (size_t at = 0; at < i->size && strcmp(i->name, TAPE__SIDE_NAME) != 0; at += BLOCK)
            if (!is_zero(i->bytes + at, block_at(i, at)))
                hash = hash_block(mix(hash, at), i->bytes + at, block_at(i, at), pid);
        close_image(i);
    }
    return hash ? hash : 1;
}

bool t_disk_is_new(t_disk_met_t *met, uint64_t hash)
{
    if (!met->slots) CHECK((met->slots = calloc(MET, sizeof *met->slots)) != NULL);
    CHECK(met->count < MET / 2);
    size_t at = hash % MET;
    for (; met->slots[at] != 0; at = (at + 1) % MET)
        if (met->slots[at] == hash) return false;
    met->slots[at] = hash;
    met->count++;
    return true;
}

/* ---- watching ---- */

struct t_disk {
    const char *directory;
    bool mapped;
    image_t files[FILES_MAX];
    uint8_t *before[FILES_MAX]; /* what was there at the last look */
    int count;
};

static void close_all(image_t *all, int count)
{
    for (int n = 0; n < count; n++) close_image(&all[n]);
}

static void forget(t_disk_t *d)
{
    close_all(d->files, d->count);
    for (int n = 0; n < d->count; n++) free(d->before[n]);
    d->count = 0;
}

static void remember(t_disk_t *d, const image_t *all, int count)
{
    memcpy(d->files, all, (size_t)count * sizeof *all);
    d->count = count;
    for (int n = 0; n < count; n++) {
        const image_t *i = &d->files[n];
        CHECK((d->before[n] = malloc(i->size + 1)) != NULL);
        if (i->size > 0) memcpy(d->before[n], i->bytes, i->size);
    }
    if (!d->mapped) close_all(d->files, count);
}

t_disk_t *t_disk_watch(const char *directory, bool mapped)
{
    image_t all[FILES_MAX];
    t_disk_t *d = calloc(1, sizeof *d);
    CHECK(d != NULL);
    d->directory = directory;
    d->mapped = mapped;
    remember(d, all, open_all(directory, all));
    return d;
}

void t_disk_unwatch(t_disk_t *d)
{
    forget(d);
    free(d);
}

static bool is_as_before(const t_disk_t *d, const image_t *all, int n)
{
    const image_t *i = &all[n], *old = &d->files[n];
    return strcmp(i->name, old->name) == 0 && i->inode == old->inode && i->size == old->size &&
           (i->size == 0 || is_same(i->bytes, d->before[n], i->size));
}

static bool all_is_as_before(const t_disk_t *d, const image_t *all, int count)
{
    bool same = count == d->count;
    for (int n = 0; same && n < count; n++) same = is_as_before(d, all, n);
    return same;
}

bool t_disk_has_changed(t_disk_t *d, bool called)
{
    image_t all[FILES_MAX];
    if (!called && (!d->mapped || all_is_as_before(d, d->files, d->count))) return false;
    const int count = open_all(d->directory, all);
    if (called && all_is_as_before(d, all, count)) {
        close_all(all, count);
        return false;
    }
    forget(d);
    remember(d, all, count);
    return true;
}
