/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/memory.h"

#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The kernel's own: it is in no file. */
static bool is_vdso(const struct dl_phdr_info *object)
{
	return strncmp(object->dlpi_name, "linux-vdso", strlen("linux-vdso")) == 0;
}

static int let_go(struct dl_phdr_info *object, size_t size, void *ctx)
{
	(void)size;
	const uintptr_t page = *(const uintptr_t *)ctx;
	for (size_t i = 0; i < object->dlpi_phnum && !is_vdso(object); i++) {
		const ElfW(Phdr) *p = &object->dlpi_phdr[i];
		/* What relocation wrote to is in segments that may be written, whatever became of
		 * them afterwards: there these pages are all that there is of it. */
		if (p->p_type != PT_LOAD || (p->p_flags & PF_W))
			continue;
		uintptr_t from = (object->dlpi_addr + p->p_vaddr) & ~(page - 1);
		uintptr_t to = object->dlpi_addr + p->p_vaddr + p->p_memsz;
		/* A refusal leaves them where they are. */
		(void)madvise((void *)from, to - from, MADV_DONTNEED); /* NOLINT: an address */
	}
	return 0;
}

void memory_settle(void)
{
	long page = sysconf(_SC_PAGESIZE);
	uintptr_t mask = page > 0 ? (uintptr_t)page : 4096;
	(void)malloc_trim(0);                 /* whether there was anything */
	(void)dl_iterate_phdr(let_go, &mask); /* never ends early */
}
