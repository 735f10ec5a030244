/* SPDX-License-Identifier: MIT */
/* See proxy_health.h. */
#include "lib/plan/proxy_health.h"

#include "lib/plan/proxy_plan.h"

static bool is_local_ready(const struct cendpoint *e, const char *node)
{
	const struct cendpoint *seen = endpoint_seen(e, node);
	return seen->ready && endpoint_on(seen, node);
}

static bool counted(const struct csvc *s, size_t port, const struct cendpoint *e, const char *node)
{
	for (size_t i = 0; i <= port; i++)
		vec_foreach (const struct cendpoint, f, &s->ports.v[i].eps) {
			if (f == e)
				return false;
			if (f->ip == e->ip && is_local_ready(f, node))
				return true;
		}
	return false;
}

static unsigned local_ready(const struct csvc *s, const char *node)
{
	unsigned n = 0;
	for (size_t i = 0; i < s->ports.n; i++)
		vec_foreach (const struct cendpoint, e, &s->ports.v[i].eps)
			n += is_local_ready(e, node) && !counted(s, i, e, node);
	return n;
}

void proxy_health(struct arena *a, const struct cluster *c, int node, svc_healths *ret)
{
	struct proxy_plan plan;
	const struct csvc *last = NULL;
	*ret = (svc_healths){0};
	if (c->proxy.mode == PROXY_USERSPACE)
		return;
	proxy_plan_build(a, c, node, &plan);
	vec_foreach (const struct svc_plan, p, &plan.svcs) {
		if (!p->health_port || p->svc == last)
			continue;
		last = p->svc;
		*vec_push(a, ret) = (struct svc_health){p->svc, p->health_port,
							local_ready(p->svc, c->nodes.v[node].name)};
	}
}
