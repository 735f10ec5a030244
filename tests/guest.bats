# The guest engine: the documented Calico cluster, flannel too, every verb through it, and nothing left.

bats_require_minimum_version 1.5.0
load lib/common.bash
load lib/escape.bash

setup_file() {
	have_guest || return 0
	own_engine
	labctl up calico-ipip --engine guest >&2
}

teardown_file() {
	[ -z "${TEST_DIR:-}" ] || end_engine
}

setup() {
	need_guest
}

transcript() {
	run "$BUILD/tests/transcript" "$BUILD/labctl" "$1" "$ROOT/tests/golden/$2.transcript.yaml"
	echo "$output" | grep -E '^(not ok|#)' || true
	exits 0
}

@test "calico-ipip: the transcript of the real cluster, command by command" {
	transcript calico-ipip calico-ipip
}

@test "the document's pod listing: restarts, addresses, nodes" {
	run labctl get pod -o wide
	has '^busybox1-857448d9ff-shdfz +1/1 +Running +1 \(.* ago\) +[0-9a-z]+ +10\.244\.140\.65 +node02 +<none> +<none>$'
	has '^nginx-deployment-6b9d659f5f-qbchs +1/1 +Running +1 \(.* ago\) +[0-9a-z]+ +10\.244\.140\.66 +node02 '
	has '^busybox3-c997b9cc4-tlvrq +1/1 +Running +1 \(.* ago\) +[0-9a-z]+ +10\.244\.196\.131 +node01 '
	run labctl get svc nginx-deployment
	has '^nginx-deployment +NodePort +10\.107\.254\.44 +<none> +80:30008/TCP '
}

@test "a pod's iflink is its cali device's index" {
	index=$(labctl exec nginx-deployment -- cat /sys/class/net/eth0/iflink)
	run labctl exec node/node02 -- ip link show
	has "^$index: caliae3c1d6879e@if[0-9]+: "
}

@test "the cross-node request goes through tunl0 as protocol 4 and is not masqueraded" {
	before=$(labctl exec node/node01 -- cat /sys/class/net/tunl0/statistics/tx_packets)
	labctl exec busybox3 -- wget -qO- http://nginx-deployment.default.svc.cluster.local >/dev/null
	after=$(labctl exec node/node01 -- cat /sys/class/net/tunl0/statistics/tx_packets)
	[ "$after" -gt "$before" ]
	run labctl exec node/node01 -- conntrack -L -p tcp --orig-dst 10.107.254.44
	has 'src=10\.244\.196\.131 dst=10\.107\.254\.44 .* src=10\.244\.140\.66 dst=10\.244\.196\.131'
}

@test "tunl0 is where a machine has it: younger than the NIC, idle in a pod; so a local pod sees ens192's address" {
	[ "$(labctl exec node/node02 -- ip -br link | awk '{print $1}' | grep -nE '^(ens192@|tunl0@)' | sed 's/@.*//')" = $'2:ens192\n4:tunl0' ]
	run labctl exec node/node02 -- ip -d link show tunl0
	has 'ipip any remote any local any ttl inherit nopmtudisc'
	run labctl exec busybox3 -- ip link
	has '^2: tunl0@NONE: <NOARP> mtu 1480 '
	has '^4: eth0@if[0-9]+: '
	labctl exec host/client -- curl -sf -m 5 -o /dev/null http://100.100.137.202:30008/
	run labctl exec node/node02 -- conntrack -L -p tcp --orig-src 100.100.137.10
	has ' src=10\.244\.140\.66 dst=100\.100\.137\.202 '
}

@test "ipsets and Felix's nat chains are there" {
	run labctl exec node/node01 -- ipset list cali40all-ipam-pools
	has '^10\.244\.0\.0/16$'
	run labctl exec node/node01 -- iptables -t nat -S cali-nat-outgoing
	has 'cali:flqWnvo8yq4ULQLa.* -m set --match-set cali40masq-ipam-pools src -m set ! --match-set cali40all-ipam-pools dst -j MASQUERADE'
}

@test "exec: exit codes, binary streams, a terminal" {
	run labctl exec busybox1 -- sh -c 'exit 7'
	exits 7
	head -c 1000000 /dev/urandom >"$TEST_DIR/in"
	run bash -c 'labctl exec busybox1 -i -- cat <"$TEST_DIR/in" | cmp - "$TEST_DIR/in"'
	exits 0
	run script -qec "labctl exec -it busybox1 -- sh -c 'tty; stty size'" /dev/null </dev/null
	has '/dev/pts/[0-9]+'
}

@test "flannel-vxlan runs in the guest too, transcript and all, beside calico" {
	labctl up flannel-vxlan --engine guest
	transcript flannel-vxlan flannel-vxlan
	labctl down flannel-vxlan
}

@test "engine status tells the guest's process on this machine, doctor no way from a guest to a guest" {
	pid=$(labctl engine status --engine guest -o json | jq '.[0].pid')
	tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q 'labd --engine=guest'
	run jq -r '.guest.rows[] | .hint' <<<"$(labctl doctor -o json)"
	exits 0
	hasnt 'guest'
}

@test "a guest that is killed is told as such, and the next up starts a new one" {
	engine=$(grep -lzs "^LABD_SOCKET=$LABD_SOCKET\$" /proc/[0-9]*/environ | cut -d/ -f3 | while read -r p; do
		tr '\0' ' ' <"/proc/$p/cmdline" | grep -q 'labd --engine=guest' && echo "$p"
	done | sort -n | head -n 1)
	[ -n "$engine" ]
	kernel=$(pgrep -P "$(pgrep -P "$engine" | head -n 1)" | head -n 1)
	[ -n "$kernel" ]
	labctl exec busybox1 -- sleep 60 >"$TEST_DIR/sleeper" 2>&1 &
	sleeper=$!
	sleep 0.5
	kill -9 "$kernel"
	rc=0
	wait $sleeper || rc=$?
	[ "$rc" = 1 ]
	grep -q 'guest died' "$TEST_DIR/sleeper"
	run labctl get pods
	[ "$status" != 0 ]
	has 'no lab is running|guest'
	run labctl up calico-ipip --engine guest
	exits 0
}

@test "root in a pod or node of a guest escapes neither into the guest nor out of it" {
	sleep 600 3>&- &
	victim=$!
	echo secret >"$TEST_DIR/secret"
	put_escape labctl
	all_refused labctl "$TEST_DIR/secret" $victim
	kill $victim # it was alive
	sleep 0.1
	run labctl exec busybox3 -- wget -qO- http://nginx-deployment
	has 'nginx'
}

@test "bounds of a lab in a guest: processes and memory, by cgroup v2" {
	run labctl doctor
	has '^guest engine'
	has '^  ok +control groups'
	lab_file bounded 90 64Mi >"$TEST_DIR/bounded.yaml"
	labctl up "$TEST_DIR/bounded.yaml" --engine guest
	labctl -l bounded exec -i eater -- sh -c 'cat >/tmp/escape; chmod 755 /tmp/escape' <"$BUILD/tests/escape"
	run labctl -l bounded exec eater -- /tmp/escape eat-memory 200
	exits 137
	run labctl -l bounded exec eater -- timeout 5 /tmp/escape fork-bomb
	has '^made [1-8][0-9], then Resource temporarily unavailable'
	run labctl ls
	has '^bounded +guest +running'
	labctl down bounded
}

@test "an ordinary user gets a guest without asking where this kernel lacks ipip, and it leaves nothing" {
	need_root
	[ ! -e /sys/module/ipip ] || skip "this kernel has ipip"
	user_dir=$(mktemp -d)
	chmod 755 "$TEST_DIR"
	chown 65534:65534 "$user_dir"
	run setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$BUILD/labctl"
	[ "$status" = 0 ] || skip "the build is not readable for others"
	as_user() {
		setpriv --reuid=65534 --regid=65534 --clear-groups env -i HOME=/nonexistent PATH="$PATH" \
			LABD_LABS="$LABD_LABS" XDG_RUNTIME_DIR="$user_dir" labctl "$@"
	}
	run as_user up calico-ipip
	exits 0
	has '(ipip|namespaces).*: using the guest kernel'
	run as_user exec busybox3 -- wget -qO- http://nginx-deployment
	has 'nginx'
	run as_user down --all
	run as_user engine stop
	sleep 0.5
	[ -z "$(find "$user_dir" -mindepth 1 -print)" ]
	rmdir "$user_dir"
}

@test "kernel without ipip and no guest: says what to install, exit 6" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	[ ! -e /sys/module/ipip ] || skip "this kernel has ipip"
	LABD_SOCKET=$TEST_DIR/none/labd.sock LABD_GUEST_KERNEL=/nonexistent run labctl up calico-ipip
	exits 6
	has 'ipip'
	has 'apt-get install user-mode-linux'
	LABD_SOCKET=$TEST_DIR/none/labd.sock labctl engine stop >/dev/null 2>&1 || true
}

@test "not root, no ipip and no guest: says so, exit 5 or 6" {
	need_root
	[ ! -e /sys/module/ipip ] || skip "this kernel has ipip"
	user_dir=$(mktemp -d)
	chown 65534:65534 "$user_dir"
	as_user() {
		setpriv --reuid=65534 --regid=65534 --clear-groups env -i PATH="$PATH" LABD_LABS="$LABD_LABS" \
			LABD_GUEST_KERNEL=/nonexistent XDG_RUNTIME_DIR="$user_dir" labctl "$@"
	}
	run as_user up calico-ipip
	as_user engine stop >/dev/null
	rm -rf "$user_dir"
	[ "$status" = 5 ] || [ "$status" = 6 ]
	has 'user-mode-linux'
}
