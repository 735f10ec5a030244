/* SPDX-License-Identifier: MIT */
/*
 * probe: see probe.h. The calling thread enters a network namespace of its own for the time of the
 * questions and returns; the namespace goes with it. What is asked, and which modules must be there
 * before it may be asked, is the table below.
 */
#include "labd/kernel/probe.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "labd/kernel/cgroup.h"
#include "labd/kernel/nlbatch.h"
#include "labd/kernel/probe_table.h"
#include "labd/kernel/probe_try.h"
#include "labd/kernel/sysctl.h"
#include "labd/kernel/xt_tool.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"

static bool is_veth(const struct probe *p)
{
	return try_link_kind("veth");
}

static bool is_bridge(const struct probe *p)
{
	return try_link_kind("bridge");
}

static bool is_vxlan(const struct probe *p)
{
	return try_link_kind("vxlan");
}

static bool is_ipip(const struct probe *p)
{
	return try_link_kind("ipip");
}

static bool is_dummy(const struct probe *p)
{
	return try_link_kind("dummy");
}

/* Its settings are per namespace (since Linux 5.3), so they show in a new one. */
static bool is_br_netfilter(const struct probe *p)
{
	_sysctl_ struct sysctl s = SYSCTL_INIT;
	char v[16];
	return sysctl_get(&s, "net/bridge/bridge-nf-call-iptables", v, sizeof(v), NULL) == 0;
}

static bool is_legacy(const struct probe *p)
{
	char path[128];
	return try_legacy_table("nat") && try_legacy_table("filter") &&
	       tool_find("iptables-legacy-restore", path, sizeof(path));
}

static bool is_nft_native(const struct probe *p)
{
	return try_nft_nat();
}

static bool is_nft_tables(const struct probe *p)
{
	char path[128];
	return p->nft_native && try_xt(XT_TARGET, "DNAT", 2) &&
	       tool_find("iptables-nft-restore", path, sizeof(path));
}

static bool is_ipset(const struct probe *p)
{
	return try_ipset();
}

static bool is_xt_set(const struct probe *p)
{
	return try_xt(XT_MATCH, "set", 4);
}

static bool is_ipvs(const struct probe *p)
{
	return path_exists("/proc/thread-self/net/ip_vs");
}

static bool is_conntrack(const struct probe *p)
{
	return try_ctnetlink();
}

static bool is_nfacct(const struct probe *p)
{
	return try_nfacct();
}

static bool is_netem(const struct probe *p)
{
	struct tc_netem_qopt opt = {.limit = 1000};
	return try_qdisc("netem", &opt, sizeof(opt));
}

static bool is_nflog(const struct probe *p)
{
	return try_nflog();
}

static bool is_nfqueue(const struct probe *p)
{
	return try_nfqueue();
}

static bool is_trace(const struct probe *p)
{
	return try_xt(XT_TARGET, "TRACE", 0);
}

static bool is_cgroups(const struct probe *p)
{
	return cgroup_usable();
}

#define AT(member) offsetof(struct probe, member)

const struct feature probe_features[] = {
	{"veth", AT(veth), "veth", is_veth, "every link of a lab"},
	{"bridge", AT(bridge), "bridge", is_bridge, "cni0 and the underlay"},
	{"br_netfilter", AT(br_netfilter), "br_netfilter", is_br_netfilter,
	 "Services between pods of one node with flannel"},
	{"vxlan", AT(vxlan), "vxlan", is_vxlan, "flannel VXLAN, Calico VXLAN"},
	{"ipip", AT(ipip), "ipip", is_ipip, "Calico IPIP (tunl0), flannel ipip"},
	{"dummy", AT(dummy), "dummy", is_dummy, "kube-ipvs0 of kube-proxy's IPVS mode"},
	{"iptables-legacy", AT(legacy), "ip_tables iptable_nat iptable_filter", is_legacy,
	 "rules the fast way (a restore in 3 ms)"},
	{"nft nat", AT(nft_native), "nf_tables nft_chain_nat", is_nft_native,
	 "kube-proxy's nftables mode, iptables-nft"},
	{"iptables-nft", AT(nft_tables), "nf_tables nft_chain_nat nft_compat", is_nft_tables,
	 "rules where there is no iptables-legacy"},
	{"ipset", AT(ipset), "ip_set ip_set_hash_net", is_ipset, "Calico, kube-proxy's IPVS mode"},
	{"xt_set", AT(xt_set), "xt_set", is_xt_set, "rules that match an ipset"},
	{"ip_vs", AT(ipvs), "ip_vs", is_ipvs, "kube-proxy's IPVS mode"},
	{"conntrack", AT(conntrack), "nf_conntrack_netlink", is_conntrack,
	 "NAT, and what a trace shows of it"},
	{"nfacct", AT(nfacct), "nfnetlink_acct xt_nfacct", is_nfacct,
	 "kube-proxy's two counters (1.31 and newer)"},
	{"netem", AT(netem), "sch_netem", is_netem, "delay and loss by hand, with tc"},
	{"NFLOG", AT(nflog), "nfnetlink_log xt_NFLOG", is_nflog, "rule hits in a trace"},
	{"NFQUEUE", AT(nfqueue), "nfnetlink_queue xt_NFQUEUE", is_nfqueue,
	 "a trace's single steps"},
	{"TRACE", AT(trace), "xt_TRACE", is_trace, "the way through the rules in a trace"},
	{"control groups", AT(cgroups), "", is_cgroups,
	 "bounds on a lab's processes and memory (else rlimits, which hold less)"},
};
const size_t probe_nfeatures = ARRAY_SIZE(probe_features);

const struct feature *feature_at(size_t offset)
{
	for (size_t i = 0; i < probe_nfeatures; i++)
		if (probe_features[i].offset == offset)
			return &probe_features[i];
	return NULL;
}

int probe_kernel(struct probe *ret, struct err *err)
{
	struct utsname u;
	*ret = (struct probe){0};
	uname(&u);
	snprintf(ret->kernel, sizeof(ret->kernel), "%s", u.release);

	_nlns_ struct nlns home = NLNS_INIT;
	int r = nlns_new(&home, err);
	if (r == -ENOSYS || r == -EINVAL || r == -ENOSPC)
		return 0; /* no network namespaces: nothing else is worth asking */
	if (r < 0)
		return r;
	ret->netns = true;

	_mods_ struct mods mods;
	mods_read(&mods);
	for (size_t i = 0; i < probe_nfeatures; i++) {
		const struct feature *f = &probe_features[i];
		if (mods_may_try(&mods, f->modules))
			*(bool *)((char *)ret + f->offset) = f->try(ret);
	}
	ret->backend = ret->legacy || !ret->nft_tables ? IPT_LEGACY : IPT_NFT;
	return 0;
}

/* ---- does it suffice? ---- */

struct need {
	bool needed, there;
	const char *what;
	size_t offset; /* the feature, for the hint */
};

/* A bridge setting that must be writable says that br_netfilter is needed. */
static bool needs_br_netfilter(const struct desired *d)
{
	vec_foreach (const struct dns, ns, &d->ns)
		vec_foreach (const struct dsysctl, s, &ns->sysctls)
			if (!s->optional && (strncmp(s->key, "net.bridge.", 11) == 0 ||
					     strncmp(s->key, "net/bridge/", 11) == 0))
				return true;
	return false;
}

static int no_namespaces(struct err *err)
{
	return err_setc(err, -EOPNOTSUPP, ERR_UNSUPPORTED, "this kernel has no network namespaces");
}

static int lacks(const struct need *needs, size_t n, struct err *err)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	const struct feature *first = NULL;
	for (size_t i = 0; i < n; i++) {
		if (!needs[i].needed || needs[i].there)
			continue;
		strbuf_adds(&text, text.len ? ", no " : "this kernel has no ");
		strbuf_adds(&text, needs[i].what);
		first = first ? first : feature_at(needs[i].offset);
	}
	if (!first)
		return 0;
	char hint[ERR_HINT_MAX];
	_mods_ struct mods mods;
	mods_read(&mods);
	feature_hint(first, &mods, hint, sizeof(hint));
	err_setc(err, -EOPNOTSUPP, ERR_UNSUPPORTED, "%s", strbuf_str(&text));
	return err_hint(err, "%s", hint);
}

/* A program that the lab needs and the machine has not. */
static int lacks_program(const struct desired *d, struct err *err)
{
	const struct {
		bool needed;
		const char *program, *package;
	} needs[] = {
		{d->needs_ipset, "ipset", "ipset"},
		{d->needs_ipvs, "ipvsadm", "ipvsadm"},
		{d->needs_nft, "nft", "nftables"},
		{d->needs_bird, "bird", "bird2"},
	};
	char path[128];
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		if (!needs[i].needed || tool_find(needs[i].program, path, sizeof(path)))
			continue;
		err_setc(err, -ENOENT, ERR_UNSUPPORTED, "this machine has no program %s",
			 needs[i].program);
		return err_hint(err, "apt-get install %s", needs[i].package);
	}
	return 0;
}

bool probe_falls_back(const struct probe *p, const struct desired *d)
{
	return d->needs_ipvs && (!p->ipvs || !p->ipset) && d->cluster &&
	       d->cluster->kubernetes <= KUBE_1_23;
}

/* What kube-proxy itself does in ipvs mode where the kernel has no IPVS: up to 1.25 it went on in
 * iptables mode, since 1.26 it ends. auto looks for a kernel that has it first. */
static int hint_ipvs(const struct desired *d, struct err *err)
{
	if (!d->cluster || !d->cluster->is_lab)
		return err->code;
	const char *version = kube_version_str(d->cluster->kubernetes);
	if (d->cluster->kubernetes <= KUBE_1_23)
		return err_hint(
			err,
			"kube-proxy %s would fall back to iptables here, and does with --engine "
			"host; --engine guest's kernel has ip_vs",
			version);
	return err_hint(err,
			"kube-proxy %s would end with an error here (it falls back no more since "
			"1.26); use --engine guest, whose kernel has ip_vs",
			version);
}

int probe_suits(const struct probe *p, const struct desired *d, struct err *err)
{
	if (!p->netns)
		return no_namespaces(err);
	enum ipt_backend ipt = d->cluster ? d->cluster->iptables : IPT_AUTO;
	const struct need needs[] = {
		{true, p->veth, "veth", AT(veth)},
		{true, p->bridge, "bridge", AT(bridge)},
		{d->needs_vxlan, p->vxlan, "vxlan", AT(vxlan)},
		{d->needs_ipip, p->ipip, "ipip (tunl0)", AT(ipip)},
		{d->needs_dummy, p->dummy, "dummy", AT(dummy)},
		{d->needs_ipset, p->ipset, "ipset", AT(ipset)},
		{d->needs_ipset, p->xt_set, "xt_set", AT(xt_set)},
		{d->needs_ipvs, p->ipvs, "ip_vs", AT(ipvs)},
		{d->needs_nft, p->nft_native, "nftables nat", AT(nft_native)},
		{needs_br_netfilter(d), p->br_netfilter, "br_netfilter", AT(br_netfilter)},
		{ipt == IPT_LEGACY, p->legacy, "iptables-legacy", AT(legacy)},
		{ipt == IPT_NFT, p->nft_tables, "iptables-nft", AT(nft_tables)},
		{ipt == IPT_AUTO, p->legacy || p->nft_tables, "iptables", AT(legacy)},
	};
	int r = lacks(needs, ARRAY_SIZE(needs), err);
	if (r < 0 && d->needs_ipvs && !p->ipvs)
		return hint_ipvs(d, err);
	return r < 0 ? r : lacks_program(d, err);
}
