/* SPDX-License-Identifier: MIT */
/*
 * test_xt: rules and ipsets loaded into namespaces made for it, by both backends that the machine
 * has: several texts in one call give what separate calls give, golden rules come back from
 * iptables-save, refusals name the owner and the line. Also what the probe says of this kernel,
 * held against /proc and the kernel's own list where there is one. Needs root but for a few.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "labd/kernel/probe.h"
#include "labd/kernel/xt.h"
#include "lib/base/arena.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/strbuf.h"

#define GOLDEN_KUBE "tests/golden/flannel/node01.flannel-v0.17-kube-proxy-v1.23.expected"
#define NAMESPACES  6

static const char flannel_text[] =
	"*nat\n"
	"-A POSTROUTING -s 10.244.0.0/16 -d 10.244.0.0/16 -m comment --comment \"x\" -j RETURN\n"
	"COMMIT\n"
	"*filter\n"
	":FLANNEL-TEST - [0:0]\n"
	"-A FORWARD -s 10.244.0.0/16 -j FLANNEL-TEST\n"
	"COMMIT"; /* without a newline: one is added */

static struct probe probe;
static int home = -1;
static char lockdir[] = "/tmp/labd-test-xt-XXXXXX";

static int setup(void **state)
{
	if (geteuid() != 0)
		return 0;
	struct err e;
	home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (probe_kernel(&probe, &e) < 0)
		return -1;
	return mkdtemp(lockdir) ? 0 : -1;
}

static int teardown(void **state)
{
	if (home >= 0)
		close(home);
	return geteuid() == 0 ? dir_remove(lockdir, NULL) : 0;
}

static bool skipped(void)
{
	if (geteuid() == 0)
		return false;
	print_message("skipped: needs root\n");
	skip();
	return true;
}

static int new_netns(void)
{
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	return fd;
}

static void assert_ok(int r, const struct err *e)
{
	if (r < 0)
		fail_msg("%s: %s", e->path, e->text);
}

static void run_in(int netns, const char *cmd, struct strbuf *out)
{
	char buf[4096];
	strbuf_reset(out);
	assert_int_equal(setns(netns, CLONE_NEWNET), 0);
	FILE *f = popen(cmd, "r");
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	assert_non_null(f);
	for (size_t n; (n = fread(buf, 1, sizeof(buf), f)) > 0;)
		strbuf_add(out, buf, n);
	assert_int_equal(pclose(f), 0);
}

/* iptables-save without comments and counters. */
static void save(int netns, enum ipt_backend b, struct strbuf *out)
{
	char cmd[128];
	snprintf(cmd, sizeof(cmd), "iptables-%s-save | grep -v '^#' | sed 's/ \\[.*//'",
		 b == IPT_NFT ? "nft" : "legacy");
	run_in(netns, cmd, out);
}

static void add_rules(struct arena *a, struct dns *ns, const char *owner, const char *text)
{
	*vec_push(a, &ns->rules) = (struct drules){.owner = owner, .text = text};
}

static const char *read_text(struct arena *a, const char *path)
{
	_strbuf_ struct strbuf b = STRBUF_INIT;
	struct err e;
	assert_ok(file_read(path, 1 << 20, &b, &e), &e);
	return arena_strdup(a, strbuf_str(&b));
}

static int fill(int netns, struct arena *a, enum ipt_backend b, const char *owner, const char *text,
		struct err *e)
{
	struct dns ns = {.name = "node01"};
	add_rules(a, &ns, owner, text);
	return xt_rules(netns, &ns, b, lockdir, e);
}

/* ---- tests ---- */

static void one_call_is_as_several(enum ipt_backend b)
{
	_arena_ struct arena *a = arena_new();
	_strbuf_ struct strbuf merged = STRBUF_INIT;
	_strbuf_ struct strbuf single = STRBUF_INIT;
	_close_ int n1 = new_netns();
	_close_ int n2 = new_netns();
	struct err e;
	const char *kube = read_text(a, GOLDEN_KUBE);
	struct dns ns = {.name = "node01"};
	add_rules(a, &ns, "kube-proxy", kube);
	add_rules(a, &ns, "flannel", flannel_text);
	assert_ok(xt_rules(n1, &ns, b, lockdir, &e), &e);
	assert_ok(fill(n2, a, b, "kube-proxy", kube, &e), &e);
	assert_ok(fill(n2, a, b, "flannel", flannel_text, &e), &e);
	save(n1, b, &merged);
	save(n2, b, &single);
	assert_non_null(strstr(strbuf_str(&merged), "-j FLANNEL-TEST"));
	assert_non_null(strstr(strbuf_str(&merged), "-A KUBE-SVC-UOXPL5GMPXS4446O"));
	assert_string_equal(strbuf_str(&merged), strbuf_str(&single));
}

static void golden_comes_back(enum ipt_backend b)
{
	_arena_ struct arena *a = arena_new();
	_strbuf_ struct strbuf saved = STRBUF_INIT;
	_close_ int netns = new_netns();
	struct err e;
	const char *want = read_text(a, GOLDEN_KUBE);
	assert_ok(fill(netns, a, b, "kube-proxy", want, &e), &e);
	save(netns, b, &saved);
	unsigned rules = 0;
	for (const char *p = strstr(want, "\n-A"); p; p = strstr(p + 1, "\n-A")) {
		const char *line = arena_strndup(a, p + 1, strcspn(p + 1, "\n"));
		if (!strstr(strbuf_str(&saved), line))
			fail_msg("iptables-save lacks: %s", line);
		rules++;
	}
	assert_true(rules > 30);
}

static void refusals(enum ipt_backend b)
{
	_arena_ struct arena *a = arena_new();
	_close_ int netns = new_netns();
	struct err e;
	struct dns ns = {.name = "node01"};
	add_rules(a, &ns, "flannel", flannel_text);
	add_rules(a, &ns, "kube-proxy",
		  "*nat\n:KUBE-X - [0:0]\n-A KUBE-X -j NO-SUCH-CHAIN\nCOMMIT\n");
	assert_true(xt_rules(netns, &ns, b, lockdir, &e) < 0);
	assert_string_equal(e.path, "node01: rules of kube-proxy");
	/* nft finds out at the end of the transaction, legacy at the line. */
	assert_non_null(strstr(e.text, "NO-SUCH-CHAIN"));

	ns.rules.n = 0;
	add_rules(a, &ns, "calico", "*filter\n-A FORWARD --no-such-option\nCOMMIT\n");
	assert_true(xt_rules(netns, &ns, b, lockdir, &e) < 0);
	assert_string_equal(e.path, "node01: rules of calico");
	assert_non_null(strstr(e.text, "\"-A FORWARD --no-such-option\""));
	assert_null(strchr(e.text, '\n'));
}

static void many_at_once(enum ipt_backend b)
{
	_arena_ struct arena *a = arena_new();
	_strbuf_ struct strbuf out = STRBUF_INIT;
	struct desired d = {.arena = a};
	int netns[NAMESPACES];
	struct err e;
	const char *kube = read_text(a, GOLDEN_KUBE);
	for (int i = 0; i < NAMESPACES; i++) {
		struct dns *ns = vec_push(a, &d.ns);
		*ns = (struct dns){.name = arena_printf(a, "node%02d", i)};
		if (i != 2) /* one has no rules, and so needs no namespace */
			add_rules(a, ns, "kube-proxy", kube);
		add_rules(a, ns, "flannel", flannel_text);
		if (i == 2)
			ns->rules.n = 0;
		netns[i] = i == 2 ? -1 : new_netns();
	}
	assert_ok(xt_rules_all(&d, netns, b, lockdir, 4, &e), &e);
	for (int i = 0; i < NAMESPACES; i++) {
		if (netns[i] < 0)
			continue;
		save(netns[i], b, &out);
		assert_non_null(strstr(strbuf_str(&out), "-j FLANNEL-TEST"));
	}
	d.ns.v[4].rules.v[1].text = "*nat\n-A NOWHERE -j RETURN\nCOMMIT\n";
	assert_true(xt_rules_all(&d, netns, b, lockdir, 4, &e) < 0);
	assert_string_equal(e.path, "node04: rules of flannel");
	for (int i = 0; i < NAMESPACES; i++)
		if (netns[i] >= 0)
			close(netns[i]);
}

static void each_backend(void (*test)(enum ipt_backend))
{
	if (skipped())
		return;
	if (probe.legacy)
		test(IPT_LEGACY);
	else
		print_message("skipped: no iptables-legacy\n");
	if (probe.nft_tables)
		test(IPT_NFT);
	else
		print_message("skipped: no iptables-nft\n");
}

static void test_one_call_is_as_several(void **state)
{
	each_backend(one_call_is_as_several);
}

static void test_golden_comes_back(void **state)
{
	each_backend(golden_comes_back);
}

static void test_refusals(void **state)
{
	each_backend(refusals);
}

static void test_many_at_once(void **state)
{
	each_backend(many_at_once);
}

static void add_set(struct arena *a, struct dns *ns, const char *name, const char *const *members,
		    size_t n)
{
	struct dipset *s = vec_push(a, &ns->ipsets);
	*s = (struct dipset){.name = name,
			     .type = "hash:net",
			     .options = "family inet hashsize 1024 maxelem 1048576"};
	for (size_t i = 0; i < n; i++)
		*vec_push(a, &s->members) = members[i];
}

static void test_ipsets(void **state)
{
	_arena_ struct arena *a = arena_new();
	_strbuf_ struct strbuf out = STRBUF_INIT;
	struct err e;
	if (skipped())
		return;
	if (!probe.ipset) {
		print_message("skipped: no ipset\n");
		skip();
	}
	_close_ int netns = new_netns();
	const char *const m[] = {"10.244.0.0/16", "10.9.0.0/24"};
	struct dns ns = {.name = "node01"};
	add_set(a, &ns, "cali40all-ipam-pools", m, 2);
	add_set(a, &ns, "cali40masq-ipam-pools", m, 1);
	assert_ok(xt_ipsets(netns, &ns, &e), &e);
	run_in(netns, "ipset list cali40all-ipam-pools | sed '1,/^Members/d' | sort", &out);
	assert_string_equal(strbuf_str(&out), "10.244.0.0/16\n10.9.0.0/24\n");

	/* Rules refer to it; again with other members: exactly these, and no helper set is left. */
	if (probe.legacy && probe.xt_set)
		assert_ok(fill(netns, a, IPT_LEGACY, "calico",
			       "*filter\n-A FORWARD -m set --match-set cali40all-ipam-pools src -j "
			       "RETURN\nCOMMIT\n",
			       &e),
			  &e);
	ns.ipsets.v[0].members.n = 1;
	assert_ok(xt_ipsets(netns, &ns, &e), &e);
	run_in(netns, "ipset list cali40all-ipam-pools | sed '1,/^Members/d' | sort", &out);
	assert_string_equal(strbuf_str(&out), "10.244.0.0/16\n");
	run_in(netns, "ipset list -n | sort", &out);
	assert_string_equal(strbuf_str(&out), "cali40all-ipam-pools\ncali40masq-ipam-pools\n");

	ns.ipsets.v[0].type = "hash:nothing";
	assert_true(xt_ipsets(netns, &ns, &e) < 0);
	assert_string_equal(e.path, "node01: ipsets");
	assert_non_null(strstr(e.text, "hash:nothing"));
}

static void test_probe_suits(void **state)
{
	struct cluster c = {.iptables = IPT_AUTO};
	struct desired d = {.cluster = &c};
	struct probe p = {.netns = true, .veth = true, .bridge = true, .legacy = true};
	struct err e;
	assert_int_equal(probe_suits(&p, &d, &e), 0);
	d.needs_ipip = true;
	setenv("LABD_GUEST_KERNEL", "/nonexistent", 1);
	assert_int_equal(probe_suits(&p, &d, &e), -EOPNOTSUPP);
	assert_int_equal(e.cls, ERR_UNSUPPORTED);
	assert_string_equal(e.text, "this kernel has no ipip (tunl0)");
	assert_non_null(strstr(e.hint, "apt-get install user-mode-linux"));
	setenv("LABD_GUEST_KERNEL", "/bin/true", 1); /* with a guest at hand it is named instead */
	assert_int_equal(probe_suits(&p, &d, &e), -EOPNOTSUPP);
	assert_null(strstr(e.hint, "apt-get"));
	assert_non_null(strstr(e.hint, "labctl up --engine guest"));
	unsetenv("LABD_GUEST_KERNEL");
	d.needs_vxlan = true;
	c.iptables = IPT_NFT;
	assert_true(probe_suits(&p, &d, &e) < 0);
	assert_string_equal(e.text, "this kernel has no vxlan, no ipip (tunl0), no iptables-nft");
	p.ipip = p.vxlan = true;
	c.iptables = IPT_LEGACY;
	assert_int_equal(probe_suits(&p, &d, &e), 0);
	p.netns = false;
	assert_true(probe_suits(&p, &d, &e) < 0);
}

static bool row_ok(json_t *rows, const char *name)
{
	size_t i;
	json_t *row;
	json_array_foreach (rows, i, row)
		if (strcmp(json_string_value(json_object_get(row, "name")), name) == 0)
			return json_is_true(json_object_get(row, "ok"));
	fail_msg("doctor has no row %s", name);
	return false;
}

static void test_probe_agrees_with_iproute(void **state)
{
	static const char *const kinds[] = {"veth", "bridge", "vxlan", "ipip", "dummy"};
	if (skipped())
		return;
	json_t *rows = probe_report(&probe);
	/* Where no module can be loaded, making the real thing is a safe second opinion. */
	bool safe = !path_exists("/proc/sys/kernel/modprobe");
	for (size_t i = 0; safe && i < ARRAY_SIZE(kinds); i++) {
		char cmd[256];
		_strbuf_ struct strbuf out = STRBUF_INIT;
		_close_ int netns = new_netns();
		snprintf(cmd, sizeof(cmd),
			 "ip link add probe0 type %s%s 2>/dev/null && echo yes || echo no",
			 kinds[i],
			 strcmp(kinds[i], "vxlan") == 0	 ? " id 1 dstport 4789"
			 : strcmp(kinds[i], "ipip") == 0 ? " local 127.0.0.1"
							 : "");
		run_in(netns, cmd, &out);
		if (row_ok(rows, kinds[i]) != (strcmp(strbuf_str(&out), "yes\n") == 0))
			fail_msg("probe and ip disagree about %s", kinds[i]);
	}
	assert_true(row_ok(rows, "kernel"));
	json_decref(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_call_is_as_several),
		cmocka_unit_test(test_golden_comes_back),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_ipsets),
		cmocka_unit_test(test_probe_suits),
		cmocka_unit_test(test_probe_agrees_with_iproute),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
