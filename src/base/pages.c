/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/pages.h"

#include <sys/mman.h>

void *pages_new(size_t bytes, bool shared)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_ANONYMOUS | (shared ? MAP_SHARED : MAP_PRIVATE), -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

void pages_free(void *p, size_t bytes)
{
	if (p)
		(void)munmap(p, bytes); /* it is ours: it cannot fail */
}
