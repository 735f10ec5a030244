/* SPDX-License-Identifier: MIT */
/* labfile: from words on the command line to a checked cluster, and to the documents an engine
 * gets. Faults are printed with their place in the file. */
#ifndef LABCTL_LABFILE_H
#define LABCTL_LABFILE_H

#include "lib/plan/cluster.h"
#include "lib/yaml/yaml.h"

struct labfile {
	struct arena *arena;
	struct yaml_files *files;
	struct objects *objects;
	struct cluster *cluster;
	char source[256]; /* the words' files, as messages and `ls` show them */
};

/* Read, bind, check, decide. Faults are printed to stderr; then the error only counts them. On
 * failure nothing needs freeing. */
int labfile_load(struct labfile *f, const char *const *words, int n,
		 const struct cluster_opts *opts, struct err *err);
void labfile_free(struct labfile *f);

/* The documents as the protocol wants them; a new array. */
json_t *labfile_documents(const struct labfile *f);
/* Print the faults that an engine found in them. Returns their number. */
unsigned labfile_print_faults(const struct labfile *f, const json_t *faults);

#endif
