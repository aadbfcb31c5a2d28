# SPDX-License-Identifier: GPL-2.0-or-later
"""What the running processes may do and what they hold, read from /proc: not what the code says of itself."""
import base64
import contextlib
import errno
import os
import re
import socket
import struct

import pytest

import calls
from clients import WideDhcp6c
from lab import EX_SOFTWARE, VBNG, Netns, run, wait_for

with open(VBNG, "rb") as binary:
    SANITIZED = b"__asan_init" in binary.read()


def status(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def confined(pid):
    """Whether it has given up what it was forked with."""
    with contextlib.suppress(OSError):
        return pid is not None and status(pid)["CapBnd"] == "0" * 16
    return False


def maps(pid):
    """Each mapping that can be read: its place, and the flags that the kernel has for it."""
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as f:
        place = None
        for line in f:
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)", line)
            if head:
                place = (int(head[1], 16), int(head[2], 16), head[3], head[4].strip())
            elif line.startswith("VmFlags:") and "r" in place[2] and place[3] not in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
                yield place, line.split()[1:]


def places_of(pid, needles):
    """Where in its memory one of the needles is: (name of the mapping, its flags), as often as it is found."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for (begin, end, _, name), flags in maps(pid):
            if end - begin > 1 << 32:
                continue  # a sanitizer's shadow
            with contextlib.suppress(OSError, OverflowError):
                mem.seek(begin)
                content = bytearray()
                while len(content) < end - begin:
                    piece = mem.read(min(1 << 20, end - begin - len(content)))
                    if not piece:
                        break
                    content += piece
                found += [(name, flags)] * sum(content.count(n) for n in needles)
    return found


def forms_of(key):
    """A key as bytes, as base64 (its last characters are shared by many) and as wireguard-go's hex."""
    raw = base64.b64decode(key)
    return [raw, raw[:16], raw[16:], key.rstrip("=\n")[:40].encode(), raw.hex().encode()]


@pytest.fixture
def private(lab):
    lab.internet()
    return lab.private


@pytest.mark.skipif(SANITIZED, reason="the sanitizers keep freed memory for later reports")
@pytest.mark.parametrize("how", ["variable", "file", "conf"])
def test_the_keys_are_in_one_place_that_is_never_dumped_or_inherited(lab, private, tmp_path, how):
    """Searched in all memory of all processes that are ours: raw, halves of it, base64 and hex."""
    psk = run("wg", "genpsk").stdout.strip()
    lab.net.accept(lab.public, psk=psk)
    env = {"WIREGUARD_PRESHARED_KEY": psk}
    if how == "file":
        (tmp_path / "key").write_text(private + "\n")
        (tmp_path / "psk").write_text(psk + "\n")
        env = {"WIREGUARD_PRIVATE_KEY": None, "WIREGUARD_PRIVATE_KEY_FILE": str(tmp_path / "key"), "WIREGUARD_PRESHARED_KEY_FILE": str(tmp_path / "psk")}
    elif how == "conf":
        (tmp_path / "conf").write_text(f"[Interface]\nPrivateKey = {private}\n[Peer]\nPublicKey = {lab.net.public}\nPresharedKey = {psk}\n"
                                       f"Endpoint = {lab.net.endpoint}\nAllowedIPs = ::/0\n")
        env = {"WIREGUARD_PRIVATE_KEY": None, "WIREGUARD_PEER": None, "WIREGUARD_ENDPOINT": None, "WIREGUARD_CONFIG_FILE": str(tmp_path / "conf")}
    vbng = lab.vbng(**env).wait_serving()
    wait_for("the handshake", lambda: vbng.status()["tunnel"]["state"] == "up")
    init, *others = vbng.pids()
    assert others, "the server is there"
    for key in private, psk:
        found = places_of(init, forms_of(key))
        assert len(found) == 3, f"one copy, which is its two halves as well: {found}"
        assert all({"dd", "wf"} <= set(flags) for _, flags in found), f"a mapping that is not dumped and that children find empty: {found}"
        for pid in others:
            assert places_of(pid, forms_of(key)) == [], f"the server has it: {places_of(pid, forms_of(key))}"
    for pid in vbng.family():
        with open(f"/proc/{pid}/environ", "rb") as f:
            environ = f.read()
        for key in private, psk:
            assert not any(n in environ for n in forms_of(key))
    assert not any(secret in vbng.text() for secret in (private[:42], psk[:42]))


def test_the_search_finds_a_key_that_is_there(private, lab):
    """The test above would see one: wireguard-go has it, and before it is read so has any process that gets this environment."""
    other = lab.host.popen("sleep", "60", env={"PATH": os.environ["PATH"], "KEY": private})
    try:
        wait_for("its environment", lambda: places_of(other.pid, forms_of(private)))
    finally:
        other.kill()
        other.wait()


def test_no_process_of_ours_leaves_a_core_file(lab, private):
    """Nor does wireguard-go, which has the key, too."""
    vbng = lab.vbng().wait_serving()
    looked_at = 0
    for pid in vbng.family():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{pid}/limits", encoding="ascii") as f:  # one that ended
            assert re.search(r"^Max core file size\s+0\s+0\s", f.read(), re.M), pid
            looked_at += 1
    assert private and looked_at >= (2 if lab.net.kernel else 3)


# --- what the processes may do


NET_ADMIN = 1 << 12
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def capabilities(pid):
    return {name: int(status(pid)[name], 16) for name in SETS}


# What init repairs with, by the numbers of linux/capability.h: each for a reason that stands in docs/security.md.
INIT = {"NET_BIND_SERVICE": 10, "NET_ADMIN": 12, "NET_RAW": 13}
DAC_OVERRIDE = 1 << 1


@pytest.mark.parametrize("where", ["with a host", "without a host", "STATE_DIR of another user", "a database of another user"])
def test_init_keeps_what_it_still_needs_and_nothing_else(lab, where):
    kept = sum(1 << number for number in INIT.values())
    env = {}
    if where == "without a host":
        own = lab.add(Netns("own"), Netns.delete)
        lab.host.ip("link", "set", "sub0", "netns", own.name)
        env = {"own": own, "SUBSCRIBER_MODE": "local", "HOST_NETNS": "/nowhere/host"}
    if where == "STATE_DIR of another user":
        os.chown(lab.state, 1000, 1000)
        kept |= DAC_OVERRIDE
    if where == "a database of another user":
        assert lab.vbng(**env).wait_serving().stop()[0] == 0
        database = os.path.join(lab.state, "leases.db")
        os.chown(database, 1000, 1000)
        os.chmod(database, 0o600)
        kept |= DAC_OVERRIDE
    vbng = lab.vbng(**env).wait_serving()
    init = vbng.pids()[0]
    assert capabilities(init) == {"CapInh": 0, "CapPrm": kept, "CapEff": kept, "CapBnd": 0, "CapAmb": 0}
    assert status(init)["NoNewPrivs"] == "1"
    # And that is enough for what may still have to be done: another server, and the way home.
    os.kill(vbng.pids()[1], 9)
    vbng.wait_log("the server was killed, starting it again")
    wait_for("the next server", lambda: len(vbng.pids()) > 1 and vbng.status()["state"] == "serving")
    before = vbng.pids()[1]
    assert capabilities(before)["CapBnd"] == 0
    assert vbng.status()["store"]["ok"], vbng.text()
    assert vbng.stop()[0] == 0, vbng.text()


@pytest.mark.parametrize("backend", ["userspace", "auto"])
def test_every_process_has_what_it_needs_and_nothing_else(lab, private, backend):
    """By name; whoever they run as, nobody gets anything back by being root, and no_new_privs is set for all."""
    vbng = lab.vbng(WIREGUARD_BACKEND=backend).wait_serving()
    wait_for("dnsmasq", lambda: any(status(p)["Name"] == "dnsmasq" for p in vbng.family()))
    of = {name: 1 << number for name, number in {**INIT, "KILL": 5, "SETGID": 6, "SETUID": 7, "SETPCAP": 8}.items()}
    others = of["SETUID"] | of["SETGID"] | of["SETPCAP"]
    keeps = of["NET_ADMIN"] | of["NET_RAW"] | of["NET_BIND_SERVICE"]
    # permitted and effective, and what a program that it executed could have at most
    allowed = {
        "init": (keeps, 0),
        "vbng": (0, 0),
        "vbng-fib": (NET_ADMIN, 0),
        "vbng-spawner": (others | of["KILL"] | of["NET_BIND_SERVICE"],) * 2,
        "vbng-spawner-h": (others | NET_ADMIN,) * 2,
        "wireguard-go": (NET_ADMIN, NET_ADMIN),
        "dnsmasq": (of["NET_BIND_SERVICE"],) * 2,
    }
    init = vbng.pids()[0]
    seen = set()
    for pid in vbng.family():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # one that ended
            name = "init" if pid == init else status(pid)["Name"]
            has = capabilities(pid)
            assert (has["CapPrm"], has["CapEff"], has["CapBnd"]) == (allowed[name][0], allowed[name][0], allowed[name][1]), (name, has)
            assert has["CapInh"] == has["CapAmb"] == (allowed[name][0] if name in ("wireguard-go", "dnsmasq") else 0), (name, has)
            assert status(pid)["NoNewPrivs"] == "1", name
            assert SANITIZED or status(pid)["Seccomp"] == "2", name
            seen.add(name)
    assert seen == set(allowed) - ({"wireguard-go"} if backend == "auto" and lab.net.kernel else set())


FORBIDDEN = ("execve", "execveat", "ptrace", "mount", "setns", "unshare", "bpf", "init_module", "finit_module", "process_vm_readv", "io_uring_setup")


@pytest.mark.skipif(SANITIZED, reason="the sanitizers make system calls of their own: such a build has no filter")
@pytest.mark.skipif(not calls.CAN, reason="the registers of this architecture are not known to the test")
def test_whoever_takes_a_process_over_can_neither_execute_nor_trace_nor_mount_nor_leave(lab, private):
    """In init such a call is refused and told, in the server it kills; both go on, or are there again, at once."""
    vbng = lab.vbng().wait_serving()
    vbng.abused = True
    wait_for("dnsmasq", lambda: any(status(p)["Name"] == "dnsmasq" for p in vbng.family()))
    init, server = vbng.pids()[:2]
    assert calls.attempt(init, "getpid") > 0, "the attempt itself works"
    for name in FORBIDDEN:
        assert calls.attempt(init, name, report=True) == calls.REFUSED, name
        vbng.wait_log(f"made a system call that it never needs, .* call={calls.NUMBERS[name]}\n")
    for pid in vbng.family():
        if status(pid)["Name"].startswith("vbng-spawner"):
            for name in FORBIDDEN[2:]:
                assert calls.attempt(pid, name) == -errno.EPERM, name
    for n, name in enumerate(FORBIDDEN[:5], 1):
        server = vbng.pids()[1]
        assert calls.attempt(server, name) == "killed", name
        vbng.wait_log("the server was killed, starting it again signal=31", count=n)
        wait_for("another server", lambda: vbng.server_after(server) and vbng.verb("healthcheck", check=False).stdout == "serving\n")
    assert vbng.pids()[0] == init and vbng.stop()[0] == 0, vbng.text()


@pytest.mark.skipif(calls.libc.syscall(444, None, 0, 1) < 2, reason="this kernel has no landlock, or an early one")
@pytest.mark.skipif(not calls.CAN, reason="the registers of this architecture are not known to the test")
def test_whoever_takes_the_server_over_reaches_no_files_but_its_own_and_no_other_process(lab, private):
    """It is root by name: without this, programs, block devices, /proc/sys and wireguard-go's memory would be its."""
    vbng = lab.vbng(WIREGUARD_BACKEND="userspace", DNS_ZONE="home.example").wait_serving()
    vbng.abused = True
    other = wait_for("wireguard-go", lambda: [p for p in vbng.family() if status(p)["Name"] == "wireguard-go"])[0]
    inside = status(other)["NSpid"].split()[-1]
    vbng.wait_log("dns resolver started")
    server = vbng.pids()[1]

    def opens(path, flags):
        r = calls.attempt(server, "openat", -100, path, flags, 0o600)
        if r >= 0:
            calls.attempt(server, "close", r)
        return r
    for path in "/etc/ld.so.cache", f"/proc/{inside}/mem", "/proc/1/mem", "/proc/sys/kernel/core_pattern", "/etc/passwd", "/run/vbng/dnsmasq.conf":
        assert opens(path, os.O_WRONLY) == -errno.EACCES, path
    for path in f"/proc/{inside}/mem", f"/proc/{inside}/environ", "/proc/1/root/etc/passwd", VBNG, "/dev/null":
        assert opens(path, os.O_RDONLY) == -errno.EACCES, path
    assert opens(f"{lab.state}/some", os.O_WRONLY | os.O_CREAT) >= 0
    assert opens(f"{lab.state}/some", os.O_RDONLY) >= 0
    assert vbng.pids()[1] == server and vbng.stop()[0] == 0, vbng.text()


@pytest.mark.parametrize("needed", ["wireguard-go", "dnsmasq"])
def test_without_its_spawners_it_goes_on_until_they_are_missed_and_then_ends_in_order(lab, private, needed):
    vbng = lab.vbng(WIREGUARD_BACKEND="userspace").wait_serving()
    vbng.wait_log("dns resolver started")
    child = wait_for("its child", lambda: [p for p in vbng.family() if status(p)["Name"] == needed])[0]
    for pid in vbng.family():
        if status(pid)["Name"].startswith("vbng-spawner"):
            os.kill(pid, 9)
    vbng.wait_log("error init the process that starts .* is gone and cannot be replaced", count=2)
    os.kill(vbng.pids()[1], 9)  # which needs no spawner
    vbng.wait_log("the server was killed, starting it again")
    wait_for("the next server", lambda: vbng.verb("healthcheck", check=False).stdout == "serving\n")
    os.kill(child, 9)
    vbng.wait_log("a program has to be started and nobody is left who may")
    assert vbng.process.wait(15) == EX_SOFTWARE, vbng.text()
    vbng.wait_log("NIC returned interface=sub0")
    assert "sub0" in lab.host.ip("link")


def sockets(pid):
    links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    return {re.sub(r"\D", "", link) for link in links if link.startswith("socket:")}


def test_the_server_shares_no_socket_with_init_by_which_that_asks_the_kernel(lab):
    """It could take the answers away. The one netlink socket of both is that of the reports of wrong sources, which the server reads."""
    vbng = lab.vbng().wait_serving()
    init, server = vbng.pids()[:2]
    with open(f"/proc/{server}/net/netlink", encoding="ascii") as f:
        netlink = {fields[-1]: fields[1] for fields in map(str.split, f) if fields[1] != "Eth"}
    assert {netlink[s] for s in sockets(init) & sockets(server) & set(netlink)} <= {"12"}, "NETLINK_NETFILTER alone"


def test_the_server_has_nothing_and_who_changes_routes_for_it_has_net_admin_alone(lab):
    vbng = lab.vbng().wait_serving()
    _, server = vbng.pids()[:2]
    fib = wait_for("its process", vbng.fib)
    wait_for("the server's sets", lambda: capabilities(server) == dict.fromkeys(SETS, 0))
    wait_for("the other's sets", lambda: capabilities(fib) == {**dict.fromkeys(SETS, 0), "CapPrm": NET_ADMIN, "CapEff": NET_ADMIN})
    for pid in server, fib:
        assert status(pid)["NoNewPrivs"] == "1"
    # It has its requests' socket, those by which it asks the kernel, and the log: nothing that a subscriber's bytes come in by.
    assert sorted(int(fd) for fd in os.listdir(f"/proc/{fib}/fd"))[3:] == [3, 4, 5, 6]
    assert not sockets(fib) & sockets(vbng.pids()[0])
    with open(f"/proc/{fib}/net/netlink", encoding="ascii") as f:
        netlink = {fields[-1] for fields in map(str.split, f)}
    assert len(sockets(fib) - netlink) == 1, "the requests"


RTM_NEWNSID, NETNSA_NSID, NETNSA_PID, NLM_F_REQUEST_ACK, NLMSG_ERROR = 88, 1, 2, 5, 2
FIB_COMMIT, FIB_ROUTE = 1, 1


@pytest.mark.skipif(not calls.CAN, reason="the registers of this architecture are not known to the test")
def test_whoever_takes_the_server_over_cannot_change_links_by_the_kernels_name_for_another_namespace(lab):
    """With CAP_NET_ADMIN it could name the host's by a process that lives there, and then its links."""
    vbng = lab.vbng().wait_serving()
    vbng.abused = True
    server = vbng.pids()[1]
    wait_for("its sets", lambda: capabilities(server) == dict.fromkeys(SETS, 0))
    attributes = struct.pack("=HHiHHi", 8, NETNSA_NSID, 4711, 8, NETNSA_PID, 1)
    message = struct.pack("=IHHIIB3x", 20 + len(attributes), RTM_NEWNSID, NLM_F_REQUEST_ACK, 1, 0, 0) + attributes
    fd = calls.attempt(server, "socket", socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    assert fd >= 0 and calls.attempt(server, "sendto", fd, message, len(message), 0) == len(message)
    after = []
    assert calls.attempt(server, "recvfrom", fd, bytes(256), 256, socket.MSG_DONTWAIT, after=after) > 0
    assert struct.unpack("=IHHIIi", after[0][:20])[1::4] == (NLMSG_ERROR, -errno.EPERM)
    calls.attempt(server, "close", fd)
    assert vbng.pids()[1] == server and vbng.stop()[0] == 0, vbng.text()


def shared_memory(pid):
    """By what the kernel calls it: where it is."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
        return {line.split()[4]: int(line.split("-")[0], 16) for line in f if line.split()[1] == "rw-s"}


def requests_of(init, server):
    """The server's end of the requests' socket (it is the first that was made for the two), and where the memory that both share is."""
    with open(f"/proc/{server}/net/unix", encoding="ascii") as f:
        seqpacket = {fields[6] for fields in map(str.split, f) if fields[4] == "0005"}
    fd = min(int(fd) for fd in os.listdir(f"/proc/{server}/fd")
             if re.sub(r"\D", "", os.readlink(f"/proc/{server}/fd/{fd}")) in seqpacket and os.readlink(f"/proc/{server}/fd/{fd}").startswith("socket:"))
    inits = shared_memory(init)
    place, = [at for name, at in shared_memory(server).items() if name not in inits]  # which init has let go of
    return fd, place


@pytest.mark.skipif(not calls.CAN, reason="the registers of this architecture are not known to the test")
@pytest.mark.parametrize("what", ["a route that is not ours", "no request at all"])
def test_what_is_out_of_bounds_ends_server_and_helper_and_both_are_back(lab, what):
    vbng = lab.vbng().wait_serving()
    vbng.abused = True
    lab.client(WideDhcp6c).wait()
    before = vbng.delegated()
    server, fib = vbng.pids()[1], vbng.fib()
    fd, place = requests_of(vbng.pids()[0], server)
    if what == "no request at all":
        question = bytes(3)
    else:
        default = struct.pack("=BBBB8x16s16s", FIB_ROUTE, 1, 0, 0, bytes(16), socket.inet_pton(socket.AF_INET6, "fe80::bad"))
        question = struct.pack("=II", FIB_COMMIT, 1)
        with open(f"/proc/{server}/mem", "r+b", buffering=0) as mem:
            mem.seek(place)
            mem.write(default)
    assert calls.attempt(server, "sendto", fd, question, len(question), 0) in (len(question), calls.ENDED)
    vbng.wait_log("error fib the server asks for what is not its business" if what.startswith("a route") else "error fib the server says what is no request")
    vbng.wait_log(f"the process that sets routes ended, the server ends with it status={os.EX_PROTOCOL}")
    wait_for("another pair", lambda: vbng.server_after(server) and vbng.fib() not in (None, fib) and
             vbng.verb("healthcheck", check=False).stdout == "serving\n")
    assert vbng.delegated() == before
    assert vbng.stop()[0] == 0, vbng.text()


def test_server_and_helper_end_together_whichever_is_killed(lab):
    vbng = lab.vbng().wait_serving()
    lab.client(WideDhcp6c).wait()
    before = vbng.delegated()
    for victim in vbng.fib, lambda: vbng.pids()[1]:
        server, fib = vbng.pids()[1], vbng.fib()
        os.kill(victim(), 9)
        wait_for("another pair", lambda: vbng.server_after(server) and vbng.fib() not in (None, fib) and
                 vbng.verb("healthcheck", check=False).stdout == "serving\n")
        assert len([p for p in vbng.family() if status(p)["Name"] == "vbng-fib"]) == 1
    assert vbng.delegated() == before
    assert vbng.stop()[0] == 0, vbng.text()


@pytest.mark.skipif(SANITIZED, reason="the sanitizers make system calls of their own: such a build has no filter")
def test_system_calls_are_filtered_after_each_start(lab):
    """Seccomp 2 is a filter. What each of them refuses, tests/unit/test_host_seccomp.c tries one by one."""
    vbng = lab.vbng().wait_serving()
    assert status(vbng.pids()[0])["Seccomp"] == "2", "init's"
    for _ in range(2):
        _, server = vbng.pids()[:2]
        assert status(server)["Seccomp"] == "2", "a filter is in force"
        os.kill(server, 9)
        vbng.wait_log("the server was killed, starting it again")
        wait_for("another server", lambda: confined(vbng.server_after(server)))
        wait_for("its answer", lambda: vbng.status()["state"] == "serving")
