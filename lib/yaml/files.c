/* SPDX-License-Identifier: MIT */
/* files: reading lab files, and what was found in them. Parsing is parse.c's. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/yaml/internal.h"
#include "lib/yaml/text.h"
#include "lib/yaml/yaml.h"

struct yaml_files *yaml_files_new(void)
{
	struct yaml_files *f = calloc(1, sizeof(*f));
	if (!f)
		abort();
	f->arena = arena_new();
	f->json = json_array();
	return f;
}

void yaml_files_free(struct yaml_files *f)
{
	if (!f)
		return;
	vec_foreach (struct source, s, &f->sources)
		strbuf_free(&s->text);
	json_decref(f->json);
	places_free(&f->places);
	arena_free(f->arena);
	free(f);
}

json_t *yaml_files_docs(const struct yaml_files *f)
{
	return f->json;
}

unsigned yaml_files_faults(const struct yaml_files *f)
{
	return f->total_faults;
}

void syntax_fault_add(struct yaml_files *f, uint32_t source, const struct place *where,
		      const char *hint, const char *fmt, ...)
{
	f->total_faults++;
	if (f->faults.n >= MAX_FAULTS)
		return;
	va_list ap;
	va_start(ap, fmt);
	char *text = arena_vprintf(f->arena, fmt, ap);
	va_end(ap);
	*vec_push(f->arena, &f->faults) = (struct syntax_fault){
		.source = source,
		.placed = where != NULL,
		.where = where ? *where : (struct place){0},
		.text = text,
		.hint = arena_strdup(f->arena, hint ? hint : ""),
	};
}

/* Is the text something else than UTF-8 text? A fault then. */
static bool binary_fault(struct yaml_files *f, uint32_t source, const struct strbuf *text)
{
	const char *s = strbuf_str(text);
	if (text->len >= 2 && (memcmp(s, "\xff\xfe", 2) == 0 || memcmp(s, "\xfe\xff", 2) == 0)) {
		syntax_fault_add(
			f, source, NULL,
			"save it as UTF-8 (in PowerShell: `... | Out-File -Encoding utf8`)",
			"this is UTF-16 text, not UTF-8");
		return true;
	}
	size_t bad = text_check(s, text->len);
	if (bad == text->len)
		return false;
	struct cursor c = cursor_at_start(s, text->len);
	cursor_to_offset(&c, bad);
	struct place where = {.line = c.mark_line, .col = c.mark_col, .len = 1};
	uint32_t cp;
	if (utf8_decode(s + bad, text->len - bad, &cp))
		syntax_fault_add(f, source, &where, NULL,
				 "not a text file: it holds the control character 0x%02x",
				 (unsigned)cp);
	else
		syntax_fault_add(f, source, &where, "save it as UTF-8",
				 "not UTF-8 text: it holds the byte 0x%02x",
				 (unsigned)(unsigned char)s[bad]);
	return true;
}

/* Append a text (taken over) and parse it. */
static void add_source(struct yaml_files *f, const char *name, struct strbuf *text)
{
	uint32_t source = (uint32_t)f->sources.n;
	if (text->len >= 3 && memcmp(text->s, "\xef\xbb\xbf", 3) == 0)
		strbuf_consume(text, 3); /* the byte order mark of Windows editors */
	struct source *s = vec_push(f->arena, &f->sources);
	*s = (struct source){.name = arena_strdup(f->arena, name), .text = *text};
	*text = STRBUF_INIT;
	f->total_bytes += s->text.len;
	if (s->text.len > MAX_FILE_BYTES) {
		syntax_fault_add(f, source, NULL, NULL, "the file is larger than %u MiB",
				 MAX_FILE_BYTES >> 20);
		strbuf_free(&s->text);
	} else if (f->total_bytes > MAX_TOTAL_BYTES) {
		syntax_fault_add(f, source, NULL, NULL,
				 "with this file, all files together are larger than %u MiB",
				 MAX_TOTAL_BYTES >> 20);
		strbuf_free(&s->text);
	} else if (!binary_fault(f, source, &s->text)) {
		text_join_surrogates(&s->text);
		yaml_parse_source(f, source);
	}
}

static int add_file(struct yaml_files *f, const char *path, struct err *err)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	int r = file_read(path, MAX_FILE_BYTES, &text, err);
	if (r < 0 && r != -EFBIG)
		return r;
	add_source(f, strcmp(path, "-") == 0 ? "stdin" : path, &text);
	return 0;
}

static int is_yaml_file(const struct dirent *e)
{
	const char *dot = strrchr(e->d_name, '.');
	return e->d_name[0] != '.' && dot &&
	       (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0 || strcmp(dot, ".json") == 0);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_dir(struct yaml_files *f, const char *path, struct err *err)
{
	struct dirent **names;
	int n = scandir(path, &names, is_yaml_file, by_name);
	if (n < 0)
		return err_sys(err, errno, "%s", path);
	int r = n > 0 ? 0
		      : err_setc(err, EINVAL, ERR_USAGE,
				 "%s: no *.yaml, *.yml or *.json in this directory", path);
	size_t slash = strlen(path);
	while (slash > 1 && path[slash - 1] == '/')
		slash--;
	for (int i = 0; i < n; i++) {
		_free_ char *file = NULL;
		if (asprintf(&file, "%.*s/%s", (int)slash, path, names[i]->d_name) < 0)
			abort();
		if (r == 0)
			r = add_file(f, file, err);
		free(names[i]);
	}
	free(names);
	return r;
}

static int check_found(const struct yaml_files *f, size_t docs, unsigned faults, const char *name,
		       struct err *err)
{
	if (f->docs.n > docs || f->total_faults > faults)
		return 0;
	return err_setc(err, EINVAL, ERR_USAGE, "%s: no documents in it", name);
}

int yaml_files_add(struct yaml_files *f, const char *path, struct err *err)
{
	size_t docs = f->docs.n;
	unsigned faults = f->total_faults;
	struct stat st;
	bool std = strcmp(path, "-") == 0;
	if (!std && stat(path, &st) < 0)
		return err_sys(err, errno, "%s", path);
	int r = !std && S_ISDIR(st.st_mode) ? add_dir(f, path, err) : add_file(f, path, err);
	return r < 0 ? r : check_found(f, docs, faults, std ? "stdin" : path, err);
}

int yaml_files_add_text(struct yaml_files *f, const char *name, const char *text, size_t len,
			struct err *err)
{
	size_t docs = f->docs.n;
	unsigned faults = f->total_faults;
	_strbuf_ struct strbuf copy = STRBUF_INIT;
	strbuf_add(&copy, text, len);
	add_source(f, name, &copy);
	return check_found(f, docs, faults, name, err);
}

json_t *yaml_to_json(const char *text, char ret_text[static 256])
{
	struct err err;
	struct yaml_files *f = yaml_files_new();
	json_t *doc = NULL;
	if (yaml_files_add_text(f, "text", text, strlen(text), &err) < 0) {
		snprintf(ret_text, 256, "no document in it");
	} else if (f->faults.n > 0) {
		const struct syntax_fault *fault = &f->faults.v[0];
		if (fault->placed)
			snprintf(ret_text, 256, "line %u: %s", fault->where.line + 1, fault->text);
		else
			snprintf(ret_text, 256, "%s", fault->text);
	} else if (f->docs.n > 1) {
		snprintf(ret_text, 256, "more than one document in it");
	} else {
		doc = json_incref(json_array_get(f->json, 0));
	}
	yaml_files_free(f);
	return doc;
}
