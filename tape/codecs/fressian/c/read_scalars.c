/* read_scalars.c - integers and counts. */

#include "speed.h"

/* -- integers */

/* The payload of an integer code, d->p behind the code; -1 with an error at the end of input. */
SHARED int packed_int(dec_t *d, unsigned code, int64_t *v)
{
    static const uint8_t sizes[] = {1, 1, 2, 3, 4, 5, 6};
    static const uint8_t zeros[] = {0x50, 0x50, 0x68, 0x72, 0x76, 0x7A, 0x7E};
    if (code < 0x40) {
        *v = code;
        return 0;
    }
    if (code == C_MINUS_1) {
        *v = -1;
        return 0;
    }
    Py_ssize_t left = d->end - d->p;
    if (code == C_INT) {
        if (left < 8)
            goto ended;
        *v = (int64_t)get_be64(d->p);
        d->p += 8;
        return 0;
    }
    int form = code < 0x60 ? 0 : code < 0x70 ? 2 : 3 + (int)(code - 0x70) / 4;
    int size = sizes[form];
    if (left < size)
        goto ended;
    int64_t n = (int64_t)code - zeros[form];
    for (int i = 0; i < size; i++)
        n = (int64_t)((uint64_t)n << 8 | d->p[i]);
    d->p += size;
    *v = n;
    return 0;
ended:
    ended(d);
    return -1;
}

static int cached_int(dec_t *d, int64_t entry, const uint8_t *at, int64_t *v)
{
    PyObject *value = entry_value(d, entry, at);
    if (!value)
        return -1;
    int overflow = 1;
    if (PyLong_CheckExact(value))
        *v = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (!overflow)
        return 0;
    fail(d, at, "an integer was expected");
    return -1;
}

typedef struct {
    int64_t entry;              /* of a put, or -1 for a get */
    const uint8_t *at;
} waiting_t;

/* An integer by way of the cache, or with resets in front; no recursion. */
static int slow_int(dec_t *d, int64_t *v)
{
    waiting_t few[8], *waiting = few;
    int64_t used = 0, room = 8;
    int rc = -1;
    for (;;) {
        const uint8_t *at = d->p;
        if (at >= d->end) {
            ended(d);
            goto done;
        }
        unsigned code = *d->p++;
        if (code < 0x80 || code == C_INT || code == C_MINUS_1) {
            if (packed_int(d, code, v))
                goto done;
            break;
        }
        if (code < C_STRUCT_PACKED) {
            if (cached_int(d, code - C_PRIORITY, at, v))
                goto done;
            break;
        }
        if (code == C_RESET) {
            if (reset(d, at))
                goto done;
        } else if (code == C_PUT || code == C_GET) {
            if (used >= d->options->max_depth) {
                too_deep(d, at);
                goto done;
            }
            if (used == room) {
                waiting_t *more = PyMem_Malloc((size_t)room * 2 * sizeof *more);
                if (!more) {
                    PyErr_NoMemory();
                    goto done;
                }
                memcpy(more, waiting, (size_t)used * sizeof *more);
                if (waiting != few)
                    PyMem_Free(waiting);
                waiting = more;
                room *= 2;
            }
            int64_t entry = code == C_PUT ? reserve(d) : -1;
            if (code == C_PUT && entry < 0)
                goto done;
            waiting[used++] = (waiting_t){entry, at};
        } else {
            fail(d, at, "an integer was expected");
            goto done;
        }
    }
    while (used--) {
        if (waiting[used].entry < 0) {
            if (cached_int(d, *v, waiting[used].at, v))
                goto done;
        } else {
            PyObject *number = PyLong_FromLongLong(*v);
            if (!number)
                goto done;
            fill(d, waiting[used].entry, number, 0);
            Py_DECREF(number);
        }
    }
    rc = 0;
done:
    if (waiting != few)
        PyMem_Free(waiting);
    return rc;
}

SHARED_INLINE int read_int(dec_t *d, int64_t *v)
{
    if (d->p < d->end) {
        unsigned code = *d->p;
        if (code < 0x80 || code == C_INT || code == C_MINUS_1) {
            d->p++;
            return packed_int(d, code, v);
        }
    }
    return slow_int(d, v);
}

SHARED int read_count(dec_t *d, const char *what, int limited, int64_t *count)
{
    const uint8_t *at = d->p;
    if (read_int(d, count))
        return -1;
    if (*count < 0)
        fail(d, at, "a negative count of %s", what);
    else if (*count > d->end - d->p || *count > COUNT_MAX)
        fail(d, at, "%lld %s in %zd bytes", (long long)*count, what, (Py_ssize_t)(d->end - d->p));
    else if (limited && *count > d->options->max_count)
        fail(d, at, "%lld %s; the limit is max_count=%lld", (long long)*count, what,
             (long long)d->options->max_count);
    else
        return 0;
    return -1;
}
