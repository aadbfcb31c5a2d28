/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/large.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20 };

void *large_alloc(size_t bytes)
{
	if (bytes < HUGE_PAGE || bytes % HUGE_PAGE != 0)
		return malloc(bytes);
	void *p = aligned_alloc(HUGE_PAGE, bytes);
	if (p)
		(void)madvise(p, bytes, MADV_HUGEPAGE); /* a refusal costs time and nothing else */
	return p;
}
