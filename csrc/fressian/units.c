/* units.c - one character or unit at a time, from and to bytes. */

#include "fressian/units.h"

/* The `more` continuation bytes behind a lead byte, or UINT32_MAX. */
static uint32_t continued(const unsigned char **p, const unsigned char *end, uint32_t c, int more)
{
    if (end - *p <= more)
        return UINT32_MAX;
    for (int i = 1; i <= more; i++) {
        if (((*p)[i] & 0xC0) != 0x80)
            return UINT32_MAX;
        c = c << 6 | ((*p)[i] & 0x3Fu);
    }
    *p += more + 1;
    return c;
}

uint32_t tape__units_utf8(const unsigned char **p, const unsigned char *end)
{
    uint32_t lead = **p, c = UINT32_MAX;
    if (lead < 0x80) {
        (*p)++;
        return lead;
    }
    if (lead >= 0xC2 && lead < 0xE0)
        return continued(p, end, lead & 0x1F, 1);
    if (lead >= 0xE0 && lead < 0xF0) {
        c = continued(p, end, lead & 0xF, 2);
        return c < 0x800 || (c >= 0xD800 && c < 0xE000) ? UINT32_MAX : c;
    }
    if (lead >= 0xF0 && lead < 0xF5) {
        c = continued(p, end, lead & 7, 3);
        return c < 0x10000 || c > 0x10FFFF ? UINT32_MAX : c;
    }
    return c;
}

uint32_t tape__units_wire(const unsigned char **p, const unsigned char *end)
{
    uint32_t lead = **p, c;
    if (lead < 0x80) {
        (*p)++;
        return lead;
    }
    if (lead >= 0xC0 && lead < 0xE0) {
        c = continued(p, end, lead & 0x1F, 1);
        return c && c < 0x80 ? UINT32_MAX : c;
    }
    if (lead >= 0xE0 && lead < 0xF0) {
        c = continued(p, end, lead & 0xF, 2);
        return c < 0x800 ? UINT32_MAX : c;
    }
    return UINT32_MAX;
}

size_t tape__units_put(unsigned char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (unsigned char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (unsigned char)(0xC0 | c >> 6);
        out[1] = (unsigned char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (unsigned char)(0xE0 | c >> 12);
        out[1] = (unsigned char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (unsigned char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (unsigned char)(0xF0 | c >> 18);
    out[1] = (unsigned char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (unsigned char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (unsigned char)(0x80 | (c & 0x3F));
    return 4;
}
