/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys in memory. */
#pragma once

#include <stddef.h>

/*
 * Zeroed memory for keys, in pages of its own: in no core dump, zeros in every child (WIPEONFORK),
 * never swapped out where RLIMIT_MEMLOCK allows it. -ENOMEM; -EINVAL where the kernel cannot (older
 * than 4.14).
 */
int secret_new(size_t size, void **ret_memory);
/* Wipes it first. NULL is fine. */
void secret_free(void *memory, size_t size);

/* Overwrites what the functions that have returned by now left below us on the stack: parsers and
 * Curve25519 keep parts of a key there. */
void secret_wipe_stack(void);

/* No core dumps of this process and of its children, and nobody without CAP_SYS_PTRACE reads its
 * memory. */
int secret_forbid_dumps(void);
