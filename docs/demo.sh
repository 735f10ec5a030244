#!/bin/bash
# make demo: a cluster, a packet, and the evidence of its way. Everything it starts it takes away, except
# what it says at the end.
set -eu
cd "$(dirname "$0")/.."
PATH=$PWD/${BUILD:-build}:$PATH
export LABD_LABS=$PWD/labs
lab=calico-ipip
bold=$(tput bold 2>/dev/null || true) plain=$(tput sgr0 2>/dev/null || true)
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] || bold='' plain=''

say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
show() {
	printf '%s$ %s%s\n' "$bold" "$*" "$plain"
	"$@"
}
packets() { # packets NODE: what tunl0 there has sent
	labctl exec -l "$lab" "node/$1" -- cat /sys/class/net/tunl0/statistics/tx_packets
}

say "A Calico cluster in IPIP mode: three nodes, their pods and Services"
show labctl up "$lab"

say "The cluster, as kubectl would show it"
show labctl get nodes -l "$lab" -o wide
show labctl get pods -l "$lab" -o wide
show labctl get svc -l "$lab"

say "busybox3 on node01 asks kube-dns, then fetches the page from nginx on node02"
sent=$(packets node01) back=$(packets node02)
name=nginx-deployment.default.svc.cluster.local
show labctl exec -l "$lab" busybox3 -- nslookup "$name"
show labctl exec -l "$lab" busybox3 -- wget -qO- "http://$name"
sent=$(($(packets node01) - sent)) back=$(($(packets node02) - back))

say "Which way did it go?"
show labctl exec -l "$lab" node/node01 -- conntrack -L -p tcp --orig-dst 10.107.254.44 2>/dev/null || true
entry=$(labctl exec -l "$lab" node/node01 -- conntrack -L -p tcp --orig-dst 10.107.254.44 2>/dev/null | tail -n 1)
from=$(sed -nE 's/.* src=([0-9.]+) dst=10\.107\.254\.44 .*/\1/p' <<<"$entry")
to=$(sed -nE 's/.* dst=10\.107\.254\.44 sport=[0-9]+ dport=[0-9]+ src=([0-9.]+) .*/\1/p' <<<"$entry")
if [ -z "$to" ]; then
	echo "node01's conntrack has no entry for the ClusterIP: the request did not take the expected way" >&2
	exit 1
fi
route=$(labctl exec -l "$lab" node/node01 -- ip route get "$to" | head -n 1)
cat <<EOF
$from asked for 10.107.254.44:80. node01's rules changed that to $to:80 (the conntrack entry above).
node01 routes it as: $route
tunl0 of node01 sent $sent packets (DNS queries to master01 and the request), tunl0 of node02 sent $back back.
So the request left node01 inside an IPIP packet (protocol 4) to node02, and so did the answer on its way back.
EOF
[ "$sent" -gt 0 ] && [ "$back" -gt 0 ]

say "What to try next"
while IFS='|' read -r command what; do
	printf '  %-72s %s\n' "${BUILD:-build}/labctl $command" "$what"
done <<EOF
exec -it busybox3 -- sh|a shell in the pod
exec node/node01 -- iptables -t nat -S KUBE-SERVICES|the first rules it met
exec host/client -- curl -sS http://100.100.137.201:30008/|from outside, by NodePort
plan $lab|the commands that build it by hand
up flannel-vxlan|the other documented cluster
down --all|when you are done
EOF
