/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transactions with the kernel's nf_tables, for host/nft*.c alone: messages about one table are put
 * one behind the other and sent as a batch, which the kernel carries out as a whole or not at all.
 */
#pragma once

#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NFT_MESSAGE_BYTES = 128, /* a message without elements, at most */
};

/* One batch in the making. What a caller puts must fit: it knows its messages. */
struct nft_txn {
	uint8_t *bytes; /* aligned as a struct nlmsghdr, and zero where nothing was written yet */
	size_t len;
	size_t messages;
	uint32_t first_seq; /* of the batch's beginning */
	uint32_t seq;       /* of the latest message */
	struct nlmsghdr *latest;
};

/* A socket of the namespace that we are in. socket(2)'s and bind(2)'s errors. */
int nft_socket(int *ret_fd);

/* seq: of the latest message that was sent on the socket before. */
struct nft_txn nft_txn_begin(uint8_t *bytes, uint32_t seq);
/* A message (NFT_MSG_…) about this table of family inet; attributes may follow before
 * nft_txn_end(). The first is the table's name, as all of them have it. */
struct nlmsghdr *nft_txn_message(struct nft_txn *t, int type, int flags, const char *table);
void nft_txn_end(struct nft_txn *t, struct nlmsghdr *h);
/*
 * Sends it and waits for the kernel's word. 0, or what the first refused message was refused for;
 * -ETIMEDOUT after 5 s. t->seq is what the next one begins with.
 */
int nft_txn_commit(int fd, struct nft_txn *t);
