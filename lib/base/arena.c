/* SPDX-License-Identifier: MIT */
/* See arena.h. A list of chunks; big allocations get a chunk of their own. */
#include "lib/base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE  (64u * 1024u)
#define ALIGN	    16u
#define FORMAT_ROOM 256u

/* Under the address sanitizer a chunk is forbidden ground but for what was handed out, and between
 * two pieces lies a gap. */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define GAP ALIGN
#else
#define ASAN_POISON_MEMORY_REGION(p, n)	  ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define GAP				  0u
#endif

struct chunk {
	struct chunk *next;
	size_t size, used;
	_Alignas(ALIGN) unsigned char data[];
};

struct arena {
	struct chunk *head;
	size_t used;
};

static void die_oom(void)
{
	fputs("out of memory\n", stderr);
	abort();
}

struct arena *arena_new(void)
{
	struct arena *a = calloc(1, sizeof(*a));
	if (!a)
		die_oom();
	return a;
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	struct chunk *next;
	for (struct chunk *c = a->head; c; c = next) {
		next = c->next;
		ASAN_UNPOISON_MEMORY_REGION(c->data, c->size);
		free(c);
	}
	free(a);
}

static struct chunk *chunk_new(size_t size)
{
	struct chunk *c = calloc(1, sizeof(*c) + size);
	if (!c)
		die_oom();
	c->size = size;
	ASAN_POISON_MEMORY_REGION(c->data, size);
	return c;
}

void *arena_alloc(struct arena *a, size_t size)
{
	if (size > SIZE_MAX / 2)
		die_oom();
	size_t wanted = size;
	size = ((size + ALIGN - 1) & ~(size_t)(ALIGN - 1)) + GAP;
	a->used += size;
	struct chunk *c = a->head;
	if (!c || c->size - c->used < size) {
		if (size > CHUNK_SIZE / 4 && c) { /* own chunk, behind the current one */
			c = chunk_new(size);
			c->next = a->head->next;
			a->head->next = c;
		} else {
			c = chunk_new(size > CHUNK_SIZE ? size : CHUNK_SIZE);
			c->next = a->head;
			a->head = c;
		}
	}
	void *p = c->data + c->used;
	c->used += size;
	ASAN_UNPOISON_MEMORY_REGION(p, wanted);
	return p;
}

void *arena_calloc(struct arena *a, size_t n, size_t size)
{
	if (size && n > SIZE_MAX / 2 / size)
		die_oom();
	return arena_alloc(a, n * size);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = arena_alloc(a, len + 1);
	memcpy(p, s, len);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	char shortly[FORMAT_ROOM];
	va_list ap2;
	va_copy(ap2, ap);
	int n = vsnprintf(shortly, sizeof(shortly), fmt, ap2);
	va_end(ap2);
	if (n < 0)
		die_oom();
	char *p = arena_alloc(a, (size_t)n + 1);
	if ((size_t)n < sizeof(shortly))
		memcpy(p, shortly, (size_t)n);
	else /* once more */
		vsnprintf(p, (size_t)n + 1, fmt, ap);
	return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *p = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return p;
}

size_t arena_used(const struct arena *a)
{
	return a->used;
}

void arena_grow(struct arena *a, void **items, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return;
	size_t want = *cap ? *cap * 2 : 8;
	void *p = arena_calloc(a, want, size);
	if (n)
		memcpy(p, *items, n * size);
	*items = p;
	*cap = want;
}
