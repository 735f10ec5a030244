/* SPDX-License-Identifier: MIT */
/* Tests of labd/lab/stale.c: what is deleted from connection tracking, by kube-proxy's version. */
#include "labd/lab/stale.h"
#include "lib/base/strbuf.h"
#include "plan_lab.h"

/* A cluster of one Service; head goes into the Lab's spec, endpoints are the slice's. */
#define LAB(version, endpoints)                                                                    \
	"apiVersion: labd.dev/v1\nkind: Lab\nmetadata: {name: t}\nspec: {kubernetes: '" version    \
	"', cni: flannel, underlay: {cidr: 192.0.2.0/24}}\n---\n"                                  \
	"apiVersion: v1\nkind: Node\nmetadata: {name: n1}\nspec: {podCIDR: 10.244.0.0/24}\n"       \
	"status: {addresses: [{type: InternalIP, address: 192.0.2.11}]}\n---\n"                    \
	"apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {type: LoadBalancer, "          \
	"clusterIP: 10.96.0.9, externalIPs: [203.0.113.7], ports: [{name: u, port: 53, "           \
	"protocol: UDP, nodePort: 30053}, {name: t, port: 80, nodePort: 30080}]}\n"                \
	"status: {loadBalancer: {ingress: [{ip: 198.51.100.1}, {ip: 198.51.100.2, "                \
	"ipMode: Proxy}]}}\n---\n"                                                                 \
	"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s-1, labels: "     \
	"{kubernetes.io/service-name: s}}\naddressType: IPv4\nports: [{name: u, port: 5353, "      \
	"protocol: UDP}, {name: t, port: 8080}]\nendpoints: [" endpoints "]\n"
#define A "{addresses: [10.244.0.2], conditions: {ready: true}}"
#define B "{addresses: [10.244.0.3], conditions: {ready: true}}"
#define B_ENDS                                                                                     \
	"{addresses: [10.244.0.3], conditions: {ready: false, serving: true, terminating: true}}"

static void ip_text(struct strbuf *out, const char *what, ip4 ip)
{
	if (ip)
		strbuf_addf(out, "%s%s", what, IP4(ip));
}

/* "10.96.0.9:53 !10.244.0.2" a line: to there, but answers from there stay; "<10.244.0.2": only
 * answers from there. */
static void assert_stale(const char *before, const char *after, const char *want)
{
	_strbuf_ struct strbuf out = STRBUF_INIT;
	_plan_ struct plan o = plan_of(before, NULL), n = plan_of(after, NULL);
	struct carry c = {.arena = n.arena};
	stale_build(n.arena, o.cluster, n.cluster, &c);
	vec_foreach (const struct ct_stale, s, &c.stale) {
		if (s->dst == 0x0a60000a) /* kube-dns */
			continue;
		ip_text(&out, "", s->dst);
		strbuf_addf(&out, ":%u", s->dport);
		ip_text(&out, " <", s->from);
		vec_foreach (const struct ct_peer, p, &s->keep) {
			ip_text(&out, " !", p->ip);
			strbuf_addf(&out, ":%u", p->port);
		}
		strbuf_addc(&out, '\n');
	}
	assert_string_equal(strbuf_str(&out), want);
}

static void reconciled(void **state)
{
	(void)state;
	/* whatever changed: the table is gone through; an endpoint that ends still serves */
	assert_stale(LAB("1.32", A), LAB("1.32", A "," B_ENDS),
		     "10.96.0.9:53 !10.244.0.2:0 !10.244.0.3:0\n"
		     "203.0.113.7:53 !10.244.0.2:0 !10.244.0.3:0\n"
		     "198.51.100.1:53 !10.244.0.2:0 !10.244.0.3:0\n"
		     ":30053 !10.244.0.2:0 !10.244.0.3:0\n");
	/* from 1.33 on by the port too */
	assert_stale(LAB("1.36", A), LAB("1.36", A),
		     "10.96.0.9:53 !10.244.0.2:5353\n203.0.113.7:53 !10.244.0.2:5353\n"
		     "198.51.100.1:53 !10.244.0.2:5353\n:30053 !10.244.0.2:5353\n");
	/* without endpoints it is left alone */
	assert_stale(LAB("1.32", A), LAB("1.32", ""), "");
}

static void by_change(void **state)
{
	(void)state;
	assert_stale(LAB("1.23", A), LAB("1.23", A), "");
	assert_stale(LAB("1.23", A), LAB("1.23", A "," B), "");
	/* an endpoint that went, or is not ready any more */
	static const char of_b[] = "10.96.0.9:0 <10.244.0.3\n203.0.113.7:0 <10.244.0.3\n"
				   "198.51.100.1:0 <10.244.0.3\n198.51.100.2:0 <10.244.0.3\n"
				   ":30053 <10.244.0.3\n";
	assert_stale(LAB("1.23", A "," B), LAB("1.23", A), of_b);
	assert_stale(LAB("1.23", A "," B), LAB("1.23", A "," B_ENDS), of_b);
	assert_stale(LAB("1.20", B), LAB("1.20", ""), of_b);
	/* from none to some: everything to the Service */
	assert_stale(LAB("1.23", ""), LAB("1.23", A),
		     "10.96.0.9:0\n203.0.113.7:0\n198.51.100.1:0\n198.51.100.2:0\n:30053\n");
}

#define NO_SERVICE(version)                                                                        \
	"apiVersion: labd.dev/v1\nkind: Lab\nmetadata: {name: t}\nspec: {kubernetes: '" version    \
	"', cni: flannel, underlay: {cidr: 192.0.2.0/24}}\n---\n"                                  \
	"apiVersion: v1\nkind: Node\nmetadata: {name: n1}\nspec: {podCIDR: 10.244.0.0/24}\n"       \
	"status: {addresses: [{type: InternalIP, address: 192.0.2.11}]}\n"

static void service_gone(void **state)
{
	(void)state;
	assert_stale(LAB("1.23", A), NO_SERVICE("1.23"), "10.96.0.9:0\n");
	assert_stale(LAB("1.32", A), NO_SERVICE("1.32"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reconciled),
		cmocka_unit_test(by_change),
		cmocka_unit_test(service_gone),
	};
	return cmocka_run_group_tests_name("stale", tests, NULL, NULL);
}
