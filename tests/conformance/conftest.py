# SPDX-License-Identifier: GPL-2.0-or-later
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "lab")]
import lab  # noqa: E402
from access import Access  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "rule(section, text): what the standard says, and where; docs/conformance.md is made of it")


def pytest_collection_modifyitems(items):
    if os.geteuid() == 0:
        return
    for item in items:
        item.add_marker(pytest.mark.skip(reason="network namespaces need root"))


def pytest_sessionstart():
    if not os.access(lab.VBNG, os.X_OK):
        pytest.exit(f"{lab.VBNG} is not there: build it, or name another in VBNG", 2)
    if os.geteuid() == 0:
        lab.sweep()


@pytest.fixture(scope="module")
def access(request):
    """The module's own server, with what the module's ENV says. What must hold at any time is looked at once more at its end."""
    made = lab.Lab()
    try:
        there = Access(made, getattr(request.module, "ENV", {}))
        yield there
        there.assert_sound()
    finally:
        made.close()


@pytest.fixture
def client(access):
    """Somebody whom the server has never heard of."""
    return access.client()
