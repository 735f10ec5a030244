/* SPDX-License-Identifier: MIT */
/*
 * fuzz_packet: frames as a packet socket delivers them: their headers, the probe's marker in them
 * (what the socket filter accepts), answers of DNS servers, and the capture file made of them.
 */
#include <linux/if_ether.h>
#include <net/if_arp.h>
#include <netinet/in.h>

#include "labd/trace/fire.h"
#include "labd/trace/marker.h"
#include "lib/base/cleanup.h"
#include "lib/recording/reduce.h"
#include "lib/view/pcapng.h"
#include "lib/view/trace_parts.h"
#include "tests/fuzz/fuzz.h"

#define FRAMES 16

static const uint16_t hatypes[] = {ARPHRD_ETHER, ARPHRD_TUNNEL, ARPHRD_LOOPBACK, ARPHRD_NONE};

static void headers(const uint8_t *p, uint32_t len, uint16_t hatype)
{
	struct rec_hdr h, ip;
	struct pkt pkt;
	struct strbuf out = STRBUF_INIT;
	if (packet_parse(p, len, hatype, &h)) {
		trace_packet(&h, false, &out);
		trace_packet(&h, true, &out);
		trace_tunnel(&h, &out);
	}
	packet_parse_ip(p, len, &ip);
	pkt_read(p, len, hatype, &pkt);
	fuzz_assert(!pkt.ok || pkt.payload <= 65535);
	strbuf_free(&out);
}

static void answers(const uint8_t *p, unsigned len)
{
	ip4 ip;
	unsigned rcode;
	uint8_t query[FIRE_QUERY_MAX];
	_arena_ struct arena *a = arena_new();
	dns_answer(p, len, &ip, &rcode);
	unsigned n = dns_query(arena_strndup(a, (const char *)p, len), 7, query, sizeof(query));
	fuzz_assert(n <= sizeof(query));
	if (n >= 13)
		marker_dns(query, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	_arena_ struct arena *a = arena_new();
	struct strbuf out = STRBUF_INIT;
	struct recording *r = recording_new(a);
	uint8_t *frames[FRAMES];
	size_t n = 0;
	*vec_push(a, &r->ns) =
		(struct rec_ns){.name = "node01", .where = "node/node01", .role = "node"};
	*vec_push(a, &r->ns.v[0].ifs) =
		(struct rec_if){.ifindex = 2, .name = "ens192", .kind = "veth", .peer_ns = -1};
	r->probe.src = 0x0af40102;
	while (in.n && n < FRAMES) {
		struct rec_sight s = {.seq = (unsigned)n, .t = 1000 * n, .ns = 0};
		unsigned flags = fuzz_byte(&in);
		size_t len;
		s.hatype = hatypes[flags & 3];
		s.tx = flags & 4;
		s.ifindex = flags & 8 ? 2 : 3;
		s.data = frames[n] = fuzz_take(&in, fuzz_byte(&in) | (flags & 16) << 4, 0, &len);
		s.len = (uint32_t)len + (flags >> 5);
		s.caplen = (uint32_t)len;
		*vec_push(a, &r->sights) = s;
		headers(s.data, s.caplen, s.hatype);
		answers(s.data, s.caplen);
		n++;
	}
	recording_reduce(r);
	struct pcapng_count c = pcapng_write(r, VIEW_EN, &out);
	fuzz_assert(c.frames == r->sights.n);
	strbuf_free(&out);
	while (n)
		free(frames[--n]);
	return 0;
}
