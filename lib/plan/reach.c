/* SPDX-License-Identifier: MIT */
/* See reach.h. One function for each kind of check; what a Service's endpoints come to together is
 * in add_service(). */
#include "lib/plan/reach.h"

#include <stdlib.h>
#include <string.h>

#include "lib/plan/calico.h"
#include "lib/plan/dnsmasq.h"
#include "lib/plan/proxy_health.h"
#include "lib/plan/proxy_ipvs.h"
#include "lib/plan/proxy_plan.h"
#include "lib/plan/reach_listen.h"
#include "lib/plan/reach_policy.h"

#define NO_LISTENER  "nothing listens there"
#define NO_ENDPOINTS "no endpoints"

/* Who has an address: a pod, or else a node. */
struct owner {
	ip4 ip;
	const struct cpod *pod;
	int node;
};

struct builder {
	struct arena *a;
	const struct desired *d;
	const struct cluster *c;
	struct reach_list *list;
	struct reach_policies policies;
	struct proxy_plan *plans; /* by node */
	struct owner *owners;	  /* of addresses, by address */
	size_t n_owners;
	const struct reach_ports **ports; /* by namespace, as they come up */
	int *pod_ns;  /* by pod: index into desired.ns, its node's for hostNetwork */
	int *node_ns; /* by node */
};

/* Where packets come from. */
struct origin {
	int ns;
	const char *name;
	struct reach_end end;
	int node; /* where they are translated first; -1: outside */
};

static struct origin pod_origin(const struct builder *b, size_t pod)
{
	const struct cpod *p = &b->c->pods.v[pod];
	return (struct origin){
		.ns = b->pod_ns[pod],
		.name = p->name,
		.end = {.pod = p->host_network ? NULL : p,
			.ip = p->ip,
			.node = p->host_network ? p->node : -1},
		.node = p->node,
	};
}

static int by_ip(const void *pa, const void *pb)
{
	const struct owner *a = pa, *b = pb;
	return a->ip < b->ip ? -1 : a->ip > b->ip;
}

static void find_owners(struct builder *b)
{
	b->owners = arena_new_array(b->a, struct owner, b->c->pods.n + b->c->nodes.n + 1);
	vec_foreach (const struct cpod, p, &b->c->pods)
		if (p->ip && !p->host_network)
			b->owners[b->n_owners++] = (struct owner){p->ip, p, -1};
	vec_foreach (const struct cnode, n, &b->c->nodes)
		b->owners[b->n_owners++] = (struct owner){n->ip, NULL, n->index};
	qsort(b->owners, b->n_owners, sizeof(*b->owners), by_ip);
}

/* The end that has an address: a pod, a node, or just the address. */
static struct reach_end end_of(const struct builder *b, ip4 ip)
{
	const struct owner *o = bsearch(&(struct owner){.ip = ip}, b->owners, b->n_owners,
					sizeof(*b->owners), by_ip);
	return (struct reach_end){.pod = o ? o->pod : NULL, .ip = ip, .node = o ? o->node : -1};
}

/* The namespace that has an address, or -1. */
static int ns_of(const struct builder *b, const struct reach_end *e)
{
	if (e->pod)
		return b->pod_ns[e->pod - b->c->pods.v];
	return e->node >= 0 ? b->node_ns[e->node] : -1;
}

static const struct reach_ports *ports_of(struct builder *b, int ns)
{
	if (!b->ports[ns]) {
		struct reach_ports *p = arena_new_type(b->a, struct reach_ports);
		reach_ports_of(b->a, &b->d->ns.v[ns], p);
		b->ports[ns] = p;
	}
	return b->ports[ns];
}

static struct reach *add(struct builder *b, const char *kind, const struct origin *from,
			 const char *to)
{
	struct reach *r = vec_push(b->a, &b->list->v);
	*r = (struct reach){.kind = kind, .from = from->ns, .from_name = from->name, .to = to};
	return r;
}

static void add_listener(struct builder *b, struct reach *r, int ns, ip4 ip, uint16_t port)
{
	size_t i = 0;
	while (i < b->list->listeners.n &&
	       (b->list->listeners.v[i].ip != ip || b->list->listeners.v[i].port != port))
		i++;
	if (i == b->list->listeners.n)
		*vec_push(b->a, &b->list->listeners) = (struct reach_listener){ns, ip, port};
	*vec_push(b->a, &r->listeners) = (int)i;
}

/* ---- what has to come of it ---- */

/* Outcomes of the endpoints that may be chosen. */
struct outcomes {
	size_t open, refused, dropped, unknown;
	const char *why; /* of the last that is not open */
};

static void add_endpoint(struct builder *b, struct reach *r, const struct reach_packet *p,
			 struct outcomes *o)
{
	int ns = ns_of(b, &p->dst);
	const char *denied = reach_denied(b->a, b->c, &b->policies, p);
	enum listens l =
		ns < 0 ? LISTENS_UNKNOWN : reach_listens(ports_of(b, ns), p->proto, p->port);
	/* agnhost's UDP answers leave from the address that their route has, and conntrack does not
	 * know them: to a pod of the same node that is cni0's. */
	bool astray = b->c->cni == CNI_FLANNEL && p->proto == PROTO_UDP && !r->name && p->src.pod &&
		      p->src.pod->node == p->dst.node && l == LISTENS_YES;
	if (denied) {
		o->dropped++;
		o->why = denied;
	} else if (astray) {
		o->dropped++;
		o->why = "a hostNetwork pod answers from cni0's address";
	} else if (l == LISTENS_NO) {
		o->refused++;
		o->why = NO_LISTENER;
	} else if (l == LISTENS_YES) {
		o->open++;
	} else if (ns < 0 || p->proto != PROTO_TCP) {
		o->unknown++;
		o->why = ns < 0 ? "an address outside the lab" : "no telling what it answers";
	} else {
		o->open++;
		add_listener(b, r, ns, p->dst.ip, p->port);
	}
}

static void settle(struct reach *r, const struct outcomes *o)
{
	size_t others = o->refused + o->dropped;
	r->why = o->why;
	if (o->unknown || (o->open && others))
		r->want = REACH_EITHER;
	else if (o->open)
		r->want = REACH_OPEN;
	else if (o->refused && o->dropped)
		r->want = REACH_CLOSED;
	else
		r->want = o->dropped ? REACH_DROPPED : REACH_REFUSED;
}

/* One way to a Service's endpoints. */
struct way {
	const struct svc_plan *p;
	const struct cnode *node; /* whose kube-proxy translates */
	const ep_ptrs *eps;
	enum svc_fate fate;
	bool masquerade; /* the source becomes the node's before the packet leaves it */
	bool only_pods;	 /* and does so on the way to pods only: others answer past the node */
};

static void without_endpoints(struct builder *b, struct reach *r, const struct origin *from,
			      const struct way *w)
{
	bool reject = w->fate == SVC_REJECT;
	r->want = reject ? REACH_REFUSED : REACH_DROPPED;
	r->why = reject ? NO_ENDPOINTS
			: arena_printf(b->a, "policy Local, and no endpoint on %s", w->node->name);
	/* Calico's chains are before those that reject; but those of nftables are before all of
	 * iptables, and from 1.33 on at the same priority. */
	struct reach_packet p = {.src = from->end,
				 .dst = {.ip = r->ip, .node = -1},
				 .proto = w->p->port->port->proto,
				 .port = r->port};
	const char *denied = reject ? reach_denied(b->a, b->c, &b->policies, &p) : NULL;
	bool nft = b->c->proxy.mode == PROXY_NFTABLES;
	if (denied && (!nft || b->c->kubernetes > KUBE_1_32)) {
		r->want = nft ? REACH_CLOSED : REACH_DROPPED;
		r->why = denied;
	}
	/* IPVS answers "port unreachable" for a virtual server without destinations, whatever the
	 * reason; in userspace mode a connection is taken and closed. */
	if (b->c->proxy.mode == PROXY_IPVS || b->c->proxy.mode == PROXY_USERSPACE)
		r->want = REACH_CLOSED;
}

/* A node itself, to somebody else's eyes: into a tunnel it sends from the tunnel's address. */
static struct reach_end as_node(const struct builder *b, const struct cnode *n,
				const struct reach_end *dst)
{
	const struct cnode *other = dst->pod ? &b->c->nodes.v[dst->pod->node] : n;
	bool tunnel = false;
	vec_foreach (const struct block, k, &b->c->blocks)
		if (other != n && cidr_has(k->cidr, dst->ip))
			tunnel = calico_tunnels(n, other, k->pool);
	return (struct reach_end){.ip = tunnel && n->tunnel_ip ? n->tunnel_ip : n->ip,
				  .node = n->index};
}

static void expect(struct builder *b, struct reach *r, const struct origin *from,
		   const struct way *w)
{
	struct outcomes o = {0};
	bool relayed = b->c->proxy.mode == PROXY_USERSPACE;
	/* The kernel's REDIRECT takes the address of the device a packet came in by, and drops it
	 * where there is none, as at Calico's end of a pod's pair. */
	if (relayed && b->c->cni == CNI_CALICO && from->end.pod) {
		r->want = REACH_DROPPED;
		r->why = "REDIRECT: Calico's device of the pod has no address";
		return;
	}
	if (!w->eps->n) {
		without_endpoints(b, r, from, w);
		return;
	}
	vec_foreach (const struct cendpoint *, ep, w->eps) {
		struct reach_packet p = {.src = from->end,
					 .dst = end_of(b, (*ep)->ip),
					 .proto = w->p->port->port->proto,
					 .port = (*ep)->port};
		int at = p.dst.pod ? p.dst.pod->node : p.dst.node;
		if (relayed || (w->masquerade && at != w->node->index))
			p.seen = as_node(b, w->node, &p.dst);
		/* Calico lets everything for a virtual server pass INPUT and looks at it in OUTPUT,
		 * where what IPVS hands to the node itself does not come. */
		bool unseen = b->c->proxy.mode == PROXY_IPVS && b->c->cni == CNI_CALICO &&
			      at == w->node->index && !p.dst.pod;
		if (relayed || unseen)
			p.src = as_node(b, w->node, &p.dst);
		if (w->only_pods && !p.dst.pod) {
			o.dropped++;
			o.why = "the answer comes from elsewhere";
			continue;
		}
		add_endpoint(b, r, &p, &o);
	}
	settle(r, &o);
	if (relayed && r->want == REACH_DROPPED) /* the relay gives up, and closes */
		r->want = REACH_CLOSED;
}

/* ---- Services ---- */

static bool falls_back(const struct builder *b)
{
	return b->c->proxy.mode == PROXY_IPVS && proxy_ipvs_falls_back(b->c);
}

static struct way cluster_way(const struct builder *b, const struct origin *from,
			      const struct svc_plan *p)
{
	bool local = p->internal_local && b->c->proxy.mode != PROXY_USERSPACE &&
		     !(p->eps.local.n == 0 && falls_back(b));
	/* A node's own packets are not a pod's; through IPVS they come from the Service's address.
	 */
	bool own = from->end.node >= 0 &&
		   (b->c->proxy.mode == PROXY_IPVS || b->plans[from->node].pods != POD_ANY);
	return (struct way){.p = p,
			    .node = &b->c->nodes.v[from->node],
			    .eps = local ? &p->eps.local : &p->eps.cluster,
			    .fate = p->internal,
			    .masquerade = own || b->c->proxy.masquerade_all};
}

static struct way outside_way(const struct builder *b, int node, const struct svc_plan *p)
{
	/* The answers to what was not masqueraded come from elsewhere, to who did not ask there.
	 * But flannel masquerades what goes to another node's pods. */
	bool back = p->eps.local.n == 0 && falls_back(b) && b->c->cni == CNI_FLANNEL;
	bool local = p->external_local && b->c->proxy.mode != PROXY_USERSPACE && !back;
	enum svc_fate fate = p->outside == SVC_SERVE ? SVC_DROP : p->outside;
	return (struct way){.p = p,
			    .node = &b->c->nodes.v[node],
			    .eps = local ? &p->eps.local : &p->eps.cluster,
			    .fate = fate,
			    .masquerade = !local,
			    .only_pods = p->external_local && back};
}

/* How a port is spoken to, as its endpoints are; false: nobody knows. */
static bool choose_how(struct builder *b, const struct way *w, struct reach *r)
{
	r->how = REACH_TCP;
	if (w->p->port->port->proto == PROTO_TCP)
		return true;
	r->how = REACH_UDP;
	vec_foreach (const struct cendpoint *, ep, w->eps) {
		struct reach_end e = end_of(b, (*ep)->ip);
		int ns = ns_of(b, &e);
		if (ns < 0)
			return false;
		vec_foreach (const struct reach_port, q, &ports_of(b, ns)->list)
			if (q->is_dns && q->port == (*ep)->port && q->proto == PROTO_UDP)
				r->name = "kube-dns.kube-system.svc." DNS_DOMAIN;
		if (reach_listens(ports_of(b, ns), PROTO_UDP, (*ep)->port) == LISTENS_UNKNOWN)
			return false;
	}
	return true;
}

static void add_service(struct builder *b, const char *kind, const struct origin *from,
			const struct way *w, const char *to, ip4 ip, uint16_t port)
{
	struct reach r = {.kind = kind,
			  .from = from->ns,
			  .from_name = from->name,
			  .to = to,
			  .ip = ip,
			  .port = port};
	if (w->p->port->port->proto == PROTO_SCTP || !choose_how(b, w, &r))
		return;
	expect(b, &r, from, w);
	*vec_push(b->a, &b->list->v) = r;
}

static const char *port_text(const struct builder *b, const char *name, uint16_t port,
			     enum proto proto)
{
	return arena_printf(b->a, "%s:%u%s", name, port, proto == PROTO_UDP ? "/udp" : "");
}

/* Of n things that each pod may try, as many as the bound leaves it: every `stride`th from `first`
 * on, another first one for each pod. */
struct sample {
	size_t first, stride;
};

static struct sample sample_of(struct builder *b, const struct origin *from, size_t n,
			       const char *what)
{
	size_t pods = b->c->pods.n, each = REACH_PAIRS_MAX / (pods ? pods : 1) + 1;
	if (n <= each)
		return (struct sample){0, 1};
	b->list->note =
		arena_printf(b->a, "%zu pods are many: each tried some of the %s only", pods, what);
	size_t stride = (n + each - 1) / each;
	return (struct sample){(size_t)from->ns % stride, stride};
}

static void cluster_ips(struct builder *b, const struct origin *from)
{
	const struct proxy_plan *plan = &b->plans[from->node];
	struct sample some = sample_of(b, from, plan->svcs.n, "Services");
	for (size_t i = some.first; i < plan->svcs.n; i += some.stride) {
		const struct svc_plan *p = &plan->svcs.v[i];
		struct way w = cluster_way(b, from, p);
		const struct service_port *port = p->port->port;
		const char *name = arena_printf(b->a, "%s/%s", p->svc->ns, p->svc->name);
		add_service(b, "service", from, &w, port_text(b, name, port->port, port->proto),
			    p->svc->cluster_ip, port->port);
	}
}

static bool takes_node_ports(const struct proxy_plan *plan)
{
	vec_foreach (const ip4, ip, &plan->node_port_addrs)
		if (*ip == plan->node->ip)
			return true;
	return plan->node_ports_all;
}

static void node_ports(struct builder *b, const struct origin *from, int node)
{
	const struct proxy_plan *plan = &b->plans[node];
	vec_foreach (const struct svc_plan, p, &plan->svcs) {
		struct way w = outside_way(b, node, p);
		uint16_t port = p->port->node_port;
		size_t before = b->list->v.n;
		if (!port)
			continue;
		add_service(b, "nodeport", from, &w,
			    port_text(b, plan->node->name, port, p->port->port->proto),
			    plan->node->ip, port);
		if (b->list->v.n == before || takes_node_ports(plan))
			continue;
		struct reach *r = &b->list->v.v[before];
		r->want = REACH_CLOSED;
		r->why = "nodePortAddresses leave this one out";
		r->listeners.n = 0;
	}
}

static void health_ports(struct builder *b, const struct origin *from, int node)
{
	svc_healths all;
	const struct cnode *n = &b->c->nodes.v[node];
	proxy_health(b->a, b->c, node, &all);
	vec_foreach (const struct svc_health, h, &all) {
		struct reach *r = add(b, "health", from, port_text(b, n->name, h->port, PROTO_TCP));
		r->how = REACH_HTTP;
		r->ip = n->ip;
		r->port = h->port;
		r->status = h->local ? 200 : 503;
	}
}

/* ---- pods and names ---- */

static void pod_to_pod(struct builder *b, const struct origin *from, size_t pod)
{
	const struct cpod *to = &b->c->pods.v[pod];
	struct reach_packet p = {
		.src = from->end, .dst = end_of(b, to->ip), .icmp = true, .proto = PROTO_TCP};
	if (from->end.node >= 0)
		p.src = as_node(b, &b->c->nodes.v[from->end.node], &p.dst);
	const struct reach_ports none = {.others = false};
	const struct reach_ports *ports = to->host_network ? &none : ports_of(b, b->pod_ns[pod]);
	struct reach *r = add(b, "pod", from, to->name);
	r->how = REACH_PING;
	r->ip = to->ip;
	r->why = reach_denied(b->a, b->c, &b->policies, &p);
	r->want = r->why ? REACH_DROPPED : REACH_OPEN;
	p.icmp = false;
	vec_foreach (const struct reach_port, q, &ports->list) {
		p.proto = q->proto;
		p.port = q->port;
		r = add(b, "pod", from, port_text(b, to->name, q->port, q->proto));
		r->how = q->proto == PROTO_UDP ? REACH_UDP : REACH_TCP;
		r->name = q->proto == PROTO_UDP && q->is_dns
				  ? "kube-dns.kube-system.svc." DNS_DOMAIN
				  : NULL;
		r->ip = to->ip;
		r->port = q->port;
		r->why = reach_denied(b->a, b->c, &b->policies, &p);
		r->want = r->why ? REACH_DROPPED : REACH_OPEN;
	}
}

/* The cluster's name server as a node's kube-proxy knows it, or NULL. */
static const struct svc_plan *dns_service(const struct builder *b, int node)
{
	vec_foreach (const struct svc_plan, p, &b->plans[node].svcs)
		if (p->svc->cluster_ip == b->c->dns_ip && p->port->port->proto == PROTO_UDP &&
		    p->port->port->port == 53)
			return p;
	return NULL;
}

static void names(struct builder *b, const struct origin *from)
{
	const char *policy = from->end.pod ? from->end.pod->obj->spec.dns_policy : "None";
	const struct svc_plan *dns = b->c->dns_ip ? dns_service(b, from->node) : NULL;
	if (!dns || (policy && strncmp(policy, "ClusterFirst", 12) != 0))
		return;
	struct way w = cluster_way(b, from, dns);
	struct sample some = sample_of(b, from, b->c->services.n, "Services");
	for (size_t i = some.first; i < b->c->services.n; i += some.stride) {
		const struct csvc *s = &b->c->services.v[i];
		if (s->obj->type == SVC_EXTERNAL_NAME || s->obj->ipv6_only)
			continue;
		struct reach r = {.kind = "dns",
				  .from = from->ns,
				  .from_name = from->name,
				  .how = REACH_NAME,
				  .to = arena_printf(b->a, "%s.%s.svc." DNS_DOMAIN, s->name, s->ns),
				  .ip = b->c->dns_ip,
				  .port = 53};
		r.name = r.to;
		expect(b, &r, from, &w);
		if (s->cluster_ip)
			*vec_push(b->a, &r.answers) = s->cluster_ip;
		vec_foreach (const struct cdnsaddr, ad, &s->dns)
			*vec_push(b->a, &r.answers) = ad->ip;
		*vec_push(b->a, &b->list->v) = r;
	}
}

/* ---- all of it ---- */

static bool by_icmp(const struct reach *r)
{
	return r->want == REACH_REFUSED &&
	       (r->how == REACH_UDP || strcmp(r->why, NO_ENDPOINTS) == 0);
}

/* Of the checks from v[at] on, which are one place's: it insists on some of these only. */
static size_t spare_icmp(struct reach_list *l, size_t at)
{
	size_t n = 0, i = 0, end = at;
	for (; end < l->v.n && l->v.v[end].from == l->v.v[at].from; end++)
		n += l->v.v[end].by_icmp = by_icmp(&l->v.v[end]);
	size_t stride = (n + REACH_ICMP_MAX - 1) / REACH_ICMP_MAX;
	for (size_t k = at; k < end; k++) {
		struct reach *r = &l->v.v[k];
		if (!r->by_icmp || i++ % stride == (size_t)r->from % stride)
			continue;
		r->by_icmp = false;
		r->want = REACH_CLOSED;
	}
	return end;
}

static void find_places(struct builder *b)
{
	b->pod_ns = arena_new_array(b->a, int, b->c->pods.n + 1);
	b->node_ns = arena_new_array(b->a, int, b->c->nodes.n + 1);
	for (int i = 0; i < (int)b->d->ns.n; i++) {
		const struct dns *ns = &b->d->ns.v[i];
		if (ns->kind == DNS_NODE)
			b->node_ns[ns->node] = i;
	}
	for (size_t i = 0; i < b->c->pods.n; i++)
		b->pod_ns[i] = b->node_ns[b->c->pods.v[i].node];
	for (int i = 0; i < (int)b->d->ns.n; i++)
		if (b->d->ns.v[i].kind == DNS_POD)
			b->pod_ns[b->d->ns.v[i].pod] = i;
}

static void from_pods(struct builder *b)
{
	for (size_t i = 0; i < b->c->pods.n; i++) {
		struct origin from = pod_origin(b, i);
		if (!from.end.ip || b->c->pods.v[i].node < 0)
			continue;
		struct sample some = sample_of(b, &from, b->c->pods.n, "others");
		for (size_t k = some.first; k < b->c->pods.n; k += some.stride)
			if (k != i && b->c->pods.v[k].ip)
				pod_to_pod(b, &from, k);
		cluster_ips(b, &from);
		names(b, &from);
	}
}

static void from_hosts(struct builder *b)
{
	for (int i = 0; i < (int)b->d->ns.n; i++) {
		const struct dns *ns = &b->d->ns.v[i];
		struct origin from = {.ns = i, .name = ns->name, .node = -1, .end = {.node = -1}};
		if (ns->kind != DNS_HOST)
			continue;
		vec_foreach (const struct chost, h, &b->c->hosts)
			if (strcmp(h->name, ns->name) == 0)
				from.end.ip = h->ip;
		for (int k = 0; k < (int)b->c->nodes.n; k++) {
			node_ports(b, &from, k);
			health_ports(b, &from, k);
		}
	}
}

void reach_build(struct arena *a, const struct desired *d, struct reach_list *ret)
{
	struct builder b = {.a = a, .d = d, .c = d->cluster, .list = ret};
	*ret = (struct reach_list){0};
	reach_policies(a, b.c, &b.policies);
	b.plans = arena_new_array(a, struct proxy_plan, b.c->nodes.n + 1);
	for (size_t i = 0; i < b.c->nodes.n; i++)
		proxy_plan_build(a, b.c, (int)i, &b.plans[i]);
	find_places(&b);
	find_owners(&b);
	b.ports = arena_new_array(a, const struct reach_ports *, d->ns.n + 1);
	from_pods(&b);
	from_hosts(&b);
	for (size_t i = 0; i < ret->v.n;)
		i = spare_icmp(ret, i);
}

/* ---- judging ---- */

static const char *got_text(enum reach_got got, const char *text)
{
	switch (got) {
	case GOT_NOTHING:
		return text && *text ? text : "not tried";
	case GOT_ANSWER:
		return "answered";
	case GOT_REFUSED:
		return "refused";
	case GOT_CLOSED:
		return "closed without an answer";
	case GOT_SILENCE:
		return "no answer";
	case GOT_WRONG:
	case GOT_ERROR:
		break;
	}
	return text;
}

static bool fits(enum reach_want want, enum reach_got got)
{
	bool refused = got == GOT_REFUSED || got == GOT_CLOSED;
	switch (want) {
	case REACH_OPEN:
		return got == GOT_ANSWER;
	case REACH_REFUSED:
		return refused;
	case REACH_DROPPED:
		return got == GOT_SILENCE;
	case REACH_CLOSED:
		return refused || got == GOT_SILENCE;
	case REACH_EITHER:
		break;
	}
	return got == GOT_ANSWER || refused || got == GOT_SILENCE;
}

bool reach_judge(struct arena *a, const struct reach *r, enum reach_got got, const char *text,
		 bool not_listening, const char **ret_text)
{
	const char *found = got_text(got, text);
	if (fits(r->want, got)) {
		*ret_text = r->why ? arena_printf(a, "%s: %s", found, r->why) : "";
		return true;
	}
	if (r->want == REACH_OPEN && not_listening && fits(REACH_REFUSED, got)) {
		*ret_text = arena_printf(a, "%s: " NO_LISTENER, found);
		return true;
	}
	static const char *const wanted[] = {[REACH_OPEN] = "an answer",
					     [REACH_REFUSED] = "to be refused",
					     [REACH_DROPPED] = "to be dropped",
					     [REACH_CLOSED] = "no answer",
					     [REACH_EITHER] = "an answer or none"};
	if (r->want == REACH_OPEN)
		*ret_text = found;
	else if (got == GOT_ANSWER)
		*ret_text = arena_printf(a, "got through, though: %s", r->why);
	else
		*ret_text = arena_printf(a, "%s, but has %s: %s", found, wanted[r->want], r->why);
	return false;
}
