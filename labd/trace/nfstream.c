/* SPDX-License-Identifier: MIT */
/* See nfstream.h. */
#include "labd/trace/nfstream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_compat.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "labd/kernel/nlread.h"
#include "labd/trace/nfmsg.h"

#define RCVBUF	   (8 * 1024 * 1024)
#define READ_BYTES 65536
#define READS_MAX  4096	 /* per call */
#define CTS_MAX	   50000 /* events of everybody kept until the probe's are known */
#define LOG_GROUP  0	 /* where the kernel's TRACE logs to */
#define LOG_BYTES  160	 /* of each packet: outer and inner headers */

int nfstream_open(struct nfstream *s, int ns, struct err *err)
{
	int size = RCVBUF;
	*s = (struct nfstream){.ns = ns};
	s->sk = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!s->sk || mnl_socket_bind(s->sk, 0, MNL_SOCKET_AUTOPID) < 0)
		return err_sys(err, errno, "cannot open a netfilter socket");
	setsockopt(mnl_socket_get_fd(s->sk), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return 0;
}

static int first_error(const char *buf, ssize_t n, uint32_t last_seq, bool *end)
{
	struct nlread in = nlread_datagram(buf, n);
	const struct nlmsghdr *h;
	while ((h = nlread_msg(&in))) {
		if (h->nlmsg_type != NLMSG_ERROR)
			continue;
		int code = nlread_error(h);
		if (code)
			return code;
		*end = *end || h->nlmsg_seq == last_seq;
	}
	return 0;
}

int nfstream_ask(struct mnl_socket *sk, const void *msgs, size_t len, uint32_t last_seq)
{
	char buf[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	if (mnl_socket_sendto(sk, msgs, len) < 0)
		return -errno;
	bool end = false;
	int r = 0;
	/* The kernel has answered when sendto() returns. */
	while (r == 0 && !end) {
		ssize_t n = recv(mnl_socket_get_fd(sk), buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN ? -EPROTO : -errno;
		r = first_error(buf, n, last_seq, &end);
	}
	while (recv(mnl_socket_get_fd(sk), buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	return r;
}

struct nlmsghdr *nfstream_msg(char *buf, unsigned subsys, unsigned type, uint16_t flags,
			      uint16_t res_id)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	h->nlmsg_type = (uint16_t)(subsys << 8 | type);
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = 1;
	struct nfgenmsg *nf = mnl_nlmsg_put_extra_header(h, sizeof(*nf));
	nf->nfgen_family = subsys == NFNL_SUBSYS_QUEUE ? AF_UNSPEC : AF_INET;
	nf->version = NFNETLINK_V0;
	nf->res_id = htons(res_id);
	return h;
}

static struct nlmsghdr *log_msg(char *buf)
{
	return nfstream_msg(buf, NFNL_SUBSYS_ULOG, NFULNL_MSG_CONFIG, NLM_F_ACK, LOG_GROUP);
}

static int bind_log(struct nfstream *s)
{
	char buf[256] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nfulnl_msg_config_cmd cmd = {.command = NFULNL_CFG_CMD_BIND};
	struct nlmsghdr *h = log_msg(buf);
	mnl_attr_put(h, NFULA_CFG_CMD, sizeof(cmd), &cmd);
	int r = nfstream_ask(s->sk, h, h->nlmsg_len, 1);
	if (r < 0)
		return r;
	struct nfulnl_msg_config_mode mode = {.copy_range = htonl(LOG_BYTES),
					      .copy_mode = NFULNL_COPY_PACKET};
	h = log_msg(buf);
	mnl_attr_put(h, NFULA_CFG_MODE, sizeof(mode), &mode);
	mnl_attr_put_u32(h, NFULA_CFG_QTHRESH, htonl(1)); /* each at once: keeps the order */
	return nfstream_ask(s->sk, h, h->nlmsg_len, 1);
}

int nfstream_listen(struct nfstream *s, bool nft, bool log, struct err *err)
{
	int r = log ? bind_log(s) : 0;
	if (r < 0)
		return err_sys(err, r, "NFLOG group %d", LOG_GROUP);
	/* Only NEW: updates and ends come in numbers, from everybody's connections, and each costs
	 * the packet that makes it. What became of the probe's entry is asked afterwards. */
	int ct = NFNLGRP_CONNTRACK_NEW, trace = NFNLGRP_NFTRACE;
	mnl_socket_setsockopt(s->sk, NETLINK_ADD_MEMBERSHIP, &ct, sizeof(ct));
	if (nft && mnl_socket_setsockopt(s->sk, NETLINK_ADD_MEMBERSHIP, &trace, sizeof(trace)) < 0)
		return err_sys(err, errno, "listening to rule traces");
	return 0;
}

static void one(struct nfstream *s, const struct nlmsghdr *h, struct recording *r, rec_cts *cts)
{
	struct rec_match m;
	struct rec_ct ct;
	switch (nfmsg_parse(r->arena, h, s->ns, s->seq, &m, &ct)) {
	case NFMSG_MATCH:
		*vec_push(r->arena, &r->matches) = m;
		s->seq++;
		break;
	case NFMSG_CT:
		if (cts->n < CTS_MAX)
			*vec_push(r->arena, cts) = ct;
		else
			s->lost++;
		s->seq++;
		break;
	case NFMSG_OTHER:
		break;
	}
}

int nfstream_read(struct nfstream *s, struct recording *r, rec_cts *cts)
{
	static char buf[READ_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
	unsigned before = s->seq;
	for (int i = 0; s->sk && i < READS_MAX; i++) {
		ssize_t n = recv(mnl_socket_get_fd(s->sk), buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0 && errno == ENOBUFS) {
			s->lost++;
			continue;
		}
		if (n <= 0)
			break;
		struct nlread in = nlread_datagram(buf, n);
		const struct nlmsghdr *h;
		while ((h = nlread_msg(&in)))
			one(s, h, r, cts);
	}
	return (int)(s->seq - before);
}

void nfstream_close(struct nfstream *s)
{
	if (s->sk)
		mnl_socket_close(s->sk);
	s->sk = NULL;
}

int nfstream_ct_get(struct arena *a, const struct rec_tuple *t, struct rec_ct *ret)
{
	char buf[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct mnl_socket *sk = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!sk)
		return -errno;
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	h->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	struct nfgenmsg *nf = mnl_nlmsg_put_extra_header(h, sizeof(*nf));
	*nf = (struct nfgenmsg){.nfgen_family = AF_INET, .version = NFNETLINK_V0};
	nfmsg_put_tuple(h, CTA_TUPLE_ORIG, t);
	int r = -ENOENT;
	struct rec_match unused;
	if (mnl_socket_bind(sk, 0, MNL_SOCKET_AUTOPID) == 0 &&
	    mnl_socket_sendto(sk, h, h->nlmsg_len) > 0) {
		ssize_t n = recv(mnl_socket_get_fd(sk), buf, sizeof(buf), MSG_DONTWAIT);
		struct nlread in = nlread_datagram(buf, n);
		const struct nlmsghdr *m;
		while ((m = nlread_msg(&in)))
			if (nfmsg_parse(a, m, 0, 0, &unused, ret) == NFMSG_CT)
				r = 0;
	}
	mnl_socket_close(sk);
	return r;
}
