/* SPDX-License-Identifier: MIT */
/*
 * nlbatch: rtnetlink changes for one network namespace, many in one sendmsg.
 *
 * The kernel works through all messages of a datagram before sendmsg returns and goes on after one
 * that fails. So only the last one asks for an acknowledgement; every refusal is answered anyway,
 * and its sequence number tells which object it is about. Nothing here ever waits.
 *
 * Also the two things that every user of it needs: being in another network namespace for a
 * moment, and the index of an interface there. Not for dumps (see net_observe.c).
 */
#ifndef KERNEL_NLBATCH_H
#define KERNEL_NLBATCH_H

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/err.h"

/* The calling thread's way back to its own network namespace. */
struct nlns {
	int home; /* -1: not opened */
	bool away;
};
#define NLNS_INIT                                                                                  \
	(struct nlns)                                                                              \
	{                                                                                          \
		-1, false                                                                          \
	}
/* Put the calling thread into the namespace; the first call remembers where it came from. */
int nlns_enter(struct nlns *n, int netns, struct err *err);
/* Put it into a new, empty one, which is gone when it is left. */
int nlns_new(struct nlns *n, struct err *err);
/* Back home. Ends the process if that fails: no thread may go on in a wrong namespace. */
void nlns_leave(struct nlns *n);
#define _nlns_ __attribute__((cleanup(nlns_leave)))

#define NLBATCH_MAX	  512u		/* messages per sendmsg */
#define NLBATCH_BYTES	  (64u * 1024u) /* of messages per sendmsg */
#define NLBATCH_WHAT	  96		/* length of an object's description */
#define NLBATCH_NS_MAX	  256
#define NLBATCH_MSG_BYTES 2048u /* room every message has for its attributes */

struct nlbatch_item {
	char what[NLBATCH_WHAT];
	int pass;  /* this errno is no failure; 0: none */
	bool *hit; /* set when it came; or NULL */
};

struct nlbatch {
	struct mnl_socket *sk;
	int ifsock; /* for interface indexes; opened when first asked */
	char ns[NLBATCH_NS_MAX];
	char *buf;
	size_t len;	      /* finished messages */
	struct nlmsghdr *cur; /* the message being built, behind them */
	unsigned n;
	uint32_t seq; /* of items[0] */
	struct nlbatch_item *items;
	char last_name[IFNAMSIZ]; /* of the last index asked for */
	unsigned last_index;
	struct err failed; /* the first failure; everything after it is dropped */
};

void nlbatch_init(struct nlbatch *b);
void nlbatch_free(struct nlbatch *b);
#define _nlbatch_ __attribute__((cleanup(nlbatch_free)))

/* Open the socket in the calling thread's present network namespace; `ns` names it in errors. May
 * be called again for the next namespace. */
int nlbatch_open(struct nlbatch *b, const char *ns, struct err *err);

/*
 * Begin a message; the one before is complete. Append the family header with
 * mnl_nlmsg_put_extra_header() and attributes with mnl_attr_put*(), at most NLBATCH_MSG_BYTES. The
 * format says which object it is about ("link flannel.1"). A full batch is sent; a failure of that
 * is kept and told by nlbatch_send().
 */
struct nlmsghdr *nlbatch_msg(struct nlbatch *b, uint16_t type, uint16_t flags, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The message just begun may be refused with errnum; *hit (may be NULL) then becomes true. */
void nlbatch_pass(struct nlbatch *b, int errnum, bool *hit);
/* Send what is there and look at the answers. The error's path is "NS: OBJECT", its text the
 * kernel's ext-ack text (if any) and errno. */
int nlbatch_send(struct nlbatch *b, struct err *err);
/* Give up: keep this failure (only the first counts) and return its code. */
int nlbatch_fail(struct nlbatch *b, const struct err *why);

/* The index of an interface of the namespace; what was added before must be sent already.
 * 0 and b->failed set when there is none. */
unsigned nlbatch_index(struct nlbatch *b, const char *name);

#endif
