/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Between the files of the configuration only; config.h is what others see. */
#ifndef SLUICE_CONFIG_INTERNAL_H
#define SLUICE_CONFIG_INTERNAL_H

#include "user/policy/config.h"
#include "user/policy/yaml_tree.h"

#define CONFIG_LIST_MAX 256   /* patterns, ranges, paths in one list */
#define CONFIG_ALLOW_MAX 1024 /* network.allow */
#define CONFIG_TAGS_MAX 50    /* as AWS has it */

/* One parse under way. Functions that take it return 0, -EINVAL with the error filled, or -ENOMEM.
 */
struct parse {
	const char *file;
	struct config *c;
	struct config_error *error;
	bool check_paths;
	const struct ynode *path_at[SL_DATASETS_MAX]; /* each dataset's path */
	const struct ynode *root_at[SL_DATASETS_MAX]; /* its mount if it has one, else its path */
	const struct ynode *from_at[SL_DATASETS_MAX]; /* its derived.from */
	const struct ynode **allow_at;		      /* each allow entry's mapping */
	char where[256];			      /* key path: "datasets[1].budget.per" */
	size_t where_len;
};

/* One key of a mapping: `parse` writes the value at `offset` of the mapping's object. */
#define KEY(name, type, member, function)                                                          \
	{                                                                                          \
		name, function, offsetof(type, member), false                                      \
	}
#define NEED(name, type, member, function)                                                         \
	{                                                                                          \
		name, function, offsetof(type, member), true                                       \
	}
struct field {
	const char *key;
	int (*parse)(struct parse *p, const struct ynode *n, void *to);
	size_t offset;
	bool required;
};

/* --- config.c --- */

/* "file:line:column: key.path: what, and what to do"; returns -EINVAL. */
__attribute__((format(printf, 3, 4))) int config_fail(struct parse *p, const struct ynode *at,
						      const char *fmt, ...);
/* Notes the value at p->where among config.inactive if the table says so. */
int config_note_inactive(struct parse *p, const struct ynode *n);

/* --- config_value.c: what a value may be, whatever its key --- */

/* A hostile text fit for a message, cut with "..." when long. */
struct quoted {
	char s[72];
};
struct quoted quote(const char *text);
const char *kind_text(const struct ynode *n); /* "a list", "a mapping", "nothing", "text" */

/* Appends to the key path; the key is hostile. Returns the length to go back to. */
size_t where_push(struct parse *p, const char *key);
size_t where_push_index(struct parse *p, size_t i);
void where_pop(struct parse *p, size_t len);

int map_parse(struct parse *p, const struct ynode *n, const struct field *f, size_t nf, void *obj);
/* That map->v[i] is a text, and no key before it is the same; p->where ends with it. */
int check_key(struct parse *p, const struct ynode *map, size_t i);
int want_kind(struct parse *p, const struct ynode *n, enum ykind kind, const char *example);

int parse_text(struct parse *p, const struct ynode *n, size_t max, char **ret);
int parse_bool(struct parse *p, const struct ynode *n, void *to); /* bool */
int parse_path(struct parse *p, const struct ynode *n, void *to); /* char *, normalised */
int parse_size(struct parse *p, const struct ynode *n, void *to); /* uint64_t */
int parse_duration(struct parse *p, const struct ynode *n, uint64_t min, uint64_t max,
		   const char *range, uint64_t *ret);
int parse_number(struct parse *p, const struct ynode *n, unsigned min, unsigned max, unsigned *ret);
int parse_word(struct parse *p, const struct ynode *n, const char *const *words, size_t nwords,
	       unsigned *ret);
/* A list of 1 to CONFIG_LIST_MAX texts; `check` may rewrite each or refuse it. */
int parse_strings(struct parse *p, const struct ynode *n, const char *example,
		  int (*check)(struct parse *p, const struct ynode *n, char **text),
		  struct strings *ret);

/* A list of 0 to max values into an array of its own, which the caller frees even on failure. */
int parse_items(struct parse *p, const struct ynode *n, const char *example, size_t max,
		size_t size, int (*parse)(struct parse *p, const struct ynode *n, void *to),
		void **ret_items, size_t *ret_n);

/* The nearest of the words if it is near enough for a "did you mean", else NULL. */
const char *nearest_word(const char *text, const char *const *words, size_t nwords);

/* Absolute; "//", "/./" and a trailing "/" are taken out in place. -EINVAL: relative, or has "..".
 */
int path_normalise(char *path);

/* --- config_net.c --- */

int parse_cidr(struct parse *p, const struct ynode *n, void *to);      /* struct cidr */
int parse_address(struct parse *p, const struct ynode *n, void *to);   /* struct host_addr */
int parse_host_name(struct parse *p, const struct ynode *n, void *to); /* char * */
int parse_bucket(struct parse *p, const struct ynode *n, void *to);    /* char * */
int parse_service(struct parse *p, const struct ynode *n, void *to);   /* char * */
int parse_account(struct parse *p, const struct ynode *n, void *to);   /* char * */
int parse_endpoint(struct parse *p, const struct ynode *n, void *to);  /* char * */
bool bucket_name_ok(const char *name, size_t len);

/* --- config_dataset.c --- */

int parse_datasets(struct parse *p, const struct ynode *n, void *to); /* struct config */
int parse_people(struct parse *p, const struct ynode *n, void *to);   /* struct people */

/* --- config_derived.c --- */

int parse_derived(struct parse *p, const struct ynode *n, void *to); /* struct dataset_config */
/* That each derivation is from other datasets, and none from itself by way of those. */
int config_check_derived(struct parse *p);
/* Fails at `at`, a text that should be a dataset's id and is none. */
int config_fail_unknown_dataset(struct parse *p, const struct ynode *at);

/* --- config_schema.c --- */

int config_parse_root(struct parse *p, const struct ynode *root);

/* --- config_paths.c --- */

/* Overlaps as far as the texts tell; `s3://` places too. */
int config_check_overlaps(struct parse *p);
/* That the roots are there and readable, and that none holds another in truth. */
int config_check_roots(struct parse *p);
/* A file that must be there and readable, at p->where. */
int config_check_file(struct parse *p, const struct ynode *n, const char *path);

#endif
