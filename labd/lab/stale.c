/* SPDX-License-Identifier: MIT */
/*
 * See stale.h. Until 1.31 kube-proxy deletes by what has changed: everything to the ClusterIP of a
 * UDP port that went, everything to a Service that had no endpoint before, and what leads to an
 * endpoint that is not ready any more. From 1.32 on it goes through all entries after each sync and
 * deletes those to a Service's addresses whose answers come from none of its serving endpoints
 * (compared by address alone, from 1.33 on with the port); a Service without endpoints is left
 * alone, and so is one that is gone.
 */
#include "labd/lab/stale.h"

#include <string.h>

struct builder {
	struct arena *a;
	const struct cluster *cluster; /* as it will be */
	struct carry *c;
};

/* `like` for each address of a Service and for its node port. */
static void each_address(struct builder *b, const struct csvc *s, const struct csvcport *p,
			 struct ct_stale like)
{
	bool modes = b->cluster->kubernetes >= KUBE_1_32; /* ipMode (1.30) */
	struct ct_stale *v;
	if (s->cluster_ip) {
		*(v = vec_push(b->a, &b->c->stale)) = like;
		v->dst = s->cluster_ip;
	}
	vec_foreach (const ip4, ip, &s->obj->external_ips) {
		*(v = vec_push(b->a, &b->c->stale)) = like;
		v->dst = *ip;
	}
	vec_foreach (const struct lb_ingress, i, &s->obj->ingress) {
		if (!i->ip || (modes && i->mode_proxy))
			continue;
		*(v = vec_push(b->a, &b->c->stale)) = like;
		v->dst = i->ip;
	}
	if (p->node_port) {
		*(v = vec_push(b->a, &b->c->stale)) = like;
		v->dport = p->node_port;
	}
}

/* ---- from 1.32 on ---------------------------------------------------------------------------- */

static void reconcile(struct builder *b, const struct csvc *s, const struct csvcport *p)
{
	bool ports = b->cluster->kubernetes >= KUBE_1_36; /* 1.33, in truth */
	struct ct_stale like = {.dport = p->port->port};
	vec_foreach (const struct cendpoint, e, &p->eps)
		if (e->serving)
			*vec_push(b->a, &like.keep) = (struct ct_peer){e->ip, ports ? e->port : 0};
	if (like.keep.n)
		each_address(b, s, p, like);
}

/* ---- until 1.31 ------------------------------------------------------------------------------ */

static const struct csvcport *find(const struct cluster *c, const char *id)
{
	vec_foreach (const struct csvc, s, &c->services)
		vec_foreach (const struct csvcport, p, &s->ports)
			if (p->port->proto == PROTO_UDP && strcmp(p->id, id) == 0)
				return p;
	return NULL;
}

static bool any_ready(const struct csvcport *p)
{
	vec_foreach (const struct cendpoint, e, &p->eps)
		if (e->ready)
			return true;
	return false;
}

static bool still_ready(const struct csvcport *p, const struct cendpoint *old)
{
	vec_foreach (const struct cendpoint, e, &p->eps)
		if (e->ready && e->ip == old->ip && e->port == old->port)
			return true;
	return false;
}

static void changed(struct builder *b, const struct csvc *s, const struct csvcport *p,
		    const struct csvcport *old)
{
	if (any_ready(p) && !(old && any_ready(old)))
		each_address(b, s, p, (struct ct_stale){0});
	if (!old)
		return;
	vec_foreach (const struct cendpoint, e, &old->eps)
		if (e->ready && !still_ready(p, e))
			each_address(b, s, p, (struct ct_stale){.from = e->ip});
}

static void gone(struct builder *b, const struct csvc *s)
{
	if (s->cluster_ip)
		*vec_push(b->a, &b->c->stale) = (struct ct_stale){.dst = s->cluster_ip};
}

/* ---- both ------------------------------------------------------------------------------------ */

void stale_build(struct arena *a, const struct cluster *old, const struct cluster *new,
		 struct carry *c)
{
	struct builder b = {.a = a, .cluster = new, .c = c};
	bool all = new->kubernetes >= KUBE_1_32;
	/* The userspace mode's relays tell UDP clients apart themselves. */
	bool relays = new->proxy.mode == PROXY_USERSPACE;
	vec_foreach (const struct csvc, s, &new->services)
		vec_foreach (const struct csvcport, p, &s->ports) {
			if (p->port->proto != PROTO_UDP || !s->cluster_ip || s->obj->proxy_name ||
			    relays)
				continue;
			if (all)
				reconcile(&b, s, p);
			else
				changed(&b, s, p, find(old, p->id));
		}
	vec_foreach (const struct csvc, s, &old->services)
		vec_foreach (const struct csvcport, p, &s->ports)
			if (!all && p->port->proto == PROTO_UDP && !find(new, p->id))
				gone(&b, s);
}
