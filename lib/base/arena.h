/* SPDX-License-Identifier: MIT */
/*
 * arena: memory that is freed all at once. Objects, clusters and plans live in one.
 *
 * Allocation never fails: when memory is gone the process ends with a message (an arena is used for
 * bounded inputs only; see limits.h). All memory is zeroed. Not thread-safe.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena;

/* A new, empty arena; the caller owns it. */
struct arena *arena_new(void);
/* Free it and all that was allocated from it. NULL is allowed. */
void arena_free(struct arena *a);
static inline void arena_freep(struct arena **a)
{
	arena_free(*a);
}
#define _arena_ __attribute__((cleanup(arena_freep)))

/* size zeroed bytes, aligned for any type. */
void *arena_alloc(struct arena *a, size_t size);
/* n zeroed elements of size bytes; overflow ends the process. */
void *arena_calloc(struct arena *a, size_t n, size_t size);
char *arena_strdup(struct arena *a, const char *s); /* NULL gives NULL */
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
/* Bytes handed out so far. */
size_t arena_used(const struct arena *a);

#define arena_new_type(a, type)	    ((type *)arena_alloc((a), sizeof(type)))
#define arena_new_array(a, type, n) ((type *)arena_calloc((a), (n), sizeof(type)))

/* Grow an array in an arena: *items has room for *cap elements of size bytes and holds n; makes
 * sure that n+1 fit, doubling. Old memory stays in the arena. Use vec_push() instead. */
void arena_grow(struct arena *a, void **items, size_t n, size_t *cap, size_t size);

/*
 * vec: a growing array in an arena.
 *
 *	vec_of(struct pod) pods;              { struct pod *v; size_t n, cap; }
 *	*vec_push(arena, &pods) = (struct pod){...};
 *	vec_foreach (struct pod, p, &pods) ...
 *
 * Pointers into v are invalid after a push; keep indexes, or make it a vec of pointers.
 */
#define vec_of(type)                                                                               \
	struct {                                                                                   \
		type *v;                                                                           \
		size_t n, cap;                                                                     \
	}
#define vec_push(a, vec)                                                                           \
	(arena_grow((a), (void **)&(vec)->v, (vec)->n, &(vec)->cap, sizeof(*(vec)->v)),            \
	 &(vec)->v[(vec)->n++])
#define vec_foreach(type, it, vec) for (type *it = (vec)->v; it && it < (vec)->v + (vec)->n; it++)

#endif
