/* SPDX-License-Identifier: MIT */
/*
 * ConfigMaps, and what a real cluster keeps in two of them: KubeProxyConfiguration in kube-proxy
 * (bind_proxy.c reads it) and flannel's net-conf.json in kube-flannel-cfg, whose values are held
 * against the rules of flannel's backends.
 */
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/kube/bind.h"

/* Beside the text of a ConfigMap that was parsed in place, the text as it was. */
#define TEXTS_KEY "labd.dev/text"

/* ConfigMaps ----------------------------------------------------------------------------------- */

/* data["config.conf"] of the kube-proxy ConfigMap. The text is replaced by what it means, so that
 * whoever gets the documents next needs no YAML parser. */
static void bind_config_conf(struct binder *b, const struct at *at, json_t *object,
			     const struct meta *m)
{
	char why[256] = "";
	json_t *data = json_object_get(object, "data");
	json_t *text = json_object_get(data, "config.conf");
	if (json_is_string(text)) {
		json_t *parsed = b->yaml ? b->yaml(json_string_value(text), why) : NULL;
		json_t *texts = json_object_get(object, TEXTS_KEY);
		if (!parsed) {
			bind_fault(b, at, NULL, "%s",
				   b->yaml ? why : "the client sent the text unread");
			return;
		}
		if (!json_is_object(texts)) {
			texts = json_object();
			json_object_set_new(object, TEXTS_KEY, texts);
		}
		json_object_set(texts, "config.conf", text);
		json_object_set_new(data, "config.conf", parsed);
	}
	text = json_object_get(data, "config.conf");
	if (!json_is_object(text))
		bind_wrong_type(b, at, text, "a mapping");
	else
		bind_proxy_config(b, at, text, m);
}

struct backend {
	const char *type;
	unsigned vni, port;
	bool direct_routing;
};
struct flannel_doc {
	struct flannel_config c;
	struct backend backend;
	bool has_network;
};

static bool bind_network(struct binder *b, const struct at *at, json_t *v, void *dst,
			 const void *arg)
{
	struct flannel_doc *d = dst;
	if (!bind_cidr(b, at, v, &d->c.network, arg))
		return false;
	d->c.network = cidr_net(d->c.network);
	d->has_network = true;
	return true;
}

/* The backend's name, of which flannel ignores the case. */
static bool bind_backend_type(struct binder *b, const struct at *at, json_t *v, void *dst,
			      const void *arg)
{
	static const struct {
		const char *name;
		enum flannel_backend backend;
	} backends[] = {
		{"vxlan", FLANNEL_VXLAN}, {"host-gw", FLANNEL_HOST_GW}, {"ipip", FLANNEL_IPIP}};
	struct flannel_doc *d = dst;
	const char *s = json_string_value(v);
	(void)arg;
	if (!s)
		return bind_wrong_type(b, at, v, "a string");
	d->backend.type = arena_strdup(b->arena, s);
	for (size_t i = 0; i < ARRAY_SIZE(backends); i++)
		if (strcasecmp(backends[i].name, s) == 0) {
			d->c.backend = backends[i].backend;
			return true;
		}
	return bind_fault(b, at, NULL, "`%s` is not one of vxlan, host-gw, ipip", s);
}

static const struct range range_vni = {0, 16777215};
static const struct field backend_fields[] = {
	{.key = "Type", .fn = bind_backend_type, .required = true},
	FIELD("VNI", struct flannel_doc, backend.vni, bind_uint, &range_vni),
	FIELD("Port", struct flannel_doc, backend.port, bind_uint, &range_port_0),
	FIELD("DirectRouting", struct flannel_doc, backend.direct_routing, bind_bool, NULL),
};
static const struct shape backend_shape = SHAPE(backend_fields);
static const struct field flannel_fields[] = {
	{.key = "Network", .fn = bind_network, .required = true},
	{.key = "Backend", .fn = bind_shape, .arg = &backend_shape, .required = true},
};
static const struct shape flannel_shape = SHAPE(flannel_fields);

static void bind_net_conf(struct binder *b, const struct at *at, json_t *text, const struct meta *m)
{
	struct flannel_doc d = {.c = {.present = true, .meta = *m}, .backend.vni = 1};
	json_error_t why;
	if (b->o->flannel.present) {
		bind_fault(b, at, NULL, "a second configuration of flannel");
		fault_first(b->faults, b->o->flannel.meta.doc, b->o->flannel.meta.path);
		return;
	}
	json_t *conf = json_is_string(text)
			       ? json_loads(json_string_value(text), JSON_REJECT_DUPLICATES, &why)
			       : json_incref(text);
	if (!conf) {
		bind_fault(b, at, NULL, "not JSON: line %d: %s", why.line, why.text);
		return;
	}
	bind_shape(b, at, conf, &d, &flannel_shape);
	json_decref(conf);
	d.c.vni = d.backend.vni;
	d.c.port = d.backend.port;
	d.c.direct_routing = d.backend.direct_routing;
	if (d.has_network)
		b->o->flannel = d.c;
}

void bind_configmap(struct binder *b, const struct at *at, json_t *v, const struct meta *m)
{
	json_t *data = json_object_get(v, "data");
	const struct at *at_data = AT_KEY(at, "data");
	*vec_push(b->arena, &b->o->configmaps) = *m;
	if (!data || json_is_null(data))
		return;
	if (!json_is_object(data)) {
		bind_wrong_type(b, at_data, data, "a mapping");
		return;
	}
	bool proxy = strcmp(m->name, "kube-proxy") == 0 && json_object_get(data, "config.conf");
	bool flannel =
		strcmp(m->name, "kube-flannel-cfg") == 0 && json_object_get(data, "net-conf.json");
	const char *key;
	json_t *value;
	json_object_foreach (data, key, value) {
		bool read = (proxy && strcmp(key, "config.conf") == 0) ||
			    (flannel && strcmp(key, "net-conf.json") == 0);
		if (!read && !json_is_string(value))
			bind_wrong_type(b, AT_KEY(at_data, key), value, "a string");
	}
	if (proxy)
		bind_config_conf(b, AT_KEY(at_data, "config.conf"), v, m);
	if (flannel)
		bind_net_conf(b, AT_KEY(at_data, "net-conf.json"),
			      json_object_get(data, "net-conf.json"), m);
}
