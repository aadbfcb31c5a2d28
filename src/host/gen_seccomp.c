/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs when the program is built: makes the filter of seccomp_calls.h, as C. So the program needs
 * no libseccomp, and entering the filter takes microseconds: a server that died is back before
 * anybody notices.
 *
 *     gen_seccomp ARCHITECTURE        (as meson calls it: x86_64, aarch64, ...)
 */
#include "host/seccomp_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

#define NAME(call) #call,
#define LEN(array) (sizeof(array) / sizeof((array)[0]))
static const char *const server_calls[] = { SECCOMP_SERVER_CALLS(NAME) };
static const char *const init_calls[] = { SECCOMP_INIT_CALLS(NAME) };
static const char *const fib_calls[] = { SECCOMP_FIB_CALLS(NAME) };
static const char *const resolver_calls[] = { SECCOMP_RESOLVER_CALLS(NAME) };
static const char *const refused[] = { SECCOMP_SPAWNER_REFUSED(NAME) };

static const uint64_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
				   CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

static int add(scmp_filter_ctx f, uint32_t action, const char *name, unsigned n,
	       struct scmp_arg_cmp condition)
{
	int number = seccomp_syscall_resolve_name(name);
	if (number == __NR_SCMP_ERROR) {
		fprintf(stderr, "gen_seccomp: no architecture has a system call %s\n", name);
		return -ENOENT;
	}
	return seccomp_rule_add_array(f, action, number, n, &condition);
}

static int fill_spawner(scmp_filter_ctx f)
{
	static const struct scmp_arg_cmp none = { 0 };
	int r = 0;
	for (size_t i = 0; r == 0 && i < LEN(refused); i++)
		r = add(f, SCMP_ACT_ERRNO(EPERM), refused[i], 0, none);
	/* One bit at a time: only all of a mask's bits together can be compared. */
	for (uint64_t bit = 1; r == 0 && bit <= namespaces; bit <<= 1)
		if (namespaces & bit)
			r = add(f, SCMP_ACT_ERRNO(EPERM), "clone", 1,
				SCMP_A0_64(SCMP_CMP_MASKED_EQ, bit, bit));
	return r ? r : add(f, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, none);
}

struct conditional {
	const char *name;
	struct scmp_arg_cmp condition;
};

static int allow_if(scmp_filter_ctx f, const struct conditional *c, size_t n)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add(f, SCMP_ACT_ALLOW, c[i].name, 1, c[i].condition);
	return r;
}

static int allow_all(scmp_filter_ctx f, const char *const *names, size_t n)
{
	static const struct scmp_arg_cmp none = { 0 };
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add(f, SCMP_ACT_ALLOW, names[i], 0, none);
	return r;
}

static int allow_fcntl(scmp_filter_ctx f)
{
	static const int commands[] = { F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL,
					F_SETFL, F_GETLK,         F_SETLK, F_SETLKW };
	int r = 0;
	for (size_t i = 0; r == 0 && i < LEN(commands); i++)
		r = add(f, SCMP_ACT_ALLOW, "fcntl", 1,
			SCMP_A1_64(SCMP_CMP_EQ, (scmp_datum_t)commands[i]));
	return r;
}

static int allow_looking(scmp_filter_ctx f)
{
	const struct scmp_arg_cmp both[] = { SCMP_A0_64(SCMP_CMP_EQ, AF_NETLINK),
					     SCMP_A2_64(SCMP_CMP_EQ, NETLINK_ROUTE) };
	return seccomp_rule_add_array(f, SCMP_ACT_ALLOW, seccomp_syscall_resolve_name("socket"),
				      LEN(both), both);
}

static int fill_server(scmp_filter_ctx f)
{
	static const struct scmp_arg_cmp none = { 0 };
	int r = allow_all(f, server_calls, LEN(server_calls));
	const struct conditional conditional[] = {
		{ "clone", SCMP_A0_64(SCMP_CMP_MASKED_EQ, namespaces, 0) },
		{ "mmap", SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) },
		{ "mprotect", SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) },
		{ "prctl", SCMP_A0_64(SCMP_CMP_EQ, PR_SET_NAME) },
		{ "prctl", SCMP_A0_64(SCMP_CMP_EQ, PR_SET_VMA) },
		{ "prctl", SCMP_A0_64(SCMP_CMP_EQ, PR_GET_DUMPABLE) },
	};
	if (r == 0)
		r = allow_if(f, conditional, LEN(conditional));
	if (r == 0)
		r = allow_looking(f);
	if (r == 0)
		r = allow_fcntl(f);
	return r ? r : add(f, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, none);
}

static int fill_init(scmp_filter_ctx f)
{
	int r = fill_server(f);
	if (r == 0)
		r = allow_all(f, init_calls, LEN(init_calls));
	const struct conditional conditional[] = {
		{ "socket", SCMP_A0_64(SCMP_CMP_EQ, AF_NETLINK) },
		{ "socket", SCMP_A0_64(SCMP_CMP_EQ, AF_UNIX) },
		{ "socket", SCMP_A0_64(SCMP_CMP_EQ, AF_INET6) },
		{ "socket", SCMP_A0_64(SCMP_CMP_EQ, AF_PACKET) },
		{ "prctl", SCMP_A0_64(SCMP_CMP_EQ, PR_SET_PDEATHSIG) },
		{ "prctl", SCMP_A0_64(SCMP_CMP_EQ, PR_SET_NO_NEW_PRIVS) },
		{ "prctl", SCMP_A0_64(SCMP_CMP_EQ, PR_GET_NO_NEW_PRIVS) },
		{ "prctl", SCMP_A0_64(SCMP_CMP_EQ, PR_CAPBSET_READ) },
		{ "prctl", SCMP_A0_64(SCMP_CMP_EQ, PR_CAPBSET_DROP) },
		{ "prctl", SCMP_A0_64(SCMP_CMP_EQ, PR_CAP_AMBIENT) },
		{ "prctl", SCMP_A0_64(SCMP_CMP_EQ, PR_GET_SECUREBITS) },
		{ "ioctl", SCMP_A1_64(SCMP_CMP_EQ, SIOCGIFHWADDR) },
		{ "ioctl", SCMP_A1_64(SCMP_CMP_EQ, SIOCGIFMTU) },
	};
	return r ? r : allow_if(f, conditional, LEN(conditional));
}

static int fill_fib(scmp_filter_ctx f)
{
	int r = allow_all(f, fib_calls, LEN(fib_calls));
	const struct conditional conditional[] = {
		{ "mmap", SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) },
		{ "mprotect", SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) },
	};
	return r ? r : allow_if(f, conditional, LEN(conditional));
}

static int fill_resolver(scmp_filter_ctx f)
{
	int r = allow_all(f, resolver_calls, LEN(resolver_calls));
	const struct conditional conditional[] = {
		{ "mmap", SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) },
		{ "mprotect", SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) },
		{ "socket", SCMP_A0_64(SCMP_CMP_EQ, AF_INET) },
		{ "socket", SCMP_A0_64(SCMP_CMP_EQ, AF_INET6) },
		{ "ioctl", SCMP_A1_64(SCMP_CMP_EQ, FIONBIO) },
	};
	if (r == 0)
		r = allow_if(f, conditional, LEN(conditional));
	return r ? r : allow_fcntl(f);
}

static int print(scmp_filter_ctx f, const char *name)
{
	FILE *file = tmpfile();
	struct sock_filter line;
	if (!file || seccomp_export_bpf(f, fileno(file)) < 0 || fseek(file, 0, SEEK_SET) != 0)
		return -1;
	printf("static const struct sock_filter %s[] = {\n", name);
	while (fread(&line, sizeof line, 1, file) == 1)
		printf("\t{ 0x%02x, %u, %u, 0x%08x },\n", line.code, line.jt, line.jf, line.k);
	printf("};\n");
	return fclose(file) != 0 || fflush(stdout) != 0 ? -1 : 0;
}

static int make(const char *name, uint32_t arch, uint32_t otherwise, int (*fill)(scmp_filter_ctx))
{
	scmp_filter_ctx f = seccomp_init(otherwise);
	int r = f ? 0 : -ENOMEM;
	if (r == 0 && arch != seccomp_arch_native()) {
		r = seccomp_arch_add(f, arch);
		if (r == 0)
			r = seccomp_arch_remove(f, SCMP_ARCH_NATIVE);
	}
	/* A binary tree instead of a chain: a dozen comparisons for any call. */
	if (r == 0)
		r = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = fill(f);
	if (r == 0)
		r = print(f, name);
	if (r < 0)
		fprintf(stderr, "gen_seccomp: %s: %s\n", name, strerror(-r));
	seccomp_release(f);
	return r;
}

int main(int argc, char **argv)
{
	uint32_t arch = argc == 2 ? seccomp_arch_resolve_name(argv[1]) : 0;
	if (!arch) {
		fprintf(stderr, "gen_seccomp: %s is no architecture that libseccomp knows\n",
			argc == 2 ? argv[1] : "nothing");
		return 1;
	}
	/* seccomp.c knows how to refuse a call with a report of its own on these two alone. */
	uint32_t refuse = arch == SCMP_ARCH_X86_64 || arch == SCMP_ARCH_AARCH64
				  ? SCMP_ACT_TRAP
				  : SCMP_ACT_ERRNO(EPERM);
	return make("server_filter", arch, SCMP_ACT_KILL_PROCESS, fill_server) < 0 ||
	       make("init_filter", arch, refuse, fill_init) < 0 ||
	       make("fib_filter", arch, SCMP_ACT_KILL_PROCESS, fill_fib) < 0 ||
	       make("resolver_filter", arch, SCMP_ACT_KILL_PROCESS, fill_resolver) < 0 ||
	       make("spawner_filter", arch, SCMP_ACT_ALLOW, fill_spawner) < 0;
}
