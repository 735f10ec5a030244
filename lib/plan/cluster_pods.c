/* SPDX-License-Identifier: MIT */
/*
 * cluster_pods: which pods there are, where they run, their addresses and the names of their
 * devices. Pods of the file come first, then those that Deployments still lack (a Deployment takes
 * pods of the file that its selector matches as its own, as a ReplicaSet would).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "lib/base/limits.h"
#include "lib/kube/naming.h"
#include "lib/plan/cluster_build.h"

struct name_seen {
	const char *key; /* "ns/name" */
	UT_hash_handle hh;
};

struct pod_list {
	struct builder *b;
	vec_of(struct pod *) v;
	struct name_seen *seen;
};

static const char *str_or(const char *s, const char *other)
{
	return s ? s : other;
}

static void list_add(struct pod_list *l, struct pod *p)
{
	struct name_seen *n = arena_new_type(l->b->a, struct name_seen);

	n->key = arena_printf(l->b->a, "%s/%s", p->meta.ns, p->meta.name);
	HASH_ADD_KEYPTR(hh, l->seen, n->key, strlen(n->key), n);
	*vec_push(l->b->a, &l->v) = p;
}

static bool list_has(struct pod_list *l, const char *ns, const char *name)
{
	char key[MAX_NAME * 2 + 2];
	struct name_seen *n;

	snprintf(key, sizeof(key), "%s/%s", ns, name);
	HASH_FIND(hh, l->seen, key, strlen(key), n);
	return n != NULL;
}

/* A seed for the ReplicaSet's name: the template as it was written. */
static void template_hash(struct builder *b, const struct deployment *d, char buf[static 11])
{
	char *text =
		d->template_raw ? json_dumps(d->template_raw, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	name_seeded_template_hash(buf, "%s/%s/%s/%s", b->c->name, d->meta.ns, d->meta.name,
				  str_or(text, ""));
	free(text);
}

/* Pods of the file that belong to the Deployment. Returns how many; *ret_hash is the template hash
 * that they carry in a label, or NULL. */
static unsigned adopt(struct pod_list *l, const struct deployment *d, const char **ret_hash)
{
	unsigned n = 0;

	*ret_hash = NULL;
	for (size_t i = 0; i < l->v.n; i++) {
		struct pod *p = l->v.v[i];

		if (strcmp(p->meta.ns, d->meta.ns) != 0)
			continue;
		if (!deployment_owns(d, p))
			continue;
		p->owner = d->meta.name;
		n++;
		if (!*ret_hash)
			*ret_hash = kv_get(&p->meta.labels, "pod-template-hash");
	}
	return n;
}

static struct pod *pod_of_template(struct builder *b, const struct deployment *d, const char *name,
				   const char *hash)
{
	struct pod *p = arena_new_type(b->a, struct pod);

	p->meta.name = name;
	p->meta.ns = d->meta.ns;
	p->meta.doc = d->meta.doc;
	p->meta.path = d->meta.path;
	vec_foreach (struct kv, l, &d->template_labels)
		*vec_push(b->a, &p->meta.labels) = *l;
	*vec_push(b->a, &p->meta.labels) = (struct kv){"pod-template-hash", hash};
	p->spec = d->template;
	p->owner = d->meta.name;
	return p;
}

/* Make the replicas that are missing. Names depend only on the Deployment and the replica's number,
 * so that scaling leaves the others alone. */
static void replicas(struct pod_list *l, const struct deployment *d)
{
	struct builder *b = l->b;
	const char *hash;
	unsigned have = adopt(l, d, &hash);
	char own[11];

	if (!hash) {
		template_hash(b, d, own);
		hash = arena_strdup(b->a, own);
	}
	for (unsigned i = have; i < d->replicas && l->v.n < MAX_PODS; i++) {
		char suffix[6];
		const char *name;
		unsigned try = 0;
		struct pod *p;

		do {
			name_seeded_suffix(suffix, 5, "%s/%s/%s/%s/%u/%u", b->c->name, d->meta.ns,
					   d->meta.name, hash, i, try++);
			name = arena_printf(b->a, "%s-%s-%s", d->meta.name, hash, suffix);
		} while (list_has(l, d->meta.ns, name) && try < 100);
		p = pod_of_template(b, d, name, hash);
		list_add(l, p);
	}
}

static bool tolerates(const struct pod *p, const struct cnode *n)
{
	return p->spec.tolerates_all || (!n->control_plane && !n->obj->no_schedule_taint);
}

/* The nodes a pod may run on, best first: those it tolerates and selects; if there are none, any
 * that it selects and that is not cordoned; if there are none, any. */
static size_t candidates(const struct builder *b, const struct pod *p, int *ret)
{
	const struct cluster *c = b->c;

	for (int strict = 2; strict >= 0; strict--) {
		size_t n = 0;

		vec_foreach (struct cnode, k, &c->nodes) {
			if (strict >= 1 &&
			    (k->obj->unschedulable ||
			     !kvs_match(&p->spec.node_selector, &k->obj->meta.labels)))
				continue;
			if (strict >= 2 && !tolerates(p, k))
				continue;
			ret[n++] = k->index;
		}
		if (n)
			return n;
	}
	return 0;
}

static int control_plane_node(const struct cluster *c)
{
	vec_foreach (struct cnode, n, &c->nodes)
		if (n->control_plane)
			return n->index;
	return c->nodes.n ? 0 : -1;
}

/* Round robin over the nodes a pod may run on, in the order of the file. */
static void schedule(struct pod_list *l, int *ret_node)
{
	struct builder *b = l->b;
	int *nodes = arena_new_array(b->a, int, b->c->nodes.n + 1);
	size_t turn = 0;

	for (size_t i = 0; i < l->v.n; i++) {
		const struct pod *p = l->v.v[i];
		size_t n;

		ret_node[i] = cluster_node(b->c, p->spec.node_name);
		if (p->spec.node_name)
			continue;
		if (p->meta.doc < 0 && b->default_dns) {
			ret_node[i] = control_plane_node(b->c);
			continue;
		}
		n = candidates(b, p, nodes);
		if (n)
			ret_node[i] = nodes[turn++ % n];
	}
}

static struct mac host_mac(const struct cluster *c, const struct pod *p)
{
	const char *text = kv_get(&p->meta.annotations, "labd.dev/host-mac");
	struct mac mac = {{0xee, 0xee, 0xee, 0xee, 0xee, 0xee}}; /* Calico's, dataplane F.2 */

	if (text && mac_parse(text, &mac) && !mac_is_zero(mac))
		return mac;
	if (c->cni == CNI_CALICO)
		return (struct mac){{0xee, 0xee, 0xee, 0xee, 0xee, 0xee}};
	return name_seeded_mac("%s/veth/%s/%s", c->name, p->meta.ns, p->meta.name);
}

/* The annotations are checked with the other objects (objects_check). */
static const char *host_if(struct builder *b, const struct pod *p)
{
	const char *pinned = kv_get(&p->meta.annotations, "labd.dev/host-interface");
	char name[NAME_IFNAMSIZ];

	if (pinned)
		return pinned;
	if (b->c->cni == CNI_CALICO)
		name_calico_veth(p->meta.ns, p->meta.name, name);
	else
		name_seeded_veth(name, "%s/veth/%s/%s", b->c->name, p->meta.ns, p->meta.name);
	return arena_strdup(b->a, name);
}

static int host_ifindex(const struct pod *p)
{
	const char *text = kv_get(&p->meta.annotations, "labd.dev/host-ifindex");

	return text ? (int)strtol(text, NULL, 10) : 0;
}

static void add_pod(struct builder *b, const struct pod *p, int node)
{
	struct cluster *c = b->c;
	struct cpod *r = vec_push(b->a, &c->pods);
	char uid[NAME_UUIDSIZ], netns[NAME_UUIDSIZ];

	name_seeded_uuid(uid, "%s/uid/%s/%s", c->name, p->meta.ns, p->meta.name);
	*r = (struct cpod){
		.obj = p,
		.ns = p->meta.ns,
		.name = p->meta.name,
		.uid = arena_strdup(b->a, uid),
		.node = node,
		.ip = p->ip,
		.host_network = p->spec.host_network,
		.ready = !p->not_ready && !p->down,
	};
	if (r->host_network) {
		r->ip = node >= 0 ? c->nodes.v[node].ip : p->ip;
		return;
	}
	r->mac = name_seeded_mac("%s/eth0/%s/%s", c->name, p->meta.ns, p->meta.name);
	if (!c->docker_look) {
		name_seeded_uuid(netns, "%s/netns/%s/%s", c->name, p->meta.ns, p->meta.name);
		r->cni_netns = arena_printf(b->a, "cni-%s", netns);
	}
	if (c->cni == CNI_NONE)
		return;
	r->host_if = host_if(b, p);
	r->host_mac = host_mac(c, p);
	r->host_ifindex = host_ifindex(p);
	if (node >= 0)
		c->nodes.v[node].has_pods = true;
}

/* host-local: the address after the last one given. Pinned ones were given already. */
static void addresses_flannel(struct builder *b)
{
	struct cluster *c = b->c;
	struct ip_alloc *al = arena_new_array(b->a, struct ip_alloc, c->nodes.n + 1);

	vec_foreach (struct cnode, n, &c->nodes)
		al[n->index] = ip_alloc_host_local(b->a, n->pod_cidr);
	vec_foreach (struct cpod, p, &c->pods) {
		struct ip_alloc *k = p->node >= 0 ? &al[p->node] : NULL;

		if (!k || !p->obj->ip || p->host_network)
			continue;
		ip_alloc_reserve(k, p->ip);
		if (cidr_has(k->cidr, p->ip) && p->ip >= k->next)
			k->next = p->ip + 1;
	}
	vec_foreach (struct cpod, p, &c->pods) {
		if (p->ip || p->host_network || p->node < 0)
			continue;
		p->ip = ip_alloc_next(&al[p->node]);
		if (!p->ip)
			builder_fault(b, &p->obj->meta, "metadata.name",
				      "no address is left for this pod in %s of node %s",
				      CIDR(c->nodes.v[p->node].pod_cidr), c->nodes.v[p->node].name);
	}
}

static void addresses_calico(struct builder *b)
{
	vec_foreach (struct cpod, p, &b->c->pods) {
		if (p->ip || p->host_network || p->node < 0)
			continue;
		p->ip = build_calico_next(b, p->node);
		if (!p->ip)
			builder_fault(b, &p->obj->meta, "metadata.name",
				      "no address is left for this pod in any pool");
	}
}

static bool node_has_device(const struct cluster *c, const struct cpod *p)
{
	static const char *const own[] = {"lo", "docker0", "cni0", "tunl0", "kube-ipvs0"};
	const struct cnode *n = p->node >= 0 ? &c->nodes.v[p->node] : NULL;

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (strcmp(p->host_if, own[i]) == 0)
			return true;
	return n && strcmp(p->host_if, c->underlays.v[n->underlay].nic) == 0;
}

/* Two pods of one node with the same host-side name (two annotations, or a pin on a drawn one), or
 * one with the name of the node's own. */
static void check_host_ifs(struct builder *b)
{
	struct cluster *c = b->c;
	struct name_seen *seen = NULL, *n;

	vec_foreach (struct cpod, p, &c->pods) {
		const char *key, *node = p->node >= 0 ? c->nodes.v[p->node].name : "?";

		if (!p->host_if)
			continue;
		key = arena_printf(b->a, "%d/%s", p->node, p->host_if);
		HASH_FIND_STR(seen, key, n);
		if (n)
			builder_fault(b, &p->obj->meta, "metadata.name",
				      "two pods of node %s would have the host-side device %s",
				      node, p->host_if);
		if (node_has_device(c, p))
			builder_fault(b, &p->obj->meta, "metadata.name",
				      "node %s has a device %s of its own", node, p->host_if);
		n = arena_new_type(b->a, struct name_seen);
		n->key = key;
		HASH_ADD_KEYPTR(hh, seen, n->key, strlen(n->key), n);
	}
	HASH_CLEAR(hh, seen);
}

void build_pods(struct builder *b)
{
	struct pod_list l = {.b = b};
	struct cluster *c = b->c;
	size_t i;
	int *node;

	vec_foreach (struct pod, p, &b->o->pods) {
		struct pod *copy = arena_new_type(b->a, struct pod);
		*copy = *p;
		list_add(&l, copy);
	}
	if (b->default_dns)
		replicas(&l, build_dns_deployment(b));
	vec_foreach (struct deployment, d, &b->o->deployments)
		replicas(&l, d);
	HASH_CLEAR(hh, l.seen);

	node = arena_new_array(b->a, int, l.v.n + 1);
	schedule(&l, node);
	/* By node, then order of creation; pods whose node is not in the file come first. */
	for (int k = -1; k < (int)c->nodes.n; k++)
		for (i = 0; i < l.v.n; i++)
			if (node[i] == k) {
				add_pod(b, l.v.v[i], k);
				c->pods.v[c->pods.n - 1].order = (int)i;
			}
	if (c->cni == CNI_FLANNEL)
		addresses_flannel(b);
	if (c->cni == CNI_CALICO)
		addresses_calico(b);
	check_host_ifs(b);
}
