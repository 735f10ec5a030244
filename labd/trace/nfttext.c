/* SPDX-License-Identifier: MIT */
/* See nfttext.h. */
#include "labd/trace/nfttext.h"

#include <stdlib.h>
#include <string.h>

#include "labd/trace/nfmsg.h"
#include "lib/base/cleanup.h"

#define NAME_SIZE 256 /* of a chain, a set, a table: the kernel allows no more */
#define DEPTH_MAX 8

enum block { BLOCK_NONE, BLOCK_TABLE, BLOCK_CHAIN, BLOCK_SET, BLOCK_OTHER };

struct parser {
	struct arena *a;
	struct rec_ns *ns;
	size_t n_chains, n_rules;    /* those that were there before */
	enum block stack[DEPTH_MAX]; /* the blocks we are in */
	unsigned depth;
	bool skip;			   /* the table is not wanted */
	const char *family, *table, *name; /* of the chain or set */
	unsigned num;
	bool elements; /* an elements line goes on */
};

/* The nth word of a line (from 0) into buf, without a brace behind it. */
static bool word(const char *line, unsigned nth, char buf[static NAME_SIZE])
{
	for (;; nth--) {
		line += strspn(line, " \t");
		size_t n = strcspn(line, " \t");
		if (!n || n >= NAME_SIZE)
			return false;
		if (nth == 0) {
			memcpy(buf, line, n);
			buf[n] = '\0';
			return true;
		}
		line += n;
	}
}

static enum block inside(const struct parser *p)
{
	return p->depth ? p->stack[p->depth - 1] : BLOCK_NONE;
}

static bool by_iptables(const struct parser *p, const char *table)
{
	for (size_t i = 0; i < p->n_chains; i++)
		if (strcmp(p->ns->chains.v[i].table, table) == 0)
			return true;
	for (size_t i = 0; i < p->n_rules; i++)
		if (p->ns->rules.v[i].handle && strcmp(p->ns->rules.v[i].table, table) == 0)
			return true;
	return false;
}

static enum block open_table(struct parser *p, const char *line)
{
	char family[NAME_SIZE], name[NAME_SIZE];
	if (!word(line, 1, family) || !word(line, 2, name))
		return BLOCK_OTHER;
	bool ip = strcmp(family, "ip") == 0;
	p->skip = (!ip && strcmp(family, "inet") != 0) || strcmp(name, NFMSG_TABLE) == 0 ||
		  (ip && by_iptables(p, name));
	p->family = arena_strdup(p->a, family);
	p->table = arena_strdup(p->a, name);
	return BLOCK_TABLE;
}

/* A line that opens a block: "table ip kube-proxy { # handle 2", "chain services {". */
static enum block open_block(struct parser *p, const char *line)
{
	char kind[NAME_SIZE], name[NAME_SIZE];
	if (!word(line, 0, kind))
		return BLOCK_OTHER;
	if (strcmp(kind, "table") == 0)
		return open_table(p, line);
	if (inside(p) != BLOCK_TABLE || !word(line, 1, name))
		return BLOCK_OTHER;
	p->name = arena_strdup(p->a, name);
	p->num = 0;
	p->elements = false;
	if (strcmp(kind, "chain") == 0)
		return BLOCK_CHAIN;
	return strcmp(kind, "set") == 0 || strcmp(kind, "map") == 0 ? BLOCK_SET : BLOCK_OTHER;
}

/* The word behind " KEY " in a line, without ";" and ","; NULL: none. */
static const char *after(struct arena *a, const char *line, const char *key)
{
	const char *s = strstr(line, key);
	if (!s)
		return NULL;
	s += strlen(key);
	return arena_strndup(a, s, strcspn(s, " ;,"));
}

static const char *upper(struct arena *a, const char *s)
{
	char *u = arena_strdup(a, s);
	for (char *c = u; *c; c++)
		*c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
	return u;
}

/* "type nat hook prerouting priority dstnat; policy accept;" */
static void base_chain(struct parser *p, const char *line)
{
	const char *policy = after(p->a, line, "policy ");
	*vec_push(p->a, &p->ns->chains) =
		(struct rec_chain){.family = p->family,
				   .table = p->table,
				   .chain = p->name,
				   .type = after(p->a, line, "type "),
				   .hook = after(p->a, line, "hook "),
				   .policy = upper(p->a, policy ? policy : "accept")};
}

/* ---- what a rule does ------------------------------------------------------------------------
 */

/* The next word of a rule, or a quoted text as one; its length, 0 at the end. */
static size_t next_word(const char **s)
{
	*s += strspn(*s, " ");
	if (**s != '"')
		return strcspn(*s, " ");
	const char *end = strchr(*s + 1, '"');
	return end ? (size_t)(end - *s) + 1 : strlen(*s);
}

static bool is(const char *s, size_t n, const char *w)
{
	return strlen(w) == n && strncmp(s, w, n) == 0;
}

/* The statement that ends a rule, under the name that iptables has for it. */
static const char *target_of(struct arena *a, const char *rule)
{
	static const char *const statements[][2] = {
		{"dnat", "DNAT"},     {"snat", "SNAT"},	    {"masquerade", "MASQUERADE"},
		{"drop", "DROP"},     {"accept", "ACCEPT"}, {"reject", "REJECT"},
		{"return", "RETURN"}, {"queue", "NFQUEUE"}, {"redirect", "REDIRECT"}};
	const char *target = NULL;
	unsigned braces = 0;
	for (const char *s = rule; *s;) {
		size_t n = next_word(&s);
		if (n && strncmp(s, "{", 1) == 0)
			braces++;
		else if (n && strncmp(s, "}", 1) == 0 && braces)
			braces--;
		bool jump = is(s, n, "jump") || is(s, n, "goto"), free = braces == 0;
		for (size_t i = 0; free && i < ARRAY_SIZE(statements); i++)
			if (is(s, n, statements[i][0]) &&
			    (s - rule < 7 || strncmp(s - 7, "status ", 7) != 0))
				target = statements[i][1];
		s += n;
		if (free && jump) {
			n = next_word(&s);
			target = arena_strndup(a, s, n);
			s += n;
		}
	}
	return target;
}

static const char *comment_of(struct arena *a, const char *rule)
{
	const char *s = strstr(rule, "comment \"");
	if (!s)
		return NULL;
	s += strlen("comment \"");
	return arena_strndup(a, s, strcspn(s, "\""));
}

/* "ip daddr @nodeport-ips jump x # handle 42" */
static void rule(struct parser *p, const char *line)
{
	const char *mark = NULL;
	for (const char *s = line; (s = strstr(s, " # handle ")); s++)
		mark = s;
	if (!mark)
		return;
	const char *text = arena_strndup(p->a, line, (size_t)(mark - line));
	*vec_push(p->a, &p->ns->rules) =
		(struct rec_rule){.family = p->family,
				  .table = p->table,
				  .chain = p->name,
				  .num = ++p->num,
				  .handle = strtoull(mark + strlen(" # handle "), NULL, 10),
				  .text = text,
				  .target = target_of(p->a, text),
				  .comment = comment_of(p->a, text)};
}

/* ---- elements --------------------------------------------------------------------------------
 */

/* "10.107.254.44 . tcp . 80 : goto service-X"; n bytes. A comment or a timeout of it is left out.
 */
static void element(struct parser *p, const char *s, size_t n)
{
	while (n && (*s == ' ' || *s == '\t'))
		s++, n--;
	while (n && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	if (!n)
		return;
	const char *all = arena_strndup(p->a, s, n), *colon = strstr(all, " : ");
	size_t key = colon ? (size_t)(colon - all) : n;
	const char *more = strstr(all, " comment \"");
	if (more && (size_t)(more - all) < key)
		key = (size_t)(more - all);
	*vec_push(p->a, &p->ns->elems) =
		(struct rec_elem){.table = p->table,
				  .set = p->name,
				  .key = arena_strndup(p->a, all, key),
				  .value = colon ? arena_strdup(p->a, colon + 3) : NULL};
}

/* A line of "elements = { a, b,", or one that goes on with it. */
static void elements(struct parser *p, const char *line)
{
	const char *open = p->elements ? NULL : strchr(line, '{');
	const char *s = open ? open + 1 : line;
	while (*s && *s != '}') {
		size_t n = 0;
		bool quoted = false;
		for (; s[n] && (quoted || (s[n] != ',' && s[n] != '}')); n++)
			quoted ^= s[n] == '"';
		element(p, s, n);
		s += n + (s[n] == ',');
	}
	p->elements = *s != '}';
}

/* ---- lines -----------------------------------------------------------------------------------
 */

static void content(struct parser *p, const char *line)
{
	if (p->skip)
		return;
	if (inside(p) == BLOCK_CHAIN && strncmp(line, "type ", 5) == 0 && strstr(line, " hook "))
		base_chain(p, line);
	else if (inside(p) == BLOCK_CHAIN)
		rule(p, line);
	else if (inside(p) == BLOCK_SET && (p->elements || strncmp(line, "elements = ", 11) == 0))
		elements(p, line);
}

/* A brace at the end, or before the handle's comment, opens a block. */
static bool opens(const char *line)
{
	size_t n = strlen(line);
	const char *mark = strstr(line, " { # handle ");
	return (n >= 2 && strcmp(line + n - 2, " {") == 0) ||
	       (mark && strspn(mark + strlen(" { # handle "), "0123456789") ==
				strlen(mark + strlen(" { # handle ")));
}

static void one_line(struct parser *p, const char *line)
{
	line += strspn(line, " \t");
	if (!*line)
		return;
	if (!p->elements && opens(line)) {
		enum block b = open_block(p, line);
		if (p->depth < DEPTH_MAX)
			p->stack[p->depth++] = b;
	} else if (!p->elements && line[0] == '}') {
		p->depth -= p->depth > 0;
	} else {
		content(p, line);
	}
}

void nfttext_ruleset(struct arena *a, const char *text, struct rec_ns *ns)
{
	struct parser p = {
		.a = a, .ns = ns, .n_chains = ns->chains.n, .n_rules = ns->rules.n, .skip = true};
	while (*text) {
		size_t n = strcspn(text, "\n");
		one_line(&p, arena_strndup(a, text, n));
		text += n + (text[n] == '\n');
	}
}
