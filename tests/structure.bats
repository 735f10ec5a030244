#!/usr/bin/env bats
# What makes labd fast, counted instead of timed: these bound the time on every machine. Each costs the kernel a thousand
# times what the right way costs (docs/BENCHMARKS.md).

load lib/common

setup_file() {
	need_root
	command -v strace >/dev/null || skip "needs strace"
	own_engine
	labctl engine start >/dev/null
	local pods pid tracer
	for pods in 6 16 70; do
		tests/bench/lab 3 $pods >"$TEST_DIR/lab.yaml"
		pid=$(labctl engine status -o json | jq '[.. | .pid? // empty][0]')
		strace -f -qq -v -x -s 65536 -e trace=openat,sendto,sendmsg,fsopen,execve -o "$TEST_DIR/up.$pods" -p "$pid" &
		tracer=$!
		until grep -q "^TracerPid:[[:space:]]*$tracer" "/proc/$pid/status"; do sleep 0.02; done
		labctl up "$TEST_DIR/lab.yaml" >/dev/null
		if [ $pods = 16 ]; then
			ip netns exec bench-n0-p0 ip -d -j link >"$TEST_DIR/pod.json"
			ip netns exec bench-n0 ip -d -j link >"$TEST_DIR/node.json"
		fi
		labctl down bench >/dev/null
		ended
		kill -INT $tracer
		wait $tracer || true
	done
}

# What down has killed has ended. strace waits for a node's first process for ever, while that waits for its pods', which
# only strace could reap.
ended() {
	for _ in $(seq 200); do
		[ -n "$(find "$TEST_DIR/run/labs" -name '.bench.*')" ] || return 0
		sleep 0.05
	done
}

teardown_file() {
	[ -z "${TEST_DIR:-}" ] || end_engine
}

# strace does not know that these sockets of other namespaces speak rtnetlink: its types are numbers, its attributes bytes.
NEWLINK=0x10 DELLINK=0x11 SETLINK=0x13 NEWADDR=0x14
# IFLA_NET_NS_FD and IFLA_NET_NS_PID with a value of four bytes
to_another='\\x08\\x00\\x(1c|13)\\x00'

@test "no device is moved between namespaces" {
	# a veth's peer is made in place: in a message that creates
	grep -qE "nlmsg_type=$NEWLINK [^}]*nlmsg_flags=NLM_F_REQUEST\|0x600[^}]*\}, \"[^\"]*$to_another" "$TEST_DIR/up.16"
	run grep -E "nlmsg_type=$NEWLINK [^}]*nlmsg_flags=NLM_F_REQUEST(\|NLM_F_ACK)?,[^}]*\}, \"[^\"]*$to_another" "$TEST_DIR"/up.*
	exits 1
	run grep "nlmsg_type=$SETLINK " "$TEST_DIR"/up.*
	exits 1
}

@test "no device is deleted by itself, on the way up or down" {
	run grep "nlmsg_type=$DELLINK " "$TEST_DIR"/up.*
	exits 1
}

@test "each veth end has one queue" {
	run jq -r '.[] | select(.linkinfo.info_kind == "veth") | "\(.num_tx_queues) \(.num_rx_queues)"' "$TEST_DIR/pod.json" "$TEST_DIR/node.json"
	[ "$(wc -l <<<"$output")" -ge 8 ]
	hasnt '^([02-9]|1[0-9])| ([02-9]|1[0-9])'
}

@test "no setting of a namespace is reached through the machine's /proc" {
	grep -q 'openat([0-9]*, "sys/net/' "$TEST_DIR/up.16"
	run grep -hE '"/proc/sys/net|openat\(AT_FDCWD, "/proc"' "$TEST_DIR"/up.*
	exits 1
	# a new private one for some dozens of namespaces, not one for each
	[ "$(grep -c 'fsopen("proc"' "$TEST_DIR/up.16")" -le 6 ]
}

@test "a pod more costs two messages, whatever the lab's size: its links, and what is on them" {
	local few many change
	# 0x14 is also a question for a socket, which has no further flags
	change="sendto\\(.*nlmsg_type=($NEWLINK |$NEWADDR [^}]*nlmsg_flags=NLM_F_REQUEST\\|)"
	few=$(grep -cE "$change" "$TEST_DIR/up.6")
	many=$(grep -cE "$change" "$TEST_DIR/up.16")
	echo "6 pods: $few, 16 pods: $many"
	[ "$few" -ge 12 ]
	[ $((many - few)) -le 20 ]
}

# Else what each pod says when it comes up is copied to all the others.
@test "where pods are many, the node's ends are up long before they are ports of a bridge" {
	local name='\\x11\\x00\\x03\\x00\\x76\\x65\\x74\\x68' joins='\\x08\\x00\\x0a\\x00' up first
	up=$(grep -nE "$name" "$TEST_DIR/up.70" | grep -vE "$to_another|$joins")
	first=$(grep -nE "$name.*$joins" "$TEST_DIR/up.70" | head -n 1 | cut -d: -f1)
	[ "$(grep -oE "$name" <<<"$up" | wc -l)" -ge 56 ]
	[ "$(head -n 1 <<<"$up" | cut -d: -f1)" -lt $((first - 32)) ]
	[ "$(tail -n 1 <<<"$up" | cut -d: -f1)" -lt "$first" ]
}

@test "no program is started for rules that labd can write itself" {
	[ "$(labctl engine status -o json | jq -r '[.. | .backend? // empty][0]')" = legacy ] || skip "the backend is nft"
	grep -q 'execve(' "$TEST_DIR/up.16"
	run grep -E 'execve\("[^"]*iptables' "$TEST_DIR"/up.*
	exits 1
}
