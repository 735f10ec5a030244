/* SPDX-License-Identifier: MIT */
/*
 * labd: the daemon. This file reads the command line and starts one of the programs that share it:
 *
 *	labd --engine=host     serves labs on this machine's kernel (server.c); root
 *	labd --engine=user     the same in a user namespace (labd/user); an ordinary user
 *	labd --engine=guest    boots a guest kernel and passes clients to the labd inside
 *(labd/guest) labd --guest-init      is that one: process 1 of the guest, which runs server.c as
 *its child
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "labd/guest/host.h"
#include "labd/guest/init.h"
#include "labd/kernel/caps.h"
#include "labd/kernel/kmod.h"
#include "labd/kernel/proc.h"
#include "labd/server.h"
#include "labd/trace/symbols.h"
#include "labd/user/engine.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/wire/wire.h"

#define DEFAULT_IDLE_EXIT 60

struct options {
	const char *engine; /* "host", "user" or "guest" */
	bool guest_init, detached, load_modules;
	unsigned idle_exit; /* seconds; 0 never */
	char socket[PATH_MAX];
	char run[PATH_MAX];
};

static const char usage[] =
	"usage: labd [--engine=host|user|guest] [--socket=PATH] [--idle-exit=SECONDS] "
	"[--load-modules]\n"
	"            [--detached] [--debug] [--version] [--help]\n"
	"Builds Kubernetes network labs for labctl; labctl starts it by itself. See labd(8).\n";

static int number(const char *s, unsigned *ret)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);
	if (end == s || *end || v > 1000000)
		return -1;
	*ret = (unsigned)v;
	return 0;
}

enum { O_ENGINE = 1, O_SOCKET, O_IDLE, O_MODULES, O_DETACHED, O_DEBUG, O_VERSION, O_HELP, O_INIT };

static const struct option long_options[] = {
	{"engine", required_argument, NULL, O_ENGINE},
	{"socket", required_argument, NULL, O_SOCKET},
	{"idle-exit", required_argument, NULL, O_IDLE},
	{"load-modules", no_argument, NULL, O_MODULES},
	{"detached", no_argument, NULL, O_DETACHED},
	{"debug", no_argument, NULL, O_DEBUG},
	{"version", no_argument, NULL, O_VERSION},
	{"help", no_argument, NULL, O_HELP},
	{"guest-init", no_argument, NULL, O_INIT},
	{NULL, 0, NULL, 0},
};

/* 0: go on; 1: done (help); 2: usage error. */
static int parse(int argc, char **argv, struct options *o)
{
	for (int c; (c = getopt_long(argc, argv, "h", long_options, NULL)) != -1;) {
		switch (c) {
		case O_ENGINE:
			if (strcmp(optarg, "host") != 0 && strcmp(optarg, "user") != 0 &&
			    strcmp(optarg, "guest") != 0) {
				fprintf(stderr, "labd: --engine is host, user or guest, not %s\n",
					optarg);
				return 2;
			}
			o->engine = optarg;
			break;
		case O_SOCKET:
			snprintf(o->socket, sizeof(o->socket), "%s", optarg);
			break;
		case O_IDLE:
			if (number(optarg, &o->idle_exit) < 0) {
				fprintf(stderr, "labd: --idle-exit takes seconds, not %s\n",
					optarg);
				return 2;
			}
			break;
		case O_MODULES:
			o->load_modules = true;
			break;
		case O_DETACHED:
			o->detached = true;
			break;
		case O_DEBUG:
			log_set_level(LOG_DEBUG);
			break;
		case O_VERSION:
			printf("labd %s\n", wire_build());
			return 1;
		case O_INIT:
			o->guest_init = true;
			break;
		case 'h':
		case O_HELP:
			fputs(usage, stdout);
			return 1;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "labd: unexpected argument %s\n%s", argv[optind], usage);
		return 2;
	}
	return 0;
}

/* What goes wrong has been said on stderr by now; from here on nobody reads it. */
static void detach(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

/* The state of labs lies beside the socket: nobody else may put anything there. */
static int own_directory(const char *path, struct err *err)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return err_sys(err, errno, "%s", path);
	if (st.st_uid == geteuid() && !(st.st_mode & S_IWOTH))
		return 0;
	err_setc(err, EPERM, ERR_DENIED, "%s: %s", path,
		 st.st_uid == geteuid() ? "everybody may write there"
					: "the directory belongs to somebody else");
	return err_hint(err, "labd needs a directory of its own for its socket and state");
}

static int find_paths(struct options *o, struct err *err)
{
	if (!o->socket[0])
		wire_socket_path(o->socket, sizeof(o->socket), o->engine);
	snprintf(o->run, sizeof(o->run), "%s", o->socket);
	char *slash = strrchr(o->run, '/');
	if (!slash || slash == o->run)
		return err_setc(err, EINVAL, ERR_USAGE,
				"%s: a socket needs an absolute path in a directory", o->socket);
	*slash = '\0';
	int r = dir_make(o->run, 0755, err);
	return r < 0 ? r : own_directory(o->run, err);
}

/* Probe, prepare, serve; on the host and inside a guest alike. */
static int serve(struct server *s, const struct options *o, struct err *err)
{
	char shared[PATH_MAX];
	if (o->load_modules)
		json_decref(kmod_load());
	symbols_open();
	int r = caps_keep(err);
	if (r == 0)
		r = probe_kernel(&s->probe, err);
	if (r < 0)
		return r;
	s->engine.probe = &s->probe;
	s->engine.backend = s->probe.backend;
	s->idle_exit = o->idle_exit;
	snprintf(shared, sizeof(shared), "%s/shared", s->engine.run);
	r = proc_setup(shared, err);
	if (r < 0)
		return r;
	if (o->detached)
		detach();
	return server_run(s, err);
}

static int run_host(const struct options *o, struct err *err)
{
	if (geteuid() != 0) {
		err_setc(err, EPERM, ERR_DENIED, "the host engine needs root");
		return err_hint(err, "sudo labd, or --engine=user or guest, which need no rights");
	}
	struct server s = {.engine = {.run = o->run, .name = "host"}, .accept = server_accept_unix};
	if (sd_listen_fds(1) > 0) {
		s.listen_fd = SD_LISTEN_FDS_START;
	} else {
		s.listen_fd = server_listen(o->socket, err);
		s.socket_path = o->socket;
	}
	return s.listen_fd < 0 ? s.listen_fd : serve(&s, o, err);
}

static void room_ready(void *arg)
{
	const struct options *o = arg;
	sd_notify(0, "READY=1");
	if (o->detached)
		detach();
}

static int serve_in_room(int listen_fd, void *arg)
{
	struct err err = {0};
	struct server s = {.engine = {.run = USER_STATE_DIR, .name = "user"},
			   .listen_fd = listen_fd,
			   .accept = server_accept_unix};
	int r = serve(&s, arg, &err);
	if (r < 0)
		err_print(&err, "labd");
	return r < 0 ? (int)err.cls : 0;
}

static int run_user(struct options *o, struct err *err)
{
	if (geteuid() == 0) {
		err_setc(err, EPERM, ERR_DENIED, "the user engine is for ordinary users");
		return err_hint(err, "root has the host engine");
	}
	struct user_engine u = {.listen_fd = server_listen(o->socket, err),
				.socket_path = o->socket,
				.serve = serve_in_room,
				.ready = room_ready,
				.arg = o};
	if (u.listen_fd < 0)
		return u.listen_fd;
	int r = user_engine_run(&u, err);
	close(u.listen_fd);
	rmdir(o->run); /* fails while something else is in it, as it should */
	if (r > 0)     /* the server inside has said why */
		exit(r);
	return r;
}

static int run_guest(struct options *o, struct err *err)
{
	char exe[PATH_MAX] = {0}, dir[PATH_MAX], helper[PATH_MAX + 16], idle[32];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (n < 0)
		return err_sys(err, errno, "/proc/self/exe");
	memcpy(dir, exe, sizeof(dir));
	snprintf(helper, sizeof(helper), "%s/labd-init", dirname(dir));
	snprintf(idle, sizeof(idle), "--idle-exit=%u", o->idle_exit);
	const char *const helpers[] = {helper, NULL}, *const args[] = {idle, NULL};
	struct guest_opts g = {.listen_fd = server_listen(o->socket, err),
			       .socket_path = o->socket,
			       .helpers = helpers,
			       .args = args,
			       .ready = room_ready,
			       .arg = o};
	if (g.listen_fd < 0)
		return g.listen_fd;
	int r = guest_engine_run(&g, err);
	close(g.listen_fd);
	rmdir(o->run); /* fails while something else is in it, as it should */
	return r;
}

static int serve_in_guest(int clients_fd, void *arg)
{
	struct err err = {0};
	struct server s = {.engine = {.run = GUEST_STATE_DIR, .name = "guest"},
			   .listen_fd = clients_fd,
			   .accept = guest_accept};
	if (serve(&s, arg, &err) < 0) {
		err_print(&err, "labd");
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "-q") == 0) /* the guest's kernel asks for a module */
		return guest_modprobe_main(argc, argv);
	struct options o = {.idle_exit = DEFAULT_IDLE_EXIT, .engine = "host"};
	struct err err = {0};
	log_set_prefix(getenv("JOURNAL_STREAM") != NULL);
	int r = parse(argc, argv, &o);
	if (r)
		return r == 1 ? 0 : ERR_USAGE;
	umask(022);
	if (o.guest_init)
		return guest_init_main(serve_in_guest, &o);
	r = find_paths(&o, &err);
	if (r == 0)
		r = strcmp(o.engine, "guest") == 0  ? run_guest(&o, &err)
		    : strcmp(o.engine, "user") == 0 ? run_user(&o, &err)
						    : run_host(&o, &err);
	if (r < 0) {
		err_print(&err, "labd");
		return err.cls ? (int)err.cls : 1;
	}
	return 0;
}
