/* SPDX-License-Identifier: MIT */
/*
 * kernel_state: what the kernel has of an object, place by place: lines of what the usual programs
 * print, picked by lib/plan/made.h, and where that differs from what it should be, in words. For
 * `describe`. Nothing is decided or changed here.
 */
#ifndef LAB_KERNEL_STATE_H
#define LAB_KERNEL_STATE_H

#include "labd/lab/site.h"
#include "lib/plan/made.h"

struct kpart {
	const char *title;   /* "rules of table nat" */
	const char *command; /* which shows it, as typed there */
	strs lines;
};

struct kplace {
	const char *kind, *name; /* "node" "node01" */
	vec_of(struct kpart) parts;
	strs drift;	  /* in words, as diff has them */
	const char *gone; /* why there is nothing, or NULL */
};
typedef vec_of(struct kplace) kplaces;

/* Texts are in the arena. What cannot be read of a place is left out (a kernel without ipsets has
 * none to show). */
int kernel_state(struct arena *a, struct site *s, const struct journal *j, const struct made *m,
		 kplaces *ret, struct err *err);

/* ---- picking, pure, for tests ---- */

/* The lines of iptables-save's text that are of it, "table" in front of the part's title. */
void pick_rules(struct arena *a, const char *text, const struct made_in *m, struct kplace *ret);
/* The virtual servers (ipvsadm -Ln) at one of its addresses, or with a destination there. */
void pick_virtual(struct arena *a, const char *text, const struct made_in *m, strs *ret);
/* Of nft's table: its chains whole, of others and of maps the lines that name it. */
void pick_nft(struct arena *a, const char *text, const struct made_in *m, strs *ret);
/* Connection tracking entries that were begun to one of its addresses and ports. */
void pick_flows(struct arena *a, const char *text, const struct made_in *m, strs *ret);

#endif
