/* SPDX-License-Identifier: MIT */
/*
 * bind: the engine that fills C structs from JSON by tables. Private to lib/kube: the rest of the
 * program calls objects_bind() (objects.h).
 *
 * A struct is described by a `struct shape`: a table of fields, each with its JSON key, the
 * function that binds the value, and the place of the result. Binding never stops at a fault: it is
 * recorded with the path of the value, the default stays in place, and the next field follows. A
 * key that is absent or null leaves the default.
 */
#ifndef KUBE_BIND_H
#define KUBE_BIND_H

#include <stddef.h>

#include "lib/kube/objects.h"

/* Where binding stands inside a document: a chain of frames on the C stack, made into a path only
 * when a fault needs one. NULL is the document itself. */
struct at {
	const struct at *up;
	const char *key; /* NULL: an element of a list */
	size_t index;
};
#define AT_KEY(up_, key_) (&(const struct at){.up = (up_), .key = (key_)})
#define AT_INDEX(up_, i_) (&(const struct at){.up = (up_), .index = (i_)})

struct binder {
	struct arena *arena;
	struct faults *faults;
	struct objects *o;
	yaml_fn yaml;
	int doc;
	const char *object;	/* for messages: "Pod default/web" */
	bool strict;		/* kind: Lab: an unknown key is a fault */
	unsigned faults_before; /* of this object: how many there were when it began */
};

/* Bind v to *dst. Returns false when nothing was stored, which drops an element from its list (a
 * fault was recorded, or the value is of a kind that is skipped, such as an IPv6 address). */
typedef bool bind_fn(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg);

struct field {
	const char *key;
	bind_fn *fn;
	size_t offset;
	const void *arg; /* what fn wants */
	bool required;
};
#define FIELD(key_, type_, member_, fn_, arg_)                                                     \
	{                                                                                          \
		.key = (key_), .fn = (fn_), .offset = offsetof(type_, member_), .arg = (arg_)      \
	}
#define REQUIRED(key_, type_, member_, fn_, arg_)                                                  \
	{                                                                                          \
		.key = (key_), .fn = (fn_), .offset = offsetof(type_, member_), .arg = (arg_),     \
		.required = true                                                                   \
	}
/* A part of the same struct that JSON keeps in a mapping of its own ("spec"). */
#define NESTED(key_, shape_)                                                                       \
	{                                                                                          \
		.key = (key_), .fn = bind_shape, .arg = (shape_)                                   \
	}

struct shape {
	const struct field *fields;
	size_t n;
	/* The other fields that Kubernetes has here, with spaces between: what is in neither is
	 * noted as unknown. NULL: nobody looks. */
	const char *also;
	const char *advice; /* where an unknown one most likely belongs, or NULL */
	/* Last step, after all fields; false drops an element from its list. May be NULL. */
	bool (*finish)(struct binder *b, const struct at *at, json_t *v, void *obj);
};
#define SHAPE(fields_)                                                                             \
	{                                                                                          \
		.fields = (fields_), .n = ARRAY_SIZE(fields_)                                      \
	}
#define SHAPE_ALSO(fields_, also_)                                                                 \
	{                                                                                          \
		.fields = (fields_), .n = ARRAY_SIZE(fields_), .also = (also_)                     \
	}
#define SHAPE_FINISH(fields_, finish_)                                                             \
	{                                                                                          \
		.fields = (fields_), .n = ARRAY_SIZE(fields_), .finish = (finish_)                 \
	}

/* A list: what its elements are. */
struct list_of {
	bind_fn *item;
	const void *arg;
	size_t size;
	const void *init; /* what an element starts from, or NULL for zeroes */
	bool required;	  /* the list may not be empty */
};

struct range {
	long long min, max;
};

struct word {
	const char *word;
	int value;
};
/* The words an enum may be written as, ended by a NULL word; "" stands for what is meant when the
 * value is empty and is not shown. */
struct words {
	const struct word *list;
	bool no_guess; /* no "did you mean" (versions) */
};

enum name_rule {
	NAME_NONE,	/* may be absent (configuration documents) */
	NAME_LABEL,	/* RFC 1123 label: 63 of a-z 0-9 - */
	NAME_SUBDOMAIN, /* RFC 1123 subdomain: labels and dots, 253 */
	NAME_LAB,	/* a label of at most MAX_LAB_NAME */
	NAME_PORT	/* IANA service name: 15 of a-z 0-9 -, at least one letter */
};

/* Faults: all return false, so that `return bind_fault(...)` works. hint may be NULL. */
bool bind_fault(struct binder *b, const struct at *at, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
bool bind_fault_key(struct binder *b, const struct at *at, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* A note on the key (fault.h). */
void bind_note_key(struct binder *b, const struct at *at, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* "expected WHAT, found a list". */
bool bind_wrong_type(struct binder *b, const struct at *at, const json_t *v, const char *what);
/* No fault has been found in the present object yet: worth comparing its fields. */
bool bind_clean(const struct binder *b);
/* "did you mean `x`?" in the arena, or NULL. */
const char *did_you_mean(struct arena *a, const char *s, const char *const *words, size_t n);
/* The path in the arena. */
const char *at_path(struct arena *a, const struct at *at);

/* Structure: bind_fn's. */
bind_fn bind_shape;   /* arg: struct shape */
bind_fn bind_list;    /* arg: struct list_of; dst: a vec_of() */
bind_fn bind_kvs;     /* dst: kvs; values must be strings; arg unused */
bind_fn bind_present; /* dst: bool, true when the key is there with a mapping or a list */
bind_fn bind_mapping; /* any mapping; nothing is stored */

/* Scalars: bind_fn's. */
bind_fn bind_str;	/* dst: const char * */
bind_fn bind_str_opt;	/* the same; "" leaves the default */
bind_fn bind_bool;	/* dst: bool */
bind_fn bind_uint;	/* dst: unsigned; arg: struct range */
bind_fn bind_u16;	/* dst: uint16_t; arg: struct range */
bind_fn bind_word;	/* dst: an enum (int-sized); arg: struct words */
bind_fn bind_name;	/* dst: const char *; arg: struct name_arg */
bind_fn bind_ip;	/* dst: ip4; IPv6 and "" are skipped */
bind_fn bind_cidr;	/* dst: struct cidr; IPv6 and "" are skipped */
bind_fn bind_cidr_text; /* dst: const char *, of either family, checked */
bind_fn bind_int32;	/* dst: int32_t; arg: struct range */
bind_fn bind_duration;	/* dst: long long nanoseconds, from "1h30m0s"; not negative */
bind_fn bind_ifname;	/* dst: const char *: a network device's name; "" leaves the default */

/* Is a string a valid name? When not, *ret_why tells the rule. */
bool name_ok(const char *s, enum name_rule rule, const char **ret_why);
struct name_arg {
	enum name_rule rule;
	bool empty_ok; /* "" leaves the default */
};
extern const struct name_arg arg_label, arg_subdomain, arg_label_opt, arg_subdomain_opt;
extern const struct range range_port;	/* 1..65535 */
extern const struct range range_port_0; /* 0..65535 */
extern const struct words words_proto;
extern const struct list_of list_of_strs;
/* An int-or-string port: a number goes to *ret_port, a name (checked) to *ret_name. */
bool bind_port_or_name(struct binder *b, const struct at *at, json_t *v, uint16_t *ret_port,
		       const char **ret_name);

/* One kind of document. */
struct kind {
	const char *name;
	const char *const *versions; /* apiVersions, the preferred first, ended by NULL */
	enum name_rule rule;
	bool namespaced;
	void (*bind)(struct binder *b, const struct at *at, json_t *v, const struct meta *m);
};

/* The kinds' binders, by file. bind_core.c: */
void bind_node(struct binder *b, const struct at *at, json_t *v, const struct meta *m);
void bind_pod(struct binder *b, const struct at *at, json_t *v, const struct meta *m);
void bind_deployment(struct binder *b, const struct at *at, json_t *v, const struct meta *m);
void bind_namespace(struct binder *b, const struct at *at, json_t *v, const struct meta *m);
bind_fn bind_selector; /* dst: struct selector */
/* bind_service.c: */
void bind_service(struct binder *b, const struct at *at, json_t *v, const struct meta *m);
void bind_endpoints(struct binder *b, const struct at *at, json_t *v, const struct meta *m);
void bind_endpoint_slice(struct binder *b, const struct at *at, json_t *v, const struct meta *m);
/* bind_net.c: */
void bind_network_policy(struct binder *b, const struct at *at, json_t *v, const struct meta *m);
void bind_ip_pool(struct binder *b, const struct at *at, json_t *v, const struct meta *m);
void bind_service_cidr(struct binder *b, const struct at *at, json_t *v, const struct meta *m);
void bind_ipam_block(struct binder *b, const struct at *at, json_t *v, const struct meta *m);
void bind_block_affinity(struct binder *b, const struct at *at, json_t *v, const struct meta *m);
/* bind_proxy.c: */
void bind_proxy_config(struct binder *b, const struct at *at, json_t *v, const struct meta *m);
/* What is wrong with a mode's periods, in the arena, or NULL. min_default: minSyncPeriod is 1s
 * unless it is given (all but ipvs). */
const char *proxy_periods_wrong(struct arena *a, const struct proxy_periods *p, bool min_default);
/* bind_configmap.c: */
void bind_configmap(struct binder *b, const struct at *at, json_t *v, const struct meta *m);
/* bind_lab.c: */
void bind_lab(struct binder *b, const struct at *at, json_t *v, const struct meta *m);

#endif
