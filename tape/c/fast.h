/* fast.h - the lanes: the hot calls of Appender and Tailer without a Python frame.
 *
 * A lane does what nearly every call is: a message that is there, of a codec that can read it. All
 * that is rare goes to the methods written in Python over cffi, which are the whole of tape and
 * need no lane (TAPE_PURE=1). Where a lane has begun it hands over what C said: nothing is done
 * twice.
 *
 *   handled.c   the handle that CursorLane, AppenderLane and WaiterLane begin with
 *   cursor.c    CursorLane, the base of tape._cursor.Cursor: the turn, decoding
 *   tailer.c    TailerLane, the base of tape.Tailer: read, get, seek, iterating
 *   many.c      read_many
 *   wait.c      read(timeout=) and get() when there is nothing yet
 *   stream.c    StreamLane, the base of tape.aio.Stream: `async for`
 *   waiter.c    WaiterLane, the base of tape._loop.LoopWaiter: waking who awaits
 *   batch.c     write_many
 *   appender.c  AppenderLane, the base of tape.Appender: write, try_write
 *   arrow.c     read_columns for Arrow
 *   module.c    the module: setup(), adopt()
 *
 * The GIL is kept while no call of C waits for anybody. A write tries without waiting first, and
 * lets the GIL go when it must wait for the lock; who waits for a message sleeps without it.
 */
#ifndef TAPE_FAST_H
#define TAPE_FAST_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <structmember.h>

#include "../codecs/fressian/c/lane.h"
#include "table.h"

extern const tape_fast_table_t *fast_c;      /* libtape */
extern const fressian_lane_t *fast_fressian; /* NULL: not there, or not yet asked for */
extern PyObject *fast_pointer;               /* of a cffi pointer: its address as an int */
extern PyObject *fast_nothing;               /* Cursor's NOTHING */
extern PyObject *fast_kept;                  /* says that a codec kept a view */
extern PyObject *fast_main_thread;           /* tells the thread that hears signals */

/* The methods written in Python which a lane stands in front of. */
enum {
    SLOW_READ,
    SLOW_GET,
    SLOW_SEEK,
    SLOW_READ_MANY,
    SLOW_ITER,
    SLOW_WRITE,
    SLOW_TRY_WRITE,
    SLOW_WRITE_MANY,
    SLOW_COUNT
};
extern PyObject *fast_slow[SLOW_COUNT];

typedef enum { KIND_OTHER, KIND_RAW, KIND_FRESSIAN } kind_t;

/* How every object begins that has a handle. */
typedef struct {
    PyObject_HEAD
    PyObject *handle; /* cffi's pointer, which keeps what it points to alive */
    void *pointer;    /* and that as C has it */
} handled_t;

typedef struct {
    PyObject_HEAD
    PyObject *handle;
    tape_tailer_t *tailer;
    PyObject *outs;      /* Turn._outs: its element is there when nobody has the turn */
    PyObject *ahead;     /* Turn._ahead: what a loop in Python has read and not yet given */
    tape_excerpt_t *out; /* the memory of that element */
    PyObject *decode, *poison;
    void *fressian;
    uint32_t framing;
    uint8_t kind;
    bool armed, busy; /* busy: a lane has the turn */
} cursor_t;

typedef struct {
    PyObject_HEAD
    PyObject *cursor;
} tailer_t;

typedef struct {
    PyObject_HEAD
    PyObject *handle;
    tape_appender_t *appender;
    PyObject *encode;
    void *fressian;
    fressian_lane_buffer_t buffer;
    uint8_t kind;
    bool armed, watch, waits;
    bool buffer_busy; /* a codec's Python code runs in encode(), and may write itself */
} appender_t;

/* What C said to a lane that cannot go on: Cursor._next_value() does. */
typedef struct {
    int code;
    PyObject *failed; /* a new reference: an exception out of decode(), fast_kept, or NULL */
} begun_t;

extern PyTypeObject cursor_type, tailer_type, iterator_type, appender_type;
extern PyTypeObject stream_type, step_type, waiter_type;

/* handled.c */
/* The address that cffi's `pointer` holds; -1 with an exception set. */
int fast_address_of(PyObject *pointer, void **out);
extern PyGetSetDef fast_handled_properties[];

/* The type of such objects, out of the methods, members and so on of the file it stands in. */
#define FAST_HANDLED_TYPE(name, object)                                                       \
    {                                                                                         \
        PyVarObject_HEAD_INIT(NULL, 0).tp_name = (name), .tp_basicsize = sizeof(object),      \
        .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,            \
        .tp_new = PyType_GenericNew, .tp_dealloc = dealloc, .tp_traverse = traverse,          \
        .tp_clear = clear, .tp_methods = methods, .tp_members = members,                      \
        .tp_getset = fast_handled_properties,                                                 \
    }

/* cursor.c */
cursor_t *cursor_of(PyObject *tailer);
bool cursor_take(cursor_t *c);
void cursor_give(cursor_t *c);
PyObject *cursor_decode(cursor_t *c, const uint8_t *data, size_t size, PyObject **failed);
PyObject *cursor_next(cursor_t *c, begun_t *begun);
PyObject *cursor_hand_over(cursor_t *c, begun_t *begun, const char *method,
                           PyObject *const *arguments, size_t count);
/* The exception that is set, as an object, and none set any more. */
PyObject *fast_take_exception(void);
void fast_raise(PyObject *exception);

/* wait.c: the next message, when there was none and the turn is given back. `none` if none came in
 * time, or Empty when it is fast_nothing. */
PyObject *cursor_wait(cursor_t *c, PyObject *none, PyObject *timeout);

/* arrow.c */
PyObject *fast_arrow_stream(PyObject *module, PyObject *args);

/* many.c */
PyObject *tailer_read_many(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names);

/* tailer.c, appender.c */
extern PyObject *fast_word_timeout;
int tailer_setup(void);
int waiter_setup(void);
int fast_timeout(PyObject *timeout);
PyObject *fast_slowly(int which, PyObject *self, PyObject *const *args, Py_ssize_t n,
                      PyObject *names);
PyObject *tailer_read(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names);
PyObject *tailer_get(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names);
PyObject *tailer_seek(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names);
PyObject *tailer_iter(PyObject *self, PyObject *unused);
/* batch.c */
PyObject *appender_write_many(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names);
PyObject *appender_write(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names);
PyObject *appender_try_write(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names);

#endif
