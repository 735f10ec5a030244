/* SPDX-License-Identifier: MIT */
/* See describe.h. The forms of pods, workloads, nodes and services are in describe_work.c. */
#include "lib/view/describe.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#include "lib/base/cleanup.h"
#include "lib/view/age.h"
#include "lib/view/describe_parts.h"
#include "lib/view/obj.h"
#include "lib/view/table.h"

#define MAX_DESCRIBE_DEPTH 16

void part_name(const json_t *o, struct strbuf *out)
{
	strbuf_addf(out, "Name:\t%s\n", obj_name(o));
	const char *ns = obj_str(o, "metadata.namespace", NULL);
	if (ns)
		strbuf_addf(out, "Namespace:\t%s\n", ns);
}

void part_labels(const char *heading, const json_t *labels, struct strbuf *out)
{
	strbuf_addf(out, "%s:\t", heading);
	obj_labels(labels, "\n\t", out);
	strbuf_addc(out, '\n');
}

static void add_lines(const char *text, const char *indent, struct strbuf *out)
{
	while (*text) {
		size_t n = strcspn(text, "\n");
		strbuf_addf(out, "%s%.*s\n", indent, (int)n, text);
		text += n + (text[n] == '\n');
	}
}

void part_annotations(const json_t *o, struct strbuf *out)
{
	const json_t *notes = obj_at(o, "metadata.annotations");
	size_t n, shown = 0;
	_free_ const char **keys = obj_sorted_keys(notes, &n);
	strbuf_adds(out, "Annotations:\t");
	for (size_t i = 0; i < n; i++) {
		if (strcmp(keys[i], "kubectl.kubernetes.io/last-applied-configuration") == 0)
			continue;
		const char *s = json_string_value(json_object_get(notes, keys[i]));
		strbuf_addf(out, "%s%s:", shown++ ? "\t" : "", keys[i]);
		if (s && strchr(s, '\n')) {
			strbuf_addc(out, '\n');
			add_lines(s, "\t  ", out);
		} else {
			strbuf_addf(out, " %s\n", s ? s : "");
		}
	}
	if (!shown)
		strbuf_adds(out, "<none>\n");
}

void part_head(const json_t *o, struct strbuf *out)
{
	part_name(o, out);
	part_labels("Labels", obj_at(o, "metadata.labels"), out);
	part_annotations(o, out);
}

void part_time(const char *heading, const char *stamp, struct strbuf *out)
{
	time_t t;
	struct tm tm;
	char text[64] = "<unknown>";
	if (time_parse(stamp, &t) && localtime_r(&t, &tm))
		strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S %z", &tm);
	strbuf_addf(out, "%s:\t%s\n", heading, text);
}

void part_events(struct strbuf *out)
{
	strbuf_adds(out, "Events:\t<none>\n");
}

static void describe_configmap(const json_t *o, const json_t *related, struct strbuf *out)
{
	static const char *const members[] = {"data", "binaryData"};
	static const char *const titles[] = {"\nData\n====\n", "\nBinaryData\n====\n"};
	part_head(o, out);
	for (size_t m = 0; m < ARRAY_SIZE(members); m++) {
		const json_t *data = obj_at(o, members[m]);
		size_t n;
		_free_ const char **keys = obj_sorted_keys(data, &n);
		strbuf_adds(out, titles[m]);
		for (size_t i = 0; i < n; i++) {
			strbuf_addf(out, "%s:\n----\n", keys[i]);
			obj_scalar(json_object_get(data, keys[i]), out);
			strbuf_adds(out, "\n\n");
		}
	}
	strbuf_addc(out, '\n');
	part_events(out);
}

static void add_addresses(const char *heading, const json_t *list, struct strbuf *out)
{
	size_t i;
	json_t *a;
	strbuf_addf(out, "  %s:\t", heading);
	json_array_foreach ((json_t *)list, i, a)
		strbuf_addf(out, "%s%s", i ? "," : "", obj_str(a, "ip", ""));
	strbuf_adds(out, json_array_size(list) ? "\n" : "<none>\n");
}

static void describe_endpoints(const json_t *o, const json_t *related, struct strbuf *out)
{
	part_head(o, out);
	strbuf_adds(out, "Subsets:\n");
	size_t i, k;
	json_t *s, *p;
	json_array_foreach ((json_t *)obj_at(o, "subsets"), i, s) {
		add_addresses("Addresses", obj_at(s, "addresses"), out);
		add_addresses("NotReadyAddresses", obj_at(s, "notReadyAddresses"), out);
		const json_t *ports = obj_at(s, "ports");
		strbuf_adds(out, json_array_size(ports) ? "  Ports:\n    Name\tPort\tProtocol\n"
							  "    ----\t----\t--------\n"
							: "  Ports:\t<unset>\n");
		json_array_foreach ((json_t *)ports, k, p)
			strbuf_addf(out, "    %s\t%lld\t%s\n", obj_str(p, "name", "<unset>"),
				    (long long)obj_int(p, "port", 0),
				    obj_str(p, "protocol", "TCP"));
		strbuf_addc(out, '\n');
	}
	part_events(out);
}

static void describe_namespace(const json_t *o, const json_t *related, struct strbuf *out)
{
	part_name(o, out);
	part_labels("Labels", obj_at(o, "metadata.labels"), out);
	part_annotations(o, out);
	strbuf_addf(out, "Status:\t%s\n\nNo resource quota.\n\nNo LimitRange resource.\n",
		    obj_str(o, "status.phase", "Active"));
}

/* "natOutgoing" -> "Nat Outgoing", "podCIDR" -> "Pod CIDR", "apiVersion" -> "API Version". */
static void add_title(const char *key, struct strbuf *out)
{
	if (strncmp(key, "api", 3) == 0 && isupper((unsigned char)key[3])) {
		strbuf_adds(out, "API");
		key += 3;
	} else if (strcmp(key, "uid") == 0) {
		strbuf_adds(out, "UID");
		return;
	}
	for (const char *p = key; *p; p++) {
		bool starts = isupper((unsigned char)*p) &&
			      (p == key || islower((unsigned char)p[-1])) && out->len;
		if (starts && out->s[out->len - 1] != ' ')
			strbuf_addc(out, ' ');
		strbuf_addc(out, p == key ? (char)toupper((unsigned char)*p) : *p);
	}
}

static bool shown_in_head(unsigned level, const char *key)
{
	static const char *const skip[] = {"name", "namespace", "labels", "annotations"};
	for (size_t i = 0; level == 1 && i < ARRAY_SIZE(skip); i++) {
		if (strcmp(key, skip[i]) == 0)
			return true;
	}
	return false;
}

/* An object's members, sorted, one line each. `meta` is set inside metadata. */
static void add_fields(const json_t *o, unsigned level, bool meta, struct strbuf *out)
{
	size_t n;
	_free_ const char **keys = obj_sorted_keys(o, &n);
	for (size_t i = 0; i < n && level < MAX_DESCRIBE_DEPTH; i++) {
		const json_t *v = json_object_get(o, keys[i]);
		if (meta && shown_in_head(level, keys[i]))
			continue;
		_strbuf_ struct strbuf title = STRBUF_INIT;
		add_title(keys[i], &title);
		strbuf_addf(out, "%*s%s:", (int)level * 2, "", strbuf_str(&title));
		if (json_is_object(v)) {
			strbuf_addc(out, '\n');
			add_fields(v, level + 1, level == 0 && !strcmp(keys[i], "metadata"), out);
			continue;
		}
		if (!json_is_array(v)) {
			strbuf_addc(out, '\t');
			obj_scalar(v, out);
			strbuf_addc(out, '\n');
			continue;
		}
		strbuf_addc(out, '\n');
		size_t k;
		json_t *e;
		json_array_foreach ((json_t *)v, k, e) {
			if (json_is_object(e)) {
				add_fields(e, level + 1, false, out);
				continue;
			}
			strbuf_addf(out, "%*s", (int)level * 2 + 2, "");
			obj_scalar(e, out);
			strbuf_addc(out, '\n');
		}
	}
}

static void describe_any(const json_t *o, const json_t *related, struct strbuf *out)
{
	part_name(o, out);
	if (!obj_str(o, "metadata.namespace", NULL))
		strbuf_adds(out, "Namespace:\t\n");
	part_labels("Labels", obj_at(o, "metadata.labels"), out);
	part_annotations(o, out);
	add_fields(o, 0, false, out);
	part_events(out);
}

static const struct form {
	const char *plural;
	void (*print)(const json_t *o, const json_t *related, struct strbuf *out);
} forms[] = {
	{"pods", describe_pod},
	{"deployments", describe_deployment},
	{"nodes", describe_node},
	{"services", describe_service},
	{"configmaps", describe_configmap},
	{"endpoints", describe_endpoints},
	{"namespaces", describe_namespace},
};

void view_describe(const struct view_kind *k, const json_t *o, const json_t *related,
		   struct strbuf *out)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	const struct form *f = forms;
	while (f < forms + ARRAY_SIZE(forms) && strcmp(f->plural, k->plural) != 0)
		f++;
	if (f < forms + ARRAY_SIZE(forms))
		f->print(o, related, &text);
	else
		describe_any(o, related, &text);
	view_tabs_describe(strbuf_str(&text), out);
}
