/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system calls that are left to the server, to init, to who changes the kernel's tables and to
 * who asks for a name, all of them, and those that nobody has. gen_seccomp makes the filters of
 * these lists when the program is built; whoever wants more adds it here, with a reason for what is
 * not obvious. Names that an architecture has not are passed over there.
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
	CALL(fallocate) CALL(flock) CALL(dup) CALL(unlink) CALL(unlinkat)               \
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
 * What init has beside these: it makes sockets, starts servers and sees them end, and runs an undo.
 * Whatever a server does before it enters its own filter must be here or there.
 */
#define SECCOMP_INIT_CALLS(CALL)                                                                    \
	CALL(connect) CALL(socketpair) CALL(pipe2) CALL(fork) CALL(wait4) CALL(kill) CALL(chmod)    \
	CALL(fchmodat) CALL(capget) CALL(capset) CALL(seccomp) CALL(epoll_create1) CALL(dup3)       \
	CALL(prlimit64) CALL(landlock_create_ruleset) CALL(landlock_add_rule)                       \
	CALL(landlock_restrict_self) CALL(close_range)

/* What is left to the process that changes the kernel's tables (daemon/fib_process.c): its sockets
 * are open, it waits, asks the kernel, answers the server, and may log. */
#define SECCOMP_FIB_CALLS(CALL)                                                                     \
	CALL(recvfrom) CALL(sendto) CALL(recvmsg) CALL(sendmsg) CALL(poll) CALL(ppoll)              \
	CALL(restart_syscall) CALL(clock_gettime) CALL(gettimeofday) CALL(time) CALL(write)         \
	CALL(writev) CALL(close) CALL(brk) CALL(munmap) CALL(mremap) CALL(madvise) CALL(futex)      \
	CALL(getrandom) CALL(getpid) CALL(rt_sigreturn) CALL(rt_sigprocmask) CALL(exit)             \
	CALL(exit_group)

/* What is left to the child that asks for a name (host/resolver.c): c-ares, and its answer. */
#define SECCOMP_RESOLVER_CALLS(CALL)                                                                \
	CALL(poll) CALL(ppoll) CALL(clock_gettime) CALL(gettimeofday) CALL(time)                    \
	CALL(restart_syscall) CALL(connect) CALL(bind) CALL(sendto) CALL(sendmsg) CALL(sendmmsg)    \
	CALL(recvfrom) CALL(recvmsg) CALL(getsockname) CALL(getpeername) CALL(setsockopt)           \
	CALL(getsockopt) CALL(shutdown) CALL(open) CALL(openat) CALL(close) CALL(read) CALL(write)  \
	CALL(readv) CALL(writev) CALL(lseek) CALL(stat) CALL(fstat) CALL(newfstatat)    \
	CALL(statx) CALL(access) CALL(faccessat) CALL(faccessat2) CALL(brk) CALL(munmap)            \
	CALL(mremap) CALL(madvise) CALL(futex) CALL(getrandom) CALL(sysinfo) CALL(getpid)           \
	CALL(gettid) CALL(getuid) CALL(geteuid) CALL(getgid) CALL(getegid) CALL(uname)              \
	CALL(rt_sigaction) CALL(rt_sigprocmask) CALL(rt_sigreturn) CALL(exit) CALL(exit_group)

/*
 * What a spawner refuses itself and the programs that it starts, which are not ours, with EPERM. By
 * their capabilities most of it is refused already; this holds where a kernel's bug makes them
 * worth nothing.
 */
#define SECCOMP_SPAWNER_REFUSED(CALL)                                                                  \
	/* others' memory */                                                                        \
	CALL(ptrace) CALL(process_vm_readv) CALL(process_vm_writev) CALL(kcmp) CALL(pidfd_getfd)    \
	CALL(process_madvise) CALL(userfaultfd)                                                     \
	/* the file system's tree */                                                                \
	CALL(mount) CALL(umount2) CALL(umount) CALL(pivot_root) CALL(chroot) CALL(move_mount)       \
	CALL(open_tree) CALL(fsopen) CALL(fsmount) CALL(fsconfig) CALL(fspick) CALL(mount_setattr)  \
	CALL(open_by_handle_at) CALL(name_to_handle_at) CALL(quotactl) CALL(quotactl_fd)            \
	CALL(swapon) CALL(swapoff) CALL(acct) CALL(mknod) CALL(mknodat)                             \
	/* the kernel itself */                                                                     \
	CALL(init_module) CALL(finit_module) CALL(delete_module) CALL(kexec_load)                   \
	CALL(kexec_file_load) CALL(bpf) CALL(perf_event_open) CALL(syslog) CALL(reboot)             \
	CALL(iopl) CALL(ioperm) CALL(lookup_dcookie) CALL(vhangup) CALL(nfsservctl)                 \
	/* what has had many bugs, and nothing of ours uses */                                      \
	CALL(io_uring_setup) CALL(io_uring_enter) CALL(io_uring_register) CALL(add_key)             \
	CALL(request_key) CALL(keyctl) CALL(unshare) CALL(setns) CALL(fanotify_init) CALL(personality)          \
	CALL(modify_ldt) CALL(memfd_secret) CALL(set_mempolicy) CALL(mbind) CALL(migrate_pages)     \
	CALL(move_pages)                                                                            \
	/* the clocks */                                                                            \
	CALL(settimeofday) CALL(clock_settime) CALL(clock_adjtime) CALL(adjtimex) CALL(stime)

/*
 * With conditions on their arguments, in gen_seccomp.c, for the server and for init:
 *   clone             without a new namespace: a child lists the leases while subscribers are served
 *   mmap, mprotect    without PROT_EXEC: what comes over the wire is never run
 *   socket            AF_NETLINK, NETLINK_ROUTE: to look at routes and neighbours, as anybody may
 *   prctl             PR_SET_NAME, PR_SET_VMA and PR_GET_DUMPABLE, of the C library
 *   fcntl             descriptors' and files' flags, copies, locks; not F_SETOWN, F_SETSIG and their
 *                     like, by which the kernel sends others signals for whoever asks for it
 * For init alone:
 *   socket            AF_NETLINK, AF_UNIX, AF_INET6, AF_PACKET: wireguard-go, the NIC that was
 *                     replaced, what a server's forwarding is changed by
 *   prctl             what a server gives its privileges up with, and that it dies with init
 *   ioctl             SIOCGIFHWADDR, SIOCGIFMTU
 * For who changes the kernel's tables: mmap and mprotect as above.
 * For who asks for a name: mmap, mprotect and fcntl as above, and
 *   socket            AF_INET, AF_INET6
 *   ioctl             FIONBIO
 * clone3 is answered with ENOSYS, so that the C library takes clone.
 */
