/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPv4 over IPv6 for CPEs as text (RFC 7598), items with blanks between:
 *	MAP-E	br=ADDRESS... rule=RULE...
 *	MAP-T	dmr=PREFIX rule=RULE...
 *	lw4o6	br=ADDRESS... [bind=IPV4,PREFIX[,PORTS]]
 * where RULE is PREFIX,IPV4/LENGTH,ea=BITS[,fmr][,PORTS] and PORTS is any of psid-offset=BITS,
 * psid-len=BITS and psid=NUMBER.
 */
#pragma once

#include "base/buf.h"
#include "daemon/config_values.h"

enum s46_kind { S46_MAPE, S46_MAPT, S46_LW4O6 };

/* Writes what stands within the container; overflow is w's. 0 or -EINVAL. */
int s46_put(enum s46_kind kind, const char *text, struct wr *w, struct why *why);
