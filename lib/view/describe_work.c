/* SPDX-License-Identifier: MIT */
/* describe_work: the forms of `kubectl describe` for pods, deployments, nodes and services. Values
 * that only a real cluster has (image digests, probes, resource limits) are left out. */
#include "lib/view/describe_parts.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/view/age.h"
#include "lib/view/obj.h"

static void add_words(const char *title, const json_t *list, struct strbuf *out)
{
	size_t i;
	json_t *v;
	if (json_array_size(list) == 0)
		return;
	strbuf_addf(out, "    %s:\n", title);
	json_array_foreach ((json_t *)list, i, v) {
		strbuf_adds(out, "      ");
		obj_scalar(v, out);
		strbuf_addc(out, '\n');
	}
}

static void add_ports(const json_t *ports, struct strbuf *out)
{
	static const char *const members[] = {"containerPort", "hostPort"};
	static const char *const one[] = {"Port", "Host Port"}, *const many[] = {"Ports",
										 "Host Ports"};
	size_t n = json_array_size(ports);
	for (size_t m = 0; m < ARRAY_SIZE(members); m++) {
		strbuf_addf(out, "    %s:\t%s", n > 1 ? many[m] : one[m], n ? "" : "<none>");
		size_t i;
		json_t *p;
		json_array_foreach ((json_t *)ports, i, p)
			strbuf_addf(out, "%s%lld/%s", i ? ", " : "",
				    (long long)obj_int(p, members[m], 0),
				    obj_str(p, "protocol", "TCP"));
		strbuf_addc(out, '\n');
	}
}

static void add_state(const char *title, const json_t *state, struct strbuf *out)
{
	const json_t *running = obj_at(state, "running");
	const json_t *ended = obj_at(state, "terminated");
	if (running) {
		strbuf_addf(out, "    %s:\tRunning\n", title);
		part_time("      Started", obj_str(running, "startedAt", NULL), out);
	} else if (ended) {
		strbuf_addf(out, "    %s:\tTerminated\n", title);
		strbuf_addf(out, "      Reason:\t%s\n", obj_str(ended, "reason", "Completed"));
		strbuf_addf(out, "      Exit Code:\t%lld\n",
			    (long long)obj_int(ended, "exitCode", 0));
		part_time("      Started", obj_str(ended, "startedAt", NULL), out);
		part_time("      Finished", obj_str(ended, "finishedAt", NULL), out);
	} else {
		strbuf_addf(out, "    %s:\tWaiting\n", title);
		const char *why = obj_str(state, "waiting.reason", NULL);
		if (why)
			strbuf_addf(out, "      Reason:\t%s\n", why);
	}
}

/* Where a variable's value comes from, in kubectl's words; "" for a plain one. */
static void add_source(const json_t *from, struct strbuf *out)
{
	const json_t *f;
	if ((f = obj_at(from, "fieldRef")))
		strbuf_addf(out, " (%s:%s)", obj_str(f, "apiVersion", "v1"),
			    obj_str(f, "fieldPath", ""));
	else if ((f = obj_at(from, "resourceFieldRef")))
		strbuf_addf(out, " (%s)", obj_str(f, "resource", ""));
	else if ((f = obj_at(from, "secretKeyRef")))
		strbuf_addf(out, "<set to the key '%s' in secret '%s'>", obj_str(f, "key", ""),
			    obj_str(f, "name", ""));
	else if ((f = obj_at(from, "configMapKeyRef")))
		strbuf_addf(out, "<set to the key '%s' of config map '%s'>", obj_str(f, "key", ""),
			    obj_str(f, "name", ""));
}

static void add_environment(const json_t *env, struct strbuf *out)
{
	size_t i;
	json_t *e;
	if (json_array_size(env) == 0) {
		strbuf_adds(out, "    Environment:\t<none>\n");
		return;
	}
	strbuf_adds(out, "    Environment:\n");
	json_array_foreach ((json_t *)env, i, e) {
		strbuf_addf(out, "      %s:\t%s", obj_str(e, "name", ""), obj_str(e, "value", ""));
		add_source(obj_at(e, "valueFrom"), out);
		strbuf_addc(out, '\n');
	}
}

static const json_t *named(const json_t *list, const char *name)
{
	size_t i;
	json_t *v;
	json_array_foreach ((json_t *)list, i, v) {
		if (strcmp(obj_str(v, "name", ""), name) == 0)
			return v;
	}
	return NULL;
}

/* statuses NULL: a template, which has no state. */
static void add_container(const json_t *c, const json_t *statuses, struct strbuf *out)
{
	const char *name = obj_str(c, "name", "");
	const json_t *st = named(statuses, name);
	strbuf_addf(out, "%s%s:\n", statuses ? "  " : "   ", name);
	if (st)
		strbuf_addf(out, "    Container ID:\t%s\n", obj_str(st, "containerID", ""));
	strbuf_addf(out, "    Image:\t%s\n", obj_str(c, "image", ""));
	if (st)
		strbuf_addf(out, "    Image ID:\t%s\n", obj_str(st, "imageID", ""));
	add_ports(obj_at(c, "ports"), out);
	add_words("Command", obj_at(c, "command"), out);
	add_words("Args", obj_at(c, "args"), out);
	if (st) {
		add_state("State", obj_at(st, "state"), out);
		if (json_object_size(obj_at(st, "lastState")))
			add_state("Last State", obj_at(st, "lastState"), out);
		strbuf_addf(out, "    Ready:\t%s\n    Restart Count:\t%lld\n",
			    json_is_true(obj_at(st, "ready")) ? "True" : "False",
			    (long long)obj_int(st, "restartCount", 0));
	}
	add_environment(obj_at(c, "env"), out);
	strbuf_adds(out, "    Mounts:\t<none>\n");
}

static void add_conditions(const json_t *list, struct strbuf *out)
{
	size_t i;
	json_t *c;
	strbuf_adds(out, "Conditions:\n  Type\tStatus\n");
	json_array_foreach ((json_t *)list, i, c)
		strbuf_addf(out, "  %s\t%s\n", obj_str(c, "type", ""),
			    obj_str(c, "status", "Unknown"));
}

static void add_owner(const json_t *o, struct strbuf *out)
{
	const json_t *owner = obj_at(o, "metadata.ownerReferences.0");
	if (owner)
		strbuf_addf(out, "Controlled By:\t%s/%s\n", obj_str(owner, "kind", ""),
			    obj_str(owner, "name", ""));
}

static void add_tolerations(const json_t *list, struct strbuf *out)
{
	size_t i;
	json_t *t;
	strbuf_addf(out, "Tolerations:\t%s", json_array_size(list) ? "" : "<none>\n");
	json_array_foreach ((json_t *)list, i, t) {
		const char *effect = obj_str(t, "effect", ""), *key = obj_str(t, "key", "");
		const char *op = obj_str(t, "operator", "Equal");
		strbuf_addf(out, "%s%s%s%s%s", i ? "\t" : "", key, *effect ? ":" : "", effect,
			    !*key && !*effect ? "" : " ");
		strbuf_addf(out, "op=%s\n", op);
	}
}

void describe_pod(const json_t *o, const json_t *related, struct strbuf *out)
{
	part_name(o, out);
	strbuf_addf(out, "Priority:\t%lld\n", (long long)obj_int(o, "spec.priority", 0));
	strbuf_addf(out, "Service Account:\t%s\n",
		    obj_str(o, "spec.serviceAccountName", "default"));
	const char *node = obj_str(o, "spec.nodeName", NULL);
	const char *host_ip = obj_str(o, "status.hostIP", NULL);
	strbuf_addf(out, "Node:\t%s%s%s\n", node ? node : "<none>", node && host_ip ? "/" : "",
		    node && host_ip ? host_ip : "");
	part_time("Start Time", obj_str(o, "status.startTime", NULL), out);
	part_labels("Labels", obj_at(o, "metadata.labels"), out);
	part_annotations(o, out);
	strbuf_addf(out, "Status:\t%s\n", obj_str(o, "status.phase", "Unknown"));
	const char *ip = obj_str(o, "status.podIP", NULL);
	strbuf_addf(out, "IP:\t%s\n", obj_str(o, "status.podIP", ""));
	if (ip)
		strbuf_addf(out, "IPs:\n  IP:\t%s\n", ip);
	else
		strbuf_adds(out, "IPs:\t<none>\n");
	add_owner(o, out);
	strbuf_adds(out, "Containers:\n");
	size_t i;
	json_t *c;
	json_array_foreach ((json_t *)obj_at(o, "spec.containers"), i, c)
		add_container(c, obj_at(o, "status.containerStatuses"), out);
	add_conditions(obj_at(o, "status.conditions"), out);
	strbuf_adds(out, "Volumes:\t<none>\nQoS Class:\tBestEffort\n");
	part_labels("Node-Selectors", obj_at(o, "spec.nodeSelector"), out);
	add_tolerations(obj_at(o, "spec.tolerations"), out);
	part_events(out);
}

void describe_deployment(const json_t *o, const json_t *related, struct strbuf *out)
{
	part_name(o, out);
	part_time("CreationTimestamp", obj_str(o, "metadata.creationTimestamp", NULL), out);
	part_labels("Labels", obj_at(o, "metadata.labels"), out);
	part_annotations(o, out);
	strbuf_adds(out, "Selector:\t");
	obj_selector(obj_at(o, "spec.selector"), out);
	long long want = obj_int(o, "spec.replicas", 1);
	long long total = obj_int(o, "status.replicas", 0);
	long long available = obj_int(o, "status.availableReplicas", 0);
	strbuf_addf(out,
		    "\nReplicas:\t%lld desired | %lld updated | %lld total | %lld available | "
		    "%lld unavailable\nStrategyType:\t%s\nMinReadySeconds:\t0\nPod Template:\n",
		    want, (long long)obj_int(o, "status.updatedReplicas", 0), total, available,
		    total > available ? total - available : 0,
		    obj_str(o, "spec.strategy.type", "RollingUpdate"));
	strbuf_adds(out, "  ");
	part_labels("Labels", obj_at(o, "spec.template.metadata.labels"), out);
	strbuf_adds(out, "  Containers:\n");
	size_t i;
	json_t *c;
	json_array_foreach ((json_t *)obj_at(o, "spec.template.spec.containers"), i, c)
		add_container(c, NULL, out);
	strbuf_adds(out, "  Volumes:\t<none>\n");
	part_events(out);
}

static void add_pods_of(const char *node, const json_t *pods, struct strbuf *out)
{
	_strbuf_ struct strbuf rows = STRBUF_INIT;
	time_t now = time(NULL);
	size_t n = 0, i;
	json_t *p;
	json_array_foreach ((json_t *)pods, i, p) {
		char age[AGE_LEN];
		if (strcmp(obj_str(p, "spec.nodeName", ""), node) != 0)
			continue;
		n++;
		strbuf_addf(&rows, "  %s\t%s\t%s\n", obj_str(p, "metadata.namespace", ""),
			    obj_name(p),
			    age_since(obj_str(p, "metadata.creationTimestamp", NULL), now, age));
	}
	strbuf_addf(out, "Non-terminated Pods:\t(%zu in total)\n  Namespace\tName\tAge\n", n);
	strbuf_adds(out, "  ---------\t----\t---\n");
	strbuf_adds(out, strbuf_str(&rows));
}

static void add_taints(const json_t *list, struct strbuf *out)
{
	size_t i;
	json_t *t;
	strbuf_addf(out, "Taints:\t%s", json_array_size(list) ? "" : "<none>\n");
	json_array_foreach ((json_t *)list, i, t) {
		const char *value = obj_str(t, "value", "");
		strbuf_addf(out, "%s%s%s%s:%s\n", i ? "\t" : "", obj_str(t, "key", ""),
			    *value ? "=" : "", value, obj_str(t, "effect", ""));
	}
}

void describe_node(const json_t *o, const json_t *related, struct strbuf *out)
{
	static const struct {
		const char *title, *member;
	} info[] = {
		{"Kernel Version", "kernelVersion"},
		{"OS Image", "osImage"},
		{"Operating System", "operatingSystem"},
		{"Architecture", "architecture"},
		{"Container Runtime Version", "containerRuntimeVersion"},
		{"Kubelet Version", "kubeletVersion"},
	};
	part_name(o, out);
	strbuf_adds(out, "Roles:\t");
	obj_node_roles(o, out);
	strbuf_addc(out, '\n');
	part_labels("Labels", obj_at(o, "metadata.labels"), out);
	part_annotations(o, out);
	part_time("CreationTimestamp", obj_str(o, "metadata.creationTimestamp", NULL), out);
	add_taints(obj_at(o, "spec.taints"), out);
	strbuf_addf(out, "Unschedulable:\t%s\n",
		    json_is_true(obj_at(o, "spec.unschedulable")) ? "true" : "false");
	add_conditions(obj_at(o, "status.conditions"), out);
	strbuf_adds(out, "Addresses:\n");
	size_t i;
	json_t *a;
	json_array_foreach ((json_t *)obj_at(o, "status.addresses"), i, a)
		strbuf_addf(out, "  %s:\t%s\n", obj_str(a, "type", ""), obj_str(a, "address", ""));
	strbuf_adds(out, "System Info:\n");
	for (i = 0; i < ARRAY_SIZE(info); i++) {
		const char *s = obj_str(obj_at(o, "status.nodeInfo"), info[i].member, NULL);
		if (s)
			strbuf_addf(out, "  %s:\t%s\n", info[i].title, s);
	}
	const char *cidr = obj_str(o, "spec.podCIDR", NULL);
	if (cidr)
		strbuf_addf(out, "PodCIDR:\t%s\nPodCIDRs:\t%s\n", cidr, cidr);
	if (related)
		add_pods_of(obj_name(o), related, out);
	part_events(out);
}

static void add_service_port(const json_t *p, const json_t *endpoints, struct strbuf *out)
{
	const char *proto = obj_str(p, "protocol", "TCP");
	const char *name = obj_str(p, "name", "");
	const char *shown = *name ? name : "<unset>";
	long long port = obj_int(p, "port", 0), node_port = obj_int(p, "nodePort", 0);
	const json_t *target = obj_at(p, "targetPort");
	strbuf_addf(out, "Port:\t%s\t%lld/%s\nTargetPort:\t", shown, port, proto);
	if (target)
		obj_scalar(target, out);
	else
		strbuf_addf(out, "%lld", port);
	strbuf_addf(out, "/%s\n", proto);
	if (node_port)
		strbuf_addf(out, "NodePort:\t%s\t%lld/%s\n", shown, node_port, proto);
	strbuf_adds(out, "Endpoints:\t");
	obj_endpoints(endpoints, name, out);
	strbuf_addc(out, '\n');
}

static void add_optional(const char *title, const json_t *o, const char *path, struct strbuf *out)
{
	const char *s = obj_str(o, path, NULL);
	if (s)
		strbuf_addf(out, "%s:\t%s\n", title, s);
}

static void add_list(const char *title, const json_t *list, const char *member, struct strbuf *out)
{
	size_t i;
	json_t *v;
	if (json_array_size(list) == 0)
		return;
	strbuf_addf(out, "%s:\t", title);
	json_array_foreach ((json_t *)list, i, v) {
		strbuf_adds(out, i ? "," : "");
		obj_scalar(member ? obj_at(v, member) : v, out);
	}
	strbuf_addc(out, '\n');
}

void describe_service(const json_t *o, const json_t *related, struct strbuf *out)
{
	const char *type = obj_str(o, "spec.type", "ClusterIP");
	const char *ip = obj_str(o, "spec.clusterIP", "");
	bool outside = strcmp(type, "NodePort") == 0 || strcmp(type, "LoadBalancer") == 0;
	part_head(o, out);
	strbuf_adds(out, "Selector:\t");
	obj_labels(obj_at(o, "spec.selector"), ",", out);
	strbuf_addf(out, "\nType:\t%s\n", type);
	if (strcmp(type, "ExternalName") != 0)
		strbuf_addf(out,
			    "IP Family Policy:\tSingleStack\nIP Families:\tIPv4\nIP:\t%s\n"
			    "IPs:\t%s\n",
			    ip, ip);
	add_optional("External Name", o, "spec.externalName", out);
	add_list("External IPs", obj_at(o, "spec.externalIPs"), NULL, out);
	add_list("LoadBalancer Ingress", obj_at(o, "status.loadBalancer.ingress"), "ip", out);
	size_t i;
	json_t *p;
	json_array_foreach ((json_t *)obj_at(o, "spec.ports"), i, p)
		add_service_port(p, related, out);
	strbuf_addf(out, "Session Affinity:\t%s\n", obj_str(o, "spec.sessionAffinity", "None"));
	if (outside)
		strbuf_addf(out, "External Traffic Policy:\t%s\n",
			    obj_str(o, "spec.externalTrafficPolicy", "Cluster"));
	strbuf_addf(out, "Internal Traffic Policy:\t%s\n",
		    obj_str(o, "spec.internalTrafficPolicy", "Cluster"));
	if (obj_int(o, "spec.healthCheckNodePort", 0))
		strbuf_addf(out, "HealthCheck NodePort:\t%lld\n",
			    (long long)obj_int(o, "spec.healthCheckNodePort", 0));
	add_list("LoadBalancer Source Ranges", obj_at(o, "spec.loadBalancerSourceRanges"), NULL,
		 out);
	part_events(out);
}
