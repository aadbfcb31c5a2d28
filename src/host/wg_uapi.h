/* SPDX-License-Identifier: GPL-2.0-or-later */
/* WireGuard's cross-platform configuration protocol over a Unix socket, as wireguard-go speaks it.
 * Used by host/wireguard alone. */
#pragma once

#include "host/wireguard.h"

/* A link name that nothing else has, of a random number: "vbng" and eight digits. */
uint32_t wg_born_number(void);
void wg_born_name(uint32_t number, char ret_name[static IFNAMSIZ]);

/* -ENOENT, -ECONNREFUSED: nobody there; -EPROTO: an answer that is none; else what the other side
 * answered. Without `all` the peer alone is set. */
int wg_uapi_configure(const char *born_name, const struct wg_settings *s, bool all);
int wg_uapi_state(const char *born_name, struct wg_state *ret_state);

/*
 * What such an answer says, up to its empty line: of a request that sets, and of one that asks. 0;
 * -EPROTO: it is none, or a value is none; else what the other side says of itself (its errno,
 * below 0). *ret_state is untouched then. text is changed; it may hold the private key.
 */
int wg_uapi_read_answer(const char *text);
int wg_uapi_read_state(char *text, struct wg_state *ret_state);
