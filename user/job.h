/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The job a person knows, from a cgroup path. Environment variables never decide.
 *
 * "slurm:12.0" (job.step; "slurm:12.batch"; "slurm:12" outside any step)
 *
 * "k8s:<pod uid with dashes>" (a static pod's uid has none)
 *
 * "ecs:<task>"
 *
 * "container:<first 12 hex>" of docker, containerd, crio, podman, nerdctl
 *
 * "unit:<name>", a service or scope of systemd that is no user's: "unit:ssh.service"
 *
 * "session:<sid>" else, when the session is not 0; else "unknown"
 *
 * A Slurm, Kubernetes or ECS level wins over a container inside or outside of it, a container over
 * units; of equals the deepest wins, but nothing below a Slurm job renames it. What runs under a
 * user's own service manager (user@UID.service) that user may name at will: only containers are
 * believed there, so that nobody takes another job's name.
 */
#ifndef SLUICE_JOB_H
#define SLUICE_JOB_H

#include "user/util.h"

#define JOB_LEN 160

/* `cgroup`: one path ("/system.slice/slurmstepd.scope/job_12/step_0/user/task_0") of the v2
 * hierarchy, or of a v1 one; NULL: not known. The result is safe for a terminal. */
void job_from_cgroup(char ret[static JOB_LEN], const char *cgroup, uint32_t session);

/* The same from the text of /proc/PID/cgroup: of all hierarchies the most telling one. */
void job_from_proc(char ret[static JOB_LEN], const char *text, uint32_t session);

#endif
