/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/wal.h"

#include "base/clock.h"
#include "store/db.h"

enum {
	HEAD = 32, /* bytes of a log's head, and of a page's in it: SQLite's file format */
	PAGE_HEAD = 24,
	AHEAD_MIN = 64 << 10, /* that a file is longer than its log at least: a batch, or two */
	AHEAD = 128 << 10,    /* by how much it is made longer */
	PIECE = 64 << 10,     /* in these: SQLite writes less than 128 KiB at once */
};

static int on_commit(void *ctx, sqlite3 *db, const char *name, int pages)
{
	struct wal *w = (struct wal *)ctx;
	(void)db;
	(void)name;
	if (pages < w->pages) /* from its beginning again, and the file may have been cut */
		w->prepared = 0;
	w->pages = pages;
	return SQLITE_OK;
}

void wal_init(struct wal *w, sqlite3 *db)
{
	*w = (struct wal){ .db = db, .most = WAL_PAGES_FIRST };
	(void)db_int(db, "PRAGMA page_size", &w->page); /* without it no file is made longer */
	(void)sqlite3_wal_hook(db, on_commit, w);       /* the one before: none */
}

/* Zeros behind the log are no frames of it to whoever reads it. */
static void prepare(struct wal *w)
{
	static const uint8_t zeros[PIECE];
	const int64_t wanted = HEAD + w->pages * (PAGE_HEAD + w->page) + AHEAD_MIN;
	sqlite3_file *file = NULL;
	sqlite3_int64 size = 0;
	if (w->pages == 0 || w->page == 0 || wanted <= w->prepared ||
	    sqlite3_file_control(w->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, (void *)&file) !=
		    SQLITE_OK ||
	    !file || !file->pMethods || file->pMethods->xFileSize(file, &size) != SQLITE_OK)
		return;
	w->prepared = size;
	if (wanted <= w->prepared)
		return;
	for (int64_t n = 0; n < AHEAD; n += PIECE) {
		if (file->pMethods->xWrite(file, zeros, PIECE, w->prepared) != SQLITE_OK)
			return;
		w->prepared += PIECE;
	}
}

static int clamp(int64_t n, int min, int max)
{
	return n < min ? min : n > max ? max : (int)n;
}

void wal_tidy(struct wal *w, bool idle)
{
	int pages = w->pages;
	if (pages < (idle ? (int)WAL_PAGES_IDLE : w->most)) {
		prepare(w);
		return;
	}
	uint64_t begun_ms = clock_mono_ms();
	w->pages = 0;
	w->prepared = 0;
	(void)sqlite3_wal_checkpoint_v2(w->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	int64_t took_ms = (int64_t)(clock_mono_ms() - begun_ms);
	/* A little at a time: the disk has its moods. */
	int64_t could = pages * (int64_t)WAL_HOLDUP_MS / (took_ms > 0 ? took_ms : 1);
	int least = clamp(w->most / 2, WAL_PAGES_MIN, WAL_PAGES_MAX);
	w->most = clamp(could, least, clamp(w->most * INT64_C(2), WAL_PAGES_MIN, WAL_PAGES_MAX));
}

bool wal_untidy(const struct wal *w)
{
	return w->pages >= WAL_PAGES_IDLE;
}
