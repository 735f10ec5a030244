# labctl compare: running labs, shipped ones that it brings up and takes down, recordings; what it says of them, and
# that nothing stays, whatever happens.

bats_require_minimum_version 1.5.0
load lib/common.bash

setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	own_engine
	labctl up flannel-host-gw >&2
}

teardown_file() {
	[ "$(id -u)" = 0 ] || return 0
	end_engine
}

setup() {
	need_root
	cd "$TEST_DIR" || return 1
}

# Only what was up before is up.
alone() {
	[ "$(labctl ls -o name | xargs)" = flannel-host-gw ]
}

@test "a running lab and a shipped one: the table says where they differ, and fits 80 columns" {
	run --separate-stderr labctl compare clusterip-cross-node flannel-host-gw flannel-vxlan --timing 3
	exits 0
	has '^ +flannel-host-gw +flannel-vxlan$'
	has '^  result +delivered +delivered$'
	has '^\* tunnel +none +VXLAN 1$'
	has '^\* its headers +0 bytes +\+50 bytes$'
	has '^\* on the wire +60 bytes +110 = 60 \+ 50$'
	has '^\* MTU pod/wire +1500 / 1500 +1450 / 1500$'
	has '^\* largest TCP +1460 +1410$'
	has '^  rewritten by +DNAT \(iptables\) +DNAT \(iptables\)$'
	has '^  there +[0-9]+ \([0-9]+\) us +[0-9]+ \([0-9]+\) us$'
	has ' \+ VXLAN$'
	[ "$(wc -L <<<"$output")" -le 80 ]
	alone
}

@test "as data, with a recording in a lab's place" {
	labctl flow -l flannel-host-gw clusterip-cross-node --no-dns -o json >a.json
	labctl compare clusterip-cross-node a.json flannel-host-gw kube-proxy-nftables --timing 3 -o json >c.json
	run jq -c '[.flow, (.labs[] | .lab, .result, .overhead, .mtu_pod, .there.ttl, .there.rewrites[0])]' c.json
	is '["clusterip-cross-node","a.json","delivered",0,1500,62,"DNAT (iptables)","flannel-host-gw","delivered",0,1500,62,"DNAT (iptables)","kube-proxy-nftables","delivered",50,1450,62,"DNAT (nft)"]'
	run jq -c '[.labs[] | .timing | has("there"), (.runs > 0)]' c.json
	is '[false,false,true,true,true,true]'
	run jq '.labs[0].way == .labs[1].way and .labs[0].there == .labs[1].there' c.json
	is true
	labctl compare clusterip-cross-node a.json a.json -o yaml | grep -qx 'flow: clusterip-cross-node'
	alone
}

@test "a flow that a lab lacks: which do they share; nothing is brought up for it" {
	run -3 labctl compare no-such-flow flannel-host-gw flannel-vxlan
	has 'lab flannel-host-gw has no flow no-such-flow'
	has 'hint: these labs share: clusterip-same-node, clusterip-cross-node, nodeport-cross-node$'
	run -3 labctl compare same-subnet calico-crosssubnet flannel-host-gw
	has 'lab flannel-host-gw has no flow same-subnet'
	has 'these labs share no flow; flannel-host-gw has: clusterip-same-node'
	run -3 labctl compare clusterip-cross-node flannel-host-gw flannel-vxlann
	has 'hint: .*flannel-vxlan'
	run -2 labctl compare clusterip-cross-node
	run -2 labctl compare clusterip-cross-node flannel-vxlan --timing many
	run -1 labctl compare clusterip-cross-node nowhere.json
	echo '{"schema": 1}' >bad.json
	run -1 labctl compare clusterip-cross-node bad.json
	has '^labctl: bad.json: '
	alone
}

@test "a file whose lab runs already is not taken for it" {
	run -2 labctl compare clusterip-cross-node "$ROOT/labs/flannel-host-gw.lab.yaml"
	has 'a lab flannel-host-gw is running'
	has 'labctl compare clusterip-cross-node flannel-host-gw'
	alone
}

@test "interrupted at any time, what it brought up is gone" {
	local after signal rc
	for after in 0.1:INT 0.5:TERM 1:INT 2:TERM; do
		signal=${after#*:}
		labctl compare clusterip-cross-node flannel-host-gw flannel-vxlan calico-vxlan kube-proxy-nftables \
			--timing 100 >out 2>err &
		sleep "${after%:*}"
		kill -s "$signal" $!
		rc=0
		wait $! || rc=$?
		[ "$rc" = 130 ]
		grep -q '^interrupted: ' err
		alone
	done
}

@test "a lab that cannot be traced: the error names it, and it is taken down" {
	sed 's/{name: kube-proxy-nftables}/{name: broken}/; s/to: "web:80"/to: "nobody.example.com:80"/' \
		"$ROOT/labs/kube-proxy-nftables.lab.yaml" >broken.yaml
	run -3 labctl compare clusterip-cross-node flannel-host-gw broken.yaml
	has '^labctl: broken: .*nobody.example.com'
	alone
}
