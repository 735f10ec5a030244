/* SPDX-License-Identifier: MIT */
/* See nlbatch.h. */
#include "labd/kernel/nlbatch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "labd/kernel/nlread.h"
#include "lib/base/cleanup.h"

/* Refusals are small (CAP_ACK), but each is a socket buffer of its own: room for a whole batch. */
#define RCVBUF_BYTES (4 * 1024 * 1024)
/* One answer: header, error, ext-ack text (the kernel caps it well below). */
#define ANSWER_BYTES 8192

static int remember_home(struct nlns *n, struct err *err)
{
	if (n->home < 0)
		n->home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	return n->home < 0 ? err_sys(err, errno, "cannot open the own network namespace") : 0;
}

int nlns_new(struct nlns *n, struct err *err)
{
	int r = remember_home(n, err);
	if (r < 0)
		return r;
	if (unshare(CLONE_NEWNET) < 0)
		return err_sys(err, errno, "cannot make a network namespace");
	n->away = true;
	return 0;
}

int nlns_enter(struct nlns *n, int netns, struct err *err)
{
	int r = remember_home(n, err);
	if (r < 0)
		return r;
	if (setns(netns, CLONE_NEWNET) < 0)
		return err_sys(err, errno, "cannot enter the network namespace");
	n->away = true;
	return 0;
}

void nlns_leave(struct nlns *n)
{
	if (n->home < 0)
		return;
	if (n->away && setns(n->home, CLONE_NEWNET) < 0) {
		fprintf(stderr, "cannot return to the own network namespace: %m\n");
		abort();
	}
	close(n->home);
	*n = NLNS_INIT;
}

static void *must(void *p)
{
	if (!p) {
		fputs("out of memory\n", stderr);
		abort();
	}
	return p;
}

void nlbatch_init(struct nlbatch *b)
{
	*b = (struct nlbatch){.ifsock = -1};
	b->buf = must(malloc(NLBATCH_BYTES));
	b->items = must(calloc(NLBATCH_MAX, sizeof(*b->items)));
}

static void close_sockets(struct nlbatch *b)
{
	if (b->sk)
		mnl_socket_close(b->sk);
	b->sk = NULL;
	if (b->ifsock >= 0)
		close(b->ifsock);
	b->ifsock = -1;
}

void nlbatch_free(struct nlbatch *b)
{
	close_sockets(b);
	free(b->buf);
	free(b->items);
	b->buf = NULL;
	b->items = NULL;
}

static void start(struct nlbatch *b)
{
	b->seq += b->n;
	b->n = 0;
	b->len = 0;
	b->cur = NULL;
}

int nlbatch_open(struct nlbatch *b, const char *ns, struct err *err)
{
	close_sockets(b);
	start(b);
	b->last_index = 0;
	b->failed = (struct err){0};
	snprintf(b->ns, sizeof(b->ns), "%s", ns);
	b->sk = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!b->sk || mnl_socket_bind(b->sk, 0, MNL_SOCKET_AUTOPID) < 0) {
		err_sys(err, errno, "cannot open a netlink socket");
		return err_path(err, "%s", b->ns);
	}
	int fd = mnl_socket_get_fd(b->sk), one = 1, size = RCVBUF_BYTES;
	/* Older kernels lack these; errors are then just less telling. */
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return 0;
}

static void finish(struct nlbatch *b)
{
	if (b->cur)
		b->len += MNL_ALIGN(b->cur->nlmsg_len);
	b->cur = NULL;
}

struct nlmsghdr *nlbatch_msg(struct nlbatch *b, uint16_t type, uint16_t flags, const char *fmt, ...)
{
	finish(b);
	if (b->n == NLBATCH_MAX || b->len + NLBATCH_MSG_BYTES > NLBATCH_BYTES)
		nlbatch_send(b, NULL);
	struct nlbatch_item *it = &b->items[b->n];
	*it = (struct nlbatch_item){0};
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(it->what, sizeof(it->what), fmt, ap);
	va_end(ap);
	b->cur = mnl_nlmsg_put_header(b->buf + b->len);
	b->cur->nlmsg_type = type;
	b->cur->nlmsg_flags = NLM_F_REQUEST | flags;
	b->cur->nlmsg_seq = b->seq + b->n++;
	return b->cur;
}

void nlbatch_pass(struct nlbatch *b, int errnum, bool *hit)
{
	b->items[b->n - 1].pass = errnum;
	b->items[b->n - 1].hit = hit;
}

int nlbatch_fail(struct nlbatch *b, const struct err *why)
{
	if (!b->failed.code)
		b->failed = *why;
	return b->failed.code;
}

static const char *ext_ack_text(const struct nlmsghdr *h)
{
	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	const struct nlmsgerr *e = nlread_fixed(h, sizeof(*e));
	size_t skip = sizeof(*e);
	if (!(h->nlmsg_flags & NLM_F_CAPPED) && e->msg.nlmsg_len > sizeof(e->msg))
		skip += e->msg.nlmsg_len - sizeof(e->msg);
	struct nlattrs at;
	nlread_by_type(nlread_attrs(h, skip), &at);
	const char *text = nlread_data(at.v[NLMSGERR_ATTR_MSG]);
	size_t len = nlread_len(at.v[NLMSGERR_ATTR_MSG]);
	return len && !text[len - 1] ? text : NULL;
}

static void refused(struct nlbatch *b, const struct nlmsghdr *h, int code)
{
	uint32_t i = h->nlmsg_seq - b->seq;
	struct nlbatch_item *it = i < b->n ? &b->items[i] : NULL;
	if (it && it->pass == -code) {
		if (it->hit)
			*it->hit = true;
		return;
	}
	struct err e;
	const char *text = ext_ack_text(h);
	err_sys(&e, code, "the kernel refused it%s%s", text ? ": " : "", text ? text : "");
	if (code == -EOPNOTSUPP || code == -EAFNOSUPPORT) {
		e.cls = ERR_UNSUPPORTED;
		err_hint(&e, "`labctl doctor` tells what this kernel lacks");
	}
	err_path(&e, "%s%s%s", b->ns, it ? ": " : "", it ? it->what : "");
	nlbatch_fail(b, &e);
}

static void broken(struct nlbatch *b, const char *what, int code)
{
	struct err e;
	err_sys(&e, code, "%s", what);
	err_path(&e, "%s", b->ns);
	nlbatch_fail(b, &e);
}

/* Read answers until the last message's. All are there when sendmsg has returned. */
static void answers(struct nlbatch *b)
{
	char buf[ANSWER_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
	uint32_t last = b->seq + b->n - 1;
	for (unsigned i = 0; i <= b->n; i++) {
		ssize_t n = recv(mnl_socket_get_fd(b->sk), buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0)
			return broken(b, "no answer from the kernel", errno);
		struct nlread in = nlread_datagram(buf, n);
		const struct nlmsghdr *h;
		while ((h = nlread_msg(&in))) {
			if (h->nlmsg_type != NLMSG_ERROR ||
			    !nlread_fixed(h, sizeof(struct nlmsgerr)))
				continue;
			int code = nlread_error(h);
			if (code)
				refused(b, h, code);
			if (h->nlmsg_seq == last)
				return;
		}
	}
	broken(b, "the kernel's answer is incomplete", EPROTO);
}

int nlbatch_send(struct nlbatch *b, struct err *err)
{
	finish(b);
	if (b->n && !b->failed.code) {
		/* Only the last one's acknowledgement is wanted: refusals come anyway. */
		size_t at = 0;
		struct nlmsghdr *h = NULL;
		for (unsigned i = 0; i < b->n; i++) {
			h = (struct nlmsghdr *)(b->buf + at);
			at += MNL_ALIGN(h->nlmsg_len);
		}
		h->nlmsg_flags |= NLM_F_ACK;
		if (mnl_socket_sendto(b->sk, b->buf, b->len) < 0)
			broken(b, "cannot send to the kernel", errno);
		else
			answers(b);
	}
	start(b);
	if (b->failed.code && err)
		*err = b->failed;
	return b->failed.code;
}

unsigned nlbatch_index(struct nlbatch *b, const char *name)
{
	if (b->last_index && strcmp(b->last_name, name) == 0)
		return b->last_index;
	if (b->failed.code)
		return 0;
	if (b->ifsock < 0)
		b->ifsock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq req = {0};
	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	int r = b->ifsock < 0 ? -1 : ioctl(b->ifsock, SIOCGIFINDEX, &req);
	if (r < 0) {
		struct err e;
		err_sys(&e, errno, "no interface %s", name);
		err_path(&e, "%s", b->ns);
		nlbatch_fail(b, &e);
		return 0;
	}
	snprintf(b->last_name, sizeof(b->last_name), "%s", name);
	b->last_index = (unsigned)req.ifr_ifindex;
	return b->last_index;
}
