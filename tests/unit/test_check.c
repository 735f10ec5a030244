/* SPDX-License-Identifier: MIT */
/* The lab as a whole: one small good lab of each CNI, and one change to it per message. */
#include "tests/unit/kube_faults.h"

#define LAB(cni, more)                                                                             \
	"{'apiVersion':'labd.dev/v1','kind':'Lab','metadata':{'name':'l'},'spec':{'cni':'" cni     \
	"','underlay':{'cidr':'192.168.0.0/24','nic':'ens192'}" more "}}"
#define NODE(name, ip, cidr)                                                                       \
	"{'apiVersion':'v1','kind':'Node','metadata':{'name':'" name "'},'spec':{'podCIDR':'" cidr \
	"'},'status':{'addresses':[{'type':'Hostname','address':'x'},{'type':'InternalIP',"        \
	"'address':'" ip "'}]}}"
#define POD(name, node, ip)                                                                        \
	"{'apiVersion':'v1','kind':'Pod','metadata':{'name':'" name "'},'spec':{'nodeName':'" node \
	"','containers':[{'name':'c','image':'busybox'}]},'status':{'podIP':'" ip "'}}"
#define SVC(name, spec)                                                                            \
	"{'apiVersion':'v1','kind':'Service','metadata':{'name':'" name "'},'spec':{" spec "}}"
#define POOL(name, spec)                                                                           \
	"{'apiVersion':'crd.projectcalico.org/v1','kind':'IPPool','metadata':{'name':'" name       \
	"'},'spec':{" spec "}}"
#define BLOCK(name, cidr, host)                                                                    \
	"{'apiVersion':'crd.projectcalico.org/v1','kind':'IPAMBlock','metadata':{'name':'" name    \
	"'},'spec':{'cidr':'" cidr "','affinity':'host:" host "'}}"
#define FLANNEL(network)                                                                           \
	"{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'kube-flannel-cfg','namespace':" \
	"'kube-flannel'},'data':{'net-conf.json':{'Network':'" network "','Backend':{'Type':"      \
	"'vxlan'}}}}"
#define N1    NODE("node01", "192.168.0.11", "10.244.1.0/24")
#define N2    NODE("node02", "192.168.0.12", "10.244.2.0/24")
#define NODES N1 "," N2

struct test_case {
	const char *docs, *want;
};

static void run(const struct test_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		expect_faults(cases[i].docs, true, cases[i].want);
}
#define RUN(cases) run(cases, sizeof(cases) / sizeof((cases)[0]))

static void test_good(void **state)
{
	static const struct test_case cases[] = {
		{"[" LAB("flannel",
			 ",'hosts':[{'name':'client','ip':'192.168.0.20'}],'flows':[{"
			 "'name':'f','from':'pod/we','to':'node/node01:30080'},{'name':"
			 "'g','from':'host/client','to':'web:80'},{'name':'h','from':"
			 "'coredns','to':'web:80'}]") "," NODES
						      "," FLANNEL("10.244.0.0/16") "," POD(
							      "web", "node01",
							      "10.244.1.2") "," POD("web2",
										    "node0"
										    "2",
										    "10."
										    "244.2."
										    "2") ","
		 /* A selector that matches nothing is allowed. */
		 SVC("s",
		     "'type':'NodePort','clusterIP':'10.96.0.20','selector':{'a':'nothing'}"
		     ","
		     "'ports':[{'port':80,'nodePort':30080}]") "," SVC("t", "'type':'NodePort','"
									    "ports':[{'name':'a'"
									    ",'port':80,'"
									    "protocol':'UDP',"
									    "'nodePort':30080},{"
									    "'name':'b','port':"
									    "80,'protocol':'TCP'"
									    "}]") "]",
		 ""},
		{"[" LAB("calico", "") "," NODES "," POOL("p", "'cidr':'10.244.0.0/16'") "," BLOCK(
			 "b", "10.244.1.0/26", "node01") "," POD("web", "node02", "10.244.9.9") "]",
		 ""},
		{"[" LAB("none", "") "," NODES "]", ""},
		/* Without an underlay the /24 around the first node is taken. */
		{"[{'apiVersion':'labd.dev/"
		 "v1','kind':'Lab','metadata':{'name':'l'},'spec':{'cni':"
		 "'flannel'}}," NODES "]",
		 ""},
	};
	(void)state;
	RUN(cases);
}

static void test_nodes(void **state)
{
	static const struct test_case cases[] = {
		{"[" LAB("flannel", "") "]",
		 "Lab l: : the lab has no nodes (add a document of kind Node)"},
		{"[" LAB("flannel",
			 "") ",{'apiVersion':'v1','kind':'Node','metadata':{'name':'n'},"
			     "'status':{'addresses':[{'type':'Hostname','address':'n'}]}}]",
		 "Node n: status.addresses: the node has no IPv4 address of type InternalIP "
		 "(status: "
		 "{addresses: [{type: InternalIP, address: ...}]})"},
		/* One mistake, one message. */
		{"[" LAB("flannel",
			 "") ",{'apiVersion':'v1','kind':'Node','metadata':{'name':'n'},"
			     "'status':{'addresses':[{'type':'InternalIP','address':'n'}]}}]",
		 "Node n: status.addresses[0].address: `n` is not an IP address"},
		{"[" LAB("flannel", "") "," NODE("n", "192.168.1.11", "10.244.1.0/24") "]",
		 "Node n: status.addresses[1].address: 192.168.1.11 lies in no underlay (the "
		 "underlay "
		 "is 192.168.0.0/24)"},
		{"[" LAB("flannel", "") "," NODE("n", "192.168.0.0", "10.244.1.0/24") "," NODE(
			 "m", "192.168.0.255", "10.244.2.0/24") "]",
		 "Node n: status.addresses[1].address: 192.168.0.0 is the network address of "
		 "192.168.0.0/24\n"
		 "Node m: status.addresses[1].address: 192.168.0.255 is the broadcast address of "
		 "192.168.0.0/24"},
		{"[" LAB("flannel", "") "," NODE("n", "192.168.0.1", "10.244.1.0/24") "]",
		 "Node n: status.addresses[1].address: 192.168.0.1 is also the address of the "
		 "gateway "
		 "of 192.168.0.0/24"},
		{"[" LAB("flannel", "") "," N1 "," NODE("n", "192.168.0.11", "10.244.2.0/24") "]",
		 "Node n: status.addresses[1].address: 192.168.0.11 is also the address of Node "
		 "node01"},
		{"[" LAB("flannel", "") "," N1 "," NODE("n", "192.168.0.12", "10.244.0.0/23") "]",
		 "Node n: spec.podCIDR: 10.244.0.0/23 overlaps the podCIDR of node01, "
		 "10.244.1.0/24"},
		{"[" LAB("flannel", "") "," N1 "," N1 "]",
		 "Node node01: metadata.name: a second object of this name; the first is document "
		 "2\n"
		 "Node node01: spec.podCIDR: 10.244.1.0/24 overlaps the podCIDR of node01, "
		 "10.244.1.0/24\n"
		 "Node node01: status.addresses[1].address: 192.168.0.11 is also the address of "
		 "Node "
		 "node01"},
		{"[" LAB("flannel", "") "," NODE("n", "192.168.0.11", "10.244.1.0/31") "]",
		 "Node n: spec.podCIDR: 10.244.1.0/31 has no room for pods"},
		{"[" LAB("flannel", "") "," FLANNEL("10.1.0.0/16") "," N1 "]",
		 "Node node01: spec.podCIDR: 10.244.1.0/24 is outside flannel's network "
		 "10.1.0.0/16"},
		{"[" LAB("flannel", "") "," NODE("n", "192.168.0.11", "10.1.1.0/24") "]",
		 "Node n: spec.podCIDR: 10.1.1.0/24 is outside flannel's network 10.244.0.0/16 "
		 "(ConfigMap kube-flannel-cfg can name another)"},
	};
	(void)state;
	RUN(cases);
}

static void test_underlays(void **state)
{
	static const struct test_case cases[] = {
		{"[" LAB("flannel", ",'kubernetes':'1.23'") "," NODES "]", ""},
		{"[{'apiVersion':'labd.dev/v1','kind':'Lab','metadata':{'name':'l'},'spec':{'cni':"
		 "'none','underlays':[{'cidr':'192.168.0.0/24'},{'cidr':'192.168.0.128/25'}]}}," N1
		 "]",
		 "Lab l: spec.underlays[1].cidr: 192.168.0.128/25 overlaps the underlay "
		 "192.168.0.0/24"},
		{"[{'apiVersion':'labd.dev/v1','kind':'Lab','metadata':{'name':'l'},'spec':{'cni':"
		 "'none','kubernetes':'1.20','underlay':{'cidr':'172.17.3.0/"
		 "24','nic':'cni0'}}}," NODE("n", "172.17.3.2", "10.244.1.0/24") "]",
		 "Lab l: spec.underlay.nic: `cni0` is the name of a device that a node gets "
		 "anyway\n"
		 "Lab l: spec.underlay.cidr: 172.17.3.0/24 overlaps docker0's network "
		 "172.17.0.0/16"},
		{"[{'apiVersion':'labd.dev/v1','kind':'Lab','metadata':{'name':'l'},'spec':{'cni':"
		 "'flannel','underlay':{'cidr':'10.244.7.0/24'}}}," NODE(
			 "n", "10.244.7.2", "10.244.1.0/24") "," FLANNEL("10.244.0.0/16") "]",
		 "ConfigMap kube-flannel/kube-flannel-cfg: data[\"net-conf.json\"]: 10.244.0.0/16 "
		 "overlaps the underlay 10.244.7.0/24"},
		{"[{'apiVersion':'labd.dev/v1','kind':'Lab','metadata':{'name':'l'},'spec':{'cni':"
		 "'flannel','underlay':{'cidr':'10.96.0.0/24'}}}," NODE("n", "10.96.0.2",
									"10.244.1.0/24") "]",
		 "Lab l: spec.underlay.cidr: 10.96.0.0/24 overlaps the service network "
		 "10.96.0.0/12"},
		{"[" LAB("none",
			 ",'hosts':[{'name':'a','ip':'192.168.1.2'},{'name':'b','ip':"
			 "'192.168.0.11'},{'name':'node01','ip':'192.168.0.30'},{'name':'a',"
			 "'ip':'192.168.0.31'}]") "," N1 "]",
		 "Lab l: spec.hosts[0].ip: 192.168.1.2 lies in no underlay (the underlay is "
		 "192.168.0.0/24)\n"
		 "Lab l: spec.hosts[3].name: `a` is also the name of another host\n"
		 "Lab l: spec.hosts[2].name: `node01` is also the name of a Node\n"
		 "Node node01: status.addresses[1].address: 192.168.0.11 is also the address of "
		 "host "
		 "b"},
	};
	(void)state;
	RUN(cases);
}

static void test_pods(void **state)
{
	static const struct test_case cases[] = {
		{"[" LAB("flannel", "") "," NODES "," POD("p", "node01", "10.244.2.5") "]",
		 "Pod default/p: status.podIP: 10.244.2.5 is outside the podCIDR of node01, "
		 "10.244.1.0/24"},
		{"[" LAB("flannel", "") "," NODES "," POD("p", "node01", "10.244.1.1") "," POD(
			 "q", "node01", "10.244.1.255") "," POD("r", "node01", "10.244.1.0") "]",
		 "Pod default/p: status.podIP: 10.244.1.1 is the address of cni0 on node01\n"
		 "Pod default/q: status.podIP: 10.244.1.255 is the broadcast address of "
		 "10.244.1.0/24\n"
		 "Pod default/r: status.podIP: 10.244.1.0 is the network address of 10.244.1.0/24"},
		{"[" LAB("flannel", "") "," NODES "," POD("p", "node01", "10.244.1.5") "," POD(
			 "q", "node01", "10.244.1.5") "]",
		 "Pod default/q: status.podIP: 10.244.1.5 is also the address of Pod default/p"},
		{"[" LAB("flannel", "") "," NODES "," POD("p", "node1", "10.244.1.5") "]",
		 "Pod default/p: spec.nodeName: there is no Node `node1` (did you mean `node01`?)"},
		{"[" LAB("flannel", "") "," NODES "," POD("p", "worker", "") "]",
		 "Pod default/p: spec.nodeName: there is no Node `worker`"},
		{"[" LAB("flannel", "") "," NODES "," POD("p", "", "10.1.1.5") "]",
		 "Pod default/p: status.podIP: 10.1.1.5 is outside flannel's network "
		 "10.244.0.0/16"},
		{"[" LAB("calico", "") "," NODES "," POOL("pool", "'cidr':'10.244.0.0/16'") "," POD(
			 "p", "node01", "10.245.1.5") "]",
		 "Pod default/p: status.podIP: 10.245.1.5 lies in no IPPool (the pool is "
		 "10.244.0.0/16)"},
		{"[" LAB("none", "") "," NODES
				     ",{'apiVersion':'v1','kind':'Pod','metadata':{'name':"
				     "'p'},'spec':{'nodeName':'node01','hostNetwork':true,'"
				     "containers':[{'name':'c',"
				     "'image':'nginx'}]},'status':{'podIP':'192.168.0.12'}}]",
		 "Pod default/p: status.podIP: a pod with hostNetwork has its node's address, "
		 "192.168.0.11, not 192.168.0.12"},
		{"[" LAB("none", "") "," NODES
				     ",{'apiVersion':'v1','kind':'Pod','metadata':{'name':"
				     "'p'},'spec':{'containers':[{'name':'c','image':'docker.io/"
				     "library/nginx:1.25'},{'name':'k','image':'registry.k8s.io/"
				     "coredns/coredns:v1.10.1'},{"
				     "'name':'d','image':'ngnix'},{'name':'e','image':'redis:7'},{'"
				     "name':'f','image':'ngnix','"
				     "command':['sleep']}]}}]",
		 "Pod default/p: spec.containers[2].image: no program stands for the image "
		 "`ngnix` (did you mean `nginx`?)"},
		{"[" LAB("none", "") "," NODES ",{'apiVersion':'apps/v1','kind':'Deployment',"
				     "'metadata':{'name':'d'},'spec':{'selector':{'matchLabels':{'"
				     "a':'b'}},'template':{"
				     "'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name'"
				     ":'c','image':'busybx'}]}}}}"
				     "]",
		 "Deployment default/d: spec.template.spec.containers[0].image: no program stands "
		 "for "
		 "the image `busybx` (did you mean `busybox`?)"},
		{"[" LAB("none", "") "," NODES ",{'apiVersion':'v1','kind':'List','items':[" POD(
			 "p", "nod01", "") "]}]",
		 "Pod default/p: items[0].spec.nodeName: there is no Node `nod01` (did you mean "
		 "`node01`?)"},
		{"[" LAB("none",
			 "") "," NODES ",{'apiVersion':'v1','kind':'Pod','metadata':{'name':"
			     "'p','annotations':{'labd.dev/host-interface':'a "
			     "b','labd.dev/host-mac':'01:00:00:00:"
			     "00:00','labd.dev/"
			     "host-ifindex':'x'}},'spec':{'containers':[{'name':'c','image':"
			     "'nginx'}]}}]",
		 "Pod default/p: metadata.annotations[\"labd.dev/host-interface\"]: `a b` is not a "
		 "name for a device (1 to 15 of a-z and 0-9)\n"
		 "Pod default/p: metadata.annotations[\"labd.dev/host-mac\"]: `01:00:00:00:00:00` "
		 "is "
		 "not the MAC of a device\n"
		 "Pod default/p: metadata.annotations[\"labd.dev/host-ifindex\"]: `x` is not the "
		 "number "
		 "of a device"},
	};
	(void)state;
	RUN(cases);
}

static void test_services(void **state)
{
	static const struct test_case cases[] = {
		{"[" LAB("none", "") "," N1 "," SVC("s", "'type':'NodePort','ports':[{'port':80,"
							 "'nodePort':40000}]") "]",
		 "Service default/s: spec.ports[0].nodePort: 40000 is not between 30000 and 32767"},
		{"[" LAB("none", "") "," N1 "," SVC(
			 "s", "'type':'NodePort','ports':[{'port':80,'"
			      "nodePort':30080}]") "," SVC("t", "'type':'LoadBalancer','ports':[{'"
								"port':80,'nodePort':30080}]") "]",
		 "Service default/t: spec.ports[0].nodePort: 30080 is also a nodePort of Service "
		 "default/s"},
		{"[" LAB("none", "") "," N1
				     "," SVC("s", "'ports':[{'port':80,'nodePort':30080}]") "]",
		 "Service default/s: spec.ports[0].nodePort: a Service of type ClusterIP has no "
		 "nodePort (use `type: NodePort`)"},
		{"[" LAB("none", "") "," N1 "," SVC(
			 "s", "'ports':[{'port':80},{'name':'a','port':81}]") "]",
		 "Service default/s: spec.ports[0]: `name` is missing: a Service with several "
		 "ports "
		 "names each"},
		{"[" LAB("none", "") "," N1
				     "," SVC("s", "'ports':[{'name':'a','port':80},{'name':'a',"
						  "'port':80}]") "]",
		 "Service default/s: spec.ports[1].port: a second port 80 of protocol tcp\n"
		 "Service default/s: spec.ports[1].name: a second port of the name `a`"},
		{"[" LAB("none", "") "," N1 "," SVC("s", "'selector':{'a':'b'}") "," SVC(
			 "h",
			 "'clusterIP':'None'") "," SVC("e",
						       "'type':'ExternalName'") "," SVC("x",
											"'type':'"
											"NodePort',"
											"'clusterIP"
											"':'None','"
											"ports':[{'"
											"port':80}"
											"]") "]",
		 "Service default/s: spec: `ports` is missing\n"
		 "Service default/e: spec: `externalName` is missing, which a Service of type "
		 "ExternalName needs\n"
		 "Service default/x: spec.clusterIP: a Service of type NodePort cannot be "
		 "headless"},
		{"[" LAB("none",
			 "") "," N1
			     "," SVC("s", "'clusterIP':'10.96.0.9','ports':[{'port':80}]") "," SVC(
				     "t", "'clusterIP':'10.96.0.9','ports':[{'port':80}]") "]",
		 "Service default/t: spec.clusterIP: 10.96.0.9 is also the address of Service "
		 "default/s"},
		{"[" LAB("flannel",
			 "") "," N1
			     "," SVC("s", "'clusterIP':'10.244.3.9','ports':[{'port':80}]") "," SVC(
				     "t", "'clusterIP':'192.168.0.99','ports':[{'port':80}]") "]",
		 "Service default/s: spec.clusterIP: 10.244.3.9 lies in the pod network "
		 "10.244.0.0/16\n"
		 "Service default/t: spec.clusterIP: 192.168.0.99 lies in the underlay "
		 "192.168.0.0/24"},
		{"[" LAB("none", "") "," N1 "," SVC("s", "'ports':[{'port':80}]") "," SVC(
			 "s", "'ports':[{'port':80}]") "]",
		 "Service default/s: metadata.name: a second object of this name; the first is "
		 "document 3"},
		{"[" LAB("none",
			 "") "," N1 ",{'apiVersion':'v1','kind':'Endpoints','metadata':{'name':"
			     "'s'},'subsets':[{'addresses':[{'ip':'fd00::1'},{'ip':'1.2.3.4','"
			     "nodeName':'node11'}],"
			     "'notReadyAddresses':[{'ip':'1.2.3.5','nodeName':'other'}]}]},{'"
			     "apiVersion':"
			     "'discovery.k8s.io/"
			     "v1','kind':'EndpointSlice','metadata':{'name':'s'},'addressType':"
			     "'IPv4','endpoints':[{'addresses':['1.2.3.4'],'nodeName':'node01'},{'"
			     "addresses':["
			     "'1.2.3.4'],'nodeName':'nodeO1'}]}]",
		 "EndpointSlice default/s: endpoints[1].nodeName: `nodeO1` is not a valid name (a "
		 "name has up to "
		 "253 lower-case letters, digits, `-` and `.`, and starts and ends with a letter "
		 "or "
		 "digit)\n"
		 "Endpoints default/s: subsets[0].addresses[1].nodeName: there is no Node `node11` "
		 "(did you mean `node01`?)\n"
		 "Endpoints default/s: subsets[0].notReadyAddresses[0].nodeName: there is no Node "
		 "`other`"},
	};
	(void)state;
	RUN(cases);
}

static void test_calico(void **state)
{
	static const struct test_case cases[] = {
		{"[" LAB("calico", "") "," NODES "," POOL("p", "'cidr':'10.244.0.0/16'") "," POOL(
			 "q", "'cidr':'10.244.128.0/17'") "]",
		 "IPPool q: spec.cidr: 10.244.128.0/17 overlaps IPPool p, 10.244.0.0/16"},
		{"[" LAB("calico", "") "," NODES "," POOL("p", "'cidr':'192.168.0.0/16'") "]",
		 "IPPool p: spec.cidr: 192.168.0.0/16 overlaps the underlay 192.168.0.0/24"},
		{"[" LAB("calico", "") "," NODES "," POOL("p", "'cidr':'10.244.0.0/16'") "," BLOCK(
			 "a", "10.245.0.0/26",
			 "node01") "," BLOCK("b", "10.244.0.0/24",
					     "node01") "," BLOCK("c", "10.244.0.5/26",
								 "node02") "," BLOCK("d",
										     "10.244.1.0/"
										     "26",
										     "nod02") "]",
		 "IPAMBlock a: spec.cidr: 10.245.0.0/26 lies in no IPPool\n"
		 "IPAMBlock b: spec.cidr: 10.244.0.0/24 is not a block of IPPool p, whose blocks "
		 "are "
		 "/26\n"
		 "IPAMBlock c: spec.cidr: 10.244.0.5/26 is not a block of IPPool p, whose blocks "
		 "are "
		 "/26\n"
		 "IPAMBlock d: spec.affinity: there is no Node `nod02` (did you mean `node02`?)"},
		{"[" LAB("calico", "") "," NODES "," BLOCK(
			 "a", "10.244.0.0/26",
			 "node01") ","
				   "{'apiVersion':'crd.projectcalico.org/"
				   "v1','kind':'BlockAffinity','metadata':{'name':"
				   "'x'},'spec':{'cidr':'10.244.0.0/26','node':'node01'}}," BLOCK(
					   "b", "10.244.0.0/26", "node02") "]",
		 "IPAMBlock b: spec.cidr: 10.244.0.0/26 belongs to node01 already"},
	};
	(void)state;
	RUN(cases);
}

static void test_lab(void **state)
{
	static const struct test_case cases[] = {
		{"[" LAB("none",
			 ",'flows':[{'name':'f','from':'pod/x','to':'a:80'},{'name':'f','from':"
			 "'host/clent','to':'node/node03:80'},{'name':'g','from':'node/n','to':"
			 "'a:80'},{'name':'h','from':'svc/x','to':'a:80'},{'name':'i','from':"
			 "'deploy/x','to':'a:80'},{'name':'j','from':'y','to':'a:80'}],'hosts':[{"
			 "'name':'client','ip':'192.168.0.20'}]") "," NODES "]",
		 "Lab l: spec.flows[0].from: there is no Pod `x`\n"
		 "Lab l: spec.flows[1].from: there is no host `clent` (did you mean `client`?)\n"
		 "Lab l: spec.flows[1].to: there is no Node `node03` (did you mean `node01`?)\n"
		 "Lab l: spec.flows[2].from: there is no Node `n`\n"
		 "Lab l: spec.flows[3].from: `svc` is not one of pod, deploy, node, host\n"
		 "Lab l: spec.flows[4].from: there is no Deployment `x`\n"
		 "Lab l: spec.flows[5].from: there is no Pod `y` (say pod/NAME, deploy/NAME, "
		 "node/NAME "
		 "or host/NAME)\n"
		 "Lab l: spec.flows[1].name: a second flow of the name `f`"},
		{"[" LAB("none", "") "," NODES
				     ",{'apiVersion':'kubeproxy.config.k8s.io/v1alpha1','kind'"
				     ":'KubeProxyConfiguration','mode':'userspace'}]",
		 "KubeProxyConfiguration: mode: kube-proxy 1.32 has no userspace mode, which went "
		 "in "
		 "1.26 (the lab's `kubernetes` can be 1.20 or 1.23)"},
		{"[" LAB("none",
			 ",'kubernetes':'1.23'") "," NODES ",{'apiVersion':'v1','kind':"
						 "'ConfigMap','metadata':{'name':'kube-proxy','"
						 "namespace':'kube-system'},'data':{"
						 "'config.conf':{'mode':'nftables'}}}]",
		 "ConfigMap kube-system/kube-proxy: data[\"config.conf\"].mode: kube-proxy 1.23 "
		 "has no "
		 "nftables mode, which came in 1.29 (the lab's `kubernetes` can be 1.32 or 1.36)"},
		{"[" LAB("none", "") "," NODES ",{'apiVersion':'apps/v1','kind':'Deployment',"
				     "'metadata':{'name':'d'},'spec':{'replicas':20000,'selector':{"
				     "'matchLabels':{'a':'b'}}"
				     ",'template':{'metadata':{'labels':{'a':'b'}},'spec':{'"
				     "containers':[{'name':'c',"
				     "'image':'nginx'}]}}}}," POD("p", "node01", "") "]",
		 ": : 20001 pods; at most 20000 are possible"},
	};
	(void)state;
	RUN(cases);
}

/* Bare manifests are held only to what kube-proxy itself demands. */
static void test_bare(void **state)
{
	static const struct test_case cases[] = {
		{"[" NODE("n", "192.168.0.11", "10.244.1.0/24") "," NODE("m", "192.168.0.11", "10.244.1.0/24") "," POD(
			 "p", "nowhere",
			 "010.001.1.1") "," SVC("s",
						"'type':'NodePort','ports':[{'port':80,'nodePort':"
						"3001},{'port':80}]") "," SVC("t", "'ports':[{'"
										   "port':80,'"
										   "nodePort':3001}"
										   "]") ",{'"
											"apiVersion"
											"':'v1','"
											"kind':"
											"'Endpoints"
											"','"
											"metadata':"
											"{'name':'"
											"s'},'"
											"subsets':["
											"{'"
											"addresses'"
											":[{'ip':'"
											"1.2.3.4',"
											"'nodeName'"
											":'"
											"elsewhere'"
											"}]}]}]",
		 ""},
		{"[]", ""},
		{"[" SVC("s", "'ports':[]") "," SVC("s", "'ports':[]") "]",
		 "Service default/s: metadata.name: a second object of this name; the first is "
		 "document 1"},
	};
	(void)state;
	RUN(cases);
}

/* What had faults when it was bound is checked all the same, and must not break anything. */
static void test_half_bound(void **state)
{
	static const char *const docs[] = {
		"[{'apiVersion':'labd.dev/v1','kind':'Lab'}]",
		"[{'apiVersion':'labd.dev/v1','kind':'Lab','metadata':7,'spec':8}]",
		"[" LAB("flannel",
			",'flows':[{},7],'hosts':[{},[]]") ",{'apiVersion':'v1','kind':"
							   "'Node'},{'apiVersion':'v1','kind':'"
							   "Node','metadata':{'name':{}},'spec':[],"
							   "'status':{"
							   "'addresses':[{},[],{'type':'InternalIP'"
							   "},{'type':'InternalIP','address':5}]}}"
							   "]",
		"[" LAB("calico",
			"") ",{'apiVersion':'v1','kind':'Pod'},{'apiVersion':'v1','kind':"
			    "'Pod','spec':{'nodeName':7,'containers':[{},7,{'image':[]}]},'status':"
			    "{'podIP':7}},{"
			    "'apiVersion':'v1','kind':'Service','spec':{'ports':[7,{},{'port':'x'}]"
			    "}},{"
			    "'apiVersion':'v1','kind':'Endpoints','subsets':[7,{'addresses':[7]}]},"
			    "{'apiVersion':"
			    "'v1','kind':'Endpoints','subsets':7},{'apiVersion':'discovery.k8s.io/"
			    "v1','kind':"
			    "'EndpointSlice','endpoints':[7,{}]},{'apiVersion':'v1','kind':'"
			    "ConfigMap','data':7},{"
			    "'apiVersion':'crd.projectcalico.org/"
			    "v1','kind':'IPPool','spec':7},{'apiVersion':"
			    "'crd.projectcalico.org/"
			    "v1','kind':'IPAMBlock','spec':{}},{'apiVersion':'apps/v1',"
			    "'kind':'Deployment','spec':{'template':{'spec':{'containers':[{}]}}}},"
			    "{'apiVersion':"
			    "'networking.k8s.io/"
			    "v1','kind':'NetworkPolicy','spec':{'ingress':[7,{'from':7}]}}]",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++) {
		struct bound b = bind_docs(docs[i], NULL);
		objects_check(b.o, &b.faults);
		assert_true(b.faults.total > 0);
		bound_free(&b);
	}
}

#define PROXY(more)                                                                                \
	"{'apiVersion':'kubeproxy.config.k8s.io/v1alpha1','kind':'KubeProxyConfiguration'" more "}"
#define PROXY_LAB(version, more)                                                                   \
	"[" LAB("none", ",'kubernetes':'" version "'") "," NODES "," PROXY(more) "]"

/* Fields that do not go with the Service's type, and addresses that are nobody's, as the API server
 * sees them. */
static void test_service_fields(void **state)
{
#define PORTS80	     "'ports':[{'port':80}]"
#define IN_LAB(more) "[" LAB("none", "") "," NODES "," more "]"
	static const struct test_case cases[] = {
		{IN_LAB(SVC("a", "'externalTrafficPolicy':'Local'," PORTS80)),
		 "Service default/a: spec.externalTrafficPolicy: a Service of type ClusterIP is "
		 "not "
		 "reached from outside (it is for types NodePort and LoadBalancer)"},
		{IN_LAB(SVC(
			 "a",
			 "'externalTrafficPolicy':'Local','externalIPs':['192.0.2.1']," PORTS80)),
		 ""},
		{IN_LAB(SVC("a", "'sessionAffinity':'None','sessionAffinityConfig':{'clientIP':{"
				 "'timeoutSeconds':60}}," PORTS80)),
		 "Service default/a: spec.sessionAffinityConfig: there is no session affinity (set "
		 "`sessionAffinity: ClientIP`)"},
		{IN_LAB(SVC(
			 "a",
			 "'type':'NodePort','loadBalancerSourceRanges':['10.0.0.0/8']," PORTS80)),
		 "Service default/a: spec.loadBalancerSourceRanges: a Service of type NodePort has "
		 "no "
		 "load balancer"},
		{IN_LAB(SVC("a", "'type':'LoadBalancer','healthCheckNodePort':32000," PORTS80)),
		 "Service default/a: spec.healthCheckNodePort: only a Service of type LoadBalancer "
		 "with `externalTrafficPolicy: Local` has one"},
		{IN_LAB(SVC("a", "'externalIPs':['127.1.2.3','0.0.0.0','169.254.0.9','224.0.0.9',"
				 "'224.0.1.9']," PORTS80)),
		 "Service default/a: spec.externalIPs[0]: 127.1.2.3 is a loopback address\n"
		 "Service default/a: spec.externalIPs[1]: 0.0.0.0 is the unspecified address\n"
		 "Service default/a: spec.externalIPs[2]: 169.254.0.9 is a link-local address\n"
		 "Service default/a: spec.externalIPs[3]: 224.0.0.9 is a link-local multicast "
		 "address"},
		{IN_LAB(SVC("1a", PORTS80)),
		 "Service default/1a: metadata.name: the name of a Service begins with a letter"},
		{IN_LAB("{'apiVersion':'discovery.k8s.io/v1','kind':'EndpointSlice','metadata':{"
			"'name':'e'},'addressType':'IPv4','endpoints':[{'addresses':['127.0.0.1']},"
			"{'addresses':[]}]}"),
		 "EndpointSlice default/e: endpoints[0].addresses[0]: 127.0.0.1 is a loopback "
		 "address\n"
		 "EndpointSlice default/e: endpoints[1].addresses: an endpoint has at least one "
		 "address"},
		{IN_LAB("{'apiVersion':'v1','kind':'Endpoints','metadata':{'name':'e'},'subsets':[{"
			"'addresses':[{'ip':'10.0.0.1'},{'ip':'127.0.0.1'}]}]}"),
		 "Endpoints default/e: subsets[0].addresses[1].ip: 127.0.0.1 is a loopback "
		 "address"},
	};
	(void)state;
	RUN(cases);
}

/* What one version of kube-proxy accepts and another does not. */
static void test_proxy_versions(void **state)
{
	static const char newer[] = ",'nodePortAddresses':['primary'],'detectLocalMode':"
				    "'BridgeInterface','detectLocal':{'bridgeInterface':'cni0'}";
	static const struct test_case cases[] = {
		{PROXY_LAB("1.23", ",'mode':'ipvs','ipvs':{'scheduler':'mh'}"),
		 "KubeProxyConfiguration: ipvs.scheduler: kube-proxy 1.23 does not accept `mh`, "
		 "only rr, wrr, lc, wlc, lblc, lblcr, sh, dh, sed, nq (the lab's `kubernetes` can "
		 "be 1.32 or 1.36)"},
		{PROXY_LAB("1.20", ",'ipvs':{'scheduler':'mh'}"), ""},
		{PROXY_LAB("1.20", ",'mode':'ipvs','ipvs':{'scheduler':'sh'}"), ""},
		{PROXY_LAB("1.32", ",'mode':'ipvs','ipvs':{'scheduler':'ovf'}"), ""},
		{PROXY_LAB("1.23", ",'mode':'ipvs','iptables':{'minSyncPeriod':'40s'}"),
		 "KubeProxyConfiguration: iptables.minSyncPeriod: syncPeriod 30s is less than "
		 "minSyncPeriod 40s"},
		{PROXY_LAB("1.32", ",'mode':'ipvs','iptables':{'minSyncPeriod':'40s'}"), ""},
		{PROXY_LAB("1.36", ",'showHiddenMetricsForVersion':'1.31'"),
		 "KubeProxyConfiguration: showHiddenMetricsForVersion: kube-proxy 1.36 accepts "
		 "`1.35` only"},
	};
	(void)state;
	RUN(cases);
	_strbuf_ struct strbuf docs = STRBUF_INIT;
	strbuf_addf(&docs, "[" LAB("none", "%s") "," NODES "," PROXY("%s") "]",
		    ",'kubernetes':'1.23'", newer);
	expect_faults(strbuf_str(&docs), true,
		      "KubeProxyConfiguration: detectLocalMode: kube-proxy 1.23 knows "
		      "ClusterCIDR and NodeCIDR only (the lab's `kubernetes` can be 1.32 or "
		      "1.36)\n"
		      "KubeProxyConfiguration: nodePortAddresses[0]: kube-proxy 1.23 wants "
		      "CIDRs: `primary` came in 1.30 (the lab's `kubernetes` can be 1.32 or "
		      "1.36)");
	strbuf_reset(&docs);
	strbuf_addf(&docs, "[" LAB("none", "") "," NODES "," PROXY("%s") "]", newer);
	expect_faults(strbuf_str(&docs), true, "");
}

/* What is accepted and has no effect is said; what kubeadm writes out is not. */
static void test_proxy_notes(void **state)
{
	(void)state;
	expect_notes(PROXY_LAB("1.23",
			       ",'iptables':{'localhostNodePorts':false,'masqueradeBit':14},"
			       "'ipvs':{'strictARP':true},'conntrack':{'maxPerCore':1,"
			       "'tcpBeLiberal':true},'nftables':{'masqueradeAll':true},"
			       "'udpIdleTimeout':'1s','featureGates':{'X':true}"),
		     "KubeProxyConfiguration: key nftables: kube-proxy 1.23 has no such field and "
		     "ignores it\n"
		     "KubeProxyConfiguration: key conntrack.tcpBeLiberal: kube-proxy 1.23 has no "
		     "such field and ignores it\n"
		     "KubeProxyConfiguration: key ipvs: not read in mode iptables\n"
		     "KubeProxyConfiguration: key featureGates: a lab has the version's own "
		     "defaults\n"
		     "KubeProxyConfiguration: key conntrack.maxPerCore: a lab leaves the machine's "
		     "nf_conntrack_max as it is");
	expect_notes(PROXY_LAB("1.20", ",'mode':'userspace','portRange':'40000-41000',"
				       "'bindAddress':'0.0.0.0','udpIdleTimeout':'1s'"),
		     "KubeProxyConfiguration: key portRange: a lab's relay chooses its ports "
		     "itself\n"
		     "KubeProxyConfiguration: key udpIdleTimeout: a lab's relay waits 250ms");
	expect_notes("[" LAB("calico", ",'kubernetes':'1.23'") "," NODES
							       "," PROXY(",'mode':'userspace'") "]",
		     "KubeProxyConfiguration: key mode: pods reach no Service with Calico and "
		     "userspace: REDIRECT needs an address on the device a packet comes in by, and "
		     "those of its pods have none");
	expect_notes(PROXY_LAB("1.32", ",'mode':'nftables','iptables':{'masqueradeAll':true},"
				       "'udpIdleTimeout':'1s'"),
		     "KubeProxyConfiguration: key udpIdleTimeout: kube-proxy 1.32 has no such "
		     "field and ignores it\n"
		     "KubeProxyConfiguration: key iptables: not read in mode nftables");
	/* As kubeadm writes it. */
	expect_notes(PROXY_LAB("1.32",
			       ",'bindAddress':'0.0.0.0','bindAddressHardFail':false,"
			       "'clientConnection':{'acceptContentTypes':'','burst':0,'qps':0,"
			       "'kubeconfig':'/var/lib/kube-proxy/kubeconfig.conf'},"
			       "'configSyncPeriod':'0s','conntrack':{'maxPerCore':null,"
			       "'min':null,'tcpBeLiberal':false,'udpTimeout':'0s'},"
			       "'detectLocal':{'bridgeInterface':''},'detectLocalMode':'',"
			       "'ipvs':{'excludeCIDRs':null,'scheduler':'','tcpTimeout':'0s'},"
			       "'logging':{'verbosity':0,'options':{'json':{'infoBufferSize':"
			       "'0'}}},'nftables':{'masqueradeBit':null,'minSyncPeriod':'0s'},"
			       "'oomScoreAdj':null,'portRange':'','winkernel':{'sourceVip':''}"),
		     "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_underlays),
		cmocka_unit_test(test_pods),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_calico),
		cmocka_unit_test(test_lab),
		cmocka_unit_test(test_service_fields),
		cmocka_unit_test(test_proxy_versions),
		cmocka_unit_test(test_proxy_notes),
		cmocka_unit_test(test_bare),
		cmocka_unit_test(test_half_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
