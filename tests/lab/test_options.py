# SPDX-License-Identifier: GPL-2.0-or-later
"""Every option that a subscriber can ask for, from its variable to the bytes in the answer; and nothing for those who do not ask."""
import ipaddress
import struct

import pytest

from lab import EX_CONFIG, EX_OK, POOL, wait_for
from packets import (ADVERTISE, DNS_SERVERS, DOMAIN_LIST, ELAPSED_0, IA_PD, IAPREFIX, INF_MAX_RT, INFORMATION_REQUEST, RAPID_COMMIT, REFRESH_TIME,
                     RENEW, REPLY, REQUEST, SOL_MAX_RT, SOLICIT, Subscriber, client_id, ia_pd, iaprefix, in6, message, opt, oro)

NTP, AFTR, PD_EXCLUDE, MAPE, MAPT, LW, PORTAL = 56, 64, 67, 94, 95, 96, 103
CPE = "fe80::c1"


def labels(name):
    return b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0"


VARIABLES = {
    "DHCPV6_NAMESERVER": "2001:db8:ffff::53,2001:db8::53",
    "DNS_SEARCH": "provider1.example,example.net",
    "DHCPV6_NTP_SERVER": "2001:db8::123,ff05::101,ntp.provider1.example",
    "DHCPV6_SOL_MAX_RT": "7200",
    "DHCPV6_INF_MAX_RT": "3700",
    "DHCPV6_INFORMATION_REFRESH_TIME": "4000",
    "DHCPV6_AFTR_NAME": "aftr.provider1.example",
    "DHCPV6_CAPTIVE_PORTAL": "https://portal.provider1.example/api?x=1",
    "DHCPV6_S46_MAPE": "br=2001:db8:e::1 rule=2001:db8:4000::/40,192.0.2.0/24,ea=16,fmr",
    "DHCPV6_S46_MAPT": "dmr=64:ff9b::/96 rule=2001:db8:8000::/33,198.51.100.7/32,ea=0,psid-offset=4,psid-len=6,psid=33",
    "DHCPV6_S46_LW4O6": "br=2001:db8:e::2 bind=203.0.113.9,2001:db8:42:ff00::/56,psid-len=8,psid=18",
    "DHCPV6_OPTION_242": "0a0b0c",
    "DHCPV6_OPTION_65000": "0x00:ff",
}

# What an option's bodies are, in their order.
BODIES = {
    DNS_SERVERS: [in6("2001:db8:ffff::53") + in6("2001:db8::53")],
    DOMAIN_LIST: [labels("provider1.example") + labels("example.net")],
    NTP: [opt(1, in6("2001:db8::123")), opt(2, in6("ff05::101")), opt(3, labels("ntp.provider1.example"))],
    SOL_MAX_RT: [struct.pack("!I", 7200)],
    INF_MAX_RT: [struct.pack("!I", 3700)],
    AFTR: [labels("aftr.provider1.example")],
    PORTAL: [b"https://portal.provider1.example/api?x=1"],
    MAPE: [opt(90, in6("2001:db8:e::1")) + opt(89, bytes([1, 16, 24, 192, 0, 2, 0, 40]) + in6("2001:db8:4000::")[:5])],
    MAPT: [opt(91, b"\x60" + in6("64:ff9b::")[:12])
           + opt(89, bytes([0, 0, 32, 198, 51, 100, 7, 33]) + in6("2001:db8:8000::")[:5] + opt(93, bytes([4, 6]) + struct.pack("!H", 33 << 10)))],
    LW: [opt(90, in6("2001:db8:e::2"))
         + opt(92, bytes([203, 0, 113, 9, 56]) + in6("2001:db8:42:ff00::")[:7] + opt(93, bytes([0, 8]) + struct.pack("!H", 18 << 8)))],
    242: [b"\x0a\x0b\x0c"],
    65000: [b"\x00\xff"],
}
REFRESH = {REFRESH_TIME: [struct.pack("!I", 4000)]}


def split(data):
    """(code, body) of each option, in order."""
    found = []
    while data:
        code, n = struct.unpack("!HH", data[:4])
        assert len(data) >= 4 + n, "an option runs over its end"
        found.append((code, data[4:4 + n]))
        data = data[4 + n:]
    return found


def asked_for(answer):
    """What is in an answer beside identifiers, rapid commit and IAs: bodies by code."""
    found = {}
    for code, body in split(answer.message[4:]):
        if code not in (1, 2, 3, RAPID_COMMIT, IA_PD):
            found.setdefault(code, []).append(body)
    return found


def iaprefixes(answer):
    """(prefix, valid lifetime, options within) of each prefix."""
    found = []
    for body in (b for c, b in split(answer.message[4:]) if c == IA_PD):
        for code, inner in split(body[12:]):
            if code == IAPREFIX:
                _, valid, plen = struct.unpack("!IIB", inner[:9])
                found.append((ipaddress.ip_network((inner[9:25], plen)), valid, split(inner[25:])))
    return found


def subscriber(lab, vbng):
    lab.cpe.ip("addr", "replace", f"{CPE}/64", "dev", "cpe0", "nodad")
    return Subscriber(lab.wire(), lab.cpe, vbng.own.mac("sub0"), CPE)


@pytest.fixture(scope="module")
def cpe(module_lab):
    vbng = module_lab.vbng(**VARIABLES).wait_serving()
    yield subscriber(module_lab, vbng)


def test_who_does_not_ask_gets_none(cpe):
    for data in (message(SOLICIT, client_id(1), ELAPSED_0, ia_pd(1)), message(SOLICIT, client_id(1), ELAPSED_0, opt(RAPID_COMMIT), ia_pd(1)),
                 message(INFORMATION_REQUEST, client_id(1), ELAPSED_0), message(INFORMATION_REQUEST, client_id(1), ELAPSED_0, oro(31, 241))):
        assert asked_for(cpe.ask(data)) == {}


@pytest.mark.parametrize("code", sorted(BODIES))
def test_each_is_given_alone_byte_by_byte(cpe, code):
    for data, kind in ((message(SOLICIT, client_id(2), ELAPSED_0, ia_pd(1), oro(code)), ADVERTISE),
                       (message(INFORMATION_REQUEST, ELAPSED_0, oro(code)), REPLY)):
        answer = cpe.ask(data)
        assert answer.type == kind
        assert asked_for(answer) == {code: BODIES[code]}


def test_all_at_once_in_every_message(cpe):
    everything = oro(*BODIES, REFRESH_TIME)
    server = cpe.server_id()
    offer = cpe.ask(message(SOLICIT, client_id(3), ELAPSED_0, ia_pd(1), everything))
    assert offer.type == ADVERTISE and asked_for(offer) == BODIES
    for kind in REQUEST, RENEW:
        answer = cpe.ask(message(kind, client_id(3), server, ELAPSED_0, ia_pd(1, iaprefix(offer.prefix())), everything))
        assert answer.type == REPLY and asked_for(answer) == BODIES
        assert answer.prefix() == offer.prefix()


def test_the_refresh_time_is_only_in_answers_to_information_requests(cpe):
    """RFC 9915 §21.23."""
    assert asked_for(cpe.ask(message(INFORMATION_REQUEST, client_id(4), ELAPSED_0, oro(REFRESH_TIME)))) == REFRESH
    assert asked_for(cpe.ask(message(SOLICIT, client_id(4), ELAPSED_0, ia_pd(1), oro(REFRESH_TIME)))) == {}
    assert asked_for(cpe.ask(message(INFORMATION_REQUEST, ELAPSED_0, oro(*BODIES, REFRESH_TIME)))) == {**BODIES, **REFRESH}


def test_nothing_is_excluded_where_nothing_is_configured(cpe):
    assert [inner for _, _, inner in iaprefixes(cpe.solicit(5, ia_pd(1), oro(PD_EXCLUDE)))] == [[]]


def test_lengths_of_hints_and_the_part_of_each_prefix_that_is_excluded(lab):
    """RFC 6603 §4.2: the bits behind the delegated length; each client has another prefix, and prefixes have several lengths."""
    vbng = lab.vbng(DHCPV6_PD_MIN_LENGTH="54", DHCPV6_PD_MAX_LENGTH="60", DHCPV6_PD_EXCLUDE="0xd/64").wait_serving()
    cpe = subscriber(lab, vbng)
    wanted = {0: (56, b"\x0d"), 60: (60, b"\xd0"), 59: (59, b"\x68"), 54: (54, b"\x03\x40"), 52: (54, b"\x03\x40"), 64: (60, b"\xd0")}
    seen = set()
    for n, (hint, (length, subnet)) in enumerate(wanted.items()):
        ia = ia_pd(1, iaprefix(f"::/{hint}")) if hint else ia_pd(1)
        for codes, inner in ((PD_EXCLUDE,), [(PD_EXCLUDE, b"\x40" + subnet)]), ((DNS_SERVERS,), []):
            (prefix, valid, options), = iaprefixes(cpe.obtain(16 + n, ia, oro(*codes)))
            assert prefix.prefixlen == length and prefix.subnet_of(ipaddress.ip_network(POOL)) and valid
            assert options == inner, f"a /{length}"
        seen.add(prefix)
    assert len(seen) == len(wanted)
    wait_for("their routes", lambda: set(vbng.delegated()) == {str(p) for p in seen})


def test_a_withdrawn_prefix_excludes_nothing(lab):
    vbng = lab.vbng(DHCPV6_PD_EXCLUDE="0/64").wait_serving()
    cpe = subscriber(lab, vbng)
    answer = cpe.ask(message(RENEW, client_id(7), cpe.server_id(), ELAPSED_0, ia_pd(1, iaprefix("2001:db8:eeee::/64")), oro(PD_EXCLUDE)))
    found = {valid > 0: inner for _, valid, inner in iaprefixes(answer)}
    assert found == {True: [(PD_EXCLUDE, b"\x40\x00")], False: []}


def test_an_answer_longer_than_a_frame_arrives(lab):
    long = bytes(range(256)) * 8
    vbng = lab.vbng(DHCPV6_OPTION_242=long.hex()).wait_serving()
    lab.cpe.ip("addr", "replace", f"{CPE}/64", "dev", "cpe0", "nodad")
    assert "comes in fragments" in vbng.text()
    script = f"""
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("{CPE}", 546, 0, socket.if_nametoindex("cpe0")))
s.settimeout(5)
s.sendto(bytes.fromhex("{message(INFORMATION_REQUEST, ELAPSED_0, oro(242)).hex()}"), ("ff02::1:2", 547, 0, socket.if_nametoindex("cpe0")))
print(s.recv(65535).hex())
"""
    data = bytes.fromhex(lab.cpe.exec("/usr/bin/python3", "-c", script).stdout.strip())
    assert [body for code, body in split(data[4:]) if code == 242] == [long]


def test_values_come_from_files_too(lab, tmp_path):
    for name, value in {"raw": "0a0b\n0c\n", "mape": VARIABLES["DHCPV6_S46_MAPE"].replace(" ", "\n") + "\n"}.items():
        (tmp_path / name).write_text(value)
    vbng = lab.vbng(DHCPV6_OPTION_242_FILE=str(tmp_path / "raw"), DHCPV6_S46_MAPE_FILE=str(tmp_path / "mape")).wait_serving()
    assert "there is no such variable" not in vbng.text()
    answer = subscriber(lab, vbng).ask(message(INFORMATION_REQUEST, ELAPSED_0, oro(242, MAPE)))
    assert asked_for(answer) == {242: BODIES[242], MAPE: BODIES[MAPE]}
    assert vbng.stop()[0] == EX_OK


def test_every_fault_is_told_at_once(lab):
    faults = {
        "DHCPV6_OPTION_3": ("00", "what the server hands out"),
        "DHCPV6_OPTION_82": ("00", "DHCPV6_SOL_MAX_RT"),
        "DHCPV6_SOL_MAX_RT": ("59", "60 to 86400"),
        "DHCPV6_NTP_SERVER": ("192.0.2.1", "IPv4"),
        "DHCPV6_S46_MAPT": ("rule=2001:db8::/32,192.0.2.0/24", "ea="),
        "DHCPV6_PD_EXCLUDE": ("64", "NUMBER/LENGTH"),
        "DHCPV6_PD_MAX_LENGTH": ("52", "delegation length"),
        "DHCPV6_CAPTIVE_PORTAL": ("http://portal.example/", "https://"),
    }
    code, said = lab.vbng(**{name: value for name, (value, _) in faults.items()}).wait_end()
    assert code == EX_CONFIG
    for name, (_, says) in faults.items():
        assert any(name in line and says in line for line in said.splitlines()), f"{name}: {says}\n{said}"
