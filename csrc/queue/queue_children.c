/* queue_children.c - the doors to the two wings: appenders write, tailers read. */
#include "base/error.h"
#include "queue/queue.h"
#include "read/tailer.h"
#include "write/appender.h"

static int no_place(void)
{
    return tape__fail(TAPE_EINVAL, NULL, -1, "no queue, or no place for it");
}

int tape_appender_open(tape_queue_t *queue, const tape_appender_options_t *options,
                       tape_appender_t **out)
{
    if (!queue || !out) return no_place();
    *out = NULL;
    return tape__appender_make(&queue->writer, options, out);
}

int tape_tailer_open(tape_queue_t *queue, const tape_tailer_options_t *options, tape_tailer_t **out)
{
    if (!queue || !out) return no_place();
    *out = NULL;
    return tape__tailer_make(&queue->site, options, out);
}
