/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/scan_list.h"

int scan_list_entered(struct scan_list *s, unsigned depth, const char *name)
{
	uint32_t up = depth ? s->dir[depth - 1] : 0;
	int err = up == UINT32_MAX ? -ENOSPC : file_list_dir(s->list, up, name, &s->dir[depth]);

	if (err == -ENOSPC)
		s->dir[depth] = UINT32_MAX;
	return err == -ENOMEM ? err : 0;
}

int scan_list_file(struct scan_list *s, unsigned depth, const char *name, int fd, const struct stat *st)
{
	uint64_t size = (uint64_t)MAX(st->st_size, 0);
	struct file_identity id;
	uint32_t number, dir = *name ? s->dir[depth] : 0;
	int err = s->identify(s->arg, fd, &id);

	if (!err)
		err = file_list_add(s->list, &id.obj, size, dir, dir == UINT32_MAX ? NULL : name, &number);
	if (err)
		s->list->left_out++;
	return err == -ENOMEM ? err : 0;
}
