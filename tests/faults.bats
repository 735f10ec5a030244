# Faults, injected one by one into the documented flannel cluster: the trace must end in the named diagnosis, known as
# well as this kernel lets us know it, and be delivered again when the fault is gone. IPIP's are in trace-guest.bats.

bats_require_minimum_version 1.5.0
load lib/common.bash

LAB=faults-flannel

setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	own_engine
	fresh_lab
	# Are there tracepoints to say why the kernel freed a packet?
	export PERF
	PERF=$(labctl trace busybox3 10.244.2.5:80 --no-dns -o json | jq '.perfs | length')
}

teardown_file() {
	[ "$(id -u)" = 0 ] || return 0
	end_engine
}

setup() {
	need_root
}

# A fault that a failed test left behind is not to fail all that follow.
teardown() {
	[ -n "${BATS_TEST_COMPLETED:-}" ] || [ "$(id -u)" != 0 ] || fresh_lab
}

fresh_lab() {
	labctl down >/dev/null
	labctl up flannel-vxlan --name "$LAB" >/dev/null
}

# in1, in2 COMMAND: as root of the host in node01, node02 (a shell).
in1() { ip netns exec "$LAB-node01" sh -c "$*"; }
in2() { ip netns exec "$LAB-node02" sh -c "$*"; }
on1() { labctl exec node/node01 -- "$@"; }
on2() { labctl exec node/node02 -- "$@"; }

# ends RESULT CAUSE WHERE [HOW [ARGUMENT...]]: the trace of the cross-node flow ends so. HOW is how it is known where
# the tracepoints say why the kernel freed the packet.
ends() {
	local want="$1 $2 $3" how=${4:-}
	shift $(($# < 4 ? $# : 4))
	labctl trace busybox3 "${TO:-10.244.2.5:80}" --no-dns -o json "$@" >"$TEST_DIR/trace.json"
	run jq -r '"\(.verdict.result) \(.verdict.cause) \(.ns[.verdict.ns].name) \(.verdict.how)"' "$TEST_DIR/trace.json"
	case $output in "$want $how") ;; "$want "*) [ -z "$how" ] || [ "$PERF" = 0 ] ;; *) false ;; esac || {
		echo "ended: $output, not: $want $how"
		jq .verdict "$TEST_DIR/trace.json"
		return 1
	}
}

# The drop's evidence has a line of this kind, with this text or argument.
because() {
	jq -e --arg key "$1" --arg text "${2:-}" '[.steps[] | select(.kind == "drop") | .why[] | select(.key == $key and
		($text == "" or .text == $text or (.args // [] | index($text))))] | length > 0' "$TEST_DIR/trace.json" || {
		jq '.steps[] | select(.kind == "drop") | .why' "$TEST_DIR/trace.json"
		return 1
	}
}

delivered() {
	ends delivered null nginx-deployment-6b9d659f5f-qbchs
}

VTEP2=ae:f9:fd:4f:2a:16

@test "without a fault it is delivered" {
	delivered
}

@test "rule-drop: a DROP rule in FORWARD" {
	on1 iptables -I FORWARD -d 10.244.2.5 -j DROP
	ends dropped rule-drop node01 OBSERVED
	run jq -r .verdict.rule "$TEST_DIR/trace.json"
	has '^-A FORWARD -d 10.244.2.5/32 -j DROP$'
	on1 iptables -D FORWARD -d 10.244.2.5 -j DROP
	delivered
}

@test "no-route" {
	in1 "ip route del default; ip route del 10.244.2.0/24"
	ends dropped no-route node01 OBSERVED
	in1 "ip route add 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink
		ip route add default via 100.100.137.1 dev ens192 proto static metric 100"
	delivered
}

@test "blackhole" {
	in1 ip route add blackhole 10.244.2.5
	ends dropped blackhole node01 OBSERVED
	in1 ip route del blackhole 10.244.2.5
	delivered
}

@test "prohibit" {
	in1 ip route add prohibit 10.244.2.5
	ends refused prohibit node01 OBSERVED
	in1 ip route del prohibit 10.244.2.5
	delivered
}

@test "fdb-missing" {
	in1 bridge fdb del $VTEP2 dev flannel.1 dst 100.100.137.202
	ends dropped fdb-missing node01 OBSERVED
	in1 bridge fdb add $VTEP2 dev flannel.1 dst 100.100.137.202
	delivered
}

@test "neigh-missing" {
	in1 ip neigh del 10.244.2.0 dev flannel.1
	ends dropped neigh-missing node01
	in1 ip neigh replace 10.244.2.0 lladdr $VTEP2 dev flannel.1 nud permanent
	delivered
}

@test "wrong-vtep-mac" {
	in1 "ip neigh replace 10.244.2.0 lladdr 02:00:00:00:00:99 dev flannel.1 nud permanent
		bridge fdb add 02:00:00:00:00:99 dev flannel.1 dst 100.100.137.202"
	ends dropped wrong-vtep-mac node02 OBSERVED
	in1 "ip neigh replace 10.244.2.0 lladdr $VTEP2 dev flannel.1 nud permanent
		bridge fdb del 02:00:00:00:00:99 dev flannel.1 dst 100.100.137.202"
	delivered
}

@test "input-drop: a rule against the outer packet" {
	on2 iptables -I INPUT -p udp --dport 8472 -j DROP
	ends dropped input-drop node02 OBSERVED
	on2 iptables -D INPUT -p udp --dport 8472 -j DROP
	delivered
}

@test "rp-filter: strict, and the way back leads elsewhere" {
	in2 "echo 1 >/proc/sys/net/ipv4/conf/flannel.1/rp_filter
		ip route add 10.244.1.2 via 100.100.137.201 dev ens192"
	ends dropped rp-filter node02 OBSERVED
	in2 "ip route del 10.244.1.2; echo 0 >/proc/sys/net/ipv4/conf/flannel.1/rp_filter"
	delivered
}

@test "ip-forward-off" {
	in2 "echo 0 >/proc/sys/net/ipv4/ip_forward"
	ends dropped ip-forward-off node02 OBSERVED
	in2 "echo 1 >/proc/sys/net/ipv4/ip_forward"
	delivered
}

@test "link-down: the server's veth" {
	in2 ip link set veth70cee1b2 down
	ends dropped link-down node02
	in2 ip link set veth70cee1b2 up
	delivered
}

@test "pod-rule: a rule in the server's own namespace" {
	pod=$(ip netns list | grep -oE "^$LAB-node02-nginx[^ ]*")
	ip netns exec "$pod" iptables-legacy -I INPUT -p tcp --dport 80 -j DROP
	ends dropped pod-rule nginx-deployment-6b9d659f5f-qbchs OBSERVED
	ip netns exec "$pod" iptables-legacy -F INPUT
	delivered
}

@test "port-closed" {
	TO=10.244.2.5:81 ends refused port-closed nginx-deployment-6b9d659f5f-qbchs OBSERVED
}

# Both ends forget what they have learned of the path.
flush_paths() {
	local pod
	for pod in $(ip netns list | grep -oE "^$LAB-node0[12]-(busybox3|nginx)[^ ]*"); do
		ip netns exec "$pod" ip route flush cache
	done
}

@test "mtu: the network between the machines takes less than the tunnel's packets have" {
	in2 ip link set ens192 mtu 1400
	delivered # small packets pass: what makes this fault hard to find
	ends dropped mtu node02 OBSERVED --size 1450
	jq -e '[.flights[] | .title] | index("SYN-ACK")' "$TEST_DIR/trace.json" # it was there after the handshake
	[ "$(jq -r '.verdict.args[1]' "$TEST_DIR/trace.json")" = ens192 ]
	because mtu.silent
	TO=10.244.2.5/icmp ends dropped mtu node02 OBSERVED --size 1450
	in2 ip link set ens192 mtu 1500
	ends delivered null nginx-deployment-6b9d659f5f-qbchs OBSERVED --size 1450
}

@test "mtu: a router may not cut it up, and its ICMP error is dropped" {
	in1 ip link set flannel.1 mtu 1000
	on1 iptables -I OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP
	ends dropped mtu node01 OBSERVED --size 1450
	[ "$(jq -r '.verdict.args[1]' "$TEST_DIR/trace.json")" = flannel.1 ]
	because mtu.df
	because mtu.icmp-dropped "-A OUTPUT -p icmp -m icmp --icmp-type 3/4 -j DROP"
	on1 iptables -D OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP
	# with the ICMP error the sender finds the right size: no fault
	ends delivered null nginx-deployment-6b9d659f5f-qbchs OBSERVED --size 1450
	jq -e '[.flights[] | .title] | index("ICMP error")' "$TEST_DIR/trace.json"
	in1 ip link set flannel.1 mtu 1450
	flush_paths
}

@test "a rule that drops only big packets: the connection stands, its data does not come" {
	on1 iptables -I FORWARD -d 10.244.2.5 -m length --length 1000:65535 -j DROP
	ends dropped rule-drop node01 OBSERVED --size 1450
	run jq -r .verdict.rule "$TEST_DIR/trace.json"
	has '^-A FORWARD -d 10.244.2.5/32 -m length --length 1000:65535 -j DROP$'
	on1 iptables -D FORWARD -d 10.244.2.5 -m length --length 1000:65535 -j DROP
}

@test "no-vxlan-device" {
	in2 ip link del flannel.1
	ends dropped no-vxlan-device node02 OBSERVED
}

@test "vni-mismatch" {
	in2 "ip link add flannel.1 address $VTEP2 type vxlan id 2 local 100.100.137.202 dstport 8472 nolearning
		ip link set flannel.1 up"
	ends dropped vni-mismatch node02 OBSERVED
	fresh_lab
	delivered
}
