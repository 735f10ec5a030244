/* SPDX-License-Identifier: MIT */
/*
 * See ipvs_nl.h. Messages are sent many at a time; only the last of a datagram asks for an
 * acknowledgement, a refusal is answered anyway and its sequence number tells the line.
 */
#include "labd/kernel/ipvs_nl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "labd/kernel/nlbatch.h"
#include "lib/base/addr.h"
#include "lib/base/arena.h"
#include "lib/base/cleanup.h"

#define BATCH	  64 /* messages per datagram */
#define MSG_BYTES 256
#define BUF_BYTES (BATCH * MSG_BYTES)
#define WORDS_MAX 16
#define MASK_ALL  0xffffffffu

struct talk {
	struct nlns home;
	struct mnl_socket *sk;
	uint16_t family;
	uint32_t seq;
	char *buf;
};

static void talk_end(struct talk *t)
{
	if (t->sk)
		mnl_socket_close(t->sk);
	free(t->buf);
	nlns_leave(&t->home);
}
#define _talk_ _cleanup_(talk_end)

static struct nlmsghdr *begin(struct talk *t, char *at, uint16_t family, uint8_t cmd,
			      uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(at);
	h->nlmsg_type = family;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = ++t->seq;
	struct genlmsghdr *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->cmd = cmd;
	g->version = IPVS_GENL_VERSION;
	return h;
}

/* One question, all its answers. */
static int ask(struct talk *t, struct nlmsghdr *h, mnl_cb_t see, void *arg)
{
	char buf[BUF_BYTES];
	uint32_t seq = h->nlmsg_seq;
	if (mnl_socket_sendto(t->sk, h, h->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		ssize_t n = mnl_socket_recvfrom(t->sk, buf, sizeof(buf));
		int r = n < 0 ? -1
			      : mnl_cb_run(buf, (size_t)n, seq, mnl_socket_get_portid(t->sk), see,
					   arg);
		if (r < 0)
			return -errno;
		if (r == MNL_CB_STOP)
			return 0;
	}
}

static int see_family(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *a;
	mnl_attr_for_each (a, h, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(a) == CTRL_ATTR_FAMILY_ID)
			*(uint16_t *)arg = mnl_attr_get_u16(a);
	}
	return MNL_CB_OK;
}

static int talk_begin(struct talk *t, int netns, struct err *err)
{
	*t = (struct talk){.home = NLNS_INIT, .buf = malloc(BUF_BYTES)};
	int r = t->buf ? nlns_enter(&t->home, netns, err) : err_sys(err, ENOMEM, "IPVS");
	if (r < 0)
		return r;
	t->sk = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!t->sk || mnl_socket_bind(t->sk, 0, MNL_SOCKET_AUTOPID) < 0)
		return err_sys(err, errno, "IPVS");
	struct nlmsghdr *h = begin(t, t->buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, NLM_F_ACK);
	mnl_attr_put_strz(h, CTRL_ATTR_FAMILY_NAME, IPVS_GENL_NAME);
	r = ask(t, h, see_family, &t->family);
	return r < 0 ? err_sys(err, r, "IPVS") : 0;
}

/* ---- lines to messages ------------------------------------------------------------------------
 */

static const struct {
	const char *word, *scheduler; /* NULL: any */
	uint32_t flag;
} sched_flags[] = {
	{"sh-fallback", "sh", IP_VS_SVC_F_SCHED1}, {"sh-port", "sh", IP_VS_SVC_F_SCHED2},
	{"mh-fallback", "mh", IP_VS_SVC_F_SCHED1}, {"mh-port", "mh", IP_VS_SVC_F_SCHED2},
	{"flag-1", NULL, IP_VS_SVC_F_SCHED1},	   {"flag-2", NULL, IP_VS_SVC_F_SCHED2},
	{"flag-3", NULL, IP_VS_SVC_F_SCHED3},
};

static const struct {
	const char *word;
	uint16_t proto;
} protos[] = {{"-t", IPPROTO_TCP}, {"-u", IPPROTO_UDP}, {"--sctp-service", IPPROTO_SCTP}};

static const struct {
	const char *word;
	uint8_t cmd;
	bool dest;
} commands[] = {
	{"-A", IPVS_CMD_NEW_SERVICE, false}, {"-E", IPVS_CMD_SET_SERVICE, false},
	{"-D", IPVS_CMD_DEL_SERVICE, false}, {"-a", IPVS_CMD_NEW_DEST, true},
	{"-e", IPVS_CMD_SET_DEST, true},     {"-d", IPVS_CMD_DEL_DEST, true},
};

struct line {
	uint8_t cmd;
	bool has_dest;
	uint16_t proto;
	ip4 addr, dest;
	uint16_t port, dest_port;
	const char *scheduler;
	uint32_t timeout, flags, weight;
};

static bool parse_addr(const char *s, ip4 *ip, uint16_t *port)
{
	char text[IP4_STRLEN + 1];
	const char *colon = strchr(s, ':');
	if (!colon || (size_t)(colon - s) >= sizeof(text))
		return false;
	memcpy(text, s, (size_t)(colon - s));
	text[colon - s] = '\0';
	*port = (uint16_t)strtoul(colon + 1, NULL, 10);
	return ip4_parse(text, ip);
}

static uint32_t parse_flags(char *words)
{
	uint32_t flags = 0;
	char *save = NULL;
	for (char *w = strtok_r(words, ",", &save); w; w = strtok_r(NULL, ",", &save))
		for (size_t i = 0; i < ARRAY_SIZE(sched_flags); i++)
			if (strcmp(w, sched_flags[i].word) == 0)
				flags |= sched_flags[i].flag;
	return flags;
}

/* An option and its value; -1: no such option. */
static int parse_option(struct line *l, const char *option, char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(protos); i++)
		if (strcmp(option, protos[i].word) == 0) {
			l->proto = protos[i].proto;
			return parse_addr(value, &l->addr, &l->port) ? 1 : -1;
		}
	if (strcmp(option, "-m") == 0)
		return 0; /* masquerading is all there is */
	if (strcmp(option, "-r") == 0)
		return parse_addr(value, &l->dest, &l->dest_port) ? 1 : -1;
	if (strcmp(option, "-s") == 0)
		l->scheduler = value;
	else if (strcmp(option, "-p") == 0)
		l->timeout = (uint32_t)strtoul(value, NULL, 10);
	else if (strcmp(option, "-w") == 0)
		l->weight = (uint32_t)strtoul(value, NULL, 10);
	else if (strcmp(option, "-b") == 0)
		l->flags |= parse_flags(value);
	else
		return -1;
	return 1;
}

static bool parse_line(char *text, struct line *l)
{
	char *w[WORDS_MAX + 1] = {NULL}, *save = NULL;
	size_t n = 0;
	*l = (struct line){.scheduler = "wlc", .weight = 1}; /* ipvsadm's defaults */
	for (char *s = strtok_r(text, " ", &save); s && n < WORDS_MAX;
	     s = strtok_r(NULL, " ", &save))
		w[n++] = s;
	for (size_t i = 0; n && i < ARRAY_SIZE(commands); i++)
		if (strcmp(w[0], commands[i].word) == 0) {
			l->cmd = commands[i].cmd;
			l->has_dest = commands[i].dest;
		}
	for (size_t i = 1; i < n; i++) {
		char none[] = "";
		int used = parse_option(l, w[i], w[i + 1] ? w[i + 1] : none);
		if (used < 0)
			return false;
		i += (size_t)used;
	}
	return l->cmd && l->proto;
}

static void put_addr(struct nlmsghdr *h, uint16_t type, ip4 ip)
{
	struct in6_addr a = {0};
	uint32_t net = htonl(ip);
	memcpy(&a, &net, sizeof(net));
	mnl_attr_put(h, type, sizeof(a), &a);
}

static void put_line(struct nlmsghdr *h, const struct line *l)
{
	struct ip_vs_flags flags = {l->flags | (l->timeout ? IP_VS_SVC_F_PERSISTENT : 0), ~0u};
	struct nlattr *nest = mnl_attr_nest_start(h, IPVS_CMD_ATTR_SERVICE);
	mnl_attr_put_u16(h, IPVS_SVC_ATTR_AF, AF_INET);
	mnl_attr_put_u16(h, IPVS_SVC_ATTR_PROTOCOL, l->proto);
	put_addr(h, IPVS_SVC_ATTR_ADDR, l->addr);
	mnl_attr_put_u16(h, IPVS_SVC_ATTR_PORT, htons(l->port));
	mnl_attr_put_strz(h, IPVS_SVC_ATTR_SCHED_NAME, l->scheduler);
	mnl_attr_put(h, IPVS_SVC_ATTR_FLAGS, sizeof(flags), &flags);
	mnl_attr_put_u32(h, IPVS_SVC_ATTR_TIMEOUT, l->timeout);
	mnl_attr_put_u32(h, IPVS_SVC_ATTR_NETMASK, MASK_ALL);
	mnl_attr_nest_end(h, nest);
	if (!l->has_dest)
		return;
	nest = mnl_attr_nest_start(h, IPVS_CMD_ATTR_DEST);
	mnl_attr_put_u16(h, IPVS_DEST_ATTR_ADDR_FAMILY, AF_INET);
	put_addr(h, IPVS_DEST_ATTR_ADDR, l->dest);
	mnl_attr_put_u16(h, IPVS_DEST_ATTR_PORT, htons(l->dest_port));
	mnl_attr_put_u32(h, IPVS_DEST_ATTR_FWD_METHOD, IP_VS_CONN_F_MASQ);
	mnl_attr_put_u32(h, IPVS_DEST_ATTR_WEIGHT, l->weight);
	mnl_attr_put_u32(h, IPVS_DEST_ATTR_U_THRESH, 0);
	mnl_attr_put_u32(h, IPVS_DEST_ATTR_L_THRESH, 0);
	mnl_attr_nest_end(h, nest);
}

/* Hear of the messages first..last; the first refusal's number in *bad. */
static int hear(struct talk *t, uint32_t last, uint32_t *bad)
{
	char buf[BUF_BYTES];
	int code = 0;
	for (bool done = false; !done;) {
		ssize_t got = mnl_socket_recvfrom(t->sk, buf, sizeof(buf));
		if (got < 0)
			return -errno;
		int n = (int)got;
		for (struct nlmsghdr *h = (void *)buf; mnl_nlmsg_ok(h, n);
		     h = mnl_nlmsg_next(h, &n)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
			if (h->nlmsg_type != NLMSG_ERROR)
				continue;
			done = done || h->nlmsg_seq == last;
			if (e->error < 0 && code == 0) {
				code = e->error;
				*bad = h->nlmsg_seq;
			}
		}
	}
	return code;
}

struct restore {
	struct talk *t;
	const char *lines[BATCH]; /* of the datagram in hand, for errors */
	unsigned n;
	size_t len;
};

static int flush(struct restore *r, struct err *err)
{
	uint32_t first = r->t->seq - r->n + 1, bad = first;
	if (!r->n)
		return 0;
	int code = mnl_socket_sendto(r->t->sk, r->t->buf, r->len) < 0 ? -errno
								      : hear(r->t, r->t->seq, &bad);
	const char *line = r->lines[bad - first];
	r->n = 0;
	r->len = 0;
	return code < 0 ? err_sys(err, code, "IPVS: %.*s", (int)strcspn(line, "\n"), line) : 0;
}

static int add_line(struct restore *r, const char *text, size_t len, struct err *err)
{
	char copy[MSG_BYTES];
	struct line l;
	if (len >= sizeof(copy))
		return err_set(err, -EINVAL, "IPVS: too long a line");
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (!len)
		return 0;
	if (!parse_line(copy, &l))
		return err_set(err, -EINVAL, "IPVS: %.*s: not understood", (int)len, text);
	struct nlmsghdr *h = begin(r->t, r->t->buf + r->len, r->t->family, l.cmd, NLM_F_ACK);
	put_line(h, &l);
	r->lines[r->n++] = text;
	r->len += MNL_ALIGN(h->nlmsg_len);
	return r->n == BATCH ? flush(r, err) : 0;
}

int ipvs_nl_restore(int netns, const char *text, struct err *err)
{
	_talk_ struct talk t;
	int r = talk_begin(&t, netns, err);
	struct restore rs = {.t = &t};
	while (r == 0 && *text) {
		size_t n = strcspn(text, "\n");
		r = add_line(&rs, text, n, err);
		text += n + (text[n] == '\n');
	}
	return r < 0 ? r : flush(&rs, err);
}

/* ---- messages to lines ------------------------------------------------------------------------
 */

struct svc {
	uint16_t proto, port;
	ip4 addr;
	uint32_t flags, timeout;
	char scheduler[IP_VS_SCHEDNAME_MAXLEN];
};

struct save {
	struct arena *a;
	vec_of(struct svc) svcs;
	const struct svc *at; /* whose destinations come */
	struct strbuf *out, *conns;
};

static ip4 get_addr(const struct nlattr *a)
{
	uint32_t net = 0;
	if (mnl_attr_get_payload_len(a) >= sizeof(net))
		memcpy(&net, mnl_attr_get_payload(a), sizeof(net));
	return ntohl(net);
}

static const struct nlattr *nest_of(const struct nlmsghdr *h, uint16_t type)
{
	const struct nlattr *a;
	mnl_attr_for_each (a, h, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(a) == type)
			return a;
	}
	return NULL;
}

static int see_svc(const struct nlmsghdr *h, void *arg)
{
	struct save *s = arg;
	const struct nlattr *nest = nest_of(h, IPVS_CMD_ATTR_SERVICE), *a;
	struct svc v = {0};
	uint16_t family = 0;
	if (!nest)
		return MNL_CB_OK;
	mnl_attr_for_each_nested (a, nest) {
		uint16_t type = mnl_attr_get_type(a);
		if (type == IPVS_SVC_ATTR_AF)
			family = mnl_attr_get_u16(a);
		else if (type == IPVS_SVC_ATTR_PROTOCOL)
			v.proto = mnl_attr_get_u16(a);
		else if (type == IPVS_SVC_ATTR_ADDR)
			v.addr = get_addr(a);
		else if (type == IPVS_SVC_ATTR_PORT)
			v.port = ntohs(mnl_attr_get_u16(a));
		else if (type == IPVS_SVC_ATTR_SCHED_NAME)
			snprintf(v.scheduler, sizeof(v.scheduler), "%s", mnl_attr_get_str(a));
		else if (type == IPVS_SVC_ATTR_FLAGS)
			memcpy(&v.flags, mnl_attr_get_payload(a), sizeof(v.flags));
		else if (type == IPVS_SVC_ATTR_TIMEOUT)
			v.timeout = mnl_attr_get_u32(a);
	}
	if (family == AF_INET && v.proto) /* not those of a mark */
		*vec_push(s->a, &s->svcs) = v;
	return MNL_CB_OK;
}

static const char *proto_word(uint16_t proto)
{
	for (size_t i = 0; i < ARRAY_SIZE(protos); i++)
		if (protos[i].proto == proto)
			return protos[i].word;
	return "-t";
}

static void say_name(const struct svc *v, struct strbuf *out)
{
	strbuf_addf(out, "%s %s:%u", proto_word(v->proto), IP4(v->addr), v->port);
}

static void say_svc(const struct svc *v, struct strbuf *out)
{
	const char *before = " -b ";
	uint32_t said = 0;
	strbuf_adds(out, "-A ");
	say_name(v, out);
	strbuf_addf(out, " -s %s", v->scheduler);
	if (v->flags & IP_VS_SVC_F_PERSISTENT)
		strbuf_addf(out, " -p %u", v->timeout);
	for (size_t i = 0; i < ARRAY_SIZE(sched_flags); i++) {
		const char *of = sched_flags[i].scheduler;
		if (!(v->flags & sched_flags[i].flag & ~said) || (of && strcmp(of, v->scheduler)))
			continue;
		strbuf_addf(out, "%s%s", before, sched_flags[i].word);
		said |= sched_flags[i].flag;
		before = ",";
	}
	strbuf_addc(out, '\n');
}

static int see_dest(const struct nlmsghdr *h, void *arg)
{
	struct save *s = arg;
	const struct nlattr *nest = nest_of(h, IPVS_CMD_ATTR_DEST), *a;
	ip4 addr = 0;
	uint32_t weight = 0, conns = 0;
	uint16_t port = 0;
	if (!nest)
		return MNL_CB_OK;
	mnl_attr_for_each_nested (a, nest) {
		uint16_t type = mnl_attr_get_type(a);
		if (type == IPVS_DEST_ATTR_ADDR)
			addr = get_addr(a);
		else if (type == IPVS_DEST_ATTR_PORT)
			port = ntohs(mnl_attr_get_u16(a));
		else if (type == IPVS_DEST_ATTR_WEIGHT)
			weight = mnl_attr_get_u32(a);
		else if (type == IPVS_DEST_ATTR_ACTIVE_CONNS || type == IPVS_DEST_ATTR_INACT_CONNS)
			conns += mnl_attr_get_u32(a);
	}
	strbuf_adds(s->out, "-a ");
	say_name(s->at, s->out);
	strbuf_addf(s->out, " -r %s:%u -m -w %u\n", IP4(addr), port, weight);
	if (!conns || !s->conns)
		return MNL_CB_OK;
	say_name(s->at, s->conns);
	strbuf_addf(s->conns, " %s:%u\n", IP4(addr), port);
	return MNL_CB_OK;
}

int ipvs_nl_save(int netns, struct strbuf *out, struct strbuf *conns, struct err *err)
{
	_talk_ struct talk t;
	_arena_ struct arena *a = arena_new();
	struct save s = {.a = a, .out = out, .conns = conns};
	int r = talk_begin(&t, netns, err);
	if (r < 0)
		return r;
	r = ask(&t, begin(&t, t.buf, t.family, IPVS_CMD_GET_SERVICE, NLM_F_DUMP), see_svc, &s);
	for (size_t i = 0; r == 0 && i < s.svcs.n; i++) {
		const struct svc *v = s.at = &s.svcs.v[i];
		struct line l = {.proto = v->proto,
				 .addr = v->addr,
				 .port = v->port,
				 .scheduler = v->scheduler};
		say_svc(v, out);
		struct nlmsghdr *h = begin(&t, t.buf, t.family, IPVS_CMD_GET_DEST, NLM_F_DUMP);
		put_line(h, &l);
		r = ask(&t, h, see_dest, &s);
	}
	return r < 0 ? err_sys(err, r, "IPVS") : 0;
}
