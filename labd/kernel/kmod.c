/* SPDX-License-Identifier: MIT */
/* See kmod.h. */
#include "labd/kernel/kmod.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/cleanup.h"

static const char *const wanted[] = {
	"veth",	       "bridge",    "br_netfilter",	    "vxlan",	      "ipip",
	"dummy",       "ip_tables", "iptable_nat",	    "iptable_filter", "iptable_mangle",
	"iptable_raw", "ip_set",    "ip_set_hash_net",	    "ip_set_hash_ip", "xt_set",
	"ip_vs",       "ip_vs_rr",  "nf_conntrack_netlink", "nfnetlink_log",  "xt_TRACE",
};

static int modprobe(const char *name)
{
	char *argv[] = {"modprobe", "-q", "--", (char *)name, NULL};
	char *env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	posix_spawn_file_actions_t fa;
	pid_t pid;
	int st;
	posix_spawn_file_actions_init(&fa);
	for (int fd = 0; fd < 3; fd++)
		posix_spawn_file_actions_addopen(&fa, fd, "/dev/null", O_RDWR, 0);
	int r = posix_spawnp(&pid, "modprobe", &fa, NULL, argv, env);
	posix_spawn_file_actions_destroy(&fa);
	if (r)
		return -r;
	while (waitpid(pid, &st, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(st) && WEXITSTATUS(st) == 0 ? 0 : -ENOENT;
}

json_t *kmod_load(void)
{
	json_t *loaded = json_array(), *failed = json_array();
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		int r = modprobe(wanted[i]);
		if (r == 0)
			json_array_append_new(loaded, json_string(wanted[i]));
		else
			json_array_append_new(
				failed, json_pack("{s:s, s:s}", "name", wanted[i], "text",
						  r == -ENOENT ? "this kernel has no such module"
							       : strerror(-r)));
	}
	return json_pack("{s:o, s:o}", "loaded", loaded, "failed", failed);
}
