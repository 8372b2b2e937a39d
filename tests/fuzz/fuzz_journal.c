/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Any bytes as a journal: two segments, a digest with its signature, a head, a key, with a zero byte between them. Reading
 * ends, and what verifying calls good holds by the plainest reading of the chain.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "user/export/journal_line.h"
#include "user/export/journal_read.h"
#include "user/export/journal_verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char *const names[] = {
    "sluice-00000000000000000001.jsonl",
    "sluice-00000000000000000003.jsonl",
    "digest-00000000000000000002-20270115T080000Z.json",
    "digest-00000000000000000002-20270115T080000Z.json.sig",
    "head",
    "key-0000000000000000.pem",
};

static char dir[64];

static void clear(void)
{
	char path[256];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

static void make_dir(void)
{
	if (*dir)
		return;
	snprintf(dir, sizeof(dir), "%s/sluice-fuzz-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	if (!mkdtemp(dir))
		abort();
	atexit(clear);
}

static void put(const char *name, const uint8_t *data, size_t len)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	close(fd);
}

/* The first two pieces stay behind as they are, to be looked at: what is no segment has no chain. */
static size_t lay_out(const uint8_t *data, size_t len, const uint8_t *ret_from[2], size_t ret_len[2])
{
	size_t lines = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const uint8_t *end = len ? memchr(data, 0, len) : NULL;
		size_t n = end ? (size_t)(end - data) : len;

		put(names[i], data, n);
		if (i < 2) {
			ret_from[i] = data;
			ret_len[i] = n;
			for (size_t k = 0; k < n; k++)
				lines += data[k] == '\n';
			lines++;
		}
		data += n + (end != NULL);
		len -= n + (end != NULL);
	}
	return lines;
}

static void read_it(size_t lines)
{
	struct journal_reader *r;
	struct journal_line l;
	int got;

	if (journal_reader_open(dir, &r))
		abort();
	while ((got = journal_reader_next(r, &l))) {
		if (got != 1 && got != -EBADMSG)
			abort();
		if (got == 1 && (!l.seq || memchr(l.text, '\n', l.len)))
			abort();
		if (!lines--)
			abort();
	}
	journal_reader_close(r);
}

static void check_chain(const uint8_t *const from[2], const size_t len[2])
{
	char prev[HASH_HEX + 1] = "";
	uint64_t seq = 0;

	for (int i = 0; i < 2; i++) {
		const char *line = (const char *)from[i], *stop = line + len[i], *end;

		for (; line < stop && (end = memchr(line, '\n', (size_t)(stop - line))); line = end + 1) {
			struct journal_line_parts p;
			uint8_t sum[EVP_MAX_MD_SIZE];
			unsigned n;

			if (!journal_line_parse(line, (size_t)(end - line), &p))
				abort();
			if (seq && (p.seq != seq + 1 || memcmp(p.prev, prev, HASH_HEX) != 0))
				abort();
			seq = p.seq;
			if (EVP_Digest(line, (size_t)(end - line), sum, &n, EVP_sha256(), NULL) != 1)
				abort();
			hex_text(sum, n, prev);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct verify_options o = {.dir = dir};
	struct verify_error why;
	const uint8_t *from[2];
	size_t n[2], lines;
	json_t *d;

	make_dir();
	lines = lay_out(data, len, from, n);
	read_it(lines);
	if (journal_verify(&o, &d, &why))
		abort();
	if (json_is_true(json_object_get(d, "good")))
		check_chain(from, n);
	char *text = json_dumps(d, 0);
	if (!text)
		abort();
	free(text);
	json_decref(d);
	return 0;
}
