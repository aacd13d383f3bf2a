/* reader_alone.c - reads a queue with the floors that readers need, and no others.
 *
 *     reader_alone <directory>      prints index (hex) and size of each message
 */
#include <inttypes.h>
#include <stdio.h>

#include "read/tailer.h"

static void destroy(tape__site_t *site) { tape__site_end(site); }

static int fail(int code)
{
    char trail[1024];
    tape_error_trail(trail, sizeof trail);
    fprintf(stderr, "%s: %s\n", tape_code_name(code), trail);
    return 1;
}

int main(int argc, char **argv)
{
    static tape__site_t site;
    tape_tailer_t *tailer;
    tape_excerpt_t e;
    if (argc != 2) return 2;
    tape__site_begin(&site, destroy);
    int rc = tape__site_set_path(&site, argv[1]);
    if (rc == TAPE_OK) rc = tape__site_open_to_read(&site, false);
    if (rc == TAPE_OK) rc = tape__tailer_make(&site, NULL, &tailer);
    if (rc != TAPE_OK) return fail(rc);
    while ((rc = tape_tailer_next(tailer, &e)) == 1)
        printf("%" PRIx64 " %zu\n", (uint64_t)e.index, e.size);
    if (rc != 0) return fail(rc);
    tape_tailer_close(tailer);
    tape__site_release(&site);
    return 0;
}
