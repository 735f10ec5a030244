/* SPDX-License-Identifier: MIT */
/*
 * cluster_defaults: the objects that every cluster has although a lab's author need not write them:
 * Service kubernetes with the API server as endpoint, Service kube-dns with two coredns pods.
 */
#include <string.h>

#include "lib/plan/cluster_build.h"

static bool has_service(const struct builder *b, const char *ns, const char *name)
{
	vec_foreach (struct service, s, &b->o->services)
		if (strcmp(s->meta.ns, ns) == 0 && strcmp(s->meta.name, name) == 0)
			return true;
	return false;
}

static const struct cnode *api_server(const struct cluster *c)
{
	vec_foreach (struct cnode, n, &c->nodes)
		if (n->control_plane)
			return n;
	return c->nodes.v;
}

/* A real cluster has these Services before any other: nobody else gets their address. */
static struct service *new_service(struct builder *b, const char *ns, const char *name, ip4 ip)
{
	struct service *s = arena_new_type(b->a, struct service);

	vec_foreach (struct service, other, &b->o->services)
		if (other->cluster_ip == ip)
			builder_fault(b, &other->meta, "spec.clusterIP",
				      "%s is the address of Service %s/%s, which every cluster has",
				      IP4(ip), ns, name);
	s->meta = (struct meta){.name = name, .ns = ns, .doc = -1, .path = ""};
	s->type = SVC_CLUSTER_IP;
	s->cluster_ip = ip;
	s->affinity_seconds = 10800;
	*vec_push(b->a, &b->svc) = s;
	return s;
}

static void add_port(struct builder *b, struct service *s, const char *name, enum proto proto,
		     uint16_t port, uint16_t target)
{
	*vec_push(b->a, &s->ports) = (struct service_port){
		.name = name, .proto = proto, .port = port, .target_port = target};
}

static void default_kubernetes(struct builder *b)
{
	const struct cnode *n = api_server(b->c);
	struct service *s =
		new_service(b, "default", "kubernetes", cidr_first(b->c->service_cidr) + 1);
	struct ep_set *e = arena_new_type(b->a, struct ep_set);

	add_port(b, s, "https", PROTO_TCP, 443, 6443);
	e->meta = s->meta;
	e->service = "kubernetes";
	*vec_push(b->a, &e->addrs) = (struct ep_addr){.ip = n->ip, .ready = true, .serving = true};
	*vec_push(b->a, &e->ports) =
		(struct ep_port){.name = "https", .port = 6443, .proto = PROTO_TCP};
	*vec_push(b->a, &b->sets) = e;
}

static void default_kube_dns(struct builder *b)
{
	struct service *s =
		new_service(b, "kube-system", "kube-dns", cidr_first(b->c->service_cidr) + 10);

	*vec_push(b->a, &s->meta.labels) = (struct kv){"k8s-app", "kube-dns"};
	*vec_push(b->a, &s->selector) = (struct kv){"k8s-app", "kube-dns"};
	s->has_selector = true;
	add_port(b, s, "dns", PROTO_UDP, 53, 53);
	add_port(b, s, "dns-tcp", PROTO_TCP, 53, 53);
	add_port(b, s, "metrics", PROTO_TCP, 9153, 9153);
	b->default_dns = true;
}

void build_default_services(struct builder *b)
{
	vec_foreach (struct service, s, &b->o->services)
		*vec_push(b->a, &b->svc) = s;
	vec_foreach (struct ep_set, e, &b->o->ep_sets)
		*vec_push(b->a, &b->sets) = e;
	if (!b->c->is_lab || !b->c->nodes.n)
		return;
	if (!has_service(b, "default", "kubernetes"))
		default_kubernetes(b);
	if (!has_service(b, "kube-system", "kube-dns"))
		default_kube_dns(b);
}

const struct deployment *build_dns_deployment(struct builder *b)
{
	struct deployment *d = arena_new_type(b->a, struct deployment);
	struct container *c;

	d->meta = (struct meta){.name = "coredns", .ns = "kube-system", .doc = -1, .path = ""};
	d->replicas = 2;
	d->selector.present = true;
	*vec_push(b->a, &d->selector.match_labels) = (struct kv){"k8s-app", "kube-dns"};
	*vec_push(b->a, &d->template_labels) = (struct kv){"k8s-app", "kube-dns"};
	d->template.tolerates_all = true;
	d->template.service_account = "coredns";
	d->template.dns_policy = "Default";
	c = vec_push(b->a, &d->template.containers);
	*c = (struct container){.name = "coredns", .image = "kube-dns"};
	*vec_push(b->a, &c->ports) =
		(struct container_port){.name = "dns", .port = 53, .proto = PROTO_UDP};
	*vec_push(b->a, &c->ports) =
		(struct container_port){.name = "dns-tcp", .port = 53, .proto = PROTO_TCP};
	*vec_push(b->a, &c->ports) =
		(struct container_port){.name = "metrics", .port = 9153, .proto = PROTO_TCP};
	return d;
}
