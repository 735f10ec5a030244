/* SPDX-License-Identifier: MIT */
/* See site.h. */
#include "labd/lab/site.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "labd/lab/life.h"
#include "lib/base/cleanup.h"

#define NETNS_DIR "/run/netns"

void lab_pin_name(const char *lab, const char *ns, char *buf, size_t size)
{
	snprintf(buf, size, "%s-%s", lab, ns);
}

void site_init(struct site *s, const struct engine *e, const char *name)
{
	*s = (struct site){.e = e, .lab = {.lock = -1}, .cgroup = CGROUP_NONE};
	snprintf(s->lab.name, sizeof(s->lab.name), "%s", name);
	snprintf(s->lab.dir, sizeof(s->lab.dir), "%s/labs/%s", e->run, name);
	snprintf(s->shared, sizeof(s->shared), "%s/shared", e->run);
	s->env = (struct proc_env){.lab = s->lab.name,
				   .dir = s->lab.dir,
				   .shared = s->shared,
				   .cgroup = &s->cgroup,
				   .limits = &s->limits};
}

struct cgroup_limits lab_bounds(const struct stored *s)
{
	const struct lab_limits *l = &s->objects->lab.limits;
	const struct cgroup_limits asked = {.processes = l->processes, .memory = l->memory};
	size_t machines = 0;
	vec_foreach (const struct dns, ns, &s->desired->ns)
		machines += ns->kind != DNS_FABRIC && ns->kind != DNS_ROUTER;
	return cgroup_bounds(machines, &asked, cgroup_total());
}

int site_slots(struct site *s, struct err *err)
{
	size_t n = s->lab.desired->ns.n;
	s->env.backend = store_backend(s->e, &s->lab) == IPT_NFT ? "nft" : "legacy";
	s->limits = lab_bounds(&s->lab);
	int r = cgroup_make(s->lab.dir, s->lab.name, &s->limits, &s->cgroup, err);
	if (r < 0)
		return r;
	s->procs = calloc(n, sizeof(*s->procs));
	s->netns = calloc(n, sizeof(*s->netns));
	if (!s->procs || !s->netns)
		return err_sys(err, ENOMEM, "lab \"%s\"", s->lab.name);
	for (size_t i = 0; i < n; i++) {
		s->procs[i] = (struct nsproc){.netns = -1, .release = -1};
		s->netns[i] = -1;
	}
	return 0;
}

static void close_all(struct site *s)
{
	size_t n = s->procs ? s->lab.desired->ns.n : 0;
	for (size_t i = 0; i < n; i++) {
		if (s->procs[i].netns >= 0)
			close(s->procs[i].netns);
		if (s->procs[i].release >= 0)
			close(s->procs[i].release);
	}
	cgroup_close(&s->cgroup);
	free(s->procs);
	free(s->netns);
	s->procs = NULL;
	s->netns = NULL;
}

void site_free(struct site *s)
{
	close_all(s);
	stored_free(&s->lab);
}

struct stored site_take(struct site *s)
{
	struct stored lab = s->lab;
	close_all(s);
	s->lab = (struct stored){.lock = -1};
	return lab;
}

/* ---- making ---------------------------------------------------------------------------------- */

int site_name_free(const struct site *s, int i, struct err *err)
{
	char name[300], path[320];
	struct stat st;
	lab_pin_name(s->lab.name, s->lab.desired->ns.v[i].name, name, sizeof(name));
	snprintf(path, sizeof(path), NETNS_DIR "/%s", name);
	if (lstat(path, &st) < 0)
		return 0;
	err_set(err, EEXIST, "%s exists already and is not labd's", path);
	return err_hint(err, "ip netns delete %s, if nobody needs it, or up --name OTHER", name);
}

static int pin(struct site *s, int i, int netns, struct err *err)
{
	char name[300];
	struct stat st;
	int r = site_name_free(s, i, err);
	if (r < 0)
		return r;
	lab_pin_name(s->lab.name, s->lab.desired->ns.v[i].name, name, sizeof(name));
	if (fstat(netns, &st) < 0)
		return err_sys(err, errno, "namespace %s", name);
	enum dns_kind kind = s->lab.desired->ns.v[i].kind;
	bool slow = kind == DNS_NODE || kind == DNS_FABRIC;
	r = journal_add(s->lab.dir, err, "pin %s %llu%s", name, (unsigned long long)st.st_ino,
			slow ? " slow" : "");
	return r < 0 ? r : proc_pin(netns, name, err);
}

int site_make(struct site *s, int i, struct err *err)
{
	const struct desired *d = s->lab.desired;
	const struct dns *ns = &d->ns.v[i];
	struct nsproc *p = &s->procs[i];

	const struct nsproc *parent = ns->parent >= 0 ? &s->procs[ns->parent] : NULL;
	const char *node = parent		  ? d->ns.v[ns->parent].name
			   : ns->kind == DNS_NODE ? ns->name
						  : NULL;
	int r = proc_spawn(&s->env, d, i, parent, p, err);
	if (r < 0)
		return r;
	s->netns[i] = p->netns;
	if (p->pid) {
		r = journal_add(s->lab.dir, err, "proc %s %d %llu%s%s", ns->name, (int)p->pid,
				(unsigned long long)p->starttime, node ? " " : "",
				node ? node : "");
		if (r == 0)
			r = proc_release(p, err);
	}
	if (r == 0)
		r = pin(s, i, p->netns, err);
	if (r == 0 && parent && ns->cni_netns)
		r = journal_add(s->lab.dir, err, "inside %s %s %s", ns->name,
				d->ns.v[ns->parent].name, ns->cni_netns);
	if (r == 0 && parent && ns->cni_netns)
		r = proc_pin_inside(parent, p->netns, ns->cni_netns, err);
	return r;
}

/* ---- finding again --------------------------------------------------------------------------- */

/* A namespace without processes is found by its pin. */
static int open_pinned(struct site *s, const struct journal *j, int i, struct err *err)
{
	char name[300], path[320];
	struct stat st;
	lab_pin_name(s->lab.name, s->lab.desired->ns.v[i].name, name, sizeof(name));
	snprintf(path, sizeof(path), NETNS_DIR "/%s", name);
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "%s", path);
	vec_foreach (const struct journal_pin, p, &j->pins)
		if (strcmp(p->name, name) == 0 && p->ino == st.st_ino) {
			s->procs[i].netns = s->netns[i] = take_fd(&fd);
			return 1;
		}
	return 0;
}

int site_open(struct site *s, const struct journal *j, int i, struct err *err)
{
	const struct dns *ns = &s->lab.desired->ns.v[i];
	if (s->netns[i] >= 0)
		return 1;
	if (ns->kind == DNS_FABRIC || ns->kind == DNS_ROUTER)
		return open_pinned(s, j, i, err);
	const struct journal_proc *p = journal_proc_find(j, ns->name);
	if (!p || !proc_alive(p->pid, p->starttime))
		return 0;
	int r = proc_open(p->pid, p->starttime, &s->procs[i], err);
	if (r < 0)
		return r == -ESRCH ? 0 : r;
	s->netns[i] = s->procs[i].netns;
	return 1;
}

/* ---- taking away ----------------------------------------------------------------------------- */

static dev_t netns_dir_dev(void)
{
	struct stat st;
	return stat(NETNS_DIR, &st) == 0 ? st.st_dev : 0;
}

/* The file of a pin that is ours; false if there is none. */
static bool own_pin(const struct journal_pin *p, char path[static 320])
{
	struct stat st;
	snprintf(path, 320, NETNS_DIR "/%s", p->name);
	if (lstat(path, &st) < 0)
		return false;
	bool begun = st.st_dev == netns_dir_dev();
	return begun ? proc_pin_begun(&st) : st.st_ino == p->ino;
}

int site_unpin(const struct journal_pin *p, struct err *err)
{
	char path[320];
	return own_pin(p, path) ? proc_unpin(p->name, err) : 0;
}

int site_pinned(const struct journal_pin *p)
{
	char path[320];
	return own_pin(p, path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}
