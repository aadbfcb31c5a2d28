/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/memory.h"

#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SEGMENTS_MAX = 8 /* that are not written to; linkers make three */ };

/* The kernel's own: it is in no file. */
static bool is_vdso(const struct dl_phdr_info *object)
{
	return strncmp(object->dlpi_name, "linux-vdso", strlen("linux-vdso")) == 0;
}

static int let_go(struct dl_phdr_info *object, size_t size, void *ctx)
{
	(void)size;
	const uintptr_t page = *(const uintptr_t *)ctx;
	uintptr_t from[SEGMENTS_MAX], to[SEGMENTS_MAX];
	size_t n = 0;
	/* The list of its segments stands in the first of them: whoever looked at it once more
	 * would have that back, and what is around it. */
	for (size_t i = 0; i < object->dlpi_phnum && n < SEGMENTS_MAX && !is_vdso(object); i++) {
		const ElfW(Phdr) *p = &object->dlpi_phdr[i];
		/* What relocation wrote to is in segments that may be written, whatever became of
		 * them afterwards: there these pages are all that there is of it. */
		if (p->p_type != PT_LOAD || (p->p_flags & PF_W))
			continue;
		from[n] = (object->dlpi_addr + p->p_vaddr) & ~(page - 1);
		to[n++] = object->dlpi_addr + p->p_vaddr + p->p_memsz;
	}
	/* A refusal leaves them where they are. */
	for (size_t i = 0; i < n; i++)
		(void)madvise((void *)from[i], to[i] - from[i], /* NOLINT: an address */
			      MADV_DONTNEED);
	return 0;
}

void memory_settle(void)
{
	long page = sysconf(_SC_PAGESIZE);
	uintptr_t mask = page > 0 ? (uintptr_t)page : 4096;
	(void)malloc_trim(0);                 /* whether there was anything */
	(void)dl_iterate_phdr(let_go, &mask); /* never ends early */
}
