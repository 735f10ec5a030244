/* SPDX-License-Identifier: MIT */
/*
 * Lab files written by an enemy: every text of the shipped labs is replaced by hostile ones, one at
 * a time. Either that is a fault, or what comes out in its place is harmless: no name that is more
 * than a name, no path elsewhere, no line of its own in a text that a program reads.
 */
#include "plan_lab.h"

#include <ctype.h>

#include "labd/kernel/sysctl.h"

#define MARK "INJECTED"

static const char *const hostile[] = {
	"../../../etc/x",
	"/etc/x",
	"x\n" MARK " y",
	"-rf",
	"--flush",
	"x\"; " MARK,
	"x' " MARK,
	"$(" MARK ")",
	"x\t" MARK,
	"a b",
	"",
	".",
	"..",
	"x\r\n" MARK,
	"\x7f",
	NULL /* of 300 letters */,
	"x\\\n" MARK,
};

static char long_text[301];

/* What is looked at now, for a message. */
static const char *now_file, *now_value;
static char now_path[512];

static void bad(const char *what, const char *s)
{
	fail_msg("%s, %s = \"%s\": %s \"%s\"", now_file, now_path, now_value, what, s);
}

/* One component of a path, one word of a command line. */
static void check_name(const char *what, const char *s)
{
	size_t n = strlen(s);
	if (n == 0 || n > 253 || s[0] == '-' || s[0] == '.')
		bad(what, s);
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("._-", *s))
			bad(what, s);
}

static void check_device(const char *what, const char *s)
{
	if (!s)
		return;
	check_name(what, s);
	if (strlen(s) > 15)
		bad(what, s);
}

/* A text of many lines, none of them ours; a mark inside a line's quotes is harmless. */
static void check_text(const char *what, const char *s)
{
	if (!s)
		return;
	if (!strncmp(s, MARK, strlen(MARK)) || strstr(s, "\n" MARK))
		bad(what, s);
	for (const char *p = s; *p; p++)
		if (((unsigned char)*p < ' ' && *p != '\n' && *p != '\t') || *p == 0x7f)
			bad(what, s);
}

static void check_word(const char *what, const char *s)
{
	if (!*s || *s == '-' || strpbrk(s, " \t\r\n\"'\\"))
		bad(what, s);
}

static void check_path(const char *s)
{
	bool etc = !strcmp(s, "/etc/hosts") || !strcmp(s, "/etc/hostname") ||
		   !strcmp(s, "/etc/resolv.conf");
	if (!etc && (strncmp(s, "/run/", 5) != 0 || strstr(s, "/..") || strpbrk(s, "\n\r")))
		bad("file", s);
}

static void check_links(const struct dns *ns)
{
	vec_foreach (struct dlink, l, &ns->links) {
		check_device("device", l->name);
		check_device("master", l->master);
		check_device("peer", l->peer_name);
		check_device("lower", l->lower);
	}
	vec_foreach (struct daddr, a, &ns->addrs)
		check_device("address of", a->dev);
	vec_foreach (struct droute, r, &ns->routes)
		check_device("route by", r->dev);
	vec_foreach (struct dsysctl, s, &ns->sysctls) {
		char path[300];
		if (sysctl_path(s->key, path, sizeof(path)) < 0)
			bad("setting", s->key);
		check_word("value", s->value);
	}
}

static void check_texts(const struct dns *ns)
{
	vec_foreach (struct dipset, s, &ns->ipsets) {
		check_word("ipset", s->name);
		for (size_t i = 0; i < s->members.n; i++)
			check_text("member", s->members.v[i]);
	}
	for (size_t i = 0; i < ns->counters.n; i++)
		check_word("counter", ns->counters.v[i]);
	vec_foreach (struct drules, r, &ns->rules)
		check_text("rules", r->text);
	vec_foreach (struct dfile, f, &ns->files) {
		check_path(f->path);
		check_text(f->path, f->content);
	}
	check_text("nft", ns->nft);
	check_text("ipvs", ns->ipvs);
}

static void check_desired(const struct desired *d)
{
	vec_foreach (struct dns, ns, &d->ns) {
		check_name("namespace", ns->name);
		check_name("host name", ns->hostname ? ns->hostname : "none");
		if (ns->cni_netns)
			check_name("netns", ns->cni_netns);
		check_links(ns);
		check_texts(ns);
		vec_foreach (struct dproc, p, &ns->procs)
			check_name("container", p->name);
	}
	check_name("lab", d->cluster->name);
}

/* The documents as they are now; most are refused. */
static size_t try_docs(json_t *docs)
{
	_arena_ struct arena *a = arena_new();
	struct faults faults = {.arena = a};
	struct objects *o = objects_bind(a, docs, NULL, &faults);
	const struct cluster *c = NULL;
	objects_check(o, &faults);
	if (!faults.total)
		c = cluster_build(a, o, &(struct cluster_opts){0}, &faults);
	if (!faults.total)
		check_desired(desired_build(a, c));
	objects_release(o);
	return faults.total ? 0 : 1;
}

struct count {
	size_t tried, taken;
};

static void walk(json_t *docs, json_t *v, size_t depth, struct count *n);

static void replace(json_t *docs, json_t *v, struct count *n)
{
	char *old = strdup(json_string_value(v));
	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		now_value = hostile[i] ? hostile[i] : long_text;
		json_string_set(v, now_value);
		n->tried++;
		n->taken += try_docs(docs);
	}
	json_string_set(v, old);
	free(old);
}

static void walk(json_t *docs, json_t *v, size_t depth, struct count *n)
{
	const char *key;
	json_t *child;
	size_t i, at = strlen(now_path);
	if (json_is_string(v))
		replace(docs, v, n);
	json_object_foreach (v, key, child) {
		snprintf(now_path + at, sizeof(now_path) - at, ".%s", key);
		/* Free by design: a container's own command line and environment, descriptions. */
		if (strcmp(key, "command") != 0 && strcmp(key, "args") != 0 &&
		    strcmp(key, "env") != 0 && strcmp(key, "flows") != 0)
			walk(docs, child, depth + 1, n);
	}
	json_array_foreach (v, i, child) {
		snprintf(now_path + at, sizeof(now_path) - at, "[%zu]", i);
		walk(docs, child, depth + 1, n);
	}
	now_path[at] = '\0';
}

static void every_text_of(const char *file)
{
	_plan_ struct plan p = plan_of(file, NULL);
	json_t *docs = json_deep_copy(yaml_files_docs(p.files));
	struct count n = {0};
	memset(long_text, 'x', sizeof(long_text) - 1);
	now_file = file;
	walk(docs, docs, 0, &n);
	json_decref(docs);
	assert_true(n.tried > 500);
	assert_true(n.taken > 0); /* some texts mean nothing here */
	print_message("%s: %zu tried, %zu taken\n", file, n.tried, n.taken);
}

static void flannel(void **state)
{
	every_text_of("labs/flannel-vxlan.lab.yaml");
}

static void calico_with_policies(void **state)
{
	every_text_of("labs/networkpolicy-default-deny.lab.yaml");
}

static void nftables(void **state)
{
	every_text_of("labs/kube-proxy-nftables.lab.yaml");
}

static void ipvs(void **state)
{
	every_text_of("labs/kube-proxy-ipvs.lab.yaml");
}

static void userspace(void **state)
{
	every_text_of("labs/kube-proxy-userspace.lab.yaml");
}

static void bird(void **state)
{
	every_text_of("labs/calico-bgp.lab.yaml");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flannel),   cmocka_unit_test(calico_with_policies),
		cmocka_unit_test(nftables),  cmocka_unit_test(ipvs),
		cmocka_unit_test(userspace), cmocka_unit_test(bird),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
