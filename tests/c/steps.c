/* steps.c - see steps.h. */
#include "steps.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "base/bytes.h"
#include "check.h"

void t_steps_begin(void)
{
    CHECK_EQ(ptrace(PTRACE_TRACEME, 0, 0, 0), 0);
    raise(SIGSTOP);
}

void t_steps_await(pid_t child)
{
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSTOPPED(status));
}

/* Somebody may stop and continue all of us meanwhile. */
static bool go_on(pid_t child, int how)
{
    int status;
    do {
        CHECK_EQ(ptrace(how, child, 0, 0), 0);
        CHECK_EQ(waitpid(child, &status, 0), child);
    } while (WIFSTOPPED(status) &&
             (WSTOPSIG(status) == SIGSTOP || WSTOPSIG(status) == SIGCONT));
    if (WIFSTOPPED(status)) CHECK_EQ(WSTOPSIG(status), SIGTRAP);
    else CHECK_EQ(status, 0);
    return WIFSTOPPED(status);
}

bool t_steps_next(pid_t child) { return go_on(child, PTRACE_SINGLESTEP); }

bool t_steps_next_call(pid_t child) { return go_on(child, PTRACE_SYSCALL); }

/* The child was forked from us: what it executes stands at the same place here. */
bool t_steps_is_call(pid_t child)
{
#ifdef __x86_64__
    enum { SYSCALL = 0x050F };
    const long at = ptrace(PTRACE_PEEKUSER, child, offsetof(struct user_regs_struct, rip), 0);
    const uint8_t *code = (const uint8_t *)(uintptr_t)at;
    return (code[0] | code[1] << 8) == SYSCALL;
#else
    (void)child;
    return true;
#endif
}

void t_steps_let_go(pid_t child) { (void)ptrace(PTRACE_DETACH, child, 0, 0); }
