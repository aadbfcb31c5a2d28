/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each in a child of the test's own: there is no way back. */
#include "unit/sandbox.h"

#include "base/cleanup.h"
#include "host/landlock.h"
#include "host/priv.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { NO_LANDLOCK = 99 };

static char here[] = "/tmp/vbng-landlock-XXXXXX";

static const char *path(const char *name)
{
	static char text[128];
	(void)snprintf(text, sizeof text, "%s/%s", here, name);
	return text;
}

static int opened(const char *name, int flags)
{
	int fd = open(name, flags | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : close(fd);
}

static void need(bool ok, int code)
{
	if (!ok)
		_exit(code);
}

/* How fn ends where the folder "own" is ours, and "other" is not. */
static void in_child(const char *own, int expected, void (*fn)(void))
{
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 2)
		skip_because("this kernel has no landlock, or an early one");
	pid_t pid = fork();
	if (pid == 0) {
		char mine[128];
		(void)snprintf(mine, sizeof mine, "%s", path(own));
		const struct landlock_place places[] = {
			{ mine, LANDLOCK_OWNER },
			{ "/dev/urandom", LANDLOCK_READ },
			{ "/nowhere/at/all", LANDLOCK_READ },
		};
		need(priv_keep(0, false) == 0, 90);
		need(landlock_enter(places, ARRAY_LEN(places)) == expected, 91);
		fn();
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void own_place_alone(void)
{
	char from[128];
	need(mkdir(path("own/folder"), 0700) == 0, 1);
	need(opened(path("own/file"), O_RDWR | O_CREAT | O_TRUNC) == 0, 2);
	(void)snprintf(from, sizeof from, "%s", path("own/file"));
	need(rename(from, path("own/folder/file")) == 0, 3);
	need(unlink(path("own/folder/file")) == 0 && rmdir(path("own/folder")) == 0, 4);
	need(opened("/dev/urandom", O_RDONLY) == 0, 5);
	need(opened("/dev/urandom", O_WRONLY) == -EACCES, 6);
	need(opened(path("other/file"), O_RDONLY) == -EACCES, 7);
	need(opened(path("other/file"), O_WRONLY) == -EACCES, 8);
	need(opened(path("other/new"), O_WRONLY | O_CREAT) == -EACCES, 9);
	need(unlink(path("other/file")) < 0 && errno == EACCES, 10);
	need(opened("/proc/sys/kernel/core_pattern", O_RDONLY) == -EACCES, 11);
	need(symlink("/", path("own/link")) < 0 && errno == EACCES, 12);
}

static void only_what_is_its_own_is_opened(void **state)
{
	(void)state;
	in_child("own", 0, own_place_alone);
}

static void parents_memory(void)
{
	char mem[64];
	(void)snprintf(mem, sizeof mem, "/proc/%d/mem", (int)getppid());
	need(opened(mem, O_RDONLY) == -EACCES, 20);
	need(opened(path("other/file"), O_RDONLY) == 0, 21);
}

/* A volume that is not there yet can be mounted later, and is to be used then. */
static void without_its_place_it_keeps_to_itself_at_least(void **state)
{
	(void)state;
	in_child("missing", -ENOENT, parents_memory);
}

static int prepare(void **state)
{
	(void)state;
	if (!mkdtemp(here) || mkdir(path("own"), 0700) < 0 || mkdir(path("other"), 0700) < 0)
		return -1;
	return opened(path("other/file"), O_WRONLY | O_CREAT);
}

static int tidy(void **state)
{
	(void)state;
	(void)unlink(path("other/file"));
	return rmdir(path("other")) < 0 || rmdir(path("own")) < 0 || rmdir(here) < 0 ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_its_own_is_opened),
		cmocka_unit_test(without_its_place_it_keeps_to_itself_at_least),
	};
	return cmocka_run_group_tests(tests, prepare, tidy);
}
