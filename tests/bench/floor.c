/* SPDX-License-Identifier: MIT */
/*
 * floor: what the kernel itself costs. Builds a cluster as flannel would (an underlay bridge, nodes
 * with a NIC, VXLAN, a pod bridge, rules; pods with a veth, address, routes, a first process and a
 * container in namespaces and a root of their own) by nothing but the system calls that cannot be
 * avoided: one process, no client, no journal, no checks, everything known beforehand. Then it
 * proves that the cluster carries a connection, and takes it away.
 *
 *	floor NODES PODS RULES PAUSE   prints "up_us=N down_us=N gone_us=N" of one cluster
 *	floor gone                     waits until the kernel has let go of all that was closed
 *before, prints the microseconds it waited
 *
 * Not a model for labd: nothing of it survives the end of this process.
 */
#include <net/if.h> /* before the kernel's */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#define MAX_NODES    250
#define MAX_PODS     20000
#define BUF_BYTES    (1024 * 1024)
#define GONE_STEP_US 500
#define GONE_TRIES   120000
#define STACK	     (256 * 1024)
#define CLONED                                                                                     \
	(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC |                 \
	 CLONE_NEWCGROUP | CLONE_PIDFD | CLONE_FILES | CLONE_VM | CLONE_VFORK | SIGCHLD)

struct place {
	pid_t pid;
	int pidfd, netns; /* netns: of nodes only */
};

static struct place nodes[MAX_NODES], pods[MAX_PODS];
static int n_nodes, n_pods, n_rules, home, fabric, proc_dir, pause_fd;

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

static void enter(int fd)
{
	if (setns(fd, CLONE_NEWNET) < 0)
		die("setns");
}

static void enter_place(const struct place *p)
{
	if (setns(p->pidfd, CLONE_NEWNET) < 0)
		die("setns");
}

/* ---- netlink: one buffer, one sendmsg, one answer ---------------------------------------------
 */

static char *buf;
static size_t len;
static struct nlmsghdr *cur;

static void finish(void)
{
	if (cur)
		len += MNL_ALIGN(cur->nlmsg_len);
	cur = NULL;
}

static struct nlmsghdr *msg(uint16_t type, uint16_t flags)
{
	finish();
	cur = mnl_nlmsg_put_header(buf + len);
	cur->nlmsg_type = type;
	cur->nlmsg_flags = NLM_F_REQUEST | flags;
	return cur;
}

static void transact(int fd, size_t from, size_t to)
{
	char answer[4096];
	if (send(fd, buf + from, to - from, 0) < 0)
		die("send");
	for (;;) {
		ssize_t n = recv(fd, answer, sizeof(answer), 0);
		if (n < 0)
			die("recv");
		const struct nlmsghdr *h = (const struct nlmsghdr *)answer;
		const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
		if (h->nlmsg_type != NLMSG_ERROR)
			continue;
		errno = -e->error;
		if (e->error)
			die("the kernel refused a message");
		return;
	}
}

/* Everything that was put together, in the present namespace, at most 64 KiB at a time. */
static void send_all(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	size_t from = 0, at = 0;
	finish();
	while (at < len) {
		struct nlmsghdr *h = (struct nlmsghdr *)(buf + at);
		at += MNL_ALIGN(h->nlmsg_len);
		if (at < len && at - from < 60000)
			continue;
		h->nlmsg_flags |= NLM_F_ACK;
		transact(fd, from, at);
		from = at;
	}
	close(fd);
	len = 0;
}

static struct nlmsghdr *link_msg(uint16_t flags, int index, bool up)
{
	struct nlmsghdr *h = msg(RTM_NEWLINK, flags);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));
	ifi->ifi_index = index;
	ifi->ifi_flags = up ? IFF_UP : 0;
	ifi->ifi_change = up ? IFF_UP : 0;
	return h;
}

static void put_queues(struct nlmsghdr *h)
{
	mnl_attr_put_u32(h, IFLA_NUM_TX_QUEUES, 1);
	mnl_attr_put_u32(h, IFLA_NUM_RX_QUEUES, 1);
}

static void add_veth(const char *name, int index, int master, const char *peer, int peer_index,
		     int peer_ns)
{
	struct nlmsghdr *h = link_msg(NLM_F_CREATE | NLM_F_EXCL, index, true);
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	put_queues(h);
	if (master)
		mnl_attr_put_u32(h, IFLA_MASTER, (uint32_t)master);
	struct nlattr *info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "veth");
	struct nlattr *data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	struct nlattr *p = mnl_attr_nest_start(h, VETH_INFO_PEER);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));
	ifi->ifi_index = peer_index;
	mnl_attr_put_strz(h, IFLA_IFNAME, peer);
	put_queues(h);
	mnl_attr_put_u32(h, IFLA_NET_NS_FD, (uint32_t)peer_ns);
	mnl_attr_nest_end(h, p);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
}

static void add_bridge(const char *name, int index)
{
	struct nlmsghdr *h = link_msg(NLM_F_CREATE | NLM_F_EXCL, index, true);
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	struct nlattr *info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "bridge");
	mnl_attr_nest_end(h, info);
}

static void put_ip(struct nlmsghdr *h, uint16_t type, uint32_t ip)
{
	mnl_attr_put_u32(h, type, htonl(ip));
}

static void add_addr(int index, uint32_t ip, uint8_t plen)
{
	struct nlmsghdr *h = msg(RTM_NEWADDR, NLM_F_CREATE);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(h, sizeof(*ifa));
	ifa->ifa_family = AF_INET;
	ifa->ifa_prefixlen = plen;
	ifa->ifa_index = (unsigned)index;
	put_ip(h, IFA_LOCAL, ip);
	put_ip(h, IFA_ADDRESS, ip);
}

static void add_route(int index, uint32_t dst, uint8_t plen, uint32_t via)
{
	struct nlmsghdr *h = msg(RTM_NEWROUTE, NLM_F_CREATE);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(h, sizeof(*rtm));
	rtm->rtm_family = AF_INET;
	rtm->rtm_dst_len = plen;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = RTPROT_BOOT;
	rtm->rtm_type = RTN_UNICAST;
	rtm->rtm_flags = RTNH_F_ONLINK;
	put_ip(h, RTA_DST, dst);
	put_ip(h, RTA_GATEWAY, via);
	mnl_attr_put_u32(h, RTA_OIF, (uint32_t)index);
}

static void add_neigh(uint8_t family, int index, uint32_t ip, const uint8_t *mac)
{
	struct nlmsghdr *h = msg(RTM_NEWNEIGH, NLM_F_CREATE);
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(h, sizeof(*nd));
	nd->ndm_family = family;
	nd->ndm_ifindex = index;
	nd->ndm_state = NUD_PERMANENT | (family == AF_BRIDGE ? NUD_NOARP : 0);
	nd->ndm_flags = family == AF_BRIDGE ? NTF_SELF : 0;
	put_ip(h, NDA_DST, ip);
	mnl_attr_put(h, NDA_LLADDR, 6, mac);
}

/* ---- one place: namespaces, root, first process ------------------------------------------------
 */

static void must(long r, const char *what)
{
	if (r < 0)
		die(what);
}

/* The template all roots are made from: labd makes it once, when it starts. */
static void make_template(const char *pause)
{
	static const char *const dirs[] = {"/tmp/usr", "/tmp/etc", "/tmp/dev", "/tmp/new"};
	pause_fd = open(pause, O_PATH | O_CLOEXEC);
	must(pause_fd, pause);
	must(unshare(CLONE_NEWNS), "unshare");
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
	must(mount("floor", "/tmp", "tmpfs", 0, "mode=0755"), "tmpfs");
	for (int i = 0; i < 4; i++)
		must(mkdir(dirs[i], 0755), "mkdir");
	must(mkdir("/tmp/dev/pts", 0755), "mkdir");
	must(mount("/usr", "/tmp/usr", NULL, MS_BIND, NULL), "bind");
	must(mount("/tmp/etc", "/tmp/etc", NULL, MS_BIND, NULL), "bind");
	must(mount("/tmp/dev", "/tmp/dev", NULL, MS_BIND, NULL), "bind");
	int in = open(pause, O_RDONLY | O_CLOEXEC);
	int out = open("/tmp/etc/pause", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	char copy[16384];
	ssize_t n = read(in, copy, sizeof(copy));
	must(n, pause);
	must(write(out, copy, (size_t)n), "write");
	close(in);
	close(out);
	must(chdir("/tmp"), "chdir");
	must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "umount");
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(3);
	close(fd);
}

static void own_root(void)
{
	static const char *const dirs[] = {"usr", "etc", "dev", "proc", "sys", "run", "tmp", "var"};
	if (mount("root", "/new", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=64m") < 0 ||
	    chdir("/new") < 0)
		_exit(4);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		mkdir(dirs[i], 0755);
	if (mount("/usr", "usr", NULL, MS_BIND, NULL) < 0 ||
	    mount("/etc", "etc", NULL, MS_BIND, NULL) < 0 ||
	    mount("/dev", "dev", NULL, MS_BIND, NULL) < 0 ||
	    mount("proc", "proc", "proc", MS_RDONLY, NULL) < 0 ||
	    mount("sysfs", "sys", "sysfs", MS_RDONLY, NULL) < 0 ||
	    mount("devpts", "dev/pts", "devpts", 0, "newinstance,ptmxmode=0666") < 0 ||
	    chroot(".") < 0)
		_exit(5);
	write_file("run/hosts", "127.0.0.1\tlocalhost\n");
	write_file("run/hostname", "pod\n");
	write_file("run/resolv.conf", "nameserver 10.96.0.10\n");
}

static int first_process(void *arg)
{
	static char *argv[] = {"pause", "/etc/pause", NULL}, *env[] = {NULL};
	const char *name = arg;
	close_range((unsigned)pause_fd + 1, ~0u, CLOSE_RANGE_UNSHARE);
	if (sethostname(name, strlen(name)) < 0)
		_exit(2);
	own_root();
	execveat(pause_fd, "", argv, env, AT_EMPTY_PATH);
	_exit(6);
}

static void spawn(struct place *p, const char *name)
{
	static char stack[STACK] __attribute__((aligned(16)));
	p->pid = clone(first_process, stack + STACK, CLONED, (void *)name, &p->pidfd);
	if (p->pid < 0)
		die("clone");
}

static int own_netns(void)
{
	int fd = openat(proc_dir, "thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("ns/net");
	return fd;
}

/* ---- rules: a table written as one blob ---------------------------------------------------------
 */

struct rule {
	struct ipt_entry e;
	struct xt_standard_target t;
};

static void put_rule(char *at, int verdict)
{
	struct rule *r = (struct rule *)at;
	*r = (struct rule){.e = {.target_offset = sizeof(struct ipt_entry),
				 .next_offset = sizeof(struct rule)},
			   .t = {.target.u.user.target_size = sizeof(struct xt_standard_target),
				 .verdict = verdict}};
}

static void put_error(char *at)
{
	struct {
		struct ipt_entry e;
		struct xt_error_target t;
	} *r = (void *)at;
	r->e.target_offset = sizeof(r->e);
	r->e.next_offset = sizeof(*r);
	r->t.target.u.user.target_size = sizeof(r->t);
	strcpy(r->t.target.u.user.name, XT_ERROR_TARGET);
	strcpy(r->t.errorname, XT_ERROR_TARGET);
}

static void write_rules(void)
{
	size_t err = sizeof(struct ipt_entry) + sizeof(struct xt_error_target);
	unsigned in = (unsigned)n_rules + 1, n = in + 2;
	size_t bytes = n * sizeof(struct rule) + err;
	struct ipt_replace *r = calloc(1, sizeof(*r) + bytes);
	struct xt_counters old[8];
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	socklen_t size = sizeof(struct ipt_getinfo);
	struct ipt_getinfo info = {.name = "filter"};
	if (fd < 0 || getsockopt(fd, IPPROTO_IP, IPT_SO_GET_INFO, &info, &size) < 0)
		die("filter table");
	strcpy(r->name, "filter");
	r->valid_hooks = info.valid_hooks;
	r->num_entries = n + 1;
	r->size = (unsigned)bytes;
	r->num_counters = info.num_entries;
	r->counters = old;
	for (unsigned i = 0; i < n; i++)
		put_rule((char *)r->entries + i * sizeof(struct rule), -NF_ACCEPT - 1);
	put_error((char *)r->entries + n * sizeof(struct rule));
	unsigned at = 0;
	for (int hook = NF_INET_LOCAL_IN; hook <= NF_INET_LOCAL_OUT; hook++) {
		r->hook_entry[hook] = at;
		at += (hook == NF_INET_LOCAL_IN ? in - 1 : 0) * (unsigned)sizeof(struct rule);
		r->underflow[hook] = at;
		at += (unsigned)sizeof(struct rule);
	}
	if (setsockopt(fd, IPPROTO_IP, IPT_SO_SET_REPLACE, r, (socklen_t)(sizeof(*r) + bytes)) < 0)
		die("writing rules");
	close(fd);
	free(r);
}

/* ---- the cluster -------------------------------------------------------------------------------
 */

#define NODE_IP(i)  (0x0a640001u + (unsigned)(i))	 /* 10.100.0.1... */
#define POD_NET(i)  (0x0af40000u + ((unsigned)(i) << 8)) /* 10.244.I.0/24 */
#define POD_IP(k)   (POD_NET((k) % n_nodes) + 2u + (unsigned)((k) / n_nodes))
#define IN_NIC	    2
#define IN_TUNNEL   3
#define IN_BRIDGE   4
#define IN_FIRST    10
#define BRIDGE_PORT 10

static void vtep_mac(int i, uint8_t mac[6])
{
	memcpy(mac, (uint8_t[]){0x02, 0x76, 0, 0, 0, (uint8_t)i}, 6);
}

static void add_vxlan(int i)
{
	uint8_t mac[6];
	vtep_mac(i, mac);
	struct nlmsghdr *h = link_msg(NLM_F_CREATE | NLM_F_EXCL, IN_TUNNEL, true);
	mnl_attr_put_strz(h, IFLA_IFNAME, "flannel.1");
	mnl_attr_put(h, IFLA_ADDRESS, 6, mac);
	struct nlattr *info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "vxlan");
	struct nlattr *data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	mnl_attr_put_u32(h, IFLA_VXLAN_ID, 1);
	mnl_attr_put_u8(h, IFLA_VXLAN_LEARNING, 0);
	mnl_attr_put_u32(h, IFLA_VXLAN_LINK, IN_NIC);
	put_ip(h, IFLA_VXLAN_LOCAL, NODE_IP(i));
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
}

static void node_links(int i)
{
	char port[16];
	uint8_t mac[6];
	snprintf(port, sizeof(port), "port%d", i);
	enter(fabric);
	add_veth(port, BRIDGE_PORT + i, 1000, "eth0", IN_NIC, nodes[i].netns);
	send_all();
	enter(nodes[i].netns);
	link_msg(0, 1, true); /* lo */
	link_msg(0, IN_NIC, true);
	add_addr(IN_NIC, NODE_IP(i), 24);
	add_vxlan(i);
	add_addr(IN_TUNNEL, POD_NET(i), 32);
	add_bridge("cni0", IN_BRIDGE);
	add_addr(IN_BRIDGE, POD_NET(i) + 1, 24);
	for (int j = 0; j < n_nodes; j++) {
		if (j == i)
			continue;
		vtep_mac(j, mac);
		add_neigh(AF_INET, IN_TUNNEL, POD_NET(j), mac);
		add_neigh(AF_BRIDGE, IN_TUNNEL, NODE_IP(j), mac);
		add_route(IN_TUNNEL, POD_NET(j), 24, POD_NET(j));
	}
	send_all();
	int fs = (int)syscall(SYS_fsopen, "proc", 0);
	must(syscall(SYS_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0), "fsconfig");
	int proc = (int)syscall(SYS_fsmount, fs, 0, 0);
	int fd = openat(proc, "sys/net/ipv4/ip_forward", O_WRONLY);
	must(write(fd, "1", 1), "ip_forward");
	close(fd);
	close(proc);
	close(fs);
	write_rules();
}

static void make_nodes(void)
{
	must(unshare(CLONE_NEWNET), "unshare");
	fabric = own_netns();
	add_bridge("underlay", 1000);
	send_all();
	for (int i = 0; i < n_nodes; i++) {
		spawn(&nodes[i], "node");
		enter_place(&nodes[i]);
		nodes[i].netns = own_netns();
		node_links(i);
	}
}

static void make_pod(int k)
{
	char host_if[16];
	int node = k % n_nodes, index = IN_FIRST + k / n_nodes;
	spawn(&pods[k], "pod");
	enter_place(&pods[k]);
	snprintf(host_if, sizeof(host_if), "veth%d", k);
	link_msg(0, 1, true); /* lo */
	add_veth("eth0", 2, 0, host_if, index, nodes[node].netns);
	add_addr(2, POD_IP(k), 24);
	add_route(2, 0, 0, POD_NET(node) + 1);
	send_all();
}

static void attach_pods(int node)
{
	enter(nodes[node].netns);
	for (int k = node; k < n_pods; k += n_nodes) {
		struct nlmsghdr *h = link_msg(0, IN_FIRST + k / n_nodes, true);
		mnl_attr_put_u32(h, IFLA_MASTER, IN_BRIDGE);
	}
	send_all();
}

/* The last pod reaches the first: a connection over both bridges and, with two nodes, the tunnel.
 */
static void prove(void)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(POD_IP(0))};
	int one = 1;
	enter_place(&pods[0]);
	int s = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	must(bind(s, (struct sockaddr *)&sa, sizeof(sa)), "bind");
	must(listen(s, 1), "listen");
	enter_place(&pods[n_pods - 1]);
	int c = socket(AF_INET, SOCK_STREAM, 0);
	struct timeval t = {.tv_sec = 5};
	setsockopt(c, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
	must(connect(c, (struct sockaddr *)&sa, sizeof(sa)), "the last pod cannot reach the first");
	close(c);
	close(s);
	enter(home);
}

static void take_away(void)
{
	for (int k = 0; k < n_pods; k++)
		syscall(SYS_pidfd_send_signal, pods[k].pidfd, SIGKILL, NULL, 0);
	for (int i = 0; i < n_nodes; i++) {
		syscall(SYS_pidfd_send_signal, nodes[i].pidfd, SIGKILL, NULL, 0);
		close(nodes[i].netns);
	}
	close(fabric);
	for (int k = 0; k < n_pods; k++) {
		waitpid(pods[k].pid, NULL, 0);
		close(pods[k].pidfd);
	}
	for (int i = 0; i < n_nodes; i++) {
		waitpid(nodes[i].pid, NULL, 0);
		close(nodes[i].pidfd);
	}
}

/* ---- until the kernel has let go ---------------------------------------------------------------
 */

/*
 * The kernel takes dead namespaces down in batches, one after the other. So one that dies now goes
 * with or after all that died before: a device of ours whose other end is in it vanishes then.
 */
static void wait_gone(void)
{
	static const char name[] = "labd-gone";
	int own = own_netns();
	must(unshare(CLONE_NEWNET), "unshare");
	add_veth("eth0", 0, 0, name, 0, own);
	send_all();
	enter(own);
	close(own);
	for (int i = 0; if_nametoindex(name) && i < GONE_TRIES; i++)
		usleep(GONE_STEP_US);
	if (if_nametoindex(name))
		die("the kernel does not let go");
}

static void run(int argc, char **argv)
{
	struct rlimit lim;
	n_nodes = atoi(argv[1]);
	n_pods = atoi(argv[2]);
	n_rules = atoi(argv[3]);
	if (n_nodes < 1 || n_nodes > MAX_NODES || n_pods < 1 || n_pods > MAX_PODS)
		die("NODES and PODS");
	getrlimit(RLIMIT_NOFILE, &lim);
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
	make_template(argv[4]);
	home = own_netns();
	long t0 = now_us();
	make_nodes();
	for (int k = 0; k < n_pods; k++)
		make_pod(k);
	for (int i = 0; i < n_nodes; i++)
		attach_pods(i);
	enter(home);
	long t1 = now_us();
	prove();
	long t2 = now_us();
	take_away();
	long t3 = now_us();
	wait_gone();
	printf("up_us=%ld down_us=%ld gone_us=%ld\n", t1 - t0, t3 - t2, now_us() - t2);
}

int main(int argc, char **argv)
{
	long t0 = now_us();
	buf = malloc(BUF_BYTES);
	proc_dir = open("/proc", O_PATH | O_CLOEXEC); /* the template has none */
	if (argc == 5) {
		run(argc, argv);
	} else if (argc == 2 && strcmp(argv[1], "gone") == 0) {
		wait_gone();
		printf("%ld\n", now_us() - t0);
	} else {
		fputs("floor: NODES PODS RULES PAUSE | gone\n", stderr);
		return 2;
	}
	return 0;
}
