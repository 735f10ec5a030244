/* SPDX-License-Identifier: MIT */
/* See snapshot.h. */
#include "labd/trace/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "labd/kernel/nlbatch.h"
#include "labd/kernel/sysctl.h"
#include "labd/kernel/xt_tool.h"
#include "labd/trace/nftable.h"
#include "labd/trace/nfttext.h"
#include "labd/trace/rtdump.h"
#include "labd/trace/ruletext.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"

/* A program that prints rules, and runs. */
enum saver { SAVE_LEGACY, SAVE_NFT, SAVE_NATIVE, SAVERS };
struct save {
	int ns;
	pid_t pid;
	int out; /* memory file */
	enum saver by;
};

static char *const savers[SAVERS][5] = {
	[SAVE_LEGACY] = {(char *)"iptables-legacy-save", NULL},
	[SAVE_NFT] = {(char *)"iptables-nft-save", NULL},
	[SAVE_NATIVE] = {(char *)"nft", (char *)"-a", (char *)"list", (char *)"ruleset", NULL},
};

struct snap {
	const struct stored *lab;
	struct recording *r;
	struct sysctl sysctl;
	vec_of(struct save) saves;
};

static const char *role_of(const struct dns *ns)
{
	static const char *const roles[] = {[DNS_FABRIC] = "fabric",
					    [DNS_ROUTER] = "router",
					    [DNS_NODE] = "node",
					    [DNS_HOST] = "host",
					    [DNS_POD] = "pod"};
	return roles[ns->kind];
}

static void name_ns(const struct stored *lab, const struct dns *d, const char *backend,
		    struct arena *a, struct rec_ns *ns)
{
	const struct cluster *c = lab->cluster;
	*ns = (struct rec_ns){.name = arena_strdup(a, d->name), .role = role_of(d)};
	if (d->kind == DNS_NODE)
		ns->where = arena_printf(a, "node/%s", d->name);
	else if (d->kind == DNS_HOST)
		ns->where = arena_printf(a, "host/%s", d->name);
	if (d->kind == DNS_NODE)
		ns->backend = arena_strdup(a, backend);
	if (d->kind != DNS_POD)
		return;
	const struct cpod *p = &c->pods.v[d->pod];
	ns->name = arena_strdup(a, p->name);
	ns->node = arena_strdup(a, c->nodes.v[p->node].name);
	ns->where = strcmp(p->ns, "default") == 0 ? ns->name
						  : arena_printf(a, "-n %s %s", p->ns, p->name);
}

/* ---- settings --------------------------------------------------------------------------------
 */

static void read_sysctls(struct snap *x, struct rec_ns *ns)
{
	static const char *const keys[] = {
		"net.ipv4.ip_forward",
		"net.ipv4.conf.all.rp_filter",
		"net.bridge.bridge-nf-call-iptables",
		"net.netfilter.nf_conntrack_tcp_be_liberal",
	};
	sysctl_next(&x->sysctl);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		char value[64];
		if (sysctl_get(&x->sysctl, keys[i], value, sizeof(value), NULL) == 0)
			*vec_push(x->r->arena, &ns->sysctls) =
				(struct rec_sysctl){keys[i], arena_strdup(x->r->arena, value)};
	}
}

/* The stricter of a device's and the namespace's value counts. */
static void effective_rp_filter(struct rec_ns *ns)
{
	int all = 0;
	vec_foreach (const struct rec_sysctl, s, &ns->sysctls)
		if (strcmp(s->key, "net.ipv4.conf.all.rp_filter") == 0)
			all = atoi(s->value);
	vec_foreach (struct rec_if, i, &ns->ifs)
		if (i->rp_filter >= 0 && all > i->rp_filter)
			i->rp_filter = all;
}

/* ---- rules -----------------------------------------------------------------------------------
 */

static bool any_legacy(void)
{
	char c;
	_close_ int fd = open("/proc/thread-self/net/ip_tables_names", O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, &c, 1) == 1;
}

/* In the calling thread's namespace. A failure leaves the rules out: the trace goes on. */
static void start_save(struct snap *x, int ns, enum saver by)
{
	const char *name = savers[by][0];
	char path[128];
	_close_ int out = memfd_create("rules", MFD_CLOEXEC);
	if (out < 0 || !tool_find(name, path, sizeof(path)))
		return;
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t none;
	sigemptyset(&none);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, out, 1);
	posix_spawn_file_actions_addopen(&fa, 2, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addclosefrom_np(&fa, 3);
	posix_spawnattr_init(&at);
	posix_spawnattr_setsigmask(&at, &none);
	posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGMASK);
	char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};
	struct save s = {.ns = ns, .by = by};
	if (posix_spawn(&s.pid, path, &fa, &at, savers[by], env) == 0) {
		s.out = take_fd(&out);
		*vec_push(x->r->arena, &x->saves) = s;
	}
	posix_spawnattr_destroy(&at);
	posix_spawn_file_actions_destroy(&fa);
}

static void missing(struct snap *x, const struct save *s)
{
	*vec_push(x->r->arena, &x->r->missing) =
		arena_printf(x->r->arena, "no rule texts of %s: %s failed", x->r->ns.v[s->ns].name,
			     savers[s->by][0]);
}

static void finish_save(struct snap *x, struct nlns *home, const int *netns, const struct save *s)
{
	int st = -1;
	while (waitpid(s->pid, &st, 0) < 0 && errno == EINTR)
		;
	_strbuf_ struct strbuf text = STRBUF_INIT;
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->out);
	if (st != 0 || file_read(path, MAX_TOTAL_BYTES, &text, NULL) < 0) {
		missing(x, s);
	} else {
		struct rec_ns *ns = &x->r->ns.v[s->ns];
		size_t from = ns->rules.n;
		if (s->by == SAVE_NATIVE)
			nfttext_ruleset(x->r->arena, strbuf_str(&text), ns);
		else
			ruletext_save(x->r->arena, strbuf_str(&text), ns);
		if (s->by == SAVE_NFT && nlns_enter(home, netns[s->ns], NULL) == 0)
			nftable_handles(ns, from);
		if (!ns->backend)
			ns->backend = s->by == SAVE_LEGACY ? "legacy" : "nft";
	}
	close(s->out);
}

/* ---- how namespaces hang together; names -----------------------------------------------------
 */

static struct rec_if *if_named(struct rec_ns *ns, const char *name)
{
	vec_foreach (struct rec_if, i, &ns->ifs)
		if (strcmp(i->name, name) == 0)
			return i;
	return NULL;
}

/* The kernel tells a veth's other end only by index; the plan knows where that is. */
static void find_peers(struct snap *x)
{
	const struct desired *d = x->lab->desired;
	for (size_t n = 0; n < d->ns.n; n++) {
		vec_foreach (const struct dlink, l, &d->ns.v[n].links) {
			if (l->kind != DLINK_VETH || l->peer_ns < 0 || !l->peer_name)
				continue;
			struct rec_if *a = if_named(&x->r->ns.v[n], l->name);
			struct rec_if *b = if_named(&x->r->ns.v[l->peer_ns], l->peer_name);
			if (!a || !b)
				continue;
			a->peer_ns = l->peer_ns;
			a->peer_ifindex = b->ifindex;
			b->peer_ns = (int)n;
			b->peer_ifindex = a->ifindex;
		}
	}
	vec_foreach (struct rec_ns, ns, &x->r->ns)
		vec_foreach (struct rec_if, i, &ns->ifs)
			if (i->peer_ns < 0)
				i->peer_ifindex = 0;
}

static void add_name(struct recording *r, ip4 ip, const char *kind, const char *name)
{
	if (!ip)
		return;
	vec_foreach (const struct rec_name, n, &r->names)
		if (n->ip == ip)
			return;
	*vec_push(r->arena, &r->names) = (struct rec_name){ip, name, kind};
}

static void add_names(struct snap *x)
{
	const struct cluster *c = x->lab->cluster;
	struct arena *a = x->r->arena;
	vec_foreach (const struct cnode, n, &c->nodes)
		add_name(x->r, n->ip, "node", arena_printf(a, "node %s", n->name));
	vec_foreach (const struct chost, h, &c->hosts)
		add_name(x->r, h->ip, "host", arena_printf(a, "host %s", h->name));
	vec_foreach (const struct cpod, p, &c->pods)
		if (!p->host_network)
			add_name(x->r, p->ip, "pod", arena_printf(a, "pod %s/%s", p->ns, p->name));
	vec_foreach (const struct csvc, s, &c->services)
		add_name(x->r, s->cluster_ip, "service",
			 arena_printf(a, "service %s/%s", s->ns, s->name));
	vec_foreach (const struct rec_ns, ns, &x->r->ns)
		vec_foreach (const struct rec_addr, ad, &ns->addrs) {
			const char *dev = rtdump_ifname(ns, ad->ifindex);
			if (strcmp(ns->role, "node") == 0 && ad->addr.addr >> 24 != 127)
				add_name(x->r, ad->addr.addr, "tunnel",
					 arena_printf(a, "%s %s", ns->name, dev ? dev : "?"));
		}
}

static int one_ns(struct snap *x, int i, struct err *err)
{
	const struct dns *d = &x->lab->desired->ns.v[i];
	struct rec_ns *ns = &x->r->ns.v[i];
	if (d->kind != DNS_FABRIC) {
		bool native;
		if (any_legacy())
			start_save(x, i, SAVE_LEGACY);
		if (nftable_any(&native))
			start_save(x, i, SAVE_NFT);
		if (native)
			start_save(x, i, SAVE_NATIVE);
	}
	int r = rtdump_all(x->r->arena, ns, err);
	if (r < 0)
		return err_wrap(err, "%s", ns->name);
	read_sysctls(x, ns);
	effective_rp_filter(ns);
	return 0;
}

int snapshot_take(const struct stored *lab, const char *backend, const int *netns,
		  struct recording *r, struct err *err)
{
	struct snap x = {.lab = lab, .r = r, .sysctl = SYSCTL_INIT};
	_nlns_ struct nlns home = NLNS_INIT;
	int code = 0;
	vec_foreach (const struct dns, d, &lab->desired->ns)
		name_ns(lab, d, backend, r->arena, vec_push(r->arena, &r->ns));
	for (int i = 0; code == 0 && i < (int)r->ns.n; i++) {
		if (netns[i] < 0)
			continue;
		code = nlns_enter(&home, netns[i], err);
		if (code == 0)
			code = one_ns(&x, i, err);
	}
	vec_foreach (const struct save, s, &x.saves)
		finish_save(&x, &home, netns, s);
	sysctl_close(&x.sysctl);
	if (code == 0) {
		find_peers(&x);
		add_names(&x);
	}
	return code;
}
