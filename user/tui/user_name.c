/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/tui/user_name.h"

#include "user/policy/users.h"

const char *user_name(const json_t *uid)
{
	static struct users *known;

	if (!json_is_integer(uid) || json_integer_value(uid) < 0 || json_integer_value(uid) >= UINT32_MAX)
		return NULL;
	if (!known && users_new(&known))
		return NULL;
	return users_name(known, (uint32_t)json_integer_value(uid));
}
