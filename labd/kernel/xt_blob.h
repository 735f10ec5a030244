/* SPDX-License-Identifier: MIT */
/*
 * xt_blob: rules as the kernel's legacy ip_tables keeps them. Text for iptables-restore --noflush,
 * applied to empty tables, becomes the tables' bytes (`struct ipt_replace`, ip_tables.h), which one
 * setsockopt writes: 0.1 ms where the program takes 3 ms, two thirds of it to start.
 *
 * Pure but for one question: the kernel's number of an ipset's name, asked through a function.
 * Knows what kube-proxy, flannel and Calico write and no more. Whatever it does not know, or would
 * refuse, is not its business: the caller gives the text to iptables-restore, which is the
 * reference and has the words for an error.
 */
#ifndef KERNEL_XT_BLOB_H
#define KERNEL_XT_BLOB_H

#include <net/if.h> /* before the kernel's, which know them then */
#include <netinet/in.h>

#include <linux/netfilter_ipv4/ip_tables.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/arena.h"

/* One table as setsockopt(IPT_SO_SET_REPLACE) wants it; num_counters and counters are the caller's
 * to fill. */
struct xt_blob {
	struct ipt_replace *replace;
	size_t size; /* of all of it */
	int *was;    /* by entry: its number in the table that was edited, -1 none */
};

#define XT_TABLES 4
/* Those that the texts name, in the order of their first mention. */
struct xt_blobs {
	struct xt_blob v[XT_TABLES];
	size_t n;
};

/* The kernel's index of an ipset in the namespace of the rules, or a negative errno. */
typedef int (*xt_set_index_fn)(void *arg, const char *name);

/* Encode the texts one after the other. False: something in them is not known here. */
bool xt_encode(struct arena *a, const char *const *texts, size_t n, xt_set_index_fn set_index,
	       void *arg, struct xt_blobs *ret);
/* A table as the kernel has it. */
struct xt_have {
	struct ipt_getinfo info;
	struct ipt_get_entries *entries;
};
typedef bool (*xt_have_fn)(void *arg, const char *table, struct xt_have *ret);

/* The same, the texts applied to what `have` says of each table: "-I" takes a number, "-X" is
 * known,
 * "-D" is not. */
bool xt_edit(struct arena *a, const char *const *texts, size_t n, xt_set_index_fn set_index,
	     xt_have_fn have, void *arg, struct xt_blobs *ret);
/* The table as it is before anybody wrote to it. False: no such table. */
bool xt_encode_empty(struct arena *a, const char *table, struct xt_blob *ret);

#endif
