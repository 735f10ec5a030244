/* SPDX-License-Identifier: MIT */
/*
 * agnhost connect: one connection, and why not; with names looked up by hand, for what a static
 * program's library does about search lists and refusals differs. See agnhost.h.
 */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <resolv.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "labd/init/agnhost.h"

#define HOST_MAX 256
#define DNS_MS	 5000 /* as long as resolvers wait by default */

/* --- names ----------------------------------------------------------------------------------- */

static bool from_hosts_file(const char *host, struct in_addr *ret)
{
	FILE *f = fopen("/etc/hosts", "re");
	char line[1024];
	bool found = false;
	while (f && !found && fgets(line, sizeof(line), f)) {
		char *save, *word;
		line[strcspn(line, "#\n")] = '\0';
		char *ip = strtok_r(line, " \t", &save);
		if (!ip || inet_pton(AF_INET, ip, ret) != 1)
			continue;
		while (!found && (word = strtok_r(NULL, " \t", &save)))
			found = strcasecmp(word, host) == 0;
	}
	if (f)
		fclose(f);
	return found;
}

static unsigned get16(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* The first A record of an answer. */
static bool first_address(const unsigned char *msg, int len, struct in_addr *ret)
{
	const unsigned char *end = msg + len, *p = msg + NS_HFIXEDSZ;
	if (len < NS_HFIXEDSZ)
		return false;
	unsigned questions = get16(msg + 4), answers = get16(msg + 6);
	while (questions--) {
		int n = dn_skipname(p, end);
		if (n < 0 || end - p < n + NS_QFIXEDSZ)
			return false;
		p += n + NS_QFIXEDSZ;
	}
	while (answers--) {
		int n = dn_skipname(p, end);
		if (n < 0 || end - p < n + NS_RRFIXEDSZ)
			return false;
		p += n;
		unsigned type = get16(p), size = get16(p + 8);
		p += NS_RRFIXEDSZ;
		if ((size_t)(end - p) < size)
			return false;
		if (type == ns_t_a && size == sizeof(*ret)) {
			memcpy(ret, p, sizeof(*ret));
			return true;
		}
		p += size;
	}
	return false;
}

/* resolv.conf(5), what a pod's says. */
struct resolv {
	char server[64], search[512];
	unsigned ndots;
};

static void read_resolv(struct resolv *c)
{
	FILE *f = fopen("/etc/resolv.conf", "re");
	char line[600];
	*c = (struct resolv){.ndots = 1};
	while (f && fgets(line, sizeof(line), f)) {
		const char *ndots = strstr(line, "ndots:");
		if (!c->server[0])
			sscanf(line, " nameserver %63s", c->server);
		sscanf(line, " search %511[^\n]", c->search);
		if (strncmp(line, "options", 7) == 0 && ndots)
			c->ndots = (unsigned)atoi(ndots + 6);
	}
	if (f)
		fclose(f);
}

/* Ask once. 1: found; 0: there is none (or the server will not say); -1: no answer. */
static int ask(const struct resolv *c, const char *name, struct in_addr *ret)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(NS_DEFAULTPORT)};
	unsigned char query[NS_PACKETSZ], msg[NS_PACKETSZ * 8];
	int qlen = res_mkquery(0, name, ns_c_in, ns_t_a, NULL, 0, NULL, query, sizeof(query));
	if (qlen < 0)
		return 0;
	if (inet_pton(AF_INET, c->server, &sa.sin_addr) != 1)
		return -1;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), found = -1;
	if (fd < 0 || connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    send(fd, query, (size_t)qlen, 0) != qlen)
		goto done;
	for (struct pollfd p = {.fd = fd, .events = POLLIN}; poll(&p, 1, DNS_MS) > 0;) {
		ssize_t n = recv(fd, msg, sizeof(msg), 0);
		if (n < 0)
			break;
		if (n >= NS_HFIXEDSZ && memcmp(msg, query, 2) == 0) {
			found = first_address(msg, (int)n, ret);
			break;
		}
	}
done:
	if (fd >= 0)
		close(fd);
	return found;
}

/* As a resolver searches: a name with few dots below each domain first. */
static int look_up(const struct resolv *c, const char *host, struct in_addr *ret)
{
	char search[sizeof(c->search)], name[HOST_MAX * 2], *save;
	unsigned dots = 0;
	for (const char *p = host; *p; p++)
		dots += *p == '.';
	bool absolute = host[0] && host[strlen(host) - 1] == '.';
	int r = absolute || dots >= c->ndots ? ask(c, host, ret) : 0;
	if (r || absolute)
		return r;
	memcpy(search, c->search, sizeof(search));
	for (char *d = strtok_r(search, " \t", &save); d; d = strtok_r(NULL, " \t", &save)) {
		snprintf(name, sizeof(name), "%s.%s", host, d);
		r = ask(c, name, ret);
		if (r)
			return r;
	}
	return dots >= c->ndots ? 0 : ask(c, host, ret);
}

int agn_resolve(const char *host, struct in_addr *ret, char *why, size_t size)
{
	struct resolv c;
	if (inet_pton(AF_INET, host, ret) == 1 || from_hosts_file(host, ret))
		return 0;
	read_resolv(&c);
	int r = look_up(&c, host, ret);
	if (r > 0)
		return 0;
	snprintf(why, size, "lookup %s%s%s%s: %s", host, c.server[0] ? " on " : "", c.server,
		 c.server[0] ? ":53" : "", r < 0 ? "i/o timeout" : "no such host");
	return -1;
}

/* --- connecting ------------------------------------------------------------------------------ */

static int fail(const char *what, const char *detail)
{
	fprintf(stderr, detail ? "%s: %s\n" : "%s\n", what, detail);
	return 1;
}

/* Go's words for an errno are the kernel's, in lower case (syscall/zerrors_linux_amd64.go). This
 * library's differ for these. */
const char *agn_error(int code)
{
	static char text[128];
	switch (code) {
	case EADDRINUSE:
		return "address already in use";
	case EADDRNOTAVAIL:
		return "cannot assign requested address";
	case ENETUNREACH:
		return "network is unreachable";
	case EHOSTUNREACH:
		return "no route to host";
	case ETIMEDOUT:
		return "connection timed out";
	default:
		snprintf(text, sizeof(text), "%s", strerror(code));
		if (text[0] >= 'A' && text[0] <= 'Z')
			text[0] |= 0x20;
		return text;
	}
}

static int wait_ms(int64_t timeout_ns)
{
	if (timeout_ns <= 0)
		return -1;
	int64_t ms = (timeout_ns + 999999) / 1000000;
	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

static int connect_tcp(const char *dest, const struct sockaddr_in *sa, int64_t timeout)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int code = 0;
	socklen_t len = sizeof(code);
	char detail[512];
	if (fd < 0)
		return fail("OTHER", agn_error(errno));
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		code = errno;
		if (code == EINPROGRESS && poll(&p, 1, wait_ms(timeout)) == 0)
			return fail("TIMEOUT", NULL);
		if (code == EINPROGRESS)
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len);
	}
	close(fd);
	if (code == 0)
		return 0;
	if (code == ETIMEDOUT)
		return fail("TIMEOUT", NULL);
	if (code == ECONNREFUSED)
		return fail("REFUSED", NULL);
	snprintf(detail, sizeof(detail), "dial tcp %s: connect: %s", dest, agn_error(code));
	return fail("OTHER", detail);
}

static int connect_udp(const char *dest, const struct sockaddr_in *sa, int64_t timeout,
		       const char *data)
{
	char buf[1024], detail[512];
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0) {
		snprintf(detail, sizeof(detail), "dial udp %s: connect: %s", dest,
			 agn_error(errno));
		return fail("OTHER", detail);
	}
	struct pollfd p = {.fd = fd, .events = POLLIN};
	snprintf(buf, sizeof(buf), "%s\n", data);
	ssize_t n = send(fd, buf, strlen(buf), 0);
	if (n >= 0 && poll(&p, 1, wait_ms(timeout)) == 0) {
		snprintf(detail, sizeof(detail), "read udp %s: i/o timeout", dest);
		return fail("TIMEOUT", detail);
	}
	if (n >= 0)
		n = recv(fd, buf, sizeof(buf), 0);
	int code = errno;
	close(fd);
	if (n > 0)
		return 0;
	if (n == 0)
		return fail("OTHER", "No data received from the server. Cannot guarantee the "
				     "server received the request.");
	snprintf(detail, sizeof(detail), "read udp %s: %s", dest, agn_error(code));
	return fail(code == ECONNREFUSED ? "REFUSED" : "UNKNOWN", detail);
}

int agn_connect_main(int argc, char **argv)
{
	int64_t timeout = 0;
	const char *protocol = "tcp", *data = "hostname";
	const struct agn_flag flags[] = {{"timeout", AGN_DURATION, &timeout},
					 {"protocol", AGN_STRING, &protocol},
					 {"udp-data", AGN_STRING, &data},
					 {NULL, AGN_INT, NULL}};
	char host[HOST_MAX], why[HOST_MAX + 256], *end;
	struct sockaddr_in sa = {.sin_family = AF_INET};
	int n = agn_flags(argc, argv, flags);
	if (n != 1) {
		fprintf(stderr, "Error: accepts 1 arg(s), received %d\n", n);
		return 1;
	}
	const bool udp = !strcmp(protocol, "udp");
	if (!udp && strcmp(protocol, "tcp") && *protocol)
		return fail("Unsupported protocol", protocol);
	const char *dest = argv[0], *colon = strrchr(dest, ':');
	if (!colon || (size_t)(colon - dest) >= sizeof(host)) {
		snprintf(why, sizeof(why), "address %.200s: missing port in address", dest);
		return fail("UNKNOWN", why);
	}
	snprintf(host, sizeof(host), "%.*s", (int)(colon - dest), dest);
	unsigned long port = strtoul(colon + 1, &end, 10);
	if (!colon[1] || *end || port > 65535) {
		snprintf(why, sizeof(why), "lookup %s/%.64s: unknown port", protocol, colon + 1);
		return fail("DNS", why);
	}
	sa.sin_port = htons((uint16_t)port);
	if (host[0] && agn_resolve(host, &sa.sin_addr, why, sizeof(why)) < 0)
		return fail("DNS", why);
	if (!host[0])
		sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return udp ? connect_udp(dest, &sa, timeout, data) : connect_tcp(dest, &sa, timeout);
}
