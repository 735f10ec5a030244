/* SPDX-License-Identifier: MIT */
/* names: the spelling of recording.h's enumerations, ended by NULL; shared within this room. */
#ifndef RECORDING_NAMES_H
#define RECORDING_NAMES_H

extern const char *const rec_how_names[];
extern const char *const rec_step_names[];
extern const char *const rec_match_names[];
extern const char *const rec_ct_names[];

#endif
