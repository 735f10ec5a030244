# labctl trace in every mode that a cluster's network may have beside the two documented ones: recordings of the
# labs' flows against golden ones. With UPDATE_GOLDEN=1 these are written instead: read the difference before you
# commit it.

bats_require_minimum_version 1.5.0
load lib/common.bash
load lib/recordings.bash

setup_file() {
	own_engine
}

teardown_file() {
	end_engine
}

# golden_flows LAB ENGINE FLOW...: bring the lab up, trace each flow, compare, take it down.
golden_flows() {
	local lab=$1 engine=$2 flow bad=0
	shift 2
	labctl up "$lab" --engine "$engine" >&2
	for flow in "$@"; do
		# as if nobody had asked before
		for node in $(labctl get nodes -o name); do
			labctl exec "$node" -- conntrack -F >/dev/null 2>&1 || true
		done
		labctl flow -l "$lab" "$flow" --no-dns -o json >"$TEST_DIR/$flow.json"
		golden_file "$lab" "$flow" || bad=1
	done
	labctl down "$lab" >&2
	return $bad
}

@test "nftables: maps, chains and handles of kube-proxy's own table" {
	need_root
	golden_flows kube-proxy-nftables host clusterip-same-node clusterip-cross-node nodeport-cross-node
}

@test "userspace: through the relay, and on to the pod" {
	need_root
	golden_flows kube-proxy-userspace host clusterip-cross-node nodeport-same-node
}

@test "ipvs: the virtual server, its scheduler and the real server; FORWARD is never visited there" {
	need_guest
	golden_flows kube-proxy-ipvs guest clusterip-same-node clusterip-cross-node nodeport-cross-node
	sed -n '/^== SYN, forward/,/^== /p' "$TEST_DIR/clusterip-cross-node.txt" >"$TEST_DIR/there"
	grep -q '^ipvs-schedule node01, ip_vs INPUT' "$TEST_DIR/there"
	run ! grep -q '^hook node01.*FORWARD' "$TEST_DIR/there"
}

@test "flannel without encapsulation" {
	need_root
	golden_flows flannel-host-gw host clusterip-cross-node nodeport-cross-node
}

@test "Calico: VXLAN; no encapsulation; both, through a router" {
	need_root
	golden_flows calico-vxlan host clusterip-cross-node nodeport-cross-node
	golden_flows calico-bgp host clusterip-cross-node
	golden_flows calico-crosssubnet host same-subnet other-subnet
}

@test "NetworkPolicy: what is dropped names the policies and the rule" {
	need_root
	golden_flows networkpolicy-default-deny host allowed denied-egress denied-ingress
}
