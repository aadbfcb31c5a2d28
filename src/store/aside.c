/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/aside.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BESIDE_MAX = 8, SAME_SECOND_MAX = 100 };

/* What SQLite keeps beside a database, by the ends of their names. */
static const char *const beside[] = { "-wal", "-shm", "-journal" };

static const char *named(char buf[static STORE_PATH_MAX + BESIDE_MAX], const char *path,
			 const char *end)
{
	snprintf(buf, STORE_PATH_MAX + BESIDE_MAX, "%.*s%s", STORE_PATH_MAX - 1, path, end);
	return buf;
}

static bool taken(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

static bool is_aside(const char *name, const char *base)
{
	size_t n = strlen(base), end = strlen(name);
	if (strncmp(name, base, n) != 0 || strncmp(name + n, ".corrupt-", 9) != 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(beside); i++)
		if (end > strlen(beside[i]) &&
		    strcmp(name + end - strlen(beside[i]), beside[i]) == 0)
			return false;
	return true;
}

/* The one that was changed last the longest ago, but for `keep`. *ret_n: how many there are. */
static int oldest(const char *dir, const char *base, const char *keep,
		  char ret_path[static STORE_PATH_MAX], size_t *ret_n)
{
	DIR *d = opendir(dir);
	if (!d)
		return -errno;
	struct timespec least = { 0 };
	char path[STORE_PATH_MAX];
	size_t n = 0;
	ret_path[0] = '\0';
	for (struct dirent *e; (e = readdir(d));) {
		struct stat st;
		if (!is_aside(e->d_name, base) ||
		    snprintf(path, sizeof path, "%s/%s", dir, e->d_name) >= (int)sizeof path ||
		    lstat(path, &st) < 0)
			continue;
		n++;
		if (strcmp(path, keep) == 0 ||
		    (ret_path[0] &&
		     (st.st_ctim.tv_sec > least.tv_sec ||
		      (st.st_ctim.tv_sec == least.tv_sec && st.st_ctim.tv_nsec >= least.tv_nsec))))
			continue;
		least = st.st_ctim;
		memcpy(ret_path, path, sizeof path);
	}
	(void)closedir(d); /* it was only read */
	*ret_n = n;
	return 0;
}

/* A medium that spoils file after file must not be filled with them. */
static int prune(const char *path, const char *keep)
{
	char dir[STORE_PATH_MAX], victim[STORE_PATH_MAX] = "";
	const char *slash = strrchr(path, '/');
	size_t n = STORE_ASIDE_MAX + 1;
	snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
	for (int round = 0; round < SAME_SECOND_MAX; round++) {
		int r = oldest(dir, slash ? slash + 1 : path, keep, victim, &n);
		if (r < 0 || n <= STORE_ASIDE_MAX || !victim[0])
			return r;
		r = aside_remove(victim);
		if (r < 0)
			return r;
	}
	return 0;
}

int aside_remove(const char *path)
{
	char other[STORE_PATH_MAX + BESIDE_MAX];
	int r = unlink(path) < 0 && errno != ENOENT ? -errno : 0;
	for (size_t i = 0; i < ARRAY_LEN(beside); i++)
		if (unlink(named(other, path, beside[i])) < 0 && errno != ENOENT)
			r = -errno;
	return r;
}

int aside_move(const char *path, uint64_t unix_ms, char ret_moved[static STORE_PATH_MAX])
{
	char to[STORE_PATH_MAX], from_beside[STORE_PATH_MAX + BESIDE_MAX],
		to_beside[STORE_PATH_MAX + BESIDE_MAX];
	snprintf(to, sizeof to, "%.256s.corrupt-%" PRIu64, path, unix_ms / 1000);
	for (int i = 2; taken(to) && i < SAME_SECOND_MAX; i++)
		snprintf(to, sizeof to, "%.256s.corrupt-%" PRIu64 "-%d", path, unix_ms / 1000, i);
	if (rename(path, to) < 0)
		return -errno;
	/* The log belongs to the file that it was written for, and would be replayed into a new
	 * one. */
	for (size_t i = 0; i < ARRAY_LEN(beside); i++)
		if (rename(named(from_beside, path, beside[i]), named(to_beside, to, beside[i])) <
			    0 &&
		    errno != ENOENT)
			return -errno;
	memcpy(ret_moved, to, sizeof to);
	(void)prune(path, to); /* one file too many is no reason not to have a database */
	return 0;
}
