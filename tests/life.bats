# A lab's life: nothing is lost when labd is killed, nothing stays when a lab goes.

load lib/common.bash

setup() {
	need_root
	own_engine
	cp "$ROOT/tests/lib/small.yaml" "$TEST_DIR"
	"$ROOT/tests/lib/host-state" >"$TEST_DIR/before"
}

teardown() {
	[ -n "${TEST_DIR:-}" ] && end_engine
}

# The machine is as it was before the test, but for the engine itself.
unchanged() {
	local i
	for i in $(seq 40); do
		"$ROOT/tests/lib/host-state" >"$TEST_DIR/after"
		diff <(grep -vE 'labd|^labd' "$TEST_DIR/before") <(grep -vE 'labd' "$TEST_DIR/after") >"$TEST_DIR/diff" && return 0
		sleep 0.25
	done
	cat "$TEST_DIR/diff"
	return 1
}

labd_pid() {
	labctl engine status -o json | jq -r 'if type=="array" then .[] else . end | (.engines? // [.])[] | select(.engine == "host") | .pid'
}

@test "down of nothing succeeds, also by name; an unknown lab to exec in is exit 3" {
	run labctl down
	exits 0
	run labctl down never-was
	exits 0
	run labctl exec -l never-was x -- true
	exits 3
}

@test "up, a packet, down: the machine is as it was" {
	labctl up "$TEST_DIR/small.yaml"
	run labctl exec client -- wget -qO- http://web/hostname
	is web
	labctl down small
	unchanged
}

# Options that Debian's busybox lacks; Kubernetes' own pages look at Services and NetworkPolicies with them.
@test "a pod's wget has timeouts, in each of their spellings, and its nc looks at ports" {
	local to ip
	labctl up "$TEST_DIR/small.yaml"
	for to in '-T 2' -T2 --timeout=2 '--timeout 2' '-qT 2'; do
		# shellcheck disable=SC2086
		run labctl exec client -- wget $to -qO- http://web/hostname
		is web
	done
	run labctl exec client -- wget --spider --timeout=1 http://10.244.0.77
	exits 1
	has '^wget: download timed out$'
	run labctl exec client -- wget -T 1 -qO- http://192.0.2.12:1
	exits 1
	has '^wget: can.t connect to remote host \(192.0.2.12\): Connection refused$'
	ip=$(labctl get svc/web -o json | jq -r .spec.clusterIP)
	run labctl exec client -- nc -zv -w 2 web 80
	exits 0
	is "web ($ip:80) open"
	run labctl exec client -- nc -z 192.0.2.12 1
	exits 1
	is 'nc: 192.0.2.12 (192.0.2.12:1): Connection refused'
	run labctl exec client -- nc -vz -w 1 10.244.0.77 80
	exits 1
	is 'nc: 10.244.0.77 (10.244.0.77:80): Connection timed out'
	# also at the prompt of a busybox sh, which has them built in
	run script -qec "labctl exec -it client -- sh" /dev/null <<<'wget -T 2 -qO- http://web/hostname; nc -zv web 80; exit'
	has "^webweb \($ip:80\) open"
	labctl down small
	unchanged
}

@test "labs and their traffic survive kill -9 of labd, and the next labd takes them over" {
	labctl up "$TEST_DIR/small.yaml"
	pid=$(labd_pid)
	kill -9 "$pid"
	run labctl exec client -- wget -qO- http://web/hostname
	is web
	[ "$(labd_pid)" != "$pid" ]
	run labctl ls
	has '^small +host +'
	labctl down small
	unchanged
}

@test "a container's program that is not there: up says which, hints, and undoes everything" {
	sed 's|image: busybox|image: busybox, command: [/app/server, --port=1]|' "$TEST_DIR/small.yaml" >"$TEST_DIR/app.yaml"
	run labctl up "$TEST_DIR/app.yaml"
	exits 1
	has '^labctl: n1-client: c: /app/server: No such file or directory$'
	has "^  hint: a container's programs are this machine's own"
	run labctl ls
	has 'no lab is running'
	unchanged
}

@test "names longer than a host name can be: a node and a pod of 253 characters" {
	local long
	long=$(printf 'a%.0s' $(seq 61))
	long=$long.$long.$long.$long
	sed -E "s/([nN]ame: )n2/\\1$long/; s/name: web, labels/name: ${long%?????}, labels/" "$TEST_DIR/small.yaml" >"$TEST_DIR/long.yaml"
	labctl up "$TEST_DIR/long.yaml"
	run labctl exec client -- wget -qO- http://web/hostname
	is "$(cut -c -63 <<<"$long")"
	run labctl get nodes -o name
	has "^node/$long$"
	labctl down
	unchanged
}

@test "labd started by a socket, as systemd does it; engine stop does not wake it up again" {
	command -v systemd-socket-activate >/dev/null || skip "needs systemd-socket-activate"
	mkdir "$TEST_DIR/run"
	systemd-socket-activate -l "$LABD_SOCKET" "$BUILD/labd" --engine=host --idle-exit=60 --socket="$LABD_SOCKET" \
		>"$TEST_DIR/activate.log" 2>&1 &
	activated=$!
	for _ in $(seq 50); do
		[ -S "$LABD_SOCKET" ] && break
		sleep 0.1
	done
	labctl up "$TEST_DIR/small.yaml"
	[ "$(labd_pid)" = $activated ]
	labctl down small
	labctl engine stop
	wait $activated
	rm "$LABD_SOCKET"
	unchanged
}

@test "when down has answered nothing of the lab is to be seen, and it comes up again at once" {
	local i
	for i in 1 2 3; do
		labctl up "$TEST_DIR/small.yaml"
		labctl down small
		run ip netns
		hasnt '^small-'
		run labctl ls -o name
		hasnt small
	done
	# a daemon that is killed over the rest: the next one does it
	labctl up "$TEST_DIR/small.yaml"
	labctl down small
	kill -9 "$(labd_pid)"
	labctl up "$TEST_DIR/small.yaml"
	run labctl exec client -- wget -qO- http://web/hostname
	is web
	labctl down small
	kill -9 "$(labd_pid)"
	labctl ls >/dev/null # whoever comes next is enough
	for i in $(seq 100); do
		[ -n "$(find "$TEST_DIR/run/labs" -name '.small.*')" ] || break
		sleep 0.1
	done
	[ "$i" -lt 100 ]
	unchanged
}

@test "two labs with the same addresses run side by side" {
	labctl up "$TEST_DIR/small.yaml"
	labctl up "$TEST_DIR/small.yaml" --name twin
	run labctl exec client -- true
	exits 2
	has 'several labs are running: small, twin'
	for lab in small twin; do
		run labctl exec -l $lab client -- wget -qO- http://web/hostname
		is web
	done
	labctl down --all
	unchanged
}

@test "a namespace of the same name that is somebody else's is an error and stays" {
	ip netns add small-n2
	run labctl up "$TEST_DIR/small.yaml"
	exits 1
	has '/run/netns/small-n2 exists already'
	ip netns list | grep -q '^small-n2'
	run ip netns list
	hasnt 'small-n1'
	ip netns delete small-n2
}

@test "Ctrl-C during up undoes everything" {
	LABD_FAULTS=1 labctl engine start >/dev/null
	LABCTL_FAULT='up slow 3000' labctl up "$TEST_DIR/small.yaml" >"$TEST_DIR/out" 2>&1 &
	pid=$!
	sleep 1
	ip netns list | grep -q '^small-'
	kill -INT $pid
	rc=0
	wait $pid || rc=$?
	[ "$rc" = 130 ]
	grep -q 'undone' "$TEST_DIR/out"
	run labctl ls
	hasnt small
	unchanged
}

@test "structure: no device is moved between namespaces and none deleted one by one" {
	command -v strace >/dev/null || skip "needs strace"
	labctl engine start >/dev/null
	strace -f -qq -e trace=sendmsg,sendto -o "$TEST_DIR/trace" -p "$(labd_pid)" &
	tracer=$!
	sleep 0.3
	labctl up "$TEST_DIR/small.yaml"
	labctl down small
	for _ in $(seq 100); do # the end of its processes, which the tracer must not miss
		compgen -G "$TEST_DIR/run/labs/.small.*" >/dev/null || break
		sleep 0.1
	done
	kill $tracer
	wait $tracer || true
	run cat "$TEST_DIR/trace"
	hasnt 'RTM_DELLINK'
	hasnt 'RTM_SETLINK.*IFLA_NET_NS'
}
