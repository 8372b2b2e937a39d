/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/links.h"

#include <fcntl.h>
#include <net/if.h>
#include <string.h>

#define KEPT 64		 /* devices; others take their places */
#define UEVENT_LEN 1024 /* a few short lines */

struct link {
	uint32_t ifindex;
	bool encrypts;
	uint64_t read_ns;
};

struct links {
	char *net;
	struct link kept[KEPT];
};

int links_new(const char *net, struct links **ret)
{
	struct links *l = calloc(1, sizeof(*l));

	if (!l || !(l->net = strdup(net))) {
		free(l);
		return -ENOMEM;
	}
	*ret = l;
	return 0;
}

struct links *links_free(struct links *l)
{
	if (l) {
		free(l->net);
		free(l);
	}
	return NULL;
}

static bool has_line(char *text, const char *wanted)
{
	char *rest;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (!strcmp(line, wanted))
			return true;
	return false;
}

/* What the driver calls its devices: wg_setup() of drivers/net/wireguard/device.c (e7096c131e51). The number is compared, since
 * a name may be another device's by now, or /sys another namespace's. */
static bool is_wireguard(const char *uevent, uint32_t ifindex)
{
	char index[32], first[UEVENT_LEN], second[UEVENT_LEN];

	snprintf(index, sizeof(index), "IFINDEX=%u", ifindex);
	snprintf(first, sizeof(first), "%s", uevent);
	snprintf(second, sizeof(second), "%s", uevent);
	return has_line(first, index) && has_line(second, "DEVTYPE=wireguard");
}

static bool read_link(const struct links *l, uint32_t ifindex)
{
	char name[IF_NAMESIZE], text[UEVENT_LEN];
	_cleanup_free_ char *path = NULL;

	if (!if_indextoname(ifindex, name) || asprintf(&path, "%s/%s/uevent", l->net, name) < 0)
		return false;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return is_wireguard(text, ifindex);
}

bool links_encrypts(struct links *l, uint32_t ifindex, uint64_t now_ns)
{
	struct link *k = &l->kept[ifindex % KEPT];

	if (!ifindex)
		return false;
	if (k->ifindex != ifindex || now_ns - k->read_ns >= LINKS_FRESH_NS)
		*k = (struct link){ifindex, read_link(l, ifindex), now_ns};
	return k->encrypts;
}
