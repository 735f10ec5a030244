/* SPDX-License-Identifier: MIT */
/* test_opts: command lines against the verb table, what is said of wrong ones, and whether
 * labctl(1) has all verbs and flags. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "labctl/opts.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"

#define WORDS_MAX 16

/* Parse "get pods -o wide": words parted by blanks. The texts live as long as `buf`. */
static int parse(const char *line, char *buf, struct opts *o, struct err *err)
{
	static char *argv[WORDS_MAX];
	size_t n = 0;
	strcpy(buf, line);
	for (char *save, *w = strtok_r(buf, " ", &save); w && n < WORDS_MAX - 1;
	     w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	argv[n] = NULL;
	*err = (struct err){0};
	return opts_parse(argv, o, err);
}

static void expect_error(const char *line, const char *text, const char *hint)
{
	char buf[256];
	struct opts o;
	struct err err;
	assert_true(parse(line, buf, &o, &err) < 0);
	free(o.args);
	assert_int_equal(err.cls, ERR_USAGE);
	assert_string_equal(err.text, text);
	if (hint)
		assert_non_null(strstr(err.hint, hint));
}

static void flags_anywhere(void **state)
{
	static const char *const lines[] = {
		"get pods -o wide -n kube-system -l x",
		"-n kube-system -l x -o wide get pods",
		"-lx get -owide -nkube-system pods",
		"get --output=wide --namespace kube-system pods --lab=x",
		"-n=kube-system get pods -o=wide -l=x",
	};
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		char buf[256];
		struct opts o;
		struct err err;
		assert_int_equal(parse(lines[i], buf, &o, &err), 0);
		assert_string_equal(o.verb->name, "get");
		assert_string_equal(o.val[FLAG_OUTPUT], "wide");
		assert_string_equal(o.val[FLAG_NAMESPACE], "kube-system");
		assert_string_equal(o.val[FLAG_LAB], "x");
		assert_int_equal(o.n_args, 1);
		assert_string_equal(o.args[0], "pods");
		assert_null(o.command);
		free(o.args);
	}
}

static void commands(void **state)
{
	static const struct {
		const char *line, *where, *command;
		bool it;
		int n;
	} t[] = {
		{"exec -it busybox1 -- sh", "busybox1", "sh", true, 1},
		{"exec busybox1 -ti -- sh", "busybox1", "sh", true, 1},
		{"exec busybox1 -- ls -l", "busybox1", "ls", false, 2},
		{"exec busybox1 ls -it", "busybox1", "ls", false, 2},
		{"exec -l x node/a -- -o --", "node/a", "-o", false, 2},
	};
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		char buf[256];
		struct opts o;
		struct err err;
		assert_int_equal(parse(t[i].line, buf, &o, &err), 0);
		assert_string_equal(o.args[0], t[i].where);
		assert_string_equal(o.command[0], t[i].command);
		assert_int_equal(o.n_command, t[i].n);
		assert_int_equal(o.val[FLAG_STDIN] != NULL, t[i].it);
		assert_int_equal(o.val[FLAG_TTY] != NULL, t[i].it);
		free(o.args);
	}
}

static void wrong_lines(void **state)
{
	expect_error("gte pods", "there is no verb gte", "did you mean get?");
	expect_error("frobnicate", "there is no verb frobnicate", "labctl help");
	expect_error("trace a b c", "trace: c is too much", NULL);
	expect_error("up x --dryrun", "up has no flag --dryrun", "did you mean --dry-run?");
	expect_error("up -z x", "up has no flag -z", "usage: labctl up [flags] LAB|FILE|DIR...");
	expect_error("-z up", "-z can not stand before the verb", NULL);
	expect_error("-o json up x", "up has no flag --output", NULL);
	expect_error("get pods -o jsn", "--output jsn: it is one of wide, json, yaml, name",
		     "did you mean json?");
	expect_error("-o jsn get pods", "--output jsn: it is one of wide, json, yaml, name", NULL);
	expect_error("get pods -n", "-n needs NS", NULL);
	expect_error("get pods --namespace", "--namespace needs NS", NULL);
	expect_error("up x --dry-run=yes", "--dry-run takes no argument", NULL);
	expect_error("up", "up needs LAB|FILE|DIR...", "usage: labctl up");
	expect_error("ls more", "ls: more is too much", NULL);
	expect_error("exec busybox1", "exec needs a command to run", NULL);
	expect_error("get pods -- x", "get takes no command", NULL);
	expect_error("engine strat", "engine strat: it is one of status, start, stop", "start");
}

static void help_needs_no_operands(void **state)
{
	char buf[256];
	struct opts o;
	struct err err;
	assert_int_equal(parse("exec --help", buf, &o, &err), 0);
	assert_non_null(o.val[FLAG_HELP]);
	free(o.args);
	assert_int_equal(parse("", buf, &o, &err), 0);
	assert_null(o.verb);
	free(o.args);
	assert_int_equal(parse("--version", buf, &o, &err), 0);
	assert_string_equal(o.verb->name, "version");
	free(o.args);
}

/* Each verb and flag once, with a one-line help, and an example that parses. */
static void the_table_is_sound(void **state)
{
	for (size_t i = 0; i < n_verbs; i++) {
		const struct verb *v = &verbs[i];
		assert_ptr_equal(verb_find(v->name), v);
		if (v->hidden)
			continue;
		assert_true(*v->help && strlen(v->help) < 80);
		assert_non_null(v->examples);
		for (size_t k = 0; k < v->n_flags; k++) {
			const struct flag *f = &v->flags[k];
			assert_ptr_equal(opts_flag(v, f->name, strlen(f->name), 0), f);
			if (f->letter)
				assert_ptr_equal(opts_flag(v, NULL, 0, f->letter), f);
		}
		for (const char *const *e = v->examples; *e; e++) {
			char line[256], buf[256];
			struct opts o;
			struct err err;
			if (strncmp(*e, "labctl ", 7) != 0)
				continue;
			strcpy(line, *e + 7);
			line[strcspn(line, ">|")] = '\0';
			if (parse(line, buf, &o, &err) < 0)
				fail_msg("the example `%s`: %s", *e, err.text);
			free(o.args);
		}
	}
}

/* The page as plain words: roff's backslashes and font changes gone. */
static char *man_text(void)
{
	_strbuf_ struct strbuf raw = STRBUF_INIT, text = STRBUF_INIT;
	struct err err;
	if (file_read("docs/man/labctl.1", 1 << 20, &raw, &err) < 0)
		fail_msg("%s", err.text);
	for (const char *p = strbuf_str(&raw); *p; p++) {
		if (p[0] == '\\' && p[1] == 'f' && p[2])
			p += 2;
		else if (p[0] == '\\' && p[1] == '&')
			p++;
		else if (*p != '\\')
			strbuf_addc(&text, *p);
	}
	return strbuf_take(&text);
}

static void the_man_page_has_all(void **state)
{
	_free_ char *text = man_text();
	for (size_t i = 0; i < n_verbs; i++) {
		_strbuf_ struct strbuf usage = STRBUF_INIT;
		const char *at;
		if (verbs[i].hidden)
			continue;
		opts_usage(&verbs[i], &usage);
		at = strstr(text, usage.s);
		if (!at)
			fail_msg("docs/man/labctl.1 lacks `%s`: make man", usage.s);
		for (size_t k = 0; k < verbs[i].n_flags; k++) {
			const struct flag *f = &verbs[i].flags[k];
			const char *found = strstr(at, f->help);
			if (!found)
				fail_msg("docs/man/labctl.1 lacks --%s of %s: make man", f->name,
					 verbs[i].name);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_anywhere),     cmocka_unit_test(commands),
		cmocka_unit_test(wrong_lines),	      cmocka_unit_test(help_needs_no_operands),
		cmocka_unit_test(the_table_is_sound), cmocka_unit_test(the_man_page_has_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
