/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/members.h"

#include <bpf/bpf.h>

#include "user/map_call.h"

/* One that moved from a dataset into another one is the other's from the next walk on. */
static int tell_all(int map, const struct file_list *files, uint8_t tag)
{
	for (size_t i = 0; i < files->n; i++)
		if (map_update(map, &files->v[i].what, &tag, BPF_ANY))
			return errno == E2BIG ? -ENOSPC : -errno;
	return 0;
}

static void forget_all(int map)
{
	struct object key;

	while (!bpf_map_get_next_key(map, NULL, &key) && !map_delete(map, &key))
		;
}

int members_tell(int map, const struct file_list *files, uint8_t tag)
{
	int err = tell_all(map, files, tag);

	if (err != -ENOSPC)
		return err;
	forget_all(map);
	return tell_all(map, files, tag);
}
