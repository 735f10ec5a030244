/* SPDX-License-Identifier: MIT */
/* Nodes and pods as processes: what they see, what they cannot do, how they end. Needs root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "labd/kernel/proc.h"
#include "lib/base/arena.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"

#define KILL_MS 5000
#define PODS	50

struct lab {
	struct arena *a;
	struct desired d;
	struct proc_env env;
	struct nsproc node, pod;
};

static char shared[] = "/tmp/labd-test-proc-XXXXXX";
static struct lab lab;

static void add_proc(struct dns *ns, const char *name, const char *image, const char *const *argv,
		     bool restart)
{
	struct dproc p = {.name = name, .image = image, .restart = restart};
	for (; *argv; argv++)
		*vec_push(lab.a, &p.argv) = *argv;
	*vec_push(lab.a, &ns->procs) = p;
}
#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})

static void check(int r, struct err *err)
{
	if (r < 0)
		fail_msg("%s (%d)", err->text, r);
}

static void spawn(int i, const struct nsproc *parent, struct nsproc *ret)
{
	struct err err;
	check(proc_spawn(&lab.env, &lab.d, i, parent, ret, &err), &err);
}

static void end(struct nsproc *p)
{
	struct err err;
	check(proc_kill(p->pid, p->starttime, KILL_MS, &err), &err);
	close(p->netns);
	if (p->release >= 0)
		close(p->release);
}

static int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Both outputs of a command inside, and its exit code (128 + a signal). */
static int run_in(const struct nsproc *p, enum dns_kind kind, bool tty, const char *const *argv,
		  char *out, size_t size)
{
	struct err err;
	struct proc_run run = {
		.argv = argv, .tty = tty, .rows = 31, .cols = 99, .busybox_first = kind == DNS_POD};
	struct proc_child c;
	size_t n = 0;
	int status;
	check(proc_exec(p, kind, &run, &c, &err), &err);
	int fds[2] = {c.out, c.errfd};
	for (int i = 0; i < (tty ? 1 : 2); i++) {
		ssize_t got;
		while (n < size - 1 && (got = read(fds[i], out + n, size - 1 - n)) > 0)
			n += (size_t)got;
	}
	out[n] = '\0';
	close(c.in);
	close(c.out);
	close(c.errfd);
	assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int sh(const struct nsproc *p, enum dns_kind kind, const char *script, char *out,
	      size_t size)
{
	return run_in(p, kind, false, ARGV("sh", "-c", script), out, size);
}
#define NODE &lab.node, DNS_NODE
#define POD  &lab.pod, DNS_POD

static void assert_has(const char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("no \"%s\" in: %s", what, text);
}

static void assert_lacks(const char *text, const char *what)
{
	if (strstr(text, what))
		fail_msg("\"%s\" in: %s", what, text);
}

static int setup(void **state)
{
	struct err err;
	if (geteuid() != 0)
		return 0;
	if (!mkdtemp(shared))
		return -1;
	lab.a = arena_new();
	lab.d.arena = lab.a;
	lab.env =
		(struct proc_env){.lab = "t", .dir = shared, .shared = shared, .backend = "legacy"};
	if (proc_setup(shared, &err) < 0) {
		err_print(&err, "test_proc");
		return -1;
	}
	struct dns node = {.kind = DNS_NODE, .name = "node01", .hostname = "node01"};
	struct dns pod = {
		.kind = DNS_POD, .name = "node01-web", .hostname = "web", .busybox_first = true};
	struct dns router = {.kind = DNS_ROUTER, .name = "router", .hostname = "router"};
	*vec_push(lab.a, &pod.files) =
		(struct dfile){"/etc/resolv.conf", "nameserver 10.96.0.10\n", 0644};
	*vec_push(lab.a, &pod.files) = (struct dfile){"/run/conf/a.conf", "a\n", 0600};
	add_proc(&pod, "web", "agnhost", ARGV("agnhost", "netexec"), true);
	add_proc(&pod, "talk", "busybox", ARGV("sh", "-c", "echo $HOSTNAME said; sleep 3600"),
		 true);
	*vec_push(lab.a, &lab.d.ns) = node;
	*vec_push(lab.a, &lab.d.ns) = pod;
	*vec_push(lab.a, &lab.d.ns) = router;
	spawn(0, NULL, &lab.node);
	spawn(1, &lab.node, &lab.pod);
	check(proc_release(&lab.node, &err), &err);
	check(proc_release(&lab.pod, &err), &err);
	check(proc_start(&lab.d, 1, &lab.pod, &err), &err);
	return 0;
}

static int teardown(void **state)
{
	struct err err;
	if (geteuid() != 0)
		return 0;
	end(&lab.node);
	close(lab.pod.netns);
	arena_free(lab.a);
	return dir_remove(shared, &err);
}

#define NEEDS_ROOT                                                                                 \
	if (geteuid() != 0)                                                                        \
	skip()

static void each_sees_its_processes(void **state)
{
	NEEDS_ROOT;
	char out[8192];
	assert_int_equal(sh(NODE, "ps axo pid=,ppid=,args= | tr -s ' '", out, sizeof(out)), 0);
	assert_has(out, " 1 0 init\n");
	assert_has(out, " 1 /pause\n");
	assert_has(out, "agnhost netexec\n");
	assert_int_equal(run_in(POD, false, ARGV("ps"), out, sizeof(out)), 0);
	assert_has(out, "    1 root     /pause\n");
	assert_lacks(out, "init");
	assert_int_equal(sh(POD, "cat /proc/1/comm; hostname", out, sizeof(out)), 0);
	assert_string_equal(out, "pause\nweb\n");
	assert_true(proc_alive(lab.pod.pid, lab.pod.starttime));
}

static void interface_indexes(void **state)
{
	NEEDS_ROOT;
	struct err err;
	char pid[16], out[256];
	snprintf(pid, sizeof(pid), "%d", lab.node.pid);
	int r = proc_tool(lab.pod.netns,
			  ARGV("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "veth0",
			       "netns", pid),
			  NULL, 0, &err);
	if (r < 0 && strstr(err.text, "Unknown device type"))
		skip();
	check(r, &err);
	check(proc_pin_inside(&lab.node, lab.pod.netns, "cni-1234", &err), &err);
	assert_int_equal(sh(POD, "cat /sys/class/net/eth0/iflink", out, sizeof(out)), 0);
	int iflink = atoi(out);
	assert_int_equal(sh(NODE, "cat /sys/class/net/veth0/ifindex", out, sizeof(out)), 0);
	assert_int_equal(atoi(out), iflink);
	assert_int_equal(sh(NODE, "ip netns list; ip link show veth0", out, sizeof(out)), 0);
	assert_has(out, "cni-1234");
	assert_has(out, "link-netns cni-1234");
	check(proc_unpin_inside(&lab.node, "cni-1234", &err), &err);
	check(proc_unpin_inside(&lab.node, "cni-1234", &err), &err);
	assert_int_equal(sh(NODE, "ip netns list", out, sizeof(out)), 0);
	assert_string_equal(out, "");
}

static void files(void **state)
{
	NEEDS_ROOT;
	struct err err;
	char out[4096];
	assert_int_equal(sh(POD,
			    "cat /etc/resolv.conf /etc/hostname /run/conf/a.conf; stat -c %a "
			    "/run/conf/a.conf; echo x > /root/x && cat /root/x",
			    out, sizeof(out)),
			 0);
	assert_string_equal(out, "nameserver 10.96.0.10\nweb\na\n600\nx\n");
	struct dfile f[] = {{"/etc/hosts", "10.0.0.1 a\n", 0644}, {"/run/n/b", "b\n", 0644}};
	check(proc_files(&lab.pod, f, 2, &err), &err);
	assert_int_equal(sh(POD, "cat /etc/hosts /run/n/b", out, sizeof(out)), 0);
	assert_string_equal(out, "10.0.0.1 a\nb\n");
	/* a link or a fifo in the way is refused, and neither hangs nor leads elsewhere */
	assert_int_equal(sh(POD, "ln -s /tmp/t /run/n/l; mkfifo /run/n/f", out, sizeof(out)), 0);
	struct dfile bad[] = {{"/run/n/l", "x", 0644},
			      {"/run/n/f", "x", 0644},
			      {"/usr/x", "x", 0644},
			      {"/run/../tmp/x", "x", 0644}};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_true(proc_files(&lab.pod, &bad[i], 1, &err) < 0);
	assert_int_equal(sh(POD, "ls /tmp", out, sizeof(out)), 0);
	assert_string_equal(out, "");
}

static void exit_codes(void **state)
{
	NEEDS_ROOT;
	char out[512];
	assert_int_equal(sh(POD, "exit 7", out, sizeof(out)), 7);
	assert_int_equal(sh(POD, "kill -9 $$", out, sizeof(out)), 137);
	assert_int_equal(run_in(POD, false, ARGV("nonesuch"), out, sizeof(out)), 127);
	assert_string_equal(out, "exec: \"nonesuch\": executable file not found in $PATH\n");
	assert_int_equal(run_in(POD, false, ARGV("/no/file"), out, sizeof(out)), 127);
	assert_string_equal(out, "exec: \"/no/file\": No such file or directory\n");
	assert_int_equal(run_in(POD, false, ARGV("/etc/hosts"), out, sizeof(out)), 126);
	assert_string_equal(out, "exec: \"/etc/hosts\": permission denied\n");
}

static void terminal(void **state)
{
	NEEDS_ROOT;
	char out[512];
	assert_int_equal(
		run_in(POD, true, ARGV("sh", "-c", "tty; stty size; echo $TERM"), out, sizeof(out)),
		0);
	assert_string_equal(out, "/dev/pts/0\r\n31 99\r\nxterm\r\n");
	assert_int_equal(run_in(POD, false, ARGV("tty"), out, sizeof(out)), 1);
}

static void exec_leaks_no_descriptor(void **state)
{
	NEEDS_ROOT;
	char out[512];
	int before = count_fds();
	assert_int_equal(sh(POD, "exec ls /proc/self/fd", out, sizeof(out)), 0);
	assert_string_equal(out, "0\n1\n2\n3\n");
	assert_int_equal(run_in(POD, true, ARGV("nonesuch"), out, sizeof(out)), 127);
	assert_int_equal(count_fds(), before);
}

static void programs(void **state)
{
	NEEDS_ROOT;
	struct err err;
	char out[2048], first[64];
	const char *web = "pidof agnhost";
	assert_int_equal(sh(POD, web, first, sizeof(first)), 0);
	/* the same once more changes nothing; one that ends comes back */
	check(proc_start(&lab.d, 1, &lab.pod, &err), &err);
	assert_int_equal(sh(POD, web, out, sizeof(out)), 0);
	assert_string_equal(out, first);
	assert_int_equal(sh(POD, "kill $(pidof agnhost)", out, sizeof(out)), 0);
	/* until another one is there: the old one may take a moment to go */
	int r = 1;
	for (int i = 0; i < 200 && (r != 0 || strcmp(out, first) == 0); i++) {
		usleep(10000);
		r = sh(POD, web, out, sizeof(out));
	}
	assert_int_equal(r, 0);
	assert_string_not_equal(out, first);
	assert_int_equal(sh(POD, "cat /run/log/talk.log", out, sizeof(out)), 0);
	assert_string_equal(out, "web said\n");
}

static void program_that_cannot_start(void **state)
{
	NEEDS_ROOT;
	struct err err;
	struct dns *ns = &lab.d.ns.v[1];
	struct dns saved = *ns;
	memset(&ns->procs, 0, sizeof(ns->procs));
	add_proc(ns, "one", "x", ARGV("nonesuch"), false);
	add_proc(ns, "two", "x", ARGV("/etc/passwd", "a"), false);
	int r = proc_start(&lab.d, 1, &lab.pod, &err);
	*ns = saved;
	assert_int_equal(r, -ENOEXEC);
	assert_string_equal(err.text, "node01-web: one: nonesuch: No such file or directory;two: "
				      "/etc/passwd: Permission denied");
}

/* Each line must fail; the script prints the ones that did not. */
static void no_way_out(void **state)
{
	NEEDS_ROOT;
	static const char *const pod[] = {
		"mount -t tmpfs x /mnt",
		"mount -o remount,rw /usr",
		"umount /proc/timer_list",
		"mknod /tmp/d b 254 0",
		"echo b > /proc/sysrq-trigger",
		"echo 1 > /proc/sys/kernel/panic",
		"echo 1 > /proc/sys/net/ipv4/ip_forward",
		"nsenter -t 1 -n true",
		"unshare -m true",
		"hostname other",
		"ip link add d0 type dummy",
		"ip route add blackhole 1.2.3.4",
		"cat /etc/shadow",
		"touch /usr/x",
		"touch /dev/x",
		"touch /etc/x",
		"cat /proc/keys | grep .",
		"ls /srv",
		"test -e /var/lib/dpkg",
		"ls -A /root/.ssh",
		"unshare -Urm umount /proc/timer_list",
		"unshare -Urm mount -o remount,bind,rw /usr",
		"unshare -Urmpf mount -t proc proc /mnt",
		"unshare -Urm mount -t sysfs sysfs /mnt",
		"kill -9 $PPID",
		"chroot /proc/1/root ls /work",

		"modprobe dummy",
		"ls -A /home | grep .",
	};
	char out[8192];
	for (size_t i = 0; i < ARRAY_SIZE(pod); i++) {
		if (sh(POD, pod[i], out, sizeof(out)) == 0)
			fail_msg("a pod can: %s", pod[i]);
	}
	static const char *const node[] = {
		"mount -t tmpfs x /mnt",
		"echo 1 > /proc/sys/kernel/panic",
		"echo b > /proc/sysrq-trigger",
		"mknod /tmp/d b 254 0",
		"nsenter -t 1 -m true",
		"unshare -n true",
		"cat /etc/shadow",
		"ip netns exec x true",
		"date -s 2001-01-01",
	};
	for (size_t i = 0; i < ARRAY_SIZE(node); i++) {
		if (sh(NODE, node[i], out, sizeof(out)) == 0)
			fail_msg("a node can: %s", node[i]);
	}
	assert_int_equal(
		sh(POD, "grep -E 'Cap(Prm|Eff|Bnd)|NoNew' /proc/self/status", out, sizeof(out)), 0);
	assert_string_equal(out, "CapPrm:\t00000000a00425fb\nCapEff:\t00000000a00425fb\n"
				 "CapBnd:\t00000000a00425fb\nNoNewPrivs:\t1\n");
	assert_int_equal(sh(POD, "kill -9 1; echo $?", out, sizeof(out)), 0);
	assert_true(proc_alive(lab.pod.pid, lab.pod.starttime));
}

static void node_can_do_networking(void **state)
{
	NEEDS_ROOT;
	char out[4096];
	assert_int_equal(sh(NODE,
			    "ip link set lo up; sysctl -qw net.ipv4.ip_forward=1; "
			    "iptables -V; command -v busybox tcpdump ip",
			    out, sizeof(out)),
			 0);
	assert_has(out, "(legacy)");
	if (sh(NODE, "iptables -t nat -A POSTROUTING -j MASQUERADE && iptables-save -t nat", out,
	       sizeof(out)) == 0)
		assert_has(out, "-A POSTROUTING -j MASQUERADE");
	else /* a kernel without legacy tables */
		assert_has(out, "can't initialize iptables table");
}

static void tool(void **state)
{
	NEEDS_ROOT;
	struct err err;
	check(proc_tool(lab.pod.netns, ARGV("ip", "-batch", "-"), "link set lo up\n", 15, &err),
	      &err);
	assert_int_equal(
		proc_tool(lab.pod.netns, ARGV("ip", "link", "show", "nope"), NULL, 0, &err), -EIO);
	assert_string_equal(err.text, "ip: Device \"nope\" does not exist.");
	assert_int_equal(proc_tool(-1, ARGV("labd-no-such-tool"), NULL, 0, &err), -ENOENT);
}

static bool have_netns_dir(void)
{
	return path_exists("/run/netns");
}

static void pins(void **state)
{
	NEEDS_ROOT;
	struct err err;
	struct nsproc r;
	struct stat a, b;
	bool before = have_netns_dir();
	spawn(2, NULL, &r);
	assert_int_equal(r.pid, 0);
	assert_int_equal(r.release, -1);
	check(proc_pin(r.netns, "labd-test-proc", &err), &err);
	assert_int_equal(proc_pin(r.netns, "labd-test-proc", &err), -EEXIST);
	assert_int_equal(stat("/run/netns/labd-test-proc", &a), 0);
	assert_int_equal(fstat(r.netns, &b), 0);
	assert_true(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	check(proc_unpin("labd-test-proc", &err), &err);
	check(proc_unpin("labd-test-proc", &err), &err);
	proc_unpinned();
	assert_false(path_exists("/run/netns/labd-test-proc"));
	assert_int_equal(have_netns_dir(), before);
	assert_int_equal(proc_pin(r.netns, "../x", &err), -EINVAL);
	close(r.netns);
}

static void identity(void **state)
{
	NEEDS_ROOT;
	struct err err;
	struct nsproc again;
	assert_false(proc_alive(lab.pod.pid, lab.pod.starttime + 1));
	assert_false(proc_alive(0, 0));
	check(proc_kill(lab.pod.pid, lab.pod.starttime + 1, KILL_MS, &err), &err);
	assert_true(proc_alive(lab.pod.pid, lab.pod.starttime));
	assert_int_equal(proc_open(lab.pod.pid, lab.pod.starttime + 1, &again, &err), -ESRCH);
	check(proc_open(lab.pod.pid, lab.pod.starttime, &again, &err), &err);
	char out[64];
	assert_int_equal(sh(&again, DNS_POD, "hostname", out, sizeof(out)), 0);
	assert_string_equal(out, "web\n");
	close(again.netns);
}

/* labd dies between spawn and release. */
static void unreleased_ends_with_labd(void **state)
{
	NEEDS_ROOT;
	int fds[2];
	struct nsproc p;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct err err;
		if (proc_spawn(&lab.env, &lab.d, 0, NULL, &p, &err) < 0 ||
		    write(fds[1], &p, sizeof(p)) != sizeof(p))
			_exit(1);
		for (;;)
			pause();
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &p, sizeof(p)), sizeof(p));
	close(fds[0]);
	usleep(20000);
	assert_true(proc_alive(p.pid, p.starttime));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	for (int i = 0; i < 200 && proc_alive(p.pid, p.starttime); i++)
		usleep(10000);
	assert_false(proc_alive(p.pid, p.starttime));
}

/* An exec'ed child that nobody has reaped holds up PID 1's end; proc_kill must not wait for us. */
static void unreaped_exec(void **state)
{
	NEEDS_ROOT;
	struct err err;
	struct nsproc n, p;
	struct proc_child c;
	struct proc_run run = {.argv = ARGV("sleep", "3600")};
	spawn(0, NULL, &n);
	spawn(1, &n, &p);
	check(proc_release(&n, &err), &err);
	check(proc_release(&p, &err), &err);
	check(proc_exec(&p, DNS_POD, &run, &c, &err), &err);
	end(&p);
	end(&n);
	assert_int_equal(waitpid(c.pid, NULL, 0), c.pid);
	close(c.in);
	close(c.out);
	close(c.errfd);
	for (int i = 0; i < 200 && (!kill(n.pid, 0) || !kill(p.pid, 0)); i++)
		usleep(10000);
	assert_int_equal(kill(n.pid, 0), -1);
}

static void many(void **state)
{
	NEEDS_ROOT;
	static struct nsproc p[PODS];
	struct err err;
	struct nsproc n;
	struct timespec a, b;
	int before = count_fds();
	spawn(0, NULL, &n);
	check(proc_release(&n, &err), &err);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < PODS; i++)
		spawn(1, &n, &p[i]);
	clock_gettime(CLOCK_MONOTONIC, &b);
	print_message(
		"%d pods: %.2f ms each\n", PODS,
		((double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6) /
			PODS);
	for (int i = 0; i < PODS; i++)
		check(proc_release(&p[i], &err), &err);
	end(&n);
	for (int i = 0; i < PODS; i++) {
		assert_false(proc_alive(p[i].pid, p[i].starttime));
		close(p[i].netns);
	}
	assert_int_equal(count_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_sees_its_processes),
		cmocka_unit_test(interface_indexes),
		cmocka_unit_test(files),
		cmocka_unit_test(exit_codes),
		cmocka_unit_test(terminal),
		cmocka_unit_test(exec_leaks_no_descriptor),
		cmocka_unit_test(programs),
		cmocka_unit_test(program_that_cannot_start),
		cmocka_unit_test(no_way_out),
		cmocka_unit_test(node_can_do_networking),
		cmocka_unit_test(tool),
		cmocka_unit_test(pins),
		cmocka_unit_test(identity),
		cmocka_unit_test(unreleased_ends_with_labd),
		cmocka_unit_test(unreaped_exec),
		cmocka_unit_test(many),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
