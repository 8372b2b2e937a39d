/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/table.h"
#include "user/dest/ranges.h"

#include <netinet/in.h>
#include <string.h>

#include "user/net_server.h"

struct classes {
	struct ranges *ranges;
	struct dest *dests; /* each distinct one once; they own their strings */
	uint32_t ndests;
	struct ranges_source source; /* file NULL: none */
};

static const uint8_t rank_of[CLASS_KINDS] = {
    [CLASS_HOST] = 1,	  [CLASS_IMDS] = 2,    [CLASS_DNS] = 2,
    [CLASS_VPC] = 3,	  [CLASS_AWS] = 4,     [CLASS_PRIVATE] = 5,
    [CLASS_INTERNET] = 6, [CLASS_UNKNOWN] = 7, [CLASS_UNOBSERVABLE] = 7,
};

static int by_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int by_dest(const void *pa, const void *pb)
{
	const struct class_entry *a = *(const struct class_entry *const *)pa;
	const struct class_entry *b = *(const struct class_entry *const *)pb;

	if (a->class != b->class)
		return a->class < b->class ? -1 : 1;
	int order = by_text(a->service, b->service);
	return order ? order : by_text(a->region, b->region);
}

static int copy_text(const char *text, const char **ret)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		return -ENOMEM;
	*ret = copy;
	return 0;
}

/* The entry's destination, which is the last one added or a new one after it. */
static int add_dest(struct classes *c, const struct class_entry *e, bool same, uint32_t *ret_index)
{
	if (!same) {
		struct dest *d = &c->dests[c->ndests++];

		d->class = e->class;
		if (copy_text(e->service, &d->service) || copy_text(e->region, &d->region))
			return -ENOMEM;
	}
	*ret_index = c->ndests - 1;
	return 0;
}

/* Gives each entry of `prefixes` its destination's number. */
static int number_dests(struct classes *c, const struct class_entry *entries, size_t n,
			struct range_entry *prefixes)
{
	_cleanup_free_ const struct class_entry **order = calloc(n + 1, sizeof(*order));

	c->dests = calloc(n + 1, sizeof(*c->dests));
	if (!order || !c->dests)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		order[i] = &entries[i];
	qsort(order, n, sizeof(*order), by_dest);
	for (size_t i = 0; i < n; i++) {
		bool same = i && !by_dest(&order[i], &order[i - 1]);
		int err = add_dest(c, order[i], same, &prefixes[order[i] - entries].value);

		if (err)
			return err;
	}
	return 0;
}

int classes_from(const struct class_entry *entries, size_t n, struct classes **ret)
{
	_cleanup_free_ struct range_entry *prefixes = calloc(n + 1, sizeof(*prefixes));
	_cleanup_(classes_freep) struct classes *c = calloc(1, sizeof(*c));

	if (!prefixes || !c)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if ((unsigned)entries[i].class >= CLASS_KINDS)
			return -EINVAL;
		prefixes[i].prefix = entries[i].prefix;
		prefixes[i].rank = rank_of[entries[i].class];
	}
	int err = number_dests(c, entries, n, prefixes);
	if (!err)
		err = ranges_build(prefixes, n, &c->ranges);
	if (err)
		return err;
	*ret = c;
	c = NULL;
	return 0;
}

int classes_set_source(struct classes *c, const struct ranges_source *source)
{
	char *file = strdup(source->file);

	if (!file)
		return -ENOMEM;
	free(c->source.file);
	c->source = *source;
	c->source.file = file;
	return 0;
}

const struct ranges_source *classes_source(const struct classes *c)
{
	return c && c->source.file ? &c->source : NULL;
}

struct classes *classes_free(struct classes *c)
{
	if (!c)
		return NULL;
	for (uint32_t i = 0; i < c->ndests; i++) {
		free((char *)c->dests[i].service);
		free((char *)c->dests[i].region);
	}
	free(c->dests);
	free(c->source.file);
	ranges_free(c->ranges);
	free(c);
	return NULL;
}

#define NAT64_BITS 96
static const uint8_t nat64[NAT64_BITS / 8] = {0x00, 0x64, 0xff, 0x9b};

static struct dest find_prefix(const struct classes *c, const uint8_t addr[static 16],
			       uint8_t *ret_bits)
{
	uint32_t at;

	if (ranges_find(c->ranges, addr, &at, ret_bits))
		return c->dests[at];
	*ret_bits = 0;
	return (struct dest){.class = CLASS_INTERNET};
}

/* A translator stands between: what only this host or its link can reach is not reached this way,
 * so such an embedded address may not hide a flow. */
static struct dest find_translated(const struct classes *c, const uint8_t addr[static 16])
{
	uint8_t v4[16], bits;

	addr_map_v4(v4, addr + sizeof(nat64));
	struct dest d = find_prefix(c, v4, &bits);
	if (d.class == CLASS_HOST || d.class == CLASS_IMDS || d.class == CLASS_DNS)
		d.class = CLASS_PRIVATE;
	return d;
}

struct dest classes_find(const struct classes *c, const uint8_t addr[static 16], uint16_t port,
			 uint8_t proto)
{
	uint8_t bits;
	struct dest d = find_prefix(c, addr, &bits);

	if (bits <= NAT64_BITS && !memcmp(addr, nat64, sizeof(nat64)))
		d = find_translated(c, addr);
	if (d.class == CLASS_DNS && (port != 53 || (proto != IPPROTO_UDP && proto != IPPROTO_TCP)))
		d.class = CLASS_VPC;
	/* a network file system's server at this host is a proxy, or its address is not known */
	if (d.class == CLASS_HOST && net_proto_name(proto))
		d.class = CLASS_UNOBSERVABLE;
	return d;
}
