/* SPDX-License-Identifier: MIT */
/*
 * mux: many client connections over one byte pipe, the console between the host and a guest.
 *
 * A pure state machine over buffers: bytes that arrived go in by mux_input(), events come out of
 *the callbacks, bytes to be sent are taken from mux_output(). It does no I/O, so that it is tested
 *without a guest; pump.h joins it to descriptors. It knows nothing of labd's protocol.
 *
 * Theory of operation. The guest speaks first: its tty may have carried anything until it was made
 * raw, so it sends the 16-byte MUX_MARKER once and the host throws away all until then; the host
 * answers with the marker, and from there on both sides send frames, all numbers little-endian:
 *
 *	u32 channel | u8 type | u8 MUX_MAGIC | u16 length | payload of `length` bytes
 *
 * The host opens channels, numbering them upwards from 1 and never using a number twice. A channel
 * has two independent directions. Each starts with MUX_WINDOW bytes of credit; DATA spends it, the
 * receiver gives it back by ACK once its reader has taken the bytes. So at most MUX_WINDOW bytes
 *per channel wait at the receiver, whatever the reader does, and no channel blocks another. EOF
 *ends one direction (half-close). CLOSE says "I send nothing more and read nothing more"; each side
 *sends it once, and a channel is gone when both have. What was received before a CLOSE is still
 *delivered.
 *
 * Towards the guest the pipe as a whole has a window, too: at most MUX_TTY_WINDOW bytes, frames and
 *all, which the guest has not said by TTYACK to have read. A tty of UML 6.1 stops for good once its
 *line discipline asks it to pause (line_throttle() takes the interrupt away, line_unthrottle()
 *doesn't put it back), and N_TTY asks when less than 128 of its 4096 bytes are free. Hence never so
 *many.
 *
 * The peer isn't trusted: a frame that is malformed, beyond a bound, or out of order makes
 * mux_input() fail for good with a text that says which; the pipe is then to be given up.
 */
#ifndef GUEST_MUX_H
#define GUEST_MUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"

#define MUX_MARKER	"\177labd-guest-1\r\n\376" /* 16 bytes without the NUL; 1 is the version */
#define MUX_MARKER_LEN	16
#define MUX_HEADER_LEN	8
#define MUX_MAGIC	0xa7
#define MUX_PAYLOAD_MAX 4096	    /* of one frame */
#define MUX_WINDOW	(64 * 1024) /* credit of one direction of one channel, in bytes */
#define MUX_OUT_MAX	(16 * 1024) /* DATA is refused while so much waits for the pipe */
#define MUX_TTY_WINDOW	3840	    /* bytes on their way to the guest; see above */
#define MUX_CHANNEL_MAX 256	    /* open at once */
#define MUX_NOISE_MAX	(1 << 20)   /* bytes thrown away while looking for the marker */
#define MUX_REASON_MAX	1000	    /* text of CLOSE, bytes */

enum mux_type {
	MUX_OPEN = 1, /* host to guest; u32 uid, u32 gid of the client */
	MUX_DATA,     /* 1 to MUX_PAYLOAD_MAX bytes, within the credit */
	MUX_EOF,      /* no more DATA from here */
	MUX_CLOSE,    /* neither sends nor reads any more; optional text: why */
	MUX_ACK,      /* u32 bytes of credit given back */
	MUX_PING,     /* channel 0; payload comes back as PONG */
	MUX_PONG,
	MUX_POWEROFF, /* channel 0, host to guest: end all and power off */
	MUX_TTYACK,   /* channel 0, guest to host: u32 bytes read from the tty */
	MUX_TYPE_END
};

enum mux_role { MUX_HOST, MUX_GUEST };

struct mux;

/*
 * What happened, called from within mux_input() (and only there). A callback may call any mux_*
 * function of the same mux but mux_input() and mux_free(). NULL members are skipped.
 */
struct mux_ops {
	/* The other side is there; from now on channels can be opened. */
	void (*ready)(void *arg);
	/* Guest only. Non-zero refuses the channel (a CLOSE is sent). */
	int (*open)(uint32_t ch, uint32_t uid, uint32_t gid, void *arg);
	/* The receiver keeps the bytes and calls mux_ack() when its reader took them. */
	void (*data)(uint32_t ch, const void *data, size_t len, void *arg);
	void (*eof)(uint32_t ch, void *arg);
	/* The peer neither sends nor reads; answer with mux_close() once all is delivered. */
	void (*close)(uint32_t ch, const char *reason, void *arg);
	/* Credit came back: mux_room() grew. */
	void (*credit)(uint32_t ch, void *arg);
	void (*pong)(const void *data, size_t len, void *arg);
	void (*poweroff)(void *arg);
};

/* A new state machine; the guest's has its marker ready for sending. ops must outlive it. */
struct mux *mux_new(enum mux_role role, const struct mux_ops *ops, void *arg);
void mux_free(struct mux *m);

/* Take bytes that arrived. 0, or -EPROTO with a text; after a failure it always fails. */
int mux_input(struct mux *m, const void *buf, size_t len, struct err *err);
/* Bytes that may be sent now: *data and their number; valid until the next call on m. */
size_t mux_output(const struct mux *m, const void **data);
/* Bytes waiting, those that may not be sent yet included. */
size_t mux_queued(const struct mux *m);
/* The first n of them were sent. */
void mux_sent(struct mux *m, size_t n);
/* Did the other side's marker arrive? */
bool mux_ready(const struct mux *m);
/* Channels not yet closed by both sides. */
unsigned mux_channels(const struct mux *m);

/* Host: open a channel for a client. -EAGAIN before ready, -EMFILE at MUX_CHANNEL_MAX. */
int mux_open(struct mux *m, uint32_t uid, uint32_t gid, uint32_t *ch);
/* How many bytes mux_send() would take now: 0 without credit, after EOF/CLOSE, or while
 * mux_queued() is MUX_OUT_MAX or more. */
size_t mux_room(const struct mux *m, uint32_t ch);
/* Send up to len bytes; returns how many were taken. */
size_t mux_send(struct mux *m, uint32_t ch, const void *data, size_t len);
/* End our direction. Harmless when done before. */
void mux_eof(struct mux *m, uint32_t ch);
/* The reader took n of the bytes received. */
void mux_ack(struct mux *m, uint32_t ch, size_t n);
/* We neither send nor read on ch any more. reason may be NULL. Harmless when done before. */
void mux_close(struct mux *m, uint32_t ch, const char *reason);
/* Channel-0 messages; PING is left out (false) while the pipe is full. */
bool mux_ping(struct mux *m, const void *data, size_t len);
void mux_poweroff(struct mux *m);

#endif
