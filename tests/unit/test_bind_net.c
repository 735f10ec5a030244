/* SPDX-License-Identifier: MIT */
/* Binding, second half: configuration of the components, NetworkPolicy, Calico's pools, selectors.
 */
#include "tests/unit/kube_faults.h"

#define PROXY  "'apiVersion':'kubeproxy.config.k8s.io/v1alpha1','kind':'KubeProxyConfiguration'"
#define POLICY "'apiVersion':'networking.k8s.io/v1','kind':'NetworkPolicy','metadata':{'name':'np'}"
#define POOL   "'apiVersion':'crd.projectcalico.org/v1','kind':'IPPool','metadata':{'name':'pool'}"

static void is_cidr(struct cidr got, const char *want)
{
	assert_string_equal(CIDR(got), want);
}

static struct bound clean(const char *docs)
{
	expect_faults(docs, false, "");
	return bind_docs(docs, NULL);
}

static void test_proxy(void **state)
{
	(void)state;
	struct bound b = clean(
		"[{" PROXY ",'mode':'ipvs','hostnameOverride':' Node-1 ','clusterCIDR':"
		"'fd00::/48,10.0.0.0/8','detectLocalMode':'BridgeInterface','detectLocal':{"
		"'bridgeInterface':'cni0','interfaceNamePrefix':''},'iptables':{'masqueradeAll':"
		"true,"
		"'masqueradeBit':15,'localhostNodePorts':false,'syncPeriod':'30s'},'ipvs':{"
		"'scheduler':'wlc','strictARP':true,'excludeCIDRs':['1.2.3.0/24'],'tcpTimeout':"
		"'24h0m0s','tcpFinTimeout':'1m30s','udpTimeout':'1500ms'},'conntrack':{'"
		"tcpBeLiberal':"
		"true,'maxPerCore':null,'tcpEstablishedTimeout':null,'tcpCloseWaitTimeout':'0s',"
		"'udpTimeout':'500ms'},'nodePortAddresses':['10.0.0.0/8','fd00::/"
		"8'],'bindAddress':"
		"'0.0.0.0','winkernel':{}}]");
	const struct proxy_config *p = &b.o->proxy;
	assert_true(p->present);
	assert_int_equal(p->mode, PROXY_IPVS);
	assert_string_equal(p->hostname_override, "node-1");
	assert_true(p->has_cluster_cidr);
	is_cidr(p->cluster_cidr, "10.0.0.0/8");
	assert_int_equal(p->detect, DETECT_BRIDGE);
	assert_string_equal(p->bridge_interface, "cni0");
	assert_null(p->interface_prefix);
	assert_true(p->masquerade_all);
	assert_int_equal(p->masquerade_bit, 15);
	assert_false(p->localhost_node_ports);
	assert_string_equal(p->scheduler, "wlc");
	assert_true(p->strict_arp && p->tcp_be_liberal);
	assert_true(p->ct.tcp_established == 86400 * NS_PER_S && p->ct.tcp_close_wait == 0);
	assert_true(p->ct.udp == NS_PER_S / 2);
	assert_int_equal(p->bind_address, 0);
	assert_string_equal(p->exclude_cidrs.v[0], "1.2.3.0/24");
	assert_int_equal(p->ipvs_tcp_timeout, 86400);
	assert_int_equal(p->ipvs_tcpfin_timeout, 90);
	assert_int_equal(p->ipvs_udp_timeout, 1);
	assert_int_equal(p->node_port_addresses.n, 2);
	bound_free(&b);

	b = clean("[{" PROXY ",'mode':'','hostnameOverride':'','clusterCIDR':'','iptables':{"
		  "'masqueradeBit':null},'ipvs':{'scheduler':''},'nodePortAddresses':null}]");
	assert_int_equal(b.o->proxy.mode, PROXY_IPTABLES);
	assert_null(b.o->proxy.hostname_override);
	assert_false(b.o->proxy.has_cluster_cidr);
	assert_int_equal(b.o->proxy.masquerade_bit, 14);
	assert_true(b.o->proxy.localhost_node_ports);
	assert_string_equal(b.o->proxy.scheduler, "");
	bound_free(&b);
	b = clean("[{" PROXY
		  ",'mode':'nftables','nftables':{'masqueradeAll':true,'masqueradeBit':3}"
		  ",'nodePortAddresses':['primary']}]");
	assert_true(b.o->proxy.masquerade_all);
	assert_int_equal(b.o->proxy.masquerade_bit, 3);
	assert_string_equal(b.o->proxy.node_port_addresses.v[0], "primary");
	bound_free(&b);
}

static void test_proxy_faults(void **state)
{
	static const struct {
		const char *docs, *want;
	} cases[] = {
		{"[{" PROXY ",'mode':'iptable'}]",
		 "KubeProxyConfiguration: mode: `iptable` is not one of iptables, ipvs, nftables, "
		 "userspace (did you mean `iptables`?)"},
		{"[{" PROXY ",'detectLocalMode':'NodeCidr'}]",
		 "KubeProxyConfiguration: detectLocalMode: `NodeCidr` is not one of ClusterCIDR, "
		 "NodeCIDR, BridgeInterface, InterfaceNamePrefix (did you mean `NodeCIDR`?)"},
		{"[{" PROXY ",'detectLocalMode':'InterfaceNamePrefix'}]",
		 "KubeProxyConfiguration: detectLocal.interfaceNamePrefix: detectLocalMode "
		 "InterfaceNamePrefix needs detectLocal.interfaceNamePrefix"},
		{"[{" PROXY
		 ",'detectLocalMode':'BridgeInterface','detectLocal':{'bridgeInterface':''}"
		 "}]",
		 "KubeProxyConfiguration: detectLocal.bridgeInterface: detectLocalMode "
		 "BridgeInterface needs detectLocal.bridgeInterface"},
		{"[{" PROXY ",'clusterCIDR':'10.0.0.0'}]",
		 "KubeProxyConfiguration: clusterCIDR: `10.0.0.0` is not a CIDR such as "
		 "10.244.0.0/16"},
		{"[{" PROXY ",'clusterCIDR':'10.0.0.0/8,11.0.0.0/8'}]",
		 "KubeProxyConfiguration: clusterCIDR: more than one CIDR of one family"},
		{"[{" PROXY ",'iptables':{'masqueradeBit':32,'syncPeriod':'30'}}]",
		 "KubeProxyConfiguration: iptables.masqueradeBit: 32 is not between 0 and 31\n"
		 "KubeProxyConfiguration: iptables.syncPeriod: `30` is not a duration such as 30s "
		 "or "
		 "1h0m0s"},
		{"[{" PROXY
		 ",'ipvs':{'scheduler':'wlr','udpTimeout':'-5s','excludeCIDRs':['1.2.3.4']}"
		 "}]",
		 "KubeProxyConfiguration: ipvs.scheduler: `wlr` is not one of rr, wrr, lc, wlc, "
		 "lblc, lblcr, sh, dh, sed, nq, mh, fo, ovf, twos (did you mean `wrr`?)\n"
		 "KubeProxyConfiguration: ipvs.excludeCIDRs[0]: `1.2.3.4` is not a CIDR such as "
		 "10.244.0.0/16\n"
		 "KubeProxyConfiguration: ipvs.udpTimeout: `-5s` is less than 0"},
		{"[{" PROXY ",'nodePortAddresses':['primary','10.0.0.0/8']}]",
		 "KubeProxyConfiguration: nodePortAddresses[0]: `primary` cannot stand beside "
		 "CIDRs"},
		{"[{" PROXY ",'nodePortAddresses':['primry',5]}]",
		 "KubeProxyConfiguration: nodePortAddresses[0]: `primry` is not a CIDR such as "
		 "10.244.0.0/16\n"
		 "KubeProxyConfiguration: nodePortAddresses[1]: expected a string, found a number "
		 "(put it in quotes)"},
		{"[{" PROXY ",'iptables':{'minSyncPeriod':'40s'}}]",
		 "KubeProxyConfiguration: iptables.minSyncPeriod: syncPeriod 30s is less than "
		 "minSyncPeriod 40s"},
		{"[{" PROXY ",'mode':'ipvs','ipvs':{'syncPeriod':'5s','minSyncPeriod':'10s'}}]",
		 "KubeProxyConfiguration: ipvs.syncPeriod: syncPeriod 5s is less than "
		 "minSyncPeriod 10s"},
		/* minSyncPeriod is 1s of itself, but not in mode ipvs */
		{"[{" PROXY ",'iptables':{'syncPeriod':'500ms'}}]",
		 "KubeProxyConfiguration: iptables.syncPeriod: syncPeriod 0.5s is less than "
		 "minSyncPeriod 1s, its default"},
		{"[{" PROXY ",'mode':'ipvs','ipvs':{'syncPeriod':'500ms'}}]", ""},
		/* of another mode: kube-proxy does not look either */
		{"[{" PROXY ",'mode':'ipvs','nftables':{'syncPeriod':'5s','minSyncPeriod':'10s'}}]",
		 ""},
		{"[{" PROXY "},{" PROXY "}]", "KubeProxyConfiguration: : a second "
					      "KubeProxyConfiguration; the first is document 1"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_faults(cases[i].docs, false, cases[i].want);
}

/* Fields that change nothing in a lab have kube-proxy's rules all the same. */
static void test_proxy_unused(void **state)
{
	static const struct {
		const char *docs, *want;
	} cases[] = {
		{"[{" PROXY ",'bindAddress':'10.0.0','healthzBindAddress':'10.0.0.1:','portRange':"
		 "'300-200','oomScoreAdj':-1001,'configSyncPeriod':'-1s','udpIdleTimeout':250}]",
		 "KubeProxyConfiguration: bindAddress: `10.0.0` is not an IP address\n"
		 "KubeProxyConfiguration: healthzBindAddress: `` is not a port\n"
		 "KubeProxyConfiguration: oomScoreAdj: -1001 is not between -1000 and 1000\n"
		 "KubeProxyConfiguration: configSyncPeriod: `-1s` is less than 0\n"
		 "KubeProxyConfiguration: portRange: the range `300-200` ends before it begins\n"
		 "KubeProxyConfiguration: udpIdleTimeout: expected a string, found a number (put "
		 "it in quotes)"},
		{"[{" PROXY ",'healthzBindAddress':'host:1','metricsBindAddress':'[::1]:70000',"
		 "'portRange':'1-x','featureGates':{'A':'true'},'clientConnection':{'burst':-1,"
		 "'qps':'5'},'logging':[],'winkernel':{'enableDSR':1}}]",
		 "KubeProxyConfiguration: featureGates.A: expected `true` or `false`, found a "
		 "string (write it without quotes)\n"
		 "KubeProxyConfiguration: clientConnection.qps: expected a number, found a string\n"
		 "KubeProxyConfiguration: clientConnection.burst: -1 is not between 0 and "
		 "2147483647\n"
		 "KubeProxyConfiguration: logging: expected a mapping, found a list\n"
		 "KubeProxyConfiguration: healthzBindAddress: `host:1` is not an IP address and a "
		 "port such as 0.0.0.0:10256\n"
		 "KubeProxyConfiguration: metricsBindAddress: `70000` is not a port\n"
		 "KubeProxyConfiguration: winkernel.enableDSR: expected `true` or `false`, found a "
		 "number\n"
		 "KubeProxyConfiguration: portRange: `1-x` is not a range of ports such as "
		 "300-2000"},
		{"[{" PROXY ",'conntrack':{'maxPerCore':-1,'min':2147483648,"
		 "'tcpEstablishedTimeout':'1d','udpTimeout':'-1s'}}]",
		 "KubeProxyConfiguration: conntrack.maxPerCore: -1 is not between 0 and "
		 "2147483647\n"
		 "KubeProxyConfiguration: conntrack.min: 2147483648 is not between 0 and "
		 "2147483647\n"
		 "KubeProxyConfiguration: conntrack.tcpEstablishedTimeout: `1d` is not a duration "
		 "such as 30s or 1h0m0s\n"
		 "KubeProxyConfiguration: conntrack.udpTimeout: `-1s` is less than 0"},
		/* all the forms that kube-proxy takes */
		{"[{" PROXY
		 ",'bindAddress':'::','healthzBindAddress':'0.0.0.0','metricsBindAddress'"
		 ":'[::]:10249','portRange':' 300+100 ','oomScoreAdj':null,'configSyncPeriod':'0',"
		 "'featureGates':{'A':true},'clientConnection':{'qps':0.5,'burst':0},'logging':{}}"
		 "]",
		 ""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_faults(cases[i].docs, false, cases[i].want);
}

static void test_proxy_notes(void **state)
{
	(void)state;
	expect_notes("[{" PROXY ",'masqueradeAll':true,'iptables':{'masqeradeAll':true},"
		     "'metricsBindAddress':'0.0.0.0:9','detectLocal':{'bridge':''}}]",
		     "KubeProxyConfiguration: key masqueradeAll: unknown field `masqueradeAll` is "
		     "ignored (did you mean `iptables.masqueradeAll`?)\n"
		     "KubeProxyConfiguration: key metricsBindAddress: the kube-proxy of a lab "
		     "answers on port 10249\n"
		     "KubeProxyConfiguration: key iptables.masqeradeAll: unknown field "
		     "`masqeradeAll` is ignored (did you mean `masqueradeAll`?)\n"
		     "KubeProxyConfiguration: key detectLocal.bridge: unknown field `bridge` is "
		     "ignored");
}

/* Unknown fields of Kubernetes' objects are passed over, and said; those it has and nobody reads
 * here are not. */
static void test_unknown_fields(void **state)
{
	(void)state;
	expect_notes("[{'apiVersion':'v1','kind':'Pod','metadata':{'name':'a','managedFields':[],"
		     "'lables':{}},'labels':{},'image':'x','spec':{'nodename':'n','volumes':[],"
		     "'containers':[{'name':'c','image':'nginx','livenessProbe':{},'comand':[]}]}},"
		     "{'apiVersion':'v1','kind':'Service','metadata':{'name':'s'},'status':{},"
		     "'spec':{'clusterIP':'10.96.0.9','selectr':{},'ipFamilyPolicy':'SingleStack',"
		     "'ports':[{'port':80,'targetport':1,'appProtocol':'http'}]},'ports':[]}]",
		     "Pod default/a: key metadata.lables: unknown field `lables` is ignored (did "
		     "you mean `labels`?)\n"
		     "Pod default/a: key labels: unknown field `labels` is ignored (did you mean "
		     "`metadata.labels`?)\n"
		     "Pod default/a: key image: unknown field `image` is ignored\n"
		     "Pod default/a: key spec.nodename: unknown field `nodename` is ignored (did "
		     "you mean `nodeName`?)\n"
		     "Pod default/a: key spec.containers[0].comand: unknown field `comand` is "
		     "ignored (did you mean `command`?)\n"
		     "Service default/s: key ports: unknown field `ports` is ignored (did you mean "
		     "`spec.ports`?)\n"
		     "Service default/s: key spec.selectr: unknown field `selectr` is ignored (did "
		     "you mean `selector`?)\n"
		     "Service default/s: key spec.ports[0].targetport: unknown field `targetport` "
		     "is ignored (did you mean `targetPort`?)");
	expect_notes("[{" POLICY ",'spec':{'podSelector':{'app':'web'},'ingress':[{'form':[]}]}}]",
		     "NetworkPolicy default/np: key spec.podSelector.app: unknown field `app` is "
		     "ignored (labels stand under `matchLabels`)\n"
		     "NetworkPolicy default/np: key spec.ingress[0].form: unknown field `form` is "
		     "ignored (did you mean `from`?)");
}

#define CM(name, data)                                                                             \
	"{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'" name                          \
	"','namespace':'kube-system'},'data':{" data "}}"

/* Stands for a YAML parser. */
static json_t *fake_yaml(const char *text, char ret_text[static 256])
{
	json_error_t why;
	if (strcmp(text, "mode: ipvs") == 0)
		return json_loads("{\"kind\":\"KubeProxyConfiguration\",\"mode\":\"ipvs\"}", 0,
				  &why);
	if (strcmp(text, "mode: x") == 0)
		return json_loads("{\"mode\":\"x\"}", 0, &why);
	snprintf(ret_text, 256, "line 1: not YAML");
	return NULL;
}

static void test_configmap_proxy(void **state)
{
	_strbuf_ struct strbuf got = STRBUF_INIT;
	(void)state;
	struct bound b = bind_docs("[" CM("kube-proxy", "'config.conf':'mode: ipvs','b':'c'") "]",
				   fake_yaml);
	assert_int_equal(b.faults.total, 0);
	assert_int_equal(b.o->proxy.mode, PROXY_IPVS);
	assert_int_equal(b.o->configmaps.n, 1);
	/* The text has become an object, which whoever binds next can read without a parser. */
	json_t *doc = json_array_get(b.o->docs, 0);
	assert_string_equal(json_string_value(json_object_get(json_object_get(doc, "labd.dev/text"),
							      "config.conf")),
			    "mode: ipvs");
	struct arena *a = arena_new();
	struct faults again = {.arena = a};
	struct objects *o = objects_bind(a, b.o->docs, NULL, &again);
	assert_int_equal(again.total, 0);
	assert_int_equal(o->proxy.mode, PROXY_IPVS);
	objects_release(o);
	arena_free(a);
	bound_free(&b);

	b = bind_docs("[" CM("kube-proxy", "'config.conf':'mode: x'") "," CM(
			      "kube-proxy", "'config.conf':'{'") "]",
		      fake_yaml);
	faults_text(&b.faults, &got);
	assert_string_equal(
		strbuf_str(&got),
		"ConfigMap kube-system/kube-proxy: data[\"config.conf\"].mode: `x` is not one of "
		"iptables, ipvs, nftables, userspace\n"
		"ConfigMap kube-system/kube-proxy: data[\"config.conf\"]: line 1: not YAML");
	bound_free(&b);
	expect_faults(
		"[" CM("kube-proxy", "'config.conf':'mode: ipvs'") "]", false,
		"ConfigMap kube-system/kube-proxy: data[\"config.conf\"]: the client sent the "
		"text unread");
	expect_faults(
		"[" CM("kube-proxy", "'config.conf':{'kind':'Pod'},'x':{}") "]", false,
		"ConfigMap kube-system/kube-proxy: data.x: expected a string, found a mapping\n"
		"ConfigMap kube-system/kube-proxy: data[\"config.conf\"].kind: expected "
		"`KubeProxyConfiguration`, found `Pod`");
}

#define NET_CONF(text) "[" CM("kube-flannel-cfg", "'net-conf.json':" text) "]"

static void test_configmap_flannel(void **state)
{
	(void)state;
	struct bound b =
		clean(NET_CONF("{'Network':'10.244.0.0/16','Backend':{'Type':'VXLAN','VNI':"
			       "7,'Port':4789,'DirectRouting':true}}"));
	assert_true(b.o->flannel.present);
	is_cidr(b.o->flannel.network, "10.244.0.0/16");
	assert_int_equal(b.o->flannel.backend, FLANNEL_VXLAN);
	assert_int_equal(b.o->flannel.vni, 7);
	assert_int_equal(b.o->flannel.port, 4789);
	assert_true(b.o->flannel.direct_routing);
	bound_free(&b);
	b = clean(NET_CONF("'{\\u0022Network\\u0022:\\u002210.1.0.0/16\\u0022,"
			   "\\u0022Backend\\u0022:{\\u0022Type\\u0022:\\u0022host-gw\\u0022}}'"));
	assert_int_equal(b.o->flannel.backend, FLANNEL_HOST_GW);
	assert_int_equal(b.o->flannel.vni, 1);
	assert_int_equal(b.o->flannel.port, 0);
	bound_free(&b);
	expect_faults(NET_CONF("'{'"), false,
		      "ConfigMap kube-system/kube-flannel-cfg: data[\"net-conf.json\"]: not JSON: "
		      "line 1: string or '}' expected near end of file");
	expect_faults(
		NET_CONF("{'Network':'10.244.0.0','Backend':{'Type':'wireguard'}}"), false,
		"ConfigMap kube-system/kube-flannel-cfg: data[\"net-conf.json\"].Network: "
		"`10.244.0.0` is not a CIDR such as 10.244.0.0/16\n"
		"ConfigMap kube-system/kube-flannel-cfg: data[\"net-conf.json\"].Backend.Type: "
		"`wireguard` is not one of vxlan, host-gw, ipip");
	expect_faults(
		NET_CONF("{'Backend':{}}"), false,
		"ConfigMap kube-system/kube-flannel-cfg: data[\"net-conf.json\"]: `Network` is "
		"missing\n"
		"ConfigMap kube-system/kube-flannel-cfg: data[\"net-conf.json\"].Backend: `Type` "
		"is missing");
}

static void test_policy(void **state)
{
	(void)state;
	struct bound b = clean(
		"[{" POLICY
		",'spec':{'podSelector':{},'policyTypes':['Egress'],'egress':[{},{'to':[{"
		"'ipBlock':{'cidr':'10.0.0.0/8','except':['10.1.0.0/16']}},{'ipBlock':{'cidr':"
		"'fd00::/8'}},{'podSelector':{'matchLabels':{'a':'b'}},'namespaceSelector':{}}],"
		"'ports':[{'port':80,'endPort':90},{'protocol':'UDP'},{'port':'http'}]}]}},"
		"{" POLICY ",'spec':{'podSelector':{'matchLabels':{'a':'b'}}}},"
		"{" POLICY
		",'spec':{'podSelector':{},'egress':[{}],'ingress':[{'from':[{'ipBlock':{"
		"'cidr':'fd00::/8'}}]}]}}]");
	const struct network_policy *p = b.o->policies.v;
	assert_true(!p->ingress && p->egress && p->pods.present);
	assert_int_equal(p->out.n, 2);
	assert_true(p->out.v[0].any_peer);
	const struct np_rule *r = &p->out.v[1];
	assert_false(r->any_peer);
	assert_int_equal(r->peers.n, 2);
	assert_true(r->peers.v[0].is_block);
	is_cidr(r->peers.v[0].except.v[0], "10.1.0.0/16");
	assert_true(r->peers.v[1].pods.present && r->peers.v[1].namespaces.present);
	assert_int_equal(r->ports.v[0].end_port, 90);
	assert_true(r->ports.v[1].any_port);
	assert_int_equal(r->ports.v[1].proto, PROTO_UDP);
	assert_string_equal(r->ports.v[2].port_name, "http");
	assert_true(p[1].ingress && !p[1].egress);
	assert_true(p[2].ingress && p[2].egress);
	/* A rule whose only peer is IPv6 lets no IPv4 in. */
	assert_false(p[2].in.v[0].any_peer);
	assert_int_equal(p[2].in.v[0].peers.n, 0);
	bound_free(&b);

	expect_faults("[{" POLICY ",'spec':{}}]", false,
		      "NetworkPolicy default/np: spec: `podSelector` is missing");
	expect_faults(
		"[{" POLICY ",'spec':{'podSelector':{},'policyTypes':['ingress'],'ingress':[{"
		"'from':[{},{'ipBlock':{'cidr':'10.0.0.0/8','except':['11.0.0.0/8',"
		"'10.0.0.0/8']}},{'ipBlock':{'cidr':'10.0.0.0/8'},'podSelector':{}},{'ipBlock':"
		"{}}],'ports':[{'port':80,'endPort':70},{'endPort':80},{'port':'80'}]}]}}]",
		false,
		"NetworkPolicy default/np: spec.policyTypes[0]: `ingress` is not one of Ingress, "
		"Egress (did you mean `Ingress`?)\n"
		"NetworkPolicy default/np: spec.ingress[0].ports[0].endPort: 70 is below the "
		"port, 80\n"
		"NetworkPolicy default/np: spec.ingress[0].ports[1].endPort: `endPort` needs a "
		"`port` that is a number\n"
		"NetworkPolicy default/np: spec.ingress[0].ports[2].port: a port given as text "
		"must be the name of a container's port (write it without quotes)\n"
		"NetworkPolicy default/np: spec.ingress[0].from[0]: one of podSelector, "
		"namespaceSelector, ipBlock is needed (`podSelector: {}` means all pods of the "
		"namespace)\n"
		"NetworkPolicy default/np: spec.ingress[0].from[1].ipBlock.except[0]: 11.0.0.0/8 "
		"is not a part of 10.0.0.0/8\n"
		"NetworkPolicy default/np: spec.ingress[0].from[1].ipBlock.except[1]: 10.0.0.0/8 "
		"is not a part of 10.0.0.0/8\n"
		"NetworkPolicy default/np: spec.ingress[0].from[2].ipBlock: `ipBlock` cannot "
		"stand beside a selector\n"
		"NetworkPolicy default/np: spec.ingress[0].from[3].ipBlock: `cidr` is missing");
}

static void test_calico(void **state)
{
	(void)state;
	struct bound b = clean(
		"[{" POOL
		",'spec':{'cidr':'10.244.0.0/16','ipipMode':'CrossSubnet','natOutgoing':true,"
		"'nodeSelector':'all()'}},{" POOL ",'spec':{'cidr':'fd00::/48','blockSize':122}},"
		"{'apiVersion':'projectcalico.org/"
		"v3','kind':'IPPool','metadata':{'name':'p2'},'spec':{"
		"'cidr':'10.245.0.0/16','blockSize':24,'vxlanMode':'Always','ipipMode':'Never',"
		"'disabled':true}},"
		"{'apiVersion':'crd.projectcalico.org/"
		"v1','kind':'IPAMBlock','metadata':{'name':'b'},"
		"'spec':{'cidr':'10.244.1.0/26','affinity':'host:node02','deleted':false,"
		"'allocations':[0,null]}},"
		"{'apiVersion':'crd.projectcalico.org/"
		"v1','kind':'IPAMBlock','metadata':{'name':'c'},"
		"'spec':{'cidr':'10.244.2.0/26','affinity':null}},"
		"{'apiVersion':'crd.projectcalico.org/"
		"v1','kind':'BlockAffinity','metadata':{'name':"
		"'d'},'spec':{'cidr':'10.244.3.0/26','node':'node01','deleted':'false','state':"
		"'confirmed'}},"
		"{'apiVersion':'crd.projectcalico.org/"
		"v1','kind':'BlockAffinity','metadata':{'name':"
		"'e'},'spec':{'cidr':'10.244.4.0/26','node':'node01','deleted':'true'}}]");
	assert_int_equal(b.o->pools.n, 2);
	assert_int_equal(b.o->pools.v[0].block_size, 26);
	assert_int_equal(b.o->pools.v[0].ipip, ENCAP_CROSS_SUBNET);
	assert_int_equal(b.o->pools.v[0].vxlan, ENCAP_NEVER);
	assert_true(b.o->pools.v[0].nat_outgoing);
	assert_int_equal(b.o->pools.v[1].block_size, 24);
	assert_true(b.o->pools.v[1].disabled);
	assert_int_equal(b.o->blocks.n, 2);
	assert_string_equal(b.o->blocks.v[0].node, "node02");
	is_cidr(b.o->blocks.v[1].cidr, "10.244.3.0/26");
	bound_free(&b);

	expect_faults(
		"[{" POOL ",'spec':{'cidr':'10.244.0.0/16','ipipMode':'Always','vxlanMode':"
		"'CrossSubnet'}}]",
		false,
		"IPPool pool: spec.vxlanMode: ipipMode and vxlanMode cannot both be on in one "
		"pool (set one of them to Never)");
	expect_faults("[{" POOL ",'spec':{'cidr':'10.244.0.0/16','blockSize':19}}]", false,
		      "IPPool pool: spec.blockSize: 19 is not between 20 and 32");
	expect_faults("[{" POOL ",'spec':{'cidr':'10.244.0.0/27'}}]", false,
		      "IPPool pool: spec.blockSize: a block of size /26 does not fit into the pool "
		      "10.244.0.0/27");
	expect_faults(
		"[{" POOL ",'spec':{'cidr':'10.244.1.5/16','ipipMode':'always'}}]", false,
		"IPPool pool: spec.cidr: 10.244.1.5/16 has bits set behind its prefix (write "
		"10.244.0.0/16)\n"
		"IPPool pool: spec.ipipMode: `always` is not one of Never, Always, CrossSubnet "
		"(did you mean `Always`?)");
	expect_faults("[{" POOL ",'spec':{}}]", false, "IPPool pool: spec: `cidr` is missing");
	expect_faults("[{" POOL "}]", false, "IPPool pool: : `spec` is missing");
	expect_faults("[{'apiVersion':'crd.projectcalico.org/v1','kind':'IPAMBlock','metadata':{"
		      "'name':'b'},'spec':{'cidr':'10.244.1.0/26','affinity':'node02'}}]",
		      false,
		      "IPAMBlock b: spec.affinity: `node02` is not `host:` and the name of a node");
}

static void test_selectors(void **state)
{
	(void)state;
	struct kv pairs[] = {{"app", "web"}, {"tier", "front"}};
	kvs labels = {.v = pairs, .n = 2};
	const char *words[] = {"web", "db"};
	struct selector_expr e = {.key = "app", .op = "In", .values = {.v = words, .n = 2}};
	struct selector s = {0};
	assert_false(selector_matches(&s, &labels)); /* absent */
	s.present = true;
	assert_true(selector_matches(&s, &labels)); /* empty */
	s.exprs.v = &e;
	s.exprs.n = 1;
	assert_true(selector_matches(&s, &labels));
	e.op = "NotIn";
	assert_false(selector_matches(&s, &labels));
	e.key = "other";
	assert_true(selector_matches(&s, &labels)); /* NotIn takes what lacks the label */
	e.op = "Exists";
	assert_false(selector_matches(&s, &labels));
	e.op = "DoesNotExist";
	assert_true(selector_matches(&s, &labels));
	e.op = "In";
	assert_false(selector_matches(&s, &labels));
	s.exprs.n = 0;
	s.match_labels = (kvs){.v = (struct kv[]){{"app", "db"}}, .n = 1};
	assert_false(selector_matches(&s, &labels));
	assert_string_equal(kv_get(&labels, "tier"), "front");
	assert_null(kv_get(&labels, "x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_proxy),
		cmocka_unit_test(test_proxy_faults),
		cmocka_unit_test(test_proxy_unused),
		cmocka_unit_test(test_unknown_fields),
		cmocka_unit_test(test_proxy_notes),
		cmocka_unit_test(test_configmap_proxy),
		cmocka_unit_test(test_configmap_flannel),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_calico),
		cmocka_unit_test(test_selectors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
