/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/labels.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "user/subjects.h"

#define ASKED_MAX 256
#define STUCK_NS NSEC /* after which one that does not come back is replaced */
#define WORKERS_MAX 8

/* --- one environment -------------------------------------------------------------------- */

/* Of several that say the same the first of this list counts. */
static const struct {
	const char *name;
	enum job_label label;
} texts[] = {
	{"TRAINING_JOB_NAME", LABEL_JOB_NAME}, /* SageMaker */
	{"SLURM_JOB_NAME", LABEL_JOB_NAME},
	{"AWS_BATCH_JOB_ID", LABEL_JOB_NAME},
	{"POD_NAME", LABEL_POD},
	{"STAGE", LABEL_STAGE},
	{"PIPELINE_STAGE", LABEL_STAGE},
};

static const struct {
	const char *name;
	enum job_number number;
} numbers[] = {
	{"RANK", NUMBER_RANK},
	{"SLURM_PROCID", NUMBER_RANK},
	{"OMPI_COMM_WORLD_RANK", NUMBER_RANK},
	{"PMI_RANK", NUMBER_RANK},
	{"PMIX_RANK", NUMBER_RANK},
	{"LOCAL_RANK", NUMBER_LOCAL_RANK},
	{"SLURM_LOCALID", NUMBER_LOCAL_RANK},
	{"OMPI_COMM_WORLD_LOCAL_RANK", NUMBER_LOCAL_RANK},
	{"MPI_LOCALRANKID", NUMBER_LOCAL_RANK},
	{"WORLD_SIZE", NUMBER_WORLD_SIZE},
	{"SLURM_NTASKS", NUMBER_WORLD_SIZE},
	{"OMPI_COMM_WORLD_SIZE", NUMBER_WORLD_SIZE},
	{"PMI_SIZE", NUMBER_WORLD_SIZE},
};

/* The value of a variable; NULL: not set, or cut. Whoever sets it twice is believed the first time, as getenv() does. */
static const char *value_of(const char *env, size_t n, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = env, *end = env + n; at < end;) {
		const char *zero = memchr(at, '\0', (size_t)(end - at));

		if (!zero)
			return NULL;
		if ((size_t)(zero - at) > len && at[len] == '=' && !memcmp(at, name, len))
			return at + len + 1;
		at = zero + 1;
	}
	return NULL;
}

static void put_text(struct job_labels *to, enum job_label label, const char *text)
{
	if (text && !to->text[label][0])
		text_safe(to->text[label], LABEL_LEN, text, strlen(text));
}

static void put_number(struct job_labels *to, enum job_number number, const char *text)
{
	char *end;

	if (!text || to->number[number] || text[0] < '0' || text[0] > '9')
		return;
	errno = 0;
	unsigned long n = strtoul(text, &end, 10);
	if (!errno && !*end && n < INT32_MAX)
		to->number[number] = (uint32_t)n + 1;
}

/* SageMaker's toolkit has one variable that holds a JSON object. */
static void put_training_env(struct job_labels *to, const char *text)
{
	json_t *all = text ? json_loads(text, 0, NULL) : NULL;

	put_text(to, LABEL_JOB_NAME, json_string_value(json_object_get(all, "job_name")));
	json_decref(all);
}

bool labels_parse(const char *env, size_t n, struct job_labels *ret)
{
	struct job_labels l = {};
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		put_text(&l, texts[i].label, value_of(env, n, texts[i].name));
	if (!l.text[LABEL_JOB_NAME][0])
		put_training_env(&l, value_of(env, n, "SM_TRAINING_ENV"));
	if (value_of(env, n, "KUBERNETES_SERVICE_HOST")) /* there the host's name is the pod's */
		put_text(&l, LABEL_POD, value_of(env, n, "HOSTNAME"));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		put_number(&l, numbers[i].number, value_of(env, n, numbers[i].name));
	for (size_t i = 0; i < LABEL_KINDS; i++)
		any = any || l.text[i][0];
	for (size_t i = 0; i < NUMBER_KINDS; i++)
		any = any || l.number[i];
	*ret = l;
	return any;
}

/* --- the threads -------------------------------------------------------------------------- */

struct answer {
	struct subject who;
	struct job_labels labels;
	struct env_secrets secrets;
};

struct labels {
	const char *proc;
	pthread_mutex_t lock;
	pthread_cond_t news;
	struct subject asked[ASKED_MAX];
	struct answer answers[ASKED_MAX];
	unsigned nasked, nanswers;
	unsigned workers, idle;
	uint64_t taken_ns; /* when a worker last took a request */
	bool stop;
};

struct worker {
	struct labels *l;
	char environ[LABELS_ENVIRON_MAX];
};

static bool read_environ(struct worker *w, struct answer *a)
{
	const struct subject *who = &a->who;
	char path[256];
	size_t have = 0;

	snprintf(path, sizeof(path), "%s/%u/environ", w->l->proc, who->tgid);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || subjects_verify(who)) /* the open file stays with the memory that it was opened for */
		return false;
	while (have < sizeof(w->environ)) {
		ssize_t n = read(fd, w->environ + have, sizeof(w->environ) - have);

		if (n <= 0)
			break;
		have += (size_t)n;
	}
	bool labels = labels_parse(w->environ, have, &a->labels), secrets = secret_environ(w->environ, have, &a->secrets);
	explicit_bzero(w->environ, have);
	return labels || secrets;
}

static void dispose(struct labels *l)
{
	pthread_cond_destroy(&l->news);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

/* Whoever is last puts out the light: one that is held up may be so beyond the end of all else. */
static void leave(struct labels *l)
{
	bool last = !--l->workers && l->stop;

	pthread_mutex_unlock(&l->lock);
	if (last)
		dispose(l);
}

/* With the lock held, as on return. False: it is over. */
static bool next_asked(struct labels *l, struct subject *ret)
{
	l->idle++;
	while (!l->stop && !l->nasked)
		pthread_cond_wait(&l->news, &l->lock);
	l->idle--;
	if (l->stop)
		return false;
	*ret = l->asked[0];
	memmove(l->asked, l->asked + 1, --l->nasked * sizeof(l->asked[0]));
	l->taken_ns = now_boot_ns();
	return true;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct labels *l = w->l;
	struct answer a;

	pthread_mutex_lock(&l->lock);
	while (next_asked(l, &a.who)) {
		pthread_mutex_unlock(&l->lock);
		bool any = read_environ(w, &a);

		pthread_mutex_lock(&l->lock);
		if (any && l->nanswers < ASKED_MAX)
			l->answers[l->nanswers++] = a;
	}
	free(w);
	leave(l);
	return NULL;
}

/* With the lock held. */
static int start_worker(struct labels *l)
{
	struct worker *w = malloc(sizeof(*w));
	sigset_t all, before;
	pthread_t thread;

	if (!w)
		return -ENOMEM;
	w->l = l;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the one who asks */
	int err = pthread_create(&thread, NULL, work, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err) {
		free(w);
		return -err;
	}
	pthread_detach(thread);
	l->workers++;
	return 0;
}

void labels_ask(struct labels *l, const struct subject *who)
{
	pthread_mutex_lock(&l->lock);
	if (l->nasked < ASKED_MAX)
		l->asked[l->nasked++] = *who;
	if (!l->idle && l->workers < WORKERS_MAX && now_boot_ns() - l->taken_ns > STUCK_NS)
		start_worker(l); /* without a further one labels are missing, no more */
	pthread_cond_signal(&l->news);
	pthread_mutex_unlock(&l->lock);
}

bool labels_take(struct labels *l, struct subject *ret_who, struct job_labels *ret, struct env_secrets *ret_secrets)
{
	pthread_mutex_lock(&l->lock);
	bool any = l->nanswers;
	if (any) {
		struct answer *a = &l->answers[--l->nanswers];

		*ret_who = a->who;
		*ret = a->labels;
		*ret_secrets = a->secrets;
	}
	pthread_mutex_unlock(&l->lock);
	return any;
}

int labels_new(const char *proc, struct labels **ret)
{
	struct labels *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	l->proc = proc;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->news, NULL);
	pthread_mutex_lock(&l->lock);
	err = start_worker(l);
	pthread_mutex_unlock(&l->lock);
	if (err) {
		dispose(l);
		return err;
	}
	*ret = l;
	return 0;
}

struct labels *labels_free(struct labels *l)
{
	if (!l)
		return NULL;
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_broadcast(&l->news);
	l->workers++; /* ourselves */
	leave(l);
	return NULL;
}
