/* live_worker.c - a writer or tailer in C for the kill loop (tests/deaths/test_kill_loop.py): it
 * speaks the protocol of tests/kit/live_worker.py, writes the same messages, and can stop itself
 * at any sync point, where it is looked at and killed, or robbed.
 *
 *     live_worker write DIR ROLL ID [NAME=VALUE ...]
 *     live_worker tail DIR ROLL OUT [NAME=VALUE ...]
 *
 *     stop_at=POINT hit=N   SIGSTOP at the Nth time that it comes there
 *     then=POINT            and behind that at this one
 *     writer: size=LOW..HIGH count=N rate=A_SECOND threads=N each=1 (durability) at_roll=1 (each
 *             burst is around the beginning of a second) slow_us=N (tell of slower appends) ack=1
 *     tailer: name=ID steal=1 how=wait|bell
 *
 * Not a test by itself. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <time.h>

#include "helpers.h"

extern void (*tape__sync_point_hook)(const char *name);

enum { PART = 65536, MAX_IDS = 1 << 16, AROUND_ROLL_NS = 400000 };

static const char *stop_at, *then;
static _Atomic long hits;
static long wanted_hit = 1;
static _Atomic int stopped, pauses, resumes;
static _Atomic bool all_told;

/* ---- words ---- */

static int arguments;
static char **argument;

static const char *text_of(const char *name, const char *otherwise)
{
    size_t length = strlen(name);
    for (int i = 0; i < arguments; i++)
        if (strncmp(argument[i], name, length) == 0 && argument[i][length] == '=')
            return argument[i] + length + 1;
    return otherwise;
}

static int64_t number_of(const char *name, int64_t otherwise)
{
    const char *text = text_of(name, NULL);
    return text ? atoll(text) : otherwise;
}

/* One write: a kill leaves all of a line or nothing. */
static void say(const char *format, ...)
{
    char line[512];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(line, sizeof line - 1, format, list);
    va_end(list);
    line[length++] = '\n';
    if (write(1, line, (size_t)length) != length) _exit(3);
}

static void stop_here(const char *name)
{
    if (strcmp(name, stop_at) != 0 || atomic_fetch_add(&hits, 1) + 1 != wanted_hit) return;
    if (then) {
        stop_at = then;
        then = NULL;
        atomic_store(&hits, 0);
        wanted_hit = 1;
    }
    raise(SIGSTOP);
}

/* ---- the messages: the vector [id n "padding"] in Fressian ---- */

static size_t put_packed(uint8_t *out, uint32_t v)
{
    if (v < 1 << 6) return out[0] = (uint8_t)v, 1;
    int width = v < 1 << 12 ? 1 : v < 1 << 19 ? 2 : v < 1 << 25 ? 3 : 4;
    static const uint32_t codes[] = {0, 0x50, 0x68, 0x72, 0x76};
    uint64_t all = ((uint64_t)codes[width] << 8 * width) + v;
    for (int i = 0; i <= width; i++) out[i] = (uint8_t)(all >> 8 * (width - i));
    return (size_t)width + 1;
}

static size_t put_message(uint8_t *out, uint32_t id, uint32_t n, size_t padding)
{
    size_t at = 0;
    out[at++] = 0xE7;
    at += put_packed(out + at, id);
    at += put_packed(out + at, n);
    for (; padding > PART; padding -= PART) {
        out[at++] = 0xE2;
        at += put_packed(out + at, PART);
        memset(out + at, 'a' + (int)(n % 26), PART);
        at += PART;
    }
    if (padding < 8) {
        out[at++] = (uint8_t)(0xDA + padding);
    } else {
        out[at++] = 0xE3;
        at += put_packed(out + at, (uint32_t)padding);
    }
    memset(out + at, 'a' + (int)(n % 26), padding);
    return at + padding;
}

static bool take_packed(const uint8_t *data, size_t size, size_t *at, uint32_t *out)
{
    if (*at >= size) return false;
    uint32_t code = data[(*at)++], high;
    int width;
    if (code < 0x40) return *out = code, true;
    if (code >= 0x50 && code < 0x60) width = 1, high = code - 0x50;
    else if (code >= 0x68 && code < 0x70) width = 2, high = code - 0x68;
    else if (code >= 0x72 && code < 0x74) width = 3, high = code - 0x72;
    else if (code >= 0x76 && code < 0x78) width = 4, high = code - 0x76;
    else return false;
    if (size - *at < (size_t)width) return false;
    for (*out = high; width > 0; width--) *out = *out << 8 | data[(*at)++];
    return true;
}

/* False unless the message is whole, to the last letter of its padding. */
static bool take_message(const uint8_t *data, size_t size, uint32_t *id, uint32_t *n)
{
    size_t at = 1;
    if (size < 4 || data[0] != 0xE7 || !take_packed(data, size, &at, id) ||
        !take_packed(data, size, &at, n))
        return false;
    for (bool last = false; !last;) {
        uint32_t part;
        if (at >= size) return false;
        uint8_t code = data[at++];
        last = code != 0xE2;
        if (code >= 0xDA && code < 0xE2) part = code - 0xDAu;
        else if ((code != 0xE2 && code != 0xE3) || !take_packed(data, size, &at, &part))
            return false;
        if (part > size - at) return false;
        for (; part > 0; part--)
            if (data[at++] != 'a' + *n % 26) return false;
    }
    return at == size;
}

/* ---- what the driver says ---- */

static uint32_t until_id[MAX_IDS], until_count[MAX_IDS], seen_count[MAX_IDS];
static int untils;

static void take_until(const char *words)
{
    unsigned id, count;
    int read, taken = 0;
    while (taken < MAX_IDS && sscanf(words, "%u:%u%n", &id, &count, &read) == 2) {
        until_id[taken] = id, until_count[taken++] = count;
        words += read;
        if (*words++ != ',') break;
    }
    untils = taken;
    all_told = true;
}

static void *listen(void *unused)
{
    static char line[1 << 20];
    (void)unused;
    while (fgets(line, sizeof line, stdin)) {
        if (strncmp(line, "until ", 6) == 0) take_until(line + 6);
        else if (strcmp(line, "pause\n") == 0) pauses++;
        else if (strcmp(line, "resume\n") == 0) resumes++;
        else if (strcmp(line, "stop\n") == 0) stopped = 1;
    }
    _exit(0); /* the driver is gone */
}

static void start_listening(void)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, listen, NULL), 0);
    CHECK_EQ(pthread_detach(thread), 0);
}

/* ---- a writer ---- */

typedef struct {
    tape_appender_t *appender;
    uint32_t id;
    int64_t low, high, count, rate, slow_ns, written, slowest_ns;
    bool ack, at_roll;
} writer_t;

/* How long this thread was ready to run and did not, in ns. */
static int64_t run_delay(void)
{
    static _Thread_local int fd = -1;
    char text[128];
    long long on_cpu, delay = 0;
    if (fd < 0) fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : pread(fd, text, sizeof text - 1, 0);
    text[length > 0 ? length : 0] = 0;
    return sscanf(text, "%lld %lld", &on_cpu, &delay) == 2 ? delay : 0;
}

static void sleep_ns(int64_t ns)
{
    struct timespec t = {ns / 1000000000, ns % 1000000000};
    if (ns > 0) nanosleep(&t, NULL);
}

static void sleep_until_a_roll(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_nsec > AROUND_ROLL_NS)
        sleep_ns(INT64_C(1000000000) - now.tv_nsec - AROUND_ROLL_NS);
}

/* How long the append waited for the lock, and who had that. */
static _Thread_local int64_t waited_ns, waited_for;

static void note_holder(void *unused, const tape_slow_append_t *slow)
{
    (void)unused;
    waited_ns = slow->lock_ns;
    waited_for = slow->holder_pid;
}

static int64_t append(writer_t *w, const uint8_t *data, size_t size)
{
    waited_ns = waited_for = 0;
    int64_t delayed = w->slow_ns ? run_delay() : 0, begin = t_now_ns();
    int64_t index = tape_appender_write(w->appender, data, size);
    int64_t end = t_now_ns(), took = end - begin;
    if (took > w->slowest_ns) w->slowest_ns = took;
    if (w->slow_ns && took > w->slow_ns)
        say("slow %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64, begin, end,
            run_delay() - delayed, waited_for, waited_ns);
    return index;
}

static void *run_writer(void *of)
{
    writer_t *w = of;
    uint8_t *data = malloc((size_t)w->high + (size_t)w->high / PART * 8 + 64);
    CHECK(data != NULL);
    const int64_t begin = t_now_ns();
    int told = 0;
    while (!stopped && w->written < w->count) {
        if (pauses > resumes) {
            if (told < pauses) told++, say("paused");
            else sleep_ns(200000);
            continue;
        }
        if (w->at_roll) sleep_until_a_roll();
        uint32_t n = (uint32_t)w->written;
        int64_t padding = w->low + (int64_t)n * 7919 % (w->high - w->low + 1);
        int64_t index = append(w, data, put_message(data, w->id, n, (size_t)padding));
        if (index < 0) {
            char trail[1100];
            tape_error_trail(trail, sizeof trail);
            fprintf(stderr, "writer %u, message %u: %s: %s\n", w->id, n,
                    tape_code_name((int)index), trail);
            _exit(4);
        }
        if (w->ack) say("ack %u %u %" PRId64, w->id, n, index);
        w->written++;
        if (w->rate) sleep_ns(begin + w->written * 1000000000 / w->rate - t_now_ns());
    }
    free(data);
    return NULL;
}

static int writer(const char *directory, const char *roll, uint32_t id)
{
    tape_queue_options_t o = t_options(roll, NULL);
    writer_t w[8] = {{0}};
    pthread_t threads[8];
    int64_t low = 20, high = 200, count = number_of("threads", 1);
    char line[16];
    tape_queue_info_t info;
    CHECK(count >= 1 && count <= 8);
    if (number_of("each", 0)) o.durability = TAPE_DURABILITY_EACH;
    if (number_of("slow_us", 0)) o.slow_append = note_holder;
    o.slow_append_ns = number_of("slow_us", 0) * 1000;
    (void)sscanf(text_of("size", "20..200"), "%" SCNd64 "..%" SCNd64, &low, &high);
    t_writer_t t = t_open_writer(directory, &o);
    say("ready");
    if (!fgets(line, sizeof line, stdin) || strcmp(line, "go\n") != 0) return 0;
    start_listening();
    for (int i = 0; i < count; i++) {
        w[i] = (writer_t){.appender = t.appender, .id = id + (uint32_t)i, .low = low, .high = high,
                          .count = number_of("count", INT64_MAX), .rate = number_of("rate", 0),
                          .slow_ns = number_of("slow_us", 0) * 1000,
                          .ack = number_of("ack", 1), .at_roll = number_of("at_roll", 0)};
        CHECK_EQ(pthread_create(&threads[i], NULL, run_writer, &w[i]), 0);
    }
    for (int i = 0; i < count; i++) CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_OK(tape_queue_info(t.queue, &info));
    say("done {\"writers\": [{\"id\": %u, \"count\": %" PRId64 ", \"slowest_ms\": %.3f}], "
        "\"broken\": %" PRId64 ", \"lost\": %" PRId64 ", \"repairs\": %" PRId64
        ", \"rolls\": %" PRId64 "}", id, w[0].written, (double)w[0].slowest_ns / 1e6,
        info.lock_broken, info.lock_lost, info.repairs, info.rolls);
    t_close_writer(t);
    return 0;
}

/* ---- a tailer ---- */

static bool reached(void)
{
    if (!all_told) return false;
    for (int i = 0; i < untils; i++)
        if (seen_count[until_id[i]] < until_count[i]) return false;
    return true;
}

static void await_more(tape_tailer_t *t, bool by_bell)
{
    struct pollfd p = {.events = POLLIN};
    if (!by_bell) {
        (void)tape_tailer_wait(t, 20000000);
        return;
    }
    p.fd = tape_tailer_fd(t);
    CHECK(p.fd >= 0);
    (void)poll(&p, 1, 20);
}

static tape_tailer_t *open_tailer(tape_queue_t *q, uint32_t flags)
{
    tape_tailer_t *t;
    tape_tailer_options_t o = {.struct_size = sizeof o, .id = text_of("name", NULL),
                               .poll_interval_ns = 1000000, .flags = flags};
    CHECK_OK(tape_tailer_open(q, &o, &t));
    return t;
}

static int tailer(const char *directory, const char *roll, const char *path)
{
    tape_queue_options_t o = t_options(roll, NULL);
    tape_queue_t *q;
    tape_excerpt_t e;
    int64_t count = 0, bad = 0, last = t_now_ns();
    const bool by_bell = strcmp(text_of("how", "wait"), "bell") == 0;
    FILE *out = fopen(path, "wb");
    CHECK(out != NULL);
    CHECK_OK(tape_queue_open(directory, &o, &q));
    tape_tailer_t *t = open_tailer(q, number_of("steal", 0) ? TAPE_TAILER_STEAL : 0);
    say("ready");
    start_listening();
    while (!stopped && !reached() && !(all_told && t_now_ns() - last > 30000000000)) {
        int rc = tape_tailer_next(t, &e);
        if (rc == TAPE_EBUSY) { /* somebody else took the name: it is taken back */
            CHECK_OK(tape_tailer_close(t));
            sleep_ns(1000000);
            t = open_tailer(q, TAPE_TAILER_STEAL);
            continue;
        }
        if (rc < 0) CHECK_FAILED("a tailer: %s", tape_code_name(rc));
        if (rc == 0) {
            await_more(t, by_bell);
            continue;
        }
        uint32_t id = 0, n = 0;
        bool whole = take_message(e.data, e.size, &id, &n) && id < MAX_IDS;
        int32_t fields[2] = {whole ? (int32_t)id : -1, whole ? (int32_t)n : -1};
        bad += !whole;
        count++;
        seen_count[whole ? id : 0] += whole;
        CHECK(fwrite(&e.index, 8, 1, out) == 1 && fwrite(fields, 8, 1, out) == 1);
        last = t_now_ns();
    }
    CHECK_EQ(fclose(out), 0);
    CHECK_OK(tape_tailer_close(t));
    CHECK_OK(tape_queue_close(q));
    say("done {\"count\": %" PRId64 ", \"bad\": %" PRId64 ", \"complete\": %s}", count, bad,
        reached() ? "true" : "false");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 5) return 2;
    arguments = argc - 5;
    argument = argv + 5;
    stop_at = text_of("stop_at", NULL);
    then = text_of("then", NULL);
    wanted_hit = (long)number_of("hit", 1);
    if (stop_at) tape__sync_point_hook = stop_here;
    if (strcmp(argv[1], "write") == 0) return writer(argv[2], argv[3], (uint32_t)atol(argv[4]));
    return tailer(argv[2], argv[3], argv[4]);
}
