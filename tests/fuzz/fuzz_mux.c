/* SPDX-License-Identifier: MIT */
/*
 * fuzz_mux: the guest channel multiplexer. The first byte says which side is under test; then come
 * operations, each a byte: bytes from the peer (who may be hostile), or what our own program does,
 * any of it within a callback too. The promises of mux.h are held.
 */
#include "labd/guest/mux.h"
#include "lib/base/cleanup.h"
#include "tests/fuzz/fuzz.h"

struct side {
	struct mux *m;
	struct fuzz_in *in;
	size_t unread[512]; /* received and not yet acknowledged, by channel */
	uint32_t last;
};

static void act(struct side *s);

static void on_ready(void *arg)
{
	act(arg);
}

static int on_open(uint32_t ch, uint32_t uid, uint32_t gid, void *arg)
{
	struct side *s = arg;
	s->last = ch;
	return fuzz_byte(s->in) % 8 == 0;
}

static void on_data(uint32_t ch, const void *data, size_t len, void *arg)
{
	struct side *s = arg;
	fuzz_assert(len > 0 && len <= MUX_PAYLOAD_MAX);
	fuzz_read(data, len);
	if (ch < ARRAY_SIZE(s->unread)) {
		s->unread[ch] += len;
		fuzz_assert(s->unread[ch] <= MUX_WINDOW);
	}
	act(s);
}

static void on_channel(uint32_t ch, void *arg)
{
	act(arg);
}

static void on_close(uint32_t ch, const char *reason, void *arg)
{
	struct side *s = arg;
	fuzz_assert(strlen(reason) <= MUX_REASON_MAX);
	if (fuzz_byte(s->in) & 1)
		mux_close(s->m, ch, reason);
}

static void on_pong(const void *data, size_t len, void *arg)
{
	fuzz_assert(len <= MUX_PAYLOAD_MAX);
}

static const struct mux_ops ops = {.ready = on_ready,
				   .open = on_open,
				   .data = on_data,
				   .eof = on_channel,
				   .close = on_close,
				   .credit = on_channel,
				   .pong = on_pong,
				   .poweroff = on_ready};

static uint32_t channel(struct side *s)
{
	unsigned k = fuzz_byte(s->in);
	return k < 250 ? k % 8 : s->last;
}

static void send_some(struct side *s, uint32_t ch)
{
	static const char zeroes[3 * MUX_PAYLOAD_MAX];
	size_t room = mux_room(s->m, ch), len = fuzz_u16(s->in) % sizeof(zeroes);
	size_t took = mux_send(s->m, ch, zeroes, len);
	fuzz_assert(took == (len < room ? len : room));
}

static void take_output(struct side *s)
{
	const void *data;
	size_t n = mux_output(s->m, &data), take = fuzz_u16(s->in);
	fuzz_assert(n <= mux_queued(s->m));
	mux_sent(s->m, take < n ? take : n);
}

static void ack_some(struct side *s, uint32_t ch)
{
	if (ch >= ARRAY_SIZE(s->unread) || !s->unread[ch])
		return;
	size_t n = 1 + fuzz_u16(s->in) % s->unread[ch];
	s->unread[ch] -= n;
	mux_ack(s->m, ch, n);
}

/* One thing that the program on our side may do. */
static void act(struct side *s)
{
	uint32_t ch;
	switch (fuzz_byte(s->in) % 16) {
	case 0:
		send_some(s, channel(s));
		break;
	case 1:
		mux_eof(s->m, channel(s));
		break;
	case 2:
		mux_close(s->m, channel(s), "why");
		break;
	case 3:
		ack_some(s, channel(s));
		break;
	case 4:
		mux_ping(s->m, "abcd", fuzz_byte(s->in) % 5);
		break;
	case 5:
		take_output(s);
		break;
	case 6:
		mux_poweroff(s->m);
		break;
	default:
		ch = channel(s);
		(void)mux_room(s->m, ch);
		break;
	}
	fuzz_assert(mux_channels(s->m) <= MUX_CHANNEL_MAX);
}

static int feed(struct side *s, size_t len)
{
	size_t n;
	_free_ uint8_t *piece = fuzz_take(s->in, len, 0, &n);
	struct err err = {0};
	int r = mux_input(s->m, piece, n, &err);
	fuzz_assert(r == 0 || err.text[0]);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	struct side s = {.in = &in};
	enum mux_role role = fuzz_byte(&in) & 1 ? MUX_GUEST : MUX_HOST;
	int r = 0;
	s.m = mux_new(role, &ops, &s);
	if (fuzz_byte(&in) % 4) /* most inputs are past the greeting */
		r = mux_input(s.m, MUX_MARKER, MUX_MARKER_LEN, NULL);
	while (in.n && r == 0) {
		unsigned op = fuzz_byte(&in);
		if (op < 128)
			r = feed(&s, 1 + op);
		else if (op < 160 && role == MUX_HOST)
			mux_open(s.m, op, op, &s.last);
		else
			act(&s);
	}
	if (r < 0)
		fuzz_assert(mux_input(s.m, "x", 1, NULL) == r); /* it stays broken */
	mux_free(s.m);
	return 0;
}
