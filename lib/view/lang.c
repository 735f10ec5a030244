/* SPDX-License-Identifier: MIT */
/* lang: looking sentences up and filling them. The Chinese of the reducer's is in lang_zh.c. */
#include "lib/view/lang.h"

#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/recording/keys.h"
#include "lib/view/lang_ui.h"
#include "lib/view/lang_zh.h"

struct entry {
	const char *key, *en;
};

#define ENTRY(key, en) {key, en},
static const struct entry sentences[] = {REC_KEYS(ENTRY)};
#undef ENTRY

struct ui {
	const char *key, *text[2];
};

#define ENTRY(key, en, zh) {key, {[VIEW_EN] = (en), [VIEW_ZH] = (zh)}},
static const struct ui words[] = {LANG_UI(ENTRY)};
#undef ENTRY

bool lang_parse(const char *word, enum view_lang *ret)
{
	bool zh = strcmp(word, "zh") == 0;
	if (!zh && strcmp(word, "en") != 0)
		return false;
	*ret = zh ? VIEW_ZH : VIEW_EN;
	return true;
}

const char *lang_exact(enum view_lang l, const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(words[i].key, key))
			return words[i].text[l];
	if (l == VIEW_ZH)
		return lang_zh_sentence(key);
	for (size_t i = 0; i < ARRAY_SIZE(sentences); i++)
		if (!strcmp(sentences[i].key, key))
			return sentences[i].en;
	return NULL;
}

const char *lang_template(enum view_lang l, const char *key)
{
	const char *s = lang_exact(l, key);
	return s || l == VIEW_EN ? s : lang_exact(VIEW_EN, key);
}

void lang_fill(struct strbuf *out, const char *tmpl, const char *const *args, size_t n)
{
	while (*tmpl) {
		size_t plain = strcspn(tmpl, "{");
		strbuf_add(out, tmpl, plain);
		tmpl += plain;
		if (!*tmpl)
			break;
		if (tmpl[1] < '0' || tmpl[1] > '9' || tmpl[2] != '}') {
			strbuf_addc(out, *tmpl++);
			continue;
		}
		size_t i = (size_t)(tmpl[1] - '0');
		if (i < n && args[i])
			strbuf_adds(out, args[i]);
		tmpl += 3;
	}
}

void lang_args(struct strbuf *out, enum view_lang l, const char *key, const char *const *args,
	       size_t n)
{
	const char *tmpl = lang_template(l, key);
	lang_fill(out, tmpl ? tmpl : "{0}", args, n);
}
