/* SPDX-License-Identifier: MIT */
/* See net_announce.h. */
#include "labd/kernel/net_announce.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "labd/kernel/nlbatch.h"
#include "lib/base/cleanup.h"

#define WORKS_STEP_MS 1
#define WORKS_STEPS   1000 /* a machine with all hands full */

static struct ifreq request(const char *dev)
{
	struct ifreq ifr = {0};
	strncpy(ifr.ifr_name, dev, sizeof(ifr.ifr_name) - 1);
	return ifr;
}

/*
 * A port forwards, and a device sends (until then it drops what it is given, without an error),
 * when the kernel's link watch has seen its carrier, which it does in a worker. The flag tells that
 * it has; asking for the carrier takes the lock that the worker holds, so that it is through with
 * it (and on newer kernels does its work at once).
 */
static bool works(int sk, const char *dev)
{
	struct ethtool_value v = {.cmd = ETHTOOL_GLINK};
	struct ifreq flags = request(dev), link = request(dev);
	link.ifr_data = (void *)&v;
	if (ioctl(sk, SIOCGIFFLAGS, &flags) < 0)
		return true; /* nothing to wait for */
	ioctl(sk, SIOCETHTOOL, &link);
	return flags.ifr_flags & IFF_RUNNING;
}

/* Leaves the caller in the namespace. */
static int wait_for_link(struct nlns *home, int netns, const char *dev, struct err *err)
{
	struct timespec step = {.tv_nsec = WORKS_STEP_MS * 1000000};
	int r = nlns_enter(home, netns, err);
	if (r < 0)
		return r;
	_close_ int sk = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sk < 0)
		return err_sys(err, errno, "waiting for link %s", dev);
	for (int i = 0; i < WORKS_STEPS && !works(sk, dev); i++)
		nanosleep(&step, NULL);
	return 0;
}

static struct ether_arp packet(const unsigned char *mac, ip4 ip)
{
	struct ether_arp p = {.ea_hdr = {.ar_hrd = htons(ARPHRD_ETHER),
					 .ar_pro = htons(ETH_P_IP),
					 .ar_hln = ETH_ALEN,
					 .ar_pln = sizeof(ip),
					 .ar_op = htons(ARPOP_REQUEST)}};
	uint32_t net = htonl(ip);
	memcpy(p.arp_sha, mac, ETH_ALEN);
	memcpy(p.arp_spa, &net, sizeof(net));
	memcpy(p.arp_tpa, &net, sizeof(net));
	return p;
}

/* In the device's own namespace. */
static int say(const char *dev, ip4 ip)
{
	_close_ int sk = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = request(dev);
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ARP),
				 .sll_ifindex = (int)if_nametoindex(dev),
				 .sll_halen = ETH_ALEN};
	if (sk < 0)
		return -errno;
	if (!to.sll_ifindex || ioctl(sk, SIOCGIFHWADDR, &ifr) < 0)
		return 0;
	memset(to.sll_addr, 0xff, ETH_ALEN);
	struct ether_arp p = packet((unsigned char *)ifr.ifr_hwaddr.sa_data, ip);
	if (sendto(sk, &p, sizeof(p), 0, (struct sockaddr *)&to, sizeof(to)) < 0 &&
	    errno != ENETDOWN && errno != ENODEV)
		return -errno;
	return 0;
}

/* The bridge port at the other end of a device; NULL when it is none. */
static const struct dlink *port_of(const struct net_ctx *x, const struct dlink *l)
{
	if (l->kind != DLINK_VETH || l->peer_ns < 0 || x->netns[l->peer_ns] < 0)
		return NULL;
	vec_foreach (const struct dlink, p, &x->d->ns.v[l->peer_ns].links)
		if (p->master && strcmp(p->name, l->peer_name) == 0)
			return p;
	return NULL;
}

int net_announce(const struct net_ctx *x, int i, struct err *err)
{
	const struct dns *ns = &x->d->ns.v[i];
	_nlns_ struct nlns home = NLNS_INIT;
	vec_foreach (const struct dlink, l, &ns->links) {
		const struct dlink *port = port_of(x, l);
		int r = port ? wait_for_link(&home, x->netns[l->peer_ns], port->name, err) : 0;
		if (port && r >= 0)
			r = wait_for_link(&home, x->netns[i], l->name, err);
		if (r < 0)
			return err_path(err, "%s: link %s", ns->name, l->name);
		vec_foreach (const struct daddr, a, &ns->addrs) {
			if (!port || !a->dev || strcmp(a->dev, l->name) != 0)
				continue;
			r = say(l->name, a->addr.addr);
			if (r < 0) {
				err_sys(err, -r, "announcing %s", IP4(a->addr.addr));
				return err_path(err, "%s: link %s", ns->name, l->name);
			}
		}
	}
	return 0;
}
