/* SPDX-License-Identifier: MIT */
/* See verbs.h. Only the table; no code but looking a verb up. */
#include "labctl/verbs.h"

#include <string.h>

#include "lib/base/cleanup.h"

#define LAB                                                                                        \
	{                                                                                          \
		FLAG_LAB, 'l', "lab", "LAB", "which lab; not needed while only one runs"           \
	}
#define NS                                                                                         \
	{                                                                                          \
		FLAG_NAMESPACE, 'n', "namespace", "NS", "the Kubernetes namespace (default)"       \
	}
#define OUTPUT                                                                                     \
	{                                                                                          \
		FLAG_OUTPUT, 'o', "output", "wide|json|yaml|name", "another form of output"        \
	}
#define OUTPUT_DATA                                                                                \
	{                                                                                          \
		FLAG_OUTPUT, 'o', "output", "json|yaml", "another form of output"                  \
	}

const struct flag flag_help = {FLAG_HELP, 'h', "help", NULL, "show this"};

const struct flag early_flags[] = {
	LAB,
	NS,
	{FLAG_OUTPUT, 'o', "output", "FORM", "another form of output, for the verbs that have it"},
};
const size_t n_early_flags = ARRAY_SIZE(early_flags);

static const struct flag up_flags[] = {
	{FLAG_NAME, 0, "name", "NAME", "call the lab NAME instead of what its file says"},
	{FLAG_ENGINE, 0, "engine", "auto|host|user|guest",
	 "where: this kernel (host: root, user: anybody) or a guest kernel; auto picks"},
	{FLAG_DRY_RUN, 0, "dry-run", NULL, "check, and tell what would be built"},
	{FLAG_FRESH, 0, "fresh", NULL, "if it is up already, take it down first"},
};
static const char *const up_examples[] = {
	"labctl up calico-ipip",
	"labctl up my-cluster.yaml --dry-run",
	"labctl up flannel-vxlan --name second --engine guest",
	NULL,
};

static const struct flag down_flags[] = {
	{FLAG_ALL, 'a', "all", NULL, "all labs, in every engine"},
	LAB,
};
static const char *const down_examples[] = {"labctl down", "labctl down calico-ipip",
					    "labctl down --all", NULL};

static const struct flag ls_flags[] = {OUTPUT};
static const char *const ls_examples[] = {"labctl ls", "labctl ls -o wide", NULL};

static const struct flag labs_flags[] = {
	{FLAG_OUTPUT, 'o', "output", "json|yaml|name", "another form of output"},
};
static const char *const labs_examples[] = {"labctl labs", NULL};

static const struct flag get_flags[] = {
	OUTPUT,
	NS,
	{FLAG_ALL_NAMESPACES, 'A', "all-namespaces", NULL, "objects of all namespaces"},
	{FLAG_SELECTOR, 0, "selector", "LABELS",
	 "only objects with these labels: app=web,tier!=db"},
	{FLAG_SHOW_LABELS, 0, "show-labels", NULL, "the labels, in a last column"},
	{FLAG_WATCH, 'w', "watch", NULL, "go on with what changes, until Ctrl-C"},
	{FLAG_NO_HEADERS, 0, "no-headers", NULL, "no heading line"},
	LAB,
};
static const char *const get_examples[] = {
	"labctl get pods -o wide",
	"labctl get svc,endpoints",
	"labctl get node/node01 -o yaml",
	"labctl get all -A",
	"labctl get pods --selector app=nginx -w",
	NULL,
};

static const struct flag describe_flags[] = {
	OUTPUT_DATA,
	NS,
	{FLAG_ALL_NAMESPACES, 'A', "all-namespaces", NULL, "objects of all namespaces"},
	LAB,
};
static const char *const describe_examples[] = {
	"labctl describe configmap kube-proxy -n kube-system",
	"labctl describe svc/nginx-deployment",
	"labctl describe node node01",
	NULL,
};

static const struct flag exec_flags[] = {
	{FLAG_STDIN, 'i', "stdin", NULL, "pass standard input on"},
	{FLAG_TTY, 't', "tty", NULL, "give the command a terminal"},
	NS,
	LAB,
};
static const char *const exec_examples[] = {
	"labctl exec busybox3 -- wget -qO- http://nginx-deployment",
	"labctl exec node/node01 -- ip route",
	"labctl exec -it busybox1 -- sh",
	NULL,
};

static const struct flag shell_flags[] = {NS, LAB};
static const char *const shell_examples[] = {"labctl shell node/node01", "labctl shell busybox1",
					     NULL};

static const struct flag logs_flags[] = {
	{FLAG_CONTAINER, 'c', "container", "NAME", "which container (the first)"},
	{FLAG_FOLLOW, 'f', "follow", NULL, "go on with what comes"},
	{FLAG_TAIL, 0, "tail", "N", "only the last N lines"},
	NS,
	LAB,
};
static const char *const logs_examples[] = {"labctl logs deploy/nginx-deployment --tail 5",
					    "labctl logs -n kube-system coredns-6d8c4cb4d-bq7rv -f",
					    NULL};

#define TRACE_FLAGS                                                                                \
	{FLAG_STEP, 0, "step", NULL, "on a terminal: step by step, with keys"},                    \
		{FLAG_LIST, 0, "list", NULL, "one line per step"},                                 \
		{FLAG_FREEZE, 0, "freeze", NULL, "hold the packet at each hook until a key"},      \
		{FLAG_NO_DNS, 0, "no-dns", NULL, "do not show the query for the name first"},      \
		{FLAG_TIMING, 0, "timing", "N", "N further runs, for the times only"},             \
		{FLAG_SIZE, 0, "size", "BYTES", "send packets as big as that: finds MTU faults"},  \
		{FLAG_OUTPUT, 'o', "output", "text|json|yaml", "the form of output (text)"},       \
		{FLAG_PCAP, 0, "pcap", "FILE", "write the frames as pcapng (- for stdout)"},       \
		{FLAG_HTML, 0, "html", "FILE", "write a page to click through"},                   \
		{FLAG_SVG, 0, "svg", "FILE", "write the way as a picture"},                        \
		{FLAG_LANG, 0, "lang", "en|zh", "the language of the steps (en)"}, NS, LAB

static const struct flag trace_flags[] = {
	TRACE_FLAGS,
	{FLAG_READ, 0, "read", "FILE", "show a trace that was stored with -o json"},
	{FLAG_DIFF, 0, "diff", NULL,
	 "compare two stored traces, A.json B.json: where they part; exit 4 if they do"},
};
static const char *const trace_examples[] = {
	"labctl trace busybox3 nginx-deployment:80",
	"labctl trace busybox3 10.244.2.5/icmp --list",
	"labctl trace host/client node/node01:31856 --html way.html --pcap way.pcapng",
	"labctl trace busybox3 nginx-deployment:80 -o json > a.json",
	"labctl trace --diff a.json b.json",
	NULL,
};
static const struct flag flow_flags[] = {TRACE_FLAGS};
static const char *const flow_examples[] = {"labctl flow", "labctl flow clusterip-cross-node",
					    "labctl flow clusterip-cross-node --step", NULL};

static const struct flag capture_flags[] = {
	{FLAG_WRITE, 'w', "write", "FILE", "write it there (- is standard output, as without)"},
	{FLAG_PACKETS, 'c', "count", "N", "end after N packets"},
	{FLAG_FILTER, 0, "filter", "EXPR", "only these packets, in tcpdump's language"},
	NS,
	LAB,
};
static const char *const capture_examples[] = {
	"labctl capture node/node01 -w node01.pcapng",
	"labctl capture node/node01 ens192 --filter icmp | tshark -r -",
	"labctl capture busybox3 eth0 -c 10 -w ten.pcapng",
	NULL,
};

static const struct flag plan_flags[] = {
	{FLAG_NODE, 0, "node", "NODE", "only this node"},
	{FLAG_SECTION, 0, "section", "kube-proxy|cni|pods|dns|all", "only this part (all)"},
	{FLAG_KUBERNETES, 0, "kubernetes", "1.20|1.23|1.32|1.36",
	 "as that version would do it, whatever the file says"},
	{FLAG_PROXY_MODE, 0, "proxy-mode", "iptables|ipvs|nftables|userspace",
	 "kube-proxy's mode, whatever the file says"},
	{FLAG_DOWN, 0, "down", NULL, "the commands that take the lab away"},
};
static const char *const plan_examples[] = {
	"labctl plan flannel-vxlan > by-hand.sh",
	"labctl plan calico-ipip --node node01 --section cni",
	"labctl plan manifests.yaml --section kube-proxy --node node01 | iptables-restore "
	"--noflush",
	NULL,
};

#define FILE_FLAG                                                                                  \
	{                                                                                          \
		FLAG_FILE, 'f', "filename", "FILE", "the file (- is standard input)"               \
	}
static const struct flag apply_flags[] = {FILE_FLAG, NS, LAB};
static const char *const apply_examples[] = {
	"labctl apply -f web-service.yaml",
	"labctl get svc/web -o yaml | sed s/ClusterIP/NodePort/ | labctl apply -f -",
	NULL,
};

static const struct flag delete_flags[] = {FILE_FLAG, NS, LAB};
static const char *const delete_examples[] = {
	"labctl delete pod/busybox1-857448d9ff-shdfz",
	"labctl delete svc web",
	"labctl delete -f web-service.yaml",
	NULL,
};

static const struct flag scale_flags[] = {
	{FLAG_REPLICAS, 0, "replicas", "N", "how many pods it is to have"},
	NS,
	LAB,
};
static const char *const scale_examples[] = {"labctl scale deploy/nginx-deployment --replicas 3",
					     NULL};

static const struct flag diff_flags[] = {
	{FLAG_FIX, 0, "fix", NULL, "mend what is missing or wrong"},
	OUTPUT_DATA,
	LAB,
};
static const char *const diff_examples[] = {"labctl diff", "labctl diff flannel-vxlan --fix", NULL};

static const struct flag verify_flags[] = {
	OUTPUT_DATA,
	{FLAG_JUNIT, 0, "junit", "FILE", "write the checks as JUnit XML too"},
	LAB,
};
static const char *const verify_examples[] = {
	"labctl verify", "labctl verify flannel-vxlan --junit verify.xml", NULL};

static const struct flag compare_flags[] = {
	OUTPUT_DATA,
	{FLAG_TIMING, 0, "timing", "N", "N runs of each, for the times (20)"},
	{FLAG_ENGINE, 0, "engine", "auto|host|user|guest", "where to bring up what is not running"},
};
static const char *const compare_examples[] = {
	"labctl compare clusterip-cross-node flannel-vxlan calico-ipip",
	"labctl compare clusterip-cross-node flannel-vxlan kube-proxy-ipvs kube-proxy-nftables",
	"labctl flow clusterip-cross-node -o json --timing 20 > a.json",
	"labctl compare clusterip-cross-node a.json b.json",
	NULL,
};

static const struct flag doctor_flags[] = {OUTPUT_DATA};
static const char *const doctor_examples[] = {"labctl doctor", NULL};

static const struct flag engine_flags[] = {
	{FLAG_ENGINE, 0, "engine", "host|user|guest",
	 "which engine (start: host for root, else user; "
	 "status, stop: all)"},
	{FLAG_IDLE, 0, "idle", "MIN",
	 "start: end MIN minutes after the last lab is gone (0: never)"},
	{FLAG_LOAD_MODULES, 0, "load-modules", NULL,
	 "start: load the kernel modules labs may need"},
	OUTPUT_DATA,
};
static const char *const engine_examples[] = {
	"labctl engine status",
	"labctl engine start --load-modules",
	"labctl engine start --engine guest --idle 30",
	"labctl engine stop",
	NULL,
};

static const struct flag version_flags[] = {OUTPUT_DATA};
static const char *const version_examples[] = {"labctl version", NULL};
static const char *const completion_examples[] = {
	"labctl completion bash > /etc/bash_completion.d/labctl",
	". <(labctl completion bash)",
	NULL,
};
static const char *const help_examples[] = {"labctl help up", NULL};

#define FLAGS(f) (f), ARRAY_SIZE(f)
#define NO_FLAGS NULL, 0

const struct verb verbs[] = {
	{"up", "deploy", "LAB|FILE|DIR...", "build a lab: a shipped one by name, or from files",
	 "Building what is already up changes nothing. Ctrl-C, or a failure, undoes everything.",
	 FLAGS(up_flags), up_examples, OPERAND_SHIPPED, 1, -1, false, false, verb_up},
	{"down", "destroy", "[LAB...]", "take labs away; without a name, the only one",
	 "To take away what is not there is no failure.", FLAGS(down_flags), down_examples,
	 OPERAND_RUNNING, 0, -1, false, false, verb_down},
	{"ls", "list", "", "running labs: engine, nodes, pods, age", NULL, FLAGS(ls_flags),
	 ls_examples, OPERAND_NONE, 0, 0, false, false, verb_ls},
	{"labs", NULL, "", "labs that come with labd, by name", NULL, FLAGS(labs_flags),
	 labs_examples, OPERAND_NONE, 0, 0, false, false, verb_labs},
	{"get", NULL, "KIND[/NAME] [NAME...]", "objects of a lab, as kubectl prints them",
	 "Kinds: pods (po), services (svc), nodes (no), endpoints (ep), endpointslices,\n"
	 "deployments (deploy), replicasets (rs), namespaces (ns), configmaps (cm),\n"
	 "networkpolicies (netpol), ippools, ipamblocks, blockaffinities, hosts; several parted\n"
	 "by commas; or all.",
	 FLAGS(get_flags), get_examples, OPERAND_KIND, 1, -1, false, false, verb_get},
	{"describe", NULL, "KIND[/NAME] [NAME...]",
	 "one object as kubectl describes it, and what became of it in the kernel",
	 "Behind the object stands what each node's kernel has of it: of a pod its devices, "
	 "routes\n"
	 "and the rules that name it; of a Service chains, virtual servers and connections; of a\n"
	 "node devices, tunnels and blocks; of a NetworkPolicy its chains and ipsets. Where the\n"
	 "kernel has not what it should have, the last lines say so.",
	 FLAGS(describe_flags), describe_examples, OPERAND_KIND, 1, -1, false, false,
	 verb_describe},
	{"exec", NULL, "WHERE -- CMD...", "run a command in a pod, node or outside host",
	 "WHERE is a pod (any unambiguous beginning of its name), pod/NAME, deploy/NAME (its\n"
	 "first pod), node/NAME or host/NAME. The exit code is the command's.",
	 FLAGS(exec_flags), exec_examples, OPERAND_WHERE, 1, 1, true, false, verb_exec},
	{"shell", "sh", "WHERE", "a shell in a pod, node or outside host",
	 "The prompt says where you are.", FLAGS(shell_flags), shell_examples, OPERAND_WHERE, 1, 1,
	 false, false, verb_shell},
	{"logs", NULL, "WHERE", "what a pod's container wrote",
	 "WHERE as in exec; of a node, with -c, what one of its programs wrote. The last megabyte "
	 "is\n"
	 "kept, also over a restart of the container.",
	 FLAGS(logs_flags), logs_examples, OPERAND_WHERE, 1, 1, false, false, verb_logs},
	{"trace", NULL, "FROM TO | --diff A B", "one real connection, and its way hop by hop",
	 "FROM is a place as in exec. TO is SERVICE:PORT, a DNS name, IP:PORT or\n"
	 "node/NAME:NODEPORT; with /udp behind it for UDP, with /icmp for ping. Keys of\n"
	 "--step: n next, p back, r reply side, o outer headers, x bytes, q quit.",
	 FLAGS(trace_flags), trace_examples, OPERAND_WHERE, 0, 2, false, false, verb_trace},
	{"flow", NULL, "[NAME]", "the lab's documented flows; with a name, trace that one", NULL,
	 FLAGS(flow_flags), flow_examples, OPERAND_FLOW, 0, 1, false, false, verb_flow},
	{"capture", NULL, "WHERE [DEV]", "packets of a pod, node or outside host, as pcapng",
	 "All devices, or one of them, until Ctrl-C; standard output, or -w FILE. Each device is\n"
	 "an interface of its own, by name, so that one packet can be followed through the node.",
	 FLAGS(capture_flags), capture_examples, OPERAND_WHERE, 1, 2, false, false, verb_capture},
	{"plan", NULL, "LAB|FILE|DIR...", "the commands that build it by hand, as a shell script",
	 "Needs neither root nor an engine. Bare manifests (without kind: Lab) are accepted. With\n"
	 "--section kube-proxy and one node it prints what iptables-restore --noflush takes.",
	 FLAGS(plan_flags), plan_examples, OPERAND_SHIPPED, 1, -1, false, false, verb_plan},
	{"apply", NULL, "[FILE...]", "add or change objects in a running lab",
	 "Objects are added, or replaced, by kind, namespace and name; only what differs then is\n"
	 "done. What a file leaves open (clusterIP, node ports, replicas) stays as it is. Nodes,\n"
	 "hosts and the network of a running lab do not change.",
	 FLAGS(apply_flags), apply_examples, OPERAND_SHIPPED, 0, -1, false, false, verb_apply},
	{"delete", NULL, "[KIND/NAME...]", "remove objects from a running lab",
	 "A Deployment makes a new pod for one that is deleted; with a Deployment its pods go, "
	 "with\n"
	 "a Service its endpoints, with a namespace all that is in it.",
	 FLAGS(delete_flags), delete_examples, OPERAND_KIND, 0, -1, false, false, verb_delete},
	{"scale", NULL, "deploy/NAME", "change the number of a Deployment's pods",
	 "The newest pods go first; new ones start on the node that has fewest of them.",
	 FLAGS(scale_flags), scale_examples, OPERAND_KIND, 1, 2, false, false, verb_scale},
	{"diff", NULL, "[LAB]", "what the kernel has against what the lab should have",
	 "Exit code 4 if they differ. --fix makes again what is missing and clears chains of the\n"
	 "lab's own; what somebody else added elsewhere is only told.",
	 FLAGS(diff_flags), diff_examples, OPERAND_RUNNING, 0, 1, false, false, verb_diff},
	{"verify", NULL, "[LAB]", "every documented flow, and every pair of pods and Services",
	 "Each flow is traced and held against what the lab file says of it; then every pod tries\n"
	 "every pod, every Service port and every Service's name, every outside host every node\n"
	 "port of every node, by real packets. What NetworkPolicies, traffic policies or missing\n"
	 "endpoints forbid must not get through. Exit code 4 if a check failed.",
	 FLAGS(verify_flags), verify_examples, OPERAND_RUNNING, 0, 1, false, false, verb_verify},
	{"compare", NULL, "FLOW LAB...", "the same flow through several labs, side by side",
	 "LAB is a running lab, a shipped one or a file (brought up, traced and taken down again,\n"
	 "one after the other), or a recording (FILE.json, of labctl flow -o json). The table has\n"
	 "devices, rules, headers, MTU and times; a star marks what differs.",
	 FLAGS(compare_flags), compare_examples, OPERAND_COMPARE, 2, -1, false, false,
	 verb_compare},
	{"doctor", NULL, "", "what this machine can run, what is missing, how to get it", NULL,
	 FLAGS(doctor_flags), doctor_examples, OPERAND_NONE, 0, 0, false, false, verb_doctor},
	{"engine", NULL, "status|start|stop",
	 "the engines: labd on this kernel, as root or as you, or in a guest kernel",
	 "An engine started here stays until it is stopped (or idle for MIN minutes). Labs of the\n"
	 "host engine live on without it; the others take their labs with them.",
	 FLAGS(engine_flags), engine_examples, OPERAND_WORDS, 1, 1, false, false, verb_engine},
	{"version", NULL, "", "the builds of labctl and of the engines that answer", NULL,
	 FLAGS(version_flags), version_examples, OPERAND_NONE, 0, 0, false, false, verb_version},
	{"completion", NULL, "bash|zsh|fish", "completion for a shell, to be sourced", NULL,
	 NO_FLAGS, completion_examples, OPERAND_WORDS, 1, 1, false, false, verb_completion},
	{"help", NULL, "[VERB]", "all verbs, or one of them", NULL, NO_FLAGS, help_examples,
	 OPERAND_NONE, 0, 1, false, false, verb_help},
	{"__complete", NULL, "", "", NULL, NO_FLAGS, NULL, OPERAND_NONE, 0, -1, true, true,
	 verb_complete},
	{"__normal", NULL, "", "", NULL, NO_FLAGS, NULL, OPERAND_NONE, 0, -1, true, true,
	 verb_normal},
	{"__synopsis", NULL, "", "", NULL, NO_FLAGS, NULL, OPERAND_NONE, 0, 0, false, true,
	 verb_synopsis},
};
const size_t n_verbs = ARRAY_SIZE(verbs);

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < n_verbs; i++) {
		if (!strcmp(verbs[i].name, name) ||
		    (verbs[i].alias && !strcmp(verbs[i].alias, name)))
			return &verbs[i];
	}
	return NULL;
}
