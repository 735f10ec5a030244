/* SPDX-License-Identifier: MIT */
/*
 * net_announce: telling the neighbours on a bridge that an address is at another MAC now. A new pod
 * may have the address of one that just went; whoever talked to that one (the node, other pods)
 * keeps its MAC for up to half a minute and loses every packet. CNI's bridge plugin therefore makes
 * a pod's eth0 announce itself (arp_notify), and so does this. Not for devices that are no port of
 * a bridge: their neighbour entries go with the device.
 */
#ifndef KERNEL_NET_ANNOUNCE_H
#define KERNEL_NET_ANNOUNCE_H

#include "labd/kernel/net.h"

/*
 * For every device of namespace i whose other end is a port of a bridge: wait (a tenth of a second
 * at most) until the port forwards, then broadcast an ARP request for the device's own address with
 * that address as sender (RFC 5227's announcement; what inetdev_send_gratuitous_arp() of the kernel
 * sends). A device that is down or gone is passed over. Negative errno.
 */
int net_announce(const struct net_ctx *x, int i, struct err *err);

#endif
