/* queue_open.c - opening and creating a queue: what stands at the path, and what is wished. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/atomics.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/platform.h"
#include "queue/queue.h"

enum { PATH_MAX_LENGTH = 900 }; /* leaves room for file names */
#define BLOCK_DEFAULT (INT64_C(64) << 20)
#define BLOCK_MAX (INT64_C(1) << 40)
#define LOCK_TIMEOUT_DEFAULT INT64_C(10000000000)
#define STALE_AFTER_DEFAULT INT64_C(2000000000)

/* ---- what stands at the path ---- */

/* Parents first, like mkdir -p. */
static int make_directories(const char *path)
{
    char part[1024];
    snprintf(part, sizeof part, "%s", path);
    for (char *p = part + 1;; p++) {
        if (*p != '/' && *p != 0) continue;
        char end = *p;
        *p = 0;
        int rc = tape__mkdir(part);
        if (rc < 0 && rc != -EEXIST) {
            tape__stat_t st; /* a parent may exist where we must not create */
            if (tape__stat_path(part, &st) < 0 || !st.is_directory)
                return tape__fail_errno(-rc, part, "creating the directory");
        }
        if (end == 0) return TAPE_OK;
        *p = end;
    }
}

typedef struct {
    bool table, listing_4, any_cycle_file;
    const tape_roll_cycle_t *of_names;
    char cycle_file[TAPE__NAME_MAX]; /* one that of_names is of */
} contents_t;

static int look_at_name(void *user, const char *name)
{
    contents_t *c = user;
    size_t length = strlen(name);
    if (strcmp(name, TAPE__TABLE_NAME) == 0) c->table = true; /* made since we looked for it */
    if (strcmp(name, "directory-listing.cq4t") == 0) c->listing_4 = true;
    if (length > 4 && strcmp(name + length - 4, ".cq4") == 0) {
        c->any_cycle_file = true;
        if (c->of_names) return 0;
        c->of_names = tape__roll_cycle_of_file(name);
        if (c->of_names) snprintf(c->cycle_file, sizeof c->cycle_file, "%s", name);
    }
    return 0;
}

/* A queue of Chronicle Queue 4 whose directory-listing.cq4t is gone looks like one that lost its
 * table store; making one would mix the two. Other faults of the file are its readers' business. */
static int check_not_version_4(const char *path, const contents_t *c)
{
    char file[1024];
    tape__cycle_store_t store;
    snprintf(file, sizeof file, "%s/%s", path, c->cycle_file);
    int rc = tape__cycle_store_open(&store, file, 0, false);
    if (rc == TAPE_OK) tape__cycle_store_close(&store);
    return rc == TAPE_EUNSUPPORTED ? rc : TAPE_OK;
}

/* What is in the directory; TAPE_ENOTFOUND when there is none. */
static int look_at_directory(const char *path, contents_t *c)
{
    tape__stat_t st;
    memset(c, 0, sizeof *c);
    int rc = tape__stat_path(path, &st);
    if (rc < 0) return tape__fail_errno(-rc, path, "opening the queue");
    if (!st.is_directory)
        return tape__fail(TAPE_EUNSUPPORTED, path, -1, "%s is not a directory", path);
    /* With a table store nothing else counts, and a directory may be long. */
    char table[1024];
    snprintf(table, sizeof table, "%s/%s", path, TAPE__TABLE_NAME);
    c->table = tape__stat_path(table, &st) == 0;
    if (c->table) return TAPE_OK;
    rc = tape__list_directory(path, look_at_name, c);
    if (rc < 0) return tape__fail_errno(-rc, path, "listing the directory");
    if (c->table) return TAPE_OK;
    if (c->listing_4)
        return tape__fail(TAPE_EUNSUPPORTED, path, -1,
                          "%s is a queue of Chronicle Queue 4 (it has directory-listing.cq4t)",
                          path);
    if (c->any_cycle_file && !c->of_names)
        return tape__fail(TAPE_EUNSUPPORTED, path, -1,
                          "%s holds .cq4 files whose names fit none of the 28 roll cycles", path);
    return c->of_names ? check_not_version_4(path, c) : TAPE_OK;
}

/* ---- opening ---- */

static int check_options(const char *path, const tape_queue_options_t *given,
                         tape_queue_options_t *o, const tape_roll_cycle_t **wish)
{
    memset(o, 0, sizeof *o);
    if (given) {
        if (given->struct_size < sizeof(uint32_t) * 2 || given->struct_size > 4096)
            return tape__fail(TAPE_EINVAL, path, -1, "struct_size of the options is not set");
        memcpy(o, given, tape__min_u64(given->struct_size, sizeof *o));
    }
    *wish = NULL;
    if (!path || !*path) return tape__fail(TAPE_EINVAL, path, -1, "the path is empty");
    if (o->roll_cycle && !(*wish = tape_roll_cycle_named(o->roll_cycle)))
        return tape__fail(TAPE_EINVAL, path, -1, "\"%s\" is no roll cycle; there are 28, from "
                          "FIVE_MINUTELY to TEST8_DAILY", o->roll_cycle);
    if (o->block_size < 0 || o->block_size > BLOCK_MAX)
        return tape__fail(TAPE_EINVAL, path, -1, "block_size is out of range (1 to 2^40 bytes)");
    if (o->epoch_ms < -TAPE__EPOCH_MAX || o->epoch_ms > TAPE__EPOCH_MAX)
        return tape__fail(TAPE_EINVAL, path, -1, "an epoch of more than 10000 years");
    if (o->source_id < 0) return tape__fail(TAPE_EINVAL, path, -1, "source_id is negative");
    if (o->lock_timeout_ns < -1 || o->stale_after_ns < 0)
        return tape__fail(TAPE_EINVAL, path, -1, "a negative time");
    return TAPE_OK;
}

/* Creates what is missing; afterwards there is a table store, unless read-only. */
static int create(tape_queue_t *q, const tape_queue_options_t *o, const tape_roll_cycle_t *wish,
                  const contents_t *c)
{
    tape__settings_t s = {.roll_cycle = wish ? wish : tape_roll_cycle_named("FAST_DAILY"),
                          .epoch_ms = o->epoch_ms,
                          .source_id = o->source_id};
    int64_t lowest = 0, highest = -1;
    if (c->of_names) { /* the table store was lost: the names tell the cycle */
        s.roll_cycle = c->of_names;
        tape__listing_t l = {.directory = q->path, .roll_cycle = s.roll_cycle,
                             .epoch_ms = tape__effective_epoch(s.roll_cycle, s.epoch_ms)};
        int rc = tape__listing_scan(&l, &lowest, &highest);
        if (rc != TAPE_OK) return rc;
    }
    return tape__table_store_create(q->path, &s, lowest, highest);
}

static int open_files(tape_queue_t *q, const tape_queue_options_t *o, const tape_roll_cycle_t *wish)
{
    contents_t c;
    bool may_create = !(o->flags & TAPE_OPEN_EXISTING) && !q->read_only;
    int rc = look_at_directory(q->path, &c);
    if (rc == TAPE_ENOTFOUND && may_create) {
        rc = make_directories(q->path);
        if (rc == TAPE_OK) rc = look_at_directory(q->path, &c);
    }
    if (rc != TAPE_OK) return rc;
    const char *filesystem = tape__unshared_filesystem(q->path);
    if (filesystem && !(o->flags & TAPE_UNSAFE_FILESYSTEM))
        return tape__fail(TAPE_EFILESYSTEM, q->path, -1, "%s is on %s", q->path, filesystem);
    if (!q->read_only) {
        rc = tape__can_write(q->path);
        if (rc < 0) {
            rc = tape__fail_errno(-rc, q->path, "opening the queue for writing");
            return rc == TAPE_EACCES && c.table
                       ? tape__fail(TAPE_EREADONLY, q->path, -1,
                                    "%s: this user may only read the queue", q->path)
                       : rc;
        }
    }
    if (!c.table && !may_create) {
        if (!c.of_names)
            return tape__fail(TAPE_ENOTFOUND, q->path, -1, "%s is a directory without a queue",
                              q->path);
        if (!q->read_only) return create(q, o, wish, &c); /* a queue that lost its table store */
        q->settings.roll_cycle = c.of_names;
        return TAPE_OK;
    }
    if (!c.table) rc = create(q, o, wish, &c);
    if (rc == TAPE_OK) rc = tape__table_store_open(&q->table, q->path, !q->read_only);
    q->has_table = rc == TAPE_OK;
    if (rc == TAPE_OK) q->settings = q->table.settings;
    return rc;
}

static int compare_settings(tape_queue_t *q, const tape_queue_options_t *o,
                            const tape_roll_cycle_t *wish)
{
    const tape__settings_t *s = &q->settings;
    if (wish && wish != s->roll_cycle) q->mismatch |= TAPE_MISMATCH_ROLL_CYCLE;
    if ((o->epoch_ms || (o->flags & TAPE_EPOCH_GIVEN)) && o->epoch_ms != s->epoch_ms)
        q->mismatch |= TAPE_MISMATCH_EPOCH;
    if ((o->source_id || (o->flags & TAPE_SOURCE_ID_GIVEN)) && o->source_id != s->source_id)
        q->mismatch |= TAPE_MISMATCH_SOURCE_ID;
    if (q->mismatch == 0 || !(o->flags & TAPE_STRICT)) return TAPE_OK;
    return tape__fail(TAPE_EMISMATCH, q->path, -1,
                      "%s has roll cycle %s, epoch %" PRId64 " ms and source id %d", q->path,
                      s->roll_cycle->name, s->epoch_ms, s->source_id);
}

/* Finds the words in the table store that the floors work on. */
static int bind_words(tape_queue_t *q, const tape_queue_options_t *o)
{
    tape__listing_t *l = &q->listing;
    l->directory = q->path;
    l->roll_cycle = q->settings.roll_cycle;
    l->epoch_ms = tape__effective_epoch(q->settings.roll_cycle, q->settings.epoch_ms);
    if (!q->has_table) return TAPE_OK;
    tape__table_store_t *t = &q->table;
    l->lowest = tape__table_store_cell(t, "listing.lowestCycle");
    l->highest = tape__table_store_cell(t, "listing.highestCycle");
    l->mod_count = tape__table_store_cell(t, "listing.modCount");
    if (q->read_only) {
        q->lock.word = tape__table_store_cell(t, "chronicle.write.lock");
        return TAPE_OK;
    }
    if (!l->highest)
        l->highest = tape__table_store_make_cell(t, "listing.highestCycle", TAPE__MIN64);
    if (!l->lowest) l->lowest = tape__table_store_make_cell(t, "listing.lowestCycle", INT32_MAX);
    if (!l->mod_count) l->mod_count = tape__table_store_make_cell(t, "listing.modCount", 0);
    q->append_lock = tape__table_store_make_cell(t, "chronicle.append.lock", TAPE__MIN64);
    uint64_t *word = tape__table_store_make_cell(t, "chronicle.write.lock", TAPE__MIN64);
    if (!l->highest || !l->lowest || !l->mod_count || !word || !q->append_lock)
        return tape__error_code();
    l->may_repair = true;
    tape__stat_t st;
    int rc = tape__stat_fd(t->file.fd, &st);
    if (rc < 0) return tape__fail_errno(-rc, t->file.path, "asking for the inode");
    q->entry = tape__process_acquire(st.device, st.inode);
    if (!q->entry) return tape__fail(TAPE_ENOMEM, q->path, -1, "out of memory");
    q->lock = (tape__write_lock_t){
        .word = word,
        .pulse = l->mod_count,
        .entry = q->entry,
        .own = (uint64_t)tape__pid(),
        .table_inode = st.inode,
        .directory = q->path,
        .timeout_ns = o->lock_timeout_ns ? o->lock_timeout_ns : LOCK_TIMEOUT_DEFAULT,
        .stale_after_ns = (o->flags & TAPE_NEVER_BREAK) ? -1
                          : o->stale_after_ns           ? o->stale_after_ns
                                                        : STALE_AFTER_DEFAULT,
    };
    return TAPE_OK;
}

static int64_t block_size_of(const tape_queue_options_t *o, const tape_roll_cycle_t *r)
{
    int64_t least = 32 * (int64_t)r->index_count;
    if (least < 64 << 10) least = 64 << 10;
    int64_t block = o->block_size > 0 ? o->block_size : BLOCK_DEFAULT;
    block = (int64_t)tape__align_up((uint64_t)block, 4096);
    return block < least ? least : block;
}

/* Absolute, since the process may change its directory; links stay as they are. */
static int set_path(tape_queue_t *q, const char *path)
{
    char here[sizeof q->path] = "";
    int failed = path[0] == '/' ? 0 : tape__current_directory(here, sizeof here);
    if (failed < 0 && failed != -ERANGE)
        return tape__fail_errno(-failed, path, "asking for the current directory");
    int length = snprintf(q->path, PATH_MAX_LENGTH + 1, "%s%s%s", here, *here ? "/" : "", path);
    if (failed < 0 || length > PATH_MAX_LENGTH)
        return tape__fail(TAPE_EINVAL, path, -1, "the path is too long");
    for (size_t n = (size_t)length; n > 1 && q->path[n - 1] == '/'; n--) q->path[n - 1] = 0;
    return TAPE_OK;
}

int tape_queue_open(const char *path, const tape_queue_options_t *options, tape_queue_t **out)
{
    tape_queue_options_t o;
    const tape_roll_cycle_t *wish = NULL;
    if (!out) return tape__fail(TAPE_EINVAL, path, -1, "no place for the handle");
    *out = NULL;
    int rc = check_options(path, options, &o, &wish);
    if (rc != TAPE_OK) return rc;
    tape_queue_t *q = tape__alloc(sizeof *q);
    if (!q) return tape__fail(TAPE_ENOMEM, path, -1, "out of memory");
    q->generation = tape__process_generation();
    q->read_only = (o.flags & TAPE_READ_ONLY) != 0;
    q->clock = o.clock;
    q->clock_user = o.clock_user;
    q->writer.sealed_below = TAPE__NO_CYCLE;
    pthread_mutex_init(&q->children_lock, NULL);
    rc = set_path(q, path);
    if (rc == TAPE_OK) rc = open_files(q, &o, wish);
    /* Between our look and now another process may have created it. */
    if (rc == TAPE_OK && !q->has_table && !q->read_only) {
        rc = tape__table_store_open(&q->table, q->path, true);
        q->has_table = rc == TAPE_OK;
        if (rc == TAPE_OK) q->settings = q->table.settings;
    }
    if (rc == TAPE_OK) rc = compare_settings(q, &o, wish);
    if (rc == TAPE_OK) q->block_size = block_size_of(&o, q->settings.roll_cycle);
    if (rc == TAPE_OK) rc = bind_words(q, &o);
    if (rc == TAPE_OK) tape__listing_begin(&q->listing);
    if (rc != TAPE_OK) {
        tape__queue_destroy(q);
        return rc;
    }
    *out = q;
    return TAPE_OK;
}
