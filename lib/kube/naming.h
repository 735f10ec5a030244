/* SPDX-License-Identifier: MIT */
/*
 * naming: the names and numbers that real components derive from other names (Calico's veth and
 * VXLAN MAC), and those that they draw at random (flannel's veth, MACs, UUIDs, pod suffixes). The
 * latter come from a hash of a seed text here, so that a lab comes out the same each time; the seed
 * should say the lab, the kind of thing and its name. Pure. Chain names of kube-proxy and Felix are
 * not made here.
 */
#ifndef KUBE_NAMING_H
#define KUBE_NAMING_H

#include <stddef.h>

#include "lib/base/addr.h"

#define NAME_IFNAMSIZ 16 /* IFNAMSIZ of the kernel: 15 characters and the NUL */
#define NAME_UUIDSIZ  37

/* Calico ------------------------------------------------------------------------------------- */

/* Host end of a pod's veth: "cali" + the first 11 hex digits of sha1("NS.POD"). */
void name_calico_veth(const char *ns, const char *pod, char buf[static NAME_IFNAMSIZ]);
/* MAC of vxlan.calico on a node: 66: + the first five bytes of sha1(node name). */
struct mac name_calico_vxlan_mac(const char *node);

/* From a seed, given like printf's format and arguments ---------------------------------------- */

/* n bytes, at most 32 (they are the start of the seed's SHA-256). */
void name_seeded_bytes(void *buf, size_t n, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* n hex digits (at most 64) and a NUL: buf holds n + 1. */
void name_seeded_hex(char *buf, size_t n, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* A locally administered unicast MAC. */
struct mac name_seeded_mac(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A UUID of version 4 in lower case. */
void name_seeded_uuid(char buf[static NAME_UUIDSIZ], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* "veth" + 8 hex digits, as the CNI bridge plugin names a pod's host end. */
void name_seeded_veth(char buf[static NAME_IFNAMSIZ], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* n characters (at most 32) of the alphabet bcdfghjklmnpqrstvwxz2456789, as Kubernetes' random
 * suffixes of generated names have (5 of them for a pod): buf holds n + 1. */
void name_seeded_suffix(char *buf, size_t n, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* A pod-template-hash: a 32-bit number in decimal, each digit put through SafeEncodeString, so up
 * to 10 characters of "456789bcdf" (6b9d659f5f, c997b9cc4). The real one hashes a Go dump of the
 * template; ours hashes the seed. */
void name_seeded_template_hash(char buf[static 11], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The name of a hostNetwork pod's container among its node's programs, and so of its log: as
 * kubelet names the files in /var/log/containers, POD_NAMESPACE_CONTAINER. */
#define NAME_PROGRAMSIZ 241
void name_host_program(char buf[static NAME_PROGRAMSIZ], const char *pod, const char *ns,
		       const char *container);

#endif
