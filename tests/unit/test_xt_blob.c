/* SPDX-License-Identifier: MIT */
/*
 * test_xt_blob: rules written straight to the kernel are what iptables-legacy-restore would have
 * made of the same text, for every golden rule set, by iptables-legacy-save's word and by the
 * kernel's bytes; and what is not known is left alone. Needs root but for the last.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "labd/kernel/proc.h"
#include "labd/kernel/xt.h"
#include "labd/kernel/xt_blob.h"
#include "labd/kernel/xt_replace.h"
#include "labd/kernel/xt_tool.h"
#include "lib/base/arena.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/strbuf.h"

static int home = -1;
static char lockdir[] = "/tmp/labd-test-blob-XXXXXX";

static int setup(void **state)
{
	home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	return home >= 0 && mkdtemp(lockdir) ? 0 : -1;
}

static int teardown(void **state)
{
	close(home);
	return dir_remove(lockdir, NULL);
}

static bool legacy_here(void)
{
	char path[128];
	if (geteuid() == 0 && tool_find("iptables-legacy-restore", path, sizeof(path)))
		return true;
	print_message("skipped: needs root and iptables-legacy\n");
	skip();
	return false;
}

static int new_netns(void)
{
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	return fd;
}

static char *output_in(int netns, const char *cmd)
{
	static char buf[4 * 1024 * 1024];
	size_t len = 0;
	assert_int_equal(setns(netns, CLONE_NEWNET), 0);
	FILE *f = popen(cmd, "r");
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	assert_non_null(f);
	for (size_t n; (n = fread(buf + len, 1, sizeof(buf) - len - 1, f)) > 0;)
		len += n;
	buf[len] = '\0';
	pclose(f);
	return strdup(buf);
}

static char *saved(int netns)
{
	return output_in(netns, "iptables-legacy-save | grep -v '^#'");
}

/* iptables-restore's own reading of the text; false: it refuses it. */
static bool by_program(int netns, const char *text, const char *sets)
{
	_strbuf_ struct strbuf cmd = STRBUF_INIT;
	char path[128];
	snprintf(path, sizeof(path), "%s/text", lockdir);
	assert_int_equal(file_write(path, text, strlen(text), 0600, NULL), 0);
	strbuf_addf(&cmd, "%s; XTABLES_LOCKFILE=%s/lock iptables-legacy-restore --noflush <%s 2>&1",
		    sets, lockdir, path);
	char *said = output_in(netns, strbuf_str(&cmd));
	bool ok = !strstr(said, "failed") && !strstr(said, "rror");
	free(said);
	return ok;
}

static bool with(bool (*fn)(const struct dns *ns, const char *lock), int netns, const char *text)
{
	_arena_ struct arena *a = arena_new();
	char lock[128];
	struct dns ns = {.name = "n"};
	*vec_push(a, &ns.rules) = (struct drules){.owner = "test", .text = text};
	snprintf(lock, sizeof(lock), "%s/lock", lockdir);
	assert_int_equal(setns(netns, CLONE_NEWNET), 0);
	bool ok = fn(&ns, lock);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	return ok;
}

static bool by_us(int netns, const char *text)
{
	return with(xt_replace, netns, text);
}

/* A table's entries as the kernel hands them out. nfcache is left out: the program's own note,
 * which the kernel does not look at. */
static char *entries(int netns, const char *table, unsigned *size)
{
	struct ipt_getinfo info = {0};
	socklen_t len = sizeof(info);
	strcpy(info.name, table);
	assert_int_equal(setns(netns, CLONE_NEWNET), 0);
	int sock = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	assert_int_equal(getsockopt(sock, IPPROTO_IP, IPT_SO_GET_INFO, &info, &len), 0);
	len = (socklen_t)(sizeof(struct ipt_get_entries) + info.size);
	struct ipt_get_entries *e = calloc(1, len);
	strcpy(e->name, table);
	e->size = info.size;
	assert_int_equal(getsockopt(sock, IPPROTO_IP, IPT_SO_GET_ENTRIES, e, &len), 0);
	close(sock);
	for (unsigned at = 0; at < info.size;) {
		struct ipt_entry *x = (struct ipt_entry *)((char *)e->entrytable + at);
		x->nfcache = 0;
		at += x->next_offset;
	}
	*size = info.size;
	char *bytes = malloc(info.size);
	memcpy(bytes, e->entrytable, info.size);
	free(e);
	return bytes;
}

static void same_bytes(int a, int b, const char *what)
{
	static const char *const tables[] = {"filter", "nat", "mangle", "raw"};
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		unsigned na, nb;
		char *x = entries(a, tables[i], &na), *y = entries(b, tables[i], &nb);
		unsigned at = 0;
		while (na == nb && at < na && x[at] == y[at])
			at++;
		if (na != nb || at < na)
			fail_msg("%s: table %s: %u and %u bytes, differ from %u on", what,
				 tables[i], na, nb, at);
		free(x);
		free(y);
	}
}

/* 1: the same; 0: left to the program, which knows it; -1: not for either. */
static int compare(const char *what, const char *text, const char *sets)
{
	int program = new_netns(), ours = new_netns(), ret = -1;
	free(output_in(ours, sets));
	if (by_program(program, text, sets)) {
		ret = by_us(ours, text);
		if (ret) {
			char *want = saved(program), *have = saved(ours);
			if (strcmp(want, have) != 0)
				fail_msg("%s:\n--- iptables-legacy-restore\n%s--- ours\n%s", what,
					 want, have);
			free(want);
			free(have);
			same_bytes(program, ours, what);
		}
	}
	close(program);
	close(ours);
	return ret;
}

/* The rules in a golden file: from "*table" to COMMIT; other commands' output is between. */
static char *rules_of(const char *path)
{
	_strbuf_ struct strbuf b = STRBUF_INIT, out = STRBUF_INIT;
	assert_int_equal(file_read(path, 8 << 20, &b, NULL), 0);
	bool in = false;
	char *save = NULL;
	for (char *l = strtok_r(b.s, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		in |= l[0] == '*';
		if (in)
			strbuf_addf(&out, "%s\n", l);
		in &= strcmp(l, "COMMIT") != 0;
	}
	return strdup(strbuf_str(&out));
}

/* Commands that make the sets the rules name, of as many parts as they match. */
static char *sets_of(const char *text)
{
	_strbuf_ struct strbuf b = STRBUF_INIT;
	static const char word[] = "--match-set ";
	strbuf_adds(&b, "true");
	for (const char *p = text; (p = strstr(p, word));) {
		char name[64], dims[64];
		p += strlen(word);
		if (sscanf(p, "%63s %63s", name, dims) != 2)
			continue;
		const char *second = strchr(dims, ',');
		const char *type = !second		     ? "hash:net"
				   : strchr(second + 1, ',') ? "hash:ip,port,ip"
							     : "hash:ip,port";
		strbuf_addf(&b, "; ipset create -exist %s %s", name, type);
	}
	return strdup(strbuf_str(&b));
}

/* A chain of table nat that the text makes; false if there is none. */
static bool some_chain(const char *text, char name[static 64])
{
	const char *nat = strstr(text, "*nat\n"), *c = nat ? strstr(nat, "\n:KUBE-S") : NULL;
	c = c || !nat ? c : strstr(nat, "\n:KUBE-");
	return c && sscanf(c, "\n:%63s", name) == 1;
}

/* Changes of these rules, one after the other, some refused, once they have counted: by the program
 * and by us, counters and all. */
static int compare_changes(const char *what, const char *text, const char *sets)
{
	static const char *const changes[] = {
		"*nat\n:NEW - [0:0]\n:%1$s - [0:0]\n:GONE - [0:0]\n-A NEW -j %1$s\n"
		"-A %1$s -s 10.0.0.1/32 -m comment --comment \"a b\" -j KUBE-MARK-MASQ\n"
		"-A GONE -j RETURN\n-I PREROUTING 1 -j NEW\n-A POSTROUTING -j NEW\nCOMMIT\n",
		"*nat\n:GONE - [0:0]\n:%1$s - [0:0]\n-I OUTPUT 2 -j NEW\n-A %1$s -j RETURN\n"
		"-I %1$s -p tcp -m tcp --dport 80 -j ACCEPT\n-X GONE\nCOMMIT\n"
		"*filter\n:INPUT DROP [0:0]\n:F - [0:0]\n-I INPUT 1 -g F\nCOMMIT\n"
		"*raw\n-A OUTPUT -j ACCEPT\nCOMMIT\n",
		"*nat\n:NEW - [0:0]\n-X NEW\nCOMMIT\n",
		"*nat\n-I OUTPUT 99 -j NEW\nCOMMIT\n",
	};
	int program = new_netns(), ours = new_netns(), ret = -1;
	char name[64];
	free(output_in(ours, sets));
	if (some_chain(text, name) && by_program(program, text, sets) && by_us(ours, text)) {
		static const char count[] =
			"iptables-legacy-save | sed 's/^-A/[7:9] -A/; s/\\[0:0\\]/[3:4]/' | "
			"XTABLES_LOCKFILE=/dev/null iptables-legacy-restore -c";
		ret = 1;
		free(output_in(program, count));
		free(output_in(ours, count));
		for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
			_strbuf_ struct strbuf change = STRBUF_INIT;
			for (const char *p = changes[i], *at; *p; p = at) {
				at = strstr(p, "%1$s");
				at = at ? at : p + strlen(p);
				strbuf_add(&change, p, (size_t)(at - p));
				if (*at) {
					strbuf_adds(&change, name);
					at += 4;
				}
			}
			const char *c = strbuf_str(&change);
			assert_int_equal(with(xt_change, ours, c), by_program(program, c, "true"));
			same_bytes(program, ours, what);
		}
	}
	close(program);
	close(ours);
	return ret;
}

static void golden_dir(const char *dir, int (*compare_)(const char *, const char *, const char *),
		       int *same, int *left)
{
	DIR *d = opendir(dir);
	assert_non_null(d);
	for (struct dirent *de; (de = readdir(d));) {
		const char *dot = strrchr(de->d_name, '.');
		char path[512];
		if (!dot || strcmp(dot, ".expected") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, de->d_name);
		char *text = rules_of(path);
		char *sets = sets_of(text);
		int r = text[0] ? compare_(path, text, sets) : -1;
		*same += r > 0;
		*left += r == 0;
		if (r == 0)
			print_message("%s: left to iptables-restore\n", path);
		free(text);
		free(sets);
	}
	closedir(d);
}

static void test_golden(void **state)
{
	int same = 0, left = 0;
	if (!legacy_here())
		return;
	golden_dir("tests/golden/kube-proxy/cases", compare, &same, &left);
	golden_dir("tests/golden/flannel", compare, &same, &left);
	golden_dir("tests/golden/calico", compare, &same, &left);
	print_message("%d rule sets the same, %d left to iptables-restore\n", same, left);
	assert_true(same > 20);
	assert_int_equal(left, 0);
}

static void test_changes(void **state)
{
	int same = 0, left = 0;
	if (!legacy_here())
		return;
	golden_dir("tests/golden/kube-proxy/cases", compare_changes, &same, &left);
	print_message("%d rule sets changed alike\n", same);
	assert_true(same > 20);
}

static void test_words(void **state)
{
	if (!legacy_here())
		return;
	static const char text[] =
		"*filter\n"
		":FORWARD DROP [0:0]\n"
		":Z-last - [0:0]\n"
		":A-first - [0:0]\n"
		"-A INPUT -i cali+ -j A-first\n"
		"-A FORWARD ! -i eth0 -o lo -j ACCEPT\n"
		"-I INPUT -p icmp -m comment --comment \"a \\\"quoted\\\" word\" -j DROP\n"
		"-A A-first -m set --match-set s1 src -m set ! --match-set s2 dst,dst -j RETURN\n"
		"-A A-first -m conntrack ! --ctstate NEW,UNTRACKED -g Z-last\n"
		"-A A-first -m state --state ESTABLISHED -j RETURN\n"
		"-A A-first -p tcp -m multiport --dports 22,80:90 -j REJECT --reject-with "
		"icmp-port-unreachable\n"
		"-A A-first -p udp -m udp --sport 53 ! --dport 1:1023 -j DROP\n"
		"-A Z-last ! -s 10.0.0.0/8 ! -d 1.2.3.4 -m mark ! --mark 0x1/0xff -j MARK "
		"--set-mark 0x4/0xc\n"
		"-A Z-last -m recent --rcheck --seconds 10 --reap --name K --mask 255.255.255.255 "
		"--rsource -j ACCEPT\n"
		"-A Z-last -m recent --name K --mask 255.255.255.255 --rsource --set -j ACCEPT\n"
		"-A Z-last -m physdev ! --physdev-is-in -j ACCEPT\n"
		"COMMIT\n"
		"*nat\n"
		"-A PREROUTING -p tcp -m tcp --dport 80 -m statistic --mode random --probability "
		"0.33333333349 -j DNAT --to-destination 10.1.2.3:8080 --persistent\n"
		"-A PREROUTING -p tcp -j REDIRECT --to-ports 40000\n"
		"-A PREROUTING -m addrtype ! --src-type LOCAL --limit-iface-out -j RETURN\n"
		"-A POSTROUTING -p tcp -j MASQUERADE --to-ports 1024-2048 --random-fully\n"
		"COMMIT\n";
	static const char sets[] = "ipset create s1 hash:net; ipset create s2 hash:ip,port";
	/* limit-iface-out is refused in PREROUTING by the kernel: both must, and leave nothing */
	char *bad = strdup(text), *good = strdup(text);
	char *flag = strstr(good, " --limit-iface-out");
	memmove(flag, flag + 18, strlen(flag + 18) + 1);
	assert_int_equal(compare("words", good, sets), 1);
	assert_int_equal(compare("words", bad, sets), -1);
	int ns = new_netns();
	free(output_in(ns, sets));
	assert_false(by_us(ns, bad));
	char *left = saved(ns);
	assert_null(strstr(left, "A-first"));
	assert_non_null(strstr(left, ":FORWARD ACCEPT"));
	free(left);
	free(bad);
	free(good);
	close(ns);
}

/* Rules that somebody else put there are not replaced. */
static bool unchanged(int netns, const char *text)
{
	_arena_ struct arena *a = arena_new();
	struct dns ns = {.name = "n"};
	*vec_push(a, &ns.rules) = (struct drules){.owner = "test", .text = text};
	assert_int_equal(setns(netns, CLONE_NEWNET), 0);
	bool same = xt_unchanged(&ns);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	return same;
}

static void test_unchanged(void **state)
{
	static const char text[] = "*filter\n:A - [0:0]\n:B - [0:0]\n-A INPUT -j A\n"
				   "-A A -p tcp -m tcp --dport 80 -j B\n"
				   "-A B -m comment --comment \"b\" -j ACCEPT\nCOMMIT\n";
	static const char *const changes[] = {
		"iptables-legacy -D B 1",
		"iptables-legacy -A OUTPUT -j ACCEPT",
		"iptables-legacy -P FORWARD DROP",
		"iptables-legacy -N C",
		"iptables-legacy -R A 1 -p tcp --dport 81 -j B",
		"iptables-legacy -R A 1 -p tcp --dport 80 -g B",
		"iptables-legacy -t raw -A OUTPUT -j ACCEPT",
	};
	if (!legacy_here())
		return;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		_close_ int direct = new_netns();
		_close_ int restored = new_netns();
		assert_true(by_us(direct, text));
		assert_true(by_program(restored, text, "true"));
		assert_true(unchanged(direct, text));
		assert_true(unchanged(restored, text));
		free(output_in(direct, changes[i]));
		assert_false(unchanged(direct, text));
		assert_false(unchanged(restored, "*filter\nCOMMIT\n"));
		/* What only counts, or looks, changes nothing. */
		free(output_in(restored, "ip link set lo up; busybox ping -c1 127.0.0.1; "
					 "iptables-legacy -t mangle -S"));
		assert_true(unchanged(restored, text));
	}
}

static void test_not_ours(void **state)
{
	static const char text[] = "*filter\n-A INPUT -j ACCEPT\nCOMMIT\n";
	if (!legacy_here())
		return;
	int ns = new_netns();
	assert_true(by_us(ns, text));
	assert_false(by_us(ns, text));
	close(ns);
}

static void test_unknown(void **state)
{
	static const char *const unknown[] = {
		"*filter\n-A INPUT -m nosuch -j ACCEPT\nCOMMIT\n",
		"*filter\n-A INPUT -j NOSUCH --with 1\nCOMMIT\n",
		"*filter\n-A INPUT -j NOSUCH\nCOMMIT\n", /* no such chain */
		"*filter\n-A NOSUCH -j ACCEPT\nCOMMIT\n",
		"*filter\n-D INPUT -j ACCEPT\nCOMMIT\n",
		"*filter\n-A INPUT -p tcp --dport 80 -j ACCEPT\nCOMMIT\n", /* tcp by itself */
		"*filter\n-A INPUT -s 1.2.3.4/33 -j ACCEPT\nCOMMIT\n",
		"*filter\n-A INPUT -m comment --comment \"open -j ACCEPT\nCOMMIT\n",
		"*filter\n-A INPUT -j ACCEPT\n",
		"*security\n-A INPUT -j ACCEPT\nCOMMIT\n",
		"-A INPUT -j ACCEPT\n",
		"*filter\n:INPUT ACCEPT [5:6]\nCOMMIT\n",
		"*filter\n-A INPUT ! \nCOMMIT\n",
		"*filter\n-A INPUT -o eth0 -j ACCEPT\nCOMMIT\n",
	};
	_arena_ struct arena *a = arena_new();
	struct xt_blobs b;
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		if (xt_encode(a, &unknown[i], 1, NULL, NULL, &b))
			fail_msg("encoded: %s", unknown[i]);
	const char *two[] = {"*filter\n:X - [0:0]\nCOMMIT\n*nat\nCOMMIT\n",
			     "*filter\n-A INPUT -j X\nCOMMIT\n"};
	assert_true(xt_encode(a, two, 2, NULL, NULL, &b));
	assert_int_equal(b.n, 2);
	assert_string_equal(b.v[0].replace->name, "filter");
	/* three policies, a rule, X's head and end, the table's end */
	assert_int_equal(b.v[0].replace->num_entries, 7);
	assert_int_equal(b.v[1].replace->num_entries, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),	 cmocka_unit_test(test_changes),
		cmocka_unit_test(test_words),	 cmocka_unit_test(test_unchanged),
		cmocka_unit_test(test_not_ours), cmocka_unit_test(test_unknown),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
