/* SPDX-License-Identifier: MIT */
/* The answers of health.h, without sockets. */
#include <stdio.h>
#include <string.h>

#include "labd/init/agnhost.h"
#include "labd/init/health.h"

#define SINCE_HEALTHY 28 /* serviceProxyHealthy, nodeEligible, /livez */
#define SINCE_WEIGHT  29 /* X-Load-Balancing-Endpoint-Weight */
#define BODY_MAX      1024

struct answer {
	int status;
	const char *type;
	char weight[64]; /* a header line, or "" */
	char body[BODY_MAX];
};

static const char json[] = "application/json";
static const char plain[] = "text/plain; charset=utf-8";

static void service(const struct health_conf *c, const struct health_port *p, struct answer *a)
{
	bool told = c->minor >= SINCE_HEALTHY;
	a->status = p->endpoints ? 200 : 503;
	a->type = json;
	if (c->minor >= SINCE_WEIGHT)
		snprintf(a->weight, sizeof(a->weight), "X-Load-Balancing-Endpoint-Weight: %u\r\n",
			 p->endpoints);
	snprintf(a->body, sizeof(a->body),
		 "{\n\t\"service\": {\n\t\t\"namespace\": \"%s\",\n\t\t\"name\": \"%s\"\n\t},\n"
		 "\t\"localEndpoints\": %u%s\n}",
		 p->ns, p->name, p->endpoints, told ? ",\n\t\"serviceProxyHealthy\": true" : "");
}

/* As Go prints a time with its monotonic part: no zeros at the end of the fraction. */
static void go_time(const struct timespec *now, double running, char *out, size_t size)
{
	char day[32], fraction[16];
	struct tm tm;
	strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", gmtime_r(&now->tv_sec, &tm));
	snprintf(fraction, sizeof(fraction), ".%09ld", now->tv_nsec);
	for (size_t n = strlen(fraction); n && strchr("0.", fraction[n - 1]); n--) {
		bool dot = fraction[n - 1] == '.';
		fraction[n - 1] = '\0';
		if (dot)
			break;
	}
	snprintf(out, size, "%s%s +0000 UTC m=+%.9f", day, fraction, running);
}

static bool proxy(const struct health_conf *c, const struct agn_request *r,
		  const struct timespec *now, double running, struct answer *a)
{
	char when[96];
	bool livez = strcmp(r->path, "/livez") == 0;
	if (strcmp(r->path, "/healthz") != 0 && !(livez && c->minor >= SINCE_HEALTHY))
		return false;
	go_time(now, running, when, sizeof(when));
	a->status = 200;
	a->type = json;
	snprintf(a->body, sizeof(a->body), "{\"lastUpdated\": \"%s\",\"currentTime\": \"%s\"%s}",
		 when, when, c->minor >= SINCE_HEALTHY && !livez ? ", \"nodeEligible\": true" : "");
	return true;
}

static bool metrics(const struct health_conf *c, const struct agn_request *r, struct answer *a)
{
	bool mode = strcmp(r->path, "/proxyMode") == 0;
	if (!mode && strcmp(r->path, "/healthz") != 0)
		return false;
	a->status = 200;
	a->type = plain;
	snprintf(a->body, sizeof(a->body), "%s", mode ? c->mode : "ok");
	return true;
}

size_t health_answer(const struct health_conf *c, const struct health_port *p,
		     const struct agn_request *r, bool keep_alive, const struct timespec *now,
		     double running, char *out, size_t size)
{
	struct answer a = {.status = 404, .type = plain, .body = "404 page not found\n"};
	char date[64];
	struct tm tm;
	if (p->kind == HEALTH_SERVICE)
		service(c, p, &a);
	else if (p->kind == HEALTH_PROXY)
		proxy(c, r, now, running, &a);
	else
		metrics(c, r, &a);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now->tv_sec, &tm));
	int n = snprintf(out, size,
			 "HTTP/1.1 %s\r\nContent-Type: %s\r\nX-Content-Type-Options: nosniff\r\n%s"
			 "Date: %s\r\nContent-Length: %zu\r\n%s\r\n%s",
			 a.status == 200   ? "200 OK"
			 : a.status == 503 ? "503 Service Unavailable"
					   : "404 Not Found",
			 a.type, a.weight, date, strlen(a.body),
			 keep_alive ? "" : "Connection: close\r\n",
			 strcmp(r->method, "HEAD") ? a.body : "");
	return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}
