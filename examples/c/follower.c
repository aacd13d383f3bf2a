/* Prints messages as they come, whoever writes them, until there were COUNT or a minute is quiet.
 *
 *     follower DIRECTORY [COUNT]
 *
 * It sleeps in between: a writer of libtape wakes it, and what Java writes it finds by looking. */
#include <inttypes.h>
#include <stdlib.h>

#include "failed.h"

#define MINUTE INT64_C(60000000000) /* ns */

int main(int argc, char **argv)
{
    long left = argc > 2 ? strtol(argv[2], NULL, 10) : 10;
    tape_queue_t *queue = NULL;
    tape_tailer_t *tailer = NULL;
    int rc = tape_queue_open(argc > 1 ? argv[1] : "lines", NULL, &queue);
    if (rc == TAPE_OK) rc = tape_tailer_open(queue, NULL, &tailer);
    if (rc != TAPE_OK) return failed(rc);
    setvbuf(stdout, NULL, _IOLBF, 0); /* each line at once, also into a pipe */

    while (left > 0) {
        tape_excerpt_t excerpt;
        rc = tape_tailer_next(tailer, &excerpt);
        if (rc == 1) {
            printf("%.*s\n", (int)excerpt.size, (const char *)excerpt.data);
            left--;
        } else if (rc == 0) {
            rc = tape_tailer_wait(tailer, MINUTE);
            if (rc == TAPE_WAIT_TIMED_OUT) break;
        }
        if (rc < 0) return failed(rc);
    }
    tape_tailer_close(tailer);
    rc = tape_queue_close(queue);
    return rc == TAPE_OK ? 0 : failed(rc);
}
