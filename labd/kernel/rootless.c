/* SPDX-License-Identifier: MIT */
/* See rootless.h. */
#include "labd/kernel/rootless.h"

#include <stdio.h>

#include "lib/base/cleanup.h"

#define ALL_IDS 4294967295ul /* of the initial user namespace; user_namespaces(7) */

/* How many ids a map has; 0 when it can't be read. */
static unsigned long ids(const char *path)
{
	_fclose_ FILE *f = fopen(path, "re");
	unsigned long inside, outside, count, sum = 0;
	while (f && fscanf(f, "%lu %lu %lu", &inside, &outside, &count) == 3)
		sum += count;
	return sum;
}

static unsigned long own_ids(void)
{
	static unsigned long n;
	if (!n)
		n = ids("/proc/self/uid_map");
	return n;
}

bool rootless(void)
{
	unsigned long n = own_ids();
	return n && n < ALL_IDS;
}

bool rootless_single(void)
{
	return own_ids() == 1;
}
