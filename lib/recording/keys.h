/* SPDX-License-Identifier: MIT */
/*
 * keys: every sentence that the reducer can say, as a key. The reducer writes keys and arguments;
 * lib/view has the words, in each language, from the same keys. X(KEY, ENGLISH): {0} is the
 * reason's text (the evidence), {1} {2} ... its arguments. What each argument is stands behind
 * ENGLISH's use of it. A key's group is the word before its first dot:
 *
 *   reasons (rec_reason.key)          rule, policy, no-more, nomatch.*, ct.*, route.*,
 *                                     neigh.*, fdb.*, bridge.*, dev.*, encap.*, app.*, icmp.*,
 *                                     drop.*, perf.*, note.* (a note in the midst of a walk)
 *   next lines (rec_step.next_key)    next.*; {0} is rec_step.next, no other arguments
 *   notes (rec_step.note_key)         note.*; {0} is rec_step.note, no other arguments
 *   verdicts (rec_verdict.key)        verdict.*; {0} is rec_verdict.rule or "", {1} ... its args
 *
 * A view that does not know a key shows {0}.
 */
#ifndef RECORDING_KEYS_H
#define RECORDING_KEYS_H

/* The walk. rule: {0} the rule as iptables -S prints it; {1} table, {2} chain, {3} number,
 * {4} target, {5} comment or "". no-more, policy: {1} table, {2} chain, {3} policy. */
#define REC_KEYS_WALK(X)                                                                           \
	X("rule", "{2} rule {3}: {0}")                                                             \
	X("no-more", "no more rules in {2}: back to the chain that called it")                     \
	X("policy", "end of {2}: its policy is {3}")                                               \
	X("no-rules", "no rule of {2} was passed: this kernel gave no rule trace here")            \
	X("element", "map {1} has: {0}") /* {1} of nft */                                          \
	X("more-above", "{1} more rules above it do not match either")

/* Why a rule above did not match: {0} the rule, {1} what it asks, {2} what the packet has, {3} the
 * rule's number. */
#define REC_KEYS_NOMATCH(X)                                                                        \
	X("nomatch.src", "rule {3} did not match: it wants source {1}, the packet has {2}")        \
	X("nomatch.dst", "rule {3} did not match: it wants destination {1}, the packet has {2}")   \
	X("nomatch.proto", "rule {3} did not match: it wants protocol {1}, the packet is {2}")     \
	X("nomatch.sport", "rule {3} did not match: it wants source port {1}, the packet has {2}") \
	X("nomatch.dport", "rule {3} did not match: it wants port {1}, the packet has {2}")        \
	X("nomatch.iif", "rule {3} did not match: it wants to come in by {1}, it came by {2}")     \
	X("nomatch.oif", "rule {3} did not match: it wants to go out by {1}, it goes by {2}")      \
	X("nomatch.mark", "rule {3} did not match: it wants mark {1}, the packet has {2}")         \
	X("nomatch.ctstate",                                                                       \
	  "rule {3} did not match: it wants a connection in state {1}, this one is {2}")           \
	X("nomatch.element", "rule {3} did not match: set {1} has no element {2}")                 \
	X("nomatch.local", "rule {3} did not match: {2} is no address of this node")               \
	X("nomatch.random", "rule {3} did not match: the dice said no (probability {1})")          \
	X("nomatch.unknown", "rule {3} did not match (the trace names only rules that do)")

/* conntrack. {0} the entry, as conntrack -L prints it. */
#define REC_KEYS_CT(X)                                                                             \
	X("ct.none", "conntrack has no entry for it: state NEW")                                   \
	X("ct.new", "conntrack confirms the entry: {0}")                                           \
	X("ct.found", "conntrack knows this connection: {0}")                                      \
	X("ct.after", "conntrack has this entry afterwards: {0}")                                  \
	X("ct.before", "conntrack had an entry before the probe: {0}")                             \
	X("ct.undo-dst", "conntrack puts back the destination {1} (it was {2})")                   \
	X("ct.undo-src", "conntrack puts back the source {1} (it was {2})")                        \
	X("ct.again-dst", "conntrack translates the destination again, to {1}, as for the first "  \
			  "packet (it was {2})")                                                   \
	X("ct.again-src", "conntrack translates the source again, to {1}, as for the first "       \
			  "packet (it was {2})")

/* IPVS. */
#define REC_KEYS_IPVS(X)                                                                           \
	X("ipvs.schedule", "virtual server {1}, scheduler {2}: this connection goes to {3}")       \
	X("ipvs.servers", "real servers of {1}: {0}")                                              \
	X("ipvs.conn", "IPVS has this connection: {0}") /* as ipvsadm -Lcn */                      \
	X("ipvs.masq", "forwarding method {1}: the destination is rewritten, the source is not")   \
	X("ipvs.ct", "ip_vs tells conntrack's entry, which is not confirmed yet, that the "        \
		     "answers come from {1} (vs.conntrack=1)")                                     \
	X("ipvs.undo", "ip_vs puts back the source {1} (it was {2})")

/* Routes, neighbours, FDB. {0} the answer. */
#define REC_KEYS_LOOK(X)                                                                           \
	X("route.asked", "route to {1}: {0}")	       /* {1} address */                           \
	X("route.table", "the table has for {1}: {0}") /* {1} address */                           \
	X("route.fib", "the kernel looked up: {0}")                                                \
	X("route.none", "there is no route to {1}: {0}") /* {0} error text */                      \
	X("route.local", "{1} is an address of this namespace: it is delivered here")              \
	X("route.ttl", "routing takes one from the TTL: {1} -> {2}")                               \
	X("neigh.asked", "neighbour {1}: {0}") /* {1} address */                                   \
	X("neigh.table", "the neighbour table has for {1}: {0}")                                   \
	X("neigh.seen", "the frame goes to {0}") /* {0} MAC seen in the frame */                   \
	X("neigh.none", "the neighbour {1} has no address: {0}")                                   \
	X("fdb.asked", "forwarding database of {1}: {0}") /* {1} device */                         \
	X("fdb.table", "the forwarding database of {1} has: {0}")                                  \
	X("fdb.none", "the forwarding database of {1} has nothing for {0}") /* {0} MAC */

/* Devices and bridges. */
#define REC_KEYS_DEV(X)                                                                            \
	X("dev.seen", "seen at {1}, {2}: {0}") /* {0} headers in short, {1} device, {2} out|in */  \
	X("dev.veth", "{1} is one end of a veth pair, the other is {2}") /* {2} "NS/DEV" */        \
	X("dev.port", "{1} is a port of bridge {2}")                                               \
	X("dev.mtu", "{2} bytes; the MTU of {1} is {3}")                                           \
	X("dev.csum", "the checksum is not filled in yet: veth leaves that to a real card")        \
	X("bridge.up", "the frame's destination {0} is the bridge's own: up to the IP stack")      \
	X("bridge.to-port", "{0} is behind port {1}") /* {0} MAC */                                \
	X("bridge.down", "from the IP stack into bridge {1}")                                      \
	X("bridge.same", "both ends are ports of {1}: forwarded by MAC address, no routing, the "  \
			 "TTL stays {2}")                                                          \
	X("bridge.nat", "{1} is behind {2} as well: br_netfilter writes its MAC address into the " \
			"frame and leaves it to the bridge")                                       \
	X("bridge.hairpin", "it goes out of the port it came in by, {1}: a port in hairpin mode "  \
			    "may do that")                                                         \
	X("bridge.nf", "bridge-nf-call-iptables is {0} in {2}")                                    \
	X("underlay", "the network between the machines carries it from {1} to {2}")

/* Tunnels. encap.sizes: {1} inner length, {2} added, {3} sum (all at the IP layer), {4} MTU of the
 * device below. */
#define REC_KEYS_ENCAP(X)                                                                          \
	X("encap.vxlan", "new headers around it: IP {1} -> {2}, UDP {3} -> {4}, VXLAN id {5}, "    \
			 "Ethernet")                                                               \
	X("encap.ipip", "a new IP header around it: {1} -> {2}, protocol 4")                       \
	X("encap.sizes-vxlan", "{1} + 20 (IP) + 8 (UDP) + 8 (VXLAN) + 14 (Ethernet) = {3} "        \
			       "bytes; MTU below: {4}")                                            \
	X("encap.sizes-ipip", "{1} + 20 (IP) = {3} bytes; MTU below: {4}")                         \
	X("encap.ttl-own", "the outer TTL is {1}, its own; the inner stays {2}")                   \
	X("encap.ttl-copied", "the outer TTL {1} is copied from the inner")                        \
	X("encap.layers", "{0}") /* [ip a>b][udp >8472][vxlan 1]... */                             \
	X("decap.vxlan", "UDP port {1} belongs to {2}, id {3}: the outer headers come off")        \
	X("decap.ipip", "protocol 4 belongs to {2}: the outer header comes off")

/* Ends. */
#define REC_KEYS_END(X)                                                                            \
	X("app.connect", "the program asks for a connection to {1}")                               \
	X("app.send", "the program sends to {1}")                                                  \
	X("app.data", "over the connection to {1} the program sends {2} bytes")                    \
	X("app.ping", "an echo request to {1}")                                                    \
	X("app.src", "source address {1}: that of the device the route names")                     \
	X("app.listens", "{1} is an address of {2}: the packet is handed to the socket of port "   \
			 "{3}")                                                                    \
	X("app.reply", "{2} answers with {1}") /* {1} flight title */                              \
	X("app.answer", "the program has its answer: {0}")                                         \
	X("app.error", "the program is told: {0}")                                                 \
	X("relay.accept", "kube-proxy's relay on {1} listens on port {2}: the client's side ends " \
			  "here")                                                                  \
	X("relay.dial", "kube-proxy's relay on {1} opens a second connection, to {2}")             \
	X("relay.send", "kube-proxy's relay on {1} sends the same bytes from a socket of its "     \
			"own, to {2}")                                                             \
	X("relay.same", "it is the one: the request in it has the same bytes as ours ({0})")       \
	X("relay.answer", "kube-proxy's relay on {1} has its answer; what the pod says it "        \
			  "passes on to the client")                                               \
	X("icmp.sent", "{1} says by ICMP: {0}") /* {0} "port unreachable (3/3)" */                 \
	X("rst.sent", "{1} refuses with RST: nothing listens on port {2}")                         \
	X("drop.device", "last seen at {1} in {2}")                                                \
	X("drop.unknown", "what happened to it then was not seen")                                 \
	X("perf.drop", "the kernel freed it: {0}") /* {0} reason at function */                    \
	X("sysctl", "{0}")			   /* "net.ipv4.ip_forward = 0" */                 \
	X("mtu.size", "the packet has {1} bytes, the MTU of {2} is {3}")                           \
	X("mtu.df", "its \"don't fragment\" bit is set: it may not be cut up on the way")          \
	X("mtu.icmp", "{1} says so by ICMP: fragmentation needed (3/4)")                           \
	X("mtu.icmp-came",                                                                         \
	  "the sender has that: it knows the path's MTU and sends smaller packets")                \
	X("mtu.icmp-dropped", "but that is dropped in {1}, so the sender never learns: {0}")       \
	X("mtu.icmp-lost", "but that does not come to the sender, which never learns")             \
	X("mtu.silent", "no ICMP \"fragmentation needed\" was seen: a bridge or a cable drops in " \
			"silence, and the sender never learns")                                    \
	X("compare", "{1} is {2}, wanted {3}") /* a snapshot predicate */

#define REC_KEYS_NEXT(X)                                                                           \
	X("next.device", "it goes out of {0}")                                                     \
	X("next.cross", "it comes out at the other end: {0}") /* NS/DEV */                         \
	X("next.hook", "netfilter: {0}")		      /* hook in capitals */               \
	X("next.bridge", "bridge {0} takes it")                                                    \
	X("next.route", "routing, for {0}")                                                        \
	X("next.route-new", "routing, now for {0} (not for the Service's address)")                \
	X("next.neigh", "the link-layer address of {0} is needed")                                 \
	X("next.fdb", "which machine has the far end: the forwarding database of {0}")             \
	X("next.encap", "it is packed up by {0}")                                                  \
	X("next.decap", "it is unpacked by {0}")                                                   \
	X("next.underlay", "over the network between the machines, to {0}")                        \
	X("next.deliver", "it is for {0} itself")                                                  \
	X("next.reply", "the answer sets out: {0}") /* flight title */                             \
	X("next.undo", "conntrack undoes the translation")                                         \
	X("next.ipvs", "ip_vs, at the end of {0}")                                                 \
	X("next.end", "this is the end of its way")                                                \
	X("next.program", "the program gets it")

/* Truth beside the document. */
#define REC_KEYS_NOTE(X)                                                                           \
	X("note.bridge-nf", "with bridge-nf-call-iptables=1 PREROUTING runs while the frame is "   \
			    "still at the bridge port: a capture at {0} already shows the "        \
			    "translated address")                                                  \
	X("note.bridge-nf-off", "bridge-nf-call-iptables is 0 here: PREROUTING runs only after "   \
				"{0}")                                                             \
	X("note.same-node", "same node: the bridge passes it from port to port, it is not "        \
			    "routed, and the TTL stays {0}")                                       \
	X("note.reply-bridged", "the answer goes from port to port, never appears at {0}, and is " \
				"translated back all the same: br_netfilter calls conntrack")      \
	X("note.reply-lost-nat", "without br_netfilter the answer is bridged past conntrack and "  \
				 "arrives from {0}, an address the program never asked")           \
	X("note.outer-packet", "the outer packet is one of its own: OUTPUT and POSTROUTING here, " \
			       "PREROUTING and INPUT there, its own conntrack entries, and the "   \
			       "Services' rules once more")                                        \
	X("note.reply-no-nat", "answers do not walk the nat chains: conntrack undoes the "         \
			       "translation by itself")                                            \
	X("note.svc-masq", "current kube-proxy begins the Service's chain with a rule that marks " \
			   "what comes from outside the pod network for masquerading")             \
	X("note.ct-late", "conntrack -L shows the entry only now, after POSTROUTING: until then "  \
			  "it travels with the packet, unconfirmed")                               \
	X("note.nodeport-snat", "a NodePort flow changes its source too: it becomes {0}, the "     \
				"address of this node on the way out, so that the answer comes "   \
				"back here")                                                       \
	X("note.ipvs", "{0} is an address of this node, so the packet was delivered here: ip_vs "  \
		       "takes it at the end of INPUT, routes it again and sends it on through "    \
		       "OUTPUT and POSTROUTING. FORWARD is never visited here")                    \
	X("note.ipvs-local", "{0} is an address of this node; for the node's own programs ip_vs "  \
			     "takes the packet in OUTPUT")                                         \
	X("note.ipvs-reply", "the answer is forwarded like any other packet and does visit "       \
			     "FORWARD; at its end ip_vs puts back {0}")                            \
	X("note.relay", "two connections, joined by a program: the pod sees {0}, an address of "   \
			"the node, and never the client's; the client's handshake was over "       \
			"before this one began")                                                   \
	X("note.relay-udp", "two sockets, joined by a program: the pod sees {0}, an address of "   \
			    "the node, and never the client's")                                    \
	X("note.hairpin",                                                                          \
	  "the pod is its own server: its source becomes {0}, else its answer would "              \
	  "go to itself and never meet conntrack")                                                 \
	X("note.vxlan-sport", "the outer source port {0} is a hash of the inner flow, the same "   \
			      "for the whole connection, not random")                              \
	X("note.proxy-arp", "169.254.1.1 exists nowhere: the host's end ({0}) answers ARP for it " \
			    "because of proxy_arp")                                                \
	X("note.ipip-device", "at {0} the packet is bare IP, without an Ethernet header")

/* Verdicts: {1} namespace, {2} device, {3} address or other detail. */
#define REC_KEYS_VERDICT(X)                                                                        \
	X("verdict.delivered", "delivered: {1} answered {3}")                                      \
	X("verdict.delivered-silent", "delivered to {1}, which did not answer")                    \
	X("verdict.rule-drop", "dropped in {1} by a rule: {0}")                                    \
	X("verdict.redirect-nowhere",                                                              \
	  "dropped in {1}: {2} has no address that REDIRECT could send it to: {0}")                \
	X("verdict.policy-egress", "dropped in {1}: no NetworkPolicy of pod {3} lets this out, "   \
				   "so the last rule drops it: {0}")                               \
	X("verdict.policy-ingress", "dropped in {1}: no NetworkPolicy of pod {3} lets this in, "   \
				    "so the last rule drops it: {0}")                              \
	X("verdict.rule-reject", "refused in {1} by a rule: {0}")                                  \
	X("verdict.no-endpoints", "refused in {1}: the Service has no endpoints: {0}")             \
	X("verdict.no-route", "dropped in {1}: no route to {3}")                                   \
	X("verdict.blackhole", "dropped in {1}: a blackhole route for {3}")                        \
	X("verdict.prohibit", "refused in {1}: a prohibit route for {3}")                          \
	X("verdict.fdb-missing", "dropped in {1} by {2}: no FDB entry for {3}")                    \
	X("verdict.neigh-missing", "dropped in {1}: no neighbour entry for {3} at {2}")            \
	X("verdict.wrong-vtep-mac", "dropped in {1} by {2}: the inner frame is for {3}, not for "  \
				    "its own MAC")                                                 \
	X("verdict.vni-mismatch", "dropped in {1}: VXLAN id {3} is not the id of {2}")             \
	X("verdict.no-vxlan-device", "dropped in {1}: no VXLAN device takes UDP port {3}")         \
	X("verdict.input-drop", "dropped in {1} by an INPUT rule for the outer packet: {0}")       \
	X("verdict.rp-filter", "dropped in {1}: strict rp_filter at {2}: the way back to {3} "     \
			       "leads elsewhere")                                                  \
	X("verdict.ip-forward-off", "dropped in {1}: it does not forward ({2}, "                   \
				    "net.ipv4.ip_forward = 0)")                                    \
	X("verdict.link-down", "dropped in {1}: {2} is down, so {3} can not be reached")           \
	X("verdict.mtu", "dropped in {1}: too big for the MTU of {2} ({3} bytes)")                 \
	X("verdict.pod-rule", "dropped in the pod {1} by a rule: {0}")                             \
	X("verdict.port-closed", "refused: nothing listens on port {3} in {1}")                    \
	X("verdict.reply-untranslated", "the answer reached {1} from {3}, past conntrack: not "    \
					"what was asked, so it is refused there")                  \
	X("verdict.freed", "dropped after {2} in {1}: the kernel freed it there ({3})")            \
	X("verdict.unknown", "lost after {2} in {1}, cause unknown")

#define REC_KEYS(X)                                                                                \
	REC_KEYS_WALK(X)                                                                           \
	REC_KEYS_NOMATCH(X)                                                                        \
	REC_KEYS_CT(X)                                                                             \
	REC_KEYS_IPVS(X)                                                                           \
	REC_KEYS_LOOK(X)                                                                           \
	REC_KEYS_DEV(X)                                                                            \
	REC_KEYS_ENCAP(X)                                                                          \
	REC_KEYS_END(X)                                                                            \
	REC_KEYS_NEXT(X)                                                                           \
	REC_KEYS_NOTE(X)                                                                           \
	REC_KEYS_VERDICT(X)

#endif
