/* SPDX-License-Identifier: MIT */
/*
 * Documents: which kinds there are, their apiVersions, the metadata that all have, and the
 * unfolding of Lists. Here objects_bind() (objects.h) begins.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/kube/bind.h"

#define VERSIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

static const struct kind kinds[] = {
	{"Lab", VERSIONS("labd.dev/v1"), NAME_LAB, false, bind_lab},
	{"Node", VERSIONS("v1"), NAME_SUBDOMAIN, false, bind_node},
	{"Pod", VERSIONS("v1"), NAME_SUBDOMAIN, true, bind_pod},
	{"Namespace", VERSIONS("v1"), NAME_LABEL, false, bind_namespace},
	{"Service", VERSIONS("v1"), NAME_LABEL, true, bind_service},
	{"Endpoints", VERSIONS("v1"), NAME_SUBDOMAIN, true, bind_endpoints},
	{"ConfigMap", VERSIONS("v1"), NAME_SUBDOMAIN, true, bind_configmap},
	{"Deployment", VERSIONS("apps/v1", "apps/v1beta2", "apps/v1beta1", "extensions/v1beta1"),
	 NAME_SUBDOMAIN, true, bind_deployment},
	{"EndpointSlice", VERSIONS("discovery.k8s.io/v1", "discovery.k8s.io/v1beta1"),
	 NAME_SUBDOMAIN, true, bind_endpoint_slice},
	{"NetworkPolicy", VERSIONS("networking.k8s.io/v1", "extensions/v1beta1"), NAME_SUBDOMAIN,
	 true, bind_network_policy},
	{"KubeProxyConfiguration", VERSIONS("kubeproxy.config.k8s.io/v1alpha1"), NAME_NONE, false,
	 bind_proxy_config},
	{"IPPool", VERSIONS("crd.projectcalico.org/v1", "projectcalico.org/v3"), NAME_SUBDOMAIN,
	 false, bind_ip_pool},
	{"ServiceCIDR", VERSIONS("networking.k8s.io/v1", "networking.k8s.io/v1beta1"),
	 NAME_SUBDOMAIN, false, bind_service_cidr},
	{"IPAMBlock", VERSIONS("crd.projectcalico.org/v1", "projectcalico.org/v3"), NAME_SUBDOMAIN,
	 false, bind_ipam_block},
	{"BlockAffinity", VERSIONS("crd.projectcalico.org/v1", "projectcalico.org/v3"),
	 NAME_SUBDOMAIN, false, bind_block_affinity},
};

/* What else a dump of a cluster holds in the groups of ours, and what has no effect here. Kinds of
 * other groups are listed by group alone (other_groups). */
static const struct {
	const char *group; /* "" is the core group */
	const char *const *kinds;
} others[] = {
	{"", VERSIONS("Binding", "ComponentStatus", "Event", "LimitRange", "PersistentVolume",
		      "PersistentVolumeClaim", "PodTemplate", "ReplicationController",
		      "ResourceQuota", "Secret", "ServiceAccount")},
	{"apps", VERSIONS("ControllerRevision", "DaemonSet", "ReplicaSet", "StatefulSet")},
	{"extensions", VERSIONS("DaemonSet", "Ingress", "PodSecurityPolicy", "ReplicaSet")},
	{"networking.k8s.io", VERSIONS("Ingress", "IngressClass", "IPAddress")},
	{"crd.projectcalico.org",
	 VERSIONS("AdminNetworkPolicy", "BGPConfiguration", "BGPFilter", "BGPPeer",
		  "CalicoNodeStatus", "ClusterInformation", "FelixConfiguration",
		  "GlobalNetworkPolicy", "GlobalNetworkSet", "HostEndpoint", "IPAMConfig",
		  "IPAMHandle", "IPReservation", "KubeControllersConfiguration", "NetworkPolicy",
		  "NetworkSet", "Tier")},
	{"projectcalico.org",
	 VERSIONS("BGPConfiguration", "BGPFilter", "BGPPeer", "CalicoNodeStatus",
		  "ClusterInformation", "FelixConfiguration", "GlobalNetworkPolicy",
		  "GlobalNetworkSet", "HostEndpoint", "IPAMConfig", "IPAMConfiguration",
		  "IPReservation", "KubeControllersConfiguration", "NetworkPolicy", "NetworkSet",
		  "Node", "Profile", "Tier", "WorkloadEndpoint")},
};

/* Groups of which no kind matters here. Names ending in .k8s.io are all Kubernetes' own. */
static const char *const other_groups[] = {"autoscaling", "batch", "policy", "operator.tigera.io"};

/* The group of an apiVersion: "apps" of "apps/v1", "" of "v1". */
static void group_of(const char *version, char buf[static 256])
{
	size_t n = strcspn(version, "/");
	snprintf(buf, 256, "%.*s", version[n] ? (int)n : 0, version);
}

static bool in_list(const char *s, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(*list, s) == 0)
			return true;
	return false;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);
	return n >= m && strcmp(s + n - m, end) == 0;
}

static const struct kind *find_kind(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

static const char *near_kind(struct binder *b, const char *name)
{
	const char *words[ARRAY_SIZE(kinds) + 2];
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		words[n++] = kinds[i].name;
	words[n++] = "List";
	return did_you_mean(b->arena, name, words, n);
}

/* Is a kind of ours that lives in the group a near miss of the name? */
static bool near_in_group(const char *name, const char *group)
{
	const char *words[ARRAY_SIZE(kinds)];
	unsigned n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		char own[256];
		group_of(kinds[i].versions[0], own);
		if (strcmp(own, group) == 0)
			words[n++] = kinds[i].name;
	}
	return nearest_word(name, words, n) != NULL;
}

/* A kind that is known and has no part in what we build. */
static bool is_other(const char *kind, const char *group)
{
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (strcmp(others[i].group, group) == 0 && in_list(kind, others[i].kinds))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(other_groups); i++)
		if (strcmp(other_groups[i], group) == 0)
			return true;
	/* In a group where one of our kinds lives, a near miss of it is a typing mistake. */
	return ends_with(group, ".k8s.io") && !near_in_group(kind, group);
}

/* Metadata ------------------------------------------------------------------------------------- */

static const struct field meta_fields[] = {
	FIELD("labels", struct meta, labels, bind_kvs, NULL),
	FIELD("annotations", struct meta, annotations, bind_kvs, NULL),
};
static const struct shape meta_shape =
	SHAPE_ALSO(meta_fields, "name namespace uid resourceVersion generation creationTimestamp "
				"deletionTimestamp deletionGracePeriodSeconds ownerReferences "
				"finalizers managedFields selfLink generateName clusterName");

/* "Pod default/web", as far as it can be told, for the messages about the object. */
static const char *object_name(struct binder *b, const struct kind *k, json_t *meta)
{
	const char *name = json_string_value(json_object_get(meta, "name"));
	const char *ns = json_string_value(json_object_get(meta, "namespace"));
	if (!name)
		return k->name;
	if (!k->namespaced)
		return arena_printf(b->arena, "%s %s", k->name, name);
	return arena_printf(b->arena, "%s %s/%s", k->name, ns && *ns ? ns : "default", name);
}

static void bind_meta_name(struct binder *b, const struct at *at, json_t *meta,
			   const struct kind *k, struct meta *m)
{
	struct name_arg rule = {k->rule, false};
	json_t *name = json_object_get(meta, "name"), *ns = json_object_get(meta, "namespace");
	if (name && !json_is_null(name))
		bind_name(b, AT_KEY(at, "name"), name, &m->name, &rule);
	else if (k->rule != NAME_NONE)
		bind_fault(b, at, NULL, "`name` is missing");
	if (k->namespaced && ns && !json_is_null(ns))
		bind_name(b, AT_KEY(at, "namespace"), ns, &m->ns, &arg_label_opt);
}

static void bind_meta(struct binder *b, const struct at *at, json_t *v, const struct kind *k,
		      struct meta *m)
{
	json_t *meta = json_object_get(v, "metadata");
	m->name = "";
	if (k->namespaced)
		m->ns = "default";
	if (!meta || json_is_null(meta)) {
		if (k->rule != NAME_NONE)
			bind_fault(b, at, NULL, "`metadata` is missing");
		return;
	}
	at = AT_KEY(at, "metadata");
	if (!bind_shape(b, at, meta, m, &meta_shape))
		return;
	bind_meta_name(b, at, meta, k, m);
}

/* Documents ------------------------------------------------------------------------------------ */

static void bind_known_kind(struct binder *b, const struct at *at, json_t *v, const struct kind *k,
			    const char *version)
{
	struct meta m = {.doc = b->doc, .path = at_path(b->arena, at), .raw = v};
	b->object = object_name(b, k, json_object_get(v, "metadata"));
	b->faults_before = b->faults->total;
	if (!in_list(version, k->versions))
		bind_fault(b, AT_KEY(at, "apiVersion"),
			   arena_printf(b->arena, "write `apiVersion: %s`", k->versions[0]),
			   "`%s` is not an apiVersion of %s", version, k->name);
	bind_meta(b, at, v, k, &m);
	k->bind(b, at, v, &m);
}

static void bind_document(struct binder *b, const struct at *at, json_t *v, const char *list_kind);

/* kind: List, or a PodList and the like, whose items need not say their kind. */
static void unfold(struct binder *b, const struct at *at, json_t *v, const char *kind,
		   const char *list_kind)
{
	json_t *items = json_object_get(v, "items"), *item;
	char item_kind[256];
	size_t i;
	snprintf(item_kind, sizeof(item_kind), "%.*s", (int)strlen(kind) - 4, kind);
	if (list_kind) {
		bind_fault(b, AT_KEY(at, "kind"), NULL, "a %s inside a %s", kind, list_kind);
		return;
	}
	if (!items || json_is_null(items))
		return;
	at = AT_KEY(at, "items");
	if (!json_is_array(items)) {
		bind_wrong_type(b, at, items, "a list");
		return;
	}
	json_array_foreach (items, i, item) {
		if (json_is_object(item) && !json_object_get(item, "kind") && *item_kind) {
			json_object_set_new(item, "kind", json_string(item_kind));
			json_object_set(item, "apiVersion", json_object_get(v, "apiVersion"));
		}
		bind_document(b, AT_INDEX(at, i), item, kind);
	}
}

static void unknown_kind(struct binder *b, const struct at *at, const char *kind,
			 const char *version)
{
	char group[256];
	group_of(version, group);
	if (is_other(kind, group))
		return;
	bind_fault(b, AT_KEY(at, "kind"), near_kind(b, kind), "unknown kind `%s`", kind);
}

static const char *string_at(struct binder *b, const struct at *at, json_t *v, const char *key)
{
	json_t *value = json_object_get(v, key);
	if (!value || json_is_null(value))
		bind_fault(b, at, NULL, "`%s` is missing", key);
	else if (!json_is_string(value))
		bind_wrong_type(b, AT_KEY(at, key), value, "a string");
	else
		return json_string_value(value);
	return NULL;
}

/* list_kind: the List that the object lies in, or NULL for a document. */
static void bind_document(struct binder *b, const struct at *at, json_t *v, const char *list_kind)
{
	b->object = "";
	if (json_is_null(v) && !list_kind) /* an empty document between two `---` */
		return;
	if (!json_is_object(v)) {
		bind_wrong_type(b, at, v, "a mapping");
		return;
	}
	const char *kind = string_at(b, at, v, "kind");
	const char *version = string_at(b, at, v, "apiVersion");
	if (!kind || !version)
		return;
	const struct kind *k = find_kind(kind);
	bool has_items = json_object_get(v, "items") != NULL;
	char group[256];
	group_of(version, group);
	if (k && !(is_other(kind, group) && !in_list(version, k->versions)))
		bind_known_kind(b, at, v, k, version);
	else if (strcmp(kind, "List") == 0 || (ends_with(kind, "List") && has_items))
		unfold(b, at, v, kind, list_kind);
	else
		unknown_kind(b, at, kind, version);
	b->object = "";
}

struct objects *objects_bind(struct arena *a, json_t *docs, yaml_fn yaml, struct faults *faults)
{
	struct objects *o = arena_new_type(a, struct objects);
	struct binder b = {.arena = a, .faults = faults, .o = o, .yaml = yaml, .object = ""};
	size_t i;
	json_t *doc;
	o->arena = a;
	o->docs = json_incref(docs);
	json_array_foreach (docs, i, doc) {
		b.doc = (int)i;
		bind_document(&b, NULL, doc, NULL);
	}
	return o;
}
