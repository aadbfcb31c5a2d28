/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/batch.h"

#include <errno.h>
#include <stdlib.h>

int batch_new(struct batch **ret_batch)
{
	struct batch *b = malloc(sizeof *b);
	if (!b)
		return -ENOMEM;
	batch_reset(b);
	*ret_batch = b;
	return 0;
}

void batch_free(struct batch *b)
{
	free(b);
}

void batch_reset(struct batch *b)
{
	b->n_changes = b->n_routes = b->n_answers = b->arena_used = b->details_used = 0;
}

bool batch_full(const struct batch *b)
{
	return b->n_answers == BATCH_MESSAGES || b->arena_used + BATCH_ANSWER_MAX > BATCH_ARENA ||
	       b->n_changes + BATCH_PER_MESSAGE > BATCH_CHANGES ||
	       b->n_routes + BATCH_PER_MESSAGE > BATCH_CHANGES;
}
