/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit/sandbox.h"

#include "base/cleanup.h"
#include "host/priv.h"
#include "host/proc.h"
#include "host/sysctl.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { OUTPUT_MAX = 8192, WAIT_MS = 60000 };

static void on_signal(int signo)
{
	(void)signo;
}

/* Runs a shell script as a child with our stderr caught; what it said, and its exit status as the
 * result. */
static int spawn(const char *script, const struct child_spec *like, char *output)
{
	char sh[] = "/bin/sh", c[] = "-c", text[1024];
	(void)snprintf(text, sizeof text, "%s", script);
	char *const argv[] = { sh, c, text, NULL };
	struct child_spec spec = *like;
	spec.argv = argv;
	int caught[2], saved = dup(STDERR_FILENO);
	assert_int_equal(pipe2(caught, O_CLOEXEC), 0);
	assert_true(dup2(caught[1], STDERR_FILENO) >= 0);
	pid_t pid = -1;
	int r = child_spawn(&spec, &pid);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	(void)close(saved);     /* back in its place */
	(void)close(caught[1]); /* the child has its own */
	assert_int_equal(r, 0);
	size_t at = 0;
	ssize_t n;
	while ((n = read(caught[0], output + at, OUTPUT_MAX - 1 - at)) > 0)
		at += (size_t)n;
	output[at] = '\0';
	(void)close(caught[0]); /* read to its end */
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static const struct child_spec plain;

static void child_has_only_what_it_was_given(void **state)
{
	(void)state;
	char out[OUTPUT_MAX], variable[] = "GIVEN=yes";
	char *const env[] = { variable, NULL };
	struct child_spec spec = { .env = env };
	assert_int_equal(setenv("SECRET", "wireguard-key", 1), 0);
	int stray = open("/dev/zero", O_RDONLY); /* NOLINT(android-cloexec-open): without CLOEXEC,
						    as from a careless parent */
	assert_int_equal(spawn("env; ls -l /proc/self/fd/; readlink /proc/self/fd/0", &spec, out),
			 0);
	assert_non_null(strstr(out, "GIVEN=yes"));
	assert_null(strstr(out, "SECRET"));
	assert_null(strstr(out, "/dev/zero"));
	assert_non_null(strstr(out, "/dev/null"));
	(void)close(stray); /* only there to be seen */
	assert_int_equal(unsetenv("SECRET"), 0);
}

static void child_starts_with_clean_signals(void **state)
{
	(void)state;
	char out[OUTPUT_MAX];
	sigset_t blocked, before;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGCHLD);
	assert_int_equal(sigprocmask(SIG_BLOCK, &blocked, &before), 0);
	assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	assert_true(signal(SIGUSR1, on_signal) != SIG_ERR);
	assert_int_equal(spawn("grep '^Sig[BIC]' /proc/self/status", &plain, out), 0);
	assert_non_null(strstr(out, "SigBlk:\t0000000000000000"));
	assert_non_null(strstr(out, "SigIgn:\t0000000000000000"));
	sigset_t now;
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, &now), 0);
	assert_true(sigismember(&now, SIGTERM)); /* ours is as it was */
	assert_true(signal(SIGPIPE, SIG_DFL) == SIG_IGN);
	assert_true(signal(SIGUSR1, SIG_DFL) == on_signal);
}

static void child_leads_its_own_process_group(void **state)
{
	(void)state;
	char out[OUTPUT_MAX];
	assert_int_equal(
		spawn("set -- $(cat /proc/$$/stat); echo pid=$1 group=$5 parent=$4", &plain, out),
		0);
	char *at = strstr(out, "pid="), *end;
	assert_non_null(at);
	long pid = strtol(at + 4, &end, 10);
	assert_int_equal(strncmp(end, " group=", 7), 0);
	assert_int_equal(strtol(end + 7, &end, 10), pid);
	assert_int_equal(strncmp(end, " parent=", 8), 0);
	assert_int_equal(strtol(end + 8, &end, 10), getpid());
}

static void a_program_that_is_not_there_is_told(void **state)
{
	(void)state;
	char name[] = "no-such-program-as-this", dir[] = "/tmp";
	char *const missing[] = { name, NULL }, *const not_one[] = { dir, NULL };
	struct child_spec spec = { .argv = missing };
	pid_t pid = -1;
	assert_int_equal(child_spawn(&spec, &pid), -ENOENT);
	spec.argv = not_one;
	assert_int_equal(child_spawn(&spec, &pid), -EACCES);
	assert_int_equal(pid, -1);
	for (int i = 0; i < 2; i++)
		assert_true(waitpid(-1, NULL, 0) > 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void child_keeps_only_the_privileges_it_was_left(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	char out[OUTPUT_MAX];
	static const char look[] = "grep '^Cap[PEB]\\|^NoNew' /proc/self/status";
	assert_int_equal(spawn(look, &plain, out), 0);
	assert_non_null(strstr(out, "CapPrm:\t0000000000000000"));
	assert_non_null(strstr(out, "CapEff:\t0000000000000000"));
	assert_non_null(strstr(out, "NoNewPrivs:\t1"));
	struct child_spec spec = { .privs = 1U << PRIV_NET_ADMIN };
	assert_int_equal(spawn(look, &spec, out), 0);
	assert_non_null(strstr(out, "CapPrm:\t0000000000001000"));
	assert_non_null(strstr(out, "CapEff:\t0000000000001000"));
	assert_true(priv_have(PRIV_SYS_ADMIN)); /* ours are untouched */
}

/* Where other users can be made: a user namespace of our own may have none. */
static bool another_user_exists(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(priv_can_become() && setresuid(65534, 65534, 65534) == 0 ? 0 : 1);
	int status;
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void child_is_another_user_with_the_privileges_it_was_left(void **state)
{
	(void)state;
	if (!another_user_exists())
		skip();
	char out[OUTPUT_MAX];
	struct child_spec spec = { .privs = 1U << PRIV_NET_BIND_SERVICE,
				   .uid = 65533,
				   .gid = 65534 };
	assert_int_equal(
		spawn("grep '^Cap\\|^NoNew\\|id:\\|^Groups' /proc/self/status", &spec, out), 0);
	assert_non_null(strstr(out, "Uid:\t65533\t65533\t65533\t65533\n"));
	assert_non_null(strstr(out, "Gid:\t65534\t65534\t65534\t65534\n"));
	assert_non_null(strstr(out, "Groups:\t \n"));
	static const char *const sets[] = { "Prm", "Eff", "Bnd", "Amb" };
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		char line[64];
		snprintf(line, sizeof line, "Cap%s:\t0000000000000400\n", sets[i]);
		assert_non_null(strstr(out, line));
	}
	assert_non_null(strstr(out, "NoNewPrivs:\t1"));
}

static void child_speaks_to_whom_it_is_told(void **state)
{
	(void)state;
	int said[2];
	char sh[] = "/bin/sh", c[] = "-c", text[] = "echo one; echo two >&2", out[16] = "";
	char *const argv[] = { sh, c, text, NULL };
	assert_int_equal(pipe2(said, O_CLOEXEC), 0);
	const struct child_spec spec = { .argv = argv, .log_fd = said[1] };
	pid_t pid;
	assert_int_equal(child_spawn(&spec, &pid), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	(void)close(said[1]); /* the child's is closed */
	assert_int_equal(read(said[0], out, sizeof out - 1), 8);
	assert_string_equal(out, "one\ntwo\n");
	(void)close(said[0]); /* read to its end */
}

static void who_changes_routes_keeps_net_admin_alone(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	assert_true(priv_have(PRIV_NET_RAW)); /* asked before the fork, as init does */
	pid_t pid = fork();
	if (pid == 0) {
		bool kept = priv_keep(1U << PRIV_NET_ADMIN, false) == 0 &&
			    priv_have(PRIV_NET_ADMIN) && !priv_have(PRIV_SYS_ADMIN) &&
			    !priv_have(PRIV_NET_RAW) && !priv_have(PRIV_NET_BIND_SERVICE);
		bool works = sysctl_set("net/ipv6/conf/lo/hop_limit", "63") ==
			     0; /* NET_ADMIN in our namespace */
		bool shut = unshare(CLONE_NEWUTS) < 0 && setns(sandbox.host_ns, CLONE_NEWNET) < 0;
		bool for_good = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
		_exit((kept ? 0 : 1) | (works ? 0 : 2) | (shut ? 0 : 4) | (for_good ? 0 : 8));
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(priv_have(PRIV_NET_RAW));
}

/* As init after its boot: what it forks next has no more, however much root it is. */
static void who_is_limited_executes_nothing_with_more(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	int report[2];
	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		bool ok = priv_limit(1U << PRIV_NET_ADMIN | 1U << PRIV_SETPCAP, true) == 0 &&
			  priv_have(PRIV_NET_ADMIN) && !priv_have(PRIV_SYS_ADMIN) &&
			  setns(sandbox.host_ns, CLONE_NEWNET) < 0;
		if (dup2(report[1], STDOUT_FILENO) < 0 || !ok)
			_exit(1);
		execl("/bin/grep", "grep", "^Cap[PEBIA]", "/proc/self/status", NULL);
		_exit(2);
	}
	(void)close(report[1]); /* the child's end only */
	char out[OUTPUT_MAX] = "";
	size_t at = 0;
	ssize_t n;
	while ((n = read(report[0], out + at, sizeof out - 1 - at)) > 0)
		at += (size_t)n;
	(void)close(report[0]); /* read to its end */
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* Executed by root without any detour: it has nothing, and can get nothing but these two.
	 */
	assert_non_null(strstr(out, "CapPrm:\t0000000000000000"));
	assert_non_null(strstr(out, "CapEff:\t0000000000000000"));
	assert_non_null(strstr(out, "CapAmb:\t0000000000000000"));
	assert_non_null(strstr(out, "CapBnd:\t0000000000001100"));
}

static void names_missing_privileges(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	char names[64];
	unsigned all = (1U << PRIV_COUNT) - 1;
	assert_int_equal(priv_missing(all, names, sizeof names), 0);
	assert_string_equal(names, "");
	pid_t pid = fork();
	if (pid == 0) {
		bool ok = priv_keep(1U << PRIV_NET_ADMIN | 1U << PRIV_NET_RAW, false) == 0 &&
			  priv_missing(all, names, sizeof names) == 2 &&
			  strcmp(names, "SYS_ADMIN NET_BIND_SERVICE") == 0 &&
			  priv_missing(1U << PRIV_NET_RAW, names, sizeof names) == 0;
		_exit(ok ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* A parent starts a child, and is killed. The child's end is seen by its pipe's. */
static void dies_with_us(uid_t uid)
{
	int alive[2];
	assert_int_equal(pipe2(alive, O_CLOEXEC), 0);
	pid_t parent = fork();
	if (parent == 0) {
		char sh[] = "/bin/sh", c[] = "-c", text[] = "echo up; exec sleep 60";
		char *const argv[] = { sh, c, text, NULL };
		const struct child_spec spec = {
			.argv = argv, .privs = 1U << PRIV_NET_ADMIN, .uid = uid, .gid = uid
		};
		pid_t pid;
		if (dup2(alive[1], STDERR_FILENO) < 0 || child_spawn(&spec, &pid) < 0)
			_exit(1);
		(void)pause(); /* until it is killed */
		_exit(2);
	}
	(void)close(alive[1]); /* the child's end only */
	char text[16];
	assert_int_equal(read(alive[0], text, sizeof text), 3); /* "up\n" */
	assert_int_equal(kill(parent, SIGKILL), 0);
	int status;
	assert_int_equal(waitpid(parent, &status, 0), parent);
	struct pollfd p = { .fd = alive[0], .events = POLLIN };
	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_int_equal(read(alive[0], text, sizeof text), 0);
	(void)close(alive[0]); /* read to its end */
}

static void child_dies_with_us(void **state)
{
	(void)state;
	dies_with_us(0);
}

static void child_that_is_another_user_dies_with_us(void **state)
{
	(void)state;
	if (!another_user_exists())
		skip();
	dies_with_us(65534);
}

static bool an_old_kernel(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = sizeof code / sizeof *code, .filter = code };
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int close_from_100(bool old_kernel)
{
	if ((old_kernel && !an_old_kernel()) || dup2(0, 99) < 0 || dup2(0, 100) < 0 ||
	    dup2(0, 700) < 0)
		return 1;
	if (child_close_from(100) < 0)
		return 2;
	return fcntl(99, F_GETFD) < 0 || fcntl(100, F_GETFD) >= 0 || fcntl(700, F_GETFD) >= 0;
}

static void all_descriptors_from_one_on_are_closed_on_old_kernels_too(void **state)
{
	(void)state;
	for (int old = 0; old < 2; old++) {
		int status;
		pid_t pid = fork();
		if (pid == 0)
			_exit(close_from_100(old));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

static void sysctls_are_read_and_written(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	char value[SYSCTL_VALUE_MAX] = "";
	assert_int_equal(sysctl_set("net/ipv6/conf/all/forwarding", "1"), 0);
	assert_int_equal(sysctl_get("net/ipv6/conf/all/forwarding", value), 0);
	assert_string_equal(value, "1");
	assert_int_equal(sysctl_get("net/ipv6/conf/lo/forwarding", value), 0);
	assert_string_equal(value, "1");
	assert_int_equal(sysctl_set("net/ipv6/conf/all/forwarding", "0"), 0);
	assert_int_equal(sysctl_set("net/ipv6/no/such/key", "0"), -ENOENT);
	assert_int_equal(sysctl_get("net/ipv6/no/such/key", value), -ENOENT);
	assert_int_equal(sysctl_set("net/ipv6/conf/all/forwarding", "no number"), -EINVAL);
	char longest[SYSCTL_KEY_MAX + 32];
	memset(longest, 'a', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	assert_int_equal(sysctl_get(longest, value), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(child_has_only_what_it_was_given),
		cmocka_unit_test(child_starts_with_clean_signals),
		cmocka_unit_test(child_leads_its_own_process_group),
		cmocka_unit_test(a_program_that_is_not_there_is_told),
		cmocka_unit_test(child_keeps_only_the_privileges_it_was_left),
		cmocka_unit_test(who_changes_routes_keeps_net_admin_alone),
		cmocka_unit_test(who_is_limited_executes_nothing_with_more),
		cmocka_unit_test(names_missing_privileges),
		cmocka_unit_test(child_dies_with_us),
		cmocka_unit_test(child_that_is_another_user_dies_with_us),
		cmocka_unit_test(child_is_another_user_with_the_privileges_it_was_left),
		cmocka_unit_test(child_speaks_to_whom_it_is_told),
		cmocka_unit_test(all_descriptors_from_one_on_are_closed_on_old_kernels_too),
		cmocka_unit_test(sysctls_are_read_and_written),
	};
	return cmocka_run_group_tests(tests, sandbox_enter, sandbox_leave);
}
