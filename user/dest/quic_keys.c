/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/quic_keys.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define SECRET 32

/* RFC 9001 5.2 and 5.8; RFC 9369 3.3. */
static const struct version {
	uint32_t version;
	uint8_t salt[20], retry_key[16], retry_nonce[12];
	const char *key, *iv, *hp;
} versions[] = {
    {QUIC_V1,
     {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a},
     {0xbe, 0x0c, 0x69, 0x0b, 0x9f, 0x66, 0x57, 0x5a, 0x1d, 0x76, 0x6b, 0x54, 0xe3, 0x68, 0xc8, 0x4e},
     {0x46, 0x15, 0x99, 0xd3, 0x5d, 0x63, 0x2b, 0xf2, 0x23, 0x98, 0x25, 0xbb},
     "tls13 quic key",
     "tls13 quic iv",
     "tls13 quic hp"},
    {QUIC_V2,
     {0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9},
     {0x8f, 0xb4, 0xb0, 0x1b, 0x56, 0xac, 0x48, 0xe2, 0x60, 0xfb, 0xcb, 0xce, 0xad, 0x7c, 0xcc, 0x92},
     {0xd8, 0x69, 0x69, 0xbc, 0x2d, 0x7c, 0x6d, 0x99, 0x90, 0xef, 0xb0, 0x4a},
     "tls13 quicv2 key",
     "tls13 quicv2 iv",
     "tls13 quicv2 hp"},
};

static const struct version *find_version(uint32_t version)
{
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		if (versions[i].version == version)
			return &versions[i];
	return NULL;
}

bool quic_known_version(uint32_t version)
{
	return find_version(version);
}

/* RFC 5869, 2.3, of one block at most, with the label of RFC 8446, 7.1. */
static bool expand(const uint8_t secret[SECRET], const char *label, uint8_t *to, size_t n)
{
	size_t len = strlen(label);
	uint8_t info[4 + 32 + 1], block[SECRET];

	if (len > 32 || n > sizeof(block))
		return false;
	info[0] = 0;
	info[1] = (uint8_t)n;
	info[2] = (uint8_t)len;
	memcpy(info + 3, label, len);
	info[3 + len] = 0; /* no context */
	info[4 + len] = 1; /* the first block */
	if (!HMAC(EVP_sha256(), secret, SECRET, info, 5 + len, block, NULL))
		return false;
	memcpy(to, block, n);
	return true;
}

int quic_initial_keys(uint32_t version, const uint8_t *id, size_t n, bool server, struct quic_keys *ret)
{
	const struct version *v = find_version(version);
	uint8_t initial[SECRET], secret[SECRET];
	struct quic_keys k;

	if (!v)
		return -ENOTSUP;
	if (!HMAC(EVP_sha256(), v->salt, sizeof(v->salt), id, n, initial, NULL) ||
	    !expand(initial, server ? "tls13 server in" : "tls13 client in", secret, sizeof(secret)) ||
	    !expand(secret, v->key, k.key, sizeof(k.key)) || !expand(secret, v->iv, k.iv, sizeof(k.iv)) ||
	    !expand(secret, v->hp, k.hp, sizeof(k.hp)))
		return -EIO;
	*ret = k;
	return 0;
}

/* --- opening ------------------------------------------------------------------------------- */

static void ctx_freep(EVP_CIPHER_CTX **c)
{
	EVP_CIPHER_CTX_free(*c);
}

static bool mask_of(const uint8_t hp[16], const uint8_t sample[16], uint8_t ret[16])
{
	_cleanup_(ctx_freep) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n = 0;

	return c && EVP_EncryptInit_ex(c, EVP_aes_128_ecb(), NULL, hp, NULL) && EVP_CIPHER_CTX_set_padding(c, 0) &&
	       EVP_EncryptUpdate(c, ret, &n, sample, 16) && n == 16;
}

struct sealed {
	const uint8_t *head, *body, *tag;
	size_t head_len, body_len;
};

static bool open_sealed(const uint8_t key[16], const uint8_t nonce[12], const struct sealed *s, uint8_t *to)
{
	_cleanup_(ctx_freep) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n = 0;
	uint8_t tag[QUIC_TAG], none[16];

	memcpy(tag, s->tag, sizeof(tag));
	return c && EVP_DecryptInit_ex(c, EVP_aes_128_gcm(), NULL, key, nonce) &&
	       EVP_DecryptUpdate(c, NULL, &n, s->head, (int)s->head_len) &&
	       (!s->body_len || EVP_DecryptUpdate(c, to, &n, s->body, (int)s->body_len)) &&
	       EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, QUIC_TAG, tag) && EVP_DecryptFinal_ex(c, none, &n) > 0;
}

int quic_open(const struct quic_keys *k, const uint8_t *packet, size_t n, size_t number_at, uint8_t *to, size_t *ret_len)
{
	uint8_t head[1500], mask[16], nonce[12];

	if (n > 65535 || number_at + 4 > sizeof(head) || n < number_at + 4 + QUIC_TAG)
		return -EBADMSG;
	if (!mask_of(k->hp, packet + number_at + 4, mask))
		return -EBADMSG;
	memcpy(head, packet, number_at + 4);
	head[0] ^= mask[0] & 0x0f;
	size_t len = (size_t)(head[0] & 3) + 1, body_at = number_at + len;
	memcpy(nonce, k->iv, sizeof(nonce));
	for (size_t i = 0; i < len; i++) {
		head[number_at + i] ^= mask[1 + i];
		nonce[12 - len + i] ^= head[number_at + i]; /* the first packets' numbers are short enough to be whole */
	}
	struct sealed s = {head, packet + body_at, packet + n - QUIC_TAG, body_at, n - QUIC_TAG - body_at};
	if (!open_sealed(k->key, nonce, &s, to) || head[0] & 0x0c)
		return -EBADMSG;
	*ret_len = s.body_len;
	return 0;
}

bool quic_retry_is_good(uint32_t version, const uint8_t *id, size_t nid, const uint8_t *packet, size_t n)
{
	const struct version *v = find_version(version);
	uint8_t head[1 + QUIC_ID_MOST + 1500];

	if (!v || nid > QUIC_ID_MOST || n < QUIC_TAG || 1 + nid + n - QUIC_TAG > sizeof(head))
		return false;
	head[0] = (uint8_t)nid;
	memcpy(head + 1, id, nid);
	memcpy(head + 1 + nid, packet, n - QUIC_TAG);
	struct sealed s = {head, NULL, packet + n - QUIC_TAG, 1 + nid + n - QUIC_TAG, 0};
	return open_sealed(v->retry_key, v->retry_nonce, &s, NULL);
}
