/* SPDX-License-Identifier: MIT */
/*
 * verbs: the one table of labctl's verbs. Dispatch, --help, completion and the synopsis of the man
 * page are all made from it, so that none can say what another does not.
 */
#ifndef LABCTL_VERBS_H
#define LABCTL_VERBS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

enum flag_id {
	FLAG_LAB,
	FLAG_NAMESPACE,
	FLAG_OUTPUT,
	FLAG_HELP,
	FLAG_ALL,
	FLAG_ALL_NAMESPACES,
	FLAG_DOWN,
	FLAG_DRY_RUN,
	FLAG_ENGINE,
	FLAG_FRESH,
	FLAG_IDLE,
	FLAG_KUBERNETES,
	FLAG_LOAD_MODULES,
	FLAG_NAME,
	FLAG_NODE,
	FLAG_NO_HEADERS,
	FLAG_PROXY_MODE,
	FLAG_SECTION,
	FLAG_STDIN,
	FLAG_TTY,
	FLAG_DIFF,
	FLAG_HTML,
	FLAG_LANG,
	FLAG_LIST,
	FLAG_NO_DNS,
	FLAG_PCAP,
	FLAG_READ,
	FLAG_STEP,
	FLAG_SVG,
	FLAG_TIMING,
	FLAG_SIZE,
	FLAG_FILE,
	FLAG_FIX,
	FLAG_REPLICAS,
	FLAG_JUNIT,
	FLAG_FREEZE,
	FLAG_WRITE,
	FLAG_PACKETS,
	FLAG_FILTER,
	FLAG_CONTAINER,
	FLAG_FOLLOW,
	FLAG_TAIL,
	FLAG_SELECTOR,
	FLAG_SHOW_LABELS,
	FLAG_WATCH,
	FLAG_COUNT
};

struct flag {
	enum flag_id id;
	char letter; /* 0: none */
	const char *name;
	const char *arg;  /* NULL: takes none; with '|' inside: one of these words */
	const char *help; /* one line */
};

/* What the operands of a verb are, for completion. */
enum operand {
	OPERAND_NONE,
	OPERAND_SHIPPED, /* shipped labs and files */
	OPERAND_RUNNING, /* running labs */
	OPERAND_KIND,	 /* KIND, then names of that kind; or KIND/NAME */
	OPERAND_WHERE,	 /* pods, node/NAME, host/NAME */
	OPERAND_FLOW,	 /* flows of the running lab */
	OPERAND_COMPARE, /* a flow, then labs: running ones, shipped ones, files */
	OPERAND_WORDS	 /* the words in `args`, parted by '|' */
};

struct opts;

struct verb {
	const char *name;
	const char *alias;   /* another name, or NULL */
	const char *args;    /* operands, as in the synopsis */
	const char *help;    /* one line */
	const char *details; /* further lines of --help and the man page, or NULL */
	const struct flag *flags;
	size_t n_flags;
	const char *const *examples; /* NULL-terminated */
	enum operand operand;
	int min, max; /* number of operands; max -1: any */
	bool command; /* what follows the first operand (or "--") is a command */
	bool hidden;
	/* 0 or an exit code; negative: *err says why. */
	int (*run)(const struct opts *o, struct err *err);
};

/* A parsed command line. Texts are argv's or the environment's. */
struct opts {
	const struct verb *verb;
	const char *val[FLAG_COUNT]; /* the argument, "" for a flag without, NULL: not given */
	const char **args;	     /* operands; malloc'ed array */
	int n_args;
	char *const *command; /* NULL-terminated, after "--" */
	int n_command;
};

extern const struct verb verbs[];
extern const size_t n_verbs;
/* Flags that every verb takes, and those that may stand before it. */
extern const struct flag flag_help;
extern const struct flag early_flags[];
extern const size_t n_early_flags;

/* By name or alias; NULL. */
const struct verb *verb_find(const char *name);

/* Handlers, one file per group of verbs. */
int verb_up(const struct opts *o, struct err *err);
int verb_down(const struct opts *o, struct err *err);
int verb_ls(const struct opts *o, struct err *err);
int verb_labs(const struct opts *o, struct err *err);
int verb_get(const struct opts *o, struct err *err);
int verb_describe(const struct opts *o, struct err *err);
int verb_exec(const struct opts *o, struct err *err);
int verb_shell(const struct opts *o, struct err *err);
int verb_logs(const struct opts *o, struct err *err);
int verb_trace(const struct opts *o, struct err *err);
int verb_flow(const struct opts *o, struct err *err);
int verb_capture(const struct opts *o, struct err *err);
int verb_plan(const struct opts *o, struct err *err);
int verb_apply(const struct opts *o, struct err *err);
int verb_delete(const struct opts *o, struct err *err);
int verb_scale(const struct opts *o, struct err *err);
int verb_diff(const struct opts *o, struct err *err);
int verb_compare(const struct opts *o, struct err *err);
int verb_verify(const struct opts *o, struct err *err);
int verb_doctor(const struct opts *o, struct err *err);
int verb_engine(const struct opts *o, struct err *err);
int verb_version(const struct opts *o, struct err *err);
int verb_completion(const struct opts *o, struct err *err);
int verb_help(const struct opts *o, struct err *err);
int verb_complete(const struct opts *o, struct err *err); /* hidden: __complete */
int verb_normal(const struct opts *o, struct err *err);	  /* hidden: __normal */
int verb_synopsis(const struct opts *o, struct err *err); /* hidden: __synopsis */

#endif
