/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What names look like, and what the model keeps of who asked for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/dns_fixture.h"
#include "user/dest/name_shape.h"

/* --- shapes --------------------------------------------------------------- */

static struct name_shape shape(const char *name)
{
	struct name_shape s;

	name_shape(name, &s);
	return s;
}

static void domains(void **state)
{
	static const struct {
		const char *name, *domain;
		enum name_reach reach;
		size_t below;
	} cases[] = {
	    {"evil.net", "evil.net", NAME_ANYONE, 0},
	    {"a.evil.net", "evil.net", NAME_ANYONE, 2},
	    {"ab.cd.t.evil.net", "evil.net", NAME_ANYONE, 8},
	    {"ab.evil.co.uk", "evil.co.uk", NAME_ANYONE, 3},
	    {"ab.evil.com.au", "evil.com.au", NAME_ANYONE, 3},
	    {"co.uk", "co.uk", NAME_ANYONE, 0},
	    {"x.nic.uk", "nic.uk", NAME_ANYONE, 2},
	    {"x.evil.xn--p1ai", "evil.xn--p1ai", NAME_ANYONE, 2},
	    {"\\200\\201.evil.net", "evil.net", NAME_ANYONE, 3},
	    {"host", "", NAME_ANYONE, 5},
	    {"", "", NAME_ANYONE, 0},
	    {"00ff.a1b2c3d4", "", NAME_ANYONE, 14},
	    {"bucket.s3.eu-central-1.amazonaws.com", "amazonaws.com", NAME_PROVIDER, 23},
	    {"b.s3.cn-north-1.amazonaws.com.cn", "amazonaws.com.cn", NAME_PROVIDER, 16},
	    {"kube-dns.kube-system.svc.cluster.local", "cluster.local", NAME_INSIDE, 25},
	    {"ip-10-0-0-1.ec2.internal", "ec2.internal", NAME_INSIDE, 12},
	    {"api.default.svc", "default.svc", NAME_INSIDE, 4},
	    {"4.3.2.1.in-addr.arpa", "in-addr.arpa", NAME_INSIDE, 8},
	    {"a.b.0.1.ip6.arpa", "ip6.arpa", NAME_INSIDE, 8},
	    {"deadbeef.3.2.1.in-addr.arpa", "in-addr.arpa", NAME_ANYONE, 15},
	    {"5.4.3.2.1.in-addr.arpa", "in-addr.arpa", NAME_ANYONE, 10},
	    {"zz.0.1.ip6.arpa", "ip6.arpa", NAME_ANYONE, 7},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct name_shape s = shape(cases[i].name);

		assert_string_equal(s.domain, cases[i].domain);
		assert_int_equal(s.reach, cases[i].reach);
		assert_int_equal(s.below, cases[i].below);
	}
}

static void words_are_not_coded(void **state)
{
	static const char *const names[] = {
	    "www", "kubernetes-dashboard", "sagemaker-us-east-1-123456789012", "ip-10-0-0-1", "ec2-203-0-113-100.compute-1",
	    "gpu-0001.hpc", "internationalization", "authentication-service", "cdn-lfs-us-1", "node01.rack12", "my-training-data",
	    "amazoncloudwatch", "downloads", "_ldap._tcp.dc._msdcs", "msftconnecttest", "registry-1", "strengthsandweaknesses"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char name[128];

		snprintf(name, sizeof(name), "%s.somewhere.org", names[i]);
		if (shape(name).coded)
			fail_msg("%s looks like data", name);
	}
}

/* How many of a hundred random labels are found out. */
static unsigned found(const char *alphabet, size_t n)
{
	uint32_t seed = 7;
	unsigned all = 0;

	for (unsigned i = 0; i < 100; i++) {
		char label[64], name[128];

		snprintf(name, sizeof(name), "%s.evil.net", draw(label, &seed, alphabet, n));
		all += shape(name).coded > 0;
	}
	return all;
}

static void data_is_coded(void **state)
{
	static const char *const alphabets[] = {HEX, BASE32, BASE36, BASE64, LETTERS, DIGITS};

	for (size_t i = 0; i < ARRAY_SIZE(alphabets); i++) {
		print_message("of 100 labels of 30 and 60 from %s: %u, %u\n", alphabets[i], found(alphabets[i], 30),
			      found(alphabets[i], 60));
		assert_true(found(alphabets[i], 30) >= 75);
		assert_true(found(alphabets[i], 60) >= 85);
	}
	assert_true(shape("\\200\\377\\021x.evil.net").coded);
	assert_true(shape("a8f3k2d-93kd82h-f83j2k9.evil.net").coded);
	/* the same account in each name is the same thing said */
	assert_int_equal(shape("123456789012.a.evil.net").coded_hash, shape("123456789012.b.evil.net").coded_hash);
	assert_int_equal(shape("gpu-17.evil.net").skeleton_hash, shape("gpu-4711.evil.net").skeleton_hash);
	assert_int_not_equal(shape("gpu-17.evil.net").hash, shape("gpu-4711.evil.net").hash);
}

static void any_name(void **state)
{
	static const char bytes[] = "a0.-_\\*z7";
	uint32_t seed = 3;

	for (unsigned i = 0; i < 100000; i++) {
		char name[64];
		struct name_shape s = shape(draw(name, &seed, bytes, dice(&seed, 40)));

		assert_true(s.domain >= name && s.domain <= name + strlen(name));
		assert_true(s.below <= strlen(name) + 1);
	}
}

/* --- totals --------------------------------------------------------------- */

static void totals_of_a_process(void **state)
{
	struct fixture t;
	const struct m_asker *a;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "curl", "slurm:1.0");
	asks(&t, 10, "a.example.org");
	asks(&t, 10, "a.example.org");
	asks(&t, 10, "b.example.org");
	a = subject_find(t.m, &(struct subject){4000 * NSEC + 10, 10, 0})->asker;
	assert_int_equal(a->questions, 3);
	assert_int_equal(a->bytes, 42);
	assert_int_equal(distinct_count(&a->names), 2);
	for (unsigned i = 0; i < 10000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "n%u.example.org", i % 5000);
		asks(&t, 10, name);
	}
	print_message("5002 names, counted as %llu\n", (unsigned long long)distinct_count(&a->names));
	assert_true(distinct_count(&a->names) > 4000 && distinct_count(&a->names) < 6000);
	evaluate(&t);
	evaluate(&t);
	assert_null(t.m->questions->first); /* nothing was held */
	fixture_end(&t);
}

static void counts_of_different(void **state)
{
	struct distinct a = {.n = 0}, b = {.n = 0};

	/* through the model alone: hashes are its own */
	assert_int_equal(distinct_count(&a), 0);
	struct m_asker *to = NULL, *from = calloc(1, sizeof(*from));

	assert_non_null(from);
	from->questions = 3;
	from->names = b;
	asker_move(&to, &from);
	assert_null(from);
	from = calloc(1, sizeof(*from));
	assert_non_null(from);
	from->questions = 4;
	from->names.few[from->names.n++] = 77;
	asker_move(&to, &from);
	assert_int_equal(to->questions, 7);
	assert_int_equal(distinct_count(&to->names), 1);
	asker_free(to);
}

static void senseless_questions(void **state)
{
	struct subject nobody = {0}, who = process(10);
	struct dns_message q = question_for("a.b", DNS_TYPE_A);
	uint8_t addr[16] = {0};
	struct fixture t;

	fixture_begin(&t, NULL);
	assert_int_equal(model_set_question(t.m, &nobody, 0, &q, addr, 53, t.now), -EINVAL);
	q.answer = true;
	assert_int_equal(model_set_question(t.m, &who, 0, &q, addr, 53, t.now), -EINVAL);
	assert_int_equal(t.m->nsubjects, 0);
	evaluate(&t);
	fixture_end(&t);
}

/* --- domains -------------------------------------------------------------- */

static struct tally only_tally(struct fixture *t, unsigned dataset)
{
	assert_non_null(t->m->questions->first);
	assert_null(t->m->questions->first->next);
	return domain_sum(t->m->questions->first, dataset);
}

static void settle(struct fixture *t)
{
	evaluate(t);
	evaluate(t);
}

/* Before the taint, after it, and after it but told before it was. */
static void since_the_taint(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:1.0");
	asks(&t, 10, "early.evil.net");
	settle(&t);
	assert_null(t.m->questions->first);
	t.now += NSEC;
	struct taint taint = {.mask = 1, .since_ns = t.now, .via = VIA_READ, .used = 1};
	t.now += NSEC;
	asks(&t, 10, "late.evil.net");
	evaluate(&t);
	struct subject who = process(10);
	assert_int_equal(model_set_taint(t.m, &who, &taint), 0);
	reads(&t, 10, 0, 1000);
	evaluate(&t);
	assert_int_equal(only_tally(&t, 0).questions, 1);
	assert_int_equal(only_tally(&t, 0).bytes, 5);
	assert_int_equal(only_tally(&t, 1).questions, 0);
	/* the second dataset comes: names count once for each */
	reads(&t, 10, 1, 1000);
	tainted(&t, process(10), 2);
	asks(&t, 10, "late.evil.net");
	asks(&t, 10, "later.evil.net");
	settle(&t);
	assert_int_equal(only_tally(&t, 0).questions, 3);
	assert_int_equal(only_tally(&t, 0).names, 2);
	assert_int_equal(only_tally(&t, 1).questions, 2);
	assert_int_equal(only_tally(&t, 1).names, 2);
	assert_int_equal(only_tally(&t, 1).bytes, 11);
	fixture_end(&t);
}

/* The forwarder of this host, in another job, asks for the same; a worker of the same job counts. */
static void relays(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:1.0");
	introduce(&t, 11, "python3", "slurm:1.0");
	introduce(&t, 12, "systemd-resolve", "unit:systemd-resolved.service");
	for (uint32_t pid = 10; pid <= 12; pid++)
		reads(&t, pid, 0, 1000);
	asks_of(&t, process(10), "a.evil.net", DNS_TYPE_A, "127.0.0.53");
	asks(&t, 12, "a.evil.net");
	asks(&t, 11, "a.evil.net");
	settle(&t);
	assert_int_equal(only_tally(&t, 0).questions, 2);
	assert_int_equal(t.m->questions->relayed, 1);
	t.now += 11 * NSEC;
	asks(&t, 12, "a.evil.net"); /* by itself */
	settle(&t);
	assert_int_equal(t.m->questions->ndomains, 2);
	fixture_end(&t);
}

/* As many as a moment brings: none of them is the forwarder's own. */
static void many_relays(void **state)
{
	struct fixture t;
	char name[64];

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:1.0");
	introduce(&t, 12, "systemd-resolve", "unit:systemd-resolved.service");
	reads(&t, 10, 0, 1000);
	reads(&t, 12, 0, 1000);
	for (unsigned i = 0; i < 7919; i++) {
		snprintf(name, sizeof(name), "n%u.evil.net", i);
		asks_of(&t, process(10), name, DNS_TYPE_A, "127.0.0.53");
		asks(&t, 12, name);
	}
	settle(&t);
	assert_int_equal(t.m->questions->relayed, 7919);
	assert_int_equal(only_tally(&t, 0).questions, 7919);
	fixture_end(&t);
}

static void rooms_are_bounded(void **state)
{
	struct fixture t;
	char name[64];

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:1.0");
	reads(&t, 10, 0, 1 << 20);
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "www.d%u.com", i % 1000);
		asks(&t, 10, name);
	}
	assert_int_equal(t.m->questions->nwaiting, QUESTIONS_WAITING_MAX);
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "n%u.d7.com", i);
		asks(&t, 10, name);
	}
	settle(&t);
	assert_int_equal(t.m->questions->nwaiting, 0);
	assert_int_equal(t.m->questions->ndomains, DOMAINS_OF_JOB);
	assert_int_equal(subject_find(t.m, &(struct subject){4000 * NSEC + 10, 10, 0})->job->ndomains, DOMAINS_OF_JOB);
	assert_true(t.m->questions->nseen < 12000);
	uint64_t questions = 0;
	for (const struct m_domain *d = t.m->questions->first; d; d = d->next) {
		struct tally all = domain_sum(d, 0);

		questions += all.questions;
		assert_true(strcmp(d->text, "d7.com") || d->full);
	}
	assert_int_equal(questions, 40000);
	fixture_end(&t);
}

/* What one for the dead of a job holds, and what goes with the job. */
static void history_moves(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	for (uint32_t pid = 10; pid < 13; pid++) {
		struct subject who = process(pid);

		introduce(&t, pid, "dig", "slurm:1.0");
		reads(&t, pid, 0, 1000);
		asks(&t, pid, "x.evil.net");
		asks(&t, pid, "y.evil.net");
		struct ledger_key key = {.who = who, .dataset = 0, .kind = ACCESS_READ};
		assert_int_equal(model_settle_access(t.m, &key), 0);
		assert_int_equal(model_set_exit(t.m, &who, t.now), 0);
	}
	settle(&t);
	t.now += 2 * MODEL_FORGET_NS;
	assert_int_equal(model_merge_dead(t.m, t.now), 0);
	const struct m_subject *merged = t.m->first_subject;
	assert_null(merged->next);
	assert_int_equal(merged->merged, 3);
	assert_int_equal(merged->asker->questions, 6);
	assert_int_equal(distinct_count(&merged->asker->names), 2);
	assert_int_equal(only_tally(&t, 0).questions, 6);
	subject_drop(t.m, t.m->first_subject);
	assert_int_equal(t.m->jobs.used, 0);
	assert_null(t.m->questions->first);
	assert_int_equal(t.m->questions->ndomains, 0);
	assert_int_equal(t.m->questions->nseen, 0);
	fixture_end(&t);
}

/* Packets of anything that dns_parse() takes, from anyone, in any order. */
static void any_question(void **state)
{
	static const uint8_t head[12] = {[5] = 1};
	uint32_t seed = 5, taken = 0;
	struct fixture t;

	fixture_begin(&t, NULL);
	reads(&t, 10, 0, 1000);
	reads(&t, 11, 1, 1000);
	for (unsigned i = 0; i < 50000; i++) {
		struct dns_message q;
		uint8_t p[512], addr[16] = {0};
		size_t n = sizeof(head);

		memcpy(p, head, sizeof(head));
		for (unsigned labels = dice(&seed, 6); labels; labels--) {
			unsigned len = 1 + dice(&seed, dice(&seed, 3) ? 6 : 63);

			p[n++] = (uint8_t)len;
			while (len--)
				p[n++] = dice(&seed, 2) ? (uint8_t)dice(&seed, 256) : (uint8_t)('a' + dice(&seed, 26));
		}
		p[n++] = 0;
		p[n++] = 0;
		p[n++] = (uint8_t)dice(&seed, 70);
		p[n++] = 0;
		p[n++] = 1;
		struct subject who = process(10 + dice(&seed, 3));
		if (dns_parse(p, n, false, &q))
			continue;
		assert_int_equal(model_set_question(t.m, &who, dice(&seed, 9), &q, addr, (uint16_t)seed, t.now + dice(&seed, 1000)), 0);
		taken++;
		if (!dice(&seed, 1000))
			evaluate(&t);
	}
	settle(&t);
	assert_true(taken > 40000);
	assert_true(t.m->questions->ndomains <= DOMAINS_MAX);
	fixture_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(domains),		   cmocka_unit_test(words_are_not_coded), cmocka_unit_test(data_is_coded),
	    cmocka_unit_test(any_name),		   cmocka_unit_test(totals_of_a_process), cmocka_unit_test(counts_of_different),
	    cmocka_unit_test(senseless_questions), cmocka_unit_test(since_the_taint),	  cmocka_unit_test(relays),
	    cmocka_unit_test(many_relays),	   cmocka_unit_test(rooms_are_bounded),	  cmocka_unit_test(history_moves),
	    cmocka_unit_test(any_question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
