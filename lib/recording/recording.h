/* SPDX-License-Identifier: MIT */
/*
 * recording: what was seen of one probe's packets on their way through a lab, and the steps made of
 * it. Pure: labd/trace collects the raw part (snapshot, sightings, rule events, conntrack events,
 * asked questions), recording_reduce() turns it into flights, steps and a verdict, lib/view shows
 * them. The whole survives as JSON (recording_json.c; schema in docs/man/labd-recording.5), so that
 * views and diffs work offline.
 *
 * All memory is the recording's arena. Indexes, not pointers, refer to other entries (-1: none).
 * Times are nanoseconds of CLOCK_REALTIME.
 */
#ifndef RECORDING_RECORDING_H
#define RECORDING_RECORDING_H

#include <jansson.h>
#include <stdint.h>

#include "lib/base/addr.h"
#include "lib/base/arena.h"
#include "lib/base/err.h"

#define RECORDING_SCHEMA 1

typedef vec_of(const char *) rec_strs;

/* How a reason is known; spelt OBSERVED, RE-ASKED, INFERRED everywhere. */
enum rec_how { REC_OBSERVED, REC_REASKED, REC_INFERRED };

/* ---- snapshot: the state of each namespace when the probe was armed
 * --------------------------------- */

struct rec_if {
	int ifindex;
	const char *name, *kind; /* "veth" "bridge" "vxlan" "ipip" "lo" ... */
	struct mac mac;
	unsigned mtu;
	bool up;
	const char *master; /* bridge, or NULL */
	int peer_ns;	    /* veth: index of the other end's namespace */
	int peer_ifindex;
	unsigned vni, vxlan_port;	      /* vxlan */
	ip4 local;			      /* vxlan, ipip */
	int rp_filter, proxy_arp, forwarding; /* effective sysctl values; -1 unknown */
};

/* One rule of the rule index, in the order of its chain. */
struct rec_rule {
	const char *family; /* "ip" "inet": of nft's own tables; NULL: iptables made it */
	const char *table, *chain;
	unsigned num;	     /* position in the chain from 1 */
	uint64_t handle;     /* nf_tables' handle; 0 for legacy */
	const char *text;    /* as iptables -S ("-A KUBE-SERVICES -d ...") or nft prints it */
	const char *target;  /* of -j or -g, or NULL; nft's statements by iptables' names */
	const char *comment; /* or NULL */
};

/* A base chain's place. */
struct rec_chain {
	const char *family;	   /* as in rec_rule */
	const char *table, *chain; /* "nat" "PREROUTING" */
	const char *type;	   /* "nat" "filter" "route"; NULL: iptables' is the table */
	const char
		*hook; /* "prerouting" "input" "forward" "output" "postrouting"; NULL for others */
	const char *policy; /* "ACCEPT" | "DROP", or NULL */
};

/* An element of a set or a map of nft. */
struct rec_elem {
	const char *table, *set;
	const char *key;   /* "10.107.254.44 . tcp . 80" */
	const char *value; /* of a map: "goto service-X"; NULL of a set */
};

struct rec_addr {
	int ifindex;
	struct cidr addr;
};

struct rec_neigh {
	int ifindex;
	ip4 ip;
	struct mac mac;
	const char *state; /* "PERMANENT" "REACHABLE" "FAILED" ... */
};

struct rec_fdb {
	int ifindex;
	struct mac mac;
	ip4 dst;  /* vxlan remote; 0 none */
	int port; /* bridge port's ifindex; 0 none */
	bool permanent;
};

struct rec_sysctl {
	const char *key, *value;
};

struct rec_ns {
	const char *name;    /* "node01", "busybox3-c997b9cc4-tlvrq", "client", "fabric" */
	const char *where;   /* what TRY commands use: "node/node01", "busybox3-...", "host/client";
				NULL for fabric */
	const char *role;    /* "pod" "node" "host" "fabric" "router" */
	const char *node;    /* of a pod: its node's name, else NULL */
	const char *backend; /* "legacy" "nft" */
	vec_of(struct rec_if) ifs;
	vec_of(struct rec_addr) addrs;
	vec_of(struct rec_rule) rules;
	vec_of(struct rec_chain) chains;
	vec_of(struct rec_elem) elems;
	vec_of(struct rec_neigh) neighs;
	vec_of(struct rec_fdb) fdbs;
	rec_strs routes; /* as `ip route show table all` lines, main table first; for display and
			    INFERRED */
	vec_of(struct rec_sysctl) sysctls; /* ip_forward, bridge-nf-call-iptables, rp_filter ... */
};

/* A name for an address: pods, services, nodes. */
struct rec_name {
	ip4 ip;
	const char *name; /* "pod default/busybox1-..." "service default/nginx-deployment" "node
			     node01" */
	const char *kind; /* "pod" "service" "node" "host" "tunnel" */
};

/* ---- raw events --------------------------------------------------------------------------------
 */

/* A frame seen at a device by a packet socket. */
struct rec_sight {
	uint64_t t;
	int ns, ifindex;
	bool tx;
	unsigned seq;	     /* order within the namespace */
	uint16_t hatype;     /* ARPHRD_*: 1 Ethernet, 768 IPIP (frame starts at IP) */
	bool csum_pending;   /* filled in later by offload: never shown as bad */
	const uint8_t *data; /* from the link layer header */
	uint32_t len, caplen;
	bool timing_run; /* belongs to a timing run, not to the evidence run */
};

enum rec_match_kind { REC_RULE, REC_RETURN, REC_POLICY };

/* One rule trace message: nf_tables (NFTRACE) or legacy (TRACE through NFLOG), in one form. */
struct rec_match {
	int ns;
	unsigned
		seq; /* order within the namespace's stream (rules and conntrack events share it) */
	const char *table, *chain;
	enum rec_match_kind kind;
	unsigned num;	     /* legacy: rule number, from 1 */
	uint64_t handle;     /* nft */
	const char *verdict; /* nft: "accept" "drop" "jump X" "goto X" "continue" "return"; legacy:
				NULL */
	int hook;	     /* legacy: NF_INET_*; nft: -1 */
	int iif, oif, physin, physout; /* ifindexes; 0 none */
	uint32_t mark;
	uint64_t trace_id;   /* nft; 0 legacy */
	const uint8_t *data; /* from the network header; NULL when the message carried none */
	uint32_t caplen;
	uint32_t ct_id; /* 0 unknown */
};

struct rec_tuple {
	ip4 src, dst;
	uint16_t sport, dport; /* ICMP: id, type<<8|code */
	uint8_t proto;
};

enum rec_ct_kind { REC_CT_NEW, REC_CT_UPDATE, REC_CT_DESTROY, REC_CT_BEFORE, REC_CT_AFTER };

/* A conntrack event, or (BEFORE, AFTER) an entry found by asking before and after the probe. */
struct rec_ct {
	enum rec_ct_kind kind;
	int ns;
	unsigned seq;
	struct rec_tuple orig, reply;
	uint32_t id, mark, status; /* IPS_* bits */
	const char *state;	   /* TCP: "SYN_SENT" ...; or NULL */
};

/* A connection of IPVS, and its virtual server, found by asking after the probe. */
struct rec_ipvs {
	int ns;
	struct rec_tuple client; /* its own address and port -> those of the virtual server */
	ip4 dst;		 /* the real server */
	uint16_t dport;
	const char *state;     /* "SYN_RECV" "ESTABLISHED" "TIME_WAIT" ... */
	const char *scheduler; /* "rr"; NULL: the virtual server is gone */
	const char *forward;   /* "Masq" */
	const char *servers;   /* "10.244.1.5:80 weight 1, 10.244.2.5:80 weight 1" */
};

/* A question asked of the kernel after the probe (route get, neighbour get, FDB get). */
struct rec_ask {
	const char *what; /* "route" "neigh" "fdb" */
	int ns;
	const char *question; /* "ip route get 10.244.2.5 from 10.244.1.2 iif cni0" */
	const char *answer;   /* "10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink" */
	ip4 ip;		      /* asked for */
	struct mac mac;	      /* asked for (fdb), or answered (neigh) */
	ip4 via, dst;	      /* answered: gateway; fdb: remote */
	const char *dev;
	int error; /* negative errno; the explanation when there is no answer */
};

/* From perf tracepoints where the kernel and rights allow. */
struct rec_perf {
	uint64_t t;
	const char *kind; /* "fib" "drop" "rx" "tx" */
	const char *dev;
	const char *reason, *function; /* drop */
	const char *text;
	uint64_t skb;
	int sight; /* drop: the sighting behind which this buffer was freed; -1 not known */
};

/* Of the timing runs: the median and the 90th percentile, in ns; -1 unknown. */
struct rec_timing {
	unsigned runs;		    /* that were usable */
	int64_t there, there_p90;   /* TCP: from the SYN's sending to its last sighting */
	int64_t back, back_p90;	    /* to the first answer (SYN-ACK, reply) at the client */
	int64_t answer, answer_p90; /* TCP: to the first bytes that the server said */
};

/* The connection that a relay (kube-proxy in userspace mode) opened for the probe's. */
struct rec_relay {
	int ns;			/* where the relay is */
	uint32_t isn;		/* TCP: of its connection, which the kernel chose */
	struct rec_tuple tuple; /* as it left the relay */
};

struct rec_probe {
	const char *lab, *from, *to; /* as the user wrote them, resolved below */
	int from_ns;
	const char *proto; /* "tcp" "udp" "icmp" */
	ip4 src, dst;
	uint16_t sport, dport;
	uint32_t isn;	    /* TCP: first of the 64 KiB window */
	uint8_t cookie[16]; /* UDP, ICMP: payload that marks it; TCP to a relay: in the request */
	uint64_t t_start, t_end;
	const char *outcome; /* "answered" "refused" "timeout" "unreachable" "error" */
	const char *answer;  /* first line of what the server said, or the error's text */
	int error;	     /* errno of connect/send, 0 none */
	bool relayed;	     /* a second connection was found */
	struct rec_relay relay;
	const char *dns_name; /* the name asked for when this probe is the DNS query of a trace */
};

/* ---- what the reducer makes ----------------------------------------------------------------- */

enum rec_step_kind {
	REC_APP_SEND,
	REC_DEV_TX,
	REC_DEV_RX,
	REC_BRIDGE,
	REC_HOOK,
	REC_DNAT,
	REC_SNAT,
	REC_UNNAT,
	REC_CT_STEP,
	REC_ROUTE,
	REC_NEIGH,
	REC_FDB,
	REC_ENCAP,
	REC_DECAP,
	REC_DELIVER,
	REC_ICMP_ERROR,
	REC_DROP,
	REC_LOST,
	REC_APP_RECV,
	REC_IPVS
};

/* A packet's addresses at one point. */
struct rec_hdr {
	struct rec_tuple inner;
	uint8_t ttl;
	uint16_t ip_len;
	uint32_t seq, ack;
	uint8_t tcp_flags;
	bool encap;	     /* an outer header is around it */
	uint8_t encap_proto; /* 17 VXLAN, 4 IPIP */
	struct rec_tuple outer;
	unsigned vni;
	uint8_t outer_ttl;
	struct mac smac, dmac; /* outermost Ethernet */
	uint32_t mark;
};

/* Why something happened. key names the sentence (view/text keys), args fill it. */
struct rec_reason {
	enum rec_how how;
	const char *key;  /* which sentence: keys.h */
	const char *text; /* the evidence itself: the rule's text, the route, the entry */
	int indent;	  /* depth of the chain walk */
	bool decides;
	rec_strs args; /* {1} {2} ... of the sentence; see keys.h */
};

struct rec_step {
	enum rec_step_kind kind;
	int flight, ns, ifindex;
	const char *table, *hook; /* of a hook step */
	struct rec_hdr before, after;
	bool has_before, has_after;
	vec_of(struct rec_reason) why;
	const char *next_key, *next; /* what happens next, in one line */
	const char *try_where, *try_cmd,
		*try_expect;  /* TRY: labctl exec WHERE -- CMD prints a line matching the regex */
	const char *note_key; /* truth beside the document: key of the sentence, or NULL */
	uint64_t t;
	int64_t delta_ns;  /* after the step before; -1 unknown */
	int64_t median_ns; /* from the timing runs; -1 none */
	int sight;	   /* index of its sighting, -1 */
	const char *note;  /* {0} of the note's sentence, or NULL */
	bool outer;	   /* the step is about the outer packet (of a tunnel) */
};

struct rec_flight {
	bool reply;
	int leg; /* 0: the probe's own connection; 1: the one a relay opened for it */
	unsigned attempt;
	const char *title; /* "SYN" "SYN-ACK" "request" "query" "answer" "echo" ... */
	struct rec_hdr hdr;
	vec_of(int) sights;
	int first_step, n_steps;
};

struct rec_verdict {
	const char *result; /* "delivered" "refused" "dropped" "lost" "unreachable" */
	const char *cause;  /* closed vocabulary: "rule-drop" "policy-egress"
			     * "policy-ingress" "no-route" "blackhole" "prohibit"
			     * "fdb-missing" "neigh-missing" "wrong-vtep-mac" "vni-mismatch"
			     * "no-vxlan-device" "input-drop" "rp-filter" "ip-forward-off"
			     * "link-down" "mtu" "pod-rule" "port-closed" "no-endpoints"
			     * "rule-reject"  "reply-untranslated" "unknown"; NULL when delivered */
	int ns;
	const char *device, *rule;
	const char *text; /* one sentence for people */
	enum rec_how how;
	const char *key; /* "verdict.*" of keys.h, and its arguments from {1} on */
	rec_strs args;
	bool incomplete; /* frames or messages were lost: what is missing may have happened */
};

struct recording {
	struct arena *arena;
	const char *tool, *kernel, *engine, *created;
	struct rec_probe probe;
	vec_of(struct rec_ns) ns;
	vec_of(struct rec_name) names;
	vec_of(struct rec_sight) sights;
	vec_of(struct rec_match) matches;
	vec_of(struct rec_ct) cts;
	vec_of(struct rec_ipvs) ipvs;
	vec_of(struct rec_ask) asks;
	vec_of(struct rec_perf) perfs;
	uint64_t lost_frames,
		lost_messages; /* > 0: every view says that the recording is incomplete */
	bool timed;	       /* timing runs were made */
	struct rec_timing timing;
	rec_strs missing; /* what this kernel could not give ("no rule trace in node01: ...") */
	/* made by recording_reduce() */
	vec_of(struct rec_flight) flights;
	vec_of(struct rec_step) steps;
	struct rec_verdict verdict;
	struct recording *dns; /* the trace of the name's own query, or NULL */
};

struct recording *recording_new(struct arena *a);
/* Make flights, steps and verdict from the raw part. Pure and deterministic; any input is safe. */
void recording_reduce(struct recording *r);

/* JSON, schema RECORDING_SCHEMA. `steps_only` leaves the raw part out. New reference. */
json_t *recording_to_json(const struct recording *r, bool steps_only);
/* Back; faults in the JSON are an error. Steps are taken as they are (call reduce to remake). */
int recording_from_json(struct arena *a, const json_t *o, struct recording **ret, struct err *err);
/* The normal form: no times, ids, ephemeral ports, MACs, interface indexes, sequence numbers; for
 * golden files and diffs. New reference. */
json_t *recording_normal(const struct recording *r);

/* The first step where two recordings part, and what differs, as text lines appended to out.
 * Returns true when they differ. */
struct strbuf;
bool recording_diff(const struct recording *a, const struct recording *b, struct strbuf *out);

/* Parse a frame's headers: Ethernet (or bare IP by hatype), IPv4, TCP/UDP/ICMP, VXLAN (udp ports
 * 8472, 4789), IPIP. data from the link layer; false when it is not IPv4. */
bool packet_parse(const uint8_t *data, uint32_t len, uint16_t hatype, struct rec_hdr *ret);
/* The same from the network header (rule trace messages). */
bool packet_parse_ip(const uint8_t *data, uint32_t len, struct rec_hdr *ret);

const char *rec_how_str(enum rec_how h);
const char *rec_step_kind_str(enum rec_step_kind k);

#endif
