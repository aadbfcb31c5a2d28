/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/secret.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { STACK_BYTES = 96 << 10 };

int secret_new(size_t size, void **ret_memory)
{
	void *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED)
		return -errno;
	if (madvise(m, size, MADV_DONTDUMP) < 0 || madvise(m, size, MADV_WIPEONFORK) < 0) {
		int r = -errno;
		(void)munmap(m, size); /* ours and whole: it cannot fail */
		return r;
	}
	(void)mlock(m, size); /* the limit may be zero: then it is as any memory in this respect */
	*ret_memory = m;
	return 0;
}

void secret_free(void *memory, size_t size)
{
	if (!memory)
		return;
	explicit_bzero(memory, size);
	(void)munmap(memory, size); /* ours and whole: it cannot fail */
}

__attribute__((noinline)) void secret_wipe_stack(void)
{
	uint8_t below[STACK_BYTES];
	explicit_bzero(below, sizeof below);
	/* Zeros that nobody needs, in us and in each child: whole pages of them are given back. */
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uint8_t *from = below + (page - (uintptr_t)below % page) % page;
	(void)madvise(from, (size_t)(below + sizeof below - from) / page * page,
		      MADV_DONTNEED); /* refused, they stay */
}

int secret_forbid_dumps(void)
{
	const struct rlimit none = { 0, 0 };
	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	return 0;
}
