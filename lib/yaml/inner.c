/* SPDX-License-Identifier: MIT */
/*
 * inner: places inside of YAML that is the text of a block scalar (`config.conf: |`), as ConfigMaps
 * keep configurations. Each line of such a text is a line of the file, only indented.
 */
#include <string.h>

#include "lib/yaml/internal.h"
#include "lib/yaml/text.h"
#include "lib/yaml/yaml.h"

/* The text of the block scalar whose `|` is at s, and how far the file indents it; 0 when it is no
 * such scalar. */
static size_t unindent(const char *s, struct strbuf *out)
{
	size_t header = strcspn(s, "\n"), indent = 0;
	if (*s != '|' || strcspn(s, "0123456789") < header)
		return 0;
	const char *line = s + header;
	while (*line == '\n' && line[1]) {
		line++;
		size_t len = strcspn(line, "\n"), spaces = strspn(line, " ");
		bool blank = spaces >= len || line[spaces] == '\r';
		if (!blank && !indent)
			indent = spaces;
		if (!blank && (spaces < indent || !indent))
			break;
		size_t skip = indent < len ? indent : len;
		strbuf_add(out, line + skip, len - skip);
		strbuf_addc(out, '\n');
		line += len;
	}
	return indent;
}

bool inner_find(const struct strbuf *text, const struct place *scalar, const char *path,
		enum fault_at at, struct place *ret)
{
	_strbuf_ struct strbuf inner = STRBUF_INIT;
	struct cursor c = cursor_at_start(strbuf_str(text), text->len);
	cursor_to_mark(&c, scalar->line, scalar->col);
	size_t indent = unindent(c.s + c.off, &inner);
	if (!indent)
		return false;
	struct yaml_files *f = yaml_files_new();
	bool ok = yaml_files_add_text(f, "inner", inner.s, inner.len, NULL) == 0 &&
		  f->total_faults == 0;
	if (ok) {
		*ret = places_find(&f->places, f->docs.v[0].root, path, at, NULL);
		ret->line += scalar->line + 1;
		ret->col += (uint32_t)indent;
	}
	yaml_files_free(f);
	return ok;
}
