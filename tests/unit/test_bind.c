/* SPDX-License-Identifier: MIT */
/* Binding of documents: what ends up in the structs, and the message of every kind of fault. */
#include "tests/unit/kube_faults.h"

#define NODE_META "'apiVersion':'v1','kind':'Node','metadata':{'name':'n1'}"
#define POD_META  "'apiVersion':'v1','kind':'Pod','metadata':{'name':'p'}"
#define POD_SPEC  "'spec':{'containers':[{'name':'c','image':'busybox'}]}"
#define SVC_META  "'apiVersion':'v1','kind':'Service','metadata':{'name':'s'}"
#define LAB_META  "'apiVersion':'labd.dev/v1','kind':'Lab','metadata':{'name':'l'}"
#define SLICE                                                                                      \
	"'apiVersion':'discovery.k8s.io/v1','kind':'EndpointSlice','metadata':{'name':'sl',"       \
	"'labels':{'kubernetes.io/service-name':'s'}}"

static void is_ip(ip4 got, const char *want)
{
	assert_string_equal(IP4(got), want);
}

static void is_cidr(struct cidr got, const char *want)
{
	assert_string_equal(CIDR(got), want);
}

static struct bound clean(const char *docs)
{
	expect_faults(docs, false, "");
	return bind_docs(docs, NULL);
}

static void test_lab(void **state)
{
	(void)state;
	struct bound b =
		clean("[{" LAB_META ",'spec':{'description':'d','kubernetes':'1.23','cni':'calico',"
		      "'iptables':'nft','routing':'bird','underlay':{'cidr':'100.100.137.0/24',"
		      "'gateway':'100.100.137.1','nic':'ens192','mtu':1500},"
		      "'hosts':[{'name':'client','ip':'100.100.137.10'}],"
		      "'flows':[{'name':'f','from':'pod/a','to':'b:80','expect':['dnat "
		      "1.2.3.4:80','x']}]}}"
		      "]");
	const struct lab_spec *lab = &b.o->lab;
	assert_true(lab->present);
	assert_string_equal(lab->meta.name, "l");
	assert_null(lab->meta.ns);
	assert_string_equal(lab->description, "d");
	assert_int_equal(lab->kubernetes, KUBE_1_23);
	assert_int_equal(lab->cni, CNI_CALICO);
	assert_int_equal(lab->iptables, IPT_NFT);
	assert_int_equal(lab->routing, ROUTING_BIRD);
	assert_int_equal(lab->underlays.n, 1);
	is_cidr(lab->underlays.v[0].cidr, "100.100.137.0/24");
	is_ip(lab->underlays.v[0].gateway, "100.100.137.1");
	assert_string_equal(lab->underlays.v[0].nic, "ens192");
	assert_int_equal(lab->underlays.v[0].mtu, 1500);
	is_ip(lab->hosts.v[0].ip, "100.100.137.10");
	assert_int_equal(lab->flows.v[0].expect.n, 2);
	assert_string_equal(lab->flows.v[0].expect.v[0], "dnat 1.2.3.4:80");
	bound_free(&b);

	b = clean("[{" LAB_META ",'spec':{'cni':'none','kubernetes':1.2}}]");
	assert_int_equal(b.o->lab.kubernetes, KUBE_1_20);
	assert_int_equal(b.o->lab.iptables, IPT_AUTO);
	bound_free(&b);
	b = clean("[{" LAB_META ",'spec':{'cni':'flannel','underlays':[{'cidr':'10.0.0.0/24'},"
		  "{'cidr':'10.0.1.0/24'}]}}]");
	assert_int_equal(b.o->lab.kubernetes, KUBE_1_32);
	assert_int_equal(b.o->lab.underlays.n, 2);
	bound_free(&b);
}

static void test_lab_faults(void **state)
{
	static const struct {
		const char *docs, *want;
	} cases[] = {
		{"[{" LAB_META ",'spec':{'cni':'flannel','flow':[]}}]",
		 "Lab l: key spec.flow: unknown field `flow` (did you mean `flows`?)"},
		{"[{" LAB_META
		 ",'spec':{'cni':'flannel','underlay':{'cidr':'10.0.0.0/24','NIC':'x'}}}]",
		 "Lab l: key spec.underlay.NIC: unknown field `NIC` (did you mean `nic`?)"},
		{"[{" LAB_META ",'spec':{'cni':'flannel','hosts':[{'name':'a','ip':'10.0.0.1',"
		 "'address.x':1}]}}]",
		 "Lab l: key spec.hosts[0][\"address.x\"]: unknown field `address.x`"},
		{"[{" LAB_META ",'Spec':{},'spec':{'cni':'none'}}]",
		 "Lab l: key Spec: unknown field `Spec` (did you mean `spec`?)"},
		{"[{'apiVersion':'labd.dev/"
		 "v1','kind':'Lab','metadata':{'name':'l','namespace':'x'},"
		 "'spec':{'cni':'none'}}]",
		 "Lab l: key metadata.namespace: unknown field `namespace`"},
		{"[{" LAB_META ",'spec':{'cni':'cilium'}}]",
		 "Lab l: spec.cni: `cilium` is not one of calico, flannel, none"},
		{"[{" LAB_META ",'spec':{'cni':'calcio'}}]",
		 "Lab l: spec.cni: `calcio` is not one of calico, flannel, none (did you mean "
		 "`calico`?)"},
		{"[{" LAB_META ",'spec':{'cni':'none','kubernetes':'1.25'}}]",
		 "Lab l: spec.kubernetes: `1.25` is not one of 1.20, 1.23, 1.32, 1.36"},
		{"[{" LAB_META ",'spec':{'cni':'none','kubernetes':1}}]",
		 "Lab l: spec.kubernetes: expected a string, found a number (put it in quotes)"},
		{"[{" LAB_META ",'spec':{'cni':'flannel','routing':'bird'}}]",
		 "Lab l: spec.routing: routing bird goes with cni calico, not flannel"},
		{"[{" LAB_META ",'spec':{}}]", "Lab l: spec: `cni` is missing"},
		{"[{" LAB_META "}]", "Lab l: : `spec` is missing"},
		{"[{'apiVersion':'labd.dev/v1','kind':'Lab','spec':{'cni':'none'}}]",
		 "Lab: : `metadata` is missing"},
		{"[{'apiVersion':'labd.dev/v1','kind':'Lab','metadata':{'name':'Lab_1'},"
		 "'spec':{'cni':'none'}}]",
		 "Lab Lab_1: metadata.name: `Lab_1` is not a valid name (a lab's name has up to 40 "
		 "lower-case letters, digits and `-`, and starts and ends with a letter or digit)"},
		{"[{'apiVersion':'labd.dev/v1','kind':'Lab','metadata':{'name':"
		 "'a1234567890123456789012345678901234567890'},'spec':{'cni':'none'}}]",
		 "Lab a1234567890123456789012345678901234567890: metadata.name: "
		 "`a1234567890123456789012345678901234567890` is not a valid name (a lab's name "
		 "has "
		 "up to 40 lower-case letters, digits and `-`, and starts and ends with a letter "
		 "or "
		 "digit)"},
		{"[{" LAB_META ",'spec':{'cni':'none','underlay':{'cidr':'10.0.0.0/24',"
		 "'nic':'a234567890123456'}}}]",
		 "Lab l: spec.underlay.nic: `a234567890123456` has 16 characters; a device's name "
		 "has "
		 "at most 15"},
		{"[{" LAB_META
		 ",'spec':{'cni':'none','underlay':{'cidr':'10.0.0.0/24','nic':'a/b'}}}]",
		 "Lab l: spec.underlay.nic: `a/b` is not a name for a device (letters, digits, "
		 "`_`, "
		 "`.` and `-`, and no `-` at the start)"},
		{"[{" LAB_META
		 ",'spec':{'cni':'none','underlay':{'cidr':'10.0.0.0/24','mtu':70000}}}]",
		 "Lab l: spec.underlay.mtu: 70000 is not between 576 and 65535"},
		{"[{" LAB_META ",'spec':{'cni':'none','underlay':{'cidr':'10.0.0.0/24',"
		 "'gateway':'10.0.1.1'}}}]",
		 "Lab l: spec.underlay.gateway: 10.0.1.1 is not a machine's address in "
		 "10.0.0.0/24"},
		{"[{" LAB_META ",'spec':{'cni':'none','underlay':{'cidr':'10.0.0.0/31'}}}]",
		 "Lab l: spec.underlay.cidr: 10.0.0.0/31 has no room for machines"},
		{"[{" LAB_META ",'spec':{'cni':'none','underlay':{'mtu':1500}}}]",
		 "Lab l: spec.underlay: `cidr` is missing"},
		{"[{" LAB_META ",'spec':{'cni':'none','underlay':{'cidr':'10.0.0.0/24'},"
		 "'underlays':[]}}]",
		 "Lab l: key spec.underlays: `underlay` and `underlays` cannot both be given"},
		{"[{" LAB_META ",'spec':{'cni':'none'}},{" LAB_META ",'spec':{'cni':'none'}}]",
		 "Lab l: : a second Lab; the first is document 1"},
		{"[{" LAB_META ",'spec':{'cni':'none','flows':[{'name':'f','from':'a'}]}}]",
		 "Lab l: spec.flows[0]: `to` is missing"},
		{"[{" LAB_META ",'spec':{'cni':'none','flows':{'name':'f'}}}]",
		 "Lab l: spec.flows: expected a list, found a mapping"},
		{"[{" LAB_META ",'spec':{'cni':'none','hosts':[{'name':'h','ip':'10.0.0.256'}]}}]",
		 "Lab l: spec.hosts[0].ip: `10.0.0.256` is not an IP address"},
		{"[{'apiVersion':'labd.dev/v2','kind':'Lab','metadata':{'name':'l'},'spec':{'cni':"
		 "'none'}}]",
		 "Lab l: apiVersion: `labd.dev/v2` is not an apiVersion of Lab (write `apiVersion: "
		 "labd.dev/v1`)"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_faults(cases[i].docs, false, cases[i].want);
}

static void test_documents(void **state)
{
	static const struct {
		const char *docs, *want;
	} cases[] = {
		{"[1]", ": : expected a mapping, found a number"},
		{"[null]", ""},
		{"[{'apiVersion':'v1'}]", ": : `kind` is missing"},
		{"[{'kind':'Pod'}]", ": : `apiVersion` is missing"},
		{"[{'kind':['Pod'],'apiVersion':'v1'}]", ": kind: expected a string, found a list"},
		{"[{'kind':'Servce','apiVersion':'v1'}]",
		 ": kind: unknown kind `Servce` (did you mean `Service`?)"},
		{"[{'kind':'Deploymnt','apiVersion':'apps/v1'}]",
		 ": kind: unknown kind `Deploymnt` (did you mean `Deployment`?)"},
		{"[{'kind':'EndpointSlices','apiVersion':'discovery.k8s.io/v1'}]",
		 ": kind: unknown kind `EndpointSlices` (did you mean `EndpointSlice`?)"},
		{"[{'kind':'Certificate','apiVersion':'cert-manager.io/v1'}]",
		 ": kind: unknown kind `Certificate`"},
		{"[{'kind':'Secret','apiVersion':'apps/v1'}]", ": kind: unknown kind `Secret`"},
		{"[{'kind':'Deployment','apiVersion':'v1','metadata':{'name':'d'},'spec':{'"
		 "selector':"
		 "{'matchLabels':{'a':'b'}},'template':{'metadata':{'labels':{'a':'b'}}," POD_SPEC
		 "}}}]",
		 "Deployment default/d: apiVersion: `v1` is not an apiVersion of Deployment (write "
		 "`apiVersion: apps/v1`)"},
		/* Of no consequence here. */
		{"[{'kind':'Secret','apiVersion':'v1'},{'kind':'ReplicaSet','apiVersion':'apps/"
		 "v1'},"
		 "{'kind':'Job','apiVersion':'batch/v1'},{'kind':'Lease','apiVersion':"
		 "'coordination.k8s.io/v1'},{'kind':'ClusterRole','apiVersion':"
		 "'rbac.authorization.k8s.io/v1'},{'kind':'APIService','apiVersion':"
		 "'apiregistration.k8s.io/v1'},{'kind':'Ingress','apiVersion':'networking.k8s.io/"
		 "v1'},"
		 "{'kind':'NetworkPolicy','apiVersion':'crd.projectcalico.org/v1'},"
		 "{'kind':'CustomResourceDefinition','apiVersion':'apiextensions.k8s.io/v1'},"
		 "{'kind':'KubeletConfiguration','apiVersion':'kubelet.config.k8s.io/v1beta1'}]",
		 ""},
		/* Lists. */
		{"[{'kind':'List','apiVersion':'v1','items':[{" NODE_META
		 "},{'kind':'Nod','apiVersion':'v1'},3]}]",
		 ": items[1].kind: unknown kind `Nod` (did you mean `Node`?)\n"
		 ": items[2]: expected a mapping, found a number"},
		{"[{'kind':'PodList','apiVersion':'v1','items':[{'metadata':{'name':'p'},'spec':{"
		 "'containers':[]}}]}]",
		 "Pod default/p: items[0].spec.containers: the list is empty"},
		{"[{'kind':'List','apiVersion':'v1','items':[{'kind':'List','apiVersion':'v1','"
		 "items':"
		 "[]}]}]",
		 ": items[0].kind: a List inside a List"},
		{"[{'kind':'List','apiVersion':'v1','items':{}}]",
		 ": items: expected a list, found a mapping"},
		{"[{'kind':'List','apiVersion':'v1','items':null},{'kind':'List','apiVersion':'v1'}"
		 "]",
		 ""},
		/* Metadata. */
		{"[{'apiVersion':'v1','kind':'Node','metadata':{'labels':{'a':1}}}]",
		 "Node: metadata.labels.a: expected a string, found a number (put it in quotes)\n"
		 "Node: metadata: `name` is missing"},
		{"[{'apiVersion':'v1','kind':'Node','metadata':{'name':'Node_1','annotations':"
		 "{'a.b/c':{}}}}]",
		 "Node Node_1: metadata.annotations[\"a.b/c\"]: expected a string, found a "
		 "mapping\n"
		 "Node Node_1: metadata.name: `Node_1` is not a valid name (a name has up to 253 "
		 "lower-case letters, digits, `-` and `.`, and starts and ends with a letter or "
		 "digit)"},
		{"[{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p','namespace':'a.b'}"
		 "," POD_SPEC "}]",
		 "Pod a.b/p: metadata.namespace: `a.b` is not a valid name (a name has up to 63 "
		 "lower-case letters, digits and `-`, and starts and ends with a letter or digit)"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_faults(cases[i].docs, false, cases[i].want);
}

static void test_list_places(void **state)
{
	(void)state;
	struct bound b =
		clean("[{'kind':'Secret','apiVersion':'v1'},{'kind':'List','apiVersion':'v1',"
		      "'items':[{'kind':'Secret','apiVersion':'v1'},{" NODE_META "}]}]");
	assert_int_equal(b.o->nodes.n, 1);
	assert_int_equal(b.o->nodes.v[0].meta.doc, 1);
	assert_string_equal(b.o->nodes.v[0].meta.path, "items[1]");
	assert_string_equal(meta_str(b.arena, &b.o->nodes.v[0].meta), "n1");
	bound_free(&b);
}

static void test_node(void **state)
{
	(void)state;
	struct bound b = clean(
		"[{'apiVersion':'v1','kind':'Node','metadata':{'name':'n1','managedFields':[1,2],"
		"'labels':{'topology.kubernetes.io/zone':'z1'}},'spec':{'podCIDR':'10.244.1.0/24',"
		"'unschedulable':true,'providerID':'x','taints':[{'key':'k','effect':'NoSchedule'}]"
		"},"
		"'status':{'capacity':{'cpu':'2'},'addresses':[{'type':'Hostname','address':'n1'},"
		"{'type':'InternalIP','address':'fd00::1'},"
		"{'type':'InternalIP','address':'192.168.0.2'},"
		"{'type':'InternalIP','address':'192.168.0.3'}]}},"
		"{'apiVersion':'v1','kind':'Node','metadata':{'name':'n2'},'spec':{'podCIDR':"
		"'fd00::/64','podCIDRs':['fd00::/64','10.244.2.0/"
		"24'],'taints':[{'key':'k','effect':"
		"'PreferNoSchedule'}]}}]");
	const struct node *n = b.o->nodes.v;
	assert_int_equal(b.o->nodes.n, 2);
	assert_true(n[0].has_pod_cidr);
	is_cidr(n[0].pod_cidr, "10.244.1.0/24");
	is_ip(n[0].internal_ip, "192.168.0.2");
	assert_string_equal(n[0].zone, "z1");
	assert_true(n[0].unschedulable);
	assert_true(n[0].no_schedule_taint);
	assert_true(n[1].has_pod_cidr);
	is_cidr(n[1].pod_cidr, "10.244.2.0/24");
	assert_int_equal(n[1].internal_ip, 0);
	assert_false(n[1].no_schedule_taint);
	bound_free(&b);

	expect_faults(
		"[{" NODE_META ",'spec':{'podCIDR':'10.244.1.0/33','unschedulable':'true'},"
		"'status':{'addresses':[{'type':'InternalIP','address':'10.0.0'}]}}]",
		false,
		"Node n1: spec.podCIDR: `10.244.1.0/33` is not a CIDR such as 10.244.0.0/16\n"
		"Node n1: spec.unschedulable: expected `true` or `false`, found a string (write "
		"it without quotes)\n"
		"Node n1: status.addresses[0].address: `10.0.0` is not an IP address");
	expect_faults("[{" NODE_META ",'status':{'addresses':'10.0.0.1'}}]", false,
		      "Node n1: status.addresses: expected a list, found a string");
}

static void test_pod(void **state)
{
	(void)state;
	struct bound b = clean(
		"[{'apiVersion':'v1','kind':'Pod','metadata':{'name':'web-6b9d659f5f-qbchs',"
		"'namespace':'prod','labels':{'app':'web','pod-template-hash':'6b9d659f5f'},"
		"'ownerReferences':[{'kind':'ReplicaSet','name':'web-6b9d659f5f'}]},"
		"'spec':{'nodeName':'n1','hostname':'h','subdomain':'s','serviceAccountName':'sa',"
		"'hostNetwork':false,'nodeSelector':{'a':'b'},'tolerations':[{'operator':'Exists'}]"
		","
		"'volumes':[],'containers':[{'name':'c','image':'nginx','command':['a','b'],"
		"'args':['c'],'ports':[{'containerPort':80},{'name':'dns','containerPort':53,"
		"'protocol':'UDP'}],'env':[{'name':'X','value':'1'},{'name':'Y','valueFrom':{}}]}]}"
		","
		"'status':{'phase':'Running','podIP':'10.244.001.005','conditions':[{'type':'Ready'"
		","
		"'status':'False'}],'containerStatuses':[{'restartCount':3}]}},"
		"{" POD_META "," POD_SPEC ",'status':{'phase':'Succeeded'}},"
		"{" POD_META "," POD_SPEC ",'status':{'podIP':'fd00::5','podIPs':[{'ip':'fd00::5'},"
		"{'ip':'10.244.1.6'}]}}]");
	assert_int_equal(b.o->pods.n, 2); /* the one that ended is left out */
	const struct pod *p = &b.o->pods.v[0];
	assert_string_equal(p->meta.ns, "prod");
	assert_string_equal(p->owner, "web");
	assert_string_equal(p->spec.node_name, "n1");
	assert_string_equal(p->spec.hostname, "h");
	assert_string_equal(p->spec.subdomain, "s");
	assert_string_equal(p->spec.service_account, "sa");
	assert_string_equal(p->spec.dns_policy, "ClusterFirst");
	assert_string_equal(kv_get(&p->spec.node_selector, "a"), "b");
	assert_true(p->spec.tolerates_all);
	is_ip(p->ip, "10.244.1.5");
	assert_true(p->not_ready);
	assert_int_equal(p->restarts, 3);
	const struct container *c = &p->spec.containers.v[0];
	assert_int_equal(c->command.n, 2);
	assert_string_equal(c->args.v[0], "c");
	assert_int_equal(c->ports.n, 2);
	assert_string_equal(c->ports.v[0].name, "");
	assert_int_equal(c->ports.v[1].proto, PROTO_UDP);
	assert_string_equal(c->env.v[1].value, "");
	is_ip(b.o->pods.v[1].ip, "10.244.1.6");
	assert_string_equal(b.o->pods.v[1].meta.ns, "default");
	assert_null(b.o->pods.v[1].owner);
	assert_false(b.o->pods.v[1].not_ready);
	bound_free(&b);

	expect_faults("[{" POD_META "}]", false, "Pod default/p: : `spec` is missing");
	expect_faults(
		"[{" POD_META ",'spec':{'hostNetwork':1,'dnsPolicy':'Defualt','containers':[{"
		"'image':'x','command':'sh','ports':[{'containerPort':'80'},{'containerPort':"
		"0},{'containerPort':1.5}],'env':[{'name':'a=b'}]}]},'status':{'podIP':'x'}}]",
		false,
		"Pod default/p: spec.dnsPolicy: `Defualt` is not one of ClusterFirst, "
		"ClusterFirstWithHostNet, Default, None (did you mean `Default`?)\n"
		"Pod default/p: spec.hostNetwork: expected `true` or `false`, found a number\n"
		"Pod default/p: spec.containers[0]: `name` is missing\n"
		"Pod default/p: spec.containers[0].command: expected a list, found a string\n"
		"Pod default/p: spec.containers[0].ports[0].containerPort: expected a number, "
		"found a string (write it without quotes)\n"
		"Pod default/p: spec.containers[0].ports[1].containerPort: 0 is not between 1 "
		"and 65535\n"
		"Pod default/p: spec.containers[0].ports[2].containerPort: 1.5 is not a whole "
		"number\n"
		"Pod default/p: spec.containers[0].env[0].name: `a=b` is not the name of an "
		"environment variable\n"
		"Pod default/p: status.podIP: `x` is not an IP address");
}

#define TEMPLATE(labels) "'template':{'metadata':{'labels':" labels "}," POD_SPEC "}"
#define DEPLOYMENT(version, spec)                                                                  \
	"[{'apiVersion':'" version "','kind':'Deployment','metadata':{'name':'d'},'spec':{" spec   \
	"}}]"

static void test_deployment(void **state)
{
	(void)state;
	struct bound b = clean(DEPLOYMENT(
		"apps/v1",
		"'replicas':3,'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{"
		"'key':'c','operator':'In','values':['d','e']}]}," TEMPLATE("{'a':'b','c':'d'}")));
	const struct deployment *d = b.o->deployments.v;
	assert_int_equal(d->replicas, 3);
	assert_true(selector_matches(&d->selector, &d->template_labels));
	assert_string_equal(d->template.containers.v[0].image, "busybox");
	assert_non_null(d->template_raw);
	bound_free(&b);
	b = clean(DEPLOYMENT("extensions/v1beta1", TEMPLATE("{'a':'b'}")));
	assert_int_equal(b.o->deployments.v[0].replicas, 1);
	assert_true(b.o->deployments.v[0].selector.present);
	bound_free(&b);

	expect_faults(DEPLOYMENT("apps/v1", TEMPLATE("{'a':'b'}")), false,
		      "Deployment default/d: spec: `selector` is missing");
	expect_faults(
		DEPLOYMENT("apps/v1",
			   "'selector':{'matchLabels':{'a':'c'}}," TEMPLATE("{'a':'b'}")),
		false,
		"Deployment default/d: spec.selector: the selector does not choose the labels "
		"of the template");
	expect_faults(DEPLOYMENT("apps/v1", "'selector':{}," TEMPLATE("{'a':'b'}")), false,
		      "Deployment default/d: spec.selector: the selector is empty");
	expect_faults(
		DEPLOYMENT("apps/v1", "'replicas':-1,'selector':{'matchExpressions':[{'key':"
				      "'a','operator':'Exists','values':['x']},{'key':'a',"
				      "'operator':'in'}]}," TEMPLATE("{'a':'b'}")),
		false,
		"Deployment default/d: spec.replicas: -1 is not between 0 and 20000\n"
		"Deployment default/d: spec.selector.matchExpressions[0].values: operator "
		"Exists takes no `values`\n"
		"Deployment default/d: spec.selector.matchExpressions[1].operator: `in` is not "
		"one of In, NotIn, Exists, DoesNotExist (did you mean `In`?)");
	expect_faults(DEPLOYMENT("apps/v1", "'selector':{'matchExpressions':[{'key':'a','operator':"
					    "'In'}]}," TEMPLATE("{'a':'b'}")),
		      false,
		      "Deployment default/d: spec.selector.matchExpressions[0]: `values` is needed "
		      "with operator In");
}

static void test_service(void **state)
{
	(void)state;
	struct bound b = clean(
		"[{'apiVersion':'v1','kind':'Service','metadata':{'name':'s','labels':{"
		"'service.kubernetes.io/"
		"service-proxy-name':'other'}},'spec':{'type':'LoadBalancer',"
		"'clusterIP':'10.96.0.5','clusterIPs':['10.96.0.5','fd00::5'],'selector':{'a':'b'},"
		"'ports':[{'name':'http','port':80,'targetPort':'web','nodePort':30080},"
		"{'name':'dns','port':53,'targetPort':5353,'protocol':'UDP'}],"
		"'externalIPs':['1.2.3.4','fd00::1'],'externalTrafficPolicy':'Local',"
		"'internalTrafficPolicy':'Local','sessionAffinity':'ClientIP',"
		"'sessionAffinityConfig':{'clientIP':{'timeoutSeconds':60}},"
		"'loadBalancerSourceRanges':[' 203.0.113.0/25 ','fd00::/8'],"
		"'healthCheckNodePort':31000,'publishNotReadyAddresses':true,"
		"'trafficDistribution':'PreferClose','allocateLoadBalancerNodePorts':true},"
		"'status':{'loadBalancer':{'ingress':[{'ip':'5.6.7.8','ipMode':'Proxy'},"
		"{'hostname':'lb.example.com'},{'ip':'fd00::9'}]}}}]");
	const struct service *s = b.o->services.v;
	assert_int_equal(s->type, SVC_LOAD_BALANCER);
	is_ip(s->cluster_ip, "10.96.0.5");
	assert_false(s->headless);
	assert_false(s->ipv6_only);
	assert_true(s->has_selector);
	assert_int_equal(s->ports.n, 2);
	assert_string_equal(s->ports.v[0].target_name, "web");
	assert_int_equal(s->ports.v[0].target_port, 0);
	assert_int_equal(s->ports.v[0].node_port, 30080);
	assert_int_equal(s->ports.v[1].target_port, 5353);
	assert_int_equal(s->ports.v[1].proto, PROTO_UDP);
	assert_int_equal(s->external_ips.n, 1);
	assert_true(s->etp_local && s->itp_local && s->affinity_client_ip && s->publish_not_ready);
	assert_int_equal(s->affinity_seconds, 60);
	assert_int_equal(s->source_ranges.n, 1);
	is_cidr(s->source_ranges.v[0], "203.0.113.0/25");
	assert_int_equal(s->health_check_port, 31000);
	assert_string_equal(s->traffic_distribution, "PreferClose");
	assert_string_equal(s->proxy_name, "other");
	assert_int_equal(s->ingress.n, 2);
	assert_true(s->ingress.v[0].mode_proxy);
	assert_string_equal(s->ingress.v[1].hostname, "lb.example.com");
	bound_free(&b);

	b = clean("[{" SVC_META ",'spec':{'clusterIP':'None','clusterIPs':['None'],'selector':{}}},"
		  "{" SVC_META ",'spec':{'clusterIP':'fd00::5','ports':[{'port':80}]}},"
		  "{" SVC_META
		  ",'spec':{'clusterIP':'fd00::5','clusterIPs':['fd00::5','10.96.0.9']}},"
		  "{" SVC_META ",'spec':{'type':'ExternalName','externalName':'db.example.com'}}]");
	assert_true(b.o->services.v[0].headless);
	assert_false(b.o->services.v[0].has_selector);
	assert_int_equal(b.o->services.v[0].affinity_seconds, 10800);
	assert_true(b.o->services.v[1].ipv6_only);
	is_ip(b.o->services.v[2].cluster_ip, "10.96.0.9");
	assert_string_equal(b.o->services.v[3].external_name, "db.example.com");
	bound_free(&b);

	expect_faults(
		"[{" SVC_META ",'spec':{'type':'Nodeport','clusterIP':'none','ports':[{"
		"'name':'A','protocol':'tcp','port':70000,'targetPort':'80','nodePort':'30080'}"
		",{'targetPort':'a-very-long-port-name'}],'sessionAffinityConfig':{'clientIP':{"
		"'timeoutSeconds':0}},'externalIPs':['x'],'selector':['a']}}]",
		false,
		"Service default/s: spec.type: `Nodeport` is not one of ClusterIP, NodePort, "
		"LoadBalancer, ExternalName (did you mean `NodePort`?)\n"
		"Service default/s: spec.clusterIP: `none` is not an IP address\n"
		"Service default/s: spec.ports[0].name: `A` is not a valid name (a name has up to "
		"63 lower-case letters, digits and `-`, and starts and ends with a letter or "
		"digit)\n"
		"Service default/s: spec.ports[0].protocol: `tcp` is not one of TCP, UDP, SCTP "
		"(did you mean `TCP`?)\n"
		"Service default/s: spec.ports[0].port: 70000 is not between 1 and 65535\n"
		"Service default/s: spec.ports[0].nodePort: expected a number, found a string "
		"(write it without quotes)\n"
		"Service default/s: spec.ports[0].targetPort: a port given as text must be the "
		"name of a container's port (write it without quotes)\n"
		"Service default/s: spec.ports[1]: `port` is missing\n"
		"Service default/s: spec.ports[1].targetPort: `a-very-long-port-name` is not a "
		"valid name (a port's name has up to 15 lower-case letters, digits and `-`, and "
		"at least one letter)\n"
		"Service default/s: spec.selector: expected a mapping, found a list\n"
		"Service default/s: spec.externalIPs[0]: `x` is not an IP address\n"
		"Service default/s: spec.sessionAffinityConfig.clientIP.timeoutSeconds: 0 is not "
		"between 1 and 86400");
}

static void test_endpoints(void **state)
{
	(void)state;
	struct bound b = clean(
		"[{'apiVersion':'v1','kind':'Endpoints','metadata':{'name':'s'},'subsets':[{"
		"'addresses':[{'ip':'10.244.1.2','nodeName':'n1','hostname':'h','targetRef':{'kind'"
		":"
		"'Pod','name':'p'}},{'ip':'fd00::1'}],'notReadyAddresses':[{'ip':'10.244.1.3'}],"
		"'ports':[{'name':'http','port':80},{'name':'dns','port':53,'protocol':'UDP'}]},"
		"{'addresses':[{'ip':'10.244.1.4'}],'ports':[{'port':81}]}]},"
		"{'apiVersion':'v1','kind':'Endpoints','metadata':{'name':'none'}}]");
	assert_int_equal(b.o->ep_sets.n, 3);
	const struct ep_set *e = b.o->ep_sets.v;
	assert_string_equal(e->service, "s");
	assert_false(e->is_slice);
	assert_int_equal(e->addrs.n, 2);
	assert_string_equal(e->addrs.v[0].node_name, "n1");
	assert_string_equal(e->addrs.v[0].target, "p");
	assert_true(e->addrs.v[0].ready && e->addrs.v[0].serving);
	is_ip(e->addrs.v[1].ip, "10.244.1.3");
	assert_false(e->addrs.v[1].ready || e->addrs.v[1].serving);
	assert_int_equal(e->ports.v[1].proto, PROTO_UDP);
	assert_string_equal(e[1].ports.v[0].name, "");
	assert_string_equal(e[2].service, "none");
	assert_int_equal(e[2].addrs.n, 0);
	bound_free(&b);
	expect_faults(
		"[{'apiVersion':'v1','kind':'Endpoints','metadata':{'name':'s'},'subsets':[{"
		"'addresses':[{'ip':'10.1'},{}],'ports':[{'port':-1}]}]}]",
		false,
		"Endpoints default/s: subsets[0].addresses[0].ip: `10.1` is not an IP address\n"
		"Endpoints default/s: subsets[0].addresses[1]: `ip` is missing\n"
		"Endpoints default/s: subsets[0].ports[0].port: -1 is not between 1 and 65535");
}

static void test_slice(void **state)
{
	(void)state;
	struct bound b = clean(
		"[{" SLICE
		",'addressType':'IPv4','ports':[{'name':'http','port':80},{'name':'all'}],"
		"'endpoints':[{'addresses':['10.244.1.2','10.244.1.9']},"
		"{'addresses':['10.244.1.3'],'conditions':{'ready':false},'nodeName':'n1'},"
		"{'addresses':['10.244.1.4'],'conditions':{'ready':false,'serving':true,"
		"'terminating':true},'zone':'z','hints':{'forZones':[{'name':'z'},{'name':'y'}],"
		"'forNodes':[{'name':'n1'}]},'targetRef':{'name':'p'},'hostname':'h'},"
		"{'addresses':['10.244.1.5'],'topology':{'kubernetes.io/hostname':'n2'}},"
		"{'addresses':[]}]},"
		"{" SLICE ",'addressType':'IPv6','endpoints':[{'addresses':['fd00::1']}]},"
		"{'apiVersion':'discovery.k8s.io/"
		"v1beta1','kind':'EndpointSlice','metadata':{'name':"
		"'x'},'addressType':'FQDN','endpoints':[{'addresses':['a.example.com']}]}]");
	const struct ep_set *e = b.o->ep_sets.v;
	assert_int_equal(b.o->ep_sets.n, 3);
	assert_true(e->is_slice && !e->ipv6);
	assert_string_equal(e->service, "s");
	assert_int_equal(e->ports.n, 1);
	assert_int_equal(e->addrs.n, 4);
	const struct ep_addr *a = e->addrs.v;
	is_ip(a[0].ip, "10.244.1.2");
	assert_true(a[0].ready && a[0].serving && !a[0].terminating);
	assert_false(a[1].ready || a[1].serving || a[1].terminating);
	assert_true(!a[2].ready && a[2].serving && a[2].terminating);
	assert_int_equal(a[2].hint_zones.n, 2);
	assert_string_equal(a[2].hint_zones.v[1], "y");
	assert_string_equal(a[2].hint_nodes.v[0], "n1");
	assert_string_equal(a[2].target, "p");
	assert_string_equal(a[3].node_name, "n2");
	assert_true(e[1].ipv6);
	assert_int_equal(e[1].addrs.n, 0);
	assert_true(e[2].ipv6);
	assert_null(e[2].service);
	bound_free(&b);
	expect_faults("[{" SLICE ",'endpoints':[{'addresses':['10.1'],'conditions':{'ready':'no'}},"
		      "{'addresses':'10.244.1.1'}]}]",
		      false,
		      "EndpointSlice default/sl: : `addressType` is missing\n"
		      "EndpointSlice default/sl: endpoints[0].addresses[0]: `10.1` is not an IP "
		      "address\n"
		      "EndpointSlice default/sl: endpoints[0].conditions.ready: expected `true` or "
		      "`false`, found a string\n"
		      "EndpointSlice default/sl: endpoints[1].addresses: expected a list, found a "
		      "string");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lab),	   cmocka_unit_test(test_lab_faults),
		cmocka_unit_test(test_documents),  cmocka_unit_test(test_list_places),
		cmocka_unit_test(test_node),	   cmocka_unit_test(test_pod),
		cmocka_unit_test(test_deployment), cmocka_unit_test(test_service),
		cmocka_unit_test(test_endpoints),  cmocka_unit_test(test_slice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
