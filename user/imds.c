/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/imds.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <string.h>

#include "user/locked.h"

#define TOKEN_TTL_S 21600
#define TOKEN_EARLY_NS (60 * NSEC) /* before its end */
#define TOKEN_LEN 512
#define CONNECT_MS 1000L /* it is on this very machine's link */
#define ANSWER_MS 2000L
#define TRIES 2 /* a token may be refused once, and be asked for anew */

struct imds {
	CURL *curl;
	char base[256];
	char token[TOKEN_LEN];
	uint64_t token_ns; /* until when it holds */
	atomic_bool abort;
	const atomic_bool *stop; /* NULL: none */
	bool off, asked_for; /* asked_for: where to ask stands in the environment */
};

struct answer {
	char data[IMDS_ANSWER_MAX + 1];
	size_t len;
	long status; /* 0: none came */
	bool connected;
};

/* --- words ------------------------------------------------------------------------------- */

static const struct {
	const char *word, *text;
} states[] = {
	[IMDS_UNKNOWN] = {"unknown", "the metadata service was not asked yet"},
	[IMDS_OK] = {"ok", ""},
	[IMDS_OFF] = {"off", "AWS_EC2_METADATA_DISABLED is set; name the VPC's blocks as network.vpc_cidrs"},
	[IMDS_NOT_EC2] = {"not-ec2", "this machine is no EC2 instance, as far as can be seen; name the VPC's blocks as "
				     "network.vpc_cidrs"},
	[IMDS_HOPS] = {"hop-limit", "the metadata service took the connection, but its answer did not come: its hop limit may be "
				    "too low for a container (aws ec2 modify-instance-metadata-options --http-put-response-hop-limit 2)"},
	[IMDS_REFUSED] = {"refused", "the metadata service is switched off for this instance; name the VPC's blocks as "
				     "network.vpc_cidrs"},
	[IMDS_BROKEN] = {"broken", "what the metadata service answered makes no sense"},
};

const char *imds_state_text(enum imds_state s)
{
	return states[s].text;
}

const char *imds_state_word(enum imds_state s)
{
	return states[s].word;
}

void imds_facts_done(struct imds_facts *f)
{
	free(f->blocks);
	*f = (struct imds_facts){0};
}

/* --- where to ask --------------------------------------------------------------------------- */

static bool env_true(const char *name)
{
	const char *text = getenv(name);

	return text && !strcasecmp(text, "true");
}

static int choose_base(struct imds *i)
{
	const char *endpoint = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT"), *mode = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	bool six = mode && !strcasecmp(mode, "ipv6");
	size_t n;

	i->asked_for = endpoint && *endpoint;
	snprintf(i->base, sizeof(i->base), "%s", i->asked_for ? endpoint : six ? "http://[fd00:ec2::254]" : "http://169.254.169.254");
	if (strncmp(i->base, "http://", 7) || (i->asked_for && strlen(endpoint) >= sizeof(i->base) - 1))
		return -EINVAL;
	n = strlen(i->base);
	while (n > 7 && i->base[n - 1] == '/')
		i->base[--n] = '\0';
	return 0;
}

int imds_open(struct imds **ret)
{
	struct imds *i = locked_alloc(sizeof(*i)); /* its token opens the way to credentials */
	int err = i ? choose_base(i) : -ENOMEM;

	if (!err) {
		i->off = env_true("AWS_EC2_METADATA_DISABLED");
		i->curl = curl_easy_init();
		err = i->curl ? 0 : -ENOMEM;
	}
	if (err) {
		imds_close(i);
		return err;
	}
	*ret = i;
	return 0;
}

struct imds *imds_close(struct imds *i)
{
	if (!i)
		return NULL;
	if (i->curl)
		curl_easy_cleanup(i->curl);
	return locked_free(i);
}

static bool file_begins(const char *path, const char *with)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[64] = "";

	return fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && !strncasecmp(text, with, strlen(with));
}

/* Nitro and bare metal say it as their maker, Xen in its hypervisor's UUID. Of others nobody is asked: on their networks the
 * address may be anyone's. */
static bool is_ec2(void)
{
	return file_begins("/sys/class/dmi/id/sys_vendor", "Amazon EC2") || file_begins("/sys/hypervisor/uuid", "ec2");
}

/* --- one request ------------------------------------------------------------------------------ */

static size_t take(char *data, size_t size, size_t n, void *arg)
{
	struct answer *a = arg;

	if (size * n > IMDS_ANSWER_MAX - a->len)
		return 0;
	memcpy(a->data + a->len, data, size * n);
	a->len += size * n;
	a->data[a->len] = '\0';
	return size * n;
}

static int go_on(void *arg, curl_off_t down, curl_off_t downloaded, curl_off_t up, curl_off_t uploaded)
{
	const struct imds *i = arg;

	return atomic_load(&i->abort) || (i->stop && atomic_load(i->stop));
}

void imds_abort(struct imds *i)
{
	atomic_store(&i->abort, true);
}

void imds_stop_by(struct imds *i, const atomic_bool *stop)
{
	i->stop = stop;
}

static void set_up(struct imds *i, const char *url, struct answer *a)
{
	CURL *c = i->curl;

	curl_easy_reset(c);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, ANSWER_MS);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, go_on);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, i);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, a);
}

static enum imds_state why_none(CURLcode code, const struct answer *a)
{
	if (code == CURLE_OPERATION_TIMEDOUT && a->connected)
		return IMDS_HOPS;
	if (code == CURLE_OPERATION_TIMEDOUT || code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
		return IMDS_NOT_EC2;
	return IMDS_BROKEN;
}

/* `header` and `put` as they are needed. IMDS_OK: an answer came, whatever its status. */
static enum imds_state request(struct imds *i, const char *path, const char *header, bool put, struct answer *a)
{
	struct curl_slist *headers = curl_slist_append(NULL, header);
	char url[512];
	CURLcode code;
	curl_off_t connect_us = 0;

	a->len = 0;
	a->data[0] = '\0';
	if (!headers)
		return IMDS_BROKEN;
	snprintf(url, sizeof(url), "%s%s", i->base, path);
	set_up(i, url, a);
	curl_easy_setopt(i->curl, CURLOPT_HTTPHEADER, headers);
	if (put)
		curl_easy_setopt(i->curl, CURLOPT_CUSTOMREQUEST, "PUT");
	code = curl_easy_perform(i->curl);
	curl_easy_getinfo(i->curl, CURLINFO_CONNECT_TIME_T, &connect_us);
	curl_easy_getinfo(i->curl, CURLINFO_RESPONSE_CODE, &a->status);
	a->connected = connect_us > 0;
	curl_slist_free_all(headers);
	return code ? why_none(code, a) : IMDS_OK;
}

/* --- tokens -------------------------------------------------------------------------------------- */

static bool is_token(const char *text)
{
	size_t n = strlen(text);

	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	return n && n < TOKEN_LEN;
}

static enum imds_state get_token(struct imds *i, struct answer *a)
{
	char header[96];
	enum imds_state s;

	if (i->token[0] && now_boot_ns() + TOKEN_EARLY_NS < i->token_ns)
		return IMDS_OK;
	i->token[0] = '\0';
	snprintf(header, sizeof(header), "X-aws-ec2-metadata-token-ttl-seconds: %d", TOKEN_TTL_S);
	s = request(i, "/latest/api/token", header, true, a);
	if (s != IMDS_OK)
		return s;
	if (a->status == 403)
		return IMDS_REFUSED;
	if (a->status != 200 || !is_token(a->data))
		return IMDS_BROKEN;
	memcpy(i->token, a->data, a->len + 1);
	i->token_ns = now_boot_ns() + TOKEN_TTL_S * NSEC;
	return IMDS_OK;
}

/* 404, a category that is not there, gives IMDS_OK and an empty answer with that status. */
static enum imds_state get(struct imds *i, const char *path, struct answer *a)
{
	for (int tries = 0; tries < TRIES; tries++) {
		char header[TOKEN_LEN + 32];
		enum imds_state s = get_token(i, a);

		if (s != IMDS_OK)
			return s;
		snprintf(header, sizeof(header), "X-aws-ec2-metadata-token: %s", i->token);
		s = request(i, path, header, false, a);
		explicit_bzero(header, sizeof(header));
		if (s != IMDS_OK)
			return s;
		if (a->status != 401)
			break;
		i->token[0] = '\0';
	}
	if (a->status == 404) {
		a->len = 0;
		a->data[0] = '\0';
		return IMDS_OK;
	}
	if (strlen(a->data) != a->len)
		return IMDS_BROKEN;
	return a->status == 200 ? IMDS_OK : a->status == 403 ? IMDS_REFUSED : IMDS_BROKEN;
}

/* --- all of it ------------------------------------------------------------------------------------ */

static enum imds_state get_identity(struct imds *i, struct answer *a, struct imds_facts *f)
{
	enum imds_state s = get(i, "/latest/dynamic/instance-identity/document", a);

	if (s != IMDS_OK || a->status == 404)
		return s;
	return imds_identity(a->data, f) ? IMDS_BROKEN : IMDS_OK;
}

static enum imds_state get_blocks(struct imds *i, const char *mac, const char *what, struct answer *a, struct imds_facts *f)
{
	char path[160];
	enum imds_state s;

	snprintf(path, sizeof(path), "/latest/meta-data/network/interfaces/macs/%s/%s", mac, what);
	s = get(i, path, a);
	return s != IMDS_OK || !imds_add_blocks(f, a->data) ? s : IMDS_BROKEN;
}

static enum imds_state get_vpc_id(struct imds *i, const char *mac, struct answer *a, struct imds_facts *f)
{
	char path[160];
	enum imds_state s;

	snprintf(path, sizeof(path), "/latest/meta-data/network/interfaces/macs/%s/vpc-id", mac);
	s = get(i, path, a);
	if (s != IMDS_OK || a->status == 404)
		return s;
	if (!a->len || a->len >= sizeof(f->vpc_id) || strspn(a->data, "abcdefghijklmnopqrstuvwxyz0123456789-") != a->len)
		return IMDS_BROKEN;
	memcpy(f->vpc_id, a->data, a->len + 1);
	return IMDS_OK;
}

static enum imds_state get_interfaces(struct imds *i, struct answer *a, struct imds_facts *f)
{
	_cleanup_free_ char (*macs)[IMDS_MAC_LEN] = calloc(IMDS_INTERFACES_MAX, sizeof(*macs));
	enum imds_state s = macs ? get(i, "/latest/meta-data/network/interfaces/macs/", a) : IMDS_BROKEN;
	int n = s == IMDS_OK ? imds_macs(a->data, macs) : 0;

	if (s != IMDS_OK || n <= 0)
		return s != IMDS_OK ? s : IMDS_BROKEN; /* an instance has one at least */
	for (int k = 0; k < n && s == IMDS_OK; k++) {
		s = get_blocks(i, macs[k], "vpc-ipv4-cidr-blocks", a, f);
		if (s == IMDS_OK)
			s = get_blocks(i, macs[k], "vpc-ipv6-cidr-blocks", a, f);
		if (s == IMDS_OK && !k)
			s = get_vpc_id(i, macs[k], a, f);
	}
	f->interfaces = (unsigned)n;
	return s;
}

/* IMDS_OK: it may be asked. */
static enum imds_state is_there(const struct imds *i)
{
	if (i->off)
		return IMDS_OFF;
	return i->asked_for || is_ec2() ? IMDS_OK : IMDS_NOT_EC2;
}

enum imds_state imds_read(struct imds *i, const char *path, char *ret, size_t room)
{
	_cleanup_locked_ struct answer *a = locked_alloc(sizeof(*a));
	enum imds_state s = is_there(i);

	if (s == IMDS_OK)
		s = a ? get(i, path, a) : IMDS_BROKEN;
	if (s == IMDS_OK && a->len >= room)
		s = IMDS_BROKEN;
	if (s == IMDS_OK)
		memcpy(ret, a->data, a->len + 1);
	return s;
}

enum imds_state imds_ask(struct imds *i, struct imds_facts *ret)
{
	_cleanup_free_ struct answer *a = calloc(1, sizeof(*a));
	struct imds_facts f = {0};
	enum imds_state s = is_there(i);

	if (s != IMDS_OK)
		return s;
	s = a ? get_identity(i, a, &f) : IMDS_BROKEN;
	if (s == IMDS_OK)
		s = get_interfaces(i, a, &f);
	if (s == IMDS_OK)
		*ret = f;
	else
		imds_facts_done(&f);
	return s;
}
