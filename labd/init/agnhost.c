/* SPDX-License-Identifier: MIT */
/* agnhost: verbs and flags; see agnhost.h. */
#include "labd/init/agnhost.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "labd/init/init.h"

void agn_log(const char *fmt, ...)
{
	char line[1024], when[32];
	time_t now = time(NULL);
	struct tm tm;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	strftime(when, sizeof(when), "%Y/%m/%d %H:%M:%S", gmtime_r(&now, &tm));
	dprintf(2, "%s %s\n", when, line);
}

/* Go's: a sequence of decimal numbers with units; a bare 0 too. */
static bool parse_duration(const char *s, int64_t *ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
	double sum = 0;
	if (!strcmp(s, "0")) {
		*ns = 0;
		return true;
	}
	if (!*s)
		return false;
	while (*s) {
		size_t len = strspn(s, "0123456789.");
		char *end;
		double v = strtod(s, &end);
		if (len == 0 || end != s + len)
			return false;
		size_t unit = strcspn(end, "0123456789.");
		size_t i = 0;
		while (i < 6 &&
		       (strlen(units[i].name) != unit || strncmp(units[i].name, end, unit)))
			i++;
		if (i == 6)
			return false;
		sum += v * units[i].ns;
		s = end + unit;
	}
	if (sum > 9e18)
		return false;
	*ns = (int64_t)sum;
	return true;
}

static bool set_flag(const struct agn_flag *f, const char *v)
{
	char *end;
	long n;
	switch (f->kind) {
	case AGN_INT:
		n = strtol(v, &end, 10);
		if (!*v || *end || n < -1 || n > 65535)
			return false;
		*(int *)f->value = (int)n;
		return true;
	case AGN_BOOL:
		if (strcmp(v, "true") && strcmp(v, "false"))
			return false;
		*(bool *)f->value = v[0] == 't';
		return true;
	case AGN_DURATION:
		return parse_duration(v, f->value);
	case AGN_STRING:
		*(const char **)f->value = v;
		return true;
	}
	return false;
}

int agn_flags(int argc, char **argv, const struct agn_flag *flags)
{
	int rest = 0;
	for (int i = 0; i < argc; i++) {
		char *word = argv[i];
		if (strncmp(word, "--", 2)) {
			argv[rest++] = word;
			continue;
		}
		const char *name = word + 2, *eq = strchr(name, '=');
		size_t len = eq ? (size_t)(eq - name) : strlen(name);
		const struct agn_flag *f = flags;
		while (f->name && (strlen(f->name) != len || strncmp(f->name, name, len)))
			f++;
		if (!f->name) {
			fprintf(stderr, "Error: unknown flag: --%.*s\n", (int)len, name);
			exit(1);
		}
		const char *v = eq ? eq + 1 : f->kind == AGN_BOOL ? "true" : argv[++i];
		if (!v || i >= argc) {
			fprintf(stderr, "Error: flag needs an argument: --%s\n", f->name);
			exit(1);
		}
		if (!set_flag(f, v)) {
			fprintf(stderr, "Error: invalid argument \"%s\" for \"--%s\" flag\n", v,
				f->name);
			exit(1);
		}
	}
	return rest;
}

static int netexec_main(int argc, char **argv)
{
	struct agn_serve s = {
		.look = AGN_NETEXEC, .http_port = 8080, .tcp_port = -1, .udp_port = 8081};
	const struct agn_flag flags[] = {{"http-port", AGN_INT, &s.http_port},
					 {"udp-port", AGN_INT, &s.udp_port},
					 {NULL, AGN_INT, NULL}};
	if (agn_flags(argc, argv, flags) > 0) {
		fputs("Error: netexec takes no arguments\n", stderr);
		return 1;
	}
	agn_serve(&s);
}

static int serve_hostname_main(int argc, char **argv)
{
	bool tcp = false, udp = false, http = true, end = false;
	int port = 9376;
	const struct agn_flag flags[] = {{"tcp", AGN_BOOL, &tcp},   {"udp", AGN_BOOL, &udp},
					 {"http", AGN_BOOL, &http}, {"close", AGN_BOOL, &end},
					 {"port", AGN_INT, &port},  {NULL, AGN_INT, NULL}};
	if (agn_flags(argc, argv, flags) > 0) {
		fputs("Error: serve-hostname takes no arguments\n", stderr);
		return 1;
	}
	if (http && (tcp || udp)) {
		agn_log("Can't server TCP/UDP mode and HTTP mode at the same time");
		return 1;
	}
	struct agn_serve s = {.look = AGN_SERVE_HOSTNAME,
			      .http_port = http ? port : -1,
			      .tcp_port = tcp ? port : -1,
			      .udp_port = udp ? port : -1,
			      .close = end};
	agn_serve(&s);
}

/* PORT/tcp or PORT/udp. */
static bool port_word(const char *word, struct agn_serve *s)
{
	char *end;
	long port = strtol(word, &end, 10);

	*s = (struct agn_serve){
		.look = AGN_NETEXEC, .http_port = -1, .tcp_port = -1, .udp_port = -1};
	if (end == word || port < 1 || port > 65535)
		return false;
	if (!strcmp(end, "/tcp"))
		s->http_port = (int)port;
	else if (!strcmp(end, "/udp"))
		s->udp_port = (int)port;
	return s->http_port > 0 || s->udp_port > 0;
}

static int pause_main(int argc, char **argv);

/* Not of the real agnhost: serves as netexec does on each of the ports named, for a container whose
 * own program is not on this machine (lib/kube/images.h). Ends when one of them cannot be served.
 */
static int stand_in_main(int argc, char **argv)
{
	struct agn_serve s;
	int status;

	for (int i = 0; i < argc; i++) {
		if (!port_word(argv[i], &s)) {
			fprintf(stderr, "Error: \"%s\" is not PORT/tcp or PORT/udp\n", argv[i]);
			return 1;
		}
		pid_t pid = argc > 1 ? fork() : 0;
		if (pid < 0) {
			agn_log("fork: %s", strerror(errno));
			return 1;
		}
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			agn_serve(&s);
		}
	}
	if (argc == 0)
		return pause_main(0, NULL);
	wait(&status);
	return 1;
}

static void end_on_signal(int sig)
{
	_exit(0);
}

static int pause_main(int argc, char **argv)
{
	signal(SIGTERM, end_on_signal);
	signal(SIGINT, end_on_signal);
	puts("Paused");
	fflush(stdout);
	while (pause() < 0)
		;
	return 0;
}

static const struct {
	const char *name, *help;
	int (*run)(int argc, char **argv);
} verbs[] = {
	{"connect", "Attempts a TCP or UDP connection and returns useful errors", agn_connect_main},
	{"netexec", "Creates HTTP and UDP servers with various endpoints", netexec_main},
	{"pause", "Pauses the execution", pause_main},
	{"serve-hostname", "Serves the hostname", serve_hostname_main},
	{"stand-in", "Serves PORT/tcp and PORT/udp in place of another image's program",
	 stand_in_main},
};

static int help(void)
{
	puts("Usage:\n  agnhost [command]\n\nAvailable Commands:");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		printf("  %-15s %s\n", verbs[i].name, verbs[i].help);
	return 0;
}

int agnhost_main(int argc, char **argv)
{
	if (argc < 2)
		return pause_main(0, NULL); /* the image's default command */
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return help();
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].run(argc - 2, argv + 2);
	}
	fprintf(stderr, "Error: unknown command \"%s\" for \"app\"\n", argv[1]);
	fputs("Run 'app --help' for usage.\n", stderr);
	return 1;
}
