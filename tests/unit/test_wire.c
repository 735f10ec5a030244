/* SPDX-License-Identifier: MIT */
/* test_wire: framing over a socketpair: whole, split and joined frames, bad frames, errors as JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/limits.h"
#include "lib/wire/wire.h"

struct pair {
	struct wire a, b;
};

static int setup(void **state)
{
	int fds[2];
	struct pair *p = malloc(sizeof(*p));
	if (!p || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return -1;
	wire_init(&p->a, fds[0]);
	wire_init(&p->b, fds[1]);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct pair *p = *state;
	wire_close(&p->a);
	wire_close(&p->b);
	free(p);
	return 0;
}

static void frames_arrive_whole_and_in_order(void **state)
{
	struct pair *p = *state;
	struct wire_frame f;
	assert_int_equal(wire_send(&p->a, WIRE_STDOUT, "hello", 5, NULL), 0);
	assert_int_equal(wire_send(&p->a, WIRE_STDIN, NULL, 0, NULL), 0);
	assert_int_equal(wire_recv(&p->b, &f, NULL), 1);
	assert_int_equal(f.type, WIRE_STDOUT);
	assert_int_equal(f.len, 5);
	assert_memory_equal(f.data, "hello", 5);
	assert_true(wire_pending(&p->b));
	assert_int_equal(wire_recv(&p->b, &f, NULL), 1);
	assert_int_equal(f.type, WIRE_STDIN);
	assert_int_equal(f.len, 0);
	assert_false(wire_pending(&p->b));
	wire_close(&p->a);
	assert_int_equal(wire_recv(&p->b, &f, NULL), 0);
}

static void a_frame_may_arrive_byte_by_byte(void **state)
{
	struct pair *p = *state;
	struct wire_frame f;
	static const char bytes[] = "\0\0\0\2\3ok";
	fcntl(p->b.fd, F_SETFL, O_NONBLOCK);
	for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
		assert_int_equal(wire_recv(&p->b, &f, NULL), -EAGAIN);
		assert_int_equal(write(p->a.fd, bytes + i, 1), 1);
	}
	assert_int_equal(wire_recv(&p->b, &f, NULL), 1);
	assert_int_equal(f.type, WIRE_STDOUT);
	assert_memory_equal(f.data, "ok", 2);
}

static void send_raw(struct pair *p, uint32_t len, uint8_t type)
{
	uint32_t be = htonl(len);
	assert_int_equal(write(p->a.fd, &be, 4), 4);
	assert_int_equal(write(p->a.fd, &type, 1), 1);
}

static void bad_frames_are_refused(void **state)
{
	struct pair *p = *state;
	struct wire_frame f;
	struct err err;
	send_raw(p, 1, 0);
	assert_int_equal(wire_recv(&p->b, &f, &err), -EPROTO);
	assert_string_equal(err.text, "bad message: type 0");
	assert_true(wire_pending(&p->b));
	teardown(state);
	setup(state);
	p = *state;
	send_raw(p, MAX_FRAME_BYTES + 1, WIRE_STDOUT);
	assert_int_equal(wire_recv(&p->b, &f, &err), -EPROTO);
	assert_non_null(strstr(err.text, "the limit is 262144"));
	teardown(state);
	setup(state);
	p = *state;
	send_raw(p, 10, WIRE_STDOUT);
	wire_close(&p->a);
	assert_int_equal(wire_recv(&p->b, &f, &err), -EPROTO);
	assert_string_equal(err.text, "the connection ended within a message");
}

static void too_large_is_not_sent(void **state)
{
	struct pair *p = *state;
	static char big[MAX_FRAME_BYTES + 1];
	assert_int_equal(wire_send(&p->a, WIRE_STDIN, big, sizeof(big), NULL), -EMSGSIZE);
}

static void json_goes_both_ways(void **state)
{
	struct pair *p = *state;
	json_t *o = NULL;
	assert_int_equal(wire_send_json(&p->a, json_pack("{s:s}", "call", "ls"), NULL), 0);
	assert_int_equal(wire_recv_json(&p->b, &o, NULL), 1);
	assert_string_equal(json_string_value(json_object_get(o, "call")), "ls");
	json_decref(o);
	assert_int_equal(wire_send(&p->a, WIRE_JSON, "[1]", 3, NULL), 0);
	assert_int_equal(wire_recv_json(&p->b, &o, NULL), -EPROTO);
	assert_int_equal(wire_send(&p->a, WIRE_JSON, "{\"a\":", 5, NULL), 0);
	assert_int_equal(wire_recv_json(&p->b, &o, NULL), -EPROTO);
	assert_int_equal(wire_send(&p->a, WIRE_STDOUT, "{}", 2, NULL), 0);
	assert_int_equal(wire_recv_json(&p->b, &o, NULL), -EPROTO);
}

/* A message far larger than a socket's buffer, sent by another process. */
static void a_large_message_passes(void **state)
{
	struct pair *p = *state;
	const size_t size = 5u << 20;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char *text = malloc(size + 1);
		memset(text, 'x', size);
		text[size] = '\0';
		_exit(wire_send_json(&p->a, json_pack("{s:s}", "t", text), NULL) == 0 ? 0 : 1);
	}
	json_t *o = NULL;
	assert_int_equal(wire_recv_json(&p->b, &o, NULL), 1);
	assert_int_equal(json_string_length(json_object_get(o, "t")), size);
	json_decref(o);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void sending_to_nobody_is_an_error(void **state)
{
	struct pair *p = *state;
	wire_close(&p->b);
	assert_int_equal(wire_send(&p->a, WIRE_STDIN, "x", 1, NULL), -EPIPE);
}

static void errors_survive_the_way(void **state)
{
	struct err e, back;
	err_setc(&e, ENOENT, ERR_NOT_FOUND, "no lab is running");
	err_path(&e, "Pod default/x");
	err_hint(&e, "labctl up LAB");
	json_t *o = wire_err_to_json(&e);
	assert_string_equal(json_string_value(json_object_get(o, "class")), "not-found");
	wire_err_from_json(o, &back);
	json_decref(o);
	assert_int_equal(back.code, -ENOENT);
	assert_int_equal(back.cls, ERR_NOT_FOUND);
	assert_string_equal(back.text, e.text);
	assert_string_equal(back.path, e.path);
	assert_string_equal(back.hint, e.hint);

	err_set(&e, EIO, "bytes \xff\xfe");
	o = wire_err_to_json(&e);
	assert_string_equal(json_string_value(json_object_get(o, "text")), "bytes ??");
	json_decref(o);

	/* Nonsense from the other side is still an error that says something. */
	o = json_pack("{s:i, s:i}", "code", 5, "class", 9);
	wire_err_from_json(o, &back);
	json_decref(o);
	assert_true(back.code < 0);
	assert_int_equal(back.cls, ERR_FAILED);
	assert_true(back.text[0]);
}

static void packets_in_one_payload(void **state)
{
	const char a[] = "a frame", b[] = "";
	const struct wire_packet in[] = {{.t = 1700000000123456789u,
					  .ifindex = 7,
					  .hatype = 1,
					  .outbound = true,
					  .len = 9000,
					  .data = a,
					  .caplen = sizeof(a)},
					 {.t = 1, .ifindex = 300, .hatype = 768, .data = b}};
	_strbuf_ struct strbuf all = STRBUF_INIT;
	struct wire_packet out;
	wire_packet_add(&all, &in[0]);
	size_t first = all.len;
	wire_packet_add(&all, &in[1]);
	const char *at = strbuf_str(&all);
	size_t left = all.len;
	for (int i = 0; i < 2; i++) {
		assert_true(wire_packet_next(&at, &left, &out));
		assert_true(out.t == in[i].t && out.ifindex == in[i].ifindex &&
			    out.hatype == in[i].hatype && out.outbound == in[i].outbound &&
			    out.len == in[i].len && out.caplen == in[i].caplen);
		assert_memory_equal(out.data, in[i].data, in[i].caplen);
	}
	assert_int_equal(left, 0);
	assert_false(wire_packet_next(&at, &left, &out));
	for (size_t n = 0; n < first; n++) { /* cut short anywhere */
		at = strbuf_str(&all);
		left = n;
		assert_false(wire_packet_next(&at, &left, &out));
	}
}

static void socket_paths(void **state)
{
	char buf[256];
	setenv("LABD_SOCKET", "/x/y.sock", 1);
	assert_string_equal(wire_socket_path(buf, sizeof(buf), "host"), "/x/y.sock");
	assert_string_equal(wire_socket_path(buf, sizeof(buf), "guest"), "/x/y.sock.guest");
	unsetenv("LABD_SOCKET");
	if (geteuid() == 0)
		assert_string_equal(wire_socket_path(buf, sizeof(buf), "guest"),
				    "/run/labd/guest.sock");
	struct wire w;
	assert_int_equal(wire_connect(&w, "/nonexistent/labd.sock", NULL), -ENOENT);
	wire_close(&w);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(frames_arrive_whole_and_in_order),
		T(a_frame_may_arrive_byte_by_byte),
		T(bad_frames_are_refused),
		T(too_large_is_not_sent),
		T(json_goes_both_ways),
		T(a_large_message_passes),
		T(sending_to_nobody_is_an_error),
		cmocka_unit_test(errors_survive_the_way),
		cmocka_unit_test(packets_in_one_payload),
		cmocka_unit_test(socket_paths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
