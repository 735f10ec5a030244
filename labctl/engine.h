/* SPDX-License-Identifier: MIT */
/* engine: starting engines, and choosing one for a lab (docs/PROTOCOL.md "How labctl starts an
 * engine"). */
#ifndef LABCTL_ENGINE_H
#define LABCTL_ENGINE_H

#include "labctl/client.h"
#include "lib/plan/desired.h"

#define ENGINE_IDLE_S                                                                              \
	60 /* an engine that labctl started by itself ends so long after its last lab */

struct engine_start {
	enum engine_kind kind;
	bool for_good;	 /* by `engine start`: idle_s counts, also 0 (never) */
	unsigned idle_s; /* with for_good */
	bool load_modules;
};

/* Start labd and wait until it answers. One that answers already is success. */
int engine_start(const struct engine_start *s, struct err *err);

/* Which engine the user wants: the flag's word (NULL: not given), else LABCTL_ENGINE, else "auto".
 */
int engine_wanted(const char *flag, const char **ret, struct err *err);

/*
 * The engine for a lab to be built, started if need be. want: "auto" or an engine's
 * name. When auto takes the guest, one line on stderr says why. ERR_UNSUPPORTED or ERR_DENIED when
 * there is none.
 */
int engine_pick(const char *want, const struct desired *d, enum engine_kind *ret, struct err *err);

/* Is the guest kernel's program there? */
bool engine_guest_installed(void);

#endif
