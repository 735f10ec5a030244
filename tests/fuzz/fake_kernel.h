/* SPDX-License-Identifier: MIT */
/*
 * fake_kernel: netlink sockets whose kernel is the fuzzer's input, for one target: the socket calls
 * of this program and of its libraries (libmnl, libnl) end here. Everything else goes to the real
 * kernel. With fake.record set, the real kernel answers and its words are written down as a seed.
 *
 * The input: messages, each u16 type, u8 flags, u16 length of the body, body. FAKE_END of the flags
 * ends a datagram behind it; FAKE_RAW leaves its header as the body has it. When a request has been
 * answered to the end of what there is, NLMSG_DONE follows, for ever, but at most FAKE_DONES times.
 */
#ifndef FUZZ_FAKE_KERNEL_H
#define FUZZ_FAKE_KERNEL_H

#include <dlfcn.h>
#include <errno.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define FAKE_END   0x01
#define FAKE_RAW   0x02
#define FAKE_MULTI 0x04
#define FAKE_FDS   1024
#define FAKE_DONES 16
#define FAKE_BYTES 32768
#define FAKE_PORT  4711

static struct fake {
	struct fuzz_in *in;
	FILE *record;
	bool netlink[FAKE_FDS];
	uint32_t seq; /* of the last request */
	unsigned dones;
	uint8_t *datagram; /* being read; exactly as long as it is */
	size_t len;
} fake;

static void fake_put(uint8_t *buf, size_t *len, uint16_t type, uint16_t flags, const void *body,
		     size_t n)
{
	struct nlmsghdr h = {.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + n),
			     .nlmsg_type = type,
			     .nlmsg_flags = flags,
			     .nlmsg_seq = fake.seq,
			     .nlmsg_pid = FAKE_PORT};
	memcpy(buf + *len, &h, sizeof(h));
	memcpy(buf + *len + sizeof(h), body, n);
	*len += NLMSG_ALIGN(sizeof(h) + n);
}

/* The next datagram into fake.datagram; false: nothing comes any more. */
static bool fake_next(void)
{
	static uint8_t buf[FAKE_BYTES + 8];
	size_t len = 0, n;
	unsigned flags = 0;
	if (fake.datagram)
		return true;
	memset(buf, 0, sizeof(buf));
	while (fake.in->n && !(flags & FAKE_END)) {
		uint16_t type = (uint16_t)fuzz_u16(fake.in);
		flags = fuzz_byte(fake.in);
		size_t want = fuzz_u16(fake.in), room = FAKE_BYTES - len;
		if (room < NLMSG_HDRLEN + 256)
			break;
		room -= NLMSG_HDRLEN;
		uint8_t *body = fuzz_take(fake.in, want < room ? want : room, 0, &n);
		if (flags & FAKE_RAW) {
			memcpy(buf + len, body, n);
			len += n;
		} else {
			fake_put(buf, &len, type, flags & FAKE_MULTI ? NLM_F_MULTI : flags >> 3,
				 body, n);
		}
		free(body);
	}
	if (!len) {
		const int zero = 0;
		if (++fake.dones > FAKE_DONES)
			return false;
		fake_put(buf, &len, NLMSG_DONE, NLM_F_MULTI, &zero, sizeof(zero));
	}
	fake.datagram = malloc(len);
	fake.len = len;
	if (!fake.datagram)
		abort();
	memcpy(fake.datagram, buf, len);
	return true;
}

static void fake_reset(struct fuzz_in *in)
{
	fake.in = in;
	fake.dones = 0;
	free(fake.datagram);
	fake.datagram = NULL;
}

static ssize_t fake_recv(void *to, size_t size, int flags, int *ret_flags)
{
	if (!fake_next()) {
		errno = EAGAIN;
		return -1;
	}
	size_t n = fake.len < size ? fake.len : size, whole = fake.len;
	if (n)
		memcpy(to, fake.datagram, n);
	if (ret_flags)
		*ret_flags = whole > size ? MSG_TRUNC : 0;
	if (!(flags & MSG_PEEK)) {
		free(fake.datagram);
		fake.datagram = NULL;
	}
	return (ssize_t)(flags & MSG_TRUNC ? whole : n);
}

static bool is_fake(int fd)
{
	return !fake.record && fd >= 0 && fd < FAKE_FDS && fake.netlink[fd];
}

static bool is_netlink(int fd)
{
	return fd >= 0 && fd < FAKE_FDS && fake.netlink[fd];
}

/* What the real kernel said, as input. */
static void fake_write_down(int fd, const void *data, ssize_t n)
{
	const struct nlmsghdr *h = data;
	unsigned len = n > 0 ? (unsigned)n : 0;
	if (!fake.record || !is_netlink(fd))
		return;
	for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
		size_t body = h->nlmsg_len - NLMSG_HDRLEN;
		bool last = len <= NLMSG_ALIGN(h->nlmsg_len);
		bool multi = h->nlmsg_flags & NLM_F_MULTI;
		uint8_t head[5] = {(uint8_t)(h->nlmsg_type >> 8), (uint8_t)h->nlmsg_type,
				   (uint8_t)((last ? FAKE_END : 0) | (multi ? FAKE_MULTI : 0)),
				   (uint8_t)(body >> 8), (uint8_t)body};
		fwrite(head, 1, sizeof(head), fake.record);
		fwrite(NLMSG_DATA(h), 1, body, fake.record);
	}
}

int socket(int domain, int type, int protocol)
{
	bool netlink = domain == AF_NETLINK;
	if (netlink && !fake.record)
		domain = AF_UNIX, type = SOCK_DGRAM | SOCK_CLOEXEC, protocol = 0;
	int fd = (int)syscall(SYS_socket, domain, type, protocol);
	if (fd >= 0 && fd < FAKE_FDS)
		fake.netlink[fd] = netlink;
	return fd;
}

int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	return is_fake(fd) ? 0 : (int)syscall(SYS_bind, fd, addr, len);
}

int getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
	struct sockaddr_nl nl = {.nl_family = AF_NETLINK, .nl_pid = FAKE_PORT};
	if (!is_fake(fd))
		return (int)syscall(SYS_getsockname, fd, addr, len);
	memcpy(addr, &nl, *len < sizeof(nl) ? *len : sizeof(nl));
	*len = sizeof(nl);
	return 0;
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	return is_fake(fd) ? 0 : (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}

/* Where a table of the kernel's is looked into first (ct_clean.c), there is none. */
FILE *fopen(const char *path, const char *mode)
{
	static FILE *(*real)(const char *, const char *);
	if (!real)
		real = (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, "fopen");
	if (!fake.record && strstr(path, "nf_conntrack")) {
		errno = ENOENT;
		return NULL;
	}
	return real(path, mode);
}

int setns(int fd, int type)
{
	return fake.record ? (int)syscall(SYS_setns, fd, type) : 0;
}

static ssize_t fake_request(const void *data, size_t len)
{
	struct nlmsghdr h;
	for (size_t at = 0; at + sizeof(h) <= len; at += NLMSG_ALIGN(h.nlmsg_len)) {
		memcpy(&h, (const char *)data + at, sizeof(h));
		fake.seq = h.nlmsg_seq;
		if (h.nlmsg_len < sizeof(h))
			break;
	}
	return (ssize_t)len;
}

ssize_t sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *to,
	       socklen_t tolen)
{
	if (is_fake(fd))
		return fake_request(data, len);
	return syscall(SYS_sendto, fd, data, len, flags, to, tolen);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	if (is_fake(fd))
		return fake_request(m->msg_iov->iov_base, m->msg_iov->iov_len);
	return syscall(SYS_sendmsg, fd, m, flags);
}

ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	if (is_fake(fd))
		return fake_recv(buf, len, flags, NULL);
	ssize_t n = syscall(SYS_recvfrom, fd, buf, len, flags, NULL, NULL);
	fake_write_down(fd, buf, n);
	return n;
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	if (!is_fake(fd)) {
		ssize_t n = syscall(SYS_recvmsg, fd, m, flags);
		if (!(flags & MSG_PEEK))
			fake_write_down(fd, m->msg_iov->iov_base, n);
		return n;
	}
	struct sockaddr_nl nl = {.nl_family = AF_NETLINK};
	if (m->msg_name)
		memcpy(m->msg_name, &nl, sizeof(nl));
	m->msg_namelen = sizeof(nl);
	m->msg_controllen = 0;
	return fake_recv(m->msg_iov->iov_base, m->msg_iov->iov_len, flags, &m->msg_flags);
}

#endif
