/* SPDX-License-Identifier: MIT */
/* See kubelet.h. */
#include "lib/plan/kubelet.h"

#include "lib/base/cleanup.h"
#include "lib/plan/proxy_text.h"

/* Defaults of --iptables-drop-bit and --iptables-masquerade-bit. */
#define DROP_MARK "0x8000/0x8000"
#define MASQ_MARK "0x4000"

/* The jumps are kubelet's: what is marked is dropped where it comes in for this node or goes out
 * from it, and nobody else gets at 127.0.0.0/8. */
static void emit_firewall(struct xtable *t, bool drops)
{
	struct xchain *c = xtable_chain(t, "KUBE-FIREWALL", "");
	xrule(xtable_builtin(t, "INPUT"), "-j KUBE-FIREWALL");
	xrule(xtable_builtin(t, "OUTPUT"), "-j KUBE-FIREWALL");
	if (drops)
		xrule(c, "-m comment --comment \"kubernetes firewall for dropping marked packets\" "
			 "-m mark --mark " DROP_MARK " -j DROP");
	xrule(c, "! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "
		 "\"block incoming localnet connections\" "
		 "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP");
}

/* Masquerading by mark, which kube-proxy's iptables and ipvs modes make alike. */
static void emit_masquerade(struct xtable *t)
{
	struct xchain *post = xtable_chain(t, "KUBE-POSTROUTING", "");
	xrule(xtable_builtin(t, "POSTROUTING"),
	      "-m comment --comment \"kubernetes postrouting rules\" -j KUBE-POSTROUTING");
	xrule(xtable_chain(t, "KUBE-MARK-MASQ", ""),
	      "-j MARK --set-xmark " MASQ_MARK "/" MASQ_MARK);
	xrule(post, "-m mark ! --mark " MASQ_MARK "/" MASQ_MARK " -j RETURN");
	xrule(post, "-j MARK --set-xmark " MASQ_MARK "/0x0");
	xrule(post,
	      "-m comment --comment \"kubernetes service traffic requiring SNAT\" -j MASQUERADE "
	      "--random-fully");
}

void kubelet_rules(const struct cluster *c, struct strbuf *out)
{
	enum proxy_mode mode = c->proxy.mode;
	bool old = c->kubernetes <= KUBE_1_23, userspace = mode == PROXY_USERSPACE;
	if (mode == PROXY_NFTABLES)
		return;
	_arena_ struct arena *a = arena_new();
	struct xtable filter = {.arena = a, .name = "filter"};
	struct xtable mangle = {.arena = a, .name = "mangle"};
	struct xtable nat = {.arena = a, .name = "nat"};
	xtable_chain(&filter, "KUBE-KUBELET-CANARY", "");
	xtable_chain(&mangle, "KUBE-KUBELET-CANARY", "");
	xtable_chain(&nat, "KUBE-KUBELET-CANARY", "");
	if (!old) /* tells others which iptables kubelet uses */
		xtable_chain(&mangle, "KUBE-IPTABLES-HINT", "");
	if (old || mode != PROXY_IPTABLES) /* there kube-proxy makes the same */
		emit_firewall(&filter, old);
	if (old && userspace)
		emit_masquerade(&nat);
	if (old) {
		/* A chain of kube-proxy's too, but not in userspace mode: not declared again. */
		struct xchain *drop = userspace ? xtable_chain(&nat, "KUBE-MARK-DROP", "")
						: xtable_builtin(&nat, "KUBE-MARK-DROP");
		xrule(drop, "-j MARK --set-xmark " DROP_MARK);
	}
	xtable_print(&filter, out);
	xtable_print(&mangle, out);
	xtable_print(&nat, out);
}
