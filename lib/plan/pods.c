/* SPDX-License-Identifier: MIT */
/*
 * pods: the programs of a pod and the files kubelet gives it (pod_content() of desired_build.h).
 * Which image stands for which program is lib/kube/images.h. Pure.
 */
#include <ctype.h>
#include <string.h>

#include "lib/kube/images.h"
#include "lib/kube/naming.h"
#include "lib/plan/desired_build.h"
#include "lib/plan/dnsmasq.h"

/* nginx's own defaults where a container has them; paths where a pod can write. The log of requests
 * lies in /run, because the standard streams may be anything. */
static const char nginx_conf[] = "daemon off;\n"
				 "user root;\n"
				 "worker_processes 1;\n"
				 "pid /run/nginx/nginx.pid;\n"
				 "error_log stderr notice;\n"
				 "events {\n"
				 "\tworker_connections 1024;\n"
				 "}\n"
				 "http {\n"
				 "\tclient_body_temp_path /run/nginx/client_body;\n"
				 "\tproxy_temp_path /run/nginx/proxy;\n"
				 "\tfastcgi_temp_path /run/nginx/fastcgi;\n"
				 "\tuwsgi_temp_path /run/nginx/uwsgi;\n"
				 "\tscgi_temp_path /run/nginx/scgi;\n"
				 "\taccess_log /run/nginx/access.log;\n"
				 "\tdefault_type application/octet-stream;\n"
				 "\ttypes {\n"
				 "\t\ttext/html html htm;\n"
				 "\t\ttext/css css;\n"
				 "\t\ttext/plain txt;\n"
				 "\t\tapplication/javascript js;\n"
				 "\t\tapplication/json json;\n"
				 "\t\timage/png png;\n"
				 "\t\timage/svg+xml svg;\n"
				 "\t}\n"
				 "\tsendfile on;\n"
				 "\tkeepalive_timeout 65;\n"
				 "\tserver {\n"
				 "\t\tlisten 80;\n"
				 "\t\tserver_name localhost;\n"
				 "\t\tlocation / {\n"
				 "\t\t\troot /usr/share/nginx/html;\n"
				 "\t\t\tindex index.html index.htm;\n"
				 "\t\t}\n"
				 "\t}\n"
				 "}\n";

struct image {
	const char *name;
	const char *entrypoint;	 /* stays when only args are given; or NULL */
	const char *args[4];	 /* default */
	const char *path, *text; /* a file it needs */
};

static const struct image images[] = {
	/* A container that sleeps until it is told otherwise, to be exec'ed into. */
	{"busybox", NULL, {"sleep", "infinity"}, NULL, NULL},
	{"nginx",
	 NULL,
	 {"nginx", "-c", "/run/nginx/nginx.conf"},
	 "/run/nginx/nginx.conf",
	 nginx_conf},
	{"agnhost", "agnhost", {"netexec", "--http-port=8080", "--udp-port=8081"}, NULL, NULL},
	{"kube-dns",
	 NULL,
	 {"dnsmasq", "--keep-in-foreground", "--conf-file=/run/dnsmasq.conf"},
	 "/run/dnsmasq.conf",
	 NULL},
};

static const struct image *image_find(const char *name)
{
	for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++)
		if (strcmp(images[i].name, name) == 0)
			return &images[i];
	return NULL;
}

/* Environment ---------------------------------------------------------------------------------- */

static void add_env(struct dbuild *b, struct dproc *p, const char *text)
{
	*vec_push(b->a, &p->env) = text;
}

/* "nginx-deployment" to "NGINX_DEPLOYMENT". */
static const char *env_name(struct arena *a, const char *name)
{
	char *s = arena_strdup(a, name);

	for (char *p = s; *p; p++)
		*p = *p == '-' || *p == '.' ? '_' : (char)toupper((unsigned char)*p);
	return s;
}

/* The variables kubelet sets for a Service (the Docker links form of them left out). */
static void service_env(struct dbuild *b, struct dproc *p, const struct csvc *s)
{
	const char *n = env_name(b->a, s->name);

	add_env(b, p, arena_printf(b->a, "%s_SERVICE_HOST=%s", n, IP4(s->cluster_ip)));
	for (size_t i = 0; i < s->ports.n; i++) {
		const struct service_port *q = s->ports.v[i].port;

		if (i == 0)
			add_env(b, p, arena_printf(b->a, "%s_SERVICE_PORT=%u", n, q->port));
		if (q->name && *q->name)
			add_env(b, p,
				arena_printf(b->a, "%s_SERVICE_PORT_%s=%u", n,
					     env_name(b->a, q->name), q->port));
	}
}

/* Services of the pod's namespace are many in a large lab, and each variable costs every exec. */
#define ENV_SERVICES_MAX 32

static void environment(struct dbuild *b, struct dproc *proc, const struct cpod *p,
			const struct container *c, const char *hostname)
{
	unsigned n = 0;

	add_env(b, proc, arena_printf(b->a, "HOSTNAME=%s", hostname));
	vec_foreach (struct csvc, s, &b->c->services) {
		bool api = strcmp(s->ns, "default") == 0 && strcmp(s->name, "kubernetes") == 0;

		if (!s->cluster_ip || (!api && strcmp(s->ns, p->ns) != 0))
			continue;
		if (api || n++ < ENV_SERVICES_MAX)
			service_env(b, proc, s);
	}
	vec_foreach (struct env_var, e, &c->env)
		add_env(b, proc, arena_printf(b->a, "%s=%s", e->name, e->value ? e->value : ""));
}

/* Programs ------------------------------------------------------------------------------------- */

static void command(struct dbuild *b, struct dproc *p, const struct container *c,
		    const struct image *im)
{
	bool own = c->args.n && !(im && im->text) && !(im && strcmp(im->name, "kube-dns") == 0);

	vec_foreach (const char *, w, &c->command)
		*vec_push(b->a, &p->argv) = *w;
	if (!c->command.n && im && im->entrypoint)
		*vec_push(b->a, &p->argv) = im->entrypoint;
	if (c->command.n || own) {
		vec_foreach (const char *, w, &c->args)
			*vec_push(b->a, &p->argv) = *w;
		return;
	}
	/* The arguments of a real nginx or coredns image are about files that are not here. */
	for (size_t i = 0; im && i < 4 && im->args[i]; i++)
		*vec_push(b->a, &p->argv) = im->args[i];
}

static void listen_on(struct dbuild *b, struct dproc *proc, uint16_t port, enum proto proto)
{
	const char *word = arena_printf(b->a, "%u/%s", port, proto_str(proto));

	if (proto == PROTO_SCTP)
		return;
	vec_foreach (const char *, w, &proc->argv)
		if (strcmp(*w, word) == 0)
			return;
	*vec_push(b->a, &proc->argv) = word;
}

static bool declared(const struct cpod *p, uint16_t port, enum proto proto)
{
	vec_foreach (struct container, c, &p->obj->spec.containers)
		vec_foreach (struct container_port, q, &c->ports)
			if (q->port == port && q->proto == proto)
				return true;
	return false;
}

/* Several pods share a node's address; there only the endpoint's own words count. */
static bool is_endpoint(const struct cendpoint *e, const struct cpod *p)
{
	if (e->ip != p->ip)
		return false;
	return e->pod ? strcmp(e->pod, p->name) == 0 : !p->host_network;
}

/* Where the container's program would listen: its ports, and, for the pod's first container, what
 * Services expect of the pod though no container names it (containerPort is a remark only in
 * Kubernetes). */
static void stand_in(struct dbuild *b, struct dproc *proc, const struct cpod *p,
		     const struct container *c)
{
	*vec_push(b->a, &proc->argv) = "agnhost";
	*vec_push(b->a, &proc->argv) = "stand-in";
	vec_foreach (struct container_port, q, &c->ports)
		listen_on(b, proc, q->port, q->proto);
	if (c != p->obj->spec.containers.v)
		return;
	vec_foreach (struct csvc, s, &b->c->services)
		vec_foreach (struct csvcport, q, &s->ports)
			vec_foreach (struct cendpoint, e, &q->eps)
				if (is_endpoint(e, p) && !declared(p, e->port, q->port->proto))
					listen_on(b, proc, e->port, q->port->proto);
}

static enum dproc_restart restart_of(const struct pod_spec *s)
{
	return s->restart == RESTART_ALWAYS	  ? DPROC_ALWAYS
	       : s->restart == RESTART_ON_FAILURE ? DPROC_ON_FAILURE
						  : DPROC_NEVER;
}

/* Where several pods share a place, their containers may have the same names. */
static const char *program_name(struct dbuild *b, const struct cpod *p, const char *container)
{
	char name[NAME_PROGRAMSIZ];

	if (!p->host_network)
		return container;
	name_host_program(name, p->name, p->ns, container);
	return arena_strdup(b->a, name);
}

static void container(struct dbuild *b, int ns, const struct cpod *p, const struct container *c,
		      const char *hostname)
{
	const char *name = image_name(b->a, c->image);
	const struct image *im = image_find(name);
	struct dproc proc = {.name = program_name(b, p, c->name ? c->name : name),
			     .image = name,
			     .restart = restart_of(&p->obj->spec)};

	if (image_stood_in(b->a, c))
		stand_in(b, &proc, p, c);
	else
		command(b, &proc, c, im);
	if (!proc.argv.n)
		return; /* no image is given, and no command */
	environment(b, &proc, p, c, hostname);
	if (im && im->path && !c->command.n) {
		_strbuf_ struct strbuf conf = STRBUF_INIT;

		if (!im->text)
			dnsmasq_conf(b->c, DNS_TTL, &conf);
		add_file(b, ns, im->path,
			 im->text ? im->text : arena_strdup(b->a, strbuf_str(&conf)));
	}
	*vec_push(b->a, &b->d->ns.v[ns].procs) = proc;
	if (strcmp(name, "busybox") == 0 && b->d->ns.v[ns].kind == DNS_POD)
		b->d->ns.v[ns].busybox_first = true;
}

/* Files ---------------------------------------------------------------------------------------- */

static const char machine_resolv[] = "# No name server outside the cluster.\n";

static void resolv_conf(struct dbuild *b, int ns, const struct cpod *p)
{
	const char *policy = p->obj->spec.dns_policy;
	const char *server, *search;

	if (!b->c->dns_ip || (policy && strncmp(policy, "ClusterFirst", 12) != 0)) {
		add_file(b, ns, "/etc/resolv.conf", machine_resolv);
		return;
	}
	server = arena_printf(b->a, "nameserver %s\n", IP4(b->c->dns_ip));
	search = arena_printf(
		b->a, "search %s.svc." DNS_DOMAIN " svc." DNS_DOMAIN " " DNS_DOMAIN "\n", p->ns);
	/* dockershim wrote the server first, containerd's the search list (dataplane H). */
	add_file(b, ns, "/etc/resolv.conf",
		 arena_printf(b->a, "%s%soptions ndots:5\n", b->c->docker_look ? server : search,
			      b->c->docker_look ? search : server));
}

static void hosts_file(struct dbuild *b, int ns, const struct cpod *p, const char *hostname)
{
	const char *sub = p->obj->spec.subdomain;
	const char *fqdn =
		sub ? arena_printf(b->a, "%s.%s.%s.svc." DNS_DOMAIN "\t", hostname, sub, p->ns)
		    : "";

	add_file(b, ns, "/etc/hosts",
		 arena_printf(b->a,
			      "# Kubernetes-managed hosts file.\n"
			      "127.0.0.1\tlocalhost\n"
			      "::1\tlocalhost ip6-localhost ip6-loopback\n"
			      "fe00::0\tip6-localnet\n"
			      "fe00::0\tip6-mcastprefix\n"
			      "fe00::1\tip6-allnodes\n"
			      "fe00::2\tip6-allrouters\n"
			      "%s\t%s%s\n",
			      p->ip ? IP4(p->ip) : "127.0.0.1", fqdn, hostname));
}

void pod_content(struct dbuild *b, const struct cpod *p)
{
	int own = b->pod_ns[pod_index(b, p)];
	int ns = own >= 0 ? own : b->first_node + p->node;
	const char *hostname = b->d->ns.v[ns].hostname;

	if (own >= 0) {
		add_file(b, ns, "/etc/hostname", arena_printf(b->a, "%s\n", hostname));
		hosts_file(b, ns, p, hostname);
		resolv_conf(b, ns, p);
	}
	vec_foreach (struct container, c, &p->obj->spec.containers)
		container(b, ns, p, c, hostname);
}

void machine_files(struct dbuild *b, int ns)
{
	const char *hostname = b->d->ns.v[ns].hostname;
	_strbuf_ struct strbuf s = STRBUF_INIT;

	strbuf_adds(&s, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
	vec_foreach (struct cnode, n, &b->c->nodes)
		if (n->ip)
			strbuf_addf(&s, "%s\t%s\n", IP4(n->ip), n->name);
	vec_foreach (struct chost, h, &b->c->hosts)
		strbuf_addf(&s, "%s\t%s\n", IP4(h->ip), h->name);
	add_file(b, ns, "/etc/hostname", arena_printf(b->a, "%s\n", hostname));
	add_file(b, ns, "/etc/hosts", arena_strdup(b->a, strbuf_str(&s)));
	add_file(b, ns, "/etc/resolv.conf", machine_resolv);
}
