/* helpers.c - see helpers.h. */
#include "helpers.h"

#include <dirent.h>
#include <errno.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/atomics.h"
#include "file/table_store.h"

enum { DIRECTORIES = 64 };
static char made[DIRECTORIES][128];
static int count;
static pid_t owner;

void t_empty(const char *directory)
{
    mkdir(directory, 0777);
    DIR *dir = opendir(directory);
    CHECK(dir != NULL);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", directory, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) unlink(path);
    }
    closedir(dir);
}

static void remove_all(void)
{
    if (getpid() != owner) return;
    for (int i = 0; i < count; i++) {
        t_empty(made[i]);
        rmdir(made[i]);
    }
}

const char *t_directory(void)
{
    const char *base = getenv("TMPDIR");
    CHECK(count < DIRECTORIES);
    if (count == 0) {
        owner = getpid();
        atexit(remove_all);
    }
    snprintf(made[count], sizeof made[count], "%.90s/tape-test-XXXXXX", base ? base : "/tmp");
    CHECK(mkdtemp(made[count]) != NULL);
    return made[count++];
}

const char *t_path(const char *directory, const char *name)
{
    static _Thread_local char paths[4][1024];
    static _Thread_local int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

uint8_t *t_read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f) CHECK_FAILED("%s: %s", path, strerror(errno));
    fseek(f, 0, SEEK_END);
    *size = (size_t)ftell(f);
    rewind(f);
    uint8_t *bytes = malloc(*size + 1);
    CHECK(bytes && fread(bytes, 1, *size, f) == *size);
    fclose(f);
    return bytes;
}

int t_wait(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0) CHECK(errno == EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int t_descriptors(const char *directory)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/fd");
    CHECK(dir != NULL);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char path[64], target[1024];
        snprintf(path, sizeof path, "/proc/self/fd/%.20s", e->d_name);
        ssize_t length = readlink(path, target, sizeof target - 1);
        if (length < 0) continue;
        target[length] = 0;
        n += strncmp(target, directory, strlen(directory)) == 0;
    }
    closedir(dir);
    return n;
}

int t_mappings(const char *directory)
{
    char line[2048];
    int n = 0;
    FILE *f = fopen("/proc/self/maps", "r");
    CHECK(f != NULL);
    while (fgets(line, sizeof line, f)) n += strstr(line, directory) != NULL;
    fclose(f);
    return n;
}

bool t_full_scale(void)
{
    const char *scale = getenv("TAPE_TEST_SCALE");
    return scale && strcmp(scale, "1") == 0;
}

void t_seed(int argc, char **argv)
{
    unsigned seed = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : (unsigned)t_now_ns();
    fprintf(stderr, "seed %u\n", seed);
    srand(seed);
}

int64_t t_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

int64_t t_clock(void *ms) { return *(int64_t *)ms; }

tape_queue_options_t t_options(const char *roll_cycle, int64_t *ms)
{
    return (tape_queue_options_t){
        .struct_size = sizeof(tape_queue_options_t),
        .roll_cycle = roll_cycle,
        .block_size = 128 << 10,
        .clock = ms ? t_clock : NULL,
        .clock_user = ms,
    };
}

t_writer_t t_open_writer(const char *directory, const tape_queue_options_t *options)
{
    t_writer_t w;
    CHECK_OK(tape_queue_open(directory, options, &w.queue));
    CHECK_OK(tape_appender_open(w.queue, NULL, &w.appender));
    return w;
}

void t_close_writer(t_writer_t w)
{
    CHECK_OK(tape_appender_close(w.appender));
    CHECK_OK(tape_queue_close(w.queue));
}

tape_tailer_t *t_open_tailer(tape_queue_t *q, int64_t poll_ns)
{
    tape_tailer_options_t o = {.struct_size = sizeof o, .poll_interval_ns = poll_ns};
    tape_tailer_t *t;
    CHECK_OK(tape_tailer_open(q, &o, &t));
    return t;
}

int64_t t_write_in_place(tape_appender_t *a, const void *data, size_t size)
{
    void *room;
    int64_t rc = tape_appender_reserve(a, size, &room);
    if (rc < 0) return rc;
    memcpy(room, data, size);
    return tape_appender_publish(a, size);
}

static pid_t mapping_process(const char *directory, bool locks)
{
    int ready[2];
    char byte;
    CHECK(pipe(ready) == 0);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        tape__table_store_t table;
        if (tape__table_store_open(&table, directory, true) != TAPE_OK) _exit(1);
        uint64_t *word = tape__table_store_cell(&table, TAPE__KEY_WRITE_LOCK);
        if (locks && !CLAIM64(write_lock, word, TAPE__LOCK_FREE, (uint64_t)getpid())) _exit(2);
        if (write(ready[1], "x", 1) != 1) _exit(3);
        for (;;) pause();
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

pid_t t_mapping_process(const char *directory) { return mapping_process(directory, false); }
pid_t t_lock_holder(const char *directory) { return mapping_process(directory, true); }
