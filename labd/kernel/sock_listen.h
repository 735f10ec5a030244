/* SPDX-License-Identifier: MIT */
/*
 * sock_listen: is a port of a network namespace served? Asked of the kernel for that one port
 * (sock_diag), which takes microseconds; /proc/net/tcp, which every other way ends in, walks the
 * table of all the machine's connections (1.5 ms a look on a machine with 4 GB).
 */
#ifndef KERNEL_SOCK_LISTEN_H
#define KERNEL_SOCK_LISTEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/addr.h"
#include "lib/kube/objects.h"

/* Does a socket in the network namespace of process pid listen on ip:port (TCP), or receive there
 * from anybody (UDP)? Bound to all addresses counts. False when it cannot be told. SCTP: false. */
bool sock_listens(pid_t pid, enum proto proto, ip4 ip, uint16_t port);

#endif
