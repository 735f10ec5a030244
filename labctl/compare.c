/* SPDX-License-Identifier: MIT */
/*
 * compare: the verb compare: one flow traced in several labs, side by side. Running labs are used
 * as they are; what is not running is brought up, traced and taken down again, one after the other,
 * also when something fails or the user interrupts. Recordings stand for labs too.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "labctl/client.h"
#include "labctl/engine.h"
#include "labctl/labfile.h"
#include "labctl/progress.h"
#include "labctl/trace.h"
#include "lib/base/cleanup.h"
#include "lib/base/limits.h"
#include "lib/recording/compare.h"
#include "lib/view/compare.h"
#include "lib/view/obj.h"

#define EXIT_INTERRUPTED (128 + SIGINT)
#define TRACE_TIMEOUT_S	 120
#define TIMING_RUNS	 20

/* One operand. */
struct side {
	const char *word;
	enum { SIDE_RUNNING, SIDE_BUILT, SIDE_RECORDED } kind;
	enum engine_kind engine;
	const char *lab, *from, *to;
	rec_strs flows;	     /* names of what the lab has */
	struct labfile file; /* SIDE_BUILT */
	bool up;	     /* by us: to be taken down */
	struct recording *rec;
};

struct compare {
	const struct opts *o;
	struct arena *a;
	const char *flow, *engine;
	int runs;
	struct side *v;
	size_t n;
};

/* ---- signals ---------------------------------------------------------------------------------
 */

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
	static const char text[] = "\ninterrupted: taking down what was brought up\n";
	ssize_t n = stopped ? 0 : write(STDERR_FILENO, text, sizeof(text) - 1);
	(void)n; /* a terminal that is gone */
	stopped = 1;
}

/* Bringing a lab up can be cancelled and has its own handlers meanwhile. */
static void catch_signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, old;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	if (sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler != SIG_IGN) /* nohup */
		sigaction(SIGHUP, &sa, NULL);
}

static int check_stopped(struct err *err)
{
	return stopped || client_interrupted() ? err_set(err, EINTR, "interrupted") : 0;
}

static void tell(const char *what, const char *lab)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%s%s%s", what, *what ? " " : "", lab);
}

/* ---- operands --------------------------------------------------------------------------------
 */

static void take_flow(struct compare *x, struct side *s, const char *name, const char *from,
		      const char *to)
{
	*vec_push(x->a, &s->flows) = arena_strdup(x->a, name);
	if (strcmp(name, x->flow) != 0)
		return;
	s->from = arena_strdup(x->a, from);
	s->to = arena_strdup(x->a, to);
}

static void take_running(struct compare *x, struct side *s, const json_t *lab)
{
	size_t i;
	json_t *f;
	s->kind = SIDE_RUNNING;
	s->lab = arena_strdup(x->a, obj_str(lab, "name", "?"));
	s->engine = engine_kind_of(obj_str(lab, "engine", ""));
	json_array_foreach (json_object_get(lab, "flows"), i, f)
		take_flow(x, s, obj_str(f, "name", "?"), obj_str(f, "from", "?"),
			  obj_str(f, "to", "?"));
}

static const json_t *running(const json_t *labs, const char *name)
{
	size_t i;
	json_t *l;
	json_array_foreach ((json_t *)labs, i, l)
		if (strcmp(obj_str(l, "name", ""), name) == 0)
			return l;
	return NULL;
}

static int take_file(struct compare *x, struct side *s, const json_t *labs, struct err *err)
{
	int r = labfile_load(&s->file, &s->word, 1, &(struct cluster_opts){.name = NULL}, err);
	if (r < 0)
		return r;
	s->kind = SIDE_BUILT;
	if (!s->file.cluster->is_lab)
		return err_setc(err, EINVAL, ERR_USAGE, "%s: no object of kind Lab in it", s->word);
	s->lab = s->file.cluster->name;
	if (running(labs, s->lab)) {
		err_setc(err, EEXIST, ERR_USAGE, "%s: a lab %s is running, maybe another one",
			 s->word, s->lab);
		return err_hint(err, "labctl compare %s %s ... takes the one that is running",
				x->flow, s->lab);
	}
	vec_foreach (const struct flow, f, &s->file.cluster->objects->lab.flows)
		take_flow(x, s, f->name, f->from, f->to);
	return 0;
}

static bool is_recording(const char *word)
{
	size_t n = strlen(word);
	return n > 5 && strcmp(word + n - 5, ".json") == 0;
}

static int take_side(struct compare *x, struct side *s, const json_t *labs, struct err *err)
{
	const json_t *lab = running(labs, s->word);
	if (lab) {
		take_running(x, s, lab);
		return 0;
	}
	if (!is_recording(s->word))
		return take_file(x, s, labs, err);
	s->kind = SIDE_RECORDED;
	s->lab = s->word;
	return trace_read(s->word, x->a, &s->rec, err);
}

static bool has_flow(const struct side *s, const char *name)
{
	for (size_t i = 0; i < s->flows.n; i++)
		if (strcmp(s->flows.v[i], name) == 0)
			return true;
	return s->kind == SIDE_RECORDED;
}

/* A lab lacks the flow: which do all of them have? */
static int no_flow(const struct compare *x, const struct side *lacks, struct err *err)
{
	_strbuf_ struct strbuf shared = STRBUF_INIT, own = STRBUF_INIT;
	for (size_t i = 0; i < lacks->flows.n; i++) {
		const char *name = lacks->flows.v[i];
		bool all = true;
		for (size_t k = 0; k < x->n; k++)
			all &= has_flow(&x->v[k], name);
		strbuf_addf(&own, "%s%s", own.len ? ", " : "", name);
		if (all)
			strbuf_addf(&shared, "%s%s", shared.len ? ", " : "", name);
	}
	err_setc(err, ENOENT, ERR_NOT_FOUND, "lab %s has no flow %s", lacks->lab, x->flow);
	if (shared.len)
		return err_hint(err, "these labs share: %s", shared.s);
	return err_hint(err, "these labs share no flow; %s has: %s", lacks->lab,
			own.len ? own.s : "none");
}

static int take_all(struct compare *x, struct err *err)
{
	json_t *labs = client_all_labs();
	int r = 0;
	for (size_t i = 0; r == 0 && i < x->n; i++)
		r = take_side(x, &x->v[i], labs, err);
	json_decref(labs);
	for (size_t i = 0; r == 0 && i < x->n; i++)
		if (!has_flow(&x->v[i], x->flow))
			r = no_flow(x, &x->v[i], err);
	return r;
}

/* ---- one lab ---------------------------------------------------------------------------------
 */

static int bring_up(struct compare *x, struct side *s, struct err *err)
{
	json_t *result = NULL, *faults = NULL;
	struct desired *d = desired_build(s->file.arena, s->file.cluster);
	int r = engine_pick(x->engine, d, &s->engine, err);
	if (r < 0)
		return r;
	struct call c = {.name = "up",
			 .args = json_pack("{s:o, s:s}", "objects", labfile_documents(&s->file),
					   "source", s->file.source),
			 .on_interrupt = "undoing what was built",
			 .cancellable = true,
			 .faults = &faults};
	r = client_call(s->engine, &c, &result, err);
	/* Somebody else may have been quicker: theirs stays. */
	s->up = r == 0 && !json_is_true(json_object_get(result, "already"));
	labfile_print_faults(&s->file, faults);
	json_decref(faults);
	json_decref(result);
	return r;
}

static int take_down(struct side *s, struct err *err)
{
	json_t *result = NULL;
	if (!s->up)
		return 0;
	struct call c = {.name = "down", .args = json_pack("{s:[s]}", "labs", s->lab)};
	tell("taking down", s->lab);
	int r = client_call(s->engine, &c, &result, err);
	json_decref(result);
	s->up = r < 0;
	return r;
}

static int record(struct compare *x, struct side *s, struct err *err)
{
	json_t *result = NULL;
	struct call c = {
		.name = "trace",
		.args = json_pack("{s:s, s:s, s:s, s:b, s:i}", "lab", s->lab, "from", s->from, "to",
				  s->to, "dns", 0, "timing", x->runs),
		.timeout_s = TRACE_TIMEOUT_S,
	};
	tell("tracing in", s->lab);
	int r = client_call(s->engine, &c, &result, err);
	if (r == 0)
		r = recording_from_json(x->a, json_object_get(result, "recording"), &s->rec, err);
	json_decref(result);
	return r;
}

static int one(struct compare *x, struct side *s, struct err *err)
{
	struct err second = {0};
	int r = check_stopped(err);
	if (r < 0 || s->kind == SIDE_RECORDED)
		return r;
	if (s->kind == SIDE_BUILT) {
		tell("bringing up", s->lab);
		r = bring_up(x, s, err);
	}
	if (r == 0)
		r = check_stopped(err);
	if (r == 0)
		r = record(x, s, err);
	if (r < 0 && r != -EINTR && r != -ECANCELED)
		err_wrap(err, "%s", s->lab);
	if (take_down(s, &second) < 0 && r == 0)
		r = err_set(err, second.code, "%s: %s", s->lab, second.text);
	else if (s->up)
		fprintf(stderr, "labctl: lab %s is still up: %s\n", s->lab, second.text);
	tell("", "");
	return r;
}

/* ---- the whole -------------------------------------------------------------------------------
 */

static int show(const struct compare *x, struct err *err)
{
	const char *form = x->o->val[FLAG_OUTPUT] ? x->o->val[FLAG_OUTPUT] : "text";
	struct compare_col *cols = arena_new_array(x->a, struct compare_col, x->n);
	for (size_t i = 0; i < x->n; i++) {
		compare_recording(x->a, x->v[i].rec, &cols[i]);
		cols[i].lab = x->v[i].lab;
	}
	if (strcmp(form, "text") == 0) {
		_strbuf_ struct strbuf out = STRBUF_INIT;
		compare_table(x->flow, cols, x->n, trace_width(), use_colour(), &out);
		fputs(strbuf_str(&out), stdout);
		return 0;
	}
	json_t *json = compare_json(x->flow, cols, x->n);
	int r = client_print(form, json, err);
	json_decref(json);
	return r;
}

static int options(struct compare *x, struct err *err)
{
	const char *runs = x->o->val[FLAG_TIMING];
	char *end = NULL;
	long n = runs ? strtol(runs, &end, 10) : TIMING_RUNS;
	if (runs && (end == runs || *end || n < 0 || n > 10000))
		return err_setc(err, EINVAL, ERR_USAGE, "--timing wants a number of runs, not %s",
				runs);
	x->runs = (int)n;
	x->flow = x->o->args[0];
	return engine_wanted(x->o->val[FLAG_ENGINE], &x->engine, err);
}

int verb_compare(const struct opts *o, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct compare x = {.o = o, .a = a, .n = (size_t)o->n_args - 1};
	int r = options(&x, err);
	if (r < 0)
		return r;
	x.v = arena_new_array(a, struct side, x.n);
	for (size_t i = 0; i < x.n; i++)
		x.v[i].word = o->args[i + 1];
	catch_signals();
	r = take_all(&x, err);
	for (size_t i = 0; r == 0 && i < x.n; i++)
		r = one(&x, &x.v[i], err);
	if (r == 0)
		r = show(&x, err);
	for (size_t i = 0; i < x.n; i++)
		if (x.v[i].file.arena)
			labfile_free(&x.v[i].file);
	if (r == -ECANCELED || r == -EINTR) {
		fprintf(stderr, "labctl: %s\n", err->text);
		return EXIT_INTERRUPTED;
	}
	return r;
}
