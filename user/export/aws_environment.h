/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The environment as AWS's own clients read it. Its secrets can be taken out of it, so that neither a child nor a look at
 * /proc/PID/environ finds them. */
#ifndef SLUICE_AWS_ENVIRONMENT_H
#define SLUICE_AWS_ENVIRONMENT_H

#include "user/util.h"

/* NULL: not set, or empty. */
const char *aws_env(const char *name);
/* "true", in any case. */
bool aws_env_true(const char *name);

/* From now on only aws_env() knows the secrets of the environment. Before there are threads. -ENOMEM: it stays as it is. */
int aws_environment_take(void);

#endif
