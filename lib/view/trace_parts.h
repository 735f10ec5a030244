/* SPDX-License-Identifier: MIT */
/*
 * trace_parts: the pieces every view of a recording is made of: names of places, packets, what
 * changed, reasons, times, as plain text in a language. Pure. The text is as it came in: who shows
 * it makes it safe for where it goes (term.h for terminals, html.h for pages).
 */
#ifndef VIEW_TRACE_PARTS_H
#define VIEW_TRACE_PARTS_H

#include "lib/base/strbuf.h"
#include "lib/recording/recording.h"
#include "lib/view/lang.h"

/* A namespace's name; of a pod without the random endings, unless two would be the same. -1: "?" */
void trace_ns(const struct recording *r, int ns, struct strbuf *out);
/* "pod nginx-... on node02" */
void trace_role(const struct recording *r, int ns, enum view_lang l, struct strbuf *out);
/* The device of a step, or NULL. */
const struct rec_if *trace_device(const struct recording *r, int ns, int ifindex);

/* "device cni0, coming in"; "netfilter, nat PREROUTING" */
void trace_place(const struct recording *r, const struct rec_step *s, enum view_lang l,
		 struct strbuf *out);
/* The same in a word or two: "cni0 in", "nat PREROUTING". */
void trace_place_short(const struct recording *r, const struct rec_step *s, enum view_lang l,
		       struct strbuf *out);
/* The namespace, the place, and what the device is. */
void trace_where(const struct recording *r, const struct rec_step *s, enum view_lang l,
		 struct strbuf *out);
/* The kind in words: "destination translated (DNAT)". */
void trace_title(const struct rec_step *s, enum view_lang l, struct strbuf *out);

/* "10.244.1.2:38770 -> 10.107.254.44:80  tcp SYN  ttl 64"; outer: the tunnel's. */
void trace_packet(const struct rec_hdr *h, bool outer, struct strbuf *out);
/* "VXLAN 1, 100.100.137.201 -> 100.100.137.202" */
void trace_tunnel(const struct rec_hdr *h, struct strbuf *out);
/* "destination address (10.107.254.44 -> 10.244.2.5), TTL (64 -> 63)"; false: nothing changed. */
bool trace_changes(const struct rec_hdr *before, const struct rec_hdr *after, enum view_lang l,
		   struct strbuf *out);

/* The sentence of a reason, without its tag. */
void trace_reason(const struct rec_reason *why, enum view_lang l, struct strbuf *out);
/* How a step is known: of the reason that decides, else of the first. */
enum rec_how trace_how(const struct rec_step *s);
/* The step in one line: what was translated, else the reason that decides, else the packet. */
void trace_gist(const struct rec_step *s, enum view_lang l, struct strbuf *out);
void trace_next(const struct rec_step *s, enum view_lang l, struct strbuf *out);
void trace_note(const struct rec_step *s, enum view_lang l, struct strbuf *out);
/* "labctl exec node/node01 -- ip route get 10.244.2.5"; nothing when there is none. */
void trace_try(const struct rec_step *s, struct strbuf *out);

/* "870 ns", "48 us", "1.2 ms", "3 s" */
void trace_span(int64_t ns, struct strbuf *out);
/* Of step i: "+48 us after step 3 (median of the timing runs: 31 us)". */
void trace_time(const struct recording *r, size_t i, enum view_lang l, struct strbuf *out);

/* "SYN, forward" */
void trace_flight(const struct rec_flight *f, enum view_lang l, struct strbuf *out);
void trace_verdict(const struct recording *r, enum view_lang l, struct strbuf *out);
/* Was anything lost while recording? */
bool trace_incomplete(const struct recording *r);
/* "busybox3", as asked for; "nginx:80 (10.107.254.44:80)" */
void trace_ends(const struct recording *r, struct strbuf *from, struct strbuf *to);
/* Names of the addresses that occur: "10.244.1.2 pod default/busybox3"; sep between them. */
void trace_names(const struct recording *r, const char *sep, struct strbuf *out);

#endif
