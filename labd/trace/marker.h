/* SPDX-License-Identifier: MIT */
/*
 * marker: how one probe's packets are told from all others, in any wrapping: bytes at known places
 * behind the transport header, which neither DNAT, SNAT, VXLAN nor IPIP change. TCP: the upper 24
 * bits of an initial sequence number that we chose, in seq (forward) or ack (back). UDP, ICMP: a
 * 16-byte payload that the other side echoes. A DNS query: its id and its name.
 *
 * The same table of wrappings makes the socket filter, the nf_tables rules (nftable.c) and the u32
 * matches of legacy iptables. Pure. IP options are not looked behind: a lab sends none.
 */
#ifndef TRACE_MARKER_H
#define TRACE_MARKER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/strbuf.h"

#define MARKER_WINDOW  256u /* sequence numbers of one TCP probe: its data must be shorter */
#define MARKER_COOKIE  16u
#define MARKER_ALTS    5
#define MARKER_CHUNKS  2
#define MARKER_CHECKS  4
#define MARKER_WRAPS   10
#define MARKER_BPF_MAX 1024
#define MARKER_IP_LEN  20u /* an IPv4 header without options */

/* Bytes at an offset behind the start of a transport header. */
struct marker_bytes {
	unsigned off, len;
	uint8_t b[MARKER_COOKIE];
};

/* All bytes of one of the alternatives must be there. */
struct marker {
	uint8_t proto; /* IPPROTO_TCP, _UDP, _ICMP */
	unsigned n_alts;
	struct {
		unsigned n;
		struct marker_bytes c[MARKER_CHUNKS];
	} alt[MARKER_ALTS];
};

/* isn must be a multiple of MARKER_WINDOW. */
struct marker marker_tcp(uint32_t isn);
struct marker marker_cookie(uint8_t proto, const uint8_t cookie[static MARKER_COOKIE]);
/* query: a DNS message with one question, at least 13 bytes. */
struct marker marker_dns(const uint8_t *query, unsigned len);

/* One way in which the marked transport header may be wrapped. Offsets count from the transport
 * header of the outermost packet. */
struct marker_wrap {
	uint8_t proto; /* of the outermost IP header */
	unsigned n;
	struct marker_bytes check[MARKER_CHECKS];
	unsigned l4; /* where the marked transport header starts */
};
/* All wrappings of a marker, those that look less deep first (a filter that reads behind the end
 * of a packet rejects it). vxlan_port 0: only 8472 and 4789 are tried. Returns their number. */
unsigned marker_wraps(const struct marker *m, uint16_t vxlan_port,
		      struct marker_wrap ret[static MARKER_WRAPS]);

/* A filter for a packet socket: accept exactly the marked packets. Returns its length. */
unsigned marker_bpf(const struct marker *m, uint16_t vxlan_port,
		    struct sock_filter ret[static MARKER_BPF_MAX]);

/* Append the expressions for `-m u32 --u32 "..."`, one line for each wrapping and alternative,
 * between prefix and suffix: "PREFIX"EXPRESSION"SUFFIX\n". */
void marker_u32(const struct marker *m, uint16_t vxlan_port, const char *prefix, const char *suffix,
		struct strbuf *out);

#endif
