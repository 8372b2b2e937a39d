/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/secret_file.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "user/policy/yaml_tree.h"

#define AKIA_LEN 20
#define HF_LEAST 20 /* characters behind hf_ */

static const struct {
	const char *name, *noun, *advice;
} kinds[SECRET_KINDS] = {
	[SECRET_AWS] = {"aws", "AWS key", "use the instance's or pod's role instead"},
	[SECRET_NETRC] = {"netrc", "password", "use a token that ends with the job instead"},
	[SECRET_GIT] = {"git", "git password", "use a credential helper or a deploy token that ends instead"},
	[SECRET_KUBE] = {"kube", "Kubernetes credential", "use the pod's service account or an exec plugin instead"},
	[SECRET_DOCKER] = {"docker", "registry password", "use a credential helper instead"},
	[SECRET_GCLOUD] = {"gcloud", "Google Cloud key", "use workload identity federation instead"},
	[SECRET_HUGGINGFACE] = {"huggingface", "Hugging Face token", "use a fine-grained token that ends with the job instead"},
	[SECRET_ENVIRONMENT] = {"environment", "AWS key", "use the instance's or pod's role instead"},
	[SECRET_IMDS] = {"imds", "instance's role", ""},
	[SECRET_IMDS_V1] = {"imds-v1", "instance's role, asked for without a token", "require IMDSv2"},
	[SECRET_CONTAINER] = {"container", "container's role", ""},
};

const char *secret_name(enum secret_kind kind)
{
	return kinds[kind].name;
}

const char *secret_noun(enum secret_kind kind)
{
	return kinds[kind].noun;
}

const char *secret_advice(enum secret_kind kind)
{
	return kinds[kind].advice;
}

bool secret_is_static(enum secret_kind kind)
{
	return kind < SECRET_IMDS;
}

/* --- words ------------------------------------------------------------------------------ */

struct span {
	const char *at;
	size_t n;
};

static bool span_is(struct span s, const char *word)
{
	return s.n == strlen(word) && !memcmp(s.at, word, s.n);
}

static struct span trim(struct span s)
{
	while (s.n && isspace((unsigned char)s.at[0]))
		s = (struct span){s.at + 1, s.n - 1};
	while (s.n && isspace((unsigned char)s.at[s.n - 1]))
		s.n--;
	return s;
}

/* The next line, without its end; false: there is none. */
static bool next_line(struct span *rest, struct span *ret)
{
	if (!rest->n)
		return false;
	const char *end = memchr(rest->at, '\n', rest->n);
	size_t len = end ? (size_t)(end - rest->at) : rest->n, step = len + !!end;

	*ret = (struct span){rest->at, len};
	*rest = (struct span){rest->at + step, rest->n - step};
	return true;
}

static bool next_word(struct span *rest, struct span *ret)
{
	size_t n = 0;

	*rest = trim(*rest);
	while (n < rest->n && !isspace((unsigned char)rest->at[n]))
		n++;
	*ret = (struct span){rest->at, n};
	*rest = (struct span){rest->at + n, rest->n - n};
	return n > 0;
}

/* --- AWS -------------------------------------------------------------------------------- */

/* Of users AWS makes keys that begin so; those of a role's session begin with ASIA. */
static bool long_lived(struct span id)
{
	if (id.n != AKIA_LEN || memcmp(id.at, "AKIA", 4))
		return false;
	for (size_t i = 0; i < id.n; i++)
		if (!isupper((unsigned char)id.at[i]) && !isdigit((unsigned char)id.at[i]))
			return false;
	return true;
}

static void mask(char ret[static SECRET_KEY_LEN], struct span id)
{
	memset(ret, '*', AKIA_LEN);
	memcpy(ret, "AKIA", 4);
	memcpy(ret + AKIA_LEN - 4, id.at + AKIA_LEN - 4, 4);
	ret[AKIA_LEN] = '\0';
}

struct profile {
	struct span id;
	bool secret;
};

static bool profile_ends(const struct profile *p, char ret_key[static SECRET_KEY_LEN])
{
	if (!p->secret || !long_lived(p->id))
		return false;
	mask(ret_key, p->id);
	return true;
}

/* As clients read it: in any case, with = or : behind it. */
static bool key_is(struct span s, const char *word)
{
	return s.n == strlen(word) && !strncasecmp(s.at, word, s.n);
}

static void profile_line(struct profile *p, struct span line)
{
	size_t n = 0;

	while (n < line.n && line.at[n] != '=' && line.at[n] != ':')
		n++;
	/* what is indented belongs to the value before */
	if (n == line.n || isspace((unsigned char)line.at[0]))
		return;
	struct span key = trim((struct span){line.at, n});
	struct span value = trim((struct span){line.at + n + 1, line.n - n - 1});
	if (key_is(key, "aws_access_key_id"))
		p->id = value;
	else if (key_is(key, "aws_secret_access_key"))
		p->secret = value.n > 0;
}

static bool find_aws(struct span text, char ret_key[static SECRET_KEY_LEN])
{
	struct profile p = {};
	struct span line;

	while (next_line(&text, &line)) {
		if (line.n && line.at[0] == '[') {
			if (profile_ends(&p, ret_key))
				return true;
			p = (struct profile){};
		} else if (line.n) {
			profile_line(&p, line);
		}
	}
	return profile_ends(&p, ret_key);
}

/* --- lines and words -------------------------------------------------------------------- */

static void skip_macro(struct span *text)
{
	struct span line;

	while (next_line(text, &line) && trim(line).n)
		;
}

static bool find_netrc(struct span text)
{
	bool machine = false;
	struct span word;

	while (next_word(&text, &word)) {
		if (word.at[0] == '#')
			next_line(&text, &word);
		else if (span_is(word, "macdef"))
			skip_macro(&text);
		else if (span_is(word, "machine"))
			machine = next_word(&text, &word);
		else if (span_is(word, "default"))
			machine = true;
		else if (span_is(word, "login") || span_is(word, "account"))
			next_word(&text, &word);
		else if (span_is(word, "password") && next_word(&text, &word) && machine && !span_is(word, "\"\""))
			return true;
	}
	return false;
}

/* "https://user:password@host/..." */
static bool url_has_password(struct span url)
{
	const char *scheme = memmem(url.at, url.n, "://", 3);

	if (!scheme)
		return false;
	struct span rest = {scheme + 3, url.n - (size_t)(scheme + 3 - url.at)};
	const char *slash = memchr(rest.at, '/', rest.n);
	rest.n = slash ? (size_t)(slash - rest.at) : rest.n;
	const char *at = memrchr(rest.at, '@', rest.n);
	const char *colon = at ? memchr(rest.at, ':', (size_t)(at - rest.at)) : NULL;
	return colon && colon + 1 < at;
}

static bool find_git(struct span text)
{
	struct span line;

	while (next_line(&text, &line))
		if (url_has_password(trim(line)))
			return true;
	return false;
}

static bool find_huggingface(struct span text)
{
	struct span word;

	if (!next_word(&text, &word) || word.n < 3 + HF_LEAST || memcmp(word.at, "hf_", 3))
		return false;
	for (size_t i = 3; i < word.n; i++)
		if (!isalnum((unsigned char)word.at[i]))
			return false;
	return true;
}

/* --- trees ------------------------------------------------------------------------------ */

static bool user_is_static(const struct ynode *user)
{
	static const char *const secrets[] = {"token", "password", "client-key-data"};

	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
		const struct ynode *v = ynode_get(user, secrets[i]);

		if (v && v->kind == Y_TEXT && !ynode_null(v) && v->text[0])
			return true;
	}
	return false;
}

static bool find_kube(struct span text)
{
	_cleanup_(ytree_freep) struct ytree *tree = NULL;
	struct yerror why;

	if (ytree_parse(text.at, text.n, &tree, &why) || !tree->root || tree->root->kind != Y_MAP)
		return false;
	const struct ynode *users = ynode_get(tree->root, "users");
	for (size_t i = 0; users && users->kind == Y_LIST && i < users->n; i++) {
		const struct ynode *user = users->v[i]->kind == Y_MAP ? ynode_get(users->v[i], "user") : NULL;

		if (user && user->kind == Y_MAP && user_is_static(user))
			return true;
	}
	return false;
}

static bool has_text(const json_t *object, const char *key)
{
	const char *v = json_string_value(json_object_get(object, key));

	return v && *v;
}

/* What ECR gives out ends after twelve hours. */
static bool registry_is_static(const char *host, const json_t *entry)
{
	return !strstr(host, ".dkr.ecr.") && !strstr(host, "public.ecr.aws") &&
	       (has_text(entry, "auth") || has_text(entry, "password") || has_text(entry, "identitytoken"));
}

static bool docker_is_static(json_t *root)
{
	const char *host;
	json_t *entry;

	json_object_foreach (json_object_get(root, "auths"), host, entry)
		if (registry_is_static(host, entry))
			return true;
	return false;
}

static bool gcloud_is_static(json_t *root)
{
	const char *type = json_string_value(json_object_get(root, "type"));

	if (!type)
		return false;
	if (!strcmp(type, "service_account"))
		return has_text(root, "private_key");
	return !strcmp(type, "authorized_user") && has_text(root, "refresh_token");
}

static bool find_json(struct span text, bool (*is_static)(json_t *root))
{
	json_t *root = json_loadb(text.at, text.n, 0, NULL);
	bool found = root && is_static(root);

	json_decref(root);
	return found;
}

/* --- all of them ------------------------------------------------------------------------ */

bool secret_find(enum secret_kind kind, const char *text, size_t n, char ret_key[static SECRET_KEY_LEN])
{
	struct span all = {text, n};

	ret_key[0] = '\0';
	switch (kind) {
	case SECRET_AWS:
		return find_aws(all, ret_key);
	case SECRET_NETRC:
		return find_netrc(all);
	case SECRET_GIT:
		return find_git(all);
	case SECRET_KUBE:
		return find_kube(all);
	case SECRET_DOCKER:
		return find_json(all, docker_is_static);
	case SECRET_GCLOUD:
		return find_json(all, gcloud_is_static);
	case SECRET_HUGGINGFACE:
		return find_huggingface(all);
	default:
		return false;
	}
}

/* --- environments ----------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum secret_kind kind;
} env_paths[ENV_PATHS] = {
	[ENV_HOME] = {"HOME", SECRET_KINDS},
	[ENV_AWS_CREDENTIALS] = {"AWS_SHARED_CREDENTIALS_FILE", SECRET_AWS},
	[ENV_AWS_CONFIG] = {"AWS_CONFIG_FILE", SECRET_AWS},
	[ENV_KUBE] = {"KUBECONFIG", SECRET_KUBE},
	[ENV_NETRC] = {"NETRC", SECRET_NETRC},
	[ENV_GCLOUD] = {"GOOGLE_APPLICATION_CREDENTIALS", SECRET_GCLOUD},
	[ENV_HUGGINGFACE] = {"HF_TOKEN_PATH", SECRET_HUGGINGFACE},
};

enum secret_kind secret_kind_of_env(enum env_path which)
{
	return env_paths[which].kind;
}

/* The value of a variable; without one its `at` is NULL. */
static struct span value_of(struct span env, const char *name)
{
	size_t len = strlen(name);

	while (env.n) {
		const char *zero = memchr(env.at, '\0', env.n);

		if (!zero)
			break;
		size_t n = (size_t)(zero - env.at);
		if (n > len && env.at[len] == '=' && !memcmp(env.at, name, len))
			return (struct span){env.at + len + 1, n - len - 1};
		env = (struct span){zero + 1, env.n - n - 1};
	}
	return (struct span){};
}

static bool put_path(char ret[static ENV_PATH_LEN], struct span v)
{
	const char *colon = v.at ? memchr(v.at, ':', v.n) : NULL; /* the first of several */
	size_t n = colon ? (size_t)(colon - v.at) : v.n;
	bool good = n && n < ENV_PATH_LEN && (v.at[0] == '/' || (n > 2 && v.at[0] == '~' && v.at[1] == '/'));

	if (good) {
		memcpy(ret, v.at, n);
		ret[n] = '\0';
	}
	return good;
}

bool secret_environ(const char *env, size_t n, struct env_secrets *ret)
{
	struct span all = {env, n}, id = value_of(all, "AWS_ACCESS_KEY_ID");
	struct env_secrets s = {};
	bool any = id.at && long_lived(id) && value_of(all, "AWS_SECRET_ACCESS_KEY").n;

	if (any)
		mask(s.key, id);
	for (unsigned i = 0; i < ENV_PATHS; i++)
		any = (put_path(s.path[i], value_of(all, env_paths[i].name)) && i != ENV_HOME) || any;
	*ret = s;
	return any;
}
