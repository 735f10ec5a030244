/* SPDX-License-Identifier: MIT */
/* See perf.h. */
#include "labd/trace/perf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "labd/trace/symbols.h"
#include "lib/base/cleanup.h"
#include "lib/base/strbuf.h"

#define CPUS_MAX   64
#define RING_PAGES 128u /* of data, per processor */
#define TEXT_MAX   (64u * 1024u)
#define EVENTS_MAX 20000
#define FIBS_MAX   64
#define DROPS_MAX  32
#define NEAR_NS	   200000u  /* between a tracepoint and the packet socket at the same place */
#define DROP_NS	   1000000u /* between the last such place and the drop */

enum { EV_DROP, EV_FIB, EV_RX, EV_TX, EV_N };

struct event {
	const char *path;
	unsigned id;
	char *format; /* the text that says where the fields are */
};

struct seen {
	uint64_t t; /* CLOCK_REALTIME */
	int what;
	uint64_t skb, location;
	unsigned reason;
	char dev[16];
	int err, iif, oif;
	uint32_t table;
	ip4 src, dst;
};

struct perf {
	struct event ev[EV_N];
	unsigned cpus, page;
	int fd[CPUS_MAX][EV_N];
	void *ring[CPUS_MAX];
	int64_t offset; /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	struct seen *seen;
	size_t n;
	struct seen told[DROPS_MAX]; /* drops that are in the recording already */
	size_t n_told;
	bool lost, runs;
};

/* ---- on and off ------------------------------------------------------------------------------ */

static int64_t clock_offset(void)
{
	struct timespec r, m;
	clock_gettime(CLOCK_MONOTONIC, &m);
	clock_gettime(CLOCK_REALTIME, &r);
	return (r.tv_sec - m.tv_sec) * 1000000000LL + (r.tv_nsec - m.tv_nsec);
}

/* fsopen() of one that is not there would have the kernel look for a module. */
static bool has_tracefs(void)
{
	_fclose_ FILE *f = fopen("/proc/filesystems", "re");
	char line[64];
	while (f && fgets(line, sizeof(line), f))
		if (strcmp(line, "nodev\ttracefs\n") == 0)
			return true;
	return false;
}

/* A mount of our own: nobody sees it. */
static int open_tracefs(void)
{
	if (!has_tracefs())
		return -1;
	_close_ int fs = fsopen("tracefs", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return fsmount(fs, FSMOUNT_CLOEXEC, 0);
}

static bool read_text(int dir, const char *path, const char *file, char *buf, size_t size)
{
	char full[128];
	snprintf(full, sizeof(full), "events/%s/%s", path, file);
	_close_ int fd = openat(dir, full, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	for (ssize_t k; fd >= 0 && n + 1 < size && (k = read(fd, buf + n, size - 1 - n)) > 0;)
		n += (size_t)k;
	buf[n] = '\0';
	return n > 0;
}

static bool read_events(struct perf *p)
{
	static const char *const paths[EV_N] = {"skb/kfree_skb", "fib/fib_table_lookup",
						"net/netif_receive_skb", "net/net_dev_queue"};
	_close_ int dir = open_tracefs();
	for (int i = 0; dir >= 0 && i < EV_N; i++) {
		char id[16];
		p->ev[i].format = malloc(TEXT_MAX);
		if (!p->ev[i].format || !read_text(dir, paths[i], "id", id, sizeof(id)) ||
		    !read_text(dir, paths[i], "format", p->ev[i].format, TEXT_MAX))
			return false;
		p->ev[i].id = (unsigned)atoi(id);
	}
	return dir >= 0;
}

static int open_event(const struct perf *p, int what, int cpu)
{
	struct perf_event_attr a = {.size = sizeof(a),
				    .type = PERF_TYPE_TRACEPOINT,
				    .config = p->ev[what].id,
				    .sample_period = 1,
				    .sample_type = PERF_SAMPLE_TIME | PERF_SAMPLE_RAW,
				    .disabled = 1,
				    .use_clockid = 1,
				    .clockid = CLOCK_MONOTONIC,
				    .watermark = 1,
				    .wakeup_watermark = 0x7fffffff}; /* nobody waits for it */
	return (int)syscall(SYS_perf_event_open, &a, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static int open_cpu(struct perf *p, int cpu)
{
	for (int i = 0; i < EV_N; i++) {
		p->fd[cpu][i] = open_event(p, i, cpu);
		if (p->fd[cpu][i] < 0)
			return -errno;
		if (i == 0) {
			void *ring = mmap(NULL, (RING_PAGES + 1) * p->page, PROT_READ | PROT_WRITE,
					  MAP_SHARED, p->fd[cpu][0], 0);
			if (ring == MAP_FAILED)
				return -errno;
			p->ring[cpu] = ring;
		} else if (ioctl(p->fd[cpu][i], PERF_EVENT_IOC_SET_OUTPUT, p->fd[cpu][0]) < 0) {
			return -errno;
		}
	}
	return 0;
}

struct perf *perf_on(struct err *err)
{
	struct perf *p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	memset(p->fd, -1, sizeof(p->fd));
	p->page = (unsigned)sysconf(_SC_PAGESIZE);
	p->offset = clock_offset();
	p->seen = calloc(EVENTS_MAX, sizeof(*p->seen));
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	p->cpus = cpus > CPUS_MAX ? CPUS_MAX : (unsigned)cpus;
	int r = p->seen && read_events(p) ? 0 : -EOPNOTSUPP;
	for (unsigned c = 0; r == 0 && c < p->cpus; c++)
		r = open_cpu(p, (int)c);
	if (r == 0)
		return p;
	perf_off(p);
	err_sys(err, r, "tracepoints");
	return NULL;
}

static void set_all(struct perf *p, unsigned long what)
{
	for (unsigned c = 0; c < p->cpus; c++)
		for (int i = 0; i < EV_N; i++)
			if (p->fd[c][i] >= 0)
				ioctl(p->fd[c][i], what, 0);
}

void perf_stop(struct perf *p)
{
	if (p && p->runs)
		set_all(p, PERF_EVENT_IOC_DISABLE);
	if (p)
		p->runs = false;
}

void perf_off(struct perf *p)
{
	perf_stop(p);
	for (unsigned c = 0; p && c < p->cpus; c++)
		if (p->ring[c])
			munmap(p->ring[c], (RING_PAGES + 1) * p->page);
	for (int i = 0; p && i < EV_N; i++)
		free(p->ev[i].format);
	if (p)
		free(p->seen);
	free(p);
}

/* ---- reading ---------------------------------------------------------------------------------
 */

/* "field:void * skbaddr;	offset:8;	size:8;" */
static bool field(const struct event *ev, const char *name, const uint8_t *raw, unsigned len,
		  void *ret, unsigned size)
{
	char want[48];
	snprintf(want, sizeof(want), " %s;\toffset:", name);
	const char *at = strstr(ev->format, want);
	if (!at) { /* an array: " src[4];" */
		snprintf(want, sizeof(want), " %s[%u];\toffset:", name, size);
		at = strstr(ev->format, want);
	}
	unsigned off = at ? (unsigned)atoi(at + strlen(want)) : 0;
	memset(ret, 0, size);
	if (!at || off + size > len)
		return false;
	memcpy(ret, raw + off, size);
	return true;
}

static ip4 address(const struct event *ev, const char *name, const uint8_t *raw, unsigned len)
{
	uint8_t b[4];
	field(ev, name, raw, len, b, sizeof(b));
	return (ip4)b[0] << 24 | (ip4)b[1] << 16 | (ip4)b[2] << 8 | b[3];
}

static void device(const struct event *ev, const uint8_t *raw, unsigned len, char dev[static 16])
{
	uint32_t loc = 0;
	field(ev, "name", raw, len, &loc, sizeof(loc));
	unsigned off = loc & 0xffff, size = loc >> 16;
	if (off < len)
		snprintf(dev, 16, "%.*s", (int)(size < len - off ? size : len - off), raw + off);
}

static void decode(struct perf *p, uint64_t t, const uint8_t *raw, unsigned len)
{
	uint16_t type;
	int what = 0;
	if (len < sizeof(type) || p->n == EVENTS_MAX) {
		p->lost = true;
		return;
	}
	memcpy(&type, raw, sizeof(type));
	while (what < EV_N && p->ev[what].id != type)
		what++;
	if (what == EV_N)
		return;
	const struct event *ev = &p->ev[what];
	struct seen *s = &p->seen[p->n++];
	*s = (struct seen){.t = t + (uint64_t)p->offset, .what = what};
	if (what != EV_FIB)
		field(ev, "skbaddr", raw, len, &s->skb, sizeof(s->skb));
	if (what == EV_RX || what == EV_TX)
		device(ev, raw, len, s->dev);
	if (what == EV_DROP) {
		field(ev, "location", raw, len, &s->location, sizeof(s->location));
		field(ev, "reason", raw, len, &s->reason, sizeof(s->reason));
	}
	if (what == EV_FIB) {
		s->src = address(ev, "src", raw, len);
		s->dst = address(ev, "dst", raw, len);
		field(ev, "err", raw, len, &s->err, sizeof(s->err));
		field(ev, "iif", raw, len, &s->iif, sizeof(s->iif));
		field(ev, "tb_id", raw, len, &s->table, sizeof(s->table));
		field(ev, "name", raw, len, s->dev, sizeof(s->dev));
		s->dev[sizeof(s->dev) - 1] = '\0';
	}
}

static void copy_out(const uint8_t *data, uint64_t size, uint64_t at, void *to, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)to)[i] = data[(at + i) % size];
}

static void read_ring(struct perf *p, unsigned cpu)
{
	struct perf_event_mmap_page *meta = p->ring[cpu];
	const uint8_t *data = (const uint8_t *)meta + p->page;
	uint64_t size = (uint64_t)RING_PAGES * p->page, tail = meta->data_tail;
	uint64_t head = __atomic_load_n(&meta->data_head, __ATOMIC_ACQUIRE);
	while (tail < head) {
		struct perf_event_header h;
		struct {
			uint64_t t;
			uint32_t len;
			uint8_t raw[1024];
		} rec;
		copy_out(data, size, tail, &h, sizeof(h));
		size_t body = h.size - sizeof(h);
		memset(&rec, 0, sizeof(rec));
		copy_out(data, size, tail + sizeof(h), &rec.t, body < 12 ? body : 12);
		size_t len = rec.len < sizeof(rec.raw) ? rec.len : sizeof(rec.raw);
		if (h.type == PERF_RECORD_SAMPLE && body >= 12 + len) {
			copy_out(data, size, tail + sizeof(h) + 12, rec.raw, len);
			decode(p, rec.t, rec.raw, (unsigned)len);
		} else if (h.type == PERF_RECORD_LOST) {
			p->lost = true;
		}
		if (!h.size)
			break;
		tail += h.size;
	}
	__atomic_store_n(&meta->data_tail, head, __ATOMIC_RELEASE);
}

void perf_start(struct perf *p)
{
	for (unsigned c = 0; c < p->cpus; c++)
		read_ring(p, c);
	p->n = p->n_told = 0;
	p->lost = false;
	p->runs = true;
	set_all(p, PERF_EVENT_IOC_ENABLE);
}

/* ---- whose is it? ----------------------------------------------------------------------------
 */

static uint64_t gap(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static bool at_place(const struct recording *r, const struct rec_sight *x, const struct seen *s)
{
	if (s->what != (x->tx ? EV_TX : EV_RX))
		return false;
	vec_foreach (const struct rec_if, i, &r->ns.v[x->ns].ifs)
		if (i->ifindex == x->ifindex && strcmp(i->name, s->dev) == 0)
			return true;
	return false;
}

/* Device names come in every namespace, so time decides: the sighting nearest to the event, if no
 * other event is nearer to that. -1: none. */
static int near_sight(const struct perf *p, const struct recording *r, const struct seen *s)
{
	int best = -1;
	uint64_t least = NEAR_NS;
	for (size_t i = 0; i < r->sights.n; i++) {
		const struct rec_sight *x = &r->sights.v[i];
		if (gap(x->t, s->t) < least && at_place(r, x, s)) {
			least = gap(x->t, s->t);
			best = (int)i;
		}
	}
	for (size_t i = 0; best >= 0 && i < p->n; i++) {
		const struct rec_sight *x = &r->sights.v[best];
		if (gap(x->t, p->seen[i].t) < least && at_place(r, x, &p->seen[i]))
			return -1;
	}
	return best;
}

/* Where the dropped buffer was seen last; -1: it is none of ours. */
static int sight_of(const struct perf *p, const struct recording *r, const struct seen *drop)
{
	const struct seen *last = NULL;
	for (size_t i = 0; i < p->n; i++) {
		const struct seen *s = &p->seen[i];
		if ((s->what == EV_RX || s->what == EV_TX) && s->skb == drop->skb &&
		    s->t <= drop->t && drop->t - s->t < DROP_NS && (!last || s->t > last->t))
			last = s;
	}
	return last ? near_sight(p, r, last) : -1;
}

/* "{ 12, "NETFILTER_DROP" }" in the print format; older kernels give no reason. */
static const char *reason_text(const struct perf *p, struct arena *a, unsigned reason)
{
	char want[32];
	snprintf(want, sizeof(want), "{ %u, \"", reason);
	const char *at = strstr(p->ev[EV_DROP].format, want);
	if (!at)
		return NULL;
	at += strlen(want);
	return arena_strndup(a, at, strcspn(at, "\""));
}

/* A packet that came to where its address is: of an answered probe that is no loss. */
static bool arrives(const struct recording *r, int sight)
{
	const struct rec_sight *x = &r->sights.v[sight];
	struct rec_hdr h;
	if (x->tx || !packet_parse(x->data, x->caplen, x->hatype, &h) || h.encap)
		return false;
	vec_foreach (const struct rec_addr, a, &r->ns.v[x->ns].addrs)
		if (a->addr.addr == h.inner.dst)
			return true;
	return false;
}

static void add_drop(struct perf *p, struct recording *r, const struct seen *s, int sight)
{
	const char *reason = reason_text(p, r->arena, s->reason);
	if (reason && strcmp(reason, "QUEUE_PURGE") == 0)
		return; /* a socket closed with its queue: what was in it had arrived */
	if (arrives(r, sight) && strcmp(r->probe.outcome, "answered") == 0)
		return;
	for (size_t i = 0; i < p->n_told; i++)
		if (p->told[i].location == s->location && p->told[i].reason == s->reason)
			return; /* a retransmission met the same end */
	if (p->n_told == DROPS_MAX)
		return;
	p->told[p->n_told++] = *s;
	*vec_push(r->arena, &r->perfs) = (struct rec_perf){
		.t = s->t,
		.kind = "drop",
		.reason = reason,
		.function = symbols_find(r->arena, s->location),
		.skb = s->skb,
		.sight = sight,
	};
}

static bool addressed(const struct recording *r, const struct seen *s)
{
	vec_foreach (const struct rec_sight, x, &r->sights) {
		struct rec_hdr h;
		if (!packet_parse(x->data, x->caplen, x->hatype, &h))
			continue;
		if ((h.inner.src == s->src && h.inner.dst == s->dst) ||
		    (h.encap && h.outer.src == s->src && h.outer.dst == s->dst))
			return true;
	}
	return false;
}

static void add_fib(struct recording *r, const struct seen *s)
{
	struct arena *a = r->arena;
	/* Its gateway field is not set by the kernel for routes without one: not told. */
	const char *text = arena_printf(a, "table %u iif %d %s -> %s: dev %s%s", s->table, s->iif,
					IP4(s->src), IP4(s->dst), s->dev,
					s->err ? arena_printf(a, " error %d", s->err) : "");
	vec_foreach (const struct rec_perf, o, &r->perfs)
		if (o->text && strcmp(o->text, text) == 0)
			return;
	if (r->perfs.n < FIBS_MAX)
		*vec_push(a, &r->perfs) = (struct rec_perf){
			.t = s->t,
			.kind = "fib",
			.dev = arena_strdup(a, s->dev),
			.text = text,
			.sight = -1,
		};
}

static int by_time(const void *pa, const void *pb)
{
	const struct seen *a = pa, *b = pb;
	return a->t < b->t ? -1 : a->t > b->t;
}

void perf_take(struct perf *p, struct recording *r)
{
	perf_stop(p);
	for (unsigned c = 0; c < p->cpus; c++)
		read_ring(p, c);
	qsort(p->seen, p->n, sizeof(*p->seen), by_time);
	for (size_t i = 0; i < p->n; i++) {
		const struct seen *s = &p->seen[i];
		if (s->t < r->probe.t_start || s->t > r->probe.t_end + DROP_NS)
			continue;
		/* -EAGAIN: this table has nothing, the next one is asked */
		if (s->what == EV_FIB && s->err != -EAGAIN && addressed(r, s))
			add_fib(r, s);
		int sight = s->what == EV_DROP ? sight_of(p, r, s) : -1;
		if (sight >= 0)
			add_drop(p, r, s, sight);
	}
	if (p->lost)
		*vec_push(r->arena, &r->missing) = "some tracepoint events were lost";
	p->n = p->n_told = 0;
	p->lost = false;
}
