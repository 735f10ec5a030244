/* SPDX-License-Identifier: MIT */
/*
 * xt: see xt.h. The texts of a namespace that end with COMMIT are given to one iptables-restore one
 * after the other: each COMMIT is a transaction of its own, so the result is that of separate
 * calls at the price of one exec (two thirds of a small restore). When the program refuses, the
 * line it names is looked up in our text again.
 */
#include "labd/kernel/xt.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "labd/kernel/nlbatch.h"
#include "labd/kernel/xt_replace.h"
#include "labd/kernel/xt_tool.h"
#include "lib/base/arena.h"
#include "lib/base/strbuf.h"

#define JOBS_MAX   16
#define SWAP_SET   "labd-swap" /* a set that exists only while ipset restore runs */
#define QUOTED_MAX 200	       /* of an offending line */

/* One call of iptables-restore: drules [first, end) of a namespace. */
struct call {
	const struct dns *ns;
	size_t first, end;
	struct tool tool;
};

static const char *restore_program(enum ipt_backend backend)
{
	return backend == IPT_NFT ? "iptables-nft-restore" : "iptables-legacy-restore";
}

static bool ends_with_commit(const char *text)
{
	static const char commit[] = "COMMIT";
	size_t n = strlen(text), m = sizeof(commit) - 1;
	while (n && isspace((unsigned char)text[n - 1]))
		n--;
	return n >= m && memcmp(text + n - m, commit, m) == 0 &&
	       (n == m || text[n - m - 1] == '\n');
}

/* The texts of the call that starts at `first`: as many as can share it. */
static size_t call_end(const struct dns *ns, size_t first)
{
	size_t i = first;
	while (i < ns->rules.n && ends_with_commit(ns->rules.v[i].text))
		i++;
	return i == first ? first + 1 : i;
}

static void add_text(struct strbuf *b, const char *text)
{
	size_t n = strlen(text);
	strbuf_add(b, text, n);
	if (n && text[n - 1] != '\n')
		strbuf_addc(b, '\n');
}

/* The number in "line 7 failed", "line 4: ...", "Error occurred at line: 5"; 0: none. */
static unsigned line_number(const char *text)
{
	for (const char *p = strstr(text, "line"); p; p = strstr(p + 4, "line")) {
		const char *q = p + 4;
		q += strspn(q, ": ");
		if (q != p + 4 && isdigit((unsigned char)*q))
			return (unsigned)strtoul(q, NULL, 10);
	}
	return 0;
}

/* Line n (from 1) of what the call was given: its text and whose it is. */
static bool find_line(const struct call *c, unsigned n, const char **owner, char *buf, size_t size)
{
	for (size_t i = c->first; n && i < c->end; i++) {
		const char *p = c->ns->rules.v[i].text;
		while (*p) {
			size_t len = strcspn(p, "\n");
			if (--n == 0) {
				snprintf(buf, size, "%.*s", (int)len, p);
				*owner = c->ns->rules.v[i].owner;
				return true;
			}
			p += len + (p[len] == '\n');
		}
	}
	return false;
}

/* The program's own words on one line, without what only helps at a prompt. */
static void one_line(const char *text, struct strbuf *out)
{
	static const char *const noise[] = {"Error occurred at line", "Try `", "Perhaps iptables"};
	while (*text) {
		size_t n = strcspn(text, "\n");
		bool skip = n == 0;
		for (size_t i = 0; i < sizeof(noise) / sizeof(noise[0]); i++)
			skip |= strncmp(text, noise[i], strlen(noise[i])) == 0;
		if (!skip) {
			if (out->len)
				strbuf_adds(out, "; ");
			strbuf_add(out, text, n);
		}
		text += n + (text[n] == '\n');
	}
}

static int refused(const struct call *c, const char *text, struct err *err)
{
	_strbuf_ struct strbuf said = STRBUF_INIT;
	char line[QUOTED_MAX];
	const char *owner = c->ns->rules.v[c->first].owner;
	unsigned n = line_number(text);
	one_line(text, &said);
	if (find_line(c, n, &owner, line, sizeof(line)))
		err_set(err, -EINVAL, "iptables-restore refused \"%s\": %s", line,
			strbuf_str(&said));
	else
		err_set(err, -EINVAL, "iptables-restore failed: %s", strbuf_str(&said));
	return err_path(err, "%s: rules of %s", c->ns->name, owner);
}

static void lock_path(struct strbuf *b, const char *lockdir, const struct dns *ns)
{
	strbuf_addf(b, "%s/xtables-%s.lock", lockdir, ns->name);
}

static int start_call(struct call *c, struct nlns *home, int netns, enum ipt_backend backend,
		      const char *lockdir, struct err *err)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	_strbuf_ struct strbuf lock = STRBUF_INIT;
	for (size_t i = c->first; i < c->end; i++)
		add_text(&text, c->ns->rules.v[i].text);
	strbuf_adds(&lock, "XTABLES_LOCKFILE=");
	lock_path(&lock, lockdir, c->ns);
	const char *argv[] = {restore_program(backend), "--noflush", "-w", NULL};
	int r = nlns_enter(home, netns, err);
	if (r >= 0)
		r = tool_start(&c->tool, argv, strbuf_str(&lock), strbuf_str(&text), text.len, err);
	return r < 0 ? err_path(err, "%s", c->ns->name) : 0;
}

static int finish_call(struct call *c, struct err *err)
{
	char text[TOOL_STDERR_MAX + 1];
	int r = tool_wait(&c->tool, text, sizeof(text), err);
	if (r < 0) {
		err_wrap(err, "iptables-restore");
		return err_path(err, "%s", c->ns->name);
	}
	return r ? refused(c, text, err) : 0;
}

/*
 * A queue of calls, at most `jobs` running; the oldest is waited for first. A namespace's second
 * call is not started before its first is done: they are `round`s.
 */
struct queue {
	struct call running[JOBS_MAX];
	unsigned head, n, jobs;
	struct nlns home;
};

static int queue_shift(struct queue *q, struct err *err)
{
	struct call *c = &q->running[q->head];
	q->head = (q->head + 1) % JOBS_MAX;
	q->n--;
	return finish_call(c, err);
}

static int queue_drain(struct queue *q, int r, struct err *err)
{
	while (q->n) {
		int e = queue_shift(q, r < 0 ? NULL : err);
		r = r < 0 ? r : e;
	}
	return r;
}

/* Start call number `round` of a namespace. 1 when it has none. */
static int queue_push(struct queue *q, const struct dns *ns, int netns, unsigned round,
		      enum ipt_backend backend, const char *lockdir, struct err *err)
{
	size_t first = 0;
	for (unsigned i = 0; i < round && first < ns->rules.n; i++)
		first = call_end(ns, first);
	if (first >= ns->rules.n)
		return 1;
	if (q->n == q->jobs) {
		int r = queue_shift(q, err);
		if (r < 0)
			return r;
	}
	struct call *c = &q->running[(q->head + q->n) % JOBS_MAX];
	*c = (struct call){.ns = ns, .first = first, .end = call_end(ns, first)};
	int r = start_call(c, &q->home, netns, backend, lockdir, err);
	if (r >= 0)
		q->n++;
	return r;
}

/* Straight to the kernel where that can be done: 1. 0: the program must. */
static int write_direct(struct queue *q, const struct dns *ns, int netns, enum ipt_backend backend,
			const char *lockdir, struct err *err)
{
	if (backend != IPT_LEGACY || !ns->rules.n)
		return 0;
	_strbuf_ struct strbuf lock = STRBUF_INIT;
	lock_path(&lock, lockdir, ns);
	int r = nlns_enter(&q->home, netns, err);
	if (r < 0)
		return err_path(err, "%s", ns->name);
	return xt_replace(ns, strbuf_str(&lock)) || xt_change(ns, strbuf_str(&lock));
}

static int run_rounds(struct queue *q, const struct dns *ns, size_t n, const int *netns,
		      enum ipt_backend backend, const char *lockdir, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	bool *done = arena_new_array(a, bool, n + 1);
	int r = 0;
	bool more = true;
	for (size_t i = 0; r >= 0 && i < n; i++)
		done[i] = (r = write_direct(q, &ns[i], netns[i], backend, lockdir, err)) > 0;
	for (unsigned round = 0; more && r >= 0; round++) {
		more = false;
		for (size_t i = 0; r >= 0 && i < n; i++) {
			if (done[i])
				continue;
			r = queue_push(q, &ns[i], netns[i], round, backend, lockdir, err);
			more |= r == 0;
		}
		r = queue_drain(q, r < 0 ? r : 0, err);
	}
	return r;
}

static int run_all(const struct dns *ns, size_t n, const int *netns, enum ipt_backend backend,
		   const char *lockdir, int jobs, struct err *err)
{
	struct queue q = {.home = NLNS_INIT};
	q.jobs = jobs < 1 ? 1 : jobs > JOBS_MAX ? JOBS_MAX : (unsigned)jobs;
	int r = run_rounds(&q, ns, n, netns, backend, lockdir, err);
	nlns_leave(&q.home);
	return r;
}

int xt_rules(int netns, const struct dns *ns, enum ipt_backend backend, const char *lockdir,
	     struct err *err)
{
	return run_all(ns, 1, &netns, backend, lockdir, 1, err);
}

int xt_rules_all(const struct desired *d, const int *netns, enum ipt_backend backend,
		 const char *lockdir, int jobs, struct err *err)
{
	return run_all(d->ns.v, d->ns.n, netns, backend, lockdir, jobs, err);
}

/* ---- ipsets ---- */

static void create_text(struct strbuf *b, const char *name, const struct dipset *s)
{
	bool options = s->options && *s->options;
	strbuf_addf(b, "create %s %s%s%s\n", name, s->type, options ? " " : "",
		    options ? s->options : "");
}

static void members_text(struct strbuf *b, const char *name, const struct dipset *s)
{
	for (size_t i = 0; i < s->members.n; i++)
		strbuf_addf(b, "add %s %s\n", name, s->members.v[i]);
}

/* ipset restore; 1 with its words in text when it refuses. */
static int ipset_restore(int netns, const struct dns *ns, const struct strbuf *in, bool exist,
			 char *text, size_t size, struct err *err)
{
	_nlns_ struct nlns home = NLNS_INIT;
	const char *argv[] = {"ipset", "restore", exist ? "-exist" : NULL, NULL};
	struct tool t;
	int r = nlns_enter(&home, netns, err);
	if (r >= 0)
		r = tool_start(&t, argv, NULL, strbuf_str(in), in->len, err);
	if (r >= 0)
		r = tool_wait(&t, text, size, err);
	return r < 0 ? err_path(err, "%s", ns->name) : r;
}

int xt_ipsets(int netns, const struct dns *ns, struct err *err)
{
	_strbuf_ struct strbuf in = STRBUF_INIT;
	char text[TOOL_STDERR_MAX + 1];
	if (!ns->ipsets.n)
		return 0;
	vec_foreach (const struct dipset, s, &ns->ipsets) {
		create_text(&in, s->name, s);
		members_text(&in, s->name, s);
	}
	int r = ipset_restore(netns, ns, &in, false, text, sizeof(text), err);
	if (r == 1 && strstr(text, "already exists")) {
		/* Some are there from before: bring each to exactly its members, never empty in
		 * between, by filling another and swapping them. */
		strbuf_reset(&in);
		vec_foreach (const struct dipset, s, &ns->ipsets) {
			create_text(&in, s->name, s);
			create_text(&in, SWAP_SET, s);
			members_text(&in, SWAP_SET, s);
			strbuf_addf(&in, "swap %s %s\ndestroy %s\n", SWAP_SET, s->name, SWAP_SET);
		}
		r = ipset_restore(netns, ns, &in, true, text, sizeof(text), err);
	}
	if (r <= 0)
		return r;
	_strbuf_ struct strbuf said = STRBUF_INIT;
	one_line(text, &said);
	err_set(err, -EINVAL, "ipset restore failed: %s", strbuf_str(&said));
	return err_path(err, "%s: ipsets", ns->name);
}
