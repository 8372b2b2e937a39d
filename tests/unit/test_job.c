/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEX2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define POD "3f2a1b4c-5d6e-4f70-8a9b-0c1d2e3f4a5b"
#define POD_ "3f2a1b4c_5d6e_4f70_8a9b_0c1d2e3f4a5b"
#define TASK "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
#define USER "/user.slice/user-1000.slice/"

struct example {
	const char *cgroup, *job; /* session 7 */
};

static void check(const struct example *e, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char job[JOB_LEN], line[8192];

		job_from_cgroup(job, e[i].cgroup, 7);
		if (strcmp(job, e[i].job))
			fail_msg("%s is %s, expected %s", e[i].cgroup, job, e[i].job);
		snprintf(line, sizeof(line), "0::%s\n", e[i].cgroup);
		job_from_proc(job, line, 7);
		if (strcmp(job, e[i].job))
			fail_msg("0::%s is %s, expected %s", e[i].cgroup, job, e[i].job);
	}
}

static void test_slurm(void **state)
{
	static const struct example e[] = {
	    {"/system.slice/slurmstepd.scope/job_12/step_0/user/task_0", "slurm:12.0"},
	    {"/system.slice/node-1_slurmstepd.scope/job_12/step_3/user/task_special", "slurm:12.3"},
	    {"/system.slice/slurmstepd.scope/job_12/step_batch/user", "slurm:12.batch"},
	    {"/system.slice/slurmstepd.scope/job_12/step_extern", "slurm:12.extern"},
	    {"/system.slice/slurmstepd.scope/job_12/step_0+1/user/task_1", "slurm:12.0+1"},
	    {"/system.slice/slurmstepd.scope/job_12", "slurm:12"},
	    {"/system.slice/slurmstepd.scope/system", "unit:slurmstepd.scope"},
	    {"/system.slice/n1_slurmstepd.scope/system", "unit:n1_slurmstepd.scope"},
	    {"/slurm/uid_1000/job_4711/step_2/task_9", "slurm:4711.2"},
	    {"/slurm_node-1/uid_1000/job_4711/step_interactive", "slurm:4711.interactive"},
	    {"/slurm/uid_1000/job_4711", "slurm:4711"},
	    {"/slurm/uid_1000", "session:7"},
	    {"/system.slice/slurmd.service", "unit:slurmd.service"},
	    {"/job_12/step_0", "session:7"},
	    {"/system.slice/slurmstepd.scope/x/job_12/step_0", "unit:slurmstepd.scope"},
	    {"/system.slice/slurmstepd.scope/job_x/step_0", "unit:slurmstepd.scope"},
	    {"/system.slice/slurmstepd.scope/job_12/x/step_0", "slurm:12"},
	};

	check(e, ARRAY_SIZE(e));
}

static void test_kubernetes(void **state)
{
	static const struct example e[] = {
	    {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" POD_
	     ".slice/cri-containerd-" HEX ".scope",
	     "k8s:" POD},
	    {"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" POD_ ".slice",
	     "k8s:" POD},
	    {"/kubepods.slice/kubepods-pod" POD_ ".slice/crio-" HEX ".scope", "k8s:" POD},
	    {"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" POD_ ".slice",
	     "k8s:" POD},
	    {"/kubepods/burstable/pod" POD "/" HEX, "k8s:" POD},
	    {"/kubepods/pod" POD "/" HEX, "k8s:" POD},
	    {"/kubepods.slice/kubepods-pod" TASK ".slice/crio-" HEX ".scope", "k8s:" TASK},
	    {"/system.slice/containerd.service/kubepods-burstable-pod" POD_
	     ".slice:cri-containerd:" HEX,
	     "k8s:" POD},
	    {"/docker/" HEX "/kubelet/kubepods/besteffort/pod" POD "/" HEX2, "k8s:" POD},
	    {"/kubepods/pod" POD "/" HEX "/docker/" HEX2, "k8s:" POD},
	    {"/kubepods/pod" POD "/" HEX "/system.slice/sshd.service", "k8s:" POD},
	    {"/kubepods.slice/kubepods-burstable.slice", "session:7"},
	    {"/kubepods/podlet", "session:7"},
	    {"/pod" POD "/" HEX, "container:0123456789ab"},
	    {"/system.slice/kubelet.service", "unit:kubelet.service"},
	};

	check(e, ARRAY_SIZE(e));
}

static void test_containers(void **state)
{
	static const struct example e[] = {
	    {"/docker/" HEX, "container:0123456789ab"},
	    {"/system.slice/docker-" HEX ".scope", "container:0123456789ab"},
	    {"/docker/" HEX "/docker/" HEX2, "container:fedcba987654"},
	    {"/machine.slice/libpod-" HEX ".scope/container", "container:0123456789ab"},
	    {"/libpod_parent/libpod-" HEX, "container:0123456789ab"},
	    {USER "user@1000.service/user.slice/libpod-" HEX ".scope", "container:0123456789ab"},
	    {"/system.slice/nerdctl-" HEX ".scope", "container:0123456789ab"},
	    {"/system.slice/crio-" HEX ".scope", "container:0123456789ab"},
	    {"/k8s.io/" HEX, "container:0123456789ab"},
	    {"/system.slice:docker:" HEX, "container:0123456789ab"},
	    {"/system.slice/docker-" HEX ".scope/system.slice/sshd.service",
	     "container:0123456789ab"},
	    {"/machine.slice/libpod-conmon-" HEX ".scope", "unit:libpod-conmon-" HEX ".scope"},
	    {"/system.slice/docker-abc.scope", "unit:docker-abc.scope"},
	    {"/system.slice/docker.service", "unit:docker.service"},
	    {"/docker/0123456789ABCDEF" HEX, "session:7"},
	    {"/ecs/" TASK "/" HEX, "ecs:" TASK},
	    {"/ecs/" POD "/" HEX, "ecs:" POD},
	    {"/ecs/my-cluster/" TASK "/" HEX, "ecs:" TASK},
	    {"/ecs/" TASK "/" TASK "-123456", "ecs:" TASK},
	    {"/ecs/a/b/" TASK, "session:7"},
	    {"/ecstasks.slice/ecstasks-" TASK ".slice/docker-" HEX ".scope", "ecs:" TASK},
	};

	check(e, ARRAY_SIZE(e));
}

static void test_nesting(void **state)
{
	static const struct example e[] = {
	    /* slurmd in a pod: the job is what its owner knows */
	    {"/kubepods/pod" POD "/" HEX "/system.slice/slurmstepd.scope/job_5/step_0/user",
	     "slurm:5.0"},
	    {"/system.slice/docker-" HEX ".scope/slurm/uid_0/job_5/step_0", "slurm:5.0"},
	    {"/system.slice/slurmstepd.scope/job_5/step_0/user/docker-" HEX ".scope", "slurm:5.0"},
	    /* what a job itself can name renames nothing */
	    {"/system.slice/slurmstepd.scope/job_5/step_0/user/slurm/job_6/step_1", "slurm:5.0"},
	    {"/system.slice/slurmstepd.scope/job_5/step_0/kubepods/pod" POD, "slurm:5.0"},
	    {"/system.slice/slurmstepd.scope/job_5/x/slurm/job_6/step_1", "slurm:5"},
	};

	check(e, ARRAY_SIZE(e));
}

static void test_units_and_sessions(void **state)
{
	static const struct example e[] = {
	    {"/system.slice/nginx.service", "unit:nginx.service"},
	    {"/system.slice/system-getty.slice/getty@tty1.service", "unit:getty@tty1.service"},
	    {"/system.slice/a.service/worker", "unit:a.service"},
	    {"/system.slice/a.service/b.service", "unit:b.service"},
	    {"/system.slice/run-r12.scope", "unit:run-r12.scope"},
	    {"/init.scope", "unit:init.scope"},
	    {"/system.slice/dev-disk\\x2duuid.service", "unit:dev-disk\\x2duuid.service"},
	    {USER "user-runtime-dir@1000.service", "unit:user-runtime-dir@1000.service"},
	    {"/system.slice", "session:7"},
	    {"/", "session:7"},
	    {"", "session:7"},
	    {"/../../..", "session:7"},
	    {USER "session-3.scope", "session:7"},
	    {USER "user@1000.service/init.scope", "session:7"},
	    {USER "user@1000.service/app.slice/nginx.service", "session:7"},
	    {"/system.slice/session-3.scope", "unit:session-3.scope"},
	    {"/system.slice/gone.service (deleted)", "unit:gone.service"},
	};
	char job[JOB_LEN];

	check(e, ARRAY_SIZE(e));
	job_from_cgroup(job, "/", 0);
	assert_string_equal(job, "unknown");
	job_from_cgroup(job, NULL, 4294967295u);
	assert_string_equal(job, "session:4294967295");
	job_from_proc(job, NULL, 0);
	assert_string_equal(job, "unknown");
	job_from_proc(job, "", 3);
	assert_string_equal(job, "session:3");
}

/* Under its own manager a user makes any cgroup; no name of others is to be had so. */
static void test_borrowed_names(void **state)
{
	static const struct example e[] = {
	    {USER "user@1000.service/slurmstepd.scope/job_1/step_0", "session:7"},
	    {USER "user@1000.service/app.slice/slurm/uid_0/job_1/step_0", "session:7"},
	    {USER "user@1000.service/kubepods/pod" POD "/" HEX, "container:0123456789ab"},
	    {USER "user@1000.service/kubepods-pod" POD_ ".slice", "session:7"},
	    {USER "user@1000.service/ecs/" TASK, "session:7"},
	    {USER "user@1000.service/ecstasks-" TASK ".slice", "session:7"},
	    {USER "session-3.scope/slurm/job_1/step_0", "session:7"},
	    {USER "user@1000.service/user-1.slice/session-1.scope/a.service", "session:7"},
	};

	check(e, ARRAY_SIZE(e));
}

/* Every quality of service, driver and runtime of Kubernetes. */
static void test_kubernetes_layouts(void **state)
{
	static const char *const qos[] = {"", "burstable", "besteffort"};
	static const char *const scope[] = {"cri-containerd-" HEX ".scope", "crio-" HEX ".scope", "docker-" HEX ".scope",
					    "crio-conmon-" HEX ".scope", ""};
	static const char *const below[] = {"", "/init.scope", "/system.slice/train.service", "/slurm/uid_0"};

	for (size_t q = 0; q < ARRAY_SIZE(qos); q++) {
		const char *dash = qos[q][0] ? "-" : "", *slash = qos[q][0] ? "/" : "";
		char path[1024], level[128];

		snprintf(level, sizeof(level), qos[q][0] ? "/kubepods-%s.slice" : "%s", qos[q]);
		for (size_t r = 0; r < ARRAY_SIZE(scope); r++) {
			for (size_t b = 0; b < ARRAY_SIZE(below); b++) {
				snprintf(path, sizeof(path), "/kubepods.slice%s/kubepods%s%s-pod" POD_ ".slice/%s%s", level, dash,
					 qos[q], scope[r], below[b]);
				check(&(struct example){path, "k8s:" POD}, 1);
			}
		}
		snprintf(path, sizeof(path), "/kubepods%s%s/pod" POD "/" HEX, slash, qos[q]);
		check(&(struct example){path, "k8s:" POD}, 1);
		snprintf(path, sizeof(path), "/kubepods%s%s/pod" POD "/crio-" HEX, slash, qos[q]);
		check(&(struct example){path, "k8s:" POD}, 1);
		snprintf(path, sizeof(path), "/system.slice/containerd.service/kubepods%s%s-pod" POD_ ".slice:cri-containerd:" HEX, dash,
			 qos[q]);
		check(&(struct example){path, "k8s:" POD}, 1);
	}
}

/* As they are met on SageMaker HyperPod, ECS, Fargate, Batch and plain Docker hosts. */
static void test_cloud_layouts(void **state)
{
	static const struct example e[] = {
	    /* HyperPod with Slurm: enroot and pyxis make no cgroup of their own */
	    {"/system.slice/slurmstepd.scope/job_118/step_0/user/task_3", "slurm:118.0"},
	    {"/system.slice/ip-10-1-2-3_slurmstepd.scope/job_118/step_batch/user/task_0", "slurm:118.batch"},
	    {"/slurm_ip-10-1-2-3/uid_1000/job_118/step_0/task_3", "slurm:118.0"},
	    {"/slurm_ip-10-1-2-3/uid_1000/job_118/step_0/task_3/docker/" HEX, "slurm:118.0"},
	    /* HyperPod with EKS */
	    {"/kubepods.slice/kubepods-pod" POD_ ".slice/cri-containerd-" HEX ".scope", "k8s:" POD},
	    /* a SageMaker container, local mode: Docker with or without a parent of its own */
	    {"/system.slice/docker-" HEX ".scope", "container:0123456789ab"},
	    {"/sagemaker/" HEX, "container:0123456789ab"},
	    {"/sagemaker.slice/docker-" HEX ".scope", "container:0123456789ab"},
	    /* ECS on EC2 by either driver and version; Fargate; Batch */
	    {"/ecs/" TASK "/" HEX, "ecs:" TASK},
	    {"/ecs/training/" TASK "/" HEX, "ecs:" TASK},
	    {"/ecs/" TASK "/" TASK "-2531612879", "ecs:" TASK},
	    {"/ecstasks.slice/ecstasks-" TASK ".slice/docker-" HEX ".scope", "ecs:" TASK},
	    {"/ecstasks.slice/ecstasks-" TASK ".slice/docker-" HEX ".scope/buildkit/x", "ecs:" TASK},
	    {"/system.slice/ecs.service", "unit:ecs.service"},
	    {"/system.slice/amazon-ssm-agent.service", "unit:amazon-ssm-agent.service"},
	    /* Podman, rootless, in a pod, and run by systemd */
	    {"/machine.slice/machine-libpod_pod_" HEX ".slice/libpod-" HEX2 ".scope", "container:fedcba987654"},
	    {USER "user@1000.service/user.slice/user-libpod_pod_" HEX ".slice/libpod-" HEX2 ".scope", "container:fedcba987654"},
	    {"/system.slice/train.service/libpod-payload-" HEX, "unit:train.service"},
	    {"/system.slice/containerd.service", "unit:containerd.service"},
	    {"/default/" HEX, "container:0123456789ab"},
	};

	check(e, ARRAY_SIZE(e));
}

static void test_hierarchies(void **state)
{
	char job[JOB_LEN];

	job_from_proc(job,
		      "12:cpuset:/slurm/uid_0/job_12\n"
		      "11:memory:/slurm/uid_0/job_12/step_0/task_0\n"
		      "2:freezer:/\n"
		      "1:name=systemd:/system.slice/slurmd.service\n"
		      "0::/system.slice/slurmd.service\n",
		      7);
	assert_string_equal(job, "slurm:12.0");
	job_from_proc(job,
		      "3:cpu,cpuacct:/docker/" HEX "\n"
		      "1:name=systemd:/system.slice/x.service\n"
		      "0::/system.slice/x.service",
		      7);
	assert_string_equal(job, "container:0123456789ab");
	job_from_proc(job,
		      "11:devices:/ecs/" TASK "/" HEX "\n"
		      "3:cpu,cpuacct:/ecs/" TASK "/" HEX "\n"
		      "1:name=systemd:/ecs/" TASK "/" HEX "\n"
		      "0::/system.slice/docker.service\n",
		      7);
	assert_string_equal(job, "ecs:" TASK);
	job_from_proc(job,
		      "5:memory:/kubepods/besteffort/pod" POD "/" HEX "\n"
		      "1:name=systemd:/kubepods/besteffort/pod" POD "/" HEX "\n"
		      "0::/\n",
		      7);
	assert_string_equal(job, "k8s:" POD);
	job_from_proc(job,
		      "4:devices:/slurm_gpu-7/uid_1000/job_12/step_extern/task_0\n"
		      "1:name=systemd:/user.slice/user-1000.slice/session-3.scope\n"
		      "0::/user.slice/user-1000.slice/session-3.scope\n",
		      7);
	assert_string_equal(job, "slurm:12.extern");
	job_from_proc(job, "0::/system.slice/with:colon.service\n", 7);
	assert_string_equal(job, "unit:with:colon.service");
	job_from_proc(job, "no colons\n1:one colon\n\n\n:::\n", 7);
	assert_string_equal(job, "session:7");
	/* one line only: what a name says after a newline is not a hierarchy */
	job_from_cgroup(job, "/x\n0::/system.slice/nginx.service", 7);
	assert_string_not_equal(job, "unit:0");
}

static void test_hostile(void **state)
{
	char job[JOB_LEN], big[20000];
	unsigned seed = 3;
	static const char *const piece[] = {"/",
					    "job_",
					    "1",
					    "slurm",
					    "kubepods",
					    "pod",
					    POD,
					    HEX,
					    "*",
					    "..",
					    ":",
					    "docker-",
					    ".scope",
					    "user@",
					    ".service",
					    "\x1b[2J",
					    "\xff",
					    "\n",
					    "-",
					    "ecs",
					    TASK,
					    "step_",
					    "slurmstepd.scope",
					    "uid_"};

	job_from_cgroup(job, "/system.slice/\x1b[31mred\xff\xc2\x9b.service", 7);
	assert_string_equal(job, "unit:?[31mred??.service");

	memset(big, 'a', sizeof(big));
	memcpy(big, "/system.slice/", 14);
	strcpy(big + sizeof(big) - 9, ".service");
	job_from_cgroup(job, big, 7);
	assert_int_equal(strlen(job), JOB_LEN - 1);

	for (unsigned round = 0; round < 20000; round++) {
		size_t n = 0;

		for (unsigned i = (unsigned)rand_r(&seed) % 30; i; i--)
			n += (size_t)sprintf(big + n, "%s",
					     piece[(unsigned)rand_r(&seed) % ARRAY_SIZE(piece)]);
		big[n] = '\0';
		memset(job, 0x55, sizeof(job));
		job_from_cgroup(job, big, 7);
		assert_non_null(memchr(job, 0, JOB_LEN));
		for (const char *c = job; *c; c++)
			assert_true((unsigned char)*c >= 0x20);
		job_from_proc(job, big, 7);
		assert_non_null(memchr(job, 0, JOB_LEN));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_slurm),
	    cmocka_unit_test(test_kubernetes),
	    cmocka_unit_test(test_containers),
	    cmocka_unit_test(test_nesting),
	    cmocka_unit_test(test_units_and_sessions),
	    cmocka_unit_test(test_borrowed_names),
	    cmocka_unit_test(test_kubernetes_layouts),
	    cmocka_unit_test(test_cloud_layouts),
	    cmocka_unit_test(test_hierarchies),
	    cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
