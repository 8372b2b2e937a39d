/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which class an address belongs to. Addresses are 16 bytes in network order, IPv4 as
 * ::ffff:a.b.c.d. A table is built, then only read; a change is a new table.
 *
 * The longest prefix decides; of equal ones host, then imds and dns, vpc, aws, private, internet.
 *
 * host: loopback of every namespace, the unspecified address (connecting to it reaches this host),
 * interface-local multicast, and what classes_local() gives, inside a VPC range too.
 *
 * imds: instance metadata; the credential endpoints of ECS and EKS.
 *
 * dns: port 53, UDP or TCP, of Amazon's resolvers, which are link-local and at base + 2 of each
 * IPv4 VPC range. Their other ports are vpc.
 *
 * vpc: the VPC's ranges and Amazon's time service. A private block that lies wholly in a VPC range
 * belongs to it.
 *
 * aws, with service and region, and internet for what anyone may have rented there: by AWS's published
 * ranges where they are known, see aws_ranges.h. None of them counts inside a configured VPC range,
 * however long it is: the VPC may have public addresses.
 *
 * private: RFC 1918, 100.64/10, ULA, site-local, link-local; multicast of a wider scope than the
 * link that is not global.
 *
 * internet: the rest, reserved and documentation ranges too, which is the strict reading.
 *
 * Link-local multicast and the limited broadcast pass no router: they go where the link is, vpc
 * when any VPC range is known, else private. A subnet's broadcast is of the subnet's class.
 *
 * unobservable: the server of a network file system that has no known address, or one of this host: a
 * proxy, as of EFS over TLS, which sends on to no one knows where.
 *
 * 64:ff9b::/96 (NAT64) is of the class of the IPv4 address in it, but never host, imds or dns, as
 * a translator sends it: these become private. 6to4, Teredo and 64:ff9b:1::/48 pass relays whose
 * place no address tells: internet.
 */
#ifndef SLUICE_CLASS_H
#define SLUICE_CLASS_H

#include "user/policy/config.h"

enum dest_class {
	CLASS_UNKNOWN = 0,
	CLASS_HOST, /* this host's own addresses, every network namespace's loopback */
	CLASS_VPC,
	CLASS_AWS,     /* an AWS service: see dest.service, dest.region */
	CLASS_IMDS,    /* instance metadata and credential endpoints */
	CLASS_DNS,     /* the resolver, port 53 */
	CLASS_PRIVATE, /* RFC 1918, ULA, link-local and the like outside the VPC's own ranges */
	CLASS_INTERNET,
	CLASS_UNOBSERVABLE,
	CLASS_KINDS,
};

struct dest {
	enum dest_class class;
	const char *service, *region; /* of CLASS_AWS; belong to the table; else NULL */
};

/* Where AWS's ranges came from. */
struct ranges_source {
	char *file;
	char created[TIME_LEN]; /* by AWS: RFC 3339 */
	size_t prefixes;
};

struct classes;
struct aws_ranges;

/* From the configuration's CIDRs, the well-known addresses, `local` (see classes_local) and AWS's ranges
 * (NULL: not known). Everything is copied. -EINVAL for a prefix longer than 128 bits, -ENOMEM. */
int classes_build(const struct config *config, const struct aws_ranges *aws, const struct cidr *local,
		  size_t nlocal, struct classes **ret);
struct classes *classes_free(struct classes *c);
static inline void classes_freep(struct classes **c)
{
	classes_free(*c);
}

/* Port (host order) and protocol matter for dns only. Never fails. */
struct dest classes_find(const struct classes *c, const uint8_t addr[static 16], uint16_t port,
			 uint8_t proto);

/* Of the ranges in it; NULL: none are. */
const struct ranges_source *classes_source(const struct classes *c);

/* Is a destination of this class outside the VPC? Internet, private, unobservable, an AWS service;
 * and unknown, for it is not known to be inside. */
bool class_outside(enum dest_class c);

/* "host", "vpc", "imds", ...; "aws" alone: the record adds ":<SERVICE>:<region>". */
const char *class_name(enum dest_class c);

/*
 * This host's own addresses, each once, as /128 (mapped for IPv4), without loopback.
 *
 * Of the calling thread's network namespace, all but those of kube-ipvs0: these are services, and
 * whoever answers for them may be anywhere.
 *
 * Of another namespace, those of a container or pod of this host: some process there lives in a
 * PID namespace other than the caller's, the user namespace that owns it was made by root, the
 * address is private, and the caller's namespace reaches it directly over a veth, or a bridge of
 * veths and taps. Any other address elsewhere counts by its prefix: anyone can make a namespace, an
 * address that counts as host is not watched, and some namespaces stand for other hosts.
 *
 * A short-lived thread enters the namespaces; the caller stays in its own, for which it needs no
 * privilege. At most 1024 namespaces with 1024 addresses each are read. *ret_missed counts the
 * namespaces that could not be read, and one more when not every process's could be seen.
 * The caller frees *ret and calls again when the host changes. Negative errno of socket(2);
 * -ENOMEM.
 */
int classes_local(struct cidr **ret, size_t *ret_n, unsigned *ret_missed);

/* "10.0.0.7", "2001:db8::1": mapped IPv4 is printed as IPv4. */
#define ADDR_LEN 46
char *addr_text(char buf[static ADDR_LEN], const uint8_t addr[static 16]);

#endif
