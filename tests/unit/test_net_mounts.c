/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/net_mounts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "model_fixture.h"

#define ROOT "25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"

/* --- servers, of lines as kernels write them ------------------------------------------- */

/* "proto addr port", "proto ?", or "local". */
static void expect_server(const char *line, const char *expected)
{
	char text[2048], got[128], addr[ADDR_LEN];
	struct mount_point *m = NULL;
	struct net_server s;
	size_t n = 0;

	snprintf(text, sizeof(text), ROOT "%s\n", line);
	assert_int_equal(mounts_parse(text, strlen(text), "/m", &m, &n), 0);
	assert_int_equal(n, 1);
	if (!net_server_of(&m[0], &s))
		snprintf(got, sizeof(got), "local");
	else if (!s.known)
		snprintf(got, sizeof(got), "%s ?", net_proto_name(s.proto));
	else
		snprintf(got, sizeof(got), "%s %s %u", net_proto_name(s.proto), addr_text(addr, s.addr), s.port);
	mounts_free(m, n);
	assert_string_equal(got, expected);
}

static void test_nfs(void **state)
{
	expect_server("90 25 0:51 / /m rw,relatime shared:50 - nfs4 fs-0a1b.efs.eu-west-1.amazonaws.com:/ "
		      "rw,vers=4.1,rsize=1048576,wsize=1048576,namlen=255,hard,noresvport,proto=tcp,timeo=600,retrans=2,"
		      "sec=sys,clientaddr=10.0.1.20,local_lock=none,addr=10.0.1.77",
		      "nfs 10.0.1.77 2049");
	/* a name in the options must not be taken for another that ends like it */
	expect_server("90 25 0:51 / /m rw - nfs 10.9.8.7:/export "
		      "rw,vers=3,mountaddr=10.9.8.6,mountport=20048,clientaddr=10.9.8.5,addr=10.9.8.7",
		      "nfs 10.9.8.7 2049");
	/* EFS over TLS: through a proxy of this host */
	expect_server("90 25 0:51 / /m rw - nfs4 127.0.0.1:/ rw,vers=4.1,proto=tcp,port=20127,addr=127.0.0.1",
		      "nfs 127.0.0.1 20127");
	expect_server("90 25 0:51 / /m rw - nfs4 [2001:db8::5]:/x rw,proto=tcp6,addr=2001:db8::5", "nfs 2001:db8::5 2049");
	expect_server("90 25 0:51 / /m rw - nfs4 [fe80::1%25eth0]:/x rw,proto=tcp6,addr=fe80::1%eth0", "nfs fe80::1 2049");
	expect_server("90 25 0:51 / /m rw - nfs4 server:/x rw,vers=4.2", "nfs ?");
}

static void test_smb(void **state)
{
	expect_server("90 25 0:52 / /m rw - cifs //files.example.org/share "
		      "rw,vers=3.1.1,cache=strict,username=u,uid=0,noforceuid,gid=0,noforcegid,addr=192.0.2.9,file_mode=0755",
		      "smb 192.0.2.9 445");
	expect_server("90 25 0:52 / /m rw - smb3 //10.0.0.9/share rw,vers=3.0,addr=10.0.0.9,port=4450", "smb 10.0.0.9 4450");
	expect_server("90 25 0:52 / /m rw - cifs //files/share rw,addr=", "smb ?");
}

static void test_9p(void **state)
{
	expect_server("90 25 0:53 / /m rw - 9p 192.0.2.3 rw,access=any,aname=x,trans=tcp,port=5640", "9p 192.0.2.3 5640");
	expect_server("90 25 0:53 / /m rw - 9p 192.0.2.3 rw,trans=tcp", "9p 192.0.2.3 564");
	expect_server("90 25 0:53 / /m rw - 9p hostshare rw,dirsync,access=client,trans=virtio", "9p ?");
	expect_server("90 25 0:53 / /m rw - 9p /run/9p.sock rw,trans=unix", "9p ?");
	expect_server("90 25 0:53 / /m rw - 9p none rw,trans=fd,rfd=3,wfd=3", "9p ?");
}

static void test_clusters(void **state)
{
	expect_server("90 25 0:54 / /m rw - ceph 192.0.2.1:6789,192.0.2.2:6789:/vol rw,name=admin,secret=<hidden>",
		      "ceph 192.0.2.1 6789");
	expect_server("90 25 0:54 / /m rw - ceph [2001:db8::1]:3300,[2001:db8::2]:3300:/vol rw", "ceph 2001:db8::1 3300");
	expect_server("90 25 0:54 / /m rw - ceph admin@b3acfc0d.cephfs=/vol rw,mon_addr=192.0.2.7:3300/192.0.2.8:3300",
		      "ceph 192.0.2.7 3300");
	expect_server("90 25 0:54 / /m rw - ceph mon1,mon2:/ rw", "ceph ?");
	/* FSx for Lustre */
	expect_server("90 25 0:55 / /m rw,noatime - lustre 172.31.30.4@tcp:/2p3fhbmv rw,checksum,flock,nouser_xattr,lruresize",
		      "lustre 172.31.30.4 988");
	expect_server("90 25 0:55 / /m rw - lustre 10.0.0.1@o2ib,10.0.0.2@o2ib:10.0.0.3@o2ib:/scratch rw", "lustre 10.0.0.1 988");
	expect_server("90 25 0:55 / /m rw - lustre fs-0a.fsx.eu-west-1.amazonaws.com@tcp:/x rw", "lustre ?");
	expect_server("90 25 0:56 / /m rw - afs %example.org:root.cell. rw", "afs ?");
	expect_server("90 25 0:57 / /m rw - virtiofs share rw", "virtiofs ?");
	expect_server("90 25 0:58 / /m rw - gpfs fs1 rw", "netfs ?");
}

static void test_local(void **state)
{
	expect_server("90 25 8:2 / /m rw - xfs /dev/sdb rw,addr=10.0.0.1", "local");
	expect_server("90 25 0:60 / /m rw - tmpfs tmpfs rw", "local");
	expect_server("90 25 0:60 / /m rw - nfsd nfsd rw", "local");
	/* a daemon of this host sends it: user/collect.c follows that */
	expect_server("90 25 0:61 / /m rw - fuse.sshfs u@host:/ rw,user_id=0,group_id=0", "local");
}

static void test_hostile(void **state)
{
	expect_server("90 25 0:51 / /m rw - nfs4 x:/ rw,addr=10.0.0.1.2", "nfs ?");
	expect_server("90 25 0:51 / /m rw - nfs4 x:/ rw,port=99999,addr=10.0.0.1", "nfs 10.0.0.1 2049");
	expect_server("90 25 0:51 / /m rw - nfs4 x:/ rw,port=-1,addr=10.0.0.1", "nfs 10.0.0.1 2049");
	expect_server("90 25 0:51 / /m rw - nfs4 x:/ ,,addr=10.0.0.1,,", "nfs 10.0.0.1 2049");
	expect_server("90 25 0:51 / /m rw - nfs4 x:/ rw,addr", "nfs ?");
	expect_server("90 25 0:54 / /m rw - ceph [2001:db8::1 rw", "ceph ?");
	expect_server("90 25 0:54 / /m rw - ceph [] rw", "ceph ?");
	expect_server("90 25 0:54 / /m rw - ceph : rw", "ceph ?");
	expect_server("90 25 0:55 / /m rw - lustre @tcp:/x rw", "lustre ?");
	char long_line[1500] = "90 25 0:51 / /m rw - nfs4 x:/ rw,addr=";
	memset(long_line + strlen(long_line), '1', 1000);
	expect_server(long_line, "nfs ?");
}

/* --- flows ----------------------------------------------------------------------------- */

static struct fixture t;
static struct net_mounts *n;

static void mounted(const char *text)
{
	struct mount_point *m = NULL;
	size_t count = 0;

	assert_int_equal(mounts_parse(text, strlen(text), "/", &m, &count), 0);
	assert_int_equal(net_mounts_learn(n, m, count), 0);
	mounts_free(m, count);
}

static int begin(void **state)
{
	fixture_begin(&t, NULL);
	assert_int_equal(net_mounts_new(t.m, -1, &n), 0);
	mounted(ROOT "90 25 0:51 / /m rw - nfs4 s:/ rw,addr=203.0.113.9\n"
		     "91 25 0:52 / /v rw - nfs4 s:/ rw,addr=10.0.1.2\n"
		     "92 25 0:53 / /p rw - nfs4 127.0.0.1:/ rw,port=20127,addr=127.0.0.1\n"
		     "93 25 0:54 / /a rw - afs %c rw\n"
		     "94 25 0:55 / /s3 rw - fuse.mount-s3 mountpoint-s3 rw\n");
	introduce(&t, 7, "trainer", "slurm:1.0");
	reads(&t, 7, 0, 1000000);
	return 0;
}

static int end(void **state)
{
	n = net_mounts_free(n);
	fixture_end(&t);
	return 0;
}

static void writes(unsigned minor, uint64_t ino, uint64_t mask, uint64_t bytes, uint64_t first_ns)
{
	struct edge_key key = {.who = process(7), .what = {.ino = ino, .dev = minor}, .mask = mask, .via = VIA_FILE_WRITE};
	struct edge_val val = {bytes, 1, first_ns, t.now};

	assert_int_equal(net_mounts_heard(n, &key, &val), 0);
}

static const struct m_flow *only_flow(void)
{
	assert_int_equal(t.m->nflows, 1);
	return t.m->first_flow;
}

static void test_flow(void **state)
{
	char addr[ADDR_LEN];

	writes(51, 1, BIT(0), 1009, t.now);
	writes(51, 2, BIT(0), 2003, t.now);
	writes(51, 1, BIT(0), 5003, t.now); /* a total */
	const struct m_flow *f = only_flow();
	assert_int_equal(f->out, 5003 + 2003);
	assert_int_equal(flow_sent(f, 0), 5003 + 2003);
	assert_int_equal(flow_sent(f, 1), 0);
	assert_int_equal(f->dest.class, CLASS_INTERNET);
	assert_string_equal(addr_text(addr, f->f.raddr), "203.0.113.9");
	assert_int_equal(f->f.rport, 2049);
	assert_ptr_equal(f->who, subject_find(t.m, &(struct subject){process(7).start_ns, 7, 0}));
}

/* The kernel's entry was taken out, and there is another one, with more than the first. */
static void test_entry_begins_anew(void **state)
{
	writes(51, 1, BIT(0), 1009, t.now);
	writes(51, 1, BIT(0), 2003, t.now + 1);
	assert_int_equal(only_flow()->out, 1009 + 2003);
	writes(51, 1, BIT(0), 3001, t.now + 1);
	assert_int_equal(only_flow()->out, 1009 + 3001);
}

/* What was written before a dataset came is not of it. */
static void test_masks(void **state)
{
	writes(51, 1, BIT(0), 1009, t.now);
	writes(51, 1, BIT(0) | BIT(1), 2003, t.now);
	assert_int_equal(flow_sent(only_flow(), 0), 1009 + 2003);
	assert_int_equal(flow_sent(only_flow(), 1), 2003);
}

static void test_classes_of_servers(void **state)
{
	static const struct {
		unsigned minor;
		enum dest_class class;
	} rows[] = {{52, CLASS_VPC}, {53, CLASS_UNOBSERVABLE}, {54, CLASS_UNOBSERVABLE}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		writes(rows[i].minor, 1, BIT(0), 1009, t.now);
		assert_int_equal(t.m->last_flow->dest.class, rows[i].class);
	}
	assert_int_equal(t.m->nflows, ARRAY_SIZE(rows));
}

static void test_elsewhere(void **state)
{
	struct edge_key key = {.who = process(7), .what = {.ino = 1, .dev = 51}, .mask = 1, .via = VIA_FILE_READ};
	struct edge_val val = {1009, 1, t.now, t.now};

	assert_int_equal(net_mounts_heard(n, &key, &val), 0); /* read there */
	writes(8 << 20 | 1, 1, BIT(0), 1009, t.now);
	writes(77, 1, BIT(0), 1009, t.now); /* known to nobody */
	writes(55, 1, BIT(0), 1009, t.now); /* its daemon sends it */
	assert_int_equal(t.m->nflows, 0);
	assert_string_equal(net_mounts_path(n, 55), "/s3");
	assert_null(net_mounts_path(n, 51));
	assert_null(net_mounts_path(n, 77));
}

/* Unmounted, it is still known; mounted again by another, it is that one's. */
static void test_mounted_again(void **state)
{
	mounted(ROOT);
	writes(51, 1, BIT(0), 1009, t.now);
	assert_int_equal(t.m->nflows, 1);
	mounted(ROOT "95 25 0:51 / /t rw - tmpfs t rw\n");
	writes(51, 2, BIT(0), 1009, t.now);
	assert_int_equal(only_flow()->out, 1009);
}

static void test_ended(void **state)
{
	struct subject who = process(7), other = process(8);

	writes(51, 1, BIT(0), 1009, t.now);
	assert_int_equal(net_mounts_ended(n, &other), 0);
	assert_false(only_flow()->closed);
	assert_int_equal(net_mounts_ended(n, &who), 0);
	assert_true(only_flow()->closed);
	assert_int_equal(only_flow()->out, 1009);
	/* a late word of it is another flow */
	writes(51, 1, BIT(0), 1013, t.now);
	assert_int_equal(t.m->nflows, 2);
}

static void test_magic(void **state)
{
	struct net_server s;

	assert_true(net_server_of_magic(0x6969, &s));
	assert_int_equal(s.proto, NET_NFS);
	assert_false(s.known);
	assert_false(net_server_of_magic(0xef53, &s));
	assert_null(net_proto_name(IPPROTO_TCP));
	assert_null(net_proto_name(255));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nfs),
	    cmocka_unit_test(test_smb),
	    cmocka_unit_test(test_9p),
	    cmocka_unit_test(test_clusters),
	    cmocka_unit_test(test_local),
	    cmocka_unit_test(test_hostile),
	    cmocka_unit_test(test_magic),
	    cmocka_unit_test_setup_teardown(test_flow, begin, end),
	    cmocka_unit_test_setup_teardown(test_entry_begins_anew, begin, end),
	    cmocka_unit_test_setup_teardown(test_masks, begin, end),
	    cmocka_unit_test_setup_teardown(test_classes_of_servers, begin, end),
	    cmocka_unit_test_setup_teardown(test_elsewhere, begin, end),
	    cmocka_unit_test_setup_teardown(test_mounted_again, begin, end),
	    cmocka_unit_test_setup_teardown(test_ended, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
