/* Description: a process goes, one machine instruction after the other, through making a queue,
 * appending, rolling and mending what others left, and from call to call through a repair; each
 * time that a byte of the files or a name has changed, a copy of the directory is what a death
 * there would leave. Each such state opens, gives what was acknowledged, can be written, and is
 * whole then.
 *
 * All scenes with TAPE_TEST_SCALE=1, or the one that the argument names; else those that are
 * quick. */
#include <sys/wait.h>

#include "disk_states.h"
#include "scenes.h"
#include "steps.h"

enum { STEPS, CHANGES, STATES };

static const char *queue_path, *copy_path;
static const t_scene_t *scene;

/* Follows a child from t_steps_begin() to its end, and judges each state on the way. */
static void follow(pid_t child, t_disk_met_t *met)
{
    t_steps_await(child);
    const bool by_calls = strchr(scene->play, 'r') != NULL; /* repair maps nothing */
    t_disk_t *disk = t_disk_watch(queue_path, !by_calls);
    bool call = false, goes_on = true;
    do {
        if (t_disk_has_changed(disk, call)) {
            t_shared->counts[CHANGES]++;
            if (t_disk_is_new(met, t_disk_hash(queue_path, child))) {
                snprintf(t_shared->where, sizeof t_shared->where, "%s, instruction %" PRId64,
                         scene->name, t_shared->counts[STEPS]);
                t_disk_copy(queue_path, copy_path);
                t_scene_judge(scene, copy_path, t_shared->counts[STATES]++ % 2 == 1);
            }
        }
        call = by_calls || t_steps_is_call(child);
        goes_on = by_calls ? t_steps_next_call(child) : t_steps_next(child);
        t_shared->counts[STEPS]++;
    } while (goes_on);
    t_disk_unwatch(disk);
}

static void go_through(void)
{
    t_disk_met_t met = {NULL, 0};
    t_scene_prepare(scene, queue_path);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        t_scene_play(scene, queue_path, t_steps_begin);
        _exit(0);
    }
    follow(child, &met);
}

int main(int argc, char **argv)
{
    if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 0);
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    if (argc < 2) return 77; /* a sanitizer has too many steps of its own, which tell nothing */
#endif
    queue_path = t_directory();
    copy_path = t_directory();
    t_scenes_set_up();
    for (int n = 0; n < t_scene_count; n++) {
        if (argc > 1 ? strcmp(argv[1], t_scenes[n].name) != 0
                     : t_scenes[n].slow && !t_full_scale())
            continue;
        const int64_t start = t_now_ns();
        scene = &t_scenes[n];
        t_scenes_run(go_through);
        printf("%s: %" PRId64 " steps, %" PRId64 " changes, %" PRId64 " states; %.1f s\n",
               scene->name, t_shared->counts[STEPS], t_shared->counts[CHANGES],
               t_shared->counts[STATES], (double)(t_now_ns() - start) / 1e9);
        fflush(stdout);
        CHECK(t_shared->counts[STATES] > 4);
    }
    return 0;
}
