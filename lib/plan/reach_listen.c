/* SPDX-License-Identifier: MIT */
/* See reach_listen.h. Defaults are those of lib/plan/pods.c and of agnhost (labd/init/agnhost.c).
 */
#include "lib/plan/reach_listen.h"

#include <stdlib.h>
#include <string.h>

#define NGINX_CONF "/run/nginx/nginx.conf"
#define DNS_CONF   "--conf-file=/run/dnsmasq.conf"

/* The value of --NAME=V or --NAME V; fallback when it is not given. */
static long flag(const struct dproc *p, const char *name, long fallback)
{
	size_t n = strlen(name);
	for (size_t i = 1; i < p->argv.n; i++) {
		const char *w = p->argv.v[i];
		if (strncmp(w, name, n) != 0)
			continue;
		if (w[n] == '=')
			return strtol(w + n + 1, NULL, 10);
		if (!w[n] && i + 1 < p->argv.n)
			return strtol(p->argv.v[i + 1], NULL, 10);
	}
	return fallback;
}

static bool is_set(const struct dproc *p, const char *name, bool fallback)
{
	size_t n = strlen(name);
	for (size_t i = 1; i < p->argv.n; i++)
		if (strncmp(p->argv.v[i], name, n) == 0 && strchr("=", p->argv.v[i][n]))
			return strcmp(p->argv.v[i] + n, "=false") != 0;
	return fallback;
}

static bool has_word(const struct dproc *p, const char *word)
{
	for (size_t i = 1; i < p->argv.n; i++)
		if (strcmp(p->argv.v[i], word) == 0)
			return true;
	return false;
}

static void add(struct arena *a, struct reach_ports *list, enum proto proto, long port, bool is_dns)
{
	if (port > 0 && port <= UINT16_MAX)
		*vec_push(a, &list->list) = (struct reach_port){proto, (uint16_t)port, is_dns};
}

/* "80/tcp", as the stand-in for an image that is not on this machine has them. */
static void stand_in(struct arena *a, const struct dproc *p, struct reach_ports *list)
{
	for (size_t i = 2; i < p->argv.n; i++) {
		char *end;
		long port = strtol(p->argv.v[i], &end, 10);
		add(a, list, strcmp(end, "/udp") == 0 ? PROTO_UDP : PROTO_TCP, port, false);
	}
}

/* False: nobody knows this program. */
static bool of_program(struct arena *a, const struct dproc *p, struct reach_ports *list)
{
	const char *argv0 = p->argv.v[0];
	if (strcmp(argv0, "nginx") == 0 && has_word(p, NGINX_CONF)) {
		add(a, list, PROTO_TCP, 80, false);
	} else if (strcmp(argv0, "dnsmasq") == 0 && has_word(p, DNS_CONF)) {
		add(a, list, PROTO_UDP, 53, true);
		add(a, list, PROTO_TCP, 53, true);
	} else if (strcmp(argv0, "agnhost") == 0 && has_word(p, "netexec")) {
		add(a, list, PROTO_TCP, flag(p, "--http-port", 8080), false);
		add(a, list, PROTO_UDP, flag(p, "--udp-port", 8081), false);
	} else if (strcmp(argv0, "agnhost") == 0 && has_word(p, "serve-hostname")) {
		long port = flag(p, "--port", 9376);
		if (is_set(p, "--http", true) || is_set(p, "--tcp", false))
			add(a, list, PROTO_TCP, port, false);
		if (is_set(p, "--udp", false))
			add(a, list, PROTO_UDP, port, false);
	} else if (strcmp(argv0, "agnhost") == 0 && has_word(p, "stand-in")) {
		stand_in(a, p, list);
	} else {
		return strcmp(argv0, "sleep") == 0 ||
		       (strcmp(argv0, "agnhost") == 0 && (p->argv.n < 2 || has_word(p, "pause")));
	}
	return true;
}

void reach_ports_of(struct arena *a, const struct dns *ns, struct reach_ports *ret)
{
	*ret = (struct reach_ports){.others = false};
	vec_foreach (const struct dproc, p, &ns->procs)
		if (!of_program(a, p, ret))
			ret->others = true;
}

enum listens reach_listens(const struct reach_ports *p, enum proto proto, uint16_t port)
{
	vec_foreach (const struct reach_port, q, &p->list)
		if (q->proto == proto && q->port == port)
			return LISTENS_YES;
	return p->others ? LISTENS_UNKNOWN : LISTENS_NO;
}
