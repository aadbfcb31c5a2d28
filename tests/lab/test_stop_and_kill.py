# SPDX-License-Identifier: GPL-2.0-or-later
"""What a stop gives back, and what a kill leaves: nothing on the host, and everything for the next start."""
import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time

import pytest

from clients import Dhcpcd, WideDhcp6c
from lab import PATIENCE_S, Netns, Stopwatch, assert_same, ping, run, wait_for


def other_server(vbng, than):
    pids = vbng.pids()
    return len(pids) == 2 and pids[1] != than


def test_stop_gives_the_nic_back_and_says_farewell(lab):
    lab.internet()
    lab.host.ip("addr", "add", "198.51.100.7/24", "dev", "sub0")
    lab.host.ip("link", "set", "sub0", "up")
    lab.host.ip("addr", "add", "2001:db8:77::7/64", "dev", "sub0", "nodad")
    wait_for("the host's link-local address", lambda: "fe80" in lab.host.ip("-6", "addr", "show", "dev", "sub0", "-tentative"))
    before = lab.host.snapshot()
    vbng = lab.vbng().wait_serving()
    assert "sub0" not in lab.host.ip("link")
    wait_for("the default route by RA", lambda: "default" in lab.cpe.ip("-6", "route"))
    code, seconds = vbng.stop()
    assert code == 0, vbng.text()
    assert seconds < 2
    wait_for("the default route gone by the farewell", lambda: "default" not in lab.cpe.ip("-6", "route"))
    assert_same(before, lab.host.snapshot)
    assert "wg-" not in vbng.own.ip("link")
    assert not os.path.exists(os.path.join(lab.state, "nic"))


def test_loopback_that_was_down_is_down_again_after_the_stop(lab):
    own = lab.add(Netns("own"), Netns.delete)
    own.ip("link", "set", "lo", "down")
    before = own.snapshot()
    vbng = lab.vbng(own=own).wait_serving()
    assert "UP" in own.json("link", "show", "dev", "lo")[0]["flags"]
    assert vbng.stop()[0] == 0, vbng.text()
    assert_same(before, own.snapshot, "our own namespace")


def test_the_farewell_also_deprecates_the_prefix(lab):
    vbng = lab.vbng().wait_serving()

    def preferred():
        return [a["preferred_life_time"] for link in lab.cpe.json("-6", "addr", "show", "dev", "cpe0")
                for a in link["addr_info"] if a["scope"] == "global"]
    wait_for("an autoconfigured address", preferred)
    assert preferred()[0] > 0
    vbng.stop(signal.SIGINT)
    wait_for("its deprecation", lambda: preferred() == [0])


def test_the_same_prefix_after_release_restart_and_without_the_volume(lab, tmp_path):
    vbng = lab.vbng().wait_serving()
    client = lab.client(WideDhcp6c)
    first = client.wait()
    client.release()
    wait_for("the release", lambda: all(x["state"] == "freed" for x in vbng.leases()))
    assert "via" not in vbng.own.ip("-6", "route", "show", "proto", "118")
    client.start()
    assert client.wait() == first
    client.kill()
    assert vbng.stop()[0] == 0
    lab.cpe.ip("addr", "flush", "dev", "lan0", "scope", "global")
    again = lab.vbng().wait_serving()
    client.start()
    assert client.wait() == first
    client.kill()
    again.stop()
    lab.cpe.ip("addr", "flush", "dev", "lan0", "scope", "global")
    lab.vbng(state=str(tmp_path)).wait_serving()
    client.start()
    assert client.wait() == first


def test_a_killed_server_is_back_at_once_with_its_bindings(lab):
    vbng = lab.vbng().wait_serving()
    client = lab.client(WideDhcp6c)
    client.wait()
    leases = vbng.leases()
    routes = vbng.own.ip("-6", "route", "show", "proto", "118")
    pids = vbng.pids()
    os.kill(pids[1], signal.SIGKILL)
    watch = Stopwatch()
    wait_for("another server", lambda: other_server(vbng, pids[1]), every=0.005)
    assert vbng.pids()[0] == pids[0]
    vbng.wait_log("the server was killed")
    wait_for("its status", lambda: vbng.verb("healthcheck", check=False).stdout == "serving\n")
    assert watch.seconds() < 3
    key = lambda x: (x["prefix"], x["duid"], x["iaid"], x["state"])
    assert sorted(map(key, vbng.leases())) == sorted(map(key, leases))
    assert vbng.own.ip("-6", "route", "show", "proto", "118") == routes
    assert vbng.status()["server_restarts"] == 1


def test_a_server_that_served_is_back_soon_however_often_it_is_killed(lab):
    vbng = lab.vbng().wait_serving()
    for n in range(1, 7):
        old = vbng.pids()[1]
        os.kill(old, signal.SIGKILL)
        wait_for("another server", lambda: other_server(vbng, old), every=0.005)
        wait_for("its status", lambda: vbng.status()["server_restarts"] == n)
    pauses = [int(ms) for ms in re.findall(r"the server was killed.*in_ms=(\d+)", vbng.text())]
    assert len(pauses) == 6
    assert max(pauses) <= 100


def test_killed_outright_nothing_stays_on_the_host_and_the_next_start_serves_the_same(lab):
    lab.internet()
    vbng = lab.vbng().wait_serving()
    client = lab.client(WideDhcp6c)
    first = client.wait()
    os.kill(vbng.pids()[0], signal.SIGKILL)
    vbng.process.wait(PATIENCE_S)
    # A veth dies with its namespace or stays in it; the tunnel's wireguard-go and its TUN must be gone from the host.
    wait_for("the host without our links", lambda: "vbng" not in lab.host.ip("link") and "wg-" not in lab.host.ip("link"))
    client.kill()
    lab.cpe.ip("addr", "flush", "dev", "lan0", "scope", "global")
    again = lab.vbng(own=vbng.own).wait_serving()
    routes = [r for r in again.own.json("-6", "route", "show", "proto", "118") if r.get("gateway")]
    assert len(routes) == 1, "the routes are back before the first packet"
    client.start()
    assert client.wait() == first
    assert again.stop()[0] == 0
    assert "sub0" in lab.host.ip("link"), "the NIC of the killed run goes home, too"


def test_a_stop_in_the_first_moments_is_a_stop(lab):
    """To a PID 1 a signal without a handler is as if not sent: from the moment that it blocks them none may be lost."""
    seed = random.SystemRandom().randrange(1 << 32)
    rng = random.Random(seed)
    before = lab.host.snapshot()

    def hears(vbng):
        for pid in vbng.pids()[:1]:
            with contextlib.suppress(OSError), open(f"/proc/{pid}/status", encoding="ascii") as f:
                masks = re.findall(r"Sig(?:Blk|Cgt):\s+(\w+)", f.read())
                return any(int(mask, 16) >> (signal.SIGTERM - 1) & 1 for mask in masks)
        return False
    for _ in range(8):
        vbng = lab.vbng()
        wait_for("process 1 that hears", lambda v=vbng: hears(v), every=0.0005)
        delay = rng.choice((0, 0.2)) * rng.random()
        time.sleep(delay)
        code, seconds = vbng.stop(rng.choice((signal.SIGTERM, signal.SIGINT)))
        assert code == 0, f"seed {seed}, after {1000 * delay:.1f} ms:\n{vbng.text()}"
        assert re.search(r"init stopping signal=\d+", vbng.text()), f"seed {seed}, after {1000 * delay:.1f} ms"
        assert seconds < 10
    assert_same(before, lab.host.snapshot)


def test_what_is_no_file_in_the_state_directory_holds_no_start_up(lab):
    names = os.path.join(lab.state, "names")
    os.mkdir(names)
    os.mkfifo(os.path.join(names, "00"))
    os.mkfifo(os.path.join(names, "01~"))
    os.mkdir(os.path.join(names, "02"))
    os.mkfifo(os.path.join(lab.state, "lock"))
    os.symlink("/dev/zero", os.path.join(names, "03"))
    vbng = lab.vbng(DNS_ZONE="home.example").wait_serving()
    for path, error in (("00", "it is no regular file"), ("02", "Is a directory|it is no regular file"), ("03", "it is no regular file")):
        assert re.search(rf"who was in line for names cannot be read.*file={names}/{path} why=\"({error})\"", vbng.text()), vbng.text()
    assert re.search(rf"STATE_DIR cannot be locked against another instance, going on path={lab.state}/lock error=\"it is no regular file\"", vbng.text())
    assert vbng.stop()[0] == 0


def test_wireguard_go_dies_and_the_tunnel_comes_back(lab):
    lab.internet()
    vbng = lab.vbng(WIREGUARD_BACKEND="userspace").wait_serving()
    source = lab.client(WideDhcp6c).wait()
    assert ping(lab.cpe, source)
    children = run("pgrep", "-P", vbng.pids()[0], "wireguard-go").stdout.split()
    os.kill(int(children[0]), signal.SIGKILL)
    vbng.wait_log("(wireguard-go ended, making the tunnel again.*signal=9|the interface is gone, making it again)")  # on a busy machine it is long in dying
    vbng.wait_log("tunnel made again")
    assert ping(lab.cpe, source)


def test_a_disk_that_does_not_answer_does_not_keep_the_nic(lab):
    """A server that waits for its disk cannot be killed before that answers: the NIC goes home all the same, within Docker's ten seconds."""
    image = os.path.join(lab.state, "image")
    run("truncate", "-s", "16M", image)
    run("mkfs.ext4", "-q", image)
    if run("losetup", "--find", check=False).returncode:
        pytest.skip("this machine has no loop devices")
    lab.host.ip("link", "set", "sub0", "up")
    lab.host.ip("addr", "add", "198.51.100.7/24", "dev", "sub0")
    vbng = lab.vbng(setup=f"mount -o loop {image} {lab.state}").wait_serving()
    init, server = vbng.pids()[:2]
    inside = "nsenter", "-t", init, "--mount", "fsfreeze"
    run(*inside, "--freeze", lab.state)
    try:
        lab.client(Dhcpcd)  # whose lease is to be stored

        def waits():
            with open(f"/proc/{server}/stat", encoding="ascii") as f:
                return f.read().rpartition(")")[2].split()[0] == "D"
        wait_for("the server to wait for its disk", waits)
        vbng.send(signal.SIGTERM)
        wait_for("the NIC", lambda: "sub0" in lab.host.links() and "198.51.100.7" in lab.host.ip("addr", "show", "dev", "sub0"), within=5)
    finally:
        run(*inside, "--unfreeze", lab.state)
    assert vbng.wait_end()[0] == 0, vbng.text()


def test_a_stop_waits_for_no_process_that_cannot_go(lab):
    """Who is traced is reaped by nobody else: as one is that the kernel does not answer, but for that it ends with the tracer."""
    vbng = lab.vbng(pid1=False).wait_serving()  # a PID namespace would end with the last of its processes alone
    seize = ("import ctypes,sys,time; libc = ctypes.CDLL(None); libc.ptrace.argtypes = [ctypes.c_long] * 4;"
             "print(libc.ptrace(0x4206, int(sys.argv[1]), 0, 0), flush=True); time.sleep(60)")
    with subprocess.Popen([sys.executable, "-c", seize, str(vbng.fib())], stdout=subprocess.PIPE, text=True) as tracer:
        try:
            assert tracer.stdout.readline() == "0\n", "it is held"
            code, seconds = vbng.stop()
        finally:
            tracer.kill()
    assert code == 0, vbng.text()
    assert "the process that sets routes does not end, killing it" in vbng.text()
    assert seconds < 10
    assert "sub0" in lab.host.ip("link"), vbng.text()
