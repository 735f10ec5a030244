/* SPDX-License-Identifier: MIT */
/* emit: adding steps and reasons to a recording; what the makers of steps share. */
#ifndef RECORDING_EMIT_H
#define RECORDING_EMIT_H

#include "lib/recording/normal.h"
#include "lib/recording/reduce.h"

/* What a tracepoint tells belongs to a packet only so soon after it was seen. */
#define SOON_NS 50000

/* A flight on its way, told step by step. */
struct walk {
	struct red *d;
	struct recording *r;
	struct arena *a;
	int flight;
	struct rec_hdr cur;  /* the packet as it is now */
	struct rec_hdr came; /* as it was when it came into this namespace */
};

/* A new step at the end; before = after = the packet as it is. Valid until the next one. */
struct rec_step *add_step(struct walk *w, enum rec_step_kind kind, int ns, int ifindex);
struct rec_step *last_step(struct walk *w);
/* When the flight was last seen at a device; 0 not yet. */
uint64_t last_seen(const struct walk *w);
/* A reason of the last step. Arguments are strings, ended by NULL. */
struct rec_reason *why(struct walk *w, enum rec_how how, const char *key, const char *text, ...)
	__attribute__((sentinel));
/* The note of the last step; a second one becomes a reason. */
void note(struct walk *w, const char *key, const char *text);
/* The TRY line of the last step; nothing when ns has no shell. expect is a regex of one line. */
void try_cmd(struct walk *w, int ns, const char *expect, const char *cmd, ...)
	__attribute__((format(printf, 4, 5)));
/* Text as a regex that matches it. */
const char *re_quote(struct arena *a, const char *s);
const char *num(struct walk *w, unsigned n);
const char *ip_text(struct walk *w, ip4 ip);
const char *mac_text(struct walk *w, struct mac m);

/* rules.c: why a rule does not match this packet: key of the sentence, and what is asked and what
 * is there. NULL when nothing simple says so (then "nomatch.unknown" is honest). */
struct rule_ctx {
	const struct recording *r;
	struct arena *a;
	int ns;
	const struct rec_hdr *h;
	const char *iif, *oif, *ctstate;
	uint32_t mark;
};
const char *rule_mismatch(const struct rule_ctx *c, const char *rule, const char **asked,
			  const char **has);
/* The value behind an option of a rule's text into buf. */
bool rule_option(const char *rule, const char *option, char *buf, size_t size);

/* rules_nft.c: the same for a rule of nft; and the element of a map that the packet found (by a
 * `vmap`), or NULL. */
const char *nft_mismatch(const struct rule_ctx *c, const struct rec_rule *x, const char **asked,
			 const char **has);
const struct rec_elem *nft_element(const struct rule_ctx *c, const struct rec_rule *x);

/* walkrules.c */
const struct rec_rule *rule_of(const struct recording *r, const struct rec_match *m);
/* Does this message end the packet's life here? */
bool match_drops(const struct recording *r, const struct rec_match *m);
bool match_rejects(const struct recording *r, const struct rec_match *m);
/* Is its base chain one that translates (table nat; of nft, type nat), one that filters? */
bool visit_is(const struct recording *r, const struct visit *v, const char *type);
/* The walk of a visit as reasons of the last step. */
void why_visit(struct walk *w, const struct visit *v, bool decisive);
/* Index in v->matches of the message that decided, -1. */
int visit_decides(const struct recording *r, const struct visit *v);

/* hooks.c: the visits of the flight at pos, inner or outer. next: the header seen after it, or
 * NULL. routed: a routing step belongs between. */
struct gap_in {
	int pos;
	const struct rec_sight *p, *n; /* the sighting before and the one after, same namespace */
	const struct rec_hdr *ph, *nh;
	int ns;
	bool routed;
};
/* Where a DNAT rule says it goes, when nothing was seen of it afterwards. */
void dnat_to(const struct rec_rule *x, struct rec_tuple *t);
void hooks_inner(struct walk *w, const struct gap_in *g);
void hooks_outer(struct walk *w, const struct gap_in *g);

/* steps.c: port to port of one bridge, without the bridge's own device being seen. */
void step_bridged(struct walk *w, const struct gap_in *g);

/* connect.c: conntrack entries as reasons. */
void why_ct_entry(struct walk *w, int ns, const struct rec_tuple *t);
bool why_ct_confirm(struct walk *w, int ns, const struct rec_tuple *t);
/* The entry whose answers look like t, or NULL. */
const struct rec_ct *ct_entry(const struct recording *r, int ns, const struct rec_tuple *t);
/* Was an entry made for it here? */
bool ct_has(struct walk *w, int ns, const struct rec_tuple *t);
const char *ct_text(struct arena *a, const struct rec_ct *c);

/* ipvs.c: the connection of IPVS that a packet to a virtual server, or an answer of a real one,
 * belongs to; and what ip_vs does with it at the end of this hook, as a step. */
const struct rec_ipvs *ipvs_forward(const struct recording *r, int ns, const struct rec_tuple *t);
const struct rec_ipvs *ipvs_reply(const struct recording *r, int ns, const struct rec_tuple *t);
void step_ipvs(struct walk *w, int ns, enum hook hook, const struct rec_ipvs *c);
void step_ipvs_undo(struct walk *w, int ns, const struct rec_ipvs *c);

/* relay.c: the first step of a relay's own connection, the last of the probe's at the relay; false:
 * it is none of these. */
bool relay_begin(struct walk *w, int ns);
bool relay_end(struct walk *w, int ns, int ifindex);

/* net.c */
/* ttl: behind it, as another saw it; 0 not known. */
void step_route(struct walk *w, const struct gap_in *g, uint8_t ttl);
/* A router on the way of a tunnel's outer packet. */
void step_route_outer(struct walk *w, const struct gap_in *g);
void why_route(struct walk *w, int ns, ip4 dst);
void why_neigh(struct walk *w, int ns, const struct rec_if *dev, ip4 hop);
void step_neigh(struct walk *w, const struct gap_in *g);
void step_tunnel(struct walk *w, const struct gap_in *g);
void why_decap(struct walk *w, int ns, const struct rec_hdr *outer, const struct rec_if *dev);
/* The gateway on the way from ns to dst, or dst itself. */
ip4 next_hop(const struct recording *r, int ns, ip4 dst);

#endif
