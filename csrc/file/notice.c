/* notice.c - see notice.h. */
#include "file/notice.h"

#include "base/platform.h"
#include "base/platform_wait.h"
#include "base/sync_point.h"
#include "file/side_file.h"

void tape__notice_open(tape__notice_t *n, const char *directory, bool shared)
{
    if (n->word) return;
    n->page = NULL;
    uint32_t *word = shared ? tape__side_file_map_notice(directory, &n->page) : NULL;
    n->word = word ? word : &n->own;
}

void tape__notice_close(tape__notice_t *n)
{
    if (n->page) tape__unmap(n->page, TAPE__NOTICE_PAGE);
    n->page = NULL;
    n->word = NULL;
}

uint32_t tape__notice_arm(tape__notice_t *n)
{
    uint32_t seen = LOOK32(notice, n->word);
    while (!(seen & TAPE__NOTICE_ARMED) &&
           !CLAIM32(notice, n->word, seen, seen | TAPE__NOTICE_ARMED))
        seen = LOOK32(notice, n->word);
    FENCE(notice); /* order[notice]: armed before the look that follows */
    return seen | TAPE__NOTICE_ARMED;
}

void tape__notice_wake(tape__notice_t *n)
{
    for (;;) {
        uint32_t seen = LOOK32(notice, n->word);
        SYNC_POINT(notice_seen);
        if (!(seen & TAPE__NOTICE_ARMED)) return; /* another writer did it */
        if (CLAIM32(notice, n->word, seen, (seen + TAPE__NOTICE_RING) & ~UINT32_C(1))) break;
    }
    SYNC_POINT(notice_counted);
    tape__futex_wake_all(n->word);
    SYNC_POINT(notice_rung);
}

void tape__notice_stir(tape__notice_t *n)
{
    uint32_t seen;
    do {
        seen = LOOK32(notice, n->word);
    } while (!CLAIM32(notice, n->word, seen, (seen + TAPE__NOTICE_RING) & ~UINT32_C(1)));
    tape__futex_wake_all(n->word);
}
