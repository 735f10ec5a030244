/* SPDX-License-Identifier: MIT */
/* proc_clone: children that share our memory until they exec, some born in a lab's control group;
 * see proc_priv.h and cgroup.h. */
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#include "labd/kernel/cgroup.h"
#include "labd/kernel/proc_priv.h"

#define CHILD_STACK (256 * 1024)

static char stacks[2][CHILD_STACK] __attribute__((aligned(16)));

static void fresh_stack(int depth)
{
#ifdef __SANITIZE_ADDRESS__
	/* The last child to stand on it left by exec, its frames still marked. */
	ASAN_UNPOISON_MEMORY_REGION(stacks[depth], CHILD_STACK);
#endif
}

pid_t proc_clone(int depth, int (*fn)(void *), void *arg, unsigned flags, int *pidfd)
{
	fresh_stack(depth);
	pid_t pid = clone(fn, stacks[depth] + CHILD_STACK,
			  (int)(flags | CLONE_VM | CLONE_VFORK | SIGCHLD), arg, pidfd);
	return pid < 0 ? -errno : pid;
}

/* clone(3) for clone3(2), which has no function in the library: a child on a stack of its own that
 * calls fn(arg) and ends with what it returns. */
static long clone3_call(struct clone_args *a, int (*fn)(void *), void *arg)
{
#if defined(__x86_64__)
	register int (*f)(void *) __asm__("r12") = fn;
	register void *p __asm__("r13") = arg;
	long r = SYS_clone3;
	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %%r13, %%rdi\n\t"
			 "call *%%r12\n\t"
			 "mov %%eax, %%edi\n\t"
			 "mov %[exit], %%eax\n\t"
			 "syscall\n"
			 "1:"
			 : "+a"(r)
			 : "D"(a), "S"(sizeof(*a)), "r"(f), "r"(p), [exit] "i"(SYS_exit)
			 : "rcx", "r11", "memory", "cc");
	return r;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = SYS_clone3;
	register long x0 __asm__("x0") = (long)a;
	register long x1 __asm__("x1") = sizeof(*a);
	register int (*f)(void *) __asm__("x20") = fn;
	register void *p __asm__("x21") = arg;
	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, xzr\n\t"
			 "mov x0, x21\n\t"
			 "blr x20\n\t"
			 "mov x8, %[exit]\n\t"
			 "svc #0\n"
			 "1:"
			 : "+r"(x0), "+r"(x8)
			 : "r"(x1), "r"(f), "r"(p), [exit] "i"(SYS_exit)
			 : "x30", "memory", "cc");
	return x0;
#else
	return -ENOSYS;
#endif
}

struct joiner {
	const struct cgroup *cg;
	int (*fn)(void *);
	void *arg;
	int r;
};

static int join_first(void *arg)
{
	struct joiner *j = arg;
	j->r = cgroup_join(j->cg);
	return j->r < 0 ? 1 : j->fn(j->arg);
}

pid_t proc_clone_in(const struct cgroup *cg, int (*fn)(void *), void *arg, unsigned flags)
{
	if (cg->dir >= 0) {
		struct clone_args a = {
			.flags = flags | CLONE_VM | CLONE_VFORK | CLONE_INTO_CGROUP,
			.exit_signal = SIGCHLD,
			.stack = (uintptr_t)stacks[0],
			.stack_size = CHILD_STACK,
			.cgroup = (unsigned)cg->dir,
		};
		fresh_stack(0);
		long r = clone3_call(&a, fn, arg);
		if (r != -ENOSYS)
			return (pid_t)r;
	}
	struct joiner j = {cg, fn, arg, 0};
	pid_t pid = proc_clone(0, join_first, &j, flags, NULL);
	if (pid > 0 && j.r < 0) {
		proc_wait(pid);
		return j.r;
	}
	return pid;
}
