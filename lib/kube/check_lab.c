/* SPDX-License-Identifier: MIT */
/* What belongs to the lab rather than to Kubernetes: flows, images and our annotations. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/kube/check.h"
#include "lib/kube/images.h"

/* Flows ---------------------------------------------------------------------------------------- */

static void same_flow(struct checker *k, const struct claim *first, const struct claim *again)
{
	(void)first;
	check_fault(k, again->meta, again->path, NULL, "a second flow of the name `%s`",
		    again->text);
}

static bool starts_with(const char *s, const char *start)
{
	return strncmp(s, start, strlen(start)) == 0;
}

/* A pod may be meant by the start of its name, and a Deployment's pods begin with its own. */
static bool pod_like(const struct checker *k, const char *name)
{
	vec_foreach (struct pod, p, &k->o->pods)
		if (starts_with(p->meta.name, name))
			return true;
	vec_foreach (struct deployment, d, &k->o->deployments)
		if (starts_with(d->meta.name, name) || starts_with(name, d->meta.name))
			return true;
	/* Every lab has kube-dns' pods. */
	return starts_with("coredns", name) || starts_with(name, "coredns");
}

static bool has_host(const struct checker *k, const char *name)
{
	vec_foreach (struct lab_host, h, &k->o->lab.hosts)
		if (strcmp(h->name, name) == 0)
			return true;
	return false;
}

static bool has_deployment(const struct checker *k, const char *name)
{
	vec_foreach (struct deployment, d, &k->o->deployments)
		if (strcmp(d->meta.name, name) == 0)
			return true;
	return strcmp(name, "coredns") == 0;
}

static const char *nearest_host(struct checker *k, const char *name)
{
	const struct lab_spec *lab = &k->o->lab;
	const char **names = arena_new_array(k->a, const char *, lab->hosts.n);
	for (size_t i = 0; i < lab->hosts.n; i++)
		names[i] = lab->hosts.v[i].name;
	const char *near = nearest_word(name, names, (unsigned)lab->hosts.n);
	return near ? arena_printf(k->a, "did you mean `%s`?", near) : NULL;
}

/* FROM of a flow, as WHERE of the command line: KIND/NAME or the name of a pod. */
static void check_from(struct checker *k, const struct flow *f, const char *path)
{
	const struct meta *m = &k->o->lab.meta;
	const char *slash = strchr(f->from, '/');
	if (!slash) {
		if (!pod_like(k, f->from))
			check_fault(k, m, path, "say pod/NAME, deploy/NAME, node/NAME or host/NAME",
				    "there is no Pod `%s`", f->from);
		return;
	}
	const char *name = slash + 1;
	const char *kind = arena_strndup(k->a, f->from, (size_t)(slash - f->from));
	if (strcmp(kind, "node") == 0) {
		check_node_name(k, m, path, name);
	} else if (strcmp(kind, "host") == 0) {
		if (!has_host(k, name))
			check_fault(k, m, path, nearest_host(k, name), "there is no host `%s`",
				    name);
	} else if (strcmp(kind, "pod") == 0) {
		if (!pod_like(k, name))
			check_fault(k, m, path, NULL, "there is no Pod `%s`", name);
	} else if (strcmp(kind, "deploy") == 0) {
		if (!has_deployment(k, name))
			check_fault(k, m, path, NULL, "there is no Deployment `%s`", name);
	} else {
		check_fault(k, m, path, NULL, "`%s` is not one of pod, deploy, node, host", kind);
	}
}

void check_flows(struct checker *k)
{
	const struct lab_spec *lab = &k->o->lab;
	claims names = {0};
	for (size_t i = 0; i < lab->flows.n; i++) {
		const struct flow *f = &lab->flows.v[i];
		const char *at = arena_printf(k->a, "spec.flows[%zu]", i);
		if (*f->name)
			check_claim(k, &names,
				    (struct claim){.text = f->name,
						   .meta = &lab->meta,
						   .path = arena_printf(k->a, "%s.name", at)});
		if (*f->from)
			check_from(k, f, arena_printf(k->a, "%s.from", at));
		if (starts_with(f->to, "node/")) {
			size_t len = strcspn(f->to + 5, ":");
			check_node_name(k, &lab->meta, arena_printf(k->a, "%s.to", at),
					arena_strndup(k->a, f->to + 5, len));
		}
	}
	check_twice(k, &names, same_flow);
}

/* BIRD finds all its peers in one table, so all that it routes goes the same way. Pools with VXLAN
 * are Felix's. */
void check_routing(struct checker *k)
{
	const struct ip_pool *first = NULL;
	if (k->o->lab.routing != ROUTING_BIRD)
		return;
	vec_foreach (struct ip_pool, p, &k->o->pools) {
		if (p->vxlan != ENCAP_NEVER)
			continue;
		if (first && p->ipip != first->ipip)
			check_fault(
				k, &p->meta, "spec.ipipMode",
				"routing: static can do that, and so can one more pool with VXLAN",
				"routing bird needs one ipipMode for all pools; %s has another",
				first->meta.name);
		first = first ? first : p;
	}
}

/* Images --------------------------------------------------------------------------------------- */

static void check_images(struct checker *k, const struct meta *m, const struct pod_spec *spec,
			 const char *path)
{
	for (size_t i = 0; i < spec->containers.n; i++) {
		const struct container *c = &spec->containers.v[i];
		const char *meant = c->command.n ? NULL : image_meant(k->a, c->image);

		if (meant)
			check_fault(k, m, arena_printf(k->a, "%s[%zu].image", path, i),
				    arena_printf(k->a, "did you mean `%s`?", meant),
				    "no program stands for the image `%s`", c->image);
	}
}

void check_containers(struct checker *k)
{
	vec_foreach (struct pod, p, &k->o->pods)
		check_images(k, &p->meta, &p->spec, "spec.containers");
	vec_foreach (struct deployment, d, &k->o->deployments)
		check_images(k, &d->meta, &d->template, "spec.template.spec.containers");
}

/* Annotations ---------------------------------------------------------------------------------- */

#define PREFIX "labd.dev/"

enum value_kind { DEVICE, MAC_ADDRESS, NUMBER };
struct annotation {
	const char *key;
	enum value_kind kind;
};
static const struct annotation pod_annotations[] = {{PREFIX "host-interface", DEVICE},
						    {PREFIX "host-mac", MAC_ADDRESS},
						    {PREFIX "host-ifindex", NUMBER}};
static const struct annotation node_annotations[] = {{PREFIX "bridge-mac", MAC_ADDRESS}};

static void check_annotation(struct checker *k, const struct meta *m, const struct kv *a,
			     enum value_kind kind, const char *path)
{
	struct mac mac;
	char *end;
	if (kind == DEVICE && (strlen(a->value) > 15 || !*a->value ||
			       a->value[strspn(a->value, "abcdefghijklmnopqrstuvwxyz0123456789")]))
		check_fault(k, m, path, "1 to 15 of a-z and 0-9", "`%s` is not a name for a device",
			    a->value);
	if (kind == MAC_ADDRESS && (!mac_parse(a->value, &mac) || (mac.b[0] & 1)))
		check_fault(k, m, path, NULL, "`%s` is not the MAC of a device", a->value);
	if (kind == NUMBER) {
		long n = strtol(a->value, &end, 10);
		if (*end || end == a->value || n < 3 || n > 65535)
			check_fault(k, m, path, NULL, "`%s` is not the number of a device",
				    a->value);
	}
}

static void check_ours(struct checker *k, const struct meta *m, const struct annotation *known,
		       size_t n)
{
	vec_foreach (struct kv, a, &m->annotations) {
		size_t i = 0;
		if (!starts_with(a->key, PREFIX))
			continue;
		const char *path = arena_printf(k->a, "metadata.annotations[\"%s\"]", a->key);
		while (i < n && strcmp(known[i].key, a->key) != 0)
			i++;
		if (i < n)
			check_annotation(k, m, a, known[i].kind, path);
	}
}

void check_annotations(struct checker *k)
{
	vec_foreach (struct node, n, &k->o->nodes)
		check_ours(k, &n->meta, node_annotations, ARRAY_SIZE(node_annotations));
	vec_foreach (struct pod, p, &k->o->pods)
		check_ours(k, &p->meta, pod_annotations, ARRAY_SIZE(pod_annotations));
}
