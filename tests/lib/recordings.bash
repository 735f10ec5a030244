# The flows every lab has to get right, as recordings in their normal form. Used by trace.bats, trace-guest.bats and
# trace-modes.bats, which compare them with tests/golden/recordings/normal/NAME/*.txt. With UPDATE_GOLDEN=1 the golden files are written
# instead: read the difference before you commit it.

GOLDEN_NORMAL=$ROOT/tests/golden/recordings/normal

# The lab file of NAME as these tests want it: one DNS server (so that no dice are thrown), a Service without
# endpoints. A second argument is a sed script.
recording_lab() {
	sed "${2:-}" "$ROOT/labs/$1.lab.yaml"
	cat <<-EOF
		---
		apiVersion: v1
		kind: Service
		metadata: {name: no-endpoints, namespace: default}
		spec:
		  clusterIP: 10.96.33.33
		  selector: {app: nobody}
		  ports: [{name: http, port: 80, protocol: TCP, targetPort: 80}]
	EOF
}

# record LAB FLOW: its recording as JSON on stdout.
record() {
	local lab=$1 port=30008 far=10.244.140.65
	# What went before has a part in it: within a bridge the way depends on what the neighbour table has of the
	# pod, and a tunnel's packets have connections of their own that know their translation.
	labctl exec -l "$lab" node/node02 -- sh -c 'ip neigh flush dev cni0; conntrack -F' >/dev/null 2>&1
	labctl exec -l "$lab" node/node01 -- conntrack -F >/dev/null 2>&1
	labctl exec -l "$lab" node/master01 -- conntrack -F >/dev/null 2>&1
	case $lab in *flannel*) port=31856 far=10.244.2.2 ;; esac
	case $2 in
	clusterip-same) set -- busybox1 nginx-deployment:80 --no-dns ;;
	clusterip-cross) set -- busybox3 nginx-deployment:80 --no-dns ;;
	nodeport-same) set -- host/client "node/node02:$port" ;;
	nodeport-cross) set -- host/client "node/node01:$port" ;;
	dns) set -- busybox3 nginx-deployment.default.svc.cluster.local:80 ;;
	ping) set -- busybox3 "$far/icmp" ;;
	node-clusterip) set -- node/node01 nginx-deployment:80 --no-dns ;;
	hairpin) set -- nginx-deployment nginx-deployment:80 --no-dns ;;
	no-endpoints) set -- busybox3 no-endpoints:80 --no-dns ;;
	outside) set -- busybox3 100.100.137.10/icmp ;;
	esac
	labctl trace -l "$lab" "$@" -o json
}

FLOWS="clusterip-same clusterip-cross nodeport-same nodeport-cross dns ping node-clusterip hairpin no-endpoints outside"

# golden LAB NAME FLOW: record it and compare with NAME/FLOW.txt.
golden() {
	record "$1" "$3" >"$TEST_DIR/$3.json"
	golden_file "$2" "$3"
}

# golden_file NAME FLOW: compare the recording $TEST_DIR/FLOW.json with NAME/FLOW.txt.
golden_file() {
	local file=$GOLDEN_NORMAL/$1/$2.txt own=.
	[ "$2" != dns ] || own=.dns # the query alone: the connection behind it is clusterip-cross
	labctl __normal "$TEST_DIR/$2.json" | jq "$own" | jq -rf "$ROOT/tests/lib/normal.jq" >"$TEST_DIR/$2.txt"
	if [ -n "${UPDATE_GOLDEN:-}" ]; then
		mkdir -p "$GOLDEN_NORMAL/$1"
		cp "$TEST_DIR/$2.txt" "$file"
	fi
	diff -u "$file" "$TEST_DIR/$2.txt"
}

# golden_all LAB NAME: all flows; says which differ.
golden_all() {
	local flow bad=0
	for flow in $FLOWS; do
		golden "$1" "$2" "$flow" || bad=1
	done
	return $bad
}

# Run every TRY line of every documented flow of the lab, each once: it prints what its step claims.
try_all() {
	local lab=$1 flow bad=0 count=0 where cmd expect out line
	labctl ls -o json >"$TEST_DIR/ls"
	for flow in $(jq -r --arg lab "$lab" '.. | objects | select(.name? == $lab) | .flows[].name' "$TEST_DIR/ls"); do
		labctl flow -l "$lab" "$flow" -o json
	done >"$TEST_DIR/flows.json"
	while IFS= read -r line; do
		where=$(jq -r .[0] <<<"$line") cmd=$(jq -r .[1] <<<"$line") expect=$(jq -r .[2] <<<"$line")
		count=$((count + 1))
		# shellcheck disable=SC2086 # "-n NAMESPACE POD" are words
		out=$(labctl exec -l "$lab" $where -- sh -c "$cmd" 2>&1 </dev/null) || true
		grep -qE -- "$expect" <<<"$out" || {
			bad=1
			printf '%s -- %s\n  has no line like %s\n%s\n' "$where" "$cmd" "$expect" "$out"
		}
	done < <(jq -sc '[.[] | (., .dns) | values | .steps[] | select(.try_cmd and .try_expect) |
		[.try_where, .try_cmd, .try_expect]] | unique[]' "$TEST_DIR/flows.json")
	echo "$count TRY lines"
	[ "$count" -gt 40 ] && [ $bad = 0 ]
}
