/* SPDX-License-Identifier: MIT */
/*
 * pace: how far a long call has got, told at most every PACE_MS, so that telling costs nothing. One
 * for the process: a session serves one call. Not for what is done, only for how much of it.
 */
#ifndef LAB_PACE_H
#define LAB_PACE_H

/* The step at hand has done `done` of `total`; `part` of 1 is how much of the whole call is done.
 */
typedef void (*pace_fn)(void *arg, const char *step, int done, int total, double part);

/* To whom it is told; NULL: nobody. */
void pace_to(pace_fn fn, void *arg);
/* A step of `total` things begins, with `before` of the whole call behind it; the step is `share`
 * of it (as measured, roughly). */
void pace_step(const char *name, int total, double before, double share);
/* So many of them are done. */
void pace_done(int done);

#endif
