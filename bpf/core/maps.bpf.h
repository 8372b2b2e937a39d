/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * All that is kept in the kernel, on one page. __weak, so that several objects
 * linked together share one map. Everything is bounded, and preallocated where programs add to it.
 */
#ifndef SLUICE_MAPS_BPF_H
#define SLUICE_MAPS_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "include/ledger.h"

#define NO_PREALLOC 1 /* BPF_F_NO_PREALLOC, include/uapi/linux/bpf.h */

#define MAP_HASH(name, kind, k, v, n)                                                              \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_##kind);                                                 \
		__type(key, k);                                                                    \
		__type(value, v);                                                                  \
		__uint(max_entries, n);                                                            \
	} name SEC(".maps") __weak

/* the ledger: exact totals, and where they go when it is full */
MAP_HASH(ledger, HASH, struct ledger_key, struct ledger_val, SL_LEDGER_MAX);
MAP_HASH(overflow, HASH, struct overflow_key, struct overflow_val, SL_OVERFLOW_MAX);

/* lineage */
MAP_HASH(tainted, HASH, struct subject, struct taint, SL_TAINTED_MAX);
MAP_HASH(objects, HASH, struct object, struct object_taint, SL_OBJECTS_MAX);
MAP_HASH(edges, HASH, struct edge_key, struct edge_val, SL_EDGES_MAX);

MAP_HASH(channels, HASH, struct channel_key, struct channel_val, SL_CHANNELS_MAX);

/* network */
MAP_HASH(flows, HASH, struct flow_key, struct flow, SL_FLOWS_MAX);
MAP_HASH(flow_taints, HASH, struct flow_taint_key, struct flow_taint, SL_FLOW_TAINT_MAX);
MAP_HASH(socks, HASH, __u64, struct sock_owner, SL_SOCKS_MAX);

/* what waits to be read from unix sockets, where tagged bytes may: by the reading struct sock */
struct unix_end {
	struct object what;
	__u64 ino; /* of the socket; 0: not accepted yet */
};
MAP_HASH(unix_ends, HASH, __u64, struct unix_end, SL_OBJECTS_MAX);

MAP_HASH(unix_to, LRU_HASH, __u64, struct object, 1024); /* where a thread's datagram is going */

/* One end of a connection or of datagrams, by its two addresses as it sees them. */
struct end_key {
	__u8 laddr[16];
	__u8 raddr[16];
	__u16 lport;
	__u16 rport;
	__u32 proto;
	__u32 scope; /* the network namespace, where these addresses have both ends in one; else 0 */
};
struct end {
	__u64 sock;
	__u64 flow; /* its id */
	__u64 mask; /* of datagrams: what may have been sent by it */
	__u32 netns;
	__u32 pad;
};
MAP_HASH(ends, HASH, struct end_key, struct end, SL_ENDS_MAX);	   /* of TCP */
MAP_HASH(senders, LRU_HASH, struct end_key, struct end, SL_SENT_MAX); /* of datagrams; told anew by each that is missing */
MAP_HASH(inlets, HASH, __u64, struct inlet, SL_INLETS_MAX);	   /* by the socket that receives */
MAP_HASH(links, HASH, struct link_key, __u64, SL_LINKS_MAX);	   /* since when */

/* requests under way: of libaio by the address of their kiocb; of io_uring those that repeat */
struct aio_request {
	struct subject who;
	__u64 cgroup;
	__u64 mask; /* datasets that the file, or device, may hold bytes of beside its own */
	__u64 done; /* bytes of it that are accounted for already */
	__u64 asked; /* most that it can give; 0: it may never have been started */
	__u8 what;  /* enum aio_kind */
	__u8 tag;
	__u8 own; /* of a write, as in struct edge_key */
	__u8 pad[5];
};
struct repeat_key {
	__u64 ring;
	__u64 user_data;
};
MAP_HASH(aio, HASH, __u64, struct aio_request, SL_AIO_MAX);
MAP_HASH(repeats, HASH, struct repeat_key, __u64, SL_REPEATS_MAX); /* the file */

/* Walks over shared memory that are under way, each of one task at one depth of interrupts: a stack of what has
 * become tainted and is to be looked at, its topmost first. */
struct share_item {
	__u64 who; /* task_struct, or inode */
	__u64 mask;
	__u64 at, from, end; /* where the walk is: see shared.bpf.h */
	__u64 mm;
	__u32 phase;
	__u32 pad;
};
struct share_key {
	__u64 task;
	__u64 depth;
};
struct share_lane {
	__u32 n; /* items */
	__u8 late;
	__u8 cut; /* something did not fit */
	__u8 pad[2];
	__u64 next; /* where a task's mappings go on, */
	__u64 last; /* unless there is nothing behind */
	struct object what;
	struct edge_key key; /* here for the stack's sake, as what comes next is */
	__u64 pivot[15];
	struct share_key self; /* as functions are told of it that take numbers alone */
	__u64 max;	       /* last address under the node that was come to */
	struct share_item item[SL_SHARE_ITEMS];
};
MAP_HASH(shares, HASH, struct share_key, struct share_lane, SL_SHARE_LANES);

/* identity: written by user space (roots), remembered by the kernel (the rest) */
MAP_HASH(roots, HASH, struct root_key, __u8, SL_ROOTS_MAX);
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, NO_PREALLOC); /* user space alone adds, as many as there are */
	__type(key, struct object);
	__type(value, __u8);
	__uint(max_entries, SL_MEMBERS_MAX);
} members SEC(".maps") __weak;
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, NO_PREALLOC); /* likewise, and for a moment */
	__type(key, struct subject);
	__type(value, struct carrier);
	__uint(max_entries, SL_TAINTED_MAX);
} carriers SEC(".maps") __weak;
MAP_HASH(inodes, LRU_HASH, struct root_key, struct inode_verdict, SL_INODES_MAX);

/* written by user space: block devices that hold datasets (a mask of them), character devices that are
 * channels (enum channel) or accelerators; by device number as the kernel packs it, minor 0xfffff for every minor */
MAP_HASH(block_devices, HASH, __u32, __u64, SL_DEVICES_MAX);
MAP_HASH(char_devices, HASH, __u32, __u32, SL_DEVICES_MAX);

/* FUSE: the device that a connection goes by, by its address; pseudo-terminals made since the first taint, by their slave */
MAP_HASH(connections, LRU_HASH, __u64, __u32, SL_CONNECTIONS_MAX);
MAP_HASH(ptys, HASH, struct root_key, __u32, SL_PTYS_MAX);

/* by device number: the magic number of a file system of another host that a tainted subject wrote to */
MAP_HASH(net_devices, HASH, __u32, __u64, SL_NET_DEVICES_MAX);

struct seen_key {
	struct subject who;
	struct object what;
};
MAP_HASH(seen, LRU_HASH, struct seen_key, __u8, SL_SEEN_MAX);
MAP_HASH(announced, LRU_HASH, struct subject, __u8, SL_ANNOUNCED_MAX); /* and which signs (1 << enum ml_sign) were told */

struct cpu_cache {
	__u64 file[SL_CACHE_SLOTS]; /* signature of a file, its tag in the low byte */
	__u64 counted[SL_CACHE_SLOTS]; /* signatures of (subject, file) pairs seen */
};
MAP_HASH(cache, PERCPU_ARRAY, __u32, struct cpu_cache, 1);
MAP_HASH(losses, PERCPU_ARRAY, __u32, __u64, LOSS_KINDS);
MAP_HASH(flow_overflow, PERCPU_ARRAY, __u32, __u64, 2); /* out, in: payload of flows that have no record */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SL_RING_BYTES);
} events SEC(".maps") __weak;

/* apart from the rest: whoever opens a million files floods nothing but this */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SL_READS_BYTES);
} reads SEC(".maps") __weak;

/* likewise: whoever opens a million connections */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SL_SAID_BYTES);
} said SEC(".maps") __weak;

/* set once, before load; the verifier removes what they switch off */
const volatile bool have_cast __weak = false;	  /* bpf_rdonly_cast: a435ff6d ("bpf: Add kfunc bpf_rdonly_cast"), 6.2 */
const volatile bool have_task_btf __weak = false; /* bpf_get_current_task_btf: 3ca1032ab7ab, 5.11 */
const volatile bool trampolines __weak = false;	  /* set A */
const volatile bool preempted __weak = false;	  /* programs on tracepoints are: each change may be told twice */
const volatile __u32 home_netns __weak = 0;	  /* the monitor's own */
const volatile bool fault_pages __weak = false;	  /* mapped files are counted page by page */
const volatile __u32 flows_max __weak = SL_FLOWS_MAX; /* of the map as it was made */
/* bpf_loop: e6f2dd0f8067, 5.17. Without it the callback's address, an instruction of 69c087ba6225 (5.13), is refused even
 * in dead code, so that these kernels have an object of their own. */
#ifdef SLUICE_OLD_KERNEL
#define have_loop false
#else
#define have_loop true
#endif

/* state of the whole */
volatile __u32 tag_epoch __weak = 0;	/* moved on by every rename and link */
volatile __u32 policy_epoch __weak = 0; /* moved on by user space when datasets change */
volatile __u64 given_datasets __weak = 0;   /* set by user space: the others in force */
volatile __u64 derived_datasets __weak = 0; /* set by user space: made from others, as the configuration declares */
volatile __u8 derived_filter[65536] __weak = {}; /* nonzero: a file of this hash may be in `objects` */
volatile __u8 inlet_filter[4096] __weak = {};	 /* nonzero: a socket of this hash may be in `inlets` */
volatile __u8 sent_filter[4096] __weak = {};	 /* the same of ports in `senders` */
volatile __u32 any_taint __weak = 0;	/* nonzero once any subject is tainted */
volatile __u32 any_served __weak = 0;	/* nonzero once `connections` has an entry */
volatile __u32 any_shared __weak = 0;	/* nonzero once shared memory may hold tagged bytes */
struct object spared __weak = {};	/* memory of the monitor's own, which carries nobody's bytes */
volatile __u64 interval_ns __weak = 0;	 /* start of the running interval: a clock that costs nothing */
volatile __u64 dump_since_ns __weak = 0; /* iterators leave out what is older */
volatile __u64 flows_made __weak = 0;	 /* records put into `flows`, */
volatile __u64 flows_gone __weak = 0;	 /* and taken out again, also by user space */
volatile __u64 flow_overflow_mask __weak = 0; /* datasets that flows without a record may have carried */
volatile __u64 crowd_ns __weak = 0;	 /* the interval in which user space was woken for want of room */
volatile __u32 reads_woken __weak = 0;	 /* user space was woken for `reads`; cleared by it: a wake for each would cost more than all else */
volatile __u32 said_woken __weak = 0;	 /* the same of `said` */
volatile __u32 begun __weak = 0;	 /* what was there before has been looked at */
volatile __u32 strangers_count __weak = 0; /* a connection without a record began under our eyes */
struct file_identity identified[2] __weak = {}; /* answers of identify_fd: to the loop, and to whoever works beside it */
volatile __u64 closed_twice[256] __weak = {}; /* sockets whose end one of two programs has seen */
volatile __u32 preemption_asked __weak = 0; /* by this thread */
volatile __u32 preemption_found __weak = 0; /* 1: no; 2: yes */

#endif
