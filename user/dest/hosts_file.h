/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The host's own /etc/hosts: root says there which name has which address, so that it proves as much as a believed answer.
 * A container's or another mount namespace's does not count.
 */
#ifndef SLUICE_HOSTS_FILE_H
#define SLUICE_HOSTS_FILE_H

#include "user/dest/names.h"

#define HOSTS_FILE_BYTES (1u << 20) /* what lies behind is left out */
#define HOSTS_FILE_PAIRS 8192	    /* likewise */
#define HOSTS_FILE_TTL_S 3600

struct hosts_file;

/* `root` as in resolvers_new(). -ENOMEM. */
int hosts_file_new(const char *root, struct hosts_file **ret);
struct hosts_file *hosts_file_free(struct hosts_file *h);

/* Tells `names` what the file says, when it has changed and each half of a TTL, as seen in `netns`. What is taken out of the
 * file is believed as long as an answer is. -ENOMEM: some of it; again at the next call. */
int hosts_file_tell(struct hosts_file *h, struct names *names, uint32_t netns, uint64_t now_ns);

#endif
