/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A model with a policy, and short ways to tell it what the kernel counted. Include after cmocka.h.
 */
#ifndef MODEL_FIXTURE_H
#define MODEL_FIXTURE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "user/dest/aws_ranges.h"
#include "user/dest/class.h"
#include "user/model_internal.h"
#include "user/policy/config.h"

#define UNUSED __attribute__((unused))

struct fixture {
	struct config *config;
	struct classes *classes;
	struct model *m;
	uint64_t now;
};

static const char default_policy[] = "datasets:\n"
				     "  - id: patients\n"
				     "    path: /data/patients\n"
				     "    tags: { DataType: PII, Owner: radiology }\n"
				     "  - id: weather\n"
				     "    path: /data/weather\n"
				     "network:\n"
				     "  vpc: off\n"
				     "  vpc_cidrs: [10.0.0.0/16]\n";

UNUSED static struct config *parse(const char *yaml)
{
	struct config_error why = {0};
	struct config *c;

	if (config_parse(yaml, strlen(yaml), "test.yaml", false, &c, &why))
		fail_msg("%s", why.text);
	return c;
}

UNUSED static void fixture_begin(struct fixture *t, const char *yaml)
{
	*t = (struct fixture){.now = 5000 * NSEC};
	t->config = parse(yaml ? yaml : default_policy);
	assert_int_equal(classes_build(t->config, NULL, NULL, 0, &t->classes), 0);
	assert_int_equal(model_new(t->config, t->classes, &t->m), 0);
	assert_int_equal(model_set_host(t->m, "gpu-7", "0a1b"), 0);
	model_set_clock(t->m, t->now, &(struct timespec){1800000000, 0});
}

UNUSED static void fixture_end(struct fixture *t)
{
	model_free(t->m);
	classes_free(t->classes);
	config_free(t->config);
}

/* AWS's ranges come to be known: `prefixes` as in its file. */
UNUSED static void fixture_ranges(struct fixture *t, const char *prefixes)
{
	struct classes *old = t->classes;
	struct aws_ranges_error why;
	struct aws_ranges *ranges;
	char text[1024];

	int n = snprintf(text, sizeof(text), "{\"createDate\":\"2026-08-22-21-17-05\",\"ipv6_prefixes\":[],\"prefixes\":[%s]}",
			 prefixes);
	if (aws_ranges_parse(text, (size_t)n, "ranges.json", &ranges, &why))
		fail_msg("%s", why.text);
	assert_int_equal(classes_build(t->config, ranges, NULL, 0, &t->classes), 0);
	assert_int_equal(model_policy(t->m, t->config, t->classes), 0);
	classes_free(old);
	aws_ranges_free(ranges);
}

#define RANGE(prefix, service) "{\"ip_prefix\":\"" prefix "\",\"service\":\"" service "\",\"region\":\"eu-west-1\"}"

UNUSED static struct subject process(uint32_t pid)
{
	return (struct subject){4000 * NSEC + pid, pid, 0};
}

UNUSED static void introduce_as(struct fixture *t, struct subject who, struct subject parent,
				const char *comm, const char *exe, const char *job, int uid)
{
	struct subject_info info = {
	    .who = who,
	    .parent = parent,
	    .seen_ns = t->now,
	    .uid = (uint32_t)uid,
	    .uid_known = uid >= 0,
	    .comm = comm,
	    .exe = exe,
	    .job = job,
	};

	assert_int_equal(model_set_subject(t->m, &info), 0);
}

UNUSED static void introduce(struct fixture *t, uint32_t pid, const char *comm, const char *job)
{
	introduce_as(t, process(pid), (struct subject){0}, comm, "/usr/bin/python3", job, 1000);
}

UNUSED static void reads_kind(struct fixture *t, struct subject who, unsigned dataset,
			      enum access_kind kind, uint64_t bytes)
{
	struct ledger_key key = {.who = who, .dataset = (uint16_t)dataset, .kind = (uint16_t)kind};
	struct ledger_val val = {bytes, (bytes + 4095) / 4096, 1, t->now, t->now};

	assert_int_equal(model_set_access(t->m, &key, &val), 0);
}

UNUSED static void tainted(struct fixture *t, struct subject who, uint64_t mask)
{
	struct taint taint = {.mask = mask, .since_ns = t->now, .via = VIA_READ, .used = 1};

	assert_int_equal(model_set_taint(t->m, &who, &taint), 0);
}

/* Totals, as the kernel has them. */
UNUSED static void reads(struct fixture *t, uint32_t pid, unsigned dataset, uint64_t bytes)
{
	reads_kind(t, process(pid), dataset, ACCESS_READ, bytes);
	tainted(t, process(pid), BIT(dataset));
}

UNUSED static void born(struct fixture *t, struct subject from, struct subject who, uint64_t mask,
			uint32_t via)
{
	struct taint taint = {mask, mask, from, t->now, via, 1};

	assert_int_equal(model_set_taint(t->m, &who, &taint), 0);
}

UNUSED static void moves(struct fixture *t, uint32_t pid, uint64_t pipe, enum edge_via via,
			 uint64_t mask, uint64_t bytes)
{
	struct edge_key key = {
	    .who = process(pid), .what = {.ino = pipe, .dev = 13}, .mask = mask, .via = via};
	struct edge_val val = {bytes, 1, t->now, t->now};

	assert_int_equal(model_set_edge(t->m, &key, &val), 0);
	if (via == VIA_PIPE_READ)
		tainted(t, process(pid), mask);
}

/* Of a regular file, by number; `bytes` of a dump: how often. */
UNUSED static struct edge_key file_key(uint32_t pid, uint64_t ino, enum edge_via via, uint64_t mask)
{
	return (struct edge_key){
	    .who = process(pid), .what = {.ino = ino, .dev = 8 << 20 | 1, .gen = 7}, .mask = mask, .via = via};
}

UNUSED static void files(struct fixture *t, uint32_t pid, uint64_t ino, enum edge_via via,
			 uint64_t mask, uint64_t bytes)
{
	struct edge_key key = file_key(pid, ino, via, mask);
	struct edge_val val = {bytes, 1, t->now, t->now};

	if (via == VIA_DUMP)
		val = (struct edge_val){0, bytes, t->now, t->now};
	assert_int_equal(model_set_edge(t->m, &key, &val), 0);
	if (via == VIA_FILE_READ)
		tainted(t, process(pid), mask);
}

UNUSED static struct edge_key look_key(uint32_t pid, uint32_t source, uint64_t mask)
{
	struct edge_key key = {.who = process(pid), .mask = mask, .via = VIA_PEEK};
	struct subject from = process(source);

	memcpy(&key.what, &from, sizeof(key.what));
	return key;
}

UNUSED static void looks(struct fixture *t, uint32_t pid, uint32_t source, uint64_t mask)
{
	struct edge_key key = look_key(pid, source, mask);
	struct edge_val val = {0, 1, t->now, t->now};

	assert_int_equal(model_set_edge(t->m, &key, &val), 0);
	tainted(t, process(pid), mask);
}

UNUSED static struct flow flow_to(struct fixture *t, uint64_t id, uint32_t pid, const char *addr,
				  uint16_t port)
{
	struct flow f = {.id = id,
			 .start_ns = t->now,
			 .last_ns = t->now,
			 .queued_end = ~0ULL,
			 .rport = port,
			 .lport = (uint16_t)(40000 + id % 1000),
			 .proto = IPPROTO_TCP,
			 .role = ROLE_CONNECT,
			 .state = 1};

	if (pid)
		f.who = process(pid);
	f.raddr[10] = f.raddr[11] = f.laddr[10] = f.laddr[11] = 0xff;
	assert_int_equal(inet_pton(AF_INET, "10.0.0.5", f.laddr + 12), 1);
	if (strchr(addr, ':'))
		assert_int_equal(inet_pton(AF_INET6, addr, f.raddr), 1);
	else
		assert_int_equal(inet_pton(AF_INET, addr, f.raddr + 12), 1);
	return f;
}

UNUSED static void sends(struct fixture *t, struct flow *f, uint64_t out, uint64_t in)
{
	f->out = out;
	f->in = in;
	f->last_ns = t->now;
	assert_int_equal(model_set_flow(t->m, f), 0);
}

UNUSED static void flow_tainted_by(struct fixture *t, struct flow *f, uint64_t mask, uint64_t base)
{
	struct flow_taint_key key = {f->id, f->mask | mask};
	struct flow_taint val = {base, t->now};

	f->mask |= mask;
	assert_int_equal(model_set_flow_taint(t->m, &key, &val), 0);
	assert_int_equal(model_set_flow(t->m, f), 0);
}

#endif
