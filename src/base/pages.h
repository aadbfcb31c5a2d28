/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Zeros in pages of their own, that cost nothing until they are touched: for what is large and
 * mostly empty, wherever malloc(3) would find used memory for it. shared: with all processes that
 * are forked from now on. NULL: there is no memory.
 */
void *pages_new(size_t bytes, bool shared);
/* Of this process; the same number of bytes. NULL is allowed. */
void pages_free(void *p, size_t bytes);
