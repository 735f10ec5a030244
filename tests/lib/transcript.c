/* SPDX-License-Identifier: MIT */
/*
 * transcript: play a transcript (tests/golden/LAB.transcript.yaml) against a running lab: run every
 * command where it says, as `labctl exec WHERE -- sh -c RUN`, and hold the output against what the
 * real cluster printed. TAP on stdout.
 *
 *	transcript LABCTL LAB FILE
 */
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/strbuf.h"
#include "lib/yaml/yaml.h"

/* Output of labctl exec, stdout and stderr together. */
static int run(const char *labctl, const char *lab, const char *where, const char *cmd,
	       struct strbuf *out)
{
	int p[2], st;
	if (pipe(p) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid == 0) {
		dup2(p[1], 1);
		dup2(p[1], 2);
		close(p[0]);
		execl(labctl, labctl, "exec", "-l", lab, where, "--", "sh", "-c", cmd,
		      (char *)NULL);
		_exit(127);
	}
	close(p[1]);
	for (ssize_t n; (n = read(p[0], strbuf_reserve(out, 4096), 4096)) > 0;)
		out->len += (size_t)n;
	strbuf_addc(out, '\0');
	close(p[0]);
	waitpid(pid, &st, 0);
	return WIFEXITED(st) ? WEXITSTATUS(st) : 128;
}

/* Runs of white space become one space; none at the ends. */
static void squeeze(const char *s, struct strbuf *b)
{
	strbuf_reset(b);
	for (; *s; s++) {
		if (*s != ' ' && *s != '\t' && *s != '\r')
			strbuf_addc(b, *s);
		else if (b->len && b->s[b->len - 1] != ' ')
			strbuf_addc(b, ' ');
	}
	if (b->len && b->s[b->len - 1] == ' ')
		b->s[--b->len] = '\0';
}

static bool line_matches(const char *line, const char *want, bool re)
{
	_strbuf_ struct strbuf a = STRBUF_INIT, b = STRBUF_INIT;
	squeeze(line, &a);
	if (re) {
		regex_t rx;
		if (regcomp(&rx, want, REG_EXTENDED | REG_NOSUB))
			return false;
		bool ok = regexec(&rx, strbuf_str(&a), 0, NULL, 0) == 0;
		regfree(&rx);
		return ok;
	}
	squeeze(want, &b);
	return strcmp(strbuf_str(&a), strbuf_str(&b)) == 0;
}

/* Each wanted line must occur, in this order. Returns the first that does not, or NULL. */
static const char *first_missing(const char *output, json_t *list, bool re)
{
	_free_ char *copy = strdup(output);
	char *save = NULL, *line = strtok_r(copy, "\n", &save);
	size_t i;
	json_t *v;
	json_array_foreach (list, i, v) {
		const char *want = json_string_value(v);
		while (line && !line_matches(line, want, re))
			line = strtok_r(NULL, "\n", &save);
		if (!line)
			return want;
	}
	return NULL;
}

static bool check(const char *labctl, const char *lab, json_t *entry, unsigned n)
{
	const char *where = json_string_value(json_object_get(entry, "where"));
	const char *cmd = json_string_value(json_object_get(entry, "run"));
	_strbuf_ struct strbuf out = STRBUF_INIT;
	int rc = run(labctl, lab, where, cmd, &out);
	const char *missing =
		first_missing(strbuf_str(&out), json_object_get(entry, "want"), false);
	if (!missing)
		missing = first_missing(strbuf_str(&out), json_object_get(entry, "wantre"), true);
	printf("%s %u - %s: %s: %s\n", missing || rc ? "not ok" : "ok", n, lab, where, cmd);
	if (!missing && rc == 0)
		return true;
	printf("# exit code %d, missing: %s\n", rc, missing ? missing : "-");
	_free_ char *copy = strdup(strbuf_str(&out));
	char *save = NULL;
	for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		printf("# | %s\n", l);
	return false;
}

int main(int argc, char **argv)
{
	struct err err = {0};
	if (argc != 4) {
		fprintf(stderr, "usage: transcript LABCTL LAB FILE\n");
		return 2;
	}
	struct yaml_files *f = yaml_files_new();
	if (yaml_files_add(f, argv[3], &err) < 0) {
		err_print(&err, "transcript");
		return 2;
	}
	json_t *list = json_object_get(json_array_get(yaml_files_docs(f), 0), "transcript"), *v;
	size_t i;
	bool ok = json_array_size(list) > 0;
	json_array_foreach (list, i, v)
		ok &= check(argv[1], argv[2], v, (unsigned)i + 1);
	printf("1..%zu\n", json_array_size(list));
	yaml_files_free(f);
	return ok ? 0 : 1;
}
