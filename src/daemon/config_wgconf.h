/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A wg-quick style .conf, as providers hand them out. */
#pragma once

#include <stdbool.h>

/*
 * Calls on_value for each setting that is one of our variables, under that variable's name, and
 * on_note for each fault (it names file and line) and for what is passed over with a warning.
 * Values of keys are given to on_value alone. text is changed.
 */
void wgconf_read(const char *file, char *text,
		 void (*on_value)(void *ctx, const char *variable, const char *value,
				  const char *file, unsigned line),
		 void (*on_note)(void *ctx, bool is_fault, const char *text), void *ctx);
