/* SPDX-License-Identifier: MIT */
/*
 * test_recording_fuzz: recordings with random damage must reduce, print and compare without reading
 * or writing where they should not (run under the sanitizers). RECORDING_FUZZ sets the rounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/file.h"
#include "lib/base/strbuf.h"
#include "tests/unit/rec_flannel.h"

#define ROUNDS 100
#define DAMAGE 12

static uint64_t seed;
/* Cut frames of exactly their size: memory of an arena would hide a read past the end. */
static uint8_t *cuts[DAMAGE];
static size_t n_cuts;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % (n ? n : 1);
}

static const char *word(void)
{
	static const char *const words[] = {"",
					    "nat",
					    "KUBE-SERVICES",
					    "PREROUTING",
					    "vxlan",
					    "bridge",
					    "pod",
					    "dev",
					    "via",
					    NULL,
					    "-A X ! ",
					    "-s 1.2.3.4 -j \"",
					    "default via dev",
					    "drop"};
	return words[rnd(sizeof(words) / sizeof(words[0]))];
}

static void damage_frame(struct recording *r)
{
	if (!r->sights.n)
		return;
	struct rec_sight *s = &r->sights.v[rnd((uint32_t)r->sights.n)];
	uint8_t *p = arena_alloc(r->arena, s->caplen + 1);
	memcpy(p, s->data, s->caplen);
	if (s->caplen)
		p[rnd(s->caplen)] = (uint8_t)rnd(256);
	s->data = p;
	if (!rnd(3) && n_cuts < DAMAGE) {
		s->caplen = rnd(s->caplen + 1);
		uint8_t *q = malloc(s->caplen ? s->caplen : 1);
		assert_non_null(q);
		memcpy(q, p, s->caplen);
		s->data = cuts[n_cuts++] = q;
	}
	if (!rnd(4))
		s->ns = (int)rnd((uint32_t)r->ns.n + 1) - 1;
	if (!rnd(4))
		s->ifindex = (int)rnd(14);
	if (!rnd(4))
		s->tx = !s->tx;
	if (!rnd(8))
		s->hatype = 768;
	if (!rnd(8))
		s->t = rnd(2) ? 0 : UINT64_MAX;
	if (!rnd(8))
		s->timing_run = true;
}

static void damage_match(struct recording *r)
{
	if (!r->matches.n)
		return;
	struct rec_match *m = &r->matches.v[rnd((uint32_t)r->matches.n)];
	switch (rnd(9)) {
	case 0:
		m->chain = word();
		break;
	case 1:
		m->table = word();
		break;
	case 2:
		m->hook = (int)rnd(8) - 1;
		break;
	case 3:
		m->num = rnd(100);
		break;
	case 4:
		m->data = NULL;
		m->caplen = rnd(2) * 40;
		break;
	case 5:
		m->kind = (enum rec_match_kind)rnd(3);
		break;
	case 6:
		m->ns = (int)rnd((uint32_t)r->ns.n + 1) - 1;
		break;
	case 7:
		m->verdict = word();
		m->trace_id = rnd(3);
		m->handle = rnd(5);
		break;
	default:
		m->caplen = m->data ? rnd(m->caplen + 1) : 0;
		break;
	}
}

static void damage_snapshot(struct recording *r)
{
	struct rec_ns *n = &r->ns.v[rnd((uint32_t)r->ns.n)];
	if (n->ifs.n) {
		struct rec_if *i = &n->ifs.v[rnd((uint32_t)n->ifs.n)];
		if (rnd(2))
			i->kind = word();
		else
			i->master = word();
		i->up = rnd(2);
		i->peer_ns = (int)rnd((uint32_t)r->ns.n + 1) - 1;
	}
	if (n->rules.n) {
		struct rec_rule *x = &n->rules.v[rnd((uint32_t)n->rules.n)];
		if (rnd(2))
			x->text = word();
		else
			x->target = word();
		x->num = rnd(20);
	}
	if (n->routes.n)
		n->routes.v[rnd((uint32_t)n->routes.n)] = word();
	if (rnd(2))
		n->role = word();
	if (!rnd(4))
		n->ifs.n = 0;
	if (!rnd(4))
		n->name = NULL;
}

static void damage_rest(struct recording *r)
{
	static const char *const outcomes[] = {"answered", "timeout", "refused", NULL};
	if (r->asks.n) {
		struct rec_ask *q = &r->asks.v[rnd((uint32_t)r->asks.n)];
		q->answer = word();
		q->what = rnd(2) ? word() : q->what;
		q->error = (int)rnd(200) - 150;
	}
	if (r->cts.n) {
		struct rec_ct *c = &r->cts.v[rnd((uint32_t)r->cts.n)];
		c->kind = (enum rec_ct_kind)rnd(5);
		c->orig.proto = (uint8_t)rnd(20);
	}
	r->probe.outcome = outcomes[rnd(4)];
	r->probe.error = (int)rnd(120);
	r->probe.from_ns = (int)rnd((uint32_t)r->ns.n + 1) - 1;
	r->lost_frames = rnd(2);
}

static void use(struct recording *r, const struct recording *whole)
{
	struct strbuf out = STRBUF_INIT;
	recording_reduce(r);
	assert_non_null(r->verdict.result);
	json_t *o = recording_to_json(r, rnd(2));
	struct recording *back = NULL;
	struct err err = {0};
	if (recording_from_json(r->arena, o, &back, &err) < 0)
		fail_msg("what was written is not read: %s", err.text);
	recording_diff(whole, back, &out);
	recording_reduce(back);
	strbuf_free(&out);
	json_decref(o);
}

static void test_damage(void **state)
{
	const char *rounds = getenv("RECORDING_FUZZ");
	long n = rounds ? atol(rounds) : ROUNDS;
	static void (*const damages[])(struct recording *) = {damage_frame,    damage_frame,
							      damage_match,    damage_match,
							      damage_snapshot, damage_rest};
	for (long i = 0; i < n; i++) {
		_arena_ struct arena *a = arena_new();
		seed = (uint64_t)i * 7919;
		struct recording *r = flannel_cross(a), *whole = flannel_cross(a);
		recording_reduce(whole);
		for (uint32_t k = 1 + rnd(DAMAGE); k > 0; k--)
			damages[rnd(6)](r);
		use(r, whole);
		while (n_cuts)
			free(cuts[--n_cuts]);
	}
}

/* Bytes of a recording's file changed: refused, or safe. */
static void test_damaged_file(void **state)
{
	struct strbuf b = STRBUF_INIT;
	struct err err = {0};
	assert_int_equal(file_read("tests/golden/recordings/hairpin.json", 1 << 20, &b, &err), 0);
	for (int i = 0; i < ROUNDS; i++) {
		_arena_ struct arena *a = arena_new();
		struct recording *r = NULL;
		seed = (uint64_t)i * 104729;
		char *text = arena_strndup(a, b.s, b.len);
		for (uint32_t k = 1 + rnd(DAMAGE); k > 0; k--)
			text[rnd((uint32_t)b.len)] = "0123456789abcdef-x"[rnd(18)];
		json_t *o = json_loads(text, 0, NULL);
		if (o && recording_from_json(a, o, &r, &err) >= 0)
			recording_reduce(r);
		json_decref(o);
	}
	strbuf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_damage),
					   cmocka_unit_test(test_damaged_file)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
