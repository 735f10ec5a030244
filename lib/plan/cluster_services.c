/* SPDX-License-Identifier: MIT */
/*
 * cluster_services: what the API server and the endpoint controllers decide: cluster IPs and node
 * ports that the file leaves open, and each Service's endpoints. In bare manifests nothing is
 * allocated: they come from an API server that did it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "lib/plan/cluster_build.h"

#define NODE_PORT_FIRST 30000u
#define NODE_PORT_COUNT 2768u /* 30000-32767, the API server's default range */

/* Service name to its endpoint objects. */
struct set_list {
	const char *key; /* "ns/name" */
	vec_of(const struct ep_set *) sets;
	UT_hash_handle hh;
};

/* "ns/label=value" to the pods that carry it. */
struct pod_index {
	const char *key;
	vec_of(const struct cpod *) pods;
	UT_hash_handle hh;
};

struct taken_ip {
	ip4 ip;
	UT_hash_handle hh;
};

struct svc_builder {
	struct builder *b;
	struct set_list *sets;
	struct pod_index *pods;
	struct taken_ip *ips;
	bool node_ports[65536];
};

static void take_ip(struct svc_builder *x, ip4 ip)
{
	struct taken_ip *t;

	HASH_FIND(hh, x->ips, &ip, sizeof(ip), t);
	if (t)
		return;
	t = arena_new_type(x->b->a, struct taken_ip);
	t->ip = ip;
	HASH_ADD(hh, x->ips, ip, sizeof(t->ip), t);
}

static bool ip_taken(struct svc_builder *x, ip4 ip)
{
	struct taken_ip *t;

	HASH_FIND(hh, x->ips, &ip, sizeof(ip), t);
	return t != NULL;
}

static void index_sets(struct svc_builder *x)
{
	vec_foreach (const struct ep_set *, e, &x->b->sets) {
		const char *key;
		struct set_list *l;

		if (!(*e)->service)
			continue;
		key = arena_printf(x->b->a, "%s/%s", (*e)->meta.ns, (*e)->service);
		HASH_FIND_STR(x->sets, key, l);
		if (!l) {
			l = arena_new_type(x->b->a, struct set_list);
			l->key = key;
			HASH_ADD_KEYPTR(hh, x->sets, l->key, strlen(l->key), l);
		}
		*vec_push(x->b->a, &l->sets) = *e;
	}
}

static const char *label_key(struct svc_builder *x, const char *ns, const struct kv *l)
{
	return arena_printf(x->b->a, "%s/%s=%s", ns, l->key, l->value);
}

static void index_pods(struct svc_builder *x)
{
	vec_foreach (struct cpod, p, &x->b->c->pods)
		vec_foreach (struct kv, l, &p->obj->meta.labels) {
			const char *key = label_key(x, p->ns, l);
			struct pod_index *i;

			HASH_FIND_STR(x->pods, key, i);
			if (!i) {
				i = arena_new_type(x->b->a, struct pod_index);
				i->key = key;
				HASH_ADD_KEYPTR(hh, x->pods, i->key, strlen(i->key), i);
			}
			*vec_push(x->b->a, &i->pods) = p;
		}
}

/* Seeded by the Service's name, out of the range's upper part as the API server's allocator takes
 * dynamic addresses (the lower part is for those that are chosen by hand). */
static ip4 allocate_ip(struct svc_builder *x, const struct service *s)
{
	struct cidr net = x->b->c->service_cidr;
	uint32_t size = net.len >= 31 ? 1 : (uint32_t)((1ULL << (32 - net.len)) - 2);
	uint32_t low = size > 512 ? 256 : 16;
	uint32_t span = size > low ? size - low : size, at;

	low = size > low ? low : 0;
	at = build_hash("%s/clusterip/%s/%s", x->b->c->name, s->meta.ns, s->meta.name) % span;
	for (uint32_t i = 0; i < span; i++) {
		ip4 ip = cidr_first(net) + 1 + low + (at + i) % span;

		if (!ip_taken(x, ip)) {
			take_ip(x, ip);
			return ip;
		}
	}
	builder_fault(x->b, &s->meta, "spec.clusterIP", "no address is left in the range %s",
		      CIDR(net));
	return 0;
}

static uint16_t allocate_port(struct svc_builder *x, const struct service *s, const char *what)
{
	uint32_t at =
		build_hash("%s/nodeport/%s/%s/%s", x->b->c->name, s->meta.ns, s->meta.name, what) %
		NODE_PORT_COUNT;

	for (uint32_t i = 0; i < NODE_PORT_COUNT; i++) {
		uint32_t port = NODE_PORT_FIRST + (at + i) % NODE_PORT_COUNT;

		if (!x->node_ports[port]) {
			x->node_ports[port] = true;
			return (uint16_t)port;
		}
	}
	builder_fault(x->b, &s->meta, "spec.ports", "no node port between 30000 and 32767 is left");
	return 0;
}

static const char *ep_text(const struct cendpoint *e, char buf[static 32])
{
	snprintf(buf, 32, "%s:%u", IP4(e->ip), e->port);
	return buf;
}

struct ordered_ep {
	struct cendpoint e;
	size_t order; /* of the objects */
};

static int ep_cmp(const void *pa, const void *pb)
{
	const struct ordered_ep *x = pa, *y = pb;
	char a[32], b[32];
	int r = strcmp(ep_text(&x->e, a), ep_text(&y->e, b));

	return r ? r : x->order < y->order ? -1 : 1;
}

static bool same_addr(const struct cendpoint *a, const struct cendpoint *b)
{
	return a->ip == b->ip && a->port == b->port;
}

/*
 * One for the n that share an address. kube-proxy takes the first unless a later one is on its own
 * node, so the nodes may differ; newest versions take the last that does not terminate, else the
 * first (addEndpoints() of pkg/proxy/endpointslicecache.go; slices come in no order there).
 */
static struct cendpoint merge_twins(struct svc_builder *x, const struct ordered_ep *v, size_t n)
{
	struct cendpoint *all = arena_new_array(x->b->a, struct cendpoint, n), r = v[0].e;

	for (size_t i = 0; i < n; i++)
		all[i] = v[i].e;
	if (x->b->c->kubernetes >= KUBE_1_36) {
		for (size_t i = 0; i < n; i++)
			if (!all[i].terminating)
				r = all[i];
		return r;
	}
	r.twins = all;
	r.n_twins = n;
	return r;
}

/* Sort by the text "ip:port" (kube-proxy's order, dataplane A.4) and merge what is there twice. */
static void sort_endpoints(struct svc_builder *x, struct csvcport *p)
{
	size_t n = p->eps.n, used = 0, same;

	if (!n)
		return;
	struct ordered_ep *v = arena_new_array(x->b->a, struct ordered_ep, n);

	for (size_t i = 0; i < n; i++)
		v[i] = (struct ordered_ep){p->eps.v[i], i};
	qsort(v, n, sizeof(*v), ep_cmp);
	for (size_t i = 0; i < n; i += same) {
		for (same = 1; i + same < n && same_addr(&v[i].e, &v[i + same].e);)
			same++;
		p->eps.v[used++] = same == 1 ? v[i].e : merge_twins(x, v + i, same);
	}
	p->eps.n = used;
}

static void eps_from_sets(struct svc_builder *x, struct csvcport *p, const struct set_list *l)
{
	vec_foreach (const struct ep_set *, pe, &l->sets) {
		const struct ep_set *e = *pe;

		if (e->ipv6)
			continue;
		vec_foreach (struct ep_port, q, &e->ports) {
			if (strcmp(q->name ? q->name : "", p->port->name) != 0 ||
			    q->proto != p->port->proto || !q->port)
				continue;
			vec_foreach (struct ep_addr, a, &e->addrs)
				*vec_push(x->b->a, &p->eps) = (struct cendpoint){
					.ip = a->ip,
					.port = q->port,
					.node = a->node_name,
					.hostname = a->hostname,
					.pod = a->target,
					.ready = a->ready,
					.serving = a->serving,
					.terminating = a->terminating,
					.hint_zones = &a->hint_zones,
					.hint_nodes = &a->hint_nodes,
				};
		}
	}
}

/* The port a pod serves this Service port on; 0 when it has no container port of that name. */
static uint16_t target_port(const struct pod *p, const struct service_port *port)
{
	if (!port->target_name)
		return port->target_port ? port->target_port : port->port;
	vec_foreach (struct container, c, &p->spec.containers)
		vec_foreach (struct container_port, q, &c->ports)
			if (q->proto == port->proto && q->name &&
			    strcmp(q->name, port->target_name) == 0)
				return q->port;
	return 0;
}

/* A pod's name in DNS under a headless Service: its hostname, when its subdomain is the Service. */
static const char *pod_hostname(const struct cpod *p, const struct service *s)
{
	if (!p->obj->spec.subdomain || strcmp(p->obj->spec.subdomain, s->meta.name) != 0)
		return NULL;
	return p->obj->spec.hostname;
}

static int dns_cmp(const void *pa, const void *pb)
{
	const struct cdnsaddr *a = pa, *b = pb;

	if (a->ip != b->ip)
		return a->ip < b->ip ? -1 : 1;
	if (a->proto != b->proto)
		return a->proto < b->proto ? -1 : 1;
	return (int)a->port - (int)b->port;
}

static void sort_dns(struct csvc *r)
{
	size_t n = 0;

	if (!r->dns.n)
		return;
	qsort(r->dns.v, r->dns.n, sizeof(r->dns.v[0]), dns_cmp);
	for (size_t i = 0; i < r->dns.n; i++)
		if (!n || dns_cmp(&r->dns.v[n - 1], &r->dns.v[i]) != 0)
			r->dns.v[n++] = r->dns.v[i];
	r->dns.n = n;
}

static void dns_from_sets(struct svc_builder *x, struct csvc *r, const struct set_list *l)
{
	vec_foreach (const struct ep_set *, pe, &l->sets)
		vec_foreach (struct ep_addr, a, &(*pe)->addrs) {
			struct cdnsaddr d = {.ip = a->ip, .hostname = a->hostname, .port_name = ""};

			if ((*pe)->ipv6 || (!a->ready && !r->obj->publish_not_ready))
				continue;
			if (!(*pe)->ports.n)
				*vec_push(x->b->a, &r->dns) = d;
			vec_foreach (struct ep_port, q, &(*pe)->ports) {
				d.port_name = q->name ? q->name : "";
				d.proto = q->proto;
				d.port = q->port;
				*vec_push(x->b->a, &r->dns) = d;
			}
		}
}

static void eps_from_pod(struct svc_builder *x, struct csvc *r, const struct cpod *p)
{
	const struct service *s = r->obj;
	bool ready = p->ready || s->publish_not_ready;
	struct cdnsaddr d = {.ip = p->ip, .port_name = "", .hostname = pod_hostname(p, s)};

	if (s->headless && !r->ports.n && ready)
		*vec_push(x->b->a, &r->dns) = d;
	vec_foreach (struct csvcport, q, &r->ports) {
		uint16_t port = target_port(p->obj, q->port);

		if (!port)
			continue;
		*vec_push(x->b->a, &q->eps) = (struct cendpoint){
			.ip = p->ip,
			.port = port,
			.node = p->node >= 0 ? x->b->c->nodes.v[p->node].name : NULL,
			.hostname = d.hostname,
			.pod = p->name,
			.ready = ready,
			.serving = p->ready,
		};
		d.port_name = q->port->name;
		d.proto = q->port->proto;
		d.port = port;
		if (s->headless && ready)
			*vec_push(x->b->a, &r->dns) = d;
	}
}

/* The endpoints controller: the pods that the selector chooses. */
static void eps_from_pods(struct svc_builder *x, struct csvc *r)
{
	const struct service *s = r->obj;
	struct pod_index *i;
	const char *key = label_key(x, r->ns, &s->selector.v[0]);

	HASH_FIND_STR(x->pods, key, i);
	if (!i)
		return;
	vec_foreach (const struct cpod *, p, &i->pods)
		if ((*p)->ip && kvs_match(&s->selector, &(*p)->obj->meta.labels))
			eps_from_pod(x, r, *p);
}

static void endpoints(struct svc_builder *x, struct csvc *r)
{
	const char *key = arena_printf(x->b->a, "%s/%s", r->ns, r->name);
	struct set_list *l;

	HASH_FIND_STR(x->sets, key, l);
	if (l) {
		vec_foreach (struct csvcport, p, &r->ports)
			eps_from_sets(x, p, l);
		if (r->obj->headless)
			dns_from_sets(x, r, l);
	} else if (r->obj->has_selector && r->obj->selector.n && !r->obj->ipv6_only) {
		eps_from_pods(x, r);
	}
	vec_foreach (struct csvcport, p, &r->ports)
		sort_endpoints(x, p);
	sort_dns(r);
}

static bool wants_cluster_ip(const struct builder *b, const struct service *s)
{
	return b->c->is_lab && !s->cluster_ip && !s->headless && !s->ipv6_only &&
	       s->type != SVC_EXTERNAL_NAME;
}

static void add_service(struct svc_builder *x, const struct service *given)
{
	struct builder *b = x->b;
	struct csvc *r = vec_push(b->a, &b->c->services);
	struct service *s = arena_new_type(b->a, struct service);
	bool node_ports = b->c->is_lab && !given->ipv6_only &&
			  (given->type == SVC_NODE_PORT || given->type == SVC_LOAD_BALANCER);

	*s = *given;
	*r = (struct csvc){.obj = s, .ns = s->meta.ns, .name = s->meta.name};
	if (s->type != SVC_EXTERNAL_NAME && !s->headless)
		r->cluster_ip = wants_cluster_ip(b, s) ? allocate_ip(x, s) : s->cluster_ip;
	vec_foreach (struct service_port, p, &s->ports) {
		bool named = p->name && *p->name;
		const char *id = arena_printf(b->a, "%s/%s%s%s", r->ns, r->name, named ? ":" : "",
					      named ? p->name : "");
		uint16_t np = p->node_port;

		if (!np && node_ports)
			np = allocate_port(x, s, id);
		*vec_push(b->a, &r->ports) =
			(struct csvcport){.port = p, .id = id, .node_port = np};
	}
	if (node_ports && s->type == SVC_LOAD_BALANCER && s->etp_local && !s->health_check_port)
		s->health_check_port = allocate_port(x, s, "healthcheck");
	endpoints(x, r);
}

static int svc_cmp(const void *pa, const void *pb)
{
	const struct csvc *a = pa, *b = pb;
	size_t la = strlen(a->ns), lb = strlen(b->ns);
	int r = strncmp(a->ns, b->ns, la < lb ? la : lb);

	/* As the texts "ns/name" compare: where one namespace ends, the other goes on after '/'. */
	if (r == 0 && la != lb)
		return la < lb ? '/' - (unsigned char)b->ns[la] : (unsigned char)a->ns[lb] - '/';
	return r ? r : strcmp(a->name, b->name);
}

void build_services(struct builder *b)
{
	struct svc_builder *x = arena_new_type(b->a, struct svc_builder);

	x->b = b;
	index_sets(x);
	index_pods(x);
	vec_foreach (const struct service *, s, &b->svc) {
		if ((*s)->cluster_ip)
			take_ip(x, (*s)->cluster_ip);
		if ((*s)->health_check_port)
			x->node_ports[(*s)->health_check_port] = true;
		vec_foreach (struct service_port, p, &(*s)->ports)
			x->node_ports[p->node_port] = true;
	}
	vec_foreach (const struct service *, s, &b->svc)
		add_service(x, *s);
	if (b->c->services.n)
		qsort(b->c->services.v, b->c->services.n, sizeof(struct csvc), svc_cmp);
	vec_foreach (struct csvc, s, &b->c->services)
		if (strcmp(s->ns, "kube-system") == 0 && strcmp(s->name, "kube-dns") == 0)
			b->c->dns_ip = s->cluster_ip;
	HASH_CLEAR(hh, x->sets);
	HASH_CLEAR(hh, x->pods);
	HASH_CLEAR(hh, x->ips);
}
