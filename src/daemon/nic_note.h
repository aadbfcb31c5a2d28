/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * STATE_DIR/nic as text: what the NIC was like before it was taken, for a start after a crash. A
 * JSON object of one line, which a person may have edited meanwhile.
 */
#pragma once

#include "daemon/nic.h"
#include "host/sysctl.h"

#include <stddef.h>

enum { NIC_NOTE_MAX = 48 << 10 }; /* bytes; what is longer is none of ours */

struct nic_note {
	char name[IFNAMSIZ];         /* on the host */
	char boot[SYSCTL_VALUE_MAX]; /* the boot of the host whose clock the instants are of */
	uint8_t lladdr_len;          /* 0: it has none */
	uint8_t lladdr[8];
	bool up;
	int addr_gen_mode; /* as in struct link_info */
	size_t n_addrs;
	struct link_addr addrs[NIC_MAX_ADDRS];
};

/*
 * The text in *ret_text, to be freed by the caller. A label that is no UTF-8 is left out, for an
 * address is the same without. -EILSEQ: the name is no UTF-8; -ENOMEM.
 */
int nic_note_format(const struct nic_note *n, char **ret_text);

/*
 * What is not there is as it is by default: no addresses, down, addr_gen_mode -1, zeros. 0, or
 * -EBADMSG: something has no meaning, and nothing of it is taken, because half of a NIC's addresses
 * is not what it had. More than NIC_MAX_ADDRS addresses have none either.
 */
int nic_note_parse(const char *text, size_t len, struct nic_note *ret_note);
