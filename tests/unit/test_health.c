/* SPDX-License-Identifier: MIT */
/* test_health: kube-proxy's HTTP answers, byte by byte, as each version gives them; and what the
 * plan tells of a Service (how many of its endpoints run on a node). */
#include "plan_lab.h"

#include "labd/init/agnhost.h"
#include "labd/init/health.h"
#include "lib/plan/proxy_health.h"

/* labd-init's parts are not in the library that tests are linked with. */
#include "labd/init/health_http.c"

static const char *ask(unsigned minor, const struct health_port *p, const char *method,
		       const char *path)
{
	static char out[2048];
	struct health_conf c = {.minor = minor, .mode = "ipvs"};
	struct agn_request r = {.method = ""};
	struct timespec now = {1700000000, 120000000};
	snprintf(r.method, sizeof(r.method), "%s", method);
	snprintf(r.path, sizeof(r.path), "%s", path);
	size_t n = health_answer(&c, p, &r, true, &now, 1.5, out, sizeof(out));
	assert_int_equal(n, strlen(out));
	return out;
}

static void test_service(void **state)
{
	struct health_port p = {
		.kind = HEALTH_SERVICE, .endpoints = 2, .ns = "prod", .name = "web"};
	assert_string_equal(ask(32, &p, "GET", "/any/path"),
			    "HTTP/1.1 200 OK\r\n"
			    "Content-Type: application/json\r\n"
			    "X-Content-Type-Options: nosniff\r\n"
			    "X-Load-Balancing-Endpoint-Weight: 2\r\n"
			    "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
			    "Content-Length: 111\r\n\r\n"
			    "{\n\t\"service\": {\n\t\t\"namespace\": \"prod\",\n\t\t\"name\": "
			    "\"web\"\n\t},\n\t\"localEndpoints\": 2,\n\t\"serviceProxyHealthy\": "
			    "true\n}");
	p.endpoints = 0;
	assert_string_equal(ask(23, &p, "GET", "/"),
			    "HTTP/1.1 503 Service Unavailable\r\n"
			    "Content-Type: application/json\r\n"
			    "X-Content-Type-Options: nosniff\r\n"
			    "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
			    "Content-Length: 81\r\n\r\n"
			    "{\n\t\"service\": {\n\t\t\"namespace\": \"prod\",\n\t\t\"name\": "
			    "\"web\"\n\t},\n\t\"localEndpoints\": 0\n}");
	assert_null(strstr(ask(32, &p, "HEAD", "/"), "{"));
}

static void test_proxy(void **state)
{
	static const char when[] = "2023-11-14 22:13:20.12 +0000 UTC m=+1.500000000";
	struct health_port p = {.kind = HEALTH_PROXY};
	char want[256];
	snprintf(want, sizeof(want),
		 "{\"lastUpdated\": \"%s\",\"currentTime\": \"%s\", \"nodeEligible\": true}", when,
		 when);
	assert_string_equal(strchr(ask(32, &p, "GET", "/healthz"), '{'), want);
	snprintf(want, sizeof(want), "{\"lastUpdated\": \"%s\",\"currentTime\": \"%s\"}", when,
		 when);
	assert_string_equal(strchr(ask(32, &p, "GET", "/livez"), '{'), want);
	assert_string_equal(strchr(ask(20, &p, "GET", "/healthz"), '{'), want);
	assert_non_null(strstr(ask(20, &p, "GET", "/livez"), " 404 Not Found\r\n"));
	p.kind = HEALTH_METRICS;
	assert_string_equal(strstr(ask(36, &p, "GET", "/proxyMode"), "\r\n\r\n"), "\r\n\r\nipvs");
	assert_string_equal(strstr(ask(36, &p, "GET", "/"), "\r\n\r\n"),
			    "\r\n\r\n404 page not found\n");
}

#define NODE(name, n)                                                                              \
	"---\napiVersion: v1\nkind: Node\nmetadata: {name: " name "}\n"                            \
	"status: {addresses: [{type: InternalIP, address: 192.168.10." n "}]}\n"

#define SLICE(port)                                                                                \
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"                              \
	"metadata: {name: web-" port ", labels: {kubernetes.io/service-name: web}}\n"              \
	"addressType: IPv4\nports: [{name: p" port ", port: " port "}]\nendpoints:\n"              \
	"- {addresses: [10.0.0.1], nodeName: node1}\n"                                             \
	"- {addresses: [10.0.0.2], nodeName: node1}\n"                                             \
	"- {addresses: [10.0.0.3], nodeName: node1, conditions: {ready: false}}\n"                 \
	"- {addresses: [10.0.0.4], nodeName: node2}\n"

/* Addresses are counted once, however many ports they have, and only ready ones of the node. */
static void test_count(void **state)
{
	_plan_ struct plan p =
		plan_try("kind: Service\napiVersion: v1\nmetadata: {name: web}\nspec:\n"
			 "  type: LoadBalancer\n  clusterIP: 10.96.0.80\n"
			 "  externalTrafficPolicy: Local\n  healthCheckNodePort: 32100\n"
			 "  ports: [{name: p80, port: 80}, {name: p81, port: 81}]\n" SLICE("80")
				 SLICE("81") NODE("node1", "11") NODE("node2", "12"),
			 NULL);
	svc_healths all;
	assert_int_equal(p.faults.total, 0);
	proxy_health(p.arena, p.cluster, 0, &all);
	assert_int_equal(all.n, 1);
	assert_int_equal(all.v[0].port, 32100);
	assert_int_equal(all.v[0].local, 2);
	proxy_health(p.arena, p.cluster, 1, &all);
	assert_int_equal(all.v[0].local, 1);
	/* Nobody listens there in userspace mode. */
	p.cluster->proxy.mode = PROXY_USERSPACE;
	proxy_health(p.arena, p.cluster, 0, &all);
	assert_int_equal(all.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_service),
		cmocka_unit_test(test_proxy),
		cmocka_unit_test(test_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
