/* SPDX-License-Identifier: MIT */
/*
 * fuzz_recording: recordings as files of strangers: `trace --read`, `--diff`, every view, and the
 * reducer over them. With FUZZ_RECORD=FILE the reduced recording is written there, as a seed.
 */
#include <stdio.h>

#include "lib/base/cleanup.h"
#include "lib/recording/expect.h"
#include "lib/recording/recording.h"
#include "lib/view/html.h"
#include "lib/view/pcapng.h"
#include "lib/view/svg.h"
#include "lib/view/trace_text.h"
#include "lib/view/trace_walk.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_mutate.h"

FUZZ_INPUT_IS_JSON

/* Nothing of a stranger reaches the terminal but text. */
static void only_text(const struct strbuf *out)
{
	for (size_t i = 0; i < out->len; i++)
		fuzz_assert((unsigned char)out->s[i] >= ' ' || out->s[i] == '\n');
}

static void views(const struct recording *r, enum view_lang l)
{
	struct strbuf out = STRBUF_INIT;
	struct trace_style st = {.lang = l, .width = 80, .bytes = true};
	trace_text(r, &st, &out);
	only_text(&out);
	strbuf_reset(&out);
	trace_text_list(r, &st, &out);
	only_text(&out);
	html_page(r, l, &out);
	svg_lanes(r, &(struct svg_opts){.lang = l, .alone = true, .name = "w"}, &out);
	svg_lanes(r, &(struct svg_opts){.lang = l, .narrow = true, .name = "w"}, &out);
	pcapng_write(r, l, &out);
	strbuf_free(&out);
}

static void walk(const struct recording *r)
{
	static const int keys[] = {WALK_DOWN, WALK_RIGHT, 'n',	     'b',	'o', WALK_UP, 'h',
				   WALK_END,  WALK_RIGHT, WALK_DOWN, WALK_HOME, 'p', ' ',     '?'};
	struct strbuf out = STRBUF_INIT;
	struct trace_style st = {.width = 60, .colour = true};
	struct trace_walk w;
	trace_walk_init(&w, r, &st);
	w.height = 20;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!trace_walk_key(&w, keys[i]))
			break;
		trace_walk_screen(&w, &out);
	}
	strbuf_free(&out);
}

static void make_again(struct arena *a, const struct recording *r, const json_t *o)
{
	struct recording *back = NULL;
	struct strbuf out = STRBUF_INIT;
	struct err err = {0};
	fuzz_assert(recording_from_json(a, o, &back, &err) == 0);
	recording_reduce(back);
	recording_diff(r, back, &out);
	json_decref(recording_normal(back));
	json_t *o2 = recording_to_json(back, false);
	struct recording *third = NULL;
	if (!o2 || recording_from_json(a, o2, &third, &err) < 0) {
		fprintf(stderr, "what was written is not read: %s\n", err.text);
		abort();
	}
	const char *record = getenv("FUZZ_RECORD");
	if (record)
		json_dump_file(o2, record, JSON_COMPACT);
	json_decref(o2);
	views(back, VIEW_ZH);
	strbuf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_arena_ struct arena *a = arena_new();
	struct recording *r = NULL;
	struct err err = {0};
	json_t *o = json_loadb((const char *)data, size, 0, NULL);
	if (o && recording_from_json(a, o, &r, &err) == 0) {
		views(r, VIEW_EN);
		walk(r);
		make_again(a, r, o);
	} else if (o) {
		fuzz_assert(err.text[0]);
	}
	json_decref(o);
	return 0;
}
