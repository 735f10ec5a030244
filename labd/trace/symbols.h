/* SPDX-License-Identifier: MIT */
/*
 * symbols: names of the kernel's functions, for the place where it dropped a packet.
 */
#ifndef TRACE_SYMBOLS_H
#define TRACE_SYMBOLS_H

#include <stdint.h>

#include "lib/base/arena.h"

/* Open the kernel's list while the process may still see addresses in it: kallsyms asks for
 * CAP_SYSLOG when it is opened and not when it is read (kernel/kallsyms.c, kallsyms_show_value()),
 * so labd needs not keep that capability. Sessions inherit the descriptor. Where it cannot be
 * opened, functions have no names. */
void symbols_open(void);

/* The function the address is in, in the arena; NULL if the kernel does not tell. Reading all
 * symbols takes it some 50 ms. */
const char *symbols_find(struct arena *a, uint64_t addr);

#endif
