/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * SQLite's memory, for the one thread that we have: what it gives back it is given again, so that
 * in the steady state it asks the C library for nothing. (Debian builds it without its own means
 * for that, "lookaside": each row that is written was two allocations.) Before the first database
 * is opened; later calls change nothing.
 */
void heap_install(void);
