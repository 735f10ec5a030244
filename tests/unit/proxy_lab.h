/* SPDX-License-Identifier: MIT */
/* proxy_lab: for the tests of kube-proxy's plans: from YAML to the text of a node's plan. */
#ifndef TEST_PROXY_LAB_H
#define TEST_PROXY_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "lib/plan/proxy.h"
#include "lib/yaml/yaml.h"

struct lab {
	struct arena *arena;
	struct yaml_files *files;
	struct objects *objects;
	struct cluster *cluster;
	bool nfacct;	    /* set before planning: the kernel can count by name */
	struct strbuf text; /* the plan of the node */
};

static inline void lab_free(struct lab *l)
{
	strbuf_free(&l->text);
	if (l->objects)
		objects_release(l->objects);
	yaml_files_free(l->files);
	arena_free(l->arena);
}
#define _lab_ _cleanup_(lab_free)

/* Bind what was added to l->files and plan that node (NULL: the one of hostnameOverride) in a mode.
 */
static inline void lab_plan_mode(struct lab *l, enum kube_version version, enum proxy_mode mode,
				 const char *node)
{
	struct faults faults = {.arena = l->arena};
	const struct cluster_opts opts = {.version = &version, .mode = &mode, .nfacct = l->nfacct};
	assert_int_equal(yaml_files_faults(l->files), 0);
	l->objects = objects_bind(l->arena, yaml_files_docs(l->files), yaml_to_json, &faults);
	if (!faults.total)
		l->cluster = cluster_build(l->arena, l->objects, &opts, &faults);
	if (faults.total) {
		yaml_files_print(l->files, &faults, stderr);
		fail();
	}
	int i = cluster_node(l->cluster, node ? node : l->cluster->proxy.hostname_override);
	assert_true(i >= 0);
	proxy_rules(l->cluster, i, &l->text);
}

static inline void lab_plan(struct lab *l, enum kube_version version, const char *node)
{
	lab_plan_mode(l, version, PROXY_IPTABLES, node);
}

static inline struct lab lab_new(void)
{
	return (struct lab){.arena = arena_new(), .files = yaml_files_new()};
}

static inline struct lab lab_text(enum kube_version version, const char *text)
{
	struct lab l = lab_new();
	assert_int_equal(yaml_files_add_text(l.files, "test", text, strlen(text), NULL), 0);
	lab_plan(&l, version, "n1");
	return l;
}

/* A configuration and node n1, to which Services are added. */
static inline void add_node(struct strbuf *b, const char *config)
{
	strbuf_addf(b,
		    "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
		    "hostnameOverride: n1\n%s"
		    "---\napiVersion: v1\nkind: Node\n"
		    "metadata:\n  name: n1\n"
		    "  labels: {topology.kubernetes.io/zone: z1}\n"
		    "  annotations:\n"
		    "    case/local-addresses: 127.0.0.1,192.168.0.2,192.168.1.2\n"
		    "spec: {podCIDR: 10.1.0.0/24}\n"
		    "status: {addresses: [{type: InternalIP, address: 192.168.0.2}]}\n",
		    config);
}

/* Like assert_string_equal, but says only the first line that differs. */
static inline void assert_same(const char *name, const char *got, const char *want)
{
	for (unsigned line = 1; *got || *want; line++) {
		size_t g = strcspn(got, "\n"), w = strcspn(want, "\n");
		if (g != w || memcmp(got, want, g) != 0)
			fail_msg("%s: line %u:\n got  %.*s\n want %.*s", name, line, (int)g, got,
				 (int)w, want);
		got += g + (got[g] == '\n');
		want += w + (want[w] == '\n');
	}
}

#endif
