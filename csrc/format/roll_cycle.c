/* roll_cycle.c - the table of format.md 1.3 and the arithmetic of 1.4 to 1.7 and 7. */
#include "format/roll_cycle.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "format/file_names.h"

#define DAY_MS INT64_C(86400000)

#define ROW(name, pattern, length, count, spacing, shift, max)                                     \
    {name, pattern, length, 0, max, count, spacing, shift, 0}

static const tape_roll_cycle_t table[] = {
    ROW("FIVE_MINUTELY", "yyyyMMdd-HHmm'V'", 300000, 2048, 256, 32, 1073741824),
    ROW("TEN_MINUTELY", "yyyyMMdd-HHmm'X'", 600000, 2048, 256, 32, 1073741824),
    ROW("TWENTY_MINUTELY", "yyyyMMdd-HHmm'XX'", 1200000, 2048, 256, 32, 1073741824),
    ROW("HALF_HOURLY", "yyyyMMdd-HHmm'H'", 1800000, 2048, 256, 32, 1073741824),
    ROW("FAST_HOURLY", "yyyyMMdd-HH'F'", 3600000, 4096, 256, 32, 4294967295),
    ROW("TWO_HOURLY", "yyyyMMdd-HH'II'", 7200000, 4096, 256, 32, 4294967295),
    ROW("FOUR_HOURLY", "yyyyMMdd-HH'IV'", 14400000, 4096, 256, 32, 4294967295),
    ROW("SIX_HOURLY", "yyyyMMdd-HH'VI'", 21600000, 4096, 256, 32, 4294967295),
    ROW("FAST_DAILY", "yyyyMMdd'F'", DAY_MS, 4096, 256, 32, 4294967295),
    {"WEEKLY", "YYYY'W'ww", 604800000, 259200000, 4294967295, 4096, 256, 32, 0},
    ROW("MINUTELY", "yyyyMMdd-HHmm", 60000, 2048, 16, 32, 67108864),
    ROW("HOURLY", "yyyyMMdd-HH", 3600000, 4096, 16, 32, 268435456),
    ROW("DAILY", "yyyyMMdd", DAY_MS, 8192, 64, 32, 4294967295),
    ROW("LARGE_HOURLY", "yyyyMMdd-HH'L'", 3600000, 8192, 64, 32, 4294967295),
    ROW("LARGE_DAILY", "yyyyMMdd'L'", DAY_MS, 32768, 128, 37, 137438953471),
    ROW("XLARGE_DAILY", "yyyyMMdd'X'", DAY_MS, 32768, 256, 38, 274877906943),
    ROW("HUGE_DAILY", "yyyyMMdd'H'", DAY_MS, 32768, 1024, 40, 1099511627775),
    ROW("SMALL_DAILY", "yyyyMMdd'S'", DAY_MS, 8192, 8, 32, 536870912),
    ROW("LARGE_HOURLY_SPARSE", "yyyyMMdd-HH'LS'", 3600000, 4096, 1024, 34, 17179869183),
    ROW("LARGE_HOURLY_XSPARSE", "yyyyMMdd-HH'LX'", 3600000, 2048, 1048576, 42, 4398046511103),
    ROW("HUGE_DAILY_XSPARSE", "yyyyMMdd'HX'", DAY_MS, 16384, 1048576, 48, 281474976710655),
    ROW("TEST_SECONDLY", "yyyyMMdd-HHmmss'T'", 1000, 32768, 4, 32, 4294967295),
    ROW("TEST4_SECONDLY", "yyyyMMdd-HHmmss'T4'", 1000, 32, 4, 32, 4096),
    ROW("TEST_HOURLY", "yyyyMMdd-HH'T'", 3600000, 16, 4, 32, 1024),
    ROW("TEST_DAILY", "yyyyMMdd'T1'", DAY_MS, 8, 1, 32, 64),
    ROW("TEST2_DAILY", "yyyyMMdd'T2'", DAY_MS, 16, 2, 32, 512),
    ROW("TEST4_DAILY", "yyyyMMdd'T4'", DAY_MS, 32, 4, 32, 4096),
    ROW("TEST8_DAILY", "yyyyMMdd'T8'", DAY_MS, 128, 8, 32, 131072),
};
enum { TABLE_ROWS = sizeof table / sizeof *table };
_Static_assert(TABLE_ROWS == 28, "Chronicle Queue 5.26 has 28 built-in roll cycles");

const tape_roll_cycle_t *tape_roll_cycle_at(size_t i) { return i < TABLE_ROWS ? &table[i] : NULL; }

/* "fast-daily", "FAST_DAILY" and "FastDaily" spell one name: letters and digits count. */
static bool same_name(const char *wish, const char *name)
{
    for (;; wish++, name++) {
        while (*wish == '-' || *wish == '_' || *wish == ' ') wish++;
        while (*name == '_') name++;
        if (toupper((unsigned char)*wish) != *name) return false;
        if (*name == 0) return true;
    }
}

const tape_roll_cycle_t *tape_roll_cycle_named(const char *name)
{
    for (size_t i = 0; name && i < TABLE_ROWS; i++)
        if (same_name(name, table[i].name)) return &table[i];
    return NULL;
}

const tape_roll_cycle_t *tape__roll_cycle_by_pattern(const char *pattern, size_t length)
{
    for (size_t i = 0; i < TABLE_ROWS; i++)
        if (strlen(table[i].pattern) == length && memcmp(table[i].pattern, pattern, length) == 0)
            return &table[i];
    return NULL;
}

const tape_roll_cycle_t *tape__roll_cycle_by_file_name(const char *name)
{
    int64_t cycle;
    for (size_t i = 0; i < TABLE_ROWS; i++)
        if (tape__roll_cycle_parse(&table[i], table[i].default_epoch_ms, name, &cycle))
            return &table[i];
    return NULL;
}

int64_t tape__roll_cycle_epoch(const tape_roll_cycle_t *r, int64_t stored_epoch_ms)
{
    return stored_epoch_ms ? stored_epoch_ms : r->default_epoch_ms;
}

int64_t tape__roll_cycle_at_ms(const tape_roll_cycle_t *r, int64_t epoch_ms, int64_t now_ms)
{
    return (now_ms - epoch_ms) / r->length_ms;
}

int64_t tape__roll_cycle_start_ms(const tape_roll_cycle_t *r, int64_t epoch_ms, int64_t cycle)
{
    return cycle * r->length_ms + epoch_ms;
}

/* ---- the proleptic ISO calendar in UTC ---- */

typedef struct {
    int64_t year;
    int month, day, hour, minute, second;
} civil_t;

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

/* Days since 1970-01-01, counted in 400-year eras of 146097 days that begin on 1 March. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = floor_div(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static civil_t civil_from_ms(int64_t ms)
{
    int64_t days = floor_div(ms, DAY_MS);
    int64_t second = (ms - days * DAY_MS) / 1000;
    int64_t shifted = days + 719468;
    int64_t era = floor_div(shifted, 146097);
    int64_t doe = shifted - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    civil_t c;
    c.day = (int)(doy - (153 * mp + 2) / 5 + 1);
    c.month = (int)(mp < 10 ? mp + 3 : mp - 9);
    c.year = yoe + era * 400 + (c.month <= 2);
    c.hour = (int)(second / 3600);
    c.minute = (int)(second / 60 % 60);
    c.second = (int)(second % 60);
    return c;
}

static bool civil_is_valid(const civil_t *c)
{
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (c->month < 1 || c->month > 12 || c->day < 1) return false;
    bool leap = c->year % 4 == 0 && (c->year % 100 != 0 || c->year % 400 == 0);
    int last = month_days[c->month - 1] + (c->month == 2 && leap);
    return c->day <= last && c->hour <= 23 && c->minute <= 59 && c->second <= 59;
}

/* Weeks as a default JVM (US rules) names them: they begin on Sunday, and week 1 is the one with
 * 1 January (format.md 1.8). `days` is the first day of a cycle, a Sunday for the usual epochs. */
static void us_week(int64_t days, int64_t *year, int *week)
{
    int64_t sunday = floor_div(days + 4, 7) * 7 - 4; /* 1970-01-01 was a Thursday */
    civil_t saturday = civil_from_ms((sunday + 6) * DAY_MS);
    *year = saturday.year;
    int64_t new_year = days_from_civil(*year, 1, 1);
    int64_t first_sunday = floor_div(new_year + 4, 7) * 7 - 4;
    *week = (int)((sunday - first_sunday) / 7 + 1);
}

/* ---- names ---- */

static int64_t name_origin_ms(int64_t epoch_ms)
{
    int64_t rest = epoch_ms % DAY_MS; /* C and Java agree: the sign of the epoch */
    return rest >= 0 ? epoch_ms - rest : -DAY_MS;
}

/* Length of the run of one pattern letter. */
static size_t run_length(const char *p)
{
    size_t n = 1;
    while (p[n] == p[0]) n++;
    return n;
}

static int field_value(char letter, const civil_t *c, int64_t week_year, int week)
{
    switch (letter) {
    case 'y': return (int)c->year;
    case 'M': return c->month;
    case 'd': return c->day;
    case 'H': return c->hour;
    case 'm': return c->minute;
    case 's': return c->second;
    case 'Y': return (int)week_year;
    case 'w': return week;
    default: return -1;
    }
}

bool tape__roll_cycle_spell(const tape_roll_cycle_t *r, int64_t epoch_ms, int64_t cycle, char *out,
                            size_t size)
{
    if (cycle < INT32_MIN || cycle > INT32_MAX) return false;
    int64_t instant = cycle * r->length_ms + name_origin_ms(epoch_ms);
    civil_t c = civil_from_ms(instant);
    if (c.year < 0 || c.year > 9999) return false;
    int64_t week_year;
    int week;
    us_week(floor_div(instant, DAY_MS), &week_year, &week);
    size_t used = 0;
    bool literal = false;
    for (const char *p = r->pattern; *p;) {
        char text[16];
        size_t n = 1, length = 1;
        if (*p == '\'') {
            literal = !literal;
            p++;
            continue;
        }
        if (literal || !isalpha((unsigned char)*p)) {
            text[0] = *p;
        } else {
            n = run_length(p);
            length = (size_t)snprintf(text, sizeof text, "%0*d", (int)n,
                                      field_value(*p, &c, week_year, week));
        }
        if (used + length + sizeof TAPE__CYCLE_SUFFIX > size) return false;
        memcpy(out + used, text, length);
        used += length;
        p += n;
    }
    memcpy(out + used, TAPE__CYCLE_SUFFIX, sizeof TAPE__CYCLE_SUFFIX);
    return true;
}

/* Parses fixed-width digits and literals of the pattern; fills what is there. */
static bool parse_pattern(const char *pattern, const char *name, civil_t *c, int64_t *week_year,
                          int *week)
{
    bool literal = false;
    for (const char *p = pattern; *p;) {
        if (*p == '\'') {
            literal = !literal;
            p++;
            continue;
        }
        if (literal || !isalpha((unsigned char)*p)) {
            if (*name++ != *p++) return false;
            continue;
        }
        size_t n = run_length(p);
        int value = 0;
        for (size_t i = 0; i < n; i++) {
            if (!isdigit((unsigned char)name[i])) return false;
            value = value * 10 + (name[i] - '0');
        }
        switch (*p) {
        case 'y': c->year = value; break;
        case 'M': c->month = value; break;
        case 'd': c->day = value; break;
        case 'H': c->hour = value; break;
        case 'm': c->minute = value; break;
        case 's': c->second = value; break;
        case 'Y': *week_year = value; break;
        case 'w': *week = value; break;
        default: return false;
        }
        name += n;
        p += n;
    }
    return strcmp(name, TAPE__CYCLE_SUFFIX) == 0;
}

bool tape__roll_cycle_suffix(const char *name)
{
    const size_t length = strlen(name), suffix = sizeof TAPE__CYCLE_SUFFIX - 1;
    return length > suffix && strcmp(name + length - suffix, TAPE__CYCLE_SUFFIX) == 0;
}

bool tape__roll_cycle_parse(const tape_roll_cycle_t *r, int64_t epoch_ms, const char *name,
                            int64_t *cycle)
{
    civil_t c = {.year = 1970, .month = 1, .day = 1};
    int64_t week_year = 0;
    int week = 0;
    if (!parse_pattern(r->pattern, name, &c, &week_year, &week)) return false;
    int64_t day;
    if (week > 0) {
        int64_t new_year = days_from_civil(week_year, 1, 1);
        /* Thursday, so that a cycle that does not begin on a Sunday is still in its own week. */
        day = floor_div(new_year + 4, 7) * 7 - 4 + (week - 1) * 7;
    } else {
        if (!civil_is_valid(&c)) return false;
        day = days_from_civil(c.year, c.month, c.day);
    }
    int64_t second = day * 86400 + c.hour * 3600 + c.minute * 60 + c.second;
    int64_t origin = name_origin_ms(epoch_ms) / 1000, length = r->length_ms / 1000;
    int64_t found = floor_div(second - origin, length);
    /* the week in which the cycle begins */
    if (week > 0 && (second - origin) % length != 0) found++;
    char again[TAPE__NAME_MAX];
    /* Java would parse some names to a cycle whose name is another; such a file is not ours. */
    if (!tape__roll_cycle_spell(r, epoch_ms, found, again, sizeof again)) return false;
    if (strcmp(again, name) != 0) return false;
    *cycle = found;
    return true;
}
