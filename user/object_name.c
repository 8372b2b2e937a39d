/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/object_name.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "user/hashmap.h"
#include "user/map_call.h"
#include "user/object_file.h"

#define KNOWN_MAX (4 * SL_OBJECTS_MAX)
#define FRESH_PER_TICK 2048
#define CHECKED_PER_TICK 1024
#define LOOK_NS (NSEC / 20) /* and no longer than this per tick, for each of the two */
#define CHECK_NS (10 * NSEC)
#define TRIES 3 /* how often a new file is looked for before it waits as long as others */

struct known {
	struct object what;
	struct object_handle handle;
	struct known *next; /* of its queue */
	uint64_t checked_ns;
	struct object_user user; /* who last wrote to it */
	unsigned tries;
	bool fifo, told; /* told: to the model */
	bool vanished;	 /* says the kernel half */
};

struct queue {
	struct known *first, *last;
};

struct object_names {
	struct engine *engine;
	struct model *model;
	struct hashmap known;
	struct queue fresh, old; /* each is in one of them */
	uint32_t pipe_dev;	 /* where pipes without a name live */
	uint32_t socket_dev;	 /* and sockets */
	struct object *gone;	 /* found in this tick, room for all that can be */
	size_t ngone;
};

static void put(struct queue *q, struct known *k)
{
	k->next = NULL;
	*(q->last ? &q->last->next : &q->first) = k;
	q->last = k;
}

static struct known *take(struct queue *q)
{
	struct known *k = q->first;

	if (k) {
		q->first = k->next;
		q->last = q->first ? q->last : NULL;
	}
	return k;
}

static struct known *note(struct object_names *n, const struct object *what)
{
	struct known *k = hashmap_find(&n->known, what);

	if (k)
		return k;
	k = n->known.used < KNOWN_MAX ? calloc(1, sizeof(*k)) : NULL;
	if (!k)
		return NULL;
	k->what = *what;
	if (hashmap_add(&n->known, k)) {
		free(k);
		return NULL;
	}
	put(&n->fresh, k);
	return k;
}

void object_names_heard(struct object_names *n, const struct edge_key *key)
{
	bool writes = key->via == VIA_FILE_WRITE || key->via == VIA_DUMP || key->via == VIA_SHARED_WRITE;
	struct known *k;

	if ((!writes && key->via != VIA_FILE_READ) || key->what.dev == n->pipe_dev)
		return;
	k = note(n, &key->what);
	if (k && writes)
		k->user.pid = key->who.tgid;
	if (k)
		k->user.closed = false;
}

int object_names_adopted(struct object_names *n, const struct object *what, const struct object_handle *handle)
{
	struct known *k;

	/* what has no inode of its own, or no name, is told by the kernel half or by descriptors to be gone */
	if (what->dev == n->pipe_dev || what->dev == SL_DEV_MSGQUEUE)
		return 0;
	k = note(n, what);
	if (!k)
		return -ENOSPC;
	k->handle = *handle;
	return 0;
}

void object_names_handle(const struct object_names *n, const struct object *what, struct object_handle *ret)
{
	const struct known *k = hashmap_find(&n->known, what);

	*ret = k ? k->handle : (struct object_handle){0};
}

/* A terminal's or a FUSE connection's, which lives no longer than what is open of it. */
static bool is_end(const struct object *what)
{
	return what->ino & SL_NO_INODE && what->gen & SL_GEN_TTY;
}

bool object_names_pipe(const struct object_names *n, const struct object *what)
{
	return what->dev == n->pipe_dev;
}

void object_names_gone(struct object_names *n, const struct object *what)
{
	struct known *k = note(n, what);

	if (k)
		k->vanished = true;
}

bool object_names_keeps(struct object_names *n, const struct object *what)
{
	/* of what has no inode nothing tells that it is gone */
	if (what->dev == SL_DEV_POOL || what->dev == SL_DEV_MSGQUEUE)
		return true;
	if (is_end(what) || (what->dev & ~SL_DEV_FLAGS) == n->socket_dev)
		return false;
	struct known *k = what->dev == n->pipe_dev ? NULL : note(n, what);

	if (k)
		k->user.closed = true;
	/* one that there is no room to note is not forgotten either */
	return what->dev != n->pipe_dev && !(k && k->fifo);
}

/* --- looking ----------------------------------------------------------------------- */

static void check(struct object_names *n, struct object_look *look, struct known *k,
		  uint64_t now_ns)
{
	struct object_place place = {0};
	int err = k->vanished ? -ESTALE : object_look_up(look, &k->what, &k->user, &k->handle, &place);

	k->checked_ns = now_ns;
	k->tries++;
	if (err == -ESTALE) {
		n->gone[n->ngone++] = k->what;
		return;
	}
	k->fifo = !err && place.fifo;
	/* what cannot be found counts as readable by others */
	if (!err || err == -ENOENT || k->tries >= TRIES)
		k->told = !model_name_object(n->model, &k->what, place.path,
					     err == -ENOENT || place.confined);
	object_place_done(&place);
	put(k->told || k->fifo || k->tries >= TRIES ? &n->old : &n->fresh, k);
}

static void check_some(struct object_names *n, struct object_look *look, uint64_t now_ns)
{
	struct known *last = n->fresh.last;
	uint64_t until = now_boot_ns() + LOOK_NS;

	for (unsigned i = 0; i < FRESH_PER_TICK && n->fresh.first && now_boot_ns() < until; i++) {
		struct known *k = take(&n->fresh);

		check(n, look, k, now_ns);
		if (k == last)
			break;
	}
	until = now_boot_ns() + LOOK_NS;
	for (unsigned i = 0; i < CHECKED_PER_TICK && n->old.first && now_boot_ns() < until; i++) {
		if (n->old.first->checked_ns + CHECK_NS > now_ns)
			break;
		check(n, look, take(&n->old), now_ns);
	}
}

/* --- forgetting -------------------------------------------------------------------- */

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct object));
}

struct gone {
	struct engine *engine;
	struct model *model;
	const struct object *v; /* in order */
	size_t n;
};

/* The kernel's edges of what is gone are final, also those of subjects that live on. */
static int settle_edge(void *arg, const void *record)
{
	const struct gone *g = arg;
	struct edge_key key;
	struct edge_val val;

	memcpy(&key, record, sizeof(key));
	memcpy(&val, (const char *)record + sizeof(key), sizeof(val));
	if (key.via == VIA_PEEK ||
	    !bsearch(&key.what, g->v, g->n, sizeof(key.what), by_bytes))
		return 0;
	int err = model_set_edge(g->model, &key, &val);
	if (!err)
		err = model_settle_edge(g->model, &key);
	if (err && err != -ENOSPC)
		return err;
	map_delete(engine_map_fd(g->engine, MAP_EDGES), &key);
	return 0;
}

int objects_gone(struct engine *engine, struct model *model, struct object *v, size_t n)
{
	struct gone g = {engine, model, v, n};
	int err;

	if (!n)
		return 0;
	qsort(v, n, sizeof(*v), by_bytes);
	engine_dump_since(engine, 0);
	err = engine_iterate(engine, ITER_EDGES, sizeof(struct edge_key) + sizeof(struct edge_val), settle_edge, &g);
	for (size_t i = 0; i < n && !err; i++) {
		map_delete(engine_map_fd(engine, MAP_OBJECTS), &v[i]);
		model_forget_object(model, &v[i]);
	}
	return err;
}

static int forget_gone(struct object_names *n)
{
	int err = objects_gone(n->engine, n->model, n->gone, n->ngone);

	for (size_t i = 0; i < n->ngone; i++)
		free(hashmap_remove(&n->known, &n->gone[i]));
	n->ngone = 0;
	return err;
}

static int identify(void *arg, int fd, struct file_identity *ret)
{
	return engine_identify(arg, fd, ret);
}

int object_names_tick(struct object_names *n, uint64_t now_ns)
{
	_cleanup_(object_look_endp) struct object_look *look = NULL;
	bool due = n->old.first && n->old.first->checked_ns + CHECK_NS <= now_ns;

	if (!n->fresh.first && !due)
		return 0;
	int err = object_look_begin(identify, n->engine, &look);
	if (err)
		return err == -ENOMEM
			   ? err
			   : 0; /* without mountinfo nothing is named, and nothing forgotten */
	check_some(n, look, now_ns);
	return forget_gone(n);
}

/* --- life -------------------------------------------------------------------------- */

static int find_socket_dev(struct object_names *n)
{
	struct file_identity id;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	err = engine_identify(n->engine, fd, &id);
	close(fd);
	if (!err)
		n->socket_dev = id.obj.dev;
	return err;
}

static int find_pipe_dev(struct object_names *n)
{
	struct file_identity id;
	int fds[2], err;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	err = engine_identify(n->engine, fds[0], &id);
	close(fds[0]);
	close(fds[1]);
	if (!err)
		n->pipe_dev = id.obj.dev;
	return err;
}

int object_names_new(struct engine *engine, struct model *model, struct object_names **ret)
{
	struct object_names *n = calloc(1, sizeof(*n));
	int err = n ? 0 : -ENOMEM;

	if (err)
		return err;
	n->engine = engine;
	n->model = model;
	n->known = HASHMAP_OF(struct known, what);
	n->gone = calloc(FRESH_PER_TICK + CHECKED_PER_TICK, sizeof(*n->gone));
	err = n->gone ? find_pipe_dev(n) : -ENOMEM;
	if (!err)
		err = find_socket_dev(n);
	if (err) {
		object_names_free(n);
		return err;
	}
	*ret = n;
	return 0;
}

struct object_names *object_names_free(struct object_names *n)
{
	if (!n)
		return NULL;
	for (size_t i = 0; i < n->known.size; i++)
		free(n->known.slots[i].item);
	hashmap_free(&n->known);
	free(n->gone);
	free(n);
	return NULL;
}
