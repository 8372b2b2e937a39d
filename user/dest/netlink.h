/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Questions to the kernel's routing tables, in the network namespace of the thread that opens. */
#ifndef SLUICE_NETLINK_H
#define SLUICE_NETLINK_H

#include "user/util.h"

#include <linux/rtnetlink.h>

struct netlink;

/* Negative errno of socket(2); -ENOMEM. */
int netlink_open(struct netlink **ret);
struct netlink *netlink_free(struct netlink *n);
static inline void netlink_freep(struct netlink **n)
{
	netlink_free(*n);
}

/* Takes one message of a dump; an error ends it. */
typedef int (*netlink_take)(void *arg, const struct nlmsghdr *h);

/* Dumps `type` (RTM_GETLINK, RTM_GETADDR) of all families. The callback's error, that of
 * send(2) and recv(2) or the kernel's. After an error the socket may only be freed. */
int netlink_dump(struct netlink *n, uint16_t type, netlink_take take, void *arg);

/* Sends a request (its sequence number is filled in). *ret_answer, valid until the next call, is
 * the one message that answers it; the kernel's refusal is the negative errno. */
int netlink_ask(struct netlink *n, struct nlmsghdr *request, const struct nlmsghdr **ret_answer);

/* The attributes that follow a fixed header of `header` bytes, and their length in bytes. */
const struct rtattr *netlink_attrs(const struct nlmsghdr *h, size_t header, int *ret_len);
const void *netlink_attr(const struct rtattr *a, int len, unsigned type, size_t *ret_len);
/* 0 when absent or too short. */
int netlink_attr_int(const struct rtattr *a, int len, unsigned type);

#endif
