/* site.c - calls on a queue, its children, and its clock; see site.h. */
#include "file/site.h"

#include "base/atomics.h"
#include "base/error.h"
#include "base/platform.h"

#define CLOCK_MAX_MS (INT64_C(1) << 62) /* an epoch can be added and taken away */
enum { SHUT_TRIES = 20000 }; /* of 0.1 ms: reads are short, so who is inside is out soon */

void tape__site_begin(tape__site_t *site, void (*destroy)(tape__site_t *site))
{
    site->generation = tape__process_generation();
    site->destroy = destroy;
    pthread_mutex_init(&site->children_lock, NULL);
    pthread_mutex_init(&site->wait_lock, NULL);
    tape__shelf_begin(&site->shelf, &site->listing);
}

void tape__site_close(tape__site_t *site)
{
    if (site->bell) site->bell->let_go(site->bell);
    site->bell = NULL;
    tape__notice_close(&site->notice);
    if (site->has_table) tape__table_store_close(&site->table);
    site->has_table = false;
}

void tape__site_end(tape__site_t *site)
{
    tape__site_close(site);
    tape__process_release(site->entry);
    tape__shelf_end(&site->shelf);
    pthread_mutex_destroy(&site->children_lock);
    pthread_mutex_destroy(&site->wait_lock);
}

/* ---- calls on the queue while another thread shuts it down ---- */

int tape__site_check(const tape__site_t *site)
{
    if (site->generation != tape__process_generation())
        return tape__fail(TAPE_EFORKED, site->path, -1, "%s was opened before fork()", site->path);
    if (OBSERVE32(closed, &site->closed))
        return tape__fail(TAPE_ECLOSED, site->path, -1, "the queue %s was closed", site->path);
    return TAPE_OK;
}

static void add_user(tape__site_t *site, int n)
{
    for (;;) {
        uint32_t seen = PEEK32(users, &site->users);
        if (CLAIM32(users, &site->users, seen, seen + (uint32_t)n)) return;
    }
}

int tape__site_enter(tape__site_t *site)
{
    /* order[users]: first counted, then looked at `closed`; tape__site_shut() does it the other way
     * round, so one of the two sees the other. */
    add_user(site, 1);
    int rc = tape__site_check(site);
    if (rc != TAPE_OK) add_user(site, -1);
    return rc;
}

void tape__site_leave(tape__site_t *site) { add_user(site, -1); }

/* ---- children and closing ---- */

/* A lock that a thread of the parent held at fork() is never given back in the child; there,
 * handles are only one thread's. True when it was taken. */
static bool lock_children(tape__site_t *site)
{
    if (site->generation != tape__process_generation()) return false;
    pthread_mutex_lock(&site->children_lock);
    return true;
}

static void unlock_children(tape__site_t *site, bool locked)
{
    if (locked) pthread_mutex_unlock(&site->children_lock);
}

void tape__site_add_child(tape__site_t *site, tape__child_t *child)
{
    pthread_mutex_lock(&site->children_lock);
    site->children_count++;
    child->next = site->children;
    site->children = child;
    pthread_mutex_unlock(&site->children_lock);
}

void tape__site_remove_child(tape__site_t *site, tape__child_t *child)
{
    bool locked = lock_children(site);
    for (tape__child_t **at = &site->children; *at; at = &(*at)->next)
        if (*at == child) {
            *at = child->next;
            break;
        }
    bool last = --site->children_count == 0 && site->released;
    unlock_children(site, locked);
    if (last) site->destroy(site);
}

int tape__site_children(tape__site_t *site)
{
    bool locked = lock_children(site);
    int count = site->children_count;
    unlock_children(site, locked);
    return count;
}

void tape__site_let_go(tape__site_t *site)
{
    pthread_mutex_lock(&site->children_lock);
    for (tape__child_t *c = site->children; c; c = c->next)
        if (c->let_go) c->let_go(c);
    pthread_mutex_unlock(&site->children_lock);
}

void tape__site_release(tape__site_t *site)
{
    bool locked = lock_children(site);
    site->released = true;
    bool last = site->children_count == 0;
    unlock_children(site, locked);
    if (last) site->destroy(site);
}

static int shut_children(tape__site_t *site)
{
    int rc = TAPE_OK;
    pthread_mutex_lock(&site->children_lock);
    for (tape__child_t *c = site->children; c; c = c->next) {
        int tries = 0;
        while (c->shut && (rc = c->shut(c)) == TAPE_EBUSY && tries++ < SHUT_TRIES)
            tape__sleep_ns(100000);
        if (rc != TAPE_OK) break;
    }
    pthread_mutex_unlock(&site->children_lock);
    return rc;
}

bool tape__site_shut(tape__site_t *site, int *code)
{
    *code = TAPE_OK;
    if (site->generation != tape__process_generation()) return false;
    if (!CLAIM32(closed, &site->closed, 0, 1)) return false;
    tape__site_stir(site); /* those who sleep look at `closed` when they wake */
    *code = shut_children(site);
    /* order[users]: see tape__site_enter(). */
    while (OBSERVE32(users, &site->users) != 0) tape__sleep_ns(100000);
    return true;
}

/* ---- waiting ---- */

tape__notice_t *tape__site_notice(tape__site_t *site)
{
    pthread_mutex_lock(&site->wait_lock);
    tape__notice_open(&site->notice, site->path, !site->read_only);
    pthread_mutex_unlock(&site->wait_lock);
    return &site->notice;
}

void tape__site_stir(tape__site_t *site)
{
    pthread_mutex_lock(&site->wait_lock);
    if (site->notice.word) tape__notice_stir(&site->notice);
    pthread_mutex_unlock(&site->wait_lock);
}

/* ---- the clock ---- */

/* All writers of a queue must read the same clock: the real-time one, unless a test gives
 * another. */
int64_t tape__site_clock_ms(const tape__site_t *site)
{
    int64_t now = site->clock ? site->clock(site->clock_user) : tape__now_ms();
    return now > CLOCK_MAX_MS ? -1 : now;
}
