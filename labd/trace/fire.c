/* SPDX-License-Identifier: MIT */
/* See fire.h. */
#include "labd/trace/fire.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/limits.h"

#define DNS_PORT    53
#define DNS_DEFAULT "kubernetes.default.svc.cluster.local"
#define PING_BYTES  56 /* what ping sends */
#define RECEIVE_MAX 65536
#define HOST_MAX    100 /* of the Host header: the request must stay inside the marker's window */
#define ANSWER_MAX  200
#define REPAIR_ON   1
#define REPAIR_OFF  (-1) /* without a window probe */
#define SEND_QUEUE  2
#define IP_BYTES    20
#define UDP_BYTES   8
#define TCP_BYTES   32 /* with time stamps, as data has it */
#define TCP_TIMES   12 /* of these, which TCP_MAXSEG leaves in */

/* ---- DNS -------------------------------------------------------------------------------------
 */

unsigned dns_query(const char *name, uint16_t id, uint8_t *buf, unsigned size)
{
	unsigned n = 12, len = (unsigned)strlen(name);
	if (len == 0 || len > 253 || size < len + 18)
		return 0;
	memset(buf, 0, 12);
	buf[0] = (uint8_t)(id >> 8);
	buf[1] = (uint8_t)id;
	buf[2] = 1; /* recursion desired */
	buf[5] = 1; /* one question */
	while (*name) {
		unsigned label = (unsigned)strcspn(name, ".");
		if (label == 0 || label > 63)
			return 0;
		buf[n++] = (uint8_t)label;
		memcpy(buf + n, name, label);
		n += label;
		name += label + (name[label] == '.');
	}
	const uint8_t end[] = {0, 0, 1, 0, 1}; /* root, type A, class IN */
	memcpy(buf + n, end, sizeof(end));
	return n + sizeof(end);
}

/* Behind a name; 0 when it runs out. */
static unsigned skip_name(const uint8_t *buf, unsigned len, unsigned at)
{
	while (at < len) {
		if (buf[at] == 0)
			return at + 1;
		if (buf[at] >= 0xc0)
			return at + 2;
		at += buf[at] + 1u;
	}
	return 0;
}

bool dns_answer(const uint8_t *buf, unsigned len, ip4 *ret, unsigned *rcode)
{
	*ret = 0;
	if (len < 12 || !(buf[2] & 0x80))
		return false;
	*rcode = buf[3] & 15;
	unsigned n = (unsigned)(buf[6] << 8 | buf[7]);
	unsigned at = skip_name(buf, len, 12);
	at = at ? at + 4 : len;
	for (unsigned i = 0; i < n && i < 64; i++) {
		at = skip_name(buf, len, at);
		if (!at || at + 10 > len)
			return true;
		unsigned type = (unsigned)(buf[at] << 8 | buf[at + 1]);
		unsigned size = (unsigned)(buf[at + 8] << 8 | buf[at + 9]);
		at += 10;
		if (type == 1 && size == 4 && at + 4 <= len) {
			*ret = (ip4)buf[at] << 24 | (ip4)buf[at + 1] << 16 | (ip4)buf[at + 2] << 8 |
			       buf[at + 3];
			return true;
		}
		at += size;
	}
	return true;
}

/* ---- outcome ---------------------------------------------------------------------------------
 */

static void done(struct fire *f, const char *outcome, int error, const char *answer)
{
	f->p->outcome = outcome;
	f->p->error = error;
	f->p->answer = arena_strdup(f->a, answer);
	f->state = FIRE_DONE;
}

static void failed(struct fire *f, int error)
{
	const char *outcome = "error";
	if (error == ECONNREFUSED)
		outcome = "refused";
	else if (error == ETIMEDOUT)
		outcome = "timeout";
	else if (error == EHOSTUNREACH || error == ENETUNREACH || error == EACCES)
		outcome = "unreachable";
	done(f, outcome, error, strerror(error));
}

/* The first line, what cannot be printed as dots. */
static void answered(struct fire *f, const uint8_t *data, unsigned len)
{
	char line[ANSWER_MAX];
	unsigned n = 0;
	for (; n < len && n + 1 < sizeof(line) && data[n] != '\n' && data[n] != '\r'; n++)
		line[n] = isprint(data[n]) ? (char)data[n] : '.';
	line[n] = '\0';
	f->p->outcome = "answered";
	f->p->answer = arena_strdup(f->a, line);
}

static void dns_answered(struct fire *f, const uint8_t *data, unsigned len)
{
	static const char *const codes[] = {"no address", "FORMERR", "SERVFAIL",
					    "NXDOMAIN",	  "NOTIMP",  "REFUSED"};
	unsigned rcode = 0;
	if (!dns_answer(data, len, &f->resolved, &rcode)) {
		answered(f, data, len);
		f->state = FIRE_DONE;
		return;
	}
	const char *text = rcode < ARRAY_SIZE(codes) ? codes[rcode] : "error";
	done(f, "answered", 0, f->resolved ? IP4(f->resolved) : text);
}

/* ---- making it -------------------------------------------------------------------------------
 */

static uint32_t random32(void)
{
	uint32_t v = 0;
	if (getrandom(&v, sizeof(v), 0) != sizeof(v))
		v = (uint32_t)getpid() * 2654435761u;
	return v;
}

static bool is_tcp(const struct fire *f)
{
	return strcmp(f->p->proto, "tcp") == 0;
}

static bool is_icmp(const struct fire *f)
{
	return strcmp(f->p->proto, "icmp") == 0;
}

/* Bytes of the window between two runs: more than a request has, so that none is taken for the one
 * before. */
#define AGAIN_STEP 1024u

struct marker fire_prepare(struct fire *f, struct arena *a, struct rec_probe *p, const char *host)
{
	*f = (struct fire){.fd = -1, .a = a, .p = p, .host = host};
	if (is_tcp(f)) {
		p->isn = random32() & ~(MARKER_WINDOW - 1);
		p->isn = p->isn ? p->isn : MARKER_WINDOW; /* 0 would let the kernel choose */
		return marker_tcp(p->isn);
	}
	for (unsigned i = 0; i < MARKER_COOKIE; i += 4) {
		uint32_t v = random32();
		memcpy(p->cookie + i, &v, sizeof(v));
	}
	if (!is_icmp(f) && p->dport == DNS_PORT) {
		uint16_t id = (uint16_t)random32();
		f->query_len = dns_query(p->dns_name ? p->dns_name : DNS_DEFAULT, id, f->query,
					 sizeof(f->query));
		if (f->query_len)
			return marker_dns(f->query, f->query_len);
	}
	return marker_cookie(is_icmp(f) ? IPPROTO_ICMP : IPPROTO_UDP, p->cookie);
}

void fire_again(struct fire *f, const struct fire *first, struct rec_probe *p, unsigned n)
{
	*p = *first->p;
	*f = *first;
	f->p = p;
	if (is_tcp(f)) /* the upper half of the window is for what the run sends */
		p->isn += n * AGAIN_STEP % (MARKER_WINDOW / 2);
}

static struct sockaddr_in addr_of(ip4 ip, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(ip)}};
}

/* The address that packets to dst will come from, as the routing table says now. */
static ip4 source_for(ip4 dst)
{
	struct sockaddr_in sa = addr_of(dst, 9);
	socklen_t len = sizeof(sa);
	_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return 0;
	return ntohl(sa.sin_addr.s_addr);
}

static int choose_isn(int fd, uint32_t isn)
{
	int on = REPAIR_ON, queue = SEND_QUEUE, off = REPAIR_OFF;
	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &isn, sizeof(isn)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)) < 0)
		return -errno;
	return 0;
}

static int make_socket(const struct fire *f)
{
	const int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
	if (is_icmp(f))
		return socket(AF_INET, SOCK_RAW | flags, IPPROTO_ICMP);
	return socket(AF_INET, (is_tcp(f) ? SOCK_STREAM : SOCK_DGRAM) | flags, 0);
}

int fire_open(struct fire *f, struct err *err)
{
	struct sockaddr_in sa = addr_of(0, 0);
	socklen_t len = sizeof(sa);
	int on = 1, whole = IP_PMTUDISC_PROBE; /* DF, whatever was learned of the path */
	f->fd = make_socket(f);
	if (f->fd < 0)
		return err_sys(err, errno, "probe");
	f->p->src = source_for(f->p->dst);
	if (f->size && !is_tcp(f))
		setsockopt(f->fd, IPPROTO_IP, IP_MTU_DISCOVER, &whole, sizeof(whole));
	if (is_icmp(f)) {
		f->p->sport = (uint16_t)random32();
		f->p->dport = ICMP_ECHO << 8;
		setsockopt(f->fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
		return 0;
	}
	if (bind(f->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    getsockname(f->fd, (struct sockaddr *)&sa, &len) < 0)
		return err_sys(err, errno, "probe");
	f->p->sport = ntohs(sa.sin_port);
	if (!is_tcp(f)) {
		setsockopt(f->fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
		return 0;
	}
	int r = choose_isn(f->fd, f->p->isn);
	return r < 0 ? err_sys(err, r, "choosing the probe's sequence number") : 0;
}

/* ---- sending ---------------------------------------------------------------------------------
 */

static uint16_t checksum(const uint8_t *p, unsigned len)
{
	uint32_t sum = 0;
	for (unsigned i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* Bytes behind headers of so many bytes, at least `least`. */
static unsigned fill(const struct fire *f, unsigned headers, unsigned least)
{
	return f->size > headers + least ? f->size - headers : least;
}

static ssize_t send_ping(struct fire *f)
{
	uint8_t buf[sizeof(struct icmphdr) + MAX_PROBE_BYTES] = {0};
	unsigned n = fill(f, IP_BYTES + sizeof(struct icmphdr), PING_BYTES);
	struct icmphdr *h = (struct icmphdr *)buf;
	h->type = ICMP_ECHO;
	h->un.echo.id = htons(f->p->sport);
	h->un.echo.sequence = htons(1);
	memcpy(buf + sizeof(*h), f->p->cookie, MARKER_COOKIE);
	for (unsigned i = MARKER_COOKIE; i < n; i++)
		buf[sizeof(*h) + i] = (uint8_t)i;
	n += sizeof(*h);
	h->checksum = checksum(buf, n + (n & 1));
	return send(f->fd, buf, n, 0);
}

static ssize_t send_cookie(struct fire *f)
{
	uint8_t buf[MAX_PROBE_BYTES] = {0};
	memcpy(buf, f->p->cookie, MARKER_COOKIE);
	return send(f->fd, buf, fill(f, IP_BYTES + UDP_BYTES, MARKER_COOKIE), 0);
}

static void send_datagram(struct fire *f)
{
	ssize_t n;
	if (is_icmp(f))
		n = send_ping(f);
	else if (f->query_len)
		n = send(f->fd, f->query, f->query_len, 0);
	else
		n = send_cookie(f);
	if (n < 0)
		failed(f, errno);
	else
		f->state = FIRE_WAITING;
}

void fire_start(struct fire *f)
{
	struct sockaddr_in sa = addr_of(f->p->dst, is_icmp(f) ? 0 : f->p->dport);
	f->state = FIRE_CONNECTING;
	int r = connect(f->fd, (struct sockaddr *)&sa, sizeof(sa));
	if (r < 0 && errno != EINPROGRESS)
		failed(f, errno);
	else if (!is_tcp(f))
		send_datagram(f);
}

/* Fill the request, of MAX_PROBE_BYTES, up to the size wanted, or to the biggest segment there may
 * be: more would leave as one buffer that the card is to cut up. Ends the headers. */
static int pad(const struct fire *f, char *req, int n)
{
	static const char name[] = "X-Size: ";
	int mss = 0, least = n + (int)sizeof(name) - 1 + 4;
	socklen_t len = sizeof(mss);
	int want = (int)fill(f, IP_BYTES + TCP_BYTES, 0);
	getsockopt(f->fd, IPPROTO_TCP, TCP_MAXSEG, &mss, &len);
	if (want > mss - TCP_TIMES)
		want = mss - TCP_TIMES;
	if (want > least) {
		memcpy(req + n, name, sizeof(name) - 1);
		n += (int)sizeof(name) - 1;
		memset(req + n, 'x', (size_t)(want - n - 4));
		n = want - 4;
		req[n++] = '\r';
		req[n++] = '\n';
	}
	req[n++] = '\r';
	req[n++] = '\n';
	return n;
}

static void send_request(struct fire *f)
{
	char req[MAX_PROBE_BYTES], cookie[MARKER_COOKIE + 16] = "";
	if (f->relayed)
		snprintf(cookie, sizeof(cookie), "X-Labd: %.*s\r\n", (int)MARKER_COOKIE,
			 (const char *)f->p->cookie);
	int n = snprintf(req, sizeof(req),
			 "GET / HTTP/1.0\r\n%sHost: %.*s\r\nUser-Agent: labctl-trace\r\n"
			 "Accept: */*\r\n",
			 cookie, HOST_MAX, f->host ? f->host : IP4(f->p->dst));
	n = pad(f, req, n);
	f->p->outcome = "answered";
	f->p->answer = "connected";
	f->state = FIRE_WAITING;
	if (f->p->dport != DNS_PORT && send(f->fd, req, (size_t)n, MSG_NOSIGNAL) < 0)
		failed(f, errno);
	else if (f->p->dport == DNS_PORT) /* a DNS server does not speak HTTP */
		f->state = FIRE_DONE;
}

static void connected(struct fire *f)
{
	int error = 0;
	socklen_t len = sizeof(error);
	struct pollfd p = {.fd = f->fd, .events = POLLOUT};
	if (poll(&p, 1, 0) <= 0)
		return;
	getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error)
		failed(f, error);
	else
		send_request(f);
}

static void datagram(struct fire *f, const uint8_t *buf, unsigned len)
{
	if (!is_icmp(f)) {
		if (f->query_len)
			dns_answered(f, buf, len);
		else
			answered(f, buf, len);
		f->state = FIRE_DONE;
		return;
	}
	unsigned ihl = len ? (buf[0] & 15u) * 4 : 0;
	const struct icmphdr *h = (const struct icmphdr *)(buf + ihl);
	if (len >= ihl + sizeof(*h) && h->type == ICMP_ECHOREPLY &&
	    ntohs(h->un.echo.id) == f->p->sport)
		done(f, "answered", 0, "echo reply");
}

void fire_step(struct fire *f)
{
	uint8_t buf[4096];
	if (f->state == FIRE_CONNECTING)
		connected(f);
	while (f->state == FIRE_WAITING) {
		ssize_t n = recv(f->fd, buf, sizeof(buf), 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			failed(f, errno);
		} else if (!is_tcp(f)) {
			datagram(f, buf, (unsigned)n);
		} else {
			if (!f->received && n > 0)
				answered(f, buf, (unsigned)n);
			f->received += (unsigned)n;
			if (n == 0 || f->received >= RECEIVE_MAX)
				f->state = FIRE_DONE;
		}
	}
}

void fire_give_up(struct fire *f)
{
	if (f->state == FIRE_WAITING && is_tcp(f))
		f->state = FIRE_DONE; /* connected, and silent */
	else if (f->state != FIRE_DONE)
		done(f, "timeout", ETIMEDOUT, "no answer");
}

/* Is there something that the kernel will go on repeating? A SYN does not count: close ends that.
 */
static bool unacknowledged(const struct fire *f)
{
	int bytes = 0;
	return is_tcp(f) && ioctl(f->fd, SIOCOUTQ, &bytes) == 0 && bytes > 0;
}

void fire_finish(struct fire *f)
{
	if (unacknowledged(f))
		shutdown(f->fd, SHUT_WR);
	else
		fire_close(f);
}

void fire_close(struct fire *f)
{
	const struct linger reset = {.l_onoff = 1};
	if (f->fd < 0)
		return;
	if (unacknowledged(f))
		setsockopt(f->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(f->fd);
	f->fd = -1;
}
