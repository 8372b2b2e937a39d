/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The files that walks of the datasets met, as the kernel half is told of them: one that is moved out of its dataset before
 * anybody has read it is still known, by inode, as that dataset's. Until the next start they stay, wherever they are.
 */
#ifndef SLUICE_MEMBERS_H
#define SLUICE_MEMBERS_H

#include "user/file_list.h"

/* `map`: MAP_MEMBERS; `tag`: the dataset's number plus one. Where there is no room for all, what was told before is forgotten,
 * for most of it is gone. -ENOSPC: there is not even then; as many are told as fit. Else a negative errno of bpf(2). On any
 * thread, one at a time. */
int members_tell(int map, const struct file_list *files, uint8_t tag);

#endif
