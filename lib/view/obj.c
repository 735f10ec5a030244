/* SPDX-License-Identifier: MIT */
/* See obj.h. */
#include "lib/view/obj.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"

const json_t *obj_at(const json_t *o, const char *path)
{
	while (o && *path) {
		size_t len = strcspn(path, ".");
		char key[128];
		if (len >= sizeof(key))
			return NULL;
		memcpy(key, path, len);
		key[len] = '\0';
		o = json_is_array(o) ? json_array_get(o, strtoul(key, NULL, 10))
				     : json_object_get(o, key);
		path += len + (path[len] == '.');
	}
	return o;
}

const char *obj_str(const json_t *o, const char *path, const char *def)
{
	const char *s = json_string_value(obj_at(o, path));
	return s && *s ? s : def;
}

json_int_t obj_int(const json_t *o, const char *path, json_int_t def)
{
	const json_t *v = obj_at(o, path);
	return json_is_integer(v) ? json_integer_value(v) : def;
}

const char *obj_name(const json_t *o)
{
	return obj_str(o, "metadata.name", "");
}

const json_t *obj_of_type(const json_t *array, const char *type)
{
	size_t i;
	json_t *v;
	json_array_foreach ((json_t *)array, i, v) {
		if (strcmp(obj_str(v, "type", ""), type) == 0)
			return v;
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **obj_sorted_keys(const json_t *o, size_t *n)
{
	const char **keys = calloc(json_object_size(o) + 1, sizeof(*keys));
	*n = 0;
	if (!keys)
		return NULL;
	const char *key;
	json_t *v;
	json_object_foreach ((json_t *)o, key, v)
		keys[(*n)++] = key;
	qsort(keys, *n, sizeof(*keys), compare);
	return keys;
}

void obj_scalar(const json_t *v, struct strbuf *out)
{
	if (json_is_string(v)) {
		strbuf_adds(out, json_string_value(v));
	} else if (v && !json_is_null(v)) {
		_free_ char *s = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
		strbuf_adds(out, s ? s : "");
	}
}

void obj_labels(const json_t *labels, const char *sep, struct strbuf *out)
{
	size_t n;
	_free_ const char **keys = obj_sorted_keys(labels, &n);
	for (size_t i = 0; i < n; i++) {
		strbuf_addf(out, "%s%s=", i ? sep : "", keys[i]);
		obj_scalar(json_object_get(labels, keys[i]), out);
	}
	if (n == 0)
		strbuf_adds(out, "<none>");
}

static void add_values(const json_t *values, struct strbuf *out)
{
	size_t i;
	json_t *v;
	strbuf_addc(out, '(');
	json_array_foreach ((json_t *)values, i, v) {
		if (i)
			strbuf_addc(out, ',');
		obj_scalar(v, out);
	}
	strbuf_addc(out, ')');
}

static void add_expression(const json_t *e, struct strbuf *out)
{
	const char *key = obj_str(e, "key", ""), *op = obj_str(e, "operator", "");
	if (strcmp(op, "Exists") == 0) {
		strbuf_adds(out, key);
	} else if (strcmp(op, "DoesNotExist") == 0) {
		strbuf_addf(out, "!%s", key);
	} else {
		strbuf_addf(out, "%s %s ", key, strcmp(op, "In") == 0 ? "in" : "notin");
		add_values(obj_at(e, "values"), out);
	}
}

void obj_selector(const json_t *sel, struct strbuf *out)
{
	const json_t *labels = obj_at(sel, "matchLabels");
	const json_t *exprs = obj_at(sel, "matchExpressions");
	if (json_object_size(labels) || json_array_size(exprs) == 0)
		obj_labels(labels, ",", out);
	size_t i;
	json_t *e;
	json_array_foreach ((json_t *)exprs, i, e) {
		if (i || json_object_size(labels))
			strbuf_addc(out, ',');
		add_expression(e, out);
	}
}

#define ENDPOINTS_SHOWN 3

struct ep_list {
	struct strbuf *out;
	unsigned n;
};

static void add_endpoint(struct ep_list *l, const char *ip, json_int_t port)
{
	if (l->n++ >= ENDPOINTS_SHOWN)
		return;
	strbuf_addf(l->out, "%s%s", l->n > 1 ? "," : "", ip);
	if (port)
		strbuf_addf(l->out, ":%lld", (long long)port);
}

static void add_subset(struct ep_list *l, const json_t *subset, const char *port_name)
{
	const json_t *addrs = obj_at(subset, "addresses"), *ports = obj_at(subset, "ports");
	size_t i, k;
	json_t *a, *p;
	if (json_array_size(ports) == 0 && !port_name) {
		json_array_foreach ((json_t *)addrs, i, a)
			add_endpoint(l, obj_str(a, "ip", ""), 0);
	}
	json_array_foreach ((json_t *)ports, k, p) {
		if (port_name && strcmp(obj_str(p, "name", ""), port_name) != 0)
			continue;
		json_array_foreach ((json_t *)addrs, i, a)
			add_endpoint(l, obj_str(a, "ip", ""), obj_int(p, "port", 0));
	}
}

void obj_endpoints(const json_t *endpoints, const char *port_name, struct strbuf *out)
{
	struct ep_list l = {.out = out};
	size_t i;
	json_t *s;
	json_array_foreach ((json_t *)obj_at(endpoints, "subsets"), i, s)
		add_subset(&l, s, port_name);
	if (l.n == 0)
		strbuf_adds(out, "<none>");
	else if (l.n > ENDPOINTS_SHOWN)
		strbuf_addf(out, " + %u more...", l.n - ENDPOINTS_SHOWN);
}

void obj_node_roles(const json_t *node, struct strbuf *out)
{
	static const char prefix[] = "node-role.kubernetes.io/";
	const json_t *labels = obj_at(node, "metadata.labels");
	size_t n, found = 0;
	_free_ const char **keys = obj_sorted_keys(labels, &n);
	for (size_t i = 0; i < n; i++) {
		if (strncmp(keys[i], prefix, sizeof(prefix) - 1) == 0)
			strbuf_addf(out, "%s%s", found++ ? "," : "", keys[i] + sizeof(prefix) - 1);
	}
	if (!found)
		strbuf_adds(out, "<none>");
}
