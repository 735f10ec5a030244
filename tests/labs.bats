# Every shipped lab: up, verify (each flow's claims and every pair, by real packets), down, nothing left. On the host
# engine where the kernel can, else in a guest: one for all of them.

bats_require_minimum_version 1.5.0
load lib/common.bash

setup_file() {
	own_engine
}

teardown_file() {
	[ -z "${TEST_DIR:-}" ] || end_engine
}

# walk LAB [FILE]: up, verify, down.
walk() {
	lab=$1
	run labctl up "${2:-$lab}"
	if [ "$status" = 6 ]; then
		skip "${lines[0]}"
	fi
	[ "$status" = 0 ] || { echo "$output" && return 1; }
	run labctl verify "$lab"
	[ "$status" = 0 ] || { echo "$output" && return 1; }
	has '^ok +flow '
	has '^[0-9]+ checks, 0 failed, '
	run labctl describe nodes -l "$lab"
	has '^Drift:  none'
	hasnt '^Drift \('
	labctl down "$lab"
	[ -z "$(labctl ls -o name)" ]
	! ip netns list | grep -q "^$lab-"
}

@test "calico-ipip" {
	walk calico-ipip
}

@test "flannel-vxlan" {
	walk flannel-vxlan
}

@test "calico-vxlan" {
	need_root
	walk calico-vxlan
}

@test "calico-bgp" {
	need_root
	walk calico-bgp
}

@test "calico-crosssubnet" {
	need_root
	walk calico-crosssubnet
}

@test "masquerade-all" {
	need_root
	walk masquerade-all
}

@test "session-affinity" {
	need_root
	walk session-affinity
}

@test "traffic-policies" {
	need_root
	walk traffic-policies
}

@test "headless" {
	need_root
	walk headless
}

@test "flannel-host-gw" {
	need_root
	walk flannel-host-gw
}

@test "flannel with the ipip backend, in a guest" {
	need_root
	sed 's/"host-gw"/"ipip"/; s/name: flannel-host-gw/name: flannel-ipip/; s/snat 192.168.10.11/snat 10.244.1.0/
		s/device node1\/eth0/outer 192.168.10.11>192.168.10.12/' \
		"$ROOT/labs/flannel-host-gw.lab.yaml" >"$TEST_DIR/flannel-ipip.lab.yaml"
	walk flannel-ipip "$TEST_DIR/flannel-ipip.lab.yaml"
}

@test "networkpolicy-default-deny" {
	need_root
	walk networkpolicy-default-deny
}

# routes NODE: how many of its routes are BIRD's.
routes() {
	labctl exec -l bird-test "node/$1" -- ip route | grep -c 'proto bird'
}

# wait_routes NODE COUNT: at most 15 s, for a guest is slow.
wait_routes() {
	local i
	for i in $(seq 75); do
		[ "$(routes "$1")" = "$2" ] && return 0
		sleep 0.2
	done
	labctl exec -l bird-test "node/$1" -- ip route
	return 1
}

wait_established() {
	local i
	for i in $(seq 75); do
		[ "$(labctl exec -l bird-test "node/$1" -- birdcl -s /run/calico/bird.ctl show protocols | grep -c Established)" = "$2" ] && return 0
		sleep 0.2
	done
	return 1
}

# bird LAB N_PEERS SED...: routes by BIRD are those written without it; kill one and its routes go.
bird() {
	local peers=$2 before
	sed -E "s/^metadata: \{name: $1\}/metadata: {name: bird-test}/; $3" "$ROOT/labs/$1.lab.yaml" >"$TEST_DIR/bird.yaml"
	grep -q 'routing: bird' "$TEST_DIR/bird.yaml"
	labctl up "$TEST_DIR/bird.yaml"
	before=$(labctl exec node/node1 -- ip route)
	[ "$(routes node1)" = $((peers + 1)) ]
	wait_established node1 "$peers"
	sleep 3 # BIRD has looked at the kernel's routes since
	[ "$(labctl exec node/node1 -- ip route)" = "$before" ]
	labctl exec near -- wget -qO /dev/null http://web
	labctl exec far -- wget -qO /dev/null http://web
	labctl exec node/node2 -- pkill bird
	wait_routes node1 "$peers"
	run labctl exec far -- timeout 2 wget -qO /dev/null http://web
	[ "$status" != 0 ]
	labctl exec node/node2 -- bird -R -c /run/calico/bird.cfg -s /run/calico/bird.ctl
	wait_routes node1 $((peers + 1))
	labctl exec far -- wget -qO /dev/null http://web
	labctl down bird-test
}

@test "BIRD without encapsulation: the same routes, and a killed one's go" {
	need_root
	bird calico-bgp 2
}

@test "BIRD with IPIP between two subnets, in a guest" {
	need_guest
	bird calico-crosssubnet 3 's/  cni: calico/  cni: calico\n  routing: bird/; s/ipipMode: Never, vxlanMode: CrossSubnet/ipipMode: CrossSubnet, vxlanMode: Never/'
}

@test "every other shipped lab" {
	for f in "$ROOT"/labs/*.lab.yaml; do
		name=$(basename "$f" .lab.yaml)
		grep -q "^	walk $name\$" "$BATS_TEST_FILENAME" || walk "$name"
	done
}
