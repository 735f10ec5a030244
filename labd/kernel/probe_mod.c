/* SPDX-License-Identifier: MIT */
/* See probe_mod.h. */
#include "labd/kernel/probe_mod.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/base/file.h"

#define LIST_MAX (8u * 1024u * 1024u)

static void read_list(struct strbuf *b, const char *dir, const char *file)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", dir, file);
	if (file_read(path, LIST_MAX, b, NULL) < 0)
		strbuf_reset(b);
	/* Modules are named with either; compare with one. */
	for (size_t i = 0; i < b->len; i++)
		if (b->s[i] == '-')
			b->s[i] = '_';
}

static bool nothing_loads(const char *dir)
{
	_strbuf_ struct strbuf helper = STRBUF_INIT;
	_strbuf_ struct strbuf disabled = STRBUF_INIT;
	if (!path_exists(dir))
		return true;
	if (file_read("/proc/sys/kernel/modprobe", 4096, &helper, NULL) < 0 ||
	    strbuf_str(&helper)[0] == '\n' || helper.len == 0)
		return true;
	return file_read("/proc/sys/kernel/modules_disabled", 64, &disabled, NULL) >= 0 &&
	       strbuf_str(&disabled)[0] == '1';
}

void mods_read(struct mods *m)
{
	struct utsname u;
	char dir[256];
	*m = (struct mods){0};
	uname(&u);
	snprintf(dir, sizeof(dir), "/lib/modules/%s", u.release);
	m->can_load = !nothing_loads(dir);
	read_list(&m->builtin, dir, "modules.builtin");
	read_list(&m->loadable, dir, "modules.dep");
	read_list(&m->loaded, "/proc", "modules");
}

void mods_free(struct mods *m)
{
	strbuf_free(&m->builtin);
	strbuf_free(&m->loadable);
	strbuf_free(&m->loaded);
}

/* Is "/NAME.ko" in a list of paths? */
static bool listed(const struct strbuf *list, const char *name)
{
	char key[128];
	snprintf(key, sizeof(key), "/%s.ko", name);
	return strstr(strbuf_str(list), key) != NULL;
}

static bool loaded(const struct strbuf *list, const char *name)
{
	size_t n = strlen(name);
	for (const char *p = strbuf_str(list); *p;) {
		if (strncmp(p, name, n) == 0 && p[n] == ' ')
			return true;
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
	return false;
}

static bool present(const struct mods *m, const char *name)
{
	char path[256];
	snprintf(path, sizeof(path), "/sys/module/%s", name);
	return path_exists(path) || loaded(&m->loaded, name) || listed(&m->builtin, name);
}

/* The next name of a blank-separated list into buf; NULL at its end. */
static const char *next_name(const char *names, char *buf, size_t size)
{
	names += strspn(names, " ");
	size_t n = strcspn(names, " ");
	if (n == 0 || n >= size)
		return NULL;
	memcpy(buf, names, n);
	buf[n] = '\0';
	return names + n;
}

bool mods_may_try(const struct mods *m, const char *names)
{
	char name[64];
	if (!m->can_load)
		return true;
	while ((names = next_name(names, name, sizeof(name))))
		if (!present(m, name))
			return false;
	return true;
}

bool mods_loadable(const struct mods *m, const char *names)
{
	char name[64];
	if (!m->can_load)
		return false;
	while ((names = next_name(names, name, sizeof(name))))
		if (!present(m, name) && !listed(&m->loadable, name))
			return false;
	return true;
}
