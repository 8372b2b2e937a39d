/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/hosts_file.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "user/dest/resolvers.h"

struct hosts_file {
	char *path;
	struct stat as; /* when it was told last; all zero: it was not there */
	uint64_t told_ns;
	bool told;
};

int hosts_file_new(const char *root, struct hosts_file **ret)
{
	struct hosts_file *h = calloc(1, sizeof(*h));

	if (!h || asprintf(&h->path, "%s/etc/hosts", root) < 0) {
		free(h);
		return -ENOMEM;
	}
	*ret = h;
	return 0;
}

struct hosts_file *hosts_file_free(struct hosts_file *h)
{
	if (h) {
		free(h->path);
		free(h);
	}
	return NULL;
}

struct telling {
	struct names *names;
	uint32_t netns;
	uint64_t now_ns;
};

/* "192.0.2.7 host.example.org host # ...". What loopback is called names no destination. */
static int tell_line(const struct telling *t, char *line, unsigned *left)
{
	static const char blanks[] = " \t\r\f\v";
	struct host_addr addr;
	char *rest, *word;

	line[strcspn(line, "#")] = '\0';
	word = strtok_r(line, blanks, &rest);
	if (!word || !address_parse(word, &addr) || address_is_loopback(addr.addr))
		return 0;
	while (*left && (word = strtok_r(NULL, blanks, &rest))) {
		int err = names_learn(t->names, t->netns, addr.addr, word, HOSTS_FILE_TTL_S, true, t->now_ns);

		if (err == -ENOMEM)
			return err;
		(*left)--;
	}
	return 0;
}

static int tell(const struct telling *t, char *text)
{
	unsigned left = HOSTS_FILE_PAIRS;
	char *rest;
	int err = 0;

	for (char *line = strtok_r(text, "\n", &rest); line && left && !err; line = strtok_r(NULL, "\n", &rest))
		err = tell_line(t, line, &left);
	return err;
}

static int read_and_tell(struct hosts_file *h, const struct telling *t)
{
	_cleanup_close_ int fd = open(h->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_free_ char *text = malloc(HOSTS_FILE_BYTES + 1);
	size_t len;

	if (!text)
		return -ENOMEM;
	if (fd < 0 || fstat(fd, &h->as) || !S_ISREG(h->as.st_mode) || fd_read(fd, text, HOSTS_FILE_BYTES, &len))
		return 0;
	text[len] = '\0';
	return tell(t, text);
}

int hosts_file_tell(struct hosts_file *h, struct names *names, uint32_t netns, uint64_t now_ns)
{
	struct telling t = {.names = names, .netns = netns, .now_ns = now_ns};
	struct stat now = {0};
	int err;

	if (stat(h->path, &now))
		now = (struct stat){0};
	if (h->told && file_unchanged(&now, &h->as) && now_ns - h->told_ns < HOSTS_FILE_TTL_S / 2 * NSEC)
		return 0;
	h->as = now;
	err = read_and_tell(h, &t);
	h->told = !err;
	h->told_ns = now_ns;
	return err;
}
