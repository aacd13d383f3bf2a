/* libFuzzer's entry for tape_verify() and tape_repair(), over a directory made of the input.
 *
 * Built by queue_fuzz.sh. An input is patches of six bytes, which are laid over the two
 * files of a sound queue. What a repair made must be sound, whatever it was made of. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tape.h"

#ifndef PLANTED
#define PLANTED 0
#endif
enum { LARGEST = 1 << 20, PATCH = 6 };
static struct { char name[64]; uint8_t bytes[LARGEST]; size_t size; } files[2];
static char folder[200], queue[256], copy[256];

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    abort();
}

static void fail_with(const char *what, int rc)
{
    char trail[2000];
    tape_error_trail(trail, sizeof trail);
    fprintf(stderr, "%s: %s\n", what, tape_strerror(rc));
    fail(what, trail);
}

/* The files of the queue at $FUZZ_QUEUE, which the script makes; zeros at the end are left out. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *from = getenv("FUZZ_QUEUE"), *scratch = getenv("FUZZ_SCRATCH");
    DIR *d = from ? opendir(from) : NULL;
    (void)argc, (void)argv;
    if (!d || !scratch) fail("FUZZ_QUEUE, FUZZ_SCRATCH", "not set, or no directory");
    for (struct dirent *e; (e = readdir(d));) {
        char path[600];
        const int n = strstr(e->d_name, ".cq4t") ? 1 : 0;
        if (!strstr(e->d_name, ".cq4")) continue;
        snprintf(path, sizeof path, "%s/%s", from, e->d_name);
        snprintf(files[n].name, sizeof files[n].name, "%.60s", e->d_name);
        FILE *f = fopen(path, "rb");
        if (!f) fail(path, strerror(errno));
        files[n].size = fread(files[n].bytes, 1, LARGEST, f);
        fclose(f);
    }
    closedir(d);
    if (!files[0].size || !files[1].size) fail(from, "it has no cycle, or no table store");
    snprintf(folder, sizeof folder, "%s", scratch);
    snprintf(queue, sizeof queue, "%s/q", folder);
    snprintf(copy, sizeof copy, "%s/copy", folder);
    return 0;
}

static void empty(const char *path)
{
    DIR *d = opendir(path);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d));) {
        char inner[600];
        snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
        if (e->d_name[0] != '.') unlink(inner);
    }
    closedir(d);
    rmdir(path);
}

/* One file with the patches that are laid over it: kind, 3 bytes of place, 2 of what is put. */
static void put(int n, const uint8_t *data, size_t size)
{
    static uint8_t bytes[LARGEST];
    char path[400];
    size_t length = files[n].size;
    memcpy(bytes, files[n].bytes, length);
    for (; size >= PATCH; data += PATCH, size -= PATCH) {
        const size_t at = ((size_t)data[1] | (size_t)data[2] << 8 | (size_t)data[3] << 16) % length;
        if ((data[0] & 1) != n) continue;
        if ((data[0] & 6) == 6) length = at ? at : 1;               /* it is cut there */
        else if (data[0] & 2) memset(bytes + at, data[4], length - at < 64 ? length - at : 64);
        else if (data[0] & 4) bytes[at] ^= data[4];
        else bytes[at] = data[4], bytes[at + 1 < length ? at + 1 : at] = data[5];
    }
    snprintf(path, sizeof path, "%s/%s", queue, files[n].name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, length, f) != length || fclose(f)) fail(path, strerror(errno));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tape_check_options_t options = {.struct_size = sizeof options};
    tape_check_report_t report;
    empty(copy);
    empty(queue);
    if (mkdir(queue, 0777)) fail(queue, strerror(errno));
    put(0, data, size);
    put(1, data, size);
    int rc = tape_verify(queue, &options, &report);
    if (rc == TAPE_EINTERNAL) fail_with("verify", rc);
    rc = tape_repair(queue, copy, &options, &report);
    if (rc == TAPE_EINTERNAL) fail_with("repair", rc);
    if (rc != TAPE_OK || report.nothing) return 0;
    rc = tape_verify(PLANTED ? queue : copy, &options, &report); /* planted: nothing was mended */
    if (rc != TAPE_OK || report.damage || report.unfinished) fail("verify", "the copy is damaged");
    return 0;
}
