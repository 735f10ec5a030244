/* SPDX-License-Identifier: MIT */
/* See paths.h. */
#include "labctl/paths.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/strbuf.h"
#include "lib/kube/fault.h"

#define LAB_SUFFIX  ".lab.yaml"
#define MAX_SHIPPED 256

/* Our own binary's directory, "" if it can't be told. */
static const char *own_dir(char buf[static PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", buf, PATH_MAX - 1);
	buf[n < 0 ? 0 : n] = '\0';
	char *slash = strrchr(buf, '/');
	if (slash)
		*slash = '\0';
	return buf;
}

static bool join(char *buf, size_t size, const char *dir, size_t len, const char *name)
{
	return snprintf(buf, size, "%.*s/%s", (int)len, dir, name) < (int)size;
}

static bool search_list(const char *list, const char *name, char *buf, size_t size)
{
	while (list && *list) {
		size_t n = strcspn(list, ":");
		if (n && join(buf, size, list, n, name) && access(buf, X_OK) == 0)
			return true;
		list += n + (list[n] == ':');
	}
	return false;
}

bool path_search(const char *name, char *buf, size_t size)
{
	char own[PATH_MAX];
	if (!buf) {
		buf = own;
		size = sizeof(own);
	}
	return search_list(getenv("PATH"), name, buf, size) ||
	       search_list("/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin", name,
			   buf, size);
}

bool path_beside(const char *name, char *buf, size_t size)
{
	char dir[PATH_MAX], rel[PATH_MAX];
	own_dir(dir);
	snprintf(rel, sizeof(rel), "../sbin/%s", name);
	if (join(buf, size, dir, strlen(dir), name) && access(buf, X_OK) == 0)
		return true;
	if (join(buf, size, dir, strlen(dir), rel) && access(buf, X_OK) == 0)
		return true;
	return path_search(name, buf, size);
}

struct shipped {
	struct {
		char *name, *path;
	} v[MAX_SHIPPED];
	size_t n;
};

static void shipped_free(struct shipped *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i].name);
		free(s->v[i].path);
	}
}

static void add_shipped(struct shipped *s, const char *name, size_t len, const char *path)
{
	for (size_t i = 0; i < s->n; i++) {
		if (strlen(s->v[i].name) == len && memcmp(s->v[i].name, name, len) == 0)
			return;
	}
	if (s->n == MAX_SHIPPED)
		return;
	s->v[s->n].name = strndup(name, len);
	s->v[s->n].path = strdup(path);
	if (s->v[s->n].name && s->v[s->n].path)
		s->n++;
}

static void scan(struct shipped *s, const char *dir)
{
	struct dirent **list;
	int n = scandir(dir, &list, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name;
		size_t len = strlen(name), suffix = strlen(LAB_SUFFIX);
		char path[PATH_MAX];
		if (len > suffix && strcmp(name + len - suffix, LAB_SUFFIX) == 0 &&
		    join(path, sizeof(path), dir, strlen(dir), name))
			add_shipped(s, name, len - suffix, path);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}

static void scan_all(struct shipped *s)
{
	char dir[PATH_MAX], path[PATH_MAX];
	const char *list = getenv("LABD_LABS");
	while (list && *list) {
		size_t n = strcspn(list, ":");
		snprintf(path, sizeof(path), "%.*s", (int)n, list);
		scan(s, path);
		list += n + (list[n] == ':');
	}
	/* As built, and as installed: PREFIX/bin has PREFIX/share beside it, wherever that is. */
	static const char *const beside[] = {"../labs", "../share/labd/labs"};
	for (size_t i = 0; i < ARRAY_SIZE(beside); i++) {
		own_dir(dir);
		if (join(path, sizeof(path), dir, strlen(dir), beside[i]) && realpath(path, dir))
			scan(s, dir);
	}
}

void path_labs(void (*fn)(const char *name, const char *path, void *arg), void *arg)
{
	_cleanup_(shipped_free) struct shipped s = {.n = 0};
	scan_all(&s);
	for (size_t i = 0; i < s.n; i++)
		fn(s.v[i].name, s.v[i].path, arg);
}

static bool has_ending(const char *word)
{
	static const char *const endings[] = {".yaml", ".yml", ".json"};
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		size_t n = strlen(word), k = strlen(endings[i]);
		if (n > k && strcmp(word + n - k, endings[i]) == 0)
			return true;
	}
	return false;
}

static int unknown_lab(const char *word, const struct shipped *s, struct err *err)
{
	const char *names[MAX_SHIPPED];
	for (size_t i = 0; i < s->n; i++)
		names[i] = s->v[i].name;
	err_setc(err, ENOENT, ERR_NOT_FOUND, "there is no lab %s, nor a file of that name", word);
	const char *near = nearest_word(word, names, (unsigned)s->n);
	if (near)
		return err_hint(err, "did you mean %s?", near);
	return err_hint(err, "labctl labs lists the shipped ones");
}

int path_lab(const char *word, char *buf, size_t size, struct err *err)
{
	if (snprintf(buf, size, "%s", word) >= (int)size)
		return err_sys(err, ENAMETOOLONG, "%s", word);
	if (strcmp(word, "-") == 0 || strchr(word, '/') || has_ending(word)) {
		if (strcmp(word, "-") == 0 || path_exists(word))
			return 0;
		return err_setc(err, ENOENT, ERR_NOT_FOUND, "there is no file %s", word);
	}
	_cleanup_(shipped_free) struct shipped s = {.n = 0};
	scan_all(&s);
	for (size_t i = 0; i < s.n; i++) {
		if (strcmp(s.v[i].name, word) == 0) {
			snprintf(buf, size, "%s", s.v[i].path);
			return 0;
		}
	}
	return path_exists(word) ? 0 : unknown_lab(word, &s, err);
}
