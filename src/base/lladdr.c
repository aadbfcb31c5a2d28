/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/lladdr.h"

#include <stdio.h>

const char *lladdr_format(const uint8_t lladdr[static 6], char buf[static LLADDR_STRLEN])
{
	(void)snprintf(buf, LLADDR_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x", lladdr[0], lladdr[1],
		       lladdr[2], lladdr[3], lladdr[4], lladdr[5]); /* fits */
	return buf;
}
