/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Long lists of names: such as hosts ask for day by day, and such as carry data. Include after cmocka.h. */
#ifndef DNS_NAMES_H
#define DNS_NAMES_H

#include "tests/unit/dns_fixture.h"

typedef void (*name_maker)(char name[static 300], uint32_t i, uint32_t *seed);

UNUSED static const char *word(uint32_t *seed)
{
	static const char *const words[] = {"prod",    "data",	   "training", "images",  "backup", "logs",	"model",   "archive",
					    "staging", "feature",  "lake",     "raw",	  "export", "metrics",	"vision",  "speech",
					    "tokens",  "registry", "cache",    "landing", "events", "warehouse", "genomic", "research"};

	return words[dice(seed, ARRAY_SIZE(words))];
}

/* --- what is asked for day by day ----------------------------------------- */

static void bucket(char name[static 300], uint32_t i, uint32_t *seed)
{
	char random[20], more[20];

	switch (i % 5) {
	case 0:
		sprintf(name, "%s-%s-%s.s3.eu-central-1.amazonaws.com", word(seed), word(seed), word(seed));
		break;
	case 1:
		sprintf(name, "sagemaker-us-east-1-1234567%05u.s3.us-east-1.amazonaws.com", dice(seed, 30));
		break;
	case 2: /* as CloudFormation names them */
		sprintf(name, "%s-%sbucket%s-%s.s3.amazonaws.com", word(seed), word(seed), draw(random, seed, HEX, 8),
			draw(more, seed, BASE36, 13));
		break;
	case 3:
		sprintf(name, "vpce-0%s-%s.s3.us-east-1.vpce.amazonaws.com", draw(random, seed, HEX, 16),
			draw(more, seed, BASE36, 8));
		break;
	default:
		sprintf(name, "aws-athena-query-results-123456789012-%u.s3.dualstack.us-east-1.amazonaws.com", dice(seed, 40));
	}
}

static void distribution(char name[static 300], uint32_t i, uint32_t *seed)
{
	char random[40];

	if (i % 2)
		sprintf(name, "d%s.cloudfront.net", draw(random, seed, BASE36, 13));
	else
		sprintf(name, "e%u.dsc%c.akamaiedge.net", dice(seed, 99999), 'a' + (char)dice(seed, 26));
}

/* Of a CDN that nobody knows: hashed shards. */
static void shard(char name[static 300], uint32_t i, uint32_t *seed)
{
	char random[40];

	sprintf(name, "%s.cdn.somewhere.io", draw(random, seed, HEX, 32));
}

static void telemetry(char name[static 300], uint32_t i, uint32_t *seed)
{
	uint32_t of = i % 8;
	char random[40];

	sprintf(name, "%s.ingest.agent.io", draw(random, &of, HEX, 32));
}

static void cluster(char name[static 300], uint32_t i, uint32_t *seed)
{
	static const char *const search[] = {"team-a.svc.cluster.local", "svc.cluster.local", "cluster.local",
					     "eu-central-1.compute.internal"};
	char random[16], more[16];

	switch (i % 6) {
	case 4:
		sprintf(name, "trainer-worker-%s-%s.trainer.team-a.svc.cluster.local", draw(random, seed, BASE36, 10),
			draw(more, seed, BASE36, 5));
		break;
	case 5:
		sprintf(name, "%s-%s.team-b.svc.cluster.local", word(seed), word(seed));
		break;
	default:
		shard(name, i, seed);
		strcat(strcat(name, "."), search[i % 6]);
	}
}

static void reverse(char name[static 300], uint32_t i, uint32_t *seed)
{
	char *w = name;

	if (i % 2) {
		sprintf(name, "%u.%u.%u.10.in-addr.arpa", dice(seed, 256), dice(seed, 256), dice(seed, 256));
		return;
	}
	for (unsigned k = 0; k < 32; k++, w += 2) {
		draw(w, seed, HEX, 1);
		w[1] = '.';
	}
	strcpy(w, "ip6.arpa");
}

static void ec2(char name[static 300], uint32_t i, uint32_t *seed)
{
	if (i % 2)
		sprintf(name, "ip-10-0-%u-%u.ec2.internal", dice(seed, 256), dice(seed, 256));
	else
		sprintf(name, "ec2-3-%u-%u-%u.compute-1.amazonaws.com", dice(seed, 256), dice(seed, 256), dice(seed, 256));
}

static void packages(char name[static 300], uint32_t i, uint32_t *seed)
{
	static const char *const names[] = {
	    "pypi.org", "files.pythonhosted.org", "registry.npmjs.org", "conda.anaconda.org", "repo.anaconda.com", "huggingface.co",
	    "cdn-lfs.huggingface.co", "cdn-lfs-us-1.hf.co", "cdn-lfs-eu-1.hf.co", "cas-bridge.xethub.hf.co", "cas-server.xethub.hf.co",
	    "transfer.xethub.hf.co", "download.pytorch.org", "developer.download.nvidia.com", "archive.ubuntu.com",
	    "eu-central-1.ec2.archive.ubuntu.com", "security.debian.org", "github.com", "objects.githubusercontent.com",
	    "production.cloudflare.docker.com", "registry-1.docker.io", "auth.docker.io", "nvcr.io", "xfiles.ngc.nvidia.com",
	    "api.wandb.ai", "o123456.ingest.sentry.io", "storage.googleapis.com", "al2023-repos-us-east-1-de612dc2.s3.dualstack.us-east-1.amazonaws.com",
	    "0123456789ABCDEF0123456789ABCDEF.gr7.us-east-1.eks.amazonaws.com", "prod-registry-k8s-io-eu-central-1.s3.dualstack.eu-central-1.amazonaws.com"};

	strcpy(name, names[i % ARRAY_SIZE(names)]);
}

static void hosts_of_a_cluster(char name[static 300], uint32_t i, uint32_t *seed)
{
	sprintf(name, "gpu-%04u.rack%02u.hpc.university.edu", i, i / 32);
}

/* One domain each, some hundreds with a subdomain. */
static void crawl(char name[static 300], uint32_t i, uint32_t *seed)
{
	sprintf(name, "%s.%s-%s-%u.com", i % 3 ? "www" : word(seed), word(seed), word(seed), i);
}

static void services(char name[static 300], uint32_t i, uint32_t *seed)
{
	sprintf(name, "%s-%s.%s.internal-company.com", word(seed), word(seed), i % 2 ? "prod" : "staging");
}

/* --- what carries data ---------------------------------------------------- */

static void hex30(char name[static 300], uint32_t i, uint32_t *seed)
{
	char data[64];

	sprintf(name, "%s.t.evil.net", draw(data, seed, HEX, 30));
}

static void base32(char name[static 300], uint32_t i, uint32_t *seed)
{
	char data[64];

	sprintf(name, "%s.%u.evil.co.uk", draw(data, seed, BASE32, 52), i);
}

static void base64(char name[static 300], uint32_t i, uint32_t *seed)
{
	char data[64];

	sprintf(name, "%s.x.evil.net", draw(data, seed, BASE64, 40));
}

static void letters(char name[static 300], uint32_t i, uint32_t *seed)
{
	char data[64];

	sprintf(name, "%s.evil.net", draw(data, seed, LETTERS, 40));
}

static void decimal(char name[static 300], uint32_t i, uint32_t *seed)
{
	char data[64];

	sprintf(name, "%s.evil.net", draw(data, seed, DIGITS, 30));
}

static void short_labels(char name[static 300], uint32_t i, uint32_t *seed)
{
	char data[64];

	sprintf(name, "%s.evil.net", draw(data, seed, BASE32, 5));
}

/* Data in words, as a codebook has it. */
static void in_words(char name[static 300], uint32_t i, uint32_t *seed)
{
	sprintf(name, "%s-%s-%s.%s.evil.net", word(seed), word(seed), word(seed), word(seed));
}

static void hyphens(char name[static 300], uint32_t i, uint32_t *seed)
{
	char a[16], b[16], c[16];

	sprintf(name, "%s-%s-%s.evil.net", draw(a, seed, BASE36, 7), draw(b, seed, BASE36, 7), draw(c, seed, BASE36, 7));
}

/* Labels of 57 in base32, up to the name's end, as iodine does; dnscat2 in hex. */
static void iodine(char name[static 300], uint32_t i, uint32_t *seed)
{
	char a[64], b[64], c[64];

	sprintf(name, "p%s.%s.%s.t1.evil.net", draw(a, seed, BASE32, 57), draw(b, seed, BASE32, 57), draw(c, seed, BASE32, 40));
}

static void iodine_raw(char name[static 300], uint32_t i, uint32_t *seed)
{
	char *w = name;

	for (unsigned k = 0; k < 40; k++)
		w += sprintf(w, "\\%03u", 188 + dice(seed, 66));
	strcpy(w, ".t1.evil.net");
}

static void dnscat(char name[static 300], uint32_t i, uint32_t *seed)
{
	char a[64], b[64];

	sprintf(name, "%s.%s.evil.net", draw(a, seed, HEX, 60), draw(b, seed, HEX, 30));
}

/* Straight to a server, without a domain. */
static void dnscat_direct(char name[static 300], uint32_t i, uint32_t *seed)
{
	char a[64];

	sprintf(name, "dnscat.%s", draw(a, seed, HEX, 40));
}

#endif
