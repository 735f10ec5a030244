/* SPDX-License-Identifier: MIT */
/*
 * felix_endpoints: dispatch from an interface to its chains, the chains of each endpoint (to it and
 * from it), those of the profiles they use, and those of the policies that limit them.
 */
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "lib/plan/felix_policy.h"

struct direction {
	const char *dispatch; /* chain that picks the endpoint */
	const char *option;   /* how it sees the interface */
	const char *endpoint; /* prefix of the endpoint's chain */
	const char *profile;  /* prefix of a profile's chain */
	const char *word;     /* in comments */
	bool from_pod;
	bool drop; /* dispatch ends with dropping what nobody has */
};

static const struct direction directions[] = {
	{"cali-from-wl-dispatch", "--in-interface", "cali-fw-", "cali-pro-", "egress", true, true},
	{"cali-to-wl-dispatch", "--out-interface", "cali-tw-", "cali-pri-", "ingress", false, true},
};

/* IPVS: which endpoint a packet came from. */
static const struct direction marking = {
	.dispatch = "cali-set-endpoint-mark", .option = "--in-interface", .endpoint = "cali-sm-"};

static int cmp_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* How many characters all names begin with. Sorted: first and last differ soonest. */
static size_t common_prefix(const char *const *names, size_t n)
{
	size_t i = 0;

	while (names[0][i] && names[0][i] == names[n - 1][i])
		i++;
	return i;
}

static void dispatch_one(struct arena *a, struct felix_chain *c, const struct direction *d,
			 const char *name)
{
	felix_rule(a, c, NULL, "%s %s --goto %s", d->option, name,
		   felix_chain_name(a, d->endpoint, name));
}

/* Names that share the next character behind the common prefix get a chain of their own, so that a
 * packet meets few rules. */
static struct felix_chain *dispatch(struct arena *a, struct felix_table *t,
				    const struct direction *d, const char *const *names, size_t n)
{
	struct felix_chain root = {.name = d->dispatch};
	size_t prefix = n ? common_prefix(names, n) : 0;

	for (size_t i = 0, end; i < n; i = end) {
		struct felix_chain *child;
		int len = (int)prefix + (names[i][prefix] != '\0');

		for (end = i + 1; end < n && strncmp(names[end], names[i], (size_t)len) == 0;)
			end++;
		if (end == i + 1) {
			dispatch_one(a, &root, d, names[i]);
			continue;
		}
		child = felix_chain(a, t,
				    arena_printf(a, "%s-%.*s", d->dispatch, len - (int)prefix,
						 names[i] + prefix));
		for (size_t k = i; k < end; k++)
			dispatch_one(a, child, d, names[k]);
		if (d->drop)
			felix_rule(a, child, "Unknown interface", "--jump DROP");
		felix_rule(a, &root, NULL, "%s %.*s+ --goto %s", d->option, len, names[i],
			   child->name);
	}
	if (d->drop)
		felix_rule(a, &root, "Unknown interface", "--jump DROP");
	*vec_push(a, &t->chains) = root;
	return &t->chains.v[t->chains.n - 1];
}

static const felix_policies *policies_of(const struct felix_endpoint *e, const struct direction *d)
{
	return d->from_pod ? &e->out : &e->in;
}

static void ask_policy(struct arena *a, struct felix_chain *c, const char *chain)
{
	felix_rule(a, c, NULL, "-m mark --mark 0/0x20000 --jump %s", chain);
	felix_rule(a, c, "Return if policy accepted", IS_ACCEPT " --jump RETURN");
}

/* 3.28 asks neighbours of one selector in a chain of their own; one alone is asked directly. */
static void ask_policies(struct arena *a, const struct felix_config *cfg, const struct direction *d,
			 const struct felix_endpoint *e, struct felix_chain *c)
{
	const felix_policies *list = policies_of(e, d);

	if (!list->n)
		return;
	if (cfg->version < FELIX_3_28)
		felix_rule(a, c, "Start of policies", "--jump MARK --set-mark 0/0x20000");
	for (size_t i = 0, n; i < list->n; i += n) {
		n = cfg->version < FELIX_3_28 ? 1 : felix_group_len(list, i);
		ask_policy(a, c,
			   n > 1 ? felix_group_chain(a, list, i, n, !d->from_pod)
				 : felix_policy_chain(a, list->v[i], !d->from_pod));
	}
	felix_rule(a, c, "Drop if no policies passed packet",
		   "-m mark --mark 0/0x20000 --jump DROP");
}

static void endpoint(struct arena *a, const struct felix_config *cfg, struct felix_table *t,
		     const struct direction *d, const struct felix_endpoint *e)
{
	struct felix_chain *c = felix_chain(a, t, felix_chain_name(a, d->endpoint, e->iface));

	felix_rule(a, c, NULL, ESTABLISHED " --jump ACCEPT");
	felix_rule(a, c, NULL, "-m conntrack --ctstate INVALID --jump DROP");
	felix_rule(a, c, NULL, "--jump MARK --set-mark 0/%s",
		   cfg->version >= FELIX_3_28 ? "0x30000" : "0x10000");
	if (d->from_pod) {
		felix_rule(a, c, "Drop VXLAN encapped packets originating in workloads",
			   "-p 17 -m multiport --destination-ports 4789 --jump DROP");
		felix_rule(a, c, "Drop IPinIP encapped packets originating in workloads",
			   "-p 4 --jump DROP");
	}
	ask_policies(a, cfg, d, e, c);
	vec_foreach (const char *, p, &e->profiles) {
		felix_rule(a, c, NULL, "--jump %s", felix_chain_name(a, d->profile, *p));
		felix_rule(a, c, "Return if profile accepted", IS_ACCEPT " --jump RETURN");
	}
	felix_rule(a, c, "Drop if no profiles matched", "--jump DROP");
}

/* kns.NAMESPACE accepts; ksa.NAMESPACE.ACCOUNT has no rules, which shows as one with a comment. */
static void profile(struct arena *a, const struct felix_config *cfg, struct felix_table *t,
		    const struct direction *d, const char *name)
{
	struct felix_chain *c = felix_chain(a, t, felix_chain_name(a, d->profile, name));
	const char *comment = arena_printf(a, "Profile %s %s", name, d->word);

	if (strncmp(name, "kns.", 4) != 0) {
		felix_rule(a, c, comment, "%s", "");
		return;
	}
	felix_rule(a, c, comment, SET_ACCEPT);
	if (cfg->version < FELIX_3_28)
		felix_rule(a, c, NULL, IS_ACCEPT " --jump RETURN");
}

struct seen {
	const char *name;
	UT_hash_handle hh;
};

/* True the first time a name comes. */
static bool first_time(struct arena *a, struct seen **seen, const char *name)
{
	struct seen *s;

	HASH_FIND_STR(*seen, name, s);
	if (s)
		return false;
	s = arena_new_type(a, struct seen);
	s->name = name;
	HASH_ADD_KEYPTR(hh, *seen, s->name, strlen(s->name), s);
	return true;
}

static void profiles(struct arena *a, const struct felix_config *cfg, struct felix_table *t)
{
	struct seen *seen = NULL;

	vec_foreach (struct felix_endpoint, e, &cfg->endpoints)
		vec_foreach (const char *, p, &e->profiles)
			if (first_time(a, &seen, *p)) {
				profile(a, cfg, t, &directions[0], *p);
				profile(a, cfg, t, &directions[1], *p);
			}
	HASH_CLEAR(hh, seen);
}

static void policy(struct arena *a, const struct felix_config *cfg, struct felix_table *t,
		   const struct felix_policy *p, bool ingress)
{
	struct felix_chain *c = felix_chain(a, t, felix_policy_chain(a, p, ingress));

	felix_policy_rules(a, cfg->version, p, ingress, c);
}

static void groups(struct arena *a, struct felix_table *t, const felix_policies *list, bool ingress,
		   struct seen **seen)
{
	for (size_t i = 0, n; i < list->n; i += n) {
		const char *name;

		n = felix_group_len(list, i);
		if (n == 1)
			continue;
		name = felix_group_chain(a, list, i, n, ingress);
		if (first_time(a, seen, name))
			felix_group_rules(a, list, i, n, ingress, felix_chain(a, t, name));
	}
}

/* The chains of all policies that an endpoint asks; nobody asks the others. */
static void policies(struct arena *a, const struct felix_config *cfg, struct felix_table *t,
		     const struct direction *d)
{
	struct seen *seen = NULL;

	vec_foreach (struct felix_endpoint, e, &cfg->endpoints) {
		const felix_policies *list = policies_of(e, d);

		vec_foreach (const struct felix_policy *, p, list)
			if (first_time(a, &seen, (*p)->key))
				policy(a, cfg, t, *p, !d->from_pod);
		if (cfg->version >= FELIX_3_28)
			groups(a, t, list, !d->from_pod, &seen);
	}
	HASH_CLEAR(hh, seen);
}

void felix_policy_ipsets(struct arena *a, const struct felix_config *cfg, felix_sets *ret)
{
	for (size_t i = 0; i < 2; i++) {
		const struct direction *d = &directions[i];
		struct seen *seen = NULL;

		vec_foreach (struct felix_endpoint, e, &cfg->endpoints)
			vec_foreach (const struct felix_policy *, p, policies_of(e, d))
				if (first_time(a, &seen, (*p)->key))
					felix_policy_sets(a, *p, !d->from_pod, ret);
		HASH_CLEAR(hh, seen);
	}
}

#define MARK_POSITIONS 4096 /* of the mask 0xfff00000; 0 is no mark, 1 that of all others */
#define MARK_SHIFT     20

/* An endpoint's mark: FNV-1 of its name, or the next one that is free. */
static unsigned endpoint_mark(const char *name, bool taken[static MARK_POSITIONS])
{
	uint32_t h = 2166136261;

	for (const char *p = name; *p; p++)
		h = h * 16777619 ^ (unsigned char)*p;
	for (unsigned i = 0; i < MARK_POSITIONS; i++) {
		unsigned at = (h + i) % MARK_POSITIONS;

		if (taken[at])
			continue;
		taken[at] = true;
		return at << MARK_SHIFT;
	}
	return 0;
}

static void endpoint_marks(struct arena *a, struct felix_table *t, const char *const *names,
			   size_t n)
{
	bool *taken = arena_new_array(a, bool, MARK_POSITIONS);
	struct felix_chain from = {.name = "cali-from-endpoint-mark"};
	struct felix_chain *c = dispatch(a, t, &marking, names, n);

	felix_rule(a, c, "Unknown endpoint", "--in-interface cali+ --jump DROP");
	felix_rule(a, c, "Non-Cali endpoint mark", "--jump MARK --set-mark " MARK_NO_CALI);
	taken[0] = taken[1] = true;
	for (size_t i = 0; i < n; i++) {
		unsigned mark = endpoint_mark(names[i], taken);

		if (!mark)
			break;
		felix_rule(a, &from, NULL, "-m mark --mark %#x/" MARK_ENDPOINT " --goto %s", mark,
			   felix_chain_name(a, "cali-fw-", names[i]));
		c = felix_chain(a, t, felix_chain_name(a, "cali-sm-", names[i]));
		felix_rule(a, c, NULL, "--jump MARK --set-mark %#x/" MARK_ENDPOINT, mark);
	}
	felix_rule(a, &from, "Unknown interface", "--jump DROP");
	*vec_push(a, &t->chains) = from;
}

void felix_workloads(struct arena *a, const struct felix_config *cfg, struct felix_table *t)
{
	size_t n = cfg->endpoints.n;
	const char **names = arena_new_array(a, const char *, n + 1);

	for (size_t i = 0; i < n; i++)
		names[i] = cfg->endpoints.v[i].iface;
	qsort(names, n, sizeof(*names), cmp_name);
	for (size_t i = 0; i < 2; i++) {
		dispatch(a, t, &directions[i], names, n);
		vec_foreach (struct felix_endpoint, e, &cfg->endpoints)
			endpoint(a, cfg, t, &directions[i], e);
		policies(a, cfg, t, &directions[i]);
	}
	profiles(a, cfg, t);
	if (cfg->ipvs)
		endpoint_marks(a, t, names, n);
}
