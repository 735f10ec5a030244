/* SPDX-License-Identifier: MIT */
/*
 * KubeProxyConfiguration, on its own or inside the kube-proxy ConfigMap: every field that
 * kube-proxy has, held against its own rules (Kubernetes pkg/proxy/apis/config/validation). Unknown
 * fields are noted: kube-proxy too only warns of them. What depends on the version is checked in
 * check_proxy.c.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/kube/bind.h"

#define DEFAULT_SYNC	 (30 * NS_PER_S)
#define DEFAULT_MIN_SYNC NS_PER_S
#define BIT_NOT_GIVEN	 32

struct proxy_doc {
	struct proxy_config c;
	const char *kind, *version;
	struct proxy_periods ipvs, nftables;
	long long ipvs_tcp, ipvs_tcpfin, ipvs_udp; /* nanoseconds */
	/* checked, not used */
	const char *text;
	bool flag;
	int32_t number;
	long long duration;
};

static const struct word modes[] = {{"", PROXY_IPTABLES},	    {"iptables", PROXY_IPTABLES},
				    {"ipvs", PROXY_IPVS},	    {"nftables", PROXY_NFTABLES},
				    {"userspace", PROXY_USERSPACE}, {NULL, 0}};
static const struct words words_mode = {.list = modes};
static const struct word detects[] = {{"", DETECT_CLUSTER_CIDR},
				      {"ClusterCIDR", DETECT_CLUSTER_CIDR},
				      {"NodeCIDR", DETECT_NODE_CIDR},
				      {"BridgeInterface", DETECT_BRIDGE},
				      {"InterfaceNamePrefix", DETECT_PREFIX},
				      {NULL, 0}};
static const struct words words_detect = {.list = detects};
/* Those of Linux 6.1: since 1.27 kube-proxy takes what the kernel takes. */
static const struct word schedulers[] = {{"", 0},    {"rr", 0},	  {"wrr", 0},	{"lc", 0},
					 {"wlc", 0}, {"lblc", 0}, {"lblcr", 0}, {"sh", 0},
					 {"dh", 0},  {"sed", 0},  {"nq", 0},	{"mh", 0},
					 {"fo", 0},  {"ovf", 0},  {"twos", 0},	{NULL, 0}};
static const struct words words_scheduler = {.list = schedulers};

static bool bind_scheduler(struct binder *b, const struct at *at, json_t *v, void *dst,
			   const void *arg)
{
	int value;
	return bind_word(b, at, v, &value, arg) && bind_str(b, at, v, dst, NULL);
}

/* One CIDR, or one of each family with a comma between. */
static bool bind_cluster_cidr(struct binder *b, const struct at *at, json_t *v, void *dst,
			      const void *arg)
{
	struct proxy_doc *d = dst;
	char text[128];
	unsigned n4 = 0, n6 = 0;
	(void)arg;
	if (!json_is_string(v))
		return bind_wrong_type(b, at, v, "a string");
	const char *s = json_string_value(v);
	if (!*s)
		return false;
	for (const char *part = s;; part++) {
		size_t len = strcspn(part, ",");
		snprintf(text, sizeof(text), "%.*s", (int)len, part);
		if (len < sizeof(text) && is_ip6(text) && strchr(text, '/'))
			n6++;
		else if (len < sizeof(text) && cidr_parse(text, &d->c.cluster_cidr))
			n4++;
		else
			return bind_fault(b, at, NULL, "`%s` is not a CIDR such as 10.244.0.0/16",
					  s);
		part += len;
		if (!*part)
			break;
	}
	if (n4 > 1 || n6 > 1)
		return bind_fault(b, at, NULL, "more than one CIDR of one family");
	d->c.has_cluster_cidr = n4 == 1;
	return true;
}

/* CIDRs, or the one word "primary". */
static bool bind_node_port_addresses(struct binder *b, const struct at *at, json_t *v, void *dst,
				     const void *arg)
{
	strs *list = dst;
	json_t *item;
	size_t i;
	(void)arg;
	if (!json_is_array(v))
		return bind_wrong_type(b, at, v, "a list");
	json_array_foreach (v, i, item) {
		const char *s = json_string_value(item);
		bool primary = s && strcmp(s, NODE_PORTS_PRIMARY) == 0;
		if (primary && json_array_size(v) > 1)
			return bind_fault(b, AT_INDEX(at, i), NULL,
					  "`%s` cannot stand beside CIDRs", s);
		bind_fn *fn = primary ? bind_str : bind_cidr_text;
		const char *text;
		if (fn(b, AT_INDEX(at, i), item, &text, NULL))
			*vec_push(b->arena, list) = text;
	}
	return true;
}

static bool bind_hostname(struct binder *b, const struct at *at, json_t *v, void *dst,
			  const void *arg)
{
	const char *why, *s = json_string_value(v);
	(void)arg;
	if (!s)
		return bind_wrong_type(b, at, v, "a string");
	/* kube-proxy trims the name and takes it in lower case. */
	char *name = arena_strdup(b->arena, s + strspn(s, " \t\n"));
	name[strcspn(name, " \t\n")] = '\0';
	if (!*name)
		return false;
	for (char *p = name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	if (!name_ok(name, NAME_SUBDOMAIN, &why))
		return bind_fault(b, at, why, "`%s` is not a valid name", s);
	*(const char **)dst = name;
	return true;
}

/* Addresses and ports -------------------------------------------------------------------------- */

static bool is_port(const char *s)
{
	size_t n = strspn(s, "0123456789");
	return n > 0 && n <= 5 && !s[n] && atol(s) >= 1 && atol(s) <= 65535;
}

static bool is_address(const char *s)
{
	ip4 ip;
	return ip4_parse(s, &ip) || (is_ip6(s) && !strchr(s, '/'));
}

/* An address with a port, or without one: then kube-proxy adds its own. */
static bool bind_listen(struct binder *b, const struct at *at, json_t *v, void *dst,
			const void *arg)
{
	const unsigned *usual = arg;
	const char *s;
	(void)dst;
	if (!bind_str(b, at, v, &s, NULL) || !*s || is_address(s))
		return false;
	const char *colon = strrchr(s, ':');
	char *host = arena_strndup(b->arena, s, colon ? (size_t)(colon - s) : 0);
	size_t len = strlen(host);
	if (len > 1 && host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		host++;
	} else if (strchr(host, ':')) {
		colon = NULL;
	}
	if (!colon || !is_address(host))
		return bind_fault(b, at, NULL,
				  "`%s` is not an IP address and a port such as "
				  "0.0.0.0:%u",
				  s, *usual);
	if (!is_port(colon + 1))
		return bind_fault(b, at, NULL, "`%s` is not a port", colon + 1);
	if (atol(colon + 1) != *usual)
		bind_note_key(b, at, NULL, "the kube-proxy of a lab answers on port %u", *usual);
	return false;
}

static bool bind_bind_address(struct binder *b, const struct at *at, json_t *v, void *dst,
			      const void *arg)
{
	const char *s;
	(void)arg;
	if (!bind_str(b, at, v, &s, NULL) || !*s || (is_ip6(s) && !strchr(s, '/')))
		return false;
	return ip4_parse(s, dst) || bind_fault(b, at, NULL, "`%s` is not an IP address", s);
}

/* "300-2000", "300+100", one port, or nothing. */
static bool bind_port_range(struct binder *b, const struct at *at, json_t *v, void *dst,
			    const void *arg)
{
	const char *s;
	char *end;
	(void)dst, (void)arg;
	if (!bind_str(b, at, v, &s, NULL) || !s[strspn(s, " \t")])
		return false;
	long first = strtol(s, &end, 10), last = first;
	char sign = *end;
	if (end != s && (sign == '-' || sign == '+')) {
		const char *second = end + 1;
		last = strtol(second, &end, 10) + (sign == '+' ? first : 0);
		end = end == second ? (char *)s : end;
	}
	if (end == s || end[strspn(end, " \t")] || first < 0 || first > 65535 || last > 65535)
		return bind_fault(b, at, NULL, "`%s` is not a range of ports such as 300-2000", s);
	return last >= first || bind_fault(b, at, NULL, "the range `%s` ends before it begins", s);
}

/* Other parts ---------------------------------------------------------------------------------- */

static bool bind_feature_gates(struct binder *b, const struct at *at, json_t *v, void *dst,
			       const void *arg)
{
	const char *key;
	json_t *value;
	bool on;
	(void)dst, (void)arg;
	if (!json_is_object(v))
		return bind_wrong_type(b, at, v, "a mapping");
	json_object_foreach (v, key, value)
		bind_bool(b, AT_KEY(at, key), value, &on, NULL);
	return true;
}

static bool bind_qps(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg)
{
	(void)dst, (void)arg;
	return json_is_number(v) || bind_wrong_type(b, at, v, "a number");
}

static const unsigned healthz_port = 10256, metrics_port = 10249;
static const struct range range_mark_bit = {0, 31};
static const struct range range_oom = {-1000, 1000};
static const struct range range_from_0 = {0, INT32_MAX};
static const struct list_of list_of_cidr_texts = {.item = bind_cidr_text,
						  .size = sizeof(const char *)};

static const struct field client_fields[] = {
	FIELD("kubeconfig", struct proxy_doc, text, bind_str, NULL),
	FIELD("acceptContentTypes", struct proxy_doc, text, bind_str, NULL),
	FIELD("contentType", struct proxy_doc, text, bind_str, NULL),
	{.key = "qps", .fn = bind_qps},
	FIELD("burst", struct proxy_doc, number, bind_int32, &range_from_0),
};
static const struct shape client_shape = SHAPE_ALSO(client_fields, "");
static const struct field winkernel_fields[] = {
	FIELD("networkName", struct proxy_doc, text, bind_str, NULL),
	FIELD("sourceVip", struct proxy_doc, text, bind_str, NULL),
	FIELD("enableDSR", struct proxy_doc, flag, bind_bool, NULL),
	FIELD("rootHnsEndpointName", struct proxy_doc, text, bind_str, NULL),
	FIELD("forwardHealthCheckVip", struct proxy_doc, flag, bind_bool, NULL),
};
static const struct shape winkernel_shape = SHAPE_ALSO(winkernel_fields, "");
static const struct field detect_local_fields[] = {
	FIELD("bridgeInterface", struct proxy_doc, c.bridge_interface, bind_ifname, NULL),
	FIELD("interfaceNamePrefix", struct proxy_doc, c.interface_prefix, bind_ifname, NULL),
};
static const struct shape detect_local_shape = SHAPE_ALSO(detect_local_fields, "");
static const struct field iptables_fields[] = {
	FIELD("masqueradeAll", struct proxy_doc, c.masquerade_all, bind_bool, NULL),
	FIELD("masqueradeBit", struct proxy_doc, c.masquerade_bit, bind_uint, &range_mark_bit),
	FIELD("localhostNodePorts", struct proxy_doc, c.localhost_node_ports, bind_bool, NULL),
	FIELD("syncPeriod", struct proxy_doc, c.iptables_periods.sync, bind_duration, NULL),
	FIELD("minSyncPeriod", struct proxy_doc, c.iptables_periods.min, bind_duration, NULL),
};
static const struct shape iptables_shape = SHAPE_ALSO(iptables_fields, "");
static const struct field nftables_fields[] = {
	FIELD("masqueradeAll", struct proxy_doc, c.nft_masquerade_all, bind_bool, NULL),
	FIELD("masqueradeBit", struct proxy_doc, c.nft_masquerade_bit, bind_uint, &range_mark_bit),
	FIELD("syncPeriod", struct proxy_doc, nftables.sync, bind_duration, NULL),
	FIELD("minSyncPeriod", struct proxy_doc, nftables.min, bind_duration, NULL),
};
static const struct shape nftables_shape = SHAPE_ALSO(nftables_fields, "");
static const struct field ipvs_fields[] = {
	FIELD("scheduler", struct proxy_doc, c.scheduler, bind_scheduler, &words_scheduler),
	FIELD("strictARP", struct proxy_doc, c.strict_arp, bind_bool, NULL),
	FIELD("excludeCIDRs", struct proxy_doc, c.exclude_cidrs, bind_list, &list_of_cidr_texts),
	FIELD("tcpTimeout", struct proxy_doc, ipvs_tcp, bind_duration, NULL),
	FIELD("tcpFinTimeout", struct proxy_doc, ipvs_tcpfin, bind_duration, NULL),
	FIELD("udpTimeout", struct proxy_doc, ipvs_udp, bind_duration, NULL),
	FIELD("syncPeriod", struct proxy_doc, ipvs.sync, bind_duration, NULL),
	FIELD("minSyncPeriod", struct proxy_doc, ipvs.min, bind_duration, NULL),
};
static const struct shape ipvs_shape = SHAPE_ALSO(ipvs_fields, "");
static const struct field conntrack_fields[] = {
	FIELD("maxPerCore", struct proxy_doc, number, bind_int32, &range_from_0),
	FIELD("min", struct proxy_doc, number, bind_int32, &range_from_0),
	FIELD("tcpBeLiberal", struct proxy_doc, c.tcp_be_liberal, bind_bool, NULL),
	FIELD("tcpEstablishedTimeout", struct proxy_doc, c.ct.tcp_established, bind_duration, NULL),
	FIELD("tcpCloseWaitTimeout", struct proxy_doc, c.ct.tcp_close_wait, bind_duration, NULL),
	FIELD("udpTimeout", struct proxy_doc, c.ct.udp, bind_duration, NULL),
	FIELD("udpStreamTimeout", struct proxy_doc, c.ct.udp_stream, bind_duration, NULL),
};
static const struct shape conntrack_shape = SHAPE_ALSO(conntrack_fields, "");

static const struct field proxy_fields[] = {
	FIELD("kind", struct proxy_doc, kind, bind_str, NULL),
	FIELD("apiVersion", struct proxy_doc, version, bind_str, NULL),
	{.key = "metadata", .fn = bind_mapping},
	{.key = "featureGates", .fn = bind_feature_gates},
	NESTED("clientConnection", &client_shape),
	{.key = "logging", .fn = bind_mapping},
	FIELD("hostnameOverride", struct proxy_doc, c.hostname_override, bind_hostname, NULL),
	FIELD("bindAddress", struct proxy_doc, c.bind_address, bind_bind_address, NULL),
	{.key = "healthzBindAddress", .fn = bind_listen, .arg = &healthz_port},
	{.key = "metricsBindAddress", .fn = bind_listen, .arg = &metrics_port},
	FIELD("bindAddressHardFail", struct proxy_doc, flag, bind_bool, NULL),
	FIELD("enableProfiling", struct proxy_doc, flag, bind_bool, NULL),
	FIELD("showHiddenMetricsForVersion", struct proxy_doc, c.hidden_metrics, bind_str_opt,
	      NULL),
	FIELD("mode", struct proxy_doc, c.mode, bind_word, &words_mode),
	NESTED("iptables", &iptables_shape),
	NESTED("ipvs", &ipvs_shape),
	NESTED("nftables", &nftables_shape),
	NESTED("winkernel", &winkernel_shape),
	FIELD("detectLocalMode", struct proxy_doc, c.detect, bind_word, &words_detect),
	NESTED("detectLocal", &detect_local_shape),
	{.key = "clusterCIDR", .fn = bind_cluster_cidr},
	FIELD("nodePortAddresses", struct proxy_doc, c.node_port_addresses,
	      bind_node_port_addresses, NULL),
	FIELD("oomScoreAdj", struct proxy_doc, number, bind_int32, &range_oom),
	NESTED("conntrack", &conntrack_shape),
	FIELD("configSyncPeriod", struct proxy_doc, duration, bind_duration, NULL),
	{.key = "portRange", .fn = bind_port_range},
	FIELD("udpIdleTimeout", struct proxy_doc, duration, bind_duration, NULL),
};
static const struct shape proxy_shape = SHAPE_ALSO(proxy_fields, "");

/* The whole ------------------------------------------------------------------------------------ */

static void check_detect(struct binder *b, const struct at *at, const struct proxy_config *c)
{
	const struct at *local = AT_KEY(at, "detectLocal");
	if (!bind_clean(b))
		return;
	if (c->detect == DETECT_BRIDGE && !c->bridge_interface)
		bind_fault(b, AT_KEY(local, "bridgeInterface"), NULL,
			   "detectLocalMode BridgeInterface needs detectLocal.bridgeInterface");
	if (c->detect == DETECT_PREFIX && !c->interface_prefix)
		bind_fault(b, AT_KEY(local, "interfaceNamePrefix"), NULL,
			   "detectLocalMode InterfaceNamePrefix needs "
			   "detectLocal.interfaceNamePrefix");
}

const char *proxy_periods_wrong(struct arena *a, const struct proxy_periods *p, bool min_default)
{
	long long sync = p->sync ? p->sync : DEFAULT_SYNC;
	long long min = p->min ? p->min : min_default ? DEFAULT_MIN_SYNC : 0;
	if (min <= sync)
		return NULL;
	return arena_printf(a, "syncPeriod %gs is less than minSyncPeriod %gs%s",
			    (double)sync / NS_PER_S, (double)min / NS_PER_S,
			    p->min ? "" : ", its default");
}

/* The periods of the own mode: kube-proxy does not start otherwise. */
static void check_periods(struct binder *b, const struct at *at, json_t *v, const char *mode,
			  const struct proxy_periods *p)
{
	const char *wrong = proxy_periods_wrong(b->arena, p, strcmp(mode, "ipvs") != 0);
	const char *key = p->sync ? "syncPeriod" : "minSyncPeriod";
	if (wrong && json_object_get(json_object_get(v, mode), key))
		bind_fault(b, AT_KEY(AT_KEY(at, mode), key), NULL, "%s", wrong);
}

/* The nftables mode has settings of its own. When a file is meant for another mode and shown in
 * this one, what it says for its own mode is meant for this one too. */
static void settle_nftables(struct proxy_config *c, bool carry)
{
	if (c->nft_masquerade_bit == BIT_NOT_GIVEN)
		c->nft_masquerade_bit = carry ? c->masquerade_bit : 14;
	c->nft_masquerade_all = c->nft_masquerade_all || (carry && c->masquerade_all);
	if (c->mode != PROXY_NFTABLES)
		return;
	c->masquerade_bit = c->nft_masquerade_bit;
	c->masquerade_all = c->nft_masquerade_all;
}

void bind_proxy_config(struct binder *b, const struct at *at, json_t *v, const struct meta *m)
{
	struct proxy_doc d = {.c = {.present = true,
				    .meta = *m,
				    .masquerade_bit = 14,
				    .localhost_node_ports = true,
				    .scheduler = "",
				    .ct = {.tcp_established = 86400 * NS_PER_S,
					   .tcp_close_wait = 3600 * NS_PER_S},
				    .nft_masquerade_bit = BIT_NOT_GIVEN}};
	if (b->o->proxy.present) {
		bind_fault(b, at, NULL, "a second KubeProxyConfiguration");
		fault_first(b->faults, b->o->proxy.meta.doc, b->o->proxy.meta.path);
		return;
	}
	if (!bind_shape(b, at, v, &d, &proxy_shape))
		return;
	if (d.kind && strcmp(d.kind, "KubeProxyConfiguration") != 0)
		bind_fault(b, AT_KEY(at, "kind"), NULL,
			   "expected `KubeProxyConfiguration`, found `%s`", d.kind);
	check_detect(b, at, &d.c);
	if (d.c.mode == PROXY_IPVS)
		check_periods(b, at, v, "ipvs", &d.ipvs);
	else if (d.c.mode == PROXY_NFTABLES)
		check_periods(b, at, v, "nftables", &d.nftables);
	else
		check_periods(b, at, v, "iptables", &d.c.iptables_periods);
	d.c.ipvs_tcp_timeout = (unsigned)(d.ipvs_tcp / NS_PER_S);
	d.c.ipvs_tcpfin_timeout = (unsigned)(d.ipvs_tcpfin / NS_PER_S);
	d.c.ipvs_udp_timeout = (unsigned)(d.ipvs_udp / NS_PER_S);
	const char *mode = json_string_value(json_object_get(v, "mode"));
	settle_nftables(&d.c, mode && *mode && d.c.mode != PROXY_NFTABLES);
	b->o->proxy = d.c;
}
