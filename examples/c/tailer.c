/* Prints what came since it ran last, and notes in the queue how far it came: a named tailer, whose
 * place Java, Clojure and Python find, too.
 *
 *     tailer DIRECTORY [NAME]
 *
 * The place is stored behind each message that was printed. Who dies between the two prints that
 * one again: at least once. With the commit before the work it would be at most once. */
#include <inttypes.h>

#include "failed.h"

int main(int argc, char **argv)
{
    tape_queue_t *queue = NULL;
    tape_tailer_t *tailer = NULL;
    tape_queue_options_t existing = {.struct_size = sizeof existing, .flags = TAPE_OPEN_EXISTING};
    tape_tailer_options_t named = {.struct_size = sizeof named, .flags = TAPE_TAILER_TELL_GAPS,
                                   .id = argc > 2 ? argv[2] : "printer"};
    int rc = tape_queue_open(argc > 1 ? argv[1] : "lines", &existing, &queue);
    if (rc == TAPE_OK) rc = tape_tailer_open(queue, &named, &tailer);
    if (rc != TAPE_OK) return failed(rc);

    tape_excerpt_t excerpt;
    while ((rc = tape_tailer_next(tailer, &excerpt)) != 0) {
        if (rc == TAPE_EGAP) { /* old files were removed before we read them; told once */
            fprintf(stderr, "messages are gone\n");
            continue;
        }
        if (rc < 0) return failed(rc);
        printf("%" PRId64 " %.*s\n", excerpt.index, (int)excerpt.size, (const char *)excerpt.data);
        rc = tape_tailer_commit(tailer);
        if (rc < 0) return failed(rc);
    }
    tape_tailer_close(tailer);
    rc = tape_queue_close(queue);
    return rc == TAPE_OK ? 0 : failed(rc);
}
