/* SPDX-License-Identifier: MIT */
/* kernel_pick: of long texts the lines that are an object's. See kernel_state.h. Pure. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "labd/lab/kernel_pick.h"

#define FLOWS_MAX 20 /* shown; more are counted */

bool pick_word(const char *line, const char *word)
{
	size_t n = strlen(word);
	for (const char *at = line; n && (at = strstr(at, word)); at++) {
		bool begins = at == line || !(isalnum((unsigned char)at[-1]) || at[-1] == '.' ||
					      at[-1] == '-' || at[-1] == '_');
		unsigned char next = (unsigned char)at[n];
		if (begins && !isalnum(next) &&
		    !(next == '.' && isdigit((unsigned char)at[n + 1])) && next != '-' &&
		    next != '_')
			return true;
	}
	return false;
}

bool pick_any(const char *line, const strs *words)
{
	vec_foreach (const char *, w, words)
		if (pick_word(line, *w))
			return true;
	return false;
}

char *pick_line(char **text)
{
	char *line = *text;
	if (!*line)
		return NULL;
	char *end = strchrnul(line, '\n');
	*text = *end ? end + 1 : end;
	*end = '\0';
	return line;
}

/* ---- iptables ---- */

/* "ID and no more of a name: "default/web:http cluster IP". */
static bool speaks_of(const char *rule, const strs *ids)
{
	vec_foreach (const char *, id, ids) {
		size_t n = strlen(*id);
		for (const char *at = rule; (at = strstr(at, *id)); at++)
			if (at > rule && strchr("\" ", at[-1]) && strchr("\" ", at[n]))
				return true;
	}
	return false;
}

static bool is_chain(const char *name, const strs *chains)
{
	size_t n = strcspn(name, " ");
	vec_foreach (const char *, c, chains)
		if (strncmp(*c, name, n) == 0 && !(*c)[n])
			return true;
	return false;
}

/* -j or -g: where the rule leads. */
static const char *target(const char *rule)
{
	const char *j = strstr(rule, " -j ");
	j = j ? j : strstr(rule, " -g ");
	return j ? j + 4 : "";
}

static bool is_its(const char *line, const struct made_in *m)
{
	const char *rule = line + 3;
	size_t n = strcspn(rule, " ");
	return is_chain(rule, &m->chains) || is_chain(target(rule), &m->chains) ||
	       speaks_of(line, &m->ids) || pick_any(rule + n, &m->words) ||
	       pick_any(rule + n, &m->devices) || pick_any(rule + n, &m->sets);
}

void pick_rules(struct arena *a, const char *text, const struct made_in *m, struct kplace *ret)
{
	char *at = arena_strdup(a, text), *line;
	const char *table = "?";
	struct kpart *part = NULL;
	while ((line = pick_line(&at))) {
		if (line[0] == '*') {
			table = line + 1;
			part = NULL;
		}
		if (strncmp(line, "-A ", 3) != 0 || !is_its(line, m))
			continue;
		if (!part) {
			part = vec_push(a, &ret->parts);
			*part = (struct kpart){.title = arena_printf(a, "rules of table %s", table),
					       .command =
						       arena_printf(a, "iptables -t %s -S", table)};
		}
		*vec_push(a, &part->lines) = line;
	}
}

/* ---- IPVS ---- */

void pick_virtual(struct arena *a, const char *text, const struct made_in *m, strs *ret)
{
	char *at = arena_strdup(a, text), *line;
	const char *service = NULL;
	bool whole = false;
	while ((line = pick_line(&at))) {
		bool dest = strncmp(line, "  ->", 4) == 0;
		if (strncmp(line, "TCP", 3) == 0 || strncmp(line, "UDP", 3) == 0 ||
		    strncmp(line, "SCTP", 4) == 0) {
			service = line;
			whole = pick_any(line, &m->words);
			if (whole)
				*vec_push(a, ret) = line;
		} else if (dest && service && (whole || pick_any(line, &m->words))) {
			if (!whole && (!ret->n || ret->v[ret->n - 1] != service))
				*vec_push(a, ret) = service;
			*vec_push(a, ret) = line;
		}
	}
}

/* ---- nftables ---- */

/* Is the name part in it, and no longer one? */
static bool names_it(const char *line, const struct made_in *m)
{
	vec_foreach (const char *, part, &m->nft) {
		size_t n = strlen(*part);
		for (const char *at = line; (at = strstr(at, *part)); at++)
			if (!isalnum((unsigned char)at[n]) && at[n] != '-')
				return true;
	}
	return false;
}

/* An element or rule without what surrounds it: "elements = { a, b }" is "a, b". */
static char *bare(char *s)
{
	static const char elements[] = "elements = {";
	size_t n;
	if (strncmp(s, elements, sizeof(elements) - 1) == 0)
		s += sizeof(elements) - 1;
	s += strspn(s, " ");
	for (n = strlen(s); n && strchr(", {", s[n - 1]); n--)
		s[n - 1] = '\0';
	if (n > 2 && strcmp(s + n - 2, " }") == 0 && !strchr(s, '{'))
		s[n - 2] = '\0';
	return s;
}

void pick_nft(struct arena *a, const char *text, const struct made_in *m, strs *ret)
{
	char *at = arena_strdup(a, text), *line;
	const char *head = NULL;
	bool whole = false, shown = false;
	while ((line = pick_line(&at))) {
		char *s = line + strspn(line, "\t ");
		bool opens = s == line + 1 && strlen(s) > 1 && s[strlen(s) - 1] == '{';
		if (opens) {
			whole = names_it(s, m);
			shown = false;
			head = bare(s);
		}
		if (!head || !*s || strcmp(s, "}") == 0 ||
		    (!whole && (opens || (!names_it(s, m) && !pick_any(s, &m->words)))))
			continue;
		if (!shown && !opens)
			*vec_push(a, ret) = head;
		shown = true;
		const char *text_of_it = opens ? head : arena_printf(a, "  %s", bare(s));
		*vec_push(a, ret) = text_of_it;
	}
}

/* ---- connection tracking ---- */

void pick_flows(struct arena *a, const char *text, const struct made_in *m, strs *ret)
{
	char *at = arena_strdup(a, text), *line;
	size_t more = 0;
	while ((line = pick_line(&at))) {
		const char *dst = strstr(line, "dst="), *dport = strstr(line, "dport=");
		bool its = false;
		vec_foreach (const char *, f, &m->flows) {
			size_t n = strcspn(*f, " ");
			bool ip = **f == '*' ||
				  (dst && strncmp(dst + 4, *f, n) == 0 && dst[4 + n] == ' ');
			its |= ip && dport && atoi(dport + 6) == atoi(*f + n);
		}
		if (its && ret->n < FLOWS_MAX)
			*vec_push(a, ret) = line;
		more += its;
	}
	const char *rest = arena_printf(a, "and %zu more", more - ret->n);
	if (more > ret->n)
		*vec_push(a, ret) = rest;
}
