/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The children of init that come and go after its boot: dnsmasq, wireguard-go, and who asks for the
 * endpoint's name. Init itself can start none of them, for it has given up what that takes: it has
 * two spawners (host/spawner.h), one in each network namespace, which know these and no others, and
 * make up their command lines themselves. Each of the two exists where it can be needed.
 */
#pragma once

#include "daemon/config.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct children;

struct children_params {
	const struct config *config;
	int host_ns;               /* -1: there is none */
	void (*forget)(void *ctx); /* in a spawner: the secrets that a fork does not wipe */
	/* A child is wanted, and there is nobody any more who could start it. Told once; whoever
	 * wanted it has -EPIPE. */
	void (*lost)(void *ctx);
	void *ctx;
};

/* To be called while all privileges are there. What p points to must outlive it. -ENOMEM, fork(2)'s
 * errors. */
int children_new(const struct children_params *p, struct children **ret_children);
/* The spawners end; whom they started is left alone. Also for a forked child. NULL is allowed. */
void children_free(struct children *ch);
/* A process ended. True: it was a spawner, and that was logged. NULL is allowed. */
bool children_ended(struct children *ch, pid_t pid, int status);

/* Whose dnsmasq is; 0: ours. */
uid_t children_dnsmasq_uid(const struct children *ch);
/* These have spawner_ask()'s errors and child_spawn()'s. words: its descriptors 1 and 2. */
int children_start_dnsmasq(struct children *ch, int words, pid_t *ret_pid);
/* The one that was started last is told to end; or is killed, with all of its own children. */
int children_end_dnsmasq(struct children *ch);
int children_kill_dnsmasq(struct children *ch);

/* For wg_userspace_start(); ctx is the struct children. */
int children_start_wireguard_go(void *ctx, uint32_t number, pid_t *ret_pid);

/* Asks for WIREGUARD_ENDPOINT's name. *ret_fd, the caller's to close, becomes readable with the
 * answer: resolver_read(). */
int children_resolve(struct children *ch, pid_t *ret_pid, int *ret_fd);
