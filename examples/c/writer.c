/* Appends each line of its input to a queue, as bytes, and prints the index of each.
 *
 *     seq 3 | writer DIRECTORY
 *
 *     >>> list(tape.open("DIRECTORY").tailer(codec=tape.codecs.raw))       # Python
 *     [b'1', b'2', b'3']
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "failed.h"

int main(int argc, char **argv)
{
    tape_queue_t *queue = NULL;
    tape_appender_t *appender = NULL;
    int64_t rc = tape_queue_open(argc > 1 ? argv[1] : "lines", NULL, &queue);
    if (rc == TAPE_OK) rc = tape_appender_open(queue, NULL, &appender);
    if (rc != TAPE_OK) return failed(rc);

    char line[4096];
    while (rc >= 0 && fgets(line, sizeof line, stdin)) {
        rc = tape_appender_write(appender, line, strcspn(line, "\n"));
        if (rc >= 0) printf("%" PRId64 "\n", rc); /* from here on every process sees it */
    }
    if (rc < 0) return failed(rc);
    tape_appender_close(appender);
    rc = tape_queue_close(queue);
    return rc == TAPE_OK ? 0 : failed(rc);
}
