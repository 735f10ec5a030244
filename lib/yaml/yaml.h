/* SPDX-License-Identifier: MIT */
/*
 * yaml: lab files to JSON documents that remember where every key and value stood, and faults
 * printed the way a compiler prints them. Client only: the privileged daemon never parses YAML.
 *
 * Unquoted scalars mean what they mean to Kubernetes, but for numbers whose JSON form would not be
 * what was written: they stay text, so that a bare `kubernetes: 1.20` is "1.20" and never 1.2.
 * lib/yaml/scalar.h has the whole rule. JSON files are read too, as YAML is a superset of JSON.
 */
#ifndef YAML_YAML_H
#define YAML_YAML_H

#include <jansson.h>
#include <stdio.h>

#include "lib/base/err.h"
#include "lib/kube/fault.h"

struct yaml_files; /* the texts read, the documents, and the positions */

struct yaml_files *yaml_files_new(void);
void yaml_files_free(struct yaml_files *f);

/* Read a file ("-" is stdin) or a directory's *.yaml, *.yml and *.json in name order, and append
 * its documents. Syntax faults (bad YAML, duplicate keys, too deep, too large, binary junk) are
 * kept inside f and printed with the others. Negative only when a file cannot be read at all, or
 * when there is neither a document nor a fault in all of it (-EINVAL, ERR_USAGE). */
int yaml_files_add(struct yaml_files *f, const char *path, struct err *err);
/* The same from memory; name stands in messages. */
int yaml_files_add_text(struct yaml_files *f, const char *name, const char *text, size_t len,
			struct err *err);

/* The documents so far: a JSON array of objects; borrowed. A document with a syntax fault is left
 * out, empty ones are too. Values that the text shares through aliases are one value in the JSON;
 * written out they are within MAX_YAML_NODES and MAX_YAML_DEPTH. */
json_t *yaml_files_docs(const struct yaml_files *f);
/* Number of syntax faults. */
unsigned yaml_files_faults(const struct yaml_files *f);

/*
 * Print the syntax faults and `faults` (which may be NULL) in the order of the files and lines:
 *
 *	labs/x.yaml:12:19: Service default/web: spec.ports[0].nodePort: 40000 is too high
 *	 12 |         nodePort: 40000
 *	    |                   ^^^^^
 *	  hint: ...
 *
 * The line is cut to fit into 100 columns. A fault of the lab as a whole comes last, as
 * `lab: text`. With colours when out is a terminal and NO_COLOR is not set.
 */
void yaml_files_print(const struct yaml_files *f, const struct faults *faults, FILE *out);
/* Print the notes in the same form: `labs/x.yaml:12:19: note: Service ...`. */
void yaml_files_print_notes(const struct yaml_files *f, const struct faults *faults, FILE *out);

/* Text inside a ConfigMap (one mapping) to JSON; a new reference, or NULL and what is wrong with it
 * in ret_text. A yaml_fn (lib/kube/objects.h). */
json_t *yaml_to_json(const char *text, char ret_text[static 256]);
/* JSON to YAML text as `kubectl get -o yaml` prints it (block style, keys sorted); malloc'ed. */
char *yaml_from_json(const json_t *v);

#endif
