/* units.h - texts as UTF-8 in memory and as UTF-16 units on the wire, each encoded by itself. */
#ifndef TAPE_FRESSIAN_UNITS_H
#define TAPE_FRESSIAN_UNITS_H

#include <stddef.h>
#include <stdint.h>

/* The character at *p, which moves behind it; UINT32_MAX when no UTF-8 stands there. */
uint32_t tape__units_utf8(const unsigned char **p, const unsigned char *end);

/* The unit at *p, which moves behind it; UINT32_MAX when no unit stands there. Java's two bytes for
 * NUL are taken; other overlong forms are not. */
uint32_t tape__units_wire(const unsigned char **p, const unsigned char *end);

/* Writes one unit, or a character up to U+10FFFF, in up to 4 bytes; returns their number. */
size_t tape__units_put(unsigned char *out, uint32_t c);

#endif
