/* SPDX-License-Identifier: MIT */
/* Tables of kind: Lab, our own. The only kind in which an unknown key is a fault. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/limits.h"
#include "lib/kube/bind.h"

static const struct word versions[] = {{"1.20", KUBE_1_20},
				       {"1.23", KUBE_1_23},
				       {"1.32", KUBE_1_32},
				       {"1.36", KUBE_1_36},
				       {NULL, 0}};
static const struct words words_version = {.list = versions, .no_guess = true};
static const struct word cnis[] = {
	{"calico", CNI_CALICO}, {"flannel", CNI_FLANNEL}, {"none", CNI_NONE}, {NULL, 0}};
static const struct words words_cni = {.list = cnis};
static const struct word backends[] = {
	{"auto", IPT_AUTO}, {"legacy", IPT_LEGACY}, {"nft", IPT_NFT}, {NULL, 0}};
static const struct words words_backend = {.list = backends};
static const struct word routings[] = {
	{"static", ROUTING_STATIC}, {"bird", ROUTING_BIRD}, {NULL, 0}};
static const struct words words_routing = {.list = routings};

/* Text is wanted, but a number with two decimals says it as well. */
static bool bind_version(struct binder *b, const struct at *at, json_t *v, void *dst,
			 const void *arg)
{
	char text[32];
	if (!json_is_real(v))
		return bind_word(b, at, v, dst, arg);
	snprintf(text, sizeof(text), "%.2f", json_real_value(v));
	json_t *s = json_string(text);
	bool ok = bind_word(b, at, s, dst, arg);
	json_decref(s);
	return ok;
}

/* Every IPv4 machine must take 576 bytes; less leaves no room for the encapsulations' headers. */
static const struct range range_mtu = {576, 65535};

static const struct field underlay_fields[] = {
	REQUIRED("cidr", struct underlay, cidr, bind_cidr, NULL),
	FIELD("gateway", struct underlay, gateway, bind_ip, NULL),
	FIELD("nic", struct underlay, nic, bind_ifname, NULL),
	FIELD("mtu", struct underlay, mtu, bind_uint, &range_mtu),
};

static bool finish_underlay(struct binder *b, const struct at *at, json_t *v, void *obj)
{
	const struct underlay *u = obj;
	(void)v;
	if (!u->cidr.len)
		return false;
	if (u->cidr.len > 30)
		bind_fault(b, AT_KEY(at, "cidr"), NULL, "%s has no room for machines",
			   CIDR(u->cidr));
	else if (u->gateway &&
		 (!cidr_has(u->cidr, u->gateway) || u->gateway == cidr_first(u->cidr) ||
		  u->gateway == cidr_last(u->cidr)))
		bind_fault(b, AT_KEY(at, "gateway"), NULL, "%s is not a machine's address in %s",
			   IP4(u->gateway), CIDR(cidr_net(u->cidr)));
	return true;
}

static const struct shape underlay_shape = SHAPE_FINISH(underlay_fields, finish_underlay);
static const struct list_of list_of_underlays = {
	.item = bind_shape, .arg = &underlay_shape, .size = sizeof(struct underlay)};

/* `underlay: {...}` is a list of one. */
static bool bind_underlay(struct binder *b, const struct at *at, json_t *v, void *dst,
			  const void *arg)
{
	struct lab_spec *lab = dst;
	struct underlay u = {0};
	if (!bind_shape(b, at, v, &u, arg))
		return false;
	*vec_push(b->arena, &lab->underlays) = u;
	return true;
}

static const struct field host_fields[] = {
	REQUIRED("name", struct lab_host, name, bind_name, &arg_label),
	REQUIRED("ip", struct lab_host, ip, bind_ip, NULL),
};
static const struct lab_host host_init = {.name = ""};
static const struct shape host_shape = SHAPE(host_fields);
static const struct list_of list_of_hosts = {.item = bind_shape,
					     .arg = &host_shape,
					     .size = sizeof(struct lab_host),
					     .init = &host_init};

static const struct field flow_fields[] = {
	REQUIRED("name", struct flow, name, bind_name, &arg_label),
	REQUIRED("from", struct flow, from, bind_str, NULL),
	REQUIRED("to", struct flow, to, bind_str, NULL),
	FIELD("description", struct flow, description, bind_str, NULL),
	FIELD("expect", struct flow, expect, bind_list, &list_of_strs),
};
static const struct flow flow_init = {.name = "", .from = "", .to = ""};
static const struct shape flow_shape = SHAPE(flow_fields);
static const struct list_of list_of_flows = {
	.item = bind_shape, .arg = &flow_shape, .size = sizeof(struct flow), .init = &flow_init};

/* A quantity of memory as Kubernetes writes it: a number with k M G or Ki Mi Gi behind it. */
static bool bind_memory(struct binder *b, const struct at *at, json_t *v, void *dst,
			const void *arg)
{
	static const struct {
		const char *unit;
		uint64_t bytes;
	} units[] = {{"", 1},	       {"k", 1000},	 {"M", 1000000},  {"G", 1000000000},
		     {"Ki", 1u << 10}, {"Mi", 1u << 20}, {"Gi", 1u << 30}};
	char text[32];
	const char *s = json_string_value(v);
	if (json_is_integer(v)) {
		snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		s = text;
	}
	if (!s)
		return bind_wrong_type(b, at, v, "an amount of memory such as 512Mi");
	size_t digits = strspn(s, "0123456789");
	uint64_t n = digits && digits < 16 ? strtoull(s, NULL, 10) : 0, bytes = 0;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strcmp(s + digits, units[i].unit) == 0)
			bytes = units[i].bytes;
	if (!n || !bytes || n > UINT64_MAX / bytes)
		return bind_fault(b, at, NULL, "`%s` is not an amount of memory such as 512Mi", s);
	if (n * bytes < MIN_LAB_MEMORY)
		return bind_fault(b, at, NULL, "%s is less than the %uMi that a lab needs at least",
				  s, MIN_LAB_MEMORY >> 20);
	*(uint64_t *)dst = n * bytes;
	return true;
}

static const struct range range_processes = {MIN_LAB_PROCESSES, MAX_LAB_PROCESSES};
static const struct field limits_fields[] = {
	FIELD("processes", struct lab_limits, processes, bind_uint, &range_processes),
	FIELD("memory", struct lab_limits, memory, bind_memory, NULL),
};
static const struct shape limits_shape = SHAPE(limits_fields);

static const struct field spec_fields[] = {
	FIELD("description", struct lab_spec, description, bind_str, NULL),
	FIELD("kubernetes", struct lab_spec, kubernetes, bind_version, &words_version),
	REQUIRED("cni", struct lab_spec, cni, bind_word, &words_cni),
	FIELD("iptables", struct lab_spec, iptables, bind_word, &words_backend),
	FIELD("routing", struct lab_spec, routing, bind_word, &words_routing),
	FIELD("underlays", struct lab_spec, underlays, bind_list, &list_of_underlays),
	{.key = "underlay", .fn = bind_underlay, .arg = &underlay_shape},
	FIELD("hosts", struct lab_spec, hosts, bind_list, &list_of_hosts),
	FIELD("flows", struct lab_spec, flows, bind_list, &list_of_flows),
	FIELD("limits", struct lab_spec, limits, bind_shape, &limits_shape),
};

static bool finish_spec(struct binder *b, const struct at *at, json_t *v, void *obj)
{
	const struct lab_spec *lab = obj;
	if (json_object_get(v, "underlay") && json_object_get(v, "underlays"))
		bind_fault_key(b, AT_KEY(at, "underlays"), NULL,
			       "`underlay` and `underlays` cannot both be given");
	if (bind_clean(b) && lab->routing == ROUTING_BIRD && lab->cni != CNI_CALICO)
		bind_fault(b, AT_KEY(at, "routing"), NULL,
			   "routing bird goes with cni calico, not %s", cni_str(lab->cni));
	return true;
}

static const struct shape spec_shape = SHAPE_FINISH(spec_fields, finish_spec);

/* Bound with the metadata of every kind; here only so that these keys are known. */
static bool bind_known(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg)
{
	(void)b, (void)at, (void)v, (void)dst, (void)arg;
	return true;
}

static const struct field meta_fields[] = {
	{.key = "name", .fn = bind_known},
	{.key = "labels", .fn = bind_known},
	{.key = "annotations", .fn = bind_known},
};
static const struct shape meta_shape = SHAPE(meta_fields);
static const struct field lab_fields[] = {
	{.key = "apiVersion", .fn = bind_known},
	{.key = "kind", .fn = bind_known},
	{.key = "metadata", .fn = bind_shape, .arg = &meta_shape},
	{.key = "spec", .fn = bind_shape, .arg = &spec_shape, .required = true},
};
static const struct shape lab_shape = SHAPE(lab_fields);

void bind_lab(struct binder *b, const struct at *at, json_t *v, const struct meta *m)
{
	struct lab_spec lab = {.present = true, .meta = *m, .kubernetes = KUBE_1_32};
	if (b->o->lab.present) {
		bind_fault(b, at, NULL, "a second Lab");
		fault_first(b->faults, b->o->lab.meta.doc, b->o->lab.meta.path);
		return;
	}
	b->strict = true;
	bind_shape(b, at, v, &lab, &lab_shape);
	b->strict = false;
	b->o->lab = lab;
}
