/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* RSA signatures, SHA-256 with PKCS#1 v1.5: what CloudTrail's own validator takes. */
#ifndef SLUICE_JOURNAL_SIGN_H
#define SLUICE_JOURNAL_SIGN_H

#include "user/export/journal_line.h"

#define SIGN_KEY_FILE "journal-key.pem"
#define SIGN_HEX_MAX 1024 /* digits of a signature by a key of 4096 bits */

/* --- with the private key --- */

struct signer;

/* The key in this directory, made with mode 0600 where there is none; the directory too, with 0700. NULL: a key that is
 * kept nowhere. -EPERM: others may read the file, or write where it lies; -EBADMSG: it is no such key; -ENOMEM; what the
 * system says. */
int signer_open(const char *dir, struct signer **ret);
struct signer *signer_free(struct signer *s);

/* SHA-256 of the public key (PKCS#1, DER), hex. NULL gives "". */
const char *signer_fingerprint(const struct signer *s);
/* The public key as PEM. */
const char *signer_public(const struct signer *s);
/* Hex. -EIO. */
int signer_sign(const struct signer *s, const char *text, size_t len, char ret[static SIGN_HEX_MAX + 1]);

/* --- with the public key --- */

struct checker;

/* Exactly what signer_public() gives. -EBADMSG. */
int checker_new(const char *pem, size_t len, struct checker **ret);
struct checker *checker_free(struct checker *c);
const char *checker_fingerprint(const struct checker *c);
/* -EBADMSG: not by this key, or not of this text. */
int checker_check(const struct checker *c, const char *text, size_t len, const char *hex, size_t hex_len);

#endif
