/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What Prometheus reads: the same view that `vbng status` shows, in the text format 0.0.4. */
#pragma once

#include "control/render.h"

#include <stddef.h>

/*
 * Every series is called vbng_… and has the label `instance`; units are seconds and bytes, counters
 * end with _total and begin anew with the server process. *ret_text is the caller's to free.
 * -ENOMEM.
 */
int metrics_render(const struct status_view *v, char **ret_text, size_t *ret_len);
