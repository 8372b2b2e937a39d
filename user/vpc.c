/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/vpc.h"

#include <string.h>
#include <sys/eventfd.h>

#include "user/turns.h"

#define AGAIN_NS (300 * NSEC)	    /* while all is well */
#define AGAIN_FAILED_NS (30 * NSEC) /* while it is not, on a machine that should have it */

struct vpc {
	struct imds *imds;
	struct turns turns;
	pthread_mutex_t lock;
	struct vpc_news news;
	int fd;
};

void vpc_news_done(struct vpc_news *n)
{
	imds_facts_done(&n->facts);
	*n = (struct vpc_news){0};
}

/* Takes over the facts. */
static void take(struct vpc *v, enum imds_state state, struct imds_facts *facts)
{
	pthread_mutex_lock(&v->lock);
	v->news.state = state;
	if (state == IMDS_OK) {
		imds_facts_done(&v->news.facts);
		v->news.facts = *facts;
		v->news.told_ns = now_boot_ns();
	}
	pthread_mutex_unlock(&v->lock);
	if (eventfd_write(v->fd, 1))
		return; /* it is readable already */
}

static uint64_t pause_after(enum imds_state s)
{
	switch (s) {
	case IMDS_OK:
		return AGAIN_NS;
	case IMDS_OFF:
	case IMDS_NOT_EC2:
		return TURNS_NEVER; /* until an interface changes */
	default:
		return AGAIN_FAILED_NS;
	}
}

static uint64_t turn(void *arg)
{
	struct vpc *v = arg;
	struct imds_facts facts = {0};
	enum imds_state s = imds_ask(v->imds, &facts);

	take(v, s, &facts);
	return pause_after(s);
}

static struct vpc *dispose(struct vpc *v)
{
	imds_close(v->imds);
	vpc_news_done(&v->news);
	if (v->fd >= 0)
		close(v->fd);
	free(v);
	return NULL;
}

int vpc_start(struct vpc **ret)
{
	struct vpc *v = calloc(1, sizeof(*v));
	int err = v ? imds_open(&v->imds) : -ENOMEM;

	if (!v)
		return err;
	v->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!err && v->fd < 0)
		err = -errno;
	if (!err) {
		pthread_mutex_init(&v->lock, NULL);
		err = turns_start(&v->turns, turn, v);
	}
	if (err) {
		dispose(v);
		return err;
	}
	*ret = v;
	return 0;
}

struct vpc *vpc_stop(struct vpc *v)
{
	if (!v)
		return NULL;
	imds_abort(v->imds);
	if (!turns_stop(&v->turns))
		return NULL; /* it uses all of it */
	pthread_mutex_destroy(&v->lock);
	return dispose(v);
}

int vpc_fd(const struct vpc *v)
{
	return v->fd;
}

int vpc_look(struct vpc *v, struct vpc_news *ret)
{
	struct vpc_news n;
	eventfd_t times;
	int err = 0;

	if (eventfd_read(v->fd, &times))
		times = 0; /* nothing new: what is known is given all the same */
	pthread_mutex_lock(&v->lock);
	n = v->news;
	n.facts.blocks = calloc(n.facts.nblocks + 1, sizeof(*n.facts.blocks));
	if (n.facts.blocks && n.facts.nblocks)
		memcpy(n.facts.blocks, v->news.facts.blocks, n.facts.nblocks * sizeof(*n.facts.blocks));
	pthread_mutex_unlock(&v->lock);
	if (!n.facts.blocks)
		err = -ENOMEM;
	if (!err)
		*ret = n;
	return err;
}

void vpc_poke(struct vpc *v)
{
	if (v)
		turns_poke(&v->turns);
}
