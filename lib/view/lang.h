/* SPDX-License-Identifier: MIT */
/*
 * lang: the words of the trace views in each language. A sentence is a template with {0} {1} ...;
 * the reducer's sentences have the keys of lib/recording/keys.h (their English stands there), the
 * views' own the keys of lang_ui.h. Not for messages of labctl itself, which are English.
 */
#ifndef VIEW_LANG_H
#define VIEW_LANG_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/strbuf.h"

enum view_lang { VIEW_EN, VIEW_ZH };

/* "en", "zh". */
bool lang_parse(const char *word, enum view_lang *ret);
/* The template of a key in exactly this language; NULL: it has none. */
const char *lang_exact(enum view_lang l, const char *key);
/* In this language, else in English, else NULL. */
const char *lang_template(enum view_lang l, const char *key);

/* Append a template with args[i] for {i}; what an argument is missing for becomes nothing. */
void lang_fill(struct strbuf *out, const char *tmpl, const char *const *args, size_t n);
/* Append the sentence of a key; an unknown key gives args[0]. */
void lang_args(struct strbuf *out, enum view_lang l, const char *key, const char *const *args,
	       size_t n);

/* lang_say(out, lang, "ui.step", "3", "20"): {1} is the first argument. */
#define lang_say(out, l, key, ...)                                                                 \
	lang_args((out), (l), (key), (const char *const[]){"", ##__VA_ARGS__},                     \
		  sizeof((const char *const[]){"", ##__VA_ARGS__}) / sizeof(char *))

#endif
