/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the configuration has us advertise. */
#pragma once

#include "daemon/config.h"
#include "engine/ra.h"

#include <stdint.h>

/*
 * For a link of this MTU: what is announced as the MTU, and how long packets are, is at most that,
 * and IPv6's least at the least. Strings are *c's own, which must outlive *ret_config. Where
 * has_slla is set, slla is yet to be filled in.
 */
void advertisement_of(const struct config *c, uint32_t link_mtu, struct ra_config *ret_config);

enum { ADVERTISEMENT_NOTE_LEN = 32 };
/*
 * Gives the provisioning domain, where there is one and nobody gave it another, the number that
 * belongs to what is advertised: the last one, or where that was for something else the one behind
 * it (RFC 8801 §4.1, RFC 1982). last: the note of the last time, NULL where nothing is known of it;
 * then minutes of the wall clock stand in, which have grown since. *ret_note is for the next time.
 */
void advertisement_number(const struct config *c, const uint8_t *last, struct ra_config *rc,
			  uint8_t ret_note[static ADVERTISEMENT_NOTE_LEN]);
