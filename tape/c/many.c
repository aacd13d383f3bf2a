/* many.c - read_many(): runs of messages where they lie in the mapping, decoded in turn.
 *
 * A message that cannot be had, a gap or an error ends the lane: Cursor.read_many() goes on from
 * there, with what the lane has. So that it meets the same, a gap, which C tells but once, is taken
 * back.
 */
#include "fast.h"

enum { RUN = 256 };

/* What a call has of the queue so far. */
typedef struct {
    cursor_t *cursor;
    PyObject *list;      /* NULL: nothing yet */
    int64_t first;       /* index of its first message */
    int runs;            /* calls of C that gave messages */
    PyObject *interrupt; /* what ends the call though it is no word about a message */
    bool odd;            /* the next message is not for the lane */
} many_t;

/* Takes back what C gave: all of it is next again. */
static void give_back(const many_t *m)
{
    if (m->runs <= 1) fast_c->unread_many(m->cursor->tailer, 0);
    else fast_c->seek(m->cursor->tailer, m->first);
}

/* The values of a run, up to the first that cannot be had. The list is not seen by the collector
 * while it has empty places. */
static PyObject *decode_run(many_t *m, const tape_span_t *spans, int64_t count, Py_ssize_t *got)
{
    cursor_t *c = m->cursor;
    PyObject *values = PyList_New((Py_ssize_t)count), *failed = NULL;
    Py_ssize_t n = 0;
    if (values == NULL) {
        m->interrupt = fast_take_exception();
        return NULL;
    }
    PyObject_GC_UnTrack(values);
    for (; n < count; n++) {
        PyObject *value = cursor_decode(c, spans[n].data, spans[n].size, &failed);
        if (value == NULL) break;
        PyList_SET_ITEM(values, n, value);
    }
    PyObject_GC_Track(values);
    *got = n;
    if (n < count && PyList_SetSlice(values, n, (Py_ssize_t)count, NULL) < 0) PyErr_Clear();
    if (failed != NULL && failed != fast_kept &&
        !PyErr_GivenExceptionMatches(failed, c->poison)) {
        m->interrupt = failed;
        Py_CLEAR(values);
    } else {
        Py_XDECREF(failed);
    }
    return values;
}

/* Adds the values of a run. */
static void add_run(many_t *m, const tape_span_t *spans, int64_t count, const tape_run_t *run)
{
    Py_ssize_t got = 0;
    PyObject *values = NULL;
    if (m->runs++ == 0) m->first = run->first_index;
    if (run->framing == m->cursor->framing) values = decode_run(m, spans, count, &got);
    if (m->interrupt == NULL && got < count)
        fast_c->unread_many(m->cursor->tailer, (size_t)got);
    if (values != NULL && got > 0) {
        if (m->list == NULL) {
            m->list = Py_NewRef(values);
        } else {
            const Py_ssize_t end = PyList_GET_SIZE(m->list);
            if (PyList_SetSlice(m->list, end, end, values) < 0)
                m->interrupt = fast_take_exception();
        }
    }
    Py_XDECREF(values);
    m->odd = got < count;
}

static void read_runs(many_t *m, size_t wanted)
{
    tape_span_t spans[RUN];
    tape_run_t run;
    cursor_t *c = m->cursor;
    PyObject *keep = Py_NewRef(c->handle);
    for (size_t left = wanted; left > 0;) {
        const int64_t count = fast_c->next_spans(c->tailer, spans, left < RUN ? left : RUN, &run);
        if (count == 0) break;
        if (count < 0) {
            fast_c->unread(c->tailer); /* a gap; all others come again by themselves */
            m->odd = true;
            break;
        }
        add_run(m, spans, count, &run);
        if (m->odd || m->interrupt != NULL) break;
        left -= (size_t)count;
    }
    if (m->interrupt != NULL) give_back(m);
    Py_DECREF(keep);
}

static bool many_arguments(PyObject *const *args, Py_ssize_t n, PyObject *names, size_t *wanted,
                           PyObject **timeout)
{
    int beyond = 0;
    if (n != 1 || !PyLong_CheckExact(args[0])) return false;
    if (names != NULL) {
        if (PyTuple_GET_SIZE(names) != 1 || PyTuple_GET_ITEM(names, 0) != fast_word_timeout)
            return false;
        *timeout = args[1];
    }
    const long count = PyLong_AsLongAndOverflow(args[0], &beyond);
    *wanted = (size_t)count;
    return !beyond && count > 0;
}

/* Cursor.read_many() goes on with what there is. An interrupt before it has the turn: all is next
 * again. */
static PyObject *go_on(many_t *m, PyObject *wanted, PyObject *timeout)
{
    cursor_t *c = m->cursor;
    PyObject *list = m->list != NULL ? m->list : PyList_New(0), *result = NULL;
    if (list != NULL)
        result = PyObject_CallMethod((PyObject *)c, "read_many", "OO(OL)", wanted, timeout, list,
                                     (long long)(m->list != NULL ? m->first : -1));
    if (c->busy) {
        if (m->list != NULL && c->tailer != NULL) fast_c->seek(c->tailer, m->first);
        cursor_give(c);
    }
    Py_XDECREF(list);
    return result;
}

PyObject *tailer_read_many(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    many_t m = {.cursor = cursor_of(self)};
    size_t wanted = 0;
    PyObject *timeout = NULL;
    if (m.cursor == NULL || !many_arguments(args, n, names, &wanted, &timeout) ||
        fast_timeout(timeout) < 0 || !cursor_take(m.cursor))
        return fast_slowly(SLOW_READ_MANY, self, args, n, names);
    read_runs(&m, wanted);
    if (m.interrupt != NULL) {
        cursor_give(m.cursor);
        Py_CLEAR(m.list);
        fast_raise(m.interrupt);
        return NULL;
    }
    if (m.odd) {
        PyObject *zero = PyLong_FromLong(0), *result = go_on(&m, args[0], timeout ? timeout : zero);
        Py_XDECREF(zero);
        return result;
    }
    cursor_give(m.cursor);
    if (m.list != NULL) return m.list;
    if (fast_timeout(timeout) == 0) return PyList_New(0);
    return fast_slowly(SLOW_READ_MANY, self, args, n, names); /* waits */
}
