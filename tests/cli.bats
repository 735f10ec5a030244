# The command line and bad input: every message exactly, and its exit code. No root, no engine.

load lib/common.bash

setup() {
	own_engine
	cd "$TEST_DIR"
	cat >good.yaml <<-'Y'
		apiVersion: labd.dev/v1
		kind: Lab
		metadata: {name: bad}
		spec:
		  kubernetes: "1.23"
		  cni: flannel
		  underlay: {cidr: 100.100.137.0/24, gateway: 100.100.137.1, nic: ens192}
		---
		apiVersion: v1
		kind: Node
		metadata: {name: node01}
		spec: {podCIDR: 10.244.1.0/24}
		status: {addresses: [{type: InternalIP, address: 100.100.137.201}]}
		---
		apiVersion: v1
		kind: Pod
		metadata: {name: busybox1, labels: {app: busybox1}}
		spec: {nodeName: node01, containers: [{name: busybox, image: busybox}]}
		status: {podIP: 10.244.1.65}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: web}
		spec:
		  type: NodePort
		  selector: {app: web}
		  ports: [{port: 80, nodePort: 30080}]
	Y
}

teardown() {
	rm -rf "$TEST_DIR"
}

# faults EXPECTED: what labctl says of x.yaml, exactly, and that it is a usage error
faults() {
	run labctl up --dry-run x.yaml
	exits 2
	if [ "$output" != "$1" ]; then
		diff <(echo "$1") <(echo "$output")
		return 1
	fi
}

# bad SED EXPECTED: the good file, changed
bad() {
	sed "$1" good.yaml >x.yaml
	faults "$2"
}

@test "the good file is good; a Service that selects nothing is allowed" {
	run labctl up --dry-run good.yaml
	exits 0
	has '^1 node, 3 pods, 3 services, 0 outside hosts$'
	has '^nothing was built$'
}

@test "unknown field" {
bad 's/  underlay:/  underlai:/' "$(cat <<-'X'
		x.yaml:7:3: Lab bad: spec.underlai: unknown field `underlai`
		 7 |   underlai: {cidr: 100.100.137.0/24, gateway: 100.100.137.1, nic: ens192}
		   |   ^^^^^^^^
		  hint: did you mean `underlay`?
		labctl: 1 fault in x.yaml
	X
	)"
}

@test "unknown kind" {
	bad 's/kind: Service/kind: Servce/' "$(cat <<-'X'
		x.yaml:22:7: kind: unknown kind `Servce`
		 22 | kind: Servce
		    |       ^^^^^^
		  hint: did you mean `Service`?
		labctl: 1 fault in x.yaml
	X
	)"
}

@test "wrong type" {
	bad 's/port: 80,/port: eighty,/' "$(cat <<-'X'
		x.yaml:27:18: Service default/web: spec.ports[0].port: expected a number, found a string
		 27 |   ports: [{port: eighty, nodePort: 30080}]
		    |                  ^^^^^^
		labctl: 1 fault in x.yaml
	X
	)"
}

@test "address outside its node's podCIDR" {
	bad 's/10.244.1.65/10.244.2.65/' "$(cat <<-'X'
		x.yaml:19:17: Pod default/busybox1: status.podIP: 10.244.2.65 is outside the podCIDR of node01, 10.244.1.0/24
		 19 | status: {podIP: 10.244.2.65}
		    |                 ^^^^^^^^^^^
		labctl: 1 fault in x.yaml
	X
	)"
}

@test "NodePort out of range" {
	bad 's/30080/80/' "$(cat <<-'X'
		x.yaml:27:32: Service default/web: spec.ports[0].nodePort: 80 is not between 30000 and 32767
		 27 |   ports: [{port: 80, nodePort: 80}]
		    |                                ^^
		labctl: 1 fault in x.yaml
	X
	)"
}

@test "a node without an InternalIP" {
	bad 's/InternalIP/ExternalIP/' "$(cat <<-'X'
		x.yaml:13:21: Node node01: status.addresses: the node has no IPv4 address of type InternalIP
		 13 | status: {addresses: [{type: ExternalIP, address: 100.100.137.201}]}
		    |                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
		  hint: status: {addresses: [{type: InternalIP, address: ...}]}
		labctl: 1 fault in x.yaml
	X
	)"
}

@test "two pods with one address, one NodePort twice" {
	cat good.yaml - >x.yaml <<-'Y'
		---
		apiVersion: v1
		kind: Pod
		metadata: {name: busybox2}
		spec: {nodeName: node01, containers: [{name: busybox, image: busybox}]}
		status: {podIP: 10.244.1.65}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: web2}
		spec: {type: NodePort, ports: [{port: 80, nodePort: 30080}]}
	Y
	faults "$(cat <<-'X'
		x.yaml:33:17: Pod default/busybox2: status.podIP: 10.244.1.65 is also the address of Pod default/busybox1
		 33 | status: {podIP: 10.244.1.65}
		    |                 ^^^^^^^^^^^
		x.yaml:38:53: Service default/web2: spec.ports[0].nodePort: 30080 is also a nodePort of Service default/web
		 38 | spec: {type: NodePort, ports: [{port: 80, nodePort: 30080}]}
		    |                                                     ^^^^^
		labctl: 2 faults in x.yaml
	X
	)"
}

@test "overlapping CIDRs" {
	cat good.yaml - >x.yaml <<-'Y'
		---
		apiVersion: v1
		kind: Node
		metadata: {name: node02}
		spec: {podCIDR: 10.244.0.0/16}
		status: {addresses: [{type: InternalIP, address: 100.100.137.202}]}
	Y
	faults "$(cat <<-'X'
		x.yaml:32:17: Node node02: spec.podCIDR: 10.244.0.0/16 overlaps the podCIDR of node01, 10.244.1.0/24
		 32 | spec: {podCIDR: 10.244.0.0/16}
		    |                 ^^^^^^^^^^^^^
		labctl: 1 fault in x.yaml
	X
	)"
}

@test "a NIC name of 16 characters" {
	bad 's/ens192/ens192-very-long/' "$(cat <<-'X'
		x.yaml:7:67: Lab bad: spec.underlay.nic: `ens192-very-long` has 16 characters; a device's name has at most 15
		 7 |   underlay: {cidr: 100.100.137.0/24, gateway: 100.100.137.1, nic: ens192-very-long}
		   |                                                                   ^^^^^^^^^^^^^^^^
		labctl: 1 fault in x.yaml
	X
	)"
}

@test "duplicate keys" {
	bad 's/^kind: Pod/kind: Pod\nkind: Pod/' "$(cat <<-'X'
		x.yaml:17:1: duplicate key `kind`: it stands on line 16 already
		 17 | kind: Pod
		    | ^^^^
		labctl: 1 fault in x.yaml
	X
	)"
}

@test "100 KB of nested brackets" {
	head -c 100000 /dev/zero | tr '\0' '[' >x.yaml
	run labctl up --dry-run x.yaml
	exits 2
	[ "${lines[0]}" = 'x.yaml:1:65: nested more than 64 levels deep' ]
	[ "${lines[3]}" = 'labctl: 1 fault in x.yaml' ]
}

@test "a file over 64 MiB" {
	truncate -s 65M x.yaml
	faults 'x.yaml: the file is larger than 64 MiB
labctl: 1 fault in x.yaml'
}

@test "binary junk prints no control characters" {
	printf 'kind: \xff\x1b[31m\x07\x00junk' >x.yaml
	run labctl up --dry-run x.yaml
	exits 2
	has '^x.yaml:1:7: not UTF-8 text: it holds the byte 0xff$'
	! grep -q $'[\x01-\x08\x0b-\x1f]' <<<"$output"
}

@test "unknown lab and mistyped verbs" {
	run labctl up flannel-vxla
	exits 3
	[ "$output" = 'labctl: there is no lab flannel-vxla, nor a file of that name
  hint: did you mean flannel-vxlan?' ]
	run labctl upp
	exits 2
	[ "$output" = 'labctl: there is no verb upp
  hint: did you mean up?' ]
	run labctl up
	exits 2
}

@test "without a lab, get says so and exits with 3" {
	[ "$(id -u)" = 0 ] && skip "would start an engine"
	run labctl get pods
	exits 3
}

@test "every verb has --help, and the man page its synopsis" {
	for verb in $(labctl --help | awk '/^  [a-z]/ {print $1}'); do
		run labctl "$verb" --help
		exits 0
		grep -qE "labctl.* $verb|^\.SS.*$verb|B(R)? +$verb|$verb" "$ROOT/docs/man/labctl.1"
	done
}

@test "the bash completion is valid bash and knows every verb" {
	labctl completion bash >c.bash
	bash -n c.bash
	run bash -c 'source ./c.bash; COMP_WORDS=(labctl d) COMP_CWORD=1; _labctl; printf "%s\n" "${COMPREPLY[@]}"'
	is "$(labctl --help | awk '/^  d/ {print $1}')"
}

@test "the bash completion knows a flag's words, after a blank and after =" {
	labctl completion bash >c.bash
	words() {
		bash -c 'source ./c.bash; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _labctl; echo "${COMPREPLY[*]}"' bash "$@" | tr '\n' ' '
	}
	[ "$(words labctl up --engine '')" = 'auto host user guest ' ]
	[ "$(words labctl up --engine =)" = 'auto host user guest ' ]
	[ "$(words labctl up --engine = ho)" = 'host ' ]
	[ "$(words labctl -o js up --eng)" = '--engine ' ]
}

@test "what is there twice: the fault names the first's place, in another file too" {
	cp good.yaml a.yaml
	cat >b.yaml <<-'Y'
		apiVersion: v1
		kind: Pod
		metadata: {name: busybox1}
		spec: {nodeName: node01, containers: [{name: busybox, image: busybox}]}
		---
		apiVersion: labd.dev/v1
		kind: Lab
		metadata: {name: other}
	Y
	run labctl up --dry-run a.yaml b.yaml
	exits 2
	[ "${lines[0]}" = 'b.yaml:3:18: Pod default/busybox1: metadata.name: a second object of this name; the first is at a.yaml:15' ]
	[ "${lines[3]}" = 'b.yaml:6:1: Lab other: a second Lab; the first is at a.yaml:1' ]
}

@test "an externalName may end with the root's dot" {
	sed 's/  type: NodePort/  type: ExternalName\n  externalName: www.example.com./; /ports:/d' good.yaml >x.yaml
	run labctl up --dry-run x.yaml
	exits 0
	sed -i 's/example.com\./example.com../' x.yaml
	run labctl up --dry-run x.yaml
	exits 2
	has 'spec.externalName: `www.example.com..? is not a valid name'
}

@test "an installed tree finds its labs, whatever PREFIX it was built for" {
	make -C "$ROOT" -s -o all install BUILD="$BUILD" DESTDIR="$TEST_DIR/inst" PREFIX=/opt/x
	cd "$TEST_DIR/inst/opt/x"
	[ -x bin/labd ] && [ -x bin/labd-init ]
	run env -u LABD_LABS bin/labctl labs -o name
	has '^flannel-vxlan$'
	grep -q '^ExecStart=/opt/x/bin/labd ' lib/systemd/system/labd.service
	[ -e lib/systemd/system/labd.socket ]
	for page in "$ROOT"/docs/man/*.[158]; do
		[ -n "$(find share/man -name "$(basename "$page")")" ]
	done
	make -C "$ROOT" -s uninstall DESTDIR="$TEST_DIR/inst" PREFIX=/opt/x
	[ -z "$(find . -type f)" ]
}

@test "a socket that somebody else serves is not talked to" {
	[ "$(id -u)" = 0 ] || skip "needs root, to be somebody else"
	command -v systemd-socket-activate >/dev/null || skip "needs systemd-socket-activate"
	chmod 755 "$TEST_DIR"
	mkdir -m 777 "$TEST_DIR/run"
	setpriv --reuid=65533 --regid=65533 --clear-groups \
		systemd-socket-activate -l "$TEST_DIR/run/labd.sock" sleep 10 >/dev/null 2>&1 &
	other=$!
	for _ in $(seq 50); do
		[ -e "$TEST_DIR/run/labd.sock" ] && break
		sleep 0.1
	done
	run setpriv --reuid=65534 --regid=65534 --clear-groups labctl exec x -- true
	exits 5
	has 'labd.sock: Permission denied$'
	has 'hint: ask for membership of the group labd'
	chmod 666 "$TEST_DIR/run/labd.sock"
	run setpriv --reuid=65534 --regid=65534 --clear-groups labctl exec x -- true
	kill $other
	exits 5
	has 'is served by uid 65533, not by you or root'
}

@test "labd keeps its state in no directory that others may write to" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	mkdir -m 777 "$TEST_DIR/run"
	run labd --engine=host
	exits 5
	has 'everybody may write there'
}

@test "plan of bare manifests prints what iptables-restore takes" {
	run labctl plan --section kube-proxy --node node01 "$ROOT/tests/golden/kube-proxy/cases/seed-flannel.yaml"
	exits 0
	has '^-A KUBE-SVC-UOXPL5GMPXS4446O '
	run labctl plan --section kube-proxy --node nodeX "$ROOT/tests/golden/kube-proxy/cases/seed-flannel.yaml"
	[ "$status" != 0 ]
}
