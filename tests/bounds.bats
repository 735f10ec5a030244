# Nodes and pods cannot exhaust the machine: processes, memory, files and logs of a lab have bounds, and those are the lab's alone.

bats_require_minimum_version 1.5.0
load lib/common.bash
load lib/escape.bash

setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	own_engine
	lab_file bounded 120 64Mi >"$TEST_DIR/bounded.yaml"
	lab_file beside 1000 256Mi >"$TEST_DIR/beside.yaml"
	cat >>"$TEST_DIR/beside.yaml" <<-Y
		---
		apiVersion: v1
		kind: Pod
		metadata: {name: talker}
		spec: {nodeName: n1, containers: [{name: c, image: busybox, command: [sh, -c, "while true; do echo $(printf 'x%.0s' {1..200}); done"]}]}
	Y
	labctl up "$TEST_DIR/bounded.yaml" >&2
	labctl up "$TEST_DIR/beside.yaml" >&2
	# shellcheck disable=SC2155
	export CGROUPS=$(labctl doctor -o json | jq '.host.rows[] | select(.name == "control groups").ok')
	labctl -l bounded exec -i eater -- sh -c 'cat >/tmp/escape; chmod 755 /tmp/escape' <"$BUILD/tests/escape"
}

teardown_file() {
	[ -z "${TEST_DIR:-}" ] || end_engine
}

setup() {
	need_root
}

need_cgroups() {
	[ "$CGROUPS" = true ] || skip "no control groups can be made here"
}

groups_of_labs() {
	find /sys/fs/cgroup -path '*/labd/*' -name "*.$(stat -Lc %i /proc/self/ns/net)-*" -type d 2>/dev/null
}

alive() {
	run labctl -l "$1" exec eater -- wget -qO- http://"$(labctl -l "$1" get pod web -o json | jq -r '(.items[0] // .).status.podIP')":8080/hostname
	has '^web$'
}

@test "a fork bomb in a pod ends at the lab's bound, not the machine's; the others go on; down ends it" {
	need_cgroups
	labctl -l bounded exec eater -- /tmp/escape fork-bomb >"$TEST_DIR/bomb" &
	for _ in $(seq 200); do
		grep -q made "$TEST_DIR/bomb" && break
		sleep 0.05
	done
	run cat "$TEST_DIR/bomb"
	has '^made [0-9]{1,3}, then Resource temporarily unavailable'
	made=$(awk '{print $2}' "$TEST_DIR/bomb")
	[ "$made" -gt 20 ] && [ "${made%,}" -lt 120 ]
	alive beside
	(exec true) # the machine makes processes
	run labctl -l bounded exec eater -- sh -c 'ls | cat'
	[ "$status" != 0 ]
	labctl down bounded
	for _ in $(seq 50); do # they are killed, and down does not wait for their end
		pgrep -f '^/tmp/escape fork-bomb' >/dev/null || break
		sleep 0.1
	done
	[ -z "$(pgrep -f '^/tmp/escape fork-bomb' || true)" ]
	labctl up "$TEST_DIR/bounded.yaml"
	labctl -l bounded exec -i eater -- sh -c 'cat >/tmp/escape; chmod 755 /tmp/escape' <"$BUILD/tests/escape"
}

@test "one who eats memory dies alone" {
	need_cgroups
	run labctl -l bounded exec eater -- /tmp/escape eat-memory 400
	exits 137
	hasnt 'ate it all'
	alive bounded
	alive beside
	run labctl ls
	has '^bounded +host +running'
}

@test "a full disk is full at the bound of the namespace" {
	need_cgroups
	run labctl -l beside exec -i eater -- sh -c 'cat >/tmp/escape; chmod 755 /tmp/escape' <"$BUILD/tests/escape"
	run labctl -l beside exec eater -- /tmp/escape fill-disk
	has '^wrote ([1-5]?[0-9]|6[0-4]) MiB$'
	alive beside
}

@test "a pod that prints for ever keeps a bounded log" {
	for _ in $(seq 100); do
		size=$(labctl -l beside exec talker -- sh -c 'cat /run/log/c.log* | wc -c')
		[ "$size" -gt 600000 ] && break
		sleep 0.1
	done
	[ "$size" -gt 500000 ] # it has begun anew at least once
	[ "$size" -le 1100000 ]
	[ "$(du -sk "$(dirname "$LABD_SOCKET")" | cut -f1)" -lt 1000 ]
}

@test "the groups have the bounds of the file, and go with their lab, also after a crash" {
	need_cgroups
	run groups_of_labs
	has '/labd/bounded\.'
	run sh -c 'cat $(find $(cat) -name pids.max)' < <(groups_of_labs | grep bounded)
	has '^120$'
	run sh -c 'cat $(find $(cat) \( -name memory.max -o -name memory.limit_in_bytes \))' < <(groups_of_labs | grep bounded)
	has '^67108864$'
	kill -9 "$(labctl engine status -o json | jq '.[0].pid')"
	labctl ls >/dev/null
	labctl engine stop >/dev/null
	LABD_FAULTS=1 labctl engine start >/dev/null
	LABCTL_FAULT='up kill 60' labctl up flannel-vxlan --name crashed >"$TEST_DIR/crashed" 2>&1 && false
	groups_of_labs | grep '/labd/crashed\.' # it had got so far
	labctl ls >/dev/null
	run groups_of_labs
	hasnt '/labd/crashed\.'
	labctl down --all
	for _ in $(seq 50); do # they go when the last process has ended, which down does not wait for
		groups_of_labs | grep -qE '/labd/(bounded|beside)\.' || break
		sleep 0.1
	done
	run groups_of_labs
	hasnt '/labd/(bounded|beside)\.'
}

@test "what the file says of limits is checked" {
	sed -i 's/processes: 120/processes: 5/; s/64Mi/64Mb/' "$TEST_DIR/bounded.yaml"
	run labctl up "$TEST_DIR/bounded.yaml"
	exits 2
	has 'spec.limits.processes: 5 is not between 32 and'
	has 'spec.limits.memory: .64Mb. is not an amount of memory such as 512Mi'
}
