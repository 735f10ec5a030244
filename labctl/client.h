/* SPDX-License-Identifier: MIT */
/*
 * client: calls to engines (docs/PROTOCOL.md), and finding the engine that has a lab.
 * Not for starting engines (engine.h).
 */
#ifndef LABCTL_CLIENT_H
#define LABCTL_CLIENT_H

#include <jansson.h>
#include <limits.h>

#include "labctl/verbs.h"
#include "lib/wire/wire.h"

enum engine_kind { ENGINE_HOST, ENGINE_USER, ENGINE_GUEST, ENGINE_COUNT };

/* "host", "user", "guest". */
const char *engine_name(enum engine_kind k);
/* The other way round; what is unknown is the host. */
enum engine_kind engine_kind_of(const char *name);
/* Where its socket is for this user. */
const char *engine_socket(enum engine_kind k, char buf[static PATH_MAX]);

struct call {
	const char *name;
	json_t *args; /* reference stolen; NULL: none */
	/* Called for each progress message. */
	void (*progress)(const json_t *progress, void *arg);
	void *arg;
	bool once; /* a labd that dies before it has read the call is not followed by the next one
		    */
	int timeout_s; /* without any message for so long the engine is given up; 0: wait on */
	/* SIGINT and SIGTERM do not end the program: the first says this ("undoing what was built")
	 * and half-closes the connection if the call is cancellable; the second gives up waiting.
	 * NULL: they do. */
	const char *on_interrupt;
	bool cancellable;
	json_t **faults; /* faults of an error reply, a new reference or NULL; may be NULL */
};

/* Connect. -ENOENT or -ECONNREFUSED: it does not run; -ECONNRESET: not any more. EACCES is of class
 * denied. */
int client_connect(enum engine_kind k, struct wire *w, struct err *err);
/* Send a call on a connection; args' reference is stolen. -ECONNRESET: see client_next(). */
int client_send(struct wire *w, const char *name, json_t *args, struct err *err);
/* A connection that is reset before anything came on it (-ECONNRESET), or takes no call any more,
 * was to an engine that is dying and has not read the call. Wait a moment for the next one,
 * starting it where that is ours to do. False: there is none, or `tried` times is enough. */
bool client_next(enum engine_kind k, int tried);
/* What the answer says of the fault that a test asked for (LABCTL_FAULT), on stderr. */
void client_tell_fault(const json_t *message);
/* Connect, call, wait for the result (a new reference). */
int client_call(enum engine_kind k, const struct call *c, json_t **result, struct err *err);

/* Was the last cancellable call interrupted, whatever came of it? */
bool client_interrupted(void);

/* Does it answer? */
bool client_answers(enum engine_kind k);
/* The same, keeping the connection for the call that follows. */
bool client_answers_soon_asked(enum engine_kind k);
/* The process that listens for it on this machine (a guest knows only its own ids); 0: none. */
pid_t client_engine_pid(enum engine_kind k);

/*
 * Which engine has the lab that the command line means: -l, LABCTL_LAB, or the only one running.
 * Starts the host engine when root left labs behind without one. On success *k is set and *lab is
 * the name or NULL (the engine's only lab); the text is borrowed.
 */
int client_lab(const struct opts *o, enum engine_kind *k, const char **lab, struct err *err);

/* No lab of that name among these, or none at all, or (name NULL) too many to choose from: says so,
 * with a suggestion. Returns the code. */
int client_no_lab(const char *name, const json_t *labs, struct err *err);

/* The labs of one engine, as a new array (also on failure). One that does not run has none. */
int client_ls(enum engine_kind k, json_t **labs, struct err *err);
/* The labs of one engine or of all that answer, as a new array; an engine that does not answer has
 * none. */
json_t *client_labs(enum engine_kind k);
json_t *client_all_labs(void);
/* Have labs that outlived their engine an engine again; client_all_labs() and client_lab() do it.
 */
void client_revive(void);

/* Objects of a kind; a new array. ns NULL: all. ConfigMaps have their texts back. */
int client_get(enum engine_kind k, const char *lab, const char *kind, const char *ns,
	       json_t **items, struct err *err);

/* All pods as rows (docs/PROTOCOL.md "get"), malloc'ed; NULL: some need more words, or it failed.
 */
char *client_pod_rows(enum engine_kind k, const char *lab);

/* Print a result as -o json or yaml says. */
int client_print(const char *form, const json_t *v, struct err *err);

#endif
