/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What becomes of a corrupt database's files. */
#pragma once

#include "store/store.h"

#include <stdint.h>

/*
 * Renames path, and its log where there is one, to path.corrupt-<seconds> (-<n> where that is
 * taken), and removes the oldest of more than STORE_ASIDE_MAX. ret_moved: the new name. Negative
 * errno of rename(2): path is where it was.
 */
int aside_move(const char *path, uint64_t unix_ms, char ret_moved[static STORE_PATH_MAX]);

/* Removes path and what SQLite keeps beside it, where they are there. */
int aside_remove(const char *path);
