/* SPDX-License-Identifier: MIT */
/* See observe.h. */
#include "labd/lab/observe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "labd/kernel/ipvs.h"
#include "labd/kernel/net.h"
#include "labd/kernel/nft.h"
#include "labd/kernel/nlbatch.h"
#include "labd/kernel/proc_programs.h"
#include "labd/kernel/sysctl.h"
#include "labd/kernel/xt_save.h"
#include "labd/lab/ruleset.h"
#include "lib/base/cleanup.h"
#include "lib/plan/ipvs_diff.h"
#include "lib/plan/nft_diff.h"

#define BIRD_MOMENT_MS 20
#define BIRD_LOOKS     5

static int read_sysctls(struct arena *a, int netns, const struct dns *want, struct dns *have,
			struct err *err)
{
	_nlns_ struct nlns home = NLNS_INIT;
	_sysctl_ struct sysctl s = SYSCTL_INIT;
	int r = want->sysctls.n ? nlns_enter(&home, netns, err) : 0;
	if (r < 0)
		return r;
	sysctl_next(&s);
	vec_foreach (const struct dsysctl, w, &want->sysctls) {
		char value[256];
		struct dsysctl h = *w;
		struct err ignored;
		if (sysctl_get(&s, w->key, value, sizeof(value), &ignored) == 0)
			h.value = arena_strdup(a, value);
		else if (!w->optional)
			continue;
		*vec_push(a, &have->sysctls) = h;
	}
	return 0;
}

static struct dipset *set_named(struct dns *ns, const char *name)
{
	vec_foreach (struct dipset, s, &ns->ipsets)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

/* "create NAME TYPE OPTIONS", "add NAME MEMBER" */
static void read_set_line(struct arena *a, struct dns *have, char *line)
{
	char *save = NULL, *verb = strtok_r(line, " ", &save), *name = strtok_r(NULL, " ", &save);
	char *rest = strtok_r(NULL, "", &save);
	if (!verb || !name || !rest)
		return;
	if (strcmp(verb, "create") == 0) {
		*vec_push(a, &have->ipsets) =
			(struct dipset){.name = name, .type = rest, .options = ""};
	} else if (strcmp(verb, "add") == 0) {
		struct dipset *s = set_named(have, name);
		if (s)
			*vec_push(a, &s->members) = rest;
	}
}

static int read_ipsets(struct arena *a, int netns, const struct dns *want, struct dns *have,
		       struct err *err)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	if (!want->ipsets.n)
		return 0;
	int r = xt_ipset_save(netns, &text, err);
	if (r < 0)
		return r;
	char *save = NULL, *all = arena_strdup(a, strbuf_str(&text));
	for (char *l = strtok_r(all, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		read_set_line(a, have, l);
	return 0;
}

static int compare_rules(struct arena *a, struct site *s, int i, struct delta *d, struct err *err)
{
	const struct dns *ns = &s->lab.desired->ns.v[i];
	_strbuf_ struct strbuf is = STRBUF_INIT, should = STRBUF_INIT, text = STRBUF_INIT;
	struct ruleset have = {.arena = a}, want = {.arena = a};
	struct ruleset_words words = {0};
	const enum ipt_backend backend = store_backend(s->e, &s->lab);
	if ((ns->kind != DNS_NODE && !ns->rules.n) || xt_has(s->netns[i], ns, backend))
		return 0;
	int r = xt_save(s->netns[i], backend, &is, err);
	if (r >= 0)
		r = xt_expected(ns, backend, s->lab.dir, &should, err);
	if (r < 0)
		return r;
	ruleset_add(&have, strbuf_str(&is));
	ruleset_add(&want, strbuf_str(&should));
	ruleset_diff(&have, &want, RULESET_KERNEL, &text, &words);
	vec_foreach (const char *, w, &words.own)
		delta_say(d, false, "%s", *w);
	vec_foreach (const char *, w, &words.foreign)
		delta_say(d, true, "%s", *w);
	if (text.len)
		*vec_push(a, &d->add.rules) =
			(struct drules){.owner = "lab", .text = arena_strdup(a, strbuf_str(&text))};
	return 0;
}

static int compare_nft(struct arena *a, struct site *s, int i, struct delta *d, struct err *err)
{
	const struct dns *want = &s->lab.desired->ns.v[i];
	_strbuf_ struct strbuf is = STRBUF_INIT;
	strs words = {0};
	int r = nft_save(s->netns[i], &is, err);
	if (r < 0)
		return r;
	nft_diff(a, strbuf_str(&is), want->nft, &words);
	vec_foreach (const char *, w, &words)
		delta_say(d, false, "table ip kube-proxy: %s", *w);
	if (words.n)
		d->add.nft = want->nft;
	return 0;
}

static int compare_ipvs(struct arena *a, struct site *s, int i, struct delta *d, struct err *err)
{
	const struct dns *want = &s->lab.desired->ns.v[i];
	_strbuf_ struct strbuf is = STRBUF_INIT, text = STRBUF_INIT;
	struct ipvs_diff diff = {.exclude = &s->lab.desired->cluster->proxy.exclude_cidrs};
	int r = ipvs_save(s->netns[i], &is, err);
	if (r < 0)
		return r;
	ipvs_diff(a, &diff, strbuf_str(&is), want->ipvs, &text);
	vec_foreach (const char *, w, &diff.words)
		delta_say(d, false, "%s", *w);
	if (diff.words.n)
		d->add.ipvs = want->ipvs;
	return 0;
}

/* kube-proxy's other modes. */
static int compare_services(struct arena *a, struct site *s, int i, struct delta *d,
			    struct err *err)
{
	const struct dns *want = &s->lab.desired->ns.v[i];
	int r = want->nft ? compare_nft(a, s, i, d, err) : 0;
	if (r >= 0 && want->ipvs)
		r = compare_ipvs(a, s, i, d, err);
	return r;
}

/* Those that their first process has left ended, by their restart policy or for their back-off. */
static size_t resting(const struct nsproc *p)
{
	struct program_status v[PROC_PROGRAMS_MAX];
	size_t n = proc_programs(p->pid, v, PROC_PROGRAMS_MAX), rest = 0;
	for (size_t i = 0; i < n; i++)
		rest += v[i].state != PROGRAM_RUNNING;
	return rest;
}

/* Programs are counted: the first process's children. */
static void count_programs(const struct nsproc *p, const struct dns *want, struct delta *d)
{
	char path[64], buf[4096];
	size_t n = 0;
	if (!want->procs.n || !p->pid)
		return;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)p->pid, (int)p->pid);
	_fclose_ FILE *f = fopen(path, "re");
	if (!f)
		return;
	size_t len = fread(buf, 1, sizeof(buf) - 1, f);
	buf[len] = '\0';
	for (size_t k = 0; k < len; k++)
		n += buf[k] == ' ';
	if (n >= want->procs.n || n + resting(p) >= want->procs.n)
		return;
	delta_say(d, false, "%zu of %zu programs run", n, want->procs.n);
	vec_foreach (const struct dproc, w, &want->procs)
		*vec_push(d->arena, &d->start) = w;
}

static int compare_net(struct arena *a, struct site *s, int i, struct delta *ret, struct err *err)
{
	const struct dns *want = &s->lab.desired->ns.v[i];
	struct dns have;
	int r = net_observe(a, s->netns[i], &have, err);
	if (r >= 0)
		r = read_sysctls(a, s->netns[i], want, &have, err);
	if (r >= 0)
		r = read_ipsets(a, s->netns[i], want, &have, err);
	if (r >= 0)
		delta_build(a, &have, want, DELTA_KERNEL, ret);
	return r;
}

/* BIRD replaces a route that its peer tells anew by deleting it and adding it again, 0.1 to 3 ms
 * later: one that seems to be missing is looked for again. */
static int compare_calm(struct arena *a, struct site *s, int i, struct delta *ret, struct err *err)
{
	const struct timespec moment = {.tv_nsec = BIRD_MOMENT_MS * 1000000L};
	int r = compare_net(a, s, i, ret, err);
	if (s->lab.cluster->routing != ROUTING_BIRD)
		return r;
	for (int n = 0; r >= 0 && n < BIRD_LOOKS && ret->add.routes.n; n++) {
		nanosleep(&moment, NULL);
		r = compare_net(a, s, i, ret, err);
	}
	return r;
}

int observe_ns(struct arena *a, struct site *s, int i, struct delta *ret, struct err *err)
{
	const struct dns *want = &s->lab.desired->ns.v[i];
	int r = compare_calm(a, s, i, ret, err);
	if (r < 0)
		return err_wrap(err, "%s", want->name);
	count_programs(&s->procs[i], want, ret);
	r = compare_services(a, s, i, ret, err);
	if (r >= 0)
		r = compare_rules(a, s, i, ret, err);
	return r < 0 ? err_wrap(err, "%s", want->name) : 0;
}
