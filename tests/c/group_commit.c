/* Description: threads and handles that wait for the disk at the same time share a sync, and each
 * waits for one that began after its own message. A shim stands in place of the system's syncs. */
#include <pthread.h>
#include <sys/stat.h>

#include "base/platform.h"
#include "helpers.h"
#include "write/appender.h"
#include "write/durable.h"

enum { THREADS = 8, EACH = 40 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int syncs;
static bool held; /* the round's first sync has been held */

static t_writer_t open_writer(const char *directory)
{
    tape_queue_options_t o = t_options("FAST_DAILY", NULL);
    o.durability = TAPE_DURABILITY_EACH;
    return t_open_writer(directory, &o);
}

static tape_appender_t *shared[2];
static pthread_barrier_t round_begins;

/* Counts; whether it is the first since `held` was false. */
static bool count_sync(void)
{
    pthread_mutex_lock(&lock);
    const bool first = !held;
    held = true;
    syncs++;
    pthread_mutex_unlock(&lock);
    return first;
}

static int slow_shim(int fd)
{
    (void)fd;
    (void)count_sync();
    tape__sleep_ns(4000000);
    return 0;
}

static bool all_wait(void)
{
    tape__durable_t *d = shared[0]->durable;
    pthread_mutex_lock(&d->lock);
    const int n = d->waiting;
    pthread_mutex_unlock(&d->lock);
    return n == THREADS;
}

/* The first sync of a round goes on until all of its threads have written and wait, however slow
 * the machine is: who came too late for this one shares the next. */
static int holding_shim(int fd)
{
    (void)fd;
    const bool first = count_sync();
    for (int ms = 0; first && !all_wait(); ms++) {
        CHECK(ms < 60000);
        tape__sleep_ns(1000000);
    }
    return 0;
}

static void *write_in_rounds(void *which)
{
    for (int i = 0; i < EACH; i++) {
        if (pthread_barrier_wait(&round_begins) == PTHREAD_BARRIER_SERIAL_THREAD) held = false;
        pthread_barrier_wait(&round_begins);
        CHECK_OK(tape_appender_write(shared[(size_t)which % 2], "x", 1));
    }
    return NULL;
}

static void *write_some(void *which)
{
    for (int i = 0; i < EACH; i++) CHECK_OK(tape_appender_write(shared[(size_t)which % 2], "x", 1));
    return NULL;
}

/* How many syncs it took. */
static int all_together(void *(*run)(void *), int (*shim)(int fd))
{
    pthread_t threads[THREADS];
    tape__disk_shim = shim;
    syncs = 0;
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, run, (void *)i) == 0);
    for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    return syncs;
}

static void who_writes_at_the_same_time_shares_a_sync(void)
{
    const char *directory = t_directory();
    t_writer_t w = open_writer(directory);
    t_writer_t other = open_writer(directory);
    tape_queue_info_t info;
    shared[0] = w.appender;
    shared[1] = other.appender; /* another handle of the same process */
    CHECK_OK(tape_appender_write(w.appender, "a", 1));
    CHECK(pthread_barrier_init(&round_begins, NULL, THREADS) == 0);
    const int rounds = all_together(write_in_rounds, holding_shim);
    CHECK_EQ(pthread_barrier_destroy(&round_begins), 0);
    const int n = all_together(write_some, slow_shim);
    printf("%d messages of %d threads took %d syncs in rounds, and %d without\n", THREADS * EACH,
           THREADS, rounds, n);
    CHECK(rounds >= EACH && rounds <= 2 * EACH);
    CHECK(n >= EACH && n < THREADS * EACH); /* how many meet is the scheduler's */
    CHECK_OK(tape_queue_info(w.queue, &info));
    CHECK_EQ(info.lock_acquired > 0, 1);
    t_close_writer(other);
    t_close_writer(w);
}

/* Each waits for a sync that began after its own message: it finds it in the number of messages
 * that the shim saw when that sync began. */
static tape_queue_t *counted;
static int64_t seen_at_begin;

static int counting_shim(int fd)
{
    struct stat st;
    CHECK(fstat(fd, &st) == 0);
    if (S_ISDIR(st.st_mode)) return 0;
    const int64_t now = tape_queue_last_index(counted);
    tape__sleep_ns(rand() % 300000);
    pthread_mutex_lock(&lock);
    if (now > seen_at_begin) seen_at_begin = now;
    pthread_mutex_unlock(&lock);
    return 0;
}

static void *write_and_look(void *unused)
{
    (void)unused;
    for (int i = 0; i < 10 * EACH; i++) {
        const int64_t index = tape_appender_write(shared[0], "x", 1);
        CHECK_OK(index);
        pthread_mutex_lock(&lock);
        const bool covered = seen_at_begin >= index;
        pthread_mutex_unlock(&lock);
        CHECK(covered);
    }
    return NULL;
}

static void the_sync_began_after_the_message(void)
{
    t_writer_t w = open_writer(t_directory());
    pthread_t threads[4];
    shared[0] = w.appender;
    CHECK_OK(tape_appender_write(w.appender, "a", 1));
    counted = w.queue;
    seen_at_begin = -1;
    tape__disk_shim = counting_shim;
    for (size_t i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, write_and_look, NULL) == 0);
    for (size_t i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    t_close_writer(w);
}

int main(void)
{
    tape__disk_shim = slow_shim;
    who_writes_at_the_same_time_shares_a_sync();
    the_sync_began_after_the_message();
    return 0;
}
