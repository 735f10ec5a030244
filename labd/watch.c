/* SPDX-License-Identifier: MIT */
/* See watch.h. */
#include "labd/watch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "labd/kernel/proc.h"
#include "labd/lab/journal.h"
#include "labd/lab/tend.h"
#include "labd/session.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/log.h"

#define MAX_IDS	     32 /* remembered one by one; more are "look at all" */
#define REST_MS	     50 /* between two looks at a lab, or REST_SHARE times what the last took */
#define REST_SHARE   10
#define RETRY_MS     10000 /* after a failure, doubling: kubelet's back-off */
#define RETRY_MAX_MS 300000

enum { TENDED, TEND_FAILED, TEND_BUSY, TEND_IDLE }; /* a child's exit code */

struct watched_node {
	struct watched_node *next;
	struct watched_lab *lab;
	pid_t pid;
	uint64_t starttime;
	int fd;
	sd_event_source *src;
	bool seen;
};

struct watched_lab {
	struct watched_lab *next;
	struct watch *w;
	char name[64];
	struct stat journal; /* when it was read */
	struct watched_node *nodes;
	uint32_t ids[MAX_IDS]; /* to look at */
	size_t n_ids;
	bool all;		 /* or at everything */
	uint32_t asked[MAX_IDS]; /* what the child looks at, for when it could not */
	size_t n_asked;
	bool asked_all;
	bool own_change;	  /* the journal's last change is such a child's */
	pid_t child;		  /* that looks, 0: none */
	int64_t began;		  /* ms */
	bool others_ended;	  /* since then: who held the lock may be gone */
	bool busy;		  /* somebody changes it: wait for a child to end */
	unsigned retry;		  /* ms; 0: the last look went well */
	sd_event_source *resting; /* on: no look until it fires */
	bool seen;
};

struct watch {
	const struct server *s;
	sd_event *ev;
	unsigned *children;
	struct watched_lab *labs;
	bool started; /* what was there before us has been seen */
};

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- looking --------------------------------------------------------------------------------- */

static void listen_to(struct watched_lab *l, bool on)
{
	for (struct watched_node *n = l->nodes; n; n = n->next)
		if (n->src)
			sd_event_source_set_enabled(n->src, on ? SD_EVENT_ON : SD_EVENT_OFF);
}

static bool rests(const struct watched_lab *l)
{
	int on = SD_EVENT_OFF;
	sd_event_source_get_enabled(l->resting, &on);
	return on != SD_EVENT_OFF;
}

static void rest(struct watched_lab *l, unsigned ms)
{
	sd_event_source_set_time_relative(l->resting, ms * 1000ull);
	sd_event_source_set_enabled(l->resting, SD_EVENT_ONESHOT);
}

static _Noreturn void child(const struct watched_lab *l)
{
	const struct server *s = l->w->s;
	struct err err = {0};
	session_signals();
	close(s->listen_fd); /* or the next labd would think that this one lives */
	close(s->ctl[0]);
	int r = lab_tend(&s->engine, l->name, l->ids, l->all ? 0 : l->n_ids, &err);
	if (r < 0 && r != -EBUSY)
		log_error("lab %s: seeing to its pods: %s", l->name, err.text);
	_exit(r == -EBUSY ? TEND_BUSY : r < 0 ? TEND_FAILED : r == 0 ? TEND_IDLE : TENDED);
}

/* If there is anything to look at, and nobody does, and it is time. */
static void look(struct watched_lab *l)
{
	if ((!l->all && !l->n_ids) || l->child || l->busy || rests(l))
		return;
	listen_to(l, false);
	l->began = now_ms();
	l->others_ended = false;
	pid_t pid = fork();
	if (pid == 0)
		child(l);
	if (pid < 0) {
		rest(l, RETRY_MS);
		return;
	}
	l->child = pid;
	memcpy(l->asked, l->ids, sizeof(l->asked));
	l->n_asked = l->n_ids;
	l->asked_all = l->all;
	l->all = false;
	l->n_ids = 0;
	(*l->w->children)++;
}

static int on_rested(sd_event_source *src, uint64_t usec, void *arg)
{
	struct watched_lab *l = arg;
	listen_to(l, true);
	look(l);
	return 0;
}

static void add_id(struct watched_lab *l, uint32_t id)
{
	for (size_t i = 0; i < l->n_ids; i++)
		if (l->ids[i] == id)
			return;
	if (l->n_ids < MAX_IDS)
		l->ids[l->n_ids++] = id;
	else
		l->all = true;
}

static void ask_again(struct watched_lab *l)
{
	l->all |= l->asked_all;
	for (size_t i = 0; i < l->n_asked; i++)
		add_id(l, l->asked[i]);
}

void watch_ended(struct watch *w, pid_t pid, int status)
{
	struct watched_lab *mine = w ? w->labs : NULL;
	while (mine && mine->child != pid)
		mine = mine->next;
	for (struct watched_lab *l = w && !mine ? w->labs : NULL; l; l = l->next) {
		l->others_ended = true;
		l->busy = false;
	}
	if (!mine)
		return;
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : TEND_FAILED;
	int64_t took = now_ms() - mine->began;
	mine->child = 0;
	if (code == TEND_FAILED || code == TEND_BUSY)
		ask_again(mine);
	mine->own_change |= code == TENDED;
	mine->busy = code == TEND_BUSY && !mine->others_ended;
	if (code == TEND_FAILED)
		mine->retry = !mine->retry		       ? RETRY_MS
			      : mine->retry < RETRY_MAX_MS / 2 ? mine->retry * 2
							       : RETRY_MAX_MS;
	else
		mine->retry = 0;
	int64_t pause = code == TENDED ? took : took * REST_SHARE;
	rest(mine, mine->retry ? mine->retry : pause > REST_MS ? (unsigned)pause : REST_MS);
}

/* ---- hearing --------------------------------------------------------------------------------- */

static void stop_listening(struct watched_node *n)
{
	n->src = sd_event_source_unref(n->src);
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}

/* What somebody in the lab writes there may be anything: it can only make us look. */
static int on_event(sd_event_source *src, int fd, uint32_t revents, void *arg)
{
	struct watched_node *n = arg;
	struct watched_lab *l = n->lab;
	uint32_t ids[1024];
	ssize_t len = read(fd, ids, sizeof(ids));
	if (len < 0)
		return 0;
	l->all |= len % (ssize_t)sizeof(*ids) != 0;
	for (size_t i = 0; i < (size_t)len / sizeof(*ids); i++)
		add_id(l, ids[i]);
	if (len == 0) { /* the node and all its pods are dead */
		stop_listening(n);
		add_id(l, 0);
	}
	look(l);
	return 0;
}

/* ---- who is there ---------------------------------------------------------------------------- */

static struct watched_node *node_of(struct watched_lab *l, const struct journal_proc *p)
{
	for (struct watched_node *n = l->nodes; n; n = n->next)
		if (n->pid == p->pid && n->starttime == p->starttime)
			return n;
	return NULL;
}

static void add_node(struct watched_lab *l, const struct journal_proc *p)
{
	struct watched_node *n = node_of(l, p);
	if (n) {
		n->seen = true;
		return;
	}
	n = calloc(1, sizeof(*n));
	if (!n)
		return;
	*n = (struct watched_node){.next = l->nodes,
				   .lab = l,
				   .pid = p->pid,
				   .starttime = p->starttime,
				   .fd = proc_events(p->pid, p->starttime),
				   .seen = true};
	l->nodes = n;
	if (n->fd < 0 || sd_event_add_io(l->w->ev, &n->src, n->fd, POLLIN, on_event, n) < 0)
		stop_listening(n);
	else if (l->child || rests(l))
		sd_event_source_set_enabled(n->src, SD_EVENT_OFF);
}

static void drop_nodes(struct watched_lab *l, bool all)
{
	for (struct watched_node **at = &l->nodes, *n; (n = *at);) {
		if (n->seen && !all) {
			at = &n->next;
			continue;
		}
		*at = n->next;
		stop_listening(n);
		free(n);
	}
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* A lab that has changed may be otherwise than the last look left it. */
static void sync_lab(struct watched_lab *l)
{
	char dir[300], path[320];
	struct stat st;
	struct err err;
	struct journal j;
	_arena_ struct arena *a = arena_new();
	snprintf(dir, sizeof(dir), "%s/labs/%s", l->w->s->engine.run, l->name);
	snprintf(path, sizeof(path), "%s/journal", dir);
	if (stat(path, &st) < 0 || same_file(&st, &l->journal) ||
	    journal_read(dir, a, &j, &err) < 0)
		return;
	snprintf(path, sizeof(path), "%s/pods.json", dir);
	if (!l->own_change && path_exists(path))
		add_id(l, 0);
	l->own_change = false;
	l->journal = st;
	for (struct watched_node *n = l->nodes; n; n = n->next)
		n->seen = false;
	vec_foreach (const struct journal_proc, p, &j.procs)
		if (journal_is_node(p) && journal_proc_last(&j, p))
			add_node(l, p);
	drop_nodes(l, false);
}

static struct watched_lab *lab_named(struct watch *w, const char *name)
{
	for (struct watched_lab *l = w->labs; l; l = l->next)
		if (strcmp(l->name, name) == 0)
			return l;
	struct watched_lab *l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	*l = (struct watched_lab){.next = w->labs, .w = w, .all = !w->started};
	snprintf(l->name, sizeof(l->name), "%s", name);
	if (sd_event_add_time_relative(w->ev, &l->resting, CLOCK_MONOTONIC, 0, 1000, on_rested, l) <
	    0) {
		free(l);
		return NULL;
	}
	sd_event_source_set_enabled(l->resting, SD_EVENT_OFF);
	return w->labs = l;
}

static void drop_labs(struct watch *w, bool all)
{
	for (struct watched_lab **at = &w->labs, *l; (l = *at);) {
		if (l->seen && !all) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		drop_nodes(l, true);
		sd_event_source_unref(l->resting);
		free(l);
	}
}

void watch_sync(struct watch *w)
{
	json_t *names = w ? store_list(&w->s->engine) : NULL, *v;
	size_t i;
	if (!w)
		return;
	for (struct watched_lab *l = w->labs; l; l = l->next)
		l->seen = false;
	json_array_foreach (names, i, v) {
		struct watched_lab *l = lab_named(w, json_string_value(v));
		if (!l)
			continue;
		l->seen = true;
		sync_lab(l);
	}
	json_decref(names);
	w->started = true;
	drop_labs(w, false);
	for (struct watched_lab *l = w->labs; l; l = l->next)
		look(l);
}

struct watch *watch_new(const struct server *s, sd_event *ev, unsigned *children)
{
	struct watch *w = calloc(1, sizeof(*w));
	if (w)
		*w = (struct watch){.s = s, .ev = ev, .children = children};
	return w;
}

void watch_free(struct watch *w)
{
	if (w)
		drop_labs(w, true);
	free(w);
}
