/* SPDX-License-Identifier: MIT */
/* See syntax.h. */
#include "lib/yaml/syntax.h"

#include <string.h>

#include "lib/base/cleanup.h"

enum {
	AT_CONTEXT = 1, /* point at what was begun, not at where it went wrong */
	TO_EOL = 2,	/* underline the rest of the line, not one character */
	LINE_START = 4, /* only where the error is the first thing on its line */
	AT_END = 8,	/* only where the text ends too early */
	SAY_LINE = 16,	/* add the line on which the context begins */
};

struct rule {
	const char *problem; /* of libyaml 0.2; the beginning of it */
	unsigned flags;
	const char *text, *hint;
};

/* The first that fits counts. */
static const struct rule rules[] = {
	{"mapping values are not allowed", 0, "`:` is not expected here",
	 "is the indentation right, and a space behind each `:`? a text that holds `: ` must be "
	 "quoted"},
	{"did not find expected key", LINE_START | TO_EOL | SAY_LINE,
	 "the indentation fits no mapping above; the innermost begins", ""},
	{"did not find expected key", TO_EOL, "unexpected text behind the value",
	 "is a quote missing? in '...' a ' is written ''"},
	{"did not find expected '-' indicator", LINE_START | TO_EOL | SAY_LINE,
	 "the indentation fits no list above, or `- ` is missing; the innermost list begins", ""},
	{"could not find expected ':'", AT_CONTEXT | TO_EOL, "a key without `:`", ""},
	{"found unexpected end of stream", AT_CONTEXT | TO_EOL,
	 "the quoted text that begins here does not end", ""},
	{"found unexpected document indicator", AT_CONTEXT | TO_EOL,
	 "the quoted text that begins here does not end before the next `---`", ""},
	{"did not find expected ',' or ']'", AT_END | AT_CONTEXT, "`[` without its `]`", ""},
	{"did not find expected ',' or '}'", AT_END | AT_CONTEXT, "`{` without its `}`", ""},
	{"did not find expected ',' or ']'", SAY_LINE,
	 "expected `,` or `]` in the list that begins", ""},
	{"did not find expected ',' or '}'", SAY_LINE,
	 "expected `,` or `}` in the mapping that begins", ""},
	{"did not find expected node content", AT_END, "the text ends where a value is expected",
	 ""},
	{"did not find expected node content", 0, "a value is expected here", ""},
	{"did not find expected <document start>", TO_EOL, "unexpected text behind the document",
	 ""},
	{"block sequence entries are not allowed", 0, "a list cannot begin here",
	 "begin it on a line of its own"},
	{"did not find expected alphabetic or numeric", AT_CONTEXT | TO_EOL,
	 "a text that begins with `*` or `&` must be quoted", ""},
	{"found unknown escape character", 0, "unknown escape in a quoted text",
	 "write \\\\ for a backslash, or put the text into '...'"},
	{"found undefined tag handle", TO_EOL, "unknown tag",
	 "a text that begins with `!` must be quoted"},
};

struct trouble {
	struct place at, context;
	struct cursor cursor; /* at `at` */
	bool line_start;
	bool at_end; /* behind it is nothing: `last` is the last character, to show instead */
	struct place last;
};

static struct place mark_place(const struct cursor *from, const yaml_mark_t *m)
{
	return (struct place){
		.line = from->mark_line + (uint32_t)m->line, .col = (uint32_t)m->column, .len = 1};
}

/* The last character of the text that is no blank. */
static struct place last_place(const struct cursor *from)
{
	struct cursor c = *from;
	size_t end = c.len;
	while (end > c.off && strchr(" \t\r\n", c.s[end - 1]))
		end--;
	cursor_to_offset(&c, end > c.off ? end - 1 : c.off);
	return (struct place){.line = c.mark_line, .col = c.mark_col, .len = 1};
}

static struct trouble find_trouble(const yaml_parser_t *parser, const struct cursor *from)
{
	struct trouble t = {.at = mark_place(from, &parser->problem_mark),
			    .context = mark_place(from, &parser->context_mark),
			    .cursor = *from};
	struct cursor *c = &t.cursor;
	if (parser->error == YAML_READER_ERROR) {
		cursor_to_offset(c, from->off + parser->problem_offset);
		t.at.line = c->mark_line;
		t.at.col = c->mark_col;
	} else {
		cursor_to_mark(c, t.at.line, t.at.col);
	}
	size_t indent = strspn(c->s + c->line_start, " \t");
	t.line_start = c->off <= c->line_start + indent;
	t.at_end = c->s[c->off + strspn(c->s + c->off, " \t\r\n")] == '\0';
	if (t.at_end)
		t.last = last_place(from);
	return t;
}

/* A tab in the indentation is told as such, whatever it made of the rest. */
static bool tab_fault(struct yaml_files *f, uint32_t source, const struct trouble *t)
{
	const char *line = t->cursor.s + t->cursor.line_start;
	size_t spaces = strspn(line, " "), indent = strspn(line, " \t");
	if (indent == spaces || !t->line_start)
		return false;
	struct place where = t->at;
	where.col = (uint32_t)spaces;
	where.len = (uint32_t)strspn(line + spaces, "\t") & PLACE_TO_EOL;
	syntax_fault_add(f, source, &where, "YAML is indented with spaces only",
			 "a tab in the indentation");
	return true;
}

static const struct rule *find_rule(const char *problem, const struct trouble *t)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		const struct rule *r = &rules[i];
		bool fits = strncmp(problem, r->problem, strlen(r->problem)) == 0;
		if (fits && (!(r->flags & LINE_START) || t->line_start) &&
		    (!(r->flags & AT_END) || t->at_end))
			return r;
	}
	return NULL;
}

struct place syntax_error(struct yaml_files *f, uint32_t source, const yaml_parser_t *parser,
			  const struct cursor *from)
{
	struct trouble t = find_trouble(parser, from);
	const char *problem = parser->problem ? parser->problem : "out of memory";
	if (tab_fault(f, source, &t))
		return t.at;
	if (strcmp(problem, "found character that cannot start any token") == 0) {
		t.at.len = PLACE_TO_EOL;
		syntax_fault_add(f, source, &t.at, NULL,
				 "a text that begins with `%c` must be quoted",
				 t.cursor.s[t.cursor.off]);
		return t.at;
	}
	const struct rule *r = find_rule(problem, &t);
	struct place where = t.at_end ? t.last : t.at;
	if (!r) {
		syntax_fault_add(f, source, &where, NULL, "not valid YAML: %s", problem);
		return t.at;
	}
	if (r->flags & AT_CONTEXT)
		where = t.context;
	if (r->flags & TO_EOL)
		where.len = PLACE_TO_EOL;
	if (r->flags & SAY_LINE)
		syntax_fault_add(f, source, &where, r->hint, "%s on line %u", r->text,
				 t.context.line + 1);
	else
		syntax_fault_add(f, source, &where, r->hint, "%s", r->text);
	return t.at;
}
