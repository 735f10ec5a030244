/* SPDX-License-Identifier: MIT */
/* See opts.h. */
#include "labctl/opts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/kube/fault.h"

#define MAX_WORDS 64

static const struct flag *find_in(const struct flag *flags, size_t n, const char *name, size_t len,
				  char letter)
{
	for (size_t i = 0; i < n; i++) {
		bool same = name ? strlen(flags[i].name) == len && !memcmp(flags[i].name, name, len)
				 : flags[i].letter == letter;
		if (same)
			return &flags[i];
	}
	return NULL;
}

const struct flag *opts_flag(const struct verb *v, const char *name, size_t len, char letter)
{
	const struct flag *f = find_in(&flag_help, 1, name, len, letter);
	if (!f && v)
		f = find_in(v->flags, v->n_flags, name, len, letter);
	if (!f && !v)
		f = find_in(early_flags, n_early_flags, name, len, letter);
	return f;
}

bool opts_one_of(const char *choices, const char *word)
{
	size_t len = strlen(word);
	while (*choices) {
		size_t n = strcspn(choices, "|");
		if (n == len && memcmp(choices, word, n) == 0)
			return true;
		choices += n + (choices[n] == '|');
	}
	return false;
}

void opts_usage(const struct verb *v, struct strbuf *out)
{
	strbuf_addf(out, "labctl %s%s%s%s", v->name, v->n_flags ? " [flags]" : "",
		    *v->args ? " " : "", v->args);
}

static int usage_hint(const struct verb *v, struct err *err)
{
	_strbuf_ struct strbuf u = STRBUF_INIT;
	if (!v)
		return err_hint(err, "labctl help");
	opts_usage(v, &u);
	return err_hint(err, "usage: %s   (labctl help %s tells more)", u.s, v->name);
}

static int unknown_flag(const struct verb *v, const char *word, size_t len, struct err *err)
{
	const char *names[MAX_WORDS];
	unsigned n = 0;
	const struct flag *flags = v ? v->flags : early_flags;
	size_t n_flags = v ? v->n_flags : n_early_flags;
	for (size_t i = 0; i < n_flags && n < MAX_WORDS; i++)
		names[n++] = flags[i].name;
	char name[64] = "";
	if (len > 2 && len - 2 < sizeof(name))
		memcpy(name, word + 2, len - 2);
	const char *near = *name ? nearest_word(name, names, n) : NULL;
	if (v)
		err_setc(err, EINVAL, ERR_USAGE, "%s has no flag %.*s", v->name, (int)len, word);
	else
		err_setc(err, EINVAL, ERR_USAGE, "%.*s can not stand before the verb", (int)len,
			 word);
	return near ? err_hint(err, "did you mean --%s?", near) : usage_hint(v, err);
}

/* val is none of the words "a|b|c"; what is the flag or verb that it was given to. */
static int bad_choice(const char *what, const char *choices, const char *val, struct err *err)
{
	_strbuf_ struct strbuf list = STRBUF_INIT, split = STRBUF_INIT;
	const char *words[MAX_WORDS];
	unsigned n = 0;
	strbuf_adds(&split, choices);
	for (char *save, *w = strtok_r(split.s, "|", &save); w && n < MAX_WORDS;
	     w = strtok_r(NULL, "|", &save)) {
		strbuf_addf(&list, "%s%s", n ? ", " : "", w);
		words[n++] = w;
	}
	err_setc(err, EINVAL, ERR_USAGE, "%s %s: it is %s%s", what, val, n > 1 ? "one of " : "",
		 list.s);
	const char *near = nearest_word(val, words, n);
	if (near)
		err_hint(err, "did you mean %s?", near);
	return -EINVAL;
}

static bool is_choice(const struct flag *f)
{
	return f->arg && (strchr(f->arg, '|') || (f->arg[0] >= 'a' && f->arg[0] <= 'z'));
}

static int set_flag(struct opts *o, const struct flag *f, const char *val, struct err *err)
{
	if (val && o->verb && is_choice(f) && !opts_one_of(f->arg, val)) {
		char what[64];
		snprintf(what, sizeof(what), "--%s", f->name);
		return bad_choice(what, f->arg, val, err);
	}
	if (f->id == FLAG_FILE && o->val[f->id])
		return err_setc(err, EINVAL, ERR_USAGE,
				"--%s is given once: further files follow as they are", f->name);
	o->val[f->id] = val ? val : "";
	return 0;
}

/* --name, --name=value, --name value; returns how many further words were taken. */
static int long_flag(struct opts *o, char *const *argv, struct err *err)
{
	const char *word = argv[0], *name = word + 2;
	size_t len = strcspn(name, "=");
	const struct flag *f = opts_flag(o->verb, name, len, 0);
	if (!f)
		return unknown_flag(o->verb, word, len + 2, err);
	const char *val = name[len] ? name + len + 1 : NULL;
	if (!f->arg && val)
		return err_setc(err, EINVAL, ERR_USAGE, "--%s takes no argument", f->name);
	if (!f->arg || val)
		return set_flag(o, f, val, err);
	if (!argv[1])
		return err_setc(err, EINVAL, ERR_USAGE, "--%s needs %s", f->name, f->arg);
	int r = set_flag(o, f, argv[1], err);
	return r < 0 ? r : 1;
}

/* -i, -it, -ojson, -o=json, -o json. */
static int short_flags(struct opts *o, char *const *argv, struct err *err)
{
	for (const char *p = argv[0] + 1; *p; p++) {
		const struct flag *f = opts_flag(o->verb, NULL, 0, *p);
		char shown[3] = {'-', *p, '\0'};
		if (!f)
			return unknown_flag(o->verb, shown, 2, err);
		if (!f->arg) {
			o->val[f->id] = "";
			continue;
		}
		if (p[1])
			return set_flag(o, f, p + 1 + (p[1] == '='), err);
		if (!argv[1])
			return err_setc(err, EINVAL, ERR_USAGE, "-%c needs %s", *p, f->arg);
		int r = set_flag(o, f, argv[1], err);
		return r < 0 ? r : 1;
	}
	return 0;
}

static int set_verb(struct opts *o, const char *word, struct err *err)
{
	const char *names[MAX_WORDS];
	unsigned n = 0;
	o->verb = verb_find(word);
	if (o->verb)
		return 0;
	for (size_t i = 0; i < n_verbs && n + 1 < MAX_WORDS; i++) {
		if (verbs[i].hidden)
			continue;
		names[n++] = verbs[i].name;
		if (verbs[i].alias)
			names[n++] = verbs[i].alias;
	}
	err_setc(err, EINVAL, ERR_USAGE, "there is no verb %s", word);
	const char *near = nearest_word(word, names, n);
	if (near)
		return err_hint(err, "did you mean %s?", near);
	return err_hint(err, "labctl help lists them");
}

/* Flags given before the verb: does the verb have them, with this argument? */
static int check_early(struct opts *o, struct err *err)
{
	for (size_t i = 0; i < n_early_flags; i++) {
		const struct flag *e = &early_flags[i];
		if (!o->val[e->id])
			continue;
		const struct flag *f = opts_flag(o->verb, e->name, strlen(e->name), 0);
		if (!f) {
			err_setc(err, EINVAL, ERR_USAGE, "%s has no flag --%s", o->verb->name,
				 e->name);
			return usage_hint(o->verb, err);
		}
		int r = set_flag(o, f, o->val[e->id], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_operands(const struct opts *o, struct err *err)
{
	const struct verb *v = o->verb;
	if (o->val[FLAG_HELP] || v->hidden)
		return 0;
	if (o->n_args < v->min)
		err_setc(err, EINVAL, ERR_USAGE, "%s needs %s", v->name, v->args);
	else if (v->max >= 0 && o->n_args > v->max)
		err_setc(err, EINVAL, ERR_USAGE, "%s: %s is too much", v->name, o->args[v->max]);
	else if (v->command && o->n_command == 0)
		err_setc(err, EINVAL, ERR_USAGE, "%s needs a command to run", v->name);
	else if (!v->command && o->command)
		err_setc(err, EINVAL, ERR_USAGE, "%s takes no command", v->name);
	else if (v->operand == OPERAND_WORDS && !opts_one_of(v->args, o->args[0]))
		return bad_choice(v->name, v->args, o->args[0], err);
	else
		return 0;
	return usage_hint(v, err);
}

static void set_command(struct opts *o, char *const *argv)
{
	o->command = argv;
	while (argv[o->n_command])
		o->n_command++;
}

/* A word that starts the command of exec although no "--" stands before it. */
static bool starts_command(const struct opts *o, const char *word)
{
	return o->verb->hidden || (o->verb->command && o->n_args == o->verb->max && word[0] != '-');
}

/* One word; returns how many further words were taken. */
static int take_word(struct opts *o, char *const *argv, struct err *err)
{
	const char *a = *argv;
	if (!o->verb && strcmp(a, "--version") == 0)
		return set_verb(o, "version", err);
	if (a[0] == '-' && a[1] == '-' && a[2])
		return long_flag(o, argv, err);
	if (a[0] == '-' && a[1])
		return short_flags(o, argv, err);
	if (!o->verb)
		return set_verb(o, a, err) ?: check_early(o, err);
	o->args[o->n_args++] = a;
	return 0;
}

int opts_parse(char *const *argv, struct opts *o, struct err *err)
{
	size_t argc = 0;
	while (argv[argc])
		argc++;
	*o = (struct opts){.args = calloc(argc + 1, sizeof(char *))};
	if (!o->args)
		return err_sys(err, ENOMEM, "reading the command line");
	for (; *argv; argv++) {
		bool dashes = o->verb && strcmp(*argv, "--") == 0;
		if (dashes || (o->verb && starts_command(o, *argv))) {
			set_command(o, argv + dashes);
			break;
		}
		int r = take_word(o, argv, err);
		if (r < 0)
			return r;
		argv += r;
	}
	return o->verb ? check_operands(o, err) : 0;
}
