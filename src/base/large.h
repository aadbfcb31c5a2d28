/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>

/*
 * As malloc(3), and free(3) gives it back; where it is large, in pages of 2 MiB if the kernel has
 * some: what is looked at here and there then seldom misses the processor's address cache. For what
 * is going to be used all over. Aligned to 64 bytes at least where it is a multiple of 2 MiB.
 */
void *large_alloc(size_t bytes);
