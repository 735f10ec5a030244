# Nothing lost, nothing left, in the guest engine: labd in there killed, or its kernel refusing, at every step, the engine
# around it going on; and a guest that is killed itself, in each of its parts. The machine is looked at from outside, where
# each process of the guest is one of the machine's. What a lab leaves in the guest's kernel is seen by kill.bats in a guest
# (check-long).

KILL_ENGINE=guest KILL_LAB=${KILL_GUEST_LAB:-calico-ipip} KILL_EVERY=${KILL_EVERY:-83} KILL_FROM=${KILL_FROM:-7}
load lib/common.bash
load lib/kill.bash

setup_file() {
	have_guest || return 0
	own_engine
	picture >"$TEST_DIR/none"
	idle_engine
}

teardown_file() {
	[ -z "${TEST_DIR:-}" ] || end_engine
}

setup() {
	need_guest
}

@test "labd in a guest is killed: up" { row up kill; }
@test "labd in a guest is killed: down" { row down kill; }
@test "labd in a guest is killed: apply" { row apply kill; }
@test "labd in a guest is killed: trace" { row trace kill; }
@test "a guest's kernel refuses: up" { row up fail; }
@test "a guest's kernel refuses: apply" { row apply fail; }

# parts: what a guest consists of on this machine, one "NAME PID" a line.
parts() {
	local engine warden cell
	engine=$(labctl engine status -o json | jq -r '.[] | select(.engine == "guest") | .pid')
	warden=$(pgrep -P "$engine")
	cell=$(pgrep -P "$warden")
	printf '%s\n' "engine $engine" "warden $warden" "cell $cell" "kernel $(pgrep -P "$cell" | head -n 1)"
}

@test "a guest of which a part is killed: the next one starts, and when that is stopped nothing is left of both" {
	local victims list p
	labctl engine stop >/dev/null
	same_as "$TEST_DIR/none"
	for victims in kernel 'engine warden' ${KILL_ALL_PARTS:+engine warden cell 'engine warden cell' 'warden cell kernel'}; do
		labctl up "$ROOT/tests/lib/small.yaml" >/dev/null
		parts >"$TEST_DIR/parts"
		list=$(for p in $victims; do sed -n "s/^$p //p" "$TEST_DIR/parts"; done)
		[ "$(wc -w <<<"$list")" = "$(wc -w <<<"$victims")" ]
		# shellcheck disable=SC2086
		kill -9 $list
		for p in 1 2 3 4 5; do # who comes while the old one is dying is told so
			labctl engine start --engine guest >"$TEST_DIR/out" 2>&1 && break
			grep -qE 'the guest died|the engine has gone away without an answer' "$TEST_DIR/out" || { echo "after killing $victims: $(cat "$TEST_DIR/out")"; return 1; }
		done
		labctl engine stop >/dev/null
		same_as "$TEST_DIR/none" || { echo "after killing $victims"; return 1; }
	done
}
