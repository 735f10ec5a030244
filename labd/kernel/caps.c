/* SPDX-License-Identifier: MIT */
/* See caps.h. Raw system calls: this runs in a child that shares its parent's memory, where a
 * library's caches would be the parent's. */
#include "labd/kernel/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(cap) (UINT64_C(1) << (cap))

static const uint64_t pod_set =
	BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_KILL) |
	BIT(CAP_SETGID) | BIT(CAP_SETUID) | BIT(CAP_SETPCAP) | BIT(CAP_NET_BIND_SERVICE) |
	BIT(CAP_NET_RAW) | BIT(CAP_SYS_CHROOT) | BIT(CAP_AUDIT_WRITE) | BIT(CAP_SETFCAP);

/* What labd itself does with them: namespaces and mounts, links, rules and packet sockets, devices
 * of the template, modules when asked; and what it hands on. The same, but for modules, is in
 * docs/systemd/labd.service.in. */
static const uint64_t labd_set =
	pod_set | BIT(CAP_NET_ADMIN) | BIT(CAP_SYS_ADMIN) | BIT(CAP_MKNOD) | BIT(CAP_SYS_MODULE);

static int drop_bounding(uint64_t set, struct err *err)
{
	for (int cap = 0; cap < 64; cap++) {
		if (set & BIT(cap))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
			if (errno == EINVAL) /* past the kernel's last one */
				break;
			return err_sys(err, errno, "dropping capability %d", cap);
		}
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return err_sys(err, errno, "clearing ambient capabilities");
	return 0;
}

static int set_caps(uint64_t set, struct err *err)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{.effective = (uint32_t)set, .permitted = (uint32_t)set},
		{.effective = (uint32_t)(set >> 32), .permitted = (uint32_t)(set >> 32)},
	};
	if (syscall(SYS_capset, &head, data) < 0)
		return err_sys(err, errno, "setting capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, errno, "no_new_privs");
	return 0;
}

/* Of those wanted the ones that the process has: a service manager may have given fewer. */
static int permitted(uint64_t *ret, struct err *err)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	if (syscall(SYS_capget, &head, data) < 0)
		return err_sys(err, errno, "own capabilities");
	*ret = data[0].permitted | (uint64_t)data[1].permitted << 32;
	return 0;
}

int caps_keep(struct err *err)
{
	uint64_t have = 0;
	int r = permitted(&have, err);
	if (r == 0)
		r = drop_bounding(labd_set, err);
	return r < 0 ? r : set_caps(labd_set & have, err);
}

int caps_drop(enum dns_kind kind, struct err *err)
{
	uint64_t set = pod_set | (kind == DNS_POD ? 0 : BIT(CAP_NET_ADMIN));
	int r = drop_bounding(set, err);
	return r < 0 ? r : set_caps(set, err);
}
