/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Where to ask: as AWS's own clients take it from options, environment and shared profile. */
#include <ctype.h>
#include <string.h>

#include "user/dest/aws_name.h"
#include "user/export/aws_environment.h"
#include "user/export/aws_internal.h"
#include "user/imds.h"

#define REGION_AGAIN_NS (60 * NSEC)

/* --- at the start ------------------------------------------------------------------------------- */

static bool take_region(struct aws *a, const char *region)
{
	if (!region || !aws_region_ok(region))
		return false;
	memcpy(a->region, region, strlen(region) + 1);
	return true;
}

/* All services, as one address. */
static int take_endpoint(const char *text, struct aws_url *ret)
{
	struct aws_url u;
	int err = aws_url_parse(text, &u);

	if (!err && strcmp(u.path, "/"))
		err = -EINVAL;
	if (!err)
		*ret = u;
	return err;
}

static bool profile_true(const struct aws_profiles *p, const char *key)
{
	char text[8];

	return !aws_profiles_get(p, p->name, key, text, sizeof(text)) && !strcasecmp(text, "true");
}

static void from_profile(struct aws *a)
{
	struct aws_profiles p;
	char text[AWS_PATH_LEN], why[8];

	if (aws_profiles_load(&p, why, sizeof(why)))
		return; /* said when credentials are looked for */
	if (!a->region[0] && !aws_profiles_get(&p, p.name, "region", text, sizeof(text)))
		take_region(a, text);
	if (!aws_profiles_get(&p, p.name, "endpoint_url", text, sizeof(text)))
		take_endpoint(text, &a->said);
	a->fips |= !aws_env("AWS_USE_FIPS_ENDPOINT") && profile_true(&p, "use_fips_endpoint");
	a->dualstack |= !aws_env("AWS_USE_DUALSTACK_ENDPOINT") && profile_true(&p, "use_dualstack_endpoint");
	aws_profiles_done(&p);
}

int aws_settings(struct aws *a, const struct aws_options *o)
{
	const char *region = o->region && *o->region ? o->region : NULL;

	if (region && !take_region(a, region))
		return -EINVAL;
	if (o->endpoint && *o->endpoint && strcmp(o->endpoint, "auto") && take_endpoint(o->endpoint, &a->endpoint))
		return -EINVAL;
	if (!a->region[0] && !take_region(a, aws_env("AWS_REGION")))
		take_region(a, aws_env("AWS_DEFAULT_REGION"));
	a->fips = aws_env_true("AWS_USE_FIPS_ENDPOINT");
	a->dualstack = aws_env_true("AWS_USE_DUALSTACK_ENDPOINT");
	from_profile(a);
	return 0;
}

/* --- later -------------------------------------------------------------------------------------- */

bool aws_know_region(struct aws *a)
{
	char text[AWS_REGION_LEN];
	uint64_t now = now_boot_ns();
	struct imds *i;

	if (a->region[0])
		return true;
	if (now < a->region_ns)
		return false;
	a->region_ns = now + REGION_AGAIN_NS;
	i = aws_imds(a);
	if (i && imds_read(i, "/latest/meta-data/placement/region", text, sizeof(text)) == IMDS_OK) {
		text[strcspn(text, "\r\n")] = '\0';
		take_region(a, text);
	}
	return a->region[0];
}

/* The environment names endpoints by the service's id, which for some is not what they are signed as. */
static const char *endpoint_variable(const char *service)
{
	static const struct {
		const char *service, *id;
	} ids[] = {{"logs", "CLOUDWATCH_LOGS"}, {"logs", "LOGS"}, {"securityhub", "SECURITYHUB"}, {"sts", "STS"}};
	char name[64];

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		snprintf(name, sizeof(name), "AWS_ENDPOINT_URL_%s", ids[i].id);
		if (!strcmp(ids[i].service, service) && aws_env(name))
			return aws_env(name);
	}
	return aws_env("AWS_ENDPOINT_URL");
}

/* An address of another of AWS's services is none for this one: an interface endpoint of CloudWatch's must not get what is for
 * STS. */
static bool is_anothers(const struct aws_url *u, const char *service)
{
	struct aws_name name;

	return aws_name_parse(u->host, &name) && name.service[0] && strcmp(name.service, service);
}

static bool is_for(const struct aws_url *u, const char *service)
{
	return u->host[0] && !is_anothers(u, service);
}

int aws_endpoint(struct aws *a, const char *service, struct aws_url *ret, char why[static AWS_WHY_LEN])
{
	bool ignore = aws_env_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
	const char *variable = ignore ? NULL : endpoint_variable(service);
	int err = 0;

	if (!aws_know_region(a)) {
		snprintf(why, AWS_WHY_LEN, "the region is not known: set AWS_REGION");
		return -ENOENT;
	}
	if (is_for(&a->endpoint, service))
		*ret = a->endpoint;
	else if (variable) {
		err = take_endpoint(variable, ret);
		if (err)
			snprintf(why, AWS_WHY_LEN, "AWS_ENDPOINT_URL of %s is no http[s]://host[:port]", service);
	} else if (is_for(&a->said, service) && !ignore)
		*ret = a->said;
	else {
		err = aws_endpoint_of(&(struct aws_endpoint_wish){service, a->region, a->fips, a->dualstack}, ret);
		if (err)
			snprintf(why, AWS_WHY_LEN, "%s has no dual-stack endpoint in %s", service, a->region);
	}
	return err;
}
