/* SPDX-License-Identifier: MIT */
/* See kernel_state.h. What to pick of long texts is in kernel_pick.c. */
#include "labd/lab/kernel_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "labd/kernel/show.h"
#include "labd/lab/kernel_pick.h"
#include "labd/lab/observe.h"

struct reader {
	struct arena *a;
	struct site *s;
	const struct made_in *m;
	struct kplace *ret;
};

static const struct dns *want(const struct reader *x)
{
	return &x->s->lab.desired->ns.v[x->m->ns];
}

/* "" when it cannot be read. */
static const char *text_of(struct reader *x, enum show what)
{
	_strbuf_ struct strbuf b = STRBUF_INIT;
	enum ipt_backend backend = store_backend(x->s->e, &x->s->lab);
	if (show_run(x->s->netns[x->m->ns], what, backend, &b, NULL) < 0)
		return "";
	return arena_strdup(x->a, strbuf_str(&b));
}

static void add_part(struct reader *x, const char *title, enum show what, const strs *lines)
{
	if (lines->n)
		*vec_push(x->a, &x->ret->parts) = (struct kpart){title, show_command(what), *lines};
}

/* Programs of iproute2 end lines with a blank. */
static char *trim(char *line)
{
	size_t n = strlen(line);
	while (n && line[n - 1] == ' ')
		line[--n] = '\0';
	return line;
}

/* ---- devices, addresses, routes ---- */

/* "9: veth70cee1b2@if2: <...>": is that name one of them? */
static bool is_device(const char *line, const struct made_in *m)
{
	char name[64];
	if (sscanf(line, "%*d: %63[^:@]", name) != 1)
		return false;
	if (m->all)
		return strcmp(name, "lo") != 0;
	return pick_any(name, &m->devices);
}

/* ip's one-line form back to several: the flags, the address, and of a tunnel how it is set. Where
 * the other end of a pair is, its name is the host's, not one that is known in there: left out. */
static void add_link(struct arena *a, char *line, strs *lines)
{
	char *save = NULL;
	int n = 0;
	for (char *s = strtok_r(line, "\\", &save); s && n < 3; s = strtok_r(NULL, "\\", &save)) {
		char *end = strstr(s, n == 2 ? " addrgenmode " : " promiscuity ");
		char *pair = strstr(s, " link-netns");
		if (end)
			*end = '\0';
		if (n == 1 && pair)
			*pair = '\0';
		s += strspn(s, " ");
		bool tunnel = strncmp(s, "vxlan ", 6) == 0 || strncmp(s, "ipip ", 5) == 0;
		if (n < 2 || tunnel)
			*vec_push(a, lines) = arena_printf(a, "%s%s", n ? "    " : "", trim(s));
		n++;
	}
}

static void links(struct reader *x)
{
	char *at = (char *)text_of(x, SHOW_LINKS), *line;
	strs lines = {0};
	while ((line = pick_line(&at)))
		if (is_device(line, x->m))
			add_link(x->a, line, &lines);
	add_part(x, "devices", SHOW_LINKS, &lines);
}

/* ip pads with blanks; "2: eth0    inet 10.244.2.5/24 brd ... scope global eth0\ valid_lft" */
static void addresses(struct reader *x)
{
	char *at = (char *)text_of(x, SHOW_ADDRS), *line;
	strs lines = {0};
	while ((line = pick_line(&at))) {
		char name[64], rest[256];
		line[strcspn(line, "\\")] = '\0';
		if (sscanf(line, "%*d: %63s %255[^\n]", name, rest) == 2 && strcmp(name, "lo") != 0)
			*vec_push(x->a, &lines) = arena_printf(x->a, "%s: %s", name, rest);
	}
	if (x->m->all)
		add_part(x, "addresses", SHOW_ADDRS, &lines);
}

/* Its lines of a text that has one thing a line. */
static void simple(struct reader *x, const char *title, enum show what, bool devices)
{
	char *at = (char *)text_of(x, what), *line;
	strs lines = {0};
	while ((line = pick_line(&at))) {
		trim(line);
		if (x->m->all || pick_any(line, &x->m->words) ||
		    (devices && pick_any(line, &x->m->devices)))
			*vec_push(x->a, &lines) = line;
	}
	add_part(x, title, what, &lines);
}

/* Of a node's many entries those that its tunnel needs; all others are multicast. */
static void fdb(struct reader *x)
{
	char *at = (char *)text_of(x, SHOW_FDB), *line;
	strs lines = {0};
	while ((line = pick_line(&at))) {
		bool tunnel = x->m->all && strstr(line, " dst ");
		trim(line);
		if (tunnel || (pick_any(line, &x->m->devices) && !strstr(line, "33:33:") &&
			       !strstr(line, "01:00:5e:")))
			*vec_push(x->a, &lines) = line;
	}
	add_part(x, "forwarding entries", SHOW_FDB, &lines);
}

/* ---- rules and the like ---- */

static void count_rules(struct reader *x, const char *text)
{
	char *at = arena_strdup(x->a, text), *line;
	const char *table = "?";
	size_t n = 0;
	strs lines = {0};
	while ((line = pick_line(&at))) {
		if (line[0] == '*')
			table = line + 1;
		n += line[0] == '-';
		if (strcmp(line, "COMMIT") == 0) {
			*vec_push(x->a, &lines) = arena_printf(x->a, "%s: %zu rules", table, n);
			n = 0;
		}
	}
	add_part(x, "rules", SHOW_RULES, &lines);
}

static void rules(struct reader *x)
{
	const char *text =
		want(x)->rules.n || want(x)->kind == DNS_NODE ? text_of(x, SHOW_RULES) : "";
	if (x->m->all)
		count_rules(x, text);
	else
		pick_rules(x->a, text, x->m, x->ret);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A set that is its whole, of the others the members that are. */
static void sets(struct reader *x)
{
	char *at = want(x)->ipsets.n ? (char *)text_of(x, SHOW_SETS) : "", *line;
	strs lines = {0};
	while ((line = pick_line(&at))) {
		char *more = strstr(line, " bucketsize "); /* and a random number */
		bool head = strncmp(line, "create ", 7) == 0;
		if (head && more)
			*more = '\0';
		if (x->m->all ? head : pick_any(line, &x->m->sets) || pick_any(line, &x->m->words))
			*vec_push(x->a, &lines) = line;
	}
	/* Members come in no order. */
	for (size_t i = 0, n; i < lines.n; i += n) {
		for (n = 1; i + n < lines.n && strncmp(lines.v[i + n], "add ", 4) == 0;)
			n++;
		bool head = strncmp(lines.v[i], "add ", 4) != 0;
		qsort(lines.v + i + head, n - head, sizeof(*lines.v), by_text);
	}
	add_part(x, "ipsets", SHOW_SETS, &lines);
}

static void proxy_modes(struct reader *x)
{
	strs lines = {0};
	if (want(x)->ipvs) {
		pick_virtual(x->a, text_of(x, SHOW_VIRTUAL), x->m, &lines);
		vec_foreach (const char *, l, &lines)
			trim((char *)*l);
		add_part(x, "virtual servers", SHOW_VIRTUAL, &lines);
	}
	lines = (strs){0};
	if (want(x)->nft) {
		pick_nft(x->a, text_of(x, SHOW_NFT), x->m, &lines);
		add_part(x, "nftables", SHOW_NFT, &lines);
	}
	lines = (strs){0};
	if (x->m->flows.n) {
		pick_flows(x->a, text_of(x, SHOW_FLOWS), x->m, &lines);
		add_part(x, "connections", SHOW_FLOWS, &lines);
	}
}

/* ---- what differs ---- */

static bool concerns(const struct made_in *m, const char *text)
{
	if (m->all || pick_any(text, &m->devices) || pick_any(text, &m->words) ||
	    pick_any(text, &m->chains) || pick_any(text, &m->sets))
		return true;
	vec_foreach (const char *, id, &m->ids)
		if (strstr(text, *id))
			return true;
	vec_foreach (const char *, n, &m->nft)
		if (strstr(text, *n))
			return true;
	return false;
}

static int drift(struct reader *x, struct err *err)
{
	struct delta d = {.arena = x->a};
	int r = observe_ns(x->a, x->s, x->m->ns, &d, err);
	if (r < 0)
		return r;
	vec_foreach (const struct delta_line, l, &d.lines)
		if (concerns(x->m, l->text))
			*vec_push(x->a, &x->ret->drift) = l->text;
	return 0;
}

static int place(struct reader *x, const struct journal *j, struct err *err)
{
	static const char *const kinds[] = {[DNS_FABRIC] = "fabric",
					    [DNS_ROUTER] = "router",
					    [DNS_NODE] = "node",
					    [DNS_HOST] = "host",
					    [DNS_POD] = "pod"};
	const struct dns *ns = want(x);
	const struct cluster *c = x->s->lab.cluster;
	x->ret->kind = kinds[ns->kind];
	x->ret->name = ns->kind == DNS_POD ? c->pods.v[ns->pod].name : ns->name;
	int r = site_open(x->s, j, x->m->ns, err);
	if (r <= 0) {
		x->ret->gone = "it does not run";
		*vec_push(x->a, &x->ret->drift) = "its first process is gone";
		return r;
	}
	links(x);
	addresses(x);
	simple(x, "routes", SHOW_ROUTES, true);
	if (x->m->all || x->m->devices.n || ns->kind == DNS_NODE)
		simple(x, "neighbours", SHOW_NEIGHS, true);
	if (ns->kind == DNS_NODE)
		fdb(x);
	rules(x);
	sets(x);
	proxy_modes(x);
	return drift(x, err);
}

int kernel_state(struct arena *a, struct site *s, const struct journal *j, const struct made *m,
		 kplaces *ret, struct err *err)
{
	*ret = (kplaces){0};
	vec_foreach (const struct made_in, in, &m->in) {
		struct kplace *p = vec_push(a, ret);
		*p = (struct kplace){.kind = ""};
		struct reader x = {.a = a, .s = s, .m = in, .ret = p};
		int r = place(&x, j, err);
		if (r < 0)
			return r;
	}
	return 0;
}
