/* SPDX-License-Identifier: MIT */
/*
 * mux: the channel multiplexer's state machine; the wire format and its rules stand in mux.h. Not
 * for reading or writing descriptors (pump.c) and not for what flows in the channels.
 */
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "labd/guest/mux.h"
#include "lib/base/strbuf.h"

struct channel {
	uint32_t id;	  /* 0: free slot */
	uint32_t credit;  /* what we may still send */
	uint32_t window;  /* what the peer may still send */
	uint32_t unacked; /* read by our reader, not yet given back */
	bool eof_sent, eof_seen;
	bool close_sent, close_seen;
};

struct mux {
	enum mux_role role;
	const struct mux_ops *ops;
	void *arg;
	bool ready;
	struct err broken; /* code != 0: given up */
	size_t marker_at;  /* bytes of the marker matched so far */
	size_t noise;
	uint32_t last_id; /* highest channel ever opened */
	unsigned n_channels;
	struct channel channels[MUX_CHANNEL_MAX];
	struct strbuf out;
	size_t tty_window; /* host: bytes that may go on their way; guest: read, not yet told */
	size_t in_len;	   /* bytes of the frame being gathered */
	uint8_t in[MUX_HEADER_LEN + MUX_PAYLOAD_MAX];
};

struct frame {
	uint32_t ch;
	uint8_t type, magic;
	uint16_t len;
	const uint8_t *payload;
};

static struct channel *find(const struct mux *m, uint32_t id)
{
	if (!id)
		return NULL;
	for (size_t i = 0; i < MUX_CHANNEL_MAX; i++) {
		if (m->channels[i].id == id)
			return (struct channel *)&m->channels[i];
	}
	return NULL;
}

static struct channel *channel_new(struct mux *m, uint32_t id)
{
	for (size_t i = 0; i < MUX_CHANNEL_MAX; i++) {
		struct channel *c = &m->channels[i];

		if (c->id)
			continue;
		*c = (struct channel){.id = id, .credit = MUX_WINDOW, .window = MUX_WINDOW};
		m->last_id = id;
		m->n_channels++;
		return c;
	}
	return NULL;
}

static void channel_drop_if_done(struct mux *m, struct channel *c)
{
	if (!c->close_sent || !c->close_seen)
		return;
	*c = (struct channel){0};
	m->n_channels--;
}

static void put_frame(struct mux *m, uint32_t ch, enum mux_type type, const void *payload,
		      size_t len)
{
	uint32_t ch_le = htole32(ch);
	uint16_t len_le = htole16((uint16_t)len);
	uint8_t head[MUX_HEADER_LEN] = {[4] = (uint8_t)type, [5] = MUX_MAGIC};

	assert(len <= MUX_PAYLOAD_MAX);
	memcpy(head, &ch_le, sizeof(ch_le));
	memcpy(head + 6, &len_le, sizeof(len_le));
	strbuf_add(&m->out, head, sizeof(head));
	if (len)
		strbuf_add(&m->out, payload, len);
}

struct mux *mux_new(enum mux_role role, const struct mux_ops *ops, void *arg)
{
	struct mux *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->role = role;
	m->ops = ops;
	m->arg = arg;
	if (role == MUX_GUEST)
		strbuf_add(&m->out, MUX_MARKER, MUX_MARKER_LEN);
	else
		m->tty_window = MUX_TTY_WINDOW;
	return m;
}

void mux_free(struct mux *m)
{
	if (!m)
		return;
	strbuf_free(&m->out);
	free(m);
}

bool mux_ready(const struct mux *m)
{
	return m->ready && !m->broken.code;
}

unsigned mux_channels(const struct mux *m)
{
	return m->n_channels;
}

size_t mux_output(const struct mux *m, const void **data)
{
	*data = strbuf_str(&m->out);
	if (m->role == MUX_HOST && m->tty_window < m->out.len)
		return m->tty_window;
	return m->out.len;
}

size_t mux_queued(const struct mux *m)
{
	return m->out.len;
}

void mux_sent(struct mux *m, size_t n)
{
	strbuf_consume(&m->out, n);
	if (m->role == MUX_HOST)
		m->tty_window -= n;
}

/* --- receiving ------------------------------------------------------------------------------- */

#define broken(m, ...) err_set(&(m)->broken, EPROTO, "guest pipe: " __VA_ARGS__)

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static void get_text(const struct frame *f, char text[MUX_REASON_MAX + 1])
{
	size_t len = f->len < MUX_REASON_MAX ? f->len : MUX_REASON_MAX;

	memcpy(text, f->payload, len);
	text[len] = '\0';
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 127)
			text[i] = ' ';
	}
}

static int take_open(struct mux *m, const struct frame *f)
{
	if (m->role != MUX_GUEST)
		return broken(m, "the guest tried to open channel %u", f->ch);
	if (f->len != 8)
		return broken(m, "OPEN of %u bytes", f->len);
	if (f->ch <= m->last_id)
		return broken(m, "channel %u was opened before", f->ch);
	if (!channel_new(m, f->ch))
		return broken(m, "more than %d channels", MUX_CHANNEL_MAX);
	if (!m->ops->open || m->ops->open(f->ch, get32(f->payload), get32(f->payload + 4), m->arg))
		mux_close(m, f->ch, "refused");
	return 0;
}

static int take_data(struct mux *m, struct channel *c, const struct frame *f)
{
	if (!f->len)
		return broken(m, "empty DATA on channel %u", f->ch);
	if (c->eof_seen || c->close_seen)
		return broken(m, "DATA after the end of channel %u", f->ch);
	if (f->len > c->window)
		return broken(m, "channel %u sent %u bytes with %u of credit", f->ch, f->len,
			      c->window);
	c->window -= f->len;
	if (c->close_sent)
		return 0; /* nobody reads it any more */
	if (m->ops->data)
		m->ops->data(f->ch, f->payload, f->len, m->arg);
	return 0;
}

static int take_ack(struct mux *m, struct channel *c, const struct frame *f)
{
	uint32_t n = f->len == 4 ? get32(f->payload) : 0;

	if (!n || n > MUX_WINDOW - c->credit)
		return broken(m, "bad ACK on channel %u", f->ch);
	c->credit += n;
	if (m->ops->credit && !c->close_sent)
		m->ops->credit(f->ch, m->arg);
	return 0;
}

static int take_close(struct mux *m, struct channel *c, const struct frame *f)
{
	char reason[MUX_REASON_MAX + 1];

	if (c->close_seen)
		return broken(m, "channel %u was closed twice", f->ch);
	get_text(f, reason);
	c->close_seen = true;
	if (!c->close_sent && m->ops->close)
		m->ops->close(f->ch, reason, m->arg);
	channel_drop_if_done(m, c);
	return 0;
}

static int take_channel_frame(struct mux *m, const struct frame *f)
{
	struct channel *c = find(m, f->ch);

	if (!f->ch || f->ch > m->last_id)
		return broken(m, "frame %u on channel %u, which was never opened", f->type, f->ch);
	if (!c)
		return broken(m, "frame %u on channel %u, which is closed", f->type, f->ch);
	switch (f->type) {
	case MUX_DATA:
		return take_data(m, c, f);
	case MUX_EOF:
		if (f->len || c->eof_seen || c->close_seen)
			return broken(m, "bad EOF on channel %u", f->ch);
		c->eof_seen = true;
		if (!c->close_sent && m->ops->eof)
			m->ops->eof(f->ch, m->arg);
		return 0;
	case MUX_ACK:
		return take_ack(m, c, f);
	default:
		return take_close(m, c, f);
	}
}

static int take_ttyack(struct mux *m, const struct frame *f)
{
	uint32_t n = f->len == 4 ? get32(f->payload) : 0;

	if (m->role != MUX_HOST || !n || n > MUX_TTY_WINDOW - m->tty_window)
		return broken(m, "bad TTYACK");
	m->tty_window += n;
	return 0;
}

static int take_global_frame(struct mux *m, const struct frame *f)
{
	if (f->ch)
		return broken(m, "frame %u on channel %u instead of 0", f->type, f->ch);
	switch (f->type) {
	case MUX_PING:
		if (m->out.len < MUX_OUT_MAX)
			put_frame(m, 0, MUX_PONG, f->payload, f->len);
		return 0;
	case MUX_PONG:
		if (m->ops->pong)
			m->ops->pong(f->payload, f->len, m->arg);
		return 0;
	case MUX_TTYACK:
		return take_ttyack(m, f);
	default:
		if (m->role != MUX_GUEST)
			return broken(m, "POWEROFF from the guest");
		if (m->ops->poweroff)
			m->ops->poweroff(m->arg);
		return 0;
	}
}

static int take_frame(struct mux *m, const struct frame *f)
{
	switch (f->type) {
	case MUX_OPEN:
		return take_open(m, f);
	case MUX_DATA:
	case MUX_EOF:
	case MUX_CLOSE:
	case MUX_ACK:
		return take_channel_frame(m, f);
	default:
		return take_global_frame(m, f);
	}
}

/* The header in m->in; checked as soon as it is whole, so that noise is told at once. */
static int check_header(struct mux *m, struct frame *f)
{
	uint16_t len;

	memcpy(&len, m->in + 6, sizeof(len));
	*f = (struct frame){.ch = get32(m->in),
			    .type = m->in[4],
			    .magic = m->in[5],
			    .len = le16toh(len),
			    .payload = m->in + MUX_HEADER_LEN};
	if (f->magic != MUX_MAGIC)
		return broken(m, "not a frame (byte %#x where %#x should be)", f->magic, MUX_MAGIC);
	if (!f->type || f->type >= MUX_TYPE_END)
		return broken(m, "unknown frame type %u", f->type);
	if (f->len > MUX_PAYLOAD_MAX)
		return broken(m, "frame of %u bytes, at most %d allowed", f->len, MUX_PAYLOAD_MAX);
	return 0;
}

/* Gather one frame; returns how many bytes it used or a negative errno. */
static ssize_t feed_frame(struct mux *m, const uint8_t *p, size_t len)
{
	size_t used = 0;
	struct frame f;

	if (m->in_len < MUX_HEADER_LEN) {
		used = MUX_HEADER_LEN - m->in_len;
		if (used > len)
			used = len;
		memcpy(m->in + m->in_len, p, used);
		m->in_len += used;
		if (m->in_len < MUX_HEADER_LEN)
			return (ssize_t)used;
	}
	if (check_header(m, &f))
		return m->broken.code;
	size_t want = MUX_HEADER_LEN + f.len - m->in_len;
	size_t take = want < len - used ? want : len - used;

	memcpy(m->in + m->in_len, p + used, take);
	m->in_len += take;
	if (take < want)
		return (ssize_t)(used + take);
	m->in_len = 0;
	if (take_frame(m, &f))
		return m->broken.code;
	return (ssize_t)(used + take);
}

/* Look for the marker. Its first byte occurs nowhere else in it, so a mismatch restarts simply. */
static size_t feed_marker(struct mux *m, const uint8_t *p, size_t len)
{
	static const uint8_t marker[] = MUX_MARKER;

	for (size_t i = 0; i < len; i++) {
		if (p[i] != marker[m->marker_at])
			m->marker_at = 0;
		if (p[i] == marker[m->marker_at])
			m->marker_at++;
		if (m->marker_at < MUX_MARKER_LEN) {
			m->noise++;
			continue;
		}
		m->ready = true;
		if (m->role == MUX_HOST)
			strbuf_add(&m->out, MUX_MARKER, MUX_MARKER_LEN);
		if (m->ops->ready)
			m->ops->ready(m->arg);
		return i + 1;
	}
	return len;
}

/* Guest: all bytes count, the marker too. Told in thirds of the window, to keep the tty busy. */
static void tty_read(struct mux *m, size_t len)
{
	uint32_t le;

	if (m->role != MUX_GUEST)
		return;
	m->tty_window += len;
	if (m->tty_window < MUX_TTY_WINDOW / 3)
		return;
	le = htole32((uint32_t)m->tty_window);
	m->tty_window = 0;
	put_frame(m, 0, MUX_TTYACK, &le, sizeof(le));
}

int mux_input(struct mux *m, const void *buf, size_t len, struct err *err)
{
	const uint8_t *p = buf;

	tty_read(m, len);

	while (len && !m->broken.code) {
		ssize_t n = m->ready ? feed_frame(m, p, len) : (ssize_t)feed_marker(m, p, len);

		if (n < 0)
			break;
		p += n;
		len -= (size_t)n;
		if (!m->ready && m->noise > MUX_NOISE_MAX)
			broken(m, "no greeting in %d bytes", MUX_NOISE_MAX);
	}
	if (m->broken.code && err)
		*err = m->broken;
	return m->broken.code;
}

/* --- sending --------------------------------------------------------------------------------- */

int mux_open(struct mux *m, uint32_t uid, uint32_t gid, uint32_t *ch)
{
	uint32_t ids[2] = {htole32(uid), htole32(gid)};
	struct channel *c;

	assert(m->role == MUX_HOST);
	if (!mux_ready(m))
		return -EAGAIN;
	if (m->last_id == UINT32_MAX)
		return -EMFILE;
	c = channel_new(m, m->last_id + 1);
	if (!c)
		return -EMFILE;
	put_frame(m, c->id, MUX_OPEN, ids, sizeof(ids));
	*ch = c->id;
	return 0;
}

static size_t credit_of(const struct mux *m, uint32_t ch)
{
	const struct channel *c = find(m, ch);

	if (!c || c->eof_sent || c->close_sent || c->close_seen)
		return 0;
	return c->credit;
}

size_t mux_room(const struct mux *m, uint32_t ch)
{
	size_t credit = credit_of(m, ch);
	size_t pipe = m->out.len < MUX_OUT_MAX ? MUX_OUT_MAX - m->out.len : 0;

	return credit < pipe ? credit : pipe;
}

size_t mux_send(struct mux *m, uint32_t ch, const void *data, size_t len)
{
	struct channel *c = find(m, ch);
	size_t room = mux_room(m, ch);
	const uint8_t *p = data;

	/* mux_room() was a promise: the frames' headers may take the queue a little beyond its
	 * bound. */
	if (len > room)
		len = room;
	for (size_t done = 0; done < len;) {
		size_t n = len - done < MUX_PAYLOAD_MAX ? len - done : MUX_PAYLOAD_MAX;

		put_frame(m, ch, MUX_DATA, p + done, n);
		c->credit -= (uint32_t)n;
		done += n;
	}
	return len;
}

void mux_eof(struct mux *m, uint32_t ch)
{
	struct channel *c = find(m, ch);

	if (!c || c->eof_sent || c->close_sent)
		return;
	c->eof_sent = true;
	put_frame(m, ch, MUX_EOF, NULL, 0);
}

/* Small amounts are gathered; a quarter of the window is early enough to keep the pipe full. */
void mux_ack(struct mux *m, uint32_t ch, size_t n)
{
	struct channel *c = find(m, ch);
	uint32_t le;

	if (!c || c->close_sent || c->close_seen)
		return;
	c->unacked += (uint32_t)n;
	assert(c->window + c->unacked <= MUX_WINDOW);
	if (c->unacked < MUX_WINDOW / 4)
		return;
	le = htole32(c->unacked);
	c->window += c->unacked;
	c->unacked = 0;
	put_frame(m, ch, MUX_ACK, &le, sizeof(le));
}

void mux_close(struct mux *m, uint32_t ch, const char *reason)
{
	struct channel *c = find(m, ch);
	size_t len = reason ? strlen(reason) : 0;

	if (!c || c->close_sent)
		return;
	c->close_sent = true;
	put_frame(m, ch, MUX_CLOSE, reason, len < MUX_REASON_MAX ? len : MUX_REASON_MAX);
	channel_drop_if_done(m, c);
}

bool mux_ping(struct mux *m, const void *data, size_t len)
{
	if (!mux_ready(m) || m->out.len >= MUX_OUT_MAX || len > MUX_PAYLOAD_MAX)
		return false;
	put_frame(m, 0, MUX_PING, data, len);
	return true;
}

void mux_poweroff(struct mux *m)
{
	if (mux_ready(m))
		put_frame(m, 0, MUX_POWEROFF, NULL, 0);
}
