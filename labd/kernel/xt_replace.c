/* SPDX-License-Identifier: MIT */
/* See xt_replace.h. */
#include "labd/kernel/xt_replace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/ipset/ip_set.h>
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

bool xt_replace(const struct dns *ns, const char *lock)
{
	_arena_ struct arena *a = arena_new();
	const char **texts = arena_new_array(a, const char *, ns->rules.n + 1);
	struct xt_blobs blobs;
	for (size_t i = 0; i < ns->rules.n; i++)
		texts[i] = ns->rules.v[i].text;
	_close_ int sock = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	_close_ int held = open(lock, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	if (sock < 0 || held < 0 || flock(held, LOCK_EX) < 0)
		return false;
	return xt_encode(a, texts, ns->rules.n, set_index, &sock, &blobs) &&
	       write_all_tables(a, sock, &blobs);
}
