/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What init reads of the server, which reads what subscribers send and may be anybody's by now: so
 * many messages at once, so many a second, and nothing that is no message. The rest waits in the
 * socket until that is full, and then the server waits.
 */
#pragma once

#include "daemon/message.h"
#include "host/loop.h"

#include <stdbool.h>

enum {
	INBOX_AT_ONCE = 16, /* then the loop has its turn */
	INBOX_PER_S = 50,
	INBOX_BURST = 100,
	INBOX_PAUSE_MS = 100, /* unread, once that many have come */
};

struct inbox_calls {
	void *ctx;
	/* False: it should not have said that. Must not free the inbox. */
	bool (*on_message)(void *ctx, const struct message *m);
	/* It said that, or what is no message; nothing more is read of it. Likewise. */
	void (*on_wrong)(void *ctx);
};

struct inbox;

/* fd stays the caller's, and open as long as this is there. -ENOMEM. */
int inbox_new(struct loop *loop, int fd, const struct inbox_calls *calls, struct inbox **ret_inbox);
void inbox_free(struct inbox *in); /* NULL is allowed */

/* What waits there now, within these bounds: for one whose sender has just ended. NULL is allowed.
 */
void inbox_read(struct inbox *in);
/* Nothing more comes: the other end is closed, or nothing more is read of it. True for NULL. */
bool inbox_is_over(const struct inbox *in);
