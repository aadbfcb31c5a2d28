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
