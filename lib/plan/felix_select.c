/* SPDX-License-Identifier: MIT */
/*
 * felix_select: see felix_select.h. In a normal form a list of && terms stands in parentheses when
 * it has more than one, values in double quotes, and those of a set are sorted.
 */
#include "lib/plan/felix_select.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/strbuf.h"
#include "lib/plan/felix_digest.h"

#define SET_PREFIX   "cali40"
#define SET_NAME_MAX 31 /* IPSET_MAXNAMELEN without the NUL */
#define ORCHESTRATOR "projectcalico.org/orchestrator == \"k8s\""
#define NS_PREFIX    "pcns." /* labels of a namespace, as its endpoints inherit them */

static int cmp_key(const void *a, const void *b)
{
	return strcmp(((const struct kv *)a)->key, ((const struct kv *)b)->key);
}

static int cmp_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *set_term(struct arena *a, const char *key, const char *op, const strs *values)
{
	const char **v = arena_new_array(a, const char *, values->n + 1);
	_strbuf_ struct strbuf s = STRBUF_INIT;

	for (size_t i = 0; i < values->n; i++)
		v[i] = values->v[i];
	qsort(v, values->n, sizeof(*v), cmp_text);
	strbuf_addf(&s, "%s %s {", key, op);
	for (size_t i = 0; i < values->n; i++)
		if (i == 0 || strcmp(v[i], v[i - 1]) != 0)
			strbuf_addf(&s, "%s\"%s\"", i ? ", " : "", v[i]);
	strbuf_addc(&s, '}');
	return arena_strdup(a, strbuf_str(&s));
}

static const char *expr_term(struct arena *a, const struct selector_expr *e, const char *prefix)
{
	const char *key = arena_printf(a, "%s%s", prefix, e->key);

	if (strcmp(e->op, "In") == 0)
		return set_term(a, key, "in", &e->values);
	if (strcmp(e->op, "NotIn") == 0)
		return set_term(a, key, "not in", &e->values);
	return arena_printf(a, "%shas(%s)", strcmp(e->op, "Exists") == 0 ? "" : "!", key);
}

static void add_terms(struct arena *a, const struct selector *s, const char *prefix, strs *terms)
{
	struct kv *labels = arena_new_array(a, struct kv, s->match_labels.n + 1);

	for (size_t i = 0; i < s->match_labels.n; i++)
		labels[i] = s->match_labels.v[i];
	qsort(labels, s->match_labels.n, sizeof(*labels), cmp_key);
	for (size_t i = 0; i < s->match_labels.n; i++)
		*vec_push(a, terms) =
			arena_printf(a, "%s%s == \"%s\"", prefix, labels[i].key, labels[i].value);
	vec_foreach (struct selector_expr, e, &s->exprs)
		*vec_push(a, terms) = expr_term(a, e, prefix);
}

static const char *all_of(struct arena *a, const strs *terms)
{
	_strbuf_ struct strbuf s = STRBUF_INIT;

	if (terms->n == 1)
		return terms->v[0];
	for (size_t i = 0; i < terms->n; i++)
		strbuf_addf(&s, "%s%s", i ? " && " : "(", terms->v[i]);
	strbuf_addc(&s, ')');
	return arena_strdup(a, strbuf_str(&s));
}

static const char *pod_terms(struct arena *a, const struct selector *pods)
{
	strs terms = {0};

	*vec_push(a, &terms) = ORCHESTRATOR;
	add_terms(a, pods, "", &terms);
	return all_of(a, &terms);
}

static const char *in_namespace(struct arena *a, const char *ns)
{
	return arena_printf(a, "projectcalico.org/namespace == \"%s\"", ns);
}

const char *felix_policy_selector(struct arena *a, const struct selector *pods, const char *ns)
{
	return arena_printf(a, "(%s && %s)", pod_terms(a, pods), in_namespace(a, ns));
}

static const char *namespace_terms(struct arena *a, const struct selector *s, const char *ns)
{
	strs terms = {0};

	if (!s->present)
		return in_namespace(a, ns);
	add_terms(a, s, NS_PREFIX, &terms);
	return terms.n ? all_of(a, &terms) : "has(projectcalico.org/namespace)";
}

const char *felix_peer_selector(struct arena *a, const struct np_peer *peer, const char *ns)
{
	return arena_printf(a, "(%s && %s)", namespace_terms(a, &peer->namespaces, ns),
			    pod_terms(a, &peer->pods));
}

/* "s:" + base64url(sha224("s:" + content)). */
static const char *unique_id(struct arena *a, const char *kind, const char *content)
{
	unsigned char sum[FELIX_DIGEST];
	char text[FELIX_DIGEST_TEXT];
	const char *whole = arena_printf(a, "%s:%s", kind, content);
	SHA2_CTX ctx;

	felix_sha224_init(&ctx);
	SHA256Update(&ctx, (const uint8_t *)whole, strlen(whole));
	felix_sha224_final(&ctx, sum);
	felix_base64url(sum, sizeof(sum), text);
	return arena_printf(a, "%s:%s", kind, text);
}

const char *felix_set_name(struct arena *a, const char *normal)
{
	return arena_printf(a, "%.*s", SET_NAME_MAX,
			    arena_printf(a, SET_PREFIX "%s", unique_id(a, "s", normal)));
}

const char *felix_port_set_name(struct arena *a, const char *normal, enum proto proto,
				const char *port_name)
{
	const char *content =
		arena_printf(a, "%s,%s,%s", unique_id(a, "s", normal), proto_str(proto), port_name);

	return arena_printf(a, "%.*s", SET_NAME_MAX,
			    arena_printf(a, SET_PREFIX "%s", unique_id(a, "n", content)));
}
