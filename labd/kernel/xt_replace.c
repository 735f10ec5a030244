/* SPDX-License-Identifier: MIT */
/* See xt_replace.h. */
#include "labd/kernel/xt_replace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "labd/kernel/xt_blob.h"
#include "lib/base/cleanup.h"

/* What xt_blob.c asks the kernel through. */
struct ask {
	struct arena *a;
	int sock;
	struct xt_have have[XT_TABLES]; /* in the order in which they were asked for */
	size_t n;
};

static int set_index(void *arg, const char *name)
{
	const struct ask *ask = arg;
	struct ip_set_req_get_set req = {.op = IP_SET_OP_GET_BYNAME, .version = IPSET_PROTOCOL};
	socklen_t len = sizeof(req);
	if (strlen(name) >= sizeof(req.set.name))
		return -ENAMETOOLONG;
	memcpy(req.set.name, name, strlen(name) + 1);
	if (getsockopt(ask->sock, IPPROTO_IP, SO_IP_SET, &req, &len) < 0)
		return -errno;
	return req.set.index == IPSET_INVALID_ID ? -ENOENT : req.set.index;
}

static bool get_info(int sock, const char *name, struct ipt_getinfo *info)
{
	socklen_t len = sizeof(*info);
	*info = (struct ipt_getinfo){0};
	memcpy(info->name, name, strlen(name) + 1);
	return getsockopt(sock, IPPROTO_IP, IPT_SO_GET_INFO, info, &len) == 0;
}

/* A table's entries, in the arena. */
static bool get_table(struct arena *a, int sock, const char *name, struct xt_have *ret)
{
	if (!get_info(sock, name, &ret->info))
		return false;
	socklen_t len = (socklen_t)(sizeof(struct ipt_get_entries) + ret->info.size);
	ret->entries = (void *)arena_new_array(a, uint64_t, (len + 7) / 8);
	memcpy(ret->entries->name, name, strlen(name) + 1);
	ret->entries->size = ret->info.size;
	return getsockopt(sock, IPPROTO_IP, IPT_SO_GET_ENTRIES, ret->entries, &len) == 0;
}

static bool have_table(void *arg, const char *name, struct xt_have *ret)
{
	struct ask *ask = arg;
	if (!get_table(ask->a, ask->sock, name, ret))
		return false;
	ask->have[ask->n++] = *ret;
	return true;
}

/* The kernel's own error entry and one policy per hook: what a table is born with. */
static bool pristine(int sock, const char *name, struct ipt_getinfo *info)
{
	return get_info(sock, name, info) &&
	       info->num_entries == (unsigned)__builtin_popcount(info->valid_hooks) + 1;
}

/* The kernel hands back the counters of the entries it drops. */
static bool write_table(int sock, struct xt_blob *b, unsigned dropped)
{
	_free_ struct xt_counters *counters = calloc(dropped ? dropped : 1, sizeof(*counters));
	b->replace->num_counters = dropped;
	b->replace->counters = counters;
	bool ok = counters && setsockopt(sock, IPPROTO_IP, IPT_SO_SET_REPLACE, b->replace,
					 (socklen_t)b->size) == 0;
	b->replace->counters = NULL;
	return ok;
}

/* Back to what was there before; the program will find the same reason not to take the rest. */
static void take_back(struct arena *a, int sock, const struct xt_blobs *done, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct xt_blob empty;
		if (xt_encode_empty(a, done->v[i].replace->name, &empty))
			write_table(sock, &empty, done->v[i].replace->num_entries);
	}
}

static bool write_all_tables(struct arena *a, int sock, struct xt_blobs *b)
{
	struct ipt_getinfo info[XT_TABLES];
	for (size_t i = 0; i < b->n; i++)
		if (!pristine(sock, b->v[i].replace->name, &info[i]) ||
		    info[i].valid_hooks != b->v[i].replace->valid_hooks)
			return false;
	for (size_t i = 0; i < b->n; i++) {
		if (!write_table(sock, &b->v[i], info[i].num_entries)) {
			take_back(a, sock, b, i);
			return false;
		}
	}
	return true;
}

static const char **texts_of(struct arena *a, const struct dns *ns)
{
	const char **texts = arena_new_array(a, const char *, ns->rules.n + 1);
	for (size_t i = 0; i < ns->rules.n; i++)
		texts[i] = ns->rules.v[i].text;
	return texts;
}

static int raw_socket(void)
{
	return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
}

static int take_lock(const char *path)
{
	_close_ int held = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	return held >= 0 && flock(held, LOCK_EX) == 0 ? take_fd(&held) : -1;
}

bool xt_replace(const struct dns *ns, const char *lock)
{
	_arena_ struct arena *a = arena_new();
	struct xt_blobs blobs;
	_close_ int sock = raw_socket();
	_close_ int held = take_lock(lock);
	struct ask ask = {.a = a, .sock = sock};
	return sock >= 0 && held >= 0 &&
	       xt_encode(a, texts_of(a, ns), ns->rules.n, set_index, &ask, &blobs) &&
	       write_all_tables(a, sock, &blobs);
}

/* ---- changing -------------------------------------------------------------------------------- */

/* The program's way: the new table counts from nothing, then what the old one had counted is added
 * to the entries that are still there. */
static bool change_table(struct arena *a, int sock, struct xt_blob *b, unsigned dropped)
{
	struct ipt_replace *r = b->replace;
	struct xt_counters *old = arena_new_array(a, struct xt_counters, dropped + 1);
	const socklen_t size = (socklen_t)(sizeof(struct xt_counters_info) +
					   r->num_entries * sizeof(struct xt_counters));
	struct xt_counters_info *add = (void *)arena_new_array(a, uint64_t, (size + 7) / 8);
	r->num_counters = dropped;
	r->counters = old;
	if (setsockopt(sock, IPPROTO_IP, IPT_SO_SET_REPLACE, r, (socklen_t)b->size) < 0)
		return false;
	memcpy(add->name, r->name, sizeof(add->name));
	add->num_counters = r->num_entries;
	for (unsigned i = 0; i < r->num_entries; i++)
		if (b->was[i] >= 0)
			add->counters[i] = old[b->was[i]];
	/* Without them the rules are right all the same. */
	setsockopt(sock, IPPROTO_IP, IPT_SO_SET_ADD_COUNTERS, add, size);
	return true;
}

/* As it was before change_table(), but for its counters. */
static void change_back(struct arena *a, int sock, const struct xt_have *h, unsigned dropped)
{
	size_t size = sizeof(struct ipt_replace) + h->info.size;
	struct xt_blob b = {.replace = (void *)arena_new_array(a, uint64_t, (size + 7) / 8),
			    .size = size};
	struct ipt_replace *r = b.replace;
	memcpy(r->name, h->info.name, sizeof(r->name));
	r->valid_hooks = h->info.valid_hooks;
	r->num_entries = h->info.num_entries;
	r->size = h->info.size;
	memcpy(r->hook_entry, h->info.hook_entry, sizeof(r->hook_entry));
	memcpy(r->underflow, h->info.underflow, sizeof(r->underflow));
	memcpy(r->entries, h->entries->entrytable, h->info.size);
	write_table(sock, &b, dropped);
}

bool xt_change(const struct dns *ns, const char *lock)
{
	_arena_ struct arena *a = arena_new();
	struct xt_blobs blobs;
	_close_ int sock = raw_socket();
	_close_ int held = take_lock(lock);
	struct ask ask = {.a = a, .sock = sock};
	if (sock < 0 || held < 0 ||
	    !xt_edit(a, texts_of(a, ns), ns->rules.n, set_index, have_table, &ask, &blobs))
		return false;
	for (size_t i = 0; i < blobs.n; i++) {
		if (change_table(a, sock, &blobs.v[i], ask.have[i].info.num_entries))
			continue;
		while (i-- > 0)
			change_back(a, sock, &ask.have[i], blobs.v[i].replace->num_entries);
		return false;
	}
	return true;
}

/* ---- comparing --------------------------------------------------------------------------------
 */

/* The same entry but for what it has counted, and what the program and the kernel note in it. */
static bool same_entry(const struct ipt_entry *a, const struct ipt_entry *b)
{
	return memcmp(&a->ip, &b->ip, sizeof(a->ip)) == 0 && a->target_offset == b->target_offset &&
	       a->next_offset == b->next_offset &&
	       memcmp(a + 1, b + 1, a->next_offset - sizeof(*a)) == 0;
}

static bool same_hooks(const struct ipt_getinfo *info, const struct ipt_replace *w)
{
	bool same = info->valid_hooks == w->valid_hooks;
	for (int h = 0; same && h < NF_INET_NUMHOOKS; h++)
		same = !(w->valid_hooks & 1u << h) || (info->hook_entry[h] == w->hook_entry[h] &&
						       info->underflow[h] == w->underflow[h]);
	return same;
}

static bool same_table(struct arena *a, int sock, const struct xt_blob *want)
{
	const struct ipt_replace *w = want->replace;
	struct xt_have have;
	if (!get_info(sock, w->name, &have.info) || have.info.size != w->size ||
	    have.info.num_entries != w->num_entries || !same_hooks(&have.info, w) ||
	    !get_table(a, sock, w->name, &have) || have.info.size != w->size)
		return false;
	for (unsigned at = 0; at < w->size;) {
		const struct ipt_entry *e = (const void *)((const char *)w->entries + at);
		if (!same_entry(e, (const void *)((const char *)have.entries->entrytable + at)))
			return false;
		at += e->next_offset;
	}
	return true;
}

/* The tables that somebody has asked for in this namespace: all others are empty. */
static bool others_empty(int sock, const struct xt_blobs *b)
{
	_fclose_ FILE *f = fopen("/proc/thread-self/net/ip_tables_names", "re");
	char name[XT_TABLE_MAXNAMELEN + 2];
	struct ipt_getinfo info;
	while (f && fgets(name, sizeof(name), f)) {
		bool ours = false;
		name[strcspn(name, "\n")] = '\0';
		for (size_t i = 0; i < b->n; i++)
			ours |= strcmp(b->v[i].replace->name, name) == 0;
		if (!ours && !pristine(sock, name, &info))
			return false;
	}
	return f;
}

bool xt_unchanged(const struct dns *ns)
{
	_arena_ struct arena *a = arena_new();
	struct xt_blobs blobs;
	_close_ int sock = raw_socket();
	struct ask ask = {.a = a, .sock = sock};
	bool same = sock >= 0 &&
		    xt_encode(a, texts_of(a, ns), ns->rules.n, set_index, &ask, &blobs) &&
		    others_empty(sock, &blobs);
	for (size_t i = 0; same && i < blobs.n; i++)
		same = same_table(a, sock, &blobs.v[i]);
	return same;
}
