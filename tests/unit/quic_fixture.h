/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Packets of QUIC, sealed by OpenSSL's own HKDF and AEAD, apart from what is tested. */
#ifndef SLUICE_QUIC_FIXTURE_H
#define SLUICE_QUIC_FIXTURE_H

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "user/util.h"

#define PACKET_ROOM 2048

static inline size_t unhex(const char *text, uint8_t *to)
{
	size_t n = 0;

	for (; text[0] && text[1]; text += 2) {
		unsigned v;

		assert_int_equal(sscanf(text, "%2x", &v), 1);
		to[n++] = (uint8_t)v;
	}
	return n;
}

static inline void hkdf(int mode, const uint8_t *key, size_t nkey, const uint8_t *salt, size_t nsalt, const uint8_t *info, size_t ninfo,
			uint8_t *to, size_t n)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *c = EVP_KDF_CTX_new(kdf);
	OSSL_PARAM p[6], *at = p;

	*at++ = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
	*at++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0);
	*at++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)key, nkey);
	if (nsalt)
		*at++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt, nsalt);
	if (ninfo)
		*at++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, ninfo);
	*at = OSSL_PARAM_construct_end();
	assert_int_equal(EVP_KDF_derive(c, to, n, p), 1);
	EVP_KDF_CTX_free(c);
	EVP_KDF_free(kdf);
}

static inline void expand_label(const uint8_t secret[32], const char *label, uint8_t *to, size_t n)
{
	uint8_t info[64];
	int len = snprintf((char *)info + 3, sizeof(info) - 3, "tls13 %s", label);

	info[0] = 0, info[1] = (uint8_t)n, info[2] = (uint8_t)len;
	info[3 + len] = 0;
	hkdf(EVP_KDF_HKDF_MODE_EXPAND_ONLY, secret, 32, NULL, 0, info, 4 + (size_t)len, to, n);
}

struct seal_keys {
	uint8_t key[16], iv[12], hp[16];
};

static inline void seal_keys(bool v2, bool server, const uint8_t *id, size_t nid, struct seal_keys *ret)
{
	uint8_t salt[20], initial[32], secret[32];

	unhex(v2 ? "0dede3def700a6db819381be6e269dcbf9bd2ed9" : "38762cf7f55934b34d179ae6a4c80cadccbb7f0a", salt);
	hkdf(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, id, nid, salt, 20, NULL, 0, initial, 32);
	expand_label(initial, server ? "server in" : "client in", secret, 32);
	expand_label(secret, v2 ? "quicv2 key" : "quic key", ret->key, 16);
	expand_label(secret, v2 ? "quicv2 iv" : "quic iv", ret->iv, 12);
	expand_label(secret, v2 ? "quicv2 hp" : "quic hp", ret->hp, 16);
}

/* A header whose last four bytes are the packet's number, and frames, into a packet. */
static inline size_t seal(const struct seal_keys *k, const uint8_t *head, size_t nhead, unsigned number_len, const uint8_t *frames,
			  size_t n, uint8_t to[PACKET_ROOM])
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	uint8_t nonce[12], mask[32];
	int len;

	memcpy(nonce, k->iv, 12);
	for (unsigned i = 0; i < number_len; i++)
		nonce[12 - number_len + i] ^= head[nhead - number_len + i];
	memcpy(to, head, nhead);
	assert_true(EVP_EncryptInit_ex(c, EVP_aes_128_gcm(), NULL, k->key, nonce));
	assert_true(EVP_EncryptUpdate(c, NULL, &len, head, (int)nhead));
	assert_true(EVP_EncryptUpdate(c, to + nhead, &len, frames, (int)n));
	assert_true(EVP_EncryptFinal_ex(c, mask, &len));
	assert_true(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, to + nhead + n));
	EVP_CIPHER_CTX_free(c);
	c = EVP_CIPHER_CTX_new();
	assert_true(EVP_EncryptInit_ex(c, EVP_aes_128_ecb(), NULL, k->hp, NULL));
	assert_true(EVP_EncryptUpdate(c, mask, &len, to + nhead - number_len + 4, 16));
	EVP_CIPHER_CTX_free(c);
	to[0] ^= mask[0] & 0x0f;
	for (unsigned i = 0; i < number_len; i++)
		to[nhead - number_len + i] ^= mask[1 + i];
	return nhead + n + 16;
}

struct initial {
	bool v2, server, reserved; /* bits that must be none are set */
	const uint8_t *key_id, *to, *from; /* each of 8 bytes; `to` and `from` may be NULL: none */
	uint8_t number;
	const uint8_t *token;
	size_t ntoken;
};

/* One Initial with these frames, padded to `least` bytes. */
static inline size_t make_initial(const struct initial *in, const uint8_t *frames, size_t n, size_t least, uint8_t ret[PACKET_ROOM])
{
	uint8_t head[256], plain[PACKET_ROOM] = {0};
	struct seal_keys k;
	size_t w = 0;

	head[w++] = (in->v2 ? 0xd3 : 0xc3) | (in->reserved ? 0x0c : 0); /* a number of four bytes */
	w += unhex(in->v2 ? "6b3343cf" : "00000001", head + w);
	for (int i = 0; i < 2; i++) {
		const uint8_t *id = i ? in->from : in->to;

		head[w++] = id ? 8 : 0;
		if (id)
			memcpy(head + w, id, 8);
		w += id ? 8 : 0;
	}
	if (!in->server) {
		head[w++] = (uint8_t)in->ntoken;
		if (in->ntoken)
			memcpy(head + w, in->token, in->ntoken);
		w += in->ntoken;
	} else {
		head[w++] = 0;
	}
	size_t whole = MAX(least, w + 2 + 4 + n + 16), body = whole - w - 2 - 4 - 16;
	head[w++] = (uint8_t)(0x40 | (4 + body + 16) >> 8);
	head[w++] = (uint8_t)(4 + body + 16);
	head[w++] = 0, head[w++] = 0, head[w++] = 0, head[w++] = in->number;
	memcpy(plain, frames, n);
	seal_keys(in->v2, in->server, in->key_id, 8, &k);
	return seal(&k, head, w, 4, plain, body, ret);
}

/* A CRYPTO frame; its length. */
static inline size_t crypto_frame(uint8_t *to, size_t at, const uint8_t *data, size_t n)
{
	to[0] = 6;
	to[1] = (uint8_t)(0x40 | at >> 8), to[2] = (uint8_t)at;
	to[3] = (uint8_t)(0x40 | n >> 8), to[4] = (uint8_t)n;
	memcpy(to + 5, data, n);
	return 5 + n;
}

/* The client's CRYPTO frame and the server's frames of RFC 9001, A.2 and A.3, which RFC 9369 has too. */
#define RFC_ID "8394c8f03e515708"
#define RFC_SERVER_ID "f067a5502a4262b5"
#define RFC_CLIENT_FRAME \
	"060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578" \
	"616d706c652e636f6dff01000100000a00080006001d0017001800100007000504616c706e000500050100000000003300260024001d00209370b2c9caa47fba" \
	"baf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e0403050306030203080408050806002d00020101001c0002400100" \
	"3900320408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff"
#define RFC_SERVER_V1 \
	"cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3" \
	"dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc4" \
	"2158407dd074ee"
#define RFC_SERVER_V2 \
	"dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698baeea26b91eb761d9b89237bbf87263017915358230035f7fd3945d88965cf17" \
	"f9af6e16886c61bfc703106fbaf3cb4cfa52382dd16a393e42757507698075b2c984c707f0a0812d8cd5a6881eaf21ceda98f4bd23f6fe1a3e2c43edd9ce7ca8" \
	"4bed8521e2e140"
#define RFC_RETRY_V1 "ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba"
#define RFC_RETRY_V2 "cf6b3343cf0008f067a5502a4262b5746f6b656ec8646ce8bfe33952d955543665dcc7b6"

/* The client's Initial of A.2. */
static inline size_t rfc_initial(bool v2, uint8_t ret[PACKET_ROOM])
{
	uint8_t frame[512], head[64], plain[1162] = {0}, id[8];
	struct seal_keys k;
	size_t n = unhex(RFC_CLIENT_FRAME, frame), w;

	unhex(RFC_ID, id);
	memcpy(plain, frame, n);
	w = unhex(v2 ? "d36b3343cf088394c8f03e5157080000449e00000002" : "c300000001088394c8f03e5157080000449e00000002", head);
	seal_keys(v2, false, id, 8, &k);
	return seal(&k, head, w, 4, plain, sizeof(plain), ret);
}

#endif
