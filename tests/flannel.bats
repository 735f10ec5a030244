# The documented flannel cluster on the host engine, as its students use it.

bats_require_minimum_version 1.5.0
load lib/common.bash

setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	own_engine
	labctl up flannel-vxlan >&2
}

teardown_file() {
	[ "$(id -u)" = 0 ] || return 0
	end_engine
}

setup() {
	need_root
}

@test "flannel-vxlan: the transcript of the real cluster, command by command" {
	run "$BUILD/tests/transcript" "$BUILD/labctl" flannel-vxlan "$ROOT/tests/golden/flannel-vxlan.transcript.yaml"
	echo "$output" | grep -E '^(not ok|#)' || true
	exits 0
}

@test "a pod's iflink is the index of its host side in the node's ip link" {
	index=$(labctl exec busybox1 -- cat /sys/class/net/eth0/iflink)
	run labctl exec node/node02 -- ip link show
	has "^$index: veth78b826c3@if[0-9]+: .* master cni0 state UP"
	index=$(labctl exec nginx-deployment -- cat /sys/class/net/eth0/iflink)
	run labctl exec node/node02 -- ip link show
	has "^$index: veth70cee1b2@if"
}

@test "get pod -o wide and get svc print kubectl's columns" {
	run labctl get pod -o wide
	has '^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES$'
	has '^busybox1-857448d9ff-shdfz +1/1 +Running +0 +[0-9a-z]+ +10\.244\.2\.2 +node02 +<none> +<none>$'
	has '^nginx-deployment-6b9d659f5f-qbchs +1/1 +Running +0 +[0-9a-z]+ +10\.244\.2\.5 +node02 +<none> +<none>$'
	run labctl get svc
	has '^NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE$'
	has '^nginx-deployment +NodePort +10\.107\.254\.44 +<none> +80:31856/TCP +'
}

@test "get: by labels, with labels, and -w prints what changes" {
	run labctl get pods --selector app=nginx --show-labels
	[ "${#lines[@]}" = 2 ]
	has '^nginx-deployment-6b9d659f5f-qbchs .* app=nginx,pod-template-hash=6b9d659f5f$'
	run labctl get pods -l app=nginx
	exits 2
	has "for labels: --selector 'app=nginx'"
	labctl get pods --selector app=nginx -w --no-headers >"$TEST_DIR/watched" 3>&- &
	watch=$!
	for _ in $(seq 100); do
		[ ! -s "$TEST_DIR/watched" ] || break
		sleep 0.1
	done
	labctl scale deploy/nginx-deployment --replicas 2
	for _ in $(seq 100); do
		[ "$(wc -l <"$TEST_DIR/watched")" -lt 2 ] || break
		sleep 0.1
	done
	kill "$watch"
	labctl scale deploy/nginx-deployment --replicas 1
	[ "$(grep -c '^nginx-deployment-6b9d659f5f-.* 1/1 ' "$TEST_DIR/watched")" = 2 ]
}

@test "describe configmap kube-proxy shows what kubectl shows" {
	run labctl describe configmap kube-proxy -n kube-system
	has '^Name: +kube-proxy$'
	has '^Namespace: +kube-system$'
	has '^Labels: +app=kube-proxy$'
	has 'masqueradeAll: false'
	has 'mode: ""'
	has 'scheduler: ""'
}

@test "logs: a container's words, its last lines, a container that is not there" {
	run labctl logs deploy/nginx-deployment
	has 'start worker process'
	run labctl logs nginx-deployment --tail 1 -c nginx
	[ "${#lines[@]}" = 1 ]
	run labctl logs nginx-deployment -c sidecar
	exits 3
	has 'container sidecar is not valid for pod nginx-deployment-6b9d659f5f-qbchs'
	has 'it has: nginx'
	run labctl logs node/node01 -c nobody
	exits 1
}

@test "a node's ps shows its pods' processes, a pod only its own, nobody the host's" {
	run labctl exec node/node02 -- ps -ef
	has 'nginx: master'
	hasnt 'labd --engine|dnsmasq'
	run labctl exec nginx-deployment -- ps -ef
	has 'nginx: master'
	hasnt 'sleep'
	run labctl exec busybox1 -- ps
	hasnt 'nginx'
}

@test "docker's look: link-netnsid, no names in the node's ip netns; the host lists LAB-NODE and LAB-NODE-POD" {
	run labctl exec node/node02 -- ip netns list
	[ -z "$output" ]
	run labctl exec node/node02 -- ip link show veth78b826c3
	has 'link-netnsid [0-9]+'
	run ip netns list
	has '^flannel-vxlan-node02( |$)'
	has '^flannel-vxlan-node02-busybox1'
}

@test "DNS answers from both coredns pods through the ClusterIP, and kubernetes has an endpoint" {
	run labctl exec busybox3 -- nslookup kubernetes.default.svc.cluster.local
	has '10\.96\.0\.1$'
	run labctl get endpoints kubernetes
	has '^kubernetes +100\.100\.137\.200:6443 '
	run labctl get pods -n kube-system -o wide
	has '10\.244\.0\.2 +master01'
	has '10\.244\.0\.3 +master01'
}

@test "the cross-node request is masked by nobody and leaves by flannel.1" {
	before=$(labctl exec node/node01 -- cat /sys/class/net/flannel.1/statistics/tx_packets)
	labctl exec busybox3 -- wget -qO- http://nginx-deployment >/dev/null
	after=$(labctl exec node/node01 -- cat /sys/class/net/flannel.1/statistics/tx_packets)
	[ "$after" -gt "$before" ]
	run labctl exec node/node01 -- cat /proc/net/nf_conntrack
	if [ "$status" = 0 ]; then
		has 'src=10\.244\.1\.2 dst=10\.107\.254\.44 .* src=10\.244\.2\.5 dst=10\.244\.1\.2'
	fi
}

@test "a node has what its host lacks: ping, nslookup and traceroute are busybox's then" {
	run labctl exec node/node01 -- sh -c 'for p in ping nslookup traceroute; do command -v $p || exit 1; done'
	exits 0
	run labctl exec node/node01 -- ping -c 1 -W 2 100.100.137.202
	exits 0
	run labctl exec node/node01 -- sh -c 'command -v ip'
	hasnt busybox
}

@test "get rs -o wide shows containers, images and the selector with the hash" {
	run labctl get rs -o wide
	has '^nginx-deployment-6b9d659f5f +1 +1 +1 +[0-9a-z]+ +nginx +nginx +app=nginx,pod-template-hash=6b9d659f5f$'
}

@test "exit codes and streams of exec are the command's" {
	run labctl exec busybox1 -- sh -c 'exit 7'
	exits 7
	head -c 3000000 /dev/urandom >"$TEST_DIR/in"
	run bash -c 'labctl exec busybox1 -i -- cat <"$TEST_DIR/in" | cmp - "$TEST_DIR/in"'
	exits 0
	run -127 labctl exec busybox1 -- no-such-program
	run labctl exec busybox1 -- sh -c 'kill -9 $$'
	exits 137
}

@test "up of a running lab is nothing to do; with other contents it is refused" {
	run labctl up flannel-vxlan
	exits 0
	sed 's/10\.244\.2\.5/10.244.2.9/' "$ROOT/labs/flannel-vxlan.lab.yaml" >"$TEST_DIR/other.yaml"
	run labctl up "$TEST_DIR/other.yaml"
	exits 1
	has '^labctl: lab "flannel-vxlan" is already up with other contents$'
}
