/* SPDX-License-Identifier: MIT */
/*
 * rules: what many services cost on one node: the plan part (documents to the node's rules) and the
 * kernel part (rules to the kernel), each by itself, without a lab around them.
 *
 *	rules LAB.yaml   prints "rules=N yaml_us=N plan_us=N" and, in iptables mode, "direct_us=N
 *	                 restore_us=N" (labd's own way, and iptables-legacy-restore), in nftables
 *mode "nft_us=N"; the two ways must have made the same rules
 */
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "labd/kernel/nft.h"
#include "labd/kernel/xt_replace.h"
#include "lib/base/file.h"
#include "lib/base/strbuf.h"
#include "lib/plan/desired.h"
#include "lib/yaml/yaml.h"

extern char **environ;

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "rules: %s\n", what);
	exit(1);
}

static long now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

static int new_netns(void)
{
	int fd = unshare(CLONE_NEWNET) < 0 ? -1 : open("/proc/thread-self/ns/net", O_RDONLY);
	if (fd < 0)
		die("no namespace");
	return fd;
}

/* The namespace of the first node. */
static const struct dns *plan(struct arena *a, struct yaml_files *files)
{
	struct faults faults = {.arena = a};
	struct objects *o = objects_bind(a, yaml_files_docs(files), yaml_to_json, &faults);
	objects_check(o, &faults);
	const struct cluster *c =
		faults.total
			? NULL
			: cluster_build(a, o, &(struct cluster_opts){.name = "bench"}, &faults);
	if (!c)
		die("the lab has faults");
	const struct desired *d = desired_build(a, c);
	vec_foreach (const struct dns, ns, &d->ns)
		if (ns->kind == DNS_NODE)
			return ns;
	die("no node");
}

static unsigned count_rules(const char *text)
{
	unsigned n = 0;
	for (const char *p = text; (p = strstr(p, "\n-A ")); p++)
		n++;
	return n;
}

static void run(const char *cmd)
{
	char *argv[] = {"sh", "-c", (char *)cmd, NULL};
	pid_t pid;
	int st;
	if (posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ) != 0 ||
	    waitpid(pid, &st, 0) < 0 || st != 0)
		die(cmd);
}

static void iptables(const struct dns *ns, const char *dir)
{
	char text[256], lock[256], cmd[1400];
	unsigned n = 0;
	snprintf(lock, sizeof(lock), "%s/rules.lock", dir);
	snprintf(text, sizeof(text), "%s/rules.txt", dir);
	FILE *f = fopen(text, "w");
	vec_foreach (const struct drules, r, &ns->rules) {
		fputs(r->text, f);
		n += count_rules(r->text);
	}
	fclose(f);
	close(new_netns());
	long t0 = now_us();
	if (!xt_replace(ns, lock))
		die("these rules are not written directly");
	long t1 = now_us();
	snprintf(cmd, sizeof(cmd), "iptables-legacy-save | grep -v '^#' >%s/direct.txt", dir);
	run(cmd);
	close(new_netns());
	snprintf(cmd, sizeof(cmd), "XTABLES_LOCKFILE=%s iptables-legacy-restore --noflush <%s",
		 lock, text);
	long t2 = now_us();
	run(cmd);
	long t3 = now_us();
	snprintf(cmd, sizeof(cmd), "iptables-legacy-save | grep -v '^#' | cmp - %s/direct.txt",
		 dir);
	run(cmd);
	printf("rules=%u direct_us=%ld restore_us=%ld ", n, t1 - t0, t3 - t2);
}

static void nftables(const struct dns *ns)
{
	struct err err = {0};
	int netns = new_netns();
	long t0 = now_us();
	if (nft_load(netns, ns, &err) < 0)
		die(err.text);
	printf("nft_us=%ld ", now_us() - t0);
}

int main(int argc, char **argv)
{
	const char *dir = getenv("TEST_DIR");
	struct err err = {0};
	struct yaml_files *files = yaml_files_new();
	struct arena *a = arena_new();
	long t0 = now_us();
	if (argc != 2 || yaml_files_add(files, argv[1], &err) < 0)
		die(argc == 2 ? err.text : "rules LAB.yaml");
	long t1 = now_us();
	const struct dns *ns = plan(a, files);
	long t2 = now_us();
	printf("yaml_us=%ld plan_us=%ld ", t1 - t0, t2 - t1);
	if (ns->nft)
		nftables(ns);
	else
		iptables(ns, dir ? dir : "/tmp");
	putchar('\n');
	return 0;
}
