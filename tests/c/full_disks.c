/* Description: real file systems that fill up under a queue (ext4, ext2, tmpfs, overlay; needs root
 * and mkfs): three writers that roll each second and open named tailers, and two readers, until all
 * is full, with room again, and full again. No signal, no error but TAPE_ENOSPC, and what was
 * acknowledged is there once, in order. The same with the zeros of all files made holes, as in
 * files that Java made: looking for messages everywhere, appending, adding names on a full disk. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/platform.h"
#include "helpers.h"
#include "queue_check.h"

enum { WRITERS = 3, READERS = 2, PROCESSES = WRITERS + READERS, ENOUGH = 20, PATIENCE_S = 20 };

typedef struct {
    volatile int phase; /* 0 fill, 1 room again, 2 end */
    volatile int64_t acknowledged[WRITERS], refused[WRITERS], others, full[WRITERS];
    volatile int64_t read;
} shared_t;

static shared_t *shared;
static const char *kind, *top, *queue_path;

static tape_queue_options_t options(void)
{
    tape_queue_options_t o = t_options("TEST4_SECONDLY", NULL);
    o.block_size = 64 << 10;
    return o;
}

static void other(const char *what, int64_t rc)
{
    char trail[1100];
    tape_error_trail(trail, sizeof trail);
    fprintf(stderr, "%s: %s: %s: %s\n", kind, what, tape_code_name((int)rc), trail);
    shared->others++;
}

static void name_a_tailer(tape_queue_t *q, unsigned n)
{
    char id[40];
    tape_tailer_t *t;
    tape_excerpt_t e;
    snprintf(id, sizeof id, "tailer-%u", n % 300);
    tape_tailer_options_t o = {.struct_size = sizeof o, .id = id};
    int rc = tape_tailer_open(q, &o, &t);
    if (rc != TAPE_OK && rc != TAPE_ENOSPC && rc != TAPE_EBUSY) other("a named tailer", rc);
    if (rc != TAPE_OK) return;
    tape_tailer_next(t, &e);
    tape_tailer_commit(t);
    tape_tailer_close(t);
}

static void be_a_writer(int number)
{
    static uint8_t data[6100];
    unsigned seed = (unsigned)number + 1;
    t_writer_t w = {NULL, NULL};
    tape_queue_options_t o = options();
    while (shared->phase < 2) {
        int64_t rc = w.queue ? TAPE_OK : tape_queue_open(queue_path, &o, &w.queue);
        if (rc == TAPE_OK && !w.appender) rc = tape_appender_open(w.queue, NULL, &w.appender);
        if (rc == TAPE_OK && rand_r(&seed) % 100 == 0) name_a_tailer(w.queue, rand_r(&seed));
        const int64_t count = shared->acknowledged[number];
        const size_t size = 16 + rand_r(&seed) % 6000;
        memset(data, number, size);
        memcpy(data + 8, &count, sizeof count);
        if (rc == TAPE_OK) rc = tape_appender_write(w.appender, data, size);
        if (rc >= 0) {
            shared->acknowledged[number] = count + 1;
            shared->full[number] = 0;
            continue;
        }
        if (rc != TAPE_ENOSPC) other("writing", rc);
        shared->refused[number]++;
        shared->full[number]++;
        usleep(5000);
        if (w.appender && rand_r(&seed) % 4 == 0) {
            t_close_writer(w);
            w = (t_writer_t){NULL, NULL};
        }
    }
    _exit(0);
}

/* Reads all, from both ends, again and again. */
static void be_a_reader(int number)
{
    tape_queue_options_t o = options();
    o.flags = TAPE_READ_ONLY;
    while (shared->phase < 2) {
        tape_queue_t *q;
        tape_excerpt_t e;
        usleep(20000);
        if (tape_queue_open(queue_path, &o, &q) != TAPE_OK) continue;
        tape_tailer_t *t = t_open_tailer(q, 0);
        int64_t rc = 0;
        if (number % 2) rc = tape_tailer_set_direction(t, TAPE_BACKWARD);
        if (rc == 0 && number % 2) rc = tape_tailer_seek_end(t);
        while (rc >= 0 && (rc = tape_tailer_next(t, &e)) == 1) shared->read++;
        if (rc < 0) other("reading", rc);
        CHECK_OK(tape_tailer_close(t));
        CHECK_OK(tape_queue_close(q));
    }
    _exit(0);
}

static void fill_disk(const char *name)
{
    static const char zeros[4096];
    int fd = open(t_path(top, name), O_WRONLY | O_CREAT | O_APPEND, 0666);
    CHECK(fd >= 0);
    while (write(fd, zeros, sizeof zeros) > 0) {}
    close(fd);
}

/* Waits until each writer was refused often enough in a row. */
static void await_full(const pid_t *children)
{
    for (int64_t start = t_now_ns();; usleep(10000)) {
        bool all = true;
        for (int w = 0; w < WRITERS; w++) all = all && shared->full[w] >= ENOUGH;
        for (int c = 0; c < PROCESSES; c++) {
            int status = 0;
            if (waitpid(children[c], &status, WNOHANG) != 0)
                CHECK_FAILED("%s: process %d ended, signal %d", kind, c, WTERMSIG(status));
        }
        if (all || t_now_ns() - start > PATIENCE_S * INT64_C(1000000000)) break;
    }
    for (int w = 0; w < WRITERS; w++) shared->full[w] = 0;
}

static int64_t check_all(void)
{
    tape_queue_options_t o = options();
    tape_queue_t *q;
    tape_excerpt_t e;
    int64_t next[WRITERS] = {0}, all = 0;
    o.flags = TAPE_READ_ONLY;
    CHECK_OK(tape_queue_open(queue_path, &o, &q));
    tape_tailer_t *t = t_open_tailer(q, 0);
    int rc;
    for (; (rc = tape_tailer_next(t, &e)) == 1; all++) {
        int64_t count;
        CHECK(e.size >= 16 && e.data[0] < WRITERS);
        memcpy(&count, e.data + 8, sizeof count);
        CHECK_EQ(count, next[e.data[0]]); /* none is lost, none comes twice */
        next[e.data[0]]++;
    }
    CHECK_OK(rc);
    for (int w = 0; w < WRITERS; w++) CHECK_EQ(next[w], shared->acknowledged[w]);
    CHECK_OK(tape_tailer_close(t));
    CHECK_OK(tape_queue_close(q));
    return all;
}

static void writers_and_readers(void)
{
    pid_t children[PROCESSES];
    memset(shared, 0, sizeof *shared);
    fill_disk("half"); /* some room to be given back later */
    CHECK(truncate(t_path(top, "half"), 3 << 20) == 0);
    for (int c = 0; c < PROCESSES; c++)
        if ((children[c] = fork()) == 0) c < WRITERS ? be_a_writer(c) : be_a_reader(c);
    await_full(children);
    fill_disk("ballast");
    await_full(children);
    int64_t before = shared->acknowledged[0] + shared->acknowledged[1] + shared->acknowledged[2];
    shared->phase = 1;
    CHECK(unlink(t_path(top, "half")) == 0);
    await_full(children);
    shared->phase = 2;
    for (int c = 0; c < PROCESSES; c++) CHECK_EQ(t_wait(children[c]), 0);
    int64_t refused = 0, acknowledged = 0;
    for (int w = 0; w < WRITERS; w++) refused += shared->refused[w];
    for (int w = 0; w < WRITERS; w++) acknowledged += shared->acknowledged[w];
    CHECK(acknowledged > before);
    CHECK_EQ(shared->others, 0);
    printf("%s: %" PRId64 " acknowledged, %" PRId64 " read back, %" PRId64 " times refused, other "
           "errors 0, signals 0, %" PRId64 " read meanwhile\n", kind, acknowledged, check_all(),
           refused, shared->read);
}

/* In a child, so that a signal is told. */
static void use_a_queue_of_holes(const char *holes)
{
    tape_queue_options_t o = options();
    tape_queue_t *q;
    tape_excerpt_t e;
    o.flags = TAPE_READ_ONLY;
    CHECK_OK(tape_queue_open(holes, &o, &q));
    tape_tailer_t *t = t_open_tailer(q, 0);
    int64_t n = 0, first = tape_queue_first_index(q), last = tape_queue_last_index(q);
    CHECK_OK(first);
    CHECK_OK(last);
    while (tape_tailer_next(t, &e) == 1) n++;
    CHECK(n > 100);
    CHECK_OK(tape_tailer_seek(t, last));
    CHECK_EQ(tape_tailer_next(t, &e), 1);
    (void)tape_tailer_seek(t, last + 3000); /* past the end: an index page that is not used yet */
    CHECK_OK(tape_tailer_seek_end(t));
    CHECK_OK(tape_tailer_set_direction(t, TAPE_BACKWARD));
    for (int64_t k = 0; k < n; k++) CHECK_EQ(tape_tailer_next(t, &e), 1);
    CHECK_OK(tape_tailer_close(t));
    CHECK_OK(tape_queue_close(q));
    o.flags = 0;
    int64_t rc = tape_queue_open(holes, &o, &q), written = 0;
    tape_appender_t *a = NULL;
    if (rc == TAPE_OK) CHECK_OK(tape_appender_open(q, NULL, &a));
    for (unsigned k = 0; rc >= 0 && k < 5000; k++) {
        rc = tape_appender_write(a, "x", 1);
        if (rc >= 0) written++;
        name_a_tailer(q, k);
    }
    if (rc < 0) CHECK_EQ(rc, TAPE_ENOSPC);
    _exit(0);
}

/* Made elsewhere, and copied with a hole for each page of zeros. */
static void holes(const char *directory, const char *roll_cycle)
{
    char command[1400], made[250], copy[250];
    snprintf(made, sizeof made, "%s/made", directory);
    snprintf(copy, sizeof copy, "%s/holes", top);
    tape_queue_options_t o = options();
    o.roll_cycle = roll_cycle;
    t_writer_t w = t_open_writer(made, &o);
    for (int n = 0; n < 300; n++) CHECK_OK(tape_appender_write(w.appender, "some", 4));
    t_close_writer(w);
    snprintf(command, sizeof command, "rm -rf %s/ballast %s/half %s %s; mkdir -p %s && "
             "cp --sparse=always %s/*.cq4* %s && rm -r %s",
             top, top, queue_path, copy, copy, made, copy, made);
    CHECK(system(command) == 0);
    fill_disk("ballast");
    pid_t child = fork();
    if (child == 0) use_a_queue_of_holes(copy);
    CHECK_EQ(t_wait(child), 0);
    printf("%s: %s files with holes on the full disk: signals 0\n", kind, roll_cycle);
}

static bool mount_it(const char *directory)
{
    char command[900];
    if (strcmp(kind, "tmpfs") == 0) return mount("tmpfs", top, "tmpfs", 0, "size=10m") == 0;
    if (strcmp(kind, "overlay") == 0) {
        snprintf(command, sizeof command, "cd %s && mkdir -p under && "
                 "mount -t tmpfs -o size=10m tmpfs under && mkdir under/l under/u under/w && "
                 "mount -t overlay overlay -o "
                 "lowerdir=under/l,upperdir=under/u,workdir=under/w %s", directory, top);
        return system(command) == 0;
    }
    snprintf(command, sizeof command, "truncate -s 12M %s/image && mkfs.%s -q -F -m 0 %s/image "
             "2>/dev/null && mount -o loop %s/image %s", directory, kind, directory, directory,
             top);
    return system(command) == 0;
}

int main(void)
{
    static const char *const kinds[] = {"ext4", "ext2", "tmpfs", "overlay"};
    const char *directory = t_directory();
    char mounted[200], path[220], command[900];
    int done = 0;
    snprintf(mounted, sizeof mounted, "%s/top", directory);
    snprintf(path, sizeof path, "%s/queue", mounted);
    top = mounted;
    queue_path = path;
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        SKIP("mounting is not permitted");
    shared = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED && mkdir(top, 0777) == 0);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        kind = kinds[k];
        if (!mount_it(directory)) {
            printf("%s: cannot be made here\n", kind);
            continue;
        }
        writers_and_readers();
        holes(directory, "FAST_DAILY");
        holes(directory, "SMALL_DAILY");
        done++;
        snprintf(command, sizeof command, "umount -l %s; umount -l %s/under 2>/dev/null; "
                 "rm -rf %s/image %s/under", top, directory, directory, directory);
        CHECK(system(command) != -1);
    }
    rmdir(top);
    if (done == 0) SKIP("no file system could be mounted");
    return 0;
}
