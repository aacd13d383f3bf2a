/* Appends events to the queue "events" (or the one named) as maps that Python and Clojure read.
 *
 *     fressian_writer [DIRECTORY]
 *
 *     >>> for event in tape.open("events").tailer(): print(event)       # Python
 *     (doseq [event (tape/tailer "events")] (prn event))                ; Clojure
 */
#include <inttypes.h>
#include <string.h>

#include "failed.h"
#include "tape_fressian.h"

/* {:order/id number, :price price, :tags ["c" "new"], :note "..."}; the size, or a code below 0 */
static int64_t encode(int64_t number, double price, const char *note, void *buffer, size_t room)
{
    tape_fressian_writer_t w;
    size_t size;
    tape_fressian_write_to(&w, buffer, room);
    tape_fressian_put_map(&w, 4);
    tape_fressian_put_keyword(&w, "order", "id");
    tape_fressian_put_int(&w, number);
    tape_fressian_put_keyword(&w, NULL, "price");
    tape_fressian_put_double(&w, price);
    tape_fressian_put_keyword(&w, NULL, "tags");
    tape_fressian_put_list(&w, 2);
    tape_fressian_put_string(&w, "c", 1);
    tape_fressian_put_string(&w, "new", 3);
    tape_fressian_put_keyword(&w, NULL, "note");
    if (note)
        tape_fressian_put_string(&w, note, strlen(note));
    else
        tape_fressian_put_nil(&w);
    int rc = tape_fressian_finish(&w, &size);   /* the first thing that went wrong, if any */
    return rc == TAPE_OK ? (int64_t)size : rc;
}

int main(int argc, char **argv)
{
    static const char *const notes[] = {"gr\xc3\xbc\xc3\x9f dich", "\xf0\x9f\x98\x80", NULL};
    unsigned char buffer[512];
    tape_queue_t *queue = NULL;
    tape_appender_t *appender = NULL;
    int64_t rc = tape_queue_open(argc > 1 ? argv[1] : "events", NULL, &queue);
    if (rc == TAPE_OK)
        rc = tape_appender_open(queue, NULL, &appender);
    for (int i = 0; i < 3 && rc >= 0; i++) {
        rc = encode(i + 1, 9.5 * i, notes[i], buffer, sizeof buffer);
        if (rc >= 0)
            rc = tape_appender_write(appender, buffer, (size_t)rc);
        if (rc >= 0)
            printf("%" PRIx64 "\n", (uint64_t)rc);
    }
    if (rc < 0)
        return failed(rc);
    tape_appender_close(appender);
    rc = tape_queue_close(queue);
    return rc == TAPE_OK ? 0 : failed(rc);
}
