/* scenes.c - see scenes.h. */
#include "scenes.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "file/cycle_chain.h"
#include "file/excerpt_index.h"
#include "format/file_names.h"
#include "queue_check.h"

#define DAY INT64_C(86400000)
#define BEGIN_MS (1000 * DAY)
enum { BODY_MAX = 62000, MANY = 3, FILE_SIZE = 192 << 10 };

const t_scene_t t_scenes[] = {
    {"create", "TEST4_DAILY", 0, T_NOTHING, true, "|ow", false},
    {"append", "FAST_DAILY", 1, T_NOTHING, false, "ow|w", false},
    {"index page", "TEST_DAILY", 7, T_NOTHING, false, "ow|w", false},
    {"many", "TEST_DAILY", 1, T_NOTHING, false, "ow|m", false},
    {"in place", "FAST_DAILY", 1, T_NOTHING, false, "ow|p", false},
    {"enlarge", "TEST4_DAILY", 3, T_FULL, false, "o|w", true},
    {"roll", "TEST4_DAILY", 2, T_NOTHING, true, "ow|dw", false},
    {"open and roll", "TEST4_DAILY", 5, T_NEXT_DAY, true, "|ow", true},
    {"unclean room", "FAST_DAILY", 1, T_DIRT, false, "o|w", true},
    {"a reservation", "TEST_DAILY", 3, T_RESERVATION, false, "o|w", false},
    {"a word without length", "TEST_DAILY", 3, T_NO_LENGTH, false, "o|w", true},
    {"a pair behind", "TEST4_DAILY", 3, T_PAIR_BEHIND, false, "o|w", true},
    {"an entry missing", "TEST_DAILY", 9, T_NO_ENTRY, false, "o|w", true},
    {"half made", "TEST4_DAILY", 2, T_HALF_MADE, true, "o|w", true},
    {"half made before", "TEST4_DAILY", 2, T_HALF_MADE_OLDER, true, "o|w", true},
    {"a reservation before", "TEST_DAILY", 3, T_OLDER_RESERVED, true, "o|w", true},
    {"an empty table store", "TEST4_DAILY", 2, T_TABLE_EMPTY, true, "|ow", true},
    {"temporary files", "TEST4_DAILY", 2, T_TEMPORARY, true, "o|dw", true},
    {"repair", "TEST_DAILY", 4, T_DAMAGED, true, "|r", true},
    {"repair of a lost file", "TEST_DAILY", 4, T_GARBAGE, true, "|r", true},
};
const int t_scene_count = sizeof t_scenes / sizeof *t_scenes;

t_shared_t *t_shared;

void t_scenes_set_up(void)
{
    t_shared =
        mmap(NULL, sizeof *t_shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(t_shared != MAP_FAILED);
}

void t_scenes_run(void (*run)(void))
{
    memset(t_shared, 0, sizeof *t_shared);
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        run();
        _exit(0);
    }
    if (t_wait(child) != 0) CHECK_FAILED("at %s", t_shared->where);
}

/* ---- messages ---- */

static size_t size_of(int number) { return number < 0 ? 12 : 20 + 7 * (size_t)(number % 40); }

static void body_of(int number, size_t size, uint8_t *body)
{
    memset(body, 'a' + (number + 2) % 26, size);
    memcpy(body, &number, sizeof number);
}

static int64_t write_sized(tape_appender_t *a, int number, size_t size)
{
    static uint8_t body[BODY_MAX];
    body_of(number, size, body);
    return tape_appender_write(a, body, size);
}

static void write_number(tape_appender_t *a, int number)
{
    CHECK_OK(write_sized(a, number, size_of(number)));
}

/* ---- what is found ---- */

static tape_queue_options_t options(const t_scene_t *s)
{
    tape_queue_options_t o = t_options(s->roll_cycle, s->clock ? &t_shared->ms : NULL);
    o.stale_after_ns = INT64_C(60000000000); /* a death is proven, not guessed */
    return o;
}

/* The newest cycle file, with its end. */
typedef struct {
    tape__cycle_store_t store;
    tape__window_t window;
    tape__chain_end_t end;
} newest_t;

static const char *newest_path(tape_queue_t *q, const char *directory, int64_t *cycle)
{
    char name[64];
    tape_queue_info_t info;
    CHECK_OK(tape_queue_info(q, &info));
    CHECK_OK(tape_queue_cycle_name(q, info.highest_cycle, name, sizeof name));
    *cycle = info.highest_cycle;
    return t_path(directory, name);
}

static newest_t open_newest(tape_queue_t *q, const char *directory)
{
    newest_t n = {.window = {0}};
    int64_t cycle;
    const char *path = newest_path(q, directory, &cycle);
    CHECK_OK(tape__cycle_store_open(&n.store, path, cycle, true));
    CHECK_OK(tape__cycle_chain_find_end(&n.store, &n.window, &n.end));
    return n;
}

static void close_newest(newest_t *n)
{
    tape__window_close(&n->window);
    tape__cycle_store_close(&n->store);
}

void t_leave_behind(tape_queue_t *q, const char *directory, uint32_t word, int bytes)
{
    newest_t n = open_newest(q, directory);
    memset(tape__window_at(&n.window, n.end.end.position + 4), 0xDD, (size_t)bytes);
    tape__put_u32(tape__window_at(&n.window, n.end.end.position), word);
    close_newest(&n);
}

/* Up to some bytes before the end of the file. */
static void fill_up(t_writer_t *w, const char *directory)
{
    for (;;) {
        newest_t n = open_newest(w->queue, directory);
        const uint64_t left = n.store.file.size - n.end.end.position;
        close_newest(&n);
        const size_t size = left > BODY_MAX ? BODY_MAX / 2 : left > 200 ? left - 40 : 0;
        if (size == 0) return;
        CHECK_OK(write_sized(w->appender, t_shared->sent++, size));
        t_shared->acknowledged++;
    }
}

/* A file of `cycle`: zeros, as Java leaves it that dies making it, or `garbage`. */
static void make_half(tape_queue_t *q, const char *directory, int64_t cycle, const char *garbage)
{
    char name[64];
    CHECK_OK(tape_queue_cycle_name(q, cycle, name, sizeof name));
    int fd = open(t_path(directory, name), O_RDWR | O_CREAT | O_EXCL, 0644);
    CHECK(fd >= 0);
    CHECK_EQ(ftruncate(fd, FILE_SIZE), 0);
    CHECK_EQ(write(fd, garbage, strlen(garbage)), strlen(garbage));
    close(fd);
}

static void set_pair(tape_queue_t *q, const char *directory, uint64_t position)
{
    newest_t n = open_newest(q, directory);
    n.store.pair[0] = position;
    n.store.pair[1] = 0;
    close_newest(&n);
}

static void set_pair_to_first(tape_queue_t *q, const char *directory)
{
    newest_t n = open_newest(q, directory);
    tape__cursor_t c = {n.store.first_document, 0, 0};
    do {
        CHECK_OK(tape__cycle_store_observe(&n.store, &n.window, &c, 4096));
        if (tape__word_is_message(c.word)) break;
        tape__cycle_store_step(&n.store, &c);
    } while (true);
    n.store.pair[0] = c.position;
    n.store.pair[1] = tape__cycle_store_pair_word(&n.store, c.position, 0);
    close_newest(&n);
}

/* As a writer leaves it that dies between publishing its message and the index entry. */
static void take_entry_away(tape_queue_t *q, const char *directory)
{
    newest_t n = open_newest(q, directory);
    uint64_t *last = tape__window_u64(&n.store.head, n.store.last_index_at);
    uint64_t first;
    const int64_t entry = (int64_t)*last - 1;
    CHECK_OK(tape__excerpt_index_open_page(&n.store, entry / n.store.index_count, &first));
    const uint64_t column = (uint64_t)(entry % n.store.index_count);
    *tape__window_u64(&n.store.page, first + column * 8) = 0;
    *tape__window_u64(&n.store.page, first - 8) = column;
    --*last;
    close_newest(&n);
}

static void begin_temporary(const char *directory)
{
    static const char *const names[] = {TAPE__TEMPORARY_CYCLE_PREFIX "77-1" TAPE__TEMPORARY_SUFFIX,
                                        TAPE__TEMPORARY_CYCLE_PREFIX "77-2" TAPE__TEMPORARY_SUFFIX};
    for (int i = 0; i < 2; i++) close(open(t_path(directory, names[i]), O_RDWR | O_CREAT, 0644));
}

static void leave(const t_scene_t *s, const char *directory, t_writer_t *w)
{
    const int64_t cycle = t_shared->ms / DAY;
    switch (s->leftover) {
    case T_NOTHING: case T_TABLE_EMPTY: break;
    case T_NEXT_DAY: t_shared->ms += DAY; break;
    case T_FULL: fill_up(w, directory); break;
    case T_DIRT: t_leave_behind(w->queue, directory, 0, 600); break;
    case T_OLDER_RESERVED: t_shared->ms += DAY; /* fall through */
    case T_RESERVATION:
        t_leave_behind(w->queue, directory, TAPE__NOT_COMPLETE | 77, 100);
        break;
    case T_NO_LENGTH: t_leave_behind(w->queue, directory, TAPE__NOT_COMPLETE, 100); break;
    case T_PAIR_BEHIND: set_pair_to_first(w->queue, directory); break;
    case T_NO_ENTRY: take_entry_away(w->queue, directory); break;
    case T_HALF_MADE:
        t_shared->ms += DAY;
        make_half(w->queue, directory, cycle + 1, "");
        break;
    case T_HALF_MADE_OLDER:
        t_shared->ms += 2 * DAY;
        make_half(w->queue, directory, cycle + 1, "");
        break;
    case T_TEMPORARY: begin_temporary(directory); break;
    case T_DAMAGED:
        set_pair(w->queue, directory, 16);
        t_shared->ms += DAY;
        write_number(w->appender, t_shared->sent++);
        t_shared->acknowledged++;
        set_pair(w->queue, directory, 12345);
        break;
    case T_GARBAGE: make_half(w->queue, directory, cycle + 1, "nothing of use"); break;
    }
}

void t_scene_prepare(const t_scene_t *s, const char *directory)
{
    t_empty(directory);
    t_shared->ms = BEGIN_MS;
    t_shared->acknowledged = t_shared->sent = 0;
    t_shared->second_acknowledged = t_shared->second_sent = 0;
    if (s->before == 0) return;
    tape_queue_options_t o = options(s);
    t_writer_t w = t_open_writer(directory, &o);
    for (int n = 0; n < s->before; n++) write_number(w.appender, n);
    t_shared->acknowledged = t_shared->sent = s->before;
    leave(s, directory, &w);
    t_close_writer(w);
    if (s->leftover != T_TABLE_EMPTY) return;
    const char *table = t_path(directory, TAPE__TABLE_NAME);
    CHECK_EQ(truncate(table, 0), 0);
    CHECK_EQ(truncate(table, 64 << 10), 0);
}

/* ---- playing ---- */

static int repair(const char *directory)
{
    tape_check_options_t o = {.struct_size = sizeof o, .flags = TAPE_IN_PLACE};
    tape_check_report_t report;
    int rc = tape_repair(directory, NULL, &o, &report);
    if (rc >= 0) CHECK_EQ(report.lost, 0);
    return rc;
}

static void write_many(tape_appender_t *a)
{
    uint8_t bodies[MANY][400];
    tape_span_t spans[MANY];
    size_t written;
    for (int i = 0; i < MANY; i++) {
        const int number = t_shared->sent + i;
        body_of(number, size_of(number), bodies[i]);
        spans[i] = (tape_span_t){bodies[i], size_of(number)};
    }
    t_shared->sent += MANY;
    CHECK_OK(tape_appender_write_many(a, spans, MANY, &written));
    CHECK_EQ(written, MANY);
    t_shared->acknowledged += MANY;
}

static void write_in_place(tape_appender_t *a, int number)
{
    void *room;
    CHECK_OK(tape_appender_reserve(a, size_of(number) + 50, &room));
    body_of(number, size_of(number), room);
    CHECK_OK(tape_appender_publish(a, size_of(number)));
}

void t_scene_play(const t_scene_t *s, const char *directory, void (*begin)(void))
{
    tape_queue_options_t o = options(s);
    t_writer_t w = {NULL, NULL};
    for (const char *p = s->play; *p; p++) {
        if (*p == '|') begin();
        if (*p == 'o') w = t_open_writer(directory, &o);
        if (*p == 'd') t_shared->ms += DAY;
        if (*p == 'r') CHECK_OK(repair(directory));
        if (*p == 'm') write_many(w.appender);
        if (*p != 'w' && *p != 'p') continue;
        const int number = t_shared->sent++;
        if (*p == 'w') write_number(w.appender, number);
        else write_in_place(w.appender, number);
        t_shared->acknowledged++;
    }
}

void t_scene_play_second(const t_scene_t *s, const char *directory)
{
    tape_queue_options_t o = options(s);
    if (strchr(s->play, 'r')) {
        CHECK_OK(repair(directory));
        return;
    }
    t_writer_t w = t_open_writer(directory, &o);
    t_shared->second_sent = 1;
    write_number(w.appender, T_SECOND);
    t_shared->second_acknowledged = 1;
}

/* ---- judging ---- */

typedef struct {
    int numbered, second, judge;
} found_t;

static found_t read_all(tape_queue_t *q)
{
    static uint8_t body[BODY_MAX];
    found_t f = {0, 0, 0};
    tape_tailer_t *t;
    tape_excerpt_t e;
    int number, rc;
    CHECK_OK(tape_tailer_open(q, NULL, &t));
    while ((rc = tape_tailer_next(t, &e)) == 1) {
        CHECK(e.size >= sizeof number && e.size <= BODY_MAX);
        memcpy(&number, e.data, sizeof number);
        body_of(number, e.size, body);
        CHECK_EQ(memcmp(body, e.data, e.size), 0);
        if (number >= 0) CHECK(number == f.numbered++ && f.second + f.judge == 0);
        else if (number == T_SECOND) CHECK(++f.second > 0 && f.judge == 0);
        else f.judge++;
    }
    CHECK_OK(rc);
    CHECK_OK(tape_tailer_close(t));
    return f;
}

static void check_found(found_t f)
{
    CHECK(f.numbered >= t_shared->acknowledged);
    CHECK(f.numbered <= t_shared->sent);
    CHECK(f.second >= t_shared->second_acknowledged);
    CHECK(f.second <= t_shared->second_sent);
}

/* By somebody who may only read; before the queue was made there is none. */
static void check_reading(const t_scene_t *s, const char *directory, found_t *found)
{
    tape_queue_options_t o = options(s);
    tape_queue_t *q;
    o.flags = TAPE_READ_ONLY;
    int rc = tape_queue_open(directory, &o, &q);
    *found = (found_t){-1, 0, 0};
    if (rc == TAPE_ENOTFOUND) CHECK_EQ(t_shared->acknowledged, 0);
    else CHECK_OK(rc);
    if (rc < 0) return;
    *found = read_all(q);
    check_found(*found);
    CHECK_OK(tape_queue_close(q));
}

void t_scene_judge(const t_scene_t *s, const char *directory, bool rolls)
{
    tape_queue_options_t o = options(s);
    found_t before, after;
    if (strchr(s->play, 'r')) CHECK_OK(repair(directory));
    check_reading(s, directory, &before);
    const int64_t ms = t_shared->ms;
    t_shared->ms += rolls ? DAY : 0;
    t_writer_t w = t_open_writer(directory, &o);
    for (int n = 0; n < 2; n++) write_number(w.appender, T_JUDGE);
    after = read_all(w.queue);
    check_found(after);
    CHECK_EQ(after.judge, 2);
    if (before.numbered >= 0)
        CHECK(before.numbered == after.numbered && before.second == after.second);
    CHECK_EQ(t_check_queue(directory, T_WHOLE).messages, after.numbered + after.second + 2);
    t_close_writer(w);
    CHECK_EQ(t_descriptors(directory), 0);
    t_shared->ms = ms;
}
