/* SPDX-License-Identifier: MIT */
/*
 * pcapng_blocks: the blocks of a pcapng file (draft-ietf-opsawg-pcapng), appended to a buffer one
 * by one, in this machine's byte order, as the format allows. Pure. What is in a recording's file
 * is pcapng.h's; a live capture's is labctl's.
 */
#ifndef VIEW_PCAPNG_BLOCKS_H
#define VIEW_PCAPNG_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/addr.h"
#include "lib/base/strbuf.h"

/* Texts that are NULL or empty are left out. */
struct pcapng_section {
	const char *comments[2];
	const char *os, *program;
};
/* A section begins; interfaces count from 0 in it. */
void pcapng_section(struct strbuf *out, const struct pcapng_section *s);

struct pcapng_if {
	unsigned hatype; /* ARPHRD_*: Ethernet and loopback begin with an Ethernet header, all
			    others with IP */
	const char *name, *description;
	struct mac mac;
};
void pcapng_interface(struct strbuf *out, const struct pcapng_if *i);
/* Do frames of these two ARPHRD_* types have the same link type? */
bool pcapng_same_link(unsigned hatype, unsigned other);

struct pcapng_name {
	ip4 ip;
	const char *name; /* at most 255 bytes are kept */
};
void pcapng_names(struct strbuf *out, const struct pcapng_name *names, size_t n);

struct pcapng_frame {
	uint32_t iface; /* in the order of the interfaces of the section */
	uint64_t t;	/* nanoseconds since 1970 */
	const void *data;
	uint32_t caplen, len; /* bytes there; bytes on the wire */
	bool outbound;
	const char *comment;
	uint64_t id; /* of the packet, the same wherever it is seen; 0: none */
};
void pcapng_frame(struct strbuf *out, const struct pcapng_frame *f);

#endif
