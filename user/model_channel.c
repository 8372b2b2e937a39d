/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Ways out that nothing measures, held by subjects that may hold tagged bytes. */
#include "user/model_internal.h"

#include <string.h>

const char *channel_kind_name(enum channel c)
{
	static const char *const names[CHANNEL_KINDS] = {
		[CHANNEL_PACKET] = "packet", [CHANNEL_XDP] = "xdp",   [CHANNEL_VSOCK] = "vsock",
		[CHANNEL_SOCKET] = "socket", [CHANNEL_TUN] = "tun",   [CHANNEL_RDMA] = "rdma",
		[CHANNEL_NVME] = "nvme",     [CHANNEL_VHOST] = "vhost", [CHANNEL_URING] = "io_uring",
		[CHANNEL_CORE] = "core",
	};

	return (unsigned)c < CHANNEL_KINDS && names[c] ? names[c] : "unknown";
}

static struct m_channel *channel_find(const struct m_subject *s, uint32_t kind, uint32_t number)
{
	for (struct m_channel *c = s->channels; c; c = c->next) {
		if (c->kind == kind && c->number == number)
			return c;
	}
	return NULL;
}

static int channel_new(struct model *m, struct m_subject *s, const struct channel_key *key,
		       const char *name, struct m_channel **ret)
{
	struct m_channel *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->name = strdup(name);
	if (!c->name) {
		free(c);
		return -ENOMEM;
	}
	c->kind = key->kind;
	c->number = key->number;
	c->next = s->channels;
	s->channels = c;
	m->channels[c->kind]++;
	*ret = c;
	return 0;
}

int model_set_channel(struct model *m, const struct channel_key *key, const struct channel_val *val,
		      const char *name)
{
	struct m_subject *s;
	struct m_channel *c;
	int err = key->kind && key->kind < CHANNEL_KINDS ? 0 : -EINVAL;

	if (!err)
		err = subject_get(m, &key->who, &s);
	if (err)
		return err;
	c = channel_find(s, key->kind, key->number);
	if (!c)
		err = channel_new(m, s, key, name, &c);
	if (err)
		return err;
	c->mask |= val->mask;
	c->first_ns = c->first_ns ? MIN(c->first_ns, val->first_ns) : val->first_ns;
	c->last_ns = MAX(c->last_ns, val->last_ns);
	return 0;
}

void channels_drop(struct m_subject *s)
{
	for (struct m_channel *c = s->channels, *next; c; c = next) {
		next = c->next;
		free(c->name);
		free(c);
	}
	s->channels = NULL;
}
