# For ownership.bats, on a machine of its own: what others have there.

LAB=$ROOT/tests/lib/small.yaml
MORE=$TEST_DIR/more.yaml
export LABD_FAULTS=1
cd "$TEST_DIR"

cat >"$MORE" <<'Y'
apiVersion: apps/v1
kind: Deployment
metadata: {name: more}
spec:
  replicas: 2
  selector: {matchLabels: {app: more}}
  template: {metadata: {labels: {app: more}}, spec: {containers: [{name: c, image: agnhost}]}}
Y

picture() { "$ROOT/tests/lib/host-state" /run/labd >"$TEST_DIR/picture.$1"; }

same() {
	local i
	for i in $(seq 40); do
		picture now
		cmp -s "$TEST_DIR/picture.$1" "$TEST_DIR/picture.now" && return 0
		sleep 0.2
	done
	diff "$TEST_DIR/picture.$1" "$TEST_DIR/picture.now"
}

in_netns() { "$1" "/run/netns/$2"; }

foreign() {
	# Namespaces: called as a lab's might be, or as the lab that will come; one that is a plain file.
	ip netns add small
	ip netns add small-extra
	ip netns add flannel-vxlan-node01
	: >/run/netns/small-plain
	ip netns exec small-extra ip link add cni0 type bridge
	ip netns exec small-extra iptables-legacy -t nat -N KUBE-SERVICES

	sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 # whose end would be a change
	# Devices: a container engine's bridge, a real node's, pairs called like those of pods.
	ip link add docker0 type bridge
	ip addr add 172.17.0.1/16 dev docker0
	ip link add veth1a2b3c4 type veth peer name eth0 netns small
	ip link set veth1a2b3c4 master docker0 up
	ip link add cni0 type bridge
	ip addr add 10.244.0.1/24 dev cni0
	ip link add flannel.1 type vxlan id 1 dstport 8472 dev docker0
	ip link set dev docker0 alias labd:small
	ip link set docker0 up
	ip link set cni0 up
	ip route add 10.244.1.0/24 dev cni0
	ip rule add fwmark 0x4000 table 77 pref 7777
	ip neigh add 172.17.0.9 lladdr 02:42:ac:11:00:09 dev docker0

	# Rules and sets: docker's, kube-proxy's of a real node, chains called like a trace's.
	local t
	for t in iptables-legacy iptables-nft; do
		$t -t nat -N DOCKER
		$t -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
		$t -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
		$t -t nat -N KUBE-SERVICES
		$t -t nat -A KUBE-SERVICES -d 10.96.0.1 -p tcp --dport 443 -j RETURN
		$t -t raw -N LABD-TRACE
		$t -t raw -A PREROUTING -j LABD-TRACE
		$t -A FORWARD -i docker0 -j ACCEPT
		$t -P FORWARD DROP
	done
	nft 'table inet labd { chain c { type filter hook input priority 5; ip saddr 192.0.2.11 accept; }; }'
	nft 'table ip kube-proxy { set cluster-ips { type ipv4_addr; elements = { 10.96.0.1 }; }; }'
	ipset create KUBE-CLUSTER-IP hash:ip,port
	ipset add KUBE-CLUSTER-IP 10.96.0.1,tcp:443
	ipset create labd-swap hash:ip

	# Settings, files, processes.
	sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=2 net.ipv4.ip_local_port_range='20000 30000'
	: >/run/xtables.lock
	mkdir -p /run/labd.d /run/docker /dev/shm/labd-guest-mine
	echo mine | tee /run/labd.d/own /dev/shm/labd-guest-mine/file /run/flannel.env >/dev/null
	dnsmasq --conf-file=/dev/null --pid-file=/run/dnsmasq.pid --interface=docker0 --bind-interfaces --port=5353 --no-resolv --no-hosts
	(exec -a /pause sleep 1000) &
	(exec -a labd-init sleep 1000) &
	ip netns exec small-extra bash -c 'exec -a labd sleep 1000' &
	sleep 0.2
}
