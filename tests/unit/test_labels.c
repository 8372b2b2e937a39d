/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What processes say of themselves: taken from hostile text, and never to decide by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/record_fixture.h"
#include "user/labels.h"

#define PARSE(text, l) labels_parse(text, sizeof(text) - 1, l)

static void test_ranks(void **state)
{
	struct job_labels l;

	assert_true(PARSE("RANK=3\0LOCAL_RANK=1\0WORLD_SIZE=8\0SLURM_PROCID=7\0", &l));
	assert_int_equal(l.number[NUMBER_RANK], 4); /* torchrun's is nearer than Slurm's */
	assert_int_equal(l.number[NUMBER_LOCAL_RANK], 2);
	assert_int_equal(l.number[NUMBER_WORLD_SIZE], 9);
	assert_true(PARSE("SLURM_PROCID=0\0SLURM_LOCALID=0\0SLURM_NTASKS=2\0", &l));
	assert_int_equal(l.number[NUMBER_RANK], 1);
	assert_int_equal(l.number[NUMBER_WORLD_SIZE], 3);
	assert_true(PARSE("OMPI_COMM_WORLD_RANK=5\0OMPI_COMM_WORLD_LOCAL_RANK=1\0OMPI_COMM_WORLD_SIZE=6\0", &l));
	assert_int_equal(l.number[NUMBER_RANK], 6);
	assert_int_equal(l.number[NUMBER_LOCAL_RANK], 2);
	assert_true(PARSE("PMI_RANK=2\0MPI_LOCALRANKID=2\0PMI_SIZE=4\0", &l));
	assert_int_equal(l.number[NUMBER_RANK], 3);
}

static void test_names(void **state)
{
	struct job_labels l;

	assert_true(PARSE("SLURM_JOB_NAME=bash\0TRAINING_JOB_NAME=resnet-2026\0", &l));
	assert_string_equal(l.text[LABEL_JOB_NAME], "resnet-2026");
	assert_true(PARSE("SM_TRAINING_ENV={\"job_name\":\"sm-job-7\",\"hosts\":[\"algo-1\"]}\0SM_HOSTS=x\0", &l));
	assert_string_equal(l.text[LABEL_JOB_NAME], "sm-job-7");
	assert_true(PARSE("KUBERNETES_SERVICE_HOST=10.0.0.1\0HOSTNAME=train-worker-0\0STAGE=eval\0", &l));
	assert_string_equal(l.text[LABEL_POD], "train-worker-0");
	assert_string_equal(l.text[LABEL_STAGE], "eval");
	assert_true(PARSE("POD_NAME=a\0KUBERNETES_SERVICE_HOST=1\0HOSTNAME=b\0", &l));
	assert_string_equal(l.text[LABEL_POD], "a");
	assert_false(PARSE("HOSTNAME=gpu-7\0PATH=/bin\0", &l)); /* a host's own name is no pod's */
}

static void test_senseless(void **state)
{
	static const char *const bad[] = {"RANK=-1", "RANK=", "RANK= 3", "RANK=3x", "RANK=99999999999999999999", "RANK=2147483647",
					  "XRANK=3", "RANK", "=RANK=3", "rank=3", "SM_TRAINING_ENV={", "SM_TRAINING_ENV=[1]",
					  "SM_TRAINING_ENV={\"job_name\":7}", "TRAINING_JOB_NAME="};
	struct job_labels l;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (labels_parse(bad[i], strlen(bad[i]) + 1, &l))
			fail_msg("%s says something", bad[i]);
	assert_false(labels_parse("RANK=3", 6, &l)); /* cut off, perhaps of RANK=31 */
	assert_false(labels_parse("", 0, &l));
	assert_false(PARSE("\0\0\0\0", &l));
	assert_true(PARSE("RANK=1\0RANK=2\0", &l));
	assert_int_equal(l.number[NUMBER_RANK], 2);
}

static void test_hostile(void **state)
{
	static char big[LABELS_ENVIRON_MAX];
	struct job_labels l;
	unsigned seed = 5;

	assert_true(PARSE("TRAINING_JOB_NAME=\x1b[31mred\xff\0", &l));
	assert_string_equal(l.text[LABEL_JOB_NAME], "?[31mred?");
	memset(big, 'a', sizeof(big));
	memcpy(big, "STAGE=", 6);
	big[sizeof(big) - 1] = '\0';
	assert_true(labels_parse(big, sizeof(big), &l));
	assert_int_equal(strlen(l.text[LABEL_STAGE]), LABEL_LEN - 1);
	memset(big, '[', sizeof(big));
	memcpy(big, "SM_TRAINING_ENV=", 16);
	big[sizeof(big) - 1] = '\0';
	assert_false(labels_parse(big, sizeof(big), &l));
	for (unsigned round = 0; round < 2000; round++) {
		size_t n = (size_t)rand_r(&seed) % 300;

		for (size_t i = 0; i < n; i++)
			big[i] = "RANK=\0STG\x80{}\"1"[rand_r(&seed) % 15];
		labels_parse(big, n, &l);
		for (unsigned k = 0; k < LABEL_KINDS; k++)
			assert_non_null(memchr(l.text[k], 0, LABEL_LEN));
	}
}

/* --- the thread ---------------------------------------------------------------------------- */

/* As /proc/PID/stat has it, of which only ticks count. */
static struct subject who_is(pid_t pid)
{
	char path[64], text[1024] = "";
	unsigned long start = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	assert_int_equal(sscanf(strrchr(text, ')') + 1,
				" %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %lu", &start),
			 1);
	return (struct subject){start * (NSEC / (uint64_t)sysconf(_SC_CLK_TCK)), (uint32_t)pid, 0};
}

static pid_t sleeper(char *const env[])
{
	char *const argv[] = {"sleep", "600", NULL};
	int ready[2];
	char c;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		execve("/bin/sleep", argv, env);
		_exit(127);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 0); /* it has its new image */
	close(ready[0]);
	char at[64];
	snprintf(at, sizeof(at), "/proc/%d/environ", pid);
	for (ssize_t n = 0; n < 1;) { /* there a moment after the pipe is closed */
		int fd = open(at, O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		n = read(fd, &c, 1);
		close(fd);
	}
	return pid;
}

static void put_down(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_reads_a_process(void **state)
{
	char *const env[] = {"PATH=/bin", "RANK=5", "TRAINING_JOB_NAME=x", NULL}, *const none[] = {"PATH=/bin", NULL};
	pid_t silent = sleeper(none), talker = sleeper(env);
	struct subject who = who_is(talker), answer, other = who;
	struct job_labels got;
	struct env_secrets secrets;
	struct labels *l;

	assert_int_equal(labels_new("/proc", &l), 0);
	other.start_ns += NSEC; /* another process, which had this PID */
	labels_ask(l, &other);
	labels_ask(l, &(struct subject){1, 0x3fffffff, 0});
	struct subject quiet = who_is(silent);
	labels_ask(l, &quiet);
	labels_ask(l, &who);
	while (!labels_take(l, &answer, &got, &secrets))
		usleep(1000);
	assert_memory_equal(&answer, &who, sizeof(who));
	assert_int_equal(got.number[NUMBER_RANK], 6);
	assert_string_equal(got.text[LABEL_JOB_NAME], "x");
	assert_false(labels_take(l, &answer, &got, &secrets));
	for (unsigned i = 0; i < 100000; i++)
		labels_ask(l, &who); /* more than there is room for */
	labels_free(l);
	labels_free(NULL);
	put_down(silent);
	put_down(talker);
}

/* Where an environment is a FIFO, opening it waits until somebody writes. */
static void make_held(const char *proc, const char *pid)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", proc, pid);
	assert_int_equal(mkdir(path, 0700), 0);
	strcat(path, "/environ");
	assert_int_equal(mkfifo(path, 0600), 0);
}

static void let_go(const char *proc, const char *pid)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s/environ", proc, pid);
	close(open(path, O_WRONLY | O_CLOEXEC));
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
}

static void test_held_up(void **state)
{
	char proc[] = "/tmp/sluice-labels-XXXXXX", path[128];
	char *const env[] = {"RANK=9", NULL};
	pid_t pid = sleeper(env);
	struct subject who = who_is(pid), answer;
	struct job_labels got;
	struct env_secrets secrets;
	struct labels *l;

	assert_non_null(mkdtemp(proc));
	make_held(proc, "1");
	make_held(proc, "2");
	snprintf(path, sizeof(path), "%s/%d", proc, pid);
	char real[64];
	snprintf(real, sizeof(real), "/proc/%d", pid);
	assert_int_equal(symlink(real, path), 0);

	assert_int_equal(labels_new(proc, &l), 0);
	labels_ask(l, &(struct subject){1, 1, 0});
	labels_ask(l, &(struct subject){1, 2, 0});
	/* each time that one is found held up another takes its place */
	for (unsigned i = 0; !labels_take(l, &answer, &got, &secrets); i++) {
		assert_true(i < 60000);
		labels_ask(l, &who);
		usleep(1000);
	}
	assert_memory_equal(&answer, &who, sizeof(who));
	assert_int_equal(got.number[NUMBER_RANK], 10);
	labels_free(l); /* does not wait for them */
	let_go(proc, "1");
	let_go(proc, "2");
	unlink(path);
	rmdir(proc);
	put_down(pid);
}

/* --- in the model --------------------------------------------------------------------------- */

static struct job_labels says(const char *name, uint32_t rank)
{
	struct job_labels l = {.number = {[NUMBER_RANK] = rank + 1}};

	snprintf(l.text[LABEL_JOB_NAME], LABEL_LEN, "%s", name);
	return l;
}

static void test_model(void **state)
{
	struct fixture t;
	struct subject ten = process(10), eleven = process(11), twelve = process(12);
	struct job_labels a = says("first", 0), b = says("second", 1);

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:1.0");
	introduce(&t, 11, "python3", "slurm:1.0");
	assert_int_equal(model_set_labels(t.m, &twelve, &a), -ENOENT);
	assert_int_equal(model_set_labels(t.m, &ten, &a), 0);
	assert_int_equal(model_set_labels(t.m, &eleven, &b), 0);
	json_t *all = shot(&t, "jobs");
	const json_t *job = json_array_get(json_object_get(all, "items"), 0);
	assert_string_equal(text(job, "job", NULL), "slurm:1.0");
	assert_string_equal(text(job, "job_labels", "job_name"), "first");
	assert_null(json_object_get(json_object_get(job, "job_labels"), "rank"));
	json_decref(all);
	all = shot(&t, "processes");
	assert_int_equal(number(json_array_get(json_object_get(all, "items"), 1), "job_labels", "rank"), 1);
	json_decref(all);
	fixture_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ranks),	  cmocka_unit_test(test_names), cmocka_unit_test(test_senseless),
	    cmocka_unit_test(test_hostile), cmocka_unit_test(test_reads_a_process), cmocka_unit_test(test_held_up), cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
