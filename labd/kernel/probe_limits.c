/* SPDX-License-Identifier: MIT */
/* See probe_limits.h. */
#include "labd/kernel/probe_limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/base/cleanup.h"
#include "lib/base/file.h"

#define POD_KIB 600 /* namespaces, a veth, two processes and a file system (docs/BENCHMARKS.md) */

static uint64_t number_in(const char *path)
{
	_strbuf_ struct strbuf b = STRBUF_INIT;
	return file_read(path, 64, &b, NULL) < 0 ? 0 : strtoull(strbuf_str(&b), NULL, 10);
}

static uint64_t descriptors(void)
{
	struct rlimit l;
	return getrlimit(RLIMIT_NOFILE, &l) < 0 ? 0 : (uint64_t)l.rlim_max;
}

static uint64_t processes(void)
{
	uint64_t pids = number_in("/proc/sys/kernel/pid_max");
	uint64_t threads = number_in("/proc/sys/kernel/threads-max");
	return threads && threads < pids ? threads : pids;
}

static uint64_t free_kib(void)
{
	uint64_t kib = 0;
	char line[128];
	_fclose_ FILE *f = fopen("/proc/meminfo", "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1)
			break;
	return kib;
}

json_t *limit_row(const struct limit *l)
{
	char text[160];
	uint64_t pods = l->value / l->each;
	bool ok = pods >= LIMIT_PODS;
	if (l->value > UINT32_MAX)
		snprintf(text, sizeof(text), "no limit");
	else
		snprintf(text, sizeof(text), "%" PRIu64 "%s, enough for %" PRIu64 " pods", l->value,
			 l->unit, pods);
	return json_pack("{s:s, s:b, s:s, s:s}", "name", l->name, "ok", ok, "text", text, "hint",
			 ok ? "" : l->hint);
}

void probe_limits(json_t *rows)
{
	/* A pod that talks has an entry for its node, and its node one for it: all namespaces of a
	 * machine share one table, whose size only the first of them shows. */
	const struct limit all[] = {
		{"neighbour table", " entries in all namespaces together",
		 number_in("/proc/sys/net/ipv4/neigh/default/gc_thresh3"), 2,
		 "sysctl net.ipv4.neigh.default.gc_thresh3=8192"},
		{"network namespaces, how many", "", number_in("/proc/sys/user/max_net_namespaces"),
		 1, "sysctl user.max_net_namespaces=65536"},
		{"processes, how many", "", processes(), 2, "sysctl kernel.pid_max=4194304"},
		{"descriptors of labd", "", descriptors(), 2,
		 "LimitNOFILE= of its unit, or ulimit -Hn before it starts"},
		{"memory", " KiB free", free_kib(), POD_KIB, "smaller labs, or more of it"},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].value)
			json_array_append_new(rows, limit_row(&all[i]));
}
