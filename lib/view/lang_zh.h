/* SPDX-License-Identifier: MIT */
/* lang_zh: the reducer's sentences (lib/recording/keys.h) in Chinese. Shared within this room. */
#ifndef VIEW_LANG_ZH_H
#define VIEW_LANG_ZH_H

/* NULL: there is none yet; the English one is shown then. */
const char *lang_zh_sentence(const char *key);

#endif
