/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The configuration file, parsed and checked as a whole: there is no half-good struct config. */
#ifndef SLUICE_CONFIG_H
#define SLUICE_CONFIG_H

#include "include/ledger.h"
#include "user/util.h"

#define CONFIG_DEFAULT_PATH "/etc/sluice/sluice.yaml"
#define SOCKET_DEFAULT_PATH "/run/sluice.sock"
#define JOURNAL_DEFAULT_DIR "/var/log/sluice"
#define STATE_DEFAULT_DIR "/var/lib/sluice"

/* A whole file that works once its path exists, for messages and help. */
#define CONFIG_EXAMPLE                                                                             \
	"  datasets:\n"                                                                           \
	"    - id: patients\n"                                                                    \
	"      path: /data/patients\n"                                                            \
	"      tags: { DataType: PII }\n"

struct strings {
	char **v;
	size_t n;
};

/* An IPv4 block is kept as ::ffff:a.b.c.d/(96 + n). */
struct cidr {
	uint8_t addr[16];
	uint8_t bits;
};

/* One address; IPv4 as ::ffff:a.b.c.d. */
struct host_addr {
	uint8_t addr[16];
};

struct tag {
	char *key, *value;
};

/* Who; fnmatch(3) patterns. An empty list means any. */
struct people {
	bool set;
	struct strings users, jobs, exe;
};

struct dataset_config {
	char *id;   /* [a-z0-9._-]{1,63} */
	char *path; /* absolute and normalised, as written; "s3://..." only together with mount */
	char *mount; /* where path's prefix is mounted, or NULL */
	const char *root; /* what to watch: mount if given, else path; points into one of them */
	struct tag *tags;
	size_t ntags;
	struct people readers;
	struct {
		struct strings from; /* ids, all known, none of them made from this one; empty: it is not derived */
		struct people writers;
	} derived;
	struct {
		bool set;
		uint64_t outside_vpc; /* bytes */
		uint64_t per_ns;
	} budget;
	bool block;
	unsigned line; /* in the file, for later messages */
};

enum expect { EXPECT_ML, EXPECT_TAINTED, EXPECT_ALL };

/* One entry; every field that is set must match. At least one of name, bucket, service, account,
 * cidr and port is set. */
struct allow_rule {
	char *name;   /* host name, lower case, with * as a whole leading label, or NULL */
	char *bucket, *service, *account; /* or NULL; service as in ip-ranges.json: "S3" */
	bool has_cidr;
	struct cidr cidr;
	uint16_t port; /* 0: any */
	struct strings datasets; /* ids, all known; empty: all */
	unsigned line;
};

struct config {
	char *file;	   /* where it came from */
	char digest[65];   /* SHA-256 of the text, hex: the policy's name in records */
	struct dataset_config *datasets;
	size_t ndatasets;
	struct strings jobs;
	struct {
		bool vpc_auto;
		struct cidr *vpc_cidrs;
		size_t nvpc_cidrs;
		struct host_addr *resolvers; /* whose answers are believed too */
		size_t nresolvers;
		enum expect expect;
		char *aws_ranges; /* "auto", "off" or a file */
		struct allow_rule *allow;
		size_t nallow;
	} network;
	struct strings trusted; /* absolute paths of executables */
	struct {
		char *dir; /* NULL: no journal */
		uint64_t max_size, retain_ns;
	} journal;
	struct {
		bool cloudwatch;
		char *log_group, *metric_namespace, *endpoint;
		unsigned retain_days;
		bool security_hub;
		char *hub_endpoint; /* "auto", or a URL */
	} export;
	char *state; /* directory for what the next monitor is to know; NULL: nothing is kept */
	uint64_t interval_ns;
	/* keys in the file that are checked but have no effect in this build: "export.cloudwatch" */
	struct strings inactive;
};

/* Where and why a file was refused. `text` names file, line, column, what is wrong and what to do:
 * "sluice.yaml:12:9: datasets[1].id: duplicate id 'x' (first on line 4); give each dataset its own id". */
struct config_error {
	char text[512];
};

/* Reads and checks a file. -EINVAL: refused, *ret_error says where and why; -ENOENT, -EACCES and the like
 * fill it too. The path of each dataset must exist and be readable now; of two datasets neither may hold the other. */
int config_load(const char *file, struct config **ret, struct config_error *ret_error);

/* The same for who only reads what a monitor wrote: datasets' paths need not be there. */
int config_load_elsewhere(const char *file, struct config **ret, struct config_error *ret_error);

/* The same from memory; `name` stands for the file in messages. check_paths: look at the file system too. */
int config_parse(const char *text, size_t len, const char *name, bool check_paths, struct config **ret,
		 struct config_error *ret_error);

/* What runs without a file: no datasets, defaults as documented. -ENOMEM. */
int config_default(struct config **ret);

struct config *config_free(struct config *c);
static inline void config_freep(struct config **c)
{
	config_free(*c);
}

/* The file with AWS's ranges, or NULL. */
const char *config_ranges_file(const struct config *c);

/* Does any of the fnmatch patterns match? An empty list matches nothing. In a pattern that starts
 * with / wildcards do not match /. */
bool strings_match(const struct strings *patterns, const char *text);

/* "10.0.0.0/16", "2001:db8::/32", a bare address; -EINVAL, also when host bits are set. */
int cidr_parse(const char *text, struct cidr *ret);
/* IPv6 ranges wider than ::ffff:0:0/96 hold no IPv4 address: ::/0 is all of IPv6 only. */
bool cidr_holds(const struct cidr *c, const uint8_t addr[static 16]);

#endif
