/* SPDX-License-Identifier: MIT */
/* See nft.h. */
#include "labd/kernel/nft.h"

#include <errno.h>
#include <string.h>

#include "labd/kernel/nlbatch.h"
#include "labd/kernel/proc_priv.h"
#include "labd/kernel/xt_tool.h"

/* nft says what is wrong in its first line; the others show the place in the text. */
static int refused(const struct dns *ns, const char *text, struct err *err)
{
	const char *why = strstr(text, "Error: ");
	why = why ? why + strlen("Error: ") : text;
	err_set(err, -EINVAL, "nft refused the table: %.*s", (int)strcspn(why, "\n"), why);
	return err_path(err, "%s: rules of kube-proxy", ns->name);
}

int nft_load(int netns, const struct dns *ns, struct err *err)
{
	const char *argv[] = {"nft", "-f", "-", NULL};
	char text[TOOL_STDERR_MAX + 1];
	struct tool t;
	if (!ns->nft)
		return 0;
	_nlns_ struct nlns home = NLNS_INIT;
	int r = nlns_enter(&home, netns, err);
	if (r >= 0)
		r = tool_start(&t, argv, NULL, ns->nft, strlen(ns->nft), err);
	if (r >= 0)
		r = tool_wait(&t, text, sizeof(text), err);
	if (r < 0)
		return err_path(err, "%s", ns->name);
	return r ? refused(ns, text, err) : 0;
}

int nft_save(int netns, struct strbuf *out, struct err *err)
{
	/* Listing a table that is not there would fail. */
	static const char *const all[] = {"nft", "list", "tables", "ip", NULL};
	static const char *const table[] = {"nft", "-s", "list", "table", "ip", "kube-proxy", NULL};
	_strbuf_ struct strbuf tables = STRBUF_INIT;
	int r = proc_tool_out(netns, all, NULL, 0, &tables, err);
	if (r < 0 || !strstr(strbuf_str(&tables), "table ip kube-proxy\n"))
		return r;
	return proc_tool_out(netns, table, NULL, 0, out, err);
}
