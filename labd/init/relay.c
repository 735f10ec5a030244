/* SPDX-License-Identifier: MIT */
/* relay: kube-proxy's configuration file, the choice of an endpoint, the loop that serves relays
 * and health checks (health.h). See relay.h. */
#include "labd/init/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "labd/init/health.h"
#include "labd/init/init.h"

#define DEFAULT_CONFIG "/run/kube-proxy.conf"
#define MAX_SERVICES   16384
#define MAX_STICKY     4096 /* clients of one service; the oldest gives way */
#define TICK_MS	       100  /* how soon a timeout is seen, where there can be one */

static struct relay_service *services;
static size_t n_services;

int64_t relay_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Choosing ------------------------------------------------------------------------------------- */

static struct relay_sticky *find_sticky(struct relay_service *s, struct in_addr client)
{
	for (size_t i = 0; i < s->n_sticky; i++)
		if (s->sticky[i].client.s_addr == client.s_addr)
			return &s->sticky[i];
	return NULL;
}

/* The place for a client: its own, a new one, or that of the one unheard of for longest. */
static struct relay_sticky *place_for(struct relay_service *s, struct in_addr client)
{
	struct relay_sticky *t = find_sticky(s, client);
	if (t)
		return t;
	if (s->n_sticky < MAX_STICKY) {
		t = realloc(s->sticky, (s->n_sticky + 1) * sizeof(*t));
		if (!t)
			return NULL;
		s->sticky = t;
		return &s->sticky[s->n_sticky++];
	}
	t = s->sticky;
	for (size_t i = 1; i < s->n_sticky; i++)
		if (s->sticky[i].until < t->until)
			t = &s->sticky[i];
	return t;
}

bool relay_choose(struct relay_service *s, struct in_addr client, bool reset,
		  struct sockaddr_in *ret)
{
	if (s->n_eps == 0)
		return false;
	struct relay_sticky *t = s->affinity ? find_sticky(s, client) : NULL;
	if (t && !reset && t->until > relay_now()) {
		t->until = relay_now() + (int64_t)s->affinity * 1000;
		*ret = t->ep;
		return true;
	}
	*ret = s->eps[s->next];
	s->next = (s->next + 1) % s->n_eps;
	t = s->affinity ? place_for(s, client) : NULL;
	if (t)
		*t = (struct relay_sticky){client, *ret, relay_now() + (int64_t)s->affinity * 1000};
	return true;
}

/* Configuration -------------------------------------------------------------------------------- */

static void shuffle(struct relay_service *s)
{
	for (size_t i = s->n_eps; i > 1; i--) {
		uint32_t r = 0;
		if (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
			return;
		struct sockaddr_in t = s->eps[i - 1];
		s->eps[i - 1] = s->eps[r % i];
		s->eps[r % i] = t;
	}
}

static bool parse_ep(const char *word, struct sockaddr_in *ret)
{
	char ip[16];
	unsigned port;
	*ret = (struct sockaddr_in){.sin_family = AF_INET};
	if (sscanf(word, "%15[0-9.]:%u", ip, &port) != 2 || port > 65535)
		return false;
	ret->sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, ip, &ret->sin_addr) == 1;
}

static bool parse_service(char *line, struct relay_service *s)
{
	char proto[8], *save = NULL;
	unsigned port;
	int at = 0;
	*s = (struct relay_service){.fd = -1};
	if (sscanf(line, "%7s %u %u%n", proto, &port, &s->affinity, &at) != 3 || port > 65535)
		return false;
	s->udp = strcmp(proto, "udp") == 0;
	if (!s->udp && strcmp(proto, "tcp") != 0)
		return false;
	s->port = (uint16_t)port;
	for (char *w = strtok_r(line + at, " \n", &save); w; w = strtok_r(NULL, " \n", &save)) {
		struct sockaddr_in ep, *grown;
		if (!parse_ep(w, &ep))
			continue;
		grown = realloc(s->eps, (s->n_eps + 1) * sizeof(ep));
		if (!grown)
			break;
		s->eps = grown;
		s->eps[s->n_eps++] = ep;
	}
	shuffle(s);
	return true;
}

static void open_service(struct relay_service *s)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(s->port)};
	int on = 1;
	s->fd = socket(AF_INET, (s->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       0);
	if (s->fd >= 0)
		setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (s->fd >= 0 && (bind(s->fd, (struct sockaddr *)&any, sizeof(any)) < 0 ||
			   (!s->udp && listen(s->fd, 128) < 0))) {
		close(s->fd);
		s->fd = -1;
	}
	if (s->fd < 0)
		fprintf(stderr, "port %u: %s\n", s->port, strerror(errno));
}

static bool same_eps(const struct relay_service *a, const struct relay_service *b)
{
	size_t same = 0;
	for (size_t i = 0; i < a->n_eps; i++)
		for (size_t k = 0; k < b->n_eps; k++)
			same += memcmp(&a->eps[i], &b->eps[k], sizeof(*a->eps)) == 0;
	return a->n_eps == b->n_eps && same == a->n_eps;
}

/* What the old table knows of it: its socket, and while its endpoints stay its turn and clients. */
static void take_over(struct relay_service *s, struct relay_service *old, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct relay_service *o = &old[i];
		if (o->fd < 0 || o->port != s->port || o->udp != s->udp)
			continue;
		s->fd = o->fd;
		o->fd = -1;
		if (!same_eps(o, s) || o->affinity != s->affinity)
			return;
		struct relay_service t = *s;
		*s = *o;
		s->fd = t.fd;
		o->eps = t.eps;
		o->sticky = NULL;
		return;
	}
}

static void read_config(const char *path)
{
	struct relay_service *old = services;
	size_t n_old = n_services, cap = 0;
	char *line = NULL;
	FILE *f = fopen(path, "re");
	if (!f)
		return;
	relay_forget();
	health_begin();
	services = NULL;
	for (n_services = 0; n_services < MAX_SERVICES && getline(&line, &cap, f) > 0;) {
		struct relay_service s, *grown;
		if (health_line(line) || !parse_service(line, &s))
			continue;
		grown = realloc(services, (n_services + 1) * sizeof(s));
		if (!grown)
			break;
		services = grown;
		take_over(&s, old, n_old);
		if (s.fd < 0)
			open_service(&s);
		services[n_services++] = s;
	}
	free(line);
	fclose(f);
	health_end();
	for (size_t i = 0; i < n_old; i++) {
		if (old[i].fd >= 0)
			close(old[i].fd);
		free(old[i].eps);
		free(old[i].sticky);
	}
	free(old);
}

static bool changed(const char *path, struct stat *last)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return false;
	bool same = st.st_ino == last->st_ino && st.st_size == last->st_size &&
		    st.st_mtim.tv_sec == last->st_mtim.tv_sec &&
		    st.st_mtim.tv_nsec == last->st_mtim.tv_nsec;
	*last = st;
	return !same;
}

/* Told when the configuration, or anything beside it, is written; -1: not told. */
static int watch(const char *path)
{
	char dir[256];
	const char *slash = strrchr(path, '/');
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
	if (fd >= 0 && inotify_add_watch(fd, dir, IN_CLOSE_WRITE | IN_MOVED_TO) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Loop ----------------------------------------------------------------------------------------- */

static void serve(struct pollfd **room, int watching)
{
	char events[4096];
	size_t n = n_services, healths = health_count();
	struct pollfd *p = realloc(*room, (n + relay_count() + healths + 1) * sizeof(*p));
	if (!p)
		return;
	*room = p;
	p[0] = (struct pollfd){.fd = watching, .events = POLLIN};
	p += 1 + health_poll(p + 1);
	for (size_t i = 0; i < n; i++)
		p[i] = (struct pollfd){.fd = services[i].fd, .events = POLLIN};
	size_t conns = relay_poll(p + n);
	if (poll(*room, 1 + healths + n + conns, n || conns || watching < 0 ? TICK_MS : -1) < 0)
		return;
	if ((*room)->revents && read(watching, events, sizeof(events)) < 0 && errno != EAGAIN)
		return;
	health_work(*room + 1, healths);
	relay_work(p + n, conns);
	for (size_t i = 0; i < n; i++) {
		if (!p[i].revents)
			continue;
		if (services[i].udp)
			relay_datagram(&services[i]);
		else
			relay_accept(&services[i]);
	}
}

int relay_main(int argc, char **argv)
{
	struct stat last = {0};
	struct pollfd *room = NULL;
	struct rlimit files;
	const char *path = argc > 1 ? argv[1] : DEFAULT_CONFIG;
	if (argc > 2) {
		fputs("usage: kube-proxy [CONFIGURATION]\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	int watching = watch(path);
	for (;;) {
		if (changed(path, &last))
			read_config(path);
		serve(&room, watching);
	}
}
