/* SPDX-License-Identifier: MIT */
/* calico_policy: see calico_policy.h. Facts: dataplane notes F.8, G. */
#include "lib/plan/calico_policy.h"

#include <stdlib.h>
#include <string.h>

#include "lib/plan/felix_select.h"

static int cmp_policy(const void *a, const void *b)
{
	const struct felix_policy *const *x = a, *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

void calico_all_policies(struct arena *a, const struct cluster *c, felix_policies *ret)
{
	vec_foreach (struct network_policy, np, &c->objects->policies) {
		struct felix_policy *p = arena_new_type(a, struct felix_policy);

		p->key = arena_printf(a, "%s/knp.default.%s", np->meta.ns, np->meta.name);
		p->selector = felix_policy_selector(a, &np->pods, np->meta.ns);
		p->obj = np;
		*vec_push(a, ret) = p;
	}
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), cmp_policy);
}

static void add_label(struct arena *a, kvs *list, const char *key, const char *value)
{
	*vec_push(a, list) = (struct kv){.key = key, .value = value};
}

/* A pod's labels with those that Calico adds to a workload endpoint. */
static kvs pod_labels(struct arena *a, const struct cpod *p)
{
	const char *account = p->obj->spec.service_account;
	kvs all = {0};

	vec_foreach (struct kv, l, &p->obj->meta.labels)
		*vec_push(a, &all) = *l;
	add_label(a, &all, "projectcalico.org/namespace", p->ns);
	add_label(a, &all, "projectcalico.org/orchestrator", "k8s");
	add_label(a, &all, "projectcalico.org/serviceaccount", account ? account : "default");
	return all;
}

/* A namespace's labels; the API server adds its name from 1.21 on, Calico under a name of its own.
 */
static kvs namespace_labels(struct arena *a, const struct cluster *c, const char *ns)
{
	kvs all = {0};

	vec_foreach (struct namespace_obj, n, &c->objects->namespaces)
		if (strcmp(n->meta.name, ns) == 0)
			vec_foreach (struct kv, l, &n->meta.labels)
				*vec_push(a, &all) = *l;
	if (c->kubernetes >= KUBE_1_23 && !kv_get(&all, "kubernetes.io/metadata.name"))
		add_label(a, &all, "kubernetes.io/metadata.name", ns);
	add_label(a, &all, "projectcalico.org/name", ns);
	return all;
}

/* Has it an interface of its own? hostNetwork pods are no workload endpoints. */
static bool is_endpoint(const struct cpod *p)
{
	return p->node >= 0 && p->ip && !p->host_network;
}

void calico_policies_of(struct arena *a, const felix_policies *all, const struct cpod *p,
			struct felix_endpoint *e)
{
	kvs labels;

	if (!all->n)
		return;
	labels = pod_labels(a, p);
	vec_foreach (const struct felix_policy *, q, all) {
		const struct network_policy *np = (*q)->obj;

		if (strcmp(np->meta.ns, p->ns) != 0 || !selector_matches(&np->pods, &labels))
			continue;
		if (np->ingress)
			*vec_push(a, &e->in) = *q;
		if (np->egress)
			*vec_push(a, &e->out) = *q;
	}
}

bool calico_peer_means(struct arena *a, const struct cluster *c, const struct np_peer *peer,
		       const char *ns, const struct cpod *p)
{
	kvs labels;

	if (!peer->namespaces.present && strcmp(ns, p->ns) != 0)
		return false;
	if (peer->namespaces.present) {
		labels = namespace_labels(a, c, p->ns);
		if (!selector_matches(&peer->namespaces, &labels))
			return false;
	}
	if (!peer->pods.present)
		return true;
	labels = pod_labels(a, p);
	return selector_matches(&peer->pods, &labels);
}

static void add_ports(struct arena *a, const struct felix_set *set, const struct cpod *p, strs *ret)
{
	vec_foreach (struct container, k, &p->obj->spec.containers)
		vec_foreach (struct container_port, port, &k->ports)
			if (port->proto == set->proto && strcmp(port->name, set->port_name) == 0)
				*vec_push(a, ret) =
					arena_printf(a, "%s,%s:%u", IP4(p->ip),
						     proto_str(port->proto), (unsigned)port->port);
}

void calico_set_members(struct arena *a, const struct cluster *c, const struct felix_set *set,
			strs *ret)
{
	_arena_ struct arena *scratch = arena_new();

	vec_foreach (struct cpod, p, &c->pods) {
		if (!is_endpoint(p) ||
		    (set->peer && !calico_peer_means(scratch, c, set->peer, set->ns, p)))
			continue;
		if (set->port_name)
			add_ports(a, set, p, ret);
		else
			*vec_push(a, ret) = arena_strdup(a, IP4(p->ip));
	}
}
