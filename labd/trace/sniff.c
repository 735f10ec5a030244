/* SPDX-License-Identifier: MIT */
/* See sniff.h. */
#include "labd/kernel/nlbatch.h" /* first: libc's net/if.h, to which the kernel's headers give way */

#include "labd/trace/sniff.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/strbuf.h"
#include "lib/kube/fault.h"

#define BLOCK_BYTES (1u << 20)
#define BLOCKS	    8u
#define MAX_DEVS    1024
#define JOIN_HEAD   4

size_t sniff_join(const struct sniff_filter *f, struct sock_filter *to)
{
	const struct sock_filter head[JOIN_HEAD] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_HATYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARPHRD_ETHER, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARPHRD_LOOPBACK, 1, 0),
		BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)f->n_ethernet),
	};
	memcpy(to, head, sizeof(head));
	memcpy(to + JOIN_HEAD, f->ethernet, f->n_ethernet * sizeof(*to));
	memcpy(to + JOIN_HEAD + f->n_ethernet, f->ip, f->n_ip * sizeof(*to));
	return JOIN_HEAD + f->n_ethernet + f->n_ip;
}

static int set_filter(int fd, const struct sniff_filter *f, struct err *err)
{
	struct sock_filter prog[2 * SNIFF_FILTER_MAX + JOIN_HEAD];
	struct sock_fprog set = {.filter = prog};
	if (!f->n_ethernet)
		return 0;
	set.len = (unsigned short)sniff_join(f, prog);
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &set, sizeof(set)) < 0)
		return err_sys(err, errno, "the filter");
	return 0;
}

static int open_ring(struct sniff *s, struct err *err)
{
	int version = TPACKET_V3;
	struct tpacket_req3 req = {.tp_block_size = BLOCK_BYTES,
				   .tp_block_nr = BLOCKS,
				   .tp_frame_size = TPACKET_ALIGNMENT << 7,
				   .tp_frame_nr = BLOCKS * (BLOCK_BYTES / (TPACKET_ALIGNMENT << 7)),
				   .tp_retire_blk_tov = SNIFF_DELAY_MS};
	if (setsockopt(s->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
	    setsockopt(s->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) < 0)
		return err_sys(err, errno, "ring of a packet socket");
	void *ring = mmap(NULL, (size_t)BLOCKS * BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			  s->fd, 0);
	if (ring == MAP_FAILED)
		return err_sys(err, errno, "ring of a packet socket");
	s->ring = ring;
	return 0;
}

/* The names of the namespace that the calling thread is in. */
static int no_device(const char *dev, struct err *err)
{
	struct if_nameindex *list = if_nameindex();
	const char *names[MAX_DEVS];
	unsigned n = 0;
	_strbuf_ struct strbuf b = STRBUF_INIT;
	err_setc(err, ENODEV, ERR_NOT_FOUND, "there is no device \"%.32s\"", dev);
	for (; list && n < MAX_DEVS && list[n].if_index; n++) {
		names[n] = list[n].if_name;
		if (n < 12)
			strbuf_addf(&b, "%s%s", n ? ", " : "", names[n]);
	}
	const char *near = nearest_word(dev, names, n);
	if (near)
		err_hint(err, "did you mean %s?", near);
	else
		err_hint(err, "there are: %s%s", strbuf_str(&b), n > 12 ? ", ..." : "");
	if (list)
		if_freenameindex(list);
	return -ENODEV;
}

static int open_socket(struct sniff *s, int netns, const char *dev, int *ifindex, struct err *err)
{
	_nlns_ struct nlns home = NLNS_INIT;
	int r = nlns_enter(&home, netns, err);
	if (r < 0)
		return r;
	*ifindex = dev ? (int)if_nametoindex(dev) : 0;
	if (dev && *ifindex == 0)
		return no_device(dev, err);
	/* protocol 0: not attached to any device before the filter is in place */
	s->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	return s->fd < 0 ? err_sys(err, errno, "packet socket") : 0;
}

int sniff_open(struct sniff *s, int netns, const char *dev, const struct sniff_filter *f,
	       struct err *err)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	*s = (struct sniff){.fd = -1};
	int r = open_socket(s, netns, dev, &at.sll_ifindex, err);
	if (r == 0)
		r = set_filter(s->fd, f, err);
	if (r == 0)
		r = open_ring(s, err);
	if (r == 0 && bind(s->fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		r = err_sys(err, errno, "packet socket");
	if (r < 0)
		sniff_close(s);
	return r;
}

static int read_block(struct tpacket_block_desc *b, sniff_fn *fn, void *arg)
{
	const uint8_t *at = (const uint8_t *)b + b->hdr.bh1.offset_to_first_pkt;
	for (uint32_t i = 0; i < b->hdr.bh1.num_pkts; i++) {
		const struct tpacket3_hdr *h = (const struct tpacket3_hdr *)at;
		const struct sockaddr_ll *ll =
			(const struct sockaddr_ll *)(at + TPACKET_ALIGN(sizeof(*h)));
		struct sniffed p = {
			.t = (uint64_t)h->tp_sec * 1000000000u + h->tp_nsec,
			.ifindex = ll->sll_ifindex,
			.hatype = ll->sll_hatype,
			.outbound = ll->sll_pkttype == PACKET_OUTGOING,
			.len = h->tp_len,
			.caplen = h->tp_snaplen,
			.data = at + h->tp_mac,
		};
		/* On a loopback device each packet goes out and comes in: once is enough, as in
		 * libpcap. */
		int r = p.outbound && p.hatype == ARPHRD_LOOPBACK ? 0 : fn(arg, &p);
		if (r)
			return r;
		at += h->tp_next_offset;
	}
	return 0;
}

int sniff_read(struct sniff *s, sniff_fn *fn, void *arg)
{
	for (;;) {
		struct tpacket_block_desc *b =
			(struct tpacket_block_desc *)(s->ring + (size_t)s->block * BLOCK_BYTES);
		uint32_t *status = &b->hdr.bh1.block_status;
		if (!(__atomic_load_n(status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
			return 0;
		int r = read_block(b, fn, arg);
		__atomic_store_n(status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		s->block = (s->block + 1) % BLOCKS;
		if (r)
			return r;
	}
}

unsigned sniff_lost(struct sniff *s)
{
	struct tpacket_stats_v3 st = {0};
	socklen_t len = sizeof(st);
	return getsockopt(s->fd, SOL_PACKET, PACKET_STATISTICS, &st, &len) == 0 ? st.tp_drops : 0;
}

bool sniff_device(const struct sniff *s, int ifindex, char *name, struct mac *mac)
{
	struct ifreq q = {.ifr_ifindex = ifindex};
	*mac = (struct mac){{0}};
	if (ioctl(s->fd, SIOCGIFNAME, &q) < 0)
		return false;
	memcpy(name, q.ifr_name, IFNAMSIZ);
	if (ioctl(s->fd, SIOCGIFHWADDR, &q) == 0 && q.ifr_hwaddr.sa_family == ARPHRD_ETHER)
		memcpy(mac->b, q.ifr_hwaddr.sa_data, sizeof(mac->b));
	return true;
}

void sniff_close(struct sniff *s)
{
	if (s->ring)
		munmap(s->ring, (size_t)BLOCKS * BLOCK_BYTES);
	if (s->fd >= 0)
		close(s->fd);
	*s = (struct sniff){.fd = -1};
}
