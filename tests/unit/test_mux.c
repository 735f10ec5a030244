/* SPDX-License-Identifier: MIT */
/*
 * Tests of labd/guest/mux.c: two state machines, host and guest, joined by a "wire" that is cut
 * into pieces of any size; and each malformed frame with its message. And of init.c how often the
 * server is started again. No descriptors, no guest.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "labd/guest/init.h"
#include "labd/guest/mux.h"
#include "lib/base/strbuf.h"

/* One side with all that happened to it. */
struct side {
	struct mux *m;
	struct strbuf got; /* data of all channels */
	uint32_t opened, uid, gid;
	uint32_t eof, closed;
	char reason[MUX_REASON_MAX + 1];
	int ready, credits, pongs, poweroffs, refuse;
	bool keep; /* the reader is slow: no ACK */
};

static void on_ready(void *arg)
{
	((struct side *)arg)->ready++;
}

static int on_open(uint32_t ch, uint32_t uid, uint32_t gid, void *arg)
{
	struct side *s = arg;

	s->opened = ch;
	s->uid = uid;
	s->gid = gid;
	return s->refuse;
}

static void on_data(uint32_t ch, const void *data, size_t len, void *arg)
{
	struct side *s = arg;

	strbuf_add(&s->got, data, len);
	if (!s->keep)
		mux_ack(s->m, ch, len);
}

static void on_eof(uint32_t ch, void *arg)
{
	((struct side *)arg)->eof = ch;
}

static void on_close(uint32_t ch, const char *reason, void *arg)
{
	struct side *s = arg;

	s->closed = ch;
	snprintf(s->reason, sizeof(s->reason), "%s", reason);
	mux_close(s->m, ch, NULL);
}

static void on_credit(uint32_t ch, void *arg)
{
	(void)ch;
	((struct side *)arg)->credits++;
}

static void on_pong(const void *data, size_t len, void *arg)
{
	if (len == 3 && memcmp(data, "abc", 3) == 0)
		((struct side *)arg)->pongs++;
}

static void on_poweroff(void *arg)
{
	((struct side *)arg)->poweroffs++;
}

static const struct mux_ops ops = {
	.ready = on_ready,
	.open = on_open,
	.data = on_data,
	.eof = on_eof,
	.close = on_close,
	.credit = on_credit,
	.pong = on_pong,
	.poweroff = on_poweroff,
};

struct pair {
	struct side host, guest;
	size_t piece; /* the wire hands over so many bytes at a time */
};

static size_t carry(struct side *from, struct side *to, size_t piece)
{
	const void *data;
	struct err err = {0};
	size_t n = mux_output(from->m, &data);
	uint8_t *copy;

	if (n > piece)
		n = piece;
	if (!n)
		return 0;
	copy = malloc(n);
	assert_non_null(copy);
	memcpy(copy, data, n);
	mux_sent(from->m, n);
	if (mux_input(to->m, copy, n, &err))
		fail_msg("%s", err.text);
	free(copy);
	return n;
}

static void settle(struct pair *p)
{
	while (carry(&p->guest, &p->host, p->piece) + carry(&p->host, &p->guest, p->piece) > 0)
		;
}

static void pair_init(struct pair *p, size_t piece)
{
	*p = (struct pair){.piece = piece};
	p->host.m = mux_new(MUX_HOST, &ops, &p->host);
	p->guest.m = mux_new(MUX_GUEST, &ops, &p->guest);
	assert_non_null(p->host.m);
	assert_non_null(p->guest.m);
}

static void pair_free(struct pair *p)
{
	mux_free(p->host.m);
	mux_free(p->guest.m);
	strbuf_free(&p->host.got);
	strbuf_free(&p->guest.got);
}

static uint32_t pair_open(struct pair *p)
{
	uint32_t ch = 0;

	settle(p);
	assert_int_equal(mux_open(p->host.m, 1000, 100, &ch), 0);
	settle(p);
	return ch;
}

static void test_greeting(void **state)
{
	static const size_t pieces[] = {1, 3, 1000};
	(void)state;

	for (size_t i = 0; i < 3; i++) {
		struct pair p;
		uint32_t ch;

		pair_init(&p, pieces[i]);
		assert_int_equal(mux_open(p.host.m, 0, 0, &ch), -EAGAIN);
		settle(&p);
		assert_int_equal(p.host.ready, 1);
		assert_int_equal(p.guest.ready, 1);
		assert_true(mux_ready(p.host.m));
		pair_free(&p);
	}
}

static void test_greeting_after_noise(void **state)
{
	static const char noise[] = "Linux version 6.1\r\n\177labd-guest-\177labd-guest-1\r\177";
	struct pair p;
	(void)state;

	pair_init(&p, 5);
	assert_int_equal(mux_input(p.host.m, noise, sizeof(noise) - 1, NULL), 0);
	assert_false(mux_ready(p.host.m));
	settle(&p);
	assert_true(mux_ready(p.host.m));
	assert_int_equal(pair_open(&p), 1);
	assert_int_equal(p.guest.opened, 1);
	pair_free(&p);
}

static void test_too_much_noise(void **state)
{
	struct pair p;
	struct err err;
	char junk[4096];
	int r = 0;
	(void)state;

	pair_init(&p, 1);
	memset(junk, 'x', sizeof(junk));
	for (int i = 0; i <= MUX_NOISE_MAX / 4096 && !r; i++)
		r = mux_input(p.host.m, junk, sizeof(junk), &err);
	assert_int_equal(r, -EPROTO);
	assert_string_equal(err.text, "guest pipe: no greeting in 1048576 bytes");
	pair_free(&p);
}

static void test_open_carries_ids(void **state)
{
	struct pair p;
	uint32_t ch;
	(void)state;

	pair_init(&p, 7);
	ch = pair_open(&p);
	assert_int_equal(p.guest.opened, ch);
	assert_int_equal(p.guest.uid, 1000);
	assert_int_equal(p.guest.gid, 100);
	assert_int_equal(mux_channels(p.host.m), 1);
	pair_free(&p);
}

static void test_refused(void **state)
{
	struct pair p;
	uint32_t ch;
	(void)state;

	pair_init(&p, 64);
	p.guest.refuse = -1;
	ch = pair_open(&p);
	assert_int_equal(p.host.closed, ch);
	assert_string_equal(p.host.reason, "refused");
	assert_int_equal(mux_channels(p.host.m), 0);
	assert_int_equal(mux_channels(p.guest.m), 0);
	pair_free(&p);
}

/* All byte values, both ways, through pieces of one byte to more than a frame. */
static void test_binary_clean(void **state)
{
	static const size_t pieces[] = {1, 13, 4096, 100000};
	enum { N = 40000 };
	uint8_t *data = malloc(N);
	(void)state;

	for (size_t i = 0; i < N; i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	for (size_t i = 0; i < 4; i++) {
		struct pair p;
		uint32_t ch;
		size_t at = 0, back = 0;

		pair_init(&p, pieces[i]);
		ch = pair_open(&p);
		while (at < N || back < N) {
			at += mux_send(p.host.m, ch, data + at, N - at);
			back += mux_send(p.guest.m, ch, data + back, N - back);
			settle(&p);
		}
		assert_int_equal(p.guest.got.len, N);
		assert_memory_equal(p.guest.got.s, data, N);
		assert_memory_equal(p.host.got.s, data, N);
		pair_free(&p);
	}
	free(data);
}

/* What mux_room() promised, mux_send() takes, headers or not. */
static void test_room_is_a_promise(void **state)
{
	struct pair p;
	uint32_t ch;
	char buf[MUX_OUT_MAX] = {0};
	size_t room;
	(void)state;

	pair_init(&p, 1000);
	ch = pair_open(&p);
	room = mux_room(p.host.m, ch);
	assert_int_equal(room, MUX_OUT_MAX);
	assert_int_equal(mux_send(p.host.m, ch, buf, room), room);
	assert_int_equal(mux_room(p.host.m, ch), 0);
	assert_int_equal(mux_send(p.host.m, ch, buf, 1), 0);
	settle(&p);
	assert_int_equal(p.guest.got.len, room);
	pair_free(&p);
}

static size_t send_all_you_can(struct pair *p, struct side *s, uint32_t ch)
{
	char buf[5000] = {0};
	size_t total = 0, n;

	do {
		n = mux_send(s->m, ch, buf, sizeof(buf));
		total += n;
		settle(p);
	} while (n);
	return total;
}

/* A reader that takes nothing stops its own channel at the window, and no other. */
static void test_slow_reader(void **state)
{
	struct pair p;
	uint32_t slow, fast;
	(void)state;

	pair_init(&p, 4096);
	slow = pair_open(&p);
	fast = pair_open(&p);
	p.guest.keep = true;
	assert_int_equal(send_all_you_can(&p, &p.host, slow), MUX_WINDOW);
	p.guest.keep = false;
	for (int i = 0; i < 5; i++)
		assert_int_equal(mux_send(p.host.m, fast, "hello", 5), 5);
	settle(&p);
	assert_int_equal(p.guest.got.len, MUX_WINDOW + 25);
	assert_int_equal(p.host.credits, 0);
	mux_ack(p.guest.m, slow, MUX_WINDOW);
	settle(&p);
	assert_int_equal(p.host.credits, 1);
	assert_true(mux_room(p.host.m, slow) > 0);
	pair_free(&p);
}

/* Never more than MUX_TTY_WINDOW bytes on the way to the guest. */
static void test_tty_window(void **state)
{
	struct pair p;
	uint32_t ch;
	char buf[10000] = {0};
	const void *data;
	size_t n;
	(void)state;

	pair_init(&p, 1 << 20);
	ch = pair_open(&p);
	assert_int_equal(mux_send(p.host.m, ch, buf, sizeof(buf)), sizeof(buf));
	n = mux_output(p.host.m, &data);
	assert_true(n <= MUX_TTY_WINDOW && n > MUX_TTY_WINDOW * 2 / 3);
	mux_sent(p.host.m, n - 100);
	assert_int_equal(mux_output(p.host.m, &data), 100);
	mux_sent(p.host.m, 100);
	assert_int_equal(mux_output(p.host.m, &data), 0);
	assert_true(mux_queued(p.host.m) > 0);
	pair_free(&p);
}

static void test_half_close(void **state)
{
	struct pair p;
	uint32_t ch;
	(void)state;

	pair_init(&p, 10);
	ch = pair_open(&p);
	mux_send(p.host.m, ch, "question", 8);
	mux_eof(p.host.m, ch);
	mux_eof(p.host.m, ch);
	assert_int_equal(mux_send(p.host.m, ch, "more", 4), 0);
	settle(&p);
	assert_int_equal(p.guest.eof, ch);
	assert_int_equal(mux_send(p.guest.m, ch, "answer", 6), 6);
	mux_close(p.guest.m, ch, "done\nnow");
	settle(&p);
	assert_memory_equal(p.host.got.s, "answer", 6);
	assert_int_equal(p.host.closed, ch);
	assert_string_equal(p.host.reason, "done now");
	assert_int_equal(mux_channels(p.host.m), 0);
	assert_int_equal(mux_channels(p.guest.m), 0);
	pair_free(&p);
}

/* Both sides close at once while data is on its way: no error, nothing left. */
static void test_crossing_close(void **state)
{
	struct pair p;
	uint32_t ch;
	(void)state;

	pair_init(&p, 9);
	ch = pair_open(&p);
	mux_send(p.host.m, ch, "lost", 4);
	mux_send(p.guest.m, ch, "lost", 4);
	mux_eof(p.guest.m, ch);
	mux_close(p.host.m, ch, NULL);
	mux_close(p.guest.m, ch, NULL);
	settle(&p);
	assert_int_equal(mux_channels(p.host.m), 0);
	assert_int_equal(mux_channels(p.guest.m), 0);
	assert_int_equal(pair_open(&p), ch + 1);
	pair_free(&p);
}

static void test_channel_bound(void **state)
{
	struct pair p;
	uint32_t ch;
	(void)state;

	pair_init(&p, 1 << 20);
	for (int i = 0; i < MUX_CHANNEL_MAX; i++)
		pair_open(&p);
	assert_int_equal(mux_open(p.host.m, 0, 0, &ch), -EMFILE);
	mux_close(p.host.m, 17, NULL);
	settle(&p);
	assert_int_equal(mux_open(p.host.m, 0, 0, &ch), 0);
	assert_int_equal(ch, MUX_CHANNEL_MAX + 1);
	settle(&p);
	pair_free(&p);
}

static void test_ping_and_poweroff(void **state)
{
	struct pair p;
	(void)state;

	pair_init(&p, 2);
	assert_false(mux_ping(p.host.m, "abc", 3));
	settle(&p);
	assert_true(mux_ping(p.host.m, "abc", 3));
	mux_poweroff(p.host.m);
	settle(&p);
	assert_int_equal(p.host.pongs, 1);
	assert_int_equal(p.guest.poweroffs, 1);
	pair_free(&p);
}

/* --- malformed ------------------------------------------------------------------------------- */

struct bad {
	const char *text;
	uint8_t to_guest;
	uint8_t head[MUX_HEADER_LEN];
	uint8_t payload[8];
	size_t len;
};

/* Channel 1 is open, channel 2 was opened and is closed. */
static const struct bad bads[] = {
	{"not a frame (byte 0x6c where 0xa7 should be)",
	 0,
	 {'p', 'a', 'n', 'i', 'c', 'l', 'o', 'g'},
	 {0},
	 0},
	{"unknown frame type 0", 0, {1, 0, 0, 0, 0, 0xa7, 0, 0}, {0}, 0},
	{"unknown frame type 99", 0, {1, 0, 0, 0, 99, 0xa7, 0, 0}, {0}, 0},
	{"frame of 4097 bytes, at most 4096 allowed", 0, {1, 0, 0, 0, 2, 0xa7, 1, 16}, {0}, 0},
	{"the guest tried to open channel 9", 0, {9, 0, 0, 0, 1, 0xa7, 8, 0}, {0}, 8},
	{"channel 1 was opened before", 1, {1, 0, 0, 0, 1, 0xa7, 8, 0}, {0}, 8},
	{"OPEN of 7 bytes", 1, {9, 0, 0, 0, 1, 0xa7, 7, 0}, {0}, 7},
	{"frame 2 on channel 9, which was never opened", 0, {9, 0, 0, 0, 2, 0xa7, 1, 0}, {0}, 1},
	{"frame 3 on channel 0, which was never opened", 0, {0, 0, 0, 0, 3, 0xa7, 0, 0}, {0}, 0},
	{"frame 2 on channel 2, which is closed", 0, {2, 0, 0, 0, 2, 0xa7, 1, 0}, {0}, 1},
	{"empty DATA on channel 1", 0, {1, 0, 0, 0, 2, 0xa7, 0, 0}, {0}, 0},
	{"bad EOF on channel 1", 0, {1, 0, 0, 0, 3, 0xa7, 1, 0}, {0}, 1},
	{"bad ACK on channel 1", 0, {1, 0, 0, 0, 5, 0xa7, 4, 0}, {1, 0, 0, 0}, 4},
	{"bad ACK on channel 1", 0, {1, 0, 0, 0, 5, 0xa7, 3, 0}, {0}, 3},
	{"frame 6 on channel 1 instead of 0", 0, {1, 0, 0, 0, 6, 0xa7, 0, 0}, {0}, 0},
	{"POWEROFF from the guest", 0, {0, 0, 0, 0, 8, 0xa7, 0, 0}, {0}, 0},
	{"bad TTYACK", 0, {0, 0, 0, 0, 9, 0xa7, 4, 0}, {0, 0, 1, 0}, 4},
	{"bad TTYACK", 1, {0, 0, 0, 0, 9, 0xa7, 4, 0}, {1, 0, 0, 0}, 4},
};

static void test_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		const struct bad *b = &bads[i];
		struct pair p;
		struct err err = {0};
		struct mux *m;

		pair_init(&p, 100);
		pair_open(&p);
		mux_close(p.host.m, pair_open(&p), NULL);
		settle(&p);
		m = b->to_guest ? p.guest.m : p.host.m;
		if (!mux_input(m, b->head, sizeof(b->head), &err))
			mux_input(m, b->payload, b->len, &err);
		assert_int_equal(err.code, -EPROTO);
		assert_memory_equal(err.text, "guest pipe: ", 12);
		assert_string_equal(err.text + 12, b->text);
		/* For good. */
		assert_int_equal(mux_input(m, "", 0, &err), -EPROTO);
		assert_false(mux_ready(m));
		pair_free(&p);
	}
}

static void test_beyond_credit(void **state)
{
	uint8_t head[MUX_HEADER_LEN] = {1, 0, 0, 0, MUX_DATA, MUX_MAGIC, 0, 16};
	uint8_t data[4096] = {0};
	struct pair p;
	struct err err;
	int r = 0;
	(void)state;

	pair_init(&p, 100);
	pair_open(&p);
	p.host.keep = true;
	for (int i = 0; i < MUX_WINDOW / 4096; i++) {
		assert_int_equal(mux_input(p.host.m, head, sizeof(head), &err), 0);
		assert_int_equal(mux_input(p.host.m, data, sizeof(data), &err), 0);
	}
	mux_input(p.host.m, head, sizeof(head), &err);
	r = mux_input(p.host.m, data, sizeof(data), &err);
	assert_int_equal(r, -EPROTO);
	assert_string_equal(err.text, "guest pipe: channel 1 sent 4096 bytes with 0 of credit");
	pair_free(&p);
}

/* Random bytes after the greeting: an error or nothing, never a crash (run under ASan). */
static void test_fuzz(void **state)
{
	unsigned seed = 1;
	(void)state;

	for (int round = 0; round < 2000; round++) {
		struct pair p;
		uint8_t junk[64];

		pair_init(&p, 100);
		pair_open(&p);
		for (int i = 0; i < 4; i++) {
			for (size_t k = 0; k < sizeof(junk); k++) {
				seed = seed * 1103515245 + 12345;
				junk[k] = (uint8_t)(seed >> 16);
			}
			for (size_t k = 0; k + 8 < sizeof(junk); k += 8) {
				junk[k + 1] = junk[k + 2] = junk[k + 3] = 0;
				junk[k] &= 3;
				junk[k + 4] = (uint8_t)(junk[k + 4] % 11);
				junk[k + 5] = MUX_MAGIC;
				junk[k + 6] &= 15;
				junk[k + 7] = 0;
			}
			mux_input(round & 1 ? p.guest.m : p.host.m, junk, sizeof(junk), NULL);
		}
		pair_free(&p);
	}
}

/* ---- how often init starts the server again ---- */

static void test_starts(void **state)
{
	struct guest_starts s = {0};
	uint64_t now = 12345;

	(void)state;
	for (unsigned i = 0; i < GUEST_STARTS; i++)
		assert_true(guest_may_start(&s, now += 1000));
	assert_false(guest_may_start(&s, now));
	assert_false(guest_may_start(&s, 12345 + GUEST_STARTS_USECS));
	now += GUEST_STARTS_USECS;
	/* One a second for ever. */
	for (unsigned i = 0; i < 10 * GUEST_STARTS; i++)
		assert_true(guest_may_start(&s, now += GUEST_STARTS_USECS / GUEST_STARTS + 1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_greeting),
		cmocka_unit_test(test_greeting_after_noise),
		cmocka_unit_test(test_too_much_noise),
		cmocka_unit_test(test_open_carries_ids),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_binary_clean),
		cmocka_unit_test(test_room_is_a_promise),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_tty_window),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_crossing_close),
		cmocka_unit_test(test_channel_bound),
		cmocka_unit_test(test_ping_and_poweroff),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_beyond_credit),
		cmocka_unit_test(test_fuzz),
		cmocka_unit_test(test_starts),
	};

	return cmocka_run_group_tests_name("mux", tests, NULL, NULL);
}
