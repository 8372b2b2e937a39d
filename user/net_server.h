/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The server behind a mounted file system, from the words of mountinfo. */
#ifndef SLUICE_NET_SERVER_H
#define SLUICE_NET_SERVER_H

#include "user/mounts.h"

/* In a flow's proto, where IANA has none: what was written to a file system of another host. */
enum net_proto {
	NET_FIRST = 240,
	NET_NFS = NET_FIRST,
	NET_SMB,
	NET_9P,
	NET_CEPH,
	NET_LUSTRE,
	NET_AFS,
	NET_VIRTIOFS,
	NET_OTHER,
	NET_END,
};

struct net_server {
	uint8_t proto; /* enum net_proto */
	uint8_t addr[16];
	uint16_t port; /* host order */
	bool known;    /* its address; else both are zero */
};

/* "nfs", "smb", ...; NULL: no such protocol. */
const char *net_proto_name(uint8_t proto);

/* False: a file system of this host, or one that a process of this host serves. Of a cluster whose members are not named the
 * one that is. Text is hostile; an address that makes no sense is not known. */
bool net_server_of(const struct mount_point *m, struct net_server *ret);

/* The same by the file system's magic number, where no mountinfo tells of it: its address is not known. */
bool net_server_of_magic(uint64_t magic, struct net_server *ret);

#endif
