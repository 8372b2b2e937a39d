/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/class.h"
#include "user/dest/aws_ranges.h"
#include "user/dest/ranges.h"
#include "user/dest/table.h"

#include <arpa/inet.h>
#include <string.h>

struct known {
	const char *text;
	uint8_t bits;
	enum dest_class class;
};

static const struct known known[] = {
    {"127.0.0.0", 8, CLASS_HOST},
    {"::1", 128, CLASS_HOST},
    {"0.0.0.0", 32, CLASS_HOST}, /* Linux connects it to itself */
    {"::", 128, CLASS_HOST},
    {"169.254.169.254", 32, CLASS_IMDS},
    {"fd00:ec2::254", 128, CLASS_IMDS},
    {"169.254.170.2", 32, CLASS_IMDS},	/* ECS: credentials and task metadata */
    {"169.254.170.23", 32, CLASS_IMDS}, /* EKS pod identity */
    {"fd00:ec2::23", 128, CLASS_IMDS},
    {"169.254.169.253", 32, CLASS_DNS},
    {"fd00:ec2::253", 128, CLASS_DNS},
    {"169.254.169.123", 32, CLASS_VPC}, /* time */
    {"fd00:ec2::123", 128, CLASS_VPC},
    {"239.0.0.0", 8, CLASS_PRIVATE}, /* administratively scoped multicast */
};

static const struct known private[] = {
    {"10.0.0.0", 8, CLASS_PRIVATE},	{"172.16.0.0", 12, CLASS_PRIVATE},
    {"192.168.0.0", 16, CLASS_PRIVATE}, {"100.64.0.0", 10, CLASS_PRIVATE},
    {"169.254.0.0", 16, CLASS_PRIVATE}, {"fc00::", 7, CLASS_PRIVATE},
    {"fe80::", 10, CLASS_PRIVATE},	{"fec0::", 10, CLASS_PRIVATE},
};

/* IPv6 multicast keeps its scope in the low half of the second byte, under any flags. */
static const struct scope {
	uint8_t scope;
	enum dest_class class; /* CLASS_UNKNOWN: as the link */
} scopes[] = {
    {0x1, CLASS_HOST},	  {0x2, CLASS_UNKNOWN}, {0x3, CLASS_PRIVATE},
    {0x4, CLASS_PRIVATE}, {0x5, CLASS_PRIVATE}, {0x8, CLASS_PRIVATE},
};

struct list {
	struct class_entry *v;
	size_t n, room;
	int err; /* the first one; later additions are ignored */
};

static void list_free(struct list *l)
{
	free(l->v);
}

static void add_entry(struct list *l, const struct class_entry *e)
{
	if (!l->err && l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 256;
		struct class_entry *v = reallocarray(l->v, room, sizeof(*v));

		if (v) {
			l->v = v;
			l->room = room;
		} else {
			l->err = -ENOMEM;
		}
	}
	if (!l->err)
		l->v[l->n++] = *e;
}

static void add(struct list *l, const struct cidr *prefix, enum dest_class class)
{
	add_entry(l, &(struct class_entry){.prefix = *prefix, .class = class});
}

static int prefix_of(const char *text, uint8_t bits, struct cidr *ret)
{
	uint8_t v4[4];

	if (inet_pton(AF_INET6, text, ret->addr) == 1) {
		ret->bits = bits;
		return 0;
	}
	if (inet_pton(AF_INET, text, v4) != 1)
		return -EINVAL;
	addr_map_v4(ret->addr, v4);
	ret->bits = (uint8_t)(96 + bits);
	return 0;
}

static void add_known(struct list *l, const struct known *k)
{
	struct cidr prefix;
	int err = prefix_of(k->text, k->bits, &prefix);

	if (err)
		l->err = err;
	else
		add(l, &prefix, k->class);
}

static bool in_vpc(const struct config *config, const struct cidr *prefix)
{
	for (size_t i = 0; i < config->network.nvpc_cidrs; i++)
		if (prefix_holds(&config->network.vpc_cidrs[i], prefix))
			return true;
	return false;
}

/* A private block that the VPC swallows whole is the VPC's, though its prefix is the longer. */
static void add_private(struct list *l, const struct config *config)
{
	for (size_t i = 0; i < ARRAY_SIZE(private); i++) {
		struct cidr prefix;

		if (!prefix_of(private[i].text, private[i].bits, &prefix) &&
		    !in_vpc(config, &prefix))
			add(l, &prefix, CLASS_PRIVATE);
	}
}

/* The VPC's ranges, and in each IPv4 one the resolver at its base + 2. */
static void add_vpc(struct list *l, const struct config *config)
{
	for (size_t i = 0; i < config->network.nvpc_cidrs; i++) {
		const struct cidr *vpc = &config->network.vpc_cidrs[i];
		struct cidr resolver = {.bits = 128};

		add(l, vpc, CLASS_VPC);
		if (!addr_is_v4(vpc->addr) || vpc->bits < 96 || vpc->bits > 126)
			continue;
		memcpy(resolver.addr, vpc->addr, sizeof(resolver.addr));
		resolver.addr[15] |= 2;
		add(l, &resolver, CLASS_DNS);
	}
}

/* What is configured is known better than what is published, whatever the lengths. */
static void add_aws(struct list *l, const struct aws_ranges *aws, const struct config *config)
{
	for (size_t i = 0; aws && i < aws->source.prefixes; i++)
		if (!in_vpc(config, &aws->entries[i].prefix))
			add_entry(l, &aws->entries[i]);
}

static void add_multicast(struct list *l, enum dest_class link)
{
	struct known v4[] = {{"224.0.0.0", 24, link}, {"255.255.255.255", 32, link}};

	for (size_t i = 0; i < ARRAY_SIZE(v4); i++)
		add_known(l, &v4[i]);
	for (size_t i = 0; i < ARRAY_SIZE(scopes); i++) {
		for (unsigned flags = 0; flags < 0x10; flags++) {
			struct cidr prefix = {.bits = 16};

			prefix.addr[0] = 0xff;
			prefix.addr[1] = (uint8_t)(flags << 4 | scopes[i].scope);
			add(l, &prefix, scopes[i].class == CLASS_UNKNOWN ? link : scopes[i].class);
		}
	}
}

int classes_build(const struct config *config, const struct aws_ranges *aws, const struct cidr *local,
		  size_t nlocal, struct classes **ret)
{
	_cleanup_(classes_freep) struct classes *c = NULL;
	_cleanup_(list_free) struct list l = {};
	int err;

	for (size_t i = 0; i < nlocal; i++)
		add(&l, &local[i], CLASS_HOST);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		add_known(&l, &known[i]);
	add_private(&l, config);
	add_vpc(&l, config);
	add_multicast(&l, config->network.nvpc_cidrs ? CLASS_VPC : CLASS_PRIVATE);
	add_aws(&l, aws, config);
	err = l.err ? l.err : classes_from(l.v, l.n, &c);
	if (!err && aws)
		err = classes_set_source(c, &aws->source);
	if (err)
		return err;
	*ret = c;
	c = NULL;
	return 0;
}

bool addr_is_private(const uint8_t addr[static 16])
{
	struct cidr one = {.bits = 128}, prefix;

	memcpy(one.addr, addr, sizeof(one.addr));
	for (size_t i = 0; i < ARRAY_SIZE(private); i++)
		if (!prefix_of(private[i].text, private[i].bits, &prefix) &&
		    prefix_holds(&prefix, &one))
			return true;
	return false;
}

bool class_outside(enum dest_class c)
{
	switch (c) {
	case CLASS_HOST:
	case CLASS_VPC:
	case CLASS_IMDS:
	case CLASS_DNS:
		return false;
	default:
		return true;
	}
}

const char *class_name(enum dest_class c)
{
	static const char *const name[CLASS_KINDS] = {
	    [CLASS_UNKNOWN] = "unknown",
	    [CLASS_HOST] = "host",
	    [CLASS_VPC] = "vpc",
	    [CLASS_AWS] = "aws",
	    [CLASS_IMDS] = "imds",
	    [CLASS_DNS] = "dns",
	    [CLASS_PRIVATE] = "private",
	    [CLASS_INTERNET] = "internet",
	    [CLASS_UNOBSERVABLE] = "unobservable",
	};

	return (unsigned)c < CLASS_KINDS ? name[c] : name[CLASS_UNKNOWN];
}

char *addr_text(char buf[static ADDR_LEN], const uint8_t addr[static 16])
{
	if (addr_is_v4(addr))
		inet_ntop(AF_INET, addr + 12, buf, ADDR_LEN);
	else
		inet_ntop(AF_INET6, addr, buf, ADDR_LEN);
	return buf;
}
