# SPDX-License-Identifier: GPL-2.0-or-later
"""Docker's engine is restarted, updated or killed under a provider that serves.

dockerd was started by tests/vm/guest, whose process we are: it is our child.
"""
import ipaddress
import json
import os
import re
import signal
import subprocess
import time

import pytest

from test_docker import BEYOND, POOL, host_state, ip, run, wait_for

pytestmark = [pytest.mark.skipif(os.environ.get("VBNG_VM") != "1", reason="runs inside scripts/vm-tests' virtual machine"),
              pytest.mark.skipif(not os.environ.get("VBNG_LONG"), reason="VBNG_LONG=1 runs it")]
SETTINGS = "/etc/docker/daemon.json"
ENGINE_S = 120  # an emulated machine's


class Engine:
    process = None  # until we start one

    @staticmethod
    def pid():
        with open("/var/run/docker.pid", encoding="ascii") as f:
            return int(f.read())

    def live_restore(self, on):
        os.makedirs(os.path.dirname(SETTINGS), exist_ok=True)
        with open(SETTINGS, "w", encoding="ascii") as f:
            json.dump({"live-restore": on}, f)
        os.kill(self.pid(), signal.SIGHUP)
        wait_for("the engine's setting", lambda: run("docker", "info", "-f", "{{.LiveRestoreEnabled}}", check=False).stdout.strip() == str(on).lower())

    def end(self, signo):
        pid = self.pid()
        os.kill(pid, signo)

        def ended():
            if self.process:
                return self.process.poll() is not None
            return os.waitpid(pid, os.WNOHANG)[0] == pid
        wait_for("the engine's end", ended, ENGINE_S)

    def start(self):
        with open("/share/dockerd.log", "ab") as log:
            self.process = subprocess.Popen(["dockerd", "--iptables=false", "--bridge=none"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for("the engine", lambda: run("docker", "info", check=False).returncode == 0, ENGINE_S)


@pytest.fixture
def engine():
    made = Engine()
    yield made
    if host_has_eth0():
        ip("addr", "flush", "dev", "eth0", "scope", "global")
    if os.path.exists(SETTINGS):
        made.live_restore(False)
        os.unlink(SETTINGS)


class Stream:
    """Echo requests through the provider, five a second: sent and answered."""

    def __init__(self, client, source):
        self.process = subprocess.Popen(["ip", "netns", "exec", client.ns, "ping", "-6", "-n", "-q", "-i", "0.2", "-W", "5", "-I", source, BEYOND],
                                        stdout=subprocess.PIPE, text=True)

    def end(self):
        self.process.send_signal(signal.SIGINT)
        said = self.process.communicate(timeout=30)[0]
        return [int(n) for n in re.search(r"(\d+) packets transmitted, (\d+) received", said).groups()]


def host_has_eth0():
    return "eth0" in {link["ifname"] for link in json.loads(ip("-j", "link"))}


def test_the_engine_is_restarted_with_and_without_live_restore_and_killed(provider, container, cpe, engine):
    ip("link", "set", "eth0", "up")
    ip("addr", "replace", "198.51.100.9/24", "dev", "eth0")
    wait_for("eth0's link-local address", lambda: "fe80" in ip("-6", "addr", "show", "dev", "eth0", "-tentative"))
    before = host_state()
    vbng = container("provider1", provider.env(), "--restart", "unless-stopped").wait_serving()
    client = cpe()
    source = client.wait()
    assert ipaddress.ip_address(source) in POOL and client.ping(source), vbng.log()

    def serves(pid, starts):
        """The process, in the host's namespace that it was given, and the same prefix."""
        # Between two starts it does not run.
        wait_for("the appliance serving again", lambda: vbng.log().count("init serving") >= starts, ENGINE_S)
        assert os.stat(f"/proc/{vbng.pid()}/root/var/run/netns/host").st_ino == os.stat("/proc/1/ns/net").st_ino
        wait_for("the connection", lambda: client.ping(source))
        assert client.address() == source and not host_has_eth0()
        assert (vbng.pid() == pid) == (starts == 1)

    # With live-restore nobody notices.
    engine.live_restore(True)
    pid, stream = vbng.pid(), Stream(client, source)
    engine.end(signal.SIGTERM)
    assert not host_has_eth0() and client.ping(source)
    engine.start()
    serves(pid, 1)
    sent, answered = stream.end()
    print(f"live-restore: {answered} of {sent} echo requests were answered")
    assert sent - answered <= 1

    # Without, the engine stops its containers, and starts them again when it is back.
    engine.live_restore(False)
    engine.end(signal.SIGTERM)
    wait_for("the NIC at home, as it was", lambda: host_state() == before)
    begun = time.monotonic()
    engine.start()
    serves(pid, 2)
    print(f"without: {time.monotonic() - begun:.1f} s from the engine's start to the CPE's connection")
    assert "init stopped exit_code=0" in vbng.log()

    # Killed, it leaves the container serving; the next engine stops that in order. It may take that stop for its user's.
    pid = vbng.pid()
    engine.end(signal.SIGKILL)
    assert client.ping(source), "nobody needs the engine for this"
    engine.start()
    wait_for("a stop in order", lambda: vbng.log().count("init stopped exit_code=0") == 2, ENGINE_S)
    wait_for("its end or its next start", lambda: vbng.pid() != pid)
    again = started_again(vbng)
    print(f"killed: the next engine has {'started it again' if again else 'left it stopped'}")
    if not again:
        wait_for("the NIC at home, as it was", lambda: host_state() == before)
        run("docker", "start", "provider1")
    serves(pid, 3)
    run("docker", "stop", "provider1")
    assert vbng.wait_exit() == 0
    wait_for("the host as it was", lambda: host_state() == before)


def started_again(vbng):
    """Within the seconds in which an engine does that, if it does."""
    try:
        return wait_for("its next start", vbng.running, 15)
    except AssertionError:
        return False


def test_after_a_signal_by_docker_exec_it_is_started_again_when_it_dies(provider, container):
    """By `docker kill -s HUP` the engine may take it for stopped by its user, and leave it where it is."""
    vbng = container("provider1", provider.env(), "--restart", "unless-stopped").wait_serving()
    starts = 1
    for how in (("exec", "provider1", "kill", "-HUP", "1"), ("kill", "-s", "HUP", "provider1")):
        run("docker", *how)
        wait_for("the signal's effect", lambda: vbng.log().count("info reservations read") >= starts)
        os.kill(int(vbng.pid()), signal.SIGKILL)
        wait_for("its end or its next start", lambda: not vbng.running() or vbng.log().count("info init vbng") > starts)
        again = started_again(vbng)
        print(f"killed after docker {' '.join(how)}: {'started again' if again else 'left where it was'}")
        assert again or how[0] == "kill"
        if again:
            starts += 1
            vbng.wait_serving(starts)
