/* SPDX-License-Identifier: MIT */
/* See where.h. */
#include "labd/lab/where.h"

#include <errno.h>
#include <string.h>

#include "lib/base/strbuf.h"

static int ns_of_kind(const struct desired *d, enum dns_kind kind, const char *name)
{
	for (size_t i = 0; i < d->ns.n; i++)
		if (d->ns.v[i].kind == kind && strcmp(d->ns.v[i].name, name) == 0)
			return (int)i;
	return -1;
}

static int ns_of_pod(const struct desired *d, int pod)
{
	for (size_t i = 0; i < d->ns.n; i++)
		if (d->ns.v[i].kind == DNS_POD && d->ns.v[i].pod == pod)
			return (int)i;
	return ns_of_kind(d, DNS_NODE,
			  d->cluster->nodes.v[d->cluster->pods.v[pod].node].name); /* hostNetwork */
}

static int missing(const char *kind, const char *name, const char *const *names, size_t n,
		   struct err *err)
{
	err_setc(err, ENOENT, ERR_NOT_FOUND, "no %s \"%.100s\"", kind, name);
	const char *near = nearest_word(name, names, (unsigned)n);
	if (near)
		return err_hint(err, "did you mean \"%s\"?", near);
	_strbuf_ struct strbuf b = STRBUF_INIT;
	for (size_t i = 0; i < n && i < 12; i++)
		strbuf_addf(&b, "%s%s", i ? ", " : "", names[i]);
	return n ? err_hint(err, "there are: %s%s", strbuf_str(&b), n > 12 ? ", ..." : "")
		 : -ENOENT;
}

static int resolve_pod(const struct desired *d, const char *name, const char *ns, struct where *ret,
		       struct err *err)
{
	const struct cluster *c = d->cluster;
	const char **names = arena_new_array(d->arena, const char *, c->pods.n + 1);
	size_t n = 0, hits = 0, hit = 0;
	_strbuf_ struct strbuf b = STRBUF_INIT;
	for (size_t i = 0; i < c->pods.n; i++) {
		const struct cpod *p = &c->pods.v[i];
		if (strcmp(p->ns, ns) != 0)
			continue;
		names[n++] = p->name;
		if (strncmp(p->name, name, strlen(name)) != 0)
			continue;
		bool exact = strcmp(p->name, name) == 0;
		if (exact)
			hits = 0;
		hit = i;
		strbuf_addf(&b, "%s%s", hits++ ? ", " : "", p->name);
		if (exact)
			break;
	}
	if (hits == 0 || !*name)
		return missing("pod", name, names, n, err);
	if (hits > 1) {
		err_setc(err, EINVAL, ERR_USAGE, "\"%.100s\" could be any of %zu pods", name, hits);
		return err_hint(err, "%s", strbuf_str(&b));
	}
	const struct cpod *p = &c->pods.v[hit];
	*ret = (struct where){"pod", p->ns, p->name, ns_of_pod(d, (int)hit)};
	return 0;
}

static int resolve_deploy(const struct desired *d, const char *name, const char *ns,
			  struct where *ret, struct err *err)
{
	const struct cluster *c = d->cluster;
	const char **names = arena_new_array(d->arena, const char *, d->cluster->pods.n + 1);
	size_t n = 0;
	for (size_t i = 0; i < c->pods.n; i++) {
		const struct cpod *p = &c->pods.v[i];
		if (!p->obj->owner || strcmp(p->ns, ns) != 0)
			continue;
		if (strcmp(p->obj->owner, name) == 0) {
			*ret = (struct where){"pod", p->ns, p->name, ns_of_pod(d, (int)i)};
			return 0;
		}
		names[n++] = p->obj->owner;
	}
	return missing("deployment with a pod", name, names, n, err);
}

static int resolve_machine(const struct desired *d, enum dns_kind kind, const char *what,
			   const char *name, struct where *ret, struct err *err)
{
	int i = ns_of_kind(d, kind, name);
	if (i >= 0) {
		*ret = (struct where){what, NULL, d->ns.v[i].name, i};
		return 0;
	}
	const char **names = arena_new_array(d->arena, const char *, d->ns.n + 1);
	size_t n = 0;
	vec_foreach (struct dns, ns, &d->ns)
		if (ns->kind == kind)
			names[n++] = ns->name;
	return missing(what, name, names, n, err);
}

/* "pod/x" -> true and *rest "x" for any spelling of the kind in `words`. */
static bool prefixed(const char *text, const char *const *words, const char **rest)
{
	const char *slash = strchr(text, '/');
	if (!slash)
		return false;
	for (; *words; words++) {
		if (strlen(*words) == (size_t)(slash - text) &&
		    strncmp(text, *words, (size_t)(slash - text)) == 0) {
			*rest = slash + 1;
			return true;
		}
	}
	return false;
}

int where_resolve(const struct desired *d, const char *text, const char *ns, struct where *ret,
		  struct err *err)
{
	static const char *const pods[] = {"pod", "pods", "po", NULL};
	static const char *const deploys[] = {"deploy", "deployment", "deployments", NULL};
	static const char *const nodes[] = {"node", "nodes", "no", NULL};
	static const char *const hosts[] = {"host", "hosts", NULL};
	const char *rest;
	if (prefixed(text, pods, &rest))
		return resolve_pod(d, rest, ns, ret, err);
	if (prefixed(text, deploys, &rest))
		return resolve_deploy(d, rest, ns, ret, err);
	if (prefixed(text, nodes, &rest))
		return resolve_machine(d, DNS_NODE, "node", rest, ret, err);
	if (prefixed(text, hosts, &rest))
		return resolve_machine(d, DNS_HOST, "host", rest, ret, err);
	if (strchr(text, '/')) {
		err_setc(err, EINVAL, ERR_USAGE, "\"%.100s\": no such kind of place", text);
		return err_hint(err, "a pod's name, pod/NAME, deploy/NAME, node/NAME or host/NAME");
	}
	int r = resolve_pod(d, text, ns, ret, err);
	if (r != -ENOENT)
		return r;
	struct err other;
	if (resolve_machine(d, DNS_NODE, "node", text, ret, &other) == 0 ||
	    resolve_machine(d, DNS_HOST, "host", text, ret, &other) == 0) {
		err_setc(err, ENOENT, ERR_NOT_FOUND, "no pod \"%.100s\"", text);
		return err_hint(err, "did you mean %s/%s?", ret->kind, ret->name);
	}
	return r;
}
