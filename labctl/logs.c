/* SPDX-License-Identifier: MIT */
/* logs: the verb logs: what a container wrote. labd-init keeps it in the pod, in /run/log. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "labctl/exec.h"
#include "labctl/verbs.h"
#include "lib/base/cleanup.h"
#include "lib/base/strbuf.h"
#include "lib/kube/naming.h"

/* $1 the container, or nothing: the first there is. $2 how many lines, "+1" for all. $3 "-F" or
 * nothing. The older half of a long log has been moved to .log.1. */
static const char script[] =
	"cd /run/log || exit 1\n"
	"f=$1.log\n"
	"[ -n \"$1\" ] || for f in *.log; do break; done\n"
	"[ -f \"$f\" ] || { echo \"there is no log of ${1:-anything} here\" >&2; exit 1; }\n"
	"[ -z \"$3\" ] || exec tail -n \"$2\" -F \"$f\" 2>/dev/null\n"
	"cat \"$f.1\" \"$f\" 2>/dev/null | tail -n \"$2\"\n";

/* The container that is meant: -c, or the first, as kubectl takes it. */
static int pick_container(const json_t *pod, const char *wanted, const char **ret, struct err *err)
{
	const json_t *list = json_object_get(json_object_get(pod, "spec"), "containers"), *c;
	const char *name =
		json_string_value(json_object_get(json_object_get(pod, "metadata"), "name"));
	_strbuf_ struct strbuf all = STRBUF_INIT;
	size_t i;
	*ret = NULL;
	json_array_foreach (list, i, c) {
		const char *this = json_string_value(json_object_get(c, "name"));
		if (this && (wanted ? strcmp(this, wanted) == 0 : !*ret))
			*ret = this;
		strbuf_addf(&all, "%s%s", i ? ", " : "", this ? this : "?");
	}
	if (!*ret) {
		err_setc(err, ENOENT, ERR_NOT_FOUND, "container %s is not valid for pod %s",
			 wanted ? wanted : "?", name);
		return err_hint(err, "it has: %s", strbuf_str(&all));
	}
	if (!wanted && json_array_size(list) > 1)
		fprintf(stderr, "Defaulted container \"%s\" out of: %s\n", *ret, strbuf_str(&all));
	return 0;
}

static const json_t *find_pod(const json_t *pods, const char *name)
{
	const json_t *p;
	size_t i;
	json_array_foreach (pods, i, p) {
		const char *s =
			json_string_value(json_object_get(json_object_get(p, "metadata"), "name"));
		if (s && name && strcmp(s, name) == 0)
			return p;
	}
	return NULL;
}

/* Of a pod the container (with hostNetwork it is a program of its node: at_host); of a node or host
 * the program that -c names. */
static int pick(const struct exec_where *at, const json_t *place, const char *wanted, json_t **pods,
		char at_host[static NAME_PROGRAMSIZ], const char **ret, struct err *err)
{
	const char *kind = json_string_value(json_object_get(place, "kind"));
	*ret = wanted ? wanted : "";
	if (!kind || strcmp(kind, "pod") != 0)
		return 0;
	int r = client_get(at->engine, at->lab, "pods",
			   json_string_value(json_object_get(place, "ns")), pods, err);
	const json_t *pod =
		r < 0 ? NULL : find_pod(*pods, json_string_value(json_object_get(place, "name")));
	r = pod ? pick_container(pod, wanted, ret, err) : r;
	if (pod && r == 0 &&
	    json_is_true(json_object_get(json_object_get(pod, "spec"), "hostNetwork"))) {
		const json_t *m = json_object_get(pod, "metadata");
		name_host_program(at_host, json_string_value(json_object_get(m, "name")),
				  json_string_value(json_object_get(m, "namespace")), *ret);
		*ret = at_host;
	}
	return r;
}

static int read_tail(const char *text, char ret[static 24], struct err *err)
{
	char *end;
	long n = text ? strtol(text, &end, 10) : -1;
	if (text && (*end || end == text || n < -1))
		return err_setc(err, EINVAL, ERR_USAGE, "--tail %s: it is a number of lines", text);
	snprintf(ret, 24, n < 0 ? "+1" : "%ld", n);
	return 0;
}

int verb_logs(const struct opts *o, struct err *err)
{
	struct exec_where at;
	json_t *place = NULL, *pods = NULL;
	const char *container;
	char lines[24], at_host[NAME_PROGRAMSIZ];
	int r = read_tail(o->val[FLAG_TAIL], lines, err);
	if (r == 0)
		r = exec_find(o, &at, err);
	if (r == 0)
		r = exec_place(&at, &place, err);
	if (r == 0)
		r = pick(&at, place, o->val[FLAG_CONTAINER], &pods, at_host, &container, err);
	if (r == 0) {
		json_t *argv = json_pack("[s, s, s, s, s, s, s]", "sh", "-c", script, "logs",
					 container, lines, o->val[FLAG_FOLLOW] ? "-F" : "");
		r = exec_in(&at, argv, json_array(), false, false, err);
	}
	json_decref(place);
	json_decref(pods);
	return r;
}
