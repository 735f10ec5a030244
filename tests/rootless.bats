# The user engine: the same labs on this kernel, without root. The tests run it as a user without a name.

bats_require_minimum_version 1.5.0
load lib/common.bash

ID=64321 # nobody's on this machine

setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	setpriv --reuid=$ID --regid=$ID --clear-groups unshare -Urnpm --fork true 2>/dev/null || return 0
	setpriv --reuid=$ID --regid=$ID --clear-groups test -x "$BUILD/labctl" || return 0
	TEST_DIR=$(mktemp -d)
	export TEST_DIR
	chmod 755 "$TEST_DIR"
	mkdir "$TEST_DIR/user"
	chown $ID:$ID "$TEST_DIR/user"
	machine >"$TEST_DIR/before"
	as_user labctl up flannel-vxlan >"$TEST_DIR/up" 2>&1
}

teardown_file() {
	[ -n "${TEST_DIR:-}" ] || return 0
	as_user labctl engine stop >/dev/null 2>&1 || true
	rm -rf "$TEST_DIR"
}

setup() {
	[ "$(id -u)" = 0 ] || skip "needs root, to be another user"
	[ -n "${TEST_DIR:-}" ] || skip "no user namespaces for ordinary users, or an unreadable build"
}

# as_user COMMAND...: as the user, with a clean environment but for variables given before the command.
as_user() {
	setpriv --reuid=$ID --regid=$ID --clear-groups env -i HOME=/nonexistent PATH="$PATH" LC_ALL=C.UTF-8 \
		NO_COLOR=1 LABD_LABS="$LABD_LABS" XDG_RUNTIME_DIR="$TEST_DIR/user" "$@"
}

# Everything that labd could have changed on this machine, but for its processes.
machine() {
	"$ROOT/tests/lib/host-state" | sed '/^== sockets/,/^== groups/d; /^4026[0-9]*$/d' # and their namespaces
}

processes() {
	ps -o args= -u $ID
}

gone() {
	for _ in $(seq 100); do
		[ -z "$(processes)" ] && return 0
		sleep 0.05
	done
	processes
	return 1
}

@test "an ordinary user's up takes the user engine, without a word" {
	run cat "$TEST_DIR/up"
	has '^lab flannel-vxlan is up: 3 nodes, 7 pods, 1 outside host; user engine'
	hasnt 'guest'
	run as_user labctl ls
	has '^flannel-vxlan +user +running +3 +7 +1 '
	run as_user labctl engine status
	has '^user +running '
}

@test "no process of it has another user's id, and nobody else sees anything of it" {
	[ "$(pgrep -c -u $ID -x 'labd|pause|init|nginx|dnsmasq')" -ge 12 ]
	for p in $(pgrep -u $ID); do
		run grep -hE '^(Uid|Gid):' "/proc/$p/status"
		hasnt "^.id:.*[^0-9](0|$((ID - 1)))([^0-9]|\$)"
	done
	machine >"$TEST_DIR/during"
	diff "$TEST_DIR/before" "$TEST_DIR/during"
}

@test "every pair of pods, every Service, every documented flow" {
	run as_user labctl verify
	exits 0
	has '^[0-9]+ checks, 0 failed'
	run as_user labctl diff
	exits 0
}

@test "a trace has the rules, the encapsulation and both directions" {
	run as_user labctl flow clusterip-cross-node --list
	exits 0
	has 'nat PREROUTING.*OBSERVED.*10\.107\.254\.44'
	has 'encap +OBSERVED .*VXLAN id 1'
	has 'SYN-ACK +busybox3 +eth0 in '
}

@test "programs that change their user do, as far as they can tell" {
	run as_user labctl exec node/node01 -- sh -c '(sleep 0.3; ping -c2 -i0.2 127.0.0.1 >/dev/null) & tcpdump -c2 -nli lo icmp 2>&1'
	exits 0
	has 'ICMP echo request'
	run as_user labctl exec busybox3 -- wget -qO- http://nginx-deployment
	has 'Welcome to nginx'
	run as_user labctl exec nginx-deployment -- sh -c 'touch /tmp/f && chown 33:33 /tmp/f && echo done'
	has '^done$'
}

@test "root in a node has its network and nothing of the machine" {
	run as_user labctl exec node/node01 -- sh -c 'sysctl -w net.ipv4.conf.all.rp_filter=2; iptables -t nat -L KUBE-SERVICES -n | wc -l'
	exits 0
	has '^net.ipv4.conf.all.rp_filter = 2$'
	run as_user labctl exec node/node01 -- sh -c 'cat /etc/shadow; ls /root /home; echo x >/usr/x; echo 1 >/proc/sys/kernel/panic; echo b >/proc/sysrq-trigger'
	[ "$status" != 0 ]
	[ ! -e /usr/x ]
	as_user labctl exec node/node01 -- sysctl -qw net.ipv4.conf.all.rp_filter=0
}

@test "rlimits stand in for control groups" {
	run as_user labctl exec busybox3 -- sh -c 'grep -E "processes|data size" /proc/self/limits /proc/1/limits'
	# 1024 + 64 each for 3 nodes, 7 pods and a host, and 1024 for the user's other labs; 1 GiB + 64 MiB each, at most 3/4 of the machine
	has '/self/limits:Max processes +2752 +2752 '
	has '/1/limits:Max processes +2752 +2752 '
	has '/self/limits:Max data size +[0-9]+ '
	hasnt '/1/limits:Max data size +unlimited'
}

@test "the server inside crashes: labs live on" {
	server=$(pgrep -u $ID -P "$(pgrep -u $ID -P "$(pgrep -o -u $ID -x labd)" -x labd)" -x labd)
	[ -n "$server" ]
	kill -9 "$server"
	run as_user labctl exec busybox3 -- wget -qO- http://nginx-deployment
	has 'Welcome to nginx'
	run as_user labctl ls
	has '^flannel-vxlan +user +running '
}

@test "a lab this kernel is not made for: says what is missing, exit code 6" {
	[ ! -e /sys/module/ipip ] || skip "this kernel has ipip"
	run as_user labctl up calico-ipip --engine user
	exits 6
	has 'this kernel has no ipip'
	has 'hint: .*--engine guest'
	run as_user env LABD_GUEST_KERNEL=/nonexistent labctl up calico-ipip
	exits 6
	has 'hint: .*user-mode-linux'
}

@test "doctor tells which engines work here" {
	run as_user labctl doctor
	has '^  ok +host engine +needs root'
	has '^  ok +user engine '
	has '^user engine: kernel .*, iptables '
	run labctl doctor -o json
	[ "$(jq -r '.machine[] | select(.name == "user engine").ok' <<<"$output")" = true ]
	labctl engine stop --engine host >/dev/null
}

@test "down, and stop: nothing is left" {
	run as_user labctl down
	has '^lab flannel-vxlan is gone$'
	run as_user labctl up flannel-vxlan --engine user
	exits 0
	run as_user labctl engine stop
	has '^the user engine is stopped$'
	has '^lab flannel-vxlan went with it$'
	gone
	[ -z "$(find "$TEST_DIR/user" -mindepth 1)" ]
	machine >"$TEST_DIR/after"
	diff "$TEST_DIR/before" "$TEST_DIR/after"
}

@test "labd is killed: all that was in its room goes, and the next one starts" {
	as_user labctl up flannel-host-gw --engine user
	kill -9 "$(pgrep -o -u $ID -x labd)"
	gone
	run as_user labctl up flannel-host-gw
	exits 0
	has 'user engine'
	as_user labctl engine stop
	gone
}

@test "where users may make no namespaces: says so, exit code 6; up goes on to the guest" {
	# the limit of a user namespace of our own, so that nothing of the machine changes
	forbidden() {
		local pid
		rm -f "$TEST_DIR/go"
		mkfifo "$TEST_DIR/go"
		unshare -U --keep-caps sh -c \
			'read -r _ <"$0"; echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"' "$TEST_DIR/go" \
			setpriv --reuid=$ID --regid=$ID --clear-groups env -i HOME=/nonexistent PATH="$PATH" NO_COLOR=1 \
			LABD_GUEST_KERNEL=/nonexistent LABD_LABS="$LABD_LABS" XDG_RUNTIME_DIR="$TEST_DIR/user" labctl "$@" &
		pid=$!
		exec 7>"$TEST_DIR/go" # opens when it reads
		echo '0 0 65536' >/proc/$pid/uid_map
		echo '0 0 65536' >/proc/$pid/gid_map
		echo >&7
		exec 7>&-
		wait $pid
	}
	run forbidden up flannel-vxlan --engine user
	exits 6
	has 'the user engine did not start: this machine lets no ordinary user make namespaces'
	has 'hint: sysctl'
	run forbidden up flannel-vxlan
	exits 6
	has 'or use the guest kernel: apt-get install user-mode-linux'
	run forbidden doctor
	has '^  -- +user engine +.*no ordinary user'
}

@test "with newuidmap and a range of ids programs really change their user" {
	command -v newuidmap >/dev/null || skip "needs uidmap"
	as_user labctl engine stop
	gone
	cat /etc/passwd - <<<"labdtest:x:$ID:$ID::/:/bin/sh" >"$TEST_DIR/passwd"
	# newuidmap wants a user with a name and a range; he has them in a mount namespace of our own
	echo "labdtest:200000:65536" | tee "$TEST_DIR/subuid" >"$TEST_DIR/subgid"
	unshare -m sh -c 'for f in passwd subuid subgid; do mount --bind "$0/$f" "/etc/$f" || exit; done; exec "$@"' "$TEST_DIR" \
		setpriv --reuid=$ID --regid=$ID --clear-groups env -i HOME=/nonexistent PATH="$PATH" \
		LABD_LABS="$LABD_LABS" XDG_RUNTIME_DIR="$TEST_DIR/user" labctl up flannel-vxlan --engine user
	run as_user labctl exec nginx-deployment -- sh -c 'touch /tmp/f && chown 33:33 /tmp/f && stat -c %u /tmp/f'
	has '^33$'
	run as_user labctl exec node/node01 -- sh -c 'sleep 0.3; ping -c2 -i0.2 127.0.0.1 >/dev/null & tcpdump -c2 -nli lo icmp 2>&1'
	exits 0
	has 'ICMP echo request'
	as_user labctl engine stop
	gone
}

@test "root has the host engine, and is told so" {
	run labd --engine=user --socket="$TEST_DIR/x/labd.sock"
	exits 5
	has 'for ordinary users'
}
