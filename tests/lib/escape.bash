# Shared by escape.bats and guest.bats: tests/lib/escape.c in a pod and in a node. COMMAND... is the labctl to be used.

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
			descriptors own-program settings calls keys "sockets x"; do /tmp/escape $a || echo "$a: not refused"; done' sh "$2" "$3"
		hasnt 'NOT REFUSED|: not refused'
		has '^refused: bpf'
		has '^refused: an abstract socket'
	done
}
