/* SPDX-License-Identifier: MIT */
/* See nfacct.h. */
#include "labd/kernel/nfacct.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_acct.h>
#include <stdio.h>

#include "labd/kernel/nlbatch.h"

#define BUF_BYTES 4096

/* 0, or the kernel's refusal. */
static int make_one(struct mnl_socket *sk, uint32_t seq, const char *name)
{
	char buf[BUF_BYTES];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_ACCT << 8 | NFNL_MSG_ACCT_NEW);
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK;
	h->nlmsg_seq = seq;
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(h, sizeof(*nfg));
	nfg->nfgen_family = AF_UNSPEC;
	nfg->version = NFNETLINK_V0;
	mnl_attr_put_strz(h, NFACCT_NAME, name);
	if (mnl_socket_sendto(sk, h, h->nlmsg_len) < 0)
		return -errno;
	ssize_t n = mnl_socket_recvfrom(sk, buf, sizeof(buf));
	if (n < 0 || mnl_cb_run(buf, (size_t)n, seq, mnl_socket_get_portid(sk), NULL, NULL) < 0)
		return errno == EBUSY || errno == EEXIST ? 0 : -errno; /* EBUSY: it is there */
	return 0;
}

int nfacct_make(int netns, const struct dns *ns, struct err *err)
{
	_nlns_ struct nlns home = NLNS_INIT;
	if (!ns->counters.n)
		return 0;
	int r = nlns_enter(&home, netns, err);
	if (r < 0)
		return r;
	struct mnl_socket *sk = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	const char *at = "";
	r = !sk || mnl_socket_bind(sk, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : 0;
	for (size_t i = 0; r == 0 && i < ns->counters.n; i++)
		r = make_one(sk, (uint32_t)i + 1, at = ns->counters.v[i]);
	if (sk)
		mnl_socket_close(sk);
	if (r == 0)
		return 0;
	err_sys(err, r, "counter %s", at);
	return err_path(err, "%s", ns->name);
}
