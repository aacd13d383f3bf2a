/* Description: a file system that fills up under the queue (a small tmpfs; needs root): an append
 * that has no room is TAPE_ENOSPC and no signal, what is there can be read, and once there is room
 * all goes on. The same for creating a queue, and for rolling. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>

#include "helpers.h"
#include "queue_check.h"

#define DAY INT64_C(86400000)

static const char *directory;

/* Takes all the room there is, down to the last page. */
static void fill_disk(void)
{
    static const char zeros[4096];
    int fd = open(t_path(directory, "ballast"), O_WRONLY | O_CREAT | O_APPEND, 0666);
    CHECK(fd >= 0);
    while (write(fd, zeros, sizeof zeros) > 0) {}
    CHECK_EQ(errno, ENOSPC);
    close(fd);
}

static void make_room(void) { CHECK(unlink(t_path(directory, "ballast")) == 0); }

static int64_t read_all(tape_queue_t *q)
{
    tape_tailer_t *t;
    tape_excerpt_t e;
    int64_t n = 0;
    CHECK_OK(tape_tailer_open(q, NULL, &t));
    for (; tape_tailer_next(t, &e) == 1; n++) {
        CHECK_EQ(e.size, 3000);
        CHECK_EQ(e.data[2999], (uint8_t)n);
    }
    CHECK_OK(tape_tailer_close(t));
    return n;
}

static int64_t append(tape_appender_t *a, int64_t number)
{
    uint8_t data[3000];
    memset(data, (int)number, sizeof data);
    return tape_appender_write(a, data, sizeof data);
}

int main(void)
{
    directory = t_directory();
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", directory, "tmpfs", 0, "size=4m") != 0)
        SKIP("mounting a tmpfs is not permitted");
    int64_t ms = 50 * DAY, rc, n = 0;
    tape_queue_options_t o = t_options(NULL, &ms);
    tape_queue_t *q;
    tape_appender_t *a;
    const char *path = t_path(directory, "queue");
    char queue[256];
    snprintf(queue, sizeof queue, "%s", path);

    fill_disk();
    CHECK_EQ(tape_queue_open(queue, &o, &q), TAPE_ENOSPC);
    make_room();
    CHECK_OK(tape_queue_open(queue, &o, &q));
    CHECK_OK(tape_appender_open(q, NULL, &a));

    fill_disk(); /* no room for the first cycle file */
    CHECK_EQ(append(a, n), TAPE_ENOSPC);
    CHECK_EQ(tape_queue_last_index(q), TAPE_ENOINDEX);
    make_room();

    while ((rc = append(a, n)) >= 0) n++; /* until it is full by itself */
    CHECK_EQ(rc, TAPE_ENOSPC);
    CHECK(n > 900);
    CHECK_EQ(append(a, n), TAPE_ENOSPC);
    CHECK_EQ(read_all(q), n);
    CHECK_EQ(t_check_queue(queue, T_WHOLE).messages, n);
    tape_error_facts_t facts;
    CHECK_EQ(append(a, n), TAPE_ENOSPC);
    tape_error_last(&facts);
    CHECK_EQ(facts.system_errno, ENOSPC);

    ms += DAY; /* rolling has no room either; the old cycle is only ended */
    CHECK_EQ(append(a, n), TAPE_ENOSPC);
    CHECK_EQ(read_all(q), n);
    CHECK(umount2(directory, 0) != 0); /* still alive, and the files are in use */
    CHECK(mount(NULL, directory, NULL, MS_REMOUNT, "size=8m") == 0);
    for (int i = 0; i < 200; i++) CHECK_OK(append(a, n++));
    CHECK_EQ(read_all(q), n);

    fill_disk(); /* somebody else takes the room; what is reserved is ours */
    while ((rc = append(a, n)) >= 0) n++;
    CHECK_EQ(rc, TAPE_ENOSPC);
    make_room();
    CHECK_OK(append(a, n++));
    CHECK_EQ(read_all(q), n);
    CHECK_EQ(t_check_queue(queue, T_WHOLE).messages, n);
    CHECK_OK(tape_appender_close(a));
    CHECK_OK(tape_queue_close(q));
    CHECK(umount(directory) == 0);
    return 0;
}
