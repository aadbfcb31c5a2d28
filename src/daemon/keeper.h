/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps the bindings on the disk, whatever becomes of the disk: where the store cannot be opened,
 * read or written, that is told (log, status, metrics), the server goes on from memory, and all is
 * written anew when it works again. Nothing here fails a caller because of the store.
 */
#pragma once

#include "engine/batch.h"
#include "engine/dhcp6_server.h"
#include "host/loop.h"
#include "store/store.h"
#include "wire/duid.h"

#include <stdbool.h>
#include <stdint.h>

struct keeper;

/* state_dir outlives it. on_loaded(ctx): bindings came from a store that could not be read at the
 * start. -ENOMEM, or timerfd_create(2)'s errors. */
int keeper_new(struct loop *loop, const char *state_dir, void (*on_loaded)(void *ctx), void *ctx,
	       struct keeper **ret_keeper);
/* Where the file is gone, or was behind, all is written anew before. NULL is allowed. */
void keeper_free(struct keeper *k);

/* First of all; then what is kept beside the bindings can be asked for. sound: as store_open(). */
void keeper_open(struct keeper *k, bool sound);

/* The one that is kept, else fresh, which is kept from now on. */
void keeper_duid(struct keeper *k, const struct duid *fresh, struct duid *ret_duid);
/* Out of which reconfigure keys are made. A new one where none is kept: clients learn their keys
 * anew with their next answer. -EAGAIN: the kernel has no random bytes. */
int keeper_secret(struct keeper *k, uint8_t ret_secret[static STORE_NOTE_LEN]);
/* What makes replay values (RFC 9915 §20.3) larger than those of all earlier runs, however the wall
 * clock was set since, once the monotonic now_ms is added. */
uint64_t keeper_replay_base(struct keeper *k, uint64_t now_ms);
/* Of what clients were told last. False: nothing is known of it. */
bool keeper_digest(struct keeper *k, uint8_t ret_digest[static STORE_NOTE_LEN]);
void keeper_put_digest(struct keeper *k, const uint8_t digest[static STORE_NOTE_LEN]);
/* The same of what was advertised last (advertisement_number()). */
bool keeper_advertised(struct keeper *k, uint8_t ret_note[static STORE_NOTE_LEN]);
void keeper_put_advertised(struct keeper *k, const uint8_t note[static STORE_NOTE_LEN]);

/*
 * Loads what is held into dhcp6, which is kept from now on and outlives the keeper's use of it.
 * -EUCLEAN: what was taken for sound is damaged. There is more to be had of it than has been loaded
 * now, by a process that checks it when it opens it.
 */
int keeper_load(struct keeper *k, struct dhcp6_server *dhcp6);

/* On the disk when it returns, or told that it is not. */
void keeper_commit(struct keeper *k, const struct batch *b, uint64_t now_ms);
/*
 * What is kept beside the bindings is written with the first commit, else a moment later, else by
 * keeper_free(). On the disk when this returns, or told that it is not: before something is said
 * that must stay true and that no commit goes before, as a RECONFIGURE.
 */
void keeper_settle(struct keeper *k);
/* What commits put off: after each one, once its answers have left (store_tidy()). */
void keeper_tidy(struct keeper *k);

const char *keeper_path(const struct keeper *k);
const char *keeper_fault(const struct keeper *k); /* NULL: it works */
