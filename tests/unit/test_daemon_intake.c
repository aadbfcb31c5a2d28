/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a server that is killed while it reads its socket leaves to the next. */
#include "unit/sandbox.h"

#include "base/clock.h"
#include "daemon/intake.h"
#include "host/link.h"

#include <poll.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { WAIT_MS = 60000, PACKETS = 4, STRIDE = 60, DEATHS = 16 };

static struct {
	struct config config;
	struct dhcp6_sock *sock;
	struct dhcp6_frames *frames;
	struct intake_memory *memory;
	struct intake_params params;
	struct link_info theirs;
	int cpe;
	uint32_t sent;
} f;

static struct in6_addr link_local(uint8_t n)
{
	return (struct in6_addr){ .s6_addr = { 0xfe, 0x80, [15] = n } };
}

static int begin(void **state)
{
	if (sandbox_enter(state) < 0 || !sandbox.made)
		return sandbox.made ? -1 : 0;
	run("ip link add sub0 type veth peer name cpe0 && ip link set sub0 addrgenmode none && ip "
	    "link set cpe0 addrgenmode none && ip link set sub0 up && ip link set cpe0 up && ip -6 "
	    "addr add fe80::1/64 dev sub0 nodad && ip -6 addr add fe80::c/64 dev cpe0 nodad");
	struct rtnl *own;
	struct link_info ours;
	if (rtnl_open(-1, &own) < 0 || link_get(own, "sub0", &ours) < 0 ||
	    link_get(own, "cpe0", &f.theirs) < 0)
		return -1;
	rtnl_close(own);
	f.cpe = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const struct sockaddr_in6 at = { .sin6_family = AF_INET6,
					 .sin6_port = htons(546),
					 .sin6_addr = link_local(0xc),
					 .sin6_scope_id = f.theirs.ifindex };
	if (f.cpe < 0 || bind(f.cpe, (const struct sockaddr *)&at, sizeof at) < 0 ||
	    dhcp6_sock_open("sub0", ours.ifindex, &f.sock) < 0 ||
	    dhcp6_frames_open("sub0", ours.ifindex, &f.frames) < 0 ||
	    intake_memory_new(&f.memory) < 0 || intake_memory_next(f.memory) < 0)
		return -1;
	f.params = (struct intake_params){
		.config = &f.config, .memory = f.memory, .sock = f.sock, .frames = f.frames
	};
	return 0;
}

static int end(void **state)
{
	(void)state;
	if (!sandbox.made)
		return 0;
	intake_memory_free(f.memory);
	dhcp6_frames_close(f.frames);
	dhcp6_sock_close(f.sock);
	return close(f.cpe);
}

/* All of them are in the socket when the last is: it is one queue. */
static void send_packets(void)
{
	const struct sockaddr_in6 to = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(547),
		.sin6_addr = { .s6_addr = { 0xff, 2, [13] = 1, [15] = 2 } },
		.sin6_scope_id = f.theirs.ifindex,
	};
	for (int i = 0; i < PACKETS; i++) {
		uint8_t bytes[64] = { 1 };
		f.sent++;
		memcpy(bytes + 4, &f.sent, sizeof f.sent);
		assert_int_equal(sendto(f.cpe, bytes, sizeof bytes, 0, (const struct sockaddr *)&to,
					sizeof to),
				 sizeof bytes);
	}
}

/* Up to the end of the system call that takes packets out of the socket, and some instructions
 * further. */
static void kill_after(pid_t pid, unsigned instructions)
{
	int status;
	struct __ptrace_syscall_info what = { 0 };
	assert_int_equal(
		ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
	do {
		if (what.op == PTRACE_SYSCALL_INFO_ENTRY && what.entry.nr == SYS_recvmmsg &&
		    what.entry.args[0] == (uint64_t)dhcp6_sock_fd(f.sock))
			break;
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSTOPPED(status));
		assert_true(ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof what, &what) > 0);
	} while (true);
	assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (unsigned i = 0; i < instructions && WIFSTOPPED(status); i++) {
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
	}
	assert_true(WIFSTOPPED(status));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static bool under_valgrind(void)
{
	const char *preloaded = getenv("LD_PRELOAD");
	return preloaded && strstr(preloaded, "vgpreload");
}

/* A server that reads what waits. */
static int serve(struct intake **ret_intake, struct rd packets[static INTAKE_BATCH],
		 struct pkt_meta metas[static INTAKE_BATCH])
{
	int r = intake_new(&f.params, ret_intake);
	return r < 0 ? r : intake_next(*ret_intake, clock_mono_ms(), packets, metas);
}

static void assert_all_are_read(void)
{
	static struct rd packets[INTAKE_BATCH];
	static struct pkt_meta metas[INTAKE_BATCH];
	struct intake *in = NULL;
	int n = serve(&in, packets, metas);
	assert_int_equal(n, PACKETS);
	for (int i = 0; i < n; i++) {
		uint32_t number;
		assert_int_equal(rd_left(&packets[i]), 64);
		memcpy(&number, packets[i].p + 4, sizeof number);
		/* (The first of a sender that nobody knows stands apart.) */
		assert_in_range(number, f.sent - PACKETS + 1, f.sent);
		const struct in6_addr src = link_local(0xc);
		assert_memory_equal(&metas[i].src, &src, sizeof src);
		assert_int_equal(metas[i].src_port, 546);
		assert_int_equal(metas[i].ifindex, dhcp6_sock_ifindex(f.sock));
		assert_int_equal(metas[i].lladdr_len, 6);
		assert_memory_equal(metas[i].lladdr, f.theirs.lladdr, 6);
	}
	intake_decided(in, (size_t)n);
	intake_answered(in);
	assert_int_equal(intake_stats(in).server_died, 0);
	assert_int_equal(intake_next(in, clock_mono_ms(), packets, metas), 0);
	assert_false(intake_waiting(in));
	intake_free(in);
}

static void whoever_is_killed_while_it_reads_its_socket_loses_nothing(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	for (unsigned death = 0; death < DEATHS; death++) {
		send_packets();
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			static struct rd packets[INTAKE_BATCH];
			static struct pkt_meta metas[INTAKE_BATCH];
			struct intake *in;
			if (under_valgrind() || ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
				_exit(1);
			(void)raise(SIGSTOP); /* cannot fail */
			int n = serve(&in, packets, metas);
			for (;;) /* until it is killed */
				(void)raise(n == PACKETS ? SIGSTOP : SIGABRT);
		}
		int status;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			print_message("# skipped: nobody may be traced here\n");
			skip();
		}
		intake_memory_passed_on(f.memory);
		kill_after(pid, death * STRIDE);
		assert_int_equal(intake_memory_next(f.memory), 0);
		assert_all_are_read();
		assert_int_equal(intake_memory_next(f.memory), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			whoever_is_killed_while_it_reads_its_socket_loses_nothing, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
