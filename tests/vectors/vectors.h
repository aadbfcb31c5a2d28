/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets kept as text: hex pairs, spaces as one likes, and a comment from '#' to the end of the
 * line. Read by the unit tests, and by the replay of the fuzz targets.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

static inline int vector_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* The packet's length, or -1 where the file can't be read, is no vector, or is longer than size. */
static inline long vector_load(const char *path, uint8_t *buf, size_t size)
{
	FILE *f = fopen(path, "re");
	size_t n = 0;
	int high = -1;
	bool good = f != NULL;
	bool comment = false;
	for (int c; good && (c = fgetc(f)) != EOF;) {
		if (c == '\n') {
			comment = false;
			continue;
		}
		if (c == '#')
			comment = true;
		if (comment || c == ' ' || c == '\t')
			continue;
		int digit = vector_digit(c);
		good = digit >= 0 && n < size;
		if (good && high >= 0)
			buf[n++] = (uint8_t)(high << 4 | digit);
		high = high >= 0 ? -1 : digit;
	}
	if (f)
		(void)fclose(f); /* it was only read */
	return good && high < 0 ? (long)n : -1;
}
