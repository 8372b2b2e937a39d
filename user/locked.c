/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/locked.h"

#include <openssl/crypto.h>
#include <sys/mman.h>

#define HEAD 64 /* before what the caller gets, and aligned as well */

void *locked_alloc(size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), all;
	char *p;

	if (n > SIZE_MAX / 2)
		return NULL;
	all = (n + HEAD + page - 1) / page * page;
	p = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	/* Each is as much as the system grants: limits, old kernels. */
	if (mlock(p, all) | madvise(p, all, MADV_DONTDUMP) | madvise(p, all, MADV_WIPEONFORK))
		errno = 0;
	*(size_t *)p = all;
	return p + HEAD;
}

void *locked_free(void *p)
{
	char *start = p ? (char *)p - HEAD : NULL;

	if (start) {
		size_t all = *(size_t *)start;

		if (!all) /* a child's copy: the kernel wiped it */
			return NULL;
		wipe(start, all);
		munmap(start, all);
	}
	return NULL;
}

void wipe(void *p, size_t n)
{
	OPENSSL_cleanse(p, n);
}
