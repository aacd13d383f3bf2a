/* stage.c - see stage.h. */
#include "stage.h"

#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/sync_point.h"
#include "check.h"

enum { PATIENCE_S = 30 };

typedef struct {
    _Atomic uint32_t turn; /* odd: the actor's; even: the stage's */
    _Atomic uint32_t over;
    pid_t pid;
    char point[32];
} actor_t;

static actor_t *actors; /* in memory of all */
static bool dead[T_ACTORS_MAX];
static bool (*counts_as_step)(const char *point);
static int self = -1;

static void pass_on(actor_t *a)
{
    atomic_fetch_add(&a->turn, 1);
    syscall(SYS_futex, &a->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void t_stage_stand(const char *point)
{
    actor_t *a = &actors[self];
    snprintf(a->point, sizeof a->point, "%s", point);
    pass_on(a);
    for (uint32_t turn; (turn = atomic_load(&a->turn)) % 2 == 0;) /* for ever: it dies with us */
        syscall(SYS_futex, &a->turn, FUTEX_WAIT, turn, NULL, NULL, 0);
}

static void hook(const char *name)
{
    if (counts_as_step(name)) t_stage_stand(name);
}

void t_stage_set_up(bool (*counts)(const char *point))
{
    counts_as_step = counts;
    actors = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(actors != MAP_FAILED);
}

/* It is over with whatever it was at, also when a check of its own failed. */
static void end(int actor)
{
    int status;
    CHECK_EQ(waitpid(actors[actor].pid, &status, 0), actors[actor].pid);
    if (!dead[actor] && status != 0) CHECK_FAILED("actor %d ended with %d", actor, status);
}

static void play_it(int actor, void (*play)(int))
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    self = actor;
    play(actor);
    actors[actor].over = 1;
    pass_on(&actors[actor]);
    _exit(0);
}

/* An actor that died by itself passes nothing on: so it is asked for now and then. */
static void await_actor(int actor)
{
    actor_t *a = &actors[actor];
    const struct timespec slice = {0, 100000000};
    for (int n = 0; atomic_load(&a->turn) % 2 != 0; n++) {
        uint32_t turn = atomic_load(&a->turn);
        siginfo_t info = {.si_pid = 0};
        if (turn % 2 == 0) break;
        syscall(SYS_futex, &a->turn, FUTEX_WAIT, turn, &slice, NULL, 0);
        waitid(P_PID, (id_t)a->pid, &info, WEXITED | WNOHANG | WNOWAIT);
        if (info.si_pid && atomic_load(&a->turn) % 2 != 0)
            CHECK_FAILED("actor %d ended behind %s: %d", actor, a->point, info.si_status);
        if (n > PATIENCE_S * 10) CHECK_FAILED("actor %d stays behind %s", actor, a->point);
    }
    if (a->over) end(actor);
}

void t_stage_enter(int actor, void (*play)(int))
{
    CHECK(actor < T_ACTORS_MAX);
    actors[actor] = (actor_t){.turn = 1, .point = "nowhere"};
    dead[actor] = false;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        tape__sync_point_hook = hook;
        play_it(actor, play);
    }
    actors[actor].pid = pid;
    await_actor(actor);
}

void t_stage_go(int actor)
{
    CHECK_EQ(t_stage_state(actor), T_STANDS);
    pass_on(&actors[actor]);
    await_actor(actor);
}

void t_stage_kill(int actor)
{
    CHECK_EQ(t_stage_state(actor), T_STANDS);
    dead[actor] = true;
    CHECK_EQ(kill(actors[actor].pid, SIGKILL), 0);
    end(actor);
}

t_actor_state_t t_stage_state(int actor)
{
    if (dead[actor]) return T_DEAD;
    if (actors[actor].over || actors[actor].pid == 0) return T_OVER;
    return atomic_load(&actors[actor].turn) % 2 ? T_RUNS : T_STANDS;
}

const char *t_stage_point(int actor) { return actors[actor].point; }

pid_t t_stage_pid(int actor) { return actors[actor].pid; }
