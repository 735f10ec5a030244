/* SPDX-License-Identifier: MIT */
/* main: labctl's command line to a verb of the table, and its outcome to an exit code. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "labctl/help.h"
#include "labctl/opts.h"

#define EXIT_INTERRUPTED (128 + SIGINT)

int main(int argc, char **argv)
{
	struct opts o;
	struct err err = {0};
	int r = opts_parse(argv + (argc > 0), &o, &err);
	if (r == 0 && !o.verb) {
		help_all(stdout);
		free(o.args);
		return 0;
	}
	if (r == 0 && o.val[FLAG_HELP] && !o.verb->hidden)
		help_verb(o.verb, stdout);
	else if (r == 0)
		r = o.verb->run(&o, &err);
	free(o.args);
	if (r < 0) {
		fflush(stdout);
		err_print(&err, "labctl");
		if (err.code == -EINTR || err.code == -ECANCELED)
			return EXIT_INTERRUPTED;
		return err.cls >= ERR_FAILED ? (int)err.cls : ERR_FAILED;
	}
	return r;
}
