/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One way for data to be read, handed on or sent, each one small function:
 *
 *   paths [-o FILE] PATH ARG...
 *
 * Every process that takes part appends one JSON line of truth.
 */
#include "tests/work/paths_channel.h"

struct path {
	const char *name, *args;
	int (*run)(void);
};

#define READ_ARGS "FILE"
#define SEND_ARGS "FILE SINK N"
#define COPY_ARGS "FILE SINK N OUT"

static const struct path paths[] = {
    {"int80", READ_ARGS, do_int80},
    {"x32", READ_ARGS, do_x32},
    {"splice", READ_ARGS, do_splice},
    {"map-private", READ_ARGS, do_map_private},
    {"map-populate", READ_ARGS, do_map_populate},
    {"map-protect", READ_ARGS, do_map_protect},
    {"warm", READ_ARGS, do_warm},
    {"look", READ_ARGS, do_look},
    {"grow-busy", READ_ARGS, do_grow_busy},
    {"read-nothing", READ_ARGS, do_read_nothing},
    {"o-path", READ_ARGS, do_o_path},
    {"proc-fd", READ_ARGS, do_proc_fd},
    {"handle", READ_ARGS, do_handle},
    {"pass-file", READ_ARGS, do_pass_file},
    {"pidfd-getfd", READ_ARGS, do_pidfd_getfd},
    {"copy-write", COPY_ARGS, do_copy_write},
    {"copy-writev", COPY_ARGS, do_copy_writev},
    {"copy-sendfile", COPY_ARGS, do_copy_sendfile},
    {"copy-range", COPY_ARGS, do_copy_range},
    {"copy-splice", COPY_ARGS, do_copy_splice},
    {"copy-clone", COPY_ARGS, do_copy_clone},
    {"copy-mapping", COPY_ARGS, do_copy_mapping},
    {"relay-pipe", SEND_ARGS, do_relay_pipe},
    {"relay-splice", SEND_ARGS, do_relay_splice},
    {"relay-tee", SEND_ARGS, do_relay_tee},
    {"relay-vmsplice", SEND_ARGS, do_relay_vmsplice},
    {"relay-unix", SEND_ARGS, do_relay_unix},
    {"relay-unix-message", SEND_ARGS, do_relay_unix_message},
    {"relay-unix-sendfile", SEND_ARGS, do_relay_unix_sendfile},
    {"relay-unix-service", SEND_ARGS, do_relay_unix_service},
    {"relay-loopback", SEND_ARGS, do_relay_loopback},
    {"relay-pty", SEND_ARGS, do_relay_pty},
    {"relay-anonymous", SEND_ARGS, do_relay_anonymous},
    {"relay-memfd", SEND_ARGS, do_relay_memfd},
    {"relay-shm", SEND_ARGS, do_relay_shm},
    {"relay-sysv", SEND_ARGS, do_relay_sysv},
    {"relay-queue", SEND_ARGS, do_relay_queue},
    {"relay-message", SEND_ARGS, do_relay_message},
    {"peek-readv", SEND_ARGS, do_peek_readv},
    {"peek-mem", SEND_ARGS, do_peek_mem},
    {"peek-ptrace", SEND_ARGS, do_peek_ptrace},
    {"poke-writev", SEND_ARGS, do_poke_writev},
    {"core", "FILE SINK N FOLDER", do_core},
    {"send", "- SINK N", do_send},
    {"vfork", SEND_ARGS, do_vfork},
    {"clone3", SEND_ARGS, do_clone3},
    {"thread", SEND_ARGS, do_thread},
    {"clone-vm", SEND_ARGS, do_clone_vm},
    {"clone-files", SEND_ARGS, do_clone_files},
    {"pass-socket", SEND_ARGS, do_pass_socket},
    {"pid-again", SEND_ARGS, do_pid_again},
    {"tcp-write", SEND_ARGS, do_tcp_write},
    {"tcp-send", SEND_ARGS, do_tcp_send},
    {"tcp-writev", SEND_ARGS, do_tcp_writev},
    {"tcp-sendmsg", SEND_ARGS, do_tcp_sendmsg},
    {"tcp-sendmmsg", SEND_ARGS, do_tcp_sendmmsg},
    {"tcp-sendfile", SEND_ARGS, do_tcp_sendfile},
    {"tcp-sendfile-tagged", SEND_ARGS, do_tcp_sendfile_tagged},
    {"tcp-splice", SEND_ARGS, do_tcp_splice},
    {"tcp-splice-tagged", SEND_ARGS, do_tcp_splice_tagged},
    {"tcp-vmsplice", SEND_ARGS, do_tcp_vmsplice},
    {"tcp-tee", SEND_ARGS, do_tcp_tee},
    {"tcp-zerocopy", SEND_ARGS, do_tcp_zerocopy},
    {"tcp-fastopen", SEND_ARGS, do_tcp_fastopen},
    {"tcp-flood", SEND_ARGS, do_tcp_flood},
    {"tcp-int80", SEND_ARGS, do_tcp_int80},
    {"mptcp", SEND_ARGS, do_mptcp},
    {"ktls-send", SEND_ARGS, do_ktls_send},
    {"ktls-sendfile", SEND_ARGS, do_ktls_sendfile},
    {"udp-send", SEND_ARGS, do_udp_send},
    {"udp-write", SEND_ARGS, do_udp_write},
    {"udp-sendto", SEND_ARGS, do_udp_sendto},
    {"udp-sendfile", SEND_ARGS, do_udp_sendfile},
    {"udp-segments", SEND_ARGS, do_udp_segments},
    {"icmp-raw", SEND_ARGS, do_icmp_raw},
    {"icmp-ping", SEND_ARGS, do_icmp_ping},
    {"raw-ip", SEND_ARGS, do_raw_ip},
    {"sctp", SEND_ARGS, do_sctp},
    {"sctp-implicit", SEND_ARGS, do_sctp_implicit},
    {"sctp-sink", "ADDR:PORT", do_sctp_sink},
    {"mptcp-sink", "ADDR:PORT", do_mptcp_sink},
    {"packet", READ_ARGS, do_packet},
    {"packet-first", READ_ARGS, do_packet_first},
    {"xdp", READ_ARGS, do_xdp},
    {"vsock", READ_ARGS, do_vsock},
    {"tun", READ_ARGS, do_tun},
    {"tun-first", READ_ARGS, do_tun_first},
    {"rdma", READ_ARGS, do_rdma},
    {"nvme", READ_ARGS, do_nvme},
};

static void usage(FILE *f)
{
	fputs("usage: paths [-o FILE] PATH ARG...\n", f);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		fprintf(f, "  %-20s %s\n", paths[i].name, paths[i].args);
	fputs("SINK is ADDR:PORT; N bytes go there. One JSON line per process goes to -o FILE (stdout).\n"
	      "Exit: 0 done, 1 a call failed, 2 usage, 77 this machine does not have that path.\n",
	      f);
}

static int words(const char *s)
{
	int n = *s != 0;

	for (; *s; s++)
		n += *s == ' ';
	return n;
}

static const struct path *path_find(const char *name, int args)
{
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (!strcmp(paths[i].name, name) && words(paths[i].args) == args)
			return &paths[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct path *path;
	int at = 1, r;

	if (argc > 2 && !strcmp(argv[1], "-o")) {
		me.report_name = argv[2];
		me.report = report_open(argv[2]);
		at = 3;
	}
	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		usage(stdout);
		return 0;
	}
	path = at < argc ? path_find(argv[at], argc - at - 1) : NULL;
	if (!path) {
		usage(stderr);
		return EXIT_MISUSE;
	}
	signal(SIGPIPE, SIG_IGN);
	alarm(100);
	me.program = argv[0];
	me.path = path->name;
	me.arg = argv + at + 1;
	me.buffer = must_alloc(BUFFER);
	memset(me.buffer, 'x', BUFFER);
	r = path->run();
	tell("main", r);
	return status_of(r);
}
