# labctl trace, flow and verify on the host engine: recordings against golden ones with both iptables backends, every
# TRY line, exports, and that nothing stays behind nor comes in from others.

bats_require_minimum_version 1.5.0
load lib/common.bash
load lib/recordings.bash

LAB=trace-flannel

setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	own_engine
	recording_lab flannel-vxlan >"$TEST_DIR/lab.yaml"
	labctl up "$TEST_DIR/lab.yaml" --name "$LAB" >&2
	labctl scale deploy/coredns -n kube-system --replicas 1 >&2
}

teardown_file() {
	[ "$(id -u)" = 0 ] || return 0
	end_engine
}

setup() {
	need_root
}

@test "legacy iptables: recordings of all flows are the golden ones" {
	golden_all "$LAB" flannel
}

@test "iptables-nft: recordings of all flows are the golden ones" {
	recording_lab flannel-vxlan 's/^  kubernetes: "1.23"/&\n  iptables: nft/' >"$TEST_DIR/nft.yaml"
	labctl up "$TEST_DIR/nft.yaml" --name trace-nft-flannel
	labctl scale -l trace-nft-flannel deploy/coredns -n kube-system --replicas 1
	golden_all trace-nft-flannel flannel-nft
	labctl down trace-nft-flannel
}

@test "every TRY line prints what its step claims" {
	try_all "$LAB"
}

@test "verify: all flows and pairs, as table, JSON and JUnit" {
	run labctl verify --junit "$TEST_DIR/verify.xml"
	exits 0
	has '^ok +flow +clusterip-cross-node +pod/busybox3$'
	has '^ok +service +default/nginx-deployment:80 +6 pods$'
	has '^ok +service +default/no-endpoints:80 +6 pods$'
	has '^ +refused: no endpoints$'
	has '^ok +nodeport +node02:31856 +1 host$'
	has '^ok +dns +nginx-deployment.default +6 pods$'
	has ' 0 failed, '
	xmllint --noout "$TEST_DIR/verify.xml"
	grep -q '<testsuite .*failures="0">' "$TEST_DIR/verify.xml"
	run labctl verify "$LAB" -o json
	[ "$(jq -r '.failed, (.checks[] | select(.name == "nodeport-cross-node") | .ok)' <<<"$output" | xargs)" = "0 true" ]
}

@test "verify: a fault is exit code 4, and the lines say what" {
	labctl exec node/node01 -- iptables -I FORWARD -d 10.244.2.5 -j DROP
	run labctl verify --junit "$TEST_DIR/verify.xml"
	labctl exec node/node01 -- iptables -D FORWARD -d 10.244.2.5 -j DROP
	exits 4
	has '^FAILED +flow +clusterip-cross-node +pod/busybox3$'
	has '^ +dropped, [0-9]+ of [0-9]+ expectations met$'
	has '^ +result delivered: dropped in node01 by a rule'
	has '^ok +flow +clusterip-same-node +pod/busybox1$'
	has '^FAILED +service +default/nginx-deployment:80 +2 of 6 pods$'
	has '^FAILED +nodeport +node01:31856 +1 host$'
	xmllint --noout "$TEST_DIR/verify.xml"
	grep -q '<failure message="dropped' "$TEST_DIR/verify.xml"
}

@test "exports: pcapng with packet ids and names, a page without loads, a picture that is XML" {
	command -v tshark >/dev/null || skip "needs tshark"
	cd "$TEST_DIR"
	labctl flow clusterip-cross-node --no-dns --pcap way.pcapng --html way.html --svg way.svg -o json >a.json
	tshark -r way.pcapng -T fields -e frame.interface_name -e frame.packet_id -e frame.comment >frames 2>errors
	run ! grep -iE 'malformed|corrupt|cut short' errors
	grep -qE '^node01/flannel\.1\s' frames
	# the SYN has one id wherever it was seen
	as_told=(-o tcp.analyze_sequence_numbers:FALSE -o tcp.desegment_tcp_streams:FALSE -d udp.port==8472,vxlan)
	id=$(tshark -r way.pcapng -Y 'tcp.flags == 0x002' -T fields -e frame.packet_id 2>/dev/null | sort -u)
	[ "$(wc -l <<<"$id")" = 1 ] && [ -n "$id" ]
	tshark -r way.pcapng -N n -Y 'tcp.flags == 0x002' 2>/dev/null | grep -q nginx
	[ "$(tshark -r way.pcapng "${as_told[@]}" -Y _ws.malformed 2>/dev/null | wc -l)" = 0 ]
	run ! grep -oE '(src|href|url)[=(]"?https?://[^ >]*' way.html
	run ! grep -iE '<(link|script)[^>]* (src|href)=' way.html
	xmllint --noout way.svg
}

# capturing FILE ARGS...: begin a capture and wait until it listens; its pid is $capture.
capturing() {
	labctl capture "${@:2}" -w "$1" 2>"$1.said" 3>&- &
	capture=$!
	for _ in $(seq 100); do
		grep -q '^listening' "$1.said" && return
		kill -0 "$capture" || break
		sleep 0.1
	done
	cat "$1.said"
	return 1
}

fields() {
	tshark -r "$1" -T fields "${@:2}" 2>/dev/null
}

@test "capture: all devices of a node by name, one device with a filter, a pod, until a signal or a count" {
	command -v tshark >/dev/null || skip "needs tshark"
	cd "$TEST_DIR"
	capturing node.pcapng node/node01
	labctl exec busybox3 -- wget -qO /dev/null http://nginx-deployment
	kill -INT "$capture"
	wait "$capture"
	grep -qE '^[1-9][0-9]* packets captured, 0 lost$' node.pcapng.said
	[ "$(fields node.pcapng -Y 'tcp.port == 80' -d udp.port==8472,vxlan -e frame.interface_name | grep -oE '^node01/(cni0|flannel.1|ens192)' | sort -u | xargs)" = \
		"node01/cni0 node01/ens192 node01/flannel.1" ]
	# out of the node's NIC: only VXLAN, and it goes out; as many as asked for
	capturing nic.pcapng node/node01 ens192 --filter 'udp port 8472 and src host 100.100.137.201' -c 3
	labctl exec busybox3 -- wget -qO /dev/null http://nginx-deployment
	wait "$capture"
	[ "$(fields nic.pcapng -e frame.interface_name -e ip.src -e udp.dstport -e frame.packet_flags_direction | sort | uniq -c | xargs)" = \
		"3 node01/ens192 100.100.137.201 8472 0x00000002" ]
	# a pod
	capturing pod.pcapng busybox3 eth0 -c 1
	labctl exec busybox3 -- ping -c 1 10.244.1.1 >/dev/null
	wait "$capture"
	[ "$(fields pod.pcapng -e frame.interface_name)" = busybox3-c997b9cc4-tlvrq/eth0 ]
}

@test "capture: what can not be is said" {
	run labctl capture node/node01 ens19 -w "$TEST_DIR/none"
	exits 3
	has 'there is no device "ens19"'
	has 'did you mean ens192'
	run labctl capture node/node01 --filter 'udp prot 8472' -w "$TEST_DIR/none"
	exits 2
	has 'syntax error'
	run labctl capture node/node01 -c 0 -w "$TEST_DIR/none"
	exits 2
}

@test "JSON there and back: a stored trace is shown as the live one, --diff finds the first difference" {
	cd "$TEST_DIR"
	labctl flow clusterip-cross-node --no-dns -o json >a.json
	labctl trace --read a.json -o json | cmp - a.json
	run labctl trace --diff a.json a.json
	exits 0
	[ -z "$output" ]
	labctl exec node/node01 -- iptables -I FORWARD -d 10.244.2.5 -j DROP
	labctl flow clusterip-cross-node --no-dns -o json >b.json
	labctl exec node/node01 -- iptables -D FORWARD -d 10.244.2.5 -j DROP
	run labctl trace --diff a.json b.json
	exits 4
	has '^They part at step [0-9]+ of SYN$'
	has '^  A: hook at node01/cni0, filter FORWARD'
	has '^  B: hook at node01/cni0, filter FORWARD'
	has '^    B: \[OBSERVED\] -A FORWARD -d 10.244.2.5/32 -j DROP$'
	has 'B ends: dropped in node01 by a rule: -A FORWARD -d 10.244.2.5/32 -j DROP'
}

@test "among 400 other connections no foreign packet gets into the recording" {
	# Each of 400 stays open, and goes on asking, until the trace is over.
	labctl exec busybox4 -- sh -c 'for i in $(seq 400); do while [ ! -e /tmp/over ]; do
		printf "GET / HTTP/1.0\r\n\r\n" | nc 10.107.254.44 80; done >/dev/null 2>&1 & done; wait' &
	for _ in $(seq 100); do
		others=$(labctl exec node/node01 -- conntrack -L -p tcp -s 10.244.1.3 2>/dev/null | grep -c .) || true
		[ "$others" -ge 400 ] && break
		sleep 0.1
	done
	asked() { ip netns exec "$LAB-node01" cat /sys/class/net/flannel.1/statistics/tx_packets; }
	before=$(asked)
	labctl trace busybox3 nginx-deployment:80 --no-dns -o json >"$TEST_DIR/busy.json"
	after=$(asked)
	labctl exec busybox4 -- touch /tmp/over
	wait
	echo "$others other connections; $((after - before)) packets went through the tunnel meanwhile"
	[ "$others" -ge 400 ]
	[ $((after - before)) -gt 400 ]
	run jq -c '[.probe.src, .probe.dst, .lost_frames, .lost_messages, .verdict.result]' "$TEST_DIR/busy.json"
	has '^\["10\.244\.1\.2","10\.107\.254\.44",0,0,"delivered"\]$'
	# every packet is the probe's: from or to its port
	run jq -r '.probe.sport as $p | [.flights[].hdr.inner | select(.sport != $p and .dport != $p)] | length' "$TEST_DIR/busy.json"
	is 0
	# as many frames as without the others
	labctl trace busybox3 nginx-deployment:80 --no-dns -o json >"$TEST_DIR/calm.json"
	busy=$(jq '.sights | length' "$TEST_DIR/busy.json") calm=$(jq '.sights | length' "$TEST_DIR/calm.json")
	echo "frames: $busy among others, $calm alone"
	[ "$busy" -ge $((calm - 24)) ] && [ "$busy" -le $((calm + 24)) ]
}
