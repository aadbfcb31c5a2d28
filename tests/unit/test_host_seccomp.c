/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The filters, each entered in a child of the test's own, and each call tried in a child of that.
 */
#include "unit/sandbox.h"

#include "host/priv.h"
#include "host/seccomp.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>

enum { BIG = 8 << 20 };

static bool built_in(void)
{
	pid_t pid = fork();
	if (pid == 0) /* no_new_privs is not set: the kernel says EACCES to whoever is not root */
		_exit(seccomp_enter_server() == -EOPNOTSUPP);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status == 0;
}

#define NEEDS_FILTER()                                                                             \
	do {                                                                                       \
		if (!built_in())                                                                   \
			skip_because("this build has no filter: its sanitizers make calls of "     \
				     "their own");                                                 \
	} while (0)

/* How fn ends inside a filter: waitpid's status. */
static int inside_of(int (*enter)(void), void (*fn)(void))
{
	pid_t pid = fork();
	if (pid == 0) {
		if (priv_keep(0, false) < 0 || enter() < 0)
			_exit(100);
		fn();
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int inside(void (*fn)(void))
{
	return inside_of(seccomp_enter_server, fn);
}

static void try_exec(void)
{
	char sh[] = "/bin/true";
	char *const argv[] = { sh, NULL };
	(void)execv(sh, argv);
}

static void try_execveat(void)
{
	(void)syscall(SYS_execveat, -1, "/bin/true", NULL, NULL, 0);
}

static void try_ptrace(void)
{
	(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void try_mount(void)
{
	(void)mount("none", "/mnt", "tmpfs", 0, NULL);
}

static void try_setns(void)
{
	(void)setns(-1, CLONE_NEWNET);
}

static void try_unshare(void)
{
	(void)unshare(CLONE_NEWUSER);
}

static void try_clone_into_new_namespace(void)
{
	(void)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
}

static void try_internet_socket(void)
{
	(void)socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static void try_internet_4(void)
{
	(void)socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static void try_packet_socket(void)
{
	(void)socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static void try_unix_socket(void)
{
	(void)socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void try_changing_the_packet_filter(void)
{
	(void)socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
}

static void try_connect(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	(void)connect(0, (const struct sockaddr *)&at, sizeof at);
}

static void try_executable_memory(void)
{
	(void)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void try_making_memory_executable(void)
{
	static _Alignas(4096) char page[4096];
	(void)mprotect(page, sizeof page, PROT_READ | PROT_EXEC);
}

static void try_kill(void)
{
	(void)kill(getppid(), 0);
}

static void try_reading_anothers_memory(void)
{
	(void)syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

/* By these the kernel sends a signal for us: to whomever, where we are root by name. */
static void try_owner(void)
{
	(void)fcntl(STDIN_FILENO, F_SETOWN, getppid());
}

static void try_owner_ex(void)
{
	(void)syscall(SYS_fcntl, STDIN_FILENO, 15 /* F_SETOWN_EX */, "");
}

static void try_signal_of_choice(void)
{
	(void)syscall(SYS_fcntl, STDIN_FILENO, 10 /* F_SETSIG */, SIGTERM);
}

static void try_bpf(void)
{
	(void)syscall(SYS_bpf, 0, NULL, 0);
}

static void try_module(void)
{
	(void)syscall(SYS_finit_module, -1, "", 0);
}

static void try_setuid(void)
{
	(void)!setuid(0);
}

static void try_chroot(void)
{
	(void)!chroot("/");
}

static void try_ioctl(void)
{
	(void)syscall(SYS_ioctl, 0, 0x5412 /* TIOCSTI */, "x");
}

static void try_io_uring(void)
{
	(void)syscall(SYS_io_uring_setup, 1, NULL);
}

struct forbidden {
	const char *what;
	void (*fn)(void);
};

static void each_kills(int (*enter)(void), const struct forbidden *forbidden, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int status = inside_of(enter, forbidden[i].fn);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("%s: status %#x instead of death by SIGSYS", forbidden[i].what,
				 (unsigned)status);
	}
}

static void what_is_not_of_the_list_kills(void **state)
{
	(void)state;
	NEEDS_FILTER();
	static const struct forbidden forbidden[] = {
		{ "execve", try_exec },
		{ "execveat", try_execveat },
		{ "ptrace", try_ptrace },
		{ "mount", try_mount },
		{ "setns", try_setns },
		{ "unshare", try_unshare },
		{ "clone into a namespace", try_clone_into_new_namespace },
		{ "a UDP socket", try_internet_socket },
		{ "an IPv4 socket", try_internet_4 },
		{ "a packet socket", try_packet_socket },
		{ "a unix socket", try_unix_socket },
		{ "a netlink socket but for routes", try_changing_the_packet_filter },
		{ "connect", try_connect },
		{ "mmap PROT_EXEC", try_executable_memory },
		{ "mprotect PROT_EXEC", try_making_memory_executable },
		{ "kill", try_kill },
		{ "process_vm_readv", try_reading_anothers_memory },
		{ "F_SETOWN", try_owner },
		{ "F_SETOWN_EX", try_owner_ex },
		{ "F_SETSIG", try_signal_of_choice },
		{ "bpf", try_bpf },
		{ "finit_module", try_module },
		{ "setuid", try_setuid },
		{ "chroot", try_chroot },
		{ "ioctl", try_ioctl },
		{ "io_uring_setup", try_io_uring },
	};
	each_kills(seccomp_enter_server, forbidden, sizeof forbidden / sizeof *forbidden);
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void need(bool ok, int code)
{
	if (!ok)
		_exit(code);
}

static void use_memory(void)
{
	void *small[64];
	for (size_t i = 0; i < 64; i++)
		need((small[i] = malloc(64 << (i % 8))) != NULL, 1);
	char *big = malloc(BIG);
	need(big != NULL, 2);
	memset(big, 1, BIG);
	big = realloc(big, 2 * BIG);
	need(big != NULL, 3);
	int *numbers = malloc(BIG);
	need(numbers != NULL, 4);
	for (int i = 0; i < BIG / 4; i++)
		numbers[i] = (int)((unsigned)i * 7919U % 10007U);
	qsort(numbers, BIG / 4, sizeof *numbers, compare); /* asks how much memory there is */
	for (size_t i = 0; i < 64; i++)
		free(small[i]);
	free(big);
	free(numbers);
}

static void use_files(void)
{
	char path[64];
	(void)snprintf(path, sizeof path, "/tmp/vbng-seccomp-%d", getpid());
	FILE *f = fopen(path, "w+e");
	need(f != NULL, 10);
	need(fprintf(f, "%d\n", 7) > 0 && fflush(f) == 0 && fsync(fileno(f)) == 0, 11);
	struct stat st;
	need(stat(path, &st) == 0 && lstat(path, &st) == 0 && access(path, R_OK) == 0, 12);
	need(ftruncate(fileno(f), 0) == 0 && fclose(f) == 0 && unlink(path) == 0, 13);
}

static void use_time_and_chance(void)
{
	struct timespec t;
	uint8_t bytes[16];
	need(clock_gettime(CLOCK_REALTIME, &t) == 0 && getrandom(bytes, 16, 0) == 16, 20);
	/* As where the vDSO cannot tell the time, on some virtual machines. */
	need(syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &t) == 0, 21);
	need(nanosleep(&(struct timespec){ .tv_nsec = 1000 }, NULL) == 0, 22);
	time_t now = time(NULL);
	struct tm tm;
	need(localtime_r(&now, &tm) != NULL, 23);
}

static void fork_as_the_list_of_leases_does(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		use_memory();
		_exit(7);
	}
	need(pid > 0, 40);
	struct timespec pause = { .tv_nsec = 1000000 };
	for (int i = 0; i < 10; i++)
		(void)nanosleep(&pause, NULL); /* a shorter one does as well */
}

static void netlink_for_routes(void)
{
	int nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
	need(nl >= 0, 50);
	struct sockaddr_storage at = { .ss_family = AF_NETLINK };
	need(bind(nl, (const struct sockaddr *)&at, 12) == 0, 51);
	struct pollfd p = { .fd = nl, .events = POLLIN };
	need(poll(&p, 1, 1) == 0 && close(nl) == 0, 52);
}

static void what_the_server_does_goes_on_working(void **state)
{
	(void)state;
	NEEDS_FILTER();
	static void (*const uses[])(void) = { use_memory, use_files, use_time_and_chance,
					      fork_as_the_list_of_leases_does, netlink_for_routes };
	for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
		assert_int_equal(inside(uses[i]), 0);
}

static void try_fork(void)
{
	if (fork() == 0)
		_exit(0);
}

static void who_asks_for_a_name_can_do_that_alone(void **state)
{
	(void)state;
	NEEDS_FILTER();
	static const struct forbidden forbidden[] = {
		{ "execve", try_exec },
		{ "ptrace", try_ptrace },
		{ "mount", try_mount },
		{ "setns", try_setns },
		{ "unshare", try_unshare },
		{ "fork", try_fork },
		{ "kill", try_kill },
		{ "a netlink socket", netlink_for_routes },
		{ "a packet socket", try_packet_socket },
		{ "a unix socket", try_unix_socket },
		{ "mmap PROT_EXEC", try_executable_memory },
		{ "process_vm_readv", try_reading_anothers_memory },
		{ "F_SETOWN", try_owner },
		{ "F_SETOWN_EX", try_owner_ex },
		{ "F_SETSIG", try_signal_of_choice },
		{ "ioctl", try_ioctl },
		{ "setuid", try_setuid },
	};
	each_kills(seccomp_enter_resolver, forbidden, sizeof forbidden / sizeof *forbidden);
	assert_int_equal(inside_of(seccomp_enter_resolver, use_memory), 0);
	assert_int_equal(inside_of(seccomp_enter_resolver, try_internet_4), 0);
	assert_int_equal(inside_of(seccomp_enter_resolver, try_internet_socket), 0);
}

/* Its sockets are open before. */
static void ask_the_kernel_and_answer(void)
{
	int pair[2];
	char word[5] = "";
	need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0 &&
		     seccomp_enter_fib() == 0,
	     53);
	struct pollfd p = { .fd = pair[1], .events = POLLIN };
	need(send(pair[0], "word", 5, MSG_NOSIGNAL) == 5 && poll(&p, 1, 1000) == 1 &&
		     recv(pair[1], word, sizeof word, 0) == 5,
	     54);
	char *some = malloc(BIG);
	need(some && malloc(64), 55);
	memset(some, 1, BIG);
	free(some);
	need(write(STDERR_FILENO, "", 0) == 0 && close(pair[0]) == 0, 56);
}

static int not_yet(void)
{
	return 0;
}

static void who_changes_the_kernels_tables_can_do_that_alone(void **state)
{
	(void)state;
	NEEDS_FILTER();
	static const struct forbidden forbidden[] = {
		{ "execve", try_exec },
		{ "ptrace", try_ptrace },
		{ "mount", try_mount },
		{ "setns", try_setns },
		{ "unshare", try_unshare },
		{ "fork", try_fork },
		{ "kill", try_kill },
		{ "a netlink socket", netlink_for_routes },
		{ "another netlink socket", try_changing_the_packet_filter },
		{ "a packet socket", try_packet_socket },
		{ "a unix socket", try_unix_socket },
		{ "a UDP socket", try_internet_socket },
		{ "a file", use_files },
		{ "mmap PROT_EXEC", try_executable_memory },
		{ "mprotect PROT_EXEC", try_making_memory_executable },
		{ "process_vm_readv", try_reading_anothers_memory },
		{ "F_SETOWN", try_owner },
		{ "ioctl", try_ioctl },
		{ "setuid", try_setuid },
	};
	each_kills(seccomp_enter_fib, forbidden, sizeof forbidden / sizeof *forbidden);
	assert_int_equal(inside_of(not_yet, ask_the_kernel_and_answer), 0);
}

static void refused_to_both(void)
{
	need(ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 && errno == EPERM, 60);
	/* Without a filter these would say EINVAL, ENOENT, EBADF or EFAULT. */
	need(mount(NULL, "/nowhere", NULL, 0, NULL) < 0 && errno == EPERM, 61);
	need(unshare(-1) < 0 && errno == EPERM, 62);
	need(syscall(SYS_bpf, 9999, NULL, 0) < 0 && errno == EPERM, 63);
	need(syscall(SYS_finit_module, -1, "", 0) < 0 && errno == EPERM, 64);
	need(syscall(SYS_io_uring_setup, 1, NULL) < 0 && errno == EPERM, 65);
	need(syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 9) < 0 && errno == EPERM,
	     66);
	need(syscall(SYS_keyctl, 9999) < 0 && errno == EPERM, 67);
	need(syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0) < 0 && errno == EPERM, 68);
	static const unsigned long namespaces[] = { CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWNET,
						    CLONE_NEWPID,  CLONE_NEWUTS, CLONE_NEWIPC };
	for (size_t i = 0; i < sizeof namespaces / sizeof *namespaces; i++)
		need(syscall(SYS_clone, namespaces[i] | SIGCHLD, NULL, NULL, NULL, NULL) < 0 &&
			     errno == EPERM,
		     69);
}

static void refused_to_spawners(void)
{
	refused_to_both();
	need(setns(-1, CLONE_NEWNET) < 0 && errno == EPERM, 70);
}

static void left_to_spawners(void)
{
	use_memory();
	use_files();
	char sh[] = "/bin/sh", c[] = "-c", text[] = "exec true";
	char *const argv[] = { sh, c, text, NULL };
	pid_t pid = fork();
	if (pid == 0) {
		(void)execv(sh, argv);
		_exit(71);
	}
	int status;
	need(waitpid(pid, &status, 0) == pid && status == 0, 72);
}

static void a_spawner_and_its_programs_are_refused_what_none_needs(void **state)
{
	(void)state;
	NEEDS_FILTER();
	assert_int_equal(inside_of(seccomp_enter_spawner, refused_to_spawners), 0);
	assert_int_equal(inside_of(seccomp_enter_spawner, left_to_spawners), 0);
}

/* The pipe of the reports holds more than this. */
static void refused_to_init(void)
{
	need(seccomp_refused() == -EAGAIN, 80);
	refused_to_both();
	size_t n = 0;
	for (int call; (call = seccomp_refused()) >= 0; n++)
		need(n > 0 || call == SYS_ptrace, 81);
	need(n == 15 || seccomp_report_fd() < 0, 82);
	errno = 0;
	need(setns(-1, CLONE_NEWNET) < 0 && errno == EPERM, 83);
	errno = 0;
	try_exec();
	need(errno == EPERM, 84);
	errno = 0;
	try_internet_4();
	need(errno == EPERM, 85);
	errno = 0;
	try_ioctl();
	need(errno == EPERM, 86);
	errno = 0;
	try_executable_memory();
	need(errno == EPERM, 87);
	errno = 0;
	try_setuid();
	need(errno == EPERM, 88);
}

static void left_to_init(void)
{
	use_memory();
	use_files();
	use_time_and_chance();
	netlink_for_routes();
	int pair[2], fds[] = { socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0),
			       socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	need(fds[0] >= 0 && fds[1] >= 0, 90);
	need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0, 91);
	pid_t pid = fork();
	if (pid == 0) /* as a server begins */
		_exit(signal(SIGSYS, SIG_DFL) != SIG_ERR && priv_keep(0, false) == 0 &&
				      seccomp_enter_server() == 0
			      ? 7
			      : 1);
	int status;
	need(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7, 92);
	pid = fork();
	if (pid == 0) {
		(void)signal(SIGSYS, SIG_DFL); /* cannot fail for it */
		try_exec();
		_exit(1);
	}
	need(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
	     93);
}

static void init_is_refused_what_is_not_of_its_list_hears_of_it_and_goes_on(void **state)
{
	(void)state;
	NEEDS_FILTER();
	assert_int_equal(inside_of(seccomp_enter_init, refused_to_init), 0);
	assert_int_equal(inside_of(seccomp_enter_init, left_to_init), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_of_the_list_kills),
		cmocka_unit_test(what_the_server_does_goes_on_working),
		cmocka_unit_test(who_asks_for_a_name_can_do_that_alone),
		cmocka_unit_test(who_changes_the_kernels_tables_can_do_that_alone),
		cmocka_unit_test(a_spawner_and_its_programs_are_refused_what_none_needs),
		cmocka_unit_test(init_is_refused_what_is_not_of_its_list_hears_of_it_and_goes_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
