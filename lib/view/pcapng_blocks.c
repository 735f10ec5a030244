/* SPDX-License-Identifier: MIT */
/* See pcapng_blocks.h. */
#include "lib/view/pcapng_blocks.h"

#include <arpa/inet.h>
#include <net/if_arp.h>
#include <string.h>

#include "lib/base/cleanup.h"

enum block { BLOCK_SHB = 0x0a0d0d0a, BLOCK_IDB = 1, BLOCK_NRB = 4, BLOCK_EPB = 6 };

enum option {
	OPT_END = 0,
	OPT_COMMENT = 1,
	SHB_OS = 3,
	SHB_USERAPPL = 4,
	IF_NAME = 2,
	IF_DESCRIPTION = 3,
	IF_MACADDR = 6,
	IF_TSRESOL = 9,
	EPB_FLAGS = 2,
	EPB_PACKETID = 5
};

#define LINK_ETHERNET  1
#define LINK_RAW       101 /* starts at IP: tunl0 */
#define NRB_IPV4       1
#define FLAG_INBOUND   1u
#define FLAG_OUTBOUND  2u
#define NANOSECONDS    9
#define MAX_OPTION_LEN 0xfff0u

static void u16(struct strbuf *b, unsigned v)
{
	uint16_t x = (uint16_t)v;
	strbuf_add(b, &x, sizeof(x));
}

static void u32(struct strbuf *b, uint32_t v)
{
	strbuf_add(b, &v, sizeof(v));
}

static void pad(struct strbuf *b)
{
	while (b->len % 4)
		strbuf_addc(b, '\0');
}

/* The body so far is a multiple of four long. */
static void option(struct strbuf *b, enum option code, const void *data, size_t len)
{
	len = len < MAX_OPTION_LEN ? len : MAX_OPTION_LEN;
	u16(b, code);
	u16(b, (unsigned)len);
	strbuf_add(b, data, len);
	pad(b);
}

static void option_text(struct strbuf *b, enum option code, const char *s)
{
	if (s && *s)
		option(b, code, s, strlen(s));
}

static void block(struct strbuf *out, enum block type, const struct strbuf *body)
{
	uint32_t len = (uint32_t)body->len + 12;
	u32(out, type);
	u32(out, len);
	strbuf_add(out, strbuf_str(body), body->len);
	u32(out, len);
}

void pcapng_section(struct strbuf *out, const struct pcapng_section *s)
{
	_strbuf_ struct strbuf b = STRBUF_INIT;
	u32(&b, 0x1a2b3c4d);
	u16(&b, 1); /* version 1.0 */
	u16(&b, 0);
	u32(&b, UINT32_MAX); /* section length: not given */
	u32(&b, UINT32_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(s->comments); i++)
		option_text(&b, OPT_COMMENT, s->comments[i]);
	option_text(&b, SHB_OS, s->os);
	option_text(&b, SHB_USERAPPL, s->program);
	option(&b, OPT_END, "", 0);
	block(out, BLOCK_SHB, &b);
}

static unsigned link_type(unsigned hatype)
{
	return hatype == ARPHRD_ETHER || hatype == ARPHRD_LOOPBACK ? LINK_ETHERNET : LINK_RAW;
}

bool pcapng_same_link(unsigned hatype, unsigned other)
{
	return link_type(hatype) == link_type(other);
}

void pcapng_interface(struct strbuf *out, const struct pcapng_if *i)
{
	_strbuf_ struct strbuf b = STRBUF_INIT;
	u16(&b, link_type(i->hatype));
	u16(&b, 0);
	u32(&b, 0); /* no snap length */
	option_text(&b, IF_NAME, i->name);
	option_text(&b, IF_DESCRIPTION, i->description);
	if (!mac_is_zero(i->mac))
		option(&b, IF_MACADDR, i->mac.b, sizeof(i->mac.b));
	option(&b, IF_TSRESOL, (uint8_t[]){NANOSECONDS}, 1);
	option(&b, OPT_END, "", 0);
	block(out, BLOCK_IDB, &b);
}

void pcapng_names(struct strbuf *out, const struct pcapng_name *names, size_t n)
{
	_strbuf_ struct strbuf b = STRBUF_INIT;
	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++) {
		uint32_t ip = htonl(names[i].ip);
		size_t len = strnlen(names[i].name, 255);
		u16(&b, NRB_IPV4);
		u16(&b, (unsigned)(sizeof(ip) + len + 1));
		strbuf_add(&b, &ip, sizeof(ip));
		strbuf_add(&b, names[i].name, len);
		strbuf_addc(&b, '\0');
		pad(&b);
	}
	u32(&b, 0); /* nrb_record_end */
	block(out, BLOCK_NRB, &b);
}

void pcapng_frame(struct strbuf *out, const struct pcapng_frame *f)
{
	_strbuf_ struct strbuf b = STRBUF_INIT;
	uint32_t flags = f->outbound ? FLAG_OUTBOUND : FLAG_INBOUND;
	u32(&b, f->iface);
	u32(&b, (uint32_t)(f->t >> 32));
	u32(&b, (uint32_t)f->t);
	u32(&b, f->caplen);
	u32(&b, f->len > f->caplen ? f->len : f->caplen);
	strbuf_add(&b, f->data, f->caplen);
	pad(&b);
	option_text(&b, OPT_COMMENT, f->comment);
	option(&b, EPB_FLAGS, &flags, sizeof(flags));
	if (f->id)
		option(&b, EPB_PACKETID, &f->id, sizeof(f->id));
	option(&b, OPT_END, "", 0);
	block(out, BLOCK_EPB, &b);
}
