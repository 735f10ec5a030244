/* SPDX-License-Identifier: MIT */
/*
 * shape: the structs of recording.h as tables of fields, so that writing JSON, reading it and its
 * documentation can not disagree. Shared within this room; not for other structs.
 */
#ifndef RECORDING_SHAPE_H
#define RECORDING_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

enum shape_type {
	SHAPE_STR,    /* const char *, absent when NULL */
	SHAPE_REQ,    /* const char *, never NULL after reading */
	SHAPE_BOOL,   /* bool */
	SHAPE_INT,    /* int */
	SHAPE_INDEX,  /* int, -1 when absent */
	SHAPE_U8,     /* uint8_t */
	SHAPE_U16,    /* uint16_t */
	SHAPE_U32,    /* uint32_t, unsigned */
	SHAPE_U64,    /* uint64_t below 2^63 (times, counts) */
	SHAPE_HEX,    /* uint64_t as "0x..." (kernel addresses, hashes) */
	SHAPE_I64,    /* int64_t, -1 when absent */
	SHAPE_IP,     /* ip4 as a dotted quad, absent when 0 */
	SHAPE_CIDR,   /* struct cidr */
	SHAPE_MAC,    /* struct mac, absent when zero */
	SHAPE_ENUM,   /* an enum by name */
	SHAPE_BYTES,  /* const uint8_t * as hex; its uint32_t length is at off2 */
	SHAPE_COOKIE, /* uint8_t[16] as hex */
	SHAPE_STRS,   /* rec_strs */
	SHAPE_INTS,   /* vec_of(int) */
	SHAPE_LIST,   /* vec_of(struct) */
	SHAPE_OBJ     /* a struct inside */
};

#define SHAPE_ALWAYS ((size_t)-1)

struct shape {
	size_t size;
	const struct shape_field {
		const char *key;
		enum shape_type type;
		size_t off;
		size_t off2; /* BYTES: the length; OBJ: the bool that says whether it is there, or
				SHAPE_ALWAYS */
		const struct shape *of;	  /* OBJ, LIST */
		const char *const *names; /* ENUM */
		bool raw;		  /* left out of the short form */
	} * fields;			  /* ended by a NULL key */
};

extern const struct shape shape_recording;

#endif
