/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Shared by the files of the AWS client. */
#ifndef SLUICE_AWS_INTERNAL_H
#define SLUICE_AWS_INTERNAL_H

#include "user/export/aws.h"
#include "user/export/aws_creds.h"
#include "user/export/aws_http.h"
#include "user/export/aws_profile.h"
#include "user/export/aws_url.h"

#define AWS_WHY_LEN 256
#define AWS_CALL_MS 30000u

struct imds;

enum creds_source {
	CREDS_NOWHERE,
	CREDS_ENVIRONMENT,
	CREDS_PROFILE,
	CREDS_WEB_IDENTITY,
	CREDS_CONTAINER,
	CREDS_INSTANCE,
};

struct aws {
	const atomic_bool *stop;
	struct aws_http *http;
	struct imds *imds; /* NULL: not asked yet */
	char *reply;	   /* AWS_REPLY_MAX + 1 */

	char region[AWS_REGION_LEN]; /* "": not known yet */
	uint64_t region_ns;	     /* when it may be asked for again */
	struct aws_url endpoint;     /* of all services, by option; host "": what follows, or AWS's own */
	struct aws_url said;	     /* by the shared profile; host "": nothing */
	bool fips, dualstack;
	int64_t clock_s;	     /* to be added to our clock for AWS to accept it */

	struct creds *creds; /* locked; of use where `source` is set */
	enum creds_source source;
	struct creds_age age;
	uint64_t again_ns;	 /* when credentials may be asked for again */
	uint64_t forced_ns;	 /* when AWS's refusal last made us ask for new ones; 0: never */
	unsigned failures;	 /* of asking, one after the other */
	char why[AWS_WHY_LEN];	 /* what is wrong with them; "": nothing */

	char account[AWS_ACCOUNT_LEN]; /* "": not known yet */
	uint64_t account_ns;	       /* when it may be asked for again */

	uint64_t until_ns; /* when the call that is on has to end, boot time */
};

/* --- aws.c -------------------------------------------------------------------------------------- */

/* After an error. True: the request's time was the trouble, and the next one's will be another. */
bool aws_mend_clock(struct aws *a, const struct aws_http_answer *got, const char *error);

/* --- aws_send.c --------------------------------------------------------------------------------- */

/* Our clock as AWS has it, seconds since 1970. */
int64_t aws_now_s(const struct aws *a);

/* So many milliseconds, or what is left of the call: 1 at least. */
unsigned aws_left_ms(const struct aws *a, unsigned most);

struct aws_sending {
	const struct aws_request *q;
	const struct creds *by; /* NULL: unsigned */
	char *to;
	size_t room;
};

/* One request, one answer. As aws_http_send() and aws_endpoint(), which alone fills `why`. */
int aws_send(struct aws *a, const struct aws_sending *s, struct aws_http_answer *ret, char why[static AWS_WHY_LEN]);

/* aws_settings.c: the region, endpoints and their kind by option, environment and shared profile. -EINVAL: one that is an option
 * makes no sense; what the others say so is passed over. */
int aws_settings(struct aws *a, const struct aws_options *o);
/* Where a service is. -ENOENT: the region is not known; -EINVAL, -EOPNOTSUPP; `why` says it. */
int aws_endpoint(struct aws *a, const char *service, struct aws_url *ret, char why[static AWS_WHY_LEN]);
/* The region, asked of the instance where it is not known. False: not known yet. */
bool aws_know_region(struct aws *a);

/* --- aws_credentials.c -------------------------------------------------------------------------- */

/* 0: a->creds can be used. -ENOENT: there are none, and a->why says it; -ECANCELED; -ENOMEM. */
int aws_credentials_get(struct aws *a);

/* After AWS refused them. True: there are others now; false: they are the same, cannot be had, or were asked for too short a time
 * ago. */
bool aws_credentials_force(struct aws *a);

/* --- aws_credentials_find.c --------------------------------------------------------------------- */

struct creds_hunt {
	struct aws *a;
	struct aws_profiles profiles;
	struct creds *to;
	enum creds_source source;
	char why[AWS_WHY_LEN];
};

/* What an environment's or a profile's place gives. -ENOENT: it is not configured; another error: it is, and `why` says what is
 * wrong; 0: h->to and h->source are filled. */
int creds_find(struct creds_hunt *h);

int creds_from_environment(struct creds_hunt *h);

/* aws_credentials_role.c */
int creds_from_profile_role(struct creds_hunt *h); /* role_arn */
int creds_from_web_identity(struct creds_hunt *h); /* by the environment */
int creds_assume_with_token(struct creds_hunt *h, const char *role, const char *token_file, const char *session);

/* aws_credentials_local.c */
int creds_from_container(struct creds_hunt *h);
int creds_from_instance(struct creds_hunt *h);

/* The metadata service, opened when first needed. NULL: no memory, or its address makes no sense. */
struct imds *aws_imds(struct aws *a);

__attribute__((format(printf, 2, 3))) void creds_say(struct creds_hunt *h, const char *format, ...);

#endif
