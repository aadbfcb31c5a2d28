/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Claims: what a process says that it has, readable by all who can look into the same network
 * namespace. Each is the name of an abstract unix socket that nobody can connect to. The kernel
 * takes it away with the last descriptor, however the holder ends.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { CLAIM_TEXT_MAX = 104 }; /* with its NUL */

/*
 * Holds texts[0..n) in the namespace (-1: our own); ret_fds[i] is the caller's, CLOEXEC.
 * -EADDRINUSE: one of them is held by somebody; -ENAMETOOLONG: it is no shorter than
 * CLAIM_TEXT_MAX; -EPERM without CAP_SYS_ADMIN in another namespace; -ENOTRECOVERABLE as
 * netns_call(). On failure nothing is held.
 */
int claim_hold(int ns, const char (*texts)[CLAIM_TEXT_MAX], size_t n, int *ret_fds);

/*
 * Calls fn for every claim in the namespace that begins with `begin`, our own ones too. Those of
 * other users than root and us are left out: they could be made by anybody. -ENOENT: the kernel
 * does not tell of unix sockets (it has no unix_diag).
 */
int claim_list(int ns, const char *begin, void (*fn)(void *ctx, const char *text), void *ctx);
