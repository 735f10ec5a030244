/* SPDX-License-Identifier: MIT */
/* See brief.h. */
#include "labd/lab/brief.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "labd/kernel/proc.h"
#include "labd/lab/docs.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"

static const char END[] = "end\n";

static void path_of(const struct engine *e, const char *name, const char *file,
		    char path[static PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/labs/%s/%s", e->run, name, file);
}

void brief_key(const struct engine *e, const char *name, char key[static BRIEF_KEY])
{
	static const char *const files[] = {"lab.json", "journal", "pods.json"};
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char path[PATH_MAX];
		struct stat st = {0};
		path_of(e, name, files[i], path);
		if (stat(path, &st) < 0)
			st = (struct stat){0};
		n += (size_t)snprintf(key + n, BRIEF_KEY - n, "%" PRIuMAX ".%jd.%jd.%ld ",
				      (uintmax_t)st.st_ino, (intmax_t)st.st_size,
				      (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	}
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The line at *text, ended by NUL in place. */
static char *line(char **text)
{
	char *s = *text, *end = strchr(s, '\n');
	if (!end)
		return NULL;
	*end = '\0';
	*text = end + 1;
	return s;
}

static bool runs(const char *s)
{
	char *end;
	pid_t pid = (pid_t)strtol(s, &end, 10);
	if (*end == ' ')
		return proc_alive(pid, strtoull(end + 1, NULL, 10));
	return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

static bool holds(char *text, const char *key, struct brief *ret)
{
	const char *was = line(&text), *s;
	if (!was || strcmp(was, key) != 0 || !(ret->lab = line(&text)))
		return false;
	while ((s = line(&text)) && *s)
		if (!runs(s))
			return false;
	size_t n = strlen(text), m = sizeof(END) - 1;
	if (!s || n < m || strcmp(text + n - m, END) != 0)
		return false;
	text[n - m] = '\0';
	ret->rows = text;
	return true;
}

bool brief_load(const struct engine *e, const char *name, struct brief *ret)
{
	char path[PATH_MAX], key[BRIEF_KEY];
	*ret = (struct brief){.text = STRBUF_INIT};
	path_of(e, name, "brief", path);
	brief_key(e, name, key);
	if (file_read(path, MAX_FILE_BYTES, &ret->text, NULL) >= 0 && ret->text.len &&
	    holds(ret->text.s, key, ret))
		return true;
	brief_free(ret);
	return false;
}

void brief_free(struct brief *b)
{
	strbuf_free(&b->text);
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool add_processes(struct strbuf *b, const struct stored *s, const struct journal *j)
{
	vec_foreach (const struct dns, ns, &s->desired->ns) {
		const struct journal_proc *p = journal_proc_find(j, ns->name);
		if (ns->kind == DNS_FABRIC || ns->kind == DNS_ROUTER)
			continue;
		if (!p || !proc_alive(p->pid, p->starttime))
			return false;
		if (ns->kind == DNS_POD)
			strbuf_addf(b, "%d\n", (int)p->pid);
		else
			strbuf_addf(b, "%d %" PRIu64 "\n", (int)p->pid, p->starttime);
	}
	return true;
}

/* What a row says of the containers of a pod all of which run; false: there is more to say. */
static bool add_containers(const json_t *list, unsigned *restarts, const char **last)
{
	size_t i;
	json_t *c;
	json_array_foreach ((json_t *)list, i, c) {
		const char *ended = doc_str(c, "lastState.terminated.finishedAt");
		if (!json_is_true(json_object_get(c, "ready")) ||
		    doc_str(c, "state.waiting.reason") || doc_str(c, "state.terminated.reason"))
			return false;
		*restarts += (unsigned)json_integer_value(json_object_get(c, "restartCount"));
		if (ended && strcmp(ended, *last) > 0)
			*last = ended;
	}
	return true;
}

static bool add_cell(struct strbuf *b, const char *cell)
{
	strbuf_addc(b, '\t');
	strbuf_adds(b, cell ? cell : "");
	return !cell || !strpbrk(cell, "\t\n");
}

static bool add_row(struct strbuf *b, const json_t *o)
{
	const json_t *status = json_object_get(o, "status");
	const json_t *containers = json_object_get(json_object_get(o, "spec"), "containers");
	const json_t *statuses = json_object_get(status, "containerStatuses");
	const char *phase = doc_str(o, "status.phase"), *last = "";
	unsigned restarts = 0;
	if (!phase || strcmp(phase, "Running") != 0 || doc_str(o, "status.reason") ||
	    doc_str(o, "metadata.deletionTimestamp") || doc_str(o, "status.nominatedNodeName") ||
	    json_array_size(statuses) != json_array_size(containers) ||
	    !add_containers(statuses, &restarts, &last))
		return false;
	strbuf_adds(b, doc_str(o, "metadata.namespace"));
	bool ok = add_cell(b, doc_str(o, "metadata.name"));
	strbuf_addf(b, "\t%zu\t%u", json_array_size(containers), restarts);
	ok &= add_cell(b, last) && add_cell(b, doc_str(o, "metadata.creationTimestamp")) &&
	      add_cell(b, doc_str(o, "status.podIP")) && add_cell(b, doc_str(o, "spec.nodeName"));
	strbuf_addc(b, '\n');
	return ok;
}

void brief_store(const struct stored *s, const char *key, const struct journal *j,
		 const json_t *pods, const json_t *lab)
{
	_strbuf_ struct strbuf b = STRBUF_INIT;
	_free_ char *text = json_dumps(lab, JSON_COMPACT);
	char path[PATH_MAX];
	size_t i;
	json_t *o;
	if (!text || j->state != LAB_UP)
		return;
	strbuf_addf(&b, "%s\n%s\n", key, text);
	if (!add_processes(&b, s, j))
		return;
	strbuf_addc(&b, '\n');
	json_array_foreach ((json_t *)pods, i, o)
		if (!add_row(&b, o))
			return;
	strbuf_adds(&b, END);
	snprintf(path, sizeof(path), "%s/brief", s->dir);
	file_replace(path, strbuf_str(&b), b.len, 0600, NULL);
}
