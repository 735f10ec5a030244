/* SPDX-License-Identifier: MIT */
/* up: the verbs up and down. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "labctl/client.h"
#include "labctl/engine.h"
#include "labctl/labfile.h"
#include "labctl/progress.h"
#include "labctl/verbs.h"
#include "lib/base/cleanup.h"
#include "lib/base/limits.h"
#include "lib/kube/images.h"
#include "lib/plan/desired.h"
#include "lib/view/table.h"

#define STAND_INS_SHOWN 4 /* images named in the note about them */

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void print_needs(const struct desired *d)
{
	const struct {
		bool on;
		const char *name;
	} all[] = {
		{d->needs_vxlan, "vxlan"}, {d->needs_ipip, "ipip"},   {d->needs_ipset, "ipset"},
		{d->needs_ipvs, "ip_vs"},  {d->needs_dummy, "dummy"}, {d->needs_nft, "nf_tables"},
		{d->needs_bird, "bird"},
	};
	fputs("needs of the kernel: veth, bridge, iptables", stdout);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (all[i].on)
			printf(", %s", all[i].name);
	}
	putchar('\n');
}

/* --dry-run: what there would be, namespace by namespace. */
static void dry_run(const struct cluster *c, const struct desired *d)
{
	_strbuf_ struct strbuf text = STRBUF_INIT, table = STRBUF_INIT;
	printf("lab %s: CNI %s, look of Kubernetes %s, kube-proxy %s\n", c->name, cni_str(c->cni),
	       kube_version_str(c->kubernetes), proxy_mode_str(c->proxy.mode));
	printf("%zu node%s, %zu pod%s, %zu service%s, %zu outside host%s\n\n", c->nodes.n,
	       plural(c->nodes.n), c->pods.n, plural(c->pods.n), c->services.n,
	       plural(c->services.n), c->hosts.n, plural(c->hosts.n));
	strbuf_adds(&text, "NAMESPACE\tLINKS\tADDRESSES\tROUTES\tNEIGHBOURS\tFDB\tPROGRAMS\n");
	vec_foreach (struct dns, n, &d->ns)
		strbuf_addf(&text, "%s\t%zu\t%zu\t%zu\t%zu\t%zu\t%zu\n", n->name, n->links.n,
			    n->addrs.n, n->routes.n, n->neighs.n, n->fdbs.n, n->procs.n);
	view_tabs_get(strbuf_str(&text), &table);
	fputs(strbuf_str(&table), stdout);
	putchar('\n');
	print_needs(d);
	puts("nothing was built");
}

/* A pod's name without what a ReplicaSet appended, if that is still unambiguous. */
static void short_name(const struct cluster *c, const struct cpod *p, char *buf, size_t size)
{
	snprintf(buf, size, "%s", p->name);
	for (int cut = 0; cut < 2; cut++) {
		char *dash = strrchr(buf, '-');
		if (dash)
			*dash = '\0';
	}
	unsigned n = 0;
	vec_foreach (struct cpod, q, &c->pods)
		n += strcmp(q->ns, p->ns) == 0 && strncmp(q->name, buf, strlen(buf)) == 0;
	if (n != 1)
		snprintf(buf, size, "%s", p->name);
}

static bool runs_busybox(const struct cpod *p)
{
	return p->obj && p->obj->spec.containers.n &&
	       strncmp(p->obj->spec.containers.v[0].image, "busybox", 7) == 0 &&
	       strcmp(p->ns, "default") == 0;
}

static bool serves_on(const struct csvc *s, const char *node)
{
	vec_foreach (struct cendpoint, e, &s->ports.v[0].eps) {
		if (e->node && strcmp(e->node, node) == 0)
			return true;
	}
	return false;
}

/* A Service of the default namespace that speaks HTTP on port 80 and has endpoints. */
static const struct csvc *web_service(const struct cluster *c)
{
	vec_foreach (struct csvc, s, &c->services) {
		if (strcmp(s->ns, "default") == 0 && s->cluster_ip && s->ports.n &&
		    s->ports.v[0].port->port == 80 && s->ports.v[0].eps.n)
			return s;
	}
	return NULL;
}

static const struct cpod *pod_of_flow(const struct cluster *c, const struct flow *f)
{
	if (strncmp(f->from, "pod/", 4) != 0)
		return NULL;
	vec_foreach (struct cpod, p, &c->pods) {
		if (runs_busybox(p) && strncmp(p->name, f->from + 4, strlen(f->from + 4)) == 0)
			return p;
	}
	return NULL;
}

/* A pod to try the Service from: one of the lab's flows, and on a node where the Service has no
 * endpoint, so that the packet takes the tunnel; else any with a busybox. */
static const struct cpod *client_pod(const struct cluster *c, const struct csvc *s)
{
	const struct cpod *any = NULL;
	vec_foreach (struct flow, f, &c->objects->lab.flows) {
		const struct cpod *p = pod_of_flow(c, f);
		if (p && s && !serves_on(s, c->nodes.v[p->node].name))
			return p;
		any = any ? any : p;
	}
	vec_foreach (struct cpod, p, &c->pods) {
		if (!any && runs_busybox(p))
			any = p;
	}
	return any;
}

/* The last line: a command that shows the lab at work. */
static void print_try(const struct cluster *c, const char *lab, bool only)
{
	const struct csvc *s = web_service(c);
	const struct cpod *from = client_pod(c, s);
	const char *flag = only ? "" : " -l ", *name = only ? "" : lab;
	char where[MAX_NAME + 1];
	if (from && s) {
		short_name(c, from, where, sizeof(where));
		printf("try: labctl exec%s%s %s -- wget -qO- http://%s\n", flag, name, where,
		       s->name);
	} else if (c->nodes.n) {
		printf("try: labctl exec%s%s node/%s -- ip route\n", flag, name,
		       c->nodes.v[0].name);
	}
}

static const char *text_at(const json_t *o, const char *key, const char *def)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s ? s : def;
}

/* Is the lab that came up the only one, of all engines? */
static bool is_only(enum engine_kind k, const json_t *result)
{
	size_t n = (size_t)json_integer_value(json_object_get(result, "labs"));
	for (int i = 0; i < ENGINE_COUNT; i++) {
		json_t *labs = i == (int)k ? NULL : client_labs((enum engine_kind)i);
		n += json_array_size(labs);
		json_decref(labs);
	}
	return n < 2;
}

static void print_up(const struct cluster *c, enum engine_kind k, const json_t *result)
{
	const json_t *lab = json_object_get(result, "lab");
	const char *name = text_at(lab, "name", c->name);
	json_t *note;
	size_t i;
	json_array_foreach (json_object_get(result, "notes"), i, note)
		fprintf(stderr, "%s\n", json_string_value(note));
	if (json_is_true(json_object_get(result, "already")))
		printf("lab %s is up already\n", name);
	else
		printf("lab %s is up: %zu node%s, %zu pod%s, %zu outside host%s; %s engine, "
		       "%lld ms\n",
		       name, c->nodes.n, plural(c->nodes.n), c->pods.n, plural(c->pods.n),
		       c->hosts.n, plural(c->hosts.n), engine_name(k),
		       (long long)json_integer_value(json_object_get(result, "took_ms")));
	print_try(c, name, is_only(k, result));
}

/* Images of a real cluster have no program here: say what answers in their place. */
static void note_stand_ins(const struct labfile *f)
{
	strs images = {0};
	images_stood_in(f->arena, f->cluster->objects, &images);
	for (size_t i = 0; i < images.n && i < STAND_INS_SHOWN; i++)
		printf("%s%s", i ? ", " : "a stand-in answers on the ports of ", images.v[i]);
	if (images.n > STAND_INS_SHOWN)
		printf(" and %zu more images", images.n - STAND_INS_SHOWN);
	if (images.n)
		printf(", whose program%s not here\n", images.n == 1 ? " is" : "s are");
}

static int send_up(const struct opts *o, const struct labfile *f, enum engine_kind k,
		   struct err *err)
{
	json_t *result = NULL, *faults = NULL;
	json_t *args = json_pack("{s:o, s:s, s:s*, s:b}", "objects", labfile_documents(f), "source",
				 f->source, "name", o->val[FLAG_NAME], "fresh",
				 o->val[FLAG_FRESH] != NULL);
	struct progress *p = progress_new("up");
	struct call c = {.name = "up",
			 .args = args,
			 .progress = progress_take,
			 .arg = p,
			 .on_interrupt = "undoing what was built",
			 .cancellable = true,
			 .faults = &faults};
	int r = client_call(k, &c, &result, err);
	progress_free(p);
	if (r == 0) {
		note_stand_ins(f);
		print_up(f->cluster, k, result);
	}
	labfile_print_faults(f, faults);
	json_decref(faults);
	json_decref(result);
	return r;
}

int verb_up(const struct opts *o, struct err *err)
{
	struct labfile f;
	struct cluster_opts opts = {.name = o->val[FLAG_NAME]};
	const char *want;
	int r = engine_wanted(o->val[FLAG_ENGINE], &want, err);
	if (r == 0)
		r = labfile_load(&f, o->args, o->n_args, &opts, err);
	if (r < 0)
		return r;
	if (!f.cluster->is_lab) {
		r = err_setc(err, EINVAL, ERR_USAGE, "%s: no object of kind Lab in it", f.source);
		err_hint(err, "labctl plan takes bare manifests; a lab needs kind: Lab (man "
			      "lab.yaml)");
	} else {
		struct desired *d = desired_build(f.arena, f.cluster);
		enum engine_kind k;
		if (o->val[FLAG_DRY_RUN])
			dry_run(f.cluster, d);
		else
			r = engine_pick(want, d, &k, err);
		if (r == 0 && !o->val[FLAG_DRY_RUN])
			r = send_up(o, &f, k, err);
	}
	labfile_free(&f);
	return r;
}

/* ---- down ------------------------------------------------------------------------------------ */

/* Take the labs of `names` away that this engine has (all of them if names is NULL). */
static int down_in(enum engine_kind k, json_t *names, size_t *taken, struct err *err)
{
	json_t *result = NULL, *n;
	size_t i;
	struct progress *p = progress_new("gone");
	struct call c = {.name = "down",
			 .args = names ? json_pack("{s:O}", "labs", names)
				       : json_pack("{s:b}", "all", true),
			 .progress = progress_take,
			 .arg = p,
			 .on_interrupt = "what has begun is finished"};
	int r = client_call(k, &c, &result, err);
	progress_free(p);
	json_array_foreach (json_object_get(result, "down"), i, n) {
		printf("lab %s is gone\n", json_string_value(n));
		++*taken;
	}
	json_decref(result);
	return r;
}

/* Which labs the command line means: a new array; NULL for all. */
static int down_names(const struct opts *o, json_t **ret, struct err *err)
{
	const char *env = getenv("LABCTL_LAB");
	const char *one = o->val[FLAG_LAB] ? o->val[FLAG_LAB] : env && *env ? env : NULL;
	*ret = NULL;
	if (o->val[FLAG_ALL])
		return 0;
	*ret = json_array();
	for (int i = 0; i < o->n_args; i++)
		json_array_append_new(*ret, json_string(o->args[i]));
	if (o->n_args == 0 && one)
		json_array_append_new(*ret, json_string(one));
	if (json_array_size(*ret))
		return 0;
	json_t *labs = client_all_labs();
	size_t n = json_array_size(labs);
	if (n == 1)
		json_array_append(*ret, json_object_get(json_array_get(labs, 0), "name"));
	json_decref(labs);
	if (n < 2)
		return 0;
	json_decref(*ret);
	*ret = NULL;
	err_setc(err, EINVAL, ERR_USAGE, "%zu labs are running", n);
	return err_hint(err, "say which (labctl ls), or --all");
}

int verb_down(const struct opts *o, struct err *err)
{
	json_t *names;
	size_t taken = 0;
	int r = down_names(o, &names, err);
	if (r < 0)
		return r;
	client_revive();
	for (int k = 0; r == 0 && k < ENGINE_COUNT; k++)
		if (client_answers_soon_asked((enum engine_kind)k))
			r = down_in((enum engine_kind)k, names, &taken, err);
	if (r == 0 && taken == 0 && json_array_size(names) == 1)
		printf("lab %s is not up\n", json_string_value(json_array_get(names, 0)));
	else if (r == 0 && taken == 0)
		puts("no lab is up");
	json_decref(names);
	return r;
}
