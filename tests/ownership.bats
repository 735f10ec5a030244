# Only what carries a lab's mark is ever touched: a machine full of things that look like a lab's, or that a container
# engine, a real kubelet and their owner made, comes out unchanged. All of it on a machine of its own.

load lib/common.bash

setup() {
	need_root
	own_engine
	export ROOT TEST_DIR PATH
}

teardown() {
	[ -z "${TEST_DIR:-}" ] || rm -rf "$TEST_DIR"
}

# on_machine: the script on stdin on a machine of its own, with foreign() and same() at hand.
on_machine() {
	cat - >"$TEST_DIR/script" <<<"
		set -eE
		trap 'echo \"failed: \$BASH_COMMAND\"' ERR
		. $ROOT/tests/lib/foreign.bash
		$(cat)"
	LABD_SOCKET=/run/labd/labd.sock LABCTL_ENGINE=host FRESH=1 "$ROOT/tests/lib/own-machine" /tmp bash "$TEST_DIR/script"
}

@test "foreign namespaces, devices, rules, sets, settings, processes: up, apply, trace, diff, scale, down" {
	on_machine <<-'S'
		foreign
		picture before
		labctl up "$LAB"
		labctl apply -f "$MORE"
		labctl trace client web:80
		labctl exec node/n1 -- ip route del 10.244.1.0/24
		labctl diff --fix
		labctl scale deploy/more --replicas 1
		labctl down
		labctl engine stop
		same before
	S
}

@test "the same, labd being killed in the middle of each" {
	on_machine <<-'S'
		foreign
		picture before
		for k in 31 71 101 131; do
			LABCTL_FAULT="up kill $k" labctl up "$LAB" && false
			labctl ls
		done
		labctl up "$LAB"
		for k in 21 61 91; do
			LABCTL_FAULT="apply kill $k" labctl apply -f "$MORE" && false
			labctl delete deploy/more || true
		done
		LABCTL_FAULT="trace kill 30" labctl trace client web:80 && false
		LABCTL_FAULT="down kill 9" labctl down && false
		labctl down --all
		labctl engine stop
		same before
	S
}

@test "down --all of several labs takes theirs and nobody else's" {
	on_machine <<-'S'
		foreign
		picture before
		labctl up "$LAB"
		labctl up "$LAB" --name docker
		labctl down --all
		labctl engine stop
		same before
	S
}

@test "a namespace, or a plain file, of a name that the lab needs: an error before anything is built" {
	on_machine <<-'S'
		labctl up "$LAB"
		labctl down
		mkdir -p /run/netns
		for make in 'ip netns add' 'in_netns touch'; do
			$make small-n2-web
			picture before
			rc=0
			LABCTL_FAULT='up count' labctl up "$LAB" >out 2>&1 || rc=$?
			cat out
			[ $rc = 1 ]
			grep -q '/run/netns/small-n2-web exists already and is not labd' out
			grep -q 'hint: .*--name OTHER' out
			[ "$(sed -nE 's/^fault: ([0-9]+) steps/\1/p' out)" -lt 12 ] # it has looked, and no more
			same before
			labctl up "$LAB" --name other
			labctl down other
			same before
			ip netns delete small-n2-web
		done
		labctl up "$LAB"
		ip netns add small-n1-late
		labctl apply -f - <<<'{apiVersion: v1, kind: Pod, metadata: {name: late}, spec: {nodeName: n1, containers: [{name: c, image: busybox}]}}' >out 2>&1 && false
		grep -q '/run/netns/small-n1-late exists already' out
		labctl diff
	S
}

@test "a pin of the lab that somebody replaced by his own namespace or file stays when the lab goes" {
	on_machine <<-'S'
		labctl up "$LAB"
		ip netns delete small-n1-client
		ip netns add small-n1-client
		ip netns exec small-n1-client ip link add mine type bridge
		umount /run/netns/small-n2-web
		rm /run/netns/small-n2-web
		: >/run/netns/small-n2-web
		umount /run/netns/small-fabric # the file there is the lab's
		labctl down
		ip netns exec small-n1-client ip link show mine
		[ -e /run/netns/small-n2-web ]
		[ "$(ls /run/netns | wc -l)" = 2 ]
	S
}
