/* SPDX-License-Identifier: MIT */
/*
 * modules: see modules.h. modules.dep has a line per module, "PATH: PATH..."; the second part is
 * the transitive closure of what it needs, to be loaded from the last to the first (depmod's
 * order).
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <uthash.h>

#include "labd/guest/modules.h"
#include "lib/base/arena.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/strbuf.h"

#define DEP_MAX (8u * 1024u * 1024u) /* of modules.dep and modules.alias */

/*
 * What labs use. Loaded at boot since that takes 1 ms each, while the kernel asking for one later
 * costs a process. The order says nothing.
 */
/* clang-format off */
static const char *const wanted[] = {
	/* devices */
	"ipv6", "veth", "bridge", "br_netfilter", "dummy", "vxlan", "ipip", "macvlan", "tun",
	"nlmon",
	/* what ss and ip ask */
	"tcp_diag", "udp_diag", "raw_diag", "unix_diag", "af_packet_diag", "netlink_diag",
	/* legacy iptables */
	"ip_tables", "iptable_filter", "iptable_nat", "iptable_mangle", "iptable_raw",
	"ip6_tables", "ip6table_filter", "ip6table_nat", "ip6table_mangle", "ip6table_raw",
	"ipt_REJECT", "ip6t_REJECT", "ipt_rpfilter", "xt_tcpudp", "xt_comment", "xt_mark",
	"xt_connmark", "xt_conntrack", "xt_state", "xt_addrtype", "xt_multiport",
	"xt_statistic", "xt_nat", "xt_MASQUERADE", "xt_REDIRECT", "xt_CT", "xt_LOG",
	"nf_log_syslog", "xt_NFLOG", "xt_TRACE", "xt_set", "xt_physdev", "xt_recent",
	"xt_limit", "xt_ipvs", "xt_u32", "xt_nfacct", "xt_owner", "xt_pkttype", "xt_bpf",
	"xt_iprange", "xt_length", "xt_TCPMSS", "xt_hashlimit", "xt_mac",
	/* conntrack and the netlink sides of netfilter */
	"nf_conntrack", "nf_conntrack_netlink", "nf_nat", "nfnetlink_log", "nfnetlink_queue",
	"nfnetlink_acct",
	/* ipset */
	"ip_set", "ip_set_hash_ip", "ip_set_hash_net", "ip_set_hash_ipport",
	"ip_set_hash_ipportip", "ip_set_hash_ipportnet", "ip_set_hash_netport",
	"ip_set_hash_netiface", "ip_set_hash_netnet", "ip_set_bitmap_port", "ip_set_list_set",
	/* IPVS */
	"ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_lc", "ip_vs_wlc", "ip_vs_sh", "ip_vs_dh",
	"ip_vs_sed", "ip_vs_nq", "ip_vs_mh", "ip_vs_lblc", "ip_vs_lblcr", "ip_vs_fo",
	"ip_vs_ovf",
	/* nftables, as far as it goes */
	"nf_tables", "nft_compat", "nft_ct", "nft_log", "nft_limit", "nft_masq", "nft_redir",
	"nft_reject", "nft_numgen", "nft_hash", "nft_objref", "nft_queue",
	/* faults on the wire */
	"sch_netem", "sch_tbf", "sch_ingress", "sch_prio", "sch_htb", "cls_u32", "cls_matchall",
	"act_mirred", "act_gact",
};
/* clang-format on */

/* Module parameters; none otherwise. Without this dummy makes a device dummy0 by itself. */
static const char *params_of(const char *name)
{
	return strcmp(name, "dummy") == 0 ? "numdummies=0" : "";
}

struct module {
	const char *name; /* of the file, '-' as '_' */
	const char *path; /* relative to dir */
	char *deps;	  /* the rest of the line */
	bool loaded;
	UT_hash_handle hh;
};

struct tree {
	struct arena *a;
	char dir[128];
	struct module *by_name;
	int count; /* loaded by us */
};

static void tree_free(struct tree *t)
{
	HASH_CLEAR(hh, t->by_name);
	arena_free(t->a);
}

static const char *name_of(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	char *name = arena_strndup(a, base, strcspn(base, "."));

	for (char *p = name; *p; p++) {
		if (*p == '-')
			*p = '_';
	}
	return name;
}

static int find_dir(struct tree *t, struct err *err)
{
	static const char *const places[] = {"/usr/lib/uml/modules", "/usr/lib/modules",
					     "/lib/modules"};
	struct utsname u;

	if (uname(&u) < 0)
		return err_sys(err, errno, "uname");
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(t->dir, sizeof(t->dir), "%s/%.80s", places[i], u.release);
		if (access(t->dir, X_OK) == 0)
			return 0;
	}
	return err_setc(err, ENOENT, ERR_UNSUPPORTED, "no modules for the guest's kernel %s",
			u.release);
}

static int read_file(struct tree *t, const char *name, char **text, struct err *err)
{
	_strbuf_ struct strbuf b = STRBUF_INIT;
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", t->dir, name);
	if (file_read(path, DEP_MAX, &b, err))
		return err->code;
	*text = arena_strndup(t->a, strbuf_str(&b), b.len);
	return 0;
}

static int tree_read(struct tree *t, struct err *err)
{
	char *text, *line;
	int r;

	t->a = arena_new();
	r = find_dir(t, err);
	if (!r)
		r = read_file(t, "modules.dep", &text, err);
	while (!r && (line = strsep(&text, "\n"))) {
		char *colon = strchr(line, ':');
		struct module *m;

		if (!colon)
			continue;
		*colon = '\0';
		m = arena_new_type(t->a, struct module);
		m->path = line;
		m->name = name_of(t->a, line);
		m->deps = colon + 1;
		HASH_ADD_KEYPTR(hh, t->by_name, m->name, strlen(m->name), m);
	}
	return r;
}

static int load_file(struct tree *t, const char *path, const char *name, struct err *err)
{
	char full[512];
	int r = 0;

	snprintf(full, sizeof(full), "%s/%s", t->dir, path);
	_close_ int fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "%s", full);
	if (syscall(SYS_finit_module, fd, params_of(name), 0) < 0 && errno != EEXIST)
		r = err_sys(err, errno, "module %s", name);
	else
		t->count++;
	return r;
}

static struct module *tree_find(struct tree *t, const char *name)
{
	const char *key = name_of(t->a, name);
	struct module *m;

	HASH_FIND_STR(t->by_name, key, m);
	return m;
}

static int load(struct tree *t, struct module *m, struct err *err)
{
	char *deps, *end;

	if (m->loaded)
		return 0;
	m->loaded = true; /* whatever comes: try once */
	deps = arena_strdup(t->a, m->deps);
	while ((end = strrchr(deps, ' '))) {
		struct module *d = end[1] ? tree_find(t, end + 1) : NULL;

		*end = '\0';
		if (!d || d->loaded)
			continue;
		d->loaded = true; /* its own needs are in our list, behind it */
		if (load_file(t, d->path, d->name, err))
			return err->code;
	}
	return load_file(t, m->path, m->name, err);
}

int modules_load_all(struct err *err)
{
	_cleanup_(tree_free) struct tree t = {0};
	struct err one;

	if (tree_read(&t, err))
		return err->code;
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		struct module *m = tree_find(&t, wanted[i]);

		if (m && load(&t, m, &one))
			err_print(&one, "labd");
	}
	return t.count;
}

/* The module that "alias PATTERN NAME" in modules.alias names; all that match are loaded. */
static int load_alias(struct tree *t, const char *alias, struct err *err)
{
	char *text, *line;
	int found = -ENOENT;

	if (read_file(t, "modules.alias", &text, err))
		return err->code;
	while ((line = strsep(&text, "\n"))) {
		char *pattern, *name;
		struct module *m;

		if (strncmp(line, "alias ", 6))
			continue;
		pattern = line + 6;
		name = strrchr(pattern, ' ');
		if (!name)
			continue;
		*name++ = '\0';
		if (fnmatch(pattern, alias, 0) || !(m = tree_find(t, name)))
			continue;
		if (load(t, m, err))
			return err->code;
		found = 0;
	}
	return found;
}

int modules_load(const char *name, struct err *err)
{
	_cleanup_(tree_free) struct tree t = {0};
	struct module *m;
	int r;

	if (tree_read(&t, err))
		return err->code;
	m = tree_find(&t, name);
	r = m ? load(&t, m, err) : load_alias(&t, name, err);
	return r == -ENOENT ? err_set(err, ENOENT, "no module is called %s", name) : r;
}
