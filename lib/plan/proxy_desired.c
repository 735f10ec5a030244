/* SPDX-License-Identifier: MIT */
/*
 * proxy_desired: what kube-proxy makes on a node, in the mode of its configuration, as part of the
 * node's desired state. Not for how a mode is written (proxy.h).
 */
#include <string.h>

#include "lib/plan/desired_build.h"
#include "lib/plan/proxy.h"
#include "lib/plan/proxy_health.h"
#include "lib/plan/proxy_ipvs.h"
#include "lib/plan/proxy_plan.h"
#include "lib/plan/proxy_userspace.h"

#define RELAY_CONF "/run/kube-proxy.conf"

static void ipvs_node(struct dbuild *b, int ns, const struct cnode *n)
{
	struct ipvs_state s;
	struct dns *to = &b->d->ns.v[ns];
	proxy_ipvs_build(b->a, b->c, n->index, &s);
	struct dlink *l = add_link(b, ns, DLINK_DUMMY, IPVS_DEVICE);
	l->mtu = IPVS_MTU;
	l->up = false; /* its addresses count as the node's own all the same */
	vec_foreach (ip4, ip, &s.addrs)
		add_addr(b, ns, (struct daddr){.dev = IPVS_DEVICE, .addr = {*ip, 32}});
	/* Every node forwards anyway; route_localnet is proxy_route_localnet()'s. */
	vec_foreach (struct dsysctl, ctl, &s.sysctls)
		if (strncmp(ctl->key, "net.ipv4.vs.", 12) == 0 || strstr(ctl->key, ".arp_"))
			add_sysctl(b, ns, ctl->key, ctl->value, false, false);
	vec_foreach (struct dipset, set, &s.sets)
		*vec_push(b->a, &to->ipsets) = *set;
	to->ipvs = s.services;
	to->ipvs_timeouts = s.timeouts;
	add_rules(b, ns, "kube-proxy", s.rules);
}

/* What the relay listens on and hands on to (labd/init/relay.h has the file's form). */
static void userspace_node(struct dbuild *b, int ns, const struct cnode *n, struct strbuf *conf)
{
	struct proxy_plan plan;
	relays all;
	proxy_plan_build(b->a, b->c, n->index, &plan);
	proxy_relays(b->a, &plan, &all);
	vec_foreach (struct relay, r, &all) {
		const struct service *o = r->p->svc->obj;
		strbuf_addf(conf, "%s %u %u", r->p->proto, r->port,
			    o->affinity_client_ip ? o->affinity_seconds : 0);
		vec_foreach (const struct cendpoint *, ep, &r->p->eps.cluster)
			strbuf_addf(conf, " %s:%u", IP4((*ep)->ip), (*ep)->port);
		strbuf_addc(conf, '\n');
	}
	add_rules(b, ns, "kube-proxy", proxy_userspace_rules(b->a, &plan, &all));
}

/* The process itself: what answers health checks, and in userspace mode the relay. */
static void process(struct dbuild *b, int ns, const struct cnode *n, struct strbuf *conf)
{
	svc_healths healths;
	proxy_health(b->a, b->c, n->index, &healths);
	strbuf_addf(conf, "version %s\nmode %s\n", kube_version_str(b->c->kubernetes),
		    proxy_mode_str(b->c->proxy.mode));
	vec_foreach (const struct svc_health, h, &healths)
		strbuf_addf(conf, "health %u %u %s %s\n", h->port, h->local, h->svc->ns,
			    h->svc->name);
	add_file(b, ns, RELAY_CONF, arena_strdup(b->a, strbuf_str(conf)));
	struct dproc *p = vec_push(b->a, &b->d->ns.v[ns].procs);
	*p = (struct dproc){.name = "kube-proxy", .image = "kube-proxy", .restart = DPROC_ALWAYS};
	/* It finds the file by itself and reads it again: a program that is given a file is started
	 * anew when that changes, which would cut the connections it relays. */
	*vec_push(b->a, &p->argv) = "kube-proxy";
}

/* Most nodes have the rules that the one before has: written once, they are there once. */
static const char *iptables_text(struct dbuild *b, const struct cnode *n)
{
	struct arena *a = arena_new();
	struct proxy_plan *plan = arena_new_type(a, struct proxy_plan);
	struct proxy_memo *m = &b->proxy;
	proxy_plan_build(a, b->c, n->index, plan);
	if (m->text && proxy_plan_same(plan, m->plan)) {
		arena_free(a);
		return m->text;
	}
	_strbuf_ struct strbuf text = STRBUF_INIT;
	proxy_iptables_write(plan, &text);
	arena_free(m->arena);
	*m = (struct proxy_memo){a, plan, arena_strdup(b->a, strbuf_str(&text))};
	return m->text;
}

void proxy_node(struct dbuild *b, const struct cnode *n)
{
	int ns = b->first_node + n->index;
	_strbuf_ struct strbuf text = STRBUF_INIT, conf = STRBUF_INIT;
	if (proxy_route_localnet(b->c, n->index))
		add_sysctl(b, ns, "net.ipv4.conf.all.route_localnet", "1", false, false);
	switch (b->c->proxy.mode) {
	case PROXY_IPTABLES:
		add_rules(b, ns, "kube-proxy", iptables_text(b, n));
		proxy_counters(b->c, b->a, &b->d->ns.v[ns].counters);
		break;
	case PROXY_NFTABLES:
		proxy_nftables(b->c, n->index, &text);
		b->d->ns.v[ns].nft = arena_strdup(b->a, strbuf_str(&text));
		break;
	case PROXY_IPVS:
		ipvs_node(b, ns, n);
		break;
	case PROXY_USERSPACE:
		userspace_node(b, ns, n, &conf);
		break;
	}
	process(b, ns, n, &conf);
}
