/* SPDX-License-Identifier: MIT */
/* Tables of what kube-proxy watches: Service, Endpoints, EndpointSlice. */
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/kube/bind.h"

/* Service -------------------------------------------------------------------------------------- */

struct service_doc {
	struct service s;
	strs families;
	bool has_v6; /* a cluster IP is IPv6 */
};

/* One of clusterIP and clusterIPs: the first IPv4 address counts. */
static bool bind_cluster_ip(struct binder *b, const struct at *at, json_t *v, void *dst,
			    const void *arg)
{
	struct service_doc *d = dst;
	const char *s = json_string_value(v);
	ip4 ip = 0;
	if (s && strcmp(s, "None") == 0) {
		d->s.headless = true;
		return true;
	}
	if (s && is_ip6(s)) {
		d->has_v6 = true;
		return true;
	}
	if (!bind_ip(b, at, v, &ip, arg))
		return false;
	if (!d->s.cluster_ip)
		d->s.cluster_ip = ip;
	return true;
}

static bool bind_cluster_ips(struct binder *b, const struct at *at, json_t *v, void *dst,
			     const void *arg)
{
	size_t i;
	json_t *item;
	if (!json_is_array(v))
		return bind_wrong_type(b, at, v, "a list");
	json_array_foreach (v, i, item)
		bind_cluster_ip(b, AT_INDEX(at, i), item, dst, arg);
	return true;
}

static bool bind_target_port(struct binder *b, const struct at *at, json_t *v, void *dst,
			     const void *arg)
{
	struct service_port *p = dst;
	(void)arg;
	return bind_port_or_name(b, at, v, &p->target_port, &p->target_name);
}

static const struct field port_fields[] = {
	FIELD("name", struct service_port, name, bind_name, &arg_label_opt),
	FIELD("protocol", struct service_port, proto, bind_word, &words_proto),
	REQUIRED("port", struct service_port, port, bind_u16, &range_port),
	FIELD("nodePort", struct service_port, node_port, bind_u16, &range_port_0),
	{.key = "targetPort", .fn = bind_target_port},
};
static const struct service_port port_init = {.name = ""};
static const struct shape port_shape = SHAPE_ALSO(port_fields, "appProtocol");
static const struct list_of list_of_ports = {.item = bind_shape,
					     .arg = &port_shape,
					     .size = sizeof(struct service_port),
					     .init = &port_init};

static const struct word svc_types[] = {{"ClusterIP", SVC_CLUSTER_IP},
					{"NodePort", SVC_NODE_PORT},
					{"LoadBalancer", SVC_LOAD_BALANCER},
					{"ExternalName", SVC_EXTERNAL_NAME},
					{NULL, 0}};
static const struct words words_svc_type = {.list = svc_types};
static const struct word policies[] = {{"Cluster", 0}, {"Local", 1}, {NULL, 0}};
static const struct words words_policy = {.list = policies};
static const struct word affinities[] = {{"None", 0}, {"ClientIP", 1}, {NULL, 0}};
static const struct words words_affinity = {.list = affinities};
static const struct word ip_modes[] = {{"VIP", 0}, {"Proxy", 1}, {NULL, 0}};
static const struct words words_ip_mode = {.list = ip_modes};
static const struct word distributions[] = {
	{"PreferClose", 0}, {"PreferSameZone", 1}, {"PreferSameNode", 2}, {NULL, 0}};
static const struct words words_distribution = {.list = distributions};

/* A word of two, as a bool: the second one is true. */
static bool bind_either(struct binder *b, const struct at *at, json_t *v, void *dst,
			const void *arg)
{
	int value;
	if (!bind_word(b, at, v, &value, arg))
		return false;
	*(bool *)dst = value == 1;
	return true;
}

static bool bind_distribution(struct binder *b, const struct at *at, json_t *v, void *dst,
			      const void *arg)
{
	int value;
	return bind_word(b, at, v, &value, arg) && bind_str(b, at, v, dst, NULL);
}

static const struct list_of list_of_ips = {.item = bind_ip, .size = sizeof(ip4)};
static const struct list_of list_of_ranges = {.item = bind_cidr, .size = sizeof(struct cidr)};
static const struct range range_affinity = {1, 86400};

static const struct field client_ip_fields[] = {
	FIELD("timeoutSeconds", struct service, affinity_seconds, bind_uint, &range_affinity),
};
static const struct shape client_ip_shape = SHAPE_ALSO(client_ip_fields, "");
static const struct field affinity_fields[] = {NESTED("clientIP", &client_ip_shape)};
static const struct shape affinity_shape = SHAPE_ALSO(affinity_fields, "");

/* A DNS name; the dot of the root at its end is allowed, as the API allows it, and left out. */
static bool bind_external_name(struct binder *b, const struct at *at, json_t *v, void *dst,
			       const void *arg)
{
	const char *s = json_string_value(v);
	size_t len = s ? strlen(s) : 0;
	if (len < 2 || s[len - 1] != '.')
		return bind_name(b, at, v, dst, arg);
	json_t *bare = json_stringn(s, len - 1);
	bool ok = bind_name(b, at, bare, dst, arg);
	json_decref(bare);
	return ok;
}

static const struct field service_spec_fields[] = {
	FIELD("type", struct service, type, bind_word, &words_svc_type),
	{.key = "clusterIP", .fn = bind_cluster_ip},
	{.key = "clusterIPs", .fn = bind_cluster_ips},
	FIELD("ipFamilies", struct service_doc, families, bind_list, &list_of_strs),
	FIELD("ports", struct service, ports, bind_list, &list_of_ports),
	FIELD("selector", struct service, selector, bind_kvs, NULL),
	FIELD("externalIPs", struct service, external_ips, bind_list, &list_of_ips),
	FIELD("externalTrafficPolicy", struct service, etp_local, bind_either, &words_policy),
	FIELD("internalTrafficPolicy", struct service, itp_local, bind_either, &words_policy),
	FIELD("sessionAffinity", struct service, affinity_client_ip, bind_either, &words_affinity),
	NESTED("sessionAffinityConfig", &affinity_shape),
	FIELD("loadBalancerSourceRanges", struct service, source_ranges, bind_list,
	      &list_of_ranges),
	FIELD("healthCheckNodePort", struct service, health_check_port, bind_u16, &range_port_0),
	FIELD("publishNotReadyAddresses", struct service, publish_not_ready, bind_bool, NULL),
	FIELD("externalName", struct service, external_name, bind_external_name,
	      &arg_subdomain_opt),
	FIELD("trafficDistribution", struct service, traffic_distribution, bind_distribution,
	      &words_distribution),
};
static const struct shape service_spec_shape = SHAPE_ALSO(
	service_spec_fields, "loadBalancerIP ipFamilyPolicy ipFamily allocateLoadBalancerNodePorts "
			     "loadBalancerClass topologyKeys");

static bool finish_ingress(struct binder *b, const struct at *at, json_t *v, void *obj)
{
	const struct lb_ingress *i = obj;
	(void)b, (void)at, (void)v;
	return i->ip || i->hostname;
}

static const struct field ingress_fields[] = {
	FIELD("ip", struct lb_ingress, ip, bind_ip, NULL),
	FIELD("hostname", struct lb_ingress, hostname, bind_str_opt, NULL),
	FIELD("ipMode", struct lb_ingress, mode_proxy, bind_either, &words_ip_mode),
};
static const struct shape ingress_shape = SHAPE_FINISH(ingress_fields, finish_ingress);
static const struct list_of list_of_ingress = {
	.item = bind_shape, .arg = &ingress_shape, .size = sizeof(struct lb_ingress)};
static const struct field lb_fields[] = {
	FIELD("ingress", struct service, ingress, bind_list, &list_of_ingress),
};
static const struct shape lb_shape = SHAPE(lb_fields);
static const struct field service_status_fields[] = {NESTED("loadBalancer", &lb_shape)};
static const struct shape service_status_shape = SHAPE(service_status_fields);
static const struct field service_fields[] = {
	{.key = "spec", .fn = bind_shape, .arg = &service_spec_shape, .required = true},
	NESTED("status", &service_status_shape),
};
static const struct shape service_shape = SHAPE_ALSO(service_fields, "apiVersion kind metadata");

void bind_service(struct binder *b, const struct at *at, json_t *v, const struct meta *m)
{
	struct service_doc d = {.s = {.meta = *m, .affinity_seconds = 10800}};
	bind_shape(b, at, v, &d, &service_shape);
	/* A selector without a pair is none: the endpoints are somebody else's. */
	d.s.has_selector = d.s.selector.n > 0;
	d.s.ipv6_only = !d.s.cluster_ip &&
			(d.has_v6 || (d.families.n == 1 && strcmp(d.families.v[0], "IPv6") == 0));
	d.s.proxy_name = kv_get(&m->labels, "service.kubernetes.io/service-proxy-name");
	*vec_push(b->arena, &b->o->services) = d.s;
}

/* Endpoints ------------------------------------------------------------------------------------ */

static const struct field target_ref_fields[] = {
	FIELD("name", struct ep_addr, target, bind_str_opt, NULL),
};
static const struct shape target_ref_shape = SHAPE(target_ref_fields);

static bool finish_addr(struct binder *b, const struct at *at, json_t *v, void *obj)
{
	(void)b, (void)at, (void)v;
	return ((const struct ep_addr *)obj)->ip != 0;
}

static const struct field addr_fields[] = {
	REQUIRED("ip", struct ep_addr, ip, bind_ip, NULL),
	FIELD("nodeName", struct ep_addr, node_name, bind_name, &arg_subdomain_opt),
	FIELD("hostname", struct ep_addr, hostname, bind_name, &arg_label_opt),
	NESTED("targetRef", &target_ref_shape),
};
static const struct shape addr_shape = SHAPE_FINISH(addr_fields, finish_addr);
static const struct ep_addr addr_ready = {.ready = true, .serving = true};
static const struct list_of list_of_ready = {.item = bind_shape,
					     .arg = &addr_shape,
					     .size = sizeof(struct ep_addr),
					     .init = &addr_ready};
static const struct list_of list_of_not_ready = {
	.item = bind_shape, .arg = &addr_shape, .size = sizeof(struct ep_addr)};

static const struct field ep_port_fields[] = {
	FIELD("name", struct ep_port, name, bind_name, &arg_label_opt),
	FIELD("port", struct ep_port, port, bind_u16, &range_port),
	FIELD("protocol", struct ep_port, proto, bind_word, &words_proto),
};

/* A slice's port without a number means all ports, which kube-proxy ignores. */
static bool finish_ep_port(struct binder *b, const struct at *at, json_t *v, void *obj)
{
	(void)b, (void)at, (void)v;
	return ((const struct ep_port *)obj)->port != 0;
}

static const struct ep_port ep_port_init = {.name = ""};
static const struct shape ep_port_shape = {.fields = ep_port_fields,
					   .n = ARRAY_SIZE(ep_port_fields),
					   .also = "appProtocol",
					   .finish = finish_ep_port};
static const struct list_of list_of_ep_ports = {.item = bind_shape,
						.arg = &ep_port_shape,
						.size = sizeof(struct ep_port),
						.init = &ep_port_init};

struct subset {
	struct ep_set set; /* its addrs are the ready ones */
	vec_of(struct ep_addr) not_ready;
};
static const struct field subset_fields[] = {
	FIELD("addresses", struct subset, set.addrs, bind_list, &list_of_ready),
	FIELD("notReadyAddresses", struct subset, not_ready, bind_list, &list_of_not_ready),
	FIELD("ports", struct subset, set.ports, bind_list, &list_of_ep_ports),
};
static const struct shape subset_shape = SHAPE_ALSO(subset_fields, "");
static const struct list_of list_of_subsets = {
	.item = bind_shape, .arg = &subset_shape, .size = sizeof(struct subset)};

struct endpoints_doc {
	vec_of(struct subset) subsets;
};
static const struct field endpoints_fields[] = {
	FIELD("subsets", struct endpoints_doc, subsets, bind_list, &list_of_subsets),
};
static const struct shape endpoints_shape =
	SHAPE_ALSO(endpoints_fields, "apiVersion kind metadata");

void bind_endpoints(struct binder *b, const struct at *at, json_t *v, const struct meta *m)
{
	struct endpoints_doc d = {0};
	bind_shape(b, at, v, &d, &endpoints_shape);
	/* Endpoints without a subset say that there are none: that, too, is worth knowing. */
	if (!d.subsets.n)
		*vec_push(b->arena, &d.subsets) = (struct subset){0};
	vec_foreach (struct subset, s, &d.subsets) {
		vec_foreach (struct ep_addr, a, &s->not_ready)
			*vec_push(b->arena, &s->set.addrs) = *a;
		s->set.meta = *m;
		s->set.service = m->name;
		*vec_push(b->arena, &b->o->ep_sets) = s->set;
	}
}

/* EndpointSlice -------------------------------------------------------------------------------- */

enum tristate { UNSET, NO, YES };

static bool bind_tristate(struct binder *b, const struct at *at, json_t *v, void *dst,
			  const void *arg)
{
	bool value;
	if (!bind_bool(b, at, v, &value, arg))
		return false;
	*(enum tristate *)dst = value ? YES : NO;
	return true;
}

struct slice_addr {
	struct ep_addr a;
	enum tristate ready, serving, terminating;
	vec_of(ip4) ips;
	kvs topology;
};

struct hint {
	const char *name;
};

static const struct field hint_fields[] = {
	REQUIRED("name", struct hint, name, bind_str, NULL),
};
static const struct shape hint_shape = SHAPE(hint_fields);

/* {name: X}, kept as the text X. */
static bool bind_hint(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg)
{
	struct hint h = {0};
	if (!bind_shape(b, at, v, &h, arg) || !h.name)
		return false;
	*(const char **)dst = h.name;
	return true;
}

static const struct list_of list_of_hints = {
	.item = bind_hint, .arg = &hint_shape, .size = sizeof(const char *)};
static const struct field hints_fields[] = {
	FIELD("forZones", struct slice_addr, a.hint_zones, bind_list, &list_of_hints),
	FIELD("forNodes", struct slice_addr, a.hint_nodes, bind_list, &list_of_hints),
};
static const struct shape hints_shape = SHAPE_ALSO(hints_fields, "");
static const struct field conditions_fields[] = {
	FIELD("ready", struct slice_addr, ready, bind_tristate, NULL),
	FIELD("serving", struct slice_addr, serving, bind_tristate, NULL),
	FIELD("terminating", struct slice_addr, terminating, bind_tristate, NULL),
};
static const struct shape conditions_shape = SHAPE_ALSO(conditions_fields, "");
static const struct field slice_target_fields[] = {
	FIELD("name", struct slice_addr, a.target, bind_str_opt, NULL),
};
static const struct shape slice_target_shape = SHAPE(slice_target_fields);
static const struct field slice_addr_fields[] = {
	REQUIRED("addresses", struct slice_addr, ips, bind_list, &list_of_ips),
	NESTED("conditions", &conditions_shape),
	FIELD("nodeName", struct slice_addr, a.node_name, bind_name, &arg_subdomain_opt),
	FIELD("hostname", struct slice_addr, a.hostname, bind_name, &arg_label_opt),
	FIELD("zone", struct slice_addr, a.zone, bind_str_opt, NULL),
	FIELD("topology", struct slice_addr, topology, bind_kvs, NULL),
	NESTED("hints", &hints_shape),
	NESTED("targetRef", &slice_target_shape),
};

/* kube-proxy looks at the first address only; it reads an unset condition as ready, as serving what
 * ready says, and as not terminating. v1beta1 kept node and zone in `topology`. */
static bool finish_slice_addr(struct binder *b, const struct at *at, json_t *v, void *obj)
{
	struct slice_addr *s = obj;
	(void)b, (void)at, (void)v;
	if (!s->ips.n)
		return false;
	s->a.ip = s->ips.v[0];
	s->a.ready = s->ready != NO;
	s->a.serving = s->serving == UNSET ? s->a.ready : s->serving == YES;
	s->a.terminating = s->terminating == YES;
	if (!s->a.node_name)
		s->a.node_name = kv_get(&s->topology, "kubernetes.io/hostname");
	if (!s->a.zone)
		s->a.zone = kv_get(&s->topology, "topology.kubernetes.io/zone");
	return true;
}

static const struct shape slice_addr_shape = {.fields = slice_addr_fields,
					      .n = ARRAY_SIZE(slice_addr_fields),
					      .also = "deprecatedTopology",
					      .finish = finish_slice_addr};
static const struct list_of list_of_slice_addrs = {
	.item = bind_shape, .arg = &slice_addr_shape, .size = sizeof(struct slice_addr)};

struct slice_doc {
	struct ep_set set;
	int type;
	vec_of(struct slice_addr) endpoints;
};
static const struct word address_types[] = {{"IPv4", 4}, {"IPv6", 6}, {"FQDN", 0}, {NULL, 0}};
static const struct words words_address_type = {.list = address_types};
static const struct field slice_fields[] = {
	FIELD("ports", struct slice_doc, set.ports, bind_list, &list_of_ep_ports),
	FIELD("endpoints", struct slice_doc, endpoints, bind_list, &list_of_slice_addrs),
};
static const struct shape slice_shape =
	SHAPE_ALSO(slice_fields, "apiVersion kind metadata addressType");
static const struct field slice_type_fields[] = {
	REQUIRED("addressType", struct slice_doc, type, bind_word, &words_address_type),
};
static const struct shape slice_type_shape = SHAPE(slice_type_fields);

void bind_endpoint_slice(struct binder *b, const struct at *at, json_t *v, const struct meta *m)
{
	struct slice_doc d = {.type = 4};
	bind_shape(b, at, v, &d, &slice_type_shape);
	d.set.meta = *m;
	d.set.is_slice = true;
	d.set.ipv6 = d.type != 4; /* FQDN slices, too, are nobody's business here */
	d.set.service = kv_get(&m->labels, "kubernetes.io/service-name");
	if (!d.set.ipv6) {
		bind_shape(b, at, v, &d, &slice_shape);
		vec_foreach (struct slice_addr, s, &d.endpoints)
			*vec_push(b->arena, &d.set.addrs) = s->a;
	}
	*vec_push(b->arena, &b->o->ep_sets) = d.set;
}
