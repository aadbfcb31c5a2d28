/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that the packet filter's rules report (nfnetlink_log): `log group N` in nft. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { NFLOG_PREFIX_MAX = 16, NFLOG_LLADDR_MAX = 8, NFLOG_ROUND = 64 };

struct nflog_packet {
	char prefix[NFLOG_PREFIX_MAX]; /* what the rule calls it */
	uint8_t lladdr_len;            /* the frame's source; 0: unknown */
	uint8_t lladdr[NFLOG_LLADDR_MAX];
	const uint8_t *bytes; /* from the network header on, as many as were asked for */
	size_t len;
};

/*
 * Subscribes to the first group of this network namespace that nobody has, and to copy_bytes of
 * each packet. The kernel holds the group as long as the descriptor is open, in whatever process;
 * it is nonblocking. -EPERM: none is left, or we may not; -EOPNOTSUPP: the kernel cannot;
 * -ETIMEDOUT; socket(2)'s.
 */
int nflog_open(uint32_t copy_bytes, uint16_t *ret_group, int *ret_fd);
/* Calls fn for each packet that waits, NFLOG_ROUND datagrams at most. What did not fit the socket
 * is lost, for it is no more than a report. */
void nflog_receive(int fd, void (*fn)(void *ctx, const struct nflog_packet *p), void *ctx);
