/* SPDX-License-Identifier: MIT */
/* See kobjects.h. One function a kind; the table at the end names them. */
#include "labd/lab/kobjects.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "labd/lab/docs.h"
#include "labd/lab/pod_status.h"
#include "lib/base/cleanup.h"

struct list {
	const struct stored *s;
	const char *ns;
	json_t *items;
	const struct kobjects_live *live; /* or NULL */
	const char **ns_names;
	json_t *parts; /* what views hold of a node's entry */
	char created[32];
};

static void set(json_t *o, const char *key, json_t *value)
{
	json_object_set_new(o, key, value);
}

static void set_str(json_t *o, const char *key, const char *value)
{
	if (value)
		set(o, key, json_string(value));
}

static void set_missing(json_t *o, const char *key, json_t *value)
{
	if (json_object_get(o, key))
		json_decref(value);
	else
		set(o, key, value);
}

/* The object member of that name, made when missing. */
static json_t *sub(json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);
	if (!json_is_object(v)) {
		v = json_object();
		set(o, key, v);
	}
	return v;
}

static json_t *kvs_json(const kvs *list)
{
	json_t *o = json_object();
	vec_foreach (const struct kv, p, list)
		set(o, p->key, json_string(p->value));
	return o;
}

/* A copy of the object as sent (without what only we put there), its metadata completed. */
static json_t *base(const struct list *l, const struct meta *m, const char *api, const char *kind)
{
	json_t *o = m->raw ? json_deep_copy(m->raw) : json_object();
	set_missing(o, "apiVersion", json_string(api));
	set_missing(o, "kind", json_string(kind));
	json_object_del(o, "labd.dev/text");
	json_t *meta = sub(o, "metadata");
	set_str(meta, "name", m->name);
	set_str(meta, "namespace", m->ns);
	set_missing(meta, "creationTimestamp", json_string(l->created));
	if (m->labels.n)
		set_missing(meta, "labels", kvs_json(&m->labels));
	return o;
}

static bool wanted(const struct list *l, const char *ns)
{
	return !l->ns || !ns || strcmp(l->ns, ns) == 0;
}

static json_t *condition(const struct list *l, const char *type, bool ok)
{
	return json_pack("{s:s, s:s, s:s}", "type", type, "status", ok ? "True" : "False",
			 "lastTransitionTime", l->created);
}

static json_t *containers_json(const struct pod_spec *spec)
{
	json_t *list = json_array();
	vec_foreach (const struct container, c, &spec->containers) {
		json_t *o =
			json_pack("{s:s, s:s}", "name", c->name, "image", c->image ? c->image : "");
		if (c->command.n) {
			json_t *argv = json_array();
			vec_foreach (const char *const, w, &c->command)
				json_array_append_new(argv, json_string(*w));
			set(o, "command", argv);
		}
		json_array_append_new(list, o);
	}
	return list;
}

/* How a pod is. */
struct pod_view {
	const json_t *entry; /* pod_status.h */
	bool dead;	     /* its sandbox */
	bool ready;
};

static json_t *container_statuses(const struct list *l, const struct cpod *p,
				  const struct pod_view *v)
{
	return pod_status_containers(v->entry, p, l->s->created, v->dead || p->obj->not_ready);
}

/* The names of the pods' namespaces in desired, NULL for hostNetwork pods. */
static const char **ns_names(const struct stored *s)
{
	const char **names = arena_new_array(s->arena, const char *, s->cluster->pods.n + 1);
	vec_foreach (struct dns, ns, &s->desired->ns)
		if (ns->kind == DNS_POD)
			names[ns->pod] = ns->name;
	return names;
}

/* A Deployment's pod is its ReplicaSet's, whose name is the pod's without the last suffix. */
static json_t *owner_json(const struct cpod *p)
{
	const char *dash = strrchr(p->name, '-');
	return json_pack("[{s:s, s:s, s:s%, s:b}]", "apiVersion", "apps/v1", "kind", "ReplicaSet",
			 "name", p->name, dash ? (size_t)(dash - p->name) : strlen(p->name),
			 "controller", true);
}

static const char *node_ns(const struct list *l, int node)
{
	vec_foreach (const struct dns, ns, &l->s->desired->ns)
		if (ns->kind == DNS_NODE && ns->node == node)
			return ns->name;
	return NULL;
}

/* A hostNetwork pod's programs are its node's. */
static void view_on_host(const struct list *l, const struct cpod *p, struct pod_view *v)
{
	const char *ns = node_ns(l, p->node);
	if (!ns || !l->live)
		return;
	json_t *entry = pod_status_of_host(json_object_get(l->live->pods, ns), p);
	json_array_append_new(l->parts, entry);
	v->entry = entry;
	v->dead = !l->live->alive(l->live->arg, ns);
}

static struct pod_view view_of(const struct list *l, const struct cpod *p, const char *ns)
{
	struct pod_view v = {0};
	if (p->host_network)
		view_on_host(l, p, &v);
	if (ns && l->live) {
		v.entry = json_object_get(l->live->pods, ns);
		v.dead = !l->live->alive(l->live->arg, ns);
	}
	v.ready = !p->obj->not_ready && !v.dead && pod_status_condition(v.entry) == POD_READY;
	return v;
}

/* What has run to its end is no part of the cluster any more, only of its documents. */
static void add_ended(struct list *l, const json_t *doc)
{
	struct doc_id id = doc_id(doc);
	const char *phase = doc_str(doc, "status.phase");
	if (strcmp(id.kind, "Pod") != 0 || !phase || !wanted(l, id.ns) ||
	    (strcmp(phase, "Succeeded") != 0 && strcmp(phase, "Failed") != 0))
		return;
	struct meta m = {.name = id.name, .ns = id.ns, .raw = (json_t *)doc};
	json_t *o = base(l, &m, "v1", "Pod");
	json_t *not_ready = condition(l, "Ready", false);
	set_str(not_ready, "reason", "PodCompleted");
	set(sub(o, "status"), "conditions", json_pack("[o]", not_ready));
	json_array_append_new(l->items, o);
}

static void add_ended_pods(struct list *l)
{
	size_t i, k;
	json_t *v, *item;
	json_array_foreach (json_object_get(l->s->meta, "documents"), i, v) {
		if (!json_is_array(json_object_get(v, "items")))
			add_ended(l, v);
		json_array_foreach (json_object_get(v, "items"), k, item)
			add_ended(l, item);
	}
}

static void add_pods(struct list *l)
{
	const struct cluster *c = l->s->cluster;
	for (size_t i = 0; i < c->pods.n; i++) {
		const struct cpod *p = &c->pods.v[i];
		if (!wanted(l, p->ns))
			continue;
		json_t *o = base(l, &p->obj->meta, "v1", "Pod");
		set_str(sub(o, "metadata"), "uid", p->uid);
		if (p->obj->owner)
			set_missing(sub(o, "metadata"), "ownerReferences", owner_json(p));
		const struct cnode *n = &c->nodes.v[p->node];
		json_t *spec = sub(o, "spec"), *status = sub(o, "status");
		set_str(spec, "nodeName", n->name);
		set_missing(spec, "containers", containers_json(&p->obj->spec));
		struct pod_view v = view_of(l, p, l->ns_names[i]);
		set(status, "phase", json_string("Running"));
		if (p->ip) {
			set(status, "podIP", json_string(IP4(p->ip)));
			set(status, "podIPs", json_pack("[{s:s}]", "ip", IP4(p->ip)));
		}
		set(status, "hostIP", json_string(IP4(n->ip)));
		set(status, "startTime", json_string(l->created));
		set(status, "conditions",
		    json_pack("[o, o, o, o]", condition(l, "Initialized", true),
			      condition(l, "Ready", v.ready),
			      condition(l, "ContainersReady", v.ready),
			      condition(l, "PodScheduled", true)));
		set(status, "containerStatuses", container_statuses(l, p, &v));
		json_array_append_new(l->items, o);
	}
	add_ended_pods(l);
}

static json_t *service_port_json(const struct csvcport *p)
{
	const struct service_port *sp = p->port;
	static const char *const protos[] = {"TCP", "UDP", "SCTP"};
	json_t *o = json_pack("{s:i, s:s}", "port", (int)sp->port, "protocol", protos[sp->proto]);
	if (sp->name[0])
		set_str(o, "name", sp->name);
	if (sp->target_name)
		set_str(o, "targetPort", sp->target_name);
	else
		set(o, "targetPort", json_integer(sp->target_port ? sp->target_port : sp->port));
	if (p->node_port)
		set(o, "nodePort", json_integer(p->node_port));
	return o;
}

static void add_services(struct list *l)
{
	vec_foreach (struct csvc, s, &l->s->cluster->services) {
		if (!wanted(l, s->ns))
			continue;
		json_t *o = base(l, &s->obj->meta, "v1", "Service"), *spec = sub(o, "spec");
		set(spec, "type", json_string(svc_type_str(s->obj->type)));
		if (s->obj->headless)
			set(spec, "clusterIP", json_string("None"));
		else if (s->cluster_ip)
			set(spec, "clusterIP", json_string(IP4(s->cluster_ip)));
		if (s->cluster_ip)
			set(spec, "clusterIPs", json_pack("[s]", IP4(s->cluster_ip)));
		json_t *ports = json_array();
		vec_foreach (struct csvcport, p, &s->ports)
			json_array_append_new(ports, service_port_json(p));
		set(spec, "ports", ports);
		set_missing(spec, "sessionAffinity",
			    json_string(s->obj->affinity_client_ip ? "ClientIP" : "None"));
		if (s->obj->type != SVC_EXTERNAL_NAME)
			set_missing(spec, "internalTrafficPolicy",
				    json_string(s->obj->itp_local ? "Local" : "Cluster"));
		sub(sub(o, "status"), "loadBalancer");
		json_array_append_new(l->items, o);
	}
}

static json_t *endpoint_address(const struct cendpoint *e)
{
	json_t *o = json_pack("{s:s}", "ip", IP4(e->ip));
	set_str(o, "nodeName", e->node);
	set_str(o, "hostname", e->hostname);
	if (e->pod)
		set(o, "targetRef", json_pack("{s:s, s:s}", "kind", "Pod", "name", e->pod));
	return o;
}

/* As the endpoints controller writes them: ports whose addresses are the same share a subset. Here
 * all ports of a Service stand in one subset when they have the same addresses as the first. */
static json_t *subsets_json(const struct csvc *s)
{
	json_t *subsets = json_array();
	vec_foreach (struct csvcport, p, &s->ports) {
		if (!p->eps.n)
			continue;
		json_t *ready = json_array(), *not_ready = json_array();
		vec_foreach (struct cendpoint, e, &p->eps)
			json_array_append_new(e->ready ? ready : not_ready, endpoint_address(e));
		json_t *port = json_pack("{s:i, s:s}", "port", (int)p->eps.v[0].port, "protocol",
					 p->port->proto == PROTO_TCP   ? "TCP"
					 : p->port->proto == PROTO_UDP ? "UDP"
								       : "SCTP");
		if (p->port->name[0])
			set_str(port, "name", p->port->name);
		json_t *first = json_array_get(subsets, 0);
		if (first && json_equal(json_object_get(first, "addresses"), ready)) {
			json_array_append_new(json_object_get(first, "ports"), port);
			json_decref(ready);
			json_decref(not_ready);
			continue;
		}
		json_t *subset = json_pack("{s:o, s:[o]}", "addresses", ready, "ports", port);
		if (json_array_size(not_ready))
			json_object_set(subset, "notReadyAddresses", not_ready);
		json_decref(not_ready);
		json_array_append_new(subsets, subset);
	}
	return subsets;
}

static void add_endpoints(struct list *l)
{
	vec_foreach (struct csvc, s, &l->s->cluster->services) {
		if (!wanted(l, s->ns) || s->obj->type == SVC_EXTERNAL_NAME)
			continue;
		struct meta m = {.name = s->name, .ns = s->ns};
		json_t *o = base(l, &m, "v1", "Endpoints");
		set(o, "subsets", subsets_json(s));
		json_array_append_new(l->items, o);
	}
}

static json_t *slice_endpoint(const struct cendpoint *e)
{
	json_t *o =
		json_pack("{s:[s], s:{s:b, s:b, s:b}}", "addresses", IP4(e->ip), "conditions",
			  "ready", e->ready, "serving", e->serving, "terminating", e->terminating);
	set_str(o, "nodeName", e->node);
	set_str(o, "hostname", e->hostname);
	if (e->pod)
		set(o, "targetRef", json_pack("{s:s, s:s}", "kind", "Pod", "name", e->pod));
	return o;
}

static void add_slices(struct list *l)
{
	vec_foreach (struct csvc, s, &l->s->cluster->services) {
		if (!wanted(l, s->ns) || s->obj->type == SVC_EXTERNAL_NAME)
			continue;
		char name[320];
		snprintf(name, sizeof(name), "%s-1", s->name);
		struct meta m = {.name = name, .ns = s->ns};
		json_t *o = base(l, &m, "discovery.k8s.io/v1", "EndpointSlice");
		set(sub(o, "metadata"), "labels",
		    json_pack("{s:s}", "kubernetes.io/service-name", s->name));
		set(o, "addressType", json_string("IPv4"));
		json_t *ports = json_array(), *eps = json_array();
		vec_foreach (struct csvcport, p, &s->ports) {
			if (!p->eps.n)
				continue;
			json_array_append_new(ports, json_pack("{s:s, s:i}", "name", p->port->name,
							       "port", (int)p->eps.v[0].port));
			if (!json_array_size(eps))
				vec_foreach (struct cendpoint, e, &p->eps)
					json_array_append_new(eps, slice_endpoint(e));
		}
		set(o, "ports", ports);
		set(o, "endpoints", eps);
		json_array_append_new(l->items, o);
	}
}

static const char *kubelet_version(enum kube_version v)
{
	static const char *const names[] = {"v1.20.2", "v1.23.17", "v1.32.13", "v1.36.2"};
	return names[v];
}

static bool node_runs(const struct list *l, const struct cnode *n)
{
	const char *ns = node_ns(l, n->index);
	return !ns || !l->live || l->live->alive(l->live->arg, ns);
}

static void add_nodes(struct list *l)
{
	const struct cluster *c = l->s->cluster;
	struct utsname u;
	uname(&u);
	vec_foreach (struct cnode, n, &c->nodes) {
		json_t *o = base(l, &n->obj->meta, "v1", "Node");
		json_t *labels = sub(sub(o, "metadata"), "labels");
		set_missing(labels, "kubernetes.io/hostname", json_string(n->name));
		if (n->control_plane) {
			set_missing(labels, "node-role.kubernetes.io/control-plane",
				    json_string(""));
			if (c->docker_look)
				set_missing(labels, "node-role.kubernetes.io/master",
					    json_string(""));
		}
		if (n->pod_cidr.len)
			set(sub(o, "spec"), "podCIDR", json_string(CIDR(n->pod_cidr)));
		json_t *status = sub(o, "status");
		set_missing(status, "addresses",
			    json_pack("[{s:s, s:s}, {s:s, s:s}]", "type", "InternalIP", "address",
				      IP4(n->ip), "type", "Hostname", "address", n->name));
		set(status, "conditions", json_pack("[o]", condition(l, "Ready", node_runs(l, n))));
		json_t *info = sub(status, "nodeInfo");
		set_str(info, "kubeletVersion", kubelet_version(c->kubernetes));
		set_str(info, "kernelVersion", u.release);
		set_str(info, "osImage", "labd namespaces");
		set_str(info, "containerRuntimeVersion",
			c->docker_look ? "docker://20.10.24" : "containerd://1.7.27");
		json_array_append_new(l->items, o);
	}
}

static unsigned ready_pods(const struct list *l, const struct deployment *d)
{
	const struct cluster *c = l->s->cluster;
	unsigned n = 0;
	for (size_t i = 0; i < c->pods.n; i++) {
		const struct cpod *p = &c->pods.v[i];
		if (p->obj->owner && strcmp(p->obj->owner, d->meta.name) == 0 &&
		    strcmp(p->ns, d->meta.ns) == 0)
			n += view_of(l, p, l->ns_names[i]).ready;
	}
	return n;
}

static void add_deployments(struct list *l)
{
	vec_foreach (struct deployment, d, &l->s->objects->deployments) {
		if (!wanted(l, d->meta.ns))
			continue;
		json_t *o = base(l, &d->meta, "apps/v1", "Deployment");
		set(sub(o, "spec"), "replicas", json_integer(d->replicas));
		json_t *status = sub(o, "status");
		unsigned ready = ready_pods(l, d);
		set(status, "replicas", json_integer(d->replicas));
		set(status, "updatedReplicas", json_integer(d->replicas));
		set(status, "readyReplicas", json_integer(ready));
		set(status, "availableReplicas", json_integer(ready));
		json_array_append_new(l->items, o);
	}
}

static void add_namespace(struct list *l, const char *name, const struct meta *m)
{
	size_t i;
	json_t *v;
	json_array_foreach (l->items, i, v)
		if (strcmp(json_string_value(
				   json_object_get(json_object_get(v, "metadata"), "name")),
			   name) == 0)
			return;
	struct meta bare = {.name = name};
	json_t *o = base(l, m ? m : &bare, "v1", "Namespace");
	json_object_del(sub(o, "metadata"), "namespace");
	set(sub(o, "status"), "phase", json_string("Active"));
	json_array_append_new(l->items, o);
}

static void add_namespaces(struct list *l)
{
	static const char *const always[] = {"default", "kube-node-lease", "kube-public",
					     "kube-system"};
	vec_foreach (struct namespace_obj, n, &l->s->objects->namespaces)
		add_namespace(l, n->meta.name, &n->meta);
	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		add_namespace(l, always[i], NULL);
	vec_foreach (struct cpod, p, &l->s->cluster->pods)
		add_namespace(l, p->ns, NULL);
	vec_foreach (struct csvc, s, &l->s->cluster->services)
		add_namespace(l, s->ns, NULL);
}

/* A ConfigMap's YAML text was sent as an object for binding, with the text beside it: show the
 * text. */
static void restore_text(json_t *o, const struct meta *m)
{
	json_t *text = m->raw ? json_object_get(m->raw, "labd.dev/text") : NULL, *v;
	const char *key;
	json_t *data = json_object_get(o, "data");
	json_object_foreach (text, key, v)
		json_object_set(data, key, v);
}

static void add_configmaps(struct list *l)
{
	vec_foreach (struct meta, m, &l->s->objects->configmaps) {
		if (!wanted(l, m->ns))
			continue;
		json_t *o = base(l, m, "v1", "ConfigMap");
		restore_text(o, m);
		json_array_append_new(l->items, o);
	}
}

static void add_policies(struct list *l)
{
	vec_foreach (struct network_policy, p, &l->s->objects->policies)
		if (wanted(l, p->meta.ns))
			json_array_append_new(l->items, base(l, &p->meta, "networking.k8s.io/v1",
							     "NetworkPolicy"));
}

static void add_pools(struct list *l)
{
	static const char *const modes[] = {"Never", "Always", "CrossSubnet"};
	vec_foreach (struct ip_pool, p, &l->s->cluster->pools) {
		json_t *o = base(l, &p->meta, "crd.projectcalico.org/v1", "IPPool");
		json_t *spec = sub(o, "spec");
		set(spec, "cidr", json_string(CIDR(p->cidr)));
		set(spec, "blockSize", json_integer(p->block_size));
		set_str(spec, "ipipMode", modes[p->ipip]);
		set_str(spec, "vxlanMode", modes[p->vxlan]);
		set(spec, "natOutgoing", json_boolean(p->nat_outgoing));
		json_array_append_new(l->items, o);
	}
}

static void add_blocks(struct list *l, const char *kind, bool affinity)
{
	const struct cluster *c = l->s->cluster;
	vec_foreach (struct block, b, &c->blocks) {
		char name[64];
		const char *node = c->nodes.v[b->node].name;
		snprintf(name, sizeof(name), "%s", CIDR(b->cidr));
		for (char *p = name; *p; p++)
			if (*p == '.' || *p == '/')
				*p = '-';
		json_t *o = json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:s}}", "apiVersion",
				      "crd.projectcalico.org/v1", "kind", kind, "metadata", "name",
				      name, "creationTimestamp", l->created, "spec", "cidr",
				      CIDR(b->cidr));
		char host[300];
		snprintf(host, sizeof(host), "host:%s", node);
		set_str(json_object_get(o, "spec"), affinity ? "node" : "affinity",
			affinity ? node : host);
		json_array_append_new(l->items, o);
	}
}

static void add_ipamblocks(struct list *l)
{
	add_blocks(l, "IPAMBlock", false);
}

static void add_affinities(struct list *l)
{
	add_blocks(l, "BlockAffinity", true);
}

static void add_hosts(struct list *l)
{
	vec_foreach (struct chost, h, &l->s->cluster->hosts)
		json_array_append_new(l->items,
				      json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:s}}", "apiVersion",
						"labd.dev/v1", "kind", "Host", "metadata", "name",
						h->name, "creationTimestamp", l->created, "spec",
						"ip", IP4(h->ip)));
}

/* What a ReplicaSet has of its Deployment, the hash added to what must tell its pods from others.
 */
static void from_deployment(json_t *o, const struct deployment *d, const char *hash)
{
	static const char key[] = "pod-template-hash";
	const json_t *of = json_object_get(d->meta.raw, "spec");
	json_t *spec = sub(o, "spec");
	set(spec, "selector", json_deep_copy(json_object_get(of, "selector")));
	set(spec, "template", json_deep_copy(json_object_get(of, "template")));
	json_t *template_meta = sub(sub(spec, "template"), "metadata");
	set_str(sub(sub(spec, "selector"), "matchLabels"), key, hash);
	set_str(sub(template_meta, "labels"), key, hash);
	set(sub(o, "metadata"), "labels", json_deep_copy(sub(template_meta, "labels")));
	set(sub(o, "metadata"), "ownerReferences",
	    json_pack("[{s:s, s:s, s:s, s:b}]", "apiVersion", "apps/v1", "kind", "Deployment",
		      "name", d->meta.name, "controller", true));
}

/* One ReplicaSet a Deployment that has pods, named as its pods' owner. */
static void add_replicasets(struct list *l)
{
	const struct cluster *c = l->s->cluster;
	vec_foreach (struct deployment, d, &l->s->objects->deployments) {
		const struct cpod *first = NULL;
		vec_foreach (struct cpod, p, &c->pods)
			if (!first && p->obj->owner && strcmp(p->obj->owner, d->meta.name) == 0 &&
			    strcmp(p->ns, d->meta.ns) == 0)
				first = p;
		if (!first || !wanted(l, d->meta.ns))
			continue;
		char name[300];
		const char *dash = strrchr(first->name, '-');
		snprintf(name, sizeof(name), "%.*s", (int)(dash ? dash - first->name : 0),
			 first->name);
		struct meta m = {.name = name, .ns = d->meta.ns};
		json_t *o = base(l, &m, "apps/v1", "ReplicaSet");
		set(sub(o, "spec"), "replicas", json_integer(d->replicas));
		const char *hash = strrchr(name, '-');
		from_deployment(o, d, hash ? hash + 1 : name);
		int ready = (int)ready_pods(l, d);
		set(o, "status",
		    json_pack("{s:i, s:i, s:i}", "replicas", (int)d->replicas, "readyReplicas",
			      ready, "availableReplicas", ready));
		json_array_append_new(l->items, o);
	}
}

static const struct kind {
	const char *plural;
	void (*add)(struct list *l);
} kinds[] = {
	{"pods", add_pods},
	{"services", add_services},
	{"nodes", add_nodes},
	{"endpoints", add_endpoints},
	{"endpointslices", add_slices},
	{"deployments", add_deployments},
	{"replicasets", add_replicasets},
	{"namespaces", add_namespaces},
	{"configmaps", add_configmaps},
	{"networkpolicies", add_policies},
	{"ippools", add_pools},
	{"ipamblocks", add_ipamblocks},
	{"blockaffinities", add_affinities},
	{"hosts", add_hosts},
};

static const char *meta_key(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(json_object_get(o, "metadata"), key));
	return s ? s : "";
}

static int by_name(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	int r = strcmp(meta_key(x, "namespace"), meta_key(y, "namespace"));
	return r ? r : strcmp(meta_key(x, "name"), meta_key(y, "name"));
}

static json_t *sorted(json_t *items)
{
	size_t n = json_array_size(items);
	_free_ json_t **v = calloc(n + 1, sizeof(*v));
	if (!v)
		return items;
	for (size_t i = 0; i < n; i++)
		v[i] = json_array_get(items, i);
	qsort(v, n, sizeof(*v), by_name);
	json_t *out = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append(out, v[i]);
	json_decref(items);
	return out;
}

json_t *kobjects_list(const struct stored *s, const char *kind, const char *ns,
		      const struct kobjects_live *live, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kinds[i].plural, kind) != 0)
			continue;
		struct list l = {.s = s,
				 .ns = ns,
				 .items = json_array(),
				 .live = live,
				 .ns_names = ns_names(s),
				 .parts = json_array()};
		time_stamp(s->created, l.created);
		kinds[i].add(&l);
		json_decref(l.parts);
		return sorted(l.items);
	}
	err_setc(err, EINVAL, ERR_USAGE, "the server doesn't have a resource type \"%.60s\"", kind);
	return NULL;
}
