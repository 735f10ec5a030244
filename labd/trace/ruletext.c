/* SPDX-License-Identifier: MIT */
/* See ruletext.h. */
#include "labd/trace/ruletext.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* The word behind " OPTION ", quotes taken off; NULL when the option is not there. Options inside
 * a quoted comment are not meant. */
static const char *option(struct arena *a, const char *text, const char *name)
{
	size_t n = strlen(name);
	bool quoted = false;
	for (const char *p = text; *p; p++) {
		if (*p == '"' && (p == text || p[-1] != '\\'))
			quoted = !quoted;
		if (quoted || *p != ' ' || strncmp(p + 1, name, n) != 0 || p[n + 1] != ' ')
			continue;
		p += n + 2;
		if (*p != '"')
			return arena_strndup(a, p, strcspn(p, " "));
		char *s = arena_strdup(a, ++p), *w = s;
		for (; *p && *p != '"'; p++) {
			if (*p == '\\' && p[1])
				p++;
			*w++ = *p;
		}
		*w = '\0';
		return s;
	}
	return NULL;
}

/* iptables-save prints a chain's rules together. */
static unsigned next_num(const struct rec_ns *ns, const char *table, const char *chain)
{
	const struct rec_rule *r = ns->rules.n ? &ns->rules.v[ns->rules.n - 1] : NULL;
	return r && strcmp(r->chain, chain) == 0 && strcmp(r->table, table) == 0 ? r->num + 1 : 1;
}

static void add_rule(struct arena *a, const char *table, const char *line, struct rec_ns *ns)
{
	const char *chain = arena_strndup(a, line + 3, strcspn(line + 3, " "));
	unsigned num = next_num(ns, table, chain);
	const char *target = option(a, line, "-j");
	if (!target)
		target = option(a, line, "-g");
	*vec_push(a, &ns->rules) = (struct rec_rule){.table = table,
						     .chain = chain,
						     .num = num,
						     .text = arena_strdup(a, line),
						     .target = target,
						     .comment = option(a, line, "--comment")};
}

static const char *hook_of(const char *chain)
{
	static const char *const names[][2] = {{"PREROUTING", "prerouting"},
					       {"INPUT", "input"},
					       {"FORWARD", "forward"},
					       {"OUTPUT", "output"},
					       {"POSTROUTING", "postrouting"}};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(chain, names[i][0]) == 0)
			return names[i][1];
	return NULL;
}

/* ":PREROUTING ACCEPT [0:0]" */
static void add_chain(struct arena *a, const char *table, const char *line, struct rec_ns *ns)
{
	const char *chain = arena_strndup(a, line + 1, strcspn(line + 1, " "));
	const char *policy = line + 1 + strlen(chain);
	policy += strspn(policy, " ");
	if (*policy == '-' || !*policy)
		return;
	*vec_push(a, &ns->chains) =
		(struct rec_chain){.table = table,
				   .chain = chain,
				   .hook = hook_of(chain),
				   .policy = arena_strndup(a, policy, strcspn(policy, " "))};
}

void ruletext_save(struct arena *a, const char *text, struct rec_ns *ns)
{
	const char *table = "";
	while (*text) {
		size_t n = strcspn(text, "\n");
		const char *line = arena_strndup(a, text, n);
		text += n + (text[n] == '\n');
		if (line[0] == '*')
			table = line + 1;
		else if (line[0] == ':')
			add_chain(a, table, line, ns);
		else if (strncmp(line, "-A ", 3) == 0)
			add_rule(a, table, line, ns);
	}
}

/* Cut the last part of "a:b:c" off. */
static char *cut_last(char *s)
{
	char *colon = strrchr(s, ':');
	if (!colon)
		return NULL;
	*colon = '\0';
	return colon + 1;
}

bool ruletext_trace(struct arena *a, const char *prefix, struct rec_match *m)
{
	static const char start[] = "TRACE: ";
	if (strncmp(prefix, start, sizeof(start) - 1) != 0)
		return false;
	char *s = arena_strdup(a, prefix + sizeof(start) - 1);
	for (size_t n = strlen(s); n && isspace((unsigned char)s[n - 1]); n--)
		s[n - 1] = '\0';
	const char *num = cut_last(s), *kind = num ? cut_last(s) : NULL;
	char *chain = strchr(s, ':');
	if (!kind || !chain)
		return false;
	*chain++ = '\0';
	m->kind = strcmp(kind, "rule") == 0	? REC_RULE
		  : strcmp(kind, "return") == 0 ? REC_RETURN
						: REC_POLICY;
	m->num = (unsigned)strtoul(num, NULL, 10);
	m->table = s;
	m->chain = chain;
	return true;
}
