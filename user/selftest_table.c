/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The self-test's table: a path, the facts it proves, what must work for that, and how it is
 * verified. A new path is a row here and a function in canary_*.c. Facts that others need come
 * first.
 */
#include "user/canary_steps.h"
#include "user/selftest_internal.h"

#define ACCESS(n, f, r)                                                                            \
	{                                                                                          \
		.name = n, .facts = f, .run = r, .check = check_access, .bytes = true,             \
		.via = ACCESS_READ                                                                 \
	}
#define TAINT(n, f, r, who)                                                                        \
	{                                                                                          \
		.name = n, .facts = f, .needs = F(READ), .run = r, .check = check_tainted,         \
		.role = who                                                                        \
	}
#define EDGE(n, f, r, who, v)                                                                      \
	{                                                                                          \
		.name = n, .facts = f, .needs = F(READ), .run = r, .check = check_edge,            \
		.bytes = true, .role = who, .via = v                                               \
	}
#define ALSO(n, f, c)                                                                              \
	{                                                                                          \
		.name = n, .facts = f, .check = c, .bytes = true                                   \
	}
#define OWNER(n, f, r, who)                                                                        \
	{                                                                                          \
		.name = n, .facts = f, .run = r, .check = check_owner, .role = who                 \
	}

// clang-format off
const struct proof_row proof_rows[] = {
	{.name = "a mapping made before", .facts = F(SEED_MAPS), .run = step_mapped_before, .early = true,
	 .check = check_mapped, .bytes = true},
	ACCESS("read", F(READ), step_read),
	ACCESS("pread", F(READ), step_pread),
	ACCESS("read with O_DIRECT", F(READ), step_direct),
	ACCESS("readv", F(READV), step_readv),
	ACCESS("preadv", F(READV), step_preadv),
	ACCESS("preadv2", F(READV), step_preadv2),
	{.name = "mmap", .facts = F(MMAP), .run = step_mmap, .check = check_mapped, .bytes = true},
	ACCESS("io_uring", F(READ_URING), step_io_uring),
	{.name = "libaio", .facts = F(READ_AIO), .needs = F(READ_AIO_SUBMIT), .run = step_libaio, .check = check_access,
	 .bytes = true, .via = ACCESS_READ},
	ACCESS("splice", F(SPLICE), step_splice),
	ACCESS("sendfile", F(SENDFILE), step_sendfile),
	ACCESS("copy_file_range", F(COPY), step_copy),
	ACCESS("FICLONE", F(CLONE), step_clone),

	{.name = "fork", .facts = F(FORK), .needs = F(READ), .run = step_fork, .check = check_fork, .role = 1},
	{.name = "exec", .facts = F(EXEC), .needs = F(READ), .run = step_exec, .check = check_exec, .role = 1},
	{.name = "exit", .facts = F(EXIT), .needs = F(READ), .run = step_exit, .check = check_exit, .role = 1},

	EDGE("write to a pipe", F(PIPE_WRITE), step_pipe, 0, VIA_PIPE_WRITE),
	{.name = "read from a pipe", .facts = F(PIPE_READ), .needs = F(READ) | F(PIPE_WRITE), .check = check_edge,
	 .bytes = true, .role = 1, .via = VIA_PIPE_READ},
	{.name = "readv from a pipe", .facts = F(PIPE_READV), .needs = F(READ) | F(PIPE_WRITE), .run = step_pipe_readv,
	 .check = check_edge, .bytes = true, .role = 1, .via = VIA_PIPE_READ},
	EDGE("write to a terminal", F(TTY), step_terminal, 0, VIA_TTY_WRITE),
	{.name = "read from a terminal", .facts = F(TTY), .needs = F(READ), .check = check_edge, .bytes = true, .role = 1,
	 .via = VIA_TTY_READ},
	{.name = "a new pipe", .facts = F(DESCRIPTOR), .needs = F(READ), .run = step_new_pipe, .check = check_marked},
	{.name = "that pipe found in a descriptor table", .facts = F(SEED_FILES), .needs = F(READ), .check = check_found},
	{.name = "a FIFO opened", .facts = F(DESCRIPTOR), .needs = F(READ), .run = step_open_fifo, .check = check_marked},
	{.name = "tee", .facts = F(TEE), .needs = F(READ) | F(PIPE_WRITE), .run = step_tee, .check = check_marked},

	{.name = "rename", .facts = F(NAMES), .needs = F(READ), .run = step_rename, .check = check_access, .bytes = true,
	 .via = ACCESS_READ},
	{.name = "link", .facts = F(NAMES), .needs = F(READ), .run = step_link, .check = check_access, .bytes = true,
	 .via = ACCESS_READ},
	{.name = "moved out unread", .facts = F(MOVED_OUT), .needs = F(READ), .run = step_moved_out,
	 .check = check_access, .bytes = true, .via = ACCESS_READ},

	EDGE("write to a file", F(DERIVED), step_derived, 2, VIA_FILE_WRITE),
	EDGE("writev to a file", F(DERIVEDV), step_derivedv, 2, VIA_FILE_WRITE),
	EDGE("write to a served file", F(SERVED), step_served, 0, VIA_SERVED_WRITE),
	{.name = "its daemon", .facts = F(SERVED), .needs = F(READ), .check = check_tainted, .role = 1},
	TAINT("process_vm_readv", F(PEEK), step_process_vm_readv, 2),
	TAINT("ptrace", F(PEEK), step_ptrace, 2),
	TAINT("/proc/PID/mem", F(PEEK), step_proc_mem, 2),
	TAINT("a unix datagram", F(UNIX_MESSAGE), step_unix, 1),
	EDGE("write to a unix stream", F(UNIX_WRITE), step_unix_stream, 0, VIA_UNIX_WRITE),
	{.name = "read from a unix stream", .facts = F(UNIX_READ), .needs = F(READ) | F(UNIX_WRITE), .check = check_edge,
	 .bytes = true, .role = 1, .via = VIA_UNIX_READ},
	TAINT("a System V queue", F(MSGQUEUE), step_msgqueue, 1),
	TAINT("shared memory", F(SHM), step_shm, 1),
	TAINT("System V shared memory", F(SHM), step_sysv, 1),
	TAINT("memory that was shared before", F(SHM_OTHERS), step_shm_before, 1),
	EDGE("a loopback connection", F(LOOPBACK), step_loopback, 1, VIA_LOCAL_READ),
	EDGE("a datagram over loopback, IPv6", F(LOOPBACK), step_loopback_datagram, 1, VIA_LOCAL_READ),
	{.name = "a packet socket", .facts = F(CHANNEL), .needs = F(READ), .run = step_packet, .check = check_channel,
	 .via = CHANNEL_PACKET},

	{.name = "connect", .facts = F(TCP), .run = step_tcp, .check = check_connected},
	ALSO("sent, connection open", F(SWEEP), check_swept),
	ALSO("sent, connection closed", F(TCP), check_closed),
	{.name = "accept", .facts = F(ACCEPT), .needs = F(TCP), .check = check_accepted, .role = 1},
	OWNER("a datagram socket", F(UDP_OWNER), step_udp_create, 0),
	OWNER("connect, IPv4", F(UDP_OWNER_CONNECT4), step_udp_connect4, 1),
	OWNER("connect, IPv6", F(UDP_OWNER_CONNECT6), step_udp_connect6, 1),
	OWNER("sendto, IPv4", F(UDP_OWNER_SEND4), step_udp_send4, 1),
	ALSO("datagram out, IPv4", F(UDP_OUT), check_datagram_out),
	ALSO("datagram in, IPv4", F(UDP_IN), check_datagram_in),
	OWNER("sendto, IPv6", F(UDP_OWNER_SEND6), step_udp_send6, 1),
	ALSO("datagram out, IPv6", F(UDP_OUT), check_datagram_out),
	ALSO("datagram in, IPv6", F(UDP_IN), check_datagram_in),
	{.name = "first words", .facts = F(NAMES_OF_HOSTS), .needs = F(UDP_OWNER), .run = step_first_words, .check = check_said,
	 .bytes = true},
	{.name = "close", .facts = F(UDP_RELEASE), .needs = F(UDP_OWNER), .run = step_udp_release, .check = check_released},
};
// clang-format on

const size_t proof_nrows = ARRAY_SIZE(proof_rows);

_Static_assert(ARRAY_SIZE(proof_rows) <= SELFTEST_ROWS_MAX, "SELFTEST_ROWS_MAX");
_Static_assert(ARRAY_SIZE(proof_rows) <= CANARY_STEPS_MAX, "CANARY_STEPS_MAX");
