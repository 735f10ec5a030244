# labctl trace in the guest engine: recordings of both documented labs against the golden ones, every TRY line of
# calico-ipip, IPIP's faults, verify.

bats_require_minimum_version 1.5.0
load lib/common.bash
load lib/recordings.bash

LAB=trace-calico

setup_file() {
	have_guest || return 0
	own_engine
	recording_lab calico-ipip >"$TEST_DIR/calico.yaml"
	labctl up "$TEST_DIR/calico.yaml" --engine guest --name "$LAB" >&2
	labctl scale deploy/coredns -n kube-system --replicas 1 >&2
}

teardown_file() {
	[ -z "${TEST_DIR:-}" ] || end_engine
}

setup() {
	need_guest
}

@test "calico-ipip: recordings of all flows are the golden ones" {
	golden_all "$LAB" calico
}

@test "calico-ipip: every TRY line prints what its step claims" {
	try_all "$LAB"
}

@test "calico-ipip: verify" {
	run labctl verify
	exits 0
	has '^ok +flow +clusterip-cross-node +pod/busybox3$'
	has ' 0 failed, '
}

@test "calico-ipip: a capture at tunl0 has bare IP, filtered there too" {
	command -v tshark >/dev/null || skip "needs tshark"
	f=$TEST_DIR/tunl0.pcapng
	labctl capture node/node01 tunl0 --filter 'tcp port 80' -c 4 -w "$f" 2>"$f.said" 3>&- &
	capture=$!
	for _ in $(seq 100); do
		! grep -q '^listening' "$f.said" || break
		sleep 0.1
	done
	labctl exec busybox3 -- wget -qO /dev/null http://nginx-deployment
	wait "$capture"
	[ "$(tshark -r "$f" -T fields -e frame.interface_name -e frame.protocols 2>/dev/null | cut -d: -f1-3 | sort | uniq -c | xargs)" = \
		"4 node01/tunl0 raw:ip:tcp" ]
}

ends() {
	labctl trace busybox3 10.244.140.66:80 --no-dns -o json >"$TEST_DIR/trace.json"
	run jq -r '"\(.verdict.result) \(.verdict.cause) \(.ns[.verdict.ns].name)"' "$TEST_DIR/trace.json"
	[ "$output" = "$1" ] || {
		echo "ended: $output, not: $1"
		jq .verdict "$TEST_DIR/trace.json"
		return 1
	}
}

@test "IPIP faults: protocol 4 dropped, tunl0 down at the far end, no route" {
	labctl exec node/node02 -- iptables -I INPUT -p 4 -j DROP
	ends 'dropped input-drop node02'
	labctl exec node/node02 -- iptables -D INPUT -p 4 -j DROP
	labctl exec node/node02 -- ip link set tunl0 down
	ends 'dropped link-down node02'
	labctl exec node/node02 -- ip link set tunl0 up
	labctl diff --fix >/dev/null || true
	ends 'delivered null nginx-deployment-6b9d659f5f-qbchs'
}

@test "flannel-vxlan: recordings of all flows are those of the host engine" {
	labctl down "$LAB"
	recording_lab flannel-vxlan >"$TEST_DIR/flannel.yaml"
	labctl up "$TEST_DIR/flannel.yaml" --engine guest --name trace-flannel
	labctl scale -l trace-flannel deploy/coredns -n kube-system --replicas 1
	golden_all trace-flannel flannel
}
