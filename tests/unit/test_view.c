/* SPDX-License-Identifier: MIT */
/* test_view: durations, aligned text, kubectl's tables and descriptions, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "lib/view/age.h"
#include "lib/view/describe.h"
#include "lib/view/kube.h"
#include "lib/view/obj.h"
#include "lib/view/selector.h"
#include "lib/view/table.h"

#define NOW 1735700000 /* 2025-01-01T02:53:20Z */

static json_t *load(const char *text)
{
	json_error_t e;
	json_t *v = json_loads(text, JSON_DECODE_ANY, &e);
	if (!v)
		fail_msg("bad JSON in the test: %s at %d", e.text, e.position);
	return v;
}

static void durations(void **state)
{
	static const struct {
		int64_t s;
		const char *want;
	} t[] = {
		{-2, "<invalid>"},  {-1, "0s"},	       {0, "0s"},	   {119, "119s"},
		{120, "2m"},	    {121, "2m1s"},     {599, "9m59s"},	   {600, "10m"},
		{116 * 60, "116m"}, {10799, "179m"},   {10800, "3h"},	   {17040, "4h44m"},
		{28799, "7h59m"},   {28800, "8h"},     {172799, "47h"},	   {172800, "2d"},
		{262800, "3d1h"},   {338400, "3d22h"}, {691199, "7d23h"},  {691200, "8d"},
		{63071999, "729d"}, {63072000, "2y"},  {63676800, "2y7d"}, {252288000, "8y"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		char buf[AGE_LEN];
		assert_string_equal(age_str(t[i].s, buf), t[i].want);
	}
}

static void times(void **state)
{
	time_t t;
	char buf[AGE_LEN];
	assert_true(time_parse("2025-01-01T02:53:20Z", &t));
	assert_int_equal(t, NOW);
	assert_true(time_parse("2025-01-01T02:53:20.123456Z", &t));
	assert_int_equal(t, NOW);
	assert_true(time_parse("2025-01-01T10:53:20+08:00", &t));
	assert_int_equal(t, NOW);
	assert_false(time_parse("2025-01-01", &t));
	assert_false(time_parse("2025-01-01T02:53:20", &t));
	assert_false(time_parse("2025-01-01T02:53:20+8", &t));
	assert_false(time_parse(NULL, &t));
	assert_string_equal(age_since("2025-01-01T02:53:00Z", NOW, buf), "20s");
	assert_string_equal(age_since(NULL, NOW, buf), "<unknown>");
}

static void widths(void **state)
{
	assert_int_equal(view_width("abc", 3), 3);
	assert_int_equal(view_width("é", 2), 1);
	assert_int_equal(view_width("节点", 6), 4);
	assert_int_equal(view_width("e\xcc\x81", 3), 1);
	assert_int_equal(view_width("\xff\xe4", 2), 2);
	assert_int_equal(view_width("", 0), 0);
}

static void tabs(void **state)
{
	_strbuf_ struct strbuf out = STRBUF_INIT;
	view_tabs_get("NAME\tAGE\nnode01\t3d\n节点\t1s\n", &out);
	assert_string_equal(strbuf_str(&out), "NAME     AGE\nnode01   3d\n节点     1s\n");
	strbuf_reset(&out);
	/* A line without the cell ends the column's run. */
	view_tabs_describe("Name:\tx\nAnnotations:\ty\n\nData\n====\nEvents:\t<none>\n", &out);
	assert_string_equal(strbuf_str(&out), "Name:         x\nAnnotations:  y\n\nData\n====\n"
					      "Events:  <none>\n");
	strbuf_reset(&out);
	view_tabs_get("A\tB\n", &out); /* never narrower than 6 */
	assert_string_equal(strbuf_str(&out), "A     B\n");
}

static void kinds(void **state)
{
	static const char *const words[] = {"po", "pod", "pods", "PODS", "Pod"};
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		assert_string_equal(view_kind_find(words[i])->plural, "pods");
	assert_string_equal(view_kind_find("svc")->plural, "services");
	assert_string_equal(view_kind_find("deployment.apps")->plural, "deployments");
	assert_string_equal(view_kind_find("cm")->plural, "configmaps");
	assert_null(view_kind_find(""));
	assert_null(view_kind_find("podz"));
}

static void check_list(const char *kind, const char *json, struct view_list v, const char *want)
{
	_strbuf_ struct strbuf out = STRBUF_INIT;
	json_t *items = load(json);
	v.now = NOW;
	view_list_print(view_kind_find(kind), items, &v, &out);
	json_decref(items);
	assert_string_equal(strbuf_str(&out), want);
}

/* The document's own lines (calico, "kubectl get pod -o wide"). */
static void pods(void **state)
{
	static const char json[] =
		"[{\"metadata\":{\"name\":\"busybox1-857448d9ff-shdfz\",\"namespace\":\"default\","
		"\"creationTimestamp\":\"2024-12-28T01:00:00Z\"},\"spec\":{\"nodeName\":\"node02\","
		"\"containers\":[{\"name\":\"busybox\"}]},\"status\":{\"phase\":\"Running\","
		"\"podIP\":\"10.244.140.65\",\"containerStatuses\":[{\"ready\":true,"
		"\"restartCount\":1,"
		"\"lastState\":{\"terminated\":{\"finishedAt\":\"2024-12-29T01:50:00Z\"}}}]}}]";
	check_list("pods", json, (struct view_list){.wide = true},
		   "NAME                        READY   STATUS    RESTARTS       AGE    IP"
		   "              NODE     NOMINATED NODE   READINESS GATES\n"
		   "busybox1-857448d9ff-shdfz   1/1     Running   1 (3d1h ago)   4d1h   "
		   "10.244.140.65   node02   <none>           <none>\n");
	check_list("pods", json, (struct view_list){.namespaces = true, .no_headers = true},
		   "default   busybox1-857448d9ff-shdfz   1/1   Running   1 (3d1h ago)   4d1h\n");
	check_list("pods",
		   "[{\"metadata\":{\"name\":\"x\"},\"spec\":{\"containers\":[{},{}]},\"status\":{"
		   "\"phase\":\"Pending\",\"containerStatuses\":[{\"ready\":false,\"state\":{"
		   "\"waiting\":{\"reason\":\"CrashLoopBackOff\"}}}]}}]",
		   (struct view_list){.prefix = true},
		   "NAME    READY   STATUS             RESTARTS   AGE\n"
		   "pod/x   0/2     CrashLoopBackOff   0          <unknown>\n");
}

static void services(void **state)
{
	check_list(
		"svc",
		"[{\"metadata\":{\"name\":\"nginx-deployment\",\"creationTimestamp\":"
		"\"2024-12-28T04:00:00Z\"},\"spec\":{\"type\":\"NodePort\",\"clusterIP\":"
		"\"10.107.254.44\",\"selector\":{\"app\":\"nginx\"},\"ports\":[{\"port\":80,"
		"\"nodePort\":30008,\"protocol\":\"TCP\"}]}},"
		"{\"metadata\":{\"name\":\"lb\"},\"spec\":{\"type\":\"LoadBalancer\",\"clusterIP\":"
		"\"10.96.0.9\",\"ports\":[{\"port\":53,\"protocol\":\"UDP\"},{\"port\":53}]}},"
		"{\"metadata\":{\"name\":\"ext\"},\"spec\":{\"type\":\"ExternalName\","
		"\"externalName\":\"example.org\"}}]",
		(struct view_list){.wide = true},
		"NAME               TYPE           CLUSTER-IP      EXTERNAL-IP   PORT(S)         "
		"AGE         SELECTOR\n"
		"nginx-deployment   NodePort       10.107.254.44   <none>        80:30008/TCP    "
		"3d22h       app=nginx\n"
		"lb                 LoadBalancer   10.96.0.9       <pending>     53/UDP,53/TCP   "
		"<unknown>   <none>\n"
		"ext                ExternalName   <none>          example.org   <none>          "
		"<unknown>   <none>\n");
}

static void nodes(void **state)
{
	static const char json[] =
		"[{\"metadata\":{\"name\":\"master01\",\"creationTimestamp\":"
		"\"2025-01-01T02:00:00Z\",\"labels\":{\"node-role.kubernetes.io/master\":\"\","
		"\"node-role.kubernetes.io/"
		"control-plane\":\"\"}},\"spec\":{\"unschedulable\":true},"
		"\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}],"
		"\"addresses\":"
		"[{\"type\":\"InternalIP\",\"address\":\"100.100.137.200\"}],\"nodeInfo\":{"
		"\"kubeletVersion\":\"v1.23.17\",\"osImage\":\"Debian\",\"kernelVersion\":\"6.1\","
		"\"containerRuntimeVersion\":\"docker://20.10\"}}}]";
	check_list("nodes", json, (struct view_list){0},
		   "NAME       STATUS                     ROLES                  AGE   VERSION\n"
		   "master01   Ready,SchedulingDisabled   control-plane,master   53m   v1.23.17\n");
	check_list("no", json, (struct view_list){.wide = true},
		   "NAME       STATUS                     ROLES                  AGE   VERSION    "
		   "INTERNAL-IP       EXTERNAL-IP   OS-IMAGE   KERNEL-VERSION   CONTAINER-RUNTIME\n"
		   "master01   Ready,SchedulingDisabled   control-plane,master   53m   v1.23.17   "
		   "100.100.137.200   <none>        Debian     6.1              docker://20.10\n");
}

static void the_rest(void **state)
{
	check_list("ep",
		   "[{\"metadata\":{\"name\":\"a\"},\"subsets\":[{\"addresses\":[{\"ip\":\"10.0.0."
		   "1\"},"
		   "{\"ip\":\"10.0.0.2\"}],\"ports\":[{\"port\":80},{\"port\":443}]}]},"
		   "{\"metadata\":{\"name\":\"b\"}}]",
		   (struct view_list){0},
		   "NAME   ENDPOINTS                                          AGE\n"
		   "a      10.0.0.1:80,10.0.0.2:80,10.0.0.1:443 + 1 more...   <unknown>\n"
		   "b      <none>                                             <unknown>\n");
	check_list(
		"netpol",
		"[{\"metadata\":{\"name\":\"p\"},\"spec\":{\"podSelector\":{\"matchLabels\":{\"b\":"
		"\"2\",\"a\":\"1\"},\"matchExpressions\":[{\"key\":\"k\",\"operator\":\"In\","
		"\"values\":[\"x\",\"y\"]},{\"key\":\"z\",\"operator\":\"DoesNotExist\"}]}}}]",
		(struct view_list){.no_headers = true},
		"p     a=1,b=2,k in (x,y),!z   <unknown>\n");
	check_list("cm", "[{\"metadata\":{\"name\":\"c\"},\"data\":{\"a\":\"\",\"b\":\"\"}}]",
		   (struct view_list){.no_headers = true}, "c     2     <unknown>\n");
}

static void check_describe(const char *kind, const char *json, const char *extra, const char *want)
{
	_strbuf_ struct strbuf out = STRBUF_INIT;
	json_t *o = load(json), *e = extra ? load(extra) : NULL;
	view_describe(view_kind_find(kind), o, e, &out);
	json_decref(o);
	json_decref(e);
	assert_string_equal(strbuf_str(&out), want);
}

static void describe_configmap(void **state)
{
	check_describe("cm",
		       "{\"metadata\":{\"name\":\"kube-proxy\",\"namespace\":\"kube-system\","
		       "\"labels\":{\"app\":\"kube-proxy\"}},\"data\":{\"config.conf\":"
		       "\"apiVersion: x\\nmode: \\\"\\\"\\n\",\"a\":\"1\"}}",
		       NULL,
		       "Name:         kube-proxy\n"
		       "Namespace:    kube-system\n"
		       "Labels:       app=kube-proxy\n"
		       "Annotations:  <none>\n"
		       "\n"
		       "Data\n"
		       "====\n"
		       "a:\n"
		       "----\n"
		       "1\n"
		       "\n"
		       "config.conf:\n"
		       "----\n"
		       "apiVersion: x\n"
		       "mode: \"\"\n"
		       "\n"
		       "\n"
		       "\n"
		       "BinaryData\n"
		       "====\n"
		       "\n"
		       "Events:  <none>\n");
}

static void describe_service(void **state)
{
	check_describe(
		"svc",
		"{\"metadata\":{\"name\":\"web\",\"namespace\":\"default\"},\"spec\":{\"type\":"
		"\"NodePort\",\"clusterIP\":\"10.96.0.7\",\"selector\":{\"app\":\"web\"},"
		"\"ports\":[{\"name\":\"http\",\"port\":80,\"targetPort\":8080,\"nodePort\":30008,"
		"\"protocol\":\"TCP\"}]}}",
		"{\"subsets\":[{\"addresses\":[{\"ip\":\"10.244.1.2\"}],\"ports\":[{\"name\":"
		"\"http\",\"port\":8080},{\"name\":\"other\",\"port\":1}]}]}",
		"Name:                     web\n"
		"Namespace:                default\n"
		"Labels:                   <none>\n"
		"Annotations:              <none>\n"
		"Selector:                 app=web\n"
		"Type:                     NodePort\n"
		"IP Family Policy:         SingleStack\n"
		"IP Families:              IPv4\n"
		"IP:                       10.96.0.7\n"
		"IPs:                      10.96.0.7\n"
		"Port:                     http  80/TCP\n"
		"TargetPort:               8080/TCP\n"
		"NodePort:                 http  30008/TCP\n"
		"Endpoints:                10.244.1.2:8080\n"
		"Session Affinity:         None\n"
		"External Traffic Policy:  Cluster\n"
		"Internal Traffic Policy:  Cluster\n"
		"Events:                   <none>\n");
}

/* A variable that comes from elsewhere: kubectl tells from where. */
static void describe_environment(void **state)
{
	static const char *const want[] = {
		"A:     1\n",
		"B:      (v1:status.podIP)\n",
		"C:     <set to the key 'k' in secret 's'>\n",
		"D:     <set to the key 'k' of config map 'm'>\n",
	};
	_strbuf_ struct strbuf out = STRBUF_INIT;
	json_t *o = load(
		"{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"c\","
		"\"env\":[{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"B\",\"valueFrom\":"
		"{\"fieldRef\":{\"fieldPath\":\"status.podIP\"}}},{\"name\":\"C\",\"valueFrom\":"
		"{\"secretKeyRef\":{\"name\":\"s\",\"key\":\"k\"}}},{\"name\":\"D\",\"valueFrom\":"
		"{\"configMapKeyRef\":{\"name\":\"m\",\"key\":\"k\"}}}]}]}}");
	view_describe(view_kind_find("pods"), o, NULL, &out);
	json_decref(o);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_non_null(strstr(strbuf_str(&out), want[i]));
}

static void describe_generic(void **state)
{
	check_describe(
		"ippool",
		"{\"apiVersion\":\"crd.projectcalico.org/v1\",\"kind\":\"IPPool\",\"metadata\":{"
		"\"name\":\"pool\",\"creationTimestamp\":\"2025-01-01T00:00:00Z\"},\"spec\":{"
		"\"natOutgoing\":true,\"blockSize\":26,\"allowedUses\":[\"Workload\"]}}",
		NULL,
		"Name:         pool\n"
		"Namespace:    \n"
		"Labels:       <none>\n"
		"Annotations:  <none>\n"
		"API Version:  crd.projectcalico.org/v1\n"
		"Kind:         IPPool\n"
		"Metadata:\n"
		"  Creation Timestamp:  2025-01-01T00:00:00Z\n"
		"Spec:\n"
		"  Allowed Uses:\n"
		"    Workload\n"
		"  Block Size:    26\n"
		"  Nat Outgoing:  true\n"
		"Events:          <none>\n");
}

/* Objects come from an engine: whatever their shape, printing them must not fail. */
static void selectors(void **state)
{
	static const struct {
		const char *text;
		bool taken;
	} c[] = {
		{"app=web", true},
		{"app==web,tier!=db", true},
		{" app = web , tier", true},
		{"tier=db", false},
		{"app!=web", false},
		{"other!=x", true},
		{"tier", true},
		{"!tier", false},
		{"!other", true},
		{"app in (db, web)", true},
		{"app in (db)", false},
		{"app notin (db,cache)", true},
		{"app notin (web),tier", false},
		{"other notin (x)", true},
		{"other in (x)", false},
		{"empty=", true},
		{"app=", false},
		{"", true},
		{"app=we", false},
		{"app in (we,eb)", false},
	};
	static const char *const bad[] = {"=web",	"app=web,",    ",", "app web",
					  "app in web", "app in (web", "!", "app=a b",
					  "app>3",	"app in (a) b"};
	json_t *labels = json_pack("{s:s, s:s, s:s}", "app", "web", "tier", "front", "empty", "");
	struct err err;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		assert_int_equal(selector_check(c[i].text, &err), 0);
		if (selector_match(c[i].text, labels) != c[i].taken)
			fail_msg("%s", c[i].text);
	}
	assert_false(selector_match("app", NULL));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (selector_check(bad[i], &err) == 0)
			fail_msg("%s was taken", bad[i]);
	json_decref(labels);
}

static void odd_objects(void **state)
{
	static const char *const odd[] = {
		"{}",
		"[]",
		"null",
		"7",
		"{\"metadata\":[],\"spec\":7,\"status\":\"x\"}",
		("{\"metadata\":{\"name\":5,\"labels\":{\"a\":{}},\"annotations\":{\"n\":null}},"
		 "\"spec\":{\"containers\":{},\"ports\":[1,null],\"selector\":[]},\"subsets\":[3]"
		 "}"),
	};
	size_t n;
	const struct view_kind *k = view_kinds(&n);
	for (size_t i = 0; i < n * ARRAY_SIZE(odd); i++) {
		_strbuf_ struct strbuf out = STRBUF_INIT;
		json_t *o = load(odd[i % ARRAY_SIZE(odd)]), *list = json_pack("[O]", o);
		struct view_list v = {.wide = true, .namespaces = true, .now = NOW};
		view_list_print(&k[i / ARRAY_SIZE(odd)], list, &v, &out);
		view_describe(&k[i / ARRAY_SIZE(odd)], o, o, &out);
		assert_true(out.len > 0);
		json_decref(list);
		json_decref(o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),
		cmocka_unit_test(times),
		cmocka_unit_test(widths),
		cmocka_unit_test(tabs),
		cmocka_unit_test(kinds),
		cmocka_unit_test(pods),
		cmocka_unit_test(services),
		cmocka_unit_test(nodes),
		cmocka_unit_test(the_rest),
		cmocka_unit_test(describe_configmap),
		cmocka_unit_test(describe_service),
		cmocka_unit_test(describe_environment),
		cmocka_unit_test(describe_generic),
		cmocka_unit_test(selectors),
		cmocka_unit_test(odd_objects),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
