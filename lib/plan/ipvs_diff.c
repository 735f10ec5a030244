/* SPDX-License-Identifier: MIT */
/* See ipvs_diff.h. */
#include "lib/plan/ipvs_diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dest {
	const char *name; /* "10.244.1.5:80" */
	unsigned weight;
};

struct vs {
	const char *name;    /* "-t 10.96.0.1:443" */
	const char *options; /* "-s rr -p 600" */
	vec_of(struct dest) dests;
};
typedef vec_of(struct vs) services;

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct vs *)a)->name, ((const struct vs *)b)->name);
}

static struct vs *find(const services *s, const char *name)
{
	const struct vs key = {.name = name};
	return s->n ? bsearch(&key, s->v, s->n, sizeof(*s->v), by_name) : NULL;
}

static const struct dest *find_dest(const struct vs *s, const char *name)
{
	vec_foreach (const struct dest, d, &s->dests)
		if (strcmp(d->name, name) == 0)
			return d;
	return NULL;
}

/* "-A -t ADDR OPTIONS" begins a service; "-a -t ADDR -r DEST -m -w N" belongs to the last one. */
static void parse_line(struct arena *a, const char *line, services *ret)
{
	char flag[32], addr[64], dest[64];
	int at = 0;
	unsigned weight;
	if (sscanf(line, "-A %31s %63s %n", flag, addr, &at) == 2 && at)
		*vec_push(a, ret) = (struct vs){.name = arena_printf(a, "%s %s", flag, addr),
						.options = arena_strdup(a, line + at)};
	else if (ret->n > 0 &&
		 sscanf(line, "-a %31s %63s -r %63s -m -w %u", flag, addr, dest, &weight) == 4)
		*vec_push(a, &ret->v[ret->n - 1].dests) =
			(struct dest){arena_strdup(a, dest), weight};
}

static void parse(struct arena *a, const char *text, services *ret)
{
	char *copy = arena_strdup(a, text ? text : ""), *save = NULL;
	for (char *s = strtok_r(copy, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
		for (size_t n = strlen(s); n && s[n - 1] == ' '; n--)
			s[n - 1] = '\0';
		parse_line(a, s, ret);
	}
	if (ret->n > 0)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_name);
}

static void say(struct arena *a, struct ipvs_diff *d, const char *what, const struct vs *s,
		const char *how)
{
	*vec_push(a, &d->words) =
		arena_printf(a, "virtual service %s%s %s", s->name + 3, what, how);
}

static bool excluded(const struct ipvs_diff *d, const struct vs *s)
{
	char addr[IP4_STRLEN];
	ip4 ip;
	struct cidr net;
	if (!d->exclude || sscanf(s->name, "%*s %15[0-9.]", addr) != 1 || !ip4_parse(addr, &ip))
		return false;
	vec_foreach (const char *, text, d->exclude)
		if (cidr_parse(*text, &net) && cidr_has(net, ip))
			return true;
	return false;
}

/* UDP and SCTP go at once: their entries end with the next packet (expire_nodest_conn). */
static bool drains(struct ipvs_diff *d, const struct vs *s, const struct dest *old)
{
	bool busy =
		strncmp(s->name, "-t ", 3) == 0 && d->busy && d->busy(d->arg, s->name, old->name);
	d->draining += busy;
	return busy;
}

static void drop_dest(struct arena *a, struct ipvs_diff *d, const struct vs *s,
		      const struct dest *old, struct strbuf *out)
{
	if (old->weight > 0)
		say(a, d, arena_printf(a, " -> %s", old->name), s, "is not wanted");
	if (!drains(d, s, old))
		strbuf_addf(out, "-d %s -r %s\n", s->name, old->name);
	else if (old->weight > 0)
		strbuf_addf(out, "-e %s -r %s -m -w 0\n", s->name, old->name);
}

static void diff_dests(struct arena *a, struct ipvs_diff *d, const struct vs *have,
		       const struct vs *want, struct strbuf *out)
{
	vec_foreach (const struct dest, w, &want->dests) {
		const struct dest *h = have ? find_dest(have, w->name) : NULL;
		if (h && h->weight == w->weight)
			continue;
		strbuf_addf(out, "-%c %s -r %s -m -w %u\n", h ? 'e' : 'a', want->name, w->name,
			    w->weight);
		if (have)
			say(a, d, arena_printf(a, " -> %s", w->name), want,
			    h ? arena_printf(a, "weight %u, should be %u", h->weight, w->weight)
			      : "is missing");
	}
	for (size_t i = 0; have && i < have->dests.n; i++)
		if (!find_dest(want, have->dests.v[i].name))
			drop_dest(a, d, want, &have->dests.v[i], out);
}

void ipvs_diff(struct arena *a, struct ipvs_diff *d, const char *have, const char *want,
	       struct strbuf *out)
{
	services is = {0}, should = {0};
	parse(a, have, &is);
	parse(a, want, &should);
	vec_foreach (const struct vs, w, &should) {
		const struct vs *h = find(&is, w->name);
		if (!h || strcmp(h->options, w->options) != 0) {
			strbuf_addf(out, "-%c %s %s\n", h ? 'E' : 'A', w->name, w->options);
			say(a, d, "", w,
			    h ? arena_printf(a, "%s, should be %s", h->options, w->options)
			      : "is missing");
		}
		diff_dests(a, d, h, w, out);
	}
	vec_foreach (const struct vs, h, &is)
		if (!find(&should, h->name) && !excluded(d, h)) {
			strbuf_addf(out, "-D %s\n", h->name);
			say(a, d, "", h, "is not wanted");
		}
}

void ipvs_drained(struct arena *a, struct ipvs_diff *d, const char *have, const char *want,
		  struct strbuf *out)
{
	services is = {0}, should = {0};
	parse(a, have, &is);
	parse(a, want, &should);
	vec_foreach (const struct vs, h, &is) {
		const struct vs *w = find(&should, h->name);
		for (size_t i = 0; w && i < h->dests.n; i++) {
			const struct dest *old = &h->dests.v[i];
			if (old->weight == 0 && !find_dest(w, old->name) && !drains(d, h, old))
				strbuf_addf(out, "-d %s -r %s\n", h->name, old->name);
		}
	}
}
