# SPDX-License-Identifier: GPL-2.0-or-later
"""Every system call by which boot acquires something fails in turn, and the host is afterwards, line by line, what it was.

strace makes them fail, in the very binary that is shipped. One run is recorded; then, for each call from main() to the first advertisement,
another run in which that call alone fails. VBNG_FAULTS=all tries each call of each kind (minutes); without it some kinds are thinned.
"""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from clients import WideDhcp6c
from lab import (EX_CONFIG, EX_NOPERM, EX_OK, EX_SOFTWARE, EX_UNAVAILABLE, PATIENCE_S, VBNG, Lab, Netns, Vbng, assert_same, popen, run, stop_process, wait_for)

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")

ALL = os.environ.get("VBNG_FAULTS") == "all"
TOLD = {EX_UNAVAILABLE, EX_SOFTWARE, EX_NOPERM, EX_CONFIG}

# What a kind of call fails with where it really does, and every how many of them is tried without VBNG_FAULTS=all.
KINDS = {
    "socket": ("EMFILE", 4), "bind": ("EACCES", 6), "setns": ("EPERM", 4), "socketpair": ("EMFILE", 1), "clone": ("EAGAIN", 1),
    "pipe2": ("EMFILE", 1), "poll": ("ENOMEM", 8), "eventfd2": ("EMFILE", 1), "listen": ("EADDRINUSE", 1), "mkdir": ("EROFS", 1),
    "rename": ("ENOSPC", 1), "flock": ("EIO", 1), "getrandom": ("EINTR", 1), "ioctl": ("EPERM", 2), "sendmsg": ("EPERM", 4),
    "sendto": ("ENOBUFS", 3), "connect": ("EACCES", 1), "openat": ("EMFILE", 12), "write": ("EPERM", 4), "setsockopt": ("ENOBUFS", 16),
    "recvmsg": ("ENOBUFS", 24), "recvfrom": ("ENOBUFS", 6), "mmap": ("ENOMEM", 1), "fcntl": ("EINVAL", 1), "getsockname": ("ENOBUFS", 1),
    "capget": ("EPERM", 4), "getdents64": ("EIO", 1), "unlink": ("EBUSY", 1), "pwrite64": ("ENOSPC", 1), "ftruncate": ("EIO", 1),
    "prctl": ("EINVAL", 1), "timerfd_create": ("EMFILE", 1), "madvise": ("EINVAL", 1), "mlock": ("ENOMEM", 1), "capset": ("EPERM", 1),
    "seccomp": ("EINVAL", 1), "prlimit64": ("EPERM", 1), "fsync": ("EIO", 1), "fchmod": ("EPERM", 1), "fchown": ("EPERM", 1),
}
# The other modes repeat most of it: of these calls each has some of its own.
OWN = {"local": {"socket": 9, "sendmsg": 9}, "macvlan": {"sendmsg": 15}, "tunnel": {"setns": 5, "clone": 1, "pipe2": 1, "sendmsg": 14}}
# What is not here: brk, whose failure the C library asks for in another way than strace can give it.

# So is the write by which it wakes itself for a signal: without it nobody hears of that one; and the line for which we wait. When they come
# is not the same in each run.
WAKES = re.compile(r'write\(\d+, "\\1(\\0){7}", 8\)|write\(2, "info init serving')

# The sanitizers need memory of their own, and strace's place as the tracer for their leak check.
with open(VBNG, "rb") as binary:
    SANITIZED = b"__asan_init" in binary.read()
if SANITIZED:
    for kind in "mmap", "madvise":
        del KINDS[kind]


SERVES, AGAIN = "another server serves", "starting it again"


class Stage:
    """A docker host and a namespace that outlive the runs, each of which has to leave them as they were."""

    def __init__(self, lab, mode):
        self.lab, self.mode = lab, mode
        if mode == "tunnel":
            lab.internet()
        self.own = lab.add(Netns("own"), Netns.delete)
        for ns in lab.host, self.own:
            ns.sysctl(net__ipv6__conf__default__dad_transmits=0)  # nothing here is about duplicates
        lab.host.ip("link", "set", "sub0", "up")
        self.env = {"SUBSCRIBER_MODE": mode} if mode in ("local", "macvlan") else {}
        home = lab.host
        if mode == "local":
            lab.host.ip("link", "set", "sub0", "netns", self.own.name)
            self.own.ip("link", "set", "sub0", "up")
            home = self.own
        home.ip("addr", "add", "198.51.100.7/24", "brd", "+", "dev", "sub0")
        home.ip("addr", "add", "2001:db8:77::7/64", "dev", "sub0", "nodad")
        if SANITIZED:
            self.env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        self.trace = os.path.join(lab.state, "..", os.path.basename(lab.state) + ".trace")
        self.before = self.host_now(), self.own_now()

    def host_now(self):
        return self.lab.host.snapshot()

    def own_now(self):
        """The kernel makes a key for TCP Fast Open as soon as somebody listens: dnsmasq does."""
        return [line for line in self.own.snapshot() if "tcp_fastopen_key" not in line]

    def run(self, *strace):
        """The exit code (None: it neither served nor ended), whether it served, and what it said. One that serves is stopped, as is one
        whose server ends again and again."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.lab.state, "lock"))  # each run may be the one that makes it
        vbng = Vbng(self.lab.env(**self.env), self.lab.state, self.own, pid1=False, under=f"strace -D -o {self.trace} {' '.join(strace)}").start()
        try:
            served, told, end = False, False, time.monotonic() + PATIENCE_S
            while vbng.process.poll() is None:
                served = served or "init serving" in vbng.text()
                if not told and (served or vbng.text().count(AGAIN) > 2):
                    told = True
                    vbng.send(15)
                if time.monotonic() > end:
                    return None, served, vbng.text()
                time.sleep(0.01)
            return vbng.process.returncode, served, vbng.text()
        finally:
            vbng.close()

    def traced(self):
        with open(self.trace, encoding="utf-8", errors="replace") as f:
            return f.read()

    def calls(self, begin="rt_sigaction(SIGPIPE, {sa_handler=SIG_IGN", end="init serving"):
        """Of each kind: the first and the last number of those between main() and serving, or two other places."""
        code, served, said = self.run()
        assert code == EX_OK and served, said
        count, first, last = {}, {}, {}
        booting = False
        for line in self.traced().splitlines():
            kind = re.match(r"\w+", line)
            if not kind:
                continue
            if begin in line:
                booting = True
            if end in line:
                break
            count[kind[0]] = count.get(kind[0], 0) + 1
            if booting:
                first.setdefault(kind[0], count[kind[0]])
                last[kind[0]] = count[kind[0]]
        assert booting and {"sendmsg", "recvmsg", "openat"} <= set(first), first
        return {kind: (first[kind], last[kind]) for kind in first if kind in KINDS}

    def fail(self, kind, number):
        """None, or what is wrong with what happened."""
        error = KINDS[kind][0]
        code, served, said = self.run(f"-e trace={kind}", f"-e inject={kind}:error={error}:when={number}")
        hit = [line for line in self.traced().splitlines() if "(INJECTED)" in line]
        what = f"{self.mode}: {kind} number {number} fails with {error}: {hit[0] if hit else 'never came'}"
        if served and code not in (EX_OK, EX_SOFTWARE) or not served and code not in TOLD:
            return f"{what}\nexit code {code}\n{said}"
        # Whoever ends says why: one line at least.
        if not served and not re.search(r"^error (boot|config)", said, re.M):
            return f"{what}\nexit code {code} without a word of why\n{said}"
        try:
            assert_same(self.before[0], self.host_now, timeout=20)
            assert_same(self.before[1], self.own_now, "our own namespace", timeout=20)
            note = os.path.join(self.lab.state, "nic")
            assert not os.path.exists(note), "there is a note of a NIC that is at home"
        except AssertionError as e:
            return f"{what}\nexit code {code}\n{e}\n{said}"
        return None


def test_the_nic_comes_home_whatever_fails_once_at_the_stop(lab):
    """An answer of the kernel that is lost, above all: what was asked for may have been done, or not."""
    stage = Stage(lab, "move")
    calls = stage.calls("init stopping", "init stopped")
    tried = 0
    for kind in "sendmsg", "recvmsg", "recvfrom":
        first, last = calls[kind]
        for number in range(first, last + 1, 1 if ALL else 13):
            tried += 1
            code, served, said = stage.run(f"-e trace={kind}", f"-e inject={kind}:error=ENOBUFS:when={number}")
            assert served and code in (EX_OK, EX_SOFTWARE), f"{kind} number {number}: exit code {code}\n{said}"
            assert "cannot undo what=\"give the subscriber's NIC back\"" not in said, f"{kind} number {number}\n{said}"
            try:
                assert_same(stage.before[0], stage.host_now, timeout=20)
            except AssertionError as e:
                raise AssertionError(f"{kind} number {number}\n{e}\n{said}") from None
            stage.own.delete()  # what else could not be undone ends with the container's namespace
            run("ip", "netns", "add", stage.own.name)
            stage.own.ip("link", "set", "lo", "up")
    print(f"{tried} faults at the stop")


@pytest.mark.parametrize("mode", ["move", "local", "macvlan", "tunnel"])
def test_whatever_fails_in_boot_nothing_is_left_behind(mode):
    lab = Lab()
    try:
        stage = Stage(lab, mode)
        calls = stage.calls()
        tried, wrong = 0, []
        for kind, (first, last) in sorted(calls.items()):
            every = 1 if ALL else OWN.get(mode, {k: e for k, (_, e) in KINDS.items()}).get(kind)
            if not every:
                continue
            for number in range(first, last + 1, every):
                tried += 1
                fault = stage.fail(kind, number)
                if not fault:
                    continue
                if not WAKES.search(fault.splitlines()[0]):
                    wrong.append(fault)
                    assert ALL or len(wrong) < 5, "\n\n".join(wrong)
                # The next run begins where this one should have ended.
                lab.close()
                lab = Lab()
                stage = Stage(lab, mode)
        assert not wrong, f"{len(wrong)} of {tried}:\n" + "\n\n".join(wrong)
        print(f"{tried} faults in {mode} mode")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(stage.trace)
    finally:
        lab.close()


# What each process fails at that starts programs, or is about to be one.
STARTERS = {"seccomp": "EINVAL", "capset": "EPERM", "close_range": "ENOSYS", "dup2": "EBADF", "setpgid": "EPERM", "fcntl": "EINVAL"}


def test_whatever_fails_in_who_starts_programs_nobody_is_left_behind():
    """Who comes too late with a program included: under strace thousands of close() take longer than anybody waits."""
    lab = Lab()
    try:
        stage = Stage(lab, "tunnel")
        for kind, number in [(k, n) for k in STARTERS for n in (1, 2)] if ALL else [("seccomp", 1), ("dup2", 2)]:
            how = f"{kind} number {number}"
            code, served, said = stage.run("-f", f"-e trace={kind}", f"-e inject={kind}:error={STARTERS[kind]}:when={number}")
            assert code in (EX_OK, EX_SOFTWARE) if served else code in TOLD | {EX_OK}, f"{how}: exit code {code}\n{said}"
            if how == "seccomp number 1" and not SANITIZED:  # it is all that such a kernel does not do for us
                assert len(re.findall("^warning (?:boot|server) this kernel cannot take system calls from us, going on", said, re.M)) == 2, said
                assert "privileges that are not needed" not in said
            wait_for(f"the end of whoever is in the host's network after {how}\n{said}", lambda: not run("ip", "netns", "pids", lab.host.name).stdout)
            assert_same(stage.before[0], stage.host_now, f"the host's namespace after {how}", timeout=20)
            assert_same(stage.before[1], stage.own_now, f"our own namespace after {how}", timeout=20)
        os.unlink(stage.trace)
    finally:
        lab.close()


# What a server, and who stands beside it, make of their own from their fork on, until their filters kill them for what strace makes of a
# failure.
SERVERS = {
    "timerfd_create": ("EMFILE", 1), "socket": ("EMFILE", 2), "setsockopt": ("ENOBUFS", 5), "bind": ("EACCES", 3), "mmap": ("ENOMEM", 2),
    "getrandom": ("EINTR", 24), "mkdir": ("EROFS", 1), "openat": ("EMFILE", 8), "pread64": ("EIO", 4), "pwrite64": ("ENOSPC", 16),
    "fdatasync": ("EIO", 8), "fchown": ("EPERM", 2), "fcntl": ("EINVAL", 8), "sendto": ("ENOBUFS", 12), "recvfrom": ("ENOBUFS", 16), "sendmsg": ("EPERM", 2),
    "epoll_create1": ("EMFILE", 1), "prctl": ("EINVAL", 48), "capset": ("EPERM", 1), "landlock_create_ruleset": ("EOPNOTSUPP", 1),
    "landlock_add_rule": ("EBADF", 7), "landlock_restrict_self": ("E2BIG", 1), "seccomp": ("EINVAL", 1),
}


class Saboteur:
    """strace on an init that serves, and on whom it starts from now on. Calls are counted from here on, of each process for itself."""

    def __init__(self, vbng, trace, *how):
        self.vbng, self.trace = vbng, trace
        with contextlib.suppress(FileNotFoundError):
            os.unlink(trace)
        self.process = popen("strace", "-f", "-o", trace, *how, "-p", vbng.pids()[0], stderr=subprocess.PIPE, text=True)
        assert "attached" in self.process.stderr.readline()

    def next_server(self, *enough):
        """Kills the server that is there. enough: patterns, any of which is to be in the log once more often than before, times that."""
        count = {pattern: self.vbng.text().count(pattern) + times for pattern, times in enough}
        os.kill(self.vbng.pids()[1], signal.SIGKILL)
        wait_for(f"one of {enough}\n{self.vbng.text()[-2000:]}", lambda: any(self.vbng.text().count(p) >= n for p, n in count.items()))

    def lines(self):
        with open(self.trace, encoding="utf-8", errors="replace") as f:
            return f.read().splitlines()

    def close(self):
        stop_process(self.process)  # it lets go of all of them


def test_whatever_a_server_cannot_have_the_next_one_serves_once_it_can(lab):
    """Init is none the worse for it, and its stop leaves the host what it was."""
    host, trace = lab.host.snapshot(), lab.state + ".trace"
    vbng = lab.vbng().wait_serving()
    look = lab.add(Saboteur(vbng, trace, "-e", f"trace={','.join(SERVERS)}"), Saboteur.close)
    look.next_server((SERVES, 1))
    look.close()
    init, count = str(vbng.pids()[0]), {}
    for pid, kind in re.findall(r"^(\d+) +(\w+)\(", "\n".join(look.lines()), re.M):
        calls = count.setdefault(pid, {})
        if "seccomp" not in calls:
            calls[kind] = calls.get(kind, 0) + 1
    # The server, and who changes routes for it; what the two children of init have in common is tried in both at once.
    most = {kind: max(calls.get(kind, 0) for pid, calls in count.items() if pid != init) for kind in SERVERS}
    assert {"socket", "openat", "seccomp", "landlock_restrict_self", "capset"} <= {kind for kind, n in most.items() if n}, count
    tried = came = 0
    for kind, n in sorted(most.items()):
        error, every = SERVERS[kind]
        for number in range(1, n + 1, 1 if ALL else every):
            tried += 1
            fault = lab.add(Saboteur(vbng, trace, "-e", f"trace={kind}", "-e", f"inject={kind}:error={error}:when={number}"), Saboteur.close)
            fault.next_server((SERVES, 1), (AGAIN, 2))
            fault.close()
            wait_for(f"service after {kind} number {number}", lambda: vbng.verb("healthcheck", check=False).stdout == "serving\n")
            assert str(vbng.pids()[0]) == init, f"{kind} number {number}\n{vbng.text()[-2000:]}"
            came += any("INJECTED" in line for line in fault.lines())
    lab.client(WideDhcp6c).wait()
    assert vbng.stop()[0] == EX_OK
    assert_same(host, lab.host.snapshot)
    os.unlink(trace)
    print(f"{came} faults in servers, {tried - came} never came")
    assert came > tried / 2, "not every start reads as much of the database"


@pytest.mark.parametrize("fault", ["epoll_ctl:error=ENOSPC", "poll:error=ENOMEM:when=3+7"])
def test_a_loop_hears_all_its_descriptors_whatever_the_kernel_is_short_of(lab, fault):
    """Others of the same user have taken all epoll watches; now and then poll(2) finds no memory."""
    # The server's filter of system calls kills it for what strace makes of one that is to fail: there it is poll(2) that works.
    both = "-f" if fault.startswith("epoll") else ""
    vbng = lab.vbng(pid1=False, under=f"strace -D {both} -o /dev/null -e trace={fault.split(':')[0]} -e inject={fault}").wait_serving()
    lab.client(WideDhcp6c).wait()
    assert len(vbng.prefixes()) == 1, "the control socket is heard"
    os.kill(vbng.pids()[1], signal.SIGKILL)
    vbng.wait_log("the server was killed, starting it again")  # the signal of a child that ended
    wait_for("service", lambda: vbng.verb("healthcheck", check=False).stdout == "serving\n")
    assert vbng.stop()[0] == EX_OK
