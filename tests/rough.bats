# Rough treatment of labd: a full disk, clients that go away, many at once, another labd in its place while traffic
# flows, a machine where it never ran. Death at every step is kill.bats'.

load lib/common.bash

setup() {
	need_root
	own_engine
	LAB=$ROOT/tests/lib/small.yaml
	echo '{apiVersion: v1, kind: Pod, metadata: {name: late}, spec: {nodeName: n1, containers: [{name: c, image: busybox}]}}' \
		>"$TEST_DIR/late.yaml"
	picture >"$TEST_DIR/before"
	export LABD_FAULTS=1
}

teardown() {
	[ -n "${TEST_DIR:-}" ] || return 0
	[ -z "${stream:-}" ] || kill "$stream" 2>/dev/null || true
	end_engine
	umount "$TEST_DIR/run" 2>/dev/null && rmdir "$TEST_DIR/run" "$TEST_DIR" || true
}

picture() {
	"$ROOT/tests/lib/host-state" "$TEST_DIR/run"
}

# With the engine stopped, and what it was doing for clients that are gone done, the machine is as before the test.
unchanged() {
	local i pid
	pid=$(labd_pid)
	[ "$pid" = null ] || until_true eval "! pgrep -P $pid >/dev/null"
	labctl engine stop >/dev/null
	for i in $(seq 40); do
		picture >"$TEST_DIR/after"
		cmp -s "$TEST_DIR/before" "$TEST_DIR/after" && return 0
		sleep 0.25
	done
	diff "$TEST_DIR/before" "$TEST_DIR/after"
}

labd_pid() {
	labctl engine status --engine host -o json | jq -r '.[0].pid'
}

# Wait (a bounded time) until a command succeeds.
until_true() {
	local i
	for i in $(seq 100); do
		"$@" && return 0
		sleep 0.1
	done
	echo "never true: $*"
	return 1
}

no_lab() { [ -z "$(labctl ls -o name)" ]; }
whole() { labctl diff -l small >"$TEST_DIR/diff" 2>&1; }
works() { [ "$(labctl exec -l "${1:-small}" client -- wget -qO- http://web/hostname)" = web ]; }

# ---- traffic while labd changes hands ----

stream_start() {
	"$BUILD/tests/stream" small-n1-client small-n2-web "$1" 7001 >"$TEST_DIR/stream" 2>&1 &
	stream=$!
	until_true grep -q running "$TEST_DIR/stream"
}

stream_end() {
	local rc=0
	kill "$stream"
	wait "$stream" || rc=$?
	stream=
	cat "$TEST_DIR/stream"
	return $rc
}

@test "no packet is lost while labd is stopped, killed and started again" {
	labctl up "$LAB"
	stream_start 10.96.7.7
	for how in TERM KILL TERM KILL; do
		pid=$(labd_pid)
		kill -$how "$pid"
		until_true eval "! kill -0 $pid 2>/dev/null"
		labctl ls >/dev/null # the next one takes over
		[ "$(labd_pid)" != "$pid" ]
		whole
	done
	stream_end
	works
}

@test "no packet is lost while another build of labd takes over" {
	labctl up "$LAB"
	stream_start 10.96.7.7
	mkdir "$TEST_DIR/new"
	id=$(sed -nE 's/.*\+([0-9a-f]{8})$/\1/p' <<<"$("$BUILD/labd" --version)")
	for program in labctl labd labd-init; do
		sed "s/+$id/+feedbeef/" "$BUILD/$program" >"$TEST_DIR/new/$program"
		chmod +x "$TEST_DIR/new/$program"
	done
	new=$TEST_DIR/new/labctl
	run "$new" get pods
	exits 1
	has "build .*feedbeef.*build .*$id"
	has 'hint: labctl engine stop'
	"$new" engine stop
	"$new" get pods
	run "$new" diff
	exits 0
	[ "$("$new" engine status --engine host -o json | jq -r '.[0].version' | cut -d+ -f2)" = feedbeef ]
	"$new" apply -f "$TEST_DIR/late.yaml"
	"$new" delete pod/late
	stream_end
	"$new" down
	"$new" engine stop
	unchanged
}

@test "no packet between two pods is lost while the lab around them changes" {
	labctl up "$LAB"
	stream_start "$(labctl get pod web -o json | jq -r .status.podIP)"
	labctl apply -f - <<-'Y'
		apiVersion: apps/v1
		kind: Deployment
		metadata: {name: more}
		spec:
		  replicas: 3
		  selector: {matchLabels: {app: more}}
		  template: {metadata: {labels: {app: more}}, spec: {containers: [{name: c, image: agnhost}]}}
	Y
	labctl scale deploy/more --replicas 1
	labctl diff --fix
	labctl delete deploy/more
	stream_end
}

# ---- a full disk ----

@test "a state directory without room: said so, undone; a lab on a full disk can be changed back and taken away" {
	mkdir "$TEST_DIR/run"
	local refused=0
	for kb in 4 8 12 64; do
		mount -t tmpfs -o "mode=755,size=${kb}k" labd-test "$TEST_DIR/run"
		run labctl up "$LAB"
		if [ "$status" != 0 ]; then
			echo "$kb KB: exit code $status: $output"
			exits 1
			has 'No space left'
			refused=$((refused + 1))
		fi
		labctl down --all
		no_lab
		labctl engine stop >/dev/null || true
		until_true umount "$TEST_DIR/run"
		until_true eval '! ip netns list | grep -q ^small-'
	done
	exits 0
	[ $refused -gt 0 ]
	mount -t tmpfs -o mode=755,size=256k labd-test "$TEST_DIR/run"
	labctl up "$LAB"
	dd if=/dev/zero of="$TEST_DIR/run/fill" bs=1k 2>/dev/null || true
	run labctl delete pod/client
	exits 1
	has 'No space left'
	works
	whole
	labctl down
	no_lab
	rm "$TEST_DIR/run/fill"
	labctl engine stop >/dev/null
	umount "$TEST_DIR/run"
	rmdir "$TEST_DIR/run"
	unchanged
}

# ---- clients ----

# slow VERB...: run it in the background, each step of it (labd/kernel/fault.h) taking $US microseconds more; $client is
# its pid.
slow() {
	LABCTL_FAULT="$1 slow ${US:-3000}" labctl "$@" >"$TEST_DIR/out" 2>&1 &
	client=$!
	sleep 0.7
	kill -0 $client
}

gone() {
	kill -"$1" $client
	rc=0
	wait $client || rc=$?
}

@test "a client that is killed during up: everything is undone" {
	slow up "$LAB"
	ip netns list | grep -q '^small-'
	gone KILL
	until_true no_lab
	unchanged
}

@test "SIGTERM to the client of up: it waits for the undoing and says so" {
	slow up "$LAB"
	gone TERM
	[ "$rc" = 130 ] || [ "$rc" = 143 ]
	grep -q 'undone' "$TEST_DIR/out"
	no_lab
	unchanged
}

@test "a client that goes away during apply, delete, down: what has begun is finished" {
	labctl up "$LAB"
	for signal in KILL INT; do
		US=10000 slow apply -f "$TEST_DIR/late.yaml"
		gone $signal
		until_true eval 'labctl get pod/late >/dev/null 2>&1 && whole'
		US=15000 slow delete pod/late
		gone $signal
		until_true eval '! labctl get pod/late >/dev/null 2>&1 && whole'
	done
	works
	US=50000 slow down
	gone KILL
	until_true no_lab
	unchanged
}

@test "a client that goes away during exec and trace: the program is hung up, the rules are taken back" {
	labctl up "$LAB"
	armed() { ip netns exec small-n1 sh -c 'iptables-legacy -t raw -S; nft list tables'; }
	armed >"$TEST_DIR/armed"
	labctl exec client -- sleep 4711 >/dev/null 2>&1 &
	client=$!
	until_true pgrep -fx 'sleep 4711'
	gone KILL
	until_true eval '! pgrep -fx "sleep 4711"'
	US=5000 slow trace client web:80
	gone KILL
	until_true eval 'armed | cmp -s - "$TEST_DIR/armed"'
	works
	labctl down
	unchanged
}

@test "two clients at once on one lab: one does it, the other waits or is told" {
	labctl engine start >/dev/null
	labctl up "$LAB" >"$TEST_DIR/one" 2>&1 &
	one=$!
	rc=0
	labctl up "$LAB" >"$TEST_DIR/two" 2>&1 || rc=$?
	wait $one || rc=$((rc + $?))
	[ $rc = 0 ] || grep -qE 'lab "small" is being changed by another command' "$TEST_DIR/one" "$TEST_DIR/two"
	[ $rc -le 1 ]
	works
	for n in 1 2 3 4; do
		labctl apply -f - <<<"{apiVersion: v1, kind: Pod, metadata: {name: p$n}, spec: {nodeName: n1, containers: [{name: c, image: busybox}]}}" &
	done
	wait
	[ "$(labctl get pods -o name | grep -c '^pod/p[1-4]$')" = 4 ]
	labctl down &
	labctl down small
	wait
	no_lab
	unchanged
}

@test "50 ups and downs of 10 labs at once" {
	labctl engine start >/dev/null
	for n in $(seq 50); do
		lab=lab$((n % 10))
		{
			rc=0
			labctl up "$LAB" --name $lab >"$TEST_DIR/up$n" 2>&1 || rc=$?
			[ $rc = 0 ] || grep -q "is being changed by another command" "$TEST_DIR/up$n" || cp "$TEST_DIR/up$n" "$TEST_DIR/bad$n"
			labctl down $lab >"$TEST_DIR/down$n" 2>&1 || cp "$TEST_DIR/down$n" "$TEST_DIR/bad$n"
		} &
	done
	wait
	! cat "$TEST_DIR"/bad* 2>/dev/null
	grep -l ' is up' "$TEST_DIR"/up* | wc -l
	labctl down --all
	no_lab
	unchanged
}

# ---- what is seen of long work ----

# What a terminal got, one drawing a line.
terminal() {
	script -qec "$*" "$TEST_DIR/typescript" >/dev/null </dev/null
	tr '\r' '\n' <"$TEST_DIR/typescript" | sed -E 's/\x1b\[[0-9]*[A-Z]//g'
}

@test "long work shows its steps with a rate and an estimate, on a terminal and elsewhere" {
	export TERM=xterm LABCTL_FAULT='up slow 3000'
	terminal labctl up "$LAB" >"$TEST_DIR/shown"
	grep -E '^  namespaces [0-9]+ of 8, [0-9]+/s, [0-9.]+ s left$' "$TEST_DIR/shown"
	grep -E '^  programs [0-9]+ of 8' "$TEST_DIR/shown"
	grep -E '^  n1 +############  up$' "$TEST_DIR/shown"
	# a line every two seconds, wherever it is then
	LABCTL_FAULT='up slow 6000' labctl up "$LAB" --name plain >"$TEST_DIR/out" 2>"$TEST_DIR/err"
	grep -E '^[a-z][a-z ]*( [0-9]+ of [0-9]+)?(, [0-9]+/s)?, [0-9.]+ s left$' "$TEST_DIR/err"
	! grep ' left' "$TEST_DIR/out"
}

@test "Ctrl-C twice: the first says what is done, the second does not wait; a change goes on" {
	slow up "$LAB"
	kill -INT $client
	until_true grep -q "^interrupted: undoing what was built (again: don't wait)$" "$TEST_DIR/out"
	gone INT
	[ "$rc" = 130 ]
	[ "$(grep -c '^interrupted' "$TEST_DIR/out")" = 1 ]
	until_true no_lab
	labctl engine stop >/dev/null
	labctl up "$LAB"
	US=50000 slow down
	kill -INT $client
	until_true grep -q "^interrupted: what has begun is finished (again: don't wait)$" "$TEST_DIR/out"
	gone INT
	[ "$rc" = 130 ]
	grep -q 'not waited for the engine, which goes on' "$TEST_DIR/out"
	until_true no_lab
	unchanged
}

# ---- a machine where labd never ran ----

@test "a machine where it never ran: a lab lives and goes, and nothing at all is left" {
	cat >"$TEST_DIR/fresh" <<-'S'
		set -e
		"$ROOT/tests/lib/host-state" >"$TEST_DIR/fresh.before"
		labctl up "$ROOT/tests/lib/small.yaml"
		[ "$(labctl exec client -- wget -qO- http://web/hostname)" = web ]
		labctl trace client web:80
		labctl delete pod/client
		if [ "$1" = killed ]; then kill -9 "$(labctl engine status --engine host -o json | jq -r '.[0].pid')"; fi
		labctl down
		labctl engine stop
		for i in $(seq 20); do
			"$ROOT/tests/lib/host-state" >"$TEST_DIR/fresh.after"
			cmp -s "$TEST_DIR/fresh.before" "$TEST_DIR/fresh.after" && exit 0
			sleep 0.2
		done
		diff "$TEST_DIR/fresh.before" "$TEST_DIR/fresh.after"
	S
	export ROOT TEST_DIR PATH
	for how in plain killed; do
		LABD_SOCKET=/run/labd/labd.sock FRESH=1 "$ROOT/tests/lib/own-machine" /tmp bash "$TEST_DIR/fresh" $how
	done
}
