/* SPDX-License-Identifier: MIT */
/*
 * test_proxy: kube-proxy's iptables text against the golden cases, compared as text
 * (tests/golden-proxy.sh does it through the kernel), and the numbers of rules of upstream's table.
 */
#include "tests/unit/proxy_lab.h"

#include <glob.h>

#include "lib/base/file.h"

#define CASES "tests/golden/kube-proxy/cases/"
#define REAL  "tests/golden/kube-proxy/real/"

/* Normal form ---------------------------------------------------------------------------------- */

struct line {
	char *text;
	const char *key; /* what it is sorted by */
	size_t n;
};

static const char *const shared_chains[] = {"-A KUBE-SERVICES ", "-A KUBE-NODEPORTS ",
					    "-A KUBE-EXTERNAL-SERVICES ",
					    "-A KUBE-PROXY-FIREWALL "};

static const char *shared(const char *line)
{
	for (size_t i = 0; i < ARRAY_SIZE(shared_chains); i++)
		if (strncmp(line, shared_chains[i], strlen(shared_chains[i])) == 0)
			return shared_chains[i];
	return NULL;
}

static int by_key(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	int r = strcmp(x->key, y->key);
	return r ? r : (x->n > y->n) - (x->n < y->n);
}

/* The service that a rule's comment names; "~" for the last rule of KUBE-SERVICES. */
static const char *service_of(struct arena *a, const char *line)
{
	const char *c = strstr(line, "--comment ");
	if (!c || strstr(line, "this must be the last rule"))
		return "~";
	c += strlen("--comment ");
	c += *c == '"';
	return arena_strndup(a, c, strcspn(c, " \""));
}

/* What a plan leaves out of what save prints: built-in chains' policies. */
static bool left_out(const char *line)
{
	static const char *const builtin[] = {":INPUT ", ":OUTPUT ", ":FORWARD ", ":PREROUTING ",
					      ":POSTROUTING "};
	for (size_t i = 0; i < ARRAY_SIZE(builtin); i++)
		if (strncmp(line, builtin[i], strlen(builtin[i])) == 0)
			return true;
	return !*line || *line == '#';
}

static char *normal(struct arena *a, const char *text)
{
	struct line *lines = arena_new_array(a, struct line, strlen(text) / 2 + 2);
	size_t n = 0;
	char *copy = arena_strdup(a, text), *save = NULL;
	for (char *s = strtok_r(copy, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
		if (left_out(s))
			continue;
		lines[n] = (struct line){s, service_of(a, s), n};
		n++;
	}
	struct strbuf out = STRBUF_INIT;
	for (size_t i = 0, j; i < n; i = j) {
		const char *chain = shared(lines[i].text);
		for (j = i + 1; chain && j < n && shared(lines[j].text) == chain;)
			j++;
		if (chain)
			qsort(lines + i, j - i, sizeof(*lines), by_key);
		for (size_t k = i; k < j; k++)
			strbuf_addf(&out, "%s\n", lines[k].text);
	}
	char *r = arena_strdup(a, strbuf_str(&out));
	strbuf_free(&out);
	return r;
}

static unsigned counted; /* expectations with nfacct */

/* Some were made where the kernel has nfacct, some where it has not. */
static void read_expected(struct lab *l, const char *expected, struct strbuf *want)
{
	assert_int_equal(file_read(expected, 1 << 24, want, NULL), 0);
	l->nfacct = strstr(strbuf_str(want), "nfacct") != NULL;
	counted += l->nfacct;
}

static void compare(struct lab *l, const char *expected, const struct strbuf *want)
{
	assert_same(expected, normal(l->arena, strbuf_str(&l->text)),
		    normal(l->arena, strbuf_str(want)));
}

/* Golden cases --------------------------------------------------------------------------------- */

static const struct {
	const char *suffix;
	enum kube_version version;
} layouts[] = {
	{".expected", KUBE_1_32},	   {".expected", KUBE_1_36},
	{".v1.32.13.expected", KUBE_1_32}, {".v1.23.expected", KUBE_1_23},
	{".v1.20.2.expected", KUBE_1_20},
};

static void run_case(const char *yaml, unsigned *ran)
{
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
		char expected[512];
		snprintf(expected, sizeof(expected), "%.*s%s", (int)strlen(yaml) - 5, yaml,
			 layouts[i].suffix);
		if (!path_exists(expected))
			continue;
		_strbuf_ struct strbuf want = STRBUF_INIT;
		_lab_ struct lab l = lab_new();
		read_expected(&l, expected, &want);
		assert_int_equal(yaml_files_add(l.files, yaml, NULL), 0);
		lab_plan(&l, layouts[i].version, NULL);
		compare(&l, expected, &want);
		(*ran)++;
	}
}

static void test_cases(void **state)
{
	glob_t g;
	unsigned ran = 0;
	assert_int_equal(glob(CASES "*.yaml", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++)
		run_case(g.gl_pathv[i], &ran);
	globfree(&g);
	assert_in_range(ran, 100, 1000);
	assert_in_range(counted, 30, 1000);
}

static void run_real(const char *dir, enum kube_version version)
{
	char path[512];
	_strbuf_ struct strbuf config = STRBUF_INIT, own = STRBUF_INIT;
	snprintf(path, sizeof(path), "%s/config.yaml", dir);
	if (path_exists(path))
		assert_int_equal(file_read(path, 1 << 20, &own, NULL), 0);
	strbuf_addf(&config,
		    "apiVersion: kubeproxy.config.k8s.io/v1alpha1\n"
		    "kind: KubeProxyConfiguration\n%s%s",
		    strstr(strbuf_str(&own), "clusterCIDR:") ? "" : "clusterCIDR: 10.244.0.0/16\n",
		    strbuf_str(&own));
	_strbuf_ struct strbuf want = STRBUF_INIT;
	_lab_ struct lab l = lab_new();
	assert_int_equal(yaml_files_add_text(l.files, "config", config.s, config.len, NULL), 0);
	snprintf(path, sizeof(path), "%s/manifest.yaml", dir);
	assert_int_equal(yaml_files_add(l.files, path, NULL), 0);
	snprintf(path, sizeof(path), "%s/%s-iptables.expected", dir, kube_version_str(version));
	read_expected(&l, path, &want);
	lab_plan(&l, version, "node01");
	compare(&l, path, &want);
}

static void test_real(void **state)
{
	glob_t g;
	assert_int_equal(glob(REAL "*", 0, NULL, &g), 0);
	assert_in_range(g.gl_pathc, 10, 100);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		run_real(g.gl_pathv[i], KUBE_1_20);
		run_real(g.gl_pathv[i], KUBE_1_32);
	}
	globfree(&g);
}

/* Names ---------------------------------------------------------------------------------------- */

static void test_hash(void **state)
{
	char h[17];
	proxy_hash("default/kubernetes:https", "tcp", NULL, h);
	assert_string_equal(h, "NPX46M4PTMTKRN6Y");
	proxy_hash("kube-system/kube-dns:dns", "udp", NULL, h);
	assert_string_equal(h, "TCOU7JCQXEZGVUNU");
	proxy_hash("kube-system/kube-dns:metrics", "tcp", NULL, h);
	assert_string_equal(h, "JD5MR3NA4I4DYORP");
	proxy_hash("default/web:http", "tcp", "10.244.1.5:8080", h);
	assert_string_equal(h, "AFGSLHOD2HFNCBX4");
}

/* Rule counts ---------------------------------------------------------------------------------- */

/* Rules of a table, those of built-in chains aside; in `nodeports` those of KUBE-NODEPORTS. */
static unsigned count_rules(const char *text, const char *table, unsigned *nodeports)
{
	static const char *const builtin[] = {"-A INPUT ", "-A OUTPUT ", "-A FORWARD ",
					      "-A PREROUTING ", "-A POSTROUTING "};
	char head[32];
	snprintf(head, sizeof(head), "*%s\n", table);
	const char *s = strstr(text, head);
	assert_non_null(s);
	unsigned n = 0;
	for (; strncmp(s, "COMMIT", 6) != 0; s += strcspn(s, "\n") + 1) {
		bool ours = strncmp(s, "-A ", 3) == 0;
		for (size_t i = 0; i < ARRAY_SIZE(builtin); i++)
			ours = ours && strncmp(s, builtin[i], strlen(builtin[i])) != 0;
		n += ours;
		*nodeports += strncmp(s, "-A KUBE-NODEPORTS ", 18) == 0;
	}
	return n;
}

static void add_counted(struct strbuf *b, bool lb, unsigned i, unsigned services, unsigned eps)
{
	strbuf_addf(b,
		    "---\napiVersion: v1\nkind: Service\n"
		    "metadata: {namespace: ns, name: svc%u}\n"
		    "spec:\n  type: %s\n  clusterIP: 10.0.0.%u\n"
		    "  ports: [{name: '8080', port: %u%s",
		    i, lb ? "LoadBalancer" : "ClusterIP", 1 + i, 80 + i, lb ? ", nodePort: " : "");
	if (lb)
		strbuf_addf(b, "%u", 30000 + i);
	strbuf_adds(b, "}]\n");
	if (lb)
		strbuf_addf(b,
			    "  healthCheckNodePort: %u\n  externalIPs: [1.2.3.4]\n"
			    "  loadBalancerSourceRanges: [1.2.3.4/28]\n"
			    "status: {loadBalancer: {ingress: [{ip: 1.2.3.4}]}}\n",
			    32000 + services + i);
	strbuf_addf(b,
		    "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
		    "addressType: IPv4\n"
		    "metadata: {namespace: ns, name: svc%u-x, labels: "
		    "{kubernetes.io/service-name: svc%u}}\n"
		    "ports: [{name: '8080', port: 8080}]\nendpoints:\n",
		    i, i);
	for (unsigned j = 0; j < eps; j++)
		strbuf_addf(b, "- {addresses: [172.16.0.%u]}\n", j + 1);
	if (!eps)
		strbuf_adds(b, "  []\n");
}

static void test_rule_counts(void **state)
{
	_strbuf_ struct strbuf table = STRBUF_INIT;
	assert_int_equal(file_read(CASES "rule-counts.tsv", 1 << 16, &table, NULL), 0);
	unsigned rows = 0;
	char *save = NULL;
	for (char *s = strtok_r(table.s, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
		char type[32];
		unsigned services, eps, filter, nat, nodeports = 0, unused = 0;
		if (sscanf(s, "%31s %u %u %u %u", type, &services, &eps, &filter, &nat) != 5)
			continue;
		_strbuf_ struct strbuf yaml = STRBUF_INIT;
		add_node(&yaml, "clusterCIDR: 10.0.0.0/8\n");
		for (unsigned i = 0; i < services; i++)
			add_counted(&yaml, strcmp(type, "LoadBalancer") == 0, i, services, eps);
		_lab_ struct lab l = lab_text(KUBE_1_32, yaml.s);
		const char *text = strbuf_str(&l.text);
		assert_int_equal(count_rules(text, "filter", &unused), filter);
		/* Theirs count one twin with nfacct for each rule of KUBE-NODEPORTS. */
		assert_int_equal(count_rules(text, "nat", &nodeports) + nodeports, nat);
		rows++;
	}
	assert_int_equal(rows, 18);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_real),
		cmocka_unit_test(test_rule_counts),
	};
	return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
