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
	X(FACT_MMAP_PAGES, "read.mmap_pages", "which pages of them were seen: a tighter bound")     \
	X(FACT_MMAP_HUGE, "read.mmap_huge", "huge pages of them")                                  \
	X(FACT_MMAP_GROWN, "read.mmap_grown", "mappings that grow")                                \
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
	X(FACT_READ_AIO_SUBMIT, "read.libaio_submit", "who asked for them")                        \
	X(FACT_SPLICE, "read.splice", "bytes moved by splice")                                     \
	X(FACT_TEE, "read.tee", "bytes repeated by tee")                                           \
	X(FACT_SENDFILE, "read.sendfile", "bytes moved by sendfile")                               \
	X(FACT_COPY, "read.copy", "bytes copied by copy_file_range")                               \
	X(FACT_CLONE, "read.clone", "files that share their blocks with a tagged one (reflink)")   \
	X(FACT_BEFORE_SPLICE, "taint.before_splice", "the receiving end is marked before splice fills it") \
	X(FACT_BEFORE_TEE, "taint.before_tee", "the same before tee")                              \
	X(FACT_BEFORE_SENDFILE, "taint.before_sendfile", "the same before sendfile")               \
	X(FACT_BEFORE_COPY, "taint.before_copy", "the same before copy_file_range")                \
	X(FACT_READ_DEVICE, "read.device", "tagged files read through a raw or loop device")       \
	X(FACT_READ_OVERLAY, "read.overlay", "a dataset read through an overlay on top of it")     \
	X(FACT_PEEK, "taint.ptrace", "another process's memory: ptrace, process_vm_readv, /proc/PID/mem") \
	X(FACT_DUMP, "taint.core_dump", "files and pipes that a core dump of tagged memory goes into") \
	X(FACT_UNIX_WRITE, "taint.unix_write", "bytes written to unix streams")                    \
	X(FACT_UNIX_READ, "taint.unix_read", "bytes read from unix streams")                       \
	X(FACT_UNIX_MESSAGE, "taint.unix_message", "unix datagrams and sequenced packets, both ways") \
	X(FACT_QUEUE, "taint.queue", "messages passed by POSIX queues")                            \
	X(FACT_MSGQUEUE, "taint.msgqueue", "messages passed by System V queues")                   \
	X(FACT_SHM, "taint.shm", "memory that a tainted process shares, by mmap and shmat")        \
	X(FACT_SHM_OTHERS, "taint.shm_others", "who else has it, without any call of theirs")      \
	X(FACT_DERIVED, "taint.file", "files written from tagged data by write")                   \
	X(FACT_DERIVEDV, "taint.filev", "the same by writev")                                      \
	X(FACT_TTY, "taint.tty", "bytes shown on terminals and carried away by who holds them")    \
	X(FACT_SERVED, "taint.served", "bytes written to file systems that a process serves (FUSE)") \
	X(FACT_LOOPBACK, "taint.loopback", "bytes passed over connections and datagrams of this host")     \
	X(FACT_MOVED_OUT, "identity.moved_out", "a file moved out of its dataset before it was ever read") \
	X(FACT_SCTP, "flow.sctp", "SCTP payload sent")                                             \
	X(FACT_RAW, "flow.raw", "ICMP and raw IP payload sent")                                    \
	X(FACT_MPTCP, "flow.mptcp", "who owns the subflows of MPTCP connections")                  \
	X(FACT_CHANNEL, "channel.open", "packet, XDP and vsock sockets, TUN, RDMA, NVMe passthrough held by tainted processes") \
	X(FACT_CHANNEL_URING, "channel.io_uring", "io_uring requests that ask for no completion")  \
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
_Static_assert(FACT_KINDS <= 64, "F()");

#define SYS_EXIT_FACTS                                                                             \
	(F(READ) | F(READV) | F(MMAP) | F(MMAP_GROWN) | F(PIPE_WRITE) | F(PIPE_READ) | F(PIPE_READV) |            \
		  F(SPLICE) | F(TEE) | F(SENDFILE) | F(COPY) | F(CLONE) | F(PEEK) | F(DERIVED) |   \
		  F(DERIVEDV) | F(READ_OVERLAY) | F(READ_DEVICE) | F(TTY) | F(SERVED) | F(SHM) |   \
		  F(UNIX_WRITE) | F(UNIX_READ) | F(UNIX_MESSAGE) | F(QUEUE) | F(MSGQUEUE) |        \
		  F(DESCRIPTOR) | F(ACCEPT) | F(NAMES) | F(MOVED_OUT) | F(CHANNEL) | F(LOOPBACK))

/* X(program, set, facts it owns) */
#define SL_HOOKS(X)                                                                                \
	X(on_fork, SET_BOTH, F(FORK))                                                              \
	X(on_exec, SET_BOTH, F(EXEC))                                                              \
	X(on_exit, SET_BOTH, F(EXIT))                                                              \
	X(on_tcp_state, SET_BOTH, F(TCP) | F(MPTCP))                                               \
	X(again_fork, SET_BOTH, 0)                                                                 \
	X(again_exec, SET_BOTH, 0)                                                                 \
	X(again_exit, SET_BOTH, 0)                                                                 \
	X(again_tcp_state, SET_BOTH, 0)                                                            \
	X(a_read, SET_TRAMPOLINE, F(READ) | F(PIPE_READ) | F(READ_OVERLAY) | F(READ_DEVICE))       \
	X(a_readv, SET_TRAMPOLINE, F(READV) | F(PIPE_READV))                                       \
	X(a_map_pages, SET_TRAMPOLINE, F(MMAP_PAGES))                                              \
	X(a_map_page, SET_TRAMPOLINE, F(MMAP_PAGES))                                               \
	X(a_map_huge, SET_TRAMPOLINE, F(MMAP_HUGE) | F(MMAP_GROWN))                                \
	X(a_mmap, SET_TRAMPOLINE, F(MMAP))                                                         \
	X(a_anon_pipe_write, SET_TRAMPOLINE, F(PIPE_WRITE))                                        \
	X(a_pipe_write, SET_TRAMPOLINE, F(PIPE_WRITE))                                             \
	X(a_recv, SET_TRAMPOLINE, F(LOOPBACK))                                                     \
	X(a_recv6, SET_TRAMPOLINE, 0)                                                              \
	X(a_fd_install, SET_TRAMPOLINE, F(DESCRIPTOR) | F(CHANNEL))                                \
	X(a_accept, SET_TRAMPOLINE, F(ACCEPT))                                                     \
	X(a_rename, SET_TRAMPOLINE, F(NAMES))                                                      \
	X(a_link, SET_TRAMPOLINE, 0)                                                               \
	X(a_name_moves, SET_TRAMPOLINE, F(MOVED_OUT))                                              \
	X(a_name_added, SET_TRAMPOLINE, 0)                                                         \
	X(a_ptmx_open, SET_TRAMPOLINE, 0)                                                          \
	X(a_write, SET_TRAMPOLINE, F(DERIVED) | F(TTY) | F(SERVED))                                                     \
	X(a_writev, SET_TRAMPOLINE, F(DERIVEDV))                                                   \
	X(a_splice_begins, SET_TRAMPOLINE, F(BEFORE_SPLICE))                                       \
	X(a_splice, SET_TRAMPOLINE, F(SPLICE))                                                     \
	X(a_tee_begins, SET_TRAMPOLINE, F(BEFORE_TEE))                                             \
	X(a_tee, SET_TRAMPOLINE, F(TEE))                                                           \
	X(a_sendfile_begins, SET_TRAMPOLINE, F(BEFORE_SENDFILE))                                   \
	X(a_sendfile, SET_TRAMPOLINE, F(SENDFILE))                                                 \
	X(a_copy_begins, SET_TRAMPOLINE, F(BEFORE_COPY))                                           \
	X(a_copy, SET_TRAMPOLINE, F(COPY))                                                         \
	X(a_clone, SET_TRAMPOLINE, F(CLONE))                                                       \
	X(a_ptrace, SET_TRAMPOLINE, F(PEEK))                                                       \
	X(a_traceme, SET_TRAMPOLINE, 0)                                                            \
	X(a_dump, SET_TRAMPOLINE, F(DUMP))                                                         \
	X(a_unix_sends, SET_TRAMPOLINE, 0)                                                         \
	X(a_unix_sent, SET_TRAMPOLINE, F(UNIX_WRITE))                                              \
	X(a_unix_page_goes, SET_TRAMPOLINE, 0)                                                     \
	X(a_unix_page, SET_TRAMPOLINE, 0)                                                          \
	X(a_unix_received, SET_TRAMPOLINE, F(UNIX_READ))                                           \
	X(a_unix_spliced, SET_TRAMPOLINE, 0)                                                       \
	X(a_unix_packet_goes, SET_TRAMPOLINE, 0)                                                   \
	X(a_unix_packet_sent, SET_TRAMPOLINE, 0)                                                   \
	X(a_unix_packet_received, SET_TRAMPOLINE, 0)                                               \
	X(a_unix_addressed, SET_TRAMPOLINE, F(UNIX_MESSAGE))                                       \
	X(a_unix_datagram_sent, SET_TRAMPOLINE, 0)                                                 \
	X(a_unix_datagram_received, SET_TRAMPOLINE, 0)                                             \
	X(a_unix_connect, SET_TRAMPOLINE, 0)                                                       \
	X(a_unix_datagram_connect, SET_TRAMPOLINE, 0)                                              \
	X(a_queue_sends, SET_TRAMPOLINE, 0)                                                        \
	X(a_queue_sent, SET_TRAMPOLINE, F(QUEUE))                                                  \
	X(a_queue_received, SET_TRAMPOLINE, 0)                                                     \
	X(a_msgqueue_sends, SET_TRAMPOLINE, 0)                                                     \
	X(a_msgqueue_sent, SET_TRAMPOLINE, F(MSGQUEUE))                                            \
	X(a_msgqueue_received, SET_TRAMPOLINE, 0)                                                  \
	X(a_shmat, SET_TRAMPOLINE, F(SHM))                                                         \
	X(enter_move, SET_TRACEPOINT, F(BEFORE_SPLICE) | F(BEFORE_TEE) | F(BEFORE_SENDFILE) | F(BEFORE_COPY)) \
	X(steady_sys_exit, SET_TRACEPOINT, SYS_EXIT_FACTS)                                         \
	X(on_sys_exit, SET_TRACEPOINT, SYS_EXIT_FACTS)                                             \
	X(steady_uring_complete, SET_BOTH, F(READ_URING))                                          \
	X(steady_uring_submit, SET_BOTH, F(CHANNEL_URING))                                         \
	X(on_uring_complete, SET_BOTH, F(READ_URING))                                              \
	X(on_uring_submit, SET_BOTH, F(CHANNEL_URING))                                             \
	X(on_uring_submit_sqe, SET_BOTH, F(CHANNEL_URING))                                         \
	X(on_uring_asked, SET_BOTH, F(READ_URING) | F(CHANNEL_URING))                              \
	X(a_aio_submit, SET_TRAMPOLINE, F(READ_AIO_SUBMIT))                                        \
	X(a_aio_complete, SET_TRAMPOLINE, F(READ_AIO))                                             \
	X(b_aio_submit, SET_TRACEPOINT, F(READ_AIO_SUBMIT))                                        \
	X(b_aio_complete, SET_TRACEPOINT, F(READ_AIO))                                             \
	X(on_sock_create, SET_BOTH, F(UDP_OWNER))                                                  \
	X(on_connect4, SET_BOTH, F(UDP_OWNER_CONNECT4))                                            \
	X(on_connect6, SET_BOTH, F(UDP_OWNER_CONNECT6))                                            \
	X(on_sendmsg4, SET_BOTH, F(UDP_OWNER_SEND4))                                               \
	X(on_sendmsg6, SET_BOTH, F(UDP_OWNER_SEND6))                                               \
	X(on_sock_release, SET_BOTH, F(UDP_RELEASE))                                               \
	X(on_egress, SET_BOTH, F(UDP_OUT) | F(SCTP) | F(RAW) | F(NAMES_OF_HOSTS))                   \
	X(on_ingress, SET_BOTH, F(UDP_IN))                                                         \
	X(find_files, SET_BOTH, F(SEED_FILES))                                                     \
	X(find_mappings, SET_BOTH, F(SEED_MAPS))                                                   \
	X(find_carriers, SET_BOTH, 0)                                                              \
	X(share_again, SET_BOTH, F(SHM_OTHERS))                                                    \
	X(share_look, SET_BOTH, 0)                                                                 \
	X(sweep_flows, SET_BOTH, F(SWEEP))                                                         \
	X(identify_fd, SET_BOTH, F(IDENTITY))                                                      \
	X(dump_ledger, SET_BOTH, 0)                                                                \
	X(dump_edges, SET_BOTH, 0)                                                                 \
	X(dump_tainted, SET_BOTH, 0)                                                               \
	X(dump_flow_taints, SET_BOTH, 0)                                                           \
	X(find_dead_pipes, SET_BOTH, 0)                                                            \
	X(dump_links, SET_BOTH, 0)

/*
 * Only for kernels that preempt programs on tracepoints (f7d327654b88, "bpf: Have __bpf_trace_run() use
 * rcu_read_lock_dont_migrate()", 7.0): whoever runs on a CPU where a program was preempted finds it at work, and it is
 * skipped for them. What counts is counted from perf's tracepoints there, which still forbid it, and stands above its
 * twin in the table; what may be done twice is done by two programs, of which one is enough.
 */
#define SL_STEADY(X)                                                                               \
	X(steady_sys_exit)                                                                         \
	X(steady_uring_complete)                                                                   \
	X(steady_uring_submit)                                                                     \
	X(again_fork)                                                                              \
	X(again_exec)                                                                              \
	X(again_exit)                                                                              \
	X(again_tcp_state)

/* X(program, tracepoint): where a program is attached to beside the place that its section names. */
#define SL_ALSO_AT(X)                                                                              \
	X(enter_move, "syscalls/sys_enter_tee")                                                    \
	X(enter_move, "syscalls/sys_enter_sendfile64")                                             \
	X(enter_move, "syscalls/sys_enter_copy_file_range")

#define HOOK_LINKS 4 /* of one program, at most */

enum hook {
#define X(program, set, facts) HOOK_##program,
	SL_HOOKS(X)
#undef X
	HOOK_KINDS,
};

#define SL_LIMIT_IMAGES                                                                            \
	"a disk image counts from a moment after it is attached or mounted; one behind nbd, or in a file " \
	"that no path or handle leads to, is not known as one"

#define SL_LIMIT_MEMBERS                                                                           \
	"only files that a walk of the dataset has met (after the start and then every ten minutes, sooner where it is read; " \
	"524288 files at most), until the monitor ends; one that is moved into another dataset counts as that one's"

#define SL_LIMIT_RING "a completion that overflows its ring is not seen"
#define SL_LIMIT_CHAIN "a file that an earlier request of the same chain opens is not known yet"

#define SL_LIMIT_SHM                                                                               \
	"on overlayfs a file written through a mapping is followed to who maps it, not to who reads it by calls"
#define SL_LIMIT_SHM_OTHERS                                                                        \
	"what is not reached within 131072 steps (2048 before 5.17) is found in the next interval, an orphan in the same " \
	"memory within 30 s; all that its flows sent counts then"
#define SL_LIMIT_SCTP "what SCTP sends again counts again"
#define SL_LIMIT_MPTCP                                                                             \
	"who accepted one is known within 5 s, at the latest when it closes; before 6.5 what MPTCP sends again counts again"
#define SL_LIMIT_NAMES                                                                             \
	"a client may ask for another host or bucket inside TLS than in its hello; not of connections over loopback, nor of " \
	"those that had begun before; DNS by TLS or HTTPS proves no name; of a segment with several questions over TCP only the first " \
	"2048 bytes are looked at"
#define SL_LIMIT_CHANNEL "passthrough requests on a disk's own device node are not told from its use as a disk"

#define SL_LIMIT_TTY "what TIOCSTI pushes into a terminal is not seen"
#define SL_LIMIT_SERVED                                                                            \
	"names, attributes and mapped pages that go to a daemon are not counted; nor are a daemon that takes its requests by " \
	"io_uring and files passed through to another one (passthrough); what a daemon that read a dataset serves to others is not " \
	"followed"

#define SL_LIMIT_LOCAL                                                                             \
	"not behind address translation, nor of a connection's first bytes by Fast Open, nor what is taken in without a " \
	"call (TCP_ZEROCOPY_RECEIVE, sockmap); a network namespace whose processes have no PID namespace of their own " \
	"counts as another host"

/* What a set cannot know although it owns the fact. X(set, fact, text) */
#define SL_LIMITS(X)                                                                               \
	X(SET_TRAMPOLINE, FACT_READ_DEVICE, SL_LIMIT_IMAGES)                                       \
	X(SET_TRACEPOINT, FACT_READ_DEVICE, SL_LIMIT_IMAGES)                                       \
	X(SET_TRACEPOINT, FACT_READ,                                                               \
	  "a descriptor that another thread replaces during the call is charged to its new file")  \
	X(SET_TRAMPOLINE, FACT_MOVED_OUT, "in a directory that is moved, " SL_LIMIT_MEMBERS)               \
	X(SET_TRACEPOINT, FACT_MOVED_OUT, SL_LIMIT_MEMBERS)                                        \
	X(SET_TRACEPOINT, FACT_MMAP, "a mapping counts in full, whether its pages are touched or not")    \
	X(SET_TRAMPOLINE, FACT_MMAP_GROWN, "not on tmpfs, DAX and other file systems whose pages are not told") \
	X(SET_TRAMPOLINE, FACT_TTY, SL_LIMIT_TTY)                                                  \
	X(SET_TRACEPOINT, FACT_TTY, SL_LIMIT_TTY)                                                  \
	X(SET_TRAMPOLINE, FACT_SERVED, SL_LIMIT_SERVED)                                            \
	X(SET_TRACEPOINT, FACT_SERVED, SL_LIMIT_SERVED)                                            \
	X(SET_TRACEPOINT, FACT_UNIX_MESSAGE,                                                       \
	  "which socket a datagram was addressed to is not seen: all that are addressed go through one pool, out of " \
	  "which any unix socket with a name can have read them, no more than their bytes")                \
	X(SET_TRACEPOINT, FACT_UNIX_READ,                                                          \
	  "of what recvmmsg received only a bound is known; a 32-bit socketcall's descriptor is taken from its memory") \
	X(SET_TRACEPOINT, FACT_UNIX_WRITE,                                                         \
	  "a socket that another process connected after its holder was tainted is marked when a write to it returns") \
	X(SET_TRACEPOINT, FACT_MSGQUEUE, "a queue is marked when the first message is in it: who takes that at once " \
	  "on another CPU can be missed")                                                          \
	X(SET_TRAMPOLINE, FACT_SHM, SL_LIMIT_SHM)                                                  \
	X(SET_TRACEPOINT, FACT_SHM, SL_LIMIT_SHM)                                                  \
	X(SET_TRAMPOLINE, FACT_SHM_OTHERS, SL_LIMIT_SHM_OTHERS)                                    \
	X(SET_TRACEPOINT, FACT_SHM_OTHERS, SL_LIMIT_SHM_OTHERS)                                    \
	X(SET_TRAMPOLINE, FACT_LOOPBACK, SL_LIMIT_LOCAL)                                           \
	X(SET_TRACEPOINT, FACT_LOOPBACK, SL_LIMIT_LOCAL "; nor pieces of a repeating receive of io_uring") \
	X(SET_TRAMPOLINE, FACT_NAMES_OF_HOSTS, SL_LIMIT_NAMES)                                     \
	X(SET_TRACEPOINT, FACT_NAMES_OF_HOSTS, SL_LIMIT_NAMES)                                     \
	X(SET_TRAMPOLINE, FACT_SCTP, SL_LIMIT_SCTP)                                                \
	X(SET_TRACEPOINT, FACT_SCTP, SL_LIMIT_SCTP)                                                \
	X(SET_TRAMPOLINE, FACT_MPTCP, SL_LIMIT_MPTCP)                                              \
	X(SET_TRACEPOINT, FACT_MPTCP, SL_LIMIT_MPTCP)                                              \
	X(SET_TRAMPOLINE, FACT_CHANNEL, SL_LIMIT_CHANNEL)                                          \
	X(SET_TRACEPOINT, FACT_CHANNEL, SL_LIMIT_CHANNEL)                                          \
	X(SET_TRACEPOINT, FACT_READ_AIO,                                                           \
	  "without O_DIRECT, on pipes, and on file systems that do not use iomap (NFS, FUSE, tmpfs) not seen; " \
	  "a completion that the kernel drops under load counts as asked for, when its slot is used again") \
	X(SET_TRAMPOLINE, FACT_READ_URING, SL_LIMIT_RING)                                          \
	X(SET_TRACEPOINT, FACT_READ_URING, SL_LIMIT_RING)                                          \
	X(SET_TRAMPOLINE, FACT_CHANNEL_URING, SL_LIMIT_CHAIN)                                      \
	X(SET_TRACEPOINT, FACT_CHANNEL_URING, SL_LIMIT_CHAIN)

/* The same of one program among those that may own the fact. X(program, fact, text) */
#define SL_PROGRAM_LIMITS(X)                                                                       \
	X(on_uring_asked, FACT_READ_URING,                                                         \
	  "before 5.18 the end of a request does not say whose it is: what it asks for counts, marked as an upper bound") \
	X(steady_sys_exit, FACT_READ,                                                              \
	  "where a task of another agent is preempted inside a bpf() call, calls on its processor go uncounted until it goes " \
	  "on, which recursion_misses tells")

#endif
