/* roll_guess.c - see roll_guess.h. */
#include "file/roll_guess.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/platform.h"
#include "format/file_names.h"

enum { ROLL_CYCLES_MAX = 64 }; /* there are fewer */

/* Roll cycles that names can be of, with how many files have such names and hold anything. */
typedef struct {
    const char *path;
    int count;
    struct {
        const tape_roll_cycle_t *roll_cycle;
        int64_t files;
        char name[TAPE__NAME_MAX]; /* of one of them; else any such name */
    } kinds[ROLL_CYCLES_MAX];
} guesses_t;

static int count_name(void *user, const char *name)
{
    guesses_t *g = user;
    char path[TAPE__PATH_SIZE];
    tape__stat_t st;
    int n = 0;
    const tape_roll_cycle_t *r =
        tape__roll_cycle_suffix(name) ? tape__roll_cycle_by_file_name(name) : NULL;
    if (!r) return 0;
    while (n < g->count && g->kinds[n].roll_cycle != r) n++;
    if (n == ROLL_CYCLES_MAX) return 0;
    if (n == g->count) {
        g->kinds[g->count++].roll_cycle = r;
        snprintf(g->kinds[n].name, sizeof g->kinds[n].name, "%s", name);
    }
    snprintf(path, sizeof path, "%.900s/%.255s", g->path, name);
    if (tape__stat_path(path, &st) != 0 || !st.is_regular || st.size == 0) return 0;
    if (g->kinds[n].files++ == 0) snprintf(g->kinds[n].name, sizeof g->kinds[n].name, "%s", name);
    return 0;
}

/* Of as many, the shorter one. */
int tape__roll_guess(const char *path, const tape_roll_cycle_t **roll_cycle, char *name,
                     size_t size)
{
    guesses_t g = {.path = path};
    int best = 0;
    *roll_cycle = NULL;
    int rc = tape__list_directory(path, count_name, &g);
    if (rc < 0) return tape__fail_errno(-rc, path, "listing the directory");
    if (g.count == 0) return TAPE_OK;
    for (int n = 1; n < g.count; n++)
        if (g.kinds[n].files > g.kinds[best].files ||
            (g.kinds[n].files == g.kinds[best].files &&
             g.kinds[n].roll_cycle->length_ms < g.kinds[best].roll_cycle->length_ms))
            best = n;
    *roll_cycle = g.kinds[best].roll_cycle;
    if (name) snprintf(name, size, "%s", g.kinds[best].name);
    return TAPE_OK;
}
