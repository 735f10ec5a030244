/* SPDX-License-Identifier: MIT */
/* See xt_rule.h: what every rule has (addresses, interfaces, protocol, where to), and putting the
 * parts of an entry together. What a match or target means is in xt_ext.c. */
#include "labd/kernel/xt_rule.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define MATCHES_MAX 12

struct parse {
	struct xt_encoder *x;
	struct xt_rule *r;
	struct ipt_entry *e;
	struct {
		const struct xt_ext *ext;
		void *info;
	} match[MATCHES_MAX];
	size_t n_matches;
	const struct xt_ext *target;
	unsigned char target_info[256] __attribute__((aligned(8)));
	const char *chain; /* -j or -g to anything but a target extension */
};

static bool parse_net(const char *text, struct in_addr *addr, struct in_addr *mask)
{
	char buf[32];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	unsigned long len = 32;
	if (n >= sizeof(buf))
		return false;
	memcpy(buf, text, n);
	buf[n] = '\0';
	if (slash) {
		char *end;
		len = strtoul(slash + 1, &end, 10);
		if (end == slash + 1 || *end || len > 32)
			return false;
	}
	if (inet_pton(AF_INET, buf, addr) != 1)
		return false;
	mask->s_addr = len ? htonl(~0u << (32 - len)) : 0;
	addr->s_addr &= mask->s_addr;
	return true;
}

static bool parse_iface(const char *text, char *name, unsigned char *mask)
{
	size_t n = strlen(text);
	if (n == 0 || n >= IFNAMSIZ)
		return false;
	memcpy(name, text, n + 1);
	/* a "+" at the end: whatever begins so; else the NUL counts too */
	memset(mask, 0xff, text[n - 1] == '+' ? n - 1 : n + 1);
	return true;
}

static bool parse_proto(const char *text, unsigned short *ret)
{
	static const struct {
		const char *name;
		unsigned short proto;
	} known[] = {{"tcp", 6},     {"udp", 17}, {"sctp", 132}, {"icmp", 1},
		     {"ipencap", 4}, {"ipv4", 4}, {"all", 0}};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(text, known[i].name) == 0) {
			*ret = known[i].proto;
			return true;
		}
	}
	char *end;
	unsigned long v = strtoul(text, &end, 10);
	*ret = (unsigned short)v;
	return end != text && !*end && v < 256;
}

static bool is(const char *word, const char *brief, const char *full)
{
	return strcmp(word, brief) == 0 || strcmp(word, full) == 0;
}

static bool add_match(struct parse *p, const char *name)
{
	const struct xt_ext *m = xt_match_find(name);
	size_t size = m ? XT_ALIGN(sizeof(struct xt_entry_match)) + XT_ALIGN(m->size) : 0;
	if (!m || p->n_matches == MATCHES_MAX || p->r->len + size > XT_RULE_BYTES)
		return false;
	struct xt_entry_match *h = (struct xt_entry_match *)(p->r->bytes + p->r->len);
	memset(h, 0, size);
	h->u.user.match_size = (unsigned short)size;
	strcpy(h->u.user.name, m->name);
	h->u.user.revision = m->revision;
	if (m->init)
		m->init(h->data);
	p->match[p->n_matches].ext = m;
	p->match[p->n_matches++].info = h->data;
	p->r->len += size;
	if (strcmp(name, "state") == 0) /* an alias that iptables-save prints as such */
		return m->parse(p->x, h->data, &(struct xt_opt){.name = "alias"}) == 1;
	return true;
}

static bool set_target(struct parse *p, const char *name, bool go_to)
{
	if (p->chain || p->target)
		return false;
	p->target = go_to ? NULL : xt_target_find(name);
	if (!p->target)
		p->chain = name;
	else if (p->target->init)
		p->target->init(p->target_info);
	if (go_to)
		p->e->ip.flags |= IPT_F_GOTO;
	return true;
}

/* An option with a value that every rule may have. 2: taken; 0: not one of these; -1: bad. */
static int common(struct parse *p, const struct xt_opt *o)
{
	struct ipt_ip *ip = &p->e->ip;
	bool ok;
	unsigned char inverse = 0;
	if (is(o->name, "-s", "--source")) {
		ok = o->value && parse_net(o->value, &ip->src, &ip->smsk);
		inverse = IPT_INV_SRCIP;
	} else if (is(o->name, "-d", "--destination")) {
		ok = o->value && parse_net(o->value, &ip->dst, &ip->dmsk);
		inverse = IPT_INV_DSTIP;
	} else if (is(o->name, "-i", "--in-interface")) {
		ok = o->value && parse_iface(o->value, ip->iniface, ip->iniface_mask);
		inverse = IPT_INV_VIA_IN;
	} else if (is(o->name, "-o", "--out-interface")) {
		ok = o->value && parse_iface(o->value, ip->outiface, ip->outiface_mask);
		inverse = IPT_INV_VIA_OUT;
	} else if (is(o->name, "-p", "--protocol")) {
		ok = o->value && parse_proto(o->value, &ip->proto);
		inverse = XT_INV_PROTO;
	} else if (is(o->name, "-m", "--match")) {
		ok = o->value && !o->invert && add_match(p, o->value);
	} else if (is(o->name, "-j", "--jump") || is(o->name, "-g", "--goto")) {
		ok = o->value && !o->invert && set_target(p, o->value, is(o->name, "-g", "--goto"));
	} else {
		return 0;
	}
	if (o->invert)
		ip->invflags |= inverse;
	return ok ? 2 : -1;
}

static int extension(struct parse *p, const struct xt_opt *o)
{
	int r = p->target ? p->target->parse(p->x, p->target_info, o) : 0;
	for (size_t i = p->n_matches; r == 0 && i-- > 0;)
		r = p->match[i].ext->parse(p->x, p->match[i].info, o);
	return r;
}

static void put_standard(struct parse *p, int verdict)
{
	struct xt_standard_target *t = (struct xt_standard_target *)(p->r->bytes + p->r->len);
	memset(t, 0, sizeof(*t));
	t->target.u.user.target_size = sizeof(*t);
	t->verdict = verdict;
	p->r->len += sizeof(*t);
}

static void put_extension(struct parse *p)
{
	const struct xt_ext *x = p->target;
	struct xt_entry_target *t = (struct xt_entry_target *)(p->r->bytes + p->r->len);
	size_t size = XT_ALIGN(sizeof(*t)) + XT_ALIGN(x->size);
	memset(t, 0, size);
	t->u.user.target_size = (unsigned short)size;
	strcpy(t->u.user.name, x->name);
	t->u.user.revision = x->revision;
	memcpy(t->data, p->target_info, x->size);
	p->r->len += size;
}

static void put_target(struct parse *p)
{
	static const struct {
		const char *name;
		int verdict;
	} known[] = {{"ACCEPT", -NF_ACCEPT - 1}, {"DROP", -NF_DROP - 1}, {"RETURN", XT_RETURN}};
	int verdict = 0;
	p->e->target_offset = (unsigned short)p->r->len;
	p->r->falls = !p->target && !p->chain;
	p->r->jump = p->chain;
	for (size_t i = 0; p->chain && i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(p->chain, known[i].name) == 0) {
			verdict = known[i].verdict;
			p->r->jump = NULL;
		}
	}
	if (p->target)
		put_extension(p);
	else
		put_standard(p, verdict);
	p->e->next_offset = (unsigned short)p->r->len;
}

bool xt_rule_encode(struct xt_encoder *x, const char *const *words, size_t n, struct xt_rule *ret)
{
	struct parse p = {.x = x, .r = ret, .e = (struct ipt_entry *)ret->bytes};
	memset(ret->bytes, 0, sizeof(*p.e));
	ret->len = sizeof(*p.e);
	for (size_t i = 0; i < n;) {
		struct xt_opt o = {.invert = strcmp(words[i], "!") == 0};
		i += o.invert;
		if (i >= n)
			return false;
		o.name = words[i];
		o.value = i + 1 < n ? words[i + 1] : NULL;
		int r = common(&p, &o);
		if (r == 0)
			r = extension(&p, &o);
		if (r <= 0)
			return false;
		i += (size_t)r;
	}
	put_target(&p);
	return true;
}
