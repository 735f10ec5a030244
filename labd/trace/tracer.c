/* SPDX-License-Identifier: MIT */
/* See tracer.h. */
#include "labd/trace/tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "labd/kernel/nlbatch.h"
#include "labd/kernel/probe.h"
#include "labd/lab/life.h"
#include "labd/lab/where.h"
#include "labd/trace/arm.h"
#include "labd/trace/ask.h"
#include "labd/trace/fire.h"
#include "labd/trace/nfmsg.h"
#include "labd/trace/perf.h"
#include "labd/trace/relayed.h"
#include "labd/trace/snapshot.h"
#include "labd/trace/tap.h"
#include "labd/trace/target.h"
#include "labd/trace/timing.h"
#include "lib/base/cleanup.h"

#define TICK_MS	       5
#define HELD_TICK_MS   30   /* while it is frozen */
#define QUIET_MS       50   /* nothing seen for so long: it is over */
#define QUIET_SHORT_MS 20   /* of a query, of a timing run */
#define ANSWER_MS      1300 /* for the first answer */
#define STILL_MS       50   /* nothing seen for so long: nothing moves, tracepoints are of no use */
#define DEAD_MS	       400  /* nothing seen for so long, and it is kernels that would answer */
#define SILENT_MS      500  /* connected, and nothing comes */
#define WATCH_ALL_MAX  128  /* namespaces */
#define LINGER_MS      2000 /* at most, behind the answer */

struct run {
	const struct stored *lab;
	const struct trace_opts *o;
	struct recording *r;
	struct where from;
	struct target to;
	int *netns;
	size_t n;
	struct taps taps;
	struct arm arm;
	struct perf *perf; /* or NULL */
	struct freeze freeze;
	const char *freeze_how; /* iptables for it: "legacy" or "nft" */
	uint16_t vxlan_port;
};

static void tell(const struct run *x, const char *text)
{
	if (x->o->progress)
		x->o->progress(x->o->arg, text);
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;
	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int64_t now_ms(void)
{
	return (int64_t)(now_ns(CLOCK_MONOTONIC) / 1000000);
}

/* ---- preparation -----------------------------------------------------------------------------
 */

static bool has_endpoint(const struct csvc *s, ip4 ip)
{
	vec_foreach (const struct csvcport, p, &s->ports)
		vec_foreach (const struct cendpoint, e, &p->eps)
			if (e->ip == ip)
				return true;
	return false;
}

static bool is_asked_for(const struct run *x, const struct csvc *s)
{
	if (s->cluster_ip &&
	    (s->cluster_ip == x->to.ip || s->cluster_ip == x->lab->cluster->dns_ip))
		return true;
	vec_foreach (const struct csvcport, p, &s->ports)
		if (p->node_port && p->node_port == x->to.port)
			return true;
	return x->to.dns_name && !x->to.ip; /* could be any */
}

/* In a lab with many pods only those are watched that the flow can come to. */
static bool is_watched(const struct run *x, int i)
{
	const struct dns *ns = &x->lab->desired->ns.v[i];
	if (ns->kind != DNS_POD || i == x->from.dns || x->n <= WATCH_ALL_MAX)
		return true;
	ip4 ip = x->lab->cluster->pods.v[ns->pod].ip;
	if (ip == x->to.ip)
		return true;
	vec_foreach (const struct csvc, s, &x->lab->cluster->services)
		if (is_asked_for(x, s) && has_endpoint(s, ip))
			return true;
	return false;
}

static int open_netns(struct run *x, struct err *err)
{
	x->n = x->lab->desired->ns.n;
	x->netns = malloc(x->n * sizeof(*x->netns));
	if (!x->netns)
		return err_sys(err, ENOMEM, "trace");
	for (size_t i = 0; i < x->n; i++)
		x->netns[i] = -1;
	for (size_t i = 0; i < x->n; i++) {
		char name[300], path[320];
		if (!is_watched(x, (int)i))
			continue;
		lab_pin_name(x->lab->name, x->lab->desired->ns.v[i].name, name, sizeof(name));
		snprintf(path, sizeof(path), "/run/netns/%s", name);
		x->netns[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (x->netns[i] < 0)
			return err_sys(err, errno, "lab \"%s\" is broken: %s", x->lab->name, path);
	}
	return 0;
}

static int resolve(struct run *x, struct err *err)
{
	const struct desired *d = x->lab->desired;
	int r = where_resolve(d, x->o->from, x->o->ns, &x->from, err);
	if (r == 0)
		r = target_resolve(d, x->o->to, x->o->ns, &x->to, err);
	vec_foreach (const struct dns, ns, &d->ns)
		vec_foreach (const struct dlink, l, &ns->links)
			if (l->kind == DLINK_VXLAN && l->port)
				x->vxlan_port = (uint16_t)l->port;
	return r;
}

static void fill_head(struct run *x, const struct engine *e)
{
	struct recording *r = x->r;
	char when[32];
	time_t t = time(NULL);
	struct tm tm;
	gmtime_r(&t, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	r->tool = arena_strdup(r->arena, x->o->tool);
	r->kernel = arena_strdup(r->arena, e->probe->kernel);
	r->engine = arena_strdup(r->arena, e->name);
	r->created = arena_strdup(r->arena, when);
}

static const char *proto_text(uint8_t proto)
{
	return proto == IPPROTO_TCP ? "tcp" : proto == IPPROTO_UDP ? "udp" : "icmp";
}

static void fill_probe(const struct run *x, struct rec_probe *p)
{
	struct arena *a = x->r->arena;
	*p = (struct rec_probe){.lab = arena_strdup(a, x->lab->name),
				.from = arena_strdup(a, x->o->from),
				.to = arena_strdup(a, x->o->to),
				.from_ns = x->from.dns,
				.proto = proto_text(x->to.proto),
				.dst = x->to.ip,
				.dport = x->to.port};
}

/* The recording of the name's query, when there is one to make; it shares the lab's state. */
static struct recording *new_dns(const struct run *x)
{
	const struct cluster *c = x->lab->cluster;
	bool pod = x->lab->desired->ns.v[x->from.dns].kind == DNS_POD;
	/* A name that only the DNS knows is asked for in any case. */
	if ((!x->o->dns && x->to.ip) || !x->to.dns_name || !pod || !c->dns_ip)
		return NULL;
	struct recording *r = x->r, *d = recording_new(r->arena);
	d->tool = r->tool;
	d->kernel = r->kernel;
	d->engine = r->engine;
	d->created = r->created;
	d->ns.v = r->ns.v;
	d->ns.n = d->ns.cap = r->ns.n;
	d->names.v = r->names.v;
	d->names.n = d->names.cap = r->names.n;
	fill_probe(x, &d->probe);
	d->probe.proto = "udp";
	d->probe.dst = c->dns_ip;
	d->probe.dport = 53;
	d->probe.dns_name = arena_strdup(r->arena, x->to.dns_name);
	return d;
}

/* ---- conntrack -------------------------------------------------------------------------------
 */

typedef vec_of(struct rec_tuple) tuples;

static void add_tuple(struct arena *a, tuples *list, const struct rec_tuple *t)
{
	struct rec_tuple back = tuple_back(t);
	vec_foreach (const struct rec_tuple, o, list)
		if (tuple_eq(o, t) || tuple_eq(o, &back))
			return;
	*vec_push(a, list) = *t;
}

/* ICMP: the packet has only the type where an entry has type and code. */
static struct rec_tuple ct_tuple(const struct rec_tuple *t)
{
	struct rec_tuple r = *t;
	if (r.proto == IPPROTO_ICMP)
		r.dport = (uint16_t)(r.dport & 0xff00);
	return r;
}

/* The probe's and its wrappings' addresses as seen in a namespace. */
static void tuples_of(const struct recording *r, int ns, tuples *list)
{
	vec_foreach (const struct rec_sight, s, &r->sights) {
		struct rec_hdr h;
		if (s->ns != ns || !packet_parse(s->data, s->caplen, s->hatype, &h))
			continue;
		struct rec_tuple t = ct_tuple(&h.inner);
		add_tuple(r->arena, list, &t);
		if (h.encap)
			add_tuple(r->arena, list, &h.outer);
	}
}

static bool is_of(const struct rec_ct *ct, const tuples *list)
{
	vec_foreach (const struct rec_tuple, t, list) {
		struct rec_tuple back = tuple_back(t);
		if (tuple_eq(&ct->orig, t) || tuple_eq(&ct->reply, t) ||
		    tuple_eq(&ct->orig, &back) || tuple_eq(&ct->reply, &back))
			return true;
	}
	return false;
}

/* Of everybody's events keep those of the probe. */
static void keep_cts(struct recording *r, const rec_cts *cts)
{
	for (int ns = 0; ns < (int)r->ns.n; ns++) {
		tuples list = {0};
		tuples_of(r, ns, &list);
		vec_foreach (const struct rec_ct, ct, cts)
			if (ct->ns == ns && is_of(ct, &list))
				*vec_push(r->arena, &r->cts) = *ct;
	}
}

static void get_ct(struct recording *r, int ns, const struct rec_tuple *t, enum rec_ct_kind kind)
{
	struct rec_ct ct;
	if (nfstream_ct_get(r->arena, t, &ct) < 0)
		return;
	vec_foreach (const struct rec_ct, o, &r->cts)
		if (o->kind == kind && o->ns == ns && o->id == ct.id)
			return;
	ct.kind = kind;
	ct.ns = ns;
	*vec_push(r->arena, &r->cts) = ct;
}

static void cts_before(const struct run *x, struct recording *r)
{
	_nlns_ struct nlns home = NLNS_INIT;
	const struct rec_probe *p = &r->probe;
	struct rec_tuple t = {p->src, p->dst, p->sport, p->dport, IPPROTO_TCP};
	if (strcmp(p->proto, "tcp") != 0)
		t.proto = strcmp(p->proto, "udp") == 0 ? IPPROTO_UDP : IPPROTO_ICMP;
	for (int i = 0; i < (int)x->n; i++)
		if (r->ns.v[i].backend && nlns_enter(&home, x->netns[i], NULL) == 0)
			get_ct(r, i, &t, REC_CT_BEFORE);
}

static void cts_after(const struct run *x, struct recording *r)
{
	_nlns_ struct nlns home = NLNS_INIT;
	for (int i = 0; i < (int)x->n; i++) {
		tuples list = {0};
		if (!r->ns.v[i].backend || nlns_enter(&home, x->netns[i], NULL) < 0)
			continue;
		tuples_of(r, i, &list);
		vec_foreach (const struct rec_tuple, t, &list) {
			struct rec_tuple back = tuple_back(t);
			get_ct(r, i, t, REC_CT_AFTER);
			get_ct(r, i, &back, REC_CT_AFTER);
		}
	}
}

/* ---- the probe goes out ----------------------------------------------------------------------
 */

struct watch {
	struct run *x;
	struct recording *r;
	rec_sights *sights;
	rec_cts *cts;
	int64_t last; /* when something was seen */
};

static void drain(struct watch *w)
{
	size_t matches = w->r->matches.n;
	int n = taps_read(&w->x->taps, w->r->arena, w->sights);
	if (w->cts)
		arm_read(&w->x->arm, w->r, w->cts);
	if (n || w->r->matches.n != matches)
		w->last = now_ms();
}

/* A program may take its time. A SYN and a ping are answered by the kernel: where nothing moves any
 * more, they are lost. */
static bool is_over(const struct watch *w, const struct fire *f, int64_t start, int64_t answer_ms)
{
	int64_t t = now_ms();
	bool tcp = strcmp(f->p->proto, "tcp") == 0;
	if (tcp && f->state == FIRE_WAITING)
		return t - start > SILENT_MS;
	if (t - start > answer_ms)
		return true;
	return strcmp(f->p->proto, "udp") != 0 && t - w->last > DEAD_MS;
}

/* Fire, read meanwhile, until the answer is there (or nothing comes) and all is quiet. */
static void play(struct watch *w, struct fire *f, int quiet_ms)
{
	int64_t start = now_ms(), done = 0;
	int64_t answer_ms = w->x->o->wait_ms ? (int64_t)w->x->o->wait_ms : ANSWER_MS;
	w->last = start;
	f->p->t_start = now_ns(CLOCK_REALTIME);
	fire_start(f);
	for (;;) {
		struct pollfd p = {.fd = f->state == FIRE_DONE ? -1 : f->fd,
				   .events = f->state == FIRE_CONNECTING ? POLLOUT : POLLIN};
		poll(&p, 1, w->x->freeze.holds ? HELD_TICK_MS : TICK_MS);
		if (f->state != FIRE_DONE)
			fire_step(f);
		drain(w);
		int64_t t = now_ms();
		if (t - w->last > STILL_MS)
			perf_stop(w->x->perf);
		if (freeze_step(&w->x->freeze, w->r))
			start = w->last = t;
		if (f->state != FIRE_DONE && is_over(w, f, start, answer_ms))
			fire_give_up(f);
		if (f->state == FIRE_DONE && !done) {
			f->p->t_end = now_ns(CLOCK_REALTIME);
			done = t;
			fire_finish(f); /* its FIN belongs to the flow */
		}
		if (done && (t - w->last >= quiet_ms || t - done >= LINGER_MS))
			return;
	}
}

static int open_probe(const struct run *x, struct fire *f, struct err *err)
{
	_nlns_ struct nlns home = NLNS_INIT;
	int r = nlns_enter(&home, x->netns[x->from.dns], err);
	return r < 0 ? r : fire_open(f, err);
}

static int by_time(const void *pa, const void *pb)
{
	const struct rec_sight *a = pa, *b = pb;
	if (a->t != b->t)
		return a->t < b->t ? -1 : 1;
	if (a->ns != b->ns)
		return a->ns < b->ns ? -1 : 1;
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

static void sort_sights(struct rec_sight *v, size_t n)
{
	if (n > 1)
		qsort(v, n, sizeof(*v), by_time);
}

/* One recorded flow. */
static int record(struct run *x, struct recording *r, struct fire *f, const struct marker *m,
		  int quiet_ms, struct err *err)
{
	rec_cts cts = {0};
	rec_sights sights = {0};
	struct watch w = {.x = x, .r = r, .sights = &sights, .cts = &cts};
	uint64_t lost = arm_lost(&x->arm);
	int code = open_probe(x, f, err);
	if (code == 0)
		code = taps_mark(&x->taps, m, x->vxlan_port, err);
	if (code < 0)
		return code;
	cts_before(x, r);
	if (x->perf)
		perf_start(x->perf);
	play(&w, f, quiet_ms);
	sort_sights(sights.v, sights.n);
	r->sights.v = sights.v;
	r->sights.n = sights.n;
	r->sights.cap = sights.cap;
	relayed_pick(f, r);
	if (x->perf)
		perf_take(x->perf, r);
	r->lost_frames = taps_lost(&x->taps);
	r->lost_messages = arm_lost(&x->arm) - lost;
	keep_cts(r, &cts);
	cts_after(x, r);
	return 0;
}

static int find_address(struct run *x, const struct fire *dns, struct err *err)
{
	if (!x->r->probe.dst && x->r->dns)
		x->r->probe.dst = dns->resolved;
	if (x->r->probe.dst)
		return 0;
	if (!x->to.dns_name)
		return err_setc(err, EINVAL, ERR_USAGE, "\"%s\" has no address", x->o->to);
	err_setc(err, ENOENT, ERR_NOT_FOUND, "the name %s has no address%s%s", x->to.dns_name,
		 x->r->dns ? ": kube-dns says " : "", x->r->dns ? x->r->dns->probe.answer : "");
	return x->r->dns ? err->code
			 : err_hint(err, "only a pod can ask the cluster's DNS, without --no-dns");
}

static int arm_to_freeze(struct run *x, const struct marker *m, struct err *err)
{
	if (x->to.proto == IPPROTO_UDP)
		return err_setc(err, EOPNOTSUPP, ERR_UNSUPPORTED,
				"a UDP datagram cannot be held: nobody would send it again");
	struct marker own = freeze_marker(&x->r->probe, m);
	int r = freeze_open(&x->freeze, x->o->freeze, x->netns, x->r, err);
	if (r == 0)
		r = arm_freeze(&x->arm, &own, x->vxlan_port, x->freeze_how, x->r, err);
	return r;
}

static int armed_part(struct run *x, struct err *err)
{
	struct fire main, dns = {.fd = -1};
	struct marker m[2];
	unsigned n = 0;
	m[n++] = fire_prepare(&main, x->r->arena, &x->r->probe, x->to.host);
	relayed_prepare(x->lab, &x->to, &main, &m[0]);
	main.size = x->o->size;
	x->r->dns = new_dns(x);
	if (x->r->dns) {
		const struct target server = {.ip = x->r->dns->probe.dst, .port = 53};
		m[n++] = fire_prepare(&dns, x->r->arena, &x->r->dns->probe, NULL);
		relayed_prepare(x->lab, &server, &dns, &m[1]);
	}
	tell(x, "arming");
	x->perf = x->o->freeze ? NULL : perf_on(NULL); /* times say nothing of what is held */
	int r = arm_on(&x->arm, m, n, x->vxlan_port, x->r, err);
	if (r == 0 && x->r->dns)
		r = record(x, x->r->dns, &dns, &m[1], QUIET_SHORT_MS, err);
	if (r == 0)
		r = find_address(x, &dns, err);
	if (r == 0 && x->o->freeze)
		r = arm_to_freeze(x, &m[0], err);
	if (r == 0)
		r = record(x, x->r, &main, &m[0], QUIET_MS, err);
	perf_off(x->perf);
	arm_off(&x->arm);
	fire_close(&main);
	fire_close(&dns);
	arm_mend(&x->arm, x->r);
	freeze_mend(&x->freeze, x->r);
	if (x->r->dns)
		arm_mend(&x->arm, x->r->dns);
	return r;
}

/* ---- timing runs ----------------------------------------------------------------------------- */

static int time_one(struct run *x, const struct fire *first, unsigned n, struct timing_run *t,
		    struct err *err)
{
	struct fire f;
	struct rec_probe p;
	struct watch w = {.x = x, .r = x->r, .sights = &t->sights};
	fire_again(&f, first, &p, n);
	int r = open_probe(x, &f, err);
	if (r == 0)
		play(&w, &f, TICK_MS);
	fire_close(&f);
	t->isn = p.isn;
	sort_sights(t->sights.v, t->sights.n);
	return r;
}

/* One marker serves all runs: a new filter on every tap for each leaves a guest's kernel busy for
 * half a second with the memory of the old one (20 runs: `down` waited 9.6 s for it, 1.7 s
 * without). */
static int time_all(struct run *x, struct err *err)
{
	unsigned n = x->o->timing < TRACE_TIMING_MAX ? x->o->timing : TRACE_TIMING_MAX, done = 0;
	const char *outcome = x->r->probe.outcome;
	if (!n || x->o->freeze || !x->r->sights.n || strcmp(outcome, "timeout") == 0)
		return 0;
	tell(x, "timing");
	struct timing_run *runs = arena_new_array(x->r->arena, struct timing_run, n);
	struct fire first;
	struct rec_probe p = x->r->probe;
	struct marker m = fire_prepare(&first, x->r->arena, &p, x->to.host);
	first.size = x->o->size;
	int r = taps_mark(&x->taps, &m, x->vxlan_port, err);
	for (; r == 0 && done < n; done++)
		r = time_one(x, &first, done, &runs[done], err);
	size_t good = 0;
	for (unsigned i = 0; i < done; i++)
		if (runs[i].sights.n)
			runs[good++] = runs[i];
	timing_medians(x->r, runs, good);
	timing_totals(x->r, runs, good);
	return r;
}

/* ---- the whole -------------------------------------------------------------------------------
 */

static int run_all(struct run *x, const struct engine *e, struct err *err)
{
	const char *backend = store_backend(e, x->lab) == IPT_NFT ? "nft" : "legacy";
	int r = resolve(x, err);
	const char *note = r == 0 ? target_note(x->lab->desired, &x->to) : NULL;
	if (note && x->o->note)
		x->o->note(x->o->arg, note);
	if (r == 0)
		r = open_netns(x, err);
	if (r == 0)
		r = arm_begin(&x->arm, x->lab, x->netns, err);
	if (r == 0)
		r = taps_open(&x->taps, x->netns, x->n, err);
	tell(x, "reading the lab's state");
	if (r == 0)
		r = snapshot_take(x->lab, backend, x->netns, x->r, err);
	if (r < 0)
		return r;
	fill_head(x, e);
	fill_probe(x, &x->r->probe);
	r = armed_part(x, err);
	if (r < 0)
		return r;
	ask_all(x->r, x->netns);
	if (x->r->dns)
		ask_all(x->r->dns, x->netns);
	return time_all(x, err);
}

int trace_run(const struct engine *e, const struct stored *lab, const struct trace_opts *o,
	      struct arena *a, struct recording **ret, struct err *err)
{
	struct run x = {.lab = lab, .o = o, .r = recording_new(a), .arm = {.file = -1}};
	x.freeze_how = e->probe->legacy ? "legacy" : "nft";
	int r = run_all(&x, e, err);
	arm_end(&x.arm);
	freeze_close(&x.freeze);
	if (x.taps.v)
		taps_close(&x.taps);
	for (size_t i = 0; x.netns && i < x.n; i++)
		if (x.netns[i] >= 0)
			close(x.netns[i]);
	free(x.netns);
	*ret = x.r;
	return r;
}
