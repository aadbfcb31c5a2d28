# SPDX-License-Identifier: GPL-2.0-or-later
import json

import pytest

from test_cables import Monitor
from test_docker import Container, Cpe, NameServer, Provider, ip, processes, run, wait_for


@pytest.fixture(scope="session")
def provider():
    """The provider beyond the docker host, and a namespace for the CPE at the other end of each of its NICs."""
    made = Provider()
    for i, dev in enumerate(("eth1", "eth3")):
        ip("netns", "add", f"cpe{i}")
        ip("link", "set", dev, "netns", f"cpe{i}")
        ip("link", "set", dev, "up", ns=f"cpe{i}")
        ip("link", "set", "lo", "up", ns=f"cpe{i}")
    return made


@pytest.fixture(scope="session")
def monitor():
    """One for all: QEMU's machine protocol is opened once."""
    return Monitor()


@pytest.fixture
def container():
    # Where the other end of its wire is down, a card keeps what was sent, that its sender's socket, and that its namespace with the card in it.
    for dev in ("eth1", "eth3"):
        run("ip", "link", "set", dev, "up", check=False)  # a CPE's by now, and up
    made = []

    def make(*args, **kw):
        made.append(Container(*args, **kw))
        return made[-1]
    yield make
    for c in made:
        c.remove()
    try:
        wait_for("the NICs home", lambda: {"eth0", "eth2"} <= {l["ifname"] for l in json.loads(ip("-j", "link"))})
    except AssertionError as e:
        raise AssertionError(f"{e}\n{ip('link')}\n{processes()}") from None


@pytest.fixture
def cpe():
    made = []

    def make(*args):
        made.append(Cpe(*args))
        return made[-1]
    yield make
    for c in made:
        c.close()


@pytest.fixture
def name_server():
    made = NameServer()
    yield made
    made.close()
