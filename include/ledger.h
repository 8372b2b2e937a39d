/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Everything the kernel half and the user half share: keys, values, limits.
 * The header parses alone in both worlds: only fixed-width types, every struct
 * without hidden padding, every size asserted.
 *
 * Times are CLOCK_BOOTTIME nanoseconds; a last_ns is that of the interval it fell into. Ports are in host order. Addresses are
 * in network order, IPv4 as ::ffff:a.b.c.d, so that one table serves both.
 */
#ifndef SLUICE_LEDGER_H
#define SLUICE_LEDGER_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define SL_DATASETS_MAX 64 /* one bit each in a taint mask */
#define SL_WALK_DEPTH 64   /* directories between a file and its dataset's root */
#define SL_FDS_WALKED 8192 /* descriptors marked when a subject becomes tainted */
#define SL_SHARE_STEPS (1u << 17) /* descriptors, mappings and tree nodes looked at in one go, some 20 ms; without bpf_loop: */
#define SL_SHARE_STEPS_OLD 2048
#define SL_SHARE_ITEMS 256 /* subjects and objects in a row, one found through the other */
#define SL_SHARE_LANES 64  /* such walks at one time */
#define SL_COMM_LEN 16
#define SL_ANCESTORS 6
#define SL_PATH_PARTS 20
#define SL_PART_LEN 32
#define SL_CGROUP_PARTS 10
#define SL_CGROUP_PART_LEN 80

#define SL_LEDGER_MAX 65536
#define SL_TAINTED_MAX 65536
#define SL_OBJECTS_MAX 16384
#define SL_EDGES_MAX 65536
#define SL_FLOWS_MAX 32768
#define SL_FLOW_TAINT_MAX 32768
#define SL_OVERFLOW_MAX 4096
#define SL_INODES_MAX 131072
#define SL_ROOTS_MAX 16384
#define SL_MEMBERS_MAX (1 << 19) /* files that walks of datasets met */
#define SL_SOCKS_MAX 32768
#define SL_SEEN_MAX 131072
#define SL_ANNOUNCED_MAX 32768
#define SL_AIO_MAX 16384      /* asynchronous direct reads under way */
#define SL_REPEATS_MAX 1024   /* io_uring requests that go on reading */
#define SL_CHANNELS_MAX 4096
#define SL_ENDS_MAX 32768  /* ends of connections that may stay on this host */
#define SL_INLETS_MAX 16384 /* sockets that tainted bytes of this host may come in at */
#define SL_LINKS_MAX 65536
#define SL_SENT_MAX 16384
#define SL_DEVICES_MAX 1024
#define SL_CONNECTIONS_MAX 1024
#define SL_PTYS_MAX 4096
#define SL_NET_DEVICES_MAX 1024
#define SL_ROOT_WHOLE 0x80 /* a marker's tag with this: all that is on the device is in that dataset */
#define SL_RING_BYTES (4u << 20)
#define SL_READS_BYTES (8u << 20)
#define SL_SAID_BYTES (2u << 20)
#define SL_SAID_LEN 2048 /* bytes of a packet that are told */
#define SL_SAID_SHORT 256
#define SL_SAID_LONG 16384 /* of questions to name servers over TCP */
#define SL_CACHE_BITS 9 /* 512 files, and as many (subject, file) pairs, remembered per CPU */
#define SL_CACHE_SLOTS (1 << SL_CACHE_BITS)

/* One process instance. The kernel's own fields, so no map is needed to name it:
 * group leader's start_boottime, tgid in the initial PID namespace, self_exec_id. */
struct subject {
	__u64 start_ns;
	__u32 tgid;
	__u32 exec;
};

/* An inode that carries bytes: a pipe, a FIFO, a file written by a subject that may hold tagged bytes. */
struct object {
	__u64 ino;
	__u32 dev; /* s_dev as the kernel packs it: major << 20 | minor */
	__u32 gen; /* i_generation: an inode number is used again, this is not */
};

/* An object that is not an inode: its number has the first of these, its gen one of the others. A terminal: the number of its
 * slave's inode, how many had that number before, and in the lowest bit which end reads it; a FUSE connection: only a device. */
#define SL_NO_INODE (1ULL << 63)
#define SL_GEN_TTY 0x80000000u
#define SL_GEN_SERVED 0xffffffffu
#define SL_TTY_PAIRS 0x1fffffffu
/* Devices of objects that have no inode of their own, or not only. No driver has such a major number. */
#define SL_DEV_FAR (1u << 31)	   /* what waits at the far end of this socket, whose end had no inode yet */
#define SL_DEV_MESSAGES (1u << 30) /* a socket of messages */
#define SL_DEV_FLAGS (SL_DEV_FAR | SL_DEV_MESSAGES)
#define SL_DEV_POOL 0xfff00001u	   /* unix datagrams whose receiver is not known */
#define SL_DEV_MSGQUEUE 0xfff00002u /* a System V queue: its id, and above it the IPC namespace */
#define SL_DEV_INLET 0xfff00003u /* what comes in at a socket from this host: struct inlet, id */

/* How tagged bytes reached a subject; the ledger's second coordinate. */
enum access_kind {
	ACCESS_READ = 1, /* given out by any read, io_uring, libaio, splice, sendfile, copy or clone: exact */
	ACCESS_MMAP = 2, /* mapped: at most so many; an upper bound */
	ACCESS_DEVICE = 3, /* read from a block device that holds the dataset: an upper bound */
	ACCESS_ASKED = 4, /* asked for, and nothing tells what was given: an upper bound */
	ACCESS_KINDS,
};

struct ledger_key {
	struct subject who;
	__u16 dataset; /* index, 0 to SL_DATASETS_MAX - 1 */
	__u16 kind;    /* enum access_kind */
	__u32 pad;
};

struct ledger_val {
	__u64 bytes;
	__u64 ops;
	__u64 files; /* distinct files, counted at first touch */
	__u64 first_ns;
	__u64 last_ns;
};

/* Where bytes go when the ledger has no room: totals stay exact, detail is lost. */
struct overflow_key {
	__u64 cgroup; /* 0: even this map was full */
	__u16 dataset;
	__u16 kind;
	__u32 pad;
};

struct overflow_val {
	__u64 bytes;
	__u64 ops;
};

/* A subject's first touch of a file, as far as remembered: it may be told more than once. Its own ring's only record. */
struct file_read {
	struct subject who;
	struct object what;
	__u32 dataset;
	__u32 pad;
};

/* Where the filter of files that may hold tagged bytes has an inode. */
static inline __attribute__((always_inline)) __u64 sl_mix(__u64 h, __u64 v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 29;
}

static inline __attribute__((always_inline)) __u16 sl_filter_slot(const struct object *what)
{
	return sl_mix(what->ino, (__u64)what->gen << 32 | what->dev) >> 48;
}

/* An edge of the lineage. `mask` holds the datasets the source was tainted with
 * when the bytes moved, so what moved before a taint is never charged to it. */
enum edge_via {
	VIA_READ = 1, /* the subject itself read the dataset; has no edge record */
	VIA_FORK = 2, /* subject to subject; kept in struct taint, unlimited */
	VIA_EXEC = 3, /* likewise */
	VIA_PIPE_WRITE = 4, /* subject to object */
	VIA_PIPE_READ = 5,  /* object to subject */
	VIA_HELD = 6, /* tainted while already holding the other end; has no bytes */
	VIA_FILE_WRITE = 7, /* subject to object: a regular file outside the dataset */
	VIA_FILE_READ = 8,  /* object to subject */
	VIA_PEEK = 9, /* subject to subject: `what` is the struct subject looked into; no limit but its volume */
	VIA_DUMP = 10, /* subject to object: its memory, as a core dump; no limit but its volume */
	VIA_UNIX_WRITE = 11, /* subject to object: a unix socket, named by the inode of its reading end */
	VIA_UNIX_READ = 12,  /* object to subject */
	VIA_LOCAL_WRITE = 13, /* subject to object: a connection or datagram to this host, named likewise */
	VIA_LOCAL_READ = 14,  /* object to subject */
	VIA_SHARED_WRITE = 15, /* subject to object: memory that it shares with others; no limit but its volume */
	VIA_SHARED_READ = 16,  /* object to subject; no limit but the object's volume */
	VIA_QUEUE_WRITE = 17, /* subject to object: a message queue */
	VIA_QUEUE_READ = 18,  /* object to subject */
	VIA_TTY_WRITE = 19, /* subject to object: a terminal, named by the end that reads it */
	VIA_TTY_READ = 20,  /* object to subject */
	VIA_SERVED_WRITE = 21, /* subject to object: a file system that a process serves (FUSE) */
	VIA_SERVED_READ = 22,  /* object to subject: its daemon */
	VIA_KINDS,
};

struct edge_key {
	struct subject who;
	struct object what;
	__u64 mask;
	__u32 via; /* VIA_PIPE_WRITE and after, but VIA_HELD */
	__u32 own; /* of a write to a file: index + 1 of the dataset that the file was in then; 0: in none, or not known */
};

struct edge_val {
	__u64 bytes;
	__u64 ops;
	__u64 first_ns;
	__u64 last_ns;
};

/* What a subject may hold. `from`, `via` and `inherited` are set once, at birth,
 * for a subject that inherits by fork or exec; else `via` is VIA_READ or VIA_PIPE_READ. */
struct taint {
	__u64 mask;
	__u64 inherited; /* the part of mask that came with birth */
	struct subject from;
	__u64 since_ns;
	__u32 via;
	__u32 used; /* read, wrote, sent or forked since: user space must hear of it */
};

/* What a monitor before this one knew of a process, named by a subject without its exec: at the start it is taken up again,
 * and by all who were born of it since. */
struct carrier {
	__u64 mask;
	__u64 since_ns; /* since when it held the first of these */
	__u32 exec;	/* of the image that the model knows */
	__u32 pad;
};

struct object_taint {
	__u64 mask;
	__u64 since_ns;
	__u64 inode;  /* of a pipe or FIFO: where the kernel keeps it, to tell when nobody has it any more */
	__u64 shared; /* the part of mask that all who have it mapped have been tainted with */
	__u64 mapped; /* the kernel's address of a file that is shared by mapping; 0: of no such one */
};

/* A way out whose bytes nothing here counts, held by a subject that may hold tagged bytes. */
enum channel {
	CHANNEL_PACKET = 1, /* AF_PACKET: frames, below IP */
	CHANNEL_XDP,	    /* AF_XDP: a driver's ring */
	CHANNEL_VSOCK,	    /* AF_VSOCK: the hypervisor or another guest */
	CHANNEL_SOCKET,	    /* a socket of another family; number: which */
	CHANNEL_TUN,	    /* /dev/net/tun */
	CHANNEL_RDMA,	    /* uverbs: InfiniBand, RoCE, EFA */
	CHANNEL_NVME,	    /* passthrough to an NVMe device */
	CHANNEL_VHOST,	    /* vhost-net, vhost-vsock: another machine's memory */
	CHANNEL_URING,	    /* io_uring requests that ask for no completion */
	CHANNEL_CORE,	    /* memory written out by a core dump */
	CHANNEL_KINDS,
};

#define SL_ACCELERATOR 0x100 /* a device that is no channel, but computes models */

/* What makes a job an ML job. */
enum ml_sign {
	ML_ACCELERATOR = 1, /* holds or mapped a GPU, a Neuron core, ... */
	ML_FRAMEWORK = 2,   /* mapped code of a framework */
	ML_NAMED = 3,	    /* the configuration names it; not told by the kernel */
};
#define SL_ML_NAME_LEN 40

struct channel_key {
	struct subject who;
	__u32 kind;   /* enum channel */
	__u32 number; /* address family, or device number as the kernel packs it */
};

struct channel_val {
	__u64 mask; /* what the subject could have held when last seen with it */
	__u64 opens;
	__u64 first_ns;
	__u64 last_ns;
};

/* What the kernel remembers of an inode's place; also how a dataset's roots are named. */
struct inode_verdict {
	__u32 gen;
	__u32 epoch;  /* tag_epoch when decided: a rename anywhere makes an untagged verdict stale */
	__u32 policy; /* policy_epoch when decided: a reload makes any verdict stale */
	__u8 tag;     /* dataset index + 1; 0: in no dataset */
	__u8 pad[3];
};

struct root_key {
	__u64 ino; /* 0: marks that this device holds a root */
	__u32 dev;
	__u32 pad;
};

/* Of a socket that is not TCP: who created, connected or last addressed it. */
struct sock_owner {
	struct subject who;
	__u64 mask; /* datasets of other holders of the socket */
	__u64 cgroup;
	__u32 netns;
	__u32 gen; /* as in struct flow_key; 0: not known yet */
	__u64 counted_ns; /* when the two below began: how many records it made, since each is bounded for some time */
	__u32 ends;
	__u32 tainted_ends;
	__u8 raddr[16]; /* its only flow so far, which ends with it: */
	__u16 rport;
	__u8 proto;
	__u8 flows; /* 0, 1, 2: several */
	__u8 passed; /* as in struct flow */
	__u8 pad[3];
};

enum flow_role {
	ROLE_UNKNOWN = 0, /* existed before the monitor: counts start at first sight */
	ROLE_CONNECT = 1,
	ROLE_ACCEPT = 2,
	ROLE_DATAGRAM = 3,
	ROLE_MANY = 4,	   /* of one datagram socket, to ends for which there was no room one by one */
	ROLE_OVERFLOW = 5, /* user space's own: flows for which there was no room at all */
};

#define FLOW_MOVING 1 /* struct flow.closed: its record is on its way to where it waits */
#define FLOW_MISSED 2 /* the end of its socket was not seen */

/* `sock` is the kernel's socket. Of TCP the rest is zero; of all else `gen`, the low half of the socket's cookie,
 * and the remote end are part of it. */
struct flow_key {
	__u64 sock;
	__u8 raddr[16];
	__u16 rport;
	__u8 proto; /* IPPROTO_TCP, _UDP, _UDPLITE, _SCTP; _ICMP, _ICMPV6 and others: raw, rport is 0; _RAW: a packet
		     * that its sender made up to look like one of the first */
	__u8 many; /* ROLE_MANY; raddr is then nothing, or what stands for this host */
	__u32 gen;
};

struct flow {
	__u64 id;   /* unique while the monitor runs; joins flow_taint */
	__u64 mask; /* datasets whose holders could have written to it; with id, the key of its newest flow_taint */
	struct subject who; /* all zero: not known yet (accepted, not yet touched) */
	__u64 cgroup;
	__u64 start_ns;
	__u64 last_ns;
	__u64 out; /* payload bytes that left so far */
	__u64 in;
	__u64 base_out; /* counted before the monitor saw the flow; subtract */
	__u64 base_in;
	__u64 queued_end; /* all the application ever queued; ~0 until it shut down */
	__u32 netns;	  /* inode number of the network namespace */
	__u16 lport;
	__u16 rport;
	__u8 laddr[16];
	__u8 raddr[16];
	__u8 family; /* AF_INET, AF_INET6 */
	__u8 proto;
	__u8 role;
	__u8 state; /* TCP state as last seen */
	__u8 closed;
	__u8 local; /* TCP: its other end may be on this host, and is looked for */
	__u8 passed; /* a tainted subject has had it that did not inherit it from `who`, as far as can be seen */
	__u8 pad;
};

/* Bytes a flow had sent when `mask` became its taint: what a dataset can account
 * for is `out` less the smallest base among the masks that hold its bit. */
struct flow_taint_key {
	__u64 id;
	__u64 mask;
};

struct flow_taint {
	__u64 base_out;
	__u64 since_ns;
};

/* A socket whose other end a tainted subject holds. */
struct inlet {
	__u64 id;
	__u64 mask;
	__u32 far; /* it is in a namespace that stands for another host, unless a container's process reads there */
	__u32 closed; /* with bytes left to read */
};

/* What the flow sends comes in at the inlet. */
struct link_key {
	__u64 flow; /* struct flow, id */
	__u64 inlet;
};

/* Why a thing was skipped or dropped. Each has one counter, per CPU. */
enum loss {
	LOSS_LEDGER_FULL,   /* bytes went to the overflow account */
	LOSS_OVERFLOW_FULL, /* bytes went to overflow account 0 */
	LOSS_TAINT_FULL,    /* a subject's taint could not be kept: bounds may be low */
	LOSS_OBJECT_FULL,   /* an object's taint could not be kept: bounds may be low */
	LOSS_EDGE_FULL,	    /* a transfer could not be kept: bounds may be low */
	LOSS_FLOW_FULL,	    /* a flow is counted in the overflow account only */
	LOSS_FLOW_TAINT_FULL, /* a flow's taint could not be kept: bounds may be low */
	LOSS_RING_FULL,	    /* a hint was not delivered; the ledger still has it */
	LOSS_WALK_DEEP,	    /* a file lies too deep to decide its dataset */
	LOSS_FDS_DEEP,	    /* a subject holds more descriptors than are marked */
	LOSS_NO_FILE,	    /* the descriptor was closed or replaced during the call, or a mapping could not be looked at */
	LOSS_CHANNEL_FULL,  /* an unobservable channel could not be noted */
	LOSS_AIO_FULL,	    /* an asynchronous read could not be followed: its bytes are missing */
	LOSS_FLOW_FOLDED,   /* a datagram's end has no record of its own: its bytes are in its socket's */
	LOSS_SHARE_CUT,	    /* a walk over shared memory was cut short: the next look at it makes up for that */
	LOSS_READ_UNTOLD,   /* which file was read was not told: it may stand among those never read */
	LOSS_SAID_UNTOLD,   /* what a connection began with was not told: its name may not be known */
	LOSS_KINDS,
};

/* The identity of an open file, as the kernel has it (stat() differs on overlay, btrfs). */
struct file_identity {
	struct object obj;
	__u64 size;
	__u16 mode;
	__u16 tag; /* dataset index + 1; 0: in none */
	__u32 found;
};

/* Ring buffer: rare hints. Each starts with its type. */
enum event_type {
	EVENT_SUBJECT = 1, /* struct subject_event: a subject became of interest */
	EVENT_EXIT = 2,	   /* struct exit_event: such a subject ended */
	EVENT_FLOW_CLOSE = 3, /* struct flow_event: final figures; the map entry is gone */
	EVENT_ML = 4,	   /* struct ml_event: the first sign of its kind of a subject that was announced */
	EVENT_CROWD = 5, /* struct crowd_event: a map is filling up, which cannot wait for the next tick */
};

/* Path parts come leaf first: part 0 is the file's own name. An empty part of exe is a mount point that was stepped over. */
struct subject_event {
	__u32 type;
	__u32 uid;
	struct subject who;
	struct subject ancestors[SL_ANCESTORS]; /* parent first; exec is 0: not known; tgid 0: no more */
	__u64 cgroup;	       /* id in the v2 hierarchy */
	__u64 time_ns;
	__u32 session;
	__u32 pid_ns;
	__u64 exe_ino;
	__u32 exe_dev;
	__u16 exe_parts;    /* parts filled in; */
	__u16 exe_cut;	    /* nonzero: the path was deeper or a name longer */
	__u16 cgroup_parts;
	__u16 cgroup_cut;
	__u32 pad;
	char comm[SL_COMM_LEN];
	char exe[SL_PATH_PARTS][SL_PART_LEN];
	char cgroup_path[SL_CGROUP_PARTS][SL_CGROUP_PART_LEN];
};

struct exit_event {
	__u32 type;
	__u32 pad;
	struct subject who;
	__u64 time_ns;
};

struct flow_event {
	__u32 type;
	__u32 pad;
	struct flow flow;
};

struct ml_event {
	__u32 type;
	__u32 sign; /* enum ml_sign */
	struct subject who;
	__u64 time_ns;
	char name[SL_ML_NAME_LEN]; /* of the file or device node: hostile, may be cut */
};

struct crowd_event {
	__u32 type;
	__u32 pad;
};

/* What a packet says at the beginning of a flow, or to and from a name server. Its own ring's only record. */
struct said {
	__u64 flow; /* its id; 0: it has no record */
	struct subject who; /* as far as known then */
	__u32 netns;
	__u32 at;    /* of TCP: how many bytes went before these */
	__u32 bytes; /* of payload in the packet */
	__u16 kept;  /* of them here */
	__u16 rport;
	__u8 raddr[16];
	__u8 proto;
	__u8 out; /* it left; else it came in */
	__u8 hosts; /* of an answer by a name server: its network namespace is not one that anyone could make */
	__u8 pad;
	__u32 ifindex; /* of the device that sends or got it, as its network namespace counts them */
	__u8 data[];
};

#define SL_ASSERT_SIZE(t, n) _Static_assert(sizeof(t) == (n), #t)
SL_ASSERT_SIZE(struct subject, 16);
SL_ASSERT_SIZE(struct object, 16);
SL_ASSERT_SIZE(struct ledger_key, 24);
SL_ASSERT_SIZE(struct ledger_val, 40);
SL_ASSERT_SIZE(struct file_read, 40);
SL_ASSERT_SIZE(struct overflow_key, 16);
SL_ASSERT_SIZE(struct edge_key, 48);
SL_ASSERT_SIZE(struct edge_val, 32);
SL_ASSERT_SIZE(struct taint, 48);
SL_ASSERT_SIZE(struct carrier, 24);
SL_ASSERT_SIZE(struct object_taint, 40);
SL_ASSERT_SIZE(struct channel_key, 24);
SL_ASSERT_SIZE(struct channel_val, 32);
SL_ASSERT_SIZE(struct flow_key, 32);
SL_ASSERT_SIZE(struct sock_owner, 80);
SL_ASSERT_SIZE(struct flow, 144);
SL_ASSERT_SIZE(struct flow_taint_key, 16);
_Static_assert(__builtin_offsetof(struct flow, mask) == __builtin_offsetof(struct flow_taint_key, mask), "flow");
SL_ASSERT_SIZE(struct inlet, 24);
SL_ASSERT_SIZE(struct link_key, 16);
SL_ASSERT_SIZE(struct file_identity, 32);
SL_ASSERT_SIZE(struct exit_event, 32);
SL_ASSERT_SIZE(struct ml_event, 72);
SL_ASSERT_SIZE(struct said, 64);

#endif
