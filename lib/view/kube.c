/* SPDX-License-Identifier: MIT */
/* See kube.h. The columns are those of kubectl's printers (Kubernetes pkg/printers/internalversion)
 * and, for Calico's pools, of calicoctl. */
#include "lib/view/kube.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/cleanup.h"
#include "lib/view/age.h"
#include "lib/view/obj.h"
#include "lib/view/table.h"

#define NONE "<none>"

static void cell(struct strbuf *out, const json_t *o, const char *path)
{
	strbuf_adds(out, obj_str(o, path, NONE));
	strbuf_addc(out, '\t');
}

static void wide_cell(struct strbuf *out, const json_t *o, const char *path)
{
	strbuf_addc(out, '\t');
	strbuf_adds(out, obj_str(o, path, NONE));
}

/* pods ----------------------------------------------------------------------------------------- */

static void restarts_cell(long long n, time_t last, time_t now, struct strbuf *out)
{
	char age[AGE_LEN];
	strbuf_addf(out, "%lld", n);
	if (n && last)
		strbuf_addf(out, " (%s ago)", age_str((int64_t)(now - last), age));
}

static void restarts(const json_t *statuses, time_t now, struct strbuf *out)
{
	json_int_t n = 0;
	time_t last = 0;
	size_t i;
	json_t *s;
	json_array_foreach ((json_t *)statuses, i, s) {
		time_t t;
		n += obj_int(s, "restartCount", 0);
		if (time_parse(obj_str(s, "lastState.terminated.finishedAt", NULL), &t) && t > last)
			last = t;
	}
	restarts_cell((long long)n, last, now, out);
}

/* The first container that waits or has ended for a reason says more than the phase; that one has
 * done its work says less than that others go on (kubectl's printPod). */
static const char *pod_status(const json_t *o)
{
	if (obj_at(o, "metadata.deletionTimestamp"))
		return "Terminating";
	size_t i;
	json_t *s;
	bool runs = false;
	json_array_foreach ((json_t *)obj_at(o, "status.containerStatuses"), i, s)
		runs |= json_is_true(obj_at(s, "ready")) && obj_at(s, "state.running");
	json_array_foreach ((json_t *)obj_at(o, "status.containerStatuses"), i, s) {
		const char *why = obj_str(s, "state.waiting.reason", NULL);
		if (!why)
			why = obj_str(s, "state.terminated.reason", NULL);
		if (why && runs && strcmp(why, "Completed") == 0)
			return "NotReady";
		if (why)
			return why;
	}
	return obj_str(o, "status.reason", obj_str(o, "status.phase", "Unknown"));
}

static void pod_cells(const json_t *o, time_t now, struct strbuf *out)
{
	const json_t *statuses = obj_at(o, "status.containerStatuses");
	size_t ready = 0, i;
	json_t *s;
	json_array_foreach ((json_t *)statuses, i, s)
		ready += json_is_true(obj_at(s, "ready"));
	strbuf_addf(out, "%zu/%zu\t%s\t", ready, json_array_size(obj_at(o, "spec.containers")),
		    pod_status(o));
	restarts(statuses, now, out);
	strbuf_addc(out, '\t');
}

static void pod_wide(const json_t *o, struct strbuf *out)
{
	wide_cell(out, o, "status.podIP");
	wide_cell(out, o, "spec.nodeName");
	wide_cell(out, o, "status.nominatedNodeName");
	strbuf_adds(out, "\t" NONE);
}

/* services ------------------------------------------------------------------------------------- */

static size_t add_ips(const json_t *list, const char *member, size_t n, struct strbuf *out)
{
	size_t i;
	json_t *v;
	json_array_foreach ((json_t *)list, i, v) {
		const char *s = member ? obj_str(v, member, obj_str(v, "hostname", NULL))
				       : json_string_value(v);
		if (s)
			strbuf_addf(out, "%s%s", n++ ? "," : "", s);
	}
	return n;
}

static void external_ip(const json_t *o, struct strbuf *out)
{
	const char *type = obj_str(o, "spec.type", "ClusterIP");
	if (strcmp(type, "ExternalName") == 0) {
		strbuf_adds(out, obj_str(o, "spec.externalName", NONE));
		return;
	}
	bool lb = strcmp(type, "LoadBalancer") == 0;
	size_t n = lb ? add_ips(obj_at(o, "status.loadBalancer.ingress"), "ip", 0, out) : 0;
	n = add_ips(obj_at(o, "spec.externalIPs"), NULL, n, out);
	if (n == 0)
		strbuf_adds(out, lb ? "<pending>" : NONE);
}

static void service_cells(const json_t *o, time_t now, struct strbuf *out)
{
	strbuf_addf(out, "%s\t%s\t", obj_str(o, "spec.type", "ClusterIP"),
		    obj_str(o, "spec.clusterIP", NONE));
	external_ip(o, out);
	strbuf_addc(out, '\t');
	const json_t *ports = obj_at(o, "spec.ports");
	size_t i;
	json_t *p;
	json_array_foreach ((json_t *)ports, i, p) {
		strbuf_addf(out, "%s%lld", i ? "," : "", (long long)obj_int(p, "port", 0));
		if (obj_int(p, "nodePort", 0))
			strbuf_addf(out, ":%lld", (long long)obj_int(p, "nodePort", 0));
		strbuf_addf(out, "/%s", obj_str(p, "protocol", "TCP"));
	}
	strbuf_adds(out, json_array_size(ports) ? "\t" : NONE "\t");
}

static void service_wide(const json_t *o, struct strbuf *out)
{
	strbuf_addc(out, '\t');
	obj_labels(obj_at(o, "spec.selector"), ",", out);
}

/* nodes ---------------------------------------------------------------------------------------- */

static void node_cells(const json_t *o, time_t now, struct strbuf *out)
{
	const json_t *ready = obj_of_type(obj_at(o, "status.conditions"), "Ready");
	const char *st = obj_str(ready, "status", NULL);
	strbuf_adds(out, !st ? "Unknown" : strcmp(st, "True") == 0 ? "Ready" : "NotReady");
	if (json_is_true(obj_at(o, "spec.unschedulable")))
		strbuf_adds(out, ",SchedulingDisabled");
	strbuf_addc(out, '\t');
	obj_node_roles(o, out);
	strbuf_addc(out, '\t');
}

static void node_wide(const json_t *o, struct strbuf *out)
{
	const json_t *addrs = obj_at(o, "status.addresses");
	wide_cell(out, obj_of_type(addrs, "InternalIP"), "address");
	wide_cell(out, obj_of_type(addrs, "ExternalIP"), "address");
	static const char *const info[] = {"osImage", "kernelVersion", "containerRuntimeVersion"};
	for (size_t i = 0; i < ARRAY_SIZE(info); i++)
		strbuf_addf(out, "\t%s",
			    obj_str(obj_at(o, "status.nodeInfo"), info[i], "<unknown>"));
}

/* NAME STATUS ROLES AGE VERSION: the version stands behind the age even when not wide. */
static void node_version(const json_t *o, struct strbuf *out)
{
	wide_cell(out, o, "status.nodeInfo.kubeletVersion");
}

/* endpoints, slices ---------------------------------------------------------------------------- */

static void endpoints_cells(const json_t *o, time_t now, struct strbuf *out)
{
	obj_endpoints(o, NULL, out);
	strbuf_addc(out, '\t');
}

#define SLICE_SHOWN 3

static void slice_cells(const json_t *o, time_t now, struct strbuf *out)
{
	cell(out, o, "addressType");
	const json_t *ports = obj_at(o, "ports"), *eps = obj_at(o, "endpoints");
	size_t n = json_array_size(ports);
	for (size_t i = 0; i < n && i < SLICE_SHOWN; i++)
		strbuf_addf(out, "%s%lld", i ? "," : "",
			    (long long)obj_int(json_array_get(ports, i), "port", 0));
	if (n > SLICE_SHOWN)
		strbuf_addf(out, " + %zu more...", n - SLICE_SHOWN);
	strbuf_adds(out, n ? "\t" : "<unset>\t");
	size_t shown = 0, i, k;
	json_t *e, *a;
	json_array_foreach ((json_t *)eps, i, e) {
		json_array_foreach ((json_t *)obj_at(e, "addresses"), k, a) {
			if (shown++ < SLICE_SHOWN)
				strbuf_addf(out, "%s%s", shown > 1 ? "," : "",
					    json_string_value(a) ? json_string_value(a) : "");
		}
	}
	if (shown > SLICE_SHOWN)
		strbuf_addf(out, " + %zu more...", shown - SLICE_SHOWN);
	strbuf_adds(out, shown ? "\t" : "<unset>\t");
}

/* workloads ------------------------------------------------------------------------------------ */

static void deployment_cells(const json_t *o, time_t now, struct strbuf *out)
{
	strbuf_addf(out, "%lld/%lld\t%lld\t%lld\t",
		    (long long)obj_int(o, "status.readyReplicas", 0),
		    (long long)obj_int(o, "spec.replicas", 1),
		    (long long)obj_int(o, "status.updatedReplicas", 0),
		    (long long)obj_int(o, "status.availableReplicas", 0));
}

static void replicaset_cells(const json_t *o, time_t now, struct strbuf *out)
{
	strbuf_addf(out, "%lld\t%lld\t%lld\t", (long long)obj_int(o, "spec.replicas", 1),
		    (long long)obj_int(o, "status.replicas", 0),
		    (long long)obj_int(o, "status.readyReplicas", 0));
}

static void workload_wide(const json_t *o, struct strbuf *out)
{
	const json_t *containers = obj_at(o, "spec.template.spec.containers");
	static const char *const members[] = {"name", "image"};
	for (size_t m = 0; m < ARRAY_SIZE(members); m++) {
		size_t i;
		json_t *c;
		strbuf_addc(out, '\t');
		json_array_foreach ((json_t *)containers, i, c)
			strbuf_addf(out, "%s%s", i ? "," : "", obj_str(c, members[m], ""));
	}
	strbuf_addc(out, '\t');
	obj_selector(obj_at(o, "spec.selector"), out);
}

/* the rest ------------------------------------------------------------------------------------- */

static void namespace_cells(const json_t *o, time_t now, struct strbuf *out)
{
	strbuf_addf(out, "%s\t", obj_str(o, "status.phase", "Active"));
}

static void configmap_cells(const json_t *o, time_t now, struct strbuf *out)
{
	strbuf_addf(out, "%zu\t",
		    json_object_size(obj_at(o, "data")) +
			    json_object_size(obj_at(o, "binaryData")));
}

static void policy_cells(const json_t *o, time_t now, struct strbuf *out)
{
	obj_selector(obj_at(o, "spec.podSelector"), out);
	strbuf_addc(out, '\t');
}

static void pool_wide(const json_t *o, struct strbuf *out)
{
	wide_cell(out, o, "spec.cidr");
	strbuf_adds(out, json_is_true(obj_at(o, "spec.natOutgoing")) ? "\ttrue" : "\tfalse");
	strbuf_addf(out, "\t%s\t%s", obj_str(o, "spec.ipipMode", "Never"),
		    obj_str(o, "spec.vxlanMode", "Never"));
	strbuf_adds(out, json_is_true(obj_at(o, "spec.disabled")) ? "\ttrue" : "\tfalse");
}

static void host_cells(const json_t *o, time_t now, struct strbuf *out)
{
	strbuf_adds(out, obj_str(o, "spec.ip", NONE));
}

#define CALICO	  "crd.projectcalico.org"
#define POD_WIDE  "\tIP\tNODE\tNOMINATED NODE\tREADINESS GATES"
#define NODE_WIDE "\tVERSION\tINTERNAL-IP\tEXTERNAL-IP\tOS-IMAGE\tKERNEL-VERSION\tCONTAINER-RUNTIME"
#define WORK_WIDE "\tCONTAINERS\tIMAGES\tSELECTOR"

static const struct view_kind kinds[] = {
	{"pods", "pod", "po", "Pod", "", true, true, "READY\tSTATUS\tRESTARTS\t", POD_WIDE, false,
	 pod_cells, pod_wide},
	{"services", "service", "svc", "Service", "", true, true,
	 "TYPE\tCLUSTER-IP\tEXTERNAL-IP\tPORT(S)\t", "\tSELECTOR", false, service_cells,
	 service_wide},
	{"deployments", "deployment", "deploy", "Deployment", "apps", true, true,
	 "READY\tUP-TO-DATE\tAVAILABLE\t", WORK_WIDE, false, deployment_cells, workload_wide},
	{"replicasets", "replicaset", "rs", "ReplicaSet", "apps", true, true,
	 "DESIRED\tCURRENT\tREADY\t", WORK_WIDE, false, replicaset_cells, workload_wide},
	{"nodes", "node", "no", "Node", "", false, false, "STATUS\tROLES\t", NODE_WIDE, false,
	 node_cells, node_wide},
	{"endpoints", "endpoints", "ep", "Endpoints", "", true, false, "ENDPOINTS\t", "", false,
	 endpoints_cells, NULL},
	{"endpointslices", "endpointslice", "", "EndpointSlice", "discovery.k8s.io", true, false,
	 "ADDRESSTYPE\tPORTS\tENDPOINTS\t", "", false, slice_cells, NULL},
	{"namespaces", "namespace", "ns", "Namespace", "", false, false, "STATUS\t", "", false,
	 namespace_cells, NULL},
	{"configmaps", "configmap", "cm", "ConfigMap", "", true, false, "DATA\t", "", false,
	 configmap_cells, NULL},
	{"networkpolicies", "networkpolicy", "netpol", "NetworkPolicy", "networking.k8s.io", true,
	 false, "POD-SELECTOR\t", "", false, policy_cells, NULL},
	{"ippools", "ippool", "", "IPPool", CALICO, false, false, "",
	 "\tCIDR\tNAT\tIPIPMODE\tVXLANMODE\tDISABLED", false, NULL, pool_wide},
	{"ipamblocks", "ipamblock", "", "IPAMBlock", CALICO, false, false, "", "", false, NULL,
	 NULL},
	{"blockaffinities", "blockaffinity", "", "BlockAffinity", CALICO, false, false, "", "",
	 false, NULL, NULL},
	{"hosts", "host", "", "Host", "labd.dev", false, false, "IP", "", true, host_cells, NULL},
};

const struct view_kind *view_kinds(size_t *n)
{
	*n = ARRAY_SIZE(kinds);
	return kinds;
}

static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);
	for (const char *p = list; *p;) {
		size_t n = strcspn(p, " ");
		if (n == len && strncasecmp(p, word, n) == 0)
			return true;
		p += n + (p[n] == ' ');
	}
	return false;
}

const struct view_kind *view_kind_find(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct view_kind *k = &kinds[i];
		_strbuf_ struct strbuf plural = STRBUF_INIT, singular = STRBUF_INIT;
		strbuf_addf(&plural, "%s.%s", k->plural, k->group);
		strbuf_addf(&singular, "%s.%s", k->singular, k->group);
		if (!strcasecmp(word, k->plural) || !strcasecmp(word, k->singular) ||
		    (*word && has_word(k->aliases, word)) || !strcasecmp(word, plural.s) ||
		    !strcasecmp(word, singular.s))
			return k;
	}
	return NULL;
}

void view_full_name(const struct view_kind *k, const json_t *o, struct strbuf *out)
{
	strbuf_addf(out, "%s%s%s/%s", k->singular, *k->group ? "." : "", k->group, obj_name(o));
}

static bool is_node(const struct view_kind *k)
{
	return k->cells == node_cells;
}

static void headings(const struct view_kind *k, const struct view_list *v, struct strbuf *out)
{
	strbuf_addf(out, "%sNAME\t%s%s", v->namespaces ? "NAMESPACE\t" : "", k->columns,
		    k->no_age ? "" : "AGE");
	if (v->wide)
		strbuf_adds(out, k->wide);
	else if (is_node(k))
		strbuf_adds(out, "\tVERSION");
	strbuf_adds(out, v->labels ? "\tLABELS\n" : "\n");
}

static void row(const struct view_kind *k, const json_t *o, const struct view_list *v,
		struct strbuf *out)
{
	if (v->namespaces)
		cell(out, o, "metadata.namespace");
	if (v->prefix)
		view_full_name(k, o, out);
	else
		strbuf_adds(out, obj_name(o));
	strbuf_addc(out, '\t');
	if (k->cells)
		k->cells(o, v->now, out);
	char age[AGE_LEN];
	if (!k->no_age)
		strbuf_adds(out,
			    age_since(obj_str(o, "metadata.creationTimestamp", NULL), v->now, age));
	if (is_node(k))
		node_version(o, out);
	if (v->wide && k->wide_cells)
		k->wide_cells(o, out);
	if (v->labels) {
		strbuf_addc(out, '\t');
		obj_labels(obj_at(o, "metadata.labels"), ",", out);
	}
	strbuf_addc(out, '\n');
}

void view_list_print(const struct view_kind *k, const json_t *items, const struct view_list *v,
		     struct strbuf *out)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	if (!v->no_headers)
		headings(k, v, &text);
	size_t i;
	json_t *o;
	json_array_foreach ((json_t *)items, i, o)
		row(k, o, v, &text);
	view_tabs_get(strbuf_str(&text), out);
}

/* ---- rows of pods ---------------------------------------------------------------------------- */

enum {
	ROW_NS,
	ROW_NAME,
	ROW_CONTAINERS,
	ROW_RESTARTS,
	ROW_LAST,
	ROW_CREATED,
	ROW_IP,
	ROW_NODE,
	ROW_CELLS
};

/* Part a row, in place; false: it is none. */
static bool part_row(char *row, const char *cells[ROW_CELLS])
{
	for (int i = 0; i < ROW_CELLS; i++) {
		char *tab = strchr(row, '\t');
		cells[i] = row;
		if (!tab)
			return i == ROW_CELLS - 1;
		*tab = '\0';
		row = tab + 1;
	}
	return false;
}

static void pod_row(const char *const cells[ROW_CELLS], const struct view_list *v,
		    struct strbuf *out)
{
	char age[AGE_LEN];
	time_t last = 0;
	if (v->namespaces)
		strbuf_addf(out, "%s\t", cells[ROW_NS]);
	strbuf_addf(out, "%s\t%s/%s\tRunning\t", cells[ROW_NAME], cells[ROW_CONTAINERS],
		    cells[ROW_CONTAINERS]);
	time_parse(cells[ROW_LAST], &last);
	restarts_cell(atoll(cells[ROW_RESTARTS]), last, v->now, out);
	strbuf_addf(out, "\t%s", age_since(cells[ROW_CREATED], v->now, age));
	if (v->wide)
		strbuf_addf(out, "\t%s\t%s\t" NONE "\t" NONE, *cells[ROW_IP] ? cells[ROW_IP] : NONE,
			    *cells[ROW_NODE] ? cells[ROW_NODE] : NONE);
	strbuf_addc(out, '\n');
}

size_t view_pod_rows(const char *rows, const char *ns, const struct view_list *v,
		     struct strbuf *out)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	_free_ char *copy = strdup(rows);
	size_t n = 0;
	if (!v->no_headers)
		headings(view_kind_find("pods"), v, &text);
	for (char *at = copy, *end; at && *at; at = end) {
		const char *cells[ROW_CELLS];
		end = strchrnul(at, '\n');
		if (*end)
			*end++ = '\0';
		if (!part_row(at, cells) || (ns && strcmp(ns, cells[ROW_NS]) != 0))
			continue;
		pod_row(cells, v, &text);
		n++;
	}
	if (n)
		view_tabs_get(strbuf_str(&text), out);
	return n;
}
