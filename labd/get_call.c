/* SPDX-License-Identifier: MIT */
/* See get_call.h. */
#include "labd/get_call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "labd/kernel/proc.h"
#include "labd/lab/brief.h"
#include "labd/lab/kobjects.h"
#include "labd/lab/pod_status.h"
#include "lib/base/limits.h"

static const char *str_arg(const json_t *args, const char *key)
{
	return json_string_value(json_object_get(args, key));
}

/* A lab at hand, with what is alive of it. */
struct living {
	struct stored lab;
	struct journal j;
	struct kobjects_live live;
	char key[BRIEF_KEY]; /* of its brief */
};

static bool ns_alive(void *arg, const char *ns)
{
	const struct living *l = arg;
	const struct journal_proc *p = journal_proc_find(&l->j, ns);
	return p && proc_alive(p->pid, p->starttime);
}

static const char *condition(const struct stored *s, struct living *l)
{
	if (l->j.state == LAB_BUILDING)
		return "starting";
	if (l->j.state == LAB_REMOVING)
		return "stopping";
	vec_foreach (struct dns, ns, &s->desired->ns)
		if (ns->kind != DNS_FABRIC && ns->kind != DNS_ROUTER && !ns_alive(l, ns->name))
			return "broken";
	return "running";
}

static json_t *flows_json(const struct stored *s)
{
	json_t *list = json_array();
	vec_foreach (const struct flow, f, &s->objects->lab.flows) {
		json_t *expect = json_array();
		for (size_t i = 0; i < f->expect.n; i++)
			json_array_append_new(expect, json_string(f->expect.v[i]));
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s*, s:o}", "name", f->name,
						      "from", f->from, "to", f->to, "description",
						      f->description, "expect", expect));
	}
	return list;
}

static json_t *describe_lab(const struct session *s, const struct stored *l, const char *state)
{
	char when[32];
	time_stamp(l->created, when);
	const struct cluster *c = l->cluster;
	const char *desc = l->objects->lab.description;
	return json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s, s:s, s:s, s:s?, s:i, s:i, s:i, s:s, s:o}",
			 "name", l->name, "engine", s->server->engine.name, "state", state,
			 "source", str_arg(l->meta, "source"), "description", desc ? desc : "",
			 "cni", cni_str(c->cni), "kubernetes", kube_version_str(c->kubernetes),
			 "proxyMode", proxy_mode_str(c->proxy.mode), "iptables",
			 str_arg(l->meta, "backend"), "nodes", (int)c->nodes.n, "pods",
			 (int)c->pods.n, "hosts", (int)c->hosts.n, "created", when, "flows",
			 flows_json(l));
}

json_t *lab_json(const struct session *s, const struct stored *l, bool new)
{
	struct living alive = {0};
	if (new)
		return describe_lab(s, l, "running");
	if (journal_read(l->dir, l->arena, &alive.j, NULL) < 0)
		alive.j.state = LAB_BUILDING;
	return describe_lab(s, l, condition(l, &alive));
}

/* ---- the long way ---------------------------------------------------------------------------- */

static int living_open(const struct session *s, const char *name, struct living *l, struct err *err)
{
	*l = (struct living){.lab = {.lock = -1}};
	brief_key(&s->server->engine, name, l->key);
	int r = store_load(&s->server->engine, name, &l->lab, err);
	if (r < 0)
		return r;
	r = journal_read(l->lab.dir, l->lab.arena, &l->j, err);
	l->live = (struct kobjects_live){ns_alive, l, pod_status_load(l->lab.dir)};
	return r;
}

static void living_close(struct living *l)
{
	json_decref((json_t *)l->live.pods);
	stored_free(&l->lab);
}

/* So that the next one has it shorter. */
static void keep_brief(const struct session *s, struct living *l)
{
	json_t *lab = describe_lab(s, &l->lab, condition(&l->lab, l));
	json_t *pods = kobjects_list(&l->lab, "pods", NULL, &l->live, NULL);
	brief_store(&l->lab, l->key, &l->j, pods, lab);
	json_decref(pods);
	json_decref(lab);
}

/* ---- the calls ------------------------------------------------------------------------------- */

/* 1: sent; 0: there is none; negative: the client is gone. */
static int table(struct session *s, const char *name, json_t **ret, struct err *err)
{
	struct brief b;
	int r = 0;
	if (!brief_load(&s->server->engine, name, &b))
		return 0;
	for (size_t left = strlen(b.rows), n; r == 0 && left; b.rows += n, left -= n) {
		n = left < MAX_FRAME_BYTES ? left : MAX_FRAME_BYTES;
		r = wire_send(&s->w, WIRE_STDOUT, b.rows, n, err);
	}
	brief_free(&b);
	*ret = json_pack("{s:s, s:b}", "lab", name, "table", true);
	return r < 0 ? r : 1;
}

int get_call(struct session *s, const char *name, const json_t *args, json_t **ret, struct err *err)
{
	const char *kind = str_arg(args, "kind");
	struct living l;
	if (!kind)
		return err_setc(err, EINVAL, ERR_USAGE, "argument \"kind\" must be a text");
	bool rows = json_is_true(json_object_get(args, "table")) && strcmp(kind, "pods") == 0;
	int r = rows ? table(s, name, ret, err) : 0;
	if (r != 0)
		return r < 0 ? r : 0;
	r = living_open(s, name, &l, err);
	if (r == 0 && rows) {
		keep_brief(s, &l);
		r = table(s, name, ret, err);
	}
	if (r == 0) {
		json_t *items = kobjects_list(&l.lab, kind, str_arg(args, "ns"), &l.live, err);
		if (items)
			*ret = json_pack("{s:s, s:o}", "lab", name, "items", items);
		else
			r = err->code;
	}
	living_close(&l);
	return r < 0 ? r : 0;
}

static int by_created(const void *a, const void *b)
{
	return strcmp(str_arg(*(json_t *const *)a, "created"),
		      str_arg(*(json_t *const *)b, "created"));
}

/* NULL: it was taken away just now. */
static json_t *one_lab(const struct session *s, const char *name)
{
	struct brief b;
	struct living l;
	json_t *lab = NULL;
	if (brief_load(&s->server->engine, name, &b)) {
		lab = json_loads(b.lab, 0, NULL);
		brief_free(&b);
		return lab;
	}
	if (living_open(s, name, &l, NULL) == 0) {
		lab = describe_lab(s, &l.lab, condition(&l.lab, &l));
		keep_brief(s, &l);
	}
	living_close(&l);
	return lab;
}

int ls_call(const struct session *s, json_t **ret)
{
	json_t *names = store_list(&s->server->engine), *v, *labs[MAX_LABS];
	size_t i, n = 0;
	json_array_foreach (names, i, v) {
		json_t *lab = one_lab(s, json_string_value(v));
		if (lab)
			labs[n++] = lab;
	}
	json_decref(names);
	qsort(labs, n, sizeof(*labs), by_created);
	json_t *list = json_array();
	for (i = 0; i < n; i++)
		json_array_append_new(list, labs[i]);
	*ret = json_pack("{s:o}", "labs", list);
	return 0;
}
