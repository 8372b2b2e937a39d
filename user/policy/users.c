/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/policy/users.h"

#include <pwd.h>
#include <string.h>

#include "user/hashmap.h"

#define USERS_KEPT 4096 /* then the cache starts anew */
#define RECORD_MAX (1u << 20)

struct entry {
	uint32_t uid;
	char *name; /* NULL: there is none */
};

struct users {
	struct hashmap entries;
};

int users_new(struct users **ret)
{
	struct users *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->entries = HASHMAP_OF(struct entry, uid);
	*ret = u;
	return 0;
}

static void forget_all(struct users *u)
{
	for (size_t i = 0; i < u->entries.size; i++) {
		struct entry *e = u->entries.slots[i].item;

		if (e)
			free(e->name);
		free(e);
	}
	hashmap_free(&u->entries);
}

struct users *users_free(struct users *u)
{
	if (u) {
		forget_all(u);
		free(u);
	}
	return NULL;
}

static char *ask(uint32_t uid)
{
	struct passwd entry, *found = NULL;

	for (size_t room = 1024; room <= RECORD_MAX; room *= 2) {
		_cleanup_free_ char *buf = malloc(room);

		if (!buf)
			return NULL;
		int err = getpwuid_r(uid, &entry, buf, room, &found);
		if (err != ERANGE)
			return !err && found ? strdup(found->pw_name) : NULL;
	}
	return NULL;
}

const char *users_name(struct users *u, uint32_t uid)
{
	struct entry *e = hashmap_find(&u->entries, &uid);

	if (e)
		return e->name;
	if (u->entries.used >= USERS_KEPT)
		forget_all(u);
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->uid = uid;
	e->name = ask(uid);
	if (hashmap_add(&u->entries, e)) {
		free(e->name);
		free(e);
		return NULL;
	}
	return e->name;
}

bool users_match(struct users *u, const struct strings *patterns, uint32_t uid)
{
	char number[16];
	const char *name = users_name(u, uid);

	snprintf(number, sizeof(number), "%u", uid);
	return (name && strings_match(patterns, name)) || strings_match(patterns, number);
}
