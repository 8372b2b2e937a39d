/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/journal_sign.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/stat.h>

#define KEY_BITS 2048
#define BITS_LEAST 2048
#define BITS_MOST 4096
#define PRIVATE_MAX 16384
#define LABEL "RSA PUBLIC KEY"

struct signer {
	EVP_PKEY *key;
	char *pem;
	char fingerprint[HASH_HEX + 1];
};

struct checker {
	EVP_PKEY *key;
	char fingerprint[HASH_HEX + 1];
};

/* --- the public half ---------------------------------------------------------------- */

static int hash_of(const uint8_t *data, size_t len, char ret[static HASH_HEX + 1])
{
	struct hasher h;
	int err = hasher_open(&h);

	if (err)
		return err;
	hasher_hex(&h, data, len, ret);
	hasher_close(&h);
	return 0;
}

/* PKCS#1 in PEM, terminated, and the fingerprint. */
static int public_of(EVP_PKEY *key, char **ret_pem, char ret_fingerprint[static HASH_HEX + 1])
{
	uint8_t *der = NULL;
	int n = i2d_PublicKey(key, &der), err = n > 0 ? 0 : -EBADMSG;
	BIO *b = err ? NULL : BIO_new(BIO_s_mem());
	char *text = NULL, *data;

	if (!err)
		err = b && PEM_write_bio(b, LABEL, "", der, n) > 0 ? hash_of(der, (size_t)n, ret_fingerprint) : -ENOMEM;
	if (!err) {
		long len = BIO_get_mem_data(b, &data);

		text = strndup(data, (size_t)len);
		err = text ? 0 : -ENOMEM;
	}
	BIO_free(b);
	OPENSSL_free(der);
	if (!err)
		*ret_pem = text;
	return err;
}

static bool is_fit(EVP_PKEY *key)
{
	return EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) >= BITS_LEAST &&
	       EVP_PKEY_get_bits(key) <= BITS_MOST;
}

static EVP_PKEY *read_public(const char *pem, size_t len)
{
	BIO *b = len < PRIVATE_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;
	char *name = NULL, *header = NULL;
	uint8_t *der = NULL;
	EVP_PKEY *key = NULL;
	long n = 0;

	if (b && PEM_read_bio(b, &name, &header, &der, &n) == 1 && !strcmp(name, LABEL)) {
		const uint8_t *at = der;

		key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, n);
	}
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(der);
	BIO_free(b);
	return key;
}

struct checker *checker_free(struct checker *c)
{
	if (!c)
		return NULL;
	EVP_PKEY_free(c->key);
	free(c);
	return NULL;
}

int checker_new(const char *pem, size_t len, struct checker **ret)
{
	struct checker *c = calloc(1, sizeof(*c));
	_cleanup_free_ char *again = NULL;
	int err = c ? 0 : -ENOMEM;

	if (err)
		return err;
	c->key = read_public(pem, len);
	err = c->key && is_fit(c->key) ? public_of(c->key, &again, c->fingerprint) : -EBADMSG;
	if (!err && (strlen(again) != len || memcmp(again, pem, len) != 0))
		err = -EBADMSG;
	if (err) {
		checker_free(c);
		return err;
	}
	*ret = c;
	return 0;
}

const char *checker_fingerprint(const struct checker *c)
{
	return c->fingerprint;
}

int checker_check(const struct checker *c, const char *text, size_t len, const char *hex, size_t hex_len)
{
	uint8_t sig[SIGN_HEX_MAX / 2];
	EVP_MD_CTX *ctx;
	int good;

	if (hex_len > SIGN_HEX_MAX || hex_bytes(hex, hex_len, sig))
		return -EBADMSG;
	ctx = EVP_MD_CTX_new();
	if (!ctx)
		return -ENOMEM;
	good = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, c->key) == 1 &&
	       EVP_DigestVerify(ctx, sig, hex_len / 2, (const uint8_t *)text, len) == 1;
	EVP_MD_CTX_free(ctx);
	return good ? 0 : -EBADMSG;
}

/* --- the private half ------------------------------------------------------------------ */

static int make_key(EVP_PKEY **ret)
{
	EVP_PKEY *key = EVP_RSA_gen(KEY_BITS);

	if (!key)
		return -EIO;
	*ret = key;
	return 0;
}

/* The directory is one's own, as the key in it. */
static int check_own(int fd, mode_t others)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	return st.st_uid == geteuid() && !(st.st_mode & others) ? 0 : -EPERM;
}

static int open_dir(const char *dir)
{
	if (mkdir(dir, 0700) && errno != EEXIST)
		return -errno;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 ? -errno : check_own(fd, S_IWGRP | S_IWOTH);

	if (!err)
		return fd;
	if (fd >= 0)
		close(fd);
	return err;
}

static int read_key(int dir, EVP_PKEY **ret)
{
	_cleanup_close_ int fd = openat(dir, SIGN_KEY_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char text[PRIVATE_MAX];
	EVP_PKEY *key = NULL;
	size_t len = 0;
	int err = fd < 0 ? -errno : check_own(fd, S_IRWXG | S_IRWXO);

	if (!err)
		err = fd_read(fd, text, sizeof(text), &len);
	if (err)
		return err;
	BIO *b = BIO_new_mem_buf(text, (int)len);
	key = b ? PEM_read_bio_PrivateKey(b, NULL, NULL, NULL) : NULL;
	BIO_free(b);
	OPENSSL_cleanse(text, sizeof(text));
	if (!key)
		return -EBADMSG;
	if (!is_fit(key)) {
		EVP_PKEY_free(key);
		return -EBADMSG;
	}
	*ret = key;
	return 0;
}

static int write_key(int fd, EVP_PKEY *key)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *data;
	int err = b && PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL) == 1 ? 0 : -ENOMEM;

	if (!err) {
		long n = BIO_get_mem_data(b, &data);
		ssize_t w = write(fd, data, (size_t)n);

		err = w == n ? 0 : w < 0 ? -errno : -ENOSPC;
		OPENSSL_cleanse(data, (size_t)n);
	}
	BIO_free(b);
	if (!err && fsync(fd))
		err = -errno;
	return err;
}

/* Whole or not at all; whoever was faster has made the key for both. */
static int keep_key(int dir, EVP_PKEY *key)
{
	char fresh[64];
	int err;

	snprintf(fresh, sizeof(fresh), ".%s.%d", SIGN_KEY_FILE, getpid());
	unlinkat(dir, fresh, 0);
	_cleanup_close_ int fd = openat(dir, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	err = fd < 0 ? -errno : write_key(fd, key);
	if (!err && linkat(dir, fresh, dir, SIGN_KEY_FILE, 0))
		err = -errno;
	if (fd >= 0)
		unlinkat(dir, fresh, 0);
	return err;
}

static int key_in(const char *path, EVP_PKEY **ret)
{
	_cleanup_close_ int dir = open_dir(path);
	int err = dir < 0 ? dir : read_key(dir, ret);

	if (err != -ENOENT || dir < 0)
		return err;
	err = make_key(ret);
	if (err)
		return err;
	err = keep_key(dir, *ret);
	if (!err)
		return 0;
	EVP_PKEY_free(*ret);
	*ret = NULL;
	return err == -EEXIST ? read_key(dir, ret) : err;
}

int signer_open(const char *dir, struct signer **ret)
{
	struct signer *s = calloc(1, sizeof(*s));
	int err = s ? 0 : -ENOMEM;

	if (!err)
		err = dir ? key_in(dir, &s->key) : make_key(&s->key);
	if (!err)
		err = public_of(s->key, &s->pem, s->fingerprint);
	if (err) {
		signer_free(s);
		return err;
	}
	*ret = s;
	return 0;
}

struct signer *signer_free(struct signer *s)
{
	if (!s)
		return NULL;
	EVP_PKEY_free(s->key);
	free(s->pem);
	free(s);
	return NULL;
}

const char *signer_fingerprint(const struct signer *s)
{
	return s ? s->fingerprint : "";
}

const char *signer_public(const struct signer *s)
{
	return s->pem;
}

int signer_sign(const struct signer *s, const char *text, size_t len, char ret[static SIGN_HEX_MAX + 1])
{
	uint8_t sig[SIGN_HEX_MAX / 2];
	size_t n = sizeof(sig);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, s->key) == 1 &&
		    EVP_DigestSign(ctx, sig, &n, (const uint8_t *)text, len) == 1;

	EVP_MD_CTX_free(ctx);
	if (!good)
		return -EIO;
	hex_text(sig, n, ret);
	return 0;
}
