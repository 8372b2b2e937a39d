/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/collect_channel.h"

#include <bpf/bpf.h>

#include "user/chardev.h"
#include "user/map_call.h"

#define DEVICES_NS (3 * NSEC) /* drivers come and go */

static int take(int fd, struct model *m, const struct channel_look *look, const struct channel_key *key)
{
	char name[CHANNEL_NAME_LEN], pattern[CORE_PATTERN_LEN] = "";
	struct channel_val val;

	if (map_lookup(fd, key, &val))
		return 0;
	look->introduce(look->arg, &key->who);
	if (key->kind == CHANNEL_CORE)
		core_pattern_read(pattern);
	return model_set_channel(m, key, &val, channel_name(name, key->kind, key->number, pattern));
}

int channels_collect(const struct engine *e, struct model *m, const struct channel_look *look, uint64_t now_ns,
		     uint64_t *refreshed_ns, uint32_t *ret_entries)
{
	int fd = engine_map_fd(e, MAP_CHANNELS), err = 0;
	struct channel_key key, next;
	uint32_t n = 0;

	if (!*refreshed_ns || now_ns - *refreshed_ns >= DEVICES_NS) {
		*refreshed_ns = now_ns;
		chardev_refresh(e); /* a full map is as good as it gets */
	}
	bool more = !bpf_map_get_next_key(fd, NULL, &next);
	for (; more && n < SL_CHANNELS_MAX && !err; n++) {
		key = next;
		more = !bpf_map_get_next_key(fd, &key, &next);
		err = take(fd, m, look, &key);
		if (err == -ENOSPC)
			err = 0; /* the model is full, which it tells itself */
		if (!err && look->gone(look->arg, &key.who))
			map_delete(fd, &key);
	}
	*ret_entries = n;
	return err;
}
