/* lane.h - what another extension may call of the codec, handed over by a capsule.
 *
 * The attribute _capsule of tape.codecs.fressian._speed is a capsule with one fressian_lane_t:
 *
 *   const fressian_lane_t *lane = PyCapsule_GetPointer(capsule, FRESSIAN_LANE_CAPSULE);
 *
 * Look at its `version` first. The table lives as long as the process. All calls need the GIL, or
 * an attached thread state where there is none. */
#ifndef TAPE_FRESSIAN_LANE_H
#define TAPE_FRESSIAN_LANE_H

#include <Python.h>
#include <stddef.h>
#include <stdint.h>

#define FRESSIAN_LANE_CAPSULE "tape.fressian_lane"
#define FRESSIAN_LANE_VERSION 1u

/* A caller's buffer, for one message after the other. Begin with all zero; end with
 * PyMem_Free(data). `data` may move in every encode(). */
typedef struct {
    uint8_t *data;              /* by PyMem_Malloc, or NULL */
    size_t capacity;
    size_t head;                /* set by the caller: bytes to leave free in front, for a frame */
    size_t size;                /* set by encode(): bytes of the message, from data + head on */
} fressian_lane_buffer_t;

typedef struct {
    uint32_t version;           /* FRESSIAN_LANE_VERSION: the meaning of what stands below */
    uint32_t size;              /* of this struct, which may grow at its end */

    /* The state of a codec object, as given to tape.open(codec=): the module tape.codecs.fressian,
     * a Fressian, or anything whose `encode` and `decode` are the methods of one _speed.Codec. A
     * new reference, to be given back by Py_DECREF((PyObject *)state). NULL without an error for
     * every other object: a codec in Python, a Fressian(engine="python"), a subclass or instance
     * whose encode or decode has been replaced. Handlers, default= and all other options are part
     * of the state. */
    void *(*state_of)(PyObject *codec);

    /* One value behind buffer->head free bytes: 0, or -1 with an error set (EncodeError with
     * .path, or what user code raised), buffer->size 0 then. Handlers, default= and classes that
     * are not built in run Python code, which may call anything, this function too: the buffer
     * must not be in use by another encode() then, so set it aside or mark it busy. */
    int (*encode)(void *state, PyObject *value, fressian_lane_buffer_t *buffer);

    /* The only value of `size` bytes at `data`, which must not change meanwhile and of which
     * nothing is kept. A new reference, or NULL with an error set (DecodeError with .offset, or
     * what user code raised). Registered readers run Python code. */
    PyObject *(*decode)(void *state, const void *data, size_t size);
} fressian_lane_t;

#endif
