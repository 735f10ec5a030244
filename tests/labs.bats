# Every shipped lab: up, a real request along each of its flows (answered, or dropped where the flow
# says `result dropped`), down, nothing left. On the host engine where the kernel can, else in a guest.
# The flows are read from the file: block style, one key a line.

bats_require_minimum_version 1.5.0
load lib/common.bash

setup_file() {
	own_engine
}

teardown_file() {
	[ -z "${TEST_DIR:-}" ] || end_engine
}

# NAME|FROM|TO|RESULT of each flow of a lab.
flows() {
	awk '
	function out() { if (name != "") print name "|" from "|" to "|" result }
	function value(s) { sub(/^[^:]*: */, "", s); gsub(/^"|"$/, "", s); return s }
	/^---/ { if (seen) exit }
	/^  flows:/ { seen = 1; next }
	!seen { next }
	/^  - name:/ { out(); name = value($0); from = to = ""; result = "delivered" }
	/^    from:/ { from = value($0) }
	/^    to:/ { to = value($0) }
	/^    - "?result dropped/ { result = "dropped" }
	END { out() }' "$ROOT/labs/$1.lab.yaml"
}

# The machine that a flow starts from, as exec's arguments.
from_where() {
	case $1 in
	pod/*) labctl get pods -A -l "$lab" | awk -v p="${1#pod/}" 'index($2, p) == 1 { print "-n", $1, $2; exit }' ;;
	*) echo "$1" ;;
	esac
}

target() {
	local node
	case $1 in
	node/*)
		node=${1#node/}
		echo "$(labctl get nodes -l "$lab" -o wide | awk -v n="${node%%:*}" '$1 == n { print $6 }'):${node##*:}"
		;;
	*) echo "$1" ;;
	esac
}

# request FROM TO: one request; what it takes depends on the protocol.
request() {
	local where to
	read -ra where <<<"$(from_where "$1")"
	to=$(target "$2")
	case $2 in
	*/udp)
		to=${to%/udp}
		labctl exec -l "$lab" "${where[@]}" -- agnhost connect --protocol=udp --timeout=2s "$to"
		;;
	icmp*) return 0 ;;
	*)
		labctl exec -l "$lab" "${where[@]}" -- sh -c \
			'if [ -x /usr/bin/curl ]; then curl -s -o /dev/null -m 3 "$0"; else timeout 3 wget -qO /dev/null "$0"; fi' "http://$to/"
		;;
	esac
}

# Up, each flow, down.
walk() {
	lab=$1
	local name from to result rc n=0
	run labctl up "$lab"
	if [ "$status" = 6 ]; then
		skip "${lines[0]}"
	fi
	[ "$status" = 0 ] || { echo "$output" && return 1; }
	while IFS='|' read -r name from to result; do
		rc=0
		request "$from" "$to" </dev/null || rc=$?
		if [ "$result" = dropped ]; then
			# 28: curl waited in vain; 124, 143: timeout ended wget.
			[[ $rc = 28 || $rc = 124 || $rc = 143 ]] || { echo "$lab: $name: not dropped ($rc)" && return 1; }
		else
			[ "$rc" = 0 ] || { echo "$lab: $name: $from cannot reach $to ($rc)" && return 1; }
		fi
		n=$((n + 1))
	done < <(flows "$lab")
	[ "$n" -gt 0 ]
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

@test "flannel-host-gw" {
	need_root
	walk flannel-host-gw
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
