/* SPDX-License-Identifier: MIT */
/* See expect.h. One function per word; each returns NULL when the line is met, else why not. */
#include "lib/recording/expect.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/strbuf.h"
#include "lib/recording/lookup.h"

#define LIST_MAX 8 /* of what was seen instead, as much is told */

struct check {
	struct arena *a;
	const struct recording *r;
	size_t step;	      /* where the search for the next device goes on */
	const char *last_dev; /* the device line before, or NULL */
	size_t walked;	      /* the same for chains: so many reasons are behind us */
	const char *last_chain;
};

static bool forward(const struct check *c, const struct rec_step *s)
{
	return s->flight >= 0 && (size_t)s->flight < c->r->flights.n &&
	       !c->r->flights.v[s->flight].reply;
}

/* Words seen, each once, for the message. */
struct seen {
	const char *v[LIST_MAX];
	size_t n;
};

static void add_seen(struct seen *s, const char *word)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i], word) == 0)
			return;
	if (s->n < LIST_MAX)
		s->v[s->n++] = word;
}

static const char *instead(const struct check *c, const char *none, const struct seen *s)
{
	_strbuf_ struct strbuf b = STRBUF_INIT;
	for (size_t i = 0; i < s->n; i++)
		strbuf_addf(&b, "%s%s", i ? ", " : "seen: ", s->v[i]);
	return arena_strdup(c->a, s->n ? strbuf_str(&b) : none);
}

/* ---- the words ---- */

static bool is_walk(const struct rec_reason *y)
{
	return (streq(y->key, "rule") || streq(y->key, "policy") || streq(y->key, "no-more")) &&
	       y->args.n >= 2;
}

static const char *chain(struct check *c, const char *name)
{
	size_t at = 0;
	bool before = false;
	vec_foreach (const struct rec_step, s, &c->r->steps)
		vec_foreach (const struct rec_reason, y, &s->why) {
			at++;
			if (!forward(c, s) || s->outer || !is_walk(y) || !streq(y->args.v[1], name))
				continue;
			if (at > c->walked) {
				c->walked = at;
				c->last_chain = name;
				return NULL;
			}
			before = true;
		}
	if (before)
		return arena_printf(c->a, "passed before %s, not after it", c->last_chain);
	return "no rule of this chain was passed";
}

static bool at_device(const struct rec_step *s)
{
	return s->ifindex > 0 &&
	       (s->kind == REC_DEV_TX || s->kind == REC_DEV_RX || s->kind == REC_BRIDGE ||
		s->kind == REC_ENCAP || s->kind == REC_DECAP);
}

static bool is_device(const struct check *c, const struct rec_step *s, const char *name)
{
	const char *slash = strchr(name, '/'), *ns = ns_name(c->r, s->ns);
	const struct rec_if *i = if_at(c->r, s->ns, s->ifindex);
	if (slash && (strncmp(ns, name, (size_t)(slash - name)) || ns[slash - name]))
		return false;
	return i && streq(i->name, slash ? slash + 1 : name);
}

static const char *device(struct check *c, const char *name)
{
	struct seen seen = {.n = 0};
	bool before = false;
	for (size_t i = 0; i < c->r->steps.n; i++) {
		const struct rec_step *s = &c->r->steps.v[i];
		if (!at_device(s) || !forward(c, s))
			continue;
		bool it = is_device(c, s, name);
		if (it && i >= c->step) {
			c->step = i + 1;
			c->last_dev = name;
			return NULL;
		}
		before |= it;
		add_seen(&seen, if_name(c->r, s->ns, s->ifindex));
	}
	if (before)
		return arena_printf(c->a, "seen before %s, not after it", c->last_dev);
	return instead(c, "seen at no device", &seen);
}

/* Is it IP or IP:PORT? */
static bool is_end(const char *want, ip4 ip, uint16_t port)
{
	size_t n = strlen(IP4(ip));
	if (strncmp(want, IP4(ip), n) || (want[n] && want[n] != ':'))
		return false;
	return !want[n] || strtoul(want + n + 1, NULL, 10) == port;
}

static const char *translated(struct check *c, const char *want, bool dst)
{
	struct seen seen = {.n = 0};
	vec_foreach (const struct rec_step, s, &c->r->steps) {
		bool ipvs = dst && s->kind == REC_IPVS && forward(c, s);
		if ((!ipvs && s->kind != (dst ? REC_DNAT : REC_SNAT)) || !s->has_after)
			continue;
		const struct rec_tuple *t = &s->after.inner;
		ip4 ip = dst ? t->dst : t->src;
		uint16_t port = dst ? t->dport : t->sport;
		if (is_end(want, ip, port))
			return NULL;
		add_seen(&seen, arena_printf(c->a, "%s:%u", IP4(ip), port));
	}
	return instead(c, dst ? "no destination was translated" : "no source was translated",
		       &seen);
}

static const char *dnat(struct check *c, const char *want)
{
	return translated(c, want, true);
}

static const char *snat(struct check *c, const char *want)
{
	return translated(c, want, false);
}

static const char *client(struct check *c, const char *want)
{
	const char *last = NULL;
	vec_foreach (const struct rec_step, s, &c->r->steps)
		if (s->has_after && forward(c, s) && !s->outer && at_device(s))
			last = arena_printf(c->a, "%s", IP4(s->after.inner.src));
	if (streq(last, want))
		return NULL;
	return last ? arena_printf(c->a, "it came from %s", last) : "seen at no device";
}

/* ---- what was looked up, and devices ---- */

/* Splits "NODE REST": does the namespace begin so? *rest is what stands behind. */
static bool in_place(const struct check *c, int ns, const char *want, char end, const char **rest)
{
	size_t n = strcspn(want, end == '/' ? "/" : " ");
	*rest = want + n + (want[n] == end);
	return n > 0 && want[n] == end && strncmp(ns_name(c->r, ns), want, n) == 0;
}

static bool begins(const char *text, const char *with)
{
	size_t n = strlen(with);
	return text && strncmp(text, with, n) == 0 && (!text[n] || text[n] == ' ');
}

/* key: "route." "neigh." "fdb.": the group of the reasons that may hold the text. */
static const char *looked_up(struct check *c, const char *want, const char *key)
{
	struct seen seen = {.n = 0};
	const char *rest;
	vec_foreach (const struct rec_step, s, &c->r->steps)
		vec_foreach (const struct rec_reason, y, &s->why) {
			if (!forward(c, s) || !y->key || strncmp(y->key, key, strlen(key)) != 0 ||
			    !in_place(c, s->ns, want, ' ', &rest))
				continue;
			if (begins(y->text, rest))
				return NULL;
			add_seen(&seen, y->text ? y->text : y->key);
		}
	return instead(c, "nothing was looked up there", &seen);
}

static const char *route(struct check *c, const char *want)
{
	return looked_up(c, want, "route.");
}

static const char *neigh(struct check *c, const char *want)
{
	return looked_up(c, want, "neigh.");
}

static const char *fdb(struct check *c, const char *want)
{
	return looked_up(c, want, "fdb.");
}

static const char *mtu(struct check *c, const char *want)
{
	const char *rest, *why = "there is no such device";
	for (size_t i = 0; i < c->r->ns.n; i++)
		vec_foreach (const struct rec_if, d, &c->r->ns.v[i].ifs) {
			size_t n = strlen(d->name);
			if (!in_place(c, (int)i, want, '/', &rest) || strncmp(rest, d->name, n) ||
			    rest[n] != ' ')
				continue;
			if (d->mtu == strtoul(rest + n + 1, NULL, 10))
				return NULL;
			why = arena_printf(c->a, "it is %u", d->mtu);
		}
	return why;
}

/* ---- tunnels ---- */

static const char *tunnel_word(struct check *c, const struct rec_hdr *h, const char *what)
{
	if (streq(what, "outer"))
		return arena_printf(c->a, "%s>%s", IP4(h->outer.src), IP4(h->outer.dst));
	if (streq(what, "inner"))
		return arena_printf(c->a, "%s>%s", IP4(h->inner.src), IP4(h->inner.dst));
	if (streq(what, "outer-port"))
		return h->encap_proto == 17 ? arena_printf(c->a, "%u", h->outer.dport) : NULL;
	if (streq(what, "protocol"))
		return arena_printf(c->a, "%u", h->encap_proto);
	return h->encap_proto == 17 ? arena_printf(c->a, "%u", h->vni) : NULL;
}

static const char *tunnel(struct check *c, const char *want, const char *what)
{
	struct seen seen = {.n = 0};
	vec_foreach (const struct rec_step, s, &c->r->steps) {
		const struct rec_hdr *h = &s->after;
		const char *has =
			s->has_after && h->encap && forward(c, s) ? tunnel_word(c, h, what) : NULL;
		if (streq(has, want))
			return NULL;
		if (has)
			add_seen(&seen, has);
	}
	return instead(c, "it went through no tunnel", &seen);
}

static const char *outer(struct check *c, const char *want)
{
	return tunnel(c, want, "outer");
}

static const char *inner(struct check *c, const char *want)
{
	return tunnel(c, want, "inner");
}

static const char *outer_port(struct check *c, const char *want)
{
	return tunnel(c, want, "outer-port");
}

static const char *vni(struct check *c, const char *want)
{
	return tunnel(c, want, "vni");
}

static const char *protocol(struct check *c, const char *want)
{
	return tunnel(c, want, "protocol");
}

static const char *result(struct check *c, const char *want)
{
	const struct rec_verdict *v = &c->r->verdict;
	if (streq(v->result, want))
		return NULL;
	return v->text ? v->text : v->result ? v->result : "no verdict";
}

/* ---- all lines ---- */

static const struct {
	const char *word;
	const char *(*check)(struct check *c, const char *want);
} words[] = {{"chain", chain}, {"device", device},     {"dnat", dnat},
	     {"snat", snat},   {"client", client},     {"route", route},
	     {"neigh", neigh}, {"fdb", fdb},	       {"mtu", mtu},
	     {"outer", outer}, {"inner", inner},       {"outer-port", outer_port},
	     {"vni", vni},     {"protocol", protocol}, {"result", result}};

static const char *check_line(struct check *c, const char *line)
{
	size_t n = strcspn(line, " ");
	const char *want = line + n + strspn(line + n, " ");
	for (size_t i = 0; *want && i < ARRAY_SIZE(words); i++)
		if (strlen(words[i].word) == n && strncmp(line, words[i].word, n) == 0)
			return words[i].check(c, want);
	return "not understood: a line is chain, device, dnat, snat, client, route, neigh, fdb, "
	       "mtu, outer, inner, outer-port, vni, protocol or result, and a value";
}

bool expect_lines(struct arena *a, const struct recording *r, const rec_strs *lines, expecteds *ret)
{
	struct check c = {.a = a, .r = r};
	bool all = true, ends = false;
	for (size_t i = 0; i <= lines->n; i++) {
		if (i == lines->n && ends)
			break;
		const char *line = i < lines->n ? lines->v[i] : "result delivered";
		const char *why = check_line(&c, line);
		*vec_push(a, ret) = (struct expected){.line = line, .met = !why, .why = why};
		ends |= strncmp(line, "result ", 7) == 0;
		all &= !why;
	}
	return all;
}
