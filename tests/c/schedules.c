/* schedules.c - see schedules.h. */
#include "schedules.h"

#include "check.h"

void t_schedule_begin(t_schedule_t *s) { s->depth = 0; }

int t_schedule_choose(t_schedule_t *s, int ways)
{
    CHECK(s->depth < T_DEPTH_MAX);
    const int n = s->depth++;
    if (n >= s->known) s->choices[n] = 0;
    else if (s->choices[n] >= ways) return -1;
    s->ways[n] = ways;
    return s->choices[n];
}

bool t_schedule_next(t_schedule_t *s)
{
    s->known = s->depth;
    while (s->known > 0 && s->choices[s->known - 1] + 1 >= s->ways[s->known - 1]) s->known--;
    if (s->known == 0) return false;
    s->choices[s->known - 1]++;
    return true;
}
