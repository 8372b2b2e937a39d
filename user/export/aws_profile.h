/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* AWS's shared configuration: the files ~/.aws/credentials and ~/.aws/config, or those that the environment names. */
#ifndef SLUICE_AWS_PROFILE_H
#define SLUICE_AWS_PROFILE_H

#include "user/util.h"

#define AWS_PROFILE_FILE_MAX (1u << 20)
#define AWS_PROFILE_NAME_LEN 128

struct aws_profiles {
	char *credentials, *config; /* locked; NULL: there is no such file */
	size_t ncredentials, nconfig;
	char name[AWS_PROFILE_NAME_LEN]; /* AWS_PROFILE, else "default" */
	bool named;			 /* by the environment */
};

/* What is not there counts as empty. Else an error of open(2) or read(2), -EFBIG, -EINVAL (no regular file), -ENOMEM; `why` names
 * the file. */
int aws_profiles_load(struct aws_profiles *ret, char *why, size_t room);
void aws_profiles_done(struct aws_profiles *p);

bool aws_profiles_have(const struct aws_profiles *p, const char *profile);
/* The file of credentials goes before the other. -ENOENT: no such key; -E2BIG. */
int aws_profiles_get(const struct aws_profiles *p, const char *profile, const char *key, char *ret, size_t room);

/* The one of the two files that has this profile's keys: what belongs together stands in one. Nothing of it is to be freed. */
struct aws_profiles aws_profiles_keys(const struct aws_profiles *p, const char *profile);

/* One file's text. Sections are "[name]", in the file of configuration "[profile name]" and "[default]"; of what stands there
 * twice the later counts. `key` NULL: is there such a section? */
int aws_profile_find(const char *text, size_t n, bool config, const char *profile, const char *key, char *ret, size_t room);

/* A file with something secret, whole and ended by a NUL, without blanks and line ends at its end; in locked memory.
 * /dev/null is none: -ENOENT. */
int aws_secret_read(const char *path, size_t most, char **ret, size_t *ret_len);

#endif
