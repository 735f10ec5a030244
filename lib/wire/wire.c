/* SPDX-License-Identifier: MIT */
/* See wire.h. */
#include "lib/wire/wire.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/limits.h"

#define HEADER	  5
#define READ_SIZE 65536

void wire_init(struct wire *w, int fd)
{
	*w = (struct wire){.fd = fd, .in = STRBUF_INIT};
}

void wire_close(struct wire *w)
{
	if (w->fd >= 0)
		close(w->fd);
	strbuf_free(&w->in);
	*w = (struct wire){.fd = -1, .in = STRBUF_INIT};
}

int wire_connect(struct wire *w, const char *path, struct err *err)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	wire_init(w, -1);
	if (strlen(path) >= sizeof(sa.sun_path))
		return err_sys(err, ENAMETOOLONG, "%s", path);
	memcpy(sa.sun_path, path, strlen(path) + 1);
	_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, errno, "socket");
	while (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		if (errno != EINTR)
			return err_sys(err, errno, "%s", path);
	}
	w->fd = take_fd(&fd);
	return 0;
}

static int wait_writable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	if (poll(&p, 1, -1) < 0 && errno != EINTR)
		return -errno;
	return 0;
}

static int send_all(int fd, const void *data, size_t len, int flags)
{
	const char *p = data;
	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL | flags);
		if (n < 0 && errno == EAGAIN) {
			int r = wait_writable(fd);
			if (r < 0)
				return r;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static size_t frame_max(int type)
{
	return type == WIRE_JSON ? MAX_MESSAGE_BYTES : MAX_FRAME_BYTES;
}

int wire_send(struct wire *w, enum wire_type type, const void *data, size_t len, struct err *err)
{
	if (len > frame_max((int)type))
		return err_set(err, EMSGSIZE, "a message of %zu bytes is over the limit of %zu",
			       len, frame_max((int)type));
	uint32_t be = htonl((uint32_t)len);
	char head[HEADER];
	memcpy(head, &be, 4);
	head[4] = (char)type;
	int r = send_all(w->fd, head, HEADER, len ? MSG_MORE : 0);
	if (r == 0)
		r = send_all(w->fd, data, len, 0);
	if (r < 0)
		return err_sys(err, r, "sending");
	return 0;
}

int wire_send_json(struct wire *w, json_t *obj, struct err *err)
{
	_free_ char *s = json_dumps(obj, JSON_COMPACT);
	json_decref(obj);
	if (!s)
		return err_set(err, EINVAL, "a message can not be written as JSON");
	return wire_send(w, WIRE_JSON, s, strlen(s), err);
}

/* Look at the head of the buffer: 1 complete frame (*ret filled), 0 more is needed, or an error. */
static int parse(const struct wire *w, struct wire_frame *ret, struct err *err)
{
	size_t have = w->in.len - w->taken;
	const char *p = strbuf_str(&w->in) + w->taken;
	if (have < HEADER)
		return 0;
	uint32_t be;
	memcpy(&be, p, 4);
	size_t len = ntohl(be);
	int type = (unsigned char)p[4];
	if (type < WIRE_JSON || type > WIRE_PACKETS)
		return err_set(err, EPROTO, "bad message: type %d", type);
	if (len > frame_max(type))
		return err_set(err, EPROTO, "bad message: %zu bytes, the limit is %zu", len,
			       frame_max(type));
	if (have < HEADER + len)
		return 0;
	*ret = (struct wire_frame){.type = (enum wire_type)type, .data = p + HEADER, .len = len};
	return 1;
}

bool wire_pending(const struct wire *w)
{
	struct wire_frame f;
	return parse(w, &f, NULL) != 0;
}

int wire_recv(struct wire *w, struct wire_frame *ret, struct err *err)
{
	/* A JSON message's memory is not kept for the life of the connection. */
	if (w->taken == w->in.len && w->in.cap > 4 * READ_SIZE)
		strbuf_free(&w->in);
	strbuf_consume(&w->in, w->taken);
	w->taken = 0;
	for (;;) {
		int r = parse(w, ret, err);
		if (r < 0)
			return r;
		if (r > 0) {
			w->taken = HEADER + ret->len;
			return 1;
		}
		char *p = strbuf_reserve(&w->in, READ_SIZE);
		ssize_t n = recv(w->fd, p, READ_SIZE, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "receiving");
		if (n == 0 && w->in.len == 0)
			return 0;
		if (n == 0)
			return err_set(err, EPROTO, "the connection ended within a message");
		w->in.len += (size_t)n;
	}
}

int wire_recv_json(struct wire *w, json_t **ret, struct err *err)
{
	struct wire_frame f;
	int r = wire_recv(w, &f, err);
	if (r <= 0)
		return r;
	if (f.type != WIRE_JSON)
		return err_set(err, EPROTO, "bad message: type %d where JSON belongs", f.type);
	json_error_t e;
	json_t *o = json_loadb(f.data, f.len, 0, &e);
	if (!o)
		return err_set(err, EPROTO, "bad message: %s", e.text);
	if (!json_is_object(o)) {
		json_decref(o);
		return err_set(err, EPROTO, "bad message: not a JSON object");
	}
	*ret = o;
	return 1;
}

struct packet_head { /* big endian */
	uint64_t t;
	uint32_t ifindex, len, caplen;
	uint16_t hatype;
	uint8_t outbound, pad;
};
_Static_assert(sizeof(struct packet_head) == 24, "no holes on the wire");

void wire_packet_add(struct strbuf *payload, const struct wire_packet *p)
{
	struct packet_head h = {.t = htobe64(p->t),
				.ifindex = htonl((uint32_t)p->ifindex),
				.len = htonl(p->len),
				.caplen = htonl(p->caplen),
				.hatype = htons(p->hatype),
				.outbound = p->outbound};
	strbuf_add(payload, &h, sizeof(h));
	strbuf_add(payload, p->data, p->caplen);
}

bool wire_packet_next(const char **payload, size_t *len, struct wire_packet *ret)
{
	struct packet_head h;
	if (*len < sizeof(h))
		return false;
	memcpy(&h, *payload, sizeof(h));
	*ret = (struct wire_packet){.t = be64toh(h.t),
				    .ifindex = (int)ntohl(h.ifindex),
				    .hatype = ntohs(h.hatype),
				    .outbound = h.outbound,
				    .len = ntohl(h.len),
				    .data = *payload + sizeof(h),
				    .caplen = ntohl(h.caplen)};
	if (ret->caplen > *len - sizeof(h))
		return false;
	*payload += sizeof(h) + ret->caplen;
	*len -= sizeof(h) + ret->caplen;
	return true;
}

static const char *const class_names[] = {
	[ERR_FAILED] = "failed",   [ERR_USAGE] = "usage",   [ERR_NOT_FOUND] = "not-found",
	[ERR_DIFFERS] = "differs", [ERR_DENIED] = "denied", [ERR_UNSUPPORTED] = "unsupported",
};

/* An err's texts are cut at fixed sizes and may quote anything: what is not UTF-8 becomes '?'. */
static json_t *safe_string(const char *s)
{
	json_t *v = json_string(s);
	if (v)
		return v;
	_free_ char *copy = strdup(s);
	for (char *p = copy; p && *p; p++) {
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	}
	return json_string(copy ? copy : "");
}

json_t *wire_err_to_json(const struct err *err)
{
	unsigned cls = (unsigned)err->cls;
	if (cls < ERR_FAILED || cls >= ARRAY_SIZE(class_names))
		cls = ERR_FAILED;
	json_t *o = json_object();
	json_object_set_new(o, "class", json_string(class_names[cls]));
	json_object_set_new(o, "code", json_integer(err->code));
	if (err->path[0])
		json_object_set_new(o, "path", safe_string(err->path));
	json_object_set_new(o, "text", safe_string(err->text));
	if (err->hint[0])
		json_object_set_new(o, "hint", safe_string(err->hint));
	return o;
}

static void copy_text(const json_t *o, const char *key, char *to, size_t size)
{
	const char *s = json_string_value(json_object_get(o, key));
	snprintf(to, size, "%s", s ? s : "");
}

void wire_err_from_json(const json_t *o, struct err *ret)
{
	*ret = (struct err){.code = -EIO, .cls = ERR_FAILED};
	json_int_t code = json_integer_value(json_object_get(o, "code"));
	if (code < 0 && code > -4096)
		ret->code = (int)code;
	const char *cls = json_string_value(json_object_get(o, "class"));
	for (unsigned i = ERR_FAILED; cls && i < ARRAY_SIZE(class_names); i++) {
		if (strcmp(cls, class_names[i]) == 0)
			ret->cls = (enum err_class)i;
	}
	copy_text(o, "path", ret->path, sizeof(ret->path));
	copy_text(o, "text", ret->text, sizeof(ret->text));
	copy_text(o, "hint", ret->hint, sizeof(ret->hint));
	if (!ret->text[0])
		snprintf(ret->text, sizeof(ret->text), "the engine failed without saying why");
}

const char *wire_build(void)
{
#ifdef LABD_BUILD
	return LABD_VERSION "+" LABD_BUILD;
#else
	return LABD_VERSION;
#endif
}

const char *wire_socket_path(char *buf, size_t size, const char *engine)
{
	const char *env = getenv("LABD_SOCKET");
	const char *run = getenv("XDG_RUNTIME_DIR");
	bool host = strcmp(engine, "host") == 0;
	char name[32];
	snprintf(name, sizeof(name), "%.20s.sock", host ? "labd" : engine);
	if (env && *env)
		snprintf(buf, size, "%s%s%s", env, host ? "" : ".", host ? "" : engine);
	else if (geteuid() == 0)
		snprintf(buf, size, "/run/labd/%s", name);
	else if (run && *run)
		snprintf(buf, size, "%s/labd/%s", run, name);
	else
		snprintf(buf, size, "/tmp/labd-%u/%s", (unsigned)geteuid(), name);
	return buf;
}
