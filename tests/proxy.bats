# kube-proxy's other modes, living: real requests, the state of the kernel, changes, drift. nftables and
# userspace on the host engine, ipvs where the kernel has it, else in a guest.

bats_require_minimum_version 1.5.0
load lib/common.bash

setup_file() {
	own_engine
	export LABD_DRAIN_MS=500
}

teardown_file() {
	[ -z "${TEST_DIR:-}" ] || end_engine
}

setup() {
	need_root
}

get() {
	labctl exec "$1" -- timeout 5 wget -qO /dev/null "http://$2/"
}

# The ways that work in every mode: pod, node, the pod itself, a machine outside, a name.
all_ways() {
	local i
	for i in 1 2 3 4; do
		get pod/busybox1 10.107.254.44
		get pod/nginx-deployment-6b9d659f5f-qbchs 10.107.254.44
	done
	get pod/busybox3 nginx-deployment.default.svc.cluster.local
	get node/node01 10.107.254.44
	get host/client 100.100.137.201:31856
	get host/client 100.100.137.200:31856
}

# Up, requests, a Deployment scaled, and nothing else than wanted in the kernel.
live() {
	run labctl up "$1"
	[ "$status" != 6 ] || skip "${lines[0]}"
	exits 0
	all_ways
	labctl scale deploy/nginx-deployment --replicas 4
	run labctl diff
	has 'is as it should be'
	all_ways
}

@test "nftables: table, requests, changes, drift" {
	live kube-proxy-nftables
	run labctl exec node/node01 -- nft list table ip kube-proxy
	has 'numgen random mod 4 map'
	run labctl exec pod/busybox1 -- timeout 5 wget -qO - http://10.107.254.44:81/
	has 'refused'
	labctl exec node/node01 -- nft add chain ip kube-proxy stray
	labctl exec node/node01 -- nft delete element ip kube-proxy cluster-ips '{ 10.96.0.1 }'
	run labctl diff
	exits 4
	has '^node01: table ip kube-proxy: chain stray was added by hand'
	has '^node01: table ip kube-proxy: set cluster-ips: missing: 10.96.0.1$'
	labctl diff --fix
	run labctl diff
	exits 0
	labctl down kube-proxy-nftables
}

@test "ipvs: virtual services, kube-ipvs0, requests, changes, drift" {
	need_guest
	live kube-proxy-ipvs
	run labctl exec node/node01 -- ipvsadm -Ln
	has '^TCP  10.107.254.44:80 rr'
	[ "$(grep -c '10.244.[12].[0-9]*:80 ' <<<"$output")" = 20 ] # web has one of them
	labctl scale deploy/nginx-deployment --replicas 2 >/dev/null
	# what ipvsadm reads back is what the plan says, line by line (what drains aside)
	diff <(labctl exec node/node01 -- ipvsadm --save -n | grep -v -- '-w 0$' | sort) \
		<(labctl plan kube-proxy-ipvs --section kube-proxy --node node01 | grep '^-[Aa] -' | sort)
	# every node answers for all addresses of services, unless told not to (strictARP)
	asks() { labctl exec host/client -- busybox arping -c 1 -w 2 -I ens192 10.107.254.44; }
	asks
	# every scheduler by its name
	local s
	for s in wrr lc wlc lblc lblcr dh sh sed nq mh fo ovf rr; do
		printf '%s\n' 'apiVersion: kubeproxy.config.k8s.io/v1alpha1' 'kind: KubeProxyConfiguration' \
			'mode: ipvs' 'clusterCIDR: 10.244.0.0/16' \
			"ipvs: {scheduler: $s, strictARP: true, excludeCIDRs: [9.9.9.0/24]}" | labctl apply -f - >/dev/null
		labctl exec node/node01 -- ipvsadm --save -n | grep -E -- "^-A -u 10.96.0.10:53 -s $s( -b mh-port)?\$"
	done
	run labctl exec node/node01 -- sysctl -n net.ipv4.conf.all.arp_ignore net.ipv4.conf.all.arp_announce
	is $'1\n2'
	run ! asks
	# somebody else's virtual server in excludeCIDRs is let be
	labctl exec node/node01 -- ipvsadm -A -t 9.9.9.9:9
	run labctl diff
	has 'is as it should be'
	labctl scale deploy/nginx-deployment --replicas 4 >/dev/null
	run labctl exec node/node01 -- ip -br addr show kube-ipvs0
	has '^kube-ipvs0 +DOWN .*10.107.254.44/32'
	run labctl exec node/node01 -- sysctl net.ipv4.vs.conntrack
	has '= 1'
	run labctl exec pod/busybox1 -- timeout 5 wget -qO - http://10.107.254.44:81/
	has 'refused'
	labctl exec node/node01 -- ipvsadm -d -t 10.107.254.44:80 -r 10.244.2.5:80
	labctl exec node/node01 -- ipvsadm -A -t 7.7.7.7:7
	run labctl diff
	exits 4
	has '^node01: virtual service 10.107.254.44:80 -> 10.244.2.5:80 is missing'
	has '^node01: virtual service 7.7.7.7:7 is not wanted'
	labctl diff --fix
	run labctl diff
	exits 0
	run labctl exec node/node01 -- ipvsadm -Ln
	has '9.9.9.9:9 '
	hasnt '7.7.7.7:7 '
}

@test "ipvs: an endpoint that goes keeps its connections, with weight 0, until they end" {
	need_guest
	[ -n "$(labctl ls -o name)" ] || skip "the lab is not up"
	labctl scale deploy/nginx-deployment --replicas 2
	for i in 1 2 3; do
		labctl exec pod/busybox1 -- sh -c 'i=0
			while [ ! -e /run/enough ] && [ $i -lt 100 ]; do sleep 0.2; i=$((i + 1)); done |
			nc 10.107.254.44 80' 3>&- &
	done
	busy() { labctl exec node/node02 -- ipvsadm -Ln | awk '/^ .*:80 +Masq/ {n += $5} END {exit n < 3}'; }
	for i in $(seq 20); do busy && break; sleep 0.2; done
	busy
	labctl scale deploy/nginx-deployment --replicas 1
	run labctl exec node/node02 -- ipvsadm -Ln
	has '10.244.1.[0-9]+:80 +Masq +0 '
	run labctl diff
	exits 0
	# They end (the last state's two minutes made short): labd looks again and deletes it.
	labctl exec node/node02 -- ipvsadm --set 0 1 0
	labctl exec pod/busybox1 -- touch /run/enough
	wait
	waits() { labctl exec node/node02 -- ipvsadm -Ln | grep -qE '10\.244\.1\.[0-9]+:80 +Masq +0 '; }
	for i in $(seq 40); do waits || break; sleep 0.3; done
	! waits
	run labctl diff
	exits 0
	labctl down kube-proxy-ipvs
}

@test "ipvs on a kernel without IPVS: fails or falls back as that version would, and says so" {
	[ ! -e /proc/net/ip_vs ] || skip "this kernel has IPVS"
	run labctl up kube-proxy-ipvs --engine host
	exits 6
	has 'kube-proxy 1.32 would end with an error here'
	sed 's/kubernetes: "1.32"/kubernetes: "1.23"/' "$ROOT/labs/kube-proxy-ipvs.lab.yaml" >"$TEST_DIR/old.yaml"
	run --separate-stderr labctl up "$TEST_DIR/old.yaml" --engine host
	exits 0
	[[ $stderr == *"kube-proxy 1.23: Can't use the IPVS proxier: IPVS proxier will not be used because the following required kernel modules are not loaded: [ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh]"* ]]
	[[ $stderr == *'kube-proxy 1.23: Using iptables Proxier'* ]]
	run labctl exec node/node01 -- iptables -t nat -S KUBE-SERVICES
	has '10.107.254.44/32 .* -j KUBE-SVC-'
	run labctl exec node/node01 -- ip link show kube-ipvs0
	[ "$status" != 0 ]
	get pod/busybox1 10.107.254.44
	labctl scale deploy/nginx-deployment --replicas 2
	get pod/busybox1 10.107.254.44
	run labctl diff
	exits 0
	labctl down kube-proxy-ipvs
}

@test "1.23: what is marked for dropping is dropped by kubelet's chain, not refused" {
	sed 's/^  cni: flannel/&\n  kubernetes: "1.23"/' "$ROOT/labs/traffic-policies.lab.yaml" >"$TEST_DIR/old.yaml"
	labctl up "$TEST_DIR/old.yaml"
	run labctl exec host/client -- timeout 5 wget -qO- http://100.100.137.202:30080/hostname
	is web
	run labctl trace host/client 100.100.137.201:30080
	has 'dropped in node01 by a rule: -A KUBE-FIREWALL .*--mark 0x8000/0x8000 -j DROP'
	run labctl diff
	exits 0
	labctl down traffic-policies
}

@test "userspace: a real relay: requests, round robin, no endpoints, killed" {
	live kube-proxy-userspace
	run labctl exec node/node02 -- pidof kube-proxy
	local pid=$output
	# In turn: every endpoint has had requests.
	for i in 1 2 3 4; do get pod/busybox1 10.107.254.44; done
	run labctl exec node/node02 -- sh -c \
		"conntrack -L 2>/dev/null | grep -o 'src=10.244.2.[01] dst=10.244.[12].[0-9]* .*dport=80 ' | cut -d' ' -f2 | sort -u"
	[ "${#lines[@]}" = 4 ]
	run labctl exec node/node02 -- sh -c "grep ':80$\|:80 ' /run/kube-proxy.conf"
	has 'tcp [0-9]+ 0( 10.244.[12].[0-9]+:80){4}'
	# The pod sees the node, never the client.
	run labctl exec node/node02 -- sh -c 'conntrack -L 2>/dev/null | grep -v dst=10.107'
	hasnt 'src=10.244.2.2 .*dport=80 '
	labctl scale deploy/nginx-deployment --replicas 0
	sleep 0.5
	run labctl exec pod/busybox1 -- timeout 5 wget -qO - http://10.107.254.44/
	[ "$status" != 0 ]
	hasnt 'refused'
	labctl scale deploy/nginx-deployment --replicas 1
	sleep 0.5
	get pod/busybox1 10.107.254.44
	# A change is no reason to start anew.
	[ "$(labctl exec node/node02 -- pidof kube-proxy)" = "$pid" ]
	labctl exec node/node02 -- kill -9 "$pid"
	sleep 0.5
	get pod/busybox1 10.107.254.44
	labctl down kube-proxy-userspace
}
