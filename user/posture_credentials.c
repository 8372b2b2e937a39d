/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Do long-lived credentials lie about in the homes of this host? */
#include "user/posture_internal.h"

#include <limits.h>
#include <string.h>

#include "user/credential_files.h"

struct lying {
	char buf[SECRET_FILE_MAX + 1];
	char first[PATH_MAX], key[SECRET_KEY_LEN];
	enum secret_kind kind;
	unsigned found, unread;
};

static void note(struct lying *l, enum secret_kind kind, int fd, const char *key)
{
	char link[64];

	if (l->found++)
		return;
	l->kind = kind;
	memcpy(l->key, key, sizeof(l->key));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, l->first, sizeof(l->first) - 1);
	l->first[MAX(n, 0)] = '\0';
}

static void look(void *arg, enum secret_kind kind, int fd, const struct stat *st)
{
	char key[SECRET_KEY_LEN];
	struct lying *l = arg;
	size_t n = 0;

	if (credential_file_read(fd, l->buf, sizeof(l->buf), &n))
		l->unread++;
	else if (secret_find(kind, l->buf, n, key))
		note(l, kind, fd, key);
	explicit_bzero(l->buf, n);
}

static void say(const struct lying *l, struct posture_result *r)
{
	char more[32] = "";

	if (l->found > 1)
		snprintf(more, sizeof(more), ", and %u more", l->found - 1);
	if (l->found) {
		posture_found(r, "a long-lived %s%s%s in %.200s%s", secret_noun(l->kind), *l->key ? " " : "", l->key, l->first, more);
		posture_todo(r, POSTURE_WARN, "take it away; %s", secret_advice(l->kind));
	} else if (l->unread) {
		posture_found(r, "%u files that may hold some cannot be read", l->unread);
		posture_todo(r, POSTURE_WARN, "run as root: sudo sluice check");
	} else {
		posture_found(r, "none that last in the homes of " PASSWD_DEFAULT);
	}
}

void posture_credentials(const struct posture *p, struct posture_result *r)
{
	_cleanup_free_ struct lying *l = calloc(1, sizeof(*l));
	int err = l ? credential_files_of_root(*p->root ? p->root : "/", PASSWD_DEFAULT, look, l) : -ENOMEM;

	if (!err) {
		say(l, r);
		return;
	}
	posture_found(r, "not known: " PASSWD_DEFAULT ": %s", strerror(-err));
	posture_todo(r, POSTURE_WARN, "run as root: sudo sluice check");
}
