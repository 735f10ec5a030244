# labctl verify and describe where something is broken, and what the labs of Services show by hand: affinity,
# health-check node ports, masqueradeAll, names. On the host engine.

bats_require_minimum_version 1.5.0
load lib/common.bash

setup_file() {
	own_engine
	[ "$(id -u)" != 0 ] || labctl up traffic-policies
}

teardown_file() {
	[ -z "${TEST_DIR:-}" ] || end_engine
}

setup() {
	need_root
}

# What a test broke is mended whatever came of it.
teardown() {
	[ -z "${undo:-}" ] || labctl exec "${undo[@]}" || true
	labctl diff --fix >/dev/null 2>&1 || true
}

only() {
	labctl down --all
	labctl up "$1"
}

# fails LINE...: verify ends with 4, and has these lines.
fails() {
	run labctl verify
	[ "$status" = 4 ] || { echo "$output" && return 1; }
	for line in "$@"; do
		has "$line"
	done
}

works() {
	run labctl verify
	[ "$status" = 0 ] || { echo "$output" && return 1; }
}

@test "a rule that is gone" {
	works
	labctl exec node/node01 -- iptables -t nat -F KUBE-SVC-OPPHYL3DE7QEONHQ
	fails '^FAILED +flow +external-from-inside ' '^ +dnat 10.244.2.5:8080: no destination was translated' \
		'^FAILED +service +default/front:80 ' '^ +busybox3: '
	hasnt '^FAILED +pod '
	run labctl describe svc/front
	has '^    -A KUBE-SERVICES .*default/front:http cluster IP'
	has '^    -A KUBE-SEP-.* -j DNAT --to-destination 10.244.2.5:8080$'
	has '^  node01: nat rule is missing: -A KUBE-SVC-OPPHYL3DE7QEONHQ '
	run --separate-stderr labctl describe svc/front -o json
	[ "$(jq -r '[.object.metadata.name, (.kernel.places[] | select(.drift | length > 0) | .name)] | join(" ")' <<<"$output")" = "front node01" ]
	labctl diff --fix >/dev/null
	run labctl describe svc/front
	has '^Drift:  none'
	has '^  connections \(conntrack -L\):$'
	# Another Service with nearly the same name is not in it.
	hasnt 'default/local'
}

@test "a pod's link that is down, and who can not be reached then" {
	index=$(labctl exec web -- cat /sys/class/net/eth0/iflink)
	veth=$(labctl exec node/node02 -- ip -o link | awk -F '[: @]+' -v i="$index" '$1 == i { print $2 }')
	labctl exec node/node02 -- ip link set "$veth" down
	run labctl describe pod/web
	has "^  node02: link $veth: down, should be up\$"
	has "^    $index: $veth@if2: <"
	has '^    eth0: inet 10.244.2.5/24 '
	run --separate-stderr labctl verify -o json
	[ "$status" = 4 ] || { echo "$output$stderr" && return 1; }
	[ "$(jq -r '[.checks[] | select(.kind == "nodeport") | "\(.to) \(.ok)"] | sort | join(" ")' <<<"$output")" = \
		"master01:30080 true node01:30080 true node02:30080 false" ]
	[ "$(jq -r '[.checks[] | select(.kind == "pod" and .to == "web" and .ok)] | length' <<<"$output")" = 0 ]
	[ "$(jq '[.checks[] | select(.kind == "pod" and (.ok | not) and .from != "web" and (.to | startswith("web") | not))] | length' <<<"$output")" = 0 ]
	labctl diff --fix >/dev/null
}

@test "a packet that gets through although the policy Local forbids it" {
	labctl exec node/node01 -- iptables -t nat -I PREROUTING -p tcp --dport 30080 -j KUBE-SVC-OPPHYL3DE7QEONHQ
	undo=(node/node01 -- iptables -t nat -D PREROUTING -p tcp --dport 30080 -j KUBE-SVC-OPPHYL3DE7QEONHQ)
	fails '^FAILED +flow +external-without-pod ' '^FAILED +nodeport +node01:30080 +1 host$' \
		'^ +got through, though: policy Local, and no endpoint on node01$'
}

@test "health checks: answered on each node, and they follow the pods" {
	run labctl exec host/client -- curl -s -i http://100.100.137.202:32100/
	has '^HTTP/1.1 200 OK'
	has '^X-Load-Balancing-Endpoint-Weight: 1'
	has '"localEndpoints": 1,'
	has '"serviceProxyHealthy": true$'
	run labctl exec host/client -- curl -s -i http://100.100.137.201:32100/
	has '^HTTP/1.1 503 Service Unavailable'
	has '"localEndpoints": 0,'
	run labctl exec host/client -- curl -s http://100.100.137.201:10256/healthz
	has '"nodeEligible": true}$'
	run labctl exec node/node01 -- curl -s http://127.0.0.1:10249/proxyMode
	is iptables
	run labctl exec host/client -- curl -s -m 2 http://100.100.137.201:10249/proxyMode
	[ "$status" != 0 ]
	labctl delete pod web
	run labctl exec host/client -- curl -s -o /dev/null -w '%{http_code}' http://100.100.137.202:32100/
	is 503
	run --separate-stderr labctl verify -o json
	[ "$(jq -r '.checks[] | select(.to == "node02:32100" or .to == "node02:30080") | "\(.to) \(.ok) \(.detail)"' <<<"$output" | sort)" = \
		"node02:30080 true refused: no endpoints
node02:32100 true " ] || { echo "$output" && return 1; }
	labctl down
}

@test "a NetworkPolicy's ipset that is empty, and a rule that lets everything through" {
	only networkpolicy-default-deny
	set=$(labctl exec node/node1 -- ipset list -n | grep '^cali40s:' | head -n 1)
	labctl exec node/node1 -- ipset flush "$set"
	run labctl describe node/node1
	has "^  node1: ipset $set lacks "
	has '^Block: 10.244.[0-9]+.[0-9]+/26$'
	has 'vxlan id 4096 local 192.168.10.11 dev eth0 .*dstport 4789'
	run labctl describe netpol/web-from-frontend
	has '^It limits web on node2$'
	has '^    -A cali-pi-_cg81yA12viP2lN01j5d .*Policy default/knp.default.web-from-frontend ingress'
	has '^    create cali40s:[^ ]* hash:net'
	hasnt '^Kernel, node node1'
	fails '^FAILED '
	hasnt 'got through'
	labctl diff --fix >/dev/null
	labctl exec node/node1 -- iptables -I FORWARD -j ACCEPT
	fails '^FAILED +flow +denied-egress ' '^FAILED +pod +prober ' '^ +frontend, stranger: got through, though: NetworkPolicy '
	labctl down
}

# whom POD URL: the answers to 20 requests, each once.
whom() {
	labctl exec "$1" -- sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do wget -qO- "$0"; echo; done' "$2" | sort -u
}

@test "session affinity: one client always reaches the same pod, without it any" {
	only session-affinity
	[ "$(whom busybox1 http://sticky/hostname | wc -l)" = 1 ]
	[ "$(whom busybox3 http://sticky/hostname | wc -l)" = 1 ]
	[ "$(whom busybox1 http://plain/hostname | wc -l)" -gt 1 ]
	run labctl exec host/client -- sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do curl -s http://100.100.137.201:30080/hostname; echo; done'
	[ "$(sort -u <<<"$output" | wc -l)" = 1 ]
	# It is the list of the endpoint's chain that remembers: without it the dice decide again.
	chosen=$(whom busybox1 http://sticky/hostname)
	run labctl exec node/node02 -- sh -c 'grep -l 10.244.2.2 /proc/net/xt_recent/*'
	if [ "$status" = 0 ]; then
		[ "${#lines[@]}" = 1 ]
		chain=$(basename "${lines[0]}")
		labctl exec node/node02 -- iptables -t nat -S "$chain" | grep -q "$(labctl get pod "$chosen" -o json | jq -r .status.podIP):8080"
	fi
	labctl down
}

@test "masqueradeAll: the server sees the node, without a Service it sees the pod" {
	only masquerade-all
	run labctl exec busybox3 -- wget -qO- http://whoami/clientip
	[ "${output%:*}" = 10.244.1.0 ]
	run labctl exec busybox1 -- wget -qO- http://whoami/clientip
	[ "${output%:*}" = 10.244.2.1 ]
	run labctl exec busybox3 -- wget -qO- http://10.244.2.5:8080/clientip
	[ "${output%:*}" = 10.244.1.2 ]
	labctl down
}

@test "headless: a name for each pod, SRV for named ports, no rules" {
	only headless
	run labctl exec busybox1 -- nslookup db.default.svc.cluster.local
	[ "$(grep -c '^Address.*10\.244\.' <<<"$output")" = 3 ]
	run labctl exec busybox1 -- nslookup db-1.db.default.svc.cluster.local
	has '^Address.*10.244.2.10'
	run labctl exec busybox1 -- wget -qO- http://db-2.db:5432/hostname
	is db-2
	run labctl exec busybox1 -- nslookup -type=srv _sql._tcp.db.default.svc.cluster.local
	[ "$(grep -c 'db-[012].db.default.svc.cluster.local' <<<"$output")" -ge 3 ]
	has '5432'
	run labctl exec busybox1 -- nslookup -type=srv _stats._udp.db.default.svc.cluster.local
	has '8125'
	run labctl exec node/node01 -- iptables-save
	hasnt 'default/db'
	# One targetPort, another number in each pod.
	has 'to-destination 10.244.1.20:8080'
	has 'to-destination 10.244.2.20:9090'
	labctl down
}
