/* The twin of ../quickstart.py: appends one message to the queue "orders" and reads what is there.
 *
 * libtape stores bytes; so that Python's default codec can read this message too, the bytes are a
 * string in Fressian: code E3, its length, its characters. */
#include <inttypes.h>

#include "failed.h"

static void print_message(const tape_excerpt_t *e)
{
    printf("%zu bytes:", e->size);
    for (size_t i = 0; i < e->size; i++) printf(" %02x", e->data[i]);
    printf("\n");
}

int main(void)
{
    static const char message[] = "\xE3\x0C"
                                  "hello from C";
    tape_queue_t *queue = NULL;
    tape_appender_t *appender = NULL;
    tape_tailer_t *tailer = NULL;
    int rc = tape_queue_open("orders", NULL, &queue);
    if (rc == TAPE_OK) rc = tape_appender_open(queue, NULL, &appender);
    if (rc == TAPE_OK) rc = tape_tailer_open(queue, NULL, &tailer);
    if (rc != TAPE_OK) return failed(rc);

    int64_t index = tape_appender_write(appender, message, sizeof message - 1);
    if (index < 0) return failed(index);

    tape_excerpt_t excerpt;
    while ((rc = tape_tailer_next(tailer, &excerpt)) == 1) print_message(&excerpt);
    if (rc < 0) return failed(rc);

    rc = tape_tailer_seek(tailer, index); /* 1: the next read gives that message */
    printf("seek to the message just written: %s\n", rc == 1 ? "found" : "not found");

    tape_tailer_close(tailer);
    tape_appender_close(appender);
    rc = tape_queue_close(queue);
    return rc == TAPE_OK ? 0 : failed(rc);
}
