/* SPDX-License-Identifier: MIT */
/* See store.h. */
#include "labd/lab/store.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"

#define LOCK_SUFFIX ".lock"

bool store_name_ok(const char *name)
{
	size_t n = strlen(name);
	if (n == 0 || n > MAX_LAB_NAME || name[0] == '-' || name[n - 1] == '-')
		return false;
	for (; *name; name++)
		if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) &&
		    *name != '-')
			return false;
	return true;
}

static int name_check(const char *name, struct err *err)
{
	if (store_name_ok(name))
		return 0;
	return err_setc(
		err, EINVAL, ERR_USAGE,
		"\"%.60s\" is not a lab name: lower-case letters, digits and '-', at most %d", name,
		MAX_LAB_NAME);
}

static int not_found(const char *name, struct err *err)
{
	err_setc(err, ENOENT, ERR_NOT_FOUND, "no lab \"%s\" is running", name);
	return err_hint(err, "labctl ls shows the running labs, labctl labs the shipped ones");
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

json_t *store_list(const struct engine *e)
{
	char path[PATH_MAX];
	char *names[MAX_LABS];
	size_t n = 0;
	json_t *list = json_array();
	snprintf(path, sizeof(path), "%s/labs", e->run);
	DIR *d = opendir(path);
	if (!d)
		return list;
	for (struct dirent *de; (de = readdir(d)) && n < MAX_LABS;)
		if (de->d_type == DT_DIR && store_name_ok(de->d_name))
			names[n++] = strdup(de->d_name);
	closedir(d);
	qsort(names, n, sizeof(*names), by_text);
	for (size_t i = 0; i < n; i++) {
		json_array_append_new(list, json_string(names[i]));
		free(names[i]);
	}
	return list;
}

int store_lock(struct lab_lock *l, const struct engine *e, const char *name, bool wait,
	       struct err *err)
{
	char path[PATH_MAX];
	*l = (struct lab_lock){.e = e, .name = name, .fd = -1};
	int r = name_check(name, err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/labs", e->run);
	r = dir_make(path, 0700, err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/labs/%s" LOCK_SUFFIX, e->run, name);
	for (;;) {
		_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			return err_sys(err, errno, "%s", path);
		if (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0) {
			if (errno == EINTR)
				continue;
			if (errno == EWOULDBLOCK)
				return err_set(err, EBUSY,
					       "lab \"%s\" is being changed by another command",
					       name);
			return err_sys(err, errno, "%s", path);
		}
		/* Whoever held it before may have removed the file: then this lock guards nothing.
		 */
		struct stat mine, now;
		if (fstat(fd, &mine) == 0 && stat(path, &now) == 0 && mine.st_ino == now.st_ino) {
			l->fd = take_fd(&fd);
			return 0;
		}
	}
}

void store_mark_down(struct objects *o, const json_t *down)
{
	char key[MAX_NAME * 2 + 2];
	if (!json_object_size(down))
		return;
	vec_foreach (struct pod, p, &o->pods) {
		snprintf(key, sizeof(key), "%s/%s", p->meta.ns, p->meta.name);
		p->down = json_object_get(down, key) != NULL;
	}
}

int store_derive_faults(const char *name, json_t *docs, struct stored *s, struct faults *faults,
			struct err *err)
{
	static const enum proxy_mode iptables = PROXY_IPTABLES;
	s->objects = objects_bind(s->arena, docs, NULL, faults);
	store_mark_down(s->objects, s->down);
	objects_check(s->objects, faults);
	if (!faults->total)
		s->cluster =
			cluster_build(s->arena, s->objects,
				      &(struct cluster_opts){.name = name,
							     .mode = s->no_ipvs ? &iptables : NULL,
							     .nfacct = s->nfacct},
				      faults);
	if (faults->total) {
		const struct fault *f = &faults->list.v[0];
		err_setc(err, EINVAL, ERR_USAGE, "%s%s%s%s%s", f->object, f->object[0] ? ": " : "",
			 f->path, f->path[0] ? ": " : "", f->text);
		if (f->hint[0])
			err_hint(err, "%s", f->hint);
		return -EINVAL;
	}
	s->desired = desired_build(s->arena, s->cluster);
	return 0;
}

int store_derive(const char *name, json_t *docs, struct stored *s, struct err *err)
{
	struct faults faults = {.arena = s->arena};
	return store_derive_faults(name, docs, s, &faults, err);
}

static int load_file(const struct engine *e, const char *name, const char *file, struct stored *ret,
		     struct err *err)
{
	char path[PATH_MAX];
	*ret = (struct stored){.lock = -1};
	int r = name_check(name, err);
	if (r < 0)
		return r;
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	snprintf(ret->dir, sizeof(ret->dir), "%s/labs/%s", e->run, name);
	snprintf(path, sizeof(path), "%s/%s", ret->dir, file);
	if (!path_exists(path))
		return not_found(name, err);
	json_error_t je;
	ret->meta = json_load_file(path, 0, &je);
	if (!ret->meta)
		return err_set(err, EIO, "%s: %s", path, je.text);
	ret->nfacct = json_is_true(json_object_get(ret->meta, "nfacct"));
	ret->no_ipvs = json_is_true(json_object_get(ret->meta, "no_ipvs"));
	ret->down = json_object_get(ret->meta, "down");
	ret->created = (time_t)json_integer_value(json_object_get(ret->meta, "created"));
	ret->arena = arena_new();
	r = store_derive(name, json_object_get(ret->meta, "documents"), ret, err);
	if (r < 0)
		stored_free(ret);
	return r;
}

int store_load(const struct engine *e, const char *name, struct stored *ret, struct err *err)
{
	return load_file(e, name, "lab.json", ret, err);
}

int store_load_next(const struct engine *e, const char *name, struct stored *ret, struct err *err)
{
	return load_file(e, name, "lab.json.next", ret, err);
}

static int write_meta(const char *path, json_t *meta, struct err *err)
{
	char *text = json_dumps(meta, JSON_COMPACT);
	if (!text)
		return err_set(err, ENOMEM, "%s: cannot be written as JSON", path);
	int r = file_replace(path, text, strlen(text), 0600, err);
	free(text);
	return r;
}

int store_next(const char *dir, json_t *meta, struct err *err)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/lab.json.next", dir);
	return write_meta(path, meta, err);
}

int store_promote(const char *dir, struct err *err)
{
	char next[PATH_MAX], path[PATH_MAX];
	snprintf(next, sizeof(next), "%s/lab.json.next", dir);
	snprintf(path, sizeof(path), "%s/lab.json", dir);
	if (rename(next, path) < 0 && errno != ENOENT)
		return err_sys(err, errno, "%s", next);
	return 0;
}

void store_forget_next(const char *dir)
{
	char next[PATH_MAX];
	snprintf(next, sizeof(next), "%s/lab.json.next", dir);
	unlink(next);
}

int store_create(const struct engine *e, const char *name, json_t *meta, struct err *err)
{
	char dir[PATH_MAX - 16], path[PATH_MAX];
	int r = name_check(name, err);
	if (r < 0)
		return r;
	snprintf(dir, sizeof(dir), "%s/labs/%s", e->run, name);
	r = dir_make(dir, 0700, err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/lab.json", dir);
	return write_meta(path, meta, err);
}

void store_unlock(struct lab_lock *l)
{
	char path[PATH_MAX];
	if (l->fd < 0)
		return;
	snprintf(path, sizeof(path), "%s/labs/%s", l->e->run, l->name);
	if (!path_exists(path)) {
		snprintf(path, sizeof(path), "%s/labs/%s" LOCK_SUFFIX, l->e->run, l->name);
		unlink(path); /* a waiter notices (store_lock) */
	}
	close(l->fd);
	l->fd = -1;
}

void store_sweep(const struct engine *e)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/labs", e->run);
	DIR *d = opendir(path);
	for (struct dirent *de; d && (de = readdir(d));) {
		char name[MAX_LAB_NAME + sizeof(LOCK_SUFFIX)];
		size_t n = strlen(de->d_name), m = strlen(LOCK_SUFFIX);
		if (n <= m || n >= sizeof(name) || strcmp(de->d_name + n - m, LOCK_SUFFIX) != 0)
			continue;
		memcpy(name, de->d_name, n - m);
		name[n - m] = '\0';
		struct lab_lock l;
		store_lock(&l, e, name, false, NULL);
		store_unlock(&l);
	}
	if (d)
		closedir(d);
}

enum ipt_backend store_backend(const struct engine *e, const struct stored *s)
{
	return s->cluster->iptables == IPT_AUTO ? e->backend : s->cluster->iptables;
}

void stored_free(struct stored *s)
{
	if (s->objects)
		objects_release(s->objects);
	arena_free(s->arena);
	json_decref(s->meta);
	if (s->lock >= 0)
		close(s->lock);
	*s = (struct stored){.lock = -1};
}
