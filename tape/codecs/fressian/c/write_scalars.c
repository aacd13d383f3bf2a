/* write_scalars.c - integers, floats and byte strings. */

#include "speed.h"

/* -- integers and floats */

SHARED int put_int(enc_t *e, int64_t v)
{
    if (need(e, 9))
        return -1;
    uint8_t *p = e->data + e->size;
    if (v >= -1 && v < 64) {
        p[0] = (uint8_t)v;
        e->size += 1;
    } else if (v >= -4096 && v < 4096) {
        p[0] = (uint8_t)(0x50 + (v >> 8));
        p[1] = (uint8_t)v;
        e->size += 2;
    } else if (v >= -524288 && v < 524288) {
        p[0] = (uint8_t)(0x68 + (v >> 16));
        put_be16(p + 1, (uint16_t)v);
        e->size += 3;
    } else if (v >= -33554432 && v < 33554432) {
        p[0] = (uint8_t)(0x72 + (v >> 24));
        p[1] = (uint8_t)(v >> 16);
        put_be16(p + 2, (uint16_t)v);
        e->size += 4;
    } else if (v >= -INT64_C(8589934592) && v < INT64_C(8589934592)) {
        p[0] = (uint8_t)(0x76 + (v >> 32));
        put_be32(p + 1, (uint32_t)v);
        e->size += 5;
    } else if (v >= -INT64_C(2199023255552) && v < INT64_C(2199023255552)) {
        p[0] = (uint8_t)(0x7A + (v >> 40));
        p[1] = (uint8_t)(v >> 32);
        put_be32(p + 2, (uint32_t)v);
        e->size += 6;
    } else if (v >= -INT64_C(562949953421312) && v < INT64_C(562949953421312)) {
        p[0] = (uint8_t)(0x7E + (v >> 48));
        put_be16(p + 1, (uint16_t)(v >> 32));
        put_be32(p + 3, (uint32_t)v);
        e->size += 7;
    } else {
        p[0] = C_INT;
        put_be64(p + 1, (uint64_t)v);
        e->size += 9;
    }
    return 0;
}

SHARED int put_double(enc_t *e, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, 8);
    if (v == 0.0 && !(bits && e->options->negative_zero))
        return put_byte(e, C_DOUBLE_0);
    if (v == 1.0)
        return put_byte(e, C_DOUBLE_1);
    if (v != v)
        bits = UINT64_C(0x7ff8000000000000);
    if (need(e, 9))
        return -1;
    e->data[e->size] = C_DOUBLE;
    put_be64(e->data + e->size + 1, bits);
    e->size += 9;
    return 0;
}

SHARED int put_float(enc_t *e, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, 4);
    if (v != v)
        bits = 0x7fc00000;
    if (need(e, 5))
        return -1;
    e->data[e->size] = C_FLOAT;
    put_be32(e->data + e->size + 1, bits);
    e->size += 5;
    return 0;
}

/* -- byte strings */

SHARED int put_bytes(enc_t *e, const uint8_t *p, size_t size)
{
    if (size < 8)
        return put_byte(e, C_BYTES_PACKED + (unsigned)size) || put_raw(e, p, size) ? -1 : 0;
    while (size > BYTES_PART_MAX) {
        if (put_byte(e, C_BYTES_CHUNK) || put_int(e, BYTES_PART_MAX) ||
            put_raw(e, p, BYTES_PART_MAX))
            return -1;
        p += BYTES_PART_MAX;
        size -= BYTES_PART_MAX;
    }
    return put_byte(e, C_BYTES) || put_int(e, (int64_t)size) || put_raw(e, p, size) ? -1 : 0;
}

/* A bigint's bytes, from a Python integer of any size. */
SHARED int put_big(enc_t *e, PyObject *n)
{
    int overflow;
    long long v = PyLong_AsLongLongAndOverflow(n, &overflow);
    if (v == -1 && !overflow && PyErr_Occurred())
        return -1;
    if (!overflow) {
        uint8_t raw[8];
        put_be64(raw, (uint64_t)v);
        int skip = 0;
        while (skip < 7 && raw[skip] == (v < 0 ? 0xFF : 0) &&
               (raw[skip + 1] & 0x80) == (v < 0 ? 0x80 : 0))
            skip++;
        return put_bytes(e, raw + skip, 8 - (size_t)skip);
    }
    PyObject *bytes = call_late(LATE(bigint_bytes), n);
    if (!bytes)
        return -1;
    int rc = put_bytes(e, (uint8_t *)PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    Py_DECREF(bytes);
    return rc;
}

SHARED int write_bigint(enc_t *e, PyObject *n)
{
    return put_byte(e, C_BIGINT) || put_big(e, n) ? -1 : 0;
}

SHARED int write_int(enc_t *e, PyObject *value)
{
    int overflow;
    long long v = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow)
        return write_bigint(e, value);
    if (v == -1 && PyErr_Occurred())
        return -1;
    return put_int(e, v);
}
