/* SPDX-License-Identifier: MIT */
/*
 * stream: numbered packets between two network namespaces, to see whether any is lost.
 *
 *	stream FROM TO IP PORT
 *
 * From namespace FROM to IP:PORT, which leads to namespace TO, go a TCP stream of numbers and UDP
 * datagrams with numbers, a thousand of each a second, until SIGTERM. Then it says how many were
 * sent and how many arrived, and ends with 0 if that is all of them, in order and each once.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PERIOD_NS 1000000
#define DRAIN_MS  1000

struct flow {
	const char *name;
	int type, out, in;
	uint32_t sent, got, wrong, part;
	char buf[sizeof(uint32_t)]; /* of a number that came in part */
};

static volatile sig_atomic_t over;

static void on_term(int sig)
{
	over = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "stream: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int socket_in(const char *netns, int type)
{
	char path[300];
	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	int ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET) < 0)
		die(path);
	close(ns);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	return fd;
}

static void open_flow(struct flow *f, const char *from, const char *to, struct sockaddr_in *at)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = at->sin_port};
	f->in = socket_in(to, f->type);
	if (bind(f->in, (struct sockaddr *)&any, sizeof(any)) < 0)
		die("bind");
	if (f->type == SOCK_STREAM && listen(f->in, 1) < 0)
		die("listen");
	f->out = socket_in(from, f->type);
	if (connect(f->out, (struct sockaddr *)at, sizeof(*at)) < 0)
		die("connect");
	if (f->type == SOCK_STREAM) {
		int c = accept(f->in, NULL, NULL);
		if (c < 0)
			die("accept");
		close(f->in);
		f->in = c;
	}
}

static void take_number(struct flow *f, uint32_t n)
{
	if (n != f->got)
		f->wrong++;
	f->got++;
}

static void receive(struct flow *f)
{
	char buf[4096];
	for (ssize_t n; (n = recv(f->in, buf, sizeof(buf), MSG_DONTWAIT)) > 0;)
		for (ssize_t i = 0; i < n; i++) {
			uint32_t v;
			f->buf[f->part++] = buf[i];
			if (f->part < sizeof(f->buf))
				continue;
			f->part = 0;
			memcpy(&v, f->buf, sizeof(v));
			take_number(f, v);
		}
}

int main(int argc, char **argv)
{
	struct flow flows[] = {{.name = "tcp", .type = SOCK_STREAM},
			       {.name = "udp", .type = SOCK_DGRAM}};
	struct sockaddr_in at = {.sin_family = AF_INET};
	struct timespec next;
	int bad = 0;
	if (argc != 5 || inet_pton(AF_INET, argv[3], &at.sin_addr) != 1)
		return 2;
	at.sin_port = htons((uint16_t)atoi(argv[4]));
	signal(SIGTERM, on_term);
	for (int i = 0; i < 2; i++)
		open_flow(&flows[i], argv[1], argv[2], &at);
	puts("running");
	fflush(stdout);
	clock_gettime(CLOCK_MONOTONIC, &next);
	while (!over) {
		for (int i = 0; i < 2; i++) {
			struct flow *f = &flows[i];
			if (send(f->out, &f->sent, sizeof(f->sent), MSG_NOSIGNAL) ==
			    sizeof(f->sent))
				f->sent++;
			receive(f);
		}
		next.tv_nsec += PERIOD_NS;
		next.tv_sec += next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
	for (int ms = 0;
	     ms < DRAIN_MS && (flows[0].got < flows[0].sent || flows[1].got < flows[1].sent);
	     ms++) {
		poll(NULL, 0, 1);
		receive(&flows[0]);
		receive(&flows[1]);
	}
	for (int i = 0; i < 2; i++) {
		const struct flow *f = &flows[i];
		printf("%s: %u sent, %u arrived, %u out of order\n", f->name, f->sent, f->got,
		       f->wrong);
		bad |= f->got != f->sent || f->wrong || !f->sent;
	}
	return bad;
}
