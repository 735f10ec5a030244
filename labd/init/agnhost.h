/* SPDX-License-Identifier: MIT */
/*
 * agnhost: what Kubernetes' e2e image of that name does, as far as labs need it: netexec,
 * serve-hostname, connect, pause. Texts, defaults and exit codes are those of
 * kubernetes/test/images/agnhost (netexec.go, serve_hostname.go, connect.go). Left out: TLS, SCTP,
 * and the endpoints that run commands, take uploads or make requests of their own (/shell /upload
 * /dial /redirect), which answer 501.
 */
#ifndef INIT_AGNHOST_H
#define INIT_AGNHOST_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

/* --- flags ----------------------------------------------------------------------------------- */

enum agn_flag_kind { AGN_INT, AGN_BOOL, AGN_DURATION, AGN_STRING };
struct agn_flag {
	const char *name; /* without the dashes; NULL ends the table */
	enum agn_flag_kind kind;
	void *value; /* int *, bool *, int64_t * (nanoseconds), const char ** */
};
/* --name=value, --name value, --bool. Leaves the other words in argv[0..n), which it returns; exits
 * with 1 on a bad one. */
int agn_flags(int argc, char **argv, const struct agn_flag *flags);

/* --- serving (agnhost_serve.c) --------------------------------------------------------------- */

enum agn_look { AGN_NETEXEC, AGN_SERVE_HOSTNAME };
struct agn_serve {
	enum agn_look look;
	int http_port, tcp_port, udp_port; /* -1: not served */
	bool close;			   /* after each HTTP answer */
};
/* Never returns but with an exit code. */
_Noreturn void agn_serve(const struct agn_serve *s);
/* Answer one request; false when the connection is to be closed. */
struct agn_request;
typedef bool agn_answer_fn(void *arg, const struct agn_request *r);
/* Read once from a connection of HTTP into in (AGN_HEAD_MAX bytes, *len of them used) and answer
 * each request that is whole by now, what is not HTTP with 400. False: the connection has ended or
 * is to be closed. */
bool agn_hear(int fd, char *in, size_t *len, agn_answer_fn *fn, void *arg);
/* To stderr with the date and time in front, as Go's log does. */
void agn_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* --- HTTP, without I/O (agnhost_http.c) ------------------------------------------------------ */

#define AGN_HEAD_MAX 8192 /* of a request */

struct agn_request {
	char method[16];
	char path[256];
	char query[AGN_HEAD_MAX]; /* as sent */
	bool keep_alive;
	bool body;     /* has one, which is not read */
	size_t length; /* of the head */
};
/* 1: a whole head is there; 0: more is needed; -1: not HTTP. */
int agn_parse(const char *data, size_t len, struct agn_request *r);
/* The decoded value of a query parameter, "" if there is none. */
void agn_param(const char *query, const char *name, char *out, size_t size);

struct agn_answer {
	int status;
	char body[AGN_HEAD_MAX + 256];
	int exit_code; /* end with it at once, without an answer; -1: go on */
};
/* Requests of netexec. udp_ready is what /healthz tells. */
void agn_netexec(const struct agn_request *r, const char *hostname, const char *peer,
		 bool udp_ready, struct agn_answer *a);
/* The whole answer as bytes; returns its length. */
size_t agn_format(const struct agn_request *r, const struct agn_answer *a, bool keep_alive,
		  char *out, size_t size);

/* --- connecting (agnhost_connect.c)
 * ------------------------------------------------------------------- */

/* An address, from digits, /etc/hosts or DNS. 0, or -1 with Go's text in why. */
int agn_resolve(const char *host, struct in_addr *ret, char *why, size_t size);
/* What Go says for an errno. */
const char *agn_error(int code);
int agn_connect_main(int argc, char **argv);

#endif
