# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

from test_cables import Monitor
from test_docker import Provider, ip


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
