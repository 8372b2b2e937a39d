/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What was imported, in a file: written anew beside the old one, which it then replaces. */
#include "user/export/hub_internal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "user/json_write.h"

#define FILE_MAX (16u << 20)

/* --- writing ------------------------------------------------------------------------------ */

static json_t *json_state(const struct hub *h)
{
	json_t *list = json_array();
	json_t *s = json_pack("{s:i, s:s, s:I, s:I, s:s, s:s?, s:s?, s:O}", "v", 1, "type", "security_hub", "seq",
			      (json_int_t)hub_cursor(h), "anchor_seq", (json_int_t)h->anchor.seq, "anchor_sum", "", "region",
			      h->region, "account", h->account, "findings", list);
	char sum[24];

	snprintf(sum, sizeof(sum), "%016llx", (unsigned long long)h->anchor.sum);
	if (s && json_object_set_new(s, "anchor_sum", json_string(sum))) {
		json_decref(s);
		s = NULL;
	}
	for (const struct hub_finding *f = h->first; f && s; f = f->next) {
		json_t *one = f->asff_id ? json_pack("[s, I, I, I, i, s]", f->id, (json_int_t)f->done, (json_int_t)f->created_ms,
						     (json_int_t)f->updated_ms, f->severity, f->asff_id)
					 : NULL;

		if (f->asff_id && json_array_append_new(list, one)) {
			json_decref(s);
			s = NULL;
		}
	}
	json_decref(list);
	return s;
}

static int write_whole(int fd, const char *data, size_t n)
{
	while (n) {
		ssize_t w = write(fd, data, n);

		if (w < 0 && errno != EINTR)
			return -errno;
		data += MAX(w, 0);
		n -= (size_t)MAX(w, 0);
	}
	return fsync(fd) ? -errno : 0;
}

/* The new name is on the disk, too. */
static int sync_dir(const char *path)
{
	_cleanup_free_ char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;

	if (!dir)
		return -ENOMEM;
	if (slash)
		slash[slash == dir] = '\0';
	_cleanup_close_ int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) ? -errno : 0;
}

static int replace(const char *path, const struct json_text *text)
{
	_cleanup_free_ char *fresh = NULL;

	if (asprintf(&fresh, "%s.new", path) < 0) {
		fresh = NULL;
		return -ENOMEM;
	}
	_cleanup_close_ int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	int err = fd < 0 ? -errno : write_whole(fd, text->data, text->len);

	if (!err && rename(fresh, path))
		err = -errno;
	if (err && fd >= 0)
		unlink(fresh);
	return err ? err : sync_dir(path);
}

int hub_save(struct hub *h)
{
	struct json_text text = {.max = FILE_MAX};
	json_t *s;
	int err;

	if (!h->state)
		return 0;
	s = json_state(h);
	err = s ? json_write(&text, s) : -ENOMEM;
	json_decref(s);
	if (!err)
		err = replace(h->state, &text);
	free(text.data);
	if (!err)
		h->changed = false;
	snprintf(h->unsaved, sizeof(h->unsaved), "%s", err ? strerror(-err) : "");
	return err;
}

/* --- reading ------------------------------------------------------------------------------ */

static json_int_t number_at(const json_t *list, size_t i)
{
	return json_integer_value(json_array_get(list, i));
}

static int load_finding(struct hub *h, const json_t *one)
{
	const char *id = json_string_value(json_array_get(one, 0)), *asff = json_string_value(json_array_get(one, 5));
	struct hub_finding *f;

	if (!id || !*id || strlen(id) >= HUB_ID_LEN || !asff || number_at(one, 1) < 0 || number_at(one, 2) < 0 ||
	    number_at(one, 3) < 0)
		return -EBADMSG;
	f = hub_get(h, id);
	if (!f || f->asff_id)
		return f ? -EBADMSG : -ENOMEM;
	f->asff_id = strdup(asff);
	f->done = (uint64_t)number_at(one, 1);
	f->created_ms = number_at(one, 2);
	f->updated_ms = number_at(one, 3);
	f->severity = (int)MIN(MAX(number_at(one, 4), -1), 4);
	return f->asff_id ? 0 : -ENOMEM;
}

static int load_place(struct hub *h, const json_t *s)
{
	const char *region = json_string_value(json_object_get(s, "region")),
		   *account = json_string_value(json_object_get(s, "account"));

	if (!region || !account)
		return 0;
	h->region = strdup(region);
	h->account = strdup(account);
	return h->region && h->account ? 0 : -ENOMEM;
}

static int load_state(struct hub *h, const json_t *s)
{
	const char *type = json_string_value(json_object_get(s, "type")),
		   *sum = json_string_value(json_object_get(s, "anchor_sum"));
	json_int_t seq = json_integer_value(json_object_get(s, "seq")),
		   anchor = json_integer_value(json_object_get(s, "anchor_seq"));
	const json_t *list = json_object_get(s, "findings");
	int err = 0;

	if (json_integer_value(json_object_get(s, "v")) != 1 || !type || strcmp(type, "security_hub") || !sum || seq < 0 ||
	    anchor < 0 || !json_is_array(list) || json_array_size(list) > HUB_KNOWN_MAX)
		return -EBADMSG;
	h->cursor = (uint64_t)seq;
	h->anchor.seq = (uint64_t)anchor;
	h->anchor.sum = strtoull(sum, NULL, 16);
	for (size_t i = json_array_size(list); i-- && !err;)
		err = load_finding(h, json_array_get(list, i));
	return err ? err : load_place(h, s);
}

/* Nothing of a file that is not wholly good. */
static void reset(struct hub *h)
{
	hub_forget_all(h);
	h->cursor = h->anchor.seq = h->anchor.sum = 0;
	free(h->region);
	free(h->account);
	h->region = h->account = NULL;
}

int hub_load(struct hub *h)
{
	_cleanup_close_ int fd = open(h->state, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t n = 0;
	json_t *s;
	int err;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
		return -EBADMSG;
	text = malloc((size_t)st.st_size + 1);
	err = text ? fd_read(fd, text, (size_t)st.st_size, &n) : -ENOMEM;
	if (err)
		return err;
	s = json_loadb(text, n, 0, NULL);
	err = s ? load_state(h, s) : -EBADMSG;
	json_decref(s);
	if (err)
		reset(h);
	return err;
}
