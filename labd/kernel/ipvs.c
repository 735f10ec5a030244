/* SPDX-License-Identifier: MIT */
/* See ipvs.h. */
#include "labd/kernel/ipvs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "labd/kernel/ipvs_nl.h"
#include "labd/kernel/proc_priv.h"
#include "lib/base/cleanup.h"
#include "lib/plan/ipvs_diff.h"

static int set_timeouts(int netns, const struct dns *ns, struct err *err)
{
	char tcp[16], fin[16], udp[16];
	const char *argv[] = {"ipvsadm", "--set", tcp, fin, udp, NULL};
	if (sscanf(ns->ipvs_timeouts, "%15s %15s %15s", tcp, fin, udp) != 3)
		return err_set(err, -EINVAL, "ipvs timeouts \"%s\"", ns->ipvs_timeouts);
	int r = proc_tool(netns, argv, "", 0, err);
	return r < 0 ? err_path(err, "%s: virtual services", ns->name) : 0;
}

static int restore(int netns, const struct dns *ns, const char *text, struct err *err)
{
	int r = ipvs_nl_restore(netns, text, err);
	return r < 0 ? err_path(err, "%s: virtual services", ns->name) : 0;
}

typedef void (*ipvs_how)(struct arena *a, struct ipvs_diff *d, const char *have, const char *want,
			 struct strbuf *out);

int ipvs_load(int netns, const struct dns *ns, struct err *err)
{
	int r = 0;
	if (ns->ipvs && *ns->ipvs)
		r = restore(netns, ns, ns->ipvs, err);
	if (r == 0 && ns->ipvs_timeouts)
		r = set_timeouts(netns, ns, err);
	return r;
}

int ipvs_save(int netns, struct strbuf *out, struct err *err)
{
	return ipvs_nl_save(netns, out, NULL, err);
}

/* Destinations that have connections: sorted lines "SERVICE DEST". */
struct busy {
	strs lines;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void read_busy(struct arena *a, char *text, struct busy *b)
{
	char *save = NULL;
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		*vec_push(a, &b->lines) = l;
	if (b->lines.n)
		qsort(b->lines.v, b->lines.n, sizeof(*b->lines.v), by_text);
}

static bool is_busy(void *arg, const char *service, const char *dest)
{
	const struct busy *b = arg;
	char line[128];
	const char *key = line;
	snprintf(line, sizeof(line), "%s %s", service, dest);
	return b->lines.n && bsearch(&key, b->lines.v, b->lines.n, sizeof(*b->lines.v), by_text);
}

/* What is there, what has connections, and from both to what should be by `how`. */
static int bring(int netns, const struct dns *ns, struct ipvs_diff *d, ipvs_how how,
		 struct err *err)
{
	_strbuf_ struct strbuf have = STRBUF_INIT, conns = STRBUF_INIT, text = STRBUF_INIT;
	_arena_ struct arena *a = arena_new();
	struct busy busy = {{0}};
	int r = ipvs_nl_save(netns, &have, &conns, err);
	if (r < 0)
		return err_path(err, "%s: virtual services", ns->name);
	if (conns.len)
		read_busy(a, conns.s, &busy);
	d->busy = is_busy;
	d->arg = &busy;
	how(a, d, strbuf_str(&have), ns->ipvs, &text);
	return text.len ? restore(netns, ns, strbuf_str(&text), err) : 0;
}

int ipvs_change(int netns, const struct dns *ns, const strs *exclude, unsigned *draining,
		struct err *err)
{
	struct ipvs_diff d = {.exclude = exclude};
	int r = bring(netns, ns, &d, ipvs_diff, err);
	*draining += d.draining;
	return r == 0 && ns->ipvs_timeouts ? set_timeouts(netns, ns, err) : r;
}

int ipvs_drain(int netns, const struct dns *ns, unsigned *draining, struct err *err)
{
	struct ipvs_diff d = {.exclude = NULL};
	int r = bring(netns, ns, &d, ipvs_drained, err);
	*draining += d.draining;
	return r;
}
