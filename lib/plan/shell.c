/* SPDX-License-Identifier: MIT */
/*
 * shell: see shell.h. The script is meant to be read: it goes machine by machine, as someone would
 * who builds the lab by hand. Processes share the machine's PID and mount namespaces but for /etc
 * and /run, so it shows the network and not all of what labd does.
 */
#include "lib/plan/shell.h"

#include <string.h>

#include "lib/plan/shell_print.h"

static bool wants(const struct printer *p, unsigned section)
{
	return (p->o->sections & section) != 0;
}

static bool whole(const struct printer *p)
{
	return (p->o->sections & SECTION_ALL) == SECTION_ALL;
}

/* Is this namespace asked for? The fabric, the router and machines outside are nobody's. */
static bool chosen(const struct printer *p, const struct dns *ns)
{
	if (p->o->node < 0)
		return true;
	return (ns->kind == DNS_NODE || ns->kind == DNS_POD) && ns->node == p->o->node;
}

static bool is_cni_link(const struct dlink *l)
{
	switch (l->kind) {
	case DLINK_VXLAN:
	case DLINK_TUNL0:
	case DLINK_IPIP:
		return true;
	case DLINK_BRIDGE:
		return strcmp(l->name, "cni0") == 0;
	case DLINK_LO:
	case DLINK_VETH:
	case DLINK_DUMMY:
		break;
	}
	return false;
}

/* Which section a device's addresses and routes belong to. */
static bool is_cni_dev(const struct dns *ns, const char *dev)
{
	const struct dlink *l = dev ? shell_find_link(ns, dev) : NULL;

	return l && is_cni_link(l);
}

/* The end of a pod's pair in its node: configured when the pod is made. */
static bool is_pod_end(const struct printer *p, const struct dlink *l)
{
	return l->kind == DLINK_VETH && l->peer_ns >= 0 && p->d->ns.v[l->peer_ns].kind == DNS_POD;
}

/* The device of kube-proxy's ipvs mode. */
static bool is_proxy_link(const struct dlink *l)
{
	return l && l->kind == DLINK_DUMMY;
}

static bool is_proxy_sysctl(const struct dsysctl *s)
{
	return strcmp(s->key, "net.ipv4.conf.all.route_localnet") == 0 ||
	       strncmp(s->key, "net.ipv4.vs.", 12) == 0 ||
	       strncmp(s->key, "net.ipv4.conf.all.arp_", 22) == 0 ||
	       strncmp(s->key, "net.netfilter.nf_conntrack_", 27) == 0;
}

static void title(const struct printer *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void title(const struct printer *p, const char *fmt, ...)
{
	va_list ap;

	strbuf_adds(p->out, "\n# ");
	va_start(ap, fmt);
	strbuf_vaddf(p->out, fmt, ap);
	va_end(ap);
	strbuf_addc(p->out, '\n');
}

static void make_namespace(const struct printer *p, int i)
{
	const struct dns *ns = &p->d->ns.v[i];
	const char *name = shell_ns(p, i);

	strbuf_adds(p->out, "ip netns add ");
	strbuf_add_shell(p->out, name);
	strbuf_adds(p->out, "\nmkdir -p /etc/netns/");
	strbuf_add_shell(p->out, name);
	strbuf_adds(p->out, " \"$RUN\"/");
	strbuf_add_shell(p->out, name);
	strbuf_addc(p->out, '\n');
	if (ns->ip6_off) {
		struct dsysctl off = {.key = "net.ipv6.conf.default.disable_ipv6",
				      .value = "1",
				      .optional = true};
		shell_sysctl(p, i, &off);
	}
	vec_foreach (struct dsysctl, s, &ns->sysctls)
		if (s->early)
			shell_sysctl(p, i, s);
}

static void files(const struct printer *p, int i, bool etc_too)
{
	const struct dns *ns = &p->d->ns.v[i];

	vec_foreach (struct dfile, f, &ns->files) {
		bool dns = strcmp(f->path, "/run/dnsmasq.conf") == 0;
		bool cni = strncmp(f->path, "/run/flannel/", 13) == 0;

		if (dns ? wants(p, SECTION_DNS) : cni ? wants(p, SECTION_CNI) : etc_too)
			shell_file(p, i, f);
	}
}

/* Nobody can start that from a shell. */
static void kube_proxy(const struct printer *p, int i)
{
	const struct dns *ns = &p->d->ns.v[i];
	bool relays = p->d->cluster->proxy.mode == PROXY_USERSPACE;

	if (wants(p, SECTION_KUBE_PROXY))
		strbuf_addf(p->out, "# %s: here kube-proxy itself would listen%s (10256, 10249).\n",
			    ns->name,
			    relays ? " and relay, and answer health checks"
				   : " and answer health checks");
}

static void procs(const struct printer *p, int i)
{
	vec_foreach (struct dproc, r, &p->d->ns.v[i].procs)
		if (strcmp(r->image, "kube-proxy") == 0)
			kube_proxy(p, i);
		else if (wants(p, strcmp(r->image, "kube-dns") == 0 ? SECTION_DNS : SECTION_PODS))
			shell_proc(p, i, r);
}

/* Devices, addresses and routes that are the machine's own, and those of the CNI. */
static void layer3(const struct printer *p, int i, bool cni)
{
	const struct dns *ns = &p->d->ns.v[i];

	vec_foreach (struct daddr, a, &ns->addrs)
		if (is_cni_dev(ns, a->dev) == cni && !is_proxy_link(shell_find_link(ns, a->dev)))
			shell_addr(p, i, a);
	vec_foreach (struct droute, r, &ns->routes) {
		const struct dlink *l = r->dev ? shell_find_link(ns, r->dev) : NULL;
		/* Only the default route is the machine's own. */
		bool own = ns->kind != DNS_NODE || (r->type == DROUTE_UNICAST && !r->dst.len);

		if (own != cni && !(l && is_pod_end(p, l)))
			shell_route(p, i, r);
	}
}

static void machine(const struct printer *p, int i)
{
	const struct dns *ns = &p->d->ns.v[i];

	if (whole(p)) {
		static const char *const what[] = {"Fabric: the switch of the machines' network",
						   "Router: the gateways", "Node",
						   "Machine outside", "Pod"};
		if (ns->kind <= DNS_ROUTER)
			title(p, "%s", what[ns->kind]);
		else
			title(p, "%s %s", what[ns->kind], ns->name);
		make_namespace(p, i);
		vec_foreach (struct dlink, l, &ns->links) {
			if (l->kind == DLINK_VETH && l->creates)
				shell_pair(p, i, l);
			else if (l->kind != DLINK_VETH && !is_cni_link(l) && !is_proxy_link(l))
				shell_link(p, i, l);
		}
		layer3(p, i, false);
	}
	files(p, i, whole(p));
}

static void cni(const struct printer *p, int i)
{
	const struct dns *ns = &p->d->ns.v[i];

	title(p, "%s on %s: devices and the way to the other nodes' pods",
	      cni_str(p->d->cluster->cni), ns->name);
	vec_foreach (struct dlink, l, &ns->links)
		if (is_cni_link(l))
			shell_link(p, i, l);
	/* flannel's order: neighbour, forwarding entry, route. */
	vec_foreach (struct dneigh, n, &ns->neighs)
		shell_neigh(p, i, n);
	vec_foreach (struct dfdb, f, &ns->fdbs)
		shell_fdb(p, i, f);
	layer3(p, i, true);
}

static void late_sysctls(const struct printer *p, int i)
{
	vec_foreach (struct dsysctl, s, &p->d->ns.v[i].sysctls)
		if (!s->early && (is_proxy_sysctl(s) ? wants(p, SECTION_KUBE_PROXY) : whole(p)))
			shell_sysctl(p, i, s);
}

/* The device of kube-proxy's ipvs mode, with its addresses; it is kube-proxy's part. */
static void ipvs_device(const struct printer *p, int i)
{
	const struct dns *ns = &p->d->ns.v[i];

	vec_foreach (struct dlink, l, &ns->links) {
		if (!is_proxy_link(l))
			continue;
		shell_link(p, i, l);
		vec_foreach (struct daddr, a, &ns->addrs)
			if (strcmp(a->dev, l->name) == 0)
				shell_addr(p, i, a);
	}
}

/* Kubelet's rules are no part of their own. */
static bool wants_rules(const struct printer *p, const char *owner)
{
	if (strcmp(owner, "kubelet") == 0)
		return whole(p);
	return wants(p, strcmp(owner, "kube-proxy") == 0 ? SECTION_KUBE_PROXY : SECTION_CNI);
}

static void rules(const struct printer *p, int i)
{
	const struct dns *ns = &p->d->ns.v[i];

	if (ns->rules.n || ns->ipsets.n || ns->nft)
		title(p, "Rules of %s", ns->name);
	late_sysctls(p, i);
	if (wants(p, SECTION_KUBE_PROXY))
		ipvs_device(p, i);
	vec_foreach (struct dipset, s, &ns->ipsets) {
		bool proxy = strncmp(s->name, "KUBE-", 5) == 0;

		if (wants(p, proxy ? SECTION_KUBE_PROXY : SECTION_CNI))
			shell_ipset(p, i, s);
	}
	if (wants(p, SECTION_KUBE_PROXY))
		shell_services(p, i);
	vec_foreach (struct drules, r, &ns->rules)
		if (wants_rules(p, r->owner))
			shell_rules(p, i, r);
}

static void pod(const struct printer *p, int i)
{
	const struct dns *ns = &p->d->ns.v[i];

	if (wants(p, SECTION_PODS)) {
		title(p, "Pod %s", ns->name);
		make_namespace(p, i);
		vec_foreach (struct dlink, l, &ns->links) {
			if (l->kind == DLINK_VETH && l->creates)
				shell_pair(p, i, l);
			else
				shell_link(p, i, l);
		}
		layer3(p, i, false);
		late_sysctls(p, i);
	}
	files(p, i, wants(p, SECTION_PODS));
}

/* Frame ---------------------------------------------------------------------------------------- */

static void run_dir(const struct printer *p)
{
	strbuf_adds(p->out, "RUN=${TMPDIR:-/run}/labd-plan-");
	strbuf_add_shell(p->out, p->d->cluster->name);
	strbuf_addc(p->out, '\n');
}

static void head(const struct printer *p)
{
	const struct cluster *c = p->d->cluster;

	strbuf_addf(p->out,
		    "#!/bin/sh\n"
		    "# Lab %s, Kubernetes %s, %s, kube-proxy in %s mode, by hand.\n"
		    "# Run it as root; `labctl plan --down` prints what takes it away.\n",
		    c->name, kube_version_str(c->kubernetes), cni_str(c->cni),
		    proxy_mode_str(c->proxy.mode));
	if (!whole(p) || p->o->node >= 0)
		strbuf_adds(p->out, "# A part only: what it builds on must be there.\n");
	strbuf_adds(p->out, "set -eu\n");
	run_dir(p);
	strbuf_adds(p->out, "mkdir -p \"$RUN\"\n");
}

static void head_rules(const struct printer *p)
{
	const struct cluster *c = p->d->cluster;

	strbuf_adds(p->out,
		    "\n# The kind of iptables: legacy where the kernel has it, else nft.\n");
	if (c->iptables != IPT_AUTO)
		strbuf_addf(p->out, ": \"${IPT:=%s}\"\n",
			    c->iptables == IPT_LEGACY ? "legacy" : "nft");
	else
		strbuf_adds(p->out,
			    "if [ -z \"${IPT:-}\" ]; then\n"
			    "\tif unshare -n iptables-legacy -t nat -L >/dev/null 2>&1; then\n"
			    "\t\tIPT=legacy\n\telse\n\t\tIPT=nft\n\tfi\nfi\n");
}

static void head_procs(const struct printer *p)
{
	strbuf_adds(
		p->out,
		"\n# start NAMESPACE NAME PROGRAM...: in the background, with a /run of its own.\n"
		"start() {\n"
		"\tns=$1 name=$2\n\tshift 2\n"
		"\tip netns exec \"$ns\" sh -c 'mount --bind \"$0\" /run && exec \"$@\"' \\\n"
		"\t\t\"$RUN/$ns\" \"$@\" >\"$RUN/$ns.$name.log\" 2>&1 </dev/null &\n"
		"\techo $! >>\"$RUN/pids\"\n"
		"}\n");
}

static void build(const struct printer *p)
{
	int n = (int)p->d->ns.n;

	head(p);
	if (wants(p, SECTION_KUBE_PROXY | SECTION_CNI))
		head_rules(p);
	if (wants(p, SECTION_PODS | SECTION_DNS))
		head_procs(p);
	if (p->d->needs_ipip && wants(p, SECTION_CNI))
		strbuf_adds(p->out, "\n# tunl0 is there, in every namespace, once ipip is loaded.\n"
				    "[ -d /sys/module/ipip ] || modprobe ipip\n");
	for (int i = 0; i < n; i++)
		if (chosen(p, &p->d->ns.v[i]) && p->d->ns.v[i].kind != DNS_POD)
			machine(p, i);
	for (int i = 0; i < n && wants(p, SECTION_CNI); i++)
		if (chosen(p, &p->d->ns.v[i]) && p->d->ns.v[i].kind == DNS_NODE)
			cni(p, i);
	for (int i = 0; i < n && wants(p, SECTION_PODS | SECTION_DNS); i++)
		if (chosen(p, &p->d->ns.v[i]) && p->d->ns.v[i].kind == DNS_POD)
			pod(p, i);
	for (int i = 0; i < n; i++)
		if (chosen(p, &p->d->ns.v[i]) && p->d->ns.v[i].kind == DNS_NODE)
			rules(p, i);
	if (wants(p, SECTION_PODS | SECTION_DNS))
		title(p, "Programs");
	for (int i = 0; i < n; i++)
		if (chosen(p, &p->d->ns.v[i]))
			procs(p, i);
}

static void down(const struct printer *p)
{
	strbuf_addf(p->out, "#!/bin/sh\n# Takes lab %s away again that `labctl plan` built.\n",
		    p->d->cluster->name);
	strbuf_adds(p->out, "set -u\n");
	run_dir(p);
	strbuf_adds(p->out, "\n# take NAMESPACE: end what runs in it, then delete it.\n"
			    "take() {\n"
			    "\t[ -e \"/run/netns/$1\" ] || return 0\n"
			    "\tfor pid in $(ip netns pids \"$1\"); do\n"
			    "\t\tkill -9 \"$pid\" 2>/dev/null\n"
			    "\tdone\n"
			    "\tip netns del \"$1\"\n"
			    "\trm -rf \"/etc/netns/$1\" \"${RUN:?}/$1\" \"$RUN/$1\".*.log\n"
			    "}\n\n");
	for (int i = (int)p->d->ns.n - 1; i >= 0; i--) {
		if (!chosen(p, &p->d->ns.v[i]))
			continue;
		strbuf_adds(p->out, "take ");
		strbuf_add_shell(p->out, shell_ns(p, i));
		strbuf_addc(p->out, '\n');
	}
	if (p->o->node < 0)
		strbuf_adds(p->out, "rm -rf \"$RUN\"\nrmdir /etc/netns 2>/dev/null || :\n");
}

void shell_print(const struct desired *d, const struct shell_opts *o, struct strbuf *out)
{
	struct printer p = {.d = d, .o = o, .out = out};

	if (o->down)
		down(&p);
	else
		build(&p);
}
