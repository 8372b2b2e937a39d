/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/trust.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "user/model_trust.h"
#include "user/subjects.h"

#define ENVIRON_BYTES (1u << 20)

struct known {
	struct trusted_file file;
	struct stat st; /* when it was loaded */
};

struct trust {
	struct known *v;
	size_t n;
	bool told;
};

static const char missing[] = "missing when it was loaded";
static const char writable[] = "others can write to it";
static const char script[] = "a script: the kernel runs its interpreter";
static const char unreadable[] = "the kernel could not be asked which file it is";
static const char changed[] = "changed since it was loaded";
static const char replaced[] = "another file is in its place, or none";

static const char *identify(struct engine *engine, const char *path, struct known *k)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct file_identity id;
	char start[2] = "";

	if (fd < 0 || fstat(fd, &k->st))
		return missing;
	if (!S_ISREG(k->st.st_mode) || (k->st.st_mode & 022))
		return writable;
	if (pread(fd, start, 2, 0) == 2 && !memcmp(start, "#!", 2))
		return script;
	if (engine_identify(engine, fd, &id))
		return unreadable;
	k->file.ino = id.obj.ino;
	k->file.dev = id.obj.dev;
	k->file.owner = k->st.st_uid;
	return NULL;
}

int trust_load(struct engine *engine, const struct config *config, struct trust **ret)
{
	struct trust *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->v = calloc(config->trusted.n + 1, sizeof(*t->v));
	if (!t->v) {
		free(t);
		return -ENOMEM;
	}
	for (size_t i = 0; i < config->trusted.n; i++) {
		struct known *k = &t->v[t->n++];

		k->file.path = strdup(config->trusted.v[i]);
		if (!k->file.path) {
			trust_free(t);
			return -ENOMEM;
		}
		k->file.ended = identify(engine, k->file.path, k);
	}
	*ret = t;
	return 0;
}

struct trust *trust_free(struct trust *t)
{
	for (size_t i = 0; t && i < t->n; i++)
		free((char *)t->v[i].file.path);
	if (t)
		free(t->v);
	free(t);
	return NULL;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Nobody can set a file's change time back, so what was written and written back shows too. While the file is in its
 * place its inode number is nobody else's. */
static const char *look(const struct known *k)
{
	struct stat st;

	if (stat(k->file.path, &st) || st.st_dev != k->st.st_dev || st.st_ino != k->st.st_ino)
		return replaced;
	return st.st_size == k->st.st_size && same_time(&st.st_mtim, &k->st.st_mtim) && same_time(&st.st_ctim, &k->st.st_ctim)
		   ? NULL
		   : changed;
}

int trust_check(struct trust *t, struct model *m)
{
	struct trusted_file *files;
	bool news = !t->told;
	int err;

	for (size_t i = 0; i < t->n; i++) {
		struct known *k = &t->v[i];
		const char *ended = k->file.ended ? k->file.ended : look(k);

		news = news || ended != k->file.ended;
		k->file.ended = ended;
	}
	if (!news)
		return 0;
	files = calloc(t->n + 1, sizeof(*files));
	if (!files)
		return -ENOMEM;
	for (size_t i = 0; i < t->n; i++)
		files[i] = t->v[i].file;
	err = model_set_trusted(m, files, t->n, trust_vouch_process);
	free(files);
	t->told = !err;
	return err;
}

/* --- processes ------------------------------------------------------------------------ */

static ssize_t proc_read(uint32_t pid, const char *name, char *buf, size_t n)
{
	char path[64];
	size_t have = 0;
	ssize_t r;

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (have < n && (r = read(fd, buf + have, n - have)) != 0) {
		if (r < 0)
			return -errno;
		have += (size_t)r;
	}
	return (ssize_t)have;
}

/* LD_PRELOAD, LD_AUDIT, LD_LIBRARY_PATH and their like put another's code into it. */
static bool linked_as_built(uint32_t pid)
{
	_cleanup_free_ char *env = malloc(ENVIRON_BYTES + 1);
	ssize_t n = env ? proc_read(pid, "environ", env, ENVIRON_BYTES) : -ENOMEM;

	if (n < 0 || n == ENVIRON_BYTES)
		return false;
	env[n] = '\0';
	for (const char *at = env; at < env + n; at += strlen(at) + 1)
		if (!strncmp(at, "LD_", 3) || !strncmp(at, "GCONV_PATH=", 11) || !strncmp(at, "GLIBC_TUNABLES=", 15))
			return false;
	return true;
}

static bool untraced(uint32_t pid)
{
	char text[4096];
	ssize_t n = proc_read(pid, "status", text, sizeof(text) - 1);
	const char *tracer;

	if (n < 0)
		return false;
	text[n] = '\0';
	tracer = strstr(text, "\nTracerPid:\t");
	return tracer && !strncmp(tracer + 12, "0\n", 2);
}

/* Root of a user namespace of his own can name any file his executable: PR_SET_MM_EXE_FILE. */
static bool our_user_namespace(uint32_t pid)
{
	struct stat its, ours;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/ns/user", pid);
	return !stat(path, &its) && !stat("/proc/self/ns/user", &ours) && its.st_ino == ours.st_ino && its.st_dev == ours.st_dev;
}

bool trust_vouch_process(const struct subject *who)
{
	return linked_as_built(who->tgid) && untraced(who->tgid) && our_user_namespace(who->tgid) && !subjects_verify(who);
}
