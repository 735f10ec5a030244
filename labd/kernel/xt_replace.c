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

/* The kernel's own error entry and one policy per hook: what a table is born with. */
static bool pristine(int sock, const char *name, struct ipt_getinfo *info)
{
	socklen_t len = sizeof(*info);
	*info = (struct ipt_getinfo){0};
	memcpy(info->name, name, strlen(name) + 1);
	return getsockopt(sock, IPPROTO_IP, IPT_SO_GET_INFO, info, &len) == 0 &&
	       info->num_entries == (unsigned)__builtin_popcount(info->valid_hooks) + 1;
}

static int set_index(void *arg, const char *name)
{
	int sock = *(int *)arg;
	struct ip_set_req_get_set req = {.op = IP_SET_OP_GET_BYNAME, .version = IPSET_PROTOCOL};
	socklen_t len = sizeof(req);
	if (strlen(name) >= sizeof(req.set.name))
		return -ENAMETOOLONG;
	memcpy(req.set.name, name, strlen(name) + 1);
	if (getsockopt(sock, IPPROTO_IP, SO_IP_SET, &req, &len) < 0)
		return -errno;
	return req.set.index == IPSET_INVALID_ID ? -ENOENT : req.set.index;
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

static bool encode(struct arena *a, const struct dns *ns, int *sock, struct xt_blobs *ret)
{
	const char **texts = arena_new_array(a, const char *, ns->rules.n + 1);
	for (size_t i = 0; i < ns->rules.n; i++)
		texts[i] = ns->rules.v[i].text;
	*sock = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	return *sock >= 0 && xt_encode(a, texts, ns->rules.n, set_index, sock, ret);
}

bool xt_replace(const struct dns *ns, const char *lock)
{
	_arena_ struct arena *a = arena_new();
	struct xt_blobs blobs;
	_close_ int sock = -1;
	_close_ int held = open(lock, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	if (held < 0 || flock(held, LOCK_EX) < 0)
		return false;
	return encode(a, ns, &sock, &blobs) && write_all_tables(a, sock, &blobs);
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
	struct ipt_getinfo info;
	socklen_t len = sizeof(info);
	info = (struct ipt_getinfo){0};
	memcpy(info.name, w->name, sizeof(info.name));
	if (getsockopt(sock, IPPROTO_IP, IPT_SO_GET_INFO, &info, &len) < 0 ||
	    info.size != w->size || info.num_entries != w->num_entries || !same_hooks(&info, w))
		return false;
	len = (socklen_t)(sizeof(struct ipt_get_entries) + info.size);
	struct ipt_get_entries *have = (void *)arena_new_array(a, uint64_t, (len + 7) / 8);
	memcpy(have->name, w->name, sizeof(have->name));
	have->size = info.size;
	if (getsockopt(sock, IPPROTO_IP, IPT_SO_GET_ENTRIES, have, &len) < 0)
		return false;
	for (unsigned at = 0; at < info.size;) {
		const struct ipt_entry *e = (const void *)((const char *)w->entries + at);
		if (!same_entry(e, (const void *)((const char *)have->entrytable + at)))
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
	_close_ int sock = -1;
	bool same = encode(a, ns, &sock, &blobs) && others_empty(sock, &blobs);
	for (size_t i = 0; same && i < blobs.n; i++)
		same = same_table(a, sock, &blobs.v[i]);
	return same;
}
