/* SPDX-License-Identifier: MIT */
/*
 * fuzz_lab: the documents of a lab as labd gets them, JSON: bound, checked, decided and planned,
 * for every version and mode. What binds and passes the checks must plan without a fault of ours.
 */
#include "lib/base/cleanup.h"
#include "lib/base/limits.h"
#include "lib/plan/desired.h"
#include "lib/plan/proxy.h"
#include "lib/plan/shell.h"
#include "lib/yaml/yaml.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_mutate.h"

#define PODS_MAX 300 /* more only take longer */

FUZZ_INPUT_IS_JSON

static const enum proxy_mode modes[] = {PROXY_IPTABLES, PROXY_IPVS, PROXY_NFTABLES,
					PROXY_USERSPACE};

static void plan_as(const struct objects *o, const struct cluster_opts *opts, bool shell)
{
	_arena_ struct arena *a = arena_new();
	struct faults faults = {.arena = a};
	struct strbuf out = STRBUF_INIT;
	struct cluster *c = cluster_build(a, o, opts, &faults);
	fuzz_assert(c);
	if (!faults.total && c->pods.n <= PODS_MAX) {
		struct desired *d = desired_build(a, c);
		for (size_t i = 0; i < d->ns.n; i++)
			fuzz_assert(desired_ns(d, d->ns.v[i].name) == (int)i);
		if (shell)
			shell_print(d, &(struct shell_opts){-1, SECTION_ALL, false}, &out);
		if (shell)
			shell_print(d, &(struct shell_opts){-1, SECTION_ALL, true}, &out);
		if (!shell && c->nodes.n)
			proxy_rules(c, (int)c->nodes.n - 1, &out);
	}
	strbuf_free(&out);
}

/* Too many replicas to be of use here. */
static bool huge(const struct objects *o)
{
	size_t n = o->pods.n;
	vec_foreach (const struct deployment, d, &o->deployments)
		n += (size_t)d->replicas;
	return n > PODS_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_arena_ struct arena *a = arena_new();
	struct faults faults = {.arena = a};
	json_t *docs = json_loadb((const char *)data, size, 0, NULL);
	if (!json_is_array(docs)) {
		json_decref(docs);
		return 0;
	}
	struct objects *o = objects_bind(a, docs, yaml_to_json, &faults);
	unsigned bound = faults.total;
	objects_check(o, &faults);
	if (!bound && !faults.total && !huge(o)) {
		enum kube_version v = (enum kube_version)(size % 4);
		plan_as(o, &(struct cluster_opts){0}, true);
		for (size_t m = 0; m < ARRAY_SIZE(modes); m++) {
			enum kube_version version = modes[m] == PROXY_NFTABLES ? KUBE_1_32 | (v & 1)
						    : modes[m] == PROXY_USERSPACE ? v & 1
										  : v;
			plan_as(o,
				&(struct cluster_opts){.name = "t",
						       .version = &version,
						       .mode = &modes[m],
						       .nfacct = size & 4},
				false);
		}
	}
	objects_release(o);
	json_decref(docs);
	return 0;
}
