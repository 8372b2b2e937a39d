/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/turns.h"

#include <signal.h>

#include "user/thread.h"

#define POKED_NS NSEC
#define LONGEST_NS (86400 * NSEC)
#define STOP_S 2

static struct timespec at(uint64_t boot_ns)
{
	uint64_t now = now_boot_ns();

	return time_in(MIN(boot_ns > now ? boot_ns - now : 0, LONGEST_NS));
}

/* False: it is time to make an end. */
static bool wait_turn(struct turns *t, uint64_t pause_ns)
{
	uint64_t now = now_boot_ns(), due = pause_ns > UINT64_MAX - now ? UINT64_MAX : now + pause_ns;

	pthread_mutex_lock(&t->lock);
	while (!t->ended && now_boot_ns() < due) {
		if (t->poked)
			due = MIN(due, now_boot_ns() + POKED_NS);
		t->poked = false;
		struct timespec until = at(due);

		pthread_cond_timedwait(&t->wake, &t->lock, &until);
	}
	bool ended = t->ended;
	pthread_mutex_unlock(&t->lock);
	return !ended;
}

static void *keep_turning(void *arg)
{
	struct turns *t = arg;

	while (wait_turn(t, t->turn(t->arg)))
		;
	return NULL;
}

static int init_wake(struct turns *t)
{
	pthread_condattr_t a;
	int err = pthread_condattr_init(&a);

	if (err)
		return -err;
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	err = pthread_cond_init(&t->wake, &a);
	pthread_condattr_destroy(&a);
	return -err;
}

/* Signals are for the loop, which may not block them yet. */
static int start_thread(struct turns *t)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = pthread_create(&t->thread, NULL, keep_turning, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

int turns_start(struct turns *t, uint64_t (*turn)(void *arg), void *arg)
{
	*t = (struct turns){.turn = turn, .arg = arg};
	int err = init_wake(t);

	if (err)
		return err;
	pthread_mutex_init(&t->lock, NULL);
	err = start_thread(t);
	if (err) {
		pthread_cond_destroy(&t->wake);
		pthread_mutex_destroy(&t->lock);
	}
	return err;
}

bool turns_stop(struct turns *t)
{
	pthread_mutex_lock(&t->lock);
	t->ended = true;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
	if (!thread_joined(t->thread, STOP_S * NSEC)) {
		pthread_detach(t->thread);
		return false;
	}
	pthread_cond_destroy(&t->wake);
	pthread_mutex_destroy(&t->lock);
	return true;
}

bool turns_ended(struct turns *t)
{
	pthread_mutex_lock(&t->lock);
	bool ended = t->ended;
	pthread_mutex_unlock(&t->lock);
	return ended;
}

void turns_poke(struct turns *t)
{
	pthread_mutex_lock(&t->lock);
	t->poked = true;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
}
