/* SPDX-License-Identifier: MIT */
/* shell_print: see shell_print.h. Every word that comes from a lab file is quoted. */
#include "lib/plan/shell_print.h"

#include <string.h>

/* Behind a command that a kernel may lack something for. */
#define MAY_FAIL " 2>/dev/null || :\n"

const char *shell_ns(const struct printer *p, int ns)
{
	return arena_printf(p->d->arena, "%s-%s", p->d->cluster->name, p->d->ns.v[ns].name);
}

/* Words separated by blanks, each quoted. NULL ends. */
static void words(const struct printer *p, ...) __attribute__((sentinel));
static void words(const struct printer *p, ...)
{
	const char *w;
	va_list ap;

	va_start(ap, p);
	while ((w = va_arg(ap, const char *))) {
		strbuf_addc(p->out, ' ');
		strbuf_add_shell(p->out, w);
	}
	va_end(ap);
}

static void ip_n(const struct printer *p, int ns, const char *what)
{
	strbuf_adds(p->out, "ip -n ");
	strbuf_add_shell(p->out, shell_ns(p, ns));
	strbuf_addf(p->out, " %s", what);
}

static void in_ns(const struct printer *p, int ns)
{
	strbuf_adds(p->out, "ip netns exec ");
	strbuf_add_shell(p->out, shell_ns(p, ns));
}

static void end(const struct printer *p)
{
	strbuf_addc(p->out, '\n');
}

/* A text as a here-document; the word that ends it does not occur in it as a line. */
static void here(const struct printer *p, const char *text)
{
	const char *word = "EOF";

	for (unsigned i = 1; strstr(text, word); i++)
		word = arena_printf(p->d->arena, "EOF_%u", i);
	strbuf_addf(p->out, " <<'%s'\n%s%s%s\n", word, text,
		    *text && text[strlen(text) - 1] == '\n' ? "" : "\n", word);
}

const struct dlink *shell_find_link(const struct dns *ns, const char *name)
{
	vec_foreach (struct dlink, l, &ns->links)
		if (strcmp(l->name, name) == 0)
			return l;
	return NULL;
}

/* Devices -------------------------------------------------------------------------------------- */

static void link_options(const struct printer *p, const struct dlink *l, bool index)
{
	if (l->ifindex && index)
		strbuf_addf(p->out, " index %d", l->ifindex);
	if (!mac_is_zero(l->mac))
		strbuf_addf(p->out, " address %s", MAC(l->mac));
	if (l->mtu)
		strbuf_addf(p->out, " mtu %u", l->mtu);
	if (l->zero_txqlen)
		strbuf_adds(p->out, " txqueuelen 0");
	if (l->kind == DLINK_VETH)
		strbuf_adds(p->out, " numtxqueues 1 numrxqueues 1");
}

/* Device names may hold dots: with slashes sysctl takes them as they are. */
static void conf_one(const struct printer *p, int ns, const char *tree, const char *dev,
		     const char *key, int value)
{
	if (value < 0)
		return;
	in_ns(p, ns);
	words(p, "sysctl", "-qw",
	      arena_printf(p->d->arena, "net/%s/%s/%s=%d", tree, dev, key, value), NULL);
	strbuf_adds(p->out, strncmp(tree, "ipv6", 4) == 0 ? MAY_FAIL : "\n");
}

static void conf(const struct printer *p, int ns, const struct dlink *l)
{
	conf_one(p, ns, "ipv4/conf", l->name, "forwarding", l->conf.forwarding);
	conf_one(p, ns, "ipv4/conf", l->name, "proxy_arp", l->conf.proxy_arp);
	conf_one(p, ns, "ipv4/conf", l->name, "rp_filter", l->conf.rp_filter);
	conf_one(p, ns, "ipv4/conf", l->name, "route_localnet", l->conf.route_localnet);
	conf_one(p, ns, "ipv4/conf", l->name, "arp_notify", l->conf.arp_notify);
	conf_one(p, ns, "ipv4/neigh", l->name, "proxy_delay", l->conf.proxy_delay);
	conf_one(p, ns, "ipv6/conf", l->name, "accept_ra", l->conf.accept_ra6);
}

static void set_up(const struct printer *p, int ns, const struct dlink *l)
{
	if (l->master) {
		ip_n(p, ns, "link set");
		words(p, l->name, "master", l->master, NULL);
		end(p);
	}
	if (l->hairpin) {
		ip_n(p, ns, "link set");
		words(p, l->name, "type", "bridge_slave", "hairpin", "on", NULL);
		end(p);
	}
	conf(p, ns, l);
	if (l->up) {
		ip_n(p, ns, "link set");
		words(p, l->name, "up", NULL);
		end(p);
	}
}

static void pair_add(const struct printer *p, int ns, const struct dlink *l, int peer_ns,
		     const struct dlink *peer)
{
	ip_n(p, ns, "link add");
	words(p, l->name, NULL);
	link_options(p, l, true);
	words(p, "type", "veth", "peer", "name", peer->name, NULL);
	link_options(p, peer, false);
	words(p, "netns", shell_ns(p, peer_ns), NULL);
	end(p);
}

void shell_pair(const struct printer *p, int ns, const struct dlink *l)
{
	const struct dns *other = &p->d->ns.v[l->peer_ns];
	const struct dlink *peer = shell_find_link(other, l->peer_name);

	/* ip takes an index only for the end that it makes by itself, not for its peer. */
	if (peer->ifindex)
		pair_add(p, l->peer_ns, peer, ns, l);
	else
		pair_add(p, ns, l, l->peer_ns, peer);
	set_up(p, l->peer_ns, peer);
	set_up(p, ns, l);
	/* Routes of the other side that need the device (a Calico pod's own). */
	vec_foreach (struct droute, r, &other->routes)
		if (r->dev && strcmp(r->dev, peer->name) == 0)
			shell_route(p, l->peer_ns, r);
}

static void link_type(const struct printer *p, const struct dlink *l)
{
	switch (l->kind) {
	case DLINK_BRIDGE:
		strbuf_adds(p->out, " type bridge");
		break;
	case DLINK_DUMMY:
		strbuf_adds(p->out, " type dummy");
		break;
	case DLINK_IPIP:
		strbuf_addf(p->out, " type ipip local %s", IP4(l->local));
		break;
	case DLINK_VXLAN:
		strbuf_addf(p->out, " type vxlan id %u local %s", l->vni, IP4(l->local));
		if (l->lower)
			words(p, "dev", l->lower, NULL);
		strbuf_addf(p->out, " dstport %u nolearning", l->port);
		break;
	case DLINK_LO:
	case DLINK_TUNL0:
	case DLINK_VETH:
		break;
	}
}

void shell_link(const struct printer *p, int ns, const struct dlink *l)
{
	if (l->kind == DLINK_TUNL0) {
		if (l->mtu) {
			ip_n(p, ns, "link set");
			words(p, l->name, NULL);
			link_options(p, l, true);
			end(p);
		}
	} else if (l->kind != DLINK_LO) {
		ip_n(p, ns, "link add");
		words(p, l->name, NULL);
		link_options(p, l, true);
		link_type(p, l);
		end(p);
	}
	set_up(p, ns, l);
}

/* Layer 3 -------------------------------------------------------------------------------------- */

void shell_addr(const struct printer *p, int ns, const struct daddr *a)
{
	ip_n(p, ns, "addr add");
	words(p, CIDR(a->addr), NULL);
	if (a->brd)
		strbuf_addf(p->out, " brd %s", IP4(a->brd));
	words(p, "dev", a->dev, NULL);
	if (a->host_scope)
		strbuf_adds(p->out, " scope host");
	if (a->metric)
		strbuf_addf(p->out, " metric %u", a->metric);
	if (a->no_prefix_route)
		strbuf_adds(p->out, " noprefixroute");
	end(p);
}

static void route_proto(const struct printer *p, uint8_t proto)
{
	switch (proto) {
	case 0:
	case 3:
		break;
	case 4:
		strbuf_adds(p->out, " proto static");
		break;
	case 12:
		strbuf_adds(p->out, " proto bird");
		break;
	default:
		strbuf_addf(p->out, " proto %u", proto);
	}
}

void shell_route(const struct printer *p, int ns, const struct droute *r)
{
	ip_n(p, ns, "route add");
	if (r->type == DROUTE_BLACKHOLE)
		strbuf_adds(p->out, " blackhole");
	words(p, r->dst.len ? CIDR(r->dst) : "default", NULL);
	if (r->via)
		strbuf_addf(p->out, " via %s", IP4(r->via));
	if (r->dev)
		words(p, "dev", r->dev, NULL);
	route_proto(p, r->proto);
	if (r->scope_link)
		strbuf_adds(p->out, " scope link");
	if (r->src)
		strbuf_addf(p->out, " src %s", IP4(r->src));
	if (r->metric)
		strbuf_addf(p->out, " metric %u", r->metric);
	if (r->onlink)
		strbuf_adds(p->out, " onlink");
	end(p);
}

void shell_neigh(const struct printer *p, int ns, const struct dneigh *n)
{
	ip_n(p, ns, "neigh replace");
	words(p, IP4(n->ip), "lladdr", MAC(n->mac), "nud", "permanent", "dev", n->dev, NULL);
	end(p);
}

void shell_fdb(const struct printer *p, int ns, const struct dfdb *f)
{
	strbuf_adds(p->out, "bridge -n ");
	strbuf_add_shell(p->out, shell_ns(p, ns));
	words(p, "fdb", "replace", MAC(f->mac), "dev", f->dev, "dst", IP4(f->dst), "self",
	      "permanent", NULL);
	end(p);
}

/* Settings, sets, rules, files, programs ----------------------------------------------------------
 */

void shell_sysctl(const struct printer *p, int ns, const struct dsysctl *s)
{
	in_ns(p, ns);
	words(p, "sysctl", "-qw", arena_printf(p->d->arena, "%s=%s", s->key, s->value), NULL);
	strbuf_adds(p->out, s->optional ? MAY_FAIL : "\n");
}

void shell_ipset(const struct printer *p, int ns, const struct dipset *s)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;

	strbuf_addf(&text, "create %s %s %s\n", s->name, s->type, s->options);
	vec_foreach (const char *, m, &s->members)
		strbuf_addf(&text, "add %s %s\n", s->name, *m);
	in_ns(p, ns);
	strbuf_adds(p->out, " ipset restore");
	here(p, strbuf_str(&text));
}

void shell_services(const struct printer *p, int ns)
{
	const struct dns *d = &p->d->ns.v[ns];

	if (d->ipvs_timeouts) {
		in_ns(p, ns);
		strbuf_addf(p->out, " ipvsadm --set %s\n", d->ipvs_timeouts);
	}
	if (d->ipvs) {
		in_ns(p, ns);
		strbuf_adds(p->out, " ipvsadm --restore");
		here(p, d->ipvs);
	}
	if (d->nft) {
		in_ns(p, ns);
		strbuf_adds(p->out, " nft -f -");
		here(p, d->nft);
	}
}

void shell_rules(const struct printer *p, int ns, const struct drules *r)
{
	in_ns(p, ns);
	strbuf_adds(p->out, " \"iptables-$IPT-restore\" --noflush");
	here(p, r->text);
}

void shell_file(const struct printer *p, int ns, const struct dfile *f)
{
	const char *name = shell_ns(p, ns), *slash = strrchr(f->path, '/'), *to;

	if (strcmp(f->path, "/etc/hostname") == 0)
		return; /* the script does not make UTS namespaces */
	if (strncmp(f->path, "/etc/", 5) == 0) {
		to = arena_printf(p->d->arena, "/etc/netns/%s/%s", name, slash + 1);
		strbuf_adds(p->out, "cat >");
		strbuf_add_shell(p->out, to);
	} else {
		/* Below /run. */
		strbuf_adds(p->out, "mkdir -p \"$RUN\"/");
		strbuf_add_shell(p->out, arena_printf(p->d->arena, "%s%.*s", name,
						      (int)(slash - f->path - 4), f->path + 4));
		strbuf_adds(p->out, "\ncat >\"$RUN\"/");
		strbuf_add_shell(p->out, arena_printf(p->d->arena, "%s%s", name, f->path + 4));
	}
	here(p, f->content);
}

void shell_proc(const struct printer *p, int ns, const struct dproc *r)
{
	bool applet = strcmp(r->image, "busybox") == 0 && !strchr(r->argv.v[0], '/') &&
		      strcmp(r->argv.v[0], "busybox") != 0;

	strbuf_adds(p->out, "start");
	words(p, shell_ns(p, ns), r->name, applet ? "busybox" : NULL, NULL);
	vec_foreach (const char *, w, &r->argv)
		words(p, *w, NULL);
	end(p);
}
