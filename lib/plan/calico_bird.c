/* SPDX-License-Identifier: MIT */
/*
 * calico_bird: `routing: bird`: the configuration of a node's own BGP daemon, and that it runs. It
 * takes the place of the routes that calico.c writes otherwise.
 *
 * Calico ships a BIRD of its own whose kernel protocol puts a route into a tunnel ("krt_tunnel").
 * BIRD 2 has no such thing, but a BGP route's gateway is found in a table, and that table may say
 * that a peer is reached through tunl0. So there is a table of peers, which holds each with the
 * device that leads to it.
 */
#include "lib/base/strbuf.h"
#include "lib/plan/calico_routes.h"

#define RUN	  "/run/calico/"
#define AS_NUMBER 64512

static void table_of_peers(struct dbuild *b, const struct cnode *n, const struct ip_pool *pool,
			   struct strbuf *s)
{
	strbuf_adds(s,
		    "# How each peer is reached: through the tunnel, on the link, by the gateway.\n"
		    "ipv4 table peers;\nprotocol static reach {\n\tipv4 { table peers; };\n");
	vec_foreach (struct cnode, p, &b->c->nodes) {
		struct droute r;

		if (p == n || !p->ip || !calico_route_to(b, n, p, pool, &r))
			continue;
		strbuf_addf(s, "\troute %s/32 via ", IP4(p->ip));
		if (r.onlink)
			strbuf_addf(s, "%s%%%s onlink;\n", IP4(r.via), r.dev);
		else if (r.via == p->ip)
			strbuf_addf(s, "\"%s\";\n", r.dev);
		else
			strbuf_addf(s, "%s;\n", IP4(r.via));
	}
	strbuf_adds(s, "}\n\n");
}

static bool by_bgp(const struct block *k)
{
	return k->pool->vxlan == ENCAP_NEVER;
}

static void own_blocks(struct dbuild *b, const struct cnode *n, struct strbuf *s)
{
	strbuf_adds(s,
		    "# This node's blocks: announced as a whole; what no pod has is dropped here.\n"
		    "protocol static blocks {\n\tipv4;\n");
	vec_foreach (int, i, &n->blocks)
		if (by_bgp(&b->c->blocks.v[*i]))
			strbuf_addf(s, "\troute %s blackhole;\n", CIDR(b->c->blocks.v[*i].cidr));
	strbuf_adds(s, "}\n\n");
}

/* An address that a pod here holds of another node's block is announced by itself. */
static void filters(struct dbuild *b, const struct cnode *n, struct strbuf *s)
{
	strbuf_adds(s, "filter to_peers {\n\tif proto = \"blocks\" then accept;\n");
	vec_foreach (int, i, &n->blocks)
		strbuf_addf(s, "\tif net ~ %s then reject;\n", CIDR(b->c->blocks.v[*i].cidr));
	vec_foreach (struct ip_pool, p, &b->c->pools)
		if (p->vxlan == ENCAP_NEVER)
			strbuf_addf(
				s,
				"\tif source = RTS_INHERIT && net ~ [ %s{32,32} ] then accept;\n",
				CIDR(cidr_net(p->cidr)));
	strbuf_adds(s, "\treject;\n}\n\n"
		       "filter to_kernel {\n"
		       "\tif proto = \"blocks\" || source = RTS_BGP then accept;\n"
		       "\treject;\n}\n\n");
}

static void mesh(struct dbuild *b, const struct cnode *n, struct strbuf *s)
{
	strbuf_addf(s,
		    "# The mesh: every node with every other.\n"
		    "template bgp mesh {\n\tlocal %s as %u;\n\tmultihop;\n"
		    "\tgraceful restart on;\n\tgraceful restart time 1;\n\tconnect delay time "
		    "1;\n\tconnect retry time 1;\n"
		    "\terror wait time 1, 5;\n"
		    "\tipv4 {\n\t\timport all;\n\t\texport filter to_peers;\n"
		    "\t\tigp table peers;\n\t\tgateway recursive;\n\t};\n}\n",
		    IP4(n->ip), (unsigned)AS_NUMBER);
	vec_foreach (struct cnode, p, &b->c->nodes) {
		_strbuf_ struct strbuf name = STRBUF_INIT;

		if (p == n || !p->ip)
			continue;
		/* Named as Calico's confd names them. */
		strbuf_adds(&name, IP4(p->ip));
		for (char *c = name.s; *c; c++)
			if (*c == '.')
				*c = '_';
		/* One of two connects: the one with the smaller address. */
		strbuf_addf(s, "protocol bgp Mesh_%s from mesh {\n\tneighbor %s as %u;\n%s}\n",
			    strbuf_str(&name), IP4(p->ip), (unsigned)AS_NUMBER,
			    n->ip > p->ip ? "\tpassive;\n" : "");
	}
}

static const struct ip_pool *bgp_pool(const struct cluster *c)
{
	vec_foreach (struct ip_pool, p, &c->pools)
		if (p->vxlan == ENCAP_NEVER)
			return p;
	return NULL;
}

void calico_bird(struct dbuild *b, int ns, const struct cnode *n)
{
	static const char *const argv[] = {"bird",	   "-f", "-R",		"-c",
					   RUN "bird.cfg", "-s", RUN "bird.ctl"};
	const struct ip_pool *pool = bgp_pool(b->c);
	_strbuf_ struct strbuf s = STRBUF_INIT;
	struct dproc *p;

	if (!pool || !n->ip)
		return;
	strbuf_addf(&s,
		    "# BIRD on %s. birdcl -s " RUN "bird.ctl show protocols\n"
		    "router id %s;\nlog stderr { warning, error, fatal, bug };\n\n",
		    n->name, IP4(n->ip));
	table_of_peers(b, n, pool, &s);
	own_blocks(b, n, &s);
	filters(b, n, &s);
	strbuf_adds(&s, "protocol device { scan time 2; }\n"
			"protocol kernel {\n\tgraceful restart on;\n\tlearn;\n\tpersist;\n\tscan "
			"time 2;\n\tmetric 0;\n"
			"\tipv4 { import all; export filter to_kernel; };\n}\n\n");
	mesh(b, n, &s);
	add_file(b, ns, RUN "bird.cfg", arena_strdup(b->a, strbuf_str(&s)));
	p = vec_push(b->a, &b->d->ns.v[ns].procs);
	*p = (struct dproc){.name = "bird", .image = "bird"};
	for (size_t i = 0; i < sizeof(argv) / sizeof(argv[0]); i++)
		*vec_push(b->a, &p->argv) = argv[i];
}
