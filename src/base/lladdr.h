/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ethernet addresses as text: 02:00:5e:00:00:01. */
#pragma once

#include <stdint.h>

enum { LLADDR_STRLEN = 18 };

/* Returns buf. */
const char *lladdr_format(const uint8_t lladdr[static 6], char buf[static LLADDR_STRLEN]);
