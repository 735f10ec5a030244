/* SPDX-License-Identifier: MIT */
/* See seccomp.h. Raw system calls: this runs in a child that shares its parent's memory. */
#include "labd/kernel/seccomp.h"

#include <assert.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "labd/kernel/rootless.h"
#include "lib/base/cleanup.h"

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#define X32_BIT	 0x40000000u /* the same calls by other numbers */
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define OUR_ARCH AUDIT_ARCH_RISCV64
#endif

#define NEW_NAMESPACES                                                                             \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | \
	 CLONE_NEWCGROUP)

static const int not_permitted[] = {
	/* another kernel, or parts of it */
	SYS_kexec_load,
#ifdef SYS_kexec_file_load
	SYS_kexec_file_load,
#endif
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_reboot,
	SYS_bpf,
	SYS_perf_event_open,
	SYS_userfaultfd,
	/* mounts and namespaces */
	SYS_mount,
	SYS_umount2,
	SYS_pivot_root,
	SYS_move_mount,
	SYS_open_tree,
	SYS_fsopen,
	SYS_fsconfig,
	SYS_fsmount,
	SYS_fspick,
	SYS_mount_setattr,
	SYS_setns,
	SYS_unshare,
	SYS_open_by_handle_at,
	SYS_quotactl,
	SYS_fanotify_init,
	/* keyrings belong to users, and root inside is the machine's root */
	SYS_keyctl,
	SYS_add_key,
	SYS_request_key,
	/* the machine */
	SYS_swapon,
	SYS_swapoff,
	SYS_acct,
	SYS_vhangup,
	SYS_settimeofday,
	SYS_clock_settime,
	SYS_clock_adjtime,
	SYS_adjtimex,
	SYS_lookup_dcookie,
	SYS_syslog,
#ifdef SYS_iopl
	SYS_iopl,
	SYS_ioperm,
#endif
};

/* What programs do without when the kernel has none. clone3 because a filter can't see its flags.
 */
static const int not_there[] = {SYS_clone3, SYS_io_uring_setup, SYS_io_uring_enter,
				SYS_io_uring_register};

static const int ids[] = {
#ifdef SYS_chown
	SYS_chown,     SYS_lchown,
#endif
	SYS_fchown,    SYS_fchownat,  SYS_setuid,    SYS_setgid,   SYS_setreuid, SYS_setregid,
	SYS_setresuid, SYS_setresgid, SYS_setgroups, SYS_setfsuid, SYS_setfsgid,
};

/* The others know no network namespaces (VSOCK reaches the hypervisor), or have the kernel load
 * what implements them. */
static const unsigned families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET};

struct program {
	struct sock_filter *v;
	size_t n;
};

static void add(struct program *p, struct sock_filter f)
{
	assert(p->n < SECCOMP_MAX);
	p->v[p->n++] = f;
}

static void answer(struct program *p, unsigned code)
{
	add(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | code));
}

/* The next instruction only if the number (or architecture) is value. */
static void only_if(struct program *p, unsigned op, unsigned value)
{
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_K | op, value, 0, 1));
}

static void answer_all(struct program *p, const int *calls, size_t n, unsigned code)
{
	for (size_t i = 0; i < n; i++) {
		only_if(p, BPF_JEQ, (unsigned)calls[i]);
		answer(p, code);
	}
}

static void load(struct program *p, unsigned offset)
{
	add(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}

/* socket() and socketpair(); other calls go on behind it, with their number still loaded. */
static void only_families(struct program *p)
{
	enum { BLOCK = 1 + 2 * ARRAY_SIZE(families) + 1 };
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_K | BPF_JEQ, SYS_socket, 1, 0));
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_K | BPF_JEQ, SYS_socketpair, 0, BLOCK));
	load(p, offsetof(struct seccomp_data, args[0]));
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		only_if(p, BPF_JEQ, families[i]);
		add(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	}
	answer(p, EAFNOSUPPORT);
}

size_t seccomp_program(struct sock_filter prog[static SECCOMP_MAX], bool fake_ids)
{
	struct program p = {prog, 0};
#ifdef OUR_ARCH
	load(&p, offsetof(struct seccomp_data, arch));
	add(&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_K | BPF_JEQ, OUR_ARCH, 1, 0));
	answer(&p, ENOSYS);
	load(&p, offsetof(struct seccomp_data, nr));
#ifdef X32_BIT
	only_if(&p, BPF_JGE, X32_BIT);
	answer(&p, ENOSYS);
#endif
	answer_all(&p, not_permitted, ARRAY_SIZE(not_permitted), EPERM);
	answer_all(&p, not_there, ARRAY_SIZE(not_there), ENOSYS);
	if (fake_ids)
		answer_all(&p, ids, ARRAY_SIZE(ids), 0);
	only_families(&p);
	add(&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_K | BPF_JEQ, SYS_clone, 0, 3));
	load(&p, offsetof(struct seccomp_data, args[0]));
	only_if(&p, BPF_JSET, NEW_NAMESPACES);
	answer(&p, EPERM);
	add(&p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
#endif
	return p.n;
}

int seccomp_seal(struct err *err)
{
	static struct sock_filter prog[SECCOMP_MAX];
	static struct sock_fprog fprog;
	if (!fprog.len) {
		fprog.len = (unsigned short)seccomp_program(prog, rootless_single());
		fprog.filter = prog;
	}
	/* Speculation as everywhere else: who is in a lab may run any program anyway. */
	if (fprog.len == 0 || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				      SECCOMP_FILTER_FLAG_SPEC_ALLOW, &fprog) == 0)
		return 0;
	if (errno == EINVAL || errno == ENOSYS)
		return 0;
	return err_sys(err, errno, "restricting system calls");
}
