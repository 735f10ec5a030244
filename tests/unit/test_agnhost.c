/* SPDX-License-Identifier: MIT */
/* The built-in agnhost, as the program it is: labd-init called by that name, over loopback in a
 * network namespace of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HTTP_PORT 18080
#define UDP_PORT  18081
#define RAW_PORT  18082
#define REPLY_MS  3000
#define HOSTNAME  "labd-test-pod"

static char program[PATH_MAX];
static bool ready;
static pid_t servers[3];

static void find_program(void)
{
	const char *env = getenv("LABD_INIT");
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 32);
	program[n > 0 ? n : 0] = '\0';
	if (env)
		snprintf(program, sizeof(program), "%s", env);
	else if (n > 0)
		strcpy(strrchr(program, '/'), "/../labd-init");
}

static pid_t start(int out, const char *const *argv)
{
	pid_t pid = fork();
	if (pid == 0) {
		dup2(out, 2);
		execv(program, (char *const *)argv);
		_exit(127);
	}
	return pid;
}

/* Namespaces of our own, without privileges if need be; false if this machine allows neither. */
static bool own_network(void)
{
	struct ifreq ifr = {.ifr_name = "lo"};
	int flags = CLONE_NEWNET | CLONE_NEWUTS;
	if (unshare(flags | (geteuid() ? CLONE_NEWUSER : 0)) < 0)
		return false;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	bool ok = ioctl(fd, SIOCGIFFLAGS, &ifr) == 0;
	ifr.ifr_flags |= IFF_UP;
	ok = ok && ioctl(fd, SIOCSIFFLAGS, &ifr) == 0;
	close(fd);
	return ok && sethostname(HOSTNAME, strlen(HOSTNAME)) == 0;
}

static int dial(int port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	for (int i = 0; i < 200; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
			return fd;
		close(fd);
		usleep(10000);
	}
	return -1;
}

static int setup(void **state)
{
	find_program();
	if (access(program, X_OK) < 0) {
		fprintf(stderr, "%s is not built\n", program);
		return -1;
	}
	if (!own_network())
		return 0;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	servers[0] = start(null, (const char *const[]){"agnhost", "netexec", "--http-port=18080",
						       "--udp-port", "18081", NULL});
	servers[1] = start(null, (const char *const[]){"agnhost", "serve-hostname", "--tcp",
						       "--http=false", "--port=18082", NULL});
	servers[2] = start(null, (const char *const[]){"agnhost", "stand-in", "18083/tcp",
						       "18084/tcp", "18083/udp", NULL});
	close(null);
	int fd = dial(HTTP_PORT), raw = dial(RAW_PORT);
	ready = fd >= 0 && raw >= 0;
	close(fd);
	close(raw);
	return ready ? 0 : -1;
}

static int teardown(void **state)
{
	for (size_t i = 0; i < 3; i++) {
		if (servers[i] > 0) {
			kill(servers[i], SIGKILL);
			waitpid(servers[i], NULL, 0);
		}
	}
	return 0;
}

#define NEEDS_NETWORK                                                                              \
	if (!ready)                                                                                \
	skip()

/* Until there is nothing more, or the text ends with `until`. */
static void read_reply(int fd, char *out, size_t size, const char *until)
{
	size_t n = 0;
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t got = poll(&p, 1, REPLY_MS) == 1 ? recv(fd, out + n, size - 1 - n, 0) : 0;
		if (got <= 0)
			break;
		n += (size_t)got;
		out[n] = '\0';
		if (until && n >= strlen(until) && !strcmp(out + n - strlen(until), until))
			break;
	}
	out[n] = '\0';
}

static void request(const char *bytes, char *out, size_t size)
{
	int fd = dial(HTTP_PORT);
	assert_true(fd >= 0);
	assert_int_equal(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL), strlen(bytes));
	read_reply(fd, out, size, NULL);
	close(fd);
}

static void get(const char *path, char *out, size_t size)
{
	char req[512];
	snprintf(req, sizeof(req), "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", path);
	request(req, out, size);
}

static const char *body(const char *reply)
{
	const char *p = strstr(reply, "\r\n\r\n");
	return p ? p + 4 : "(no body)";
}

static void hostname(void **state)
{
	NEEDS_NETWORK;
	char out[1024];
	get("/hostname", out, sizeof(out));
	assert_string_equal(body(out), HOSTNAME);
	assert_int_equal(strncmp(out, "HTTP/1.1 200 OK\r\nDate: ", 23), 0);
	assert_non_null(strstr(out, " GMT\r\nContent-Length: 13\r\n"
				    "Content-Type: text/plain; charset=utf-8\r\n"));
	get("/hostName", out, sizeof(out));
	assert_string_equal(body(out), HOSTNAME);
	get("/", out, sizeof(out));
	assert_int_equal(strncmp(body(out), "NOW: 20", 7), 0);
}

static void client_ip(void **state)
{
	NEEDS_NETWORK;
	char out[1024], want[64];
	static const char req[] = "GET /clientip HTTP/1.0\r\n\r\n";
	int fd = dial(HTTP_PORT);
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);
	getsockname(fd, (struct sockaddr *)&sa, &len);
	snprintf(want, sizeof(want), "127.0.0.1:%u", ntohs(sa.sin_port));
	assert_int_equal(send(fd, req, sizeof(req) - 1, 0), sizeof(req) - 1);
	read_reply(fd, out, sizeof(out), NULL);
	close(fd);
	assert_string_equal(body(out), want);
}

static void echo(void **state)
{
	NEEDS_NETWORK;
	char out[2048];
	get("/echo?msg=a%20b+c%3d%zz&code=503", out, sizeof(out));
	assert_string_equal(body(out), "a b c=%zz");
	assert_int_equal(strncmp(out, "HTTP/1.1 503 Service Unavailable\r\n", 34), 0);
	get("/echo?code=x", out, sizeof(out));
	assert_string_equal(body(out), "argument 'code' must be an integer or empty, got \"x\"\n");
	get("/echo?code=299&msg=", out, sizeof(out));
	assert_int_equal(strncmp(out, "HTTP/1.1 299 status code 299\r\n", 30), 0);
	get("/healthz", out, sizeof(out));
	assert_int_equal(strncmp(out, "HTTP/1.1 200 OK\r\n", 17), 0);
	assert_null(strstr(out, "Content-Type"));
	get("/shell?cmd=id", out, sizeof(out));
	assert_int_equal(strncmp(out, "HTTP/1.1 501 ", 13), 0);
}

static void keeps_alive(void **state)
{
	NEEDS_NETWORK;
	char out[1024];
	static const char req[] = "GET /hostname HTTP/1.1\r\nHost: a\r\n\r\n";
	int fd = dial(HTTP_PORT);
	for (int i = 0; i < 3; i++) {
		/* in two parts, so that the server has to wait for the rest */
		assert_int_equal(send(fd, req, 10, 0), 10);
		usleep(2000);
		assert_int_equal(send(fd, req + 10, sizeof(req) - 11, 0), sizeof(req) - 11);
		read_reply(fd, out, sizeof(out), HOSTNAME);
		assert_string_equal(body(out), HOSTNAME);
		assert_null(strstr(out, "Connection"));
	}
	close(fd);
}

static void nonsense(void **state)
{
	NEEDS_NETWORK;
	char out[1024], big[10000];
	static const char *const bad[] = {"\r\n\r\n", "GET\r\n\r\n", "GET / FTP/1.1\r\n\r\n",
					  "GET nowhere HTTP/1.1\r\n\r\n",
					  "AVERYLONGMETHODINDEED / HTTP/1.1\r\n\r\n"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		request(bad[i], out, sizeof(out));
		assert_int_equal(strncmp(out, "HTTP/1.1 400 Bad Request\r\n", 26), 0);
	}
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	int fd = dial(HTTP_PORT);
	if (send(fd, big, sizeof(big) - 1, MSG_NOSIGNAL) > 0)
		read_reply(fd, out, sizeof(out), NULL);
	close(fd);
	/* more connections than it keeps at once: the oldest go, it lives */
	int fds[300];
	for (size_t i = 0; i < 300; i++)
		fds[i] = dial(HTTP_PORT);
	get("/hostname", out, sizeof(out));
	assert_string_equal(body(out), HOSTNAME);
	for (size_t i = 0; i < 300; i++)
		close(fds[i]);
}

static void datagrams(void **state)
{
	NEEDS_NETWORK;
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_port = htons(UDP_PORT),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	static const char *const talk[][2] = {{"hostname\n", HOSTNAME},
					      {"HostName", HOSTNAME},
					      {"echo Hello There ", "hello there"}};
	char out[256], want[64];
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(send(fd, "bogus", 5, 0), 5); /* is not answered */
	for (size_t i = 0; i < 3; i++) {
		assert_true(send(fd, talk[i][0], strlen(talk[i][0]), 0) > 0);
		read_reply(fd, out, sizeof(out), talk[i][1]);
		assert_string_equal(out, talk[i][1]);
	}
	getsockname(fd, (struct sockaddr *)&sa, &len);
	snprintf(want, sizeof(want), "127.0.0.1:%u", ntohs(sa.sin_port));
	assert_int_equal(send(fd, "clientip", 8, 0), 8);
	read_reply(fd, out, sizeof(out), want);
	assert_string_equal(out, want);
	close(fd);
}

static void raw_hostname(void **state)
{
	NEEDS_NETWORK;
	char out[256];
	int fd = dial(RAW_PORT);
	read_reply(fd, out, sizeof(out), NULL);
	close(fd);
	assert_string_equal(out, HOSTNAME);
}

/* The stand-in serves on each of its ports, and tells a port from a mistake. */
static void stands_in(void **state)
{
	NEEDS_NETWORK;
	static const char get[] = "GET /hostname HTTP/1.0\r\n\r\n";
	char out[512];
	for (int port = 18083; port <= 18084; port++) {
		int fd = dial(port);
		assert_true(fd >= 0);
		assert_int_equal(send(fd, get, sizeof(get) - 1, MSG_NOSIGNAL), sizeof(get) - 1);
		read_reply(fd, out, sizeof(out), NULL);
		close(fd);
		assert_non_null(strstr(out, "\r\n\r\n" HOSTNAME));
	}
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_port = htons(18083),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(send(fd, "hostname", 8, 0), 8);
	read_reply(fd, out, sizeof(out), HOSTNAME);
	close(fd);
	assert_string_equal(out, HOSTNAME);
}

/* Exit code and stderr of a run. */
static int run(char *out, size_t size, const char *const *argv)
{
	int fds[2], status;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid_t pid = start(fds[1], argv);
	close(fds[1]);
	size_t n = 0;
	for (ssize_t got; (got = read(fds[0], out + n, size - 1 - n)) > 0;)
		n += (size_t)got;
	out[n] = '\0';
	close(fds[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
#define RUN(out, ...) run(out, sizeof(out), (const char *const[]){"agnhost", __VA_ARGS__, NULL})

static void connecting(void **state)
{
	NEEDS_NETWORK;
	char out[1024];
	assert_int_equal(RUN(out, "connect", "127.0.0.1:18080"), 0);
	assert_string_equal(out, "");
	assert_int_equal(RUN(out, "connect", "--timeout=3s", "localhost:18080"), 0);
	assert_int_equal(RUN(out, "connect", "127.0.0.1:18099"), 1);
	assert_string_equal(out, "REFUSED\n");
	assert_int_equal(
		RUN(out, "connect", "--protocol", "udp", "--timeout=2s", "127.0.0.1:18081"), 0);
	assert_int_equal(RUN(out, "connect", "--protocol=udp", "--timeout=2s", "127.0.0.1:18099"),
			 1);
	assert_int_equal(strncmp(out, "REFUSED: ", 9), 0);
	assert_int_equal(RUN(out, "connect", "10.1.2.3:80"), 1);
	assert_string_equal(out, "OTHER: dial tcp 10.1.2.3:80: connect: network is unreachable\n");
	assert_int_equal(RUN(out, "connect", "nowhere"), 1);
	assert_string_equal(out, "UNKNOWN: address nowhere: missing port in address\n");
	assert_int_equal(RUN(out, "connect", "--timeout=300ms", "127.0.0.1:18080", "x"), 1);
	assert_string_equal(out, "Error: accepts 1 arg(s), received 2\n");
}

/* A listener whose queue is full answers no further SYN. */
static void times_out(void **state)
{
	NEEDS_NETWORK;
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	char out[256], dest[32];
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fill[4];
	assert_int_equal(bind(l, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(l, 0), 0);
	getsockname(l, (struct sockaddr *)&sa, &len);
	for (size_t i = 0; i < 4; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (connect(fill[i], (struct sockaddr *)&sa, sizeof(sa)) < 0)
			assert_int_equal(errno, EINPROGRESS);
	}
	snprintf(dest, sizeof(dest), "127.0.0.1:%u", ntohs(sa.sin_port));
	assert_int_equal(RUN(out, "connect", "--timeout=200ms", dest), 1);
	assert_string_equal(out, "TIMEOUT\n");
	for (size_t i = 0; i < 4; i++)
		close(fill[i]);
	close(l);
}

static void usage(void **state)
{
	char out[1024];
	assert_int_equal(RUN(out, "frobnicate"), 1);
	assert_string_equal(out, "Error: unknown command \"frobnicate\" for \"app\"\n"
				 "Run 'app --help' for usage.\n");
	assert_int_equal(RUN(out, "netexec", "--bogus=1"), 1);
	assert_string_equal(out, "Error: unknown flag: --bogus\n");
	assert_int_equal(RUN(out, "netexec", "--http-port=x"), 1);
	assert_string_equal(out, "Error: invalid argument \"x\" for \"--http-port\" flag\n");
	assert_int_equal(RUN(out, "netexec", "--http-port"), 1);
	assert_string_equal(out, "Error: flag needs an argument: --http-port\n");
	assert_int_equal(RUN(out, "stand-in", "80/sctp"), 1);
	assert_string_equal(out, "Error: \"80/sctp\" is not PORT/tcp or PORT/udp\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostname),	cmocka_unit_test(client_ip),
		cmocka_unit_test(echo),		cmocka_unit_test(keeps_alive),
		cmocka_unit_test(nonsense),	cmocka_unit_test(datagrams),
		cmocka_unit_test(raw_hostname), cmocka_unit_test(connecting),
		cmocka_unit_test(times_out),	cmocka_unit_test(usage),
		cmocka_unit_test(stands_in),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
