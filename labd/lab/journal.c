/* SPDX-License-Identifier: MIT */
/* See journal.h. */
#include "labd/lab/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"

static const char *const state_names[] = {"building", "up", "removing", "changing"};

const char *lab_state_str(enum lab_state s)
{
	return state_names[s];
}

static void journal_path(const char *dir, char path[static PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/journal", dir);
}

int journal_add(const char *dir, struct err *err, const char *fmt, ...)
{
	char path[PATH_MAX], line[1024];
	journal_path(dir, path);
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line) - 1)
		return err_set(err, ENAMETOOLONG, "%s: line too long", path);
	line[n++] = '\n';
	_close_ int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, errno, "%s", path);
	ssize_t w = write(fd, line, (size_t)n);
	if (w < 0)
		return err_sys(err, errno, "%s", path);
	if (w != n) /* a full disk: the torn line is ignored by readers */
		return err_sys(err, ENOSPC, "%s", path);
	return 0;
}

static void parse_line(struct journal *j, struct arena *a, char *line)
{
	char *save = NULL, *word = strtok_r(line, " ", &save), *arg = strtok_r(NULL, " ", &save);
	if (!word || !arg)
		return;
	if (strcmp(word, "state") == 0) {
		for (unsigned i = 0; i < ARRAY_SIZE(state_names); i++)
			if (strcmp(arg, state_names[i]) == 0)
				j->state = (enum lab_state)i;
	} else if (strcmp(word, "pin") == 0) {
		char *ino = strtok_r(NULL, " ", &save);
		if (ino)
			*vec_push(a, &j->pins) = (struct journal_pin){
				arena_strdup(a, arg), (ino_t)strtoull(ino, NULL, 10),
				strtok_r(NULL, " ", &save) != NULL};
	} else if (strcmp(word, "inside") == 0) {
		char *node = strtok_r(NULL, " ", &save), *name = strtok_r(NULL, " ", &save);
		if (node && name)
			*vec_push(a, &j->insides) = (struct journal_inside){
				arena_strdup(a, arg), arena_strdup(a, node), arena_strdup(a, name)};
	} else if (strcmp(word, "proc") == 0) {
		char *pid = strtok_r(NULL, " ", &save), *start = strtok_r(NULL, " ", &save);
		char *node = strtok_r(NULL, " ", &save);
		if (pid && start)
			*vec_push(a, &j->procs) = (struct journal_proc){
				arena_strdup(a, arg), (pid_t)strtol(pid, NULL, 10),
				strtoull(start, NULL, 10), node ? arena_strdup(a, node) : NULL};
	}
}

/* The last entry of each namespace counts: a pod may have been replaced. */
struct journal_index {
	const struct journal_proc *proc;
	UT_hash_handle hh;
};

/* uthash's own memory is the arena's. */
#undef uthash_malloc
#undef uthash_free
#define uthash_malloc(size)    arena_alloc(arena, size)
#define uthash_free(ptr, size) ((void)(ptr))

static void make_index(struct journal *j, struct arena *arena)
{
	vec_foreach (const struct journal_proc, p, &j->procs) {
		struct journal_index *i;
		HASH_FIND_STR(j->index, p->ns, i);
		if (!i) {
			i = arena_new_type(arena, struct journal_index);
			HASH_ADD_KEYPTR(hh, j->index, p->ns, strlen(p->ns), i);
		}
		i->proc = p;
	}
}

int journal_read(const char *dir, struct arena *a, struct journal *ret, struct err *err)
{
	char path[PATH_MAX];
	journal_path(dir, path);
	*ret = (struct journal){.state = LAB_BUILDING};
	if (!path_exists(path))
		return 0;
	_strbuf_ struct strbuf b = STRBUF_INIT;
	int r = file_read(path, MAX_FILE_BYTES, &b, err);
	if (r < 0)
		return r;
	char *line = b.s;
	for (char *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		parse_line(ret, a, line);
	}
	make_index(ret, a);
	return 0;
}

const struct journal_proc *journal_proc_find(const struct journal *j, const char *ns)
{
	struct journal_index *i;
	HASH_FIND_STR(j->index, ns, i);
	return i ? i->proc : NULL;
}

bool journal_proc_last(const struct journal *j, const struct journal_proc *p)
{
	return journal_proc_find(j, p->ns) == p;
}

bool journal_is_node(const struct journal_proc *p)
{
	return p->node && strcmp(p->node, p->ns) == 0;
}

/* Is a later pin of the same name there? */
static bool pinned_again(const struct journal *j, const struct journal_pin *p)
{
	for (const struct journal_pin *q = p + 1; q < j->pins.v + j->pins.n; q++)
		if (strcmp(q->name, p->name) == 0)
			return true;
	return false;
}

static bool inside_again(const struct journal *j, const struct journal_inside *p)
{
	for (const struct journal_inside *q = p + 1; q < j->insides.v + j->insides.n; q++)
		if (strcmp(q->ns, p->ns) == 0)
			return true;
	return false;
}

int journal_compact(const char *dir, const char *lab, bool (*keep)(void *arg, const char *ns),
		    void *arg, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	_strbuf_ struct strbuf b = STRBUF_INIT;
	struct journal j;
	char path[PATH_MAX];
	size_t prefix = strlen(lab) + 1;
	int r = journal_read(dir, a, &j, err);
	if (r < 0)
		return r;
	strbuf_adds(&b, "state up\n");
	vec_foreach (const struct journal_proc, p, &j.procs)
		if (p == journal_proc_find(&j, p->ns) && keep(arg, p->ns))
			strbuf_addf(&b, "proc %s %d %" PRIu64 "%s%s\n", p->ns, (int)p->pid,
				    p->starttime, p->node ? " " : "", p->node ? p->node : "");
	vec_foreach (const struct journal_pin, p, &j.pins)
		if (strlen(p->name) > prefix && keep(arg, p->name + prefix) && !pinned_again(&j, p))
			strbuf_addf(&b, "pin %s %llu%s\n", p->name, (unsigned long long)p->ino,
				    p->slow ? " slow" : "");
	vec_foreach (const struct journal_inside, p, &j.insides)
		if (keep(arg, p->ns) && !inside_again(&j, p))
			strbuf_addf(&b, "inside %s %s %s\n", p->ns, p->node, p->name);
	journal_path(dir, path);
	return file_replace(path, strbuf_str(&b), b.len, 0600, err);
}
