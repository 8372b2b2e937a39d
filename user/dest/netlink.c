/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/netlink.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define REPLY_LEN 65536 /* the kernel gives at most 32 KiB at once */

struct netlink {
	int fd;
	uint32_t seq;
	char reply[REPLY_LEN] __attribute__((aligned(8)));
};

int netlink_open(struct netlink **ret)
{
	const struct timeval patience = {.tv_sec = 2};
	_cleanup_(netlink_freep) struct netlink *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (n->fd < 0 || setsockopt(n->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		return -errno;
	*ret = n;
	n = NULL;
	return 0;
}

struct netlink *netlink_free(struct netlink *n)
{
	if (!n)
		return NULL;
	if (n->fd >= 0)
		close(n->fd);
	free(n);
	return NULL;
}

static int transmit(struct netlink *n, struct nlmsghdr *request)
{
	request->nlmsg_seq = ++n->seq;
	if (send(n->fd, request, request->nlmsg_len, 0) < 0)
		return -errno;
	return 0;
}

/* Bytes received, more than 0. */
static int receive(struct netlink *n)
{
	ssize_t len = recv(n->fd, n->reply, sizeof(n->reply), 0);

	return len < 0 ? -errno : len ? (int)len : -EIO;
}

static int refusal(const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);

	return h->nlmsg_len >= NLMSG_LENGTH(sizeof(*e)) && e->error < 0 ? e->error : -EIO;
}

/* 1: more is to come. */
static int take_part(struct netlink *n, int len, netlink_take take, void *arg)
{
	const struct nlmsghdr *h = (const void *)n->reply;

	for (; NLMSG_OK(h, (unsigned)len); h = NLMSG_NEXT(h, len)) {
		if (h->nlmsg_seq != n->seq)
			continue;
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return refusal(h);
		int err = take(arg, h);
		if (err)
			return err;
	}
	return 1;
}

int netlink_dump(struct netlink *n, uint16_t type, netlink_take take, void *arg)
{
	struct {
		struct nlmsghdr h;
		struct rtgenmsg m;
	} request = {
	    .h = {.nlmsg_len = sizeof(request),
		  .nlmsg_type = type,
		  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
	    .m = {.rtgen_family = AF_UNSPEC},
	};
	int err = transmit(n, &request.h);

	if (err)
		return err;
	do {
		err = receive(n);
		if (err > 0)
			err = take_part(n, err, take, arg);
	} while (err > 0);
	return err;
}

int netlink_ask(struct netlink *n, struct nlmsghdr *request, const struct nlmsghdr **ret_answer)
{
	int len = transmit(n, request);

	if (!len)
		len = receive(n);
	if (len < 0)
		return len;
	const struct nlmsghdr *h = (const void *)n->reply;
	if (!NLMSG_OK(h, (unsigned)len) || h->nlmsg_seq != n->seq)
		return -EIO;
	if (h->nlmsg_type == NLMSG_ERROR)
		return refusal(h);
	*ret_answer = h;
	return 0;
}

const struct rtattr *netlink_attrs(const struct nlmsghdr *h, size_t header, int *ret_len)
{
	size_t before = NLMSG_LENGTH(NLMSG_ALIGN(header));

	*ret_len = h->nlmsg_len > before ? (int)(h->nlmsg_len - before) : 0;
	return (const void *)((const char *)h + before);
}

const void *netlink_attr(const struct rtattr *a, int len, unsigned type, size_t *ret_len)
{
	for (; RTA_OK(a, len); a = RTA_NEXT(a, len))
		if ((a->rta_type & NLA_TYPE_MASK) == type) {
			*ret_len = RTA_PAYLOAD(a);
			return RTA_DATA(a);
		}
	return NULL;
}

int netlink_attr_int(const struct rtattr *a, int len, unsigned type)
{
	size_t n;
	int v = 0;
	const void *p = netlink_attr(a, len, type, &n);

	if (p && n >= sizeof(v))
		memcpy(&v, p, sizeof(v));
	return v;
}
