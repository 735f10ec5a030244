/* SPDX-License-Identifier: MIT */
/* syntax: what libyaml says of bad YAML, in words for people. */
#ifndef YAML_SYNTAX_H
#define YAML_SYNTAX_H

#include <yaml.h>

#include "lib/yaml/internal.h"
#include "lib/yaml/text.h"

/* Record the parser's error, which arose in the text from `from` on. Returns where the parser stood
 * (which may be behind what the message points at). */
struct place syntax_error(struct yaml_files *f, uint32_t source, const yaml_parser_t *parser,
			  const struct cursor *from);

#endif
