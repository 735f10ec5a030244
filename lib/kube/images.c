/* SPDX-License-Identifier: MIT */
/* images: which program of the host a container image stands for. See images.h. */
#include "lib/kube/images.h"

#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/kube/fault.h"

static const char *const known[] = {"agnhost", "busybox", "coredns", "kube-dns", "nginx"};

const char *image_name(struct arena *a, const char *image)
{
	const char *slash = strrchr(image, '/');
	const char *base = slash ? slash + 1 : image;
	size_t len = strcspn(base, ":@");

	if (len == 7 && strncmp(base, "coredns", len) == 0)
		return "kube-dns";
	return arena_strndup(a, base, len);
}

static bool is_known(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(name, known[i]) == 0)
			return true;
	return false;
}

const char *image_meant(struct arena *a, const char *image)
{
	const char *name = image_name(a, image);

	if (!*name || is_known(name) || strcspn(image, "/:@") != strlen(image))
		return NULL;
	return nearest_word(name, known, ARRAY_SIZE(known));
}

/* A path below none of what a pod sees of this machine. */
static bool path_of_image(const char *word)
{
	static const char *const shared[] = {"/usr/", "/bin/", "/sbin/", "/lib", "/etc/"};

	if (*word != '/')
		return strncmp(word, "./", 2) == 0;
	if (strncmp(word, "/usr/local/", 11) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(shared); i++)
		if (strncmp(word, shared[i], strlen(shared[i])) == 0)
			return false;
	return true;
}

bool image_stood_in(struct arena *a, const struct container *c)
{
	if (!*c->image || is_known(image_name(a, c->image)))
		return false;
	return !c->command.n || path_of_image(c->command.v[0]);
}

static void add_once(struct arena *a, const struct pod_spec *spec, strs *ret)
{
	vec_foreach (struct container, c, &spec->containers) {
		bool there = !image_stood_in(a, c);

		vec_foreach (const char *, s, ret)
			there = there || strcmp(*s, c->image) == 0;
		if (!there)
			*vec_push(a, ret) = c->image;
	}
}

void images_stood_in(struct arena *a, const struct objects *o, strs *ret)
{
	vec_foreach (struct pod, p, &o->pods)
		add_once(a, &p->spec, ret);
	vec_foreach (struct deployment, d, &o->deployments)
		add_once(a, &d->template, ret);
}
