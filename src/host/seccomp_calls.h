/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system calls that are left to the server, all of them. gen_seccomp makes the filter of this
 * list when the program is built; whoever wants more adds it here, with a reason for what is not
 * obvious. Names that an architecture has not are passed over there.
 */
#pragma once

/* clang-format off */
#define SECCOMP_SERVER_CALLS(CALL)                                                                  \
	/* waiting, and time (the C library asks the kernel where the vDSO cannot tell) */          \
	CALL(epoll_wait) CALL(epoll_pwait) CALL(epoll_pwait2) CALL(epoll_ctl) CALL(poll)            \
	CALL(ppoll) CALL(select) CALL(pselect6) CALL(nanosleep) CALL(clock_nanosleep)               \
	CALL(clock_gettime) CALL(clock_getres) CALL(gettimeofday) CALL(time)                        \
	CALL(timerfd_create) CALL(timerfd_settime) CALL(timerfd_gettime) CALL(eventfd2)             \
	CALL(restart_syscall)                                                                       \
	/* packets and messages, on sockets that are there (socket() itself: below) */              \
	CALL(recvmsg) CALL(recvmmsg) CALL(recvfrom) CALL(sendmsg) CALL(sendmmsg) CALL(sendto)       \
	CALL(accept4) CALL(accept) CALL(shutdown) CALL(getsockname) CALL(getpeername)               \
	CALL(setsockopt) CALL(getsockopt) CALL(bind)                                                \
	/* the database, the reservations: files that the user may touch anyway */                  \
	CALL(open) CALL(openat) CALL(close) CALL(read) CALL(write) CALL(readv) CALL(writev)         \
	CALL(pread64) CALL(pwrite64) CALL(lseek) CALL(fsync) CALL(fdatasync) CALL(ftruncate)        \
	CALL(fallocate) CALL(fcntl) CALL(flock) CALL(dup) CALL(unlink) CALL(unlinkat)               \
	CALL(rename) CALL(renameat) CALL(renameat2) CALL(mkdir) CALL(mkdirat) CALL(rmdir)           \
	CALL(stat) CALL(lstat) CALL(fstat) CALL(newfstatat) CALL(statx) CALL(statfs)                \
	CALL(fstatfs) CALL(access) CALL(faccessat) CALL(faccessat2) CALL(readlink)                  \
	CALL(readlinkat) CALL(getcwd) CALL(getdents64) CALL(umask) CALL(fchmod) CALL(fchown)        \
	CALL(utimensat)                                                                             \
	/* memory (mmap and mprotect: below) */                                                     \
	CALL(brk) CALL(munmap) CALL(mremap) CALL(madvise) CALL(futex) CALL(getrandom)               \
	CALL(sysinfo)                                                                               \
	/* who we are, signals, the end */                                                          \
	CALL(getpid) CALL(gettid) CALL(getppid) CALL(getuid) CALL(geteuid) CALL(getgid)             \
	CALL(getegid) CALL(uname) CALL(sched_yield) CALL(sched_getaffinity)                         \
	CALL(rt_sigaction) CALL(rt_sigprocmask) CALL(rt_sigreturn) CALL(rt_sigpending)              \
	CALL(sigaltstack) CALL(set_robust_list) CALL(rseq) CALL(exit) CALL(exit_group)

/*
 * With conditions on their arguments, in gen_seccomp.c:
 *   clone             without a new namespace: a child lists the leases while subscribers are served
 *   mmap, mprotect    without PROT_EXEC: what comes over the wire is never run
 *   socket            AF_NETLINK alone: routes, neighbours, stations
 *   prctl             PR_SET_NAME, PR_SET_VMA and PR_GET_DUMPABLE, of the C library
 * clone3 is answered with ENOSYS, so that the C library takes clone.
 */
