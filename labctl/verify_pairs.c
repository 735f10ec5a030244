/* SPDX-License-Identifier: MIT */
/*
 * verify_pairs: who reaches what. Each pod and outside host runs one script that tries everything
 * at once and prints a line for each try: its number and "open", "refused" or what went wrong.
 *
 * That nothing listens behind a port is no fault of the network: each endpoint also tries its own
 * port, and where it refuses itself, a refusal is what everybody else has to get.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "labctl/gather.h"
#include "labctl/verify.h"
#include "lib/base/cleanup.h"
#include "lib/view/obj.h"

#define PAIRS_TIMEOUT_S 120
#define MAX_AT_ONCE	32 /* tries that one place has under way */
#define TRY_MAX		200000

/* t N IP PORT: TCP; p N IP: ping; d N NAME: DNS. */
static const char functions[] =
	"t() { o=$(timeout 3 telnet $2 $3 </dev/null 2>&1); r=$?\n"
	"case $o in *'Connected to'*) echo $1 open;; *efused*) echo $1 refused;;\n"
	"'') echo $1 no answer;; *) [ $r -ge 124 ] && echo $1 no answer || echo $1 ${o##*: };; "
	"esac; }\n"
	"p() { ping -c 1 -W 2 $2 >/dev/null 2>&1 && echo $1 open || echo $1 no answer; }\n"
	"d() { timeout 4 nslookup $2 >/dev/null 2>&1 && echo $1 open || echo $1 no answer; }\n";

/* Where tries are made from. */
struct place {
	const char *where, *ns, *name, *node, *ip;
	bool pod, own_network; /* not the node's (hostNetwork) */
	struct strbuf script;
	size_t tries;
};

struct
try {
	size_t check; /* index of v->checks, or NOT_ONE */
	bool open, refused;
	const char *got;
};
#define NOT_ONE ((size_t)-1)

/* An endpoint's address and port, with the try that asks whether anything listens there. */
struct listener {
	const char *ip;
	int port;
	size_t try;
};

/* What a check wants: any of these. */
struct want {
	size_t check, try;
	bool open, refused;
	vec_of(size_t) listeners; /* refused is right too when one of these does */
};

struct pairs {
	struct verify *v;
	json_t *pods, *services, *endpoints, *nodes, *hosts, *policies;
	vec_of(struct place) places;
	vec_of(struct try) tries;
	vec_of(struct listener) listeners;
	vec_of(struct want) wants;
};

/* ---- the lab's objects ---- */

static int fetch(struct pairs *p, struct err *err)
{
	const struct {
		const char *kind;
		json_t **items;
	} all[] = {{"pods", &p->pods},	 {"services", &p->services},
		   {"nodes", &p->nodes}, {"endpoints", &p->endpoints},
		   {"hosts", &p->hosts}, {"networkpolicies", &p->policies}};
	int r = 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(all); i++)
		r = client_get(p->v->engine, p->v->lab, all[i].kind, NULL, all[i].items, err);
	return r;
}

static const char *node_ip(const json_t *node)
{
	return obj_str(obj_of_type(obj_at(node, "status.addresses"), "InternalIP"), "address", "");
}

static struct place *add_place(struct pairs *p, struct place place)
{
	struct place *q = vec_push(p->v->a, &p->places);
	*q = place;
	q->script = STRBUF_INIT;
	strbuf_adds(&q->script, functions);
	return q;
}

static void find_places(struct pairs *p)
{
	size_t i;
	json_t *o;
	json_array_foreach (p->pods, i, o) {
		bool running = strcmp(obj_str(o, "status.phase", ""), "Running") == 0;
		const char *ip = obj_str(o, "status.podIP", "");
		if (!running || !*ip)
			continue;
		add_place(p, (struct place){.where = arena_printf(p->v->a, "pod/%s", obj_name(o)),
					    .ns = obj_str(o, "metadata.namespace", "default"),
					    .name = obj_name(o),
					    .node = obj_str(o, "spec.nodeName", ""),
					    .ip = ip,
					    .pod = true,
					    .own_network =
						    !json_is_true(obj_at(o, "spec.hostNetwork"))});
	}
	json_array_foreach (p->nodes, i, o)
		add_place(p, (struct place){.where = arena_printf(p->v->a, "node/%s", obj_name(o)),
					    .name = obj_name(o),
					    .node = obj_name(o),
					    .ip = node_ip(o)});
	json_array_foreach (p->hosts, i, o)
		add_place(p, (struct place){.where = arena_printf(p->v->a, "host/%s", obj_name(o)),
					    .name = obj_name(o),
					    .ip = obj_str(o, "spec.ip", "")});
}

static bool is_host(const struct place *q)
{
	return strncmp(q->where, "host/", 5) == 0;
}

/* ---- tries ---- */

/* One more line of a place's script; its number, or NOT_ONE beyond the bound. */
static size_t add_try(struct pairs *p, struct place *q, size_t check, char kind, const char *to,
		      int port)
{
	size_t n = p->tries.n;
	if (n >= TRY_MAX)
		return NOT_ONE;
	*vec_push(p->v->a, &p->tries) = (struct try){.check = check};
	strbuf_addf(&q->script, "%c %zu %s", kind, n, to);
	strbuf_addf(&q->script, port ? " %d &\n" : " &\n", port);
	if (++q->tries % MAX_AT_ONCE == 0)
		strbuf_adds(&q->script, "wait\n");
	return n;
}

static struct want *add_want(struct pairs *p, struct place *q, const char *kind, char how,
			     const char *to, const char *ip, int port)
{
	struct verify *v = p->v;
	size_t check = v->checks.n;
	*vec_push(v->a, &v->checks) = (struct check){.kind = kind,
						     .from = arena_strdup(v->a, q->name),
						     .to = arena_strdup(v->a, to),
						     .detail = "not tried"};
	size_t try = add_try(p, q, check, how, ip, port);
	struct want *w = vec_push(v->a, &p->wants);
	*w = (struct want){.check = check, .try = try, .open = true};
	return w;
}

/* The try of an endpoint at its own port, made once; NOT_ONE when nobody has the address. */
static size_t listener_try(struct pairs *p, const char *ip, int port)
{
	vec_foreach (const struct listener, l, &p->listeners)
		if (strcmp(l->ip, ip) == 0 && l->port == port)
			return l->try;
	size_t try = NOT_ONE;
	for (size_t i = 0; try == NOT_ONE && i < p->places.n; i++)
		if (strcmp(p->places.v[i].ip, ip) == 0)
			try = add_try(p, &p->places.v[i], NOT_ONE, 't', ip, port);
	*vec_push(p->v->a, &p->listeners) = (struct listener){ip, port, try};
	return try;
}

/* ---- Services ---- */

struct backend {
	const char *ip, *node;
	int port;
};
typedef vec_of(struct backend) backends;

static const json_t *endpoints_of(const struct pairs *p, const json_t *svc)
{
	size_t i;
	json_t *e;
	json_array_foreach (p->endpoints, i, e)
		if (strcmp(obj_name(e), obj_name(svc)) == 0 &&
		    strcmp(obj_str(e, "metadata.namespace", ""),
			   obj_str(svc, "metadata.namespace", "")) == 0)
			return e;
	return NULL;
}

static backends backends_of(struct pairs *p, const json_t *svc, const json_t *port)
{
	backends list = {0};
	size_t i, k, n;
	json_t *subset, *ep, *ad;
	const char *name = obj_str(port, "name", "");
	json_array_foreach (json_object_get(endpoints_of(p, svc), "subsets"), i, subset)
		json_array_foreach (json_object_get(subset, "ports"), k, ep)
			json_array_foreach (json_object_get(subset, "addresses"), n, ad)
				if (strcmp(obj_str(ep, "name", ""), name) == 0)
					*vec_push(p->v->a, &list) = (struct backend){
						obj_str(ad, "ip", ""), obj_str(ad, "nodeName", ""),
						(int)obj_int(ep, "port", 0)};
	return list;
}

static bool has_local(const backends *b, const char *node)
{
	vec_foreach (const struct backend, x, b)
		if (strcmp(x->node, node) == 0)
			return true;
	return false;
}

static void expect_backends(struct pairs *p, struct want *w, const backends *b)
{
	w->open = b->n > 0;
	w->refused = b->n == 0;
	vec_foreach (const struct backend, x, b)
		*vec_push(p->v->a, &w->listeners) = listener_try(p, x->ip, x->port);
}

static bool is_local_only(const json_t *svc, const char *key)
{
	return strcmp(obj_str(svc, key, ""), "Local") == 0;
}

static void try_cluster_ip(struct pairs *p, const json_t *svc, const json_t *port)
{
	const char *ip = obj_str(svc, "spec.clusterIP", "");
	int number = (int)obj_int(port, "port", 0);
	backends b = backends_of(p, svc, port);
	bool local = is_local_only(svc, "spec.internalTrafficPolicy");
	const char *to = arena_printf(p->v->a, "%s/%s:%d", obj_str(svc, "metadata.namespace", ""),
				      obj_name(svc), number);
	if (!*ip || strcmp(ip, "None") == 0)
		return;
	for (size_t i = 0; i < p->places.n; i++) {
		struct place *q = &p->places.v[i];
		if (!q->pod || (local && !has_local(&b, q->node)))
			continue;
		expect_backends(p, add_want(p, q, "service", 't', to, ip, number), &b);
	}
}

static void try_node_port(struct pairs *p, const json_t *svc, const json_t *port)
{
	int number = (int)obj_int(port, "nodePort", 0);
	backends b = backends_of(p, svc, port);
	bool local = is_local_only(svc, "spec.externalTrafficPolicy");
	size_t i;
	json_t *node;
	json_array_foreach (number ? p->nodes : NULL, i, node) {
		if (local && !has_local(&b, obj_name(node)))
			continue;
		const char *to = arena_printf(p->v->a, "%s:%d", obj_name(node), number);
		for (size_t k = 0; k < p->places.n; k++) {
			struct place *q = &p->places.v[k];
			if (is_host(q))
				expect_backends(
					p,
					add_want(p, q, "nodeport", 't', to, node_ip(node), number),
					&b);
		}
	}
}

static void try_services(struct pairs *p)
{
	size_t i, k;
	json_t *svc, *port;
	json_array_foreach (p->services, i, svc)
		json_array_foreach ((json_t *)obj_at(svc, "spec.ports"), k, port)
			if (strcmp(obj_str(port, "protocol", "TCP"), "TCP") == 0) {
				try_cluster_ip(p, svc, port);
				try_node_port(p, svc, port);
			}
}

/* ---- the rest ---- */

static const json_t *service(const struct pairs *p, const char *ns, const char *name)
{
	size_t i;
	json_t *svc;
	json_array_foreach (p->services, i, svc)
		if (strcmp(obj_name(svc), name) == 0 &&
		    strcmp(obj_str(svc, "metadata.namespace", ""), ns) == 0)
			return svc;
	return NULL;
}

static void try_dns(struct pairs *p)
{
	const json_t *dns = service(p, "kube-system", "kube-dns");
	const char *name = service(p, "default", "kubernetes")
				   ? "kubernetes.default.svc.cluster.local"
				   : "kube-dns.kube-system.svc.cluster.local";
	if (!dns || json_array_size(json_object_get(endpoints_of(p, dns), "subsets")) == 0)
		return;
	for (size_t i = 0; i < p->places.n; i++)
		if (p->places.v[i].pod && p->places.v[i].own_network)
			add_want(p, &p->places.v[i], "dns", 'd', name, name, 0);
}

static void try_pods(struct pairs *p)
{
	for (size_t i = 0; i < p->places.n; i++)
		for (size_t k = 0; k < p->places.n; k++)
			if (i != k && p->places.v[i].pod && p->places.v[k].pod)
				add_want(p, &p->places.v[i], "pod", 'p', p->places.v[k].name,
					 p->places.v[k].ip, 0);
}

/* ---- doing it ---- */

static void read_lines(struct pairs *p, const char *text)
{
	for (const char *s = text; *s;) {
		size_t len = strcspn(s, "\n");
		char *end;
		unsigned long n = strtoul(s, &end, 10);
		if (end > s && *end == ' ' && n < p->tries.n) {
			struct try *t = &p->tries.v[n];
			t->got = arena_strndup(p->v->a, end + 1, len - (size_t)(end + 1 - s));
			t->open = strcmp(t->got, "open") == 0;
			t->refused = strcmp(t->got, "refused") == 0;
		}
		s += len + (s[len] == '\n');
	}
}

static void run(struct pairs *p)
{
	struct gather *jobs = calloc(p->places.n + 1, sizeof(*jobs));
	size_t n = 0;
	vec_foreach (struct place, q, &p->places) {
		if (!q->tries || !jobs)
			continue;
		strbuf_adds(&q->script, "wait\n");
		jobs[n++] = (struct gather){
			.where = q->where, .ns = q->ns, .script = strbuf_str(&q->script)};
	}
	gather(p->v->engine, p->v->lab, jobs, n, PAIRS_TIMEOUT_S);
	for (size_t i = 0; i < n; i++) {
		read_lines(p, strbuf_str(&jobs[i].out));
		if (jobs[i].err.code)
			fprintf(stderr, "labctl: %s: %s\n", jobs[i].where, jobs[i].err.text);
		strbuf_free(&jobs[i].out);
	}
	free(jobs);
}

static void judge(struct pairs *p)
{
	vec_foreach (const struct want, w, &p->wants) {
		struct check *c = &p->v->checks.v[w->check];
		const struct try *t = w->try == NOT_ONE ? NULL : &p->tries.v[w->try];
		bool refused = w->refused;
		for (size_t i = 0; i < w->listeners.n; i++) {
			size_t k = w->listeners.v[i];
			refused |= k == NOT_ONE || p->tries.v[k].refused;
		}
		if (!t || !t->got)
			continue;
		c->ok = (t->open && w->open) || (t->refused && refused);
		if (!c->ok)
			c->detail = t->open ? "answered, though it has no endpoints" : t->got;
		else if (t->refused)
			c->detail = w->refused ? "refused: no endpoints" : "nothing listens there";
		else
			c->detail = "";
	}
}

static void try_all(struct pairs *p)
{
	find_places(p);
	try_pods(p);
	try_services(p);
	try_dns(p);
	run(p);
	judge(p);
	vec_foreach (struct place, q, &p->places)
		strbuf_free(&q->script);
}

int verify_pairs(struct verify *v, struct err *err)
{
	struct pairs p = {.v = v};
	int r = fetch(&p, err);
	if (r == 0 && json_array_size(p.policies))
		v->note = "NetworkPolicies say who reaches whom here: only the flows were tried";
	else if (r == 0)
		try_all(&p);
	json_t *all[] = {p.pods, p.services, p.endpoints, p.nodes, p.hosts, p.policies};
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		json_decref(all[i]);
	return r;
}
