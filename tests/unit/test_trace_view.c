/* SPDX-License-Identifier: MIT */
/* test_trace_view: a recording in all its forms: text, list, keys, capture file, page, picture, in
 * both languages; nothing that came from outside may do harm there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/strbuf.h"
#include "lib/recording/keys.h"
#include "lib/view/html.h"
#include "lib/view/pcapng.h"
#include "lib/view/svg.h"
#include "lib/view/table.h"
#include "lib/view/term.h"
#include "lib/view/trace_parts.h"
#include "lib/view/trace_text.h"
#include "lib/view/trace_walk.h"
#include "tests/unit/trace_sample.h"

#define DNAT_STEP  3 /* in the sample */
#define ENCAP_STEP 10

struct fixture {
	struct arena *a;
	struct recording *r;
	struct strbuf out;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	f->a = arena_new();
	f->r = trace_sample(f->a);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	strbuf_free(&f->out);
	arena_free(f->a);
	free(f);
	return 0;
}

static void has(const struct strbuf *b, const char *text)
{
	if (!strstr(strbuf_str(b), text))
		fail_msg("\"%s\" is not in:\n%.4000s", text, strbuf_str(b));
}

static void has_not(const struct strbuf *b, const char *text)
{
	if (strstr(strbuf_str(b), text))
		fail_msg("\"%s\" is in:\n%.4000s", text, strbuf_str(b));
}

/* ---- languages ---- */

/* Which {0} to {9} a template has, as bits. */
static unsigned places(const char *s)
{
	unsigned bits = 0;
	while ((s = strchr(s, '{'))) {
		if (s[1] >= '0' && s[1] <= '9' && s[2] == '}')
			bits |= 1u << (s[1] - '0');
		s++;
	}
	return bits;
}

static void every_sentence_in_both_languages(void **state)
{
#define ROW(key, en) {key, en},
	static const struct {
		const char *key, *en;
	} keys[] = {REC_KEYS(ROW)};
#undef ROW
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *zh = lang_exact(VIEW_ZH, keys[i].key);
		if (!zh)
			fail_msg("%s has no Chinese sentence", keys[i].key);
		if (places(zh) != places(keys[i].en))
			fail_msg("%s: Chinese has other arguments than English", keys[i].key);
		assert_string_equal(lang_exact(VIEW_EN, keys[i].key), keys[i].en);
	}
}

static void every_kind_has_a_title(void **state)
{
	for (int k = REC_APP_SEND; k <= REC_APP_RECV; k++) {
		struct rec_step s = {.kind = (enum rec_step_kind)k};
		for (enum view_lang l = VIEW_EN; l <= VIEW_ZH; l++) {
			_strbuf_ struct strbuf out = STRBUF_INIT;
			trace_title(&s, l, &out);
			if (!out.len)
				fail_msg("kind %s has no title", rec_step_kind_str(s.kind));
		}
	}
}

static void filling(void **state)
{
	_strbuf_ struct strbuf out = STRBUF_INIT;
	const char *const args[] = {"zero", "one"};
	lang_fill(&out, "{1} {0} {2} {x} {", args, 2);
	assert_string_equal(strbuf_str(&out), "one zero  {x} {");
	strbuf_reset(&out);
	lang_args(&out, VIEW_ZH, "no.such.key", args, 2);
	assert_string_equal(strbuf_str(&out), "zero");
}

/* ---- terminals ---- */

static void control_characters(void **state)
{
	_strbuf_ struct strbuf out = STRBUF_INIT;
	/* ESC, C1's CSI as UTF-8, DEL, a byte that is no UTF-8, right-to-left override */
	term_safe("a\033[31m\tb\xc2\x9b\x7f\xffz\u202e\u4e2d", &out);
	assert_string_equal(strbuf_str(&out), "a?[31m b???z?\u4e2d");
}

static void wrapping(void **state)
{
	_strbuf_ struct strbuf out = STRBUF_INIT;
	size_t at = term_wrap("one two three", 9, 2, 2, &out);
	assert_string_equal(strbuf_str(&out), "one two\n  three");
	assert_int_equal(at, 7);
	strbuf_reset(&out);
	term_wrap("one two three", 0, 0, 0, &out);
	assert_string_equal(strbuf_str(&out), "one two three");
	strbuf_reset(&out);
	term_wrap("\u4e00\u4e8c\u4e09\uff0c\u56db\u4e94", 6, 0, 0, &out);
	assert_string_equal(strbuf_str(&out), "\u4e00\u4e8c\n\u4e09\uff0c\u56db\n\u4e94");
}

/* ---- text ---- */

static void step_block(void **state)
{
	struct fixture *f = *state;
	struct trace_style st = {.lang = VIEW_EN};
	trace_text_step(f->r, DNAT_STEP, &st, &f->out);
	has(&f->out, "step 4 of 28: destination translated (DNAT)   SYN, forward   [OBSERVED]\n");
	has(&f->out, "\nbusybox3[oo] NODE01[o#........] fabric[..] node02[......] "
		     "nginx-deployment[..]\n");
	has(&f->out, "\nWHERE  node01, netfilter, nat PREROUTING (veth42779e36)\n");
	has(&f->out, "\nWHAT   before  10.244.1.2:38770 -> 10.107.254.44:80  tcp SYN  ttl 64\n"
		     "       after   10.244.1.2:38770 -> 10.244.2.5:80  tcp SYN  ttl 64\n"
		     "       changed: destination address (10.107.254.44 -> 10.244.2.5)\n");
	has(&f->out, "\nWHY    [OBSERVED] PREROUTING rule 1: -m comment");
	has(&f->out, "\n       [INFERRED]     rule 1 did not match: it wants source not");
	has(&f->out, "\n       [OBSERVED]       " SEP " rule 2: -p tcp -m tcp -j DNAT "
		     "--to-destination 10.244.2.5:80  <- this decides\n");
	has(&f->out, "\nNOTE   with bridge-nf-call-iptables=1 PREROUTING");
	has(&f->out, "\nNEXT   routing, now for 10.244.2.5 (not for the Service's address)\n");
	has(&f->out, "\nTRY    labctl exec node/node01 -- iptables -t nat -S " SEP "\n");
	has(&f->out, "\nTIME   +21.5 us after step 3 (median of the timing runs: 9.8 us)\n");
	has_not(&f->out, "\033");
}

static void tunnel_headers(void **state)
{
	struct fixture *f = *state;
	struct trace_style st = {.lang = VIEW_EN};
	trace_text_step(f->r, ENCAP_STEP, &st, &f->out);
	has(&f->out, "outer  100.100.137.201:57882 -> 100.100.137.202:8472  udp, VXLAN id 1  ttl "
		     "64\n");
	has(&f->out, "changed: outer headers added\n");
	has(&f->out, "40 + 20 (IP) + 8 (UDP) + 8 (VXLAN) + 14 (Ethernet) = 90 bytes");
	strbuf_reset(&f->out);
	st.inner_only = true;
	trace_text_step(f->r, ENCAP_STEP + 1, &st, &f->out);
	has(&f->out, "(inside VXLAN 1, 100.100.137.201 -> 100.100.137.202; o shows");
}

static void bytes(void **state)
{
	struct fixture *f = *state;
	struct trace_style st = {.lang = VIEW_EN, .bytes = true};
	trace_text_step(f->r, ENCAP_STEP + 1, &st, &f->out);
	has(&f->out, "BYTES\n  eth      0 02 00");
	has(&f->out, "\n  vxlan   42 08 00 00 00 00 00 01 00");
	has(&f->out, "\n  ip      64 45 00 00 28");
	has(&f->out, "\n  tcp     84 97 72 00 50 10 00 00 00");
	strbuf_reset(&f->out);
	trace_text_step(f->r, DNAT_STEP, &st, &f->out);
	has(&f->out, "BYTES\n  this step was not seen at a device");
}

/* No line is wider than the terminal, but for a command, which must stay whole. */
static void width_is_kept(void **state)
{
	struct fixture *f = *state;
	for (size_t width = 64; width <= 132; width += 17)
		for (enum view_lang l = VIEW_EN; l <= VIEW_ZH; l++) {
			struct trace_style st = {.lang = l, .width = width};
			const char *try = l == VIEW_EN ? "TRY" : "试";
			st.bytes = width >= 80; /* a row of bytes is that wide */
			strbuf_reset(&f->out);
			trace_text(f->r, &st, &f->out);
			for (char *rest = f->out.s, *s; (s = strsep(&rest, "\n"));)
				if (view_width(s, strlen(s)) > width && strncmp(s, try, 3) != 0)
					fail_msg("over %zu columns: %s", width, s);
		}
}

static void colour_is_never_alone(void **state)
{
	struct fixture *f = *state;
	struct trace_style st = {.lang = VIEW_EN, .colour = true};
	_strbuf_ struct strbuf plain = STRBUF_INIT, stripped = STRBUF_INIT;
	trace_text(f->r, &st, &f->out);
	has(&f->out, "\033[33mchanged: destination address");
	st.colour = false;
	trace_text(f->r, &st, &plain);
	for (const char *s = f->out.s; *s; s++) {
		if (*s == '\033')
			s += strcspn(s, "m");
		else
			strbuf_addc(&stripped, *s);
	}
	assert_string_equal(strbuf_str(&stripped), strbuf_str(&plain));
}

static void whole_text(void **state)
{
	struct fixture *f = *state;
	struct trace_style st = {.lang = VIEW_EN};
	trace_text(f->r, &st, &f->out);
	has(&f->out, "trace busybox3 (10.244.1.2) -> nginx-deployment:80 (10.107.254.44:80) tcp\n");
	has(&f->out, "packets: SYN, forward (22 steps); SYN-ACK, reply (6 steps)\n");
	has(&f->out, "10.107.254.44 service default/nginx-deployment");
	has_not(&f->out, "elsewhere"); /* its address does not occur */
	has(&f->out, "step 28 of 28");
	has(&f->out, "\n\nverdict: delivered: nginx-deployment answered HTTP/1.1 200 OK  "
		     "[OBSERVED]\n");
	has_not(&f->out, "INCOMPLETE");
}

static void chinese(void **state)
{
	struct fixture *f = *state;
	struct trace_style st = {.lang = VIEW_ZH};
	trace_text(f->r, &st, &f->out);
	has(&f->out, "第 4 步，共 28 步：目的地址转换（DNAT）");
	has(&f->out, "改变了：目的地址 (10.107.254.44 -> 10.244.2.5)");
	has(&f->out, "结论：已送达：nginx-deployment 回答了 HTTP/1.1 200 OK");
	has_not(&f->out, "changed");
	has_not(&f->out, "WHERE");
}

static void list(void **state)
{
	struct fixture *f = *state;
	struct trace_style st = {.lang = VIEW_EN};
	trace_text_list(f->r, &st, &f->out);
	has(&f->out, "\n4   SYN      node01            nat PREROUTING    dnat      OBSERVED  "
		     "destination address (10.107.254.44 -> 10.244.2.5)\n");
	size_t lines = 0;
	for (const char *s = f->out.s; *s; s++)
		lines += *s == '\n';
	assert_int_equal(lines, 5 + f->r->steps.n); /* head, steps */
}

static void dns_comes_first(void **state)
{
	struct fixture *f = *state;
	struct trace_style st = {.lang = VIEW_EN};
	f->r->dns = trace_sample(f->a);
	f->r->dns->probe.dns_name = "nginx-deployment.default.svc.cluster.local";
	trace_text_list(f->r, &st, &f->out);
	const char *dns =
		strstr(f->out.s, "first the name: the query for nginx-deployment.default");
	const char *own = strstr(f->out.s, "-> nginx-deployment:80");
	assert_non_null(dns);
	assert_non_null(own);
	assert_true(dns < own);
}

/* Two pods of one name keep what tells them apart. */
static void short_names(void **state)
{
	struct fixture *f = *state;
	trace_ns(f->r, POD1, &f->out);
	assert_string_equal(strbuf_str(&f->out), "busybox3");
	strbuf_reset(&f->out);
	f->r->ns.v[POD2].name = "busybox3-c997b9cc4-zzzzz";
	trace_ns(f->r, POD1, &f->out);
	assert_string_equal(strbuf_str(&f->out), "busybox3-c997b9cc4-tlvrq");
	strbuf_reset(&f->out);
	trace_ns(f->r, NODE1, &f->out);
	trace_ns(f->r, -1, &f->out);
	assert_string_equal(strbuf_str(&f->out), "node01?");
}

static void spans(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} t[] = {{0, "0 ns"},	     {870, "870 ns"},	   {9800, "9.8 us"},   {48123, "48.1 us"},
		 {192345, "192 us"}, {1234567, "1.23 ms"}, {3000000000, "3 s"}};
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		_strbuf_ struct strbuf out = STRBUF_INIT;
		trace_span(t[i].ns, &out);
		assert_string_equal(strbuf_str(&out), t[i].text);
	}
}

/* ---- loss ---- */

static void loss_is_said_everywhere(void **state)
{
	struct fixture *f = *state;
	struct trace_style st = {.lang = VIEW_EN, .width = 80};
	struct trace_walk w;
	f->r->lost_frames = 3;
	*vec_push(f->a, &f->r->missing) = "rule trace of node02";
	trace_text(f->r, &st, &f->out);
	has(&f->out, "INCOMPLETE: 3 frames and 0 messages were lost");
	has(&f->out, "this kernel could not give: rule trace of node02");
	strbuf_reset(&f->out);
	trace_text_list(f->r, &st, &f->out);
	has(&f->out, "INCOMPLETE");
	strbuf_reset(&f->out);
	trace_walk_init(&w, f->r, &st);
	trace_walk_screen(&w, &f->out);
	has(&f->out, "INCOMPLETE");
	strbuf_reset(&f->out);
	html_page(f->r, VIEW_EN, &f->out);
	has(&f->out, "INCOMPLETE: 3 frames");
	has(&f->out, "rule trace of node02");
	strbuf_reset(&f->out);
	svg_lanes(f->r, &(struct svg_opts){.alone = true, .name = "x"}, &f->out);
	has(&f->out, "INCOMPLETE");
	strbuf_reset(&f->out);
	pcapng_write(f->r, VIEW_EN, &f->out);
	assert_non_null(memmem(f->out.s, f->out.len, "INCOMPLETE", 10));
}

/* ---- keys ---- */

static void press(struct trace_walk *w, const char *keys)
{
	for (; *keys; keys++)
		assert_true(trace_walk_key(w, *keys));
}

static void walking(void **state)
{
	struct fixture *f = *state;
	struct trace_style st = {.lang = VIEW_EN, .width = 80};
	struct trace_walk w;
	trace_walk_init(&w, f->r, &st);
	press(&w, "p");
	assert_int_equal(w.at, 0);
	press(&w, "nn\rp");
	assert_int_equal(w.at, 2);
	press(&w, "r");
	assert_int_equal(w.at, 22); /* the reply's first */
	press(&w, "nr");
	assert_int_equal(w.at, 0);
	press(&w, "Gn");
	assert_int_equal(w.at, f->r->steps.n - 1);
	trace_walk_screen(&w, &f->out);
	has(&f->out, "verdict: delivered");
	trace_walk_key(&w, WALK_HOME);
	assert_int_equal(w.at, 0);
	assert_true(w.style.inner_only);
	press(&w, "ox");
	assert_false(w.style.inner_only);
	assert_true(w.style.bytes);
	assert_false(trace_walk_key(&w, 'q'));
	assert_false(trace_walk_key(&w, 3));
}

/* The screen is as high as the terminal, whatever the step has to say, and all of it can be seen.
 */
static void screens_fit(void **state)
{
	struct fixture *f = *state;
	struct trace_style st = {.lang = VIEW_EN, .width = 80};
	struct trace_walk w;
	trace_walk_init(&w, f->r, &st);
	w.height = 14;
	press(&w, "nnn");
	for (int i = 0; i < 40; i++) {
		size_t lines = 1;
		strbuf_reset(&f->out);
		trace_walk_screen(&w, &f->out);
		for (const char *s = f->out.s; *s; s++)
			lines += *s == '\n';
		assert_int_equal(lines, 14);
		if (i == 0) {
			has(&f->out, "more lines below");
			has_not(&f->out, "TIME");
		}
		trace_walk_key(&w, WALK_DOWN);
	}
	has(&f->out, "TIME");
	has_not(&f->out, "more lines below");
	has(&f->out, "n next  p back");
}

/* A command that the terminal has to break takes two of its lines. */
static void screens_fit_long_commands(void **state)
{
	struct fixture *f = *state;
	struct trace_style st = {.lang = VIEW_EN, .width = 60, .colour = true};
	struct trace_walk w;
	size_t lines = 1;
	trace_walk_init(&w, f->r, &st);
	w.height = 50;
	press(&w, "nnn");
	trace_walk_screen(&w, &f->out);
	has(&f->out, "iptables -t nat -S " SEP); /* whole */
	for (const char *s = f->out.s; *s; s++)
		lines += *s == '\n';
	assert_int_equal(lines, 49);
}

static void nothing_recorded(void **state)
{
	struct fixture *f = *state;
	struct recording *r = recording_new(f->a);
	struct trace_style st = {.lang = VIEW_EN, .width = 80};
	struct trace_walk w;
	trace_text(r, &st, &f->out);
	has(&f->out, "no step was recorded");
	trace_text_list(r, &st, &f->out);
	trace_walk_init(&w, r, &st);
	press(&w, "nprG");
	trace_walk_screen(&w, &f->out);
	html_page(r, VIEW_EN, &f->out);
	svg_lanes(r, &(struct svg_opts){.alone = true, .name = "x"}, &f->out);
	struct pcapng_count c = pcapng_write(r, VIEW_EN, &f->out);
	assert_int_equal(c.frames, 0);
}

/* ---- files ---- */

/* A block of a capture file: its type, body and length; NULL at the end. */
static const uint8_t *next_block(const uint8_t *p, const uint8_t *end, uint32_t *type,
				 uint32_t *len)
{
	uint32_t again;
	if (p == end)
		return NULL;
	assert_true(end - p >= 12);
	memcpy(type, p, 4);
	memcpy(len, p + 4, 4);
	assert_true(*len % 4 == 0 && *len >= 12 && *len <= (size_t)(end - p));
	memcpy(&again, p + *len - 4, 4);
	assert_int_equal(*len, again);
	return p + *len;
}

/* An option's value in a block's options; NULL. */
static const uint8_t *find_option(const uint8_t *p, const uint8_t *end, unsigned code,
				  unsigned *len)
{
	while (p + 4 <= end) {
		uint16_t c, n;
		memcpy(&c, p, 2);
		memcpy(&n, p + 2, 2);
		if (c == code) {
			*len = n;
			return p + 4;
		}
		if (c == 0)
			return NULL;
		p += 4 + (n + 3u) / 4 * 4;
	}
	return NULL;
}

static void capture_file(void **state)
{
	struct fixture *f = *state;
	struct pcapng_count n = pcapng_write(f->r, VIEW_EN, &f->out);
	const uint8_t *p = (const uint8_t *)f->out.s, *end = p + f->out.len, *next;
	uint32_t type, len, blocks[7] = {0}, sections = 0;
	uint64_t ids[3] = {0};
	bool named = false;
	while ((next = next_block(p, end, &type, &len))) {
		unsigned k;
		const uint8_t *o;
		if (type == 0x0a0d0d0a)
			sections++;
		else
			blocks[type < 7 ? type : 0]++;
		if (type == 1 && (o = find_option(p + 16, next - 4, 2, &k)))
			named = named || (k == 16 && !memcmp(o, "node01/flannel.1", k));
		if (type == 6) {
			uint32_t caplen;
			uint64_t id;
			memcpy(&caplen, p + 20, 4);
			const uint8_t *opts = p + 28 + (caplen + 3) / 4 * 4;
			assert_non_null(find_option(opts, next - 4, 1, &k));
			assert_non_null(find_option(opts, next - 4, 2, &k));
			assert_non_null(o = find_option(opts, next - 4, 5, &k));
			assert_int_equal(k, 8);
			memcpy(&id, o, 8);
			assert_in_range(id, 1, 2);
			ids[id]++;
		}
		p = next;
	}
	assert_int_equal(sections, 1);
	assert_int_equal(blocks[1], n.interfaces);
	assert_int_equal(blocks[4], 1);
	assert_int_equal(blocks[6], n.frames);
	assert_int_equal(n.frames, f->r->sights.n);
	assert_int_equal(ids[1], 12); /* SYN */
	assert_int_equal(ids[2], 4);
	assert_true(named);
	const char want[] =
		"packet 1; SYN, forward; step 5 of 28 | destination translated (DNAT): ";
	assert_non_null(memmem(f->out.s, f->out.len, want, strlen(want)));
}

/* A frame of no flight gets the id of the packet it is, and timing runs stay out. */
static void capture_of_other_frames(void **state)
{
	struct fixture *f = *state;
	f->r->flights.v[1].sights.n = 0;
	f->r->sights.v[0].timing_run = true;
	struct pcapng_count n = pcapng_write(f->r, VIEW_EN, &f->out);
	assert_int_equal(n.frames, f->r->sights.n - 1);
	f->r->steps.v[22].sight = -1;
	strbuf_reset(&f->out);
	pcapng_write(f->r, VIEW_EN, &f->out);
	const char text[] = "packet 3; 10.244.2.5:80 -> 10.244.1.2:38770  tcp SYN-ACK  ttl 64";
	assert_non_null(memmem(f->out.s, f->out.len, text, strlen(text)));
	uint64_t want = 3, ids = 0;
	for (size_t i = 0; i + 8 < f->out.len; i += 4) {
		uint16_t code, len;
		memcpy(&code, f->out.s + i, 2);
		memcpy(&len, f->out.s + i + 2, 2);
		ids += code == 5 && len == 8 && !memcmp(f->out.s + i + 4, &want, 8);
	}
	assert_int_equal(ids, 4);
}

static const char evil[] = "</script><img src=x onerror='alert(1)'>\"&\x01\033[2J\xff";

static void evil_everywhere(struct fixture *f)
{
	struct recording *r = f->r;
	rec_strs *args = &r->steps.v[DNAT_STEP].why.v[0].args;
	r->ns.v[NODE1].name = evil;
	r->probe.from = r->probe.to = r->probe.lab = evil;
	r->steps.v[DNAT_STEP].try_cmd = r->steps.v[DNAT_STEP].next = evil;
	r->steps.v[DNAT_STEP].why.v[0].text = r->steps.v[DNAT_STEP].note = evil;
	args->v[1] = evil;
	r->steps.v[0].why.v[0].key = "unknown.key";
	r->steps.v[0].why.v[0].text = evil;
	r->steps.v[1].hook = r->steps.v[1].table = evil;
	r->ns.v[NODE1].ifs.v[0].name = evil;
	r->verdict.args.v[0] = r->verdict.args.v[2] = evil;
	r->names.v[0].name = evil;
	r->flights.v[0].title = evil;
	*vec_push(f->a, &r->missing) = evil;
	r->dns = trace_sample(f->a);
	r->dns->probe.dns_name = evil;
}

static void pages_are_safe(void **state)
{
	struct fixture *f = *state;
	evil_everywhere(f);
	html_page(f->r, VIEW_EN, &f->out);
	svg_lanes(f->r, &(struct svg_opts){.alone = true, .name = "x"}, &f->out);
	has(&f->out, "&lt;/script&gt;&lt;img");
	has_not(&f->out, "<img");
	has_not(&f->out, "onerror='");
	has_not(&f->out, "\033");
	has_not(&f->out, "\x01");
	has_not(&f->out, "\xff");
}

static void terminals_are_safe(void **state)
{
	struct fixture *f = *state;
	struct trace_style st = {.lang = VIEW_EN, .width = 80};
	struct trace_walk w;
	evil_everywhere(f);
	trace_text(f->r, &st, &f->out);
	trace_text_list(f->r, &st, &f->out);
	trace_walk_init(&w, f->r, &st);
	for (int i = 0; i < 60; i++) {
		trace_walk_screen(&w, &f->out);
		press(&w, "n");
	}
	has_not(&f->out, "\033");
	has_not(&f->out, "\x01");
	has_not(&f->out, "\xff");
}

static void page(void **state)
{
	struct fixture *f = *state;
	html_page(f->r, VIEW_ZH, &f->out);
	has(&f->out, "<html lang=\"zh-CN\">");
	has(&f->out, "default-src 'none'");
	has(&f->out, "data-id=\"m-28\"");
	has(&f->out, "data-s=\"m-28\"");
	has(&f->out, "prefers-color-scheme:dark");
	has_not(&f->out, "src=");	 /* nothing is fetched */
	has_not(&f->out, "href=\"http"); /* nor linked */
	has_not(&f->out, "@import");
}

/* What -o json gives is enough for every view. */
static void through_json(void **state)
{
	struct fixture *f = *state;
	struct trace_style st = {.lang = VIEW_EN};
	_strbuf_ struct strbuf again = STRBUF_INIT;
	struct recording *r = NULL;
	struct err err = {0};
	json_t *o = recording_to_json(f->r, false);
	if (recording_from_json(f->a, o, &r, &err) < 0)
		fail_msg("%s", err.text);
	json_decref(o);
	trace_text(f->r, &st, &f->out);
	trace_text(r, &st, &again);
	assert_string_equal(strbuf_str(&again), strbuf_str(&f->out));
	strbuf_reset(&again);
	strbuf_reset(&f->out);
	pcapng_write(f->r, VIEW_EN, &f->out);
	pcapng_write(r, VIEW_EN, &again);
	assert_int_equal(again.len, f->out.len);
	assert_memory_equal(again.s, f->out.s, again.len);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(every_sentence_in_both_languages),
		T(every_kind_has_a_title),
		T(filling),
		T(control_characters),
		T(wrapping),
		T(step_block),
		T(tunnel_headers),
		T(bytes),
		T(width_is_kept),
		T(colour_is_never_alone),
		T(whole_text),
		T(chinese),
		T(list),
		T(dns_comes_first),
		T(short_names),
		T(spans),
		T(loss_is_said_everywhere),
		T(walking),
		T(screens_fit),
		T(screens_fit_long_commands),
		T(nothing_recorded),
		T(capture_file),
		T(capture_of_other_frames),
		T(pages_are_safe),
		T(terminals_are_safe),
		T(page),
		T(through_json),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
