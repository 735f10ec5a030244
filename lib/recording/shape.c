/* SPDX-License-Identifier: MIT */
/* shape: the tables. A field added to a struct of recording.h gets a row here. */
#include "lib/recording/shape.h"

#include "lib/recording/names.h"
#include "lib/recording/recording.h"

/* The member's own type picks the row's type, so that a changed struct can not be misread. */
#define TYPE_OF(s, m)                                                                              \
	_Generic(((s *)0)->m,                                                                      \
		const char *: SHAPE_STR,                                                           \
		bool: SHAPE_BOOL,                                                                  \
		int: SHAPE_INT,                                                                    \
		uint8_t: SHAPE_U8,                                                                 \
		uint16_t: SHAPE_U16,                                                               \
		uint32_t: SHAPE_U32,                                                               \
		uint64_t: SHAPE_U64,                                                               \
		int64_t: SHAPE_I64,                                                                \
		struct cidr: SHAPE_CIDR,                                                           \
		struct mac: SHAPE_MAC)
#define IS(s, m, t) (offsetof(s, m) + 0 * sizeof(_Generic(&((s *)0)->m, t : 1)))
#define F(s, m)                                                                                    \
	{                                                                                          \
		.key = #m, .type = TYPE_OF(s, m), .off = offsetof(s, m)                            \
	}
#define REQ(s, m)                                                                                  \
	{                                                                                          \
		.key = #m, .type = SHAPE_REQ, .off = IS(s, m, const char **)                       \
	}
#define INDEX(s, m)                                                                                \
	{                                                                                          \
		.key = #m, .type = SHAPE_INDEX, .off = IS(s, m, int *)                             \
	}
#define HEX(s, m)                                                                                  \
	{                                                                                          \
		.key = #m, .type = SHAPE_HEX, .off = IS(s, m, uint64_t *)                          \
	}
#define ADDR(s, m)                                                                                 \
	{                                                                                          \
		.key = #m, .type = SHAPE_IP, .off = IS(s, m, ip4 *)                                \
	}
#define STRS(s, m)                                                                                 \
	{                                                                                          \
		.key = #m, .type = SHAPE_STRS, .off = IS(s, m, rec_strs *)                         \
	}
#define INTS(s, m)                                                                                 \
	{                                                                                          \
		.key = #m, .type = SHAPE_INTS, .off = offsetof(s, m)                               \
	}
#define OBJ(s, m, o)                                                                               \
	{                                                                                          \
		.key = #m, .type = SHAPE_OBJ, .off = offsetof(s, m), .off2 = SHAPE_ALWAYS,         \
		.of = &(o)                                                                         \
	}
#define OBJ_IF(s, m, o, has)                                                                       \
	{                                                                                          \
		.key = #m, .type = SHAPE_OBJ, .off = offsetof(s, m), .off2 = IS(s, has, bool *),   \
		.of = &(o)                                                                         \
	}
#define BYTES(s, m, len)                                                                           \
	{                                                                                          \
		.key = #m, .type = SHAPE_BYTES, .off = offsetof(s, m),                             \
		.off2 = IS(s, len, uint32_t *)                                                     \
	}
#define ENUM(s, m, n)                                                                              \
	{                                                                                          \
		.key = #m, .type = SHAPE_ENUM, .off = offsetof(s, m), .names = (n)                 \
	}
#define LIST(s, m, o)                                                                              \
	{                                                                                          \
		.key = #m, .type = SHAPE_LIST, .off = offsetof(s, m), .of = &(o)                   \
	}
#define RAWLIST(s, m, o)                                                                           \
	{                                                                                          \
		.key = #m, .type = SHAPE_LIST, .off = offsetof(s, m), .of = &(o), .raw = true      \
	}
#define END                                                                                        \
	{                                                                                          \
		.key = NULL                                                                        \
	}
#define SHAPE(name, s, ...)                                                                        \
	static const struct shape name = {sizeof(s), (const struct shape_field[]){__VA_ARGS__, END}}

#define S struct rec_if
SHAPE(shape_if, S, F(S, ifindex), REQ(S, name), REQ(S, kind), F(S, mac), F(S, mtu), F(S, up),
      F(S, master), INDEX(S, peer_ns), F(S, peer_ifindex), F(S, vni), F(S, vxlan_port),
      ADDR(S, local), F(S, rp_filter), F(S, proxy_arp), F(S, forwarding));
#undef S
#define S struct rec_rule
SHAPE(shape_rule, S, F(S, family), REQ(S, table), REQ(S, chain), F(S, num), F(S, handle),
      REQ(S, text), F(S, target), F(S, comment));
#undef S
#define S struct rec_chain
SHAPE(shape_chain, S, F(S, family), REQ(S, table), REQ(S, chain), F(S, type), F(S, hook),
      F(S, policy));
#undef S
#define S struct rec_elem
SHAPE(shape_elem, S, REQ(S, table), REQ(S, set), REQ(S, key), F(S, value));
#undef S
#define S struct rec_addr
SHAPE(shape_addr, S, F(S, ifindex), F(S, addr));
#undef S
#define S struct rec_neigh
SHAPE(shape_neigh, S, F(S, ifindex), ADDR(S, ip), F(S, mac), REQ(S, state));
#undef S
#define S struct rec_fdb
SHAPE(shape_fdb, S, F(S, ifindex), F(S, mac), ADDR(S, dst), F(S, port), F(S, permanent));
#undef S
#define S struct rec_sysctl
SHAPE(shape_sysctl, S, REQ(S, key), REQ(S, value));
#undef S
#define S struct rec_ns
SHAPE(shape_ns, S, REQ(S, name), F(S, where), REQ(S, role), F(S, node), F(S, backend),
      LIST(S, ifs, shape_if), LIST(S, addrs, shape_addr), RAWLIST(S, rules, shape_rule),
      RAWLIST(S, chains, shape_chain), RAWLIST(S, elems, shape_elem),
      RAWLIST(S, neighs, shape_neigh), RAWLIST(S, fdbs, shape_fdb),
      {.key = "routes", .type = SHAPE_STRS, .off = IS(S, routes, rec_strs *), .raw = true},
      RAWLIST(S, sysctls, shape_sysctl));
#undef S
#define S struct rec_name
SHAPE(shape_name, S, ADDR(S, ip), REQ(S, name), REQ(S, kind));
#undef S
#define S struct rec_sight
SHAPE(shape_sight, S, F(S, t), INDEX(S, ns), F(S, ifindex), F(S, tx), F(S, seq), F(S, hatype),
      F(S, csum_pending), BYTES(S, data, caplen), F(S, len), F(S, timing_run));
#undef S
#define S struct rec_match
SHAPE(shape_match, S, INDEX(S, ns), F(S, seq), REQ(S, table), REQ(S, chain),
      ENUM(S, kind, rec_match_names), F(S, num), F(S, handle), F(S, verdict), INDEX(S, hook),
      F(S, iif), F(S, oif), F(S, physin), F(S, physout), F(S, mark), HEX(S, trace_id),
      BYTES(S, data, caplen), F(S, ct_id));
#undef S
#define S struct rec_tuple
SHAPE(shape_tuple, S, ADDR(S, src), ADDR(S, dst), F(S, sport), F(S, dport), F(S, proto));
#undef S
#define S struct rec_ct
SHAPE(shape_ct, S, ENUM(S, kind, rec_ct_names), INDEX(S, ns), F(S, seq), OBJ(S, orig, shape_tuple),
      OBJ(S, reply, shape_tuple), F(S, id), F(S, mark), F(S, status), F(S, state));
#undef S
#define S struct rec_ipvs
SHAPE(shape_ipvs, S, INDEX(S, ns), OBJ(S, client, shape_tuple), ADDR(S, dst), F(S, dport),
      F(S, state), F(S, scheduler), F(S, forward), F(S, servers));
#undef S
#define S struct rec_ask
SHAPE(shape_ask, S, REQ(S, what), INDEX(S, ns), F(S, question), F(S, answer), ADDR(S, ip),
      F(S, mac), ADDR(S, via), ADDR(S, dst), F(S, dev), F(S, error));
#undef S
#define S struct rec_perf
SHAPE(shape_perf, S, F(S, t), REQ(S, kind), F(S, dev), F(S, reason), F(S, function), F(S, text),
      HEX(S, skb), INDEX(S, sight));
#undef S
#define S struct rec_relay
SHAPE(shape_relay, S, INDEX(S, ns), F(S, isn), OBJ(S, tuple, shape_tuple));
#undef S
#define S struct rec_probe
SHAPE(shape_probe, S, REQ(S, lab), REQ(S, from), REQ(S, to), INDEX(S, from_ns), REQ(S, proto),
      ADDR(S, src), ADDR(S, dst), F(S, sport), F(S, dport), F(S, isn),
      {.key = "cookie", .type = SHAPE_COOKIE, .off = offsetof(S, cookie)}, F(S, t_start),
      F(S, t_end), REQ(S, outcome), F(S, answer), F(S, error),
      OBJ_IF(S, relay, shape_relay, relayed), F(S, dns_name));
#undef S
#define S struct rec_hdr
SHAPE(shape_hdr, S, OBJ(S, inner, shape_tuple), F(S, ttl), F(S, ip_len), F(S, seq), F(S, ack),
      F(S, tcp_flags), F(S, encap_proto), OBJ_IF(S, outer, shape_tuple, encap), F(S, vni),
      F(S, outer_ttl), F(S, smac), F(S, dmac), F(S, mark));
#undef S
#define S struct rec_reason
SHAPE(shape_reason, S, ENUM(S, how, rec_how_names), REQ(S, key), REQ(S, text), STRS(S, args),
      F(S, indent), F(S, decides));
#undef S
#define S struct rec_step
SHAPE(shape_step, S, ENUM(S, kind, rec_step_names), INDEX(S, flight), INDEX(S, ns), F(S, ifindex),
      F(S, table), F(S, hook), F(S, outer), OBJ_IF(S, before, shape_hdr, has_before),
      OBJ_IF(S, after, shape_hdr, has_after), LIST(S, why, shape_reason), F(S, next_key),
      F(S, next), F(S, try_where), F(S, try_cmd), F(S, try_expect), F(S, note_key), F(S, note),
      F(S, t), F(S, delta_ns), F(S, median_ns), INDEX(S, sight));
#undef S
#define S struct rec_flight
SHAPE(shape_flight, S, F(S, reply), F(S, leg), F(S, attempt), REQ(S, title), OBJ(S, hdr, shape_hdr),
      INTS(S, sights), F(S, first_step), F(S, n_steps));
#undef S
#define S struct rec_verdict
SHAPE(shape_verdict, S, REQ(S, result), F(S, cause), INDEX(S, ns), F(S, device), F(S, rule),
      REQ(S, text), ENUM(S, how, rec_how_names), REQ(S, key), STRS(S, args), F(S, incomplete));
#undef S
#define S struct rec_timing
SHAPE(shape_timing, S, F(S, runs), F(S, there), F(S, there_p90), F(S, back), F(S, back_p90),
      F(S, answer), F(S, answer_p90));
#undef S
#define S struct recording
const struct shape shape_recording = {
	sizeof(S), (const struct shape_field[]){F(S, tool),
						F(S, kernel),
						F(S, engine),
						F(S, created),
						OBJ(S, probe, shape_probe),
						LIST(S, ns, shape_ns),
						LIST(S, names, shape_name),
						RAWLIST(S, sights, shape_sight),
						RAWLIST(S, matches, shape_match),
						RAWLIST(S, cts, shape_ct),
						RAWLIST(S, ipvs, shape_ipvs),
						RAWLIST(S, asks, shape_ask),
						RAWLIST(S, perfs, shape_perf),
						F(S, lost_frames),
						F(S, lost_messages),
						STRS(S, missing),
						OBJ_IF(S, timing, shape_timing, timed),
						LIST(S, flights, shape_flight),
						LIST(S, steps, shape_step),
						OBJ(S, verdict, shape_verdict),
						END}};
#undef S
