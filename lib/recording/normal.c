/* SPDX-License-Identifier: MIT */
/*
 * normal: a recording without what differs from run to run: times, ids, ephemeral ports, MACs,
 * interface indexes, sequence numbers. For golden files and for diffs.
 */
#include "lib/recording/normal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/strbuf.h"
#include "lib/recording/reduce.h"

#define PORTS_MAX 256
#define LOW_PORT  1024 /* below it nothing is ephemeral */
#define MAC_CHARS 17

struct norm {
	const struct recording *r;
	struct arena *a;
	unsigned port[PORTS_MAX];
	size_t n_ports;
};

static bool ephemeral(const struct norm *n, unsigned port)
{
	for (size_t i = 0; i < n->n_ports; i++)
		if (n->port[i] == port)
			return true;
	return false;
}

static void add_port(struct norm *n, unsigned port)
{
	if (port >= LOW_PORT && port != n->r->probe.dport && n->n_ports < PORTS_MAX &&
	    !ephemeral(n, port))
		n->port[n->n_ports++] = port;
}

static void add_ports(struct norm *n, const struct rec_hdr *h, bool reply)
{
	if (h->inner.proto == PROTO_TCP || h->inner.proto == PROTO_UDP)
		add_port(n, reply ? h->inner.dport : h->inner.sport);
	if (h->encap && h->outer.proto == PROTO_UDP)
		add_port(n, h->outer.sport);
}

static void find_ports(struct norm *n)
{
	add_port(n, n->r->probe.sport);
	vec_foreach (const struct rec_step, s, &n->r->steps) {
		bool reply = s->flight >= 0 && (size_t)s->flight < n->r->flights.n &&
			     n->r->flights.v[s->flight].reply;
		if (s->has_before)
			add_ports(n, &s->before, reply);
		if (s->has_after)
			add_ports(n, &s->after, reply);
	}
}

static bool mac_at(const char *s)
{
	for (int i = 0; i < MAC_CHARS; i++)
		if (i % 3 == 2 ? s[i] != ':' : !isxdigit((unsigned char)s[i]))
			return false;
	return !isxdigit((unsigned char)s[MAC_CHARS]) && s[MAC_CHARS] != ':';
}

/* Length of the number at s when it is one that differs from run to run; 0 else. */
static size_t number_at(const struct norm *n, const char *start, const char *s)
{
	size_t len = strspn(s, "0123456789");
	bool inside = s > start && (isalnum((unsigned char)s[-1]) || s[-1] == '.');
	if (!len || inside || len > 5 || isalpha((unsigned char)s[len]))
		return 0;
	bool id = s - start >= 3 && !strncmp(s - 3, "id=", 3);
	return id || ephemeral(n, (unsigned)strtoul(s, NULL, 10)) ? len : 0;
}

static size_t state_at(const char *s)
{
	static const char *const words[] = {"REACHABLE", "STALE", "DELAY", "PROBE"};
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strncmp(s, words[i], strlen(words[i])))
			return strlen(words[i]);
	return 0;
}

static json_t *text(const struct norm *n, const char *s)
{
	_strbuf_ struct strbuf b = STRBUF_INIT;
	const char *start = s;
	while (s && *s) {
		size_t len;
		bool fresh = s == start || !isalnum((unsigned char)s[-1]);
		if (fresh && mac_at(s)) {
			strbuf_adds(&b, "MAC");
			s += MAC_CHARS;
		} else if ((len = number_at(n, start, s))) {
			strbuf_addc(&b, '*');
			s += len;
		} else if (fresh && (len = state_at(s))) {
			strbuf_adds(&b, "NUD");
			s += len;
		} else {
			strbuf_addc(&b, *s & 0x80 ? '?' : *s);
			s++;
		}
	}
	return json_string(strbuf_str(&b));
}

static void set_text(const struct norm *n, json_t *o, const char *key, const char *s)
{
	if (s && *s)
		json_object_set_new(o, key, text(n, s));
}

static json_t *header(const struct norm *n, const struct rec_hdr *h)
{
	struct rec_hdr c = *h;
	const char *s = hdr_text(n->a, &c);
	return h->mark ? text(n, arena_printf(n->a, "%s mark 0x%x", s, h->mark)) : text(n, s);
}

/* What only some kernels tell is not part of the normal form. */
static bool is_extra(const struct rec_reason *y)
{
	return !strncmp(y->key, "perf.", 5) || !strcmp(y->key, "route.fib") ||
	       !strcmp(y->key, "ct.before");
}

static json_t *reasons(const struct norm *n, const struct rec_step *s)
{
	json_t *all = json_array();
	vec_foreach (const struct rec_reason, y, &s->why) {
		if (is_extra(y))
			continue;
		json_t *o = json_object();
		json_object_set_new(o, "how", json_string(rec_how_str(y->how)));
		json_object_set_new(o, "key", text(n, y->key));
		if (strcmp(y->key, "relay.same") != 0) /* a cookie */
			set_text(n, o, "text", y->text);
		json_t *args = json_array();
		for (size_t i = 0; i < y->args.n; i++)
			json_array_append_new(args, text(n, y->args.v[i]));
		if (y->args.n)
			json_object_set(o, "args", args);
		json_decref(args);
		if (y->indent)
			json_object_set_new(o, "indent", json_integer(y->indent));
		if (y->decides)
			json_object_set_new(o, "decides", json_true());
		json_array_append_new(all, o);
	}
	return all;
}

static const char *where(const struct norm *n, const struct rec_step *s)
{
	const struct recording *r = n->r;
	if (s->ns < 0 || (size_t)s->ns >= r->ns.n)
		return "?";
	const struct rec_ns *ns = &r->ns.v[s->ns];
	vec_foreach (const struct rec_if, i, &ns->ifs)
		if (i->ifindex == s->ifindex && i->name)
			return arena_printf(n->a, "%s/%s", ns->name, i->name);
	return ns->name ? ns->name : "?";
}

static json_t *step(const struct norm *n, const struct rec_step *s)
{
	json_t *o = json_object();
	json_object_set_new(o, "kind", json_string(rec_step_kind_str(s->kind)));
	set_text(n, o, "where", where(n, s));
	set_text(n, o, "table", s->table);
	set_text(n, o, "hook", s->hook);
	if (s->outer)
		json_object_set_new(o, "outer", json_true());
	if (s->has_before)
		json_object_set_new(o, "before", header(n, &s->before));
	if (s->has_after)
		json_object_set_new(o, "after", header(n, &s->after));
	json_object_set_new(o, "why", reasons(n, s));
	set_text(n, o, "next_key", s->next_key);
	set_text(n, o, "next", s->next);
	set_text(n, o, "note_key", s->note_key);
	set_text(n, o, "note", s->note);
	set_text(n, o, "try_where", s->try_where);
	set_text(n, o, "try_cmd", s->try_cmd);
	set_text(n, o, "try_expect", s->try_expect);
	return o;
}

static json_t *flight(const struct norm *n, const struct rec_flight *f)
{
	json_t *o = json_object(), *steps = json_array();
	set_text(n, o, "title", f->title);
	json_object_set_new(o, "reply", json_boolean(f->reply));
	if (f->leg)
		json_object_set_new(o, "leg", json_integer(f->leg));
	for (int i = 0; i < f->n_steps; i++)
		json_array_append_new(steps, step(n, &n->r->steps.v[f->first_step + i]));
	json_object_set_new(o, "steps", steps);
	return o;
}

static json_t *verdict(const struct norm *n)
{
	const struct rec_verdict *v = &n->r->verdict;
	json_t *o = json_object();
	set_text(n, o, "result", v->result);
	set_text(n, o, "cause", v->cause);
	if (v->ns >= 0 && (size_t)v->ns < n->r->ns.n)
		set_text(n, o, "where", n->r->ns.v[v->ns].name);
	set_text(n, o, "device", v->device);
	set_text(n, o, "rule", v->rule);
	set_text(n, o, "text", v->text);
	json_object_set_new(o, "how", json_string(rec_how_str(v->how)));
	return o;
}

json_t *recording_normal(const struct recording *r)
{
	_arena_ struct arena *a = arena_new();
	struct norm n = {.r = r, .a = a};
	find_ports(&n);
	json_t *o = json_object(), *flights = json_array(), *probe = json_object();
	json_object_set_new(o, "schema", json_integer(RECORDING_SCHEMA));
	set_text(&n, probe, "from", r->probe.from);
	set_text(&n, probe, "to", r->probe.to);
	set_text(&n, probe, "proto", r->probe.proto);
	set_text(&n, probe, "outcome", r->probe.outcome);
	set_text(&n, probe, "answer", r->probe.answer);
	json_object_set_new(o, "probe", probe);
	vec_foreach (const struct rec_flight, f, &r->flights)
		if (f->n_steps)
			json_array_append_new(flights, flight(&n, f));
	json_object_set_new(o, "flights", flights);
	json_object_set_new(o, "verdict", verdict(&n));
	if (r->dns)
		json_object_set_new(o, "dns", recording_normal(r->dns));
	return o;
}
