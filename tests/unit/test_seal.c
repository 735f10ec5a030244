/* SPDX-License-Identifier: MIT */
/* seccomp.h and user/map.h: what the filter answers, asked of the kernel itself; which range of ids
 * is a user's. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/seccomp.h>

#include "labd/kernel/seccomp.h"
#include "labd/user/map.h"
#include "lib/base/cleanup.h"

static long call(long nr, long a)
{
	long r = syscall(nr, a, 0, 0, 0, 0);
	return r < 0 ? -errno : r;
}

/* In a child under the filter: the number of the first check that fails, 0 for none. */
static int sealed(bool fake_ids)
{
	static const long denied[] = {
		SYS_unshare,	SYS_setns,	   SYS_mount,		SYS_umount2,
		SYS_pivot_root, SYS_bpf,	   SYS_perf_event_open, SYS_keyctl,
		SYS_reboot,	SYS_finit_module,  SYS_open_tree,	SYS_fsopen,
		SYS_move_mount, SYS_clock_settime, SYS_swapoff,		SYS_open_by_handle_at};
	struct sock_filter prog[SECCOMP_MAX];
	struct sock_fprog f = {(unsigned short)seccomp_program(prog, fake_ids), prog};
	uid_t me = geteuid();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &f) < 0)
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(denied); i++)
		if (call(denied[i], 0) != -EPERM)
			return 100 + (int)i;
	if (call(SYS_clone3, 0) != -ENOSYS || call(SYS_io_uring_setup, 0) != -ENOSYS)
		return 2;
	if (call(SYS_clone, CLONE_NEWUSER) != -EPERM || call(SYS_clone, CLONE_NEWNET) != -EPERM)
		return 3;
	if (socket(AF_VSOCK, SOCK_STREAM, 0) >= 0 || errno != EAFNOSUPPORT ||
	    socketpair(AF_TIPC, SOCK_RDM, 0, (int[2]){0}) >= 0 || errno != EAFNOSUPPORT)
		return 7;
	if (socket(AF_UNIX, SOCK_STREAM, 0) < 0 || socket(AF_INET6, SOCK_DGRAM, 0) < 0 ||
	    socket(AF_NETLINK, SOCK_RAW, 0) < 0)
		return 8;
	if (fork() == 0)
		_exit(0);
	if (wait(NULL) < 0 || getppid() <= 0 || access("/", R_OK) < 0)
		return 4;
	if (fake_ids && (call(SYS_setuid, 12345) != 0 || call(SYS_setgroups, 0) != 0 ||
			 call(SYS_fchown, -1) != 0 || geteuid() != me))
		return 5;
	if (!fake_ids && call(SYS_fchown, -1) != -EBADF)
		return 6;
	return 0;
}

static void the_filter_answers_as_it_says(void **state)
{
	for (int fake = 0; fake < 2; fake++) {
		int st;
		pid_t pid = fork();
		if (pid == 0)
			_exit(sealed(fake));
		assert_int_equal(waitpid(pid, &st, 0), pid);
		assert_true(WIFEXITED(st));
		assert_int_equal(WEXITSTATUS(st), 0);
	}
}

static void ranges_of_ids(void **state)
{
	static const char text[] =
		"# none of ours\nann:100000:65536\nann2:1:70000\n1000:300000:65536\n"
		"bob:5:10\nbob:400000:65536\nbroken:\neve:x:y\nlast:7:99999";
	struct id_range r;
	assert_true(map_find(text, "ann", 5000, 65536, &r));
	assert_int_equal(r.first, 100000);
	assert_true(map_find(text, "nobody", 1000, 65536, &r));
	assert_int_equal(r.first, 300000);
	assert_true(map_find(text, "bob", 5000, 65536, &r)); /* the small one doesn't do */
	assert_int_equal(r.first, 400000);
	assert_true(map_find(text, "last", 5000, 65536, &r));
	assert_int_equal(r.count, 99999);
	assert_false(map_find(text, "an", 5000, 65536, &r));
	assert_false(map_find(text, "broken", 5000, 1, &r));
	assert_false(map_find(text, "eve", 5000, 1, &r));
	assert_false(map_find(text, NULL, 5000, 1, &r));
	assert_false(map_find("", "ann", 0, 1, &r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_filter_answers_as_it_says),
		cmocka_unit_test(ranges_of_ids),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
