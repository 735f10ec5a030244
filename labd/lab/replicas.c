/* SPDX-License-Identifier: MIT */
/* See replicas.h. */
#include "labd/lab/replicas.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/limits.h"
#include "lib/base/strbuf.h"
#include "lib/kube/naming.h"

#define MAX_STEPS 70000 /* addresses looked at for one pod */

/* ---- where a new pod runs -------------------------------------------------------------------- */

static bool may_run(const struct cnode *n, const struct pod_spec *s, bool strict)
{
	if (n->obj->unschedulable || !kvs_match(&s->node_selector, &n->obj->meta.labels))
		return false;
	return !strict || s->tolerates_all || (!n->control_plane && !n->obj->no_schedule_taint);
}

/* Pods on a node: those of the Deployment count most. */
static unsigned load(const json_t *docs, const struct deployment *d, const char *node)
{
	unsigned n = 0;
	size_t i;
	json_t *v;
	json_array_foreach ((json_t *)docs, i, v) {
		const char *on = doc_str(v, "spec.nodeName");
		struct doc_id id = doc_id(v);
		if (strcmp(id.kind, "Pod") != 0 || !on || strcmp(on, node) != 0)
			continue;
		json_t *labels = json_object_get(json_object_get(v, "metadata"), "labels");
		bool own = strcmp(id.ns, d->meta.ns) == 0;
		vec_foreach (const struct kv, l, &d->template_labels) {
			const char *has = json_string_value(json_object_get(labels, l->key));
			own = own && has && strcmp(has, l->value) == 0;
		}
		n += own ? MAX_PODS : 1;
	}
	return n;
}

static const struct cnode *pick_node(const struct cluster *c, const json_t *docs,
				     const struct deployment *d)
{
	const struct cnode *best = NULL;
	unsigned least = 0;
	if (d->template.node_name) {
		int n = cluster_node(c, d->template.node_name);
		return n < 0 ? NULL : &c->nodes.v[n];
	}
	for (int strict = 1; strict >= 0 && !best; strict--)
		vec_foreach (const struct cnode, n, &c->nodes) {
			if (!may_run(n, &d->template, strict))
				continue;
			unsigned l = load(docs, d, n->name);
			if (!best || l < least) {
				best = n;
				least = l;
			}
		}
	return best;
}

/* ---- its address ----------------------------------------------------------------------------- */

static bool in_use(const struct cluster *c, const json_t *docs, ip4 ip)
{
	const char *text = IP4(ip);
	size_t i;
	json_t *v;
	vec_foreach (const struct cpod, p, &c->pods)
		if (p->ip == ip)
			return true;
	vec_foreach (const struct cnode, n, &c->nodes)
		if (n->tunnel_ip == ip)
			return true;
	json_array_foreach ((json_t *)docs, i, v) {
		const char *has = doc_str(v, "status.podIP");
		if (has && strcmp(has, text) == 0)
			return true;
	}
	return false;
}

/* The ranges pods of a node have addresses from: flannel's subnet without its ends and the bridge,
 * or Calico's blocks. */
static size_t ranges(const struct cluster *c, const struct cnode *n, struct cidr *v, size_t max)
{
	size_t k = 0;
	if (c->cni == CNI_FLANNEL && n->pod_cidr.len && n->pod_cidr.len < 30)
		v[k++] = n->pod_cidr;
	if (c->cni == CNI_CALICO)
		vec_foreach (const int, b, &n->blocks)
			if (k < max && !c->blocks.v[*b].pool->disabled)
				v[k++] = c->blocks.v[*b].cidr;
	return k;
}

static ip4 highest(const struct cluster *c, const struct cnode *n, struct cidr r)
{
	ip4 top = 0;
	vec_foreach (const struct cpod, p, &c->pods)
		if (p->node == n->index && !p->host_network && cidr_has(r, p->ip) && p->ip > top)
			top = p->ip;
	return top;
}

static ip4 last_given(const json_t *last, const struct cnode *n)
{
	const char *text = json_string_value(json_object_get(last, n->name));
	ip4 ip = 0;
	return text && ip4_parse(text, &ip) ? ip : 0;
}

/* Before the first change nothing was ever freed: the highest is the last one given. It counts even
 * when its pod goes in that very change. */
static void remember_last(const struct replicas *r)
{
	json_t *last = doc_sub(r->meta, "last");
	vec_foreach (const struct cnode, n, &r->before->nodes) {
		struct cidr v[64];
		size_t k = ranges(r->before, n, v, 64);
		while (k && !highest(r->before, n, v[k - 1]))
			k--;
		if (k && !last_given(last, n))
			json_object_set_new(last, n->name,
					    json_string(IP4(highest(r->before, n, v[k - 1]))));
	}
}

/* The address after the last one given there, as host-local and calico-ipam (which puts freed ones
 * at the end of its list) do; 0 when all are taken: the plan then finds a way or a fault. */
static ip4 next_address(struct replicas *r, const json_t *docs, const struct cnode *n)
{
	const struct cluster *c = r->before;
	bool bridge = c->cni == CNI_FLANNEL;
	struct cidr v[64];
	size_t k = ranges(c, n, v, 64);
	json_t *last = doc_sub(r->meta, "last");
	ip4 was = last_given(last, n);
	for (size_t i = 0; i < k; i++) {
		ip4 lo = cidr_first(v[i]) + (bridge ? 2 : 0), hi = cidr_last(v[i]) - bridge;
		ip4 from = was && cidr_has(v[i], was) ? was : highest(c, n, v[i]);
		uint32_t span = hi - lo + 1;
		if (from < lo || from > hi)
			from = lo - 1;
		for (uint32_t s = 1; s <= span && s <= MAX_STEPS; s++) {
			ip4 ip = lo + (from - lo + s) % span;
			if (in_use(c, docs, ip))
				continue;
			json_object_set_new(last, n->name, json_string(IP4(ip)));
			return ip;
		}
	}
	return 0;
}

/* ---- its name -------------------------------------------------------------------------------- */

/* As the plan names a Deployment's ReplicaSet (lib/plan/cluster_pods.c). */
static void template_hash(const struct cluster *c, const struct deployment *d, char buf[static 11])
{
	char *text =
		d->template_raw ? json_dumps(d->template_raw, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	name_seeded_template_hash(buf, "%s/%s/%s/%s", c->name, d->meta.ns, d->meta.name,
				  text ? text : "");
	free(text);
}

static void new_name(struct replicas *r, const json_t *docs, const struct deployment *d,
		     const char *hash, char *buf, size_t size)
{
	char suffix[6];
	do {
		json_int_t serial = json_integer_value(json_object_get(r->meta, "serial")) + 1;
		json_object_set_new(r->meta, "serial", json_integer(serial));
		name_seeded_suffix(suffix, 5, "%s/%s/%s/%s/serial/%lld", r->before->name,
				   d->meta.ns, d->meta.name, hash, (long long)serial);
		snprintf(buf, size, "%s-%s-%s", d->meta.name, hash, suffix);
	} while (docs_find(docs, "Pod", d->meta.ns, buf) >= 0);
}

static json_t *new_pod(struct replicas *r, const json_t *docs, const struct deployment *d,
		       const char *hash)
{
	json_t *template = json_object_get(
		json_object_get(json_array_get(docs, (size_t)docs_find(docs, "Deployment",
								       d->meta.ns, d->meta.name)),
				"spec"),
		"template");
	const struct cnode *n = pick_node(r->before, docs, d);
	char name[MAX_NAME * 2];
	new_name(r, docs, d, hash, name, sizeof(name));
	json_t *doc =
		json_pack("{s:s, s:s, s:o, s:o}", "apiVersion", "v1", "kind", "Pod", "metadata",
			  json_deep_copy(json_object_get(template, "metadata")) ?: json_object(),
			  "spec", json_deep_copy(json_object_get(template, "spec")));
	json_t *meta = doc_sub(doc, "metadata");
	json_object_set_new(meta, "name", json_string(name));
	json_object_set_new(meta, "namespace", json_string(d->meta.ns));
	json_object_set_new(meta, "creationTimestamp", json_string(r->edit->now));
	json_object_set_new(doc_sub(meta, "labels"), "pod-template-hash", json_string(hash));
	json_object_set_new(meta, "ownerReferences",
			    json_pack("[{s:s, s:s, s:s%, s:b}]", "apiVersion", "apps/v1", "kind",
				      "ReplicaSet", "name", name, strlen(name) - 6, "controller",
				      true));
	if (!n)
		return doc;
	json_object_set_new(doc_sub(doc, "spec"), "nodeName", json_string(n->name));
	ip4 ip = d->template.host_network ? 0 : next_address(r, docs, n);
	if (ip)
		json_object_set_new(doc_sub(doc, "status"), "podIP", json_string(IP4(ip)));
	return doc;
}

/* ---- Deployments ----------------------------------------------------------------------------- */

static bool marked(const json_t *set, const char *ns, const char *name)
{
	char key[MAX_NAME * 2 + 2];
	snprintf(key, sizeof(key), "%s/%s", ns, name);
	return json_object_get(set, key) != NULL;
}

static void drop_pod(json_t *docs, const struct pod *p)
{
	int at = docs_find(docs, "Pod", p->meta.ns, p->meta.name);
	if (at >= 0)
		json_array_remove(docs, (size_t)at);
}

static void sync_one(struct replicas *r, json_t *docs, const struct objects *o, bool *claimed,
		     const struct deployment *d)
{
	bool rolled = marked(r->edit->rolled, d->meta.ns, d->meta.name);
	unsigned n = 0;
	const char *hash = NULL;
	char own[11];
	for (size_t i = 0; i < o->pods.n; i++) {
		const struct pod *p = &o->pods.v[i];
		if (claimed[i] || strcmp(p->meta.ns, d->meta.ns) != 0)
			continue;
		if (!deployment_owns(d, p))
			continue;
		claimed[i] = true;
		if (rolled || n >= d->replicas) {
			drop_pod(docs, p);
			continue;
		}
		n++;
		if (!hash)
			hash = kv_get(&p->meta.labels, "pod-template-hash");
	}
	if (!hash) {
		template_hash(r->before, d, own);
		hash = own;
	}
	for (; n < d->replicas; n++)
		json_array_append_new(docs, new_pod(r, docs, d, hash));
}

void replicas_sync(struct replicas *r, json_t *docs, const struct objects *o)
{
	_free_ bool *claimed = calloc(o->pods.n + 1, sizeof(bool));
	remember_last(r);
	vec_foreach (const struct deployment, d, &o->deployments)
		if (claimed)
			sync_one(r, docs, o, claimed, d);
}

/* ---- endpoints ------------------------------------------------------------------------------- */

static void add_match(struct strbuf *s, const struct service *svc, const struct pod *p, ip4 ip)
{
	if (strcmp(p->meta.ns, svc->meta.ns) == 0 && kvs_match(&svc->selector, &p->meta.labels))
		strbuf_addf(s, "%s %s %d\n", p->meta.name, IP4(ip), p->not_ready || p->down);
}

/* Were other pods behind the Service before? Both lists are in order of name, near enough: a
 * change of order alone does not occur, as pods stay where they are in the documents. */
static bool pods_changed(const struct cluster *before, const struct objects *now,
			 const struct service *svc)
{
	_strbuf_ struct strbuf new = STRBUF_INIT;
	size_t n_new = 0, n_old = 0;
	bool other = false;
	vec_foreach (const struct pod, p, &now->pods) {
		size_t len = new.len;
		add_match(&new, svc, p, p->ip);
		n_new += new.len > len;
	}
	vec_foreach (const struct cpod, p, &before->pods) {
		_strbuf_ struct strbuf line = STRBUF_INIT;
		add_match(&line, svc, p->obj, p->host_network ? p->obj->ip : p->ip);
		n_old += line.len > 0;
		other = other || (line.len && !strstr(strbuf_str(&new), strbuf_str(&line)));
	}
	return other || n_new != n_old;
}

bool replicas_endpoints(const struct replicas *r, json_t *docs, const struct objects *now)
{
	bool any = false;
	vec_foreach (const struct service, s, &now->services) {
		if (!s->has_selector || !s->selector.n ||
		    marked(r->edit->slices, s->meta.ns, s->meta.name))
			continue;
		bool has = false;
		vec_foreach (const struct ep_set, e, &now->ep_sets)
			has = has || (e->service && strcmp(e->service, s->meta.name) == 0 &&
				      strcmp(e->meta.ns, s->meta.ns) == 0);
		if (!has || !pods_changed(r->before, now, s))
			continue;
		vec_foreach (const struct ep_set, e, &now->ep_sets) {
			const char *kind = e->is_slice ? "EndpointSlice" : "Endpoints";
			if (!e->service || strcmp(e->service, s->meta.name) != 0 ||
			    strcmp(e->meta.ns, s->meta.ns) != 0)
				continue;
			int at = docs_find(docs, kind, e->meta.ns, e->meta.name);
			if (at >= 0)
				json_array_remove(docs, (size_t)at);
			any = true;
		}
	}
	return any;
}
