# labctl trace --freeze: the packet really stands in the kernel, goes on when it is told to, and whoever dies, nothing stays.

load lib/common.bash

setup() {
	own_engine
	mkfifo "$TEST_DIR/keys"
}

teardown() {
	[ -n "${TEST_DIR:-}" ] || return 0
	exec 7>&- || true
	end_engine
}

# freeze FROM TO: a frozen trace in the background, its keys on descriptor 7.
freeze() {
	timeout 60 labctl trace "$@" --no-dns --freeze -o json <"$TEST_DIR/keys" >"$TEST_DIR/frozen.json" 2>"$TEST_DIR/said" 3>&- &
	TRACE=$!
	exec 7>"$TEST_DIR/keys"
}

# stands N: wait until it stands for the Nth time; the line that says where is in $output.
stands() {
	local i
	for i in $(seq 100); do
		output=$(grep "^$1\. stands" "$TEST_DIR/said") && return 0
		sleep 0.1
	done
	cat "$TEST_DIR/said"
	return 1
}

go_on() {
	echo >&7
}

# Packets that wait in the node's queue.
queued() {
	labctl exec "node/$1" -- cat /proc/net/netfilter/nfnetlink_queue | awk '{n += $3} END {print n + 0}'
}

# What conntrack in the node knows of connections to port 80.
known() {
	labctl exec "node/$1" -- conntrack -L -p tcp 2>/dev/null | grep -c 'dport=80 ' || true
}

# No node has a rule of ours.
no_rules() {
	local n
	for n in master01 node01 node02; do
		run labctl exec "node/$n" -- iptables-save
		exits 0
		hasnt LABD
	done
}

answers() {
	run timeout 10 labctl exec busybox3 -- wget -qO- http://nginx-deployment
	exits 0
	has nginx
}

@test "the SYN stands at ten places of its way through VXLAN, unknown to conntrack until it has passed; the way is the usual one" {
	need_root
	labctl up flannel-vxlan --name freeze-f
	answers # so that neighbours are known
	labctl exec node/node01 -- conntrack -F
	freeze busybox3 nginx-deployment:80
	stands 1
	has 'node01, before raw PREROUTING: 10\.244\.1\.2:[0-9]+ > 10\.107\.254\.44:80 SYN$'
	[ "$(queued node01)" = 1 ]
	[ "$(known node01)" = 0 ]
	sleep 2.5 # the sender has repeated it: still one
	[ "$(queued node01)" = 1 ]
	go_on
	stands 2
	has 'node01, before mangle FORWARD: 10\.244\.1\.2:[0-9]+ > 10\.244\.2\.[0-9]+:80 SYN$'
	run bash -c "$(sed -n 's/^ *TRY in another terminal: //p' "$TEST_DIR/said" | tail -n 1)"
	has 'dev flannel\.1'
	go_on
	stands 3
	has 'node01, before mangle POSTROUTING: 10.*SYN$'
	[ "$(known node01)" = 0 ]
	go_on
	stands 4
	has 'node01, before raw OUTPUT: .*SYN, inside VXLAN 100\.100\.137\.201 > 100\.100\.137\.202$'
	[ "$(known node01)" = 1 ]
	go_on
	stands 5
	has 'node01, before mangle POSTROUTING: .*, inside VXLAN'
	[ "$(queued node02)" = 0 ]
	go_on
	stands 6
	has 'node02, before raw PREROUTING: .*, inside VXLAN'
	[ "$(queued node01) $(queued node02)" = '0 1' ]
	go_on
	stands 7
	has 'node02, before mangle INPUT: .*, inside VXLAN'
	local i
	for i in 8 9 10; do
		go_on
		stands "$i"
	done
	has 'node02, before mangle POSTROUTING: .*SYN$'
	go_on
	wait "$TRACE"
	[ "$(jq -r .verdict.result "$TEST_DIR/frozen.json")" = delivered ]
	[ "$(jq '[.steps[] | select(.delta_ns >= 0)] | length' "$TEST_DIR/frozen.json")" = 0 ]
	no_rules
	answers
	labctl trace busybox3 nginx-deployment:80 --no-dns -o json >"$TEST_DIR/usual.json"
	labctl trace --diff "$TEST_DIR/usual.json" "$TEST_DIR/frozen.json"
}

@test "the end of standard input, q, and a client that dies let the packet run" {
	need_root
	labctl up flannel-vxlan --name freeze-f
	run labctl trace busybox3 nginx-deployment:80 --no-dns --freeze -o json </dev/null
	exits 0
	has '"delivered"'
	run bash -c 'printf "\nq\n" | labctl trace busybox3 nginx-deployment:80 --no-dns --freeze --list 2>&1'
	exits 0
	has '^2\. stands'
	hasnt '^3\. stands'
	has delivered
	freeze busybox3 nginx-deployment:80
	stands 1
	kill -9 "$(pgrep -P "$TRACE")"
	wait "$TRACE" || true
	local i
	for i in $(seq 50); do
		labctl exec node/node01 -- iptables-save | grep -q LABD || break
		sleep 0.1
	done
	no_rules
	answers
	run labctl trace busybox3 10.96.0.10:53/udp --freeze
	[ "$status" != 0 ]
	has 'cannot be held'
}

@test "a ping's request is held, not its answer" {
	need_root
	labctl up flannel-vxlan --name freeze-f
	freeze busybox3 10.244.2.2/icmp
	local i
	for i in 1 2 3 4 5 6 7 8 9 10; do
		stands "$i"
		has 'echo request'
		go_on
	done
	wait "$TRACE"
	[ "$(jq -r .verdict.result "$TEST_DIR/frozen.json")" = delivered ]
}

@test "what a node's own program sends stands at OUTPUT first, still for the Service, then at POSTROUTING" {
	need_root
	labctl up flannel-vxlan --name freeze-f
	freeze node/node01 nginx-deployment:80
	stands 1
	has 'node01, before raw OUTPUT: .* > 10\.107\.254\.44:80 SYN$'
	go_on
	stands 2
	has 'node01, before mangle POSTROUTING: .* > 10\.244\.2\.[0-9]+:80 SYN$'
	go_on
	stands 3
	has 'node01, before raw OUTPUT: .*, inside VXLAN'
	echo q >&7
	wait "$TRACE"
	[ "$(jq -r .verdict.result "$TEST_DIR/frozen.json")" = delivered ]
	no_rules
}

@test "kill -9 of the session that holds it: traffic flows, and the rules go" {
	need_root
	labctl up flannel-vxlan --name freeze-f
	local engine session i
	engine=$(labctl engine status -o json | jq -r '[.. | .pid? // empty][0]')
	freeze busybox3 nginx-deployment:80
	stands 1
	session=$(pgrep -P "$engine" -n)
	[ "$(readlink "/proc/$session/exe")" = "$BUILD/labd" ]
	kill -9 "$session"
	wait "$TRACE" || true
	for i in $(seq 50); do
		labctl exec node/node01 -- iptables-save | grep -q LABD || break
		sleep 0.1
	done
	no_rules
	answers
	run labctl trace busybox3 nginx-deployment:80 --no-dns --list
	exits 0
	has delivered
}

@test "in a guest, through IPIP and Calico's chains" {
	need_guest
	labctl up calico-ipip --name freeze-c --engine guest
	freeze busybox3 nginx-deployment:80
	local i
	for i in 1 2 3 4 5 6 7 8 9 10; do
		stands "$i"
		[ "$i" != 4 ] || has 'inside IPIP 100\.100\.137\.201 > 100\.100\.137\.202$'
		go_on
	done
	wait "$TRACE"
	[ "$(jq -r .verdict.result "$TEST_DIR/frozen.json")" = delivered ]
	no_rules
}
