/* SPDX-License-Identifier: MIT */
/*
 * docs_fix: what was decided, written into the documents; see docs.h. A pod that the plan made for
 * a Deployment becomes a document with its owner named; so does kube-dns when the lab's author left
 * it to the defaults.
 */
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "labd/lab/docs.h"
#include "lib/base/cleanup.h"
#include "lib/base/strbuf.h"

static void set_str(json_t *o, const char *key, const char *value)
{
	if (value && *value)
		json_object_set_new(o, key, json_string(value));
}

static void set_missing(json_t *o, const char *key, json_t *value)
{
	if (json_object_get(o, key))
		json_decref(value);
	else
		json_object_set_new(o, key, value);
}

static json_t *kvs_json(const kvs *list)
{
	json_t *o = json_object();
	vec_foreach (const struct kv, p, list)
		set_str(o, p->key, p->value);
	return o;
}

static json_t *strs_json(const strs *list)
{
	json_t *o = json_array();
	for (size_t i = 0; i < list->n; i++)
		json_array_append_new(o, json_string(list->v[i]));
	return o;
}

static const char *proto_word(enum proto p)
{
	static const char *const words[] = {"TCP", "UDP", "SCTP"};
	return words[p];
}

/* ---- objects back to JSON -------------------------------------------------------------------- */

static json_t *container_json(const struct container *c)
{
	json_t *o = json_pack("{s:s, s:s}", "name", c->name, "image", c->image ? c->image : "");
	if (c->command.n)
		json_object_set_new(o, "command", strs_json(&c->command));
	if (c->args.n)
		json_object_set_new(o, "args", strs_json(&c->args));
	json_t *ports = json_array(), *env = json_array();
	vec_foreach (const struct container_port, p, &c->ports) {
		json_t *q = json_pack("{s:i, s:s}", "containerPort", (int)p->port, "protocol",
				      proto_word(p->proto));
		set_str(q, "name", p->name);
		json_array_append_new(ports, q);
	}
	vec_foreach (const struct env_var, v, &c->env)
		json_array_append_new(env, json_pack("{s:s, s:s}", "name", v->name, "value",
						     v->value ? v->value : ""));
	if (json_array_size(ports))
		json_object_set(o, "ports", ports);
	if (json_array_size(env))
		json_object_set(o, "env", env);
	json_decref(ports);
	json_decref(env);
	return o;
}

static json_t *pod_spec_json(const struct pod_spec *s)
{
	json_t *o = json_object(), *list = json_array();
	vec_foreach (const struct container, c, &s->containers)
		json_array_append_new(list, container_json(c));
	json_object_set_new(o, "containers", list);
	set_str(o, "hostname", s->hostname);
	set_str(o, "subdomain", s->subdomain);
	set_str(o, "serviceAccountName", s->service_account);
	set_str(o, "dnsPolicy", s->dns_policy);
	if (s->host_network)
		json_object_set_new(o, "hostNetwork", json_true());
	if (s->node_selector.n)
		json_object_set_new(o, "nodeSelector", kvs_json(&s->node_selector));
	if (s->tolerates_all)
		json_object_set_new(o, "tolerations", json_pack("[{s:s}]", "operator", "Exists"));
	return o;
}

/* A Deployment's pod is its ReplicaSet's, whose name is the pod's without the last suffix. */
static json_t *owner_json(const char *pod)
{
	const char *dash = strrchr(pod, '-');
	return json_pack("[{s:s, s:s, s:s%, s:b}]", "apiVersion", "apps/v1", "kind", "ReplicaSet",
			 "name", pod, dash ? (size_t)(dash - pod) : strlen(pod), "controller",
			 true);
}

static json_t *pod_json(const struct cpod *p)
{
	const struct pod *o = p->obj;
	json_t *doc = json_pack("{s:s, s:s, s:{s:s, s:s, s:o}, s:o}", "apiVersion", "v1", "kind",
				"Pod", "metadata", "name", p->name, "namespace", p->ns, "labels",
				kvs_json(&o->meta.labels), "spec", pod_spec_json(&o->spec));
	if (o->meta.annotations.n)
		json_object_set_new(doc_sub(doc, "metadata"), "annotations",
				    kvs_json(&o->meta.annotations));
	if (o->owner)
		json_object_set_new(doc_sub(doc, "metadata"), "ownerReferences",
				    owner_json(p->name));
	return doc;
}

/* ---- fixing ---------------------------------------------------------------------------------- */

static void fix_pod(json_t *doc, const struct cluster *c, const struct cpod *p)
{
	if (p->node >= 0)
		json_object_set_new(doc_sub(doc, "spec"), "nodeName",
				    json_string(c->nodes.v[p->node].name));
	if (p->ip && !p->host_network)
		json_object_set_new(doc_sub(doc, "status"), "podIP", json_string(IP4(p->ip)));
}

static void fix_service(json_t *doc, const struct csvc *s)
{
	json_t *spec = doc_sub(doc, "spec"), *p;
	size_t i;
	if (s->cluster_ip)
		set_missing(spec, "clusterIP", json_string(IP4(s->cluster_ip)));
	if (s->obj->health_check_port)
		set_missing(spec, "healthCheckNodePort", json_integer(s->obj->health_check_port));
	json_array_foreach (json_object_get(spec, "ports"), i, p) {
		const char *proto = doc_str(p, "protocol");
		vec_foreach (struct csvcport, q, &s->ports)
			if (q->node_port &&
			    q->port->port == json_integer_value(json_object_get(p, "port")) &&
			    strcmp(proto_word(q->port->proto), proto ? proto : "TCP") == 0)
				json_object_set_new(p, "nodePort", json_integer(q->node_port));
	}
}

static int by_order(const void *a, const void *b)
{
	const struct cpod *x = *(const struct cpod *const *)a, *y = *(const struct cpod *const *)b;
	return x->order - y->order;
}

/* The cluster's pods by "NAMESPACE/NAME". */
struct known_pod {
	const char *key;
	const struct cpod *pod;
	bool written; /* it has a document */
	UT_hash_handle hh;
};

static struct known_pod *known_pods(struct arena *a, const struct cluster *c)
{
	struct known_pod *all = NULL;
	vec_foreach (const struct cpod, p, &c->pods) {
		struct known_pod *k = arena_new_type(a, struct known_pod);
		k->key = arena_printf(a, "%s/%s", p->ns, p->name);
		k->pod = p;
		HASH_ADD_KEYPTR(hh, all, k->key, strlen(k->key), k);
	}
	return all;
}

static void fix_known(json_t *doc, const struct cluster *c, struct known_pod *all)
{
	struct doc_id id = doc_id(doc);
	_strbuf_ struct strbuf key = STRBUF_INIT;
	struct known_pod *k;
	strbuf_addf(&key, "%s/%s", id.ns, id.name);
	HASH_FIND_STR(all, strbuf_str(&key), k);
	if (!k)
		return;
	k->written = true;
	fix_pod(doc, c, k->pod);
}

/* Pods that were made become documents, in the order in which they were made. */
static void add_pods(json_t *docs, const struct cluster *c, struct known_pod *all)
{
	_free_ const struct cpod **made = calloc(c->pods.n + 1, sizeof(const struct cpod *));
	size_t n = 0;
	for (const struct known_pod *k = all; made && k; k = k->hh.next)
		if (!k->written)
			made[n++] = k->pod;
	if (n)
		qsort(made, n, sizeof(const struct cpod *), by_order);
	for (size_t i = 0; i < n; i++) {
		json_t *doc = pod_json(made[i]);
		fix_pod(doc, c, made[i]);
		json_array_append_new(docs, doc);
	}
}

static json_t *dns_service(const struct csvc *s)
{
	json_t *ports = json_array();
	vec_foreach (struct csvcport, p, &s->ports)
		json_array_append_new(ports, json_pack("{s:s, s:i, s:i, s:s}", "name",
						       p->port->name, "port", (int)p->port->port,
						       "targetPort", (int)p->port->target_port,
						       "protocol", proto_word(p->port->proto)));
	return json_pack("{s:s, s:s, s:{s:s, s:s, s:o}, s:{s:s, s:o, s:o}}", "apiVersion", "v1",
			 "kind", "Service", "metadata", "name", s->name, "namespace", s->ns,
			 "labels", kvs_json(&s->obj->meta.labels), "spec", "clusterIP",
			 IP4(s->cluster_ip), "selector", kvs_json(&s->obj->selector), "ports",
			 ports);
}

/* kube-dns by default is a Service and two pods that nobody wrote down; with the Service as a
 * document the defaults are off, so its Deployment must be one too. */
static void add_dns(json_t *docs, const struct cluster *c)
{
	const struct cpod *first = NULL;
	if (docs_find(docs, "Service", "kube-system", "kube-dns") >= 0)
		return;
	vec_foreach (const struct cpod, p, &c->pods)
		if (!first && p->obj->owner && strcmp(p->obj->owner, "coredns") == 0 &&
		    strcmp(p->ns, "kube-system") == 0)
			first = p;
	vec_foreach (const struct csvc, s, &c->services) {
		if (strcmp(s->ns, "kube-system") != 0 || strcmp(s->name, "kube-dns") != 0)
			continue;
		json_array_append_new(docs, dns_service(s));
		if (first)
			json_array_append_new(
				docs,
				json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:i, s:{s:o}, s:{s:{s:o}, "
					  "s:o}}}",
					  "apiVersion", "apps/v1", "kind", "Deployment", "metadata",
					  "name", "coredns", "namespace", "kube-system", "spec",
					  "replicas", 2, "selector", "matchLabels",
					  kvs_json(&s->obj->selector), "template", "metadata",
					  "labels", kvs_json(&s->obj->selector), "spec",
					  pod_spec_json(&first->obj->spec)));
	}
}

static void fix_one(json_t *doc, const struct cluster *c, struct known_pod *all)
{
	struct doc_id id = doc_id(doc);
	if (strcmp(id.kind, "Pod") == 0) {
		fix_known(doc, c, all);
	} else if (strcmp(id.kind, "Service") == 0) {
		vec_foreach (const struct csvc, s, &c->services)
			if (strcmp(s->name, id.name) == 0 && strcmp(s->ns, id.ns) == 0)
				fix_service(doc, s);
	} else if (strcmp(id.kind, "Node") == 0) {
		int n = cluster_node(c, id.name);
		if (n >= 0 && c->nodes.v[n].pod_cidr.len)
			set_missing(doc_sub(doc, "spec"), "podCIDR",
				    json_string(CIDR(c->nodes.v[n].pod_cidr)));
	}
}

static bool has_block(const json_t *docs, const char *cidr)
{
	size_t i;
	json_t *v;
	json_array_foreach ((json_t *)docs, i, v) {
		const char *kind = doc_id(v).kind, *have = doc_str(v, "spec.cidr");
		if ((strcmp(kind, "IPAMBlock") == 0 || strcmp(kind, "BlockAffinity") == 0) &&
		    have && strcmp(have, cidr) == 0)
			return true;
	}
	return false;
}

static void add_blocks(json_t *docs, const struct cluster *c)
{
	vec_foreach (const struct block, b, &c->blocks) {
		const char *cidr = CIDR(b->cidr);
		char name[400];
		if (b->node < 0 || has_block(docs, cidr))
			continue;
		snprintf(name, sizeof(name), "%s-%s", c->nodes.v[b->node].name, cidr);
		for (char *p = strrchr(name, '-'); *p; p++)
			if (*p == '.' || *p == '/')
				*p = '-';
		json_array_append_new(
			docs, json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:s, s:s}}", "apiVersion",
					"crd.projectcalico.org/v1", "kind", "BlockAffinity",
					"metadata", "name", name, "spec", "cidr", cidr, "node",
					c->nodes.v[b->node].name, "state", "confirmed"));
	}
}

void docs_fix(json_t *docs, const struct cluster *c)
{
	_arena_ struct arena *a = arena_new();
	struct known_pod *all = known_pods(a, c);
	size_t i;
	json_t *v;
	add_dns(docs, c);
	json_array_foreach (docs, i, v)
		fix_one(v, c, all);
	add_pods(docs, c, all);
	add_blocks(docs, c);
	HASH_CLEAR(hh, all);
}
