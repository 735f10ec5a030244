/* SPDX-License-Identifier: MIT */
/* See stale.h. */
#include "labd/lab/stale.h"

#include <string.h>

static const struct csvcport *find(const struct cluster *c, const char *id, const struct csvc **svc)
{
	vec_foreach (const struct csvc, s, &c->services)
		vec_foreach (const struct csvcport, p, &s->ports)
			if (p->port->proto == PROTO_UDP && strcmp(p->id, id) == 0) {
				*svc = s;
				return p;
			}
	return NULL;
}

static bool same_endpoints(const struct csvcport *a, const struct csvcport *b)
{
	if (!a || !b || a->eps.n != b->eps.n)
		return false;
	for (size_t i = 0; i < a->eps.n; i++)
		if (a->eps.v[i].ip != b->eps.v[i].ip || a->eps.v[i].port != b->eps.v[i].port)
			return false;
	return true;
}

static void add(struct arena *a, const struct csvc *s, const struct csvcport *p,
		const struct csvcport *now, struct ct_service *v)
{
	uint16_t port = p->port->port;
	*v = (struct ct_service){0};
	if (s->cluster_ip)
		*vec_push(a, &v->vips) = (struct ct_peer){s->cluster_ip, port};
	vec_foreach (const ip4, ip, &s->obj->external_ips)
		*vec_push(a, &v->vips) = (struct ct_peer){*ip, port};
	vec_foreach (const struct lb_ingress, i, &s->obj->ingress)
		if (i->ip)
			*vec_push(a, &v->vips) = (struct ct_peer){i->ip, port};
	if (p->node_port)
		*vec_push(a, &v->vips) = (struct ct_peer){0, p->node_port};
	if (now)
		vec_foreach (const struct cendpoint, e, &now->eps)
			*vec_push(a, &v->endpoints) = (struct ct_peer){e->ip, e->port};
}

void stale_build(struct arena *a, const struct cluster *old, const struct cluster *new,
		 struct carry *c)
{
	size_t max = 0;
	const struct csvc *other = NULL;
	/* From 1.32 on entries of Services that are unknown, or have no endpoint, stay. */
	bool strict = new->kubernetes >= KUBE_1_32;
	vec_foreach (const struct csvc, s, &old->services)
		max += s->ports.n;
	vec_foreach (const struct csvc, s, &new->services)
		max += s->ports.n;
	c->ct = arena_new_array(a, struct ct_service, max + 1);
	vec_foreach (const struct csvc, s, &new->services)
		vec_foreach (const struct csvcport, p, &s->ports)
			if (p->port->proto == PROTO_UDP && !(strict && !p->eps.n) &&
			    !same_endpoints(p, find(old, p->id, &other)))
				add(a, s, p, p, &c->ct[c->n_ct++]);
	vec_foreach (const struct csvc, s, &old->services)
		vec_foreach (const struct csvcport, p, &s->ports)
			if (!strict && p->port->proto == PROTO_UDP && !find(new, p->id, &other))
				add(a, s, p, NULL, &c->ct[c->n_ct++]);
}
