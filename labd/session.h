/* SPDX-License-Identifier: MIT */
/*
 * session: one client's call, served in a process of its own: reads the call, checks it, carries it
 * out (methods.c), answers, ends.
 */
#ifndef LABD_SESSION_H
#define LABD_SESSION_H

#include "labd/server.h"
#include "lib/wire/wire.h"

struct session {
	const struct server *server;
	struct wire w;
	uid_t uid;
	gid_t gid;
	bool gone;	/* the client has closed; nothing is sent any more */
	json_t *faults; /* what an error says of the objects sent (docs/PROTOCOL.md), or NULL */
	void (*after)(struct session *s); /* what is left to do when the client is answered */
};

/* Serve the client on fd and end the process. */
void session_run(const struct server *s, int fd, uid_t uid, gid_t gid) __attribute__((noreturn));
/* Tell a client why it is not served. */
void session_refuse(int fd, int code, enum err_class cls, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Undo the main process' signal set-up in a fork of it. */
void session_signals(void);

/* Carry out one call as it came from a client (docs/PROTOCOL.md). *ret_result may stay NULL. */
int session_call(struct session *s, const json_t *msg, json_t **ret_result, struct err *err);

/* Send {"progress": obj}; steals the reference. A client that is gone is noted, not reported. */
void session_progress(struct session *s, json_t *obj);
/* Has the client gone away or half-closed? Does not block. */
bool session_cancelled(struct session *s);

/* One call. args is never NULL (an empty object). On success *ret_result is the result (new
 * reference, or NULL when the method has answered by itself). */
typedef int (*method_fn)(struct session *s, const json_t *args, json_t **ret_result,
			 struct err *err);

struct method {
	const char *name;
	method_fn fn;
	bool any_version; /* answered also to a client of another build */
};

/* The table, ending with a NULL name (methods.c). */
extern const struct method methods[];

#endif
