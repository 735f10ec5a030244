/* SPDX-License-Identifier: MIT */
/* Tests of labd/kernel/sock_listen.c, with sockets of this process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "labd/kernel/sock_listen.h"
#include "lib/base/cleanup.h"

#define LOCAL 0x7f000001u

/* A socket bound to ip and a port that the kernel chooses. */
static int bound(int type, ip4 ip, uint16_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(ip)}};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static void tcp(void **state)
{
	(void)state;
	uint16_t port;
	int fd = bound(SOCK_STREAM, INADDR_ANY, &port);
	assert_false(sock_listens(getpid(), PROTO_TCP, LOCAL, port));
	assert_int_equal(listen(fd, 1), 0);
	assert_true(sock_listens(getpid(), PROTO_TCP, LOCAL, port));
	assert_false(sock_listens(getpid(), PROTO_UDP, LOCAL, port));
	assert_false(sock_listens(getpid(), PROTO_SCTP, LOCAL, port));
	close(fd);
	assert_false(sock_listens(getpid(), PROTO_TCP, LOCAL, port));
}

static void udp(void **state)
{
	(void)state;
	uint16_t port;
	int fd = bound(SOCK_DGRAM, LOCAL, &port);
	assert_true(sock_listens(getpid(), PROTO_UDP, LOCAL, port));
	assert_false(sock_listens(getpid(), PROTO_TCP, LOCAL, port));
	close(fd);
	assert_false(sock_listens(getpid(), PROTO_UDP, LOCAL, port));
}

/* Programs that listen on [::] take IPv4 as well. */
static void both_families(void **state)
{
	(void)state;
	struct sockaddr_in6 a = {.sin6_family = AF_INET6};
	socklen_t len = sizeof(a);
	_close_ int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0)
		skip();
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	assert_true(sock_listens(getpid(), PROTO_TCP, LOCAL, ntohs(a.sin6_port)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp),
		cmocka_unit_test(udp),
		cmocka_unit_test(both_families),
	};
	return cmocka_run_group_tests_name("sock_listen", tests, NULL, NULL);
}
