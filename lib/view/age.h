/* SPDX-License-Identifier: MIT */
/* age: times as Kubernetes writes them (RFC 3339) and durations as kubectl prints them. */
#ifndef VIEW_AGE_H
#define VIEW_AGE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define AGE_LEN 48

/* Parse "2025-01-31T12:00:00Z" (fractions and numeric offsets allowed). */
bool time_parse(const char *s, time_t *ret);

/* A duration in at most two units, coarser the longer it is: 119s, 5m3s, 179m, 4h44m, 47h, 3d1h,
 * 12d, 2y7d. Below -1 s "<invalid>". The steps are those of k8s.io/apimachinery's HumanDuration. */
const char *age_str(int64_t seconds, char buf[static AGE_LEN]);

/* Age at `now` of an RFC 3339 time; "<unknown>" for NULL or what is none. */
const char *age_since(const char *stamp, time_t now, char buf[static AGE_LEN]);

#endif
