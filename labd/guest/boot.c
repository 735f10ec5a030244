/* SPDX-License-Identifier: MIT */
/*
 * boot: see boot.h for the processes and the directory; here from top to bottom: what the kernel
 * needs (program, memory, directory), its command line, the kernel's and the warden's own code, and
 * the end.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "labd/guest/boot.h"
#include "labd/guest/privdir.h"
#include "labd/guest/sweep.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/strbuf.h"

#define WIRE_FD 3 /* in the kernel process */
#define LOG_FD	4

/* --- what it needs --------------------------------------------------------------------------- */

static int find_kernel(const struct boot_opts *o, char path[PATH_MAX], struct err *err)
{
	const char *name = o->kernel ? o->kernel : getenv("LABD_GUEST_KERNEL");
	static const char *const places[] = {"/usr/bin/linux.uml", "/usr/local/bin/linux.uml"};

	if (name && *name) {
		snprintf(path, PATH_MAX, "%s", name);
		if (access(path, X_OK) == 0)
			return 0;
	}
	for (size_t i = 0; !(name && *name) && i < ARRAY_SIZE(places); i++) {
		snprintf(path, PATH_MAX, "%s", places[i]);
		if (access(path, X_OK) == 0)
			return 0;
	}
	err_setc(err, ENOENT, ERR_UNSUPPORTED, "no User-Mode Linux kernel here (%s)",
		 name && *name ? name : places[0]);
	return err_hint(err, "apt-get install user-mode-linux");
}

static int find_mem(const struct boot_opts *o, unsigned *mib, struct err *err)
{
	const char *s = getenv("LABD_GUEST_MEM");
	unsigned long n = BOOT_MEM_DEFAULT;
	char *end;

	if (o->mem_mib) {
		n = o->mem_mib;
	} else if (s && *s) {
		errno = 0;
		n = strtoul(s, &end, 10);
		if (toupper((unsigned char)*end) == 'G' && n <= BOOT_MEM_MAX)
			n *= 1024;
		if (toupper((unsigned char)*end) == 'G' || toupper((unsigned char)*end) == 'M')
			end++;
		if (*end || errno || !isdigit((unsigned char)*s))
			n = 0;
	}
	if (n < BOOT_MEM_MIN || n > BOOT_MEM_MAX)
		return err_setc(err, EINVAL, ERR_USAGE,
				"LABD_GUEST_MEM: between %uM and %uM of memory, such as 512M",
				BOOT_MEM_MIN, BOOT_MEM_MAX);
	*mib = (unsigned)n;
	return 0;
}

unsigned boot_timeout(void)
{
	const char *s = getenv("LABD_GUEST_TIMEOUT");
	int n = s ? atoi(s) : 0;

	return n > 0 && n < 86400 ? (unsigned)n : BOOT_TIMEOUT_DEFAULT;
}

int boot_possible(struct err *err)
{
	static const struct boot_opts none = {0};
	char kernel[PATH_MAX];
	unsigned mib;

	if (find_kernel(&none, kernel, err) || find_mem(&none, &mib, err))
		return -EOPNOTSUPP;
	return privdir_base(mib, err) ? 0 : -EOPNOTSUPP;
}

/* --- the kernel ------------------------------------------------------------------------------ */

#define SKIP_INITCALLS                                                                             \
	"initcall_blacklist=raid6_select_algo,calibrate_xor_blocks,ubd_init,ubd_driver_init,"      \
	"ssl_init"

/*
 * What is cut from Debian's boot, measured on the development machine (1.25 s to init, 0.3 s
 * after): the RAID6 and XOR benchmarks (0.75 s), the delay loop's calibration (lpj, 0.1 s; nothing
 * in UML depends on its value), 64 serial lines and the block driver that aren't used.
 * initcall_blacklist needs CONFIG_KALLSYMS, which Debian's has; elsewhere it does no harm.
 * devtmpfs.mount=0: labd itself may live below /dev/shm, and init must be found before anything
 * covers it. ro: no accidents; what keeps the host safe is the uid. Console 0 is the log, console 1
 * the pipe.
 */
static const char *const kernel_args[] = {
	"rootfstype=hostfs", "rootflags=/", "root=98:0",    "ro",
	"console=tty0",	     "quiet",	    "lpj=20000000", "devtmpfs.mount=0",
	SKIP_INITCALLS,	     "con=null",    "umid=g",
};

/* Of the engine's environment, for the labd inside. */
static const char *const passed_on[] = {"LABD_DRAIN_MS", "LABD_FAULTS"};
#define WORD_CHARS "0123456789abcdefghijklmnopqrstuvwxyz"

static int build_argv(const struct boot_opts *o, const char *kernel, const char *dir, unsigned mib,
		      struct strbuf *words, struct err *err)
{
	const char *s;

	strbuf_addf(words, "%s%c", kernel, 0);
	for (size_t i = 0; i < ARRAY_SIZE(kernel_args); i++)
		strbuf_addf(words, "%s%c", kernel_args[i], 0);
	strbuf_addf(words, "con0=null,fd:%d%c", LOG_FD, 0);
	strbuf_addf(words, "con1=fd:%d,fd:%d%c", WIRE_FD, WIRE_FD, 0);
	strbuf_addf(words, "mem=%uM%c", mib, 0);
	strbuf_addf(words, "LABD_GUEST_OWNER=%u%c", (unsigned)getuid(), 0);
	/* Settings of the labd inside: words with "=" that the kernel does not know become its
	 * environment. */
	for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++) {
		s = getenv(passed_on[i]);
		if (s && *s && strspn(s, WORD_CHARS) == strlen(s))
			strbuf_addf(words, "%s=%s%c", passed_on[i], s, 0);
	}
	strbuf_addf(words, "uml_dir=%s/run/%c", dir, 0);
	strbuf_addf(words, "init=%s/bin/labd%c--%c--guest-init%c", dir, 0, 0, 0);
	for (size_t i = 0; o->args && (s = o->args[i]); i++) {
		if (!*s || strpbrk(s, " \t\n\""))
			return err_setc(err, EINVAL, ERR_USAGE, "guest argument '%s': no blanks",
					s);
		strbuf_addf(words, "%s%c", s, 0);
	}
	if (words->len > BOOT_CMDLINE_MAX)
		return err_setc(err, E2BIG, ERR_USAGE, "too long a command line for the guest");
	return 0;
}

struct plan {
	const struct boot_opts *o;
	char dir[PRIVDIR_MAX];
	bool drop;
	char **argv;
	int wire, log, life; /* the warden's ends */
	int lock;	     /* of dir */
	struct stat socket;  /* of o->socket_path; st_ino 0: none */
};

/*
 * Keep the kernel and its children on one CPU. It uses one only, and each system call and page
 * fault in the guest is a switch between two of its processes: 40 us on one CPU, 100-200 us when
 * the other has to be woken (measured, in a virtual machine); the whole boot takes half the time.
 * The CPU on which a new process finds itself is the one the scheduler thought the least busy.
 */
static void stay_on_one_cpu(void)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	if (cpu < 0 || cpu >= CPU_SETSIZE || getenv("LABD_GUEST_NO_PIN"))
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* In the kernel's process. Says on the log what failed. */
static void __attribute__((noreturn)) exec_kernel(const struct plan *p, pid_t parent)
{
	char tmpdir[PRIVDIR_MAX + 16], home[PRIVDIR_MAX + 16];
	char *env[] = {tmpdir, home, (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	struct rlimit no_core = {0, 0};
	sigset_t none;
	int null = open("/dev/null", O_RDWR);

	snprintf(tmpdir, sizeof(tmpdir), "TMPDIR=%s/run", p->dir);
	snprintf(home, sizeof(home), "HOME=%s/run", p->dir);
	setrlimit(RLIMIT_CORE, &no_core);
	umask(077);
	stay_on_one_cpu();
	if (p->drop && privdir_become_nobody() < 0) {
		dprintf(p->log, "labd: can't become uid %d: %s\n", PRIVDIR_UID, strerror(errno));
		_exit(126);
	}
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	/* After the change of uid, which clears it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || chdir("/") < 0)
		_exit(126);
	/* wire and log may be 3 and 4 the other way round: lift them out of the way first. */
	int wire = fcntl(p->wire, F_DUPFD, 10);
	int log = fcntl(p->log, F_DUPFD, 10);

	dup2(null, 0);
	dup2(log, 1);
	dup2(log, 2);
	dup2(wire, WIRE_FD);
	dup2(log, LOG_FD);
	syscall(SYS_close_range, LOG_FD + 1, ~0u, 0);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(p->argv[0], p->argv, env);
	dprintf(2, "labd: %s: %s\n", p->argv[0], strerror(errno));
	_exit(127);
}

/* --- the warden ------------------------------------------------------------------------------ */

static void tell_end(int log, const siginfo_t *si)
{
	if (si->si_code == CLD_EXITED && si->si_status == 0)
		return;
	if (si->si_code == CLD_EXITED)
		dprintf(log, "labd: the guest kernel ended with exit code %d\n", si->si_status);
	else
		dprintf(log, "labd: the guest kernel was ended by signal %d (%s)\n", si->si_status,
			strsignal(si->si_status));
}

/* Not that of an engine which came after ours: it may have the number of the same inode. */
static void remove_socket(const struct plan *p)
{
	const struct stat *was = &p->socket;
	struct stat st;

	if (was->st_ino && stat(p->o->socket_path, &st) == 0 && st.st_ino == was->st_ino &&
	    st.st_dev == was->st_dev && st.st_mtim.tv_sec == was->st_mtim.tv_sec &&
	    st.st_mtim.tv_nsec == was->st_mtim.tv_nsec)
		unlink(p->o->socket_path);
}

/*
 * The cell: process 1 of a PID namespace of its own, between warden and kernel, so that no process
 * of the kernel's outlives it even if warden and engine are killed at once.
 */
static void __attribute__((noreturn)) cell_main(const struct plan *p)
{
	siginfo_t si = {0};
	pid_t self = getpid();
	pid_t kernel;

	prctl(PR_SET_NAME, "labd-cell");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	kernel = fork();
	if (kernel == 0)
		exec_kernel(p, self);
	close(p->wire);
	close(p->life);
	if (kernel > 0 && waitid(P_PID, (id_t)kernel, &si, WEXITED) == 0)
		tell_end(p->log, &si);
	_exit(si.si_code == CLD_EXITED && si.si_status == 0 ? 0 : 1);
}

static int write_file(const char *path, const char *text)
{
	_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

/* Children of this process get a PID namespace; an ordinary user needs a user namespace for that.
 */
static int enter_pid_namespace(void)
{
	char uid_map[64], gid_map[64];

	snprintf(uid_map, sizeof(uid_map), "%u %u 1", getuid(), getuid());
	snprintf(gid_map, sizeof(gid_map), "%u %u 1", getgid(), getgid());
	if (geteuid() == 0)
		return unshare(CLONE_NEWPID);
	if (unshare(CLONE_NEWUSER) < 0 || write_file("/proc/self/setgroups", "deny") < 0 ||
	    write_file("/proc/self/uid_map", uid_map) < 0 ||
	    write_file("/proc/self/gid_map", gid_map) < 0)
		return -1;
	return unshare(CLONE_NEWPID);
}

/* Some systems forbid it half-way, which would leave us in a useless user namespace: try in a
 * child. */
static bool have_pid_namespace(void)
{
	pid_t pid = fork();
	int status = 1;

	if (pid == 0)
		_exit(enter_pid_namespace() == 0 ? 0 : 1);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0 && enter_pid_namespace() == 0;
}

static void __attribute__((noreturn)) warden_main(const struct plan *p)
{
	siginfo_t si = {0};
	struct err err;
	pid_t self = getpid();
	pid_t child;
	bool cell;

	prctl(PR_SET_NAME, "labd-warden");
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	setsid();
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, sig == SIGCHLD ? SIG_DFL : SIG_IGN);
	cell = have_pid_namespace();
	child = fork();
	if (child == 0 && cell)
		cell_main(p);
	if (child == 0)
		exec_kernel(p, self);
	close(p->wire);
	if (child < 0)
		dprintf(p->log, "labd: fork: %s\n", strerror(errno));
	else if (!sweep_wait(child, p->life, &si) && !(cell && si.si_code == CLD_EXITED))
		tell_end(p->log, &si);
	sweep_children();
	dir_remove(p->dir, &err);
	remove_socket(p);
	_exit(child > 0 && si.si_code == CLD_EXITED && si.si_status == 0 ? 0 : 1);
}

/* The warden keeps nothing of the engine's but what it needs: clients must see their sockets close.
 */
static void warden_fds(struct plan *p)
{
	int null = open("/dev/null", O_RDWR);
	int *mine[] = {&p->wire, &p->log, &p->life, &p->lock};

	for (size_t i = 0; i < ARRAY_SIZE(mine); i++)
		*mine[i] = fcntl(*mine[i], F_DUPFD_CLOEXEC, 100);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	syscall(SYS_close_range, 3, 99, 0);
	for (int fd = 100; fd < 1024; fd++) {
		if (fd != p->wire && fd != p->log && fd != p->life && fd != p->lock)
			close(fd);
	}
	syscall(SYS_close_range, 1024, ~0u, 0);
}

/* --- start and end --------------------------------------------------------------------------- */

static int start_warden(struct plan *p, struct boot *b, struct err *err)
{
	int wire[2] = {-1, -1}, log[2] = {-1, -1}, life[2] = {-1, -1};
	int r = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, wire) < 0 ||
	    pipe2(log, O_CLOEXEC) < 0 || pipe2(life, O_CLOEXEC) < 0)
		r = err_sys(err, errno, "pipes for the guest");
	p->wire = wire[1];
	p->log = log[1];
	p->life = life[0];
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (!r)
		b->warden = fork();
	if (!r && b->warden == 0) {
		warden_fds(p);
		warden_main(p);
	}
	if (!r && b->warden < 0)
		r = err_sys(err, errno, "fork");
	close(wire[1]);
	close(log[1]);
	close(life[0]);
	b->wire = wire[0];
	b->log = log[0];
	b->life = life[1];
	if (r)
		return r;
	fcntl(b->log, F_SETFL, O_NONBLOCK);
	b->warden_fd = (int)syscall(SYS_pidfd_open, b->warden, 0);
	return b->warden_fd < 0 ? err_sys(err, errno, "pidfd_open") : 0;
}

int boot_start(const struct boot_opts *o, struct boot *b, struct err *err)
{
	_strbuf_ struct strbuf words = STRBUF_INIT;
	struct plan p = {.o = o, .drop = geteuid() == 0};
	char kernel[PATH_MAX];
	char *argv[256] = {NULL};
	struct privdir_programs progs = {o->labd, o->helpers};
	const char *base;
	unsigned mib;
	size_t n = 0;
	int r;

	*b = BOOT_INIT;
	if (find_kernel(o, kernel, err) || find_mem(o, &mib, err) ||
	    !(base = privdir_base(mib, err)))
		return err->code;
	r = privdir_make(base, &progs, p.dir, &b->lock, err);
	if (!r)
		r = build_argv(o, kernel, p.dir, mib, &words, err);
	for (size_t at = 0; !r && at < words.len && n + 1 < ARRAY_SIZE(argv);
	     at += strlen(words.s + at) + 1)
		argv[n++] = words.s + at;
	p.argv = argv;
	p.lock = b->lock;
	if (!o->socket_path || stat(o->socket_path, &p.socket) < 0)
		p.socket.st_ino = 0;
	snprintf(b->dir, sizeof(b->dir), "%s", p.dir);
	if (!r)
		r = start_warden(&p, b, err);
	if (r)
		boot_end(b);
	return r ? err_wrap(err, "guest") : 0;
}

bool boot_end(struct boot *b)
{
	int status = 1;
	int *fds[] = {&b->life, &b->wire, &b->warden_fd, &b->lock};
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
	if (b->warden > 0) {
		while (waitpid(b->warden, &status, 0) < 0 && errno == EINTR)
			;
		b->warden = -1;
		sweep_children(); /* nothing, unless the warden itself was killed */
	}
	if (b->dir[0])
		dir_remove(b->dir, &err);
	b->dir[0] = '\0';
	return status == 0;
}
