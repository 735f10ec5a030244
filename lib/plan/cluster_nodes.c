/* SPDX-License-Identifier: MIT */
/* cluster_nodes: which machines there are, on which underlay, with which addresses and MACs. */
#include <stdio.h>
#include <string.h>

#include "lib/kube/naming.h"
#include "lib/plan/cluster_build.h"

static bool annotation_is(const struct node *n, const char *key, const char *value)
{
	const char *v = kv_get(&n->meta.annotations, key);

	return v && strcmp(v, value) == 0;
}

static bool is_control_plane(const struct node *n)
{
	return kv_get(&n->meta.labels, "node-role.kubernetes.io/control-plane") ||
	       kv_get(&n->meta.labels, "node-role.kubernetes.io/master") ||
	       strncmp(n->meta.name, "master", 6) == 0 || strstr(n->meta.name, "control-plane");
}

static void build_underlays(struct builder *b)
{
	struct cluster *c = b->c;

	vec_foreach (struct underlay, u, &b->o->lab.underlays)
		*vec_push(b->a, &c->underlays) = *u;
	if (!c->underlays.n) {
		/* None is given: the /24 around the first node. */
		ip4 ip = b->o->nodes.n ? b->o->nodes.v[0].internal_ip : 0;
		struct cidr cidr = {.addr = ip ? ip : 0xc0a80000, .len = 24};
		*vec_push(b->a, &c->underlays) = (struct underlay){.cidr = cidr_net(cidr)};
	}
	vec_foreach (struct underlay, u, &c->underlays) {
		u->cidr = cidr_net(u->cidr);
		if (!u->gateway)
			u->gateway = u->cidr.addr + 1;
		if (!u->nic)
			u->nic = "eth0";
		if (!u->mtu)
			u->mtu = 1500;
	}
}

static int underlay_of(const struct cluster *c, ip4 ip)
{
	for (size_t i = 0; i < c->underlays.n; i++)
		if (cidr_has(c->underlays.v[i].cidr, ip))
			return (int)i;
	return 0;
}

/* The MAC of flannel's VXLAN device as the node's annotation publishes it (flannel's own:
 * {"VNI":1,"VtepMAC":"56:a7:..."}); else drawn. */
static struct mac vtep_mac(const struct cluster *c, const struct node *n)
{
	const char *data = kv_get(&n->meta.annotations, "flannel.alpha.coreos.com/backend-data");
	const char *at = data ? strstr(data, "\"VtepMAC\":\"") : NULL;
	char text[MAC_STRLEN] = "";
	struct mac mac;

	if (at)
		snprintf(text, sizeof(text), "%.17s", at + strlen("\"VtepMAC\":\""));
	if (at && mac_parse(text, &mac) && !mac_is_zero(mac))
		return mac;
	return name_seeded_mac("%s/vtep/%s", c->name, n->meta.name);
}

static struct mac bridge_mac(const struct cluster *c, const struct node *n)
{
	const char *text = kv_get(&n->meta.annotations, "labd.dev/bridge-mac");
	struct mac mac;

	if (text && mac_parse(text, &mac) && !mac_is_zero(mac))
		return mac;
	return name_seeded_mac("%s/cni0/%s", c->name, n->meta.name);
}

static void add_node(struct builder *b, const struct node *n)
{
	struct cluster *c = b->c;
	struct cnode *r = vec_push(b->a, &c->nodes);

	*r = (struct cnode){
		.obj = n,
		.name = n->meta.name,
		.index = (int)c->nodes.n - 1,
		.ip = n->internal_ip,
		.underlay = underlay_of(c, n->internal_ip),
		.nic_mac = name_seeded_mac("%s/nic/%s", c->name, n->meta.name),
		.vtep_mac = vtep_mac(c, n),
		.bridge_mac = bridge_mac(c, n),
		.no_random_fully = annotation_is(n, "case/random-fully", "false"),
		.tcp_be_liberal = annotation_is(n, "case/tcp-be-liberal", "true") ||
				  annotation_is(n, "case/tcp-be-liberal", "1") ||
				  (c->proxy.tcp_be_liberal && c->kubernetes >= KUBE_1_32),
		.control_plane = is_control_plane(n),
	};
	if (n->has_pod_cidr)
		r->pod_cidr = cidr_net(n->pod_cidr);
}

static bool pod_cidr_taken(const struct cluster *c, struct cidr cidr)
{
	vec_foreach (struct cnode, n, &c->nodes)
		if (n->pod_cidr.len && cidr_overlap(n->pod_cidr, cidr))
			return true;
	return false;
}

/* kube-controller-manager's range allocator: /24s of the cluster CIDR in node order. */
static void allocate_pod_cidrs(struct builder *b)
{
	struct cidr net = cidr_net(b->c->flannel.network), next = {.addr = net.addr, .len = 24};

	vec_foreach (struct cnode, n, &b->c->nodes) {
		if (n->pod_cidr.len)
			continue;
		while (net.len <= 24 && cidr_contains(net, next) && pod_cidr_taken(b->c, next))
			next.addr += 256;
		if (net.len > 24 || !cidr_contains(net, next)) {
			builder_fault(b, &n->obj->meta, "metadata.name",
				      "no /24 is left in the pod network %s for this node",
				      CIDR(net));
			return;
		}
		n->pod_cidr = next;
		next.addr += 256;
	}
}

static void build_hosts(struct builder *b)
{
	struct cluster *c = b->c;

	vec_foreach (struct lab_host, h, &b->o->lab.hosts)
		*vec_push(b->a, &c->hosts) = (struct chost){
			.name = h->name,
			.ip = h->ip,
			.underlay = underlay_of(c, h->ip),
			.mac = name_seeded_mac("%s/host/%s", c->name, h->name),
		};
}

void build_nodes(struct builder *b)
{
	const char *own = b->c->proxy.hostname_override;

	build_underlays(b);
	vec_foreach (struct node, n, &b->o->nodes)
		add_node(b, n);
	if (!b->c->is_lab && own && *own && cluster_node(b->c, own) < 0) {
		/* Bare manifests need not hold the node that kube-proxy runs on. */
		struct node *n = arena_new_type(b->a, struct node);
		n->meta = (struct meta){.name = own, .doc = -1, .path = ""};
		add_node(b, n);
	}
	if (b->c->is_lab && b->c->cni == CNI_FLANNEL)
		allocate_pod_cidrs(b);
	build_hosts(b);
}

static void add_local(struct builder *b, struct cnode *n, ip4 ip)
{
	if (!ip)
		return;
	vec_foreach (ip4, have, &n->local_addrs)
		if (*have == ip)
			return;
	*vec_push(b->a, &n->local_addrs) = ip;
}

static void parse_local(struct builder *b, struct cnode *n, const char *list)
{
	while (*list) {
		size_t len = strcspn(list, ", ");
		char text[64];
		ip4 ip;

		snprintf(text, sizeof(text), "%.*s", (int)len, list);
		if (ip4_parse(text, &ip))
			add_local(b, n, ip);
		list += len + (list[len] != '\0');
	}
}

void build_local_addrs(struct builder *b)
{
	struct cluster *c = b->c;

	vec_foreach (struct cnode, n, &c->nodes) {
		const char *list = kv_get(&n->obj->meta.annotations, "case/local-addresses");

		if (list) {
			parse_local(b, n, list);
			continue;
		}
		add_local(b, n, 0x7f000001);
		add_local(b, n, n->ip);
		if (c->is_lab && c->docker_look)
			add_local(b, n, 0xac110001); /* docker0, 172.17.0.1 */
		if (n->pod_cidr.len && c->is_lab && c->flannel.backend == FLANNEL_VXLAN)
			add_local(b, n, n->pod_cidr.addr); /* flannel.1 */
		if (n->pod_cidr.len && (!c->is_lab || n->has_pods))
			add_local(b, n, n->pod_cidr.addr + 1); /* cni0 */
		add_local(b, n, n->tunnel_ip);
	}
}
