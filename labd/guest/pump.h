/* SPDX-License-Identifier: MIT */
/*
 * pump: joins a mux to descriptors on an sd-event loop: one descriptor for the pipe, one stream
 * socket per channel. Bytes, half-closes and closes on either side appear on the other. Used by the
 * host side (host.c) and by the guest's init (serve.c); it knows nothing of either.
 */
#ifndef GUEST_PUMP_H
#define GUEST_PUMP_H

#include <stdint.h>
#include <systemd/sd-event.h>

#include "labd/guest/mux.h"
#include "lib/base/err.h"

struct pump;

struct pump_ops {
	/* The other side greeted. */
	void (*ready)(struct pump *p, void *arg);
	/* Guest: a channel was opened. Return a stream socket for it, which the pump then owns, or
	 * a negative errno to refuse. */
	int (*open)(struct pump *p, uint32_t uid, uint32_t gid, void *arg);
	void (*poweroff)(struct pump *p, void *arg);
	void (*pong)(struct pump *p, void *arg);
	/* May be NULL. Called with the bytes a channel's socket took; the state starts as 0 and is
	 * given to pump_drain()'s function: how far into a message is the client? */
	uint64_t (*track)(uint64_t state, const void *data, size_t len);
	/* The pipe ended (-EPIPE) or is broken (-EPROTO). Called once; nothing flows afterwards. */
	void (*dead)(struct pump *p, const struct err *why, void *arg);
};

/* wire is borrowed and made non-blocking. NULL only without memory. */
struct pump *pump_new(sd_event *e, int wire, enum mux_role role, const struct pump_ops *ops,
		      void *arg);
/* Closes all channels' descriptors; not the wire. Not to be called from one of its callbacks. */
void pump_free(struct pump *p);
struct mux *pump_mux(struct pump *p);

/* Host: a channel for the client on fd, which the pump owns from now on if it returns 0. */
int pump_add(struct pump *p, int fd, uint32_t uid, uint32_t gid);
/* Send what the mux has queued as far as the pipe takes it; the rest follows by itself. Needed only
 * after calling mux_* from outside of a callback. */
void pump_flush(struct pump *p);
/* For the message to the clients of a dead guest: take each channel's socket out of the pump. fn
 * owns fd; state is what ops->track said last. */
void pump_drain(struct pump *p, void (*fn)(int fd, uint64_t state, void *arg), void *arg);

#endif
