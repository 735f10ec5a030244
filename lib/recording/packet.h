/* SPDX-License-Identifier: MIT */
/* packet: where things lie in a frame, beside what struct rec_hdr holds. Shared in this room. */
#ifndef RECORDING_PACKET_H
#define RECORDING_PACKET_H

#include "lib/recording/recording.h"

#define PACKET_BARE_IP (-1) /* as hatype: the bytes start at the IP header */

struct packet_at {
	uint16_t ip_id, outer_id; /* of the innermost IP header; of the one around it */
	uint32_t ip_hlen;	  /* of the innermost */
	uint32_t l4;		  /* offset of the innermost transport header */
	bool df;		  /* don't fragment, of the innermost IP header */
	bool tunnel;		  /* a tunnel's packet, of which the inside could not be read */
	struct mac inner_smac, inner_dmac; /* VXLAN */
};

/* packet_parse() that also says where. A tunnel's packet cut short before its inside is told as a
 * plain packet, with at->tunnel set. */
bool packet_parse_at(const uint8_t *data, uint32_t len, int hatype, struct rec_hdr *ret,
		     struct packet_at *at);

#endif
