/* SPDX-License-Identifier: MIT */
/* See pcapng.h. */
#include "lib/view/pcapng.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/view/pcapng_blocks.h"
#include "lib/view/trace_parts.h"

struct writer {
	const struct recording *r;
	enum view_lang lang;
	struct strbuf *out;
	size_t *iface;	  /* of each sighting */
	uint64_t *packet; /* of each sighting */
	int *step;	  /* of each sighting; -1 */
	struct pcapng_count count;
	uint64_t id; /* the last packet id given */
};

static void section(struct writer *w)
{
	_strbuf_ struct strbuf text = STRBUF_INIT, lost = STRBUF_INIT, from = STRBUF_INIT,
			       to = STRBUF_INIT;
	trace_ends(w->r, &from, &to);
	lang_say(&text, w->lang, "ui.trace", strbuf_str(&from), strbuf_str(&to));
	strbuf_adds(&text, "; ");
	trace_verdict(w->r, w->lang, &text);
	if (trace_incomplete(w->r))
		lang_say(&lost, w->lang, "ui.incomplete-short");
	pcapng_section(w->out, &(struct pcapng_section){
				       .comments = {strbuf_str(&text), strbuf_str(&lost)},
				       .os = w->r->kernel,
				       .program = w->r->tool ? w->r->tool : "labctl trace"});
}

static void interface(struct writer *w, const struct rec_sight *s)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	const struct rec_if *i = trace_device(w->r, s->ns, s->ifindex);
	struct pcapng_if to = {.hatype = s->hatype};
	if (s->ns >= 0)
		strbuf_adds(&text, w->r->ns.v[s->ns].name);
	if (i)
		strbuf_addf(&text, "/%s", i->name);
	else
		strbuf_addf(&text, "/%d", s->ifindex);
	to.name = strbuf_str(&text);
	if (i) {
		to.description = i->kind;
		to.mac = i->mac;
	}
	pcapng_interface(w->out, &to);
}

/* One per device and link type, in the order in which they saw a frame. */
static void interfaces(struct writer *w)
{
	const struct rec_sight *v = w->r->sights.v;
	for (size_t i = 0; i < w->r->sights.n; i++) {
		size_t k = 0;
		while (k < i &&
		       (v[k].timing_run || v[k].ns != v[i].ns || v[k].ifindex != v[i].ifindex ||
			!pcapng_same_link(v[k].hatype, v[i].hatype)))
			k++;
		if (v[i].timing_run)
			continue;
		w->iface[i] = k < i ? w->iface[k] : w->count.interfaces++;
		if (k == i)
			interface(w, &v[i]);
	}
}

/* "pod default/web" is web: names in a capture have no blanks. */
static const char *host_name(const char *name)
{
	const char *blank = strrchr(name, ' '), *slash = strrchr(name, '/');
	const char *last = slash > blank ? slash : blank;
	return last ? last + 1 : name;
}

static void names(struct writer *w)
{
	_free_ struct pcapng_name *names = calloc(w->r->names.n + 1, sizeof(*names));
	size_t n = 0;
	if (!names)
		abort();
	vec_foreach (const struct rec_name, r, &w->r->names)
		names[n++] = (struct pcapng_name){r->ip, host_name(r->name)};
	pcapng_names(w->out, names, n);
}

/* What stays the same of a packet on all its way, whatever is translated or put around it. */
static bool same_packet(const struct rec_hdr *a, const struct rec_hdr *b)
{
	return a->inner.proto == b->inner.proto && a->seq == b->seq && a->ack == b->ack &&
	       a->tcp_flags == b->tcp_flags && a->ip_len == b->ip_len;
}

/* Packet ids from 1: flights first, then what belongs to no flight. */
static void packet_ids(struct writer *w)
{
	const struct recording *r = w->r;
	uint64_t base = w->id, loose = base + r->flights.n;
	w->id = loose;
	for (size_t i = 0; i < r->flights.n; i++)
		vec_foreach (const int, k, &r->flights.v[i].sights)
			if (*k >= 0 && (size_t)*k < r->sights.n)
				w->packet[*k] = base + i + 1;
	_free_ struct rec_hdr *h = calloc(r->sights.n + 1, sizeof(*h));
	if (!h)
		return;
	for (size_t i = 0; i < r->sights.n; i++) {
		const struct rec_sight *s = &r->sights.v[i];
		size_t k = 0;
		if (w->packet[i] || !s->data || !packet_parse(s->data, s->caplen, s->hatype, &h[i]))
			continue;
		while (k < i && (w->packet[k] <= loose || !same_packet(&h[k], &h[i])))
			k++;
		w->packet[i] = k < i ? w->packet[k] : ++w->id;
	}
	for (size_t i = 0; i < r->steps.n; i++)
		if (r->steps.v[i].sight >= 0)
			w->step[r->steps.v[i].sight] = (int)i;
}

/* "; SYN, forward; step 5 of 28 | destination translated (DNAT): destination address (a -> b)":
 * what happened since the sighting before. */
static void step_comment(struct writer *w, int at, struct strbuf *text)
{
	const struct recording *r = w->r;
	const struct rec_step *s = &r->steps.v[at];
	char no[24], of[24];
	snprintf(no, sizeof(no), "%d", at + 1);
	snprintf(of, sizeof(of), "%zu", r->steps.n);
	strbuf_adds(text, "; ");
	trace_flight(&r->flights.v[s->flight], w->lang, text);
	strbuf_adds(text, "; ");
	lang_say(text, w->lang, "ui.step-of", no, of);
	int from = at;
	while (from > 0 && r->steps.v[from - 1].sight < 0 &&
	       r->steps.v[from - 1].flight == s->flight)
		from--;
	for (int i = from; i < at; i++) {
		const struct rec_step *e = &r->steps.v[i];
		_strbuf_ struct strbuf what = STRBUF_INIT;
		strbuf_adds(text, " | ");
		trace_title(e, w->lang, text);
		if (e->has_before && e->has_after &&
		    trace_changes(&e->before, &e->after, w->lang, &what))
			strbuf_addf(text, ": %s", strbuf_str(&what));
	}
}

static void comment(struct writer *w, size_t i, struct strbuf *text)
{
	const struct rec_sight *s = &w->r->sights.v[i];
	struct rec_hdr h = {0};
	char no[24];
	snprintf(no, sizeof(no), "%llu", (unsigned long long)w->packet[i]);
	lang_say(text, w->lang, "ui.packet-no", no);
	if (w->step[i] >= 0)
		step_comment(w, w->step[i], text);
	else if (packet_parse(s->data, s->caplen, s->hatype, &h)) {
		strbuf_adds(text, "; ");
		trace_packet(&h, false, text);
	}
}

static void frame(struct writer *w, size_t i)
{
	const struct rec_sight *s = &w->r->sights.v[i];
	_strbuf_ struct strbuf text = STRBUF_INIT;
	comment(w, i, &text);
	pcapng_frame(w->out, &(struct pcapng_frame){.iface = (uint32_t)w->iface[i],
						    .t = s->t,
						    .data = s->data,
						    .caplen = s->caplen,
						    .len = s->len,
						    .outbound = s->tx,
						    .comment = strbuf_str(&text),
						    .id = w->packet[i]});
	w->count.frames++;
}

static int by_time(const void *x, const void *y, void *arg)
{
	const struct recording *r = arg;
	size_t i = *(const size_t *)x, k = *(const size_t *)y;
	uint64_t a = r->sights.v[i].t, b = r->sights.v[k].t;
	return a < b ? -1 : a > b ? 1 : i < k ? -1 : 1;
}

static void write_one(struct writer *w)
{
	const struct recording *r = w->r;
	size_t n = r->sights.n, known = w->count.interfaces;
	_free_ size_t *iface = calloc(n + 1, sizeof(*iface)),
		      *order = calloc(n + 1, sizeof(*order));
	_free_ uint64_t *packet = calloc(n + 1, sizeof(*packet));
	_free_ int *step = malloc((n + 1) * sizeof(*step));
	if (!iface || !order || !packet || !step)
		abort();
	for (size_t i = 0; i <= n; i++) {
		step[i] = -1;
		order[i] = i;
	}
	w->iface = iface;
	w->packet = packet;
	w->step = step;
	w->count.interfaces = 0; /* they count anew in each section */
	section(w);
	interfaces(w);
	names(w);
	packet_ids(w);
	qsort_r(order, n, sizeof(*order), by_time, (void *)r);
	for (size_t i = 0; i < n; i++)
		if (!r->sights.v[order[i]].timing_run && r->sights.v[order[i]].data)
			frame(w, order[i]);
	w->count.interfaces += known;
}

struct pcapng_count pcapng_write(const struct recording *r, enum view_lang l, struct strbuf *out)
{
	struct writer w = {.lang = l, .out = out};
	if (r->dns) {
		w.r = r->dns;
		write_one(&w);
	}
	w.r = r;
	write_one(&w);
	return w.count;
}
