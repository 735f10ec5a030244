/* SPDX-License-Identifier: MIT */
/* probe_report: what a probe found, as the rows of `labctl doctor`, and how to get what is missing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "labd/kernel/probe_limits.h"
#include "labd/kernel/probe_table.h"
#include "labd/kernel/xt_tool.h"
#include "lib/base/cleanup.h"

#define GUEST "apt-get install user-mode-linux"

/* How to come to a guest kernel; "" in one (only User-Mode Linux has this file). */
static const char *guest_hint(void)
{
	char path[128];
	const char *kernel = getenv("LABD_GUEST_KERNEL");
	if (access("/proc/exitcode", F_OK) == 0)
		return "";
	bool have = kernel && *kernel ? access(kernel, X_OK) == 0
				      : tool_find("linux.uml", path, sizeof(path));
	return have ? "; the guest kernel may: labctl up --engine guest"
		    : "; a guest kernel may: " GUEST;
}

static const struct {
	const char *program, *package, *text;
} programs[] = {
	{"ip", "iproute2", "what a student types"},
	{"iptables-legacy-restore", "iptables", "rules"},
	{"iptables-nft-restore", "iptables", "rules"},
	{"ipset", "ipset", "Calico, kube-proxy's IPVS mode"},
	{"ipvsadm", "ipvsadm", "kube-proxy's IPVS mode"},
	{"nft", "nftables", "kube-proxy's nftables mode"},
	{"conntrack", "conntrack", "looking at connections in a node"},
	{"tcpdump", "tcpdump", "what a student types, and filters of labctl capture"},
	{"nginx", "nginx-light", "pods of image nginx"},
	{"dnsmasq", "dnsmasq-base", "kube-dns"},
	{"busybox", "busybox-static", "pods of image busybox"},
	{"bird", "bird2", "labs with routing: bird"},
	{"linux.uml", "user-mode-linux", "the guest engine"},
};

void feature_hint(const struct feature *f, const struct mods *m, char *buf, size_t size)
{
	if (mods_loadable(m, f->modules))
		snprintf(buf, size, "modprobe %s, or `labctl engine start --load-modules`%s",
			 f->modules, guest_hint());
	else if (*f->modules)
		snprintf(buf, size, "this kernel has no module %s%s", f->modules, guest_hint());
	else
		buf[0] = '\0';
}

static void add_row(json_t *rows, const char *name, bool ok, const char *text, const char *hint)
{
	json_array_append_new(rows, json_pack("{s:s, s:b, s:s, s:s}", "name", name, "ok", ok,
					      "text", text, "hint", hint));
}

static void add_features(json_t *rows, const struct probe *p)
{
	_mods_ struct mods mods;
	mods_read(&mods);
	for (size_t i = 0; i < probe_nfeatures; i++) {
		const struct feature *f = &probe_features[i];
		char hint[ERR_HINT_MAX] = "";
		bool ok = feature_ok(f, p);
		if (!ok)
			feature_hint(f, &mods, hint, sizeof(hint));
		add_row(rows, f->name, ok, f->text, hint);
	}
}

static void add_programs(json_t *rows)
{
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		char path[128], text[256], hint[128] = "";
		bool ok = tool_find(programs[i].program, path, sizeof(path));
		snprintf(text, sizeof(text), "%s%s%s", programs[i].text, ok ? ": " : "",
			 ok ? path : "");
		if (!ok)
			snprintf(hint, sizeof(hint), "apt-get install %s", programs[i].package);
		add_row(rows, programs[i].program, ok, text, hint);
	}
}

json_t *probe_report(const struct probe *p)
{
	json_t *rows = json_array();
	char text[sizeof(p->kernel) + 16];
	snprintf(text, sizeof(text), "Linux %s", p->kernel);
	add_row(rows, "kernel", true, text, "");
	add_row(rows, "network namespaces", p->netns, "nodes and pods",
		p->netns ? "" : "a kernel with CONFIG_NET_NS, and root");
	add_features(rows, p);
	bool any = p->legacy || p->nft_tables;
	snprintf(text, sizeof(text), "%s",
		 p->backend == IPT_NFT ? "iptables-nft" : "iptables-legacy");
	add_row(rows, "iptables backend", any, any ? text : "none works",
		any ? "" : "see iptables-legacy and iptables-nft above");
	add_programs(rows);
	probe_limits(rows);
	return rows;
}
