/* Counts the messages of a queue and their bytes, many in one call and without copying them.
 *
 *     bulk_reader DIRECTORY
 *
 * The bytes that the spans show are those of the mapped file, valid until the next call. */
#include <inttypes.h>

#include "failed.h"

#define MANY 256

int main(int argc, char **argv)
{
    tape_queue_t *queue = NULL;
    tape_tailer_t *tailer = NULL;
    tape_queue_options_t reading = {.struct_size = sizeof reading, .flags = TAPE_READ_ONLY};
    int64_t rc = tape_queue_open(argc > 1 ? argv[1] : "lines", &reading, &queue);
    if (rc == TAPE_OK) rc = tape_tailer_open(queue, NULL, &tailer);
    if (rc != TAPE_OK) return failed(rc);

    tape_span_t spans[MANY];
    tape_run_t run;
    int64_t messages = 0, bytes = 0, first = -1, last = -1;
    while ((rc = tape_tailer_next_spans(tailer, spans, MANY, &run)) > 0) {
        for (int64_t i = 0; i < rc; i++) bytes += (int64_t)spans[i].size;
        if (first < 0) first = run.first_index;
        last = run.first_index + rc - 1;
        messages += rc;
    }
    if (rc < 0) return failed(rc);
    printf("%" PRId64 " messages, %" PRId64 " bytes\n", messages, bytes);
    if (messages) printf("from %" PRId64 " to %" PRId64 "\n", first, last);
    tape_tailer_close(tailer);
    rc = tape_queue_close(queue);
    return rc == TAPE_OK ? 0 : failed(rc);
}
