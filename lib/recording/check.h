/* SPDX-License-Identifier: MIT */
/* check: are all indexes of a recording within their lists? Shared within this room. */
#ifndef RECORDING_CHECK_H
#define RECORDING_CHECK_H

#include "lib/recording/recording.h"

/* -EINVAL and *err when an index (namespace, flight, sighting, steps of a flight) points outside.
 * What was read from a file is checked once, so that nobody else has to. */
int recording_check(const struct recording *r, struct err *err);

#endif
