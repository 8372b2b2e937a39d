/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/curl_begin.h"

#include <curl/curl.h>
#include <malloc.h>
#include <pthread.h>
#include <string.h>

#include "user/locked.h"

static void free_wiped(void *p)
{
	if (p)
		wipe(p, malloc_usable_size(p));
	free(p);
}

static void *realloc_wiped(void *old, size_t n)
{
	size_t had = old ? malloc_usable_size(old) : 0;
	void *p = n ? malloc(n) : NULL;

	if (n && !p)
		return NULL;
	if (p && had)
		memcpy(p, old, MIN(had, n));
	free_wiped(old);
	return p;
}

static CURLcode result;

static void begin(void)
{
	result = curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, free_wiped, realloc_wiped, strdup, calloc);
}

int curl_begin(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, begin);
	return result ? -ENOMEM : 0;
}
