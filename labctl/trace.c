/* SPDX-License-Identifier: MIT */
/* trace: the verbs trace and flow. A trace comes from an engine or from a file (--read); what is
 * shown of it is made by lib/view. */
#include "labctl/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "labctl/client.h"
#include "labctl/progress.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/view/html.h"
#include "lib/view/obj.h"
#include "lib/view/pcapng.h"
#include "lib/view/svg.h"
#include "lib/view/table.h"
#include "lib/view/term.h"

#define NUMBER_MAX	10000 /* of an option; the engine knows its own bounds */
#define TRACE_TIMEOUT_S 120   /* a probe that is lost waits for its retries */

/* ---- getting one ---- */

/* On a terminal the user sees what takes time; nothing of it goes where the trace goes. */
static void on_progress(const json_t *message, void *arg)
{
	const char *text = obj_str(message, "text", NULL), *note = obj_str(message, "note", NULL);
	_strbuf_ struct strbuf safe = STRBUF_INIT;
	if (note) {
		term_safe(note, &safe);
		fprintf(stderr, "%snote: %s\n", *(bool *)arg ? "\r\033[K" : "", strbuf_str(&safe));
	}
	if (!text || !isatty(STDERR_FILENO))
		return;
	term_safe(text, &safe);
	fprintf(stderr, "\r\033[K%s", strbuf_str(&safe));
	*(bool *)arg = true;
}

static int read_number(const struct opts *o, enum flag_id flag, const char *what, long *ret,
		       struct err *err)
{
	const char *text = o->val[flag];
	char *end = NULL;
	*ret = text ? strtol(text, &end, 10) : 0;
	if (text && (end == text || *end || *ret < 0 || *ret > NUMBER_MAX))
		return err_setc(err, EINVAL, ERR_USAGE, "%s, not %s", what, text);
	return 0;
}

/* A new reference. */
static int ask(const struct opts *o, const char *from, const char *to, json_t **ret,
	       struct err *err)
{
	enum engine_kind k;
	const char *lab;
	long timing, size;
	int r = read_number(o, FLAG_TIMING, "--timing wants a number of runs", &timing, err);
	if (r == 0)
		r = read_number(o, FLAG_SIZE, "--size wants a number of bytes", &size, err);
	if (r == 0)
		r = client_lab(o, &k, &lab, err);
	if (r < 0)
		return r;
	bool dirty = false;
	json_t *result = NULL;
	struct call c = {
		.name = "trace",
		.args = json_pack("{s:s*, s:s, s:s, s:s*, s:b, s:i, s:i, s:b}", "lab", lab, "from",
				  from, "to", to, "ns", o->val[FLAG_NAMESPACE], "dns",
				  !o->val[FLAG_NO_DNS], "timing", (int)timing, "size", (int)size,
				  "freeze", o->val[FLAG_FREEZE] != NULL),
		.progress = on_progress,
		.arg = &dirty,
		.timeout_s = TRACE_TIMEOUT_S,
		.on_interrupt = "the trace comes to its end",
		.cancellable = true,
	};
	if (o->val[FLAG_FREEZE])
		r = trace_freeze(k, c.args, &result, err);
	else
		r = client_call(k, &c, &result, err);
	if (dirty)
		fputs("\r\033[K", stderr);
	if (r < 0)
		return r;
	*ret = json_incref(json_object_get(result, "recording"));
	json_decref(result);
	return *ret ? 0 : err_set(err, EPROTO, "the engine's answer to trace has no recording");
}

static int read_json(const char *path, json_t **ret, struct err *err)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	json_error_t fault;
	int r = file_read(path, MAX_TOTAL_BYTES, &text, err);
	if (r < 0)
		return r;
	*ret = json_loadb(strbuf_str(&text), text.len, 0, &fault);
	if (*ret)
		return 0;
	return err_set(err, EINVAL, "%s:%d:%d: %s", path, fault.line, fault.column, fault.text);
}

int trace_read(const char *path, struct arena *a, struct recording **ret, struct err *err)
{
	json_t *json = NULL;
	int r = read_json(path, &json, err);
	if (r == 0 && (r = recording_from_json(a, json, ret, err)) < 0)
		err_wrap(err, "%s", path);
	json_decref(json);
	return r;
}

/* ---- showing it ---- */

static int write_file(const char *path, const struct strbuf *data, struct err *err)
{
	if (strcmp(path, "-") == 0)
		return write_all(STDOUT_FILENO, data->s, data->len);
	return file_write(path, data->s, data->len, 0666, err);
}

static bool has_vxlan(const struct recording *r)
{
	vec_foreach (const struct rec_step, s, &r->steps)
		if (s->has_after && s->after.encap && s->after.encap_proto == 17)
			return true;
	return false;
}

/* What to type to open the capture so that it reads well. */
static void pcap_hint(const struct recording *r, const char *path, struct pcapng_count n)
{
	_strbuf_ struct strbuf file = STRBUF_INIT;
	if (strcmp(path, "-") == 0)
		return;
	strbuf_add_shell(&file, path);
	fprintf(stderr,
		"%s: %zu frames of %zu interfaces; open it with\n"
		"  wireshark -o tcp.analyze_sequence_numbers:FALSE "
		"-o tcp.desegment_tcp_streams:FALSE%s %s\n",
		path, n.frames, n.interfaces, has_vxlan(r) ? " -d udp.port==8472,vxlan" : "",
		strbuf_str(&file));
}

/* The files asked for. Returns how many, or a negative errno. */
static int exports(const struct opts *o, const struct recording *r, enum view_lang l,
		   struct err *err)
{
	static const enum flag_id flags[] = {FLAG_PCAP, FLAG_HTML, FLAG_SVG};
	int n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		const char *path = o->val[flags[i]];
		_strbuf_ struct strbuf data = STRBUF_INIT;
		struct pcapng_count count = {0, 0};
		if (!path)
			continue;
		if (flags[i] == FLAG_PCAP)
			count = pcapng_write(r, l, &data);
		else if (flags[i] == FLAG_HTML)
			html_page(r, l, &data);
		else
			svg_lanes(r, &(struct svg_opts){.lang = l, .alone = true, .name = "w"},
				  &data);
		int k = write_file(path, &data, err);
		if (k < 0)
			return k;
		if (flags[i] == FLAG_PCAP)
			pcap_hint(r, path, count);
		n++;
	}
	return n;
}

static int show_text(const struct opts *o, const struct recording *r, enum view_lang l, bool brief,
		     struct err *err)
{
	struct trace_style style = {.lang = l, .width = trace_width(), .colour = use_colour()};
	_strbuf_ struct strbuf out = STRBUF_INIT;
	if (o->val[FLAG_STEP] && style.width && isatty(STDIN_FILENO))
		return trace_step(r, &style, err);
	if (o->val[FLAG_LIST])
		trace_text_list(r, &style, &out);
	else if (brief)
		trace_text_head(r, &style, &out);
	else
		trace_text(r, &style, &out);
	fputs(strbuf_str(&out), stdout);
	return 0;
}

/* One of the exports goes to standard output: nothing else may. */
static bool on_stdout(const struct opts *o)
{
	static const enum flag_id flags[] = {FLAG_PCAP, FLAG_HTML, FLAG_SVG};
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (o->val[flags[i]] && strcmp(o->val[flags[i]], "-") == 0)
			return true;
	return false;
}

static int show(const struct opts *o, const json_t *json, enum view_lang l, struct err *err)
{
	const char *form = o->val[FLAG_OUTPUT] ? o->val[FLAG_OUTPUT] : "text";
	bool data = strcmp(form, "text") != 0;
	struct arena *a = arena_new();
	struct recording *r = NULL;
	int k = recording_from_json(a, json, &r, err);
	int files = k < 0 ? k : exports(o, r, l, err);
	if (files >= 0 && data)
		k = client_print(form, json, err);
	else if (files >= 0 && !on_stdout(o))
		k = show_text(o, r, l, files > 0 && !o->val[FLAG_OUTPUT] && !o->val[FLAG_STEP],
			      err);
	arena_free(a);
	return files < 0 ? files : k;
}

static enum view_lang language(const struct opts *o)
{
	enum view_lang l = VIEW_EN;
	if (o->val[FLAG_LANG])
		lang_parse(o->val[FLAG_LANG], &l); /* the verb table knows the words */
	return l;
}

/* Trace and show. */
static int trace(const struct opts *o, const char *from, const char *to, struct err *err)
{
	json_t *json = NULL;
	int r = ask(o, from, to, &json, err);
	if (r == 0)
		r = show(o, json, language(o), err);
	json_decref(json);
	return r;
}

/* ---- trace ---- */

static int diff(const struct opts *o, struct err *err)
{
	struct arena *a = arena_new();
	struct recording *x = NULL, *y = NULL;
	_strbuf_ struct strbuf out = STRBUF_INIT;
	int r = 0;
	if (o->n_args != 2)
		r = err_setc(err, EINVAL, ERR_USAGE, "--diff wants two recordings: A.json B.json");
	if (r == 0)
		r = trace_read(o->args[0], a, &x, err);
	if (r == 0)
		r = trace_read(o->args[1], a, &y, err);
	if (r == 0) {
		bool differ = recording_diff(x, y, &out);
		fputs(strbuf_str(&out), stdout);
		r = differ ? ERR_DIFFERS : 0;
	}
	arena_free(a);
	return r;
}

static int show_file(const struct opts *o, struct err *err)
{
	json_t *json = NULL;
	if (o->n_args)
		return err_setc(err, EINVAL, ERR_USAGE,
				"--read shows a stored trace: it takes no "
				"FROM and TO");
	int r = read_json(o->val[FLAG_READ], &json, err);
	if (r == 0 && (r = show(o, json, language(o), err)) < 0)
		err_wrap(err, "%s", o->val[FLAG_READ]);
	json_decref(json);
	return r;
}

int verb_trace(const struct opts *o, struct err *err)
{
	if (o->val[FLAG_DIFF])
		return diff(o, err);
	if (o->val[FLAG_READ])
		return show_file(o, err);
	if (o->n_args != 2) {
		err_setc(err, EINVAL, ERR_USAGE, "trace wants two operands: FROM TO");
		return err_hint(err, "labctl trace busybox3 nginx-deployment:80");
	}
	return trace(o, o->args[0], o->args[1], err);
}

/* ---- flow ---- */

int trace_find_lab(const struct opts *o, json_t **ret, struct err *err)
{
	enum engine_kind k;
	const char *name;
	int r = client_lab(o, &k, &name, err);
	if (r < 0)
		return r;
	json_t *labs = client_labs(k), *found = NULL, *l;
	size_t i;
	json_array_foreach (labs, i, l)
		if (!name || strcmp(obj_str(l, "name", ""), name) == 0)
			found = found ? found : l;
	if (!found || (!name && json_array_size(labs) > 1)) {
		r = client_no_lab(name, labs, err);
	} else {
		*ret = json_incref(found);
	}
	json_decref(labs);
	return r;
}

static void print_flows(const json_t *flows)
{
	_strbuf_ struct strbuf text = STRBUF_INIT, table = STRBUF_INIT;
	size_t i;
	json_t *f;
	strbuf_adds(&text, "NAME\tFROM\tTO\tDESCRIPTION\n");
	json_array_foreach ((json_t *)flows, i, f)
		strbuf_addf(&text, "%s\t%s\t%s\t%s\n", obj_str(f, "name", ""),
			    obj_str(f, "from", ""), obj_str(f, "to", ""),
			    obj_str(f, "description", ""));
	view_tabs_get(strbuf_str(&text), &table);
	fputs(strbuf_str(&table), stdout);
}

static int run_flow(const struct opts *o, const json_t *flows, const char *lab, struct err *err)
{
	_strbuf_ struct strbuf names = STRBUF_INIT;
	size_t i;
	json_t *f;
	json_array_foreach ((json_t *)flows, i, f) {
		const char *name = obj_str(f, "name", "");
		if (strcmp(name, o->args[0]) == 0)
			return trace(o, obj_str(f, "from", ""), obj_str(f, "to", ""), err);
		strbuf_addf(&names, "%s%s", names.len ? ", " : "", name);
	}
	err_setc(err, ENOENT, ERR_NOT_FOUND, "lab %s has no flow %s", lab, o->args[0]);
	return err_hint(err, "its flows: %s", names.len ? names.s : "none");
}

int verb_flow(const struct opts *o, struct err *err)
{
	const char *form = o->val[FLAG_OUTPUT] ? o->val[FLAG_OUTPUT] : "text";
	json_t *lab = NULL;
	int r = trace_find_lab(o, &lab, err);
	if (r < 0)
		return r;
	const json_t *flows = json_object_get(lab, "flows");
	if (o->n_args)
		r = run_flow(o, flows, obj_str(lab, "name", "?"), err);
	else if (strcmp(form, "text") != 0)
		r = client_print(form, flows, err);
	else if (json_array_size(flows) == 0)
		fprintf(stderr, "lab %s has no flows\n", obj_str(lab, "name", "?"));
	else
		print_flows(flows);
	json_decref(lab);
	return r;
}
