/* SPDX-License-Identifier: MIT */
/*
 * ipvs_nl: the kernel's virtual services by netlink, in the words of ipvsadm(8): text in the form
 * of `ipvsadm --restore` goes in, text in that of `ipvsadm --save -n` comes out. ipvsadm opens a
 * socket and asks for IPVS's number for every line; with 1,000 Services that takes 8 s a node in a
 * guest.
 */
#ifndef KERNEL_IPVS_NL_H
#define KERNEL_IPVS_NL_H

#include <stdint.h>

#include "lib/base/err.h"
#include "lib/base/strbuf.h"

/* Carry out lines "-A|-E|-D SERVICE [-s NAME] [-p SECONDS] [-b FLAGS]" and "-a|-e|-d SERVICE -r
 * ADDR:PORT [-m] [-w N]", where SERVICE is "-t|-u|--sctp-service ADDR:PORT". The first that the
 * kernel refuses is named; others may have been carried out. */
int ipvs_nl_restore(int netns, const char *text, struct err *err);
/* Append what is there: a line for each service and destination, in the kernel's order. conns (may
 * be NULL) gets a line "SERVICE DEST" for each destination that has connections. */
int ipvs_nl_save(int netns, struct strbuf *out, struct strbuf *conns, struct err *err);

#endif
