/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/aws_environment.h"

#include <string.h>

#include "user/locked.h"

static const char *const secrets[] = {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN",
				      "AWS_CONTAINER_AUTHORIZATION_TOKEN"};
static char *taken[ARRAY_SIZE(secrets)];

const char *aws_env(const char *name)
{
	const char *text = getenv(name);

	for (size_t i = 0; i < ARRAY_SIZE(secrets) && !text; i++)
		if (!strcmp(name, secrets[i]))
			text = taken[i];
	return text && *text ? text : NULL;
}

bool aws_env_true(const char *name)
{
	const char *text = aws_env(name);

	return text && !strcasecmp(text, "true");
}

static int take_one(size_t i)
{
	char *value = getenv(secrets[i]);
	size_t n = value ? strlen(value) : 0;
	char *copy;

	if (!value)
		return 0;
	copy = locked_alloc(n + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, value, n + 1);
	wipe(value, n); /* this is the text that /proc/PID/environ shows */
	unsetenv(secrets[i]);
	locked_free(taken[i]);
	taken[i] = copy;
	return 0;
}

int aws_environment_take(void)
{
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(secrets) && !err; i++)
		err = take_one(i);
	return err;
}
