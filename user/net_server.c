/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/net_server.h"

#include <arpa/inet.h>
#include <string.h>

#include "user/dest/ranges.h"

#define TEXT_MAX 256

struct fs_kind {
	const char *fstype;
	enum net_proto proto;
	uint16_t port;
	/* Where the address stands. False: nowhere. */
	bool (*address)(const struct mount_point *m, struct net_server *ret);
};

const char *net_proto_name(uint8_t proto)
{
	static const char *const names[NET_END - NET_FIRST] = {
	    "nfs", "smb", "9p", "ceph", "lustre", "afs", "virtiofs", "netfs",
	};

	return proto >= NET_FIRST && proto < NET_END ? names[proto - NET_FIRST] : NULL;
}

/* --- words -------------------------------------------------------------------------- */

/* "a=1,b,c=2": the value of one key. False: not there, or longer than any address. */
static bool option(const char *options, const char *key, char ret[static TEXT_MAX])
{
	size_t n = strlen(key);

	for (const char *at = options; *at; at += *at == ',') {
		size_t len = strcspn(at, ",");

		if (len > n && !strncmp(at, key, n) && at[n] == '=' && len - n - 1 < TEXT_MAX) {
			memcpy(ret, at + n + 1, len - n - 1);
			ret[len - n - 1] = '\0';
			return true;
		}
		at += len;
	}
	return false;
}

static bool parse_port(const char *text, uint16_t *ret)
{
	char *end;
	unsigned long n = *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;

	if (!n || n > UINT16_MAX || *end)
		return false;
	*ret = (uint16_t)n;
	return true;
}

static bool parse_addr(const char *text, struct net_server *ret)
{
	char plain[TEXT_MAX];
	uint8_t v4[4];

	/* a link-local one may name its interface */
	snprintf(plain, sizeof(plain), "%.*s", (int)strcspn(text, "%"), text);
	if (inet_pton(AF_INET, plain, v4) == 1)
		addr_map_v4(ret->addr, v4);
	else if (inet_pton(AF_INET6, plain, ret->addr) != 1)
		return false;
	ret->known = true;
	return true;
}

/* The first address of a list that ends at one of `stops`: "10.0.0.1", "10.0.0.1:6789", "[2001:db8::1]:6789". */
static bool parse_first(const char *text, const char *stops, struct net_server *ret)
{
	bool bracket = *text == '[';
	char host[TEXT_MAX];
	size_t n;

	text += bracket;
	n = bracket ? strcspn(text, "]") : strcspn(text, stops);
	if (n >= sizeof(host) || (bracket && text[n] != ']'))
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	const char *rest = text + n + bracket;
	if (*rest == ':') {
		snprintf(host + n + 1, sizeof(host) - n - 1, "%.*s", (int)strcspn(rest + 1, stops), rest + 1);
		parse_port(host + n + 1, &ret->port);
	}
	return parse_addr(host, ret);
}

/* --- kinds -------------------------------------------------------------------------- */

static bool by_option(const struct mount_point *m, struct net_server *ret)
{
	char text[TEXT_MAX];

	if (option(m->options, "port", text))
		parse_port(text, &ret->port);
	return option(m->options, "addr", text) && parse_addr(text, ret);
}

/* trans=tcp has the server as its source; what goes over virtio, a descriptor or a unix socket goes to no known place. */
static bool of_9p(const struct mount_point *m, struct net_server *ret)
{
	char text[TEXT_MAX];

	if (option(m->options, "port", text))
		parse_port(text, &ret->port);
	if (option(m->options, "trans", text) && strcmp(text, "tcp") && strcmp(text, "rdma"))
		return false;
	return parse_addr(m->source, ret);
}

/* "10.0.0.1:6789,10.0.0.2:6789:/path", or by name with mon_addr=10.0.0.1:6789/10.0.0.2:6789 */
static bool of_ceph(const struct mount_point *m, struct net_server *ret)
{
	char text[TEXT_MAX];

	if (option(m->options, "mon_addr", text))
		return parse_first(text, ":/", ret);
	return parse_first(m->source, ":,/", ret);
}

/* "10.0.0.1@tcp:10.0.0.2@tcp:/fsname" */
static bool of_lustre(const struct mount_point *m, struct net_server *ret)
{
	char text[TEXT_MAX];
	size_t n = strcspn(m->source, "@,");

	if (m->source[n] != '@' || n >= sizeof(text))
		return false;
	memcpy(text, m->source, n);
	text[n] = '\0';
	return parse_addr(text, ret);
}

static const struct fs_kind kinds[] = {
    {"nfs", NET_NFS, 2049, by_option},	 {"nfs4", NET_NFS, 2049, by_option},
    {"cifs", NET_SMB, 445, by_option},	 {"smb3", NET_SMB, 445, by_option},
    {"smbfs", NET_SMB, 445, by_option},	 {"9p", NET_9P, 564, of_9p},
    {"ceph", NET_CEPH, 6789, of_ceph},	 {"lustre", NET_LUSTRE, 988, of_lustre},
    {"afs", NET_AFS, 7000, NULL},	 {"virtiofs", NET_VIRTIOFS, 0, NULL},
    {"beegfs", NET_OTHER, 0, NULL},	 {"gpfs", NET_OTHER, 0, NULL},
    {"wekafs", NET_OTHER, 0, NULL},	 {"orangefs", NET_OTHER, 0, NULL},
    {"pvfs2", NET_OTHER, 0, NULL},	 {"coda", NET_OTHER, 0, NULL},
    {"vboxsf", NET_OTHER, 0, NULL},	 {"hostfs", NET_OTHER, 0, NULL},
};

bool net_server_of(const struct mount_point *m, struct net_server *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct net_server s = {.proto = kinds[i].proto, .port = kinds[i].port};

		if (strcmp(kinds[i].fstype, m->fstype))
			continue;
		if (!kinds[i].address || !kinds[i].address(m, &s))
			s = (struct net_server){.proto = kinds[i].proto};
		*ret = s;
		return true;
	}
	return false;
}

bool net_server_of_magic(uint64_t magic, struct net_server *ret)
{
	static const struct {
		uint64_t magic;
		enum net_proto proto;
	} known[] = {
	    {0x6969, NET_NFS},	   {0xff534d42, NET_SMB},  {0xfe534d42, NET_SMB}, {0x01021997, NET_9P},
	    {0x00c36400, NET_CEPH}, {0x0bd00bd0, NET_LUSTRE}, {0x5346414f, NET_AFS},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (known[i].magic != magic)
			continue;
		*ret = (struct net_server){.proto = known[i].proto};
		return true;
	}
	return false;
}
