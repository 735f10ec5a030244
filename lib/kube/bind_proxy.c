/* SPDX-License-Identifier: MIT */
/*
 * Configuration of the components: KubeProxyConfiguration (on its own or inside the kube-proxy
 * ConfigMap) and flannel's net-conf.json (inside kube-flannel-cfg). Values are held against the
 * rules that the components have for them (k8s.io/kube-proxy config validation, flannel's
 * backends).
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/kube/bind.h"

/* Beside the text of a ConfigMap that was parsed in place, the text as it was. */
#define TEXTS_KEY "labd.dev/text"

/* KubeProxyConfiguration ----------------------------------------------------------------------- */

#define DEFAULT_SYNC_S 30
#define BIT_NOT_GIVEN  32

struct periods {
	unsigned sync, min; /* seconds */
};
struct proxy_doc {
	struct proxy_config c;
	const char *kind, *version;
	struct periods iptables, ipvs, nftables;
	unsigned ignored; /* checked, not used */
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
static const struct word schedulers[] = {{"", 0},    {"rr", 0},	  {"wrr", 0},	{"lc", 0},
					 {"wlc", 0}, {"lblc", 0}, {"lblcr", 0}, {"sh", 0},
					 {"dh", 0},  {"sed", 0},  {"nq", 0},	{"mh", 0},
					 {"fo", 0},  {"ovf", 0},  {NULL, 0}};
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
	const json_t *first = json_array_get(v, 0);
	static const struct list_of cidrs = {.item = bind_cidr_text, .size = sizeof(const char *)};
	(void)arg;
	if (json_array_size(v) == 1 && json_is_string(first) &&
	    strcmp(json_string_value(first), "primary") == 0)
		return bind_list(b, at, v, dst, &list_of_strs);
	return bind_list(b, at, v, dst, &cidrs);
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

static const struct range range_mark_bit = {0, 31};
static const struct list_of list_of_cidr_texts = {.item = bind_cidr_text,
						  .size = sizeof(const char *)};

static const struct field detect_local_fields[] = {
	FIELD("bridgeInterface", struct proxy_doc, c.bridge_interface, bind_ifname, NULL),
	FIELD("interfaceNamePrefix", struct proxy_doc, c.interface_prefix, bind_ifname, NULL),
};
static const struct shape detect_local_shape = SHAPE(detect_local_fields);
static const struct field iptables_fields[] = {
	FIELD("masqueradeAll", struct proxy_doc, c.masquerade_all, bind_bool, NULL),
	FIELD("masqueradeBit", struct proxy_doc, c.masquerade_bit, bind_uint, &range_mark_bit),
	FIELD("localhostNodePorts", struct proxy_doc, c.localhost_node_ports, bind_bool, NULL),
	FIELD("syncPeriod", struct proxy_doc, iptables.sync, bind_seconds, NULL),
	FIELD("minSyncPeriod", struct proxy_doc, iptables.min, bind_seconds, NULL),
};
static const struct shape iptables_shape = SHAPE(iptables_fields);
static const struct field nftables_fields[] = {
	FIELD("masqueradeAll", struct proxy_doc, c.nft_masquerade_all, bind_bool, NULL),
	FIELD("masqueradeBit", struct proxy_doc, c.nft_masquerade_bit, bind_uint, &range_mark_bit),
	FIELD("syncPeriod", struct proxy_doc, nftables.sync, bind_seconds, NULL),
	FIELD("minSyncPeriod", struct proxy_doc, nftables.min, bind_seconds, NULL),
};
static const struct shape nftables_shape = SHAPE(nftables_fields);
static const struct field ipvs_fields[] = {
	FIELD("scheduler", struct proxy_doc, c.scheduler, bind_scheduler, &words_scheduler),
	FIELD("strictARP", struct proxy_doc, c.strict_arp, bind_bool, NULL),
	FIELD("excludeCIDRs", struct proxy_doc, c.exclude_cidrs, bind_list, &list_of_cidr_texts),
	FIELD("tcpTimeout", struct proxy_doc, c.ipvs_tcp_timeout, bind_seconds, NULL),
	FIELD("tcpFinTimeout", struct proxy_doc, c.ipvs_tcpfin_timeout, bind_seconds, NULL),
	FIELD("udpTimeout", struct proxy_doc, c.ipvs_udp_timeout, bind_seconds, NULL),
	FIELD("syncPeriod", struct proxy_doc, ipvs.sync, bind_seconds, NULL),
	FIELD("minSyncPeriod", struct proxy_doc, ipvs.min, bind_seconds, NULL),
};
static const struct shape ipvs_shape = SHAPE(ipvs_fields);
static const struct field conntrack_fields[] = {
	FIELD("tcpBeLiberal", struct proxy_doc, c.tcp_be_liberal, bind_bool, NULL),
	FIELD("tcpEstablishedTimeout", struct proxy_doc, ignored, bind_seconds, NULL),
	FIELD("tcpCloseWaitTimeout", struct proxy_doc, ignored, bind_seconds, NULL),
};
static const struct shape conntrack_shape = SHAPE(conntrack_fields);

static const struct field proxy_fields[] = {
	FIELD("kind", struct proxy_doc, kind, bind_str, NULL),
	FIELD("apiVersion", struct proxy_doc, version, bind_str, NULL),
	FIELD("mode", struct proxy_doc, c.mode, bind_word, &words_mode),
	FIELD("hostnameOverride", struct proxy_doc, c.hostname_override, bind_hostname, NULL),
	{.key = "clusterCIDR", .fn = bind_cluster_cidr},
	FIELD("detectLocalMode", struct proxy_doc, c.detect, bind_word, &words_detect),
	NESTED("detectLocal", &detect_local_shape),
	NESTED("iptables", &iptables_shape),
	NESTED("nftables", &nftables_shape),
	NESTED("ipvs", &ipvs_shape),
	NESTED("conntrack", &conntrack_shape),
	FIELD("nodePortAddresses", struct proxy_doc, c.node_port_addresses,
	      bind_node_port_addresses, NULL),
};
static const struct shape proxy_shape = SHAPE(proxy_fields);

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

/* kube-proxy does not start otherwise. 0 stands for the default. */
static void check_periods(struct binder *b, const struct at *at, json_t *v, const char *mode,
			  const struct periods *p)
{
	const struct at *in = AT_KEY(at, mode);
	unsigned sync = p->sync ? p->sync : DEFAULT_SYNC_S;
	const char *key = json_object_get(json_object_get(v, mode), "syncPeriod") ? "syncPeriod"
										  : "minSyncPeriod";
	if (p->min > sync)
		bind_fault(b, AT_KEY(in, key), NULL,
			   "syncPeriod %us is less than minSyncPeriod %us", sync, p->min);
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
	check_periods(b, at, v, "iptables", &d.iptables);
	if (d.c.mode == PROXY_IPVS)
		check_periods(b, at, v, "ipvs", &d.ipvs);
	if (d.c.mode == PROXY_NFTABLES)
		check_periods(b, at, v, "nftables", &d.nftables);
	const char *mode = json_string_value(json_object_get(v, "mode"));
	settle_nftables(&d.c, mode && *mode && d.c.mode != PROXY_NFTABLES);
	b->o->proxy = d.c;
}

/* ConfigMaps ----------------------------------------------------------------------------------- */

/* data["config.conf"] of the kube-proxy ConfigMap. The text is replaced by what it means, so that
 * whoever gets the documents next needs no YAML parser. */
static void bind_config_conf(struct binder *b, const struct at *at, json_t *object,
			     const struct meta *m)
{
	char why[256] = "";
	json_t *data = json_object_get(object, "data");
	json_t *text = json_object_get(data, "config.conf");
	if (json_is_string(text)) {
		json_t *parsed = b->yaml ? b->yaml(json_string_value(text), why) : NULL;
		json_t *texts = json_object_get(object, TEXTS_KEY);
		if (!parsed) {
			bind_fault(b, at, NULL, "%s",
				   b->yaml ? why : "the client sent the text unread");
			return;
		}
		if (!json_is_object(texts)) {
			texts = json_object();
			json_object_set_new(object, TEXTS_KEY, texts);
		}
		json_object_set(texts, "config.conf", text);
		json_object_set_new(data, "config.conf", parsed);
	}
	text = json_object_get(data, "config.conf");
	if (!json_is_object(text))
		bind_wrong_type(b, at, text, "a mapping");
	else
		bind_proxy_config(b, at, text, m);
}

struct backend {
	const char *type;
	unsigned vni, port;
	bool direct_routing;
};
struct flannel_doc {
	struct flannel_config c;
	struct backend backend;
	bool has_network;
};

static bool bind_network(struct binder *b, const struct at *at, json_t *v, void *dst,
			 const void *arg)
{
	struct flannel_doc *d = dst;
	if (!bind_cidr(b, at, v, &d->c.network, arg))
		return false;
	d->c.network = cidr_net(d->c.network);
	d->has_network = true;
	return true;
}

/* The backend's name, of which flannel ignores the case. */
static bool bind_backend_type(struct binder *b, const struct at *at, json_t *v, void *dst,
			      const void *arg)
{
	static const struct {
		const char *name;
		enum flannel_backend backend;
	} backends[] = {
		{"vxlan", FLANNEL_VXLAN}, {"host-gw", FLANNEL_HOST_GW}, {"ipip", FLANNEL_IPIP}};
	struct flannel_doc *d = dst;
	const char *s = json_string_value(v);
	(void)arg;
	if (!s)
		return bind_wrong_type(b, at, v, "a string");
	d->backend.type = arena_strdup(b->arena, s);
	for (size_t i = 0; i < ARRAY_SIZE(backends); i++)
		if (strcasecmp(backends[i].name, s) == 0) {
			d->c.backend = backends[i].backend;
			return true;
		}
	return bind_fault(b, at, NULL, "`%s` is not one of vxlan, host-gw, ipip", s);
}

static const struct range range_vni = {0, 16777215};
static const struct field backend_fields[] = {
	{.key = "Type", .fn = bind_backend_type, .required = true},
	FIELD("VNI", struct flannel_doc, backend.vni, bind_uint, &range_vni),
	FIELD("Port", struct flannel_doc, backend.port, bind_uint, &range_port_0),
	FIELD("DirectRouting", struct flannel_doc, backend.direct_routing, bind_bool, NULL),
};
static const struct shape backend_shape = SHAPE(backend_fields);
static const struct field flannel_fields[] = {
	{.key = "Network", .fn = bind_network, .required = true},
	{.key = "Backend", .fn = bind_shape, .arg = &backend_shape, .required = true},
};
static const struct shape flannel_shape = SHAPE(flannel_fields);

static void bind_net_conf(struct binder *b, const struct at *at, json_t *text, const struct meta *m)
{
	struct flannel_doc d = {.c = {.present = true, .meta = *m}, .backend.vni = 1};
	json_error_t why;
	if (b->o->flannel.present) {
		bind_fault(b, at, NULL, "a second configuration of flannel");
		fault_first(b->faults, b->o->flannel.meta.doc, b->o->flannel.meta.path);
		return;
	}
	json_t *conf = json_is_string(text)
			       ? json_loads(json_string_value(text), JSON_REJECT_DUPLICATES, &why)
			       : json_incref(text);
	if (!conf) {
		bind_fault(b, at, NULL, "not JSON: line %d: %s", why.line, why.text);
		return;
	}
	bind_shape(b, at, conf, &d, &flannel_shape);
	json_decref(conf);
	d.c.vni = d.backend.vni;
	d.c.port = d.backend.port;
	d.c.direct_routing = d.backend.direct_routing;
	if (d.has_network)
		b->o->flannel = d.c;
}

void bind_configmap(struct binder *b, const struct at *at, json_t *v, const struct meta *m)
{
	json_t *data = json_object_get(v, "data");
	const struct at *at_data = AT_KEY(at, "data");
	*vec_push(b->arena, &b->o->configmaps) = *m;
	if (!data || json_is_null(data))
		return;
	if (!json_is_object(data)) {
		bind_wrong_type(b, at_data, data, "a mapping");
		return;
	}
	bool proxy = strcmp(m->name, "kube-proxy") == 0 && json_object_get(data, "config.conf");
	bool flannel =
		strcmp(m->name, "kube-flannel-cfg") == 0 && json_object_get(data, "net-conf.json");
	const char *key;
	json_t *value;
	json_object_foreach (data, key, value) {
		bool read = (proxy && strcmp(key, "config.conf") == 0) ||
			    (flannel && strcmp(key, "net-conf.json") == 0);
		if (!read && !json_is_string(value))
			bind_wrong_type(b, AT_KEY(at_data, key), value, "a string");
	}
	if (proxy)
		bind_config_conf(b, AT_KEY(at_data, "config.conf"), v, m);
	if (flannel)
		bind_net_conf(b, AT_KEY(at_data, "net-conf.json"),
			      json_object_get(data, "net-conf.json"), m);
}
