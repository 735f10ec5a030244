/* SPDX-License-Identifier: MIT */
/*
 * wire: the protocol between labctl and labd, over one connected unix stream socket (or a guest's
 * channel, which looks the same).
 *
 * A frame is a 5-byte header, u32 length (big endian, of the payload) and u8 type, then the
 *payload. WIRE_JSON carries one JSON object; the other types carry an exec's bytes. A conversation:
 *
 *	client  JSON {"call": "up", "version": "...", "args": {...}}
 *	server  JSON {"progress": {...}}            any number
 *	server  JSON {"result": {...}}  or  JSON {"error": {...}}     exactly one; then it closes
 *
 * During `exec` both sides send STDIN/STDOUT/STDERR frames; an empty STDIN frame is end of input;
 * RESIZE carries two u16 (rows, columns), SIGNAL one byte. The result holds {"exit": N}.
 * During `capture` the server sends PACKETS frames. Payloads are bounded (limits.h); a bad frame is
 *-EPROTO and ends the connection.
 */
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/base/strbuf.h"

#define WIRE_VERSION 1 /* of the framing; builds are compared by the "version" member of a call */

enum wire_type {
	WIRE_JSON = 1,
	WIRE_STDIN = 2,
	WIRE_STDOUT = 3,
	WIRE_STDERR = 4,
	WIRE_RESIZE = 5,
	WIRE_SIGNAL = 6,
	WIRE_PACKETS = 7
};

struct wire_frame {
	enum wire_type type;
	const void *data; /* valid until the next wire call on this connection */
	size_t len;
};

struct wire {
	int fd; /* owned */
	struct strbuf in;
	size_t taken; /* bytes of `in` that the last frame used */
};

/* Take over a connected socket. */
void wire_init(struct wire *w, int fd);
void wire_close(struct wire *w);

/* Connect to a socket path. -ENOENT / -ECONNREFUSED when nobody listens (no text set beyond that).
 */
int wire_connect(struct wire *w, const char *path, struct err *err);

/* Send one frame, whole, blocking. -EPIPE when the other side is gone (SIGPIPE never raised). */
int wire_send(struct wire *w, enum wire_type type, const void *data, size_t len, struct err *err);
/* Send an object; steals the reference. */
int wire_send_json(struct wire *w, json_t *obj, struct err *err);

/* Receive one frame, blocking. 1: got one; 0: orderly end; negative: error. */
int wire_recv(struct wire *w, struct wire_frame *ret, struct err *err);
/* Is a complete frame buffered already (so that a poll on fd would miss it)? */
bool wire_pending(const struct wire *w);
/* Receive a frame and parse it as a JSON object; new reference. 1, 0 or negative as above. */
int wire_recv_json(struct wire *w, json_t **ret, struct err *err);

/* A captured packet, as a PACKETS frame carries any number of them one behind the other. */
struct wire_packet {
	uint64_t t; /* nanoseconds since 1970 */
	int ifindex;
	uint16_t hatype; /* ARPHRD_* */
	bool outbound;
	uint32_t len; /* on the wire */
	const void *data;
	uint32_t caplen;
};
/* Append one to a payload. */
void wire_packet_add(struct strbuf *payload, const struct wire_packet *p);
/* Take the first one off; its data lies in the payload. False at the end, or when the rest is none.
 */
bool wire_packet_next(const char **payload, size_t *len, struct wire_packet *ret);

/* An err as the protocol carries it, and back. */
json_t *wire_err_to_json(const struct err *err);
void wire_err_from_json(const json_t *o, struct err *ret);

/* What a call carries as "version": LABD_VERSION, and "+ID" when the build was given an id
 * (-DLABD_BUILD). Client and server of different builds do not talk. */
const char *wire_build(void);

/* Path of the socket: LABD_SOCKET, else /run/labd/labd.sock for root, else
 * $XDG_RUNTIME_DIR/labd/labd.sock, else /tmp/labd-UID/labd.sock. An engine other than "host" has
 * ENGINE.sock beside it (LABD_SOCKET with ".ENGINE" appended). Into buf; returns buf. */
const char *wire_socket_path(char *buf, size_t size, const char *engine);

#endif
