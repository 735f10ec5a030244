# Shared by escape.bats, bounds.bats and guest.bats: tests/lib/escape.c in a pod and in a node. COMMAND... is the labctl to be used.

# put_escape COMMAND...: the program is there as /tmp/escape.
put_escape() {
	local place
	for place in busybox3 node/node01; do
		"$@" exec -i "$place" -- sh -c 'cat >/tmp/escape; chmod 755 /tmp/escape' <"$BUILD/tests/escape"
	done
}

# all_refused COMMAND FILE PID: all attempts; FILE and PID are the machine's.
all_refused() {
	local place
	for place in busybox3 node/node01; do
		run "$1" exec "$place" -- sh -c 'for a in "files $1" readonly mounts devices "processes $2" namespaces \
			descriptors own-program settings calls keys ranks terminals addresses families netlinks "sockets x"; do /tmp/escape $a || echo "$a: not refused"; done' sh "$2" "$3"
		hasnt 'NOT REFUSED|: not refused'
		has '^refused: bpf'
		has '^refused: an abstract socket'
	done
}

# lab_file NAME PROCESSES MEMORY: a lab with bounds; pods eater and web.
lab_file() {
	cat <<-Y
		apiVersion: labd.dev/v1
		kind: Lab
		metadata: {name: $1}
		spec: {cni: flannel, underlay: {cidr: 192.0.2.0/24, nic: eth0}, limits: {processes: $2, memory: $3}}
		---
		apiVersion: v1
		kind: Node
		metadata: {name: n1}
		spec: {podCIDR: 10.244.0.0/24}
		status: {addresses: [{type: InternalIP, address: 192.0.2.11}]}
		---
		apiVersion: v1
		kind: Pod
		metadata: {name: eater}
		spec: {nodeName: n1, containers: [{name: c, image: busybox}]}
		---
		apiVersion: v1
		kind: Pod
		metadata: {name: web}
		spec: {nodeName: n1, containers: [{name: c, image: agnhost}]}
	Y
}
