/* SPDX-License-Identifier: MIT */
/* See ready.h. */
#include "labd/lab/ready.h"

#include <string.h>
#include <time.h>

#include "labd/kernel/sock_listen.h"

#define READY_MS      500 /* as long as a new pod may take to listen; it is used anyway then */
#define READY_STEP_US 500

/* kube-dns' stand-in has no metrics. */
static bool serves(const struct csvcport *p)
{
	return p->port->proto != PROTO_SCTP && strcmp(p->port->name, "metrics") != 0;
}

void ready_add(struct arena *a, const struct desired *d, int i, pid_t pid, bool only_bound,
	       ready_ports *list)
{
	const struct dns *ns = &d->ns.v[i];
	ip4 ip = ns->kind == DNS_POD ? d->cluster->pods.v[ns->pod].ip : 0;
	if (!ip || !pid)
		return;
	vec_foreach (const struct csvc, s, &d->cluster->services)
		vec_foreach (const struct csvcport, p, &s->ports)
			vec_foreach (const struct cendpoint, e, &p->eps)
				if (e->ip == ip && serves(p) &&
				    (!only_bound || sock_listens(pid, p->port->proto, ip, e->port)))
					*vec_push(a, list) = (struct ready_port){
						pid, p->port->proto, ip, e->port};
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void ready_wait(const ready_ports *list)
{
	struct timespec step = {.tv_nsec = READY_STEP_US * 1000};
	const struct ready_port *v = list->v;
	size_t n = list->n;
	for (int64_t end = now_ms() + READY_MS; n && now_ms() < end;) {
		while (n && sock_listens(v[n - 1].pid, v[n - 1].proto, v[n - 1].ip, v[n - 1].port))
			n--;
		if (n)
			nanosleep(&step, NULL);
	}
}
