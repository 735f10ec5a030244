/* SPDX-License-Identifier: MIT */
/*
 * policy: a packet that Felix's rules drop at a pod's door, told as the NetworkPolicies that would
 * have had to allow it. Felix has a chain cali-fw-DEVICE for what a pod sends and cali-tw-DEVICE
 * for what it gets; they lead to a chain for each policy that selects the pod (cali-po-, cali-pi-),
 * whose rules name the policy, and end in the drop. Not for rules that nobody made for a policy.
 */
#include <string.h>

#include "lib/base/strbuf.h"
#include "lib/recording/lookup.h"
#include "lib/recording/verdict.h"

#define COMMENT "--comment \"Policy "

static bool starts(const char *s, const char *with)
{
	return s && !strncmp(s, with, strlen(with));
}

/* The policy of a chain, as its rules' comments name it: "Policy default/knp.default.web ingress"
 * is NetworkPolicy default/web. NULL: none does (older Felix). */
static const char *policy_name(struct arena *a, const struct rec_ns *n, const char *chain)
{
	for (size_t i = 0; n && i < n->rules.n; i++) {
		const char *s = streq(n->rules.v[i].chain, chain) && n->rules.v[i].text
					? strstr(n->rules.v[i].text, COMMENT)
					: NULL;
		if (!s)
			continue;
		s += strlen(COMMENT);
		const char *key = arena_strndup(a, s, strcspn(s, " \""));
		const char *slash = strchr(key, '/'), *knp = strstr(key, "/knp.default.");
		if (!slash || !knp)
			return key;
		return arena_printf(a, "%.*s/%s", (int)(slash - key), key,
				    knp + strlen("/knp.default."));
	}
	return NULL;
}

/* The pod behind a device of a node. */
static const char *pod_behind(const struct recording *r, int ns, const char *device)
{
	const struct rec_if *i = if_named(ns_at(r, ns), device);
	return i && i->peer_ns >= 0 ? ns_name(r, i->peer_ns) : device;
}

static void add_name(struct strbuf *b, const char *name)
{
	const char *s = strstr(strbuf_str(b), name);
	if (s && (s[strlen(name)] == ',' || !s[strlen(name)]))
		return;
	strbuf_addf(b, "%s%s", b->len ? ", " : "", name);
}

const char *policy_drop(const struct recording *r, const struct visit *v,
			const struct rec_match *drop, const char **detail)
{
	_strbuf_ struct strbuf names = STRBUF_INIT;
	bool out = starts(drop->chain, "cali-fw-"), in = starts(drop->chain, "cali-tw-");
	if (!out && !in)
		return NULL;
	const char *pod = pod_behind(r, v->ns, drop->chain + strlen("cali-fw-"));
	vec_foreach (const int, i, &v->matches) {
		const char *chain = r->matches.v[*i].chain;
		if (!starts(chain, out ? "cali-po-" : "cali-pi-"))
			continue;
		const char *name = policy_name(r->arena, ns_at(r, v->ns), chain);
		add_name(&names, name ? name : chain);
	}
	if (!names.len)
		return NULL;
	*detail = arena_printf(r->arena, "%s (%s)", pod, strbuf_str(&names));
	return out ? "policy-egress" : "policy-ingress";
}
