/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * This host's own addresses. Another namespace's address is believed only where nobody without
 * rights over the host could have put it there, for what is believed here is not watched as egress.
 */
#include "user/dest/class.h"
#include "user/dest/netlink.h"
#include "user/dest/ranges.h"
#include "user/dest/route.h"
#include "user/dest/table.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define NETNS_MAX 1024
#define NETNS_ADDRS_MAX 1024
#define OWN_ADDRS_MAX 65536

struct addrs {
	struct cidr *v;
	size_t n, room, max;
};

struct netns {
	ino_t ino;
	pid_t inhabitant; /* one of its processes, in a PID namespace of its own; 0 none seen */
};

struct search {
	ino_t own_net, own_pid;
	struct netns found[NETNS_MAX];
	unsigned n, missed;
	bool blind; /* there are more than were looked at */
};

static void addrs_free(struct addrs *a)
{
	free(a->v);
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

static int addrs_add(struct addrs *a, const uint8_t addr[static 16])
{
	if (a->n == a->room) {
		size_t room = a->room ? 2 * a->room : 64;
		struct cidr *v = reallocarray(a->v, room, sizeof(*v));

		if (!v)
			return -ENOMEM;
		a->v = v;
		a->room = room;
	}
	a->v[a->n].bits = 128;
	memcpy(a->v[a->n++].addr, addr, 16);
	return 0;
}

static bool is_loopback(const uint8_t addr[static 16])
{
	static const uint8_t one[16] = {[15] = 1};

	return (addr_is_v4(addr) && addr[12] == 127) || !memcmp(addr, one, sizeof(one));
}

/* kube-proxy in IPVS mode puts every service's address on this link; who answers is elsewhere. */
static bool is_stand_in(unsigned link)
{
	char name[IF_NAMESIZE];

	return if_indextoname(link, name) && !strcmp(name, "kube-ipvs0");
}

/* An address's own end: beside it a point-to-point link has the peer's as IFA_ADDRESS. */
static bool own_end(const struct nlmsghdr *h, uint8_t ret[static 16])
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	size_t n = 0;
	int len;
	const struct rtattr *a = netlink_attrs(h, sizeof(*m), &len);
	const void *p = netlink_attr(a, len, IFA_LOCAL, &n);

	if (h->nlmsg_type != RTM_NEWADDR || !len)
		return false;
	if (!p)
		p = netlink_attr(a, len, IFA_ADDRESS, &n);
	if (p && m->ifa_family == AF_INET && n == 4)
		addr_map_v4(ret, p);
	else if (p && m->ifa_family == AF_INET6 && n == 16)
		memcpy(ret, p, 16);
	else
		return false;
	return true;
}

static int take_addr(void *arg, const struct nlmsghdr *h)
{
	struct addrs *a = arg;
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	uint8_t addr[16];

	if (!own_end(h, addr) || is_loopback(addr) || is_stand_in(m->ifa_index))
		return 0;
	return a->n < a->max ? addrs_add(a, addr) : -E2BIG;
}

/* The addresses of the calling thread's namespace, `max` at most: -E2BIG beyond. */
static int addrs_here(struct addrs *a, size_t max)
{
	_cleanup_(netlink_freep) struct netlink *n = NULL;
	int err = netlink_open(&n);

	a->max = a->n + max;
	return err ? err : netlink_dump(n, RTM_GETADDR, take_addr, a);
}

/* The inode number in a link such as "net:[4026531840]". */
static int ns_read(const char *path, ino_t *ret)
{
	char text[64];
	ssize_t n = readlink(path, text, sizeof(text) - 1);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	const char *open = strchr(text, '[');
	if (!open)
		return -EINVAL;
	*ret = strtoul(open + 1, NULL, 10);
	return 0;
}

static int ns_of(pid_t pid, const char *kind, ino_t *ret)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kind);
	return ns_read(path, ret);
}

static struct netns *netns_get(struct search *s, ino_t ino)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->found[i].ino == ino)
			return &s->found[i];
	if (s->n == NETNS_MAX)
		return NULL;
	s->found[s->n] = (struct netns){.ino = ino};
	return &s->found[s->n++];
}

static void see_process(struct search *s, pid_t pid)
{
	ino_t net, pids;
	int err = ns_of(pid, "net", &net);

	if (!err && net == s->own_net)
		return;
	if (!err)
		err = ns_of(pid, "pid", &pids);
	if (err) {
		s->blind |= err == -EACCES || err == -EPERM;
		return;
	}
	if (pids == s->own_pid)
		return;
	struct netns *n = netns_get(s, net);
	if (!n)
		s->blind = true;
	else if (!n->inhabitant)
		n->inhabitant = pid;
}

static int see_processes(struct search *s)
{
	_cleanup_(closedirp) DIR *proc = opendir("/proc");
	const struct dirent *e;

	if (!proc)
		return -errno;
	while ((e = readdir(proc)))
		if (isdigit((unsigned char)e->d_name[0]))
			see_process(s, (pid_t)strtol(e->d_name, NULL, 10));
	return 0;
}

/* Whoever makes a user namespace may write what it likes into the network namespaces under it. */
static bool owned_by_root(int netns)
{
	uid_t owner = (uid_t)-1;
	_cleanup_close_ int users = ioctl(netns, NS_GET_USERNS);

	return users >= 0 && !ioctl(users, NS_GET_OWNER_UID, &owner) && owner == 0;
}

struct visit {
	struct search *search;
	struct addrs addrs;
	int err;
};

/* 1: not a container of this host; else its addresses are added. */
static int visit_one(const struct netns *n, struct addrs *a)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)n->inhabitant);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ESRCH ? 1 : -errno;
	if (fstat(fd, &st))
		return -errno;
	if (st.st_ino != n->ino || !owned_by_root(fd))
		return 1;
	if (setns(fd, CLONE_NEWNET))
		return -errno;
	return addrs_here(a, NETNS_ADDRS_MAX);
}

static void *visit_all(void *arg)
{
	struct visit *v = arg;

	for (unsigned i = 0; i < v->search->n && !v->err; i++) {
		int err = visit_one(&v->search->found[i], &v->addrs);

		if (err == -ENOMEM)
			v->err = err;
		else if (err < 0)
			v->search->missed++;
	}
	return NULL;
}

/* A thread of its own changes namespace; signals stay with those who expect them. */
static int visit_containers(struct visit *v)
{
	sigset_t all, before;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = pthread_create(&thread, NULL, visit_all, v);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return -err;
	pthread_join(thread, NULL);
	return v->err;
}

/* Keeps of the containers' addresses those that this namespace reaches without leaving the machine.
 */
static int keep_reachable(const struct addrs *from, struct addrs *to)
{
	_cleanup_(route_freep) struct route *route = NULL;
	int err = from->n ? route_open(&route) : 0;

	for (size_t i = 0; i < from->n && !err; i++)
		if (addr_is_private(from->v[i].addr) && route_stays(route, from->v[i].addr))
			err = addrs_add(to, from->v[i].addr);
	return err;
}

static int add_containers(struct addrs *own, unsigned *ret_missed)
{
	_cleanup_free_ struct search *s = calloc(1, sizeof(*s));
	struct visit v = {.search = s};

	if (!s)
		return -ENOMEM;
	int err = ns_read("/proc/thread-self/ns/net", &s->own_net);
	if (!err)
		err = ns_read("/proc/thread-self/ns/pid", &s->own_pid);
	if (!err)
		err = see_processes(s);
	if (!err && s->n)
		err = visit_containers(&v);
	if (!err)
		err = keep_reachable(&v.addrs, own);
	addrs_free(&v.addrs);
	if (!err)
		*ret_missed = s->missed + s->blind;
	return err;
}

static int by_addr(const void *a, const void *b)
{
	return memcmp(((const struct cidr *)a)->addr, ((const struct cidr *)b)->addr, 16);
}

static void addrs_unique(struct addrs *a)
{
	size_t kept = 0;

	if (a->n)
		qsort(a->v, a->n, sizeof(*a->v), by_addr);
	for (size_t i = 0; i < a->n; i++)
		if (!kept || by_addr(&a->v[i], &a->v[kept - 1]))
			a->v[kept++] = a->v[i];
	a->n = kept;
}

int classes_local(struct cidr **ret, size_t *ret_n, unsigned *ret_missed)
{
	_cleanup_(addrs_free) struct addrs a = {};
	unsigned missed = 0;
	int own = addrs_here(&a, OWN_ADDRS_MAX);

	if (own && own != -E2BIG)
		return own;
	int others = add_containers(&a, &missed);
	if (others == -ENOMEM)
		return others;
	addrs_unique(&a);
	*ret = a.v;
	*ret_n = a.n;
	*ret_missed = missed + !!own + !!others;
	a.v = NULL;
	return 0;
}
