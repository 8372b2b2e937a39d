/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which servers' answers are believed: those that the host is set up to ask. These are Amazon's resolvers (class dns), the
 * configuration's network.resolvers, and the nameservers of etc/resolv.conf and run/systemd/resolve/resolv.conf. One on
 * loopback is believed in the monitor's own network namespace alone.
 *
 * An address proves nothing in a namespace that anyone could make: there anyone can have any address. Whoever calls asks
 * only of namespaces whose addresses root gave, as classes_local() has it, and of no answer that came by a loopback device
 * but from a loopback address.
 */
#ifndef SLUICE_RESOLVERS_H
#define SLUICE_RESOLVERS_H

#include <sys/stat.h>

#include "user/dest/class.h"

#define RESOLVERS_MOST 16 /* of one file */

struct resolvers;

/* The files lie under `root`, "/" for the host's; `netns` is the monitor's own. What cannot be read names nobody. -ENOMEM. */
int resolvers_new(const char *root, uint32_t netns, struct resolvers **ret);
struct resolvers *resolvers_free(struct resolvers *r);
static inline void resolvers_freep(struct resolvers **r)
{
	resolvers_free(*r);
}

/* network.resolvers in place of those before; copied. -ENOMEM: nothing has changed. */
int resolvers_configure(struct resolvers *r, const struct host_addr *addrs, size_t n);

/* Reads the files that changed since. True: one did. */
bool resolvers_refresh(struct resolvers *r);

/* Port in host order; `class` is the address's. */
bool resolver_believed(const struct resolvers *r, uint32_t netns, const uint8_t addr[static 16], uint16_t port,
		       enum dest_class class);

/* "10.0.0.2", "fe80::1%eth0"; false: neither. IPv4 as ::ffff:a.b.c.d. */
bool address_parse(const char *word, struct host_addr *ret);
bool address_is_loopback(const uint8_t addr[static 16]);

/* By device, inode, size and time of change. */
bool file_unchanged(const struct stat *a, const struct stat *b);

#endif
