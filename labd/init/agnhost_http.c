/* SPDX-License-Identifier: MIT */
/* agnhost's HTTP, without sockets: requests, netexec's endpoints, answers as Go's server writes
 * them (header order too). See agnhost.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "labd/init/agnhost.h"

static const char *find_head_end(const char *data, size_t len)
{
	const char *p = memmem(data, len, "\r\n\r\n", 4);
	return p ? p + 4 : NULL;
}

/* A header's value, trimmed; false if it is not there. line..end is the head's lines. */
static bool header(const char *line, const char *end, const char *name, char *out, size_t size)
{
	size_t n = strlen(name);
	while (line < end) {
		const char *eol = memmem(line, (size_t)(end - line), "\r\n", 2);
		if (!eol)
			eol = end;
		if ((size_t)(eol - line) > n && line[n] == ':' && !strncasecmp(line, name, n)) {
			const char *v = line + n + 1;
			while (v < eol && (*v == ' ' || *v == '\t'))
				v++;
			snprintf(out, size, "%.*s", (int)(eol - v), v);
			return true;
		}
		line = eol + 2;
	}
	return false;
}

int agn_parse(const char *data, size_t len, struct agn_request *r)
{
	char value[64];
	const char *end = find_head_end(data, len);
	if (!end)
		return len >= AGN_HEAD_MAX ? -1 : 0;
	const char *eol = memmem(data, len, "\r\n", 2);
	const char *sp1 = memchr(data, ' ', (size_t)(eol - data));
	const char *sp2 = sp1 ? memchr(sp1 + 1, ' ', (size_t)(eol - sp1 - 1)) : NULL;
	if (!sp2 || eol - sp2 < 9 || strncmp(sp2 + 1, "HTTP/1.", 7) || memchr(data, '\0', len))
		return -1;
	if ((size_t)(sp1 - data) >= sizeof(r->method) || sp1[1] != '/')
		return -1;
	snprintf(r->method, sizeof(r->method), "%.*s", (int)(sp1 - data), data);
	const char *target = sp1 + 1;
	const char *q = memchr(target, '?', (size_t)(sp2 - target));
	const char *path_end = q ? q : sp2;
	if ((size_t)(path_end - target) >= sizeof(r->path))
		return -1;
	snprintf(r->path, sizeof(r->path), "%.*s", (int)(path_end - target), target);
	snprintf(r->query, sizeof(r->query), "%.*s", q ? (int)(sp2 - q - 1) : 0, q ? q + 1 : "");
	r->keep_alive = sp2[8] == '1';
	if (header(eol + 2, end, "Connection", value, sizeof(value)))
		r->keep_alive = r->keep_alive ? strcasecmp(value, "close") != 0
					      : strcasecmp(value, "keep-alive") == 0;
	r->body = header(eol + 2, end, "Transfer-Encoding", value, sizeof(value)) ||
		  (header(eol + 2, end, "Content-Length", value, sizeof(value)) &&
		   strcmp(value, "0"));
	r->length = (size_t)(end - data);
	return 1;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void agn_param(const char *query, const char *name, char *out, size_t size)
{
	size_t n = strlen(name), w = 0;
	out[0] = '\0';
	for (const char *p = query; *p; p += strcspn(p, "&"), p += *p == '&') {
		if (strncmp(p, name, n) || p[n] != '=')
			continue;
		for (p += n + 1; *p && *p != '&' && w + 1 < size; p++) {
			bool esc = *p == '%' && hex(p[1]) >= 0 && hex(p[2]) >= 0;
			out[w++] = (char)(esc ? hex(p[1]) * 16 + hex(p[2]) : *p == '+' ? ' ' : *p);
			p += esc ? 2 : 0;
		}
		out[w] = '\0';
		return;
	}
}

/* As Go prints a time.Now(). */
static void now_text(char *out, size_t size)
{
	struct timespec t, mono;
	struct tm tm;
	char day[32];
	clock_gettime(CLOCK_REALTIME, &t);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", gmtime_r(&t.tv_sec, &tm));
	snprintf(out, size, "NOW: %s.%09ld +0000 UTC m=+%lld.%09ld", day, t.tv_nsec,
		 (long long)mono.tv_sec, mono.tv_nsec);
}

static void echo(const struct agn_request *r, struct agn_answer *a)
{
	char code[16], *end;
	agn_param(r->query, "code", code, sizeof(code));
	long status = strtol(code, &end, 10);
	if (code[0] && (*end || status < 100 || status > 999)) {
		snprintf(a->body, sizeof(a->body),
			 "argument 'code' must be an integer or empty, got \"%s\"\n", code);
		return;
	}
	if (code[0])
		a->status = (int)status;
	agn_param(r->query, "msg", a->body, AGN_HEAD_MAX);
}

static void leave(const struct agn_request *r, struct agn_answer *a)
{
	char code[16], *end;
	agn_param(r->query, "code", code, sizeof(code));
	long v = strtol(code, &end, 10);
	if (*end || v < 0 || v > 127)
		snprintf(a->body, sizeof(a->body),
			 "argument 'code' must be an integer [0-127] or empty, got \"%s\"\n", code);
	else
		a->exit_code = (int)v;
}

void agn_netexec(const struct agn_request *r, const char *hostname, const char *peer,
		 bool udp_ready, struct agn_answer *a)
{
	static const char *const absent[] = {"/shell", "/upload", "/dial", "/redirect"};
	const char *path = r->path;

	a->status = 200;
	a->body[0] = '\0';
	a->exit_code = -1;
	agn_log("GET %s", path);
	if (!strcmp(path, "/hostname") || !strcmp(path, "/hostName"))
		snprintf(a->body, sizeof(a->body), "%s", hostname);
	else if (!strcmp(path, "/clientip"))
		snprintf(a->body, sizeof(a->body), "%s", peer);
	else if (!strcmp(path, "/echo"))
		echo(r, a);
	else if (!strcmp(path, "/healthz"))
		a->status = udp_ready ? 200 : 412;
	else if (!strcmp(path, "/exit"))
		leave(r, a);
	else if (!strcmp(path, "/shutdown"))
		a->exit_code = 0;
	else
		now_text(a->body, sizeof(a->body));
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		if (!strcmp(path, absent[i])) {
			a->status = 501;
			snprintf(a->body, sizeof(a->body), "%s is not offered here\n", path);
		}
	}
}

static const char *reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} known[] = {{200, "OK"},
		     {201, "Created"},
		     {204, "No Content"},
		     {301, "Moved Permanently"},
		     {302, "Found"},
		     {400, "Bad Request"},
		     {401, "Unauthorized"},
		     {403, "Forbidden"},
		     {404, "Not Found"},
		     {412, "Precondition Failed"},
		     {418, "I'm a teapot"},
		     {429, "Too Many Requests"},
		     {500, "Internal Server Error"},
		     {501, "Not Implemented"},
		     {502, "Bad Gateway"},
		     {503, "Service Unavailable"},
		     {504, "Gateway Timeout"}};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (known[i].status == status)
			return known[i].text;
	}
	return NULL;
}

size_t agn_format(const struct agn_request *r, const struct agn_answer *a, bool keep_alive,
		  char *out, size_t size)
{
	char date[64], first[64];
	struct tm tm;
	time_t now = time(NULL);
	size_t len = strlen(a->body);
	const char *text = reason(a->status);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
	if (text)
		snprintf(first, sizeof(first), "%d %s", a->status, text);
	else
		snprintf(first, sizeof(first), "%d status code %d", a->status, a->status);
	int n = snprintf(out, size, "HTTP/1.1 %s\r\nDate: %s\r\nContent-Length: %zu\r\n%s%s\r\n%s",
			 first, date, len, len ? "Content-Type: text/plain; charset=utf-8\r\n" : "",
			 keep_alive ? "" : "Connection: close\r\n",
			 strcmp(r->method, "HEAD") ? a->body : "");
	return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}
