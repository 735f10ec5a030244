/* SPDX-License-Identifier: MIT */
/* Tables of NetworkPolicy and of Calico's address pools: IPPool, IPAMBlock, BlockAffinity. */
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/kube/bind.h"

/* NetworkPolicy -------------------------------------------------------------------------------- */

static bool bind_np_port_number(struct binder *b, const struct at *at, json_t *v, void *dst,
				const void *arg)
{
	struct np_port *p = dst;
	(void)arg;
	p->any_port = false;
	return bind_port_or_name(b, at, v, &p->port, &p->port_name);
}

static bool finish_np_port(struct binder *b, const struct at *at, json_t *v, void *obj)
{
	const struct np_port *p = obj;
	(void)v;
	if (p->end_port && (p->any_port || p->port_name))
		return bind_fault(b, AT_KEY(at, "endPort"), NULL,
				  "`endPort` needs a `port` that is a number");
	if (p->end_port && p->port && p->end_port < p->port)
		return bind_fault(b, AT_KEY(at, "endPort"), NULL, "%u is below the port, %u",
				  p->end_port, p->port);
	return true;
}

static const struct field np_port_fields[] = {
	FIELD("protocol", struct np_port, proto, bind_word, &words_proto),
	{.key = "port", .fn = bind_np_port_number},
	FIELD("endPort", struct np_port, end_port, bind_u16, &range_port),
};
static const struct np_port np_port_init = {.any_port = true};
static const struct shape np_port_shape = {.fields = np_port_fields,
					   .n = ARRAY_SIZE(np_port_fields),
					   .also = "",
					   .finish = finish_np_port};
static const struct list_of list_of_np_ports = {.item = bind_shape,
						.arg = &np_port_shape,
						.size = sizeof(struct np_port),
						.init = &np_port_init};

struct np_peer_doc {
	struct np_peer p;
	bool has_cidr;
};

static bool bind_block_cidr(struct binder *b, const struct at *at, json_t *v, void *dst,
			    const void *arg)
{
	struct np_peer_doc *d = dst;
	d->has_cidr = bind_cidr(b, at, v, &d->p.block, arg);
	return d->has_cidr;
}

static const struct list_of list_of_excepts = {.item = bind_cidr, .size = sizeof(struct cidr)};
static const struct field ip_block_fields[] = {
	{.key = "cidr", .fn = bind_block_cidr, .required = true},
	FIELD("except", struct np_peer_doc, p.except, bind_list, &list_of_excepts),
};
static const struct shape ip_block_shape = SHAPE_ALSO(ip_block_fields, "");

static bool bind_ip_block(struct binder *b, const struct at *at, json_t *v, void *dst,
			  const void *arg)
{
	struct np_peer_doc *d = dst;
	d->p.is_block = true;
	if (!bind_shape(b, at, v, d, arg) || !d->has_cidr)
		return false;
	for (size_t i = 0; i < d->p.except.n; i++) {
		struct cidr e = d->p.except.v[i];
		if (!cidr_contains(d->p.block, e) || e.len == d->p.block.len)
			bind_fault(b, AT_INDEX(AT_KEY(at, "except"), i), NULL,
				   "%s is not a part of %s", CIDR(e), CIDR(d->p.block));
	}
	return true;
}

static bool finish_peer(struct binder *b, const struct at *at, json_t *v, void *obj)
{
	const struct np_peer_doc *d = obj;
	bool selects = d->p.pods.present || d->p.namespaces.present;
	(void)v;
	if (d->p.is_block && selects)
		return bind_fault(b, AT_KEY(at, "ipBlock"), NULL,
				  "`ipBlock` cannot stand beside a selector");
	if (!d->p.is_block && !selects)
		return bind_fault(b, at, "`podSelector: {}` means all pods of the namespace",
				  "one of podSelector, namespaceSelector, ipBlock is needed");
	return !d->p.is_block || d->has_cidr; /* an IPv6 block lets no IPv4 through */
}

static const struct field peer_fields[] = {
	FIELD("podSelector", struct np_peer_doc, p.pods, bind_selector, NULL),
	FIELD("namespaceSelector", struct np_peer_doc, p.namespaces, bind_selector, NULL),
	{.key = "ipBlock", .fn = bind_ip_block, .arg = &ip_block_shape},
};
static const struct shape peer_shape = {
	.fields = peer_fields, .n = ARRAY_SIZE(peer_fields), .also = "", .finish = finish_peer};
static const struct list_of list_of_peer_docs = {
	.item = bind_shape, .arg = &peer_shape, .size = sizeof(struct np_peer_doc)};

static bool bind_peers(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg)
{
	struct np_rule *r = dst;
	vec_of(struct np_peer_doc) docs = {0};
	(void)arg;
	if (!bind_list(b, at, v, &docs, &list_of_peer_docs))
		return false;
	/* An empty list is everybody; one whose entries are all skipped is nobody. */
	r->any_peer = json_array_size(v) == 0;
	vec_foreach (struct np_peer_doc, d, &docs)
		*vec_push(b->arena, &r->peers) = d->p;
	return true;
}

static const struct field ingress_rule_fields[] = {
	FIELD("ports", struct np_rule, ports, bind_list, &list_of_np_ports),
	{.key = "from", .fn = bind_peers},
};
static const struct field egress_rule_fields[] = {
	FIELD("ports", struct np_rule, ports, bind_list, &list_of_np_ports),
	{.key = "to", .fn = bind_peers},
};
static const struct np_rule rule_init = {.any_peer = true};
static const struct shape ingress_rule_shape = SHAPE_ALSO(ingress_rule_fields, "");
static const struct shape egress_rule_shape = SHAPE_ALSO(egress_rule_fields, "");
static const struct list_of list_of_ingress_rules = {.item = bind_shape,
						     .arg = &ingress_rule_shape,
						     .size = sizeof(struct np_rule),
						     .init = &rule_init};
static const struct list_of list_of_egress_rules = {.item = bind_shape,
						    .arg = &egress_rule_shape,
						    .size = sizeof(struct np_rule),
						    .init = &rule_init};

enum direction { INGRESS, EGRESS };
static const struct word directions[] = {{"Ingress", INGRESS}, {"Egress", EGRESS}, {NULL, 0}};
static const struct words words_direction = {.list = directions};
static const struct list_of list_of_directions = {
	.item = bind_word, .arg = &words_direction, .size = sizeof(enum direction)};

struct policy_doc {
	struct network_policy p;
	vec_of(enum direction) types;
};

static const struct field policy_spec_fields[] = {
	REQUIRED("podSelector", struct network_policy, pods, bind_selector, NULL),
	FIELD("policyTypes", struct policy_doc, types, bind_list, &list_of_directions),
	FIELD("ingress", struct network_policy, in, bind_list, &list_of_ingress_rules),
	FIELD("egress", struct network_policy, out, bind_list, &list_of_egress_rules),
};
static const struct shape policy_spec_shape = SHAPE_ALSO(policy_spec_fields, "");
static const struct field policy_fields[] = {
	{.key = "spec", .fn = bind_shape, .arg = &policy_spec_shape, .required = true},
};
static const struct shape policy_shape =
	SHAPE_ALSO(policy_fields, "apiVersion kind metadata status");

void bind_network_policy(struct binder *b, const struct at *at, json_t *v, const struct meta *m)
{
	struct policy_doc d = {.p.meta = *m};
	bind_shape(b, at, v, &d, &policy_shape);
	vec_foreach (enum direction, t, &d.types) {
		d.p.ingress = d.p.ingress || *t == INGRESS;
		d.p.egress = d.p.egress || *t == EGRESS;
	}
	if (!d.types.n) {
		/* The API server's default: Ingress always, Egress when there are rules for it. */
		d.p.ingress = true;
		d.p.egress = d.p.out.n > 0;
	}
	*vec_push(b->arena, &b->o->policies) = d.p;
}

/* IPPool --------------------------------------------------------------------------------------- */

struct pool_doc {
	struct ip_pool p;
	bool has_cidr;
};

static bool bind_pool_cidr(struct binder *b, const struct at *at, json_t *v, void *dst,
			   const void *arg)
{
	struct pool_doc *d = dst;
	if (!bind_cidr(b, at, v, &d->p.cidr, arg))
		return false;
	d->has_cidr = true;
	if (d->p.cidr.addr != cidr_first(d->p.cidr)) {
		bind_fault(b, at, arena_printf(b->arena, "write %s", CIDR(cidr_net(d->p.cidr))),
			   "%s has bits set behind its prefix", CIDR(d->p.cidr));
		d->p.cidr = cidr_net(d->p.cidr);
	}
	return true;
}

/* Calico's own bounds for an IPv4 pool are 20 and 32; of an IPv6 pool this is not looked at. */
static const struct range range_block_size = {20, 32};

static const struct word encaps[] = {{"Never", ENCAP_NEVER},
				     {"Always", ENCAP_ALWAYS},
				     {"CrossSubnet", ENCAP_CROSS_SUBNET},
				     {"", ENCAP_NEVER},
				     {NULL, 0}};
static const struct words words_encap = {.list = encaps};

static const struct field pool_cidr_fields[] = {
	{.key = "cidr", .fn = bind_pool_cidr, .required = true},
};
static const struct shape pool_cidr_shape = SHAPE(pool_cidr_fields);
static const struct field pool_spec_fields[] = {
	FIELD("blockSize", struct ip_pool, block_size, bind_uint, &range_block_size),
	FIELD("ipipMode", struct ip_pool, ipip, bind_word, &words_encap),
	FIELD("vxlanMode", struct ip_pool, vxlan, bind_word, &words_encap),
	FIELD("natOutgoing", struct ip_pool, nat_outgoing, bind_bool, NULL),
	FIELD("disabled", struct ip_pool, disabled, bind_bool, NULL),
};
static const struct shape pool_spec_shape = SHAPE_ALSO(
	pool_spec_fields, "cidr disableBGPExport nodeSelector namespaceSelector allowedUses "
			  "assignmentMode ipip nat-outgoing");

void bind_ip_pool(struct binder *b, const struct at *at, json_t *v, const struct meta *m)
{
	struct pool_doc d = {.p = {.meta = *m, .block_size = 26}};
	const struct at *spec = AT_KEY(at, "spec");
	json_t *value = json_object_get(v, "spec");
	if (!value) {
		bind_fault(b, at, NULL, "`spec` is missing");
		return;
	}
	bind_shape(b, spec, value, &d, &pool_cidr_shape);
	if (!d.has_cidr) /* IPv6, or a fault */
		return;
	bind_shape(b, spec, value, &d, &pool_spec_shape);
	if (d.p.ipip != ENCAP_NEVER && d.p.vxlan != ENCAP_NEVER)
		bind_fault(b, AT_KEY(spec, "vxlanMode"), "set one of them to Never",
			   "ipipMode and vxlanMode cannot both be on in one pool");
	if (d.p.cidr.len > d.p.block_size)
		bind_fault(b, AT_KEY(spec, "blockSize"), NULL,
			   "a block of size /%u does not fit into the pool %s", d.p.block_size,
			   CIDR(d.p.cidr));
	*vec_push(b->arena, &b->o->pools) = d.p;
}

/* ServiceCIDR ---------------------------------------------------------------------------------- */

static const struct list_of list_of_service_cidrs = {.item = bind_cidr_text,
						     .size = sizeof(const char *)};
static const struct field service_cidr_fields[] = {
	{.key = "cidrs", .fn = bind_list, .arg = &list_of_service_cidrs, .required = true},
};
static const struct shape service_cidr_shape = SHAPE(service_cidr_fields);

void bind_service_cidr(struct binder *b, const struct at *at, json_t *v, const struct meta *m)
{
	strs cidrs = {0};
	json_t *spec = json_object_get(v, "spec");
	(void)m;
	if (!spec) {
		bind_fault(b, at, NULL, "`spec` is missing");
		return;
	}
	bind_shape(b, AT_KEY(at, "spec"), spec, &cidrs, &service_cidr_shape);
	vec_foreach (const char *, text, &cidrs) {
		struct cidr c;
		if (cidr_parse(*text, &c))
			*vec_push(b->arena, &b->o->service_cidrs) = cidr_net(c);
	}
}

/* IPAMBlock, BlockAffinity --------------------------------------------------------------------- */

struct block_doc {
	struct ipam_block k;
	const char *affinity;
	bool has_cidr, deleted;
};

static bool bind_ipam_cidr(struct binder *b, const struct at *at, json_t *v, void *dst,
			   const void *arg)
{
	struct block_doc *d = dst;
	d->has_cidr = bind_cidr(b, at, v, &d->k.cidr, arg);
	return d->has_cidr;
}

/* A bool in an IPAMBlock, "true" or "false" as text in a BlockAffinity. */
static bool bind_deleted(struct binder *b, const struct at *at, json_t *v, void *dst,
			 const void *arg)
{
	const char *s = json_string_value(v);
	if (!s)
		return bind_bool(b, at, v, dst, arg);
	*(bool *)dst = strcmp(s, "true") == 0;
	return true;
}

static bool bind_affinity(struct binder *b, const struct at *at, json_t *v, void *dst,
			  const void *arg)
{
	struct block_doc *d = dst;
	const char *why, *s = json_string_value(v);
	(void)arg;
	if (!s)
		return bind_wrong_type(b, at, v, "a string");
	if (strncmp(s, "host:", 5) != 0 || !name_ok(s + 5, NAME_SUBDOMAIN, &why))
		return bind_fault(b, at, NULL, "`%s` is not `host:` and the name of a node", s);
	d->k.node = arena_strdup(b->arena, s + 5);
	return true;
}

static const struct field block_spec_fields[] = {
	{.key = "cidr", .fn = bind_ipam_cidr, .required = true},
	{.key = "affinity", .fn = bind_affinity},
	FIELD("deleted", struct block_doc, deleted, bind_deleted, NULL),
};
static const struct field affinity_spec_fields[] = {
	{.key = "cidr", .fn = bind_ipam_cidr, .required = true},
	REQUIRED("node", struct block_doc, k.node, bind_name, &arg_subdomain),
	FIELD("deleted", struct block_doc, deleted, bind_deleted, NULL),
};
static const struct shape block_spec_shape = SHAPE(block_spec_fields);
static const struct shape affinity_spec_shape = SHAPE(affinity_spec_fields);
static const struct field block_fields[] = {
	{.key = "spec", .fn = bind_shape, .arg = &block_spec_shape, .required = true},
};
static const struct field affinity_fields[] = {
	{.key = "spec", .fn = bind_shape, .arg = &affinity_spec_shape, .required = true},
};
static const struct shape block_shape = SHAPE(block_fields);
static const struct shape affinity_shape = SHAPE(affinity_fields);

/* Blocks that belong to no node (any more) decide nothing. */
static void add_block(struct binder *b, const struct at *at, json_t *v, const struct meta *m,
		      const struct shape *shape)
{
	struct block_doc d = {.k.meta = *m};
	bind_shape(b, at, v, &d, shape);
	if (d.has_cidr && d.k.node && !d.deleted)
		*vec_push(b->arena, &b->o->blocks) = d.k;
}

void bind_ipam_block(struct binder *b, const struct at *at, json_t *v, const struct meta *m)
{
	add_block(b, at, v, m, &block_shape);
}

void bind_block_affinity(struct binder *b, const struct at *at, json_t *v, const struct meta *m)
{
	add_block(b, at, v, m, &affinity_shape);
}
