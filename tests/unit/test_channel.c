/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Ways out that are not measured: which devices are some, what they are called, and what is found of their holders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/rules_fixture.h"
#include "user/chardev.h"

static size_t parse_text(const char *text, bool misc, struct chardev *ret, size_t room)
{
	FILE *f = fmemopen((void *)text, strlen(text), "r");
	size_t n = 0;

	assert_non_null(f);
	chardev_parse(f, misc, ret, room, &n);
	fclose(f);
	return n;
}

static void devices_by_driver(void **state)
{
	static const char text[] = "Character devices:\n"
				   "  1 mem\n"
				   " 10 misc\n"
				   "231 infiniband_verbs\n"
				   "240 nvme-generic\n"
				   "241 nvme\n"
				   "\n"
				   "Block devices:\n"
				   "259 nvme\n";
	struct chardev d[8];

	assert_int_equal(parse_text(text, false, d, 8), 3);
	assert_int_equal(d[0].device, 231U << 20 | CHARDEV_ANY_MINOR);
	assert_int_equal(d[0].kind, CHANNEL_RDMA);
	assert_int_equal(d[1].kind, CHANNEL_NVME);
	assert_int_equal(d[2].device, 241U << 20 | CHARDEV_ANY_MINOR);
}

static void misc_devices_by_minor(void **state)
{
	static const char text[] = "200 tun\n238 vhost-net\n241 vhost-vsock\n232 kvm\n 58 rdma_cm\n";
	struct chardev d[8];

	assert_int_equal(parse_text(text, true, d, 8), 4);
	assert_int_equal(d[0].device, 10U << 20 | 200);
	assert_int_equal(d[0].kind, CHANNEL_TUN);
	assert_int_equal(d[1].kind, CHANNEL_VHOST);
	assert_int_equal(d[3].kind, CHANNEL_RDMA);
}

static void accelerators_by_driver(void **state)
{
	static const char text[] = "195 nvidia\n236 nvidiactl\n507 nvidia-uvm\n240 neuron\n241 kfd\n261 accel\n"
				   "226 drm\n29 fb\n242 nvidia-modeset\n243 neurons\n";
	struct chardev d[16];

	assert_int_equal(parse_text(text, false, d, 16), 6);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(d[i].kind, SL_ACCELERATOR);
	assert_int_equal(d[0].device, 195U << 20 | CHARDEV_ANY_MINOR);
	assert_int_equal(parse_text("60 kfd\n", true, d, 16), 0);
	assert_true(SL_ACCELERATOR >= CHANNEL_KINDS);
}

static void devices_that_make_no_sense(void **state)
{
	static const char text[] = "tun\n-1 tun\n99999999999 tun\n4294967296 tun\n1048576 tun\n\n \nxx 200 tun\n";
	static char much[80000];
	struct chardev d[4];

	assert_int_equal(parse_text(text, true, d, 4), 0);
	for (size_t i = 0; i + 8 < sizeof(much); i += 8)
		memcpy(much + i, "200 tun\n", 8);
	assert_int_equal(parse_text(much, true, d, 4), 4);
	memset(much, 'a', sizeof(much) - 1);
	assert_int_equal(parse_text(much, true, d, 4), 0);
}

static void channels_have_names(void **state)
{
	char name[CHANNEL_NAME_LEN];

	for (uint32_t k = 1; k < CHANNEL_KINDS; k++)
		assert_string_not_equal(channel_name(name, k, 0, ""), "unknown channel");
	assert_string_equal(channel_name(name, CHANNEL_PACKET, 17, ""), "AF_PACKET socket");
	assert_string_equal(channel_name(name, CHANNEL_SOCKET, 30, ""), "AF_TIPC socket");
	assert_string_equal(channel_name(name, CHANNEL_SOCKET, 77, ""), "socket of family 77");
	assert_string_equal(channel_name(name, CHANNEL_CORE, 0, "|/usr/lib/helper %p"), "core dump to a helper program");
	assert_string_equal(channel_name(name, CHANNEL_CORE, 0, "core"), "core dump to a file");
	assert_string_equal(channel_name(name, CHANNEL_CORE, 0, ""), "core dump");
	assert_string_equal(channel_name(name, CHANNEL_KINDS, 0, ""), "unknown channel");
}

static void holds(struct fixture *t, uint32_t pid, enum channel kind, uint64_t mask)
{
	struct channel_key key = {.who = process(pid), .kind = kind};
	struct channel_val val = {mask, 1, t->now, t->now};
	char name[CHANNEL_NAME_LEN];

	assert_int_equal(model_set_channel(t->m, &key, &val, channel_name(name, kind, 0, "core")), 0);
}

static void holder_is_found(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:4242.0");
	reads(&t, 10, 0, 70001);
	holds(&t, 10, CHANNEL_PACKET, 1);
	evaluate(&t);
	const struct finding *f = only(&t, RULE_CHANNEL_UNOBSERVABLE);
	assert_int_equal(f->severity, SEVERITY_HIGH);
	assert_int_equal(f->leak_bound, 70001);
	assert_int_equal(f->exposed, 70001);
	assert_int_equal(f->process->who.tgid, 10);
	assert_string_equal(f->channel, "AF_PACKET socket");
	assert_int_equal(f->nchain, 2);
	assert_string_equal(f->chain[0].from, "dataset patients");
	assert_string_equal(f->chain[1].from, "process python3[10]");
	assert_string_equal(f->chain[1].to, "AF_PACKET socket");
	assert_false(f->chain[1].counted);
	assert_int_equal(t.m->channels[CHANNEL_PACKET], 1);
	fixture_end(&t);
}

static void bound_follows_what_is_read(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:4242.0");
	reads(&t, 10, 0, 1009);
	holds(&t, 10, CHANNEL_XDP, 1);
	evaluate(&t);
	reads(&t, 10, 0, 20011);
	evaluate(&t);
	const struct finding *f = only(&t, RULE_CHANNEL_UNOBSERVABLE);
	assert_int_equal(f->leak_bound, 20011);
	assert_int_equal(f->count, 2);
	evaluate(&t);
	assert_int_equal(f->count, 2);
	fixture_end(&t);
}

/* A worker that was born with the descriptor reads more than its parent: that can have left there too. */
static void heirs_have_it_as_well(void **state)
{
	struct fixture t;
	struct subject parent = process(10), child = process(11), elder = process(9);

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:4242.0");
	reads(&t, 10, 0, 1009);
	struct channel_key key = {.who = parent, .kind = CHANNEL_VSOCK};
	struct channel_val val = {1, 1, parent.start_ns, parent.start_ns};
	assert_int_equal(model_set_channel(t.m, &key, &val, "AF_VSOCK socket"), 0);
	introduce_as(&t, child, parent, "worker", "/usr/bin/python3", "slurm:4242.0", 1000);
	introduce_as(&t, elder, parent, "elder", "/usr/bin/python3", "slurm:4242.0", 1000);
	reads(&t, 11, 0, 70001);
	reads(&t, 9, 0, 500009); /* born before the channel was there */
	evaluate(&t);
	const struct finding *f = only(&t, RULE_CHANNEL_UNOBSERVABLE);
	assert_int_equal(f->leak_bound, 71010);
	assert_int_equal(f->process->who.tgid, 10);
	fixture_end(&t);
}

static void one_per_dataset_and_kind(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:4242.0");
	reads_kind(&t, process(10), 0, ACCESS_READ, 1009);
	reads_kind(&t, process(10), 1, ACCESS_READ, 2003);
	tainted(&t, process(10), 3);
	holds(&t, 10, CHANNEL_PACKET, 3);
	holds(&t, 10, CHANNEL_TUN, 3);
	holds(&t, 10, CHANNEL_TUN, 1);
	evaluate(&t);
	evaluate(&t);
	assert_int_equal(findings(&t, RULE_CHANNEL_UNOBSERVABLE), 4);
	fixture_end(&t);
}

static void nothing_held_nothing_found(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:4242.0");
	introduce(&t, 11, "dhclient", "unit:network.service");
	holds(&t, 11, CHANNEL_PACKET, 0);
	reads(&t, 10, 0, 1009);
	evaluate(&t);
	assert_int_equal(findings(&t, RULE_CHANNEL_UNOBSERVABLE), 0);
	fixture_end(&t);
}

static void dump_is_of_one_process(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:4242.0");
	reads(&t, 10, 0, 1009);
	holds(&t, 10, CHANNEL_CORE, 1);
	introduce_as(&t, process(11), process(10), "worker", "/usr/bin/python3", "slurm:4242.0", 1000);
	reads(&t, 11, 0, 70001);
	evaluate(&t);
	assert_int_equal(only(&t, RULE_CHANNEL_UNOBSERVABLE)->leak_bound, 1009);
	assert_non_null(strstr(only(&t, RULE_CHANNEL_UNOBSERVABLE)->title, "core dump to a file"));
	fixture_end(&t);
}

static void senseless_channels_are_refused(void **state)
{
	struct channel_key key = {.who = process(10)};
	struct channel_val val = {1, 1, 1, 1};
	struct fixture t;

	fixture_begin(&t, NULL);
	assert_int_equal(model_set_channel(t.m, &key, &val, "x"), -EINVAL);
	key.kind = CHANNEL_KINDS;
	assert_int_equal(model_set_channel(t.m, &key, &val, "x"), -EINVAL);
	key.kind = 0xffffffff;
	assert_int_equal(model_set_channel(t.m, &key, &val, "x"), -EINVAL);
	evaluate(&t);
	fixture_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_by_driver),
		cmocka_unit_test(misc_devices_by_minor),
		cmocka_unit_test(accelerators_by_driver),
	    cmocka_unit_test(devices_that_make_no_sense),
		cmocka_unit_test(channels_have_names),
		cmocka_unit_test(holder_is_found),
		cmocka_unit_test(bound_follows_what_is_read),
		cmocka_unit_test(heirs_have_it_as_well),
		cmocka_unit_test(one_per_dataset_and_kind),
		cmocka_unit_test(nothing_held_nothing_found),
		cmocka_unit_test(dump_is_of_one_process),
		cmocka_unit_test(senseless_channels_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
