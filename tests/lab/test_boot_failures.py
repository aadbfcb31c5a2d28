# SPDX-License-Identifier: GPL-2.0-or-later
"""What is missing or wrong is told, each with its message and exit code, and the host is afterwards, line by line, what it was."""
import os
import re
import socket

import pytest

from lab import (EX_CONFIG, EX_NOPERM, EX_OK, EX_UNAVAILABLE, EX_USAGE, Netns, VBNG, assert_same, run)


@pytest.fixture
def own(lab):
    return lab.add(Netns("own"), Netns.delete)


def dress(lab):
    """A NIC with something to lose."""
    lab.host.ip("link", "set", "sub0", "up")
    lab.host.ip("addr", "add", "198.51.100.7/24", "brd", "+", "dev", "sub0")
    lab.host.ip("addr", "add", "2001:db8:77::7/64", "dev", "sub0", "nodad")


def refused(lab, own, code, *patterns, lines=1, **how):
    """Runs into a wall: the exit code, one line for each fault, no secret in any, and two namespaces that are what they were."""
    dress(lab)
    host_before, own_before = lab.host.snapshot(), own.snapshot()
    got, said = lab.vbng(own=own, **how).wait_end()
    assert got == code, said
    errors = [line for line in said.splitlines() if line.startswith("error ")]
    assert len(errors) == lines, said
    for pattern in patterns:
        assert any(re.search(pattern, e) for e in errors), f"/{pattern}/ is not in\n{said}"
    if lab.net:
        assert lab.private[:42] not in said
    assert_same(host_before, lab.host.snapshot)
    assert_same(own_before, own.snapshot, "our own namespace")
    assert not os.path.exists(os.path.join(lab.state, "nic")), "no note of a NIC that is at home"
    return said


# --- what is looked for before anything is touched


def test_no_nic_of_that_name(lab, own):
    lab.internet()
    refused(lab, own, EX_UNAVAILABLE, r"SUBSCRIBER_INTERFACE=enp9s9: the host has no interface of that name.*sub0", SUBSCRIBER_INTERFACE="enp9s9")


def test_no_bind_mount(lab, own):
    lab.internet()
    refused(lab, own, EX_UNAVAILABLE, r"HOST_NETNS=/nowhere/host: there is no such file.*-v /proc/1/ns/net:", HOST_NETNS="/nowhere/host")


@pytest.mark.parametrize("what", ["directory", "file", "other namespace"])
def test_the_bind_mount_is_no_network_namespace(lab, own, tmp_path, what):
    lab.internet()
    path = {"directory": str(tmp_path), "file": str(tmp_path / "file"), "other namespace": "/proc/self/ns/uts"}[what]
    (tmp_path / "file").touch()
    hint = "directory" if what == "directory" else "no network namespace"
    refused(lab, own, EX_UNAVAILABLE, rf"HOST_NETNS={path}: this is no network namespace.*", hint, HOST_NETNS=path)


def test_the_bind_mount_is_our_own_namespace(lab, own):
    """docker run --network host"""
    lab.internet()
    refused(lab, own, EX_UNAVAILABLE, r"our own network namespace.*--network none", HOST_NETNS="/proc/self/ns/net")


@pytest.mark.parametrize("capability", ["NET_ADMIN", "SYS_ADMIN", "NET_RAW", "NET_BIND_SERVICE"])
def test_a_capability_is_missing(lab, own, capability):
    lab.internet()
    one = capability.lower()
    refused(lab, own, EX_NOPERM, rf"the capability {capability} is missing.*--cap-add {capability}",
            wrap=f"setpriv --bounding-set=-{one} --inh-caps=-{one}")


def test_all_that_is_missing_is_told_at_once(lab, own):
    lab.internet()
    refused(lab, own, EX_NOPERM, r"NET_RAW is missing", r"NET_BIND_SERVICE is missing", r"enp9s9", lines=3, SUBSCRIBER_INTERFACE="enp9s9",
            wrap="setpriv --bounding-set=-net_raw,-net_bind_service --inh-caps=-net_raw,-net_bind_service")


def test_proc_sys_is_read_only(lab, own):
    """Docker without --privileged: the sysctls that would do instead are named, each with its value."""
    lab.internet()
    said = refused(lab, own, EX_NOPERM, r"net\.ipv6\.conf\.all\.forwarding is 0 .*read-only.*--sysctl net\.ipv6\.conf\.all\.forwarding=1", lines=2,
                   setup="mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys")
    assert "--privileged" in said


def test_with_the_sysctls_that_it_names_it_starts(lab, own):
    """What the message above tells to do is enough."""
    own.sysctl(net__ipv6__conf__all__forwarding=1, net__ipv6__conf__default__forwarding=1)
    vbng = lab.vbng(own=own, setup="mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys").wait_serving()
    assert vbng.stop()[0] == EX_OK


def test_the_nic_is_loopback(lab, own):
    refused(lab, own, EX_UNAVAILABLE, r"SUBSCRIBER_INTERFACE=lo: .*loopback", SUBSCRIBER_INTERFACE="lo")


def test_local_mode_without_the_nic(lab, own):
    refused(lab, own, EX_UNAVAILABLE, r"SUBSCRIBER_INTERFACE=sub0: the container has no interface of that name", SUBSCRIBER_MODE="local")


def test_there_is_no_room_for_the_control_socket(lab, own):
    """docker run --read-only without --tmpfs /run"""
    said = refused(lab, own, EX_NOPERM, r"/run/vbng cannot be written \(Read-only file system\). Start with --tmpfs /run",
                   setup="mount -t tmpfs -o ro tmpfs /run/vbng")
    assert "NIC taken" not in said


# --- the same, asked for: vbng check --runtime


def looked_at(lab, own, code, *patterns, **how):
    """What it says on standard error, fault by fault; and nothing has changed."""
    dress(lab)
    before = lab.host.snapshot(), own.snapshot(), sorted(os.listdir(lab.state))
    got, said = lab.vbng(own=own, verb="check --runtime", **how).wait_end()
    faults = [line for line in said.splitlines() if line.startswith("fault: ")]
    assert got == code and len(faults) == len(patterns), said
    for pattern in patterns:
        assert any(re.search(pattern, f) for f in faults), f"/{pattern}/ is not in\n{said}"
    assert ("all that it needs to start is here" in said) == (code == EX_OK)
    assert (lab.host.snapshot(), own.snapshot(), sorted(os.listdir(lab.state))) == before
    return said


def test_check_runtime_finds_all_that_is_needed(lab, own):
    lab.internet()
    assert lab.private[:42] not in looked_at(lab, own, EX_OK)
    lab.vbng(own=own).wait_serving()  # as it said


def test_check_runtime_tells_all_that_is_missing(lab, own):
    lab.internet()
    looked_at(lab, own, EX_NOPERM, r"the capability NET_RAW is missing.*--cap-add NET_RAW", r"the host has no interface of that name",
              r"net\.ipv6\.conf\.all\.forwarding is 0 .*--sysctl net\.ipv6\.conf\.all\.forwarding=1",
              r"net\.ipv6\.conf\.default\.forwarding is 0 ", r"/run/vbng cannot be written.*--tmpfs /run", SUBSCRIBER_INTERFACE="enp9s9",
              setup="mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys; mount -t tmpfs -o ro tmpfs /run/vbng",
              wrap="setpriv --bounding-set=-net_raw --inh-caps=-net_raw")


def test_check_runtime_names_another_instance(lab, own, tmp_path):
    first = lab.vbng().wait_serving()
    code, said = lab.vbng(own=own, verb="check --runtime", state=str(tmp_path)).wait_end()
    assert code == EX_UNAVAILABLE and "the instance provider1 is running on this host already" in said
    code, said = lab.vbng(own=own, verb="check --runtime", WIREGUARD_INTERFACE_SUFFIX="provider2", ASSIGNED_PREFIX="2001:db8:eeee::/48").wait_end()
    assert code == EX_UNAVAILABLE and "the instance provider1 has this NIC" in said and "STATE_DIR=" in said
    assert first.status()["state"] == "serving"


def test_check_runtime_names_who_has_one_of_several_transfer_networks(lab, own, tmp_path):
    lab.vbng(TRANSFER_PREFIX="2001:db8:ffff::/64,2001:db8:ffff:7::/64").wait_serving()
    code, said = lab.vbng(own=own, verb="check --runtime", state=str(tmp_path), WIREGUARD_INTERFACE_SUFFIX="provider2", ASSIGNED_PREFIX="2001:db8:eeee::/48",
                          TRANSFER_PREFIX="2001:db8:eeee::/64,2001:db8:ffff:7::/64").wait_end()
    assert code == EX_UNAVAILABLE
    assert "TRANSFER_PREFIX=2001:db8:ffff:7::/64 overlaps 2001:db8:ffff:7::/64, which the instance provider1 on this host hands out" in said


def test_check_runtime_warns_of_what_costs_something(lab, own):
    said = looked_at(lab, own, EX_OK, STATE_DIR="/nowhere/state")
    assert "warning: STATE_DIR=/nowhere/state cannot be written" in said and "-v NAME:/nowhere/state" in said


def test_check_runtime_of_a_faulty_configuration(lab, own):
    code, said = lab.vbng(own=own, verb="check --runtime", ASSIGNED_PREFIX="nonsense").wait_end()
    assert code == EX_CONFIG and "ASSIGNED_PREFIX" in said


# --- what is found half way: everything done by then is undone


@pytest.mark.parametrize("backend", ["userspace", "auto"])
def test_there_is_no_tun_device(lab, own, backend):
    net = lab.internet()
    if net.kernel and backend == "auto":
        pytest.skip("this kernel has WireGuard")
    refused(lab, own, EX_UNAVAILABLE, r"/dev/net/tun.*--device /dev/net/tun", setup="mount -t tmpfs tmpfs /dev/net", WIREGUARD_BACKEND=backend)


def test_the_kernel_has_no_wireguard(lab, own):
    if lab.internet().kernel:
        pytest.skip("this kernel has WireGuard")
    refused(lab, own, EX_UNAVAILABLE, r"WIREGUARD_BACKEND=kernel: this kernel has no WireGuard.*modprobe wireguard", WIREGUARD_BACKEND="kernel")


def test_there_is_no_wireguard_go(lab, own):
    if lab.internet().kernel:
        pytest.skip("this kernel has WireGuard")
    # All of /usr/bin is hidden but for env, by which the program is started.
    refused(lab, own, EX_UNAVAILABLE, r"there is no wireguard-go to run", lines=1,
            setup="mkdir /run/vbng/bin; cp /usr/bin/env /run/vbng/bin/; mount --bind /run/vbng/bin /usr/bin")


def test_an_interface_has_the_tunnels_name(lab, own):
    lab.internet()
    own.ip("link", "add", "wg-provider1", "type", "veth", "peer", "name", "other")
    refused(lab, own, EX_UNAVAILABLE, r"an interface wg-provider1 already")


def test_the_wireguard_port_is_taken_on_the_host(lab, own):
    lab.internet()
    with lab.host.inside():
        taken = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        taken.bind(("::", 51999))
    with taken:
        refused(lab, own, EX_UNAVAILABLE, r"wg-provider1", WIREGUARD_LISTEN_PORT="51999")


def test_the_container_has_an_interface_of_the_nics_name(lab, own):
    own.ip("link", "add", "sub0", "type", "veth", "peer", "name", "other")
    refused(lab, own, EX_UNAVAILABLE, r"SUBSCRIBER_INTERFACE=sub0: the container has an interface of that name already", SUBSCRIBER_MODE="move")


def test_another_dhcp_server_has_the_port(lab, own):
    """The NIC was here and the tunnel stood: both are given back."""
    lab.internet()
    with own.inside():
        taken = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        taken.bind(("::", 547))
    with taken:
        refused(lab, own, EX_UNAVAILABLE, r"port 547.*another DHCPv6 server")


@pytest.mark.parametrize("where", ["host", "own"])
def test_the_port_for_metrics_is_taken(lab, own, where):
    lab.internet()
    with {"host": lab.host, "own": own}[where].inside():
        taken = socket.create_server(("127.0.0.1", 9547))
    with taken:
        prefix = "host:" if where == "host" else ""
        refused(lab, own, EX_UNAVAILABLE, rf"METRICS_LISTEN={prefix}:9547: the port is taken in the {'host' if prefix else 'container'}'s",
                METRICS_LISTEN=f"{prefix}:9547")


def test_metrics_at_an_address_that_the_host_has_not(lab, own):
    lab.internet()
    refused(lab, own, EX_UNAVAILABLE, r"METRICS_LISTEN=host:203\.0\.113\.9:9547: the host has no such address", METRICS_LISTEN="host:203.0.113.9:9547")


def test_metrics_on_a_host_that_is_not_mounted(lab, own):
    """It is needed for them alone."""
    lab.host.ip("link", "set", "sub0", "netns", own.name)
    own_before = own.snapshot()
    code, said = lab.vbng(own=own, HOST_NETNS="/nowhere/host", SUBSCRIBER_MODE="local", METRICS_LISTEN="host::9547").wait_end()
    assert code == EX_UNAVAILABLE and "HOST_NETNS=/nowhere/host: there is no such file" in said
    assert_same(own_before, own.snapshot, "our own namespace")


def test_a_second_instance_in_the_same_place(lab, own, tmp_path):
    """It wants nothing that the first one has, but the place of its control socket."""
    first = lab.vbng(own=own).wait_serving()
    lab.wire_nic("sub1", "cpe1")
    host_before, own_before = lab.host.snapshot(), own.snapshot()
    code, said = lab.vbng(own=own, setup=f"mount --bind {first.dir} /run/vbng", WIREGUARD_INTERFACE_SUFFIX="provider2", state=str(tmp_path),
                          SUBSCRIBER_INTERFACE="sub1", ASSIGNED_PREFIX="2001:db8:eeee::/48").wait_end()
    assert code == EX_UNAVAILABLE and "an instance is running here already" in said
    assert_same(host_before, lab.host.snapshot)
    assert_same(own_before, own.snapshot, "our own namespace")
    assert first.status()["state"] == "serving"


# --- the configuration


def test_every_fault_of_the_configuration_is_told(lab, own):
    lab.internet()
    faulty = {
        "WIREGUARD_PRIVATE_KEY": "c2VjcmV0LWJ1dC10b28tc2hvcnQ=",
        "WIREGUARD_PEER": None,
        "WIREGUARD_ADDRESS": "2001:db8::2/129",
        "WIREGUARD_ENDPOINT": "192.0.2.42",
        "ASSIGNED_PREFIX": "2001:db8:ffff::/33333",
        "SUBSCRIBER_INTERFACE": None,
        "DHCPV6_VALID_LIFETIME": "soon",
        "ROUTER_ADVERTISEMENT_PREFERENCE": "middling",
        "WIREGUARD_BACKEND": "quantum",
    }
    said = refused(lab, own, EX_CONFIG, *(rf"error config \"?{name}\b.*[Ee]xample: {name}=" for name in faulty if name != "WIREGUARD_PRIVATE_KEY"),
                   r"WIREGUARD_PRIVATE_KEY.*vbng genkey", lines=len(faulty) + 1, **faulty)
    assert faulty["WIREGUARD_PRIVATE_KEY"] not in said, "the value of a key is never shown, not even a faulty one's"


def test_an_unknown_variable_is_a_warning_with_the_nearest_name(lab, own):
    vbng = lab.vbng(own=own, DHCPV6_VALID_LIFETIM="3600", SUBSCRIBER_MODE="move").wait_serving()
    assert re.search(r"warning config .*DHCPV6_VALID_LIFETIM\b.*DHCPV6_VALID_LIFETIME\b", vbng.text()), vbng.text()


def test_a_variable_and_its_file_are_both_given(lab, own, tmp_path):
    lab.internet()
    path = tmp_path / "key"
    path.write_text(lab.private)
    refused(lab, own, EX_CONFIG, r"WIREGUARD_PRIVATE_KEY and WIREGUARD_PRIVATE_KEY_FILE are both given", lines=2, WIREGUARD_PRIVATE_KEY_FILE=str(path))


def test_a_file_that_cannot_be_read(lab, own):
    lab.internet()
    refused(lab, own, EX_CONFIG, r"WIREGUARD_PRIVATE_KEY_FILE=/run/secrets/none: cannot be read", lines=2,
            WIREGUARD_PRIVATE_KEY=None, WIREGUARD_PRIVATE_KEY_FILE="/run/secrets/none")


def test_usage(lab, own):
    """Not a fault of the environment: said on standard error, with what is known, and exit code 64."""
    for arguments, hint in ((("frobnicate",), "there is no verb 'frobnicate'"), (("run", "fast"), "unknown argument 'fast'"),
                            (("status", "--xml"), "unknown argument '--xml'"), ((), "Usage: vbng VERB")):
        r = run(VBNG, *arguments, check=False)
        assert r.returncode == EX_USAGE and hint in r.stderr and r.stdout == "", r.stderr
    code, said = lab.vbng(own=own, verb="run fast").wait_end()
    assert code == EX_USAGE and "unknown argument" in said
