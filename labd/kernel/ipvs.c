/* SPDX-License-Identifier: MIT */
/* See ipvs.h. */
#include "labd/kernel/ipvs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "labd/kernel/proc_priv.h"
#include "lib/base/cleanup.h"
#include "lib/plan/ipvs_diff.h"

/* Run ipvsadm there with input; ns is named in errors. */
static int run(int netns, const struct dns *ns, const char *const *argv, const char *input,
	       struct err *err)
{
	int r = proc_tool(netns, argv, input, strlen(input), err);
	return r < 0 ? err_path(err, "%s: virtual services", ns->name) : 0;
}

static int set_timeouts(int netns, const struct dns *ns, struct err *err)
{
	char tcp[16], fin[16], udp[16];
	const char *argv[] = {"ipvsadm", "--set", tcp, fin, udp, NULL};
	if (sscanf(ns->ipvs_timeouts, "%15s %15s %15s", tcp, fin, udp) != 3)
		return err_set(err, -EINVAL, "ipvs timeouts \"%s\"", ns->ipvs_timeouts);
	return run(netns, ns, argv, "", err);
}

typedef void (*ipvs_how)(struct arena *a, struct ipvs_diff *d, const char *have, const char *want,
			 struct strbuf *out);

static const char *const restore[] = {"ipvsadm", "--restore", NULL};

int ipvs_load(int netns, const struct dns *ns, struct err *err)
{
	int r = 0;
	if (ns->ipvs && *ns->ipvs)
		r = run(netns, ns, restore, ns->ipvs, err);
	if (r == 0 && ns->ipvs_timeouts)
		r = set_timeouts(netns, ns, err);
	return r;
}

int ipvs_save(int netns, struct strbuf *out, struct err *err)
{
	static const char *const save[] = {"ipvsadm", "--save", "-n", NULL};
	return proc_tool_out(netns, save, NULL, 0, out, err);
}

/* Destinations that have connections, as `ipvsadm -Ln` lists them: below the line of a service
 * ("TCP  10.96.0.1:443 rr") lines "  -> DEST Masq WEIGHT ACTIVE INACTIVE". Only TCP is asked for.
 */
static bool is_busy(void *arg, const char *service, const char *dest)
{
	char name[80] = "", at[64], fwd[16];
	unsigned weight, active, inactive;
	for (const char *s = arg; *s; s += strcspn(s, "\n"), s += *s == '\n') {
		if (sscanf(s, "TCP %63s", at) == 1)
			snprintf(name, sizeof(name), "-t %s", at);
		else if (*s != ' ')
			name[0] = '\0';
		else if (strcmp(name, service) == 0 &&
			 sscanf(s, " -> %63s %15s %u %u %u", at, fwd, &weight, &active,
				&inactive) == 5 &&
			 strcmp(at, dest) == 0)
			return active + inactive > 0;
	}
	return false;
}

/* What is there, what has connections, and from both to what should be by `how`. */
static int bring(int netns, const struct dns *ns, struct ipvs_diff *d, ipvs_how how,
		 struct err *err)
{
	static const char *const list[] = {"ipvsadm", "--list", "-n", NULL};
	_strbuf_ struct strbuf have = STRBUF_INIT, conns = STRBUF_INIT, text = STRBUF_INIT;
	_arena_ struct arena *a = arena_new();
	int r = ipvs_save(netns, &have, err);
	if (r >= 0)
		r = proc_tool_out(netns, list, NULL, 0, &conns, err);
	if (r < 0)
		return err_path(err, "%s: virtual services", ns->name);
	d->busy = is_busy;
	d->arg = (void *)strbuf_str(&conns);
	how(a, d, strbuf_str(&have), ns->ipvs, &text);
	return text.len ? run(netns, ns, restore, strbuf_str(&text), err) : 0;
}

int ipvs_change(int netns, const struct dns *ns, const strs *exclude, unsigned *draining,
		struct err *err)
{
	struct ipvs_diff d = {.exclude = exclude};
	int r = bring(netns, ns, &d, ipvs_diff, err);
	*draining += d.draining;
	return r == 0 && ns->ipvs_timeouts ? set_timeouts(netns, ns, err) : r;
}

int ipvs_drain(int netns, const struct dns *ns, unsigned *draining, struct err *err)
{
	struct ipvs_diff d = {.exclude = NULL};
	int r = bring(netns, ns, &d, ipvs_drained, err);
	*draining += d.draining;
	return r;
}
