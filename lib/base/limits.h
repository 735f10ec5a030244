/* SPDX-License-Identifier: MIT */
/*
 * limits: every bound on a count or size that a user controls, in one place. Passing one is a clear
 * error that names the bound, never a truncation.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define MAX_FILE_BYTES	(64u * 1024u * 1024u)  /* one lab file (LABFILE.md) */
#define MAX_TOTAL_BYTES (128u * 1024u * 1024u) /* all files of one lab together */
#define MAX_YAML_DEPTH	64		       /* nesting of mappings and sequences */
#define MAX_YAML_NODES	8000000u	       /* scalars, mappings and sequences after aliases */
#define MAX_FAULTS	100		       /* printed of one lab; more are counted */
#define MAX_NODES	512
#define MAX_PODS	20000
#define MAX_SERVICES	20000
#define MAX_ENDPOINTS	200000
#define MAX_HOSTS	256
#define MAX_UNDERLAYS	16
#define MAX_FLOWS	256
#define MAX_POLICIES	10000
#define MAX_LABS	64   /* running at once, per engine */
#define MAX_CLIENTS	128  /* connections at once, per engine */
#define MAX_PROBE_BYTES 9000 /* of a trace's packet: a jumbo frame's */
#define MAX_ARGS	1024 /* words of an exec'ed command */
#define MAX_ENV		256
#define MAX_FRAME_BYTES (256u * 1024u) /* one data frame of the protocol */
#define MAX_MESSAGE_BYTES                                                                          \
	(MAX_TOTAL_BYTES * 2u) /* one JSON message (an `up` carries the objects) */
#define MAX_LAB_NAME 40	       /* so that LAB-NODE-POD stays a file name */
#define MAX_NAME     253       /* DNS subdomain, RFC 1123 */
#define MAX_LABEL    63	       /* DNS label */
/* One lab's share of the machine (labd/kernel/cgroup.h), where its file asks for no other:
 * something, and so much more for each node, pod and host; of the memory at most three quarters. */
#define LAB_PROCESSES	   1024u
#define LAB_PROCESSES_EACH 64u
#define LAB_MEMORY	   (1024u * 1024u * 1024u)
#define LAB_MEMORY_EACH	   (64u * 1024u * 1024u)
#define MIN_LAB_PROCESSES  32u /* a lab's own few */
#define MAX_LAB_PROCESSES  1000000u
#define MIN_LAB_MEMORY	   (16u * 1024u * 1024u)
#define MAX_RESTARTS	   1000000	   /* of a program, as counted by its pod */
#define MAX_LOG_BYTES	   (1024u * 1024u) /* kept of one container's output */

#endif
