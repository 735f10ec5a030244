/* SPDX-License-Identifier: MIT */
/* Small questions about bound objects (objects.h): labels, selectors, and the words for enums. */
#include "lib/kube/objects.h"

#include <string.h>

void objects_release(struct objects *o)
{
	if (!o)
		return;
	json_decref(o->docs);
	o->docs = NULL;
}

const char *meta_str(struct arena *a, const struct meta *m)
{
	const char *name = m->name ? m->name : "";
	return m->ns ? arena_printf(a, "%s/%s", m->ns, name) : arena_strdup(a, name);
}

const char *kv_get(const kvs *list, const char *key)
{
	vec_foreach (struct kv, p, list)
		if (strcmp(p->key, key) == 0)
			return p->value;
	return NULL;
}

bool kvs_match(const kvs *want, const kvs *labels)
{
	vec_foreach (struct kv, p, want) {
		const char *value = kv_get(labels, p->key);
		if (!value || strcmp(value, p->value) != 0)
			return false;
	}
	return true;
}

/* NotIn and DoesNotExist also choose objects without the label. */
static bool expr_matches(const struct selector_expr *e, const kvs *labels)
{
	const char *value = kv_get(labels, e->key);
	bool in = false;
	vec_foreach (const char *, p, &e->values)
		in = in || (value && strcmp(*p, value) == 0);
	if (strcmp(e->op, "In") == 0)
		return in;
	if (strcmp(e->op, "NotIn") == 0)
		return !in;
	if (strcmp(e->op, "Exists") == 0)
		return value != NULL;
	return value == NULL;
}

bool selector_matches(const struct selector *s, const kvs *labels)
{
	if (!s->present || !kvs_match(&s->match_labels, labels))
		return false;
	vec_foreach (struct selector_expr, e, &s->exprs)
		if (!expr_matches(e, labels))
			return false;
	return true;
}

/* NAME-HASH-SUFFIX of a Deployment's NAME. */
static bool replica_name(const char *name, const char *deployment)
{
	size_t n = strlen(deployment);
	if (strncmp(name, deployment, n) != 0 || name[n] != '-')
		return false;
	const char *hash = name + n + 1, *dash = strchr(hash, '-');
	return dash && dash > hash && dash[1] && !strchr(dash + 1, '-');
}

bool deployment_owns(const struct deployment *d, const struct pod *p)
{
	if (p->owner)
		return strcmp(p->owner, d->meta.name) == 0;
	return selector_matches(&d->selector, &p->meta.labels) &&
	       (kv_get(&p->meta.labels, "pod-template-hash") ||
		replica_name(p->meta.name, d->meta.name));
}

const char *kube_version_str(enum kube_version v)
{
	static const char *const names[] = {"1.20", "1.23", "1.32", "1.36"};
	return names[v];
}

const char *proto_str(enum proto p)
{
	static const char *const names[] = {"tcp", "udp", "sctp"};
	return names[p];
}

const char *svc_type_str(enum svc_type t)
{
	static const char *const names[] = {"ClusterIP", "NodePort", "LoadBalancer",
					    "ExternalName"};
	return names[t];
}

const char *cni_str(enum cni_kind c)
{
	static const char *const names[] = {"none", "flannel", "calico"};
	return names[c];
}

const char *proxy_mode_str(enum proxy_mode m)
{
	static const char *const names[] = {"iptables", "ipvs", "nftables", "userspace"};
	return names[m];
}
