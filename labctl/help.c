/* SPDX-License-Identifier: MIT */
/* See help.h. Also the hidden verb that prints the table in scdoc's language, for the man page. */
#include "labctl/help.h"

#include <errno.h>
#include <string.h>

#include "labctl/opts.h"
#include "lib/base/strbuf.h"
#include "lib/view/table.h"

static void add_flag(const struct flag *f, struct strbuf *out)
{
	strbuf_addf(out, f->letter ? "  -%c, " : "      ", f->letter);
	strbuf_addf(out, "--%s%s%s\t%s\n", f->name, f->arg ? " " : "", f->arg ? f->arg : "",
		    f->help);
}

static void print_tabs(struct strbuf *text, FILE *out)
{
	_strbuf_ struct strbuf aligned = STRBUF_INIT;
	view_tabs_get(strbuf_str(text), &aligned);
	fputs(strbuf_str(&aligned), out);
}

void help_all(FILE *out)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	fputs("labctl - Kubernetes network labs out of this machine's own kernel\n\n", out);
	for (size_t i = 0; i < n_verbs; i++) {
		const struct verb *v = &verbs[i];
		if (!v->hidden)
			strbuf_addf(&text, "  %s%s%s\t%s\n", v->name, *v->args ? " " : "", v->args,
				    v->help);
	}
	print_tabs(&text, out);
	fputs("\nlabctl VERB --help tells more. To begin: labctl labs, then labctl up NAME\n", out);
}

void help_verb(const struct verb *v, FILE *out)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	opts_usage(v, &text);
	fprintf(out, "%s\n  %s\n", strbuf_str(&text), v->help);
	if (v->details)
		fprintf(out, "\n%s\n", v->details);
	strbuf_reset(&text);
	for (size_t i = 0; i < v->n_flags; i++)
		add_flag(&v->flags[i], &text);
	add_flag(&flag_help, &text);
	fputs("\nflags:\n", out);
	print_tabs(&text, out);
	fputs("\nexamples:\n", out);
	for (const char *const *e = v->examples; e && *e; e++)
		fprintf(out, "  %s\n", *e);
	if (v->alias)
		fprintf(out, "\nalso: labctl %s\n", v->alias);
}

int verb_help(const struct opts *o, struct err *err)
{
	if (o->n_args == 0) {
		help_all(stdout);
		return 0;
	}
	const struct verb *v = verb_find(o->args[0]);
	if (!v || v->hidden) {
		err_setc(err, EINVAL, ERR_USAGE, "there is no verb %s", o->args[0]);
		return err_hint(err, "labctl help lists them");
	}
	help_verb(v, stdout);
	return 0;
}

/* scdoc gives _ and * a meaning, and a leading - or # too; < and > none. */
static void scdoc(const char *s, FILE *out)
{
	for (; *s; s++) {
		if (strchr("_*#-~`[]\\.", *s))
			fputc('\\', out);
		fputc(*s, out);
	}
}

static void synopsis_verb(const struct verb *v)
{
	fputs("*labctl ", stdout);
	scdoc(v->name, stdout);
	fputs("*", stdout);
	if (v->n_flags)
		fputs(" \\[flags\\]", stdout);
	if (*v->args)
		fputs(" ", stdout);
	scdoc(v->args, stdout);
	fputs("\n\t", stdout);
	scdoc(v->help, stdout);
	fputs(".", stdout);
	for (const char *p = v->details; p && *p;) {
		size_t n = strcspn(p, "\n");
		char line[256];
		snprintf(line, sizeof(line), "%.*s", (int)n, p);
		fputs("\n\t", stdout);
		scdoc(line, stdout);
		p += n + (p[n] == '\n');
	}
	fputs("\n\n", stdout);
	for (size_t i = 0; i < v->n_flags; i++) {
		const struct flag *f = &v->flags[i];
		fputs("\t*", stdout);
		if (f->letter)
			printf("\\-%c*, *", f->letter);
		fputs("\\-\\-", stdout);
		scdoc(f->name, stdout);
		fputs("*", stdout);
		if (f->arg) {
			fputs(" ", stdout);
			scdoc(f->arg, stdout);
		}
		fputs("\n\t\t", stdout);
		scdoc(f->help, stdout);
		fputs("\n\n", stdout);
	}
}

int verb_synopsis(const struct opts *o, struct err *err)
{
	for (size_t i = 0; i < n_verbs; i++) {
		if (!verbs[i].hidden)
			synopsis_verb(&verbs[i]);
	}
	return 0;
}
