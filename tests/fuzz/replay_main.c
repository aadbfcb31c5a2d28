/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands in for libFuzzer where the compiler has none: gives every file of the folders (or the
 * files) named on the command line to the target, so that what fuzzing once found stays found.
 * Files that end in .hex are vectors (tests/vectors). Each input is given in a block of exactly its
 * size, for a sanitizer to see its end.
 */
#include "fuzz/fuzz.h"
#include "vectors/vectors.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { INPUT_MAX = 1 << 20, PATH_LEN = 4096 };

static unsigned replayed;

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text);
	size_t m = strlen(end);
	return n >= m && strcmp(text + n - m, end) == 0;
}

static long load_binary(const char *path, uint8_t *buf, size_t size)
{
	FILE *f = fopen(path, "re");
	if (!f)
		return -1;
	size_t n = fread(buf, 1, size, f);
	bool good = !ferror(f) && feof(f);
	(void)fclose(f); /* it was only read */
	return good ? (long)n : -1;
}

static int replay_file(const char *path)
{
	uint8_t *room = (uint8_t *)malloc(INPUT_MAX);
	if (!room)
		return -ENOMEM;
	long n = ends_with(path, ".hex") ? vector_load(path, room, INPUT_MAX)
					 : load_binary(path, room, INPUT_MAX);
	uint8_t *exact = n < 0 ? NULL : (uint8_t *)malloc(n > 0 ? (size_t)n : 1);
	if (exact) {
		memcpy(exact, room, (size_t)n);
		(void)LLVMFuzzerTestOneInput(
			exact, (size_t)n); /* always 0: it aborts where it finds something */
		replayed++;
	} else {
		(void)fprintf(stderr, "cannot read %s\n", path);
	}
	free(exact);
	free(room);
	return exact ? 0 : -EIO;
}

static int replay_folder(const char *path)
{
	int result = 0;
	DIR *dir = opendir(path);
	if (!dir)
		return -errno;
	for (struct dirent *e; (e = readdir(dir));) {
		char file[PATH_LEN];
		if (e->d_name[0] == '.')
			continue;
		if (snprintf(file, sizeof file, "%s/%s", path, e->d_name) >= (int)sizeof file ||
		    replay_file(file) < 0)
			result = -EIO;
	}
	(void)closedir(dir); /* it was only read */
	return result;
}

int main(int argc, char **argv)
{
	int failures = 0;
	for (int i = 1; i < argc; i++) {
		struct stat st;
		bool folder = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);
		failures += (folder ? replay_folder(argv[i]) : replay_file(argv[i])) < 0;
	}
	(void)printf("%u inputs replayed\n", replayed);
	return failures == 0 && replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
