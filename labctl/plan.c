/* SPDX-License-Identifier: MIT */
/* plan: the verb plan: what would be built, as commands or as iptables-restore's input. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "labctl/labfile.h"
#include "labctl/verbs.h"
#include "lib/base/arena.h"
#include "lib/base/cleanup.h"
#include "lib/plan/desired.h"
#include "lib/plan/proxy.h"
#include "lib/plan/shell.h"

#define MAX_NEAR 512

static unsigned section_bits(const char *word)
{
	static const struct {
		const char *word;
		unsigned bits;
	} all[] = {
		{"kube-proxy", SECTION_KUBE_PROXY},
		{"cni", SECTION_CNI},
		{"pods", SECTION_PODS},
		{"dns", SECTION_DNS},
	};
	for (size_t i = 0; word && i < ARRAY_SIZE(all); i++) {
		if (strcmp(word, all[i].word) == 0)
			return all[i].bits;
	}
	return SECTION_ALL;
}

static bool version_of(const char *word, enum kube_version *ret)
{
	static const enum kube_version all[] = {KUBE_1_20, KUBE_1_23, KUBE_1_32, KUBE_1_36};
	for (size_t i = 0; word && i < ARRAY_SIZE(all); i++) {
		if (strcmp(word, kube_version_str(all[i])) == 0) {
			*ret = all[i];
			return true;
		}
	}
	return false;
}

static bool mode_of(const char *word, enum proxy_mode *ret)
{
	static const enum proxy_mode all[] = {PROXY_IPTABLES, PROXY_IPVS, PROXY_NFTABLES,
					      PROXY_USERSPACE};
	for (size_t i = 0; word && i < ARRAY_SIZE(all); i++) {
		if (strcmp(word, proxy_mode_str(all[i])) == 0) {
			*ret = all[i];
			return true;
		}
	}
	return false;
}

static int unknown_node(const struct cluster *c, const char *word, struct err *err)
{
	const char *names[MAX_NEAR];
	unsigned n = 0;
	vec_foreach (struct cnode, node, &c->nodes) {
		if (n < MAX_NEAR)
			names[n++] = node->name;
	}
	err_setc(err, ENOENT, ERR_NOT_FOUND, "%s has no node %s", c->name, word);
	const char *near = nearest_word(word, names, n);
	if (near)
		return err_hint(err, "did you mean %s?", near);
	_strbuf_ struct strbuf list = STRBUF_INIT;
	for (unsigned i = 0; i < n && i < 10; i++)
		strbuf_addf(&list, "%s%s", i ? ", " : "", names[i]);
	return n ? err_hint(err, "its nodes: %s", list.s) : err->code;
}

/* The node that is meant: --node; or for one node's rules also hostnameOverride, or the only one.
 */
static int find_node(const struct opts *o, const struct cluster *c, bool one, int *ret,
		     struct err *err)
{
	const char *word = o->val[FLAG_NODE];
	if (!word && one)
		word = c->proxy.hostname_override;
	*ret = -1;
	if (word && *word) {
		*ret = cluster_node(c, word);
		return *ret < 0 ? unknown_node(c, word, err) : 0;
	}
	if (one && c->nodes.n == 1)
		*ret = 0;
	return 0;
}

/* A mode that kube-proxy of this version does not have. */
static int check_mode(const struct cluster *c, unsigned sections, struct err *err)
{
	enum proxy_mode mode = c->proxy.mode;
	bool nft = mode == PROXY_NFTABLES && c->kubernetes < KUBE_1_32;
	bool userspace = mode == PROXY_USERSPACE && c->kubernetes > KUBE_1_23;
	if (!(sections & SECTION_KUBE_PROXY) || !(nft || userspace))
		return 0;
	err_setc(err, EINVAL, ERR_USAGE, "kube-proxy %s has no %s mode, which %s",
		 kube_version_str(c->kubernetes), proxy_mode_str(mode),
		 nft ? "came in 1.29" : "went in 1.26");
	return err_hint(err, nft ? "--kubernetes 1.32 or 1.36" : "--kubernetes 1.20 or 1.23");
}

static int print_plan(const struct opts *o, const struct labfile *f, struct err *err)
{
	const struct cluster *c = f->cluster;
	_strbuf_ struct strbuf out = STRBUF_INIT;
	unsigned sections = section_bits(o->val[FLAG_SECTION]);
	bool rules = sections == SECTION_KUBE_PROXY && !o->val[FLAG_DOWN];
	int node = -1;
	int r = check_mode(c, sections, err);
	if (r == 0)
		r = find_node(o, c, rules, &node, err);
	if (r < 0)
		return r;
	if (rules && node >= 0) {
		proxy_rules(c, node, &out);
	} else {
		struct shell_opts so = {
			.node = node, .sections = sections, .down = o->val[FLAG_DOWN] != NULL};
		shell_print(desired_build(f->arena, c), &so, &out);
	}
	fwrite(strbuf_str(&out), 1, out.len, stdout);
	if (fflush(stdout) != 0)
		return err_sys(err, errno, "standard output");
	return 0;
}

int verb_plan(const struct opts *o, struct err *err)
{
	struct labfile f;
	enum kube_version version;
	enum proxy_mode mode;
	struct cluster_opts opts = {
		.version = version_of(o->val[FLAG_KUBERNETES], &version) ? &version : NULL,
		.mode = mode_of(o->val[FLAG_PROXY_MODE], &mode) ? &mode : NULL,
	};
	int r = labfile_load(&f, o->args, o->n_args, &opts, err);
	if (r < 0)
		return r;
	r = print_plan(o, &f, err);
	labfile_free(&f);
	return r;
}
