/* SPDX-License-Identifier: MIT */
/* plan_lab: for the tests of lib/plan: from YAML to a cluster and its desired state. */
#ifndef TEST_PLAN_LAB_H
#define TEST_PLAN_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "lib/plan/desired.h"
#include "lib/yaml/yaml.h"

struct plan {
	struct arena *arena;
	struct yaml_files *files;
	struct objects *objects;
	struct cluster *cluster;
	struct desired *desired;
	struct faults faults;
};

static inline void plan_free(struct plan *p)
{
	if (p->objects)
		objects_release(p->objects);
	yaml_files_free(p->files);
	arena_free(p->arena);
}
#define _plan_ _cleanup_(plan_free)

/* Decide what the YAML text says; a name ending in .yaml is a file. Faults are kept. */
static inline struct plan plan_try(const char *yaml, const struct cluster_opts *opts)
{
	struct plan p = {.arena = arena_new(), .files = yaml_files_new()};
	size_t len = strlen(yaml);
	struct err err = {0};

	p.faults.arena = p.arena;
	if (len > 5 && strcmp(yaml + len - 5, ".yaml") == 0)
		assert_int_equal(yaml_files_add(p.files, yaml, &err), 0);
	else
		assert_int_equal(yaml_files_add_text(p.files, "test", yaml, len, &err), 0);
	assert_int_equal(yaml_files_faults(p.files), 0);
	p.objects = objects_bind(p.arena, yaml_files_docs(p.files), yaml_to_json, &p.faults);
	if (!p.faults.total)
		objects_check(p.objects, &p.faults);
	if (!p.faults.total)
		p.cluster = cluster_build(p.arena, p.objects, opts, &p.faults);
	return p;
}

/* The same where there must be no fault, and the desired state. */
static inline struct plan plan_of(const char *yaml, const struct cluster_opts *opts)
{
	struct plan p = plan_try(yaml, opts);

	if (p.faults.total)
		yaml_files_print(p.files, &p.faults, stderr);
	assert_int_equal(p.faults.total, 0);
	p.desired = desired_build(p.arena, p.cluster);
	return p;
}

static inline const struct cpod *plan_pod(const struct plan *p, const char *name)
{
	vec_foreach (struct cpod, k, &p->cluster->pods)
		if (strncmp(k->name, name, strlen(name)) == 0)
			return k;
	fail_msg("no pod %s", name);
	return NULL;
}

static inline const struct csvc *plan_svc(const struct plan *p, const char *name)
{
	vec_foreach (struct csvc, s, &p->cluster->services)
		if (strcmp(s->name, name) == 0)
			return s;
	fail_msg("no service %s", name);
	return NULL;
}

static inline const struct dns *plan_ns(const struct plan *p, const char *name)
{
	int i = desired_ns(p->desired, name);

	if (i < 0)
		fail_msg("no namespace %s", name);
	return &p->desired->ns.v[i];
}

/* A program's words with blanks between. */
static inline const char *plan_argv(const struct plan *p, const struct dproc *r)
{
	const char *s = "";

	vec_foreach (const char *, w, &r->argv)
		s = arena_printf(p->arena, "%s%s%s", s, *s ? " " : "", *w);
	return s;
}

/* A port's endpoints as "ip:port ip:port". */
static inline const char *plan_eps(const struct plan *p, const struct csvcport *port)
{
	const char *s = "";

	vec_foreach (struct cendpoint, e, &port->eps)
		s = arena_printf(p->arena, "%s%s%s:%u", s, *s ? " " : "", IP4(e->ip), e->port);
	return s;
}

#define assert_ip(ip, text) assert_string_equal(IP4(ip), (text))

/* Three nodes and nothing else, for labs of the given CNI. */
#define PLAN_NODES(cni, more)                                                                      \
	"apiVersion: labd.dev/v1\nkind: Lab\nmetadata: {name: t}\nspec:\n  cni: " cni "\n" more    \
	"  underlay: {cidr: 100.100.137.0/24, nic: ens192}\n"                                      \
	"---\napiVersion: v1\nkind: Node\nmetadata: {name: master01}\n"                            \
	"status: {addresses: [{type: InternalIP, address: 100.100.137.200}]}\n"                    \
	"---\napiVersion: v1\nkind: Node\nmetadata: {name: node01}\n"                              \
	"status: {addresses: [{type: InternalIP, address: 100.100.137.201}]}\n"                    \
	"---\napiVersion: v1\nkind: Node\nmetadata: {name: node02}\n"                              \
	"status: {addresses: [{type: InternalIP, address: 100.100.137.202}]}\n"

#define PLAN_DEPLOYMENT(name, replicas)                                                            \
	"---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " name "}\n"                 \
	"spec:\n  replicas: " replicas "\n  selector: {matchLabels: {app: " name "}}\n"            \
	"  template:\n    metadata: {labels: {app: " name "}}\n"                                   \
	"    spec: {containers: [{name: c, image: nginx, "                                         \
	"ports: [{name: web, containerPort: 80}]}]}\n"

#endif
