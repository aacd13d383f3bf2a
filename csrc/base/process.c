/* process.c - see process.h. */
#define _GNU_SOURCE
#include "base/process.h"

#include <pthread.h>
#include <time.h>

#include "base/atomics.h"
#include "base/platform.h"

struct tape__process_entry {
    uint64_t device, inode;
    int references;
    tape__side_t side;
    tape__guard_t guard;
    uint32_t in_place; /* a thread of ours holds the guard until its message is made */
    tape__held_name_t *names;
    tape__thefts_place_t thefts;
    tape__companion_t *companion;
    tape__process_entry_t *next;
};

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t registry_once = PTHREAD_ONCE_INIT;
static tape__process_entry_t *registry;
static void *services, *syncer;
uint64_t tape__process_generation_word;

static void before_fork(void) { pthread_mutex_lock(&registry_lock); }
static void after_fork_in_parent(void) { pthread_mutex_unlock(&registry_lock); }

/* The child is one thread; it inherits copies of descriptors whose kernel locks speak for the
 * parent. Closing a copy does not release such a lock as long as the parent has its own. */
static void after_fork_in_child(void)
{
    for (tape__process_entry_t *e = registry; e; e = e->next) {
        tape__close_file(e->side.fd);
        e->side = (tape__side_t){-1, -1, false};
    }
    registry = NULL; /* the parent's entries: old handles may still point to them */
    services = syncer = NULL; /* their threads stayed there */
    (void)BUMP64(generation, &tape__process_generation_word, 1);
    pthread_mutex_unlock(&registry_lock);
}

static void start_registry(void)
{
    tape__atomics_begin();
    tape__guard_begin();
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

tape__process_entry_t *tape__process_acquire(uint64_t device, uint64_t inode)
{
    pthread_once(&registry_once, start_registry);
    pthread_mutex_lock(&registry_lock);
    tape__process_entry_t *e = registry;
    while (e && !(e->device == device && e->inode == inode)) e = e->next;
    if (e) {
        e->references++;
    } else if ((e = tape__alloc(sizeof *e)) != NULL) {
        e->device = device;
        e->inode = inode;
        e->references = 1;
        e->side = (tape__side_t){-1, -1, false};
        e->next = registry;
        registry = e;
    }
    pthread_mutex_unlock(&registry_lock);
    return e;
}

void tape__process_release(tape__process_entry_t *entry)
{
    if (!entry) return;
    pthread_mutex_lock(&registry_lock);
    bool last = --entry->references == 0;
    for (tape__process_entry_t **at = &registry; last && *at; at = &(*at)->next)
        if (*at == entry) {
            *at = entry->next;
            break;
        }
    pthread_mutex_unlock(&registry_lock);
    if (!last) return;
    if (entry->companion) entry->companion->let_go(entry->companion);
    tape__close_file(entry->side.fd);
    if (entry->thefts.mapped) tape__unmap((uint8_t *)entry->thefts.all, sizeof(tape__thefts_t));
    else tape__free(entry->thefts.all);
    tape__free(entry);
}

tape__guard_t *tape__process_guard_of(tape__process_entry_t *entry) { return &entry->guard; }

bool tape__process_guard(tape__process_entry_t *entry, int64_t timeout_ns, bool *contended)
{
    *contended = false;
    if (tape__guard_try(&entry->guard)) return true;
    *contended = true;
    return tape__guard_wait(&entry->guard, timeout_ns);
}

void tape__process_unguard(tape__process_entry_t *entry) { tape__guard_leave(&entry->guard); }

/* order[in_place]: it only decides whether to wait; the guard is what is held. */
void tape__process_set_in_place(tape__process_entry_t *entry, bool held)
{
    PUBLISH32(in_place, &entry->in_place, held);
}

bool tape__process_is_in_place(const tape__process_entry_t *entry)
{
    return OBSERVE32(in_place, &entry->in_place) != 0;
}

void tape__process_lock(void) { pthread_mutex_lock(&registry_lock); }
void tape__process_unlock(void) { pthread_mutex_unlock(&registry_lock); }

tape__side_t *tape__process_side(tape__process_entry_t *entry) { return &entry->side; }

tape__held_name_t **tape__process_names(tape__process_entry_t *entry) { return &entry->names; }

tape__thefts_place_t *tape__process_thefts(tape__process_entry_t *entry) { return &entry->thefts; }

tape__companion_t **tape__process_companion(tape__process_entry_t *entry)
{
    return &entry->companion;
}

void **tape__process_syncer(void) { return &syncer; }

void **tape__process_services(void)
{
    pthread_once(&registry_once, start_registry);
    pthread_mutex_lock(&registry_lock);
    return &services;
}

void tape__process_services_done(void) { pthread_mutex_unlock(&registry_lock); }
