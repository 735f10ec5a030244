/* SPDX-License-Identifier: MIT */
/*
 * Tables of core/v1 and apps/v1: Node, Pod, Deployment, Namespace, and the label selectors that
 * other kinds use too.
 */
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/limits.h"
#include "lib/kube/bind.h"

/* Selectors ------------------------------------------------------------------------------------ */

static const struct word selector_ops[] = {
	{"In", 0}, {"NotIn", 1}, {"Exists", 2}, {"DoesNotExist", 3}, {NULL, 0}};
static const struct words words_selector_op = {.list = selector_ops};

/* The operator is kept as text (selector_matches() compares it); here it is only held against the
 * list. */
static bool bind_selector_op(struct binder *b, const struct at *at, json_t *v, void *dst,
			     const void *arg)
{
	int op;
	return bind_word(b, at, v, &op, arg) && bind_str(b, at, v, dst, NULL);
}

static bool finish_expr(struct binder *b, const struct at *at, json_t *v, void *obj)
{
	const struct selector_expr *e = obj;
	if (!e->key || !e->op)
		return false;
	bool wants = strcmp(e->op, "In") == 0 || strcmp(e->op, "NotIn") == 0;
	if (wants && !e->values.n && bind_clean(b))
		return bind_fault(b, at, NULL, "`values` is needed with operator %s", e->op);
	if (!wants && e->values.n)
		return bind_fault(b, AT_KEY(at, "values"), NULL, "operator %s takes no `values`",
				  e->op);
	(void)v;
	return true;
}

static const struct field expr_fields[] = {
	REQUIRED("key", struct selector_expr, key, bind_str, NULL),
	REQUIRED("operator", struct selector_expr, op, bind_selector_op, &words_selector_op),
	FIELD("values", struct selector_expr, values, bind_list, &list_of_strs),
};
static const struct shape expr_shape = {
	.fields = expr_fields, .n = ARRAY_SIZE(expr_fields), .also = "", .finish = finish_expr};
static const struct list_of list_of_exprs = {
	.item = bind_shape, .arg = &expr_shape, .size = sizeof(struct selector_expr)};

static const struct field selector_fields[] = {
	FIELD("matchLabels", struct selector, match_labels, bind_kvs, NULL),
	FIELD("matchExpressions", struct selector, exprs, bind_list, &list_of_exprs),
};
static const struct shape selector_shape = {.fields = selector_fields,
					    .n = ARRAY_SIZE(selector_fields),
					    .also = "",
					    .advice = "labels stand under `matchLabels`"};

bool bind_selector(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg)
{
	struct selector *s = dst;
	(void)arg;
	s->present = true;
	return bind_shape(b, at, v, s, &selector_shape);
}

/* Node ----------------------------------------------------------------------------------------- */

struct node_doc {
	struct node n;
	vec_of(struct cidr) pod_cidrs;
};

struct node_address {
	const char *type, *address;
};

struct taint {
	const char *effect;
};

static bool finish_taint(struct binder *b, const struct at *at, json_t *v, void *obj)
{
	(void)b, (void)at, (void)v;
	return ((const struct taint *)obj)->effect != NULL;
}

static const struct field taint_fields[] = {
	FIELD("effect", struct taint, effect, bind_str, NULL),
};
static const struct shape taint_shape = SHAPE_FINISH(taint_fields, finish_taint);
static const struct list_of list_of_taints = {
	.item = bind_shape, .arg = &taint_shape, .size = sizeof(struct taint)};

static bool bind_taints(struct binder *b, const struct at *at, json_t *v, void *dst,
			const void *arg)
{
	vec_of(struct taint) taints = {0};
	(void)arg;
	if (!bind_list(b, at, v, &taints, &list_of_taints))
		return false;
	vec_foreach (struct taint, t, &taints)
		if (strcmp(t->effect, "NoSchedule") == 0 || strcmp(t->effect, "NoExecute") == 0)
			*(bool *)dst = true;
	return true;
}

static const struct field node_address_fields[] = {
	REQUIRED("type", struct node_address, type, bind_str, NULL),
	REQUIRED("address", struct node_address, address, bind_str, NULL),
};
static const struct shape node_address_shape = SHAPE(node_address_fields);

/* One of status.addresses: the first IPv4 InternalIP is the node's. */
static bool bind_node_address(struct binder *b, const struct at *at, json_t *v, void *dst,
			      const void *arg)
{
	struct node_address a = {0};
	ip4 *internal_ip = dst;
	(void)arg;
	if (!bind_shape(b, at, v, &a, &node_address_shape) || !a.type || !a.address)
		return false;
	if (strcmp(a.type, "InternalIP") != 0 || *internal_ip)
		return false;
	return bind_ip(b, AT_KEY(at, "address"), json_object_get(v, "address"), internal_ip, NULL);
}

static bool bind_node_addresses(struct binder *b, const struct at *at, json_t *v, void *dst,
				const void *arg)
{
	size_t i;
	json_t *item;
	if (!json_is_array(v))
		return bind_wrong_type(b, at, v, "a list");
	json_array_foreach (v, i, item)
		bind_node_address(b, AT_INDEX(at, i), item, dst, arg);
	return true;
}

static bool bind_pod_cidr(struct binder *b, const struct at *at, json_t *v, void *dst,
			  const void *arg)
{
	struct node *n = dst;
	(void)arg;
	n->has_pod_cidr = bind_cidr(b, at, v, &n->pod_cidr, NULL);
	return n->has_pod_cidr;
}

static const struct list_of list_of_cidrs = {.item = bind_cidr, .size = sizeof(struct cidr)};
static const struct field node_spec_fields[] = {
	{.key = "podCIDR", .fn = bind_pod_cidr},
	FIELD("podCIDRs", struct node_doc, pod_cidrs, bind_list, &list_of_cidrs),
	FIELD("unschedulable", struct node, unschedulable, bind_bool, NULL),
	FIELD("taints", struct node, no_schedule_taint, bind_taints, NULL),
};
static const struct shape node_spec_shape =
	SHAPE_ALSO(node_spec_fields, "providerID configSource externalID");
static const struct field node_status_fields[] = {
	FIELD("addresses", struct node, internal_ip, bind_node_addresses, NULL),
};
static const struct shape node_status_shape = SHAPE(node_status_fields);
static const struct field node_fields[] = {
	NESTED("spec", &node_spec_shape),
	NESTED("status", &node_status_shape),
};
static const struct shape node_shape = SHAPE_ALSO(node_fields, "apiVersion kind metadata");

void bind_node(struct binder *b, const struct at *at, json_t *v, const struct meta *m)
{
	struct node_doc d = {
		.n = {.meta = *m, .zone = kv_get(&m->labels, "topology.kubernetes.io/zone")}};
	bind_shape(b, at, v, &d, &node_shape);
	if (!d.n.has_pod_cidr && d.pod_cidrs.n) {
		d.n.has_pod_cidr = true;
		d.n.pod_cidr = d.pod_cidrs.v[0];
	}
	*vec_push(b->arena, &b->o->nodes) = d.n;
}

/* Pod ------------------------------------------------------------------------------------------ */

static const struct field env_fields[] = {
	REQUIRED("name", struct env_var, name, bind_str, NULL),
	FIELD("value", struct env_var, value, bind_str, NULL),
};

/* Names that a shell and execve can take; the API is a little laxer. */
static bool finish_env(struct binder *b, const struct at *at, json_t *v, void *obj)
{
	const struct env_var *e = obj;
	(void)v;
	if (!e->name)
		return false;
	if (!*e->name || strchr(e->name, '='))
		return bind_fault(b, AT_KEY(at, "name"), NULL,
				  "`%s` is not the name of an environment variable", e->name);
	return true;
}

static const struct env_var env_init = {.value = ""};
static const struct shape env_shape = {.fields = env_fields,
				       .n = ARRAY_SIZE(env_fields),
				       .also = "valueFrom",
				       .finish = finish_env};
static const struct list_of list_of_env = {
	.item = bind_shape, .arg = &env_shape, .size = sizeof(struct env_var), .init = &env_init};

static const struct name_arg arg_port_name = {NAME_PORT, true};
static const struct field cport_fields[] = {
	FIELD("name", struct container_port, name, bind_name, &arg_port_name),
	REQUIRED("containerPort", struct container_port, port, bind_u16, &range_port),
	FIELD("protocol", struct container_port, proto, bind_word, &words_proto),
};
static const struct container_port cport_init = {.name = ""};
static const struct shape cport_shape = SHAPE_ALSO(cport_fields, "hostPort hostIP");
static const struct list_of list_of_cports = {.item = bind_shape,
					      .arg = &cport_shape,
					      .size = sizeof(struct container_port),
					      .init = &cport_init};

static const struct field container_fields[] = {
	REQUIRED("name", struct container, name, bind_name, &arg_label),
	REQUIRED("image", struct container, image, bind_str, NULL),
	FIELD("command", struct container, command, bind_list, &list_of_strs),
	FIELD("args", struct container, args, bind_list, &list_of_strs),
	FIELD("ports", struct container, ports, bind_list, &list_of_cports),
	FIELD("env", struct container, env, bind_list, &list_of_env),
};
static const struct container container_init = {.name = "", .image = ""};
static const struct shape container_shape = SHAPE_ALSO(
	container_fields, "workingDir envFrom resources resizePolicy restartPolicy "
			  "restartPolicyRules volumeMounts volumeDevices livenessProbe "
			  "readinessProbe startupProbe lifecycle terminationMessagePath "
			  "terminationMessagePolicy imagePullPolicy securityContext stdin "
			  "stdinOnce tty");
static const struct list_of list_of_containers = {.item = bind_shape,
						  .arg = &container_shape,
						  .size = sizeof(struct container),
						  .init = &container_init,
						  .required = true};

struct toleration {
	const char *key, *operator, * effect;
};
static const struct field toleration_fields[] = {
	FIELD("key", struct toleration, key, bind_str_opt, NULL),
	FIELD("operator", struct toleration, operator, bind_str, NULL),
	FIELD("effect", struct toleration, effect, bind_str_opt, NULL),
};
static const struct shape toleration_shape =
	SHAPE_ALSO(toleration_fields, "value tolerationSeconds");
static const struct list_of list_of_tolerations = {
	.item = bind_shape, .arg = &toleration_shape, .size = sizeof(struct toleration)};

static bool bind_tolerations(struct binder *b, const struct at *at, json_t *v, void *dst,
			     const void *arg)
{
	static const char *const control_plane[] = {"node-role.kubernetes.io/control-plane",
						    "node-role.kubernetes.io/master"};
	vec_of(struct toleration) list = {0};
	(void)arg;
	if (!bind_list(b, at, v, &list, &list_of_tolerations))
		return false;
	vec_foreach (struct toleration, t, &list) {
		bool exists = t->operator&& strcmp(t->operator, "Exists") == 0;
		bool all =
			exists && !t->key && (!t->effect || strcmp(t->effect, "NoSchedule") == 0);
		for (size_t i = 0; i < ARRAY_SIZE(control_plane); i++)
			all = all || (t->key && strcmp(t->key, control_plane[i]) == 0);
		*(bool *)dst = *(bool *)dst || all;
	}
	return true;
}

static const struct word dns_policies[] = {{"ClusterFirst", 0},
					   {"ClusterFirstWithHostNet", 1},
					   {"Default", 2},
					   {"None", 3},
					   {NULL, 0}};
static const struct words words_dns_policy = {.list = dns_policies};

static bool bind_dns_policy(struct binder *b, const struct at *at, json_t *v, void *dst,
			    const void *arg)
{
	int policy;
	return bind_word(b, at, v, &policy, arg) && bind_str(b, at, v, dst, NULL);
}

static const struct word restart_policies[] = {{"Always", RESTART_ALWAYS},
					       {"OnFailure", RESTART_ON_FAILURE},
					       {"Never", RESTART_NEVER},
					       {NULL, 0}};
static const struct words words_restart_policy = {.list = restart_policies};

static const struct field pod_spec_fields[] = {
	FIELD("nodeName", struct pod_spec, node_name, bind_name, &arg_subdomain_opt),
	FIELD("hostname", struct pod_spec, hostname, bind_name, &arg_label_opt),
	FIELD("subdomain", struct pod_spec, subdomain, bind_name, &arg_label_opt),
	FIELD("serviceAccountName", struct pod_spec, service_account, bind_name,
	      &arg_subdomain_opt),
	FIELD("dnsPolicy", struct pod_spec, dns_policy, bind_dns_policy, &words_dns_policy),
	FIELD("restartPolicy", struct pod_spec, restart, bind_word, &words_restart_policy),
	FIELD("hostNetwork", struct pod_spec, host_network, bind_bool, NULL),
	FIELD("nodeSelector", struct pod_spec, node_selector, bind_kvs, NULL),
	FIELD("tolerations", struct pod_spec, tolerates_all, bind_tolerations, NULL),
	REQUIRED("containers", struct pod_spec, containers, bind_list, &list_of_containers),
};
static const struct shape pod_spec_shape = SHAPE_ALSO(
	pod_spec_fields, "volumes initContainers ephemeralContainers restartPolicy "
			 "terminationGracePeriodSeconds activeDeadlineSeconds serviceAccount "
			 "automountServiceAccountToken hostPID hostIPC shareProcessNamespace "
			 "securityContext imagePullSecrets affinity schedulerName hostAliases "
			 "priorityClassName priority dnsConfig readinessGates runtimeClassName "
			 "enableServiceLinks preemptionPolicy overhead "
			 "topologySpreadConstraints setHostnameAsFQDN os hostUsers "
			 "schedulingGates resourceClaims resources hostnameOverride "
			 "workloadRef schedulingGroup");

struct condition {
	const char *type, *status;
};
static const struct field condition_fields[] = {
	FIELD("type", struct condition, type, bind_str, NULL),
	FIELD("status", struct condition, status, bind_str, NULL),
};
static const struct shape condition_shape = SHAPE(condition_fields);
static const struct list_of list_of_conditions = {
	.item = bind_shape, .arg = &condition_shape, .size = sizeof(struct condition)};

static bool bind_conditions(struct binder *b, const struct at *at, json_t *v, void *dst,
			    const void *arg)
{
	vec_of(struct condition) list = {0};
	(void)arg;
	if (!bind_list(b, at, v, &list, &list_of_conditions))
		return false;
	vec_foreach (struct condition, c, &list)
		if (c->type && c->status && strcmp(c->type, "Ready") == 0)
			*(bool *)dst = strcmp(c->status, "True") != 0;
	return true;
}

struct container_status {
	unsigned restarts;
};
static const struct range range_count = {0, 2147483647};
static const struct field container_status_fields[] = {
	FIELD("restartCount", struct container_status, restarts, bind_uint, &range_count),
};
static const struct shape container_status_shape = SHAPE(container_status_fields);
static const struct list_of list_of_container_statuses = {.item = bind_shape,
							  .arg = &container_status_shape,
							  .size = sizeof(struct container_status)};

struct pod_ip {
	ip4 ip;
};

static bool finish_pod_ip(struct binder *b, const struct at *at, json_t *v, void *obj)
{
	(void)b, (void)at, (void)v;
	return ((const struct pod_ip *)obj)->ip != 0;
}

static const struct field pod_ip_fields[] = {FIELD("ip", struct pod_ip, ip, bind_ip, NULL)};
static const struct shape pod_ip_shape = SHAPE_FINISH(pod_ip_fields, finish_pod_ip);
static const struct list_of list_of_pod_ips = {
	.item = bind_shape, .arg = &pod_ip_shape, .size = sizeof(struct pod_ip)};

struct owner_ref {
	const char *kind, *name;
};
static const struct field owner_ref_fields[] = {
	FIELD("kind", struct owner_ref, kind, bind_str, NULL),
	FIELD("name", struct owner_ref, name, bind_str, NULL),
};
static const struct shape owner_ref_shape = SHAPE(owner_ref_fields);
static const struct list_of list_of_owner_refs = {
	.item = bind_shape, .arg = &owner_ref_shape, .size = sizeof(struct owner_ref)};

struct pod_doc {
	struct pod p;
	const char *phase;
	vec_of(struct pod_ip) ips;
	vec_of(struct container_status) statuses;
	vec_of(struct owner_ref) owners;
};

static const struct field pod_status_fields[] = {
	FIELD("podIP", struct pod, ip, bind_ip, NULL),
	FIELD("podIPs", struct pod_doc, ips, bind_list, &list_of_pod_ips),
	FIELD("phase", struct pod_doc, phase, bind_str, NULL),
	FIELD("conditions", struct pod, not_ready, bind_conditions, NULL),
	FIELD("containerStatuses", struct pod_doc, statuses, bind_list,
	      &list_of_container_statuses),
};
static const struct shape pod_status_shape = SHAPE(pod_status_fields);
static const struct field pod_meta_fields[] = {
	FIELD("ownerReferences", struct pod_doc, owners, bind_list, &list_of_owner_refs),
};
static const struct shape pod_meta_shape = SHAPE(pod_meta_fields);
static const struct field pod_fields[] = {
	NESTED("metadata", &pod_meta_shape),
	{.key = "spec",
	 .fn = bind_shape,
	 .offset = offsetof(struct pod, spec),
	 .arg = &pod_spec_shape,
	 .required = true},
	NESTED("status", &pod_status_shape),
};
static const struct shape pod_shape = SHAPE_ALSO(pod_fields, "apiVersion kind metadata");

/* A pod of a Deployment is owned by its ReplicaSet, "DEPLOYMENT-HASH", and carries the hash as a
 * label. */
static const char *deployment_of(struct binder *b, const struct pod_doc *d)
{
	const char *hash = kv_get(&d->p.meta.labels, "pod-template-hash");
	vec_foreach (struct owner_ref, r, &d->owners) {
		if (!hash || !r->kind || !r->name || strcmp(r->kind, "ReplicaSet") != 0)
			continue;
		size_t n = strlen(r->name), h = strlen(hash);
		if (n > h + 1 && r->name[n - h - 1] == '-' && strcmp(r->name + n - h, hash) == 0)
			return arena_strndup(b->arena, r->name, n - h - 1);
	}
	return NULL;
}

void bind_pod(struct binder *b, const struct at *at, json_t *v, const struct meta *m)
{
	struct pod_doc d = {.p = {.meta = *m, .spec.dns_policy = "ClusterFirst"}};
	bind_shape(b, at, v, &d, &pod_shape);
	/* What has run to its end has no network any more; its address may be another's by now. */
	if (d.phase && (strcmp(d.phase, "Succeeded") == 0 || strcmp(d.phase, "Failed") == 0))
		return;
	if (!d.p.ip && d.ips.n)
		d.p.ip = d.ips.v[0].ip;
	if (d.statuses.n)
		d.p.restarts = d.statuses.v[0].restarts;
	d.p.owner = deployment_of(b, &d);
	*vec_push(b->arena, &b->o->pods) = d.p;
}

/* Deployment ----------------------------------------------------------------------------------- */

static const struct range range_replicas = {0, MAX_PODS};
static const struct field template_meta_fields[] = {
	FIELD("labels", struct deployment, template_labels, bind_kvs, NULL),
};
static const struct shape template_meta_shape = SHAPE(template_meta_fields);
static const struct field template_fields[] = {
	NESTED("metadata", &template_meta_shape),
	{.key = "spec",
	 .fn = bind_shape,
	 .offset = offsetof(struct deployment, template),
	 .arg = &pod_spec_shape,
	 .required = true},
};
static const struct shape template_shape = SHAPE_ALSO(template_fields, "");
static const struct field deployment_spec_fields[] = {
	FIELD("replicas", struct deployment, replicas, bind_uint, &range_replicas),
	FIELD("selector", struct deployment, selector, bind_selector, NULL),
	{.key = "template", .fn = bind_shape, .arg = &template_shape, .required = true},
};
static const struct shape deployment_spec_shape =
	SHAPE_ALSO(deployment_spec_fields, "strategy minReadySeconds revisionHistoryLimit paused "
					   "progressDeadlineSeconds rollbackTo");
static const struct field deployment_fields[] = {
	{.key = "spec", .fn = bind_shape, .arg = &deployment_spec_shape, .required = true},
};
static const struct shape deployment_shape =
	SHAPE_ALSO(deployment_fields, "apiVersion kind metadata status");

void bind_deployment(struct binder *b, const struct at *at, json_t *v, const struct meta *m)
{
	struct deployment d = {.meta = *m, .replicas = 1, .template.dns_policy = "ClusterFirst"};
	const char *version = json_string_value(json_object_get(v, "apiVersion"));
	bind_shape(b, at, v, &d, &deployment_shape);
	d.template_raw = json_object_get(json_object_get(v, "spec"), "template");
	const struct at *spec = AT_KEY(at, "spec");
	if (bind_clean(b) && d.template.restart != RESTART_ALWAYS)
		bind_fault(b, AT_KEY(AT_KEY(AT_KEY(spec, "template"), "spec"), "restartPolicy"),
			   NULL, "pods of a Deployment are always started again: only Always");
	if (!d.selector.present && version && strcmp(version, "apps/v1") != 0) {
		/* The beta versions took the template's labels. */
		d.selector.present = true;
		d.selector.match_labels = d.template_labels;
	} else if (!d.selector.present && bind_clean(b)) {
		bind_fault(b, spec, NULL, "`selector` is missing");
	} else if (bind_clean(b) && !d.selector.match_labels.n && !d.selector.exprs.n) {
		bind_fault(b, AT_KEY(spec, "selector"), NULL, "the selector is empty");
	} else if (bind_clean(b) && !selector_matches(&d.selector, &d.template_labels)) {
		bind_fault(b, AT_KEY(spec, "selector"), NULL,
			   "the selector does not choose the labels of the template");
	}
	*vec_push(b->arena, &b->o->deployments) = d;
}

/* Namespace ------------------------------------------------------------------------------------ */

void bind_namespace(struct binder *b, const struct at *at, json_t *v, const struct meta *m)
{
	(void)at, (void)v;
	*vec_push(b->arena, &b->o->namespaces) = (struct namespace_obj){.meta = *m};
}
