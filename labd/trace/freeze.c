/* SPDX-License-Identifier: MIT */
/* See freeze.h. */
#include "labd/trace/freeze.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "labd/kernel/nlbatch.h"
#include "labd/kernel/nlread.h"
#include "labd/trace/nfstream.h"
#include "lib/recording/packet.h"

#define COPY_BYTES 160 /* of each packet: outer and inner headers */
#define READS_MAX  64  /* per queue and step */
#define MSG_BYTES  512

static int64_t now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct marker freeze_marker(const struct rec_probe *p, const struct marker *m)
{
	struct marker ret = {.proto = m->proto, .n_alts = 1};
	if (m->proto == IPPROTO_TCP) { /* only the SYN has just this sequence number */
		ret.alt[0].n = 1;
		ret.alt[0].c[0] = (struct marker_bytes){
			.off = 4,
			.len = 4,
			.b = {(uint8_t)(p->isn >> 24), (uint8_t)(p->isn >> 16),
			      (uint8_t)(p->isn >> 8), (uint8_t)p->isn}};
		return ret;
	}
	ret.alt[0].n = 2;
	ret.alt[0].c[0] = (struct marker_bytes){.off = 0, .len = 1, .b = {ICMP_ECHO}};
	ret.alt[0].c[1] = m->alt[0].c[0];
	return ret;
}

/* ---- the queue's messages --------------------------------------------------------------------
 */

static struct nlmsghdr *queue_msg(char *buf, unsigned type, uint16_t flags)
{
	return nfstream_msg(buf, NFNL_SUBSYS_QUEUE, type, flags, FREEZE_QUEUE);
}

static int open_queue(struct mnl_socket **ret, struct err *err)
{
	char buf[MSG_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nfqnl_msg_config_cmd cmd = {.command = NFQNL_CFG_CMD_BIND, .pf = htons(AF_INET)};
	struct nfqnl_msg_config_params params = {.copy_range = htonl(COPY_BYTES),
						 .copy_mode = NFQNL_COPY_PACKET};
	*ret = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!*ret || mnl_socket_bind(*ret, 0, MNL_SOCKET_AUTOPID) < 0)
		return err_sys(err, errno, "cannot open a netfilter socket");
	struct nlmsghdr *h = queue_msg(buf, NFQNL_MSG_CONFIG, NLM_F_ACK);
	mnl_attr_put(h, NFQA_CFG_CMD, sizeof(cmd), &cmd);
	int r = nfstream_ask(*ret, h, h->nlmsg_len, 1);
	if (r == 0) {
		h = queue_msg(buf, NFQNL_MSG_CONFIG, NLM_F_ACK);
		mnl_attr_put(h, NFQA_CFG_PARAMS, sizeof(params), &params);
		mnl_attr_put_u32(h, NFQA_CFG_FLAGS, htonl(NFQA_CFG_F_FAIL_OPEN));
		mnl_attr_put_u32(h, NFQA_CFG_MASK, htonl(NFQA_CFG_F_FAIL_OPEN));
		r = nfstream_ask(*ret, h, h->nlmsg_len, 1);
	}
	return r < 0 ? err_sys(err, r, "netfilter queue %d", FREEZE_QUEUE) : 0;
}

static void verdict(struct mnl_socket *sk, uint32_t id, uint32_t what, uint32_t mark)
{
	char buf[MSG_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nfqnl_msg_verdict_hdr v = {.verdict = htonl(what), .id = htonl(id)};
	struct nlmsghdr *h = queue_msg(buf, NFQNL_MSG_VERDICT, 0);
	mnl_attr_put(h, NFQA_VERDICT_HDR, sizeof(v), &v);
	if (what == NF_REPEAT)
		mnl_attr_put_u32(h, NFQA_MARK, htonl(mark | FREEZE_MARK));
	mnl_socket_sendto(sk, h, h->nlmsg_len);
}

struct queued {
	uint32_t id, mark;
	uint8_t hook;
	bool parsed;
	struct rec_hdr h;
	uint16_t ip_id;
};

static bool read_queued(const struct nlmsghdr *h, struct queued *q)
{
	const struct nlattr *a;
	bool found = false;
	*q = (struct queued){0};
	if (h->nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET))
		return false;
	struct nlread attrs = nlread_attrs(h, sizeof(struct nfgenmsg));
	while ((a = nlread_attr(&attrs))) {
		const void *v = nlread_data(a);
		size_t len = nlread_len(a);
		struct nfqnl_msg_packet_hdr ph;
		struct packet_at at = {0};
		switch (nlread_type(a)) {
		case NFQA_PACKET_HDR:
			if (len < sizeof(ph))
				break;
			memcpy(&ph, v, sizeof(ph));
			q->id = ntohl(ph.packet_id);
			q->hook = ph.hook;
			found = true;
			break;
		case NFQA_MARK:
			q->mark = nlread_be32(a);
			break;
		case NFQA_PAYLOAD:
			q->parsed = packet_parse_at(v, (uint32_t)len, PACKET_BARE_IP, &q->h, &at);
			q->ip_id = at.ip_id;
			break;
		}
	}
	return found;
}

/* ---- holding ----------------------------------------------------------------------------------
 */

static const struct hook {
	uint8_t num;
	const char *table, *name;
} hooks[] = {{NF_INET_PRE_ROUTING, "raw", "PREROUTING"},
	     {NF_INET_LOCAL_IN, "mangle", "INPUT"},
	     {NF_INET_FORWARD, "mangle", "FORWARD"},
	     {NF_INET_LOCAL_OUT, "raw", "OUTPUT"},
	     {NF_INET_POST_ROUTING, "mangle", "POSTROUTING"}};

#define N_HOOKS (sizeof(hooks) / sizeof(*hooks))

static void packet_text(const struct rec_hdr *h, char *buf, size_t size)
{
	const struct rec_tuple *t = &h->inner;
	int n;
	if (t->proto == IPPROTO_TCP)
		n = snprintf(buf, size, "%s:%u > %s:%u SYN", IP4(t->src), t->sport, IP4(t->dst),
			     t->dport);
	else
		n = snprintf(buf, size, "%s > %s echo request", IP4(t->src), IP4(t->dst));
	if (h->encap && n > 0 && (size_t)n < size)
		snprintf(buf + n, size - (size_t)n, ", inside %s %s > %s",
			 h->encap_proto == IPPROTO_UDP ? "VXLAN" : "IPIP", IP4(h->outer.src),
			 IP4(h->outer.dst));
}

static void try_text(const struct rec_ns *ns, const char *lab, const struct hook *hook,
		     const struct rec_hdr *h, char *buf, size_t size)
{
	const struct rec_tuple *t = h->encap ? &h->outer : &h->inner;
	int n = snprintf(buf, size, "labctl exec -l %s %s -- ", lab, ns->where ? ns->where : "");
	if (n < 0 || (size_t)n >= size)
		return;
	buf += n;
	size -= (size_t)n;
	if (hook->num == NF_INET_FORWARD)
		snprintf(buf, size, "ip route get %s", IP4(t->dst));
	else if (hook->num == NF_INET_LOCAL_IN)
		snprintf(buf, size, "iptables -nvL INPUT");
	else if (hook->num == NF_INET_POST_ROUTING)
		snprintf(buf, size, "iptables -t nat -nvL POSTROUTING");
	else
		snprintf(buf, size, "conntrack -L -s %s", IP4(t->src));
}

static void hold(struct freeze *f, const struct recording *r, int ns, const struct hook *hook,
		 const struct queued *q)
{
	char packet[200], try[300];
	f->holds = true;
	f->ns = ns;
	f->id = q->id;
	f->mark = q->mark;
	f->since = now_ms();
	packet_text(&q->h, packet, sizeof(packet));
	try_text(&r->ns.v[ns], r->probe.lab, hook, &q->h, try, sizeof(try));
	struct freeze_at at = {.node = r->ns.v[ns].name,
			       .hook = hook->name,
			       .table = hook->table,
			       .packet = packet,
			       .try = try,
			       .left_s = (unsigned)((FREEZE_TOTAL_MS - f->spent + 999) / 1000)};
	f->who->frozen(f->who->arg, &at);
}

/* A packet has come: while one is held it is a retransmission; where one has stood already, it is
 * one that nobody waits for. */
static void arrived(struct freeze *f, const struct recording *r, int ns, const struct queued *q)
{
	size_t i = 0;
	while (i < N_HOOKS && hooks[i].num != q->hook)
		i++;
	if (f->holds) {
		if (f->n_dups < FREEZE_DUPS_MAX)
			f->dups[f->n_dups++] = q->ip_id;
		verdict(f->sk[ns], q->id, NF_DROP, 0);
		return;
	}
	uint16_t bit = (uint16_t)(1u << (i + (q->h.encap ? N_HOOKS : 0)));
	if (f->off || i == N_HOOKS || !q->parsed || f->seen[ns] & bit) {
		verdict(f->sk[ns], q->id, NF_REPEAT, q->mark);
		return;
	}
	f->seen[ns] |= bit;
	hold(f, r, ns, &hooks[i], q);
}

static void let_go(struct freeze *f)
{
	if (!f->holds)
		return;
	verdict(f->sk[f->ns], f->id, NF_REPEAT, f->mark);
	f->holds = false;
	f->spent += now_ms() - f->since;
}

static void read_queue(struct freeze *f, const struct recording *r, int ns)
{
	static char buf[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	for (int i = 0; i < READS_MAX; i++) {
		ssize_t n = recv(mnl_socket_get_fd(f->sk[ns]), buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0 && errno == ENOBUFS)
			continue;
		if (n <= 0)
			return;
		struct nlread in = nlread_datagram(buf, n);
		const struct nlmsghdr *h;
		struct queued q;
		while ((h = nlread_msg(&in)))
			if (read_queued(h, &q))
				arrived(f, r, ns, &q);
	}
}

bool freeze_step(struct freeze *f, const struct recording *r)
{
	if (!f->who)
		return false;
	for (size_t i = 0; i < f->n; i++)
		if (f->sk[i])
			read_queue(f, r, (int)i);
	if (!f->holds)
		return false;
	enum freeze_key key = f->who->key(f->who->arg);
	if (key == FREEZE_GO_ALL || f->spent + now_ms() - f->since >= FREEZE_TOTAL_MS)
		f->off = true;
	if (key == FREEZE_GO || f->off)
		let_go(f);
	return true;
}

/* ---- opening, closing -------------------------------------------------------------------------
 */

int freeze_open(struct freeze *f, const struct freezer *who, const int *netns,
		const struct recording *r, struct err *err)
{
	_nlns_ struct nlns home = NLNS_INIT;
	size_t n = r->ns.n;
	*f = (struct freeze){.who = who, .n = n};
	f->sk = calloc(n, sizeof(struct mnl_socket *));
	f->seen = calloc(n, sizeof(*f->seen));
	int code = f->sk && f->seen ? 0 : err_sys(err, ENOMEM, "trace");
	for (size_t i = 0; code == 0 && i < n; i++) {
		if (strcmp(r->ns.v[i].role, "node") != 0)
			continue;
		code = nlns_enter(&home, netns[i], err);
		if (code == 0)
			code = open_queue(&f->sk[i], err);
	}
	return code;
}

void freeze_close(struct freeze *f)
{
	if (f->sk)
		let_go(f);
	for (size_t i = 0; f->sk && i < f->n; i++)
		if (f->sk[i])
			mnl_socket_close(f->sk[i]);
	free(f->sk);
	free(f->seen);
	*f = (struct freeze){0};
}

/* ---- what was thrown away ---------------------------------------------------------------------
 */

static bool is_dup(const struct freeze *f, const struct recording *r, const uint8_t *data,
		   uint32_t len, int hatype)
{
	struct rec_hdr h;
	struct packet_at at;
	if (!data || !packet_parse_at(data, len, hatype, &h, &at) || h.inner.proto != IPPROTO_TCP ||
	    h.seq != r->probe.isn)
		return false;
	for (unsigned i = 0; i < f->n_dups; i++)
		if (f->dups[i] == at.ip_id)
			return true;
	return false;
}

/* Only the first message of a packet's trace in nf_tables has its bytes. */
static bool is_dup_match(const struct freeze *f, const struct recording *r, size_t i)
{
	const struct rec_match *m = &r->matches.v[i];
	if (m->data || !m->trace_id)
		return is_dup(f, r, m->data, m->caplen, PACKET_BARE_IP);
	for (size_t k = 0; k < i; k++) {
		const struct rec_match *o = &r->matches.v[k];
		if (o->ns == m->ns && o->trace_id == m->trace_id && o->data)
			return is_dup(f, r, o->data, o->caplen, PACKET_BARE_IP);
	}
	return false;
}

void freeze_mend(const struct freeze *f, struct recording *r)
{
	size_t n = 0;
	if (!f->n_dups)
		return;
	for (size_t i = 0; i < r->sights.n; i++) {
		const struct rec_sight *s = &r->sights.v[i];
		if (!is_dup(f, r, s->data, s->caplen, s->hatype))
			r->sights.v[n++] = *s;
	}
	r->sights.n = n;
	n = 0;
	bool *dup = arena_new_array(r->arena, bool, r->matches.n + 1);
	for (size_t i = 0; i < r->matches.n; i++)
		dup[i] = is_dup_match(f, r, i);
	for (size_t i = 0; i < r->matches.n; i++)
		if (!dup[i])
			r->matches.v[n++] = r->matches.v[i];
	r->matches.n = n;
}
