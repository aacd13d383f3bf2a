/* Makes messages where they will stand, in the mapped file: nothing is copied.
 *
 *     in_place DIRECTORY [COUNT]
 *
 * Each message is a line of text. Every third is thought better of: tape_appender_abandon() leaves
 * nothing behind. Between reserve and publish the write lock is held, so be quick. */
#include <inttypes.h>
#include <stdlib.h>

#include "failed.h"

#define ROOM 64 /* bytes; a message may be shorter */

int main(int argc, char **argv)
{
    long count = argc > 2 ? strtol(argv[2], NULL, 10) : 10;
    tape_queue_t *queue = NULL;
    tape_appender_t *appender = NULL;
    int64_t rc = tape_queue_open(argc > 1 ? argv[1] : "lines", NULL, &queue);
    if (rc == TAPE_OK) rc = tape_appender_open(queue, NULL, &appender);
    if (rc != TAPE_OK) return failed(rc);

    for (long i = 1; i <= count && rc >= 0; i++) {
        void *buffer;
        rc = tape_appender_reserve(appender, ROOM, &buffer);
        if (rc < 0) break;
        int size = snprintf(buffer, ROOM, "made in place: %ld", i);
        if (i % 3 == 0)
            rc = tape_appender_abandon(appender);
        else
            rc = tape_appender_publish(appender, (size_t)size);
    }
    if (rc < 0) return failed(rc);
    tape_appender_info_t info;
    rc = tape_appender_info(appender, &info);
    if (rc < 0) return failed(rc);
    printf("%" PRId64 " messages, %" PRId64 " bytes\n", info.messages, info.bytes);
    tape_appender_close(appender);
    rc = tape_queue_close(queue);
    return rc == TAPE_OK ? 0 : failed(rc);
}
