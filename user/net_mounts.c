/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/net_mounts.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "user/dest/ranges.h"
#include "user/hashmap.h"
#include "user/map_call.h"
#include "user/model.h"

#define PLACES_MAX 4096
#define IDS_FROM (1ULL << 63) /* the kernel's are times */

/* A device number, and what is there. */
struct place {
	uint32_t dev;
	bool remote, asked; /* asked: what is not in our mountinfo was looked for elsewhere, too */
	struct net_server server;
	char *path; /* of what a process serves; NULL: not known */
};

/* What an entry of the kernel's said last; another entry in its place has another beginning. */
struct counted {
	struct edge_key key;
	uint64_t bytes, first_ns;
	struct counted *next; /* of the same passage */
};

/* All that one subject wrote to one device. */
struct passage {
	struct {
		struct subject who;
		uint64_t dev;
	} key;
	struct flow flow;
	struct counted *counted;
	struct passage *next;
};

struct net_mounts {
	struct model *model;
	int devices, watch;
	struct hashmap places, counted, passages;
	struct passage *first;
	uint64_t last_id;
};

/* --- places ------------------------------------------------------------------------- */

static struct place *place_get(struct net_mounts *n, uint32_t dev)
{
	struct place *p = hashmap_find(&n->places, &dev);

	if (p || n->places.used >= PLACES_MAX)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->dev = dev;
	if (hashmap_add(&n->places, p)) {
		free(p);
		return NULL;
	}
	return p;
}

static uint32_t kernel_dev(dev_t dev)
{
	return (uint32_t)(major(dev) << 20 | minor(dev));
}

static bool is_served(const char *fstype)
{
	return !strcmp(fstype, "fuse") || !strncmp(fstype, "fuse.", 5) || !strcmp(fstype, "fuseblk");
}

/* A device number that is used again stands for what is there now. */
static int learn(struct net_mounts *n, const struct mount_point *m)
{
	struct net_server server;
	bool remote = net_server_of(m, &server), serves = is_served(m->fstype);
	uint32_t dev = kernel_dev(m->dev);
	struct place *p = remote || serves ? place_get(n, dev) : hashmap_find(&n->places, &dev);

	if (!p)
		return 0;
	p->asked = true;
	p->remote = remote;
	if (remote)
		p->server = server;
	free(p->path);
	p->path = serves ? strdup(m->path) : NULL;
	return serves && !p->path ? -ENOMEM : 0;
}

int net_mounts_learn(struct net_mounts *n, const struct mount_point *mounts, size_t nmounts)
{
	int err = 0;

	for (size_t i = 0; i < nmounts && !err; i++)
		err = learn(n, &mounts[i]);
	return err;
}

int net_mounts_tick(struct net_mounts *n)
{
	struct mount_point *mounts;
	size_t nmounts;

	if (n->watch < 0) {
		if (mounts_watch_open(&n->watch))
			return 0;
	} else if (!mounts_watch_rearm(n->watch)) {
		return 0;
	}
	int err = mounts_all(&mounts, &nmounts);
	if (err)
		return err == -ENOMEM ? err : 0;
	err = net_mounts_learn(n, mounts, nmounts);
	mounts_free(mounts, nmounts);
	return err;
}

/* In the writer's own mount namespace; else by what the kernel half saw. */
static int ask_elsewhere(struct net_mounts *n, struct place *p, uint32_t pid)
{
	struct mount_point *mounts;
	uint64_t magic = 0;
	size_t nmounts;
	int err = mounts_of_process(pid, &mounts, &nmounts);

	if (err == -ENOMEM)
		return err;
	if (!err) {
		for (size_t i = 0; i < nmounts && !err; i++)
			err = kernel_dev(mounts[i].dev) == p->dev ? learn(n, &mounts[i]) : 0;
		mounts_free(mounts, nmounts);
		if (err)
			return err;
	}
	if (!p->asked && n->devices >= 0 && !map_lookup(n->devices, &p->dev, &magic))
		p->remote = net_server_of_magic(magic, &p->server);
	p->asked = true;
	return 0;
}

static int server_of(struct net_mounts *n, const struct edge_key *key, const struct net_server **ret)
{
	struct place *p = hashmap_find(&n->places, &key->what.dev);
	uint64_t magic;
	int err = 0;

	*ret = NULL;
	/* of a device that is no network file system's the kernel half has no entry */
	if (!p && n->devices >= 0 && !map_lookup(n->devices, &key->what.dev, &magic))
		p = place_get(n, key->what.dev);
	if (p && !p->asked)
		err = ask_elsewhere(n, p, key->who.tgid);
	if (p && p->remote)
		*ret = &p->server;
	return err;
}

const char *net_mounts_path(const struct net_mounts *n, uint32_t dev)
{
	const struct place *p = hashmap_find(&n->places, &dev);

	return p ? p->path : NULL;
}

/* --- bytes -------------------------------------------------------------------------- */

static struct passage *passage_get(struct net_mounts *n, const struct edge_key *key, const struct net_server *server)
{
	struct passage like = {.key = {key->who, key->what.dev}};
	struct passage *p = hashmap_find(&n->passages, &like.key);

	if (p)
		return p;
	p = malloc(sizeof(*p));
	if (!p)
		return NULL;
	*p = like;
	if (hashmap_add(&n->passages, p)) {
		free(p);
		return NULL;
	}
	p->flow = (struct flow){
	    .id = IDS_FROM | ++n->last_id,
	    .who = key->who,
	    .queued_end = UINT64_MAX,
	    .rport = server->port,
	    .family = addr_is_v4(server->addr) ? AF_INET : AF_INET6,
	    .proto = server->proto,
	    .role = ROLE_CONNECT,
	};
	memcpy(p->flow.raddr, server->addr, sizeof(p->flow.raddr));
	p->next = n->first;
	n->first = p;
	return p;
}

static struct counted *counted_get(struct net_mounts *n, struct passage *p, const struct edge_key *key)
{
	struct counted *c = hashmap_find(&n->counted, key);

	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->key = *key;
	if (hashmap_add(&n->counted, c)) {
		free(c);
		return NULL;
	}
	c->next = p->counted;
	p->counted = c;
	return c;
}

int net_mounts_heard(struct net_mounts *n, const struct edge_key *key, const struct edge_val *val)
{
	const struct net_server *server;
	int err;

	if (key->via != VIA_FILE_WRITE && key->via != VIA_SHARED_WRITE)
		return 0;
	err = server_of(n, key, &server);
	if (err || !server)
		return err;
	struct passage *p = passage_get(n, key, server);
	struct counted *c = p ? counted_get(n, p, key) : NULL;
	if (!c)
		return -ENOMEM;
	uint64_t before = c->first_ns == val->first_ns && c->bytes <= val->bytes ? c->bytes : 0;
	struct flow_taint_key taint = {p->flow.id, key->mask};
	struct flow_taint since = {.base_out = p->flow.out, .since_ns = val->first_ns};

	c->first_ns = val->first_ns;
	c->bytes = val->bytes;
	p->flow.out += val->bytes - before;
	p->flow.mask |= key->mask;
	p->flow.last_ns = MAX(p->flow.last_ns, val->last_ns);
	if (!p->flow.start_ns || val->first_ns < p->flow.start_ns)
		p->flow.start_ns = val->first_ns;
	err = model_set_flow(n->model, &p->flow);
	return err && err != -ENOSPC ? err : model_set_flow_taint(n->model, &taint, &since);
}

static void passage_free(struct net_mounts *n, struct passage *p)
{
	for (struct counted *c = p->counted, *next; c; c = next) {
		next = c->next;
		hashmap_remove(&n->counted, &c->key);
		free(c);
	}
	hashmap_remove(&n->passages, &p->key);
	free(p);
}

int net_mounts_ended(struct net_mounts *n, const struct subject *who)
{
	int first_err = 0;

	for (struct passage **at = &n->first; *at;) {
		struct passage *p = *at;

		if (memcmp(&p->key.who, who, sizeof(*who))) {
			at = &p->next;
			continue;
		}
		p->flow.closed = 1;
		int err = model_set_flow(n->model, &p->flow);
		first_err = first_err ? first_err : err;
		*at = p->next;
		passage_free(n, p);
	}
	return first_err;
}

/* --- life --------------------------------------------------------------------------- */

int net_mounts_new(struct model *model, int devices, struct net_mounts **ret)
{
	struct net_mounts *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->model = model;
	n->devices = devices;
	n->watch = -1;
	n->places = HASHMAP_OF(struct place, dev);
	n->counted = HASHMAP_OF(struct counted, key);
	n->passages = HASHMAP_OF(struct passage, key);
	*ret = n;
	return 0;
}

struct net_mounts *net_mounts_free(struct net_mounts *n)
{
	if (!n)
		return NULL;
	while (n->first) {
		struct passage *p = n->first;

		n->first = p->next;
		passage_free(n, p);
	}
	for (size_t i = 0; i < n->places.size; i++) {
		struct place *p = n->places.slots[i].item;

		if (p)
			free(p->path);
		free(p);
	}
	hashmap_free(&n->places);
	hashmap_free(&n->counted);
	hashmap_free(&n->passages);
	if (n->watch >= 0)
		close(n->watch);
	free(n);
	return NULL;
}
