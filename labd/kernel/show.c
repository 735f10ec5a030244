/* SPDX-License-Identifier: MIT */
/* See show.h. */
#include "labd/kernel/show.h"

#include "labd/kernel/nft.h"
#include "labd/kernel/proc_priv.h"
#include "labd/kernel/xt_save.h"

static const struct {
	const char *argv[8];
	const char *typed;
} programs[SHOW_COUNT] = {
	[SHOW_LINKS] = {{"ip", "-o", "-d", "link", NULL}, "ip -d link"},
	[SHOW_ADDRS] = {{"ip", "-o", "-4", "addr", NULL}, "ip addr"},
	[SHOW_ROUTES] = {{"ip", "-4", "route", NULL}, "ip route"},
	[SHOW_NEIGHS] = {{"ip", "-4", "neigh", NULL}, "ip neigh"},
	[SHOW_FDB] = {{"bridge", "fdb", "show", NULL}, "bridge fdb"},
	[SHOW_RULES] = {{NULL}, "iptables-save"},
	[SHOW_SETS] = {{"ipset", "save", NULL}, "ipset list"},
	[SHOW_VIRTUAL] = {{"ipvsadm", "-Ln", NULL}, "ipvsadm -Ln"},
	[SHOW_NFT] = {{NULL}, "nft list table ip kube-proxy"},
	[SHOW_FLOWS] = {{"conntrack", "-L", NULL}, "conntrack -L"},
};

int show_run(int netns, enum show what, enum ipt_backend backend, struct strbuf *out,
	     struct err *err)
{
	if (what == SHOW_RULES)
		return xt_save(netns, backend, out, err);
	if (what == SHOW_NFT)
		return nft_save(netns, out, err);
	return proc_tool_out(netns, programs[what].argv, NULL, 0, out, err);
}

const char *show_command(enum show what)
{
	return programs[what].typed;
}
