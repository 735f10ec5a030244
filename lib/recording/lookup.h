/* SPDX-License-Identifier: MIT */
/* lookup: questions to the snapshot and to the asked-again answers. Never fails: NULL is "not
 * known". Shared within this room. */
#ifndef RECORDING_LOOKUP_H
#define RECORDING_LOOKUP_H

#include "lib/recording/recording.h"

const struct rec_ns *ns_at(const struct recording *r, int ns);
const char *ns_name(const struct recording *r, int ns);
bool ns_is(const struct recording *r, int ns, const char *role);
const struct rec_if *if_at(const struct recording *r, int ns, int ifindex);
const struct rec_if *if_named(const struct rec_ns *n, const char *name);
/* Its name, or "if7". */
const char *if_name(const struct recording *r, int ns, int ifindex);
bool if_is(const struct recording *r, int ns, int ifindex, const char *kind);
/* The bridge that this device is a port of, or NULL. */
const struct rec_if *if_master(const struct recording *r, int ns, int ifindex);
bool is_tunnel(const struct rec_if *i);

bool addr_is_local(const struct rec_ns *n, ip4 ip);
/* The namespace (not fabric) that has this address; -1 none. The pod's or host's own, not a node's
 * tunnel device: addresses of any device count. */
int ns_of_addr(const struct recording *r, ip4 ip);
/* The device of n that has the address, or NULL. */
const struct rec_if *if_with_addr(const struct rec_ns *n, ip4 ip);

const char *sysctl_value(const struct rec_ns *n, const char *key_end);
/* bridge-nf-call-iptables: 1 on, 0 off, -1 not known. */
int bridge_nf(const struct rec_ns *n);

/* Longest prefix among the main table's route lines ("10.244.2.0/24 via ..."); NULL none. */
const char *route_line(const struct rec_ns *n, ip4 dst);
/* The word after `word` in a line ("dev", "via") into buf; false when there is none. */
bool line_word(const char *line, const char *word, char *buf, size_t size);
/* The first word of a line is `word`, possibly behind the type ("blackhole 10.0.0.0/8"). */
bool line_starts(const char *line, const char *word);

const struct rec_ask *ask_ip(const struct recording *r, const char *what, int ns, ip4 ip);
const struct rec_ask *ask_mac(const struct recording *r, const char *what, int ns, struct mac mac);
const struct rec_neigh *neigh_at(const struct rec_ns *n, int ifindex, ip4 ip);
const struct rec_fdb *fdb_at(const struct rec_ns *n, int ifindex, struct mac mac);

bool streq(const char *a, const char *b); /* NULL equals nothing */
bool same_mac(struct mac a, struct mac b);

#endif
