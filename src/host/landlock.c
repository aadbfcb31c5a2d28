/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/landlock.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of linux/landlock.h, which distributions have older than their kernels. The numbers of the calls
 * are the same on every architecture. */
enum {
	CREATE_RULESET = 444,
	ADD_RULE = 445,
	RESTRICT_SELF = 446,
	ASK_VERSION = 1 << 0,
	PATH_BENEATH = 1,
	ABI_REFER = 2, /* without it no file could be moved from one folder into another */
	ABI_TRUNCATE = 3,
	ABI_IOCTL = 5,
	ABI_SCOPE = 6,
};

enum {
	EXECUTE = 1 << 0,
	WRITE_FILE = 1 << 1,
	READ_FILE = 1 << 2,
	READ_DIR = 1 << 3,
	REMOVE_DIR = 1 << 4,
	REMOVE_FILE = 1 << 5,
	MAKE_CHAR = 1 << 6,
	MAKE_DIR = 1 << 7,
	MAKE_REG = 1 << 8,
	MAKE_SOCK = 1 << 9,
	MAKE_FIFO = 1 << 10,
	MAKE_BLOCK = 1 << 11,
	MAKE_SYM = 1 << 12,
	REFER = 1 << 13,
	TRUNCATE = 1 << 14,
	IOCTL_DEV = 1 << 15,
	SCOPE_SIGNAL = 1 << 1,
	OF_FILES = WRITE_FILE | READ_FILE | TRUNCATE, /* what a file itself can be allowed */
	READING = READ_FILE | READ_DIR,
	OWNING = READING | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | REFER |
		 TRUNCATE,
	NEVER = EXECUTE | MAKE_CHAR | MAKE_SOCK | MAKE_FIFO | MAKE_BLOCK | MAKE_SYM | IOCTL_DEV,
};

struct ruleset {
	uint64_t files, net, scoped;
};

struct beneath {
	uint64_t allowed;
	int32_t parent;
} __attribute__((packed));

static uint64_t known_to(long abi)
{
	uint64_t known = OWNING | NEVER;
	if (abi < ABI_IOCTL)
		known &= ~(uint64_t)IOCTL_DEV;
	if (abi < ABI_TRUNCATE)
		known &= ~(uint64_t)TRUNCATE;
	return known;
}

static int new_ruleset(long abi, uint64_t files, int *ret_fd)
{
	const struct ruleset rules = { .files = files,
				       .scoped = abi < ABI_SCOPE ? 0 : SCOPE_SIGNAL };
	size_t size = abi < ABI_SCOPE ? sizeof rules.files : sizeof rules;
	long fd = syscall(CREATE_RULESET, &rules, size, 0U);
	if (fd < 0)
		return -errno;
	*ret_fd = (int)fd;
	return 0;
}

static int allow(int rules, uint64_t known, const struct landlock_place *p)
{
	struct stat st;
	AUTO_CLOSE int fd = open(p->path, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return p->access == LANDLOCK_READ && errno == ENOENT ? 0 : -errno;
	uint64_t allowed = known & (p->access == LANDLOCK_READ ? (uint64_t)READING : OWNING);
	if (!S_ISDIR(st.st_mode))
		allowed &= OF_FILES;
	const struct beneath b = { .allowed = allowed, .parent = fd };
	return syscall(ADD_RULE, rules, PATH_BENEATH, &b, 0U) < 0 ? -errno : 0;
}

int landlock_enter(const struct landlock_place *places, size_t n)
{
	long abi = syscall(CREATE_RULESET, NULL, 0, ASK_VERSION);
	if (abi < ABI_REFER)
		return -EOPNOTSUPP;
	AUTO_CLOSE int rules = -1;
	const uint64_t known = known_to(abi);
	int r = new_ruleset(abi, known, &rules);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = allow(rules, known, &places[i]);
	if (r < 0) {
		AUTO_CLOSE int least = -1;
		int e = new_ruleset(abi, known & NEVER, &least);
		if (e == 0 && syscall(RESTRICT_SELF, least, 0U) < 0)
			e = -errno;
		return e < 0 ? e : r;
	}
	return syscall(RESTRICT_SELF, rules, 0U) < 0 ? -errno : 0;
}
