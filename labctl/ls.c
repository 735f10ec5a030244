/* SPDX-License-Identifier: MIT */
/* ls: the verbs ls (running labs) and labs (shipped labs). */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "labctl/client.h"
#include "labctl/paths.h"
#include "labctl/verbs.h"
#include "lib/base/strbuf.h"
#include "lib/view/age.h"
#include "lib/view/obj.h"
#include "lib/view/table.h"
#include "lib/yaml/yaml.h"

static void print_table(struct strbuf *text)
{
	_strbuf_ struct strbuf table = STRBUF_INIT;
	view_tabs_get(strbuf_str(text), &table);
	fputs(strbuf_str(&table), stdout);
}

static void print_names(const json_t *list)
{
	size_t i;
	json_t *l;
	json_array_foreach ((json_t *)list, i, l)
		puts(obj_str(l, "name", ""));
}

static void ls_table(const json_t *labs, bool wide)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	time_t now = time(NULL);
	size_t i;
	json_t *l;
	strbuf_adds(&text, "NAME\tENGINE\tSTATE\tNODES\tPODS\tHOSTS\tAGE");
	strbuf_adds(&text, wide ? "\tCNI\tKUBERNETES\tKUBE-PROXY\tIPTABLES\tSOURCE\n" : "\n");
	json_array_foreach ((json_t *)labs, i, l) {
		char age[AGE_LEN];
		strbuf_addf(&text, "%s\t%s\t%s\t%lld\t%lld\t%lld\t%s", obj_str(l, "name", ""),
			    obj_str(l, "engine", ""), obj_str(l, "state", ""),
			    (long long)obj_int(l, "nodes", 0), (long long)obj_int(l, "pods", 0),
			    (long long)obj_int(l, "hosts", 0),
			    age_since(obj_str(l, "created", NULL), now, age));
		if (wide)
			strbuf_addf(&text, "\t%s\t%s\t%s\t%s\t%s", obj_str(l, "cni", "<none>"),
				    obj_str(l, "kubernetes", "<none>"),
				    obj_str(l, "proxyMode", "<none>"),
				    obj_str(l, "iptables", "<none>"),
				    obj_str(l, "source", "<none>"));
		strbuf_addc(&text, '\n');
	}
	print_table(&text);
}

int verb_ls(const struct opts *o, struct err *err)
{
	const char *form = o->val[FLAG_OUTPUT] ? o->val[FLAG_OUTPUT] : "";
	json_t *labs = client_all_labs();
	int r = 0;
	if (strcmp(form, "json") == 0 || strcmp(form, "yaml") == 0)
		r = client_print(form, labs, err);
	else if (strcmp(form, "name") == 0)
		print_names(labs);
	else if (json_array_size(labs) == 0)
		fputs("no lab is running\n", stderr);
	else
		ls_table(labs, strcmp(form, "wide") == 0);
	json_decref(labs);
	return r;
}

/* ---- shipped labs ---------------------------------------------------------------------------- */

static json_t *of_kind(const json_t *docs, const char *kind)
{
	size_t i;
	json_t *d;
	json_array_foreach ((json_t *)docs, i, d) {
		if (strcmp(obj_str(d, "kind", ""), kind) == 0)
			return d;
	}
	return NULL;
}

static void add_lab(const char *name, const char *path, void *arg)
{
	json_t *list = arg;
	struct yaml_files *f = yaml_files_new();
	size_t nodes = 0, i;
	json_t *d;
	yaml_files_add(f, path, NULL);
	const json_t *docs = yaml_files_docs(f), *lab = of_kind(docs, "Lab");
	json_array_foreach ((json_t *)docs, i, d)
		nodes += !strcmp(obj_str(d, "kind", ""), "Node");
	json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:i, s:s, s:s}", "name", name, "cni",
					      obj_str(lab, "spec.cni", "none"), "kubernetes",
					      obj_str(lab, "spec.kubernetes", "1.32"), "nodes",
					      (int)nodes, "description",
					      obj_str(lab, "spec.description", ""), "path", path));
	yaml_files_free(f);
}

int verb_labs(const struct opts *o, struct err *err)
{
	const char *form = o->val[FLAG_OUTPUT] ? o->val[FLAG_OUTPUT] : "";
	json_t *list = json_array(), *l;
	size_t i;
	int r = 0;
	path_labs(add_lab, list);
	_strbuf_ struct strbuf text = STRBUF_INIT;
	if (strcmp(form, "json") == 0 || strcmp(form, "yaml") == 0) {
		r = client_print(form, list, err);
	} else if (strcmp(form, "name") == 0) {
		print_names(list);
	} else if (json_array_size(list) == 0) {
		fputs("no shipped labs are found (LABD_LABS names their directory)\n", stderr);
	} else {
		strbuf_adds(&text, "NAME\tCNI\tKUBERNETES\tNODES\tDESCRIPTION\n");
		json_array_foreach (list, i, l)
			strbuf_addf(&text, "%s\t%s\t%s\t%lld\t%s\n", obj_str(l, "name", ""),
				    obj_str(l, "cni", ""), obj_str(l, "kubernetes", ""),
				    (long long)obj_int(l, "nodes", 0),
				    obj_str(l, "description", ""));
		print_table(&text);
	}
	json_decref(list);
	return r;
}
