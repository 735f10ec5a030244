/* SPDX-License-Identifier: MIT */
/* See sock_listen.h. */
#include "labd/kernel/sock_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "labd/kernel/nlbatch.h"
#include "labd/kernel/probe_mod.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"

#define MAX_PROC_BYTES (4u * 1024u * 1024u)
#define ANSWER_BYTES   4096

/* ---- by /proc, where sock_diag would load a module ------------------------------------------- */

/* "sl local:PORT remote st": state 0A is LISTEN; a UDP socket that receives from anybody is 07. */
static bool listed(pid_t pid, enum proto proto, uint16_t port)
{
	static const char *const files[] = {"tcp", "tcp6", "udp", "udp6"};
	char want[8];
	snprintf(want, sizeof(want), ":%04X", port);
	for (int k = 0; k < 2; k++) {
		char path[64];
		_strbuf_ struct strbuf b = STRBUF_INIT;
		snprintf(path, sizeof(path), "/proc/%d/net/%s", (int)pid,
			 files[(proto == PROTO_UDP ? 2 : 0) + k]);
		if (file_read(path, MAX_PROC_BYTES, &b, NULL) < 0)
			continue;
		char *save = NULL;
		for (char *l = strtok_r(b.s, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
			char local[64], state[8];
			if (sscanf(l, " %*s %63s %*s %7s", local, state) == 2 &&
			    strstr(local, want) &&
			    strcmp(state, proto == PROTO_UDP ? "07" : "0A") == 0)
				return true;
		}
	}
	return false;
}

/* ---- by sock_diag ---------------------------------------------------------------------------- */

static bool may_ask(void)
{
	static int known = -1;
	if (known < 0) {
		_mods_ struct mods m;
		mods_read(&m);
		known = mods_may_try(&m, "inet_diag tcp_diag udp_diag");
	}
	return known;
}

static struct nlmsghdr *question(char *buf, enum proto proto, ip4 ip, uint16_t port)
{
	bool udp = proto == PROTO_UDP;
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	h->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	h->nlmsg_flags = NLM_F_REQUEST;
	struct inet_diag_req_v2 *q = mnl_nlmsg_put_extra_header(h, sizeof(*q));
	q->sdiag_family = AF_INET;
	q->sdiag_protocol = udp ? IPPROTO_UDP : IPPROTO_TCP;
	q->idiag_states = ~0u;
	q->id.idiag_cookie[0] = q->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	/* The kernel takes UDP's source and destination the other way round. */
	*(udp ? &q->id.idiag_dst[0] : &q->id.idiag_src[0]) = htonl(ip);
	*(udp ? &q->id.idiag_dport : &q->id.idiag_sport) = htons(port);
	return h;
}

/* In the namespace. 1 or 0; negative when sock_diag doesn't say. */
static int ask(enum proto proto, ip4 ip, uint16_t port)
{
	char buf[ANSWER_BYTES];
	struct nlmsghdr *h = question(buf, proto, ip, port);
	_close_ int sk = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (sk < 0 || send(sk, h, h->nlmsg_len, 0) < 0)
		return -errno;
	ssize_t n = recv(sk, buf, sizeof(buf), 0);
	if (n < 0)
		return -errno;
	h = (struct nlmsghdr *)buf;
	if (!mnl_nlmsg_ok(h, (int)n))
		return -EBADMSG;
	if (h->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
		return e->error == -ENOENT ? 0 : e->error < 0 ? e->error : -EBADMSG;
	}
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(h);
	return h->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
	       m->idiag_state == (proto == PROTO_UDP ? TCP_CLOSE : TCP_LISTEN);
}

bool sock_listens(pid_t pid, enum proto proto, ip4 ip, uint16_t port)
{
	_nlns_ struct nlns home = NLNS_INIT;
	char path[64];
	int r = -ENOTSUP;
	if (proto == PROTO_SCTP)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	_close_ int fd = may_ask() ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd >= 0 && nlns_enter(&home, fd, NULL) == 0)
		r = ask(proto, ip, port);
	return r < 0 ? listed(pid, proto, port) : r;
}
