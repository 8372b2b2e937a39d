/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/route.h"
#include "user/dest/netlink.h"
#include "user/dest/ranges.h"

#include <linux/if_link.h>
#include <string.h>
#include <sys/socket.h>

#define LINKS_MAX 65536

enum kind { KIND_OTHER, KIND_VETH, KIND_TAP, KIND_BRIDGE };

struct link {
	int index, master;
	enum kind kind;
};

struct route {
	struct netlink *netlink;
	struct link *links;
	size_t n, room;
};

static enum kind link_kind(const struct rtattr *a, int len)
{
	static const struct {
		const char *name;
		enum kind kind;
	} kinds[] = {{"veth", KIND_VETH}, {"tun", KIND_TAP}, {"bridge", KIND_BRIDGE}};
	size_t n, k = 0;
	const struct rtattr *info = netlink_attr(a, len, IFLA_LINKINFO, &n);
	const char *name = info ? netlink_attr(info, (int)n, IFLA_INFO_KIND, &k) : NULL;

	for (size_t i = 0; name && i < ARRAY_SIZE(kinds); i++)
		if (k == strlen(kinds[i].name) + 1 && !memcmp(name, kinds[i].name, k))
			return kinds[i].kind;
	return KIND_OTHER;
}

static int take_link(void *arg, const struct nlmsghdr *h)
{
	struct route *r = arg;
	const struct ifinfomsg *m = NLMSG_DATA(h);
	int len;
	const struct rtattr *a = netlink_attrs(h, sizeof(*m), &len);

	if (h->nlmsg_type != RTM_NEWLINK || !len)
		return 0;
	if (r->n == LINKS_MAX)
		return -E2BIG;
	if (r->n == r->room) {
		size_t room = r->room ? 2 * r->room : 64;
		struct link *v = reallocarray(r->links, room, sizeof(*v));

		if (!v)
			return -ENOMEM;
		r->links = v;
		r->room = room;
	}
	r->links[r->n++] =
	    (struct link){m->ifi_index, netlink_attr_int(a, len, IFLA_MASTER), link_kind(a, len)};
	return 0;
}

int route_open(struct route **ret)
{
	_cleanup_(route_freep) struct route *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	int err = netlink_open(&r->netlink);
	if (!err)
		err = netlink_dump(r->netlink, RTM_GETLINK, take_link, r);
	if (err)
		return err;
	*ret = r;
	r = NULL;
	return 0;
}

struct route *route_free(struct route *r)
{
	if (!r)
		return NULL;
	netlink_free(r->netlink);
	free(r->links);
	free(r);
	return NULL;
}

/* The link an address is reached through without a gateway; 0 if there is none. */
static int on_link(struct route *r, const uint8_t addr[static 16])
{
	bool v4 = addr_is_v4(addr);
	size_t alen = v4 ? 4 : 16, n;
	struct {
		struct nlmsghdr h;
		struct rtmsg m;
		struct rtattr a;
		uint8_t addr[16];
	} request = {
	    .h = {.nlmsg_len = (uint32_t)(NLMSG_LENGTH(sizeof(request.m)) + RTA_LENGTH(alen)),
		  .nlmsg_type = RTM_GETROUTE,
		  .nlmsg_flags = NLM_F_REQUEST},
	    .m = {.rtm_family = v4 ? AF_INET : AF_INET6, .rtm_dst_len = (uint8_t)(alen * 8)},
	    .a = {.rta_len = (uint16_t)RTA_LENGTH(alen), .rta_type = RTA_DST},
	};
	const struct nlmsghdr *h;
	int len;

	memcpy(request.addr, v4 ? addr + 12 : addr, alen);
	if (netlink_ask(r->netlink, &request.h, &h) || h->nlmsg_type != RTM_NEWROUTE)
		return 0;
	const struct rtmsg *m = NLMSG_DATA(h);
	const struct rtattr *a = netlink_attrs(h, sizeof(*m), &len);
	if (!len || m->rtm_type != RTN_UNICAST || netlink_attr(a, len, RTA_GATEWAY, &n) ||
	    netlink_attr(a, len, RTA_VIA, &n))
		return 0;
	return netlink_attr_int(a, len, RTA_OIF);
}

static enum kind kind_of(const struct route *r, int index)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->links[i].index == index)
			return r->links[i].kind;
	return KIND_OTHER;
}

static bool bridge_stays(const struct route *r, int bridge)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->links[i].master == bridge && r->links[i].kind != KIND_VETH &&
		    r->links[i].kind != KIND_TAP)
			return false;
	return true;
}

bool route_stays(struct route *r, const uint8_t addr[static 16])
{
	int index = on_link(r, addr);
	enum kind kind = index > 0 ? kind_of(r, index) : KIND_OTHER;

	return kind == KIND_VETH || (kind == KIND_BRIDGE && bridge_stays(r, index));
}
