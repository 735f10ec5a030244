/* SPDX-License-Identifier: MIT */
/*
 * scalar: what a plain (unquoted) YAML scalar means, and which strings must be quoted so that they
 * stay strings.
 *
 * The rule is Kubernetes' own (sigs.k8s.io/yaml, go-yaml v2) with one change: a number whose JSON
 * form would not be what was written stays the text that was written. So 80 and 1.5 are numbers,
 * 0x1F and 0o17 are the integers 31 and 15, but 1.20 is "1.20" and not 1.2 (a version must not
 * lose its zero), and 1e3, 5.0, 1_000, 0755 (octal for some, decimal for others) and integers
 * beyond 64 bits are strings too. 12:34 (sexagesimal in YAML 1.1), dates, MAC and IP addresses are
 * strings. yes, no, on, off, y and n are booleans, as they are for kubectl.
 */
#ifndef YAML_SCALAR_H
#define YAML_SCALAR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define REAL_TEXT_MAX 32

/* The value of a plain scalar; a new reference. s is NUL-terminated valid UTF-8 of len bytes. */
json_t *scalar_resolve(const char *s, size_t len);
/* Would any common YAML reader take the plain text for something else than a string? */
bool scalar_looks_typed(const char *s, size_t len);
/* The shortest decimal text that reads back as v (finite). */
void real_to_text(double v, char buf[static REAL_TEXT_MAX]);

#endif
