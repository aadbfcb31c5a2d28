# SPDX-License-Identifier: GPL-2.0-or-later
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab as lab_module  # noqa: E402


# With the tests that take longest, the longest first: where several run at a time, none of them is left for the end.
FIRST = ["test_fault_injection", "test_flood", "test_uplink", "test_tunnel", "test_two_instances", "test_shared_nic", "test_nic", "test_street"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: FIRST.index(item.module.__name__) if item.module.__name__ in FIRST else len(FIRST))
    for item in items:
        if os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="network namespaces need root"))
        # Several run at a time (scripts/test): those that share a module's fixture stay together.
        if any(d.scope == "module" for definitions in item._fixtureinfo.name2fixturedefs.values() for d in definitions):
            item.add_marker(pytest.mark.xdist_group(item.module.__name__))


def pytest_sessionstart():
    if not os.access(lab_module.VBNG, os.X_OK):
        pytest.exit(f"{lab_module.VBNG} is not there: build it, or name another in VBNG", 2)
    if os.geteuid() == 0:
        lab_module.sweep()


@pytest.fixture
def lab():
    made = lab_module.Lab()
    yield made
    made.close()


@pytest.fixture(scope="module")
def module_lab():
    """One for all tests of a module, where they do not disturb one another."""
    made = lab_module.Lab()
    yield made
    made.close()
