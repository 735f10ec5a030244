/* SPDX-License-Identifier: MIT */
/*
 * The floor's first process and container: the smallest programs there can be, without a C library
 * (whose start alone costs many traps of a virtual machine). As "pause" it starts "sleep", which is
 * this program again, and both wait for ever.
 */
#include <stddef.h>
#include <sys/syscall.h>

static long call(long n, long a, long b, long c)
{
	long r;
	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(n), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return r;
}

static void sleep_for_ever(void)
{
	for (;;)
		call(SYS_pause, 0, 0, 0);
}

__attribute__((used)) static void start(long *stack)
{
	char **argv = (char **)(stack + 1);
	static char *sleep_argv[] = {"sleep", NULL};

	if (stack[0] < 2 || argv[0][0] != 'p')
		sleep_for_ever();
	/* argv[1]: where this program is seen from inside */
	if (call(SYS_fork, 0, 0, 0) == 0) {
		call(SYS_execve, (long)argv[1], (long)sleep_argv, 0);
		sleep_for_ever();
	}
	sleep_for_ever();
}

__asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall start\n");
