# NetworkPolicies enforced by Felix's rules: tables of who reaches whom, by real packets. Calico without
# a tunnel, so that any kernel with ipset will do.

bats_require_minimum_version 1.5.0
load lib/common.bash

setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	own_engine
	write_lab >"$TEST_DIR/policy.yaml"
	labctl up "$TEST_DIR/policy.yaml" >&2
}

teardown_file() {
	[ "$(id -u)" = 0 ] || return 0
	end_engine
}

setup() {
	need_root
}

pod() { # NAME NAMESPACE NODE
	cat <<-END
		---
		apiVersion: v1
		kind: Pod
		metadata: {name: $1, namespace: $2, labels: {app: $1, tier: $4}}
		spec:
		  nodeName: $3
		  containers:
		  - name: c
		    image: agnhost
		    args: [netexec, --http-port=8080, --udp-port=8081]
		    ports: [{name: api, containerPort: 8080}]
	END
}

policy() { # NAME, the spec on stdin
	printf -- '---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: %s}\nspec:\n' "$1"
	cat
}

write_lab() {
	cat <<-'END'
		apiVersion: labd.dev/v1
		kind: Lab
		metadata: {name: policy-test}
		spec:
		  cni: calico
		  underlay: {cidr: 192.168.77.0/24, nic: eth0}
		  hosts:
		  - {name: good, ip: 192.168.77.100}
		  - {name: bad, ip: 192.168.77.200}
		---
		apiVersion: v1
		kind: Node
		metadata: {name: n1}
		status: {addresses: [{type: InternalIP, address: 192.168.77.11}]}
		---
		apiVersion: v1
		kind: Node
		metadata: {name: n2}
		status: {addresses: [{type: InternalIP, address: 192.168.77.12}]}
		---
		apiVersion: crd.projectcalico.org/v1
		kind: IPPool
		metadata: {name: p}
		spec: {cidr: 10.77.0.0/16, ipipMode: Never, natOutgoing: true}
		---
		apiVersion: v1
		kind: Namespace
		metadata: {name: prod, labels: {env: prod}}
		---
		apiVersion: v1
		kind: Namespace
		metadata: {name: dev, labels: {env: dev}}
	END
	pod ports default n1 server
	pod named default n1 server
	pod blocks default n1 server
	pod spaces default n1 server
	pod leaving default n2 client
	pod free default n2 client
	pod prodder prod n2 client
	pod devver dev n1 client
	pod closed default n1 server
	policy ports <<-'END'
		  podSelector: {matchLabels: {app: ports}}
		  ingress:
		  - ports: [{port: 8000, endPort: 8090}, {port: 7}]
	END
	policy named <<-'END'
		  podSelector: {matchExpressions: [{key: app, operator: In, values: [named, other]}]}
		  ingress:
		  - from: [{podSelector: {matchLabels: {app: free}}}]
		    ports: [{port: api}, {port: 99}]
	END
	# Both machines are in the /24; the second is not meant. Pods are not in it.
	policy blocks <<-'END'
		  podSelector: {matchLabels: {app: blocks}}
		  ingress:
		  - from: [{ipBlock: {cidr: 192.168.77.0/24, except: [192.168.77.200/32]}}]
	END
	policy spaces <<-'END'
		  podSelector: {matchLabels: {app: spaces}}
		  ingress:
		  - from:
		    - namespaceSelector: {matchLabels: {env: prod}}
		    - namespaceSelector: {matchLabels: {env: dev}}
		      podSelector: {matchLabels: {app: nobody}}
	END
	policy leaving <<-'END'
		  podSelector: {matchLabels: {app: leaving}}
		  policyTypes: [Egress]
		  egress:
		  - to: [{podSelector: {matchLabels: {app: ports}}}]
		    ports: [{protocol: UDP, port: 8081}, {port: api}]
	END
	cat <<-'END'
		---
		apiVersion: v1
		kind: Service
		metadata: {name: blocks}
		spec:
		  type: NodePort
		  externalTrafficPolicy: Local
		  selector: {app: blocks}
		  ports: [{port: 80, targetPort: api, nodePort: 30077}]
	END
	# Two of one selector: a group.
	policy closed <<-'END'
		  podSelector: {matchLabels: {app: closed}}
		  policyTypes: [Ingress]
	END
	policy closed-but-prod <<-'END'
		  podSelector: {matchLabels: {app: closed}}
		  ingress:
		  - from: [{namespaceSelector: {matchExpressions: [{key: env, operator: NotIn, values: [dev]}]}, podSelector: {}}]
		    ports: [{port: 8080}]
	END
}

address() {
	labctl get pods -A -o wide | awk -v p="$1" '$2 == p { print $7 }'
}

namespace() {
	labctl get pods -A | awk -v p="$1" '$2 == p { print $1 }'
}

# reaches FROM TO: over TCP 8080.
reaches() {
	local where=(-n "$(namespace "$1")" "$1")
	[[ $1 == */* ]] && where=("$1")
	labctl exec "${where[@]}" -- curl -s -o /dev/null -m 2 "http://$(address "$2"):8080/hostname"
}

# table TO, then "FROM yes|no" lines.
table() {
	local to=$1 from want got wrong=0
	while read -r from want; do
		got=no
		reaches "$from" "$to" </dev/null && got=yes
		[ "$got" = "$want" ] || { echo "$from -> $to: $got, not $want" && wrong=1; }
	done
	[ "$wrong" = 0 ]
}

@test "ports: a range lets everybody in to what is in it" {
	table ports <<-'END'
		free yes
		prodder yes
		devver yes
	END
	# Nothing is said of UDP.
	run labctl exec free -- agnhost connect --protocol=udp --timeout=1s "$(address ports):8081"
	[ "$status" != 0 ]
	has TIMEOUT
}

@test "named ports and a peer" {
	table named <<-'END'
		free yes
		leaving no
		prodder no
		devver no
	END
}

@test "ipBlock with except: nodes are in it, pods are not, one machine is excepted" {
	labctl exec host/good -- curl -s -o /dev/null -m 2 http://192.168.77.11:30077/hostname
	run labctl exec host/bad -- curl -s -o /dev/null -m 2 http://192.168.77.11:30077/hostname
	exits 28
	labctl exec node/n2 -- curl -s -o /dev/null -m 2 "http://$(address blocks):8080/hostname"
	table blocks <<-'END'
		free no
		prodder no
	END
	run labctl exec node/n1 -- iptables -S
	has 'cali-pi-.* -s 192\.168\.77\.200/32 -m comment .* -j MARK --set-xmark 0x0/0x40000'
}

@test "namespaceSelector alone and together with podSelector" {
	table spaces <<-'END'
		prodder yes
		devver no
		free no
		leaving no
	END
}

@test "egress: only the named pod and ports; nothing else, no DNS either" {
	reaches leaving ports
	run reaches leaving closed
	exits 28
	run labctl exec leaving -- agnhost connect --protocol=udp --timeout=1s "$(address ports):8081"
	has TIMEOUT # the server's side lets no UDP in
	run labctl exec free -- agnhost connect --protocol=udp --timeout=1s "$(address leaving):8081"
	exits 0
	labctl exec free -- busybox nslookup kubernetes.default.svc.cluster.local
	run labctl exec leaving -- timeout 2 busybox nslookup kubernetes.default.svc.cluster.local
	exits 124
	# Others may still come in: the policy is not about ingress.
	reaches free leaving
}

@test "two policies of one selector add up" {
	table closed <<-'END'
		prodder yes
		free yes
		devver no
	END
	run labctl exec node/n1 -- iptables -S
	has '^-N cali-gi-'
}

@test "a node reaches its own pods whatever is denied" {
	labctl exec node/n1 -- curl -s -o /dev/null -m 2 "http://$(address closed):8080/hostname"
	run labctl exec node/n2 -- curl -s -o /dev/null -m 2 "http://$(address closed):8080/hostname"
	exits 28
}
