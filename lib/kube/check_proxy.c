/* SPDX-License-Identifier: MIT */
/*
 * KubeProxyConfiguration in the kube-proxy of the lab's version: what that one does not accept,
 * what it ignores, and what a lab does not carry out. Values that no version accepts are
 * bind_proxy.c's.
 *
 * Source: Kubernetes pkg/proxy/apis/config/validation and cmd/kube-proxy/app of 1.20 to 1.36; the
 * checks of the name of a scheduler went in 1.27 (#114878), "primary" came in 1.30 (#123105), the
 * modes BridgeInterface and InterfaceNamePrefix in 1.24.
 */
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/kube/bind.h"
#include "lib/kube/check.h"

struct proxy_check {
	struct checker *k;
	const struct proxy_config *p;
	enum kube_version version;
	const json_t *conf;
	const char *prefix; /* of a path: "" or that of the ConfigMap's text */
};

static void fault(const struct proxy_check *c, const char *path, const char *hint, const char *text)
{
	check_fault(c->k, &c->p->meta, arena_printf(c->k->a, "%s%s", c->prefix, path), hint, "%s",
		    text);
}

static const char *proxy_name(const struct proxy_check *c)
{
	return arena_printf(c->k->a, "kube-proxy %s", kube_version_str(c->version));
}

/* The value at "a.b" of the configuration, or NULL. */
static const json_t *value_at(const struct proxy_check *c, const char *path)
{
	size_t n = strcspn(path, ".");
	const json_t *v = json_object_get(c->conf, arena_strndup(c->k->a, path, n));
	return path[n] ? json_object_get(v, path + n + 1) : v;
}

static bool is_zero_duration(const char *s)
{
	return !*s || (strchr(s, '0') && !s[strspn(s, "0hms.")]);
}

/* Something other than the default that kubeadm writes out. */
static bool says_something(const json_t *v)
{
	if (!v || json_is_null(v) || json_is_false(v))
		return false;
	if (json_is_string(v))
		return !is_zero_duration(json_string_value(v));
	if (json_is_integer(v))
		return json_integer_value(v) != 0;
	if (json_is_array(v))
		return json_array_size(v) > 0;
	const char *key;
	json_t *member;
	json_object_foreach ((json_t *)v, key, member)
		if (says_something(member))
			return true;
	return !json_is_object(v);
}

static void note(const struct proxy_check *c, const char *path, const char *text)
{
	const struct meta *m = &c->p->meta;
	if (!says_something(value_at(c, path)))
		return;
	path = arena_printf(c->k->a, "%s%s%s%s", m->path, *m->path ? "." : "", c->prefix, path);
	fault_note(c->k->faults, m->doc, FAULT_KEY, check_object(c->k, m), path, NULL, "%s", text);
}

static void check_mode(const struct proxy_check *c)
{
	if (c->p->mode == PROXY_USERSPACE && c->version > KUBE_1_23)
		fault(c, "mode", "the lab's `kubernetes` can be 1.20 or 1.23",
		      arena_printf(c->k->a, "%s has no userspace mode, which went in 1.26",
				   proxy_name(c)));
	if (c->p->mode == PROXY_NFTABLES && c->version < KUBE_1_32)
		fault(c, "mode", "the lab's `kubernetes` can be 1.32 or 1.36",
		      arena_printf(c->k->a, "%s has no nftables mode, which came in 1.29",
				   proxy_name(c)));
}

static void check_scheduler(const struct proxy_check *c)
{
	static const char *const old[] = {"",	   "rr", "wrr", "lc",  "wlc", "lblc",
					  "lblcr", "sh", "dh",	"sed", "nq"};
	if (c->p->mode != PROXY_IPVS || c->version > KUBE_1_23)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(old); i++)
		if (strcmp(old[i], c->p->scheduler) == 0)
			return;
	fault(c, "ipvs.scheduler", "the lab's `kubernetes` can be 1.32 or 1.36",
	      arena_printf(c->k->a,
			   "%s does not accept `%s`, only rr, wrr, lc, wlc, lblc, lblcr, sh, dh, "
			   "sed, nq",
			   proxy_name(c), c->p->scheduler));
}

static void check_old(const struct proxy_check *c)
{
	if (c->version > KUBE_1_23)
		return;
	if (c->p->detect == DETECT_BRIDGE || c->p->detect == DETECT_PREFIX)
		fault(c, "detectLocalMode", "the lab's `kubernetes` can be 1.32 or 1.36",
		      arena_printf(c->k->a, "%s knows ClusterCIDR and NodeCIDR only",
				   proxy_name(c)));
	if (c->p->node_port_addresses.n == 1 &&
	    strcmp(c->p->node_port_addresses.v[0], NODE_PORTS_PRIMARY) == 0)
		fault(c, "nodePortAddresses[0]", "the lab's `kubernetes` can be 1.32 or 1.36",
		      arena_printf(c->k->a, "%s wants CIDRs: `" NODE_PORTS_PRIMARY "` came in 1.30",
				   proxy_name(c)));
	/* Whatever the mode; bind_proxy.c looks at those of the mode. */
	bool seen = c->p->mode == PROXY_IPTABLES || c->p->mode == PROXY_USERSPACE;
	const char *wrong = proxy_periods_wrong(c->k->a, &c->p->iptables_periods, true);
	if (wrong && !seen)
		fault(c,
		      c->p->iptables_periods.sync ? "iptables.syncPeriod"
						  : "iptables.minSyncPeriod",
		      NULL, wrong);
}

/* Hidden metrics can be shown of the version before only. */
static void check_hidden_metrics(const struct proxy_check *c)
{
	static const char *const before[] = {[KUBE_1_20] = "1.19",
					     [KUBE_1_23] = "1.22",
					     [KUBE_1_32] = "1.31",
					     [KUBE_1_36] = "1.35"};
	const char *s = c->p->hidden_metrics;
	if (s && strcmp(s, before[c->version]) != 0)
		fault(c, "showHiddenMetricsForVersion", NULL,
		      arena_printf(c->k->a, "%s accepts `%s` only", proxy_name(c),
				   before[c->version]));
}

/* Fields that only some versions have: the others ignore them. */
static void note_versions(const struct proxy_check *c)
{
	static const struct {
		const char *path;
		bool new; /* came behind 1.23; else gone by 1.32 */
	} fields[] = {
		{"iptables.localhostNodePorts", true},
		{"nftables", true},
		{"detectLocal", true},
		{"logging", true},
		{"conntrack.tcpBeLiberal", true},
		{"conntrack.udpTimeout", true},
		{"conntrack.udpStreamTimeout", true},
		{"udpIdleTimeout", false},
	};
	const char *text =
		arena_printf(c->k->a, "%s has no such field and ignores it", proxy_name(c));
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].new != (c->version > KUBE_1_23))
			note(c, fields[i].path, text);
}

/* What belongs to another mode, and what a lab does not carry out. */
static void note_unused(const struct proxy_check *c)
{
	bool user = c->p->mode == PROXY_USERSPACE;
	const char *other =
		arena_printf(c->k->a, "not read in mode %s", proxy_mode_str(c->p->mode));
	if (c->p->mode != PROXY_IPVS)
		note(c, "ipvs", other);
	if (c->p->mode == PROXY_NFTABLES)
		note(c, "iptables", other);
	else if (c->version > KUBE_1_23)
		note(c, "nftables", other);
	note(c, "featureGates", "a lab has the version's own defaults");
	note(c, "conntrack.maxPerCore", "a lab leaves the machine's nf_conntrack_max as it is");
	note(c, "conntrack.min", "a lab leaves the machine's nf_conntrack_max as it is");
	if (user && c->k->o->lab.cni == CNI_CALICO)
		note(c, "mode",
		     "pods reach no Service with Calico and userspace: REDIRECT needs an address "
		     "on the device a packet comes in by, and those of its pods have none");
	if (user) {
		note(c, "portRange", "a lab's relay chooses its ports itself");
		note(c, "udpIdleTimeout", "a lab's relay waits 250ms");
		note(c, "bindAddress", "a lab's relay listens on all addresses");
	}
}

void check_proxy(struct checker *k)
{
	struct proxy_check c = {.k = k, .p = &k->o->proxy, .version = k->o->lab.kubernetes};
	if (!c.p->present)
		return;
	json_t *data = json_object_get(c.p->meta.raw, "data");
	c.prefix = data ? "data[\"config.conf\"]." : "";
	c.conf = data ? json_object_get(data, "config.conf") : c.p->meta.raw;
	check_mode(&c);
	check_scheduler(&c);
	check_old(&c);
	check_hidden_metrics(&c);
	note_versions(&c);
	note_unused(&c);
}
