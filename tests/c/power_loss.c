/* Description: a power cut. What was synced is on disk, as it was when the sync began; of what was
 * changed since, any pages may be, and so may sizes and names. Copies of the queue are made in such
 * states, at random, between writes and in the middle of syncs. In each, all that was acknowledged
 * with "each" is read, and the queue can be written: at once, or, where the writer is told that the
 * newest file is damaged, when its cycle is over, and in the same cycle after the command that the
 * error names. Three planted bugs are found: a sync left out,
 * one from before the message, and a name that is not synced. Prints counts. */
#include <dirent.h>
#include <pthread.h>
#include <sys/stat.h>

#include "base/platform.h"
#include "helpers.h"

enum { DAY = 86400000, FILES = 64, MESSAGES = 40, PAGE = 4096, SIZE_MAX_ = 9000 };
enum { ROUNDS = 16, PLANTED_ROUNDS = 8, LARGE = 4 }; /* so many times more: TAPE_TEST_SCALE=1 */
typedef enum { SOUND, LEFT_OUT, TOO_EARLY, NAMELESS, PLANTS } plant_t;

extern void (*tape__sync_point_hook)(const char *name);

typedef struct {
    char name[64];
    ino_t inode;
    uint8_t *synced, *early; /* as of the last sync; as it was before the last message */
    size_t size, early_size;
    bool named;
} model_t;

static model_t files[FILES];
static int file_count;
static plant_t plant;
static const char *queue_path, *copy_path, *mended_path;
static int64_t ms;
static struct { int64_t index; uint32_t size; } acknowledged[2 * MESSAGES];
static int acknowledged_count, states, lost, told, refused, mended, syncs;
static bool crash_in_sync;
/* With intervals another thread syncs: guards the model, and the counts. */
static pthread_mutex_t model_lock = PTHREAD_MUTEX_INITIALIZER;
static bool in_intervals;
static int written, written_when_it_began, synced_messages;
static _Thread_local bool looking; /* at a copy, of which nobody keeps a model */

static void crash(void);

static model_t *model_of(ino_t inode)
{
    for (int i = 0; i < file_count; i++)
        if (files[i].inode == inode) return &files[i];
    CHECK(file_count < FILES);
    files[file_count].inode = inode;
    return &files[file_count++];
}

static bool is_of_queue(const char *name) { return strstr(name, ".cq4") != NULL && name[0] != '.'; }

/* Calls for each file of the queue that has a name now. */
static void each_file(void (*call)(model_t *m, const char *path))
{
    DIR *dir = opendir(queue_path);
    CHECK(dir != NULL);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (!is_of_queue(e->d_name)) continue;
        model_t *m = model_of(e->d_ino);
        snprintf(m->name, sizeof m->name, "%.60s", e->d_name);
        call(m, t_path(queue_path, e->d_name));
    }
    closedir(dir);
}

static void name_it(model_t *m, const char *path)
{
    (void)path;
    m->named = true;
}

static void keep_early(model_t *m, const char *path)
{
    free(m->early);
    m->early = t_read_file(path, &m->early_size);
}

static uint8_t *read_descriptor(int fd, size_t size)
{
    uint8_t *bytes = calloc(1, size + 1);
    CHECK(bytes && pread(fd, bytes, size, 0) == (ssize_t)size);
    return bytes;
}

static int sync_model(int fd)
{
    struct stat st, own;
    CHECK(fstat(fd, &st) == 0 && stat(queue_path, &own) == 0);
    if (S_ISDIR(st.st_mode)) {
        if (st.st_ino == own.st_ino && plant != NAMELESS) each_file(name_it);
        return 0;
    }
    syncs++;
    if (crash_in_sync && rand() % 4 == 0) crash();
    if (plant == LEFT_OUT && rand() % 4 == 0) return 0;
    model_t *m = model_of(st.st_ino);
    if (plant == TOO_EARLY && m->early) {
        free(m->synced);
        m->synced = m->early;
        m->size = m->early_size;
        m->early = NULL;
        return 0;
    }
    free(m->synced);
    m->size = (size_t)st.st_size;
    m->synced = read_descriptor(fd, m->size);
    return 0;
}

/* In place of the system's syncs. */
static int shim(int fd)
{
    if (looking) return 0;
    if (in_intervals) pthread_mutex_lock(&model_lock);
    int rc = sync_model(fd);
    if (in_intervals) pthread_mutex_unlock(&model_lock);
    return rc;
}

/* What a sync has ended for that began when it was written. */
static void count_synced(const char *name)
{
    pthread_mutex_lock(&model_lock);
    if (strcmp(name, "sync_begun") == 0) written_when_it_began = written;
    if (strcmp(name, "sync_ended") == 0) synced_messages = written_when_it_began;
    pthread_mutex_unlock(&model_lock);
}

/* ---- what a disk may hold ---- */

static int mode; /* how the pages that were not synced are chosen */

static bool page_is_new(size_t page, size_t chosen)
{
    switch (mode) {
    case 0: return false;
    case 1: return true;
    case 2: return page == chosen;
    case 3: return page != chosen;
    default: return rand() % 2;
    }
}

static void copy_file(model_t *m, const char *path)
{
    size_t size;
    if (!m->named && rand() % 2) return;
    uint8_t *now = t_read_file(path, &size);
    const size_t pages = (size + PAGE - 1) / PAGE;
    size_t differing = 0, chosen = 0;
    for (size_t p = 0; p < pages; p++) {
        const size_t n = size - p * PAGE < PAGE ? size - p * PAGE : PAGE;
        const bool there = m->synced && p * PAGE + n <= m->size;
        if ((!there || memcmp(now + p * PAGE, m->synced + p * PAGE, n) != 0) &&
            rand() % (int)++differing == 0)
            chosen = p;
    }
    for (size_t p = 0; p < pages; p++) {
        const size_t n = size - p * PAGE < PAGE ? size - p * PAGE : PAGE;
        if (page_is_new(p, chosen)) continue;
        memset(now + p * PAGE, 0, n);
        if (m->synced && p * PAGE < m->size)
            memcpy(now + p * PAGE, m->synced + p * PAGE,
                   m->size - p * PAGE < n ? m->size - p * PAGE : n);
    }
    if (rand() % 2) size = m->size; /* the size was not synced either */
    FILE *f = fopen(t_path(copy_path, m->name), "wb");
    CHECK(f && fwrite(now, 1, size, f) == size && fclose(f) == 0);
    free(now);
}

static uint8_t byte_at(int64_t index, uint32_t i) { return (uint8_t)(index * 31 + i * 7 + 1); }

static bool is_whole(const tape_excerpt_t *e, uint32_t size)
{
    bool whole = e->size == size;
    for (uint32_t i = 0; whole && i < size; i++) whole = e->data[i] == byte_at(e->index, i);
    return whole;
}

/* How many of the acknowledged messages a tailer gives, in their order. */
static int count_acknowledged(tape_queue_t *q)
{
    tape_tailer_t *t;
    tape_excerpt_t e;
    int found = 0, rc;
    CHECK_OK(tape_tailer_open(q, NULL, &t));
    for (int64_t last = -1; (rc = tape_tailer_next(t, &e)) == 1; last = e.index) {
        CHECK(e.index > last);
        if (found < acknowledged_count && e.index == acknowledged[found].index &&
            is_whole(&e, acknowledged[found].size))
            found++;
    }
    told += rc < 0;
    CHECK_OK(tape_tailer_close(t));
    return found;
}

static void duplicate(const char *from, const char *to)
{
    DIR *dir = opendir(from);
    CHECK(dir != NULL);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.') continue;
        size_t size;
        uint8_t *bytes = t_read_file(t_path(from, e->d_name), &size);
        int fd = tape__open_file(t_path(to, e->d_name), TAPE__CREATE_NEW);
        CHECK(fd >= 0);
        CHECK_EQ(tape__file_write(fd, 0, bytes, size), 0);
        tape__close_file(fd);
        free(bytes);
    }
    closedir(dir);
}

/* The newest file is damaged, and its time not over: what the error names mends it. */
static void mend_and_write(int found)
{
    int64_t now = ms;
    tape_queue_options_t o = t_options("TEST4_DAILY", &now);
    tape_check_options_t mend = {.struct_size = sizeof mend, .flags = TAPE_IN_PLACE};
    tape_check_report_t report;
    CHECK_OK(tape_repair(mended_path, NULL, &mend, &report));
    CHECK_EQ(report.nothing, 0);
    t_writer_t w = t_open_writer(mended_path, &o);
    CHECK(count_acknowledged(w.queue) >= found);
    const int64_t index = tape_appender_write(w.appender, "new", 3);
    CHECK_OK(index);
    CHECK_EQ(index >> 32, now / DAY);
    CHECK(count_acknowledged(w.queue) >= found);
    CHECK_EQ(tape_queue_last_index(w.queue), index);
    t_close_writer(w);
    mended++;
}

static void check_command(void)
{
    char trail[2048], command[1200];
    tape_error_trail(trail, sizeof trail);
    snprintf(command, sizeof command, "tape repair --in-place '%s'", copy_path);
    CHECK(strstr(trail, command) != NULL);
}

/* The machine is on again, and finds this. */
static void look(void)
{
    int64_t then = ms;
    tape_queue_options_t o = t_options("TEST4_DAILY", &then);
    t_writer_t w;
    states++;
    if (tape_queue_open(copy_path, &o, &w.queue) < 0) {
        lost += acknowledged_count > 0;
        return;
    }
    CHECK_OK(tape_appender_open(w.queue, NULL, &w.appender));
    const int found = count_acknowledged(w.queue);
    lost += found < acknowledged_count;
    int64_t index = tape_appender_write(w.appender, "new", 3);
    if (index == TAPE_ECORRUPT) {
        refused++;
        check_command();
        t_empty(mended_path);
        duplicate(copy_path, mended_path); /* what the refusal left is what stood there */
        then += DAY;
        index = tape_appender_write(w.appender, "new", 3);
        mend_and_write(found);
    }
    CHECK_OK(index);
    CHECK(count_acknowledged(w.queue) >= found);
    CHECK_EQ(tape_queue_last_index(w.queue), index);
    t_close_writer(w);
}

static void crash(void)
{
    if (in_intervals) pthread_mutex_lock(&model_lock);
    t_empty(copy_path);
    mode = rand() % 6;
    each_file(copy_file);
    if (in_intervals) {
        acknowledged_count = synced_messages;
        pthread_mutex_unlock(&model_lock);
    }
    looking = true;
    look();
    looking = false;
}

/* ---- writing ---- */

static void write_one(tape_appender_t *a, bool counts)
{
    static uint8_t data[SIZE_MAX_];
    const uint32_t size = 1 + (uint32_t)rand() % (rand() % 4 ? 300 : SIZE_MAX_ - 1);
    int64_t index = tape_appender_last_index(a);
    if (plant == TOO_EARLY) each_file(keep_early);
    for (int tries = 0;; tries++) { /* the bytes depend on the index */
        for (uint32_t i = 0; i < size; i++) data[i] = byte_at(index, i);
        int64_t rc = tape_appender_write_expect(a, data, size, index < 0 ? 0 : index);
        if (rc >= 0) break;
        tape_error_facts_t facts;
        CHECK_EQ(rc, TAPE_ECONFLICT);
        tape_error_last(&facts);
        index = facts.index;
        CHECK(tries < 5);
    }
    if (!counts) return;
    pthread_mutex_lock(&model_lock);
    acknowledged[written].index = index;
    acknowledged[written++].size = size;
    pthread_mutex_unlock(&model_lock);
    if (!in_intervals) acknowledged_count = written;
}

static t_writer_t begin(tape_queue_options_t o)
{
    t_empty(queue_path);
    for (int i = 0; i < file_count; i++) {
        free(files[i].synced);
        free(files[i].early);
    }
    memset(files, 0, sizeof files);
    file_count = acknowledged_count = written = written_when_it_began = synced_messages = 0;
    ms = 1000 * (int64_t)DAY;
    o.block_size = 65536;
    return t_open_writer(queue_path, &o);
}

static void one_queue(void)
{
    tape_queue_options_t o = t_options("TEST4_DAILY", &ms);
    tape_appender_options_t lazy = {.struct_size = sizeof lazy, .durability = TAPE_DURABILITY_OS};
    tape_appender_t *os;
    o.durability = TAPE_DURABILITY_EACH;
    t_writer_t w = begin(o);
    CHECK_OK(tape_appender_open(w.queue, &lazy, &os));
    for (int n = 0; n < MESSAGES; n++) {
        if (rand() % 12 == 0) ms += DAY;
        const bool counts = rand() % 3 != 0;
        write_one(counts ? w.appender : os, counts);
        if (rand() % 3 == 0) crash();
    }
    CHECK_OK(tape_appender_close(os));
    t_close_writer(w);
}

static bool all_synced(void)
{
    pthread_mutex_lock(&model_lock);
    const bool all = synced_messages == written;
    pthread_mutex_unlock(&model_lock);
    return all;
}

/* A sync may have begun behind the last message before that was counted here: then another one. */
static void wait_for_the_thread(tape_appender_t *a)
{
    for (int i = 1; !all_synced(); i++) {
        tape__sleep_ns(1000000);
        if (i % 500 == 0 && written < 2 * MESSAGES) write_one(a, true);
        CHECK(i < 20000);
    }
}

/* Crashes at any moment, and when the interval is over. */
static void one_queue_in_intervals(void)
{
    tape_queue_options_t o = t_options("TEST4_DAILY", &ms);
    o.durability = TAPE_DURABILITY_INTERVAL;
    o.sync_interval_ns = 2000000;
    in_intervals = true;
    tape__sync_point_hook = count_synced;
    t_writer_t w = begin(o);
    for (int n = 0; n < MESSAGES; n++) {
        if (rand() % 12 == 0) ms += DAY;
        write_one(w.appender, true);
        if (rand() % 6 == 0) {
            wait_for_the_thread(w.appender);
            crash();
        } else if (rand() % 3 == 0) crash();
    }
    t_close_writer(w);
    tape__sync_point_hook = NULL;
    in_intervals = false;
}

static void run(const char *name, void (*one)(void), int rounds)
{
    const char *scale = getenv("TAPE_TEST_SCALE");
    states = lost = told = refused = mended = syncs = 0;
    if (scale && strcmp(scale, "1") == 0) rounds *= LARGE;
    for (int n = 0; n < rounds; n++) one();
    printf("%s: %d states after %d syncs, %d lost something acknowledged; %d readers were told of "
           "damage, %d writers sent to the next cycle, %d written to in the same one, mended\n",
           name, states, syncs, lost, told, refused, mended);
    CHECK_EQ(mended, refused);
    CHECK_EQ(lost > 0, plant != SOUND);
}

int main(int argc, char **argv)
{
    static const char *const names[PLANTS] = {"as it is", "a sync left out", "a sync too early",
                                              "a name not synced"};
    if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 0);
    queue_path = t_directory();
    copy_path = t_directory();
    mended_path = t_directory();
    t_seed(argc, argv);
    tape__disk_shim = shim;
    crash_in_sync = true;
    for (plant = SOUND; plant < PLANTS; plant++)
        run(names[plant], one_queue, plant == SOUND ? ROUNDS : PLANTED_ROUNDS);
    crash_in_sync = false; /* the thread that syncs is not the one that looks */
    plant = SOUND;
    run("in intervals", one_queue_in_intervals, ROUNDS);
    plant = LEFT_OUT;
    run("in intervals, a sync left out", one_queue_in_intervals, PLANTED_ROUNDS);
    return 0;
}
