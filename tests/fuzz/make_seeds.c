/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Inputs to start from, a directory for each target: `make_seeds DIR`. Made anew each time, so that none lies in the tree. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/no_cmocka.h"
#include "tests/fuzz/script.h"
#include "tests/unit/quic_fixture.h"
#include "tests/unit/tls_fixture.h"

static const char *root;

static void put(const char *target, const char *name, const void *data, size_t n)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, target);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%s/%s", root, target, name);
	f = fopen(path, "w");
	assert_true(f && fwrite(data, 1, n, f) == n && !fclose(f));
}

static void put_text(const char *target, const char *name, const char *text)
{
	put(target, name, text, strlen(text));
}

/* --- a connection as a script ---------------------------------------------------------------- */

static uint8_t script[65536];
static size_t script_len;

static void packet(uint8_t op, const void *data, size_t n)
{
	script[script_len++] = op;
	script[script_len++] = (uint8_t)(n >> 8);
	script[script_len++] = (uint8_t)n;
	memcpy(script + script_len, data, n);
	script_len += n;
}

static void put_script(const char *name)
{
	put("talk", name, script, script_len);
	script_len = 0;
}

static void packets_of(const struct wire *w, uint8_t op)
{
	for (unsigned i = 0; i < w->n && i < 4; i++)
		packet(op | (w->flights[i].by_client ? SCRIPT_OUT : 0), w->flights[i].data, MIN(w->flights[i].n, 1500));
}

static void tls_seeds(void)
{
	static const int versions[] = {TLS1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};
	static struct wire w;

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		char name[16];

		snprintf(name, sizeof(name), "tls%zu", i);
		wire_make(&(struct tls_wish){.least = versions[i], .most = versions[i], .name = "seed.example"}, &w);
		put("tls_hello", name, w.flights[0].data, w.flights[0].n);
		put("tls_hello", i ? "server1" : "server0", w.flights[1].data, MIN(w.flights[1].n, 200));
		packets_of(&w, 0);
		put_script(name);
		packet(SCRIPT_OUT, "EHLO a\r\nSTARTTLS\r\n", 18);
		packet(0, "220 go\r\n", 8);
		packets_of(&w, 0);
		put_script(i ? "starttls1" : "starttls0");
		packet(SCRIPT_OUT | SCRIPT_START, "\5\1\0", 3);
		packet(SCRIPT_START, "\5\0", 2);
		packet(SCRIPT_OUT, "\5\1\0\3\ta.example\1\xbb", 16);
		packet(0, "\5\0\0\1\0\0\0\0\0\0", 10);
		packets_of(&w, 0);
		put_script(i ? "socks1" : "socks0");
	}
	wire_make(&(struct tls_wish){.dtls = true, .cookie = true, .least = DTLS1_2_VERSION, .most = DTLS1_2_VERSION, .name = "d.example"}, &w);
	put("tls_hello", "dtls", w.flights[0].data, w.flights[0].n);
	packets_of(&w, SCRIPT_UDP);
	put_script("dtls");
}

static void quic_seeds(void)
{
	uint8_t data[1 + PACKET_ROOM];

	for (int v2 = 0; v2 < 2; v2++) {
		packet(SCRIPT_UDP | SCRIPT_OUT, data, rfc_initial(v2, data));
		packet(SCRIPT_UDP, data, unhex(v2 ? RFC_SERVER_V2 : RFC_SERVER_V1, data));
		put_script(v2 ? "quic2" : "quic1");
		data[0] = 0;
		put("quic", v2 ? "raw2" : "raw1", data, 1 + rfc_initial(v2, data + 1));
	}
	data[0] = 1;
	put("quic", "frames", data, 1 + unhex(RFC_CLIENT_FRAME, data + 1));
	data[0] = 0;
	put("quic", "retry", data, 1 + unhex(RFC_RETRY_V1, data + 1));
}

static void other_scripts(void)
{
	static const char get[] = "GET /a?b HTTP/1.1\r\nHost: a.example\r\nX-aws-ec2-metadata-token: t\r\n\r\n";
	static const char tunnel[] = "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n";
	static const char ssh[] = "SSH-2.0-x\r\n\0\0\1\0\x8\x14" "aaaaaaaaaaaaaaaa";
	uint8_t wireguard[148] = {1, 0, 0, 0, 7, 7, 7, 7};

	packet(SCRIPT_OUT, get, sizeof(get) - 1);
	put_script("get");
	packet(SCRIPT_OUT, tunnel, sizeof(tunnel) - 1);
	packet(0, "HTTP/1.1 200 OK\r\n\r\n", 19);
	put_script("connect");
	packet(SCRIPT_OUT, ssh, sizeof(ssh) - 1);
	packet(0, ssh, sizeof(ssh) - 1);
	put_script("ssh");
	packet(SCRIPT_UDP | SCRIPT_OUT, wireguard, sizeof(wireguard));
	put_script("wireguard");
	put("http_head", "get", get, sizeof(get) - 1);
	put("http_head", "connect", tunnel, sizeof(tunnel) - 1);
	put_text("http_head", "url", "GET http://u@[::1]:8/p?q#f HTTP/1.1\r\nHost: a\r\n b\r\n\r\n");
}

/* --- the others ------------------------------------------------------------------------------ */

static void dns_seeds(void)
{
	static const uint8_t answer[] = {0, 7, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0, 1, 'a', 2, 'b', 'c', 0, 0, 1, 0, 1, 0xc0, 12, 0, 5, 0, 1,
					 0, 0, 0, 9, 0, 4, 1, 'd', 0xc0, 14, 0xc0, 0x22, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 0, 0, 1};

	put("dns", "answer", answer, sizeof(answer));
	put("dns", "question", answer, 22);
}

static void text_seeds(void)
{
	put_text("aws_ranges", "two",
		 "{\"syncToken\":\"1\",\"createDate\":\"2026-01-01-00-00-00\",\"prefixes\":[{\"ip_prefix\":\"10.0.0.0/8\",\"region\":\"r\","
		 "\"service\":\"S3\",\"network_border_group\":\"r\"},{\"ip_prefix\":\"10.0.0.0/8\",\"region\":\"r\",\"service\":\"AMAZON\","
		 "\"network_border_group\":\"r\"}],\"ipv6_prefixes\":[{\"ipv6_prefix\":\"2600::/32\",\"region\":\"r\",\"service\":\"EC2\","
		 "\"network_border_group\":\"r\"}]}");
	put_text("filter", "all", "dataset:patients class:internet,private >1MiB user:trainer \"two words\" !job:slurm:* severity>=high");
	put_text("filter", "wrong", "out>lots colour:red \"open");
	put_text("imds", "identity", "i{\"instanceId\":\"i-1\",\"region\":\"eu-central-1\",\"accountId\":\"123456789012\"}");
	put_text("imds", "macs", "m0e:01:02:03:04:05/\n0e:01:02:03:04:06/\n");
	put_text("imds", "blocks", "b10.0.0.0/16\n2600:1::/56\r\n");
	put_text("aws_name", "bucket", "my.bucket.s3.dualstack.eu-central-1.amazonaws.com");
	put_text("aws_name", "point", "ap-123456789012.s3-accesspoint.us-east-1.amazonaws.com");
	put_text("aws_name", "vpce", "vpce-1-2.sts.us-east-1.vpce.amazonaws.com");
	put_text("config", "least", "datasets:\n  - id: a\n    root: /data\n");
}

/* --- a journal ---------------------------------------------------------------------------------- */

#define NO_HASH "0000000000000000000000000000000000000000000000000000000000000000"

static void chain(const char *line, char prev[static 65])
{
	unsigned char sum[EVP_MAX_MD_SIZE];

	assert_true(EVP_Digest(line, strlen(line), sum, NULL, EVP_sha256(), NULL) == 1);
	for (int i = 0; i < 32; i++)
		snprintf(prev + 2 * i, 3, "%02x", sum[i]);
}

/* Four records in two segments, a digest that is not signed right, and their head; see fuzz_journal.c. */
static void journal_seeds(void)
{
	static const char *const types[] = {"access", "finding", "digest", "journal"};
	static const char *const more[] = {"", "", ",\"file\":\"digest-x\",\"hash\":\"" NO_HASH "\",\"signature\":\"00\"",
					   ",\"event\":\"removed\",\"first_seq\":1,\"last_seq\":2,\"last_hash\":\"" NO_HASH
					   "\",\"segments\":[\"a\"],\"digests\":[\"b\"]"};
	char text[8192], line[1024], prev[65] = NO_HASH, head[300];
	size_t n = 0, segments;

	for (int i = 0; i < 4; i++) {
		snprintf(line, sizeof(line),
			 "{\"v\":1,\"type\":\"%s\",\"time\":\"2027-01-15T08:00:00.000Z\",\"seq\":%d,\"host\":{}%s,\"prev\":\"%s\"}", types[i],
			 i + 1, more[i], prev);
		chain(line, prev);
		n += (size_t)sprintf(text + n, "%s\n", line);
		if (i == 1)
			text[n++] = '\0';
	}
	segments = n;
	snprintf(head, sizeof(head), "{\"v\":1,\"seq\":4,\"closed\":false,\"hash\":\"%s\"}", prev);
	memset(text + n, 0, 3); /* neither a digest nor its signature */
	n += 3;
	n += (size_t)sprintf(text + n, "%-255s\n", head);
	put("journal", "undigested", text, n);
	n = segments;
	text[n++] = '\0';
	n += (size_t)sprintf(text + n,
			     "{\"digestS3Object\":\"digest-00000000000000000002-20270115T080000Z.json\",\"digestS3Bucket\":\"a\","
			     "\"digestPublicKeyFingerprint\":\"" NO_HASH "\",\"digestStartTime\":\"a\",\"digestEndTime\":\"b\","
			     "\"previousDigestS3Object\":null,\"logFiles\":[{\"s3Object\":\"sluice-00000000000000000001.jsonl\","
			     "\"hashValue\":\"" NO_HASH "\"}],\"sluice\":{\"first_seq\":1,\"last_seq\":2,\"starts\":\"new\"}}");
	text[n++] = '\0';
	n += (size_t)sprintf(text + n, "%s\n", NO_HASH);
	text[n++] = '\0';
	n += (size_t)sprintf(text + n, "%-255s\n", head);
	put("journal", "digested", text, n);
}

#define STS_JSON "{\"AssumeRoleResponse\":{\"AssumeRoleResult\":{\"Credentials\":{\"AccessKeyId\":\"ASIA1\",\"SecretAccessKey\":\"s\"," \
	"\"SessionToken\":\"t\",\"Expiration\":1.795724374E9}}}}"
#define STS_XML "<?xml version=\"1.0\"?><AssumeRoleResponse xmlns=\"u\"><AssumeRoleResult><Credentials><AccessKeyId>ASIA1</AccessKeyId>" \
	"<SecretAccessKey>s&#x2b;</SecretAccessKey><SessionToken>t&amp;</SessionToken><Expiration>2026-11-26T20:19:34Z</Expiration>" \
	"</Credentials></AssumeRoleResult><!-- c --></AssumeRoleResponse>"

static void aws_seeds(void)
{
	put_text("aws_reply", "error", "e{\"__type\":\"com.amazonaws.logs#ThrottlingException\",\"message\":\"Rate \\u00e9 exceeded\"}");
	put_text("aws_reply", "error_xml", "e<ErrorResponse><Error><Code>ExpiredToken</Code><Message>m</Message></Error></ErrorResponse>");
	put_text("aws_reply", "imds", "c{\"Code\":\"Success\",\"AccessKeyId\":\"ASIA1\",\"SecretAccessKey\":\"s/+\",\"Token\":\"t=\","
				      "\"Expiration\":\"2026-11-26T20:19:34Z\"}");
	put_text("aws_reply", "sts_json", "s" STS_JSON);
	put_text("aws_reply", "sts_xml", "s" STS_XML);
	put_text("aws_reply", "account", "a{\"GetCallerIdentityResponse\":{\"GetCallerIdentityResult\":{\"Account\":\"123456789012\"}}}");
	put_text("aws_reply", "json", "j{\"b\":[1,-2.5e3,true,null,{\"a\":\"\"}],\"a\":\"\\ud83d\\udd12\\n\"}");
	put_text("aws_reply", "xml", "x<r k='v'><i><a>x&lt;</a></i><!-- --><b/></r>");
	put_text("aws_reply", "profile", "p[default]\nkey = a\n[profile \"q r\"]\n# c\nk:v\n  key=n\n[ profile default ]\nKEY=z\n");
	put_text("aws_reply", "time", "t1.795724374E9");
	put_text("aws_reply", "url", "uhttps://[fd00:ec2::23]:8443/a/../b%20c?x=%7e&y&z=1=2");
}

static void viewer_seeds(void)
{
	put_text("feed", "changes",
		 "{\"watch\":\"jobs\",\"generation\":1,\"since\":0,\"at_ns\":1000000000,\"time\":\"t\",\"host\":{},\"added\":{\"a\":{\"job\":\"a\","
		 "\"n\":1},\"b\":{\"job\":\"b\",\"n\":1}}}\n"
		 "{\"watch\":\"jobs\",\"generation\":2,\"since\":1,\"at_ns\":2000000000,\"time\":\"u\",\"added\":{\"c\":{}},\"changed\":{\"a\":{"
		 "\"n\":5}},\"gone\":[\"b\"]}\n"
		 "{\"watch\":\"health\",\"generation\":2,\"since\":0,\"at_ns\":1,\"time\":\"t\",\"added\":{\"health\":{\"cpu\":0.5}}}\n");
#define SEED_HEAD(type, seq) "{\"v\":1,\"type\":\"" type "\",\"time\":\"2027-01-15T08:00:00.001Z\",\"seq\":" #seq ",\"host\":{},"
#define SEED_PROCESS "{\"pid\":7,\"start\":null,\"exe\":\"/bin/x\",\"comm\":\"x\",\"uid\":0,\"parent\":null}"
	put_text("replay", "records",
		 SEED_HEAD("access", 1) "\"job\":\"j\",\"process\":" SEED_PROCESS ",\"dataset\":\"a\",\"tags\":{},\"bytes\":{\"read\":5,"
		 "\"mmap\":null},\"job_labels\":{\"rank\":1}}\n"
		 SEED_HEAD("flow", 2) "\"process\":null,\"job\":null,\"proto\":\"tcp\",\"local\":null,\"remote\":{\"addr\":\"1.2.3.4\",\"port\":4,"
		 "\"class\":\"internet\"},\"bytes_out\":5,\"bytes_in\":1,\"tainted_out\":2,\"datasets\":[\"a\",\"b\"]}\n"
		 SEED_HEAD("transfer", 3) "\"from\":{\"process\":" SEED_PROCESS "},\"to\":{\"object\":{\"name\":\"pipe:[9]\"}},\"via\":\"pipe_write\","
		 "\"bytes\":4,\"datasets\":[\"a\"],\"declared\":[]}\n"
		 SEED_HEAD("transfer", 4) "\"to\":{\"process\":" SEED_PROCESS "},\"from\":{\"object\":{\"name\":\"pipe:[9]\"}},\"via\":\"pipe_read\","
		 "\"bytes\":null,\"datasets\":[\"a\"]}\n"
		 SEED_HEAD("finding", 6) "\"id\":\"f\",\"dataset\":\"a\",\"job\":\"j\",\"ml_reason\":[]}\n"
		 SEED_HEAD("health", 7) "\"backend\":null}\n");
	/* the first byte says what is asked for */
	for (char wish = '0'; wish < '8'; wish++) {
		char name[] = {wish, '\0'}, text[4096];

		snprintf(text, sizeof(text), "%c%s", wish,
			 SEED_HEAD("access", 1) "\"job\":\"j\",\"process\":" SEED_PROCESS ",\"dataset\":\"a\",\"tags\":{},\"bytes\":{"
			 "\"read\":5,\"mmap\":null},\"ops\":1,\"files\":1,\"exact\":true}\n"
			 SEED_HEAD("flow", 2) "\"process\":" SEED_PROCESS ",\"job\":\"j\",\"proto\":\"tcp\",\"remote\":{\"addr\":\"1.2.3.4\","
			 "\"port\":4,\"class\":\"internet\",\"name\":null,\"name_source\":null},\"bytes_out\":5,\"tainted_out\":2,"
			 "\"datasets\":[\"a\",\"b\"]}\n"
			 SEED_HEAD("transfer", 3) "\"from\":{\"process\":" SEED_PROCESS "},\"to\":{\"object\":{\"name\":\"pipe:[9]\"}},"
			 "\"via\":\"pipe_write\",\"bytes\":4,\"datasets\":[\"a\"],\"declared\":[]}\n"
			 SEED_HEAD("finding", 4) "\"id\":\"f\",\"rule\":\"exfil.volume\",\"dataset\":\"a\",\"job\":\"j\",\"chain\":[{"
			 "\"from\":\"a\",\"to\":\"b\",\"via\":\"tcp\",\"bytes\":5}],\"first\":null,\"leak_bound\":5}\n"
			 SEED_HEAD("health", 5) "\"gaps\":[]}\n");
		put_text("report", name, text);
	}
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	root = argv[1];
	tls_seeds();
	quic_seeds();
	other_scripts();
	dns_seeds();
	text_seeds();
	journal_seeds();
	aws_seeds();
	viewer_seeds();
	return 0;
}
