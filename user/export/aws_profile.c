/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/aws_profile.h"

#include <ctype.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "user/export/aws_environment.h"
#include "user/locked.h"

#define FILE_PATH_LEN 4096

/* --- files -------------------------------------------------------------------------------------- */

/* One byte more than the most is read, so that a longer one shows. Never waits: a FIFO in its place is no regular file. */
int aws_secret_read(const char *path, size_t most, char **ret, size_t *ret_len)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_locked_ char *text = NULL;
	struct stat st;
	size_t n = 0;
	int err;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) /* /dev/null: how people say that there is none */
		return -ENOENT;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > (off_t)most)
		return -EFBIG;
	text = locked_alloc((size_t)st.st_size + 4096);
	if (!text)
		return -ENOMEM;
	err = fd_read(fd, text, (size_t)st.st_size + 4095, &n); /* it may grow meanwhile, and files of /proc say 0 */
	if (err)
		return err;
	if (n > most || n == (size_t)st.st_size + 4095)
		return -EFBIG;
	while (n && isspace((unsigned char)text[n - 1]))
		n--;
	text[n] = '\0';
	*ret = text;
	*ret_len = n;
	text = NULL;
	return 0;
}

/* A service may have no HOME. */
static void home(char ret[static FILE_PATH_LEN])
{
	const char *said = aws_env("HOME");
	char room[4096];
	struct passwd me, *is = NULL;

	if (!said && !getpwuid_r(geteuid(), &me, room, sizeof(room), &is) && is)
		said = is->pw_dir;
	snprintf(ret, FILE_PATH_LEN, "%s", said ?: "/root");
}

static void path_of(const char *variable, const char *name, char ret[static FILE_PATH_LEN])
{
	const char *said = aws_env(variable);
	char at[FILE_PATH_LEN];

	home(at);
	if (said && said[0] == '~' && said[1] == '/')
		snprintf(ret, FILE_PATH_LEN, "%.2000s%.2000s", at, said + 1);
	else if (said)
		snprintf(ret, FILE_PATH_LEN, "%s", said);
	else
		snprintf(ret, FILE_PATH_LEN, "%.4000s/.aws/%.16s", at, name);
}

static int load(const char *variable, const char *name, char **ret, size_t *ret_len, char *why, size_t room)
{
	char path[FILE_PATH_LEN], raw[512];
	int err;

	path_of(variable, name, path);
	err = aws_secret_read(path, AWS_PROFILE_FILE_MAX, ret, ret_len);
	if (err == -ENOENT || err == -ENOTDIR)
		return 0;
	if (err) {
		snprintf(raw, sizeof(raw), "%.400s: %s", path, err == -EINVAL ? "not a regular file" : strerror(-err));
		text_safe(why, room, raw, strlen(raw));
	}
	return err;
}

int aws_profiles_load(struct aws_profiles *ret, char *why, size_t room)
{
	const char *name = aws_env("AWS_PROFILE") ?: aws_env("AWS_DEFAULT_PROFILE");
	struct aws_profiles p = {.named = name};
	int err;

	if (name && strlen(name) >= sizeof(p.name)) {
		snprintf(why, room, "AWS_PROFILE is too long");
		return -EINVAL;
	}
	snprintf(p.name, sizeof(p.name), "%s", name ?: "default");
	err = load("AWS_SHARED_CREDENTIALS_FILE", "credentials", &p.credentials, &p.ncredentials, why, room);
	if (!err)
		err = load("AWS_CONFIG_FILE", "config", &p.config, &p.nconfig, why, room);
	if (err)
		aws_profiles_done(&p);
	else
		*ret = p;
	return err;
}

void aws_profiles_done(struct aws_profiles *p)
{
	p->credentials = locked_free(p->credentials);
	p->config = locked_free(p->config);
}

bool aws_profiles_have(const struct aws_profiles *p, const char *profile)
{
	return !aws_profile_find(p->credentials, p->ncredentials, false, profile, NULL, NULL, 0) ||
	       !aws_profile_find(p->config, p->nconfig, true, profile, NULL, NULL, 0);
}

int aws_profiles_get(const struct aws_profiles *p, const char *profile, const char *key, char *ret, size_t room)
{
	int err = aws_profile_find(p->credentials, p->ncredentials, false, profile, key, ret, room);

	return err == -ENOENT ? aws_profile_find(p->config, p->nconfig, true, profile, key, ret, room) : err;
}

struct aws_profiles aws_profiles_keys(const struct aws_profiles *p, const char *profile)
{
	struct aws_profiles one = *p;
	char text[1];

	if (aws_profile_find(p->credentials, p->ncredentials, false, profile, "aws_access_key_id", text, sizeof(text)) == -ENOENT)
		one.credentials = NULL;
	else
		one.config = NULL;
	return one;
}

/* --- text --------------------------------------------------------------------------------------- */

struct span {
	const char *at;
	size_t n;
};

static struct span trim(struct span s)
{
	while (s.n && isspace((unsigned char)*s.at))
		s = (struct span){s.at + 1, s.n - 1};
	while (s.n && isspace((unsigned char)s.at[s.n - 1]))
		s.n--;
	return s;
}

static struct span unquote(struct span s)
{
	if (s.n > 1 && (*s.at == '"' || *s.at == '\'') && s.at[s.n - 1] == *s.at)
		return (struct span){s.at + 1, s.n - 2};
	return s;
}

static bool next_line(struct span *rest, struct span *ret)
{
	const char *end;
	size_t n;

	if (!rest->n)
		return false;
	end = memchr(rest->at, '\n', rest->n);
	n = end ? (size_t)(end - rest->at) : rest->n;
	*ret = (struct span){rest->at, n};
	*rest = (struct span){rest->at + n + !!end, rest->n - n - !!end};
	return true;
}

/* Does the section's head name this profile? */
static bool is_section(struct span line, bool config, const char *profile)
{
	static const char word[] = "profile";
	const char *end = memchr(line.at, ']', line.n);
	struct span name;
	bool named = false;

	if (!end)
		return false;
	name = trim((struct span){line.at + 1, (size_t)(end - line.at - 1)});
	if (config && name.n > sizeof(word) - 1 && !memcmp(name.at, word, sizeof(word) - 1) &&
	    isspace((unsigned char)name.at[sizeof(word) - 1])) {
		name = trim((struct span){name.at + sizeof(word) - 1, name.n - sizeof(word) + 1});
		named = true;
	}
	if (config && !named && strcmp(profile, "default"))
		return false;
	name = unquote(name);
	return name.n == strlen(profile) && !memcmp(name.at, profile, name.n);
}

static bool is_key(struct span line, const char *key, struct span *ret_value)
{
	size_t n = 0;
	struct span name;

	while (n < line.n && line.at[n] != '=' && line.at[n] != ':')
		n++;
	if (n == line.n)
		return false;
	name = trim((struct span){line.at, n});
	*ret_value = trim((struct span){line.at + n + 1, line.n - n - 1});
	return name.n == strlen(key) && !strncasecmp(name.at, key, name.n);
}

int aws_profile_find(const char *text, size_t n, bool config, const char *profile, const char *key, char *ret, size_t room)
{
	struct span rest = {text, text ? n : 0}, line, value = {0}, found = {0};
	bool mine = false, seen = false, there = false, below = false;
	size_t level = 0;

	while (next_line(&rest, &line)) {
		const char *begin = line.at;

		line = trim(line);
		size_t indent = (size_t)(line.at - begin);
		if (!line.n || *line.at == '#' || *line.at == ';')
			continue;
		if (below && indent > level) /* goes on what is above, or belongs to it */
			continue;
		level = indent;
		below = *line.at != '[';
		if (!below) {
			mine = is_section(line, config, profile);
			seen |= mine;
		} else if (mine && key && is_key(line, key, &value)) {
			found = value;
			there = true;
		}
	}
	if (!key)
		return seen ? 0 : -ENOENT;
	if (!there || !found.n || memchr(found.at, '\0', found.n))
		return -ENOENT;
	if (found.n >= room)
		return -E2BIG;
	memcpy(ret, found.at, found.n);
	ret[found.n] = '\0';
	return 0;
}
