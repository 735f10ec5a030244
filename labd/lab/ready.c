/* SPDX-License-Identifier: MIT */
/* See ready.h. */
#include "labd/lab/ready.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/base/file.h"

#define READY_MS       500 /* as long as a new pod may take to listen; it is used anyway then */
#define READY_STEP_US  2000
#define MAX_PROC_BYTES (4u * 1024u * 1024u)

/* Is something bound to the port there? /proc/net/tcp: "sl local:PORT remote st", state 0A is
 * LISTEN; a UDP socket that receives from anybody is in state 07. */
static bool listens(pid_t pid, enum proto proto, uint16_t port)
{
	static const char *const files[] = {"tcp", "tcp6", "udp", "udp6"};
	char want[8];
	snprintf(want, sizeof(want), ":%04X", port);
	for (int k = 0; k < 2; k++) {
		char path[64];
		_strbuf_ struct strbuf b = STRBUF_INIT;
		snprintf(path, sizeof(path), "/proc/%d/net/%s", (int)pid,
			 files[(proto == PROTO_UDP ? 2 : 0) + k]);
		if (file_read(path, MAX_PROC_BYTES, &b, NULL) < 0)
			continue;
		char *save = NULL;
		for (char *l = strtok_r(b.s, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
			char local[64], state[8];
			if (sscanf(l, " %*s %63s %*s %7s", local, state) == 2 &&
			    strstr(local, want) &&
			    strcmp(state, proto == PROTO_UDP ? "07" : "0A") == 0)
				return true;
		}
	}
	return false;
}

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
				    (!only_bound || listens(pid, p->port->proto, e->port)))
					*vec_push(a, list) =
						(struct ready_port){pid, p->port->proto, e->port};
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
		while (n && listens(v[n - 1].pid, v[n - 1].proto, v[n - 1].port))
			n--;
		if (n)
			nanosleep(&step, NULL);
	}
}
