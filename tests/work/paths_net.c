/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Sends N bytes by one of many ways over one of many protocols, or receives and counts them; or opens what no byte can
 * be counted of. What it prints is the sum of what the system calls returned.
 */
#include "tests/work/paths_net.h"
#include "tests/work/paths_net_ip.h"

#include <getopt.h>
#include <signal.h>

static const char usage[] =
	"usage: paths_net [options] MODE ARGUMENTS\n"
	"  tcp WAY ADDR:PORT N          write send writev sendmsg sendmmsg sendfile splice vmsplice tee\n"
	"                               zerocopy uring flood; fastopen: the first bytes in the SYN\n"
	"  mptcp WAY ADDR:PORT N        the same over MPTCP\n"
	"  serve tcp|mptcp|sctp WAY ADDR:PORT N   accept one, then send\n"
	"  udp send|gso|sendfile|lite ADDR:PORT N\n"
	"  sctp connect|implicit|peeloff ADDR:PORT N\n"
	"  icmp raw|ping ADDR N         echo requests\n"
	"  raw PROTOCOL ADDR N          behind IP headers that the kernel makes\n"
	"  ipraw ADDR N                 UDP packets made by hand, IPPROTO_RAW\n"
	"  recv mptcp|sctp|lite ADDR:PORT         count what arrives until SIGTERM\n"
	"  sniff PROTOCOL ADDR          count the IP payload of what arrives from ADDR\n"
	"  pull mptcp|sctp ADDR:PORT    connect, count what comes until the end\n"
	"  channel KIND                 packet xdp vsock tun netlink unix alg inet\n"
	"  core                         end by a signal that dumps\n"
	"options:\n"
	"  --before FILE   read it before anything is opened\n"
	"  --between FILE  read it when the socket is there, before sending\n"
	"  --first N       send so many bytes before that\n"
	"  --wait          say ready and wait for a line before sending\n"
	"  --hold S        keep all open for S seconds at the end\n"
	"  -o FILE         append the report there\n";

static struct {
	const char *before, *between;
	uint64_t first, read;
	double hold;
	bool wait;
	int report;
} me = {.report = STDOUT_FILENO};

static void read_file(const char *path)
{
	struct limits most = {NO_LIMIT, NO_LIMIT, 0};
	static char buffer[65536];
	struct tally t = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(path);
	errno = -tally_read(&t, VIA_READ, fd, buffer, sizeof(buffer), 0, &most);
	if (errno)
		die(path);
	close(fd);
	me.read += t.bytes;
}

static void report(const char *figure, uint64_t bytes)
{
	struct text t = {0};

	text_add(&t, "{\"program\":\"paths_net\",\"pid\":%d,\"read\":%llu,\"%s\":%llu}", getpid(),
		 (unsigned long long)me.read, figure, (unsigned long long)bytes);
	text_out(me.report, &t);
}

/* When the socket is there: becomes tainted, waits, as asked. */
static void between(void)
{
	if (me.between)
		read_file(me.between);
	if (me.wait) {
		struct text t = {0};

		text_add(&t, "ready");
		text_out(STDOUT_FILENO, &t);
		line_wait();
	}
}

static void finish(int s, uint64_t sent)
{
	pause_seconds(me.hold);
	if (s >= 0)
		close(s);
	report("sent", sent);
}

static uint64_t stream_send(int s, const struct way *way, uint64_t n)
{
	uint64_t sent = me.first ? send_all(s, way, me.first) : 0;

	between();
	return sent + send_all(s, way, n);
}

static void stream(int protocol, const char *how, const char *to, uint64_t n)
{
	const struct way *way = way_of(how);
	struct endpoint at = endpoint_must(to);
	int s = socket_must(at.sa.ss_family, SOCK_STREAM, protocol);

	must(connect(s, (struct sockaddr *)&at.sa, at.len), "connect");
	finish(s, stream_send(s, way, n));
}

static void fast_open(const char *to, uint64_t n)
{
	struct endpoint at = endpoint_must(to);
	int s = socket_must(at.sa.ss_family, SOCK_STREAM, IPPROTO_TCP);
	uint64_t sent;

	between();
	sent = must(sendto(s, piece, MIN(n, (uint64_t)997), MSG_FASTOPEN, (struct sockaddr *)&at.sa, at.len),
		    "sendto with MSG_FASTOPEN");
	finish(s, sent + send_all(s, way_of("send"), n - sent));
}

static int listen_at(int protocol, const char *text)
{
	struct endpoint at = endpoint_must(text);
	int s = socket_must(at.sa.ss_family, SOCK_STREAM, protocol), on = 1;
	struct text ready = {0};
	char name[ENDPOINT_LEN];

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	must(bind(s, (struct sockaddr *)&at.sa, at.len), text);
	must(listen(s, 16), "listen");
	text_add(&ready, "ready %s", endpoint_local(name, s));
	text_out(STDOUT_FILENO, &ready);
	return s;
}

static void serve(int protocol, const char *how, const char *at, uint64_t n)
{
	const struct way *way = way_of(how);
	int l = listen_at(protocol, at), s = (int)must(accept(l, NULL, NULL), "accept");

	close(l);
	finish(s, stream_send(s, way, n));
}

static void pull(int protocol, const char *from)
{
	struct endpoint at = endpoint_must(from);
	int s = socket_must(at.sa.ss_family, SOCK_STREAM, protocol);
	uint64_t sum = 0;
	size_t n;

	must(connect(s, (struct sockaddr *)&at.sa, at.len), "connect");
	while ((n = must(recv(s, piece, sizeof(piece), 0), "recv")))
		sum += n;
	report("received", sum);
}

static int stream_protocol(const char *name)
{
	if (!strcmp(name, "tcp"))
		return IPPROTO_TCP;
	if (!strcmp(name, "mptcp"))
		return IPPROTO_MPTCP;
	if (!strcmp(name, "sctp"))
		return IPPROTO_SCTP;
	misuse("no protocol of streams is called '%s'", name);
}

/* Datagrams of a size that needs no fragments. */
static uint64_t datagrams(int s, const char *how, uint64_t n)
{
	bool gso = !strcmp(how, "gso");
	size_t size = gso ? 13 * 1009 : 1009;
	int segment = 1009;
	uint64_t sent = 0;

	if (gso)
		must_know(setsockopt(s, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment)), "UDP_SEGMENT");
	while (sent < n) {
		static char datagram[13 * 1009];
		size_t some = (size_t)MIN((uint64_t)size, n - sent);

		if (!strcmp(how, "sendfile"))
			sent += by_sendfile(s, some);
		else
			sent += must(send(s, datagram, some, 0), "send");
		pause_ns(100000); /* the receiver has to keep up */
	}
	return sent;
}

static void udp(const char *how, const char *to, uint64_t n)
{
	struct endpoint at = endpoint_must(to);
	int s = socket_must(at.sa.ss_family, SOCK_DGRAM, !strcmp(how, "lite") ? IPPROTO_UDPLITE : IPPROTO_UDP);

	must(connect(s, (struct sockaddr *)&at.sa, at.len), "connect");
	uint64_t first = me.first ? datagrams(s, how, me.first) : 0;
	between();
	finish(s, first + datagrams(s, how, n));
}

static volatile sig_atomic_t ended;

static void on_end(int signal_number)
{
	ended = 1;
}

static void count(uint64_t (*counter)(const char *, const char *, volatile sig_atomic_t *), const char *how,
		  const char *at)
{
	struct sigaction a = {.sa_handler = on_end};

	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGINT, &a, NULL);
	report("received", counter(how, at, &ended));
}

static void channel(const char *kind)
{
	int fd = channel_open(kind);

	between();
	report("sent", 0);
	pause_seconds(me.hold);
	close(fd);
}

static void core(void)
{
	struct rlimit most = {RLIM_INFINITY, RLIM_INFINITY};

	must(setrlimit(RLIMIT_CORE, &most), "RLIMIT_CORE");
	between();
	report("sent", 0);
	abort();
}

static bool run(int n, char **a)
{
#define IS(name, count) (!strcmp(a[0], name) && n == (count))
	if (IS("tcp", 4) && !strcmp(a[1], "fastopen"))
		fast_open(a[2], number(a[3], "N"));
	else if (IS("tcp", 4) || IS("mptcp", 4))
		stream(stream_protocol(a[0]), a[1], a[2], number(a[3], "N"));
	else if (IS("serve", 5))
		serve(stream_protocol(a[1]), a[2], a[3], number(a[4], "N"));
	else if (IS("pull", 3))
		pull(stream_protocol(a[1]), a[2]);
	else if (IS("udp", 4))
		udp(a[1], a[2], number(a[3], "N"));
	else if (IS("sctp", 4))
		finish(-1, sctp_send(a[1], a[2], me.first, number(a[3], "N"), between));
	else if (IS("icmp", 4))
		finish(-1, icmp_send(a[1], a[2], number(a[3], "N"), between));
	else if (IS("raw", 4))
		finish(-1, raw_send(number(a[1], "PROTOCOL"), a[2], number(a[3], "N"), between));
	else if (IS("ipraw", 3))
		finish(-1, made_by_hand(a[1], number(a[2], "N"), between));
	else if (IS("recv", 3))
		count(receive, a[1], a[2]);
	else if (IS("sniff", 3))
		count(sniff, a[1], a[2]);
	else if (IS("channel", 2))
		channel(a[1]);
	else if (IS("core", 1))
		core();
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"before", required_argument, NULL, 'b'}, {"between", required_argument, NULL, 't'},
		{"first", required_argument, NULL, 'f'},  {"hold", required_argument, NULL, 'H'},
		{"wait", no_argument, NULL, 'w'},	  {"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "+o:h", options, NULL)) != -1) {
		if (c == 'b')
			me.before = optarg;
		else if (c == 't')
			me.between = optarg;
		else if (c == 'f')
			me.first = number(optarg, "--first");
		else if (c == 'H')
			me.hold = seconds(optarg, "--hold");
		else if (c == 'w')
			me.wait = true;
		else if (c == 'o')
			me.report = report_open(optarg);
		else
			break;
	}
	if (c == 'h') {
		fputs(usage, stdout);
		return 0;
	}
	signal(SIGPIPE, SIG_IGN);
	if (me.before)
		read_file(me.before);
	if (c != -1 || optind >= argc || !run(argc - optind, argv + optind)) {
		fputs(usage, stderr);
		return EXIT_MISUSE;
	}
	return 0;
}
