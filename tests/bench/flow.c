/* SPDX-License-Identifier: MIT */
/*
 * flow: what a path carries, as small and as steady as can be: throughput of one TCP stream, and
 *how many connections a second, one after the other.
 *
 *	flow serve PORT            answers both, for ever
 *	flow stream IP PORT MS     prints Mbit/s
 *	flow connects IP PORT MS   prints connections per second: connect, one byte each way, close
 *	flow connect IP PORT MS    prints the median time of connect() alone, in ns
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK	  (128 * 1024)
#define TIMES_MAX 100000

static char chunk[CHUNK];

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "flow: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A first byte of 's' is a stream to swallow; any other is answered. */
static void serve(const char *port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int one = 1, s = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(s, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(s, 64) < 0)
		die(port);
	for (;;) {
		char c;
		int fd = accept(s, NULL, NULL);
		if (fd < 0)
			continue;
		if (recv(fd, &c, 1, 0) == 1 && c == 's') {
			while (recv(fd, chunk, CHUNK, 0) > 0)
				;
		} else if (send(fd, "x", 1, MSG_NOSIGNAL) < 0) {
			perror("flow");
		}
		close(fd);
	}
}

static int reach(const struct sockaddr_in *sa)
{
	/* Reset at the end: thousands of ports waiting would soon be all there are. */
	struct linger hard = {1, 0};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (fd < 0 || connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0)
		die("connect");
	return fd;
}

static void stream(const struct sockaddr_in *sa, double seconds)
{
	int fd = reach(sa);
	double t0 = now(), bytes = 0;
	memset(chunk, 's', CHUNK);
	while (now() - t0 < seconds) {
		ssize_t n = send(fd, chunk, CHUNK, MSG_NOSIGNAL);
		if (n < 0)
			die("send");
		bytes += (double)n;
	}
	printf("%.0f\n", bytes * 8 / (now() - t0) / 1e6);
	close(fd);
}

static void connects(const struct sockaddr_in *sa, double seconds)
{
	double t0 = now();
	long n = 0;
	char c;
	for (; now() - t0 < seconds; n++) {
		int fd = reach(sa);
		if (send(fd, "c", 1, MSG_NOSIGNAL) != 1 || recv(fd, &c, 1, 0) != 1)
			die("no answer");
		close(fd);
	}
	printf("%.0f\n", (double)n / (now() - t0));
}

static int by_size(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;
	return x < y ? -1 : x > y;
}

static void median_connect(const struct sockaddr_in *sa, double seconds)
{
	static long took[TIMES_MAX];
	size_t n = 0;
	for (double t0 = now(), t = t0; n < TIMES_MAX && t - t0 < seconds; n++) {
		int fd = reach(sa);
		took[n] = (long)((now() - t) * 1e9);
		close(fd);
		t = now();
	}
	qsort(took, n, sizeof(*took), by_size);
	printf("%ld\n", n ? took[n / 2] : 0);
}

int main(int argc, char **argv)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		serve(argv[2]);
	if (argc != 5 || inet_pton(AF_INET, argv[2], &sa.sin_addr) != 1) {
		fputs("flow serve PORT | stream|connects|connect IP PORT MS\n", stderr);
		return 2;
	}
	sa.sin_port = htons((uint16_t)atoi(argv[3]));
	double seconds = atof(argv[4]) / 1e3;
	if (strcmp(argv[1], "stream") == 0)
		stream(&sa, seconds);
	else if (strcmp(argv[1], "connect") == 0)
		median_connect(&sa, seconds);
	else
		connects(&sa, seconds);
	return 0;
}
