/* SPDX-License-Identifier: MIT */
/* See tap.h. */
#include "labd/trace/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "labd/kernel/nlbatch.h"
#include "lib/base/cleanup.h"

#define FRAME_BYTES 2048u /* of a slot: a packet of the probe and its headers */
#define BLOCK_BYTES (16u * 1024u)
#define FRAMES	    256u
#define THREADS_MAX 64
#define STACK_BYTES (64 * 1024)

struct pool {
	struct taps *t;
	int (*fn)(struct tap *t);
	atomic_size_t next;
	atomic_int error;
};

static void *work(void *arg)
{
	struct pool *p = arg;
	for (size_t i; (i = atomic_fetch_add(&p->next, 1)) < p->t->n;) {
		int r = p->fn(&p->t->v[i]);
		if (r < 0)
			atomic_store(&p->error, r);
	}
	return NULL;
}

/* fn for every tap, as many at once as there may be threads. They only wait. */
static int for_all(struct taps *t, int (*fn)(struct tap *t))
{
	struct pool p = {.t = t, .fn = fn};
	pthread_t threads[THREADS_MAX];
	pthread_attr_t attr;
	size_t n = 0;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	while (n < THREADS_MAX && n + 1 < t->n && pthread_create(&threads[n], &attr, work, &p) == 0)
		n++;
	pthread_attr_destroy(&attr);
	work(&p);
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	return atomic_load(&p.error);
}

static int set_filter(int fd, const struct sock_filter *f, unsigned n)
{
	struct sock_fprog prog = {(unsigned short)n, (struct sock_filter *)(uintptr_t)f};
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ? -errno : 0;
}

static int open_ring(struct tap *t)
{
	const struct sock_filter nothing = {BPF_RET | BPF_K, 0, 0, 0};
	int version = TPACKET_V2;
	struct tpacket_req req = {.tp_block_size = BLOCK_BYTES,
				  .tp_block_nr = t->frames * FRAME_BYTES / BLOCK_BYTES,
				  .tp_frame_size = FRAME_BYTES,
				  .tp_frame_nr = t->frames};
	struct sockaddr_ll any = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int r = set_filter(t->fd, &nothing, 1);
	if (r < 0)
		return r;
	if (setsockopt(t->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
	    setsockopt(t->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) < 0)
		return -errno;
	void *ring = mmap(NULL, (size_t)t->frames * FRAME_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			  t->fd, 0);
	if (ring == MAP_FAILED)
		return -errno;
	t->ring = ring;
	return bind(t->fd, (struct sockaddr *)&any, sizeof(any)) < 0 ? -errno : 0;
}

static int close_ring(struct tap *t)
{
	if (t->ring)
		munmap(t->ring, (size_t)t->frames * FRAME_BYTES);
	close(t->fd);
	return 0;
}

int taps_open(struct taps *t, const int *netns, size_t n, struct err *err)
{
	_nlns_ struct nlns home = NLNS_INIT;
	*t = (struct taps){.v = calloc(n ? n : 1, sizeof(*t->v))};
	if (!t->v)
		return err_sys(err, ENOMEM, "packet sockets");
	for (size_t i = 0; i < n; i++) {
		if (netns[i] < 0)
			continue;
		int r = nlns_enter(&home, netns[i], err);
		if (r < 0)
			return r;
		/* protocol 0: not attached to any device before the filter is in place */
		int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
		if (fd < 0)
			return err_sys(err, errno, "packet socket");
		t->v[t->n++] = (struct tap){.fd = fd, .ns = (int)i, .frames = FRAMES};
	}
	nlns_leave(&home);
	int r = for_all(t, open_ring);
	return r < 0 ? err_sys(err, r, "packet socket") : 0;
}

int taps_mark(struct taps *t, const struct marker *m, uint16_t vxlan_port, struct err *err)
{
	struct sock_filter prog[MARKER_BPF_MAX];
	unsigned n = marker_bpf(m, vxlan_port, prog);
	for (size_t i = 0; i < t->n; i++) {
		int r = set_filter(t->v[i].fd, prog, n);
		if (r < 0)
			return err_sys(err, r, "filter of a packet socket");
	}
	return 0;
}

static int read_one(struct tap *t, struct arena *a, rec_sights *to)
{
	int n = 0;
	for (;; n++) {
		uint8_t *slot = t->ring + (size_t)t->at * FRAME_BYTES;
		struct tpacket2_hdr *h = (struct tpacket2_hdr *)slot;
		if (!(__atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
			return n;
		const struct sockaddr_ll *ll =
			(const struct sockaddr_ll *)(slot + TPACKET_ALIGN(sizeof(*h)));
		uint8_t *data = arena_alloc(a, h->tp_snaplen + 1);
		memcpy(data, slot + h->tp_mac, h->tp_snaplen);
		*vec_push(a, to) = (struct rec_sight){
			.t = (uint64_t)h->tp_sec * 1000000000u + h->tp_nsec,
			.ns = t->ns,
			.ifindex = ll->sll_ifindex,
			.tx = ll->sll_pkttype == PACKET_OUTGOING,
			.seq = t->seq++,
			.hatype = ll->sll_hatype,
			.csum_pending = h->tp_status & TP_STATUS_CSUMNOTREADY,
			.data = data,
			.len = h->tp_len,
			.caplen = h->tp_snaplen,
		};
		__atomic_store_n(&h->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		t->at = (t->at + 1) % t->frames;
	}
}

int taps_read(struct taps *t, struct arena *a, rec_sights *to)
{
	int n = 0;
	for (size_t i = 0; i < t->n; i++)
		n += read_one(&t->v[i], a, to);
	return n;
}

uint64_t taps_lost(struct taps *t)
{
	uint64_t lost = 0;
	for (size_t i = 0; i < t->n; i++) {
		struct tpacket_stats st = {0};
		socklen_t len = sizeof(st);
		if (getsockopt(t->v[i].fd, SOL_PACKET, PACKET_STATISTICS, &st, &len) == 0)
			lost += st.tp_drops;
	}
	return lost;
}

void taps_close(struct taps *t)
{
	for_all(t, close_ring);
	free(t->v);
	*t = (struct taps){0};
}
