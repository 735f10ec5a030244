/* SPDX-License-Identifier: MIT */
/* See docs.h. */
#include "labd/lab/docs.h"

#include <errno.h>
#include <string.h>

#include "labd/lab/pod_status.h"
#include "lib/base/cleanup.h"
#include "lib/base/limits.h"

/* ---- looking --------------------------------------------------------------------------------- */

static bool cluster_scoped(const char *kind)
{
	static const char *const kinds[] = {
		"Lab",	     "Node",	      "Namespace",	    "IPPool",
		"IPAMBlock", "BlockAffinity", "FelixConfiguration", "KubeProxyConfiguration"};
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i], kind) == 0)
			return true;
	return false;
}

static json_t *at_path(const json_t *doc, const char *path)
{
	const json_t *v = doc;
	while (v && *path) {
		char key[64];
		size_t n = strcspn(path, ".");
		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		v = json_object_get(v, key);
		path += n + (path[n] == '.');
	}
	return (json_t *)v;
}

const char *doc_str(const json_t *doc, const char *path)
{
	return json_string_value(at_path(doc, path));
}

json_t *doc_sub(json_t *doc, const char *path)
{
	while (*path) {
		char key[64];
		size_t n = strcspn(path, ".");
		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		json_t *v = json_object_get(doc, key);
		if (!json_is_object(v)) {
			v = json_object();
			json_object_set_new(doc, key, v);
		}
		doc = v;
		path += n + (path[n] == '.');
	}
	return doc;
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

struct doc_id doc_id(const json_t *doc)
{
	struct doc_id id = {.kind = or_empty(doc_str(doc, "kind")),
			    .ns = "",
			    .name = or_empty(doc_str(doc, "metadata.name"))};
	if (!cluster_scoped(id.kind)) {
		const char *ns = doc_str(doc, "metadata.namespace");
		id.ns = ns && *ns ? ns : "default";
	}
	return id;
}

int docs_find(const json_t *docs, const char *kind, const char *ns, const char *name)
{
	size_t i;
	json_t *v;
	/* Of many documents most have another name, and each is looked for. */
	json_array_foreach ((json_t *)docs, i, v) {
		const json_t *meta = json_object_get(v, "metadata");
		const char *has = json_string_value(json_object_get(meta, "name"));
		if (strcmp(has ? has : "", name) != 0)
			continue;
		struct doc_id id = doc_id(v);
		if (strcmp(id.kind, kind) == 0 && strcmp(id.ns, ns) == 0)
			return (int)i;
	}
	return -1;
}

json_t *docs_unfold(const json_t *docs)
{
	json_t *out = json_array(), *v, *item;
	size_t i, k;
	json_array_foreach ((json_t *)docs, i, v) {
		json_t *items = json_object_get(v, "items");
		const char *kind = or_empty(doc_str(v, "kind"));
		size_t n = strlen(kind);
		if (json_is_array(items) && n >= 4 && strcmp(kind + n - 4, "List") == 0)
			json_array_foreach (items, k, item)
				json_array_append_new(out, json_deep_copy(item));
		else
			json_array_append_new(out, json_deep_copy(v));
	}
	return out;
}

/* ---- editing --------------------------------------------------------------------------------- */

void edit_init(struct edit *e, time_t now)
{
	*e = (struct edit){.lines = json_array(), .rolled = json_object(), .slices = json_object()};
	time_stamp(now, e->now);
}

void edit_free(struct edit *e)
{
	json_decref(e->lines);
	json_decref(e->rolled);
	json_decref(e->slices);
	json_decref(e->down);
}

static void tell(struct edit *e, struct doc_id id, const char *done)
{
	json_array_append_new(e->lines, json_pack("{s:s, s:s, s:s, s:s}", "kind", id.kind, "ns",
						  id.ns, "name", id.name, "done", done));
	if (strcmp(done, "unchanged") != 0)
		e->changed = true;
}

static void mark(json_t *set, const char *ns, const char *name)
{
	char key[MAX_NAME * 2 + 2];
	snprintf(key, sizeof(key), "%s/%s", ns, name);
	json_object_set_new(set, key, json_true());
}

/* The new document lacks it: take over the old one's. */
static void carry(const json_t *old, json_t *new, const char *path, const char *key)
{
	json_t *v = json_object_get(at_path(old, path), key);
	if (v && !json_object_get(at_path(new, path), key))
		json_object_set_new(doc_sub(new, path), key, json_deep_copy(v));
}

static bool same_key(const json_t *a, const json_t *b, const char *key, const char *otherwise)
{
	const char *x = doc_str(a, key), *y = doc_str(b, key);
	return strcmp(x ? x : otherwise, y ? y : otherwise) == 0;
}

/* Node ports stay with their port, found by its name and protocol, else by its number. */
static void carry_node_ports(const json_t *old, json_t *new)
{
	size_t i, k;
	json_t *p, *q;
	json_array_foreach (at_path(new, "spec.ports"), i, p) {
		if (json_integer_value(json_object_get(p, "nodePort")))
			continue;
		json_array_foreach (at_path(old, "spec.ports"), k, q) {
			json_t *np = json_object_get(q, "nodePort");
			if (np && same_key(p, q, "name", "") && same_key(p, q, "protocol", "TCP") &&
			    json_equal(json_object_get(p, "port"), json_object_get(q, "port")))
				json_object_set(p, "nodePort", np);
		}
	}
}

static void carry_service(const json_t *old, json_t *new)
{
	const char *type = or_empty(doc_str(new, "spec.type"));
	if (strcmp(type, "ExternalName") == 0)
		return;
	if (strcmp(or_empty(doc_str(old, "spec.clusterIP")), "None") != 0)
		carry(old, new, "spec", "clusterIP");
	if (strcmp(type, "NodePort") != 0 && strcmp(type, "LoadBalancer") != 0)
		return;
	carry_node_ports(old, new);
	carry(old, new, "spec", "healthCheckNodePort");
}

/* What has run to its end does not begin again because its document is applied again. */
static void carry_end(const json_t *old, json_t *new)
{
	const char *phase = or_empty(doc_str(old, "status.phase"));
	if ((strcmp(phase, "Succeeded") != 0 && strcmp(phase, "Failed") != 0) ||
	    !json_equal(at_path(old, "spec"), at_path(new, "spec")))
		return;
	carry(old, new, "status", "phase");
	carry(old, new, "status", "containerStatuses");
}

static void carry_decisions(const char *kind, const json_t *old, json_t *new)
{
	if (strcmp(kind, "Service") == 0) {
		carry_service(old, new);
	} else if (strcmp(kind, "Deployment") == 0) {
		carry(old, new, "spec", "replicas");
	} else if (strcmp(kind, "Node") == 0) {
		carry(old, new, "spec", "podCIDR");
	} else if (strcmp(kind, "Pod") == 0) {
		carry(old, new, "spec", "nodeName");
		if (!json_is_true(at_path(new, "spec.hostNetwork")))
			carry(old, new, "status", "podIP");
		carry_end(old, new);
	}
}

static const char *slice_service(const json_t *doc, struct doc_id id)
{
	if (strcmp(id.kind, "Endpoints") == 0)
		return id.name;
	if (strcmp(id.kind, "EndpointSlice") != 0)
		return NULL;
	json_t *labels = at_path(doc, "metadata.labels");
	return json_string_value(json_object_get(labels, "kubernetes.io/service-name"));
}

/* An API server sets it once, whatever is sent. */
static void carry_creation(const json_t *old, json_t *new)
{
	json_object_del(at_path(new, "metadata"), "creationTimestamp");
	carry(old, new, "metadata", "creationTimestamp");
}

static void apply_one(json_t *docs, const json_t *sent, struct edit *e)
{
	json_t *new = json_deep_copy(sent);
	struct doc_id id = doc_id(new);
	int at = docs_find(docs, id.kind, id.ns, id.name);
	if (slice_service(new, id))
		mark(e->slices, id.ns, slice_service(new, id));
	if (at < 0) {
		tell(e, id, "created");
		json_object_set_new(doc_sub(new, "metadata"), "creationTimestamp",
				    json_string(e->now));
		json_array_append_new(docs, new);
		return;
	}
	json_t *old = json_array_get(docs, (size_t)at);
	carry_decisions(id.kind, old, new);
	carry_creation(old, new);
	tell(e, id, json_equal(old, new) ? "unchanged" : "configured");
	if (strcmp(id.kind, "Deployment") == 0 &&
	    !json_equal(at_path(old, "spec.template"), at_path(new, "spec.template")))
		mark(e->rolled, id.ns, id.name);
	json_array_set_new(docs, (size_t)at, new);
}

int docs_apply(json_t *docs, const json_t *sent, struct edit *e, struct err *err)
{
	json_t *list = docs_unfold(sent), *v;
	size_t i;
	int r = 0;
	json_array_foreach (list, i, v) {
		struct doc_id id = doc_id(v);
		if (!*id.kind)
			r = err_setc(err, EINVAL, ERR_USAGE, "document %zu has no kind", i + 1);
		else
			apply_one(docs, v, e);
	}
	json_decref(list);
	return r;
}

static void remove_at(json_t *docs, int at, struct edit *e, bool told)
{
	if (at < 0)
		return;
	if (told)
		tell(e, doc_id(json_array_get(docs, (size_t)at)), "deleted");
	json_array_remove(docs, (size_t)at);
	e->changed = true;
}

/* What the garbage collector would take: a Service's endpoints. */
static void remove_endpoints(json_t *docs, const char *ns, const char *service, struct edit *e)
{
	for (size_t i = json_array_size(docs); i-- > 0;) {
		json_t *v = json_array_get(docs, i);
		struct doc_id id = doc_id(v);
		const char *s = slice_service(v, id);
		if (s && strcmp(s, service) == 0 && strcmp(id.ns, ns) == 0)
			remove_at(docs, (int)i, e, false);
	}
}

static void remove_namespace(json_t *docs, const char *ns, struct edit *e)
{
	for (size_t i = json_array_size(docs); i-- > 0;)
		if (strcmp(doc_id(json_array_get(docs, i)).ns, ns) == 0)
			remove_at(docs, (int)i, e, false);
}

static int not_found(const char *kind, const char *ns, const char *name, struct err *err)
{
	return err_setc(err, ENOENT, ERR_NOT_FOUND, "there is no %s %s%s%s", kind, ns,
			*ns ? "/" : "", name);
}

int docs_delete(json_t *docs, const struct cluster *c, const char *kind, const char *ns,
		const char *name, struct edit *e, struct err *err)
{
	if (strcmp(kind, "Node") == 0 || strcmp(kind, "Lab") == 0)
		return err_setc(err, EINVAL, ERR_USAGE,
				"a running lab keeps its %s; labctl down, then up with other files",
				strcmp(kind, "Node") == 0 ? "nodes" : "kind: Lab");
	if (cluster_scoped(kind))
		ns = "";
	int at = docs_find(docs, kind, ns, name);
	if (at < 0)
		return not_found(kind, ns, name, err);
	/* name may be the document's own text */
	_free_ char *copy = strdup(name);
	remove_at(docs, at, e, true);
	if (strcmp(kind, "Service") == 0)
		remove_endpoints(docs, ns, copy, e);
	if (strcmp(kind, "Namespace") == 0)
		remove_namespace(docs, copy, e);
	if (strcmp(kind, "Deployment") == 0)
		vec_foreach (const struct cpod, p, &c->pods)
			if (p->obj->owner && strcmp(p->obj->owner, copy) == 0 &&
			    strcmp(p->ns, ns) == 0)
				remove_at(docs, docs_find(docs, "Pod", p->ns, p->name), e, false);
	return 0;
}

int docs_scale(json_t *docs, const char *ns, const char *name, unsigned replicas, struct edit *e,
	       struct err *err)
{
	int at = docs_find(docs, "Deployment", ns, name);
	if (at < 0)
		return not_found("Deployment", ns, name, err);
	json_t *doc = json_array_get(docs, (size_t)at), *spec = doc_sub(doc, "spec");
	json_t *now = json_object_get(spec, "replicas");
	unsigned have = json_is_integer(now) ? (unsigned)json_integer_value(now) : 1;
	tell(e, doc_id(doc), have == replicas ? "unchanged" : "scaled");
	json_object_set_new(spec, "replicas", json_integer(replicas));
	return 0;
}
