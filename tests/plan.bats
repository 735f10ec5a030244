# The plan script, run by hand, and labctl up make the same kernel state.

load lib/common.bash

setup() {
	need_root
	own_engine
}

teardown() {
	[ -n "${TEST_DIR:-}" ] || return 0
	[ -e "$TEST_DIR/down.sh" ] && sh "$TEST_DIR/down.sh" >/dev/null 2>&1
	end_engine
}

# picture NETNS: what both ways must agree on. Interface numbers of peers, MACs and statistics aside.
picture() {
	ip -n "$1" -j -d link | jq -S '[.[] | {ifname, mtu, flags: (.flags - ["NO-CARRIER", "LOWER_UP"]), master, txqlen, link_type,
		kind: .linkinfo.info_kind, vxlan: (.linkinfo.info_data // {} | {id, local, link, port, learning}),
		hairpin: .linkinfo.info_slave_data.hairpin}] | sort_by(.ifname)'
	ip -n "$1" -j addr | jq -S '[.[] | {ifname, addr: [.addr_info[] | select(.family == "inet") |
		{local, prefixlen, broadcast, scope, metric}]}] | sort_by(.ifname)'
	ip -n "$1" -j route show table all | jq -S '[.[] | select(.dst | test("^(f|::)") | not) |
		{dst, gateway, dev, protocol, scope, prefsrc, metric, flags, type, table}] | sort_by(.dst, .dev, .type)'
	ip -n "$1" -j neigh show nud permanent | jq -S '[.[] | select(.dst | test(":") | not) | {dst, dev, lladdr}] | sort_by(.dst)'
	bridge -n "$1" -j fdb | jq -S '[.[] | select(.dst) | {dst, ifname, state, mac}] | sort_by(.dst)'
	ip netns exec "$1" iptables-legacy-save | grep -v '^#' | sed -E 's/\[[0-9]+:[0-9]+\]//'
	ip netns exec "$1" iptables-nft-save 2>/dev/null | grep -v '^#' | sed -E 's/\[[0-9]+:[0-9]+\]//'
	ip netns exec "$1" sysctl -a 2>/dev/null | grep -E '^net\.(ipv4\.(ip_forward|conf\..*\.(forwarding|rp_filter|proxy_arp|route_localnet|arp_notify))|bridge)' | sort
}

@test "flannel-vxlan: by hand and by labd, the same kernel state in every namespace" {
	labctl up flannel-vxlan
	names=$(ip netns list | awk '/^flannel-vxlan-/ {print $1}' | sort)
	[ "$(wc -l <<<"$names")" -ge 10 ]
	for n in $names; do
		picture "$n" >"$TEST_DIR/labd.$n"
	done
	labctl down flannel-vxlan
	labctl plan flannel-vxlan >"$TEST_DIR/up.sh"
	labctl plan flannel-vxlan --down >"$TEST_DIR/down.sh"
	sh "$TEST_DIR/up.sh"
	[ "$(ip netns list | awk '/^flannel-vxlan-/ {print $1}' | sort)" = "$names" ]
	for n in $names; do
		picture "$n" >"$TEST_DIR/hand.$n"
		diff "$TEST_DIR/labd.$n" "$TEST_DIR/hand.$n"
	done
	# The lab made by hand works: a pod reaches the service on the other node.
	pod=$(grep -o 'flannel-vxlan-node01-busybox3[a-z0-9-]*' <<<"$names" | head -n 1)
	ip netns exec "$pod" curl -sS --max-time 5 http://10.107.254.44/ | grep -qi nginx
}
