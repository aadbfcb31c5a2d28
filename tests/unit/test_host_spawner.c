/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A spawner with commands of the test's own; the test is who has children started. */
#include "unit/sandbox.h"

#include "base/clock.h"
#include "host/priv.h"
#include "host/proc.h"
#include "host/spawner.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

enum command { SAY, TELL_DESCRIPTORS, TELL_NAMESPACE, HANG, FAIL, LOSE_THE_ASKER, COME_LATE };
enum { WAIT_MS = 10000 };

struct commands {
	bool begun;
	bool kills_its_group; /* at the end */
};

static void begin(void *ctx)
{
	((struct commands *)ctx)->begun = true;
}

static size_t descriptors(void)
{
	size_t n = 0;
	DIR *dir = opendir("/proc/self/fd");
	if (!dir)
		return 0;
	while (readdir(dir))
		n++;
	(void)closedir(dir); /* read only */
	return n - 3;        /* ".", "..", and its own */
}

static uint64_t namespace(void)
{
	struct stat st = { 0 };
	(void)stat("/proc/self/ns/net", &st); /* 0 fails the test */
	return st.st_ino;
}

static void lose_the_asker(void)
{
	pid_t parent = getppid();
	(void)kill(parent, SIGKILL); /* it is there, and ours */
	while (getppid() == parent)
		(void)usleep(1000); /* a shorter one does as well */
}

static int serve(void *ctx, uint32_t command, uint32_t number, int fd, pid_t *ret_pid)
{
	const struct commands *c = (const struct commands *)ctx;
	uint64_t word = command == TELL_DESCRIPTORS ? descriptors()
			: command == TELL_NAMESPACE ? namespace()
						    : number;
	pid_t parent;
	switch (command) {
	case FAIL:
		return -ENOENT;
	case HANG:
		(void)pause(); /* until it is killed */
		return 0;
	case LOSE_THE_ASKER:
		lose_the_asker();
		return 0;
	case COME_LATE:
		lose_the_asker();
		*ret_pid = child_fork(CHILD_OF_OUR_PARENT, &parent);
		if (*ret_pid == 0) {
			if (child_settle(parent) == 0)
				(void)pause(); /* until it is killed */
			_exit(1);
		}
		return 0;
	default:
		*ret_pid = child_fork(CHILD_OF_OUR_PARENT, &parent);
		if (*ret_pid == 0)
			_exit(child_settle(parent) == 0 && c->begun && priv_have(PRIV_KILL) &&
					      write(fd, &word, sizeof word) == sizeof word
				      ? 7
				      : 1);
		return *ret_pid < 0 ? (int)*ret_pid : 0;
	}
}

static void end(void *ctx)
{
	if (((const struct commands *)ctx)->kills_its_group)
		(void)kill(0, SIGUSR1); /* the test sees who lives on */
}

static struct commands commands;

static struct spawner *start(int netns_fd)
{
	const struct spawner_spec spec = { .name = "test-spawner",
					   .netns_fd = netns_fd,
					   .privs = 1U << PRIV_KILL,
					   .begin = begin,
					   .serve = serve,
					   .end = end,
					   .ctx = &commands };
	struct spawner *s = NULL;
	assert_int_equal(spawner_start(&spec, &s), 0);
	return s;
}

static void stop(struct spawner *s)
{
	int status;
	pid_t pid = spawner_pid(s);
	spawner_free(s);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* What the child of a command writes; it is one of ours, and we see its end. */
static uint64_t word_of(struct spawner *s, enum command command, uint32_t number)
{
	int ends[2], status;
	uint64_t word = 0;
	pid_t pid = -1;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(spawner_ask(s, command, number, ends[1], &pid), 0);
	(void)close(ends[1]); /* a copy was sent */
	assert_int_equal(read(ends[0], &word, sizeof word), sizeof word);
	assert_int_equal(read(ends[0], &status, 1), 0); /* nobody else holds it */
	(void)close(ends[0]);                           /* read to its end */
	assert_int_not_equal(pid, spawner_pid(s));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
	return word;
}

static void whom_it_starts_are_our_children(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct spawner *s = start(-1);
	for (uint32_t i = 1; i < 20; i++)
		assert_int_equal(word_of(s, SAY, i), i);
	stop(s);
}

static void it_has_none_of_our_descriptors(void **state)
{
	(void)state;
	const char *preloaded = getenv("LD_PRELOAD");
	NEEDS_SANDBOX();
	if (preloaded && strstr(preloaded, "vgpreload")) {
		print_message("# skipped: valgrind has descriptors of its own in each process\n");
		skip();
	}
	int stray = open("/dev/zero", O_RDONLY); /* NOLINT(android-cloexec-open): as from a
						    careless parent */
	struct spawner *s = start(-1);
	assert_int_equal(word_of(s, TELL_DESCRIPTORS, 0),
			 5); /* standard ones, requests, and where to tell it */
	stop(s);
	(void)close(stray); /* only there to be seen */
}

static void it_lives_in_another_namespace_for_good(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct stat host;
	assert_int_equal(fstat(sandbox.host_ns, &host), 0);
	struct spawner *s = start(sandbox.host_ns);
	assert_int_equal(word_of(s, TELL_NAMESPACE, 0), host.st_ino);
	assert_int_equal(word_of(s, TELL_NAMESPACE, 0), host.st_ino);
	stop(s);
}

static void what_it_cannot_do_is_told_and_it_goes_on(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	pid_t pid = -1;
	struct spawner *s = start(-1);
	assert_int_equal(spawner_ask(s, FAIL, 0, -1, &pid), -ENOENT);
	assert_int_equal(pid, -1);
	assert_int_equal(word_of(s, SAY, 5), 5);
	stop(s);
}

static void a_dead_one_is_told_apart_at_once_and_for_ever(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	pid_t pid = -1;
	struct spawner *s = start(-1);
	assert_int_equal(word_of(s, SAY, 1), 1);
	assert_int_equal(kill(spawner_pid(s), SIGKILL), 0);
	assert_int_equal(waitpid(spawner_pid(s), NULL, 0), spawner_pid(s));
	uint64_t begun = clock_mono_ms();
	assert_int_equal(spawner_ask(s, SAY, 1, -1, &pid), -EPIPE);
	spawner_ended(s);
	assert_int_equal(spawner_pid(s), 0);
	assert_int_equal(spawner_ask(s, SAY, 1, -1, &pid), -EPIPE);
	assert_true(clock_mono_ms() - begun < SPAWNER_LIMIT_MS / 2);
	spawner_free(s);
}

/* One that dies while it is asked is no reason to wait. */
static void a_question_ends_with_who_was_asked(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct spawner *s = start(-1);
	pid_t pid = -1, killer = fork();
	if (killer == 0) {
		(void)usleep(100000); /* a shorter one kills it before it is asked: as well */
		_exit(kill(spawner_pid(s), SIGKILL) == 0 ? 0 : 1);
	}
	uint64_t begun = clock_mono_ms();
	assert_int_equal(spawner_ask(s, HANG, 0, -1, &pid), -EPIPE);
	assert_true(clock_mono_ms() - begun < SPAWNER_LIMIT_MS);
	assert_int_equal(waitpid(killer, NULL, 0), killer);
	assert_int_equal(waitpid(spawner_pid(s), NULL, 0), spawner_pid(s));
	spawner_free(s);
}

/* Who asks is in a group of its own, in which a third waits for the spawner's end() and holds the
 * pipe. */
static _Noreturn void ask_and_wait(int alive_fd, enum command command)
{
	pid_t pid;
	commands.kills_its_group = true;
	if (setpgid(0, 0) < 0)
		_exit(1);
	pid_t third = fork();
	if (third != 0) {
		struct spawner *s = start(-1);
		if (command == SAY)
			(void)word_of(s, SAY, 1);
		(void)!write(alive_fd, "x", 1); /* the test sees that it is missing */
		if (command == LOSE_THE_ASKER)
			(void)spawner_ask(s, command, 0, -1, &pid); /* there is no answer */
	}
	(void)pause(); /* until they are killed */
	_exit(2);
}

static void ends_with_who_asked(enum command command)
{
	int alive[2];
	assert_int_equal(pipe2(alive, O_CLOEXEC), 0);
	pid_t us = fork();
	if (us == 0)
		ask_and_wait(alive[1], command);
	(void)close(alive[1]); /* theirs only */
	char byte;
	assert_int_equal(read(alive[0], &byte, 1), 1);
	if (command != LOSE_THE_ASKER)
		assert_int_equal(kill(us, SIGKILL), 0);
	assert_int_equal(waitpid(us, NULL, 0), us);
	struct pollfd p = { .fd = alive[0], .events = POLLIN };
	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_int_equal(read(alive[0], &byte, 1), 0);
	(void)close(alive[0]); /* read to its end */
}

/* Us dying without a word is all that it notices. */
static void it_ends_when_we_do_and_does_what_is_to_be_done_then(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	ends_with_who_asked(SAY);
}

static void it_does_so_too_where_we_die_before_its_answer(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	ends_with_who_asked(LOSE_THE_ASKER);
}

/* Its parent is another by then, who does not die. */
static void whom_it_starts_for_one_who_is_gone_is_ended(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	int held[2];
	char byte;
	assert_int_equal(pipe2(held, O_CLOEXEC), 0);
	pid_t us = fork();
	if (us == 0) {
		pid_t pid;
		(void)spawner_ask(start(-1), COME_LATE, 1, held[1], &pid); /* no answer comes */
		_exit(1);
	}
	(void)close(held[1]); /* theirs only */
	assert_int_equal(waitpid(us, NULL, 0), us);
	struct pollfd p = { .fd = held[0], .events = POLLIN };
	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_int_equal(read(held[0], &byte, 1), 0);
	(void)close(held[0]); /* read to its end */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whom_it_starts_are_our_children),
		cmocka_unit_test(it_has_none_of_our_descriptors),
		cmocka_unit_test(it_lives_in_another_namespace_for_good),
		cmocka_unit_test(what_it_cannot_do_is_told_and_it_goes_on),
		cmocka_unit_test(a_dead_one_is_told_apart_at_once_and_for_ever),
		cmocka_unit_test(a_question_ends_with_who_was_asked),
		cmocka_unit_test(it_ends_when_we_do_and_does_what_is_to_be_done_then),
		cmocka_unit_test(it_does_so_too_where_we_die_before_its_answer),
		cmocka_unit_test(whom_it_starts_for_one_who_is_gone_is_ended),
	};
	return cmocka_run_group_tests(tests, sandbox_enter, sandbox_leave);
}
