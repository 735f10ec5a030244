/* SPDX-License-Identifier: MIT */
/* normal: what the normal form needs of the reducer. Shared within this room. */
#ifndef RECORDING_NORMAL_H
#define RECORDING_NORMAL_H

#include "lib/recording/recording.h"

/* emit.c: a header in one line: "10.244.1.2:38770 > 10.107.254.44:80 S ttl 64", the outer header in
 * front when there is one. */
const char *hdr_text(struct arena *a, const struct rec_hdr *h);

#endif
