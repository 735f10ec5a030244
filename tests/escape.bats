# Root in a node and in a pod against the machine: every attempt is refused, and what did not happen is looked at from outside.
# The attempts are those of tests/lib/escape.c; guest.bats makes them in a guest, too. docs/SECURITY.md says what they stand for.

bats_require_minimum_version 1.5.0
load lib/common.bash
load lib/escape.bash

setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	own_engine
	labctl up flannel-vxlan >&2
	labctl up flannel-vxlan --name other >&2
	put_escape labctl -l flannel-vxlan
	# what is to be got at: a file, a process, a socket and a link of the machine
	mkdir -m 755 "$TEST_DIR/machine"
	echo secret >"$TEST_DIR/machine/file"
	sleep 600 3>&- &
	echo $! >"$TEST_DIR/victim"
	ip link add labd-escape type bridge
	state >"$TEST_DIR/state"
	sha256sum "$BUILD"/labd "$BUILD"/labd-init "$BUILD"/labctl >"$TEST_DIR/programs"
}

teardown_file() {
	[ -n "${TEST_DIR:-}" ] || return 0
	kill "$(cat "$TEST_DIR/victim")" || true
	ip link delete labd-escape || true
	end_engine
}

setup() {
	need_root
}

# What of the machine an attempt could have changed.
state() {
	(cd /proc/sys && grep -H . kernel/{core_pattern,modprobe,hostname,panic,pid_max,dmesg_restrict,sysrq,kptr_restrict,printk} \
		vm/{overcommit_memory,swappiness} fs/{file-max,suid_dumpable} net/netfilter/nf_conntrack_max \
		net/core/{bpf_jit_enable,netdev_max_backlog} /sys/kernel/{uevent_helper,mm/transparent_hugepage/enabled} 2>/dev/null) || true
	cut -d' ' -f1 /proc/modules 2>/dev/null || true
	sed -E 's/^[0-9]+ [0-9]+ //; s/ (shared|master|propagate_from):[0-9]+//g' /proc/self/mountinfo | grep -v netns | sort
	cat /proc/swaps /proc/keys 2>/dev/null | grep escaped || true
	uname -n
}

# refused NAME [ARG]: the attempt, from a pod and from a node; then the machine is as it was.
refused() {
	local place
	for place in busybox3 node/node01; do
		run labctl -l flannel-vxlan exec "$place" -- /tmp/escape "$@"
		hasnt 'NOT REFUSED'
		exits 0
		has '^refused'
	done
	state | diff "$TEST_DIR/state" -
	kill -0 "$(cat "$TEST_DIR/victim")"
	[ ! -e /escaped ] && [ ! -e /usr/escaped ] && [ ! -e /etc/escaped ]
}

@test "the machine's files: by name, through /proc, out of a chroot, by handle" {
	refused files "$TEST_DIR/machine/file"
	run labctl -l flannel-vxlan exec busybox3 -- cat /etc/shadow "$TEST_DIR/machine/file"
	hasnt 'secret|root:'
}

@test "its programs and settings files are read-only" {
	before=$(stat -c '%a %s %Y' /usr/bin/env)
	refused readonly
	[ "$(stat -c '%a %s %Y' /usr/bin/env)" = "$before" ]
}

@test "mounts: new ones, writable ones, uncovering what is covered" {
	refused mounts
}

@test "devices: the disk by a node of one's own, memory, the kernel's log" {
	refused devices "$(mountpoint -d / | tail -1)"
}

@test "its processes are not seen, signalled, traced or read" {
	refused processes "$(cat "$TEST_DIR/victim")"
}

@test "kill -1 kills those inside; the lab and the machine live" {
	labctl -l flannel-vxlan exec busybox3 -- /tmp/escape kill-all || true # it dies of it
	kill -0 "$(cat "$TEST_DIR/victim")"
	run labctl -l flannel-vxlan exec busybox3 -- wget -qO- http://nginx-deployment
	has 'Welcome to nginx'
	run labctl ls
	has '^flannel-vxlan +host +running '
}

@test "namespaces: joining by /proc/PID/ns, making new ones" {
	refused namespaces
	[ "$(uname -n)" != escaped ]
}

@test "no descriptor leads out" {
	for place in busybox3 node/node01; do
		run labctl -l flannel-vxlan exec "$place" -- /tmp/escape descriptors
		hasnt 'NOT REFUSED'
		exits 0
	done
}

@test "labd on its way in cannot be seen or traced" {
	labctl -l flannel-vxlan exec busybox3 -- /tmp/escape watch 2 >"$TEST_DIR/watch" &
	watcher=$!
	for _ in $(seq 100); do
		grep -q watching "$TEST_DIR/watch" && break
		sleep 0.02
	done
	while kill -0 $watcher 2>/dev/null; do
		labctl -l flannel-vxlan exec busybox3 -- true || true
	done
	run cat "$TEST_DIR/watch"
	hasnt 'NOT REFUSED'
	has '^looked [1-9][0-9]+ times'
}

@test "labd-init and labd are not overwritten" {
	refused own-program
	sha256sum --quiet -c "$TEST_DIR/programs"
	run labctl -l other exec busybox3 -- /opt/labd/bin/agnhost --help
	hasnt 'not found|format error'
}

@test "settings of the kernel outside the namespace: sysctl, sysrq, sysfs" {
	refused settings
}

@test "system calls that reach the kernel itself: modules, kexec, reboot, bpf, perf, swap, clocks" {
	refused calls
	[ "$(date +%Y)" -gt 2000 ]
}

@test "keyrings of the machine's root" {
	refused keys
}

@test "ranks: priorities, core dumps for the machine's handler, limits that root shares, control groups" {
	refused ranks
	run labctl -l flannel-vxlan exec busybox3 -- cat /proc/self/limits /proc/1/limits
	[ "$(grep -cE '^Max core file size +[01] +[01] ' <<<"$output")" = 2 ]
}

@test "terminals: the machine's, labd's, line disciplines" {
	refused terminals
	run labctl -l flannel-vxlan exec busybox3 -- /tmp/escape terminals
	has '^refused: TIOCSTI'
}

@test "addresses of the kernel's code and data" {
	refused addresses
}

@test "sockets of other families, netlink that is the machine's" {
	refused families
	refused netlinks
}

@test "no setting that root of a node can write is the machine's" {
	labctl -l flannel-vxlan exec -i node/node01 -- sh -c '
		find /proc/sys/net -type f | while read -r f; do
			v=$(cat $f 2>/dev/null)
			case $v in "" | *[!0-9]*) continue ;; esac
			n=$((v == 0 ? 1 : v - 1))
			echo $n >$f && [ "$(cat $f)" = $n ] && echo "$f $v"
		done 2>/dev/null' >"$TEST_DIR/changed"
	[ "$(wc -l <"$TEST_DIR/changed")" -gt 300 ] # else it shows nothing
	# Once more, all of them at once, between two pictures of the machine.
	settings() { (cd / && cut -d" " -f1 "$TEST_DIR/changed" | xargs grep -H . 2>/dev/null) || true; }
	settings >"$TEST_DIR/settings"
	labctl -l flannel-vxlan exec -i node/node01 -- sh -c 'while read -r f v; do echo $v >$f; done 2>/dev/null' <"$TEST_DIR/changed"
	settings | diff "$TEST_DIR/settings" -
	labctl down flannel-vxlan
	labctl up flannel-vxlan
	put_escape labctl -l flannel-vxlan
}

@test "links that root of a pod or node plants where labd writes lead nowhere" {
	echo mine >"$TEST_DIR/machine/target"
	for place in busybox3 node/node01 node/master01 coredns; do
		labctl -l flannel-vxlan exec "$place" -- sh -c '
			for f in $(find /run /tmp /var -xdev -type f ! -name escape 2>/dev/null); do
				rm -f $f && ln -s $1/target $f
			done
			for d in /run/netns /run/lock /run/etc /run/log /run/shm; do
				rm -rf $d 2>/dev/null && ln -s $1 $d
			done; true' sh "$TEST_DIR/machine" || true
	done
	labctl -l flannel-vxlan apply -f - <<<'{apiVersion: v1, kind: Service, metadata: {name: planted}, spec: {clusterIP: None, selector: {app: x}, ports: [{port: 1}]}}' || true
	labctl -l flannel-vxlan scale deploy/nginx-deployment --replicas 3 || true
	labctl -l flannel-vxlan diff --fix || true
	labctl -l flannel-vxlan trace busybox3 nginx-deployment:80 || true
	[ "$(cat "$TEST_DIR/machine/target")" = mine ]
	[ "$(find "$TEST_DIR/machine" -mindepth 1 | wc -l)" = 2 ]
	labctl down flannel-vxlan
	state | diff "$TEST_DIR/state" -
	labctl up flannel-vxlan
	put_escape labctl -l flannel-vxlan
}

@test "names and comments that root of a node chose reach no terminal as control characters" {
	labctl -l flannel-vxlan exec node/node01 -- sh -c '
		n=$(printf "e\033[31m\007\302\233x")
		ip link add "$n" type bridge && ip addr add 10.9.9.9/24 dev "$n" && ip link set "$n" up
		ip route add 10.77.0.0/16 dev "$n"
		c=$(printf "x\033]0;owned\007y")
		iptables -t nat -I OUTPUT -m comment --comment "$c"
		iptables -t nat -I PREROUTING -m comment --comment "$c"'
	for call in diff 'describe node node01' 'describe svc nginx-deployment' 'trace busybox3 nginx-deployment:80' \
		'trace node/node01 nginx-deployment:80 --list' 'trace node/node01 10.77.1.1:80'; do
		# shellcheck disable=SC2086
		run labctl -l flannel-vxlan $call
		has '.'
		! grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' <<<"$output"
	done
	run labctl -l flannel-vxlan diff
	has 'link e.\[31m..+x was added by hand'
}

@test "sockets: labd's own, the machine's, abstract ones" {
	"$BUILD/tests/escape" listen labd-escape >"$TEST_DIR/listen" 3>&- &
	listener=$!
	for _ in $(seq 100); do
		grep -q listening "$TEST_DIR/listen" && break
		sleep 0.02
	done
	run "$BUILD/tests/escape" sockets labd-escape
	has 'NOT REFUSED: an abstract socket' # from the machine it can be reached
	refused sockets labd-escape
	kill $listener
}

@test "network namespaces that can be named from a node are its lab's" {
	run labctl -l flannel-vxlan exec node/node01 -- /tmp/escape netnsids
	hasnt 'labd-escape'
	run labctl -l flannel-vxlan exec node/node01 -- ip link set cni0 netns "$(cat "$TEST_DIR/victim")"
	[ "$status" != 0 ]
	ip link show labd-escape >/dev/null
	! ip link show cni0 2>/dev/null
}

@test "another lab with the same addresses: neither its processes nor its packets" {
	labctl -l other exec busybox3 -- sh -c 'sleep 4242 & echo started'
	run labctl -l flannel-vxlan exec node/node01 -- ps -eo args
	hasnt 'sleep 4242'
	before=$(labctl -l other exec busybox3 -- cat /sys/class/net/eth0/statistics/rx_packets)
	labctl -l flannel-vxlan exec busybox1 -- ping -c 3 -i 0.2 -q "$(labctl -l flannel-vxlan get pod -o json | jq -r '.items[] | select(.metadata.name | startswith("busybox3-")).status.podIP')" >/dev/null
	after=$(labctl -l other exec busybox3 -- cat /sys/class/net/eth0/statistics/rx_packets)
	[ $((after - before)) -le 3 ] # neighbour discovery of its own, not three pings and answers
	labctl -l flannel-vxlan exec node/node01 -- iptables -t nat -N ESCAPED
	run labctl -l other exec node/node01 -- iptables -t nat -S ESCAPED
	[ "$status" != 0 ]
}

@test "setuid programs give nothing, and there is nothing but the listed capabilities" {
	run labctl -l flannel-vxlan exec busybox3 -- cat /proc/self/status
	has '^NoNewPrivs:.1$'
	has '^CapBnd:.00000000a00425fb$' # what container runtimes give by default, without MKNOD
	has '^CapEff:.00000000a00425fb$'
	has '^Seccomp:.2$'
	run labctl -l flannel-vxlan exec node/node01 -- cat /proc/self/status
	has '^CapBnd:.00000000a00435fb$' # and NET_ADMIN
}

@test "the same in the user engine" {
	setpriv --reuid=64322 --regid=64322 --clear-groups unshare -Urnpm --fork test -x "$BUILD/labctl" || skip "no user namespaces"
	mkdir -p "$TEST_DIR/user"
	chmod 755 "$TEST_DIR"
	chown 64322:64322 "$TEST_DIR/user"
	as_user() {
		setpriv --reuid=64322 --regid=64322 --clear-groups env -i PATH="$PATH" LABD_LABS="$LABD_LABS" \
			XDG_RUNTIME_DIR="$TEST_DIR/user" labctl "$@"
	}
	as_user up flannel-vxlan --engine user
	put_escape as_user
	all_refused as_user "$TEST_DIR/machine/file" "$(cat "$TEST_DIR/victim")"
	as_user engine stop
	state | diff "$TEST_DIR/state" -
	kill -0 "$(cat "$TEST_DIR/victim")"
	sha256sum --quiet -c "$TEST_DIR/programs"
}

@test "labd itself has no more than it uses, with systemd's unit neither" {
	run cat "/proc/$(labctl engine status --engine host -o json | jq '.[0].pid')/status"
	has '^CapPrm:.00000000a82534fb$|^CapPrm:.00000000a8[0-9a-f]{6}$'
	has '^NoNewPrivs:.1$'
	# the unit's set is enough: a lab, its flows, a trace, and nothing left
	caps=$(sed -n 's/^CapabilityBoundingSet=//p' "$ROOT/docs/systemd/labd.service.in" | tr ' \n' ',' | sed 's/CAP_/+/g; s/,$//' | tr 'A-Z' 'a-z')
	export LABD_SOCKET=$TEST_DIR/unit/labd.sock
	setpriv --bounding-set="-all,$caps" --inh-caps="-all" labctl up flannel-vxlan --name unit
	run labctl verify unit
	exits 0
	run labctl -l unit trace busybox3 nginx-deployment:80
	exits 0
	labctl down unit
	labctl engine stop
}

@test "the systemd units verify, with an exposure of at most 6.5" {
	command -v systemd-analyze >/dev/null || skip "needs systemd"
	mkdir "$TEST_DIR/units"
	cp "$ROOT/docs/systemd/labd.socket" "$TEST_DIR/units"
	sed "s|@BINDIR@|$BUILD|" "$ROOT/docs/systemd/labd.service.in" >"$TEST_DIR/units/labd.service"
	run systemd-analyze verify --man=no "$TEST_DIR/units/labd.socket" "$TEST_DIR/units/labd.service"
	exits 0
	hasnt 'labd\.'
	run systemd-analyze security --offline=true --threshold=65 "$TEST_DIR/units/labd.service"
	exits 0
	run cat "$TEST_DIR/units/labd.socket"
	has '^SocketMode=0660$'
	has '^SocketGroup=labd$'
}

@test "who is neither root nor of group labd is told so, exit code 5" {
	run stat -c '%a %U' "$LABD_SOCKET"
	has '^660 root$'
	chmod 755 "$TEST_DIR"
	run setpriv --reuid=65534 --regid=65534 --clear-groups labctl -l flannel-vxlan exec busybox3 -- true
	exits 5
	has 'Permission denied'
	has 'hint: ask for membership of the group labd'
	chmod 666 "$LABD_SOCKET"
	for _ in $(seq 20); do # refused before the call is sent, or behind it
		run setpriv --reuid=65534 --regid=65534 --clear-groups labctl -l flannel-vxlan exec busybox3 -- true
		[ "$status" = 5 ] || break
	done
	chmod 660 "$LABD_SOCKET"
	exits 5
	has 'labd serves root and group labd, and uid 65534 is neither'
}
