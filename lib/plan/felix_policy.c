/* SPDX-License-Identifier: MIT */
/*
 * felix_policy: see felix_policy.h.
 *
 * A rule of a NetworkPolicy (peers times ports) becomes one rule per protocol and peer. iptables
 *can and-combine matches only; where a rule needs an "or" (more than 15 ports, named beside
 *numbered ports) or a "not" beside a match of the same kind (ipBlock with except), it becomes
 *several that gather their verdict in a mark bit:
 *
 *	start: both scratch bits to 0 (to 1 for "all parts pass" when only "not"s follow)
 *	ports: each part that matches sets "all parts pass"
 *	except: each that matches clears it
 *	the rest of the rule, if "all parts pass"
 *
 * A NetworkPolicy never needs the second scratch bit: its rules have one "or" at most.
 */
#include "lib/plan/felix_policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/strbuf.h"
#include "lib/plan/felix_digest.h"
#include "lib/plan/felix_select.h"

#define PORT_SLOTS   15 /* of one multiport match; a range takes two */
#define GROUP_STRIDE 5	/* policies of a group between two looks at the verdict */
#define GROUP_UID    20 /* what a chain name has left behind "cali-gi-" */
#define TIER	     "default"

#define ALL_PASS   "0x40000/0x40000" /* scratch bit 0 */
#define BOTH_MASK  "0xc0000"
#define NO_VERDICT "0/0x30000" /* neither accepted nor passed */

struct port_range {
	unsigned first, last;
};

/* The ports of one protocol in one rule of the policy. */
struct port_list {
	enum proto proto;
	bool any;     /* no protocol at all */
	bool all;     /* every port of it */
	bool present; /* the rule names the protocol */
	vec_of(struct port_range) ranges;
	strs names;
};

/* One rule as Calico's own model has it: one protocol, one peer. */
struct prule {
	const struct port_list *ports;
	const struct np_peer *peer; /* NULL: everybody */
	const char *ns;
	bool ingress;
};

/* Ports ---------------------------------------------------------------------------------------- */

static int cmp_range(const void *a, const void *b)
{
	const struct port_range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Sort and join what touches or overlaps. */
static void simplify(struct port_list *l)
{
	size_t n = 0;

	if (l->ranges.n)
		qsort(l->ranges.v, l->ranges.n, sizeof(*l->ranges.v), cmp_range);
	vec_foreach (struct port_range, r, &l->ranges) {
		struct port_range *last = n ? &l->ranges.v[n - 1] : NULL;

		if (!last || r->first > last->last + 1)
			l->ranges.v[n++] = *r;
		else if (r->last > last->last)
			last->last = r->last;
	}
	l->ranges.n = n;
}

/* Sort a rule's ports by protocol, in the order in which Calico sorts their names (SCTP, TCP, UDP).
 * Without ports there is one entry that stands for all. Returns how many entries there are. */
static size_t port_lists(struct arena *a, const struct np_rule *r, struct port_list ret[static 3])
{
	static const enum proto order[] = {PROTO_SCTP, PROTO_TCP, PROTO_UDP};
	size_t n = 0;

	if (!r->ports.n) {
		ret[0] = (struct port_list){.any = true, .all = true};
		return 1;
	}
	for (size_t i = 0; i < 3; i++) {
		struct port_list l = {.proto = order[i]};

		vec_foreach (struct np_port, p, &r->ports) {
			if (p->proto != l.proto)
				continue;
			l.present = true;
			l.all |= p->any_port;
			if (p->port_name)
				*vec_push(a, &l.names) = p->port_name;
			else
				*vec_push(a, &l.ranges) = (struct port_range){
					p->port, p->end_port ? p->end_port : p->port};
		}
		simplify(&l);
		if (l.all)
			l.names.n = l.ranges.n = 0;
		if (l.present)
			ret[n++] = l;
	}
	return n;
}

/* The matches of the numbered ports, at most PORT_SLOTS in each. */
static void multiports(struct arena *a, const struct port_list *l, strs *ret)
{
	_strbuf_ struct strbuf s = STRBUF_INIT;
	unsigned left = PORT_SLOTS;

	vec_foreach (struct port_range, r, &l->ranges) {
		unsigned need = r->first == r->last ? 1 : 2;

		if (left < need) {
			*vec_push(a, ret) = arena_strdup(a, strbuf_str(&s));
			strbuf_reset(&s);
			left = PORT_SLOTS;
		}
		strbuf_addf(&s, "%s%u", s.len ? "," : "-m multiport --destination-ports ",
			    r->first);
		if (need == 2)
			strbuf_addf(&s, ":%u", r->last);
		left -= need;
	}
	if (s.len)
		*vec_push(a, ret) = arena_strdup(a, strbuf_str(&s));
}

/* Sets ----------------------------------------------------------------------------------------- */

static bool selects(const struct np_peer *peer)
{
	return peer && !peer->is_block;
}

/* A named port is a port of the destination: of the peer only where packets go to the peer. */
static struct felix_set port_set(struct arena *a, const struct prule *r, const char *port_name)
{
	const struct np_peer *of = !r->ingress && selects(r->peer) ? r->peer : NULL;
	const char *normal = of ? felix_peer_selector(a, of, r->ns) : FELIX_ALL;

	return (struct felix_set){
		.name = felix_port_set_name(a, normal, r->ports->proto, port_name),
		.peer = of,
		.ns = r->ns,
		.port_name = port_name,
		.proto = r->ports->proto};
}

/* The set of the peer itself is left out where a named port's set is it already. */
static bool peer_set(struct arena *a, const struct prule *r, struct felix_set *ret)
{
	bool covered = !r->ingress && r->ports->names.n && !r->ports->ranges.n;

	if (!selects(r->peer) || covered)
		return false;
	*ret = (struct felix_set){.name = felix_set_name(a, felix_peer_selector(a, r->peer, r->ns)),
				  .peer = r->peer,
				  .ns = r->ns};
	return true;
}

static void add_set(struct arena *a, felix_sets *sets, struct felix_set one)
{
	vec_foreach (struct felix_set, have, sets)
		if (strcmp(have->name, one.name) == 0)
			return;
	*vec_push(a, sets) = one;
}

/* Rules ---------------------------------------------------------------------------------------- */

struct text {
	struct arena *a;
	struct felix_chain *c;
	const char *comment; /* of the first rule of the chain; NULL behind it */
	bool blocks;	     /* this rule has parts */
};

static void put(struct text *t, const char *match, const char *action)
{
	felix_rule(t->a, t->c, t->comment, "%s%s%s", match, *match ? " " : "", action);
	t->comment = NULL;
}

static void start_blocks(struct text *t, bool pass)
{
	if (!t->blocks)
		put(t, "",
		    pass ? "--jump MARK --set-mark 0x40000/" BOTH_MASK
			 : "--jump MARK --set-mark 0x0/" BOTH_MASK);
	t->blocks = true;
}

static const char *proto_match(const struct prule *r)
{
	static const char *const match[] = {"-p tcp", "-p udp", "-p sctp"};

	return r->ports->any ? "" : match[r->ports->proto];
}

static void port_block(struct text *t, const struct prule *r, const strs *numbered)
{
	start_blocks(t, false);
	vec_foreach (const char *, m, numbered)
		put(t, arena_printf(t->a, "%s %s", proto_match(r), *m),
		    "--jump MARK --set-mark " ALL_PASS);
	vec_foreach (const char *, name, &r->ports->names)
		put(t,
		    arena_printf(t->a, "-m set --match-set %s dst,dst",
				 port_set(t->a, r, *name).name),
		    "--jump MARK --set-mark " ALL_PASS);
}

static const char *side(const struct prule *r)
{
	return r->ingress ? "--source" : "--destination";
}

static void except_block(struct text *t, const struct prule *r)
{
	start_blocks(t, true);
	vec_foreach (struct cidr, e, &r->peer->except)
		put(t, arena_printf(t->a, "%s %s", side(r), CIDR(cidr_net(*e))),
		    "--jump MARK --set-mark 0/0x40000");
}

static void add_match(struct strbuf *s, const char *fmt, const char *x, const char *y)
{
	if (s->len)
		strbuf_addc(s, ' ');
	strbuf_addf(s, "%s%s%s", fmt, x, y);
}

static void one_rule(struct text *t, const struct prule *r)
{
	_strbuf_ struct strbuf m = STRBUF_INIT;
	bool block = r->peer && r->peer->is_block, split;
	strs numbered = {0};
	struct felix_set set;

	t->blocks = false;
	multiports(t->a, r->ports, &numbered);
	split = numbered.n + r->ports->names.n > 1;
	if (split)
		port_block(t, r, &numbered);
	if (block && r->peer->except.n)
		except_block(t, r);

	if (!r->ports->any)
		add_match(&m, proto_match(r), "", "");
	if (block)
		add_match(&m, side(r), " ", CIDR(cidr_net(r->peer->block)));
	if (peer_set(t->a, r, &set))
		add_match(&m, "-m set --match-set ", set.name, r->ingress ? " src" : " dst");
	if (!split && numbered.n)
		add_match(&m, numbered.v[0], "", "");
	if (!split && r->ports->names.n)
		add_match(&m, "-m set --match-set ", port_set(t->a, r, r->ports->names.v[0]).name,
			  " dst,dst");
	if (t->blocks)
		add_match(&m, "-m mark --mark " ALL_PASS, "", "");
	put(t, strbuf_str(&m), SET_ACCEPT);
	put(t, IS_ACCEPT, "--jump RETURN");
}

/* Call fn for each rule in Calico's sense, in its order. */
static void each_rule(struct arena *a, const struct felix_policy *p, bool ingress,
		      void (*fn)(void *arg, const struct prule *r), void *arg)
{
	const struct network_policy *np = p->obj;
	size_t n = ingress ? np->in.n : np->out.n;

	for (size_t i = 0; i < n; i++) {
		const struct np_rule *rule = ingress ? &np->in.v[i] : &np->out.v[i];
		struct port_list lists[3];
		size_t n_lists = port_lists(a, rule, lists);

		for (size_t k = 0; k < n_lists; k++) {
			struct prule r = {
				.ports = &lists[k], .ns = np->meta.ns, .ingress = ingress};

			if (rule->any_peer)
				fn(arg, &r);
			vec_foreach (struct np_peer, peer, &rule->peers) {
				r.peer = peer;
				fn(arg, &r);
			}
		}
	}
}

static void print_rule(void *arg, const struct prule *r)
{
	one_rule(arg, r);
}

const char *felix_policy_chain(struct arena *a, const struct felix_policy *p, bool ingress)
{
	return felix_chain_name(a, ingress ? "cali-pi-" : "cali-po-", p->key);
}

static bool is_return(const char *rule)
{
	static const char end[] = "--jump RETURN";
	size_t n = strlen(rule), m = sizeof(end) - 1;

	return n >= m && strcmp(rule + n - m, end) == 0;
}

void felix_policy_rules(struct arena *a, enum felix_version version, const struct felix_policy *p,
			bool ingress, struct felix_chain *c)
{
	const char *comment =
		arena_printf(a, "Policy %s %s", p->key, ingress ? "ingress" : "egress");
	struct text t = {.a = a, .c = c, .comment = comment};

	each_rule(a, p, ingress, print_rule, &t);
	if (!c->rules.n)
		put(&t, "", "");
	/* At the end of a chain they do nothing; 3.28 leaves them out. */
	while (version >= FELIX_3_28 && is_return(c->rules.v[c->rules.n - 1]))
		c->rules.n--;
}

struct collect {
	struct arena *a;
	felix_sets *sets;
};

static void collect_rule(void *arg, const struct prule *r)
{
	struct collect *c = arg;
	struct felix_set set;

	if (peer_set(c->a, r, &set))
		add_set(c->a, c->sets, set);
	vec_foreach (const char *, name, &r->ports->names)
		add_set(c->a, c->sets, port_set(c->a, r, *name));
}

void felix_policy_sets(struct arena *a, const struct felix_policy *p, bool ingress,
		       felix_sets *sets)
{
	struct collect c = {.a = a, .sets = sets};

	each_rule(a, p, ingress, collect_rule, &c);
}

/* Groups --------------------------------------------------------------------------------------- */

size_t felix_group_len(const felix_policies *policies, size_t first)
{
	const char *selector = policies->v[first]->selector;
	size_t n = 1;

	while (first + n < policies->n && strcmp(policies->v[first + n]->selector, selector) == 0)
		n++;
	return n;
}

const char *felix_group_chain(struct arena *a, const felix_policies *policies, size_t first,
			      size_t n, bool ingress)
{
	_strbuf_ struct strbuf id = STRBUF_INIT;
	unsigned char sum[FELIX_DIGEST];
	char text[FELIX_DIGEST_TEXT];

	strbuf_addf(&id, TIER "\n%s\n%s\n%zu\n", policies->v[first]->selector,
		    ingress ? "inbound" : "outbound", n);
	for (size_t i = first; i < first + n; i++)
		strbuf_addf(&id, "%s\n", policies->v[i]->key);
	felix_sha3_224(strbuf_str(&id), id.len, sum);
	felix_base64url(sum, sizeof(sum), text);
	return arena_printf(a, "%s%.*s", ingress ? "cali-gi-" : "cali-go-", GROUP_UID, text);
}

void felix_group_rules(struct arena *a, const felix_policies *policies, size_t first, size_t n,
		       bool ingress, struct felix_chain *c)
{
	for (size_t i = 0; i < n; i++) {
		bool stop = i % GROUP_STRIDE == 0;

		if (i && stop)
			felix_rule(a, c, "Return on verdict",
				   "-m mark ! --mark " NO_VERDICT " --jump RETURN");
		felix_rule(a, c, NULL, "%s--jump %s", stop ? "" : "-m mark --mark " NO_VERDICT " ",
			   felix_policy_chain(a, policies->v[first + i], ingress));
	}
}
