/* SPDX-License-Identifier: MIT */
/* kernel_pick: what kernel_state.c needs besides of kernel_pick.c: words and lines. Private. */
#ifndef LAB_KERNEL_PICK_H
#define LAB_KERNEL_PICK_H

#include "labd/lab/kernel_state.h"

/* Does the line hold the word (an address, a device, a chain) as a whole? A prefix length, a port
 * or a comma may follow it. */
bool pick_word(const char *line, const char *word);
bool pick_any(const char *line, const strs *words);
/* The next line of a text, which is cut there; NULL at its end. */
char *pick_line(char **text);

#endif
