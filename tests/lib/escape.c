/* SPDX-License-Identifier: MIT */
/*
 * escape: what root in a node or a pod might try on the machine; see tests/escape.bats, which puts
 * this static program inside and looks at what did not happen. `escape NAME [ARG]` makes one
 * attempt, in every way it knows, and ends with 0 when all were refused; else it says which was
 * not.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ALL(array) (sizeof(array) / sizeof(*(array)))

static int done;

/* Note an attempt: r < 0 is a refusal. */
static void attempt(const char *what, long r)
{
	if (r >= 0) {
		printf("NOT REFUSED: %s\n", what);
		done++;
	} else {
		printf("refused: %s (%s)\n", what, strerror(errno));
	}
}

static long raw(long nr, long a, long b, long c, long d, long e)
{
	return syscall(nr, a, b, c, d, e);
}

static long try_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -1;
	long r = write(fd, text, strlen(text));
	int e = errno;
	close(fd);
	errno = e;
	return r;
}

/* ---- the file system --------------------------------------------------------------------------
 */

static void for_each_pid(void (*fn)(const char *pid, const char *arg), const char *arg)
{
	DIR *d = opendir("/proc");
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] >= '0' && e->d_name[0] <= '9')
			fn(e->d_name, arg);
	if (d)
		closedir(d);
}

static void look_through(const char *pid, const char *file)
{
	static const char *const ways[] = {"root", "cwd", "root/..", "cwd/../../../../.."};
	char path[512];
	for (size_t i = 0; i < ALL(ways); i++) {
		snprintf(path, sizeof(path), "/proc/%s/%s%s", pid, ways[i], file);
		if (access(path, F_OK) == 0)
			attempt(path, 0);
	}
}

/* ARG: a file of the machine that is not in what a pod sees. */
static void files(const char *file)
{
	attempt("open it", open(file, O_RDONLY));
	for_each_pid(look_through, file);
	int root = open("/", O_RDONLY | O_DIRECTORY);
	mkdir("/tmp/jail", 0755);
	if (root >= 0 && chroot("/tmp/jail") == 0 && fchdir(root) == 0) {
		for (int i = 0; i < 64; i++)
			if (chdir("..") < 0)
				break;
		if (chroot(".") < 0)
			perror("chroot");
	}
	attempt("open it after breaking out of a chroot", open(file, O_RDONLY));
	/* Perhaps one of its own root, perhaps none; the test looks for it on the machine's. */
	close(open("/escaped", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	struct {
		struct file_handle h;
		unsigned char more[128];
	} h = {.h.handle_bytes = 8, .h.handle_type = 1, .more = {2}}; /* inode 2: ext4's root */
	attempt("open_by_handle_at", open_by_handle_at(root, &h.h, O_RDONLY));
}

static void readonly(const char *arg)
{
	static const char *const places[] = {
		"/usr/escaped", "/usr/bin/escaped",  "/etc/escaped",  "/dev/escaped",
		"/opt/escaped", "/opt/labd/escaped", "/proc/escaped", "/sys/escaped"};
	for (size_t i = 0; i < ALL(places); i++)
		attempt(places[i], open(places[i], O_WRONLY | O_CREAT, 0644));
	attempt("write to a program", open("/usr/bin/env", O_WRONLY));
	attempt("remove a program", unlink("/usr/bin/env"));
	attempt("chmod a program", chmod("/usr/bin/env", 04755));
}

static void mounts(const char *arg)
{
	mkdir("/tmp/m", 0755);
	attempt("mount tmpfs", mount("x", "/tmp/m", "tmpfs", 0, NULL));
	attempt("mount proc", mount("x", "/tmp/m", "proc", 0, NULL));
	attempt("mount sysfs", mount("x", "/tmp/m", "sysfs", 0, NULL));
	attempt("mount devtmpfs", mount("x", "/tmp/m", "devtmpfs", 0, NULL));
	attempt("mount debugfs", mount("x", "/tmp/m", "debugfs", 0, NULL));
	attempt("mount cgroup2", mount("x", "/tmp/m", "cgroup2", 0, NULL));
	attempt("mount cgroup", mount("x", "/tmp/m", "cgroup", 0, "pids"));
	attempt("bind", mount("/usr", "/tmp/m", NULL, MS_BIND, NULL));
	attempt("/usr writable", mount(NULL, "/usr", NULL, MS_REMOUNT | MS_BIND, NULL));
	attempt("/proc writable", mount(NULL, "/proc", NULL, MS_REMOUNT | MS_BIND, NULL));
	attempt("/sys writable", mount(NULL, "/sys", NULL, MS_REMOUNT, NULL));
	attempt("/proc/kcore uncovered", umount2("/proc/kcore", MNT_DETACH));
	attempt("/proc uncovered", umount2("/proc", MNT_DETACH));
	attempt("/ uncovered", umount2("/", MNT_DETACH));
	attempt("shared", mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL));
	attempt("open_tree", raw(SYS_open_tree, AT_FDCWD, (long)"/", OPEN_TREE_CLONE, 0, 0));
	attempt("fsopen", raw(SYS_fsopen, (long)"proc", 0, 0, 0, 0));
	attempt("pivot_root", raw(SYS_pivot_root, (long)"/tmp", (long)"/tmp/m", 0, 0, 0));
}

/* ARG: MAJOR:MINOR of the machine's disk. */
static void devices(const char *disk)
{
	static const char *const nodes[] = {
		"/dev/mem", "/dev/kmem", "/dev/port",	 "/dev/kmsg",  "/dev/sda",
		"/dev/vda", "/dev/fuse", "/dev/net/tun", "/dev/loop0", "/dev/loop-control"};
	unsigned major = 8, minor = 0;
	for (size_t i = 0; i < ALL(nodes); i++)
		attempt(nodes[i], open(nodes[i], O_RDWR));
	if (disk)
		sscanf(disk, "%u:%u", &major, &minor);
	const dev_t devs[] = {makedev(major, minor), makedev(1, 1), makedev(1, 11)};
	for (size_t i = 0; i < ALL(devs); i++) {
		unlink("/tmp/d");
		long r = mknod("/tmp/d", (i ? S_IFCHR : S_IFBLK) | 0600, devs[i]);
		attempt("mknod", r);
		/* Where it is said that it worked, for a user namespace's sake, it must not have.
		 */
		attempt("open what mknod made", open("/tmp/d", O_RDONLY));
	}
	int core = open("/proc/kcore", O_RDONLY);
	attempt("read /proc/kcore", core < 0 || lseek(core, 0, SEEK_END) <= 0 ? -1 : 0);
}

/* ---- processes --------------------------------------------------------------------------------
 */

/* ARG: the pid of a process of the machine. */
static void processes(const char *pid)
{
	pid_t p = (pid_t)atoi(pid);
	char buf[8];
	struct iovec local = {buf, sizeof(buf)}, remote = {(void *)0x400000, sizeof(buf)};
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/status", p);
	attempt("see it", access(path, F_OK));
	attempt("signal it", kill(p, SIGTERM));
	attempt("ptrace it", ptrace(PTRACE_SEIZE, p, 0, 0));
	attempt("read its memory", process_vm_readv(p, &local, 1, &remote, 1, 0));
	attempt("a pidfd of it", raw(SYS_pidfd_open, p, 0, 0, 0, 0));
	attempt("its priority", raw(SYS_setpriority, 0, p, -20, 0, 0));
}

static void kill_all(const char *arg)
{
	/* Allowed: it means those inside. The test looks who is left. */
	if (fork() == 0) {
		kill(-1, SIGKILL);
		_exit(0);
	}
	wait(NULL);
}

static void join(const char *pid, const char *arg)
{
	static const char *const kinds[] = {"mnt", "net", "pid", "user", "ipc", "uts", "cgroup"};
	char path[512];
	for (size_t i = 0; i < ALL(kinds); i++) {
		snprintf(path, sizeof(path), "/proc/%s/ns/%s", pid, kinds[i]);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		attempt(path, setns(fd, 0));
		close(fd);
	}
}

static void namespaces(const char *arg)
{
	static const int flags[] = {
		CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWPID,    CLONE_NEWNET,
		CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP, CLONE_NEWUSER | CLONE_NEWNS};
	for_each_pid(join, NULL);
	for (size_t i = 0; i < ALL(flags); i++) {
		attempt("unshare", unshare(flags[i]));
		attempt("clone", raw(SYS_clone, flags[i] | SIGCHLD, 0, 0, 0, 0));
		struct {
			unsigned long long flags, more[10];
		} args = {.flags = (unsigned)flags[i]};
		attempt("clone3", raw(SYS_clone3, (long)&args, 88, 0, 0, 0));
	}
	int pidfd = (int)raw(SYS_pidfd_open, 1, 0, 0, 0, 0);
	attempt("setns by pidfd", setns(pidfd, CLONE_NEWNS));
	attempt("host name", sethostname("escaped", 7));
}

/* Anything open but 0, 1 and 2, here or in process 1 that leads out. */
static void descriptors(const char *arg)
{
	for (int pid = 0; pid < 2; pid++) {
		char dir[32], link[64], target[256];
		snprintf(dir, sizeof(dir), "/proc/%s/fd", pid ? "1" : "self");
		for (int fd = 0; fd < 1024; fd++) {
			snprintf(link, sizeof(link), "%s/%d", dir, fd);
			ssize_t n = readlink(link, target, sizeof(target) - 1);
			if (n < 0)
				continue;
			target[n] = '\0';
			bool fine = !strncmp(target, "pipe:", 5) || !strcmp(target, "/dev/null") ||
				    !strncmp(target, "anon_inode:[signalfd", 20) ||
				    !strncmp(target, "/run/log/", 9);
			if (!fine || (!pid && fd > 2))
				attempt(target, 0);
		}
	}
}

/* What runs as pid, "" if that may not be seen. */
static const char *program_of(pid_t pid)
{
	static char target[256];
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	const char *name = strrchr(target, '/');
	return name ? name + 1 : "";
}

/* Whoever comes in by `labctl exec` is labd itself until its exec: one that could be seen or traced
 * then would be a way into labd. Look at each new process, for ARG seconds. */
static void watch(const char *seconds)
{
	time_t end = time(NULL) + atoi(seconds);
	unsigned seen = 0;
	puts("watching");
	fflush(stdout);
	for (pid_t from = getpid() + 1; time(NULL) < end;) {
		for (pid_t pid = from; pid < from + 1000; pid++) {
			if (kill(pid, 0) < 0)
				continue;
			seen++;
			const char *name = program_of(pid);
			bool traced = !*name && ptrace(PTRACE_SEIZE, pid, 0, 0) == 0;
			if (traced) /* by now it may have become its own program */
				name = program_of(pid);
			if (!strcmp(name, "labd"))
				attempt(traced ? "trace labd" : "see labd", 0);
			if (traced)
				ptrace(PTRACE_DETACH, pid, 0, 0);
		}
	}
	printf("looked %u times\n", seen);
}

static void own_program(const char *arg)
{
	static const char *const paths[] = {"/proc/1/exe", "/proc/self/exe", "/opt/labd/labd-init",
					    "/opt/labd/bin/agnhost"};
	for (size_t i = 0; i < ALL(paths); i++) {
		if (i == 1)
			continue; /* our own: in /tmp, and busy */
		attempt(paths[i], open(paths[i], O_WRONLY));
		attempt(paths[i], truncate(paths[i], 0));
	}
}

/* ---- the kernel -------------------------------------------------------------------------------
 */

static void settings(const char *arg)
{
	static const char *const files[][2] = {
		{"/proc/sys/kernel/core_pattern", "|/tmp/escape"},
		{"/proc/sys/kernel/modprobe", "/tmp/escape"},
		{"/proc/sys/kernel/hostname", "escaped"},
		{"/proc/sys/kernel/panic", "1"},
		{"/proc/sys/kernel/pid_max", "1000"},
		{"/proc/sys/kernel/dmesg_restrict", "0"},
		{"/proc/sys/vm/overcommit_memory", "1"},
		{"/proc/sys/vm/drop_caches", "3"},
		{"/proc/sys/fs/file-max", "1000"},
		{"/proc/sys/fs/suid_dumpable", "2"},
		{"/proc/sysrq-trigger", "b"},
		{"/proc/1/oom_score_adj", "-1000"},
		{"/proc/self/oom_score_adj", "-1000"},
		{"/proc/sys/net/netfilter/nf_conntrack_max", "10"},
		{"/proc/sys/net/core/bpf_jit_enable", "0"},
		{"/proc/sys/net/core/netdev_max_backlog", "1"},
		{"/sys/kernel/uevent_helper", "/tmp/escape"},
		{"/sys/kernel/mm/transparent_hugepage/enabled", "always"},
		{"/sys/power/state", "mem"},
		{"/sys/module/printk/parameters/time", "N"},
		{"/proc/irq/default_smp_affinity", "1"},
	};
	for (size_t i = 0; i < ALL(files); i++)
		attempt(files[i][0], try_write(files[i][0], files[i][1]));
}

static void calls(const char *arg)
{
	struct timeval tv = {1, 0};
	char buf[64] = {0};
	attempt("init_module", raw(SYS_init_module, (long)buf, sizeof(buf), (long)"", 0, 0));
	attempt("finit_module", raw(SYS_finit_module, 0, (long)"", 0, 0, 0));
	attempt("delete_module", raw(SYS_delete_module, (long)"veth", 0, 0, 0, 0));
	attempt("kexec_load", raw(SYS_kexec_load, 0, 0, 0, 0, 0));
	attempt("kexec_file_load", raw(SYS_kexec_file_load, 0, -1, 0, 0, 8));
	attempt("reboot", reboot(RB_AUTOBOOT));
	attempt("power off", reboot(RB_POWER_OFF));
	attempt("swapon", swapon("/tmp/s", 0));
	attempt("swapoff", swapoff("/tmp/s"));
	attempt("acct", acct(NULL));
	attempt("settimeofday", settimeofday(&tv, NULL));
	attempt("bpf", raw(SYS_bpf, 0, (long)buf, sizeof(buf), 0, 0));
	attempt("perf_event_open", raw(SYS_perf_event_open, (long)buf, -1, 0, -1, 0));
	attempt("userfaultfd", raw(SYS_userfaultfd, 1, 0, 0, 0, 0));
	attempt("io_uring", raw(SYS_io_uring_setup, 1, (long)buf, 0, 0, 0));
	attempt("the kernel's log", klogctl(3, buf, sizeof(buf)));
	attempt("clearing it", klogctl(5, NULL, 0));
#ifdef SYS_iopl
	attempt("iopl", raw(SYS_iopl, 3, 0, 0, 0, 0));
#endif
}

/* The keyring of uid 0 is the machine's root's. */
static void keys(const char *arg)
{
	attempt("add_key", raw(SYS_add_key, (long)"user", (long)"escaped", (long)"x", 1, -4));
	attempt("request_key", raw(SYS_request_key, (long)"user", (long)"escaped", 0, -4, 0));
	attempt("the user's keyring", raw(SYS_keyctl, 0, -4, 0, 0, 0));
	attempt("the session's keyring", raw(SYS_keyctl, 0, -3, 0, 0, 0));
}

/* What goes before others', or takes what is shared out to root of the whole machine. */
static void ranks(const char *arg)
{
	struct sched_param fifo = {.sched_priority = 1};
	struct rlimit core = {2, 2}, many = {1 << 20, 1 << 20};
	attempt("real-time priority", sched_setscheduler(0, SCHED_FIFO, &fifo));
	attempt("a better priority", raw(SYS_setpriority, PRIO_PROCESS, 0, -1, 0, 0));
	attempt("real-time disk access", raw(SYS_ioprio_set, 1, 0, 1 << 13, 0, 0));
	attempt("core dumps, which the machine's handler gets", setrlimit(RLIMIT_CORE, &core));
	attempt("more pending signals", setrlimit(RLIMIT_SIGPENDING, &many));
	attempt("more descriptors", setrlimit(RLIMIT_NOFILE, &many));
	attempt("a control group", mkdir("/sys/fs/cgroup/escaped", 0755));
	attempt("out of the control group", try_write("/sys/fs/cgroup/cgroup.procs", "0"));
	attempt("its release agent", try_write("/sys/fs/cgroup/release_agent", "/tmp/escape"));
}

static void terminals(const char *arg)
{
	static const char *const nodes[] = {"/dev/console", "/dev/tty0", "/dev/vcs", "/dev/ttyS0"};
	char c = '\n';
	int ldisc = 21; /* N_GSM0710: whoever names one has the kernel load it */
	for (size_t i = 0; i < ALL(nodes); i++)
		attempt(nodes[i], open(nodes[i], O_RDWR | O_NOCTTY));
	int tty = open("/dev/tty", O_RDWR | O_NOCTTY);
	attempt("labd's terminal", tty);
	attempt("TIOCSTI", ioctl(tty < 0 ? 0 : tty, TIOCSTI, &c));
	attempt("TIOCSETD", ioctl(tty < 0 ? 0 : tty, TIOCSETD, &ldisc));
}

/* Where the kernel's code and data lie. */
static void addresses(const char *arg)
{
	static const struct {
		const char *path;
		int before; /* words before the address */
	} files[] = {{"/proc/kallsyms", 0},
		     {"/proc/iomem", 0},
		     {"/proc/modules", 5},
		     {"/sys/module/ip_tables/sections/.text", 0},
		     {"/sys/kernel/debug/kprobes/list", 0}};
	for (size_t i = 0; i < ALL(files); i++) {
		unsigned long long at = 0;
		char line[256];
		FILE *f = fopen(files[i].path, "r");
		while (f && !at && fgets(line, sizeof(line), f)) {
			char *word = strtok(line, " ");
			for (int n = files[i].before; n && word; n--)
				word = strtok(NULL, " ");
			at = word ? strtoull(word, NULL, 16) : 0;
		}
		if (f)
			fclose(f);
		errno = EPERM;
		attempt(files[i].path, at ? 0 : -1);
	}
}

/* ---- the network ------------------------------------------------------------------------------
 */

/* Links of a namespace that has number id in ours: print their names. */
static void links_of(int id)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
		struct rtattr a;
		int id;
	} q = {.h = {sizeof(q), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0},
	       .a = {RTA_LENGTH(sizeof(int)), IFLA_TARGET_NETNSID},
	       .id = id};
	static char buf[65536];
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	send(s, &q, sizeof(q), 0);
	for (ssize_t n; (n = recv(s, buf, sizeof(buf), 0)) > 0;) {
		int len = (int)n;
		bool end = false;
		for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, (unsigned)len);
		     h = NLMSG_NEXT(h, len)) {
			end = h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR;
			int left = (int)IFLA_PAYLOAD(h);
			for (struct rtattr *a = IFLA_RTA(NLMSG_DATA(h));
			     h->nlmsg_type == RTM_NEWLINK && RTA_OK(a, left); a = RTA_NEXT(a, left))
				if (a->rta_type == IFLA_IFNAME)
					printf("netns %d has link %s\n", id, (char *)RTA_DATA(a));
		}
		if (end)
			break;
	}
	close(s);
}

static void netnsids(const char *arg)
{
	for (int id = 0; id < 256; id++)
		links_of(id);
}

static socklen_t abstract(struct sockaddr_un *sa, const char *name)
{
	memset(sa->sun_path, 0, sizeof(sa->sun_path));
	snprintf(sa->sun_path + 1, sizeof(sa->sun_path) - 1, "%s", name);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

/* Sockets of kinds that no namespace holds, or that the kernel would have to load. */
static void families(const char *arg)
{
	static const struct {
		const char *name;
		int family, type, proto;
	} all[] = {
		{"AF_VSOCK", AF_VSOCK, SOCK_STREAM, 0}, {"AF_ALG", AF_ALG, SOCK_SEQPACKET, 0},
		{"AF_KEY", AF_KEY, SOCK_RAW, 2},	{"AF_TIPC", AF_TIPC, SOCK_RDM, 0},
		{"AF_CAN", AF_CAN, SOCK_RAW, 1},	{"AF_BLUETOOTH", AF_BLUETOOTH, SOCK_RAW, 1},
		{"AF_XDP", AF_XDP, SOCK_RAW, 0},	{"AF_SMC", AF_SMC, SOCK_STREAM, 0},
		{"AF_RDS", AF_RDS, SOCK_SEQPACKET, 0},	{"AF_NFC", AF_NFC, SOCK_SEQPACKET, 1},
	};
	int sv[2];
	for (size_t i = 0; i < ALL(all); i++)
		attempt(all[i].name, socket(all[i].family, all[i].type, all[i].proto));
	attempt("a pair of AF_TIPC", socketpair(AF_TIPC, SOCK_RDM, 0, sv));
}

/* Ask a netlink family that is the machine's; r < 0 as the kernel answers. */
static long netlink(int family, unsigned type, const void *data, size_t n)
{
	struct {
		struct nlmsghdr h;
		char data[64];
	} q = {.h = {(unsigned)(NLMSG_HDRLEN + n), (unsigned short)type, NLM_F_REQUEST | NLM_F_ACK,
		     1, 0}};
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char more[256];
	} a = {0};
	struct timeval wait = {1, 0};
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family);
	memcpy(q.data, data, n);
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (s < 0 || send(s, &q, q.h.nlmsg_len, 0) < 0 || recv(s, &a, sizeof(a), 0) < 0)
		return -1;
	errno = a.h.nlmsg_type == NLMSG_ERROR ? -a.e.error : 0;
	return errno ? -1 : 0;
}

static void netlinks(const char *arg)
{
	const unsigned status[10] = {1}; /* AUDIT_STATUS_ENABLED: off */
	attempt("audit switched off", netlink(NETLINK_AUDIT, 1001, status, sizeof(status)));
	attempt("audit's state", netlink(NETLINK_AUDIT, 1000, "", 0));
	attempt("audit's rules", netlink(NETLINK_AUDIT, 1013, "", 0));
	const unsigned listen[6] = {1, 1, 0, 0, 4, 1}; /* CN_IDX_PROC, PROC_CN_MCAST_LISTEN */
	attempt("the machine's processes as events",
		netlink(NETLINK_CONNECTOR, NLMSG_DONE, listen, sizeof(listen)));
}

/* ARG: the name of an abstract socket on which the machine listens. */
static void sockets(const char *name)
{
	static const char *const paths[] = {"/run/labd/labd.sock", "/run/dbus/system_bus_socket",
					    "/run/systemd/private", "/run/docker.sock"};
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	for (size_t i = 0; i < ALL(paths); i++) {
		int s = socket(AF_UNIX, SOCK_STREAM, 0);
		snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", paths[i]);
		attempt(paths[i], connect(s, (void *)&sa, sizeof(sa)));
		close(s);
	}
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	attempt("an abstract socket", connect(s, (void *)&sa, abstract(&sa, name)));
}

/* Not an attempt: be the one who listens there, for a minute at most. */
static void listen_at(const char *name)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(s, (void *)&sa, abstract(&sa, name)) < 0 || listen(s, 1) < 0)
		perror("listen");
	puts("listening");
	fflush(stdout);
	alarm(60);
	pause();
}

/* ---- too much of it ---------------------------------------------------------------------------
 */

static void fork_bomb(const char *arg)
{
	long made = 0;
	while (made < 100000) {
		pid_t p = fork();
		if (p < 0)
			break;
		if (p == 0) {
			pause();
			_exit(0);
		}
		made++;
	}
	printf("made %ld, then %s\n", made, strerror(errno));
	fflush(stdout);
	pause();
}

/* ARG: so many MiB. */
static void eat_memory(const char *mib)
{
	for (long i = 0; i < atol(mib); i++) {
		char *p = malloc(1 << 20);
		if (!p) {
			puts("no more memory");
			return;
		}
		memset(p, 1, 1 << 20);
	}
	puts("ate it all");
	done++;
}

static void fill_disk(const char *arg)
{
	static char block[1 << 20];
	int fd = open("/tmp/full", O_WRONLY | O_CREAT, 0644);
	long n = 0;
	while (n < 4096 && write(fd, block, sizeof(block)) == (ssize_t)sizeof(block))
		n++;
	printf("wrote %ld MiB\n", n);
	unlink("/tmp/full");
}

static const struct {
	const char *name;
	void (*fn)(const char *);
} all[] = {
	{"files", files},
	{"readonly", readonly},
	{"mounts", mounts},
	{"devices", devices},
	{"processes", processes},
	{"kill-all", kill_all},
	{"namespaces", namespaces},
	{"descriptors", descriptors},
	{"watch", watch},
	{"own-program", own_program},
	{"settings", settings},
	{"calls", calls},
	{"keys", keys},
	{"ranks", ranks},
	{"terminals", terminals},
	{"addresses", addresses},
	{"families", families},
	{"netlinks", netlinks},
	{"netnsids", netnsids},
	{"sockets", sockets},
	{"listen", listen_at},
	{"fork-bomb", fork_bomb},
	{"eat-memory", eat_memory},
	{"fill-disk", fill_disk},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < ALL(all); i++) {
		if (strcmp(argv[1], all[i].name) != 0)
			continue;
		all[i].fn(argc > 2 ? argv[2] : NULL);
		return done ? 1 : 0;
	}
	return 2;
}
