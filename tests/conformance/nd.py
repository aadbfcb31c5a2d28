# SPDX-License-Identifier: GPL-2.0-or-later
"""Router solicitations put together octet by octet, and what comes back, option by option."""
import collections
import ipaddress
import struct
import time

from access import HOME
from packets import ALL_NODES, ALL_ROUTERS, Advertisement, Ether, checksum_right, in6, multicast_mac, si6

SLLA, PREFIX, MTU, PVD, ROUTE, RDNSS, DNSSL, CAPTIVE_PORTAL, PREF64 = 1, 3, 5, 21, 24, 25, 31, 37, 38
MIN_DELAY_S, MAX_RA_DELAY_S = 3.0, 0.5  # RFC 4861 §10
LATE_S = 0.2  # that a busy machine may add
HEADER = struct.Struct("!BBHBBHII")  # type, code, checksum, hop limit, flags, lifetime, reachable time, retransmission timer


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def slla(text):
    return bytes([SLLA, 1]) + mac(text)


def solicitation(*options, code=0, reserved=0):
    return struct.pack("!BBHI", 133, code, 0, reserved) + b"".join(options)


def options_in(data):
    """(type, what follows type and length) of each option in a row of them; read without scapy, which knows not all of them."""
    found = []
    while data:
        assert data[1] > 0 and len(data) >= 8 * data[1], f"option {data[0]} has the length {data[1]} and {len(data)} octets are left"
        found.append((data[0], data[2:8 * data[1]]))
        data = data[8 * data[1]:]
    return found


class Heard:
    """One advertisement."""

    def __init__(self, advertisement):
        self.at, self.frame, self.dst = advertisement.at, advertisement.frame, advertisement.ip.dst
        self.scapy = advertisement
        self.bytes = bytes(advertisement.ip.payload)[:advertisement.ip.plen]
        self.header = HEADER.unpack(self.bytes[:16])
        self.hop_limit, self.flags, self.lifetime, self.reachable, self.retrans = self.header[3:]
        self.options = options_in(self.bytes[16:])
        # What holds for every one (RFC 4861 §4.2).
        assert advertisement.ip.hlim == 255 and self.header[1] == 0 and checksum_right(self.frame)
        assert in6(advertisement.ip.src)[:2] == b"\xfe\x80"

    def of(self, kind):
        return [body for code, body in self.options if code == kind]

    def one(self, kind):
        found = self.of(kind)
        assert len(found) == 1, f"option {kind} stands {len(found)} times"
        return found[0]

    def prefixes(self):
        """{prefix: (flags, valid, preferred, the field as it is)}"""
        return prefixes_in(self.options)


def prefixes_in(options):
    found = {}
    for code, body in options:
        if code != PREFIX:
            continue
        length, flags, valid, preferred, reserved = struct.unpack("!BBIII", body[:14])
        assert reserved == 0 and len(body) == 30
        bits = int.from_bytes(body[14:], "big") >> (128 - length) << (128 - length)
        found[f"{ipaddress.IPv6Address(bits)}/{length}"] = (flags, valid, preferred, str(ipaddress.IPv6Address(body[14:])))
    return found


def advertisements(access):
    """All that were heard and not looked at."""
    heard = [x for x in access.line.collect() if isinstance(x, Advertisement)]
    access.line.heard[:] = [x for x in access.line.heard if not isinstance(x, Advertisement)]
    return [Heard(x) for x in heard]


def send(access, data, src=HOME, dst=ALL_ROUTERS, hop_limit=255, checksum=None):
    """Its checksum is right unless one is given. Returns when it was sent."""
    to_mac = multicast_mac(dst) if dst.startswith("ff") else access.line.router_mac
    ip = si6.IPv6(src=src, dst=dst, hlim=hop_limit, nh=58, plen=len(data))
    right = si6.in6_chksum(58, ip, data)
    data = data[:2] + struct.pack("!H", right if checksum is None else checksum) + data[4:]
    at = time.monotonic()
    access.line.wire.send(bytes(Ether(src=access.line.wire.mac, dst=to_mac, type=0x86dd) / ip) + data)
    return at


def wait(access, dst, after=0.0):
    """The first advertisement for that destination."""
    return Heard(access.line.wait(f"an advertisement for {dst}", lambda x: isinstance(x, Advertisement) and x.ip.dst == dst and x.at >= after))


def solicit(access, *options, src=HOME, **how):
    """The answer to one who solicits from an address of its own."""
    advertisements(access)
    sent = send(access, solicitation(*(options or (slla(access.line.wire.mac),))), src=src, **how)
    return wait(access, src, after=sent)


def assert_dropped(access, reason, data, **how):
    """No answer, and counted for that reason; an answer to somebody else, who solicits behind it, shows that it was looked at."""
    advertisements(access)
    before = access.counters()
    send(access, data, **how)
    solicit(access, src="fe80::c:2")
    time.sleep(0.05)  # an answer to it may be due later, by up to what they wait
    after = access.counters()
    assert not [x for x in advertisements(access) if x.dst == how.get("src", HOME)]
    grown = collections.Counter(after["drops"]) - collections.Counter(before["drops"])
    assert grown == ({f"rs_{reason}": 1} if reason else {}), f"dropped for {dict(grown)}, not for {reason}"
    assert after["rs_dropped"] - before["rs_dropped"] == (1 if reason else 0)


def settle(access):
    """Until no multicast one is due, and none was sent so lately that the next would have to wait."""
    heard = True
    while heard:
        advertisements(access)
        time.sleep(MIN_DELAY_S + MAX_RA_DELAY_S)
        heard = [x for x in advertisements(access) if x.dst == ALL_NODES]
