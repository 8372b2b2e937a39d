/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One table: which program owns which fact, in which set. A fact has at most one
 * owner at run time (plan.c takes the first row that loads here); a fact without one is
 * a named gap. A new way of seeing a thing is a new row.
 */
#ifndef SLUICE_HOOKS_H
#define SLUICE_HOOKS_H

/* X(fact, name, what it says) */
#define SL_FACTS(X)                                                                                \
	X(FACT_FORK, "taint.fork", "a child inherits what its parent may hold")                    \
	X(FACT_EXEC, "taint.exec", "a new program image keeps it")                                 \
	X(FACT_EXIT, "subject.exit", "the end of a process")                                       \
	X(FACT_READ, "read.read", "bytes returned by read and pread")                              \
	X(FACT_READV, "read.readv", "bytes returned by readv, preadv, preadv2")                    \
	X(FACT_MMAP, "read.mmap", "files mapped into memory, an upper bound")                      \
	X(FACT_PIPE_WRITE, "taint.pipe_write", "bytes written to pipes and FIFOs")                 \
	X(FACT_PIPE_READ, "taint.pipe_read", "bytes read from pipes and FIFOs by read")            \
	X(FACT_PIPE_READV, "taint.pipe_readv", "the same by readv")                                \
	X(FACT_DESCRIPTOR, "taint.descriptor", "pipes and sockets a tainted process obtains")      \
	X(FACT_NAMES, "identity.names", "renames and hard links")                                  \
	X(FACT_TCP, "flow.tcp", "TCP connections: ends, owner, bytes both ways")                   \
	X(FACT_ACCEPT, "flow.accept", "who accepted a TCP connection")                             \
	X(FACT_SWEEP, "flow.sweep", "TCP bytes of connections still open")                         \
	X(FACT_UDP_OWNER, "flow.udp_owner", "who owns a datagram socket")                          \
	X(FACT_UDP_OWNER_CONNECT4, "flow.udp_connect4", "who connected one, IPv4")                 \
	X(FACT_UDP_OWNER_CONNECT6, "flow.udp_connect6", "who connected one, IPv6")                 \
	X(FACT_UDP_OWNER_SEND4, "flow.udp_sendmsg4", "who sent unconnected, IPv4")                 \
	X(FACT_UDP_OWNER_SEND6, "flow.udp_sendmsg6", "who sent unconnected, IPv6")                 \
	X(FACT_UDP_RELEASE, "flow.udp_release", "the end of a datagram socket")                    \
	X(FACT_UDP_OUT, "flow.udp_out", "datagram payload sent")                                   \
	X(FACT_UDP_IN, "flow.udp_in", "datagram payload received")                                 \
	X(FACT_SEED_FILES, "seed.files", "descriptors open before the monitor started")            \
	X(FACT_SEED_MAPS, "seed.maps", "files mapped before the monitor started")                  \
	X(FACT_IDENTITY, "identity.root", "a dataset's root as the kernel names it")               \
	X(FACT_READ_URING, "read.io_uring", "bytes read through io_uring")                         \
	X(FACT_READ_AIO, "read.libaio", "bytes read by asynchronous direct I/O")                   \
	X(FACT_READ_SPLICE, "read.splice", "bytes moved by splice, tee, sendfile, copy_file_range, reflink") \
	X(FACT_READ_DEVICE, "read.device", "tagged files read through a raw or loop device")       \
	X(FACT_READ_OVERLAY, "read.overlay", "a dataset read through an overlay on top of it")     \
	X(FACT_PEEK, "taint.ptrace", "another process's memory, core dumps")                       \
	X(FACT_UNIX, "taint.unix", "bytes passed over unix sockets, passed descriptors")           \
	X(FACT_SHM, "taint.shm", "bytes passed by shared memory")                                  \
	X(FACT_DERIVED, "taint.file", "files written from tagged data")                            \
	X(FACT_LOOPBACK, "taint.loopback", "bytes passed over loopback connections")               \
	X(FACT_MOVED_OUT, "identity.moved_out", "a file moved out of its dataset before it was ever read") \
	X(FACT_OTHER_EGRESS, "flow.other", "SCTP, raw, packet, vsock, TUN, RDMA, MPTCP")           \
	X(FACT_NAMES_OF_HOSTS, "flow.name", "host and bucket names of destinations")

enum fact {
#define X(id, name, text) id,
	SL_FACTS(X)
#undef X
	FACT_KINDS,
};

enum hook_set {
	SET_BOTH = 0,
	SET_TRAMPOLINE = 1,
	SET_TRACEPOINT = 2,
};

#define F(x) (1ULL << FACT_##x)

/* X(program, set, facts it owns) */
#define SL_HOOKS(X)                                                                                \
	X(on_fork, SET_BOTH, F(FORK))                                                              \
	X(on_exec, SET_BOTH, F(EXEC))                                                              \
	X(on_exit, SET_BOTH, F(EXIT))                                                              \
	X(on_tcp_state, SET_BOTH, F(TCP))                                                          \
	X(a_read, SET_TRAMPOLINE, F(READ) | F(PIPE_READ))                                          \
	X(a_readv, SET_TRAMPOLINE, F(READV) | F(PIPE_READV))                                       \
	X(a_mmap, SET_TRAMPOLINE, F(MMAP))                                                         \
	X(a_anon_pipe_write, SET_TRAMPOLINE, F(PIPE_WRITE))                                        \
	X(a_pipe_write, SET_TRAMPOLINE, F(PIPE_WRITE))                                             \
	X(a_fd_install, SET_TRAMPOLINE, F(DESCRIPTOR))                                             \
	X(a_accept, SET_TRAMPOLINE, F(ACCEPT))                                                     \
	X(a_rename, SET_TRAMPOLINE, F(NAMES))                                                      \
	X(a_link, SET_TRAMPOLINE, 0)                                                               \
	X(on_sys_exit, SET_TRACEPOINT,                                                             \
	  F(READ) | F(READV) | F(MMAP) | F(PIPE_WRITE) | F(PIPE_READ) | F(PIPE_READV) |            \
		  F(DESCRIPTOR) | F(ACCEPT) | F(NAMES))                                            \
	X(on_sock_create, SET_BOTH, F(UDP_OWNER))                                                  \
	X(on_connect4, SET_BOTH, F(UDP_OWNER_CONNECT4))                                            \
	X(on_connect6, SET_BOTH, F(UDP_OWNER_CONNECT6))                                            \
	X(on_sendmsg4, SET_BOTH, F(UDP_OWNER_SEND4))                                               \
	X(on_sendmsg6, SET_BOTH, F(UDP_OWNER_SEND6))                                               \
	X(on_sock_release, SET_BOTH, F(UDP_RELEASE))                                               \
	X(on_egress, SET_BOTH, F(UDP_OUT))                                                         \
	X(on_ingress, SET_BOTH, F(UDP_IN))                                                         \
	X(find_files, SET_BOTH, F(SEED_FILES))                                                     \
	X(find_mappings, SET_BOTH, F(SEED_MAPS))                                                   \
	X(sweep_flows, SET_BOTH, F(SWEEP))                                                         \
	X(identify_fd, SET_BOTH, F(IDENTITY))                                                      \
	X(dump_ledger, SET_BOTH, 0)                                                                \
	X(dump_edges, SET_BOTH, 0)                                                                 \
	X(dump_tainted, SET_BOTH, 0)                                                               \
	X(dump_flow_taints, SET_BOTH, 0)

enum hook {
#define X(program, set, facts) HOOK_##program,
	SL_HOOKS(X)
#undef X
	HOOK_KINDS,
};

/* What a set cannot know although it owns the fact. X(set, fact, text) */
#define SL_LIMITS(X)                                                                               \
	X(SET_TRACEPOINT, FACT_READ,                                                               \
	  "a descriptor that another thread replaces during the call is charged to its new file")  \
	X(SET_TRACEPOINT, FACT_DESCRIPTOR, "descriptors received over unix sockets are not seen")

#endif
