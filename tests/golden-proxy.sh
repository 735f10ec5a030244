#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Holds `labctl plan --section kube-proxy` against what real kube-proxy binaries made, in every mode:
# the plan of each golden case is loaded into an empty network namespace (iptables-legacy-restore,
# nft -f, ipset), printed by the kernel's own tools, brought into normal form
# (tests/golden/kube-proxy/cases/README.md) and compared. Of the ipvs mode what not every kernel has
# (IPVS, dummy devices, xt_ipvs) is compared as text. Prints TAP. Needs root or unprivileged user
# namespaces; without both, skips all.
#
#	tests/golden-proxy.sh [LABCTL]         default $BUILD/labctl, or build/labctl

set -u
labctl=$(realpath "${1:-${BUILD:-build}/labctl}")
cd "$(dirname "$0")/golden/kube-proxy" || exit 1
PATH=$PATH:/usr/sbin:/sbin
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

unshare=(unshare -n)
[ "$(id -u)" = 0 ] || unshare=(unshare -rn)

# Table by table: the list of tables in /proc is not for everybody.
save='iptables-legacy-save -t filter && iptables-legacy-save -t mangle && iptables-legacy-save -t nat'
export XTABLES_LOCKFILE=$tmp/lock

# Tables in the order filter, mangle, nat; no comments, counters or nfacct (the plan has none:
# counters have to be made first). Chains that kube-proxy fills walking a map get their services
# sorted by name, the rules of one service in their order, the node port jump last.
normalise() {
	awk '
	function flush_table() {
		if (table != "")
			text[table] = body
		body = ""
	}
	function flush_shared(    i, j, v) {
		for (i = 2; i <= n; i++) {
			v = line[i]; w = key[i]
			for (j = i - 1; j >= 1 && key[j] > w; j--) {
				line[j + 1] = line[j]; key[j + 1] = key[j]
			}
			line[j + 1] = v; key[j + 1] = w
		}
		for (i = 1; i <= n; i++)
			body = body line[i] "\n"
		n = 0; shared = ""
	}
	/^#/ || /^$/ || /localhost_nps_accepted_pkts/ { next }
	/^\*/ { flush_table(); table = substr($0, 2) }
	{
		sub(/ -m nfacct --nfacct-name  ct_state_invalid_dropped_pkts/, "")
		sub(/\[[0-9]+:[0-9]+\]$/, "[0:0]")
		chain = /^-A/ ? $2 : ""
		if (chain != shared)
			flush_shared()
		if (chain ~ /^KUBE-(SERVICES|NODEPORTS|EXTERNAL-SERVICES|PROXY-FIREWALL)$/) {
			shared = chain
			id = $0
			sub(/.*--comment "?/, "", id)
			sub(/[ "].*/, "", id)
			line[++n] = $0
			key[n] = /this must be the last rule/ ? "~" : id
			next
		}
		body = body $0 "\n"
	}
	END {
		flush_shared(); flush_table()
		printf "%s%s%s", text["filter"], text["mangle"], text["nat"]
	}'
}

# An nft table: one element a line, elements sorted; sets, maps and chains sorted by name.
normalise_nftables() {
	awk '
	function flush_block(    i, j, v) {
		for (i = 2; i <= n; i++) {
			v = elem[i]
			for (j = i - 1; j >= 1 && elem[j] > v; j--)
				elem[j + 1] = elem[j]
			elem[j + 1] = v
		}
		for (i = 1; i <= n; i++)
			body = body (i == 1 ? "\t\telements = {\n" : "") "\t\t\t" elem[i] "\n"
		for (i = blocks; i >= 1 && key[i] > name; i--) {
			key[i + 1] = key[i]; text[i + 1] = text[i]
		}
		key[i + 1] = name; text[i + 1] = body
		blocks++
		n = 0
	}
	function add_elems(s,    parts, m, i) {
		if (sub(/}[ \t]*$/, "", s))
			inside = 0
		m = split(s, parts, ",")
		for (i = 1; i <= m; i++) {
			gsub(/^[ \t]+|[ \t]+$/, "", parts[i])
			if (parts[i] != "")
				elem[++n] = parts[i]
		}
	}
	/^#/ || /^$/ || /^}/ { next }
	inside { add_elems($0); next }
	/^\t(set|map|chain) / { name = ($1 == "set" ? 1 : $1 == "map" ? 2 : 3) $2; body = $0 "\n"; next }
	/^\t}/ { flush_block(); name = ""; next }
	/^\t\telements = / { inside = 1; sub(/.*elements = \{/, ""); add_elems($0); next }
	name == "" { print; next }
	{ body = body $0 "\n" }
	END { for (i = 1; i <= blocks; i++) print text[i] }'
}

# What ipvs mode leaves, as the golden files have it, in parts with a headline each. Counters,
# bucketsize and the sets of the IPv6 half are dropped, and the rule that needs xt_ipvs (the plan has
# it, see the unit test).
normalise_ipvs() {
	sed -e 's/ bucketsize.*//; s/ initval.*//' -e '/^[a-z]* KUBE-6-/d' -e '/-m ipvs /d' \
		-e '/^# sysctl/,$d' |
		awk '
		/^# / { part = $2; next }
		part == "" { print; next }
		/^kube-ipvs0/ { $1 = $2 = "" }
		part ~ /ip|addresses/ && /\/32/ { for (i = 1; i <= NF; i++) if ($i != "") print "9 addr " $i | "sort"; next }
		/^-[Aa] / { vs = $3 ($2 == "-u"); print "8 " vs " " $0 | "sort"; next }
		{ print "7 " $2 " " ($1 == "add") " " $0 | "sort" }'
}

# Rules of userspace mode: the ports that kube-proxy listens on differ from run to run; rules in
# order of services.
normalise_userspace() {
	normalise | sed -E -e 's/(--to-ports |--to-destination [0-9.]+:)(\{[^}]*\}|[0-9]+)/\1R/' \
		-e '/KUBE-NODEPORT-NON-LOCAL -p/s/--dport (\{[^}]*\}|[0-9]+)/--dport R/' |
		awk '
		function flush_run(    i, j, v, w) {
			for (i = 2; i <= n; i++) {
				v = line[i]; w = key[i]
				for (j = i - 1; j >= 1 && key[j] > w; j--) {
					line[j + 1] = line[j]; key[j + 1] = key[j]
				}
				line[j + 1] = v; key[j + 1] = w
			}
			for (i = 1; i <= n; i++)
				print line[i]
			n = 0
		}
		$2 != chain { flush_run(); chain = $2 }
		/^-A KUBE/ { id = $0; sub(/.*--comment "?/, "", id); sub(/[ "].*/, "", id)
			line[++n] = $0; key[n] = id; next }
		{ print }
		END { flush_run() }'
}

# Programs of the plan's script that not every kernel can do are recorded instead.
mkdir "$tmp/bin"
cat >"$tmp/bin/ip" <<-END
	#!/bin/sh
	[ "\$2" != add ] || [ "\$1" != addr ] || echo "\$3" >>"$tmp/addrs"
END
cat >"$tmp/bin/ipvsadm" <<-END
	#!/bin/sh
	cat >"$tmp/services"
END
printf '#!/bin/sh\n' >"$tmp/bin/sysctl"
cat >"$tmp/bin/iptables-restore" <<-END
	#!/bin/sh
	grep -v -e '-m ipvs ' | iptables-legacy-restore "\$@"
END
chmod +x "$tmp"/bin/*

load_iptables() {
	"${unshare[@]}" sh -c "iptables-legacy-restore --noflush && $save" <"$1"
}

# cni0: the layout 1.32 matches a bridge by its index.
load_nftables() {
	"${unshare[@]}" sh -c 'ip link add cni0 type bridge; nft -f - && nft -s list table ip kube-proxy' \
		<"$1"
}

load_userspace() {
	PATH=$tmp/bin:$PATH "${unshare[@]}" sh -c 'sh -s && iptables-legacy-save -t filter &&
		iptables-legacy-save -t nat' <"$1"
}

load_ipvs() {
	: >"$tmp/addrs"
	PATH=$tmp/bin:$PATH "${unshare[@]}" sh -c "sh -s && iptables-legacy-save -t filter &&
		iptables-legacy-save -t nat && echo '# ipvsadm' && cat '$tmp/services' &&
		echo '# ipset' && ipset save && echo '# ip' && cat '$tmp/addrs'" <"$1" |
		sed -e '/^# \(Generated\|Completed\)/d' -e 's/\[[0-9]*:[0-9]*\]/[0:0]/'
}

count=0 failed=0

# check MODE NAME VERSION NODE EXPECTED FILE...
check() {
	local mode=$1 name=$2 version=$3 node=$4 expected=$5 normal=normalise
	shift 5
	[ "$mode" = iptables ] || normal=normalise_$mode
	count=$((count + 1))
	if "$labctl" plan --section kube-proxy --proxy-mode "$mode" --node "$node" \
		--kubernetes "$version" "$@" >"$tmp/plan" 2>"$tmp/err" &&
		"load_$mode" "$tmp/plan" >"$tmp/saved" 2>>"$tmp/err" &&
		$normal <"$tmp/saved" >"$tmp/got" && $normal <"$expected" >"$tmp/want" &&
		diff "$tmp/want" "$tmp/got" >>"$tmp/err"; then
		echo "ok $count - $name"
		return
	fi
	failed=$((failed + 1))
	echo "not ok $count - $name"
	sed -n '1,20s/^/# /p' "$tmp/err"
}

if ! "${unshare[@]}" sh -c "$save" >"$tmp/err" 2>&1; then
	echo "1..0 # SKIP no network namespace with iptables-legacy: $(head -1 "$tmp/err")"
	exit 0
fi

for yaml in cases/*.yaml; do
	case=${yaml%.yaml}
	node=$(sed -n 's/^hostnameOverride: //p' "$yaml")
	# The machine that the real ipvs runs were made on had cni0 and the node's address only.
	address=$(sed -n 's/^ *address: //p;T;q' "$yaml")
	sed "s/case.local-addresses:.*/case\/local-addresses: 127.0.0.1,10.244.1.1,$address/" \
		"$yaml" >"$tmp/real.yaml"
	while read -r mode suffix version file; do
		[ -e "$case.$suffix.expected" ] || continue
		expected=$case.$suffix.expected
		# One run of 1.20 in ipvs mode fell back to iptables, as it did without the modules.
		if [ "$mode" = ipvs ] && grep -q KUBE-PROXY-CANARY "$expected"; then
			mode=iptables
			sed '/^# ipvsadm/,$d' "$expected" >"$tmp/expected"
			expected=$tmp/expected
		fi
		check "$mode" "$(basename "$case").$suffix as $version" "$version" "$node" \
			"$expected" "${file:-$yaml}"
	done <<-END
		iptables v1.32.13 1.32
		iptables v1.23 1.23
		iptables v1.20.2 1.20
		nftables v1.32.13-nftables 1.32
		nftables v1.36.2-nftables 1.36
		ipvs v1.32-ipvs 1.32
		ipvs v1.32-ipvs 1.36
		ipvs v1.32.13-ipvs 1.32 $tmp/real.yaml
		ipvs v1.20.2-ipvs 1.20 $tmp/real.yaml
		userspace v1.20.2-userspace 1.20
	END
	for version in 1.32 1.36; do
		check iptables "$(basename "$case") as $version" "$version" "$node" \
			"$case.expected" "$yaml"
	done
done

for dir in real/*/; do
	{
		echo "apiVersion: kubeproxy.config.k8s.io/v1alpha1"
		echo "kind: KubeProxyConfiguration"
		grep -q '^clusterCIDR:' "$dir/config.yaml" 2>/dev/null ||
			echo "clusterCIDR: 10.244.0.0/16"
		cat "$dir/config.yaml" 2>/dev/null
	} >"$tmp/config.yaml"
	for run in 1.20-iptables 1.32-iptables 1.36-nftables 1.20-ipvs 1.32-ipvs 1.20-userspace; do
		[ -e "$dir$run.expected" ] || continue
		check "${run#*-}" "$dir$run" "${run%-*}" node01 "$dir$run.expected" \
			"$dir/manifest.yaml" "$tmp/config.yaml"
	done
done

echo "1..$count"
[ "$failed" = 0 ]
