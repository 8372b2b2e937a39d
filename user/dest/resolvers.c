/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/resolvers.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_BYTES_MAX (64 << 10)
#define DNS_PORT 53

static const char *const files[] = {"etc/resolv.conf", "run/systemd/resolve/resolv.conf"};

struct resolvers {
	char *root;
	uint32_t netns;
	struct host_addr *configured;
	size_t nconfigured;
	struct source {
		struct stat as; /* when it was read; all zero: it was not there */
		struct host_addr v[RESOLVERS_MOST];
		size_t n;
	} sources[ARRAY_SIZE(files)];
};

bool address_is_loopback(const uint8_t addr[static 16])
{
	static const uint8_t v4[13] = {[10] = 0xff, [11] = 0xff, [12] = 127}, v6[16] = {[15] = 1};

	return !memcmp(addr, v4, sizeof(v4)) || !memcmp(addr, v6, sizeof(v6));
}

/* --- the files ------------------------------------------------------------ */

bool address_parse(const char *word, struct host_addr *ret)
{
	char text[INET6_ADDRSTRLEN];
	struct host_addr a = {.addr = {[10] = 0xff, [11] = 0xff}};
	size_t n = strcspn(word, "%");

	if (n >= sizeof(text))
		return false;
	memcpy(text, word, n);
	text[n] = '\0';
	if (inet_pton(AF_INET, text, a.addr + 12) != 1 && inet_pton(AF_INET6, text, a.addr) != 1)
		return false;
	*ret = a;
	return true;
}

static void parse_line(char *line, struct source *to)
{
	static const char blanks[] = " \t\r\f\v";
	char *rest, *key = strtok_r(line, blanks, &rest), *value = key ? strtok_r(NULL, blanks, &rest) : NULL;

	if (value && !strcmp(key, "nameserver") && to->n < RESOLVERS_MOST && address_parse(value, &to->v[to->n]))
		to->n++;
}

static void parse(char *text, struct source *to)
{
	char *rest;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		parse_line(line, to);
}

bool file_unchanged(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void read_source(const char *path, struct source *ret)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_free_ char *text = malloc(FILE_BYTES_MAX + 1);
	size_t len;

	if (fd < 0 || !text || fstat(fd, &ret->as) || !S_ISREG(ret->as.st_mode) || fd_read(fd, text, FILE_BYTES_MAX, &len))
		return;
	text[len] = '\0';
	parse(text, ret);
}

bool resolvers_refresh(struct resolvers *r)
{
	bool changed = false;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char path[PATH_MAX];
		struct stat now = {0};

		snprintf(path, sizeof(path), "%s/%s", r->root, files[i]);
		if (stat(path, &now))
			now = (struct stat){0};
		if (file_unchanged(&now, &r->sources[i].as))
			continue;
		r->sources[i] = (struct source){0};
		read_source(path, &r->sources[i]);
		r->sources[i].as = r->sources[i].as.st_ino ? r->sources[i].as : now; /* not again while it cannot be read */
		changed = true;
	}
	return changed;
}

/* --- life ----------------------------------------------------------------- */

int resolvers_new(const char *root, uint32_t netns, struct resolvers **ret)
{
	struct resolvers *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->netns = netns;
	r->root = strdup(root);
	if (!r->root) {
		free(r);
		return -ENOMEM;
	}
	resolvers_refresh(r);
	*ret = r;
	return 0;
}

struct resolvers *resolvers_free(struct resolvers *r)
{
	if (r) {
		free(r->root);
		free(r->configured);
		free(r);
	}
	return NULL;
}

int resolvers_configure(struct resolvers *r, const struct host_addr *addrs, size_t n)
{
	struct host_addr *copy = calloc(n + 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	if (n)
		memcpy(copy, addrs, n * sizeof(*copy));
	free(r->configured);
	r->configured = copy;
	r->nconfigured = n;
	return 0;
}

static bool holds(const struct host_addr *v, size_t n, const uint8_t addr[static 16])
{
	for (size_t i = 0; i < n; i++)
		if (!memcmp(v[i].addr, addr, sizeof(v[i].addr)))
			return true;
	return false;
}

bool resolver_believed(const struct resolvers *r, uint32_t netns, const uint8_t addr[static 16], uint16_t port,
		       enum dest_class class)
{
	if (port != DNS_PORT || (address_is_loopback(addr) && netns != r->netns))
		return false;
	if (class == CLASS_DNS || holds(r->configured, r->nconfigured, addr))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (holds(r->sources[i].v, r->sources[i].n, addr))
			return true;
	return false;
}
