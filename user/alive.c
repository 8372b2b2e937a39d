/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/alive.h"

#include <fcntl.h>
#include <string.h>

struct alive {
	int fd;
	char *path;
	char boot[BOOT_ID_LEN + 1];
};

static uint64_t last_beat(const struct alive *a)
{
	char text[128] = {}, boot[BOOT_ID_LEN + 1];
	uint64_t ns;

	if (pread(a->fd, text, sizeof(text) - 1, 0) <= 0 || sscanf(text, "%36s %lu", boot, &ns) != 2 ||
	    strcmp(boot, a->boot))
		return 0;
	return ns;
}

int alive_open(const char *socket, uint64_t now_ns, struct alive **ret, uint64_t *ret_blind_ns)
{
	struct alive *a = calloc(1, sizeof(*a));
	uint64_t last;
	int err;

	if (!a)
		return -ENOMEM;
	a->fd = -1;
	err = boot_id_read(a->boot);
	if (!err && asprintf(&a->path, "%s.alive", socket) < 0) {
		a->path = NULL;
		err = -ENOMEM;
	}
	if (!err) {
		a->fd = open(a->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		err = a->fd < 0 ? -errno : 0;
	}
	if (err) {
		alive_close(a, false);
		return err;
	}
	last = last_beat(a);
	*ret_blind_ns = last && now_ns > last ? now_ns - last : 0;
	*ret = a;
	return 0;
}

void alive_beat(struct alive *a, uint64_t now_ns)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "%s %020lu\n", a->boot, now_ns);

	/* a lost beat only makes the next gap look longer */
	if (pwrite(a->fd, text, (size_t)n, 0) != n)
		return;
}

struct alive *alive_close(struct alive *a, bool well)
{
	if (!a)
		return NULL;
	if (well && a->path)
		unlink(a->path);
	if (a->fd >= 0)
		close(a->fd);
	free(a->path);
	free(a);
	return NULL;
}
