/* SPDX-License-Identifier: MIT */
/*
 * rootfs_busybox: the applets of a pod's busybox. Debian's is built without some options of the
 * busybox image of Docker's library with which people look at Services and NetworkPolicies (it even
 * crashes at `wget -T`): scripts add them.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "labd/kernel/rootfs.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"

/* -T, --timeout: here a limit for the whole download. */
static const char wget_script[] =
	"#!/bin/busybox sh\n"
	"limit= next=\n"
	"for a; do\n"
	"	shift\n"
	"	if [ \"$next\" ]; then\n"
	"		limit=$a next=\n"
	"		continue\n"
	"	fi\n"
	"	case $a in\n"
	"	-T | --timeout) next=1 ;;\n"
	"	-[cqS]T | -[cqS][cqS]T) next=1; set -- \"$@\" \"${a%T}\" ;;\n"
	"	-T*) limit=${a#-T} ;;\n"
	"	--timeout=*) limit=${a#*=} ;;\n"
	"	*) set -- \"$@\" \"$a\" ;;\n"
	"	esac\n"
	"done\n"
	"[ \"$limit\" ] || exec /bin/busybox wget \"$@\"\n"
	"/bin/busybox timeout -s INT \"$limit\" /bin/busybox wget \"$@\"\n"
	"code=$?\n"
	"[ $code != 130 ] || { echo 'wget: download timed out' >&2; code=1; }\n"
	"exit $code\n";

/* -z: only connect; -v: say so; -n: the others have no use for it. */
static const char nc_script[] =
	"#!/bin/busybox sh\n"
	"zero= loud= wait=10 pass= all=$*\n"
	"while getopts lnvzp:w:i: o 2>/dev/null; do\n"
	"	case $o in\n"
	"	z) zero=1 ;;\n"
	"	v) loud=1 ;;\n"
	"	n) ;;\n"
	"	w) wait=$OPTARG pass=\"$pass -w $wait\" ;;\n"
	"	[pi]) pass=\"$pass -$o $OPTARG\" ;;\n"
	"	l) pass=\"$pass -l\" ;;\n"
	"	*) exec /bin/busybox nc $all ;;\n"
	"	esac\n"
	"done\n"
	"shift $((OPTIND - 1))\n"
	"[ \"$zero\" ] && [ $# = 2 ] || exec /bin/busybox nc $pass \"$@\"\n"
	"ip=$(getent ahostsv4 \"$1\" | { read -r ip _ && echo \"$ip\"; })\n"
	"ip=${ip:-$1}\n"
	"said=$(/bin/busybox nc -w \"$wait\" \"$ip\" \"$2\" -e /bin/true 2>&1 </dev/null)\n"
	"code=$?\n"
	"case $said in\n"
	"*'timed out'*) said='Connection timed out' ;;\n"
	"esac\n"
	"if [ $code != 0 ]; then\n"
	"	echo \"nc: $1 ($ip:$2): ${said##*: }\" >&2\n"
	"elif [ \"$loud\" ]; then\n"
	"	echo \"$1 ($ip:$2) open\" >&2\n"
	"fi\n"
	"exit $code\n";

/* A busybox sh takes its own applets before what PATH says. One that is not interactive reads no
 * file: there the scripts have to be called by their paths. */
static const char ashrc[] = "wget() { /opt/busybox/bin/wget \"$@\"; }\n"
			    "nc() { /opt/busybox/bin/nc \"$@\"; }\n";

static int make_applet(const char *name, const char *path, struct err *err)
{
	static const struct {
		const char *name, *script;
	} scripts[] = {{"wget", wget_script}, {"nc", nc_script}};
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++)
		if (strcmp(name, scripts[i].name) == 0)
			return file_write(path, scripts[i].script, strlen(scripts[i].script), 0755,
					  err);
	return symlink("/bin/busybox", path) < 0 ? err_sys(err, errno, "%s", path) : 0;
}

int rootfs_applets(const char *applets, struct err *err)
{
	static const char dir[] = "opt/busybox/bin/";
	int r = dir_make("opt/busybox/bin", 0755, err);
	if (r == 0)
		r = file_write(&ROOTFS_ASHRC[1], ashrc, sizeof(ashrc) - 1, 0644, err);
	while (r == 0 && *applets) {
		char path[96] = {0};
		memcpy(path, dir, sizeof(dir));
		size_t n = strcspn(applets, "\n");
		if (n > 0 && n < sizeof(path) - sizeof(dir) && !memchr(applets, '/', n)) {
			memcpy(path + sizeof(dir) - 1, applets, n);
			r = make_applet(path + sizeof(dir) - 1, path, err);
		}
		applets += n + (applets[n] == '\n');
	}
	return r;
}
