/* SPDX-License-Identifier: MIT */
/* See xt_save.h. */
#include "labd/kernel/xt_save.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "labd/kernel/nfacct.h"
#include "labd/kernel/nlbatch.h"
#include "labd/kernel/proc_priv.h"
#include "labd/kernel/xt.h"
#include "labd/kernel/xt_replace.h"
#include "lib/base/cleanup.h"

int xt_save(int netns, enum ipt_backend backend, struct strbuf *out, struct err *err)
{
	const char *argv[] = {backend == IPT_NFT ? "iptables-nft-save" : "iptables-legacy-save",
			      NULL};
	return proc_tool_out(netns, argv, NULL, 0, out, err);
}

static int scratch_netns(struct err *err)
{
	_nlns_ struct nlns home = NLNS_INIT;
	int r = nlns_new(&home, err);
	if (r < 0)
		return r;
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "/proc/thread-self/ns/net") : fd;
}

int xt_expected(const struct dns *ns, enum ipt_backend backend, const char *lockdir,
		struct strbuf *out, struct err *err)
{
	_close_ int netns = scratch_netns(err);
	int r = netns < 0 ? netns : xt_ipsets(netns, ns, err);
	if (r >= 0)
		r = nfacct_make(netns, ns, err);
	if (r >= 0)
		r = xt_rules(netns, ns, backend, lockdir, err);
	return r < 0 ? r : xt_save(netns, backend, out, err);
}

bool xt_has(int netns, const struct dns *ns, enum ipt_backend backend)
{
	_nlns_ struct nlns home = NLNS_INIT;
	return backend == IPT_LEGACY && nlns_enter(&home, netns, NULL) == 0 && xt_unchanged(ns);
}

int xt_ipset_save(int netns, struct strbuf *out, struct err *err)
{
	static const char *const argv[] = {"ipset", "save", NULL};
	return proc_tool_out(netns, argv, NULL, 0, out, err);
}

int xt_ipset_destroy(int netns, const char *name, struct err *err)
{
	const char *argv[] = {"ipset", "destroy", name, NULL};
	struct err why = {0};
	int r = proc_tool(netns, argv, NULL, 0, &why);
	if (r == 0 || strstr(why.text, "does not exist"))
		return 0;
	if (err)
		*err = why;
	return r;
}
