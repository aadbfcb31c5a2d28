/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* SipHash-2-4: a keyed 64-bit hash that nobody without the key can steer. */
uint64_t siphash24(const uint8_t key[static 16], const void *data, size_t len);
