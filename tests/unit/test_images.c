/* SPDX-License-Identifier: MIT */
/* Which program an image stands for, and when the stand-in takes its place. */
#include "lib/kube/images.h"
#include "tests/unit/plan_lab.h"

static void test_names(void **state)
{
	static const char *const rows[][2] = {{"nginx", "nginx"},
					      {"docker.io/library/nginx:1.25", "nginx"},
					      {"host:5000/nginx@sha256:00", "nginx"},
					      {"k8s.gcr.io/coredns/coredns:v1.8.6", "kube-dns"},
					      {"reg.example.com/team/app", "app"}};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(image_name(a, rows[i][0]), rows[i][1]);
	arena_free(a);
}

static void test_slips(void **state)
{
	struct arena *a = arena_new();

	(void)state;
	assert_string_equal(image_meant(a, "ngnix"), "nginx");
	assert_string_equal(image_meant(a, "busybx"), "busybox");
	assert_null(image_meant(a, "nginx"));
	assert_null(image_meant(a, "redis"));
	assert_null(image_meant(a, "reg.example.com/ngnix:1")); /* somebody's own */
	assert_null(image_meant(a, ""));
	arena_free(a);
}

static void test_stood_in(void **state)
{
	static const struct {
		const char *image, *command;
		bool want;
	} rows[] = {{"nginx", NULL, false},
		    {"nginx", "/app/server", false},
		    {"redis:7", NULL, true},
		    {"redis:7", "redis-server", false},
		    {"redis:7", "/bin/sh", false},
		    {"redis:7", "/app/server", true},
		    {"redis:7", "/manager", true},
		    {"redis:7", "/usr/local/bin/x", true},
		    {"redis:7", "/usr/bin/x", false},
		    {"redis:7", "./server", true},
		    {"", NULL, false}};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct container c = {.image = rows[i].image};
		if (rows[i].command)
			*vec_push(a, &c.command) = rows[i].command;
		assert_int_equal(image_stood_in(a, &c), rows[i].want);
	}
	arena_free(a);
}

/* The ports of the container, then those only a Service names; SCTP is left out. */
static void test_ports(void **state)
{
	_plan_ struct plan p =
		plan_of(PLAN_NODES("flannel",
				   "") "---\napiVersion: v1\nkind: Pod\n"
				       "metadata: {name: app, labels: {a: b}}\n"
				       "spec:\n  nodeName: node01\n  containers:\n"
				       "  - name: c\n    image: reg/app:1\n    ports:\n"
				       "    - {containerPort: 8443}\n"
				       "    - {containerPort: 53, protocol: UDP}\n"
				       "    - {containerPort: 99, protocol: SCTP}\n"
				       "  - {name: side, image: 'reg/side:1', command: [/side]}\n"
				       "---\napiVersion: v1\nkind: Service\n"
				       "metadata: {name: s}\nspec:\n  selector: {a: b}\n"
				       "  ports:\n"
				       "  - {name: web, port: 80, targetPort: 8080}\n"
				       "  - {name: tls, port: 443, targetPort: 8443}\n",
			NULL);
	const struct dns *ns = plan_ns(&p, "node01-app");
	strs images = {0};

	(void)state;
	assert_int_equal(ns->procs.n, 2);
	assert_string_equal(plan_argv(&p, &ns->procs.v[0]),
			    "agnhost stand-in 8443/tcp 53/udp 8080/tcp");
	assert_string_equal(plan_argv(&p, &ns->procs.v[1]), "agnhost stand-in");
	assert_string_equal(ns->procs.v[0].image, "app");
	images_stood_in(p.arena, p.objects, &images);
	assert_int_equal(images.n, 2);
	assert_string_equal(images.v[0], "reg/app:1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_slips),
		cmocka_unit_test(test_stood_in),
		cmocka_unit_test(test_ports),
	};
	return cmocka_run_group_tests_name("images", tests, NULL, NULL);
}
