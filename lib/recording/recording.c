/* SPDX-License-Identifier: MIT */
/* recording: a new recording, and the names of its enumerations as JSON and people see them. */
#include "lib/recording/recording.h"

#include "lib/base/cleanup.h"
#include "lib/recording/names.h"

const char *const rec_how_names[] = {"OBSERVED", "RE-ASKED", "INFERRED", NULL};

const char *const rec_step_names[] = {
	[REC_APP_SEND] = "app-send", [REC_DEV_TX] = "dev-tx",
	[REC_DEV_RX] = "dev-rx",     [REC_BRIDGE] = "bridge",
	[REC_HOOK] = "hook",	     [REC_DNAT] = "dnat",
	[REC_SNAT] = "snat",	     [REC_UNNAT] = "unnat",
	[REC_CT_STEP] = "conntrack", [REC_ROUTE] = "route",
	[REC_NEIGH] = "neigh",	     [REC_FDB] = "fdb",
	[REC_ENCAP] = "encap",	     [REC_DECAP] = "decap",
	[REC_DELIVER] = "deliver",   [REC_ICMP_ERROR] = "icmp-error",
	[REC_DROP] = "drop",	     [REC_LOST] = "lost",
	[REC_APP_RECV] = "app-recv", [REC_IPVS] = "ipvs-schedule",
	[REC_IPVS + 1] = NULL,
};

const char *const rec_match_names[] = {"rule", "return", "policy", NULL};

const char *const rec_ct_names[] = {"new", "update", "destroy", "before", "after", NULL};

struct recording *recording_new(struct arena *a)
{
	struct recording *r = arena_new_type(a, struct recording);
	r->arena = a;
	r->probe.from_ns = -1;
	r->verdict.ns = -1;
	return r;
}

const char *rec_how_str(enum rec_how h)
{
	return (unsigned)h < ARRAY_SIZE(rec_how_names) - 1 ? rec_how_names[h] : "?";
}

const char *rec_step_kind_str(enum rec_step_kind k)
{
	return (unsigned)k < ARRAY_SIZE(rec_step_names) - 1 ? rec_step_names[k] : "?";
}
