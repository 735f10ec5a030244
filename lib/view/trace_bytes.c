/* SPDX-License-Identifier: MIT */
/* trace_bytes: see the header. */
#include "lib/view/trace_bytes.h"

#include <net/if_arp.h>
#include <netinet/in.h>

#include "lib/view/term.h"

#define ROW	  16
#define MAX_SHOWN 256 /* bytes of a payload */

/* What comes next in the frame. */
enum layer { LAYER_ETH, LAYER_IP, LAYER_TCP, LAYER_UDP, LAYER_ICMP, LAYER_VXLAN, LAYER_DATA };

static const char *const layer_names[] = {"eth", "ip", "tcp", "udp", "icmp", "vxlan", "data"};

/* Length of the layer at p with n bytes left (at least 1), and what follows it. */
static size_t layer_len(enum layer l, const uint8_t *p, size_t n, enum layer *next)
{
	*next = LAYER_DATA;
	switch (l) {
	case LAYER_ETH:
		if (n >= 14 && p[12] == 0x08 && p[13] == 0x00)
			*next = LAYER_IP;
		return 14;
	case LAYER_IP:
		if (n < 20)
			return n;
		*next = p[9] == IPPROTO_TCP    ? LAYER_TCP
			: p[9] == IPPROTO_UDP  ? LAYER_UDP
			: p[9] == IPPROTO_ICMP ? LAYER_ICMP
			: p[9] == IPPROTO_IPIP ? LAYER_IP
					       : LAYER_DATA;
		return (p[0] & 15u) >= 5 ? (p[0] & 15u) * 4u : 20;
	case LAYER_TCP:
		return n >= 13 && p[12] >> 4 >= 5 ? (p[12] >> 4) * 4u : 20;
	case LAYER_UDP:
		if (n >= 4 && ((p[2] << 8 | p[3]) == 8472 || (p[2] << 8 | p[3]) == 4789))
			*next = LAYER_VXLAN;
		return 8;
	case LAYER_VXLAN:
		*next = LAYER_ETH;
		return 8;
	case LAYER_ICMP:
		return 8;
	default:
		return n;
	}
}

static void rows(const char *name, const uint8_t *p, size_t n, size_t offset, size_t indent,
		 struct strbuf *out)
{
	for (size_t i = 0; i < n; i += ROW) {
		term_pad(out, indent);
		strbuf_addf(out, "%-5s %4zu", i ? "" : name, offset + i);
		for (size_t k = i; k < i + ROW; k++) {
			if (k < n)
				strbuf_addf(out, " %02x", p[k]);
			else
				strbuf_adds(out, "   ");
		}
		strbuf_adds(out, "  ");
		for (size_t k = i; k < n && k < i + ROW; k++)
			strbuf_addc(out, p[k] >= 0x20 && p[k] < 0x7f ? (char)p[k] : '.');
		strbuf_addc(out, '\n');
	}
}

void trace_bytes(const struct recording *r, const struct rec_step *s, enum view_lang l,
		 size_t indent, struct strbuf *out)
{
	const struct rec_sight *f =
		s->sight >= 0 && (size_t)s->sight < r->sights.n ? &r->sights.v[s->sight] : NULL;
	if (!f || !f->data || f->caplen == 0) {
		term_pad(out, indent);
		lang_say(out, l, "ui.no-bytes");
		strbuf_addc(out, '\n');
		return;
	}
	enum layer layer = f->hatype == ARPHRD_ETHER ? LAYER_ETH : LAYER_IP, next;
	for (size_t at = 0; at < f->caplen; layer = next) {
		size_t left = f->caplen - at, n = layer_len(layer, f->data + at, left, &next);
		n = n < left ? n : left;
		size_t shown = layer == LAYER_DATA && n > MAX_SHOWN ? MAX_SHOWN : n;
		rows(layer_names[layer], f->data + at, shown, at, indent, out);
		at += n;
	}
}
