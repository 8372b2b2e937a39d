/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Does a text hold a long-lived secret? Only what is in it decides; of the secret nothing is kept, of an AWS key its masked
 * number. Pure: any bytes may be given.
 */
#ifndef SLUICE_SECRET_FILE_H
#define SLUICE_SECRET_FILE_H

#include "user/util.h"

#define SECRET_FILE_MAX (256u << 10) /* what is larger is no such file */
#define SECRET_KEY_LEN 24	     /* "AKIA************WXYZ" */

enum secret_kind {
	SECRET_AWS,
	SECRET_NETRC,
	SECRET_GIT,
	SECRET_KUBE,
	SECRET_DOCKER,
	SECRET_GCLOUD,
	SECRET_HUGGINGFACE,
	SECRET_ENVIRONMENT, /* an AWS key there, and in no file */
	/* asked for, and good for some hours; not what secret_find() is about: */
	SECRET_IMDS,	  /* of the instance's metadata, version 2 */
	SECRET_IMDS_V1,	  /* without a token: whoever can make the process ask for a URL can have it */
	SECRET_CONTAINER, /* of ECS's and EKS's endpoints */
	SECRET_KINDS,
};

/* As records spell it: "aws", "netrc", ... */
const char *secret_name(enum secret_kind kind);
bool secret_is_static(enum secret_kind kind);
/* "AWS key", "password of .netrc", ... */
const char *secret_noun(enum secret_kind kind);
/* What to have instead: an imperative. */
const char *secret_advice(enum secret_kind kind);

/* `text` as a file of that kind. `ret_key` is "" for all but AWS's. */
bool secret_find(enum secret_kind kind, const char *text, size_t n, char ret_key[static SECRET_KEY_LEN]);

/* What a process was started with says where to look, or is such a secret itself. "" where it says nothing. */
#define ENV_PATH_LEN 256
enum env_path { ENV_HOME, ENV_AWS_CREDENTIALS, ENV_AWS_CONFIG, ENV_KUBE, ENV_NETRC, ENV_GCLOUD, ENV_HUGGINGFACE, ENV_PATHS };
struct env_secrets {
	char key[SECRET_KEY_LEN];
	char path[ENV_PATHS][ENV_PATH_LEN]; /* hostile; absolute, or it begins with ~/ */
};

/* From `n` bytes of an environment; a variable that was cut does not count. False: it says nothing but HOME. */
bool secret_environ(const char *env, size_t n, struct env_secrets *ret);

/* The kind of file that such a path names; of HOME: SECRET_KINDS. */
enum secret_kind secret_kind_of_env(enum env_path which);

#endif
