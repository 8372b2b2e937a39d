/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * classes_local() on namespaces made here: "us" (the caller's), a container behind a veth, one
 * behind a bridge, a namespace that stands for another host, and one that a plain user filled.
 * Nothing outlives the test: the namespaces go with their processes.
 */
#include "user/dest/class.h"
#include "user/dest/ranges.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

static ino_t netns_here(void)
{
	struct stat st;

	assert_int_equal(stat("/proc/thread-self/ns/net", &st), 0);
	return st.st_ino;
}

static bool holds(const struct cidr *v, size_t n, const char *text)
{
	uint8_t addr[16], v4[4];

	if (inet_pton(AF_INET, text, v4) == 1)
		addr_map_v4(addr, v4);
	else
		assert_int_equal(inet_pton(AF_INET6, text, addr), 1);
	for (size_t i = 0; i < n; i++)
		if (v[i].bits == 128 && !memcmp(v[i].addr, addr, 16))
			return true;
	return false;
}

static void test_own_namespace(void **state)
{
	_cleanup_free_ struct cidr *v = NULL;
	size_t n = 12345;
	unsigned missed = 12345;
	ino_t before = netns_here();

	assert_int_equal(classes_local(&v, &n, &missed), 0);
	assert_int_equal(netns_here(), before);
	assert_int_not_equal(n, 12345);
	assert_int_not_equal(missed, 12345);
	assert_false(holds(v, n, "127.0.0.1"));
	assert_false(holds(v, n, "::1"));
	for (size_t i = 1; i < n; i++)
		assert_true(memcmp(v[i - 1].addr, v[i].addr, 16) < 0);
}

/* Those who inhabit namespaces leave when its last writer closes it. */
static int life[2];

/* In new namespaces until `life` ends; tells `ready` when they are there. */
static void inhabitant(int flags, uid_t uid, int ready)
{
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(life[1]);
	if ((uid && setresuid(uid, uid, uid)) || unshare(flags))
		_exit(1);
	pid_t inner = fork(); /* CLONE_NEWPID is for the child */
	if (inner == 0) {
		bool told = write(ready, "", 1) == 1;

		_exit(told && read(life[0], &c, 1) == 0 ? 0 : 1);
	}
	waitpid(inner, NULL, 0);
	_exit(0);
}

static pid_t inhabit(int flags, uid_t uid)
{
	int ready[2];
	char c;

	if (pipe2(ready, O_CLOEXEC))
		return -1;
	pid_t pid = fork();
	if (pid == 0)
		inhabitant(flags, uid, ready[1]);
	close(ready[1]);
	ssize_t got = read(ready[0], &c, 1);
	close(ready[0]);
	return got == 1 ? pid : -1;
}

static void all_leave(void)
{
	close(life[1]);
	while (wait(NULL) > 0)
		;
	close(life[0]);
}

/* Does some process keep its namespaces from us? */
static bool someone_hides(void)
{
	return system("for p in /proc/[0-9]*; do readlink $p/ns/net >/dev/null || test ! -d $p || "
		      "exit 1; "
		      "done 2>/dev/null") != 0;
}

/* printf to a shell; true if it went well. */
__attribute__((format(printf, 1, 2))) static bool sh(const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	return system(line) == 0;
}

static bool veth_to(pid_t pid, const char *here, const char *there, const char *their_addr)
{
	return sh("ip link add %s type veth peer name %s netns %d && ip link set %s up", here,
		  there, (int)pid, here) &&
	       sh("nsenter -t %d -n sh -c 'ip link set %s up && ip addr add %s dev %s && ip addr "
		  "add "
		  "203.0.113.9/32 dev %s && ip link set lo up'",
		  (int)pid, there, their_addr, there, there);
}

/* 0 good, 1 wrong, 77 cannot be set up here. */
static int in_namespaces(void)
{
	struct cidr *v = NULL;
	size_t n = 0;
	unsigned missed = 99;
	int wrong = 0;

	if (unshare(CLONE_NEWNET) || !sh("ip link set lo up"))
		return 77;
	pid_t container = inhabit(CLONE_NEWNET | CLONE_NEWPID, 0);
	pid_t bridged = inhabit(CLONE_NEWNET | CLONE_NEWPID, 0);
	pid_t stand_in = inhabit(CLONE_NEWNET, 0);
	if (container < 0 || bridged < 0 || stand_in < 0 ||
	    !veth_to(container, "c0", "eth0", "172.20.0.2/24") ||
	    !veth_to(bridged, "c1", "eth0", "172.22.0.2/24") ||
	    !veth_to(stand_in, "c2", "eth0", "192.168.77.9/24"))
		return 77;
	if (!sh("ip addr add 172.20.0.1/24 dev c0 && ip addr add 192.168.77.1/24 dev c2 && "
		"ip link add br0 type bridge && ip link set c1 master br0 && ip link set br0 up && "
		"ip addr add 172.22.0.1/24 dev br0 && ip addr add 198.51.100.5/32 dev lo && "
		"ip route add 203.0.113.9/32 dev c0"))
		return 77;
	/* in the container, but not reached there: no route, behind a gateway */
	if (!sh("nsenter -t %d -n sh -c 'ip addr add 10.99.0.1/32 dev lo && ip addr add "
		"10.98.0.1/32 "
		"dev lo' && ip route add 10.98.0.0/16 via 172.20.0.2",
		(int)container))
		return 77;

	if (classes_local(&v, &n, &missed))
		return 1;
	static const struct {
		const char *addr;
		bool host;
	} expect[] = {
	    {"172.20.0.1", true},    {"172.22.0.1", true},   {"198.51.100.5", true},
	    {"192.168.77.1", true},  {"172.20.0.2", true},   {"172.22.0.2", true},
	    {"192.168.77.9", false}, {"203.0.113.9", false}, {"10.99.0.1", false},
	    {"10.98.0.1", false},    {"127.0.0.1", false},   {"::1", false},
	};
	for (size_t i = 0; i < ARRAY_SIZE(expect); i++)
		if (holds(v, n, expect[i].addr) != expect[i].host) {
			fprintf(stderr, "%s: expected %s\n", expect[i].addr,
				expect[i].host ? "host" : "not host");
			wrong = 1;
		}
	if (missed != someone_hides()) {
		fprintf(stderr, "missed %u\n", missed);
		wrong = 1;
	}
	free(v);

	/* a bridge with a port that may lead off the machine */
	if (sh("(ip link add d0 type dummy || ip link add d0 type ifb) 2>/dev/null && "
	       "ip link set d0 master br0 && ip link set d0 up")) {
		if (classes_local(&v, &n, &missed))
			return 1;
		if (holds(v, n, "172.22.0.2") || !holds(v, n, "172.20.0.2")) {
			fprintf(stderr, "bridge with a foreign port\n");
			wrong = 1;
		}
		free(v);
	} else {
		fprintf(stderr, "neither dummy nor ifb links: a foreign port was not tried\n");
	}

	/* a link for services, not for addresses of ours */
	if (!sh("ip link add kube-ipvs0 type bridge && ip addr add 10.96.0.1/32 dev kube-ipvs0"))
		return 77;
	if (classes_local(&v, &n, &missed))
		return 1;
	if (holds(v, n, "10.96.0.1")) {
		fprintf(stderr, "a service's address\n");
		wrong = 1;
	}
	free(v);

	/* what a plain user says in a namespace of its own, within a range that is reached by veth
	 */
	pid_t user = inhabit(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID, 65534);
	if (user > 0 &&
	    sh("nsenter -t %d -n sh -c 'ip addr add 172.20.0.66/32 dev lo'", (int)user)) {
		if (classes_local(&v, &n, &missed))
			return 1;
		if (holds(v, n, "172.20.0.66") || !holds(v, n, "172.20.0.2")) {
			fprintf(stderr, "a user's own namespace was believed\n");
			wrong = 1;
		}
		free(v);
	} else {
		fprintf(stderr, "user namespaces are not to be had: that part was not tried\n");
	}
	return wrong;
}

static void test_namespaces(void **state)
{
	int status;

	if (geteuid() != 0) {
		print_message("skipped: making network namespaces needs root\n");
		skip();
	}
	if (system("ip -V >/dev/null 2>&1 && nsenter -V >/dev/null 2>&1") != 0) {
		print_message("skipped: ip(8) or nsenter(1) is not installed\n");
		skip();
	}
	pid_t pid = fork();
	if (pid == 0) {
		if (pipe2(life, O_CLOEXEC))
			_exit(1);
		int result = in_namespaces();
		all_leave();
		_exit(result);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("skipped: namespaces or links cannot be made here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Without privilege our own addresses are had, and that others are not is said. */
static void test_unprivileged(void **state)
{
	int status;

	if (geteuid() != 0) {
		print_message("skipped: needs root to have someone else's processes\n");
		skip();
	}
	pid_t pid = fork();
	if (pid == 0) {
		struct cidr *v = NULL;
		size_t n;
		unsigned missed = 0;

		if (pipe2(life, O_CLOEXEC) || inhabit(CLONE_NEWNET | CLONE_NEWPID, 0) < 0)
			_exit(77);
		int err = setresuid(65534, 65534, 65534);
		if (!err)
			err = classes_local(&v, &n, &missed);
		free(v);
		all_leave();
		_exit(!err && missed ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("skipped: namespaces cannot be made here\n");
		skip();
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_own_namespace),
	    cmocka_unit_test(test_namespaces),
	    cmocka_unit_test(test_unprivileged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
