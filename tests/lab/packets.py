# SPDX-License-Identifier: GPL-2.0-or-later
"""DHCPv6 and neighbour discovery as bytes. What is sent is put together here octet by octet, so that it can be as wrong as a test wants;
what comes back is taken apart by scapy, which knows nothing of vbng.
"""
import ipaddress
import itertools
import logging
import struct
import time

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.layers import dhcp6 as sd6  # noqa: E402
from scapy.layers import inet6 as si6  # noqa: E402
from scapy.layers.inet import UDP  # noqa: E402
from scapy.layers.l2 import Ether  # noqa: E402

from lab import PATIENCE_S  # noqa: E402

SOLICIT, ADVERTISE, REQUEST, CONFIRM, RENEW, REBIND, REPLY, RELEASE, DECLINE, RECONFIGURE, INFORMATION_REQUEST, RELAY_FORW, RELAY_REPL = range(1, 14)
NAMES = ("SOLICIT ADVERTISE REQUEST CONFIRM RENEW REBIND REPLY RELEASE DECLINE RECONFIGURE INFORMATION_REQUEST RELAY_FORW RELAY_REPL").split()
CLIENTID, SERVERID, IA_NA, IA_TA, IAADDR, ORO, PREFERENCE, ELAPSED, RELAY_MSG = range(1, 10)
AUTH, UNICAST, STATUS, RAPID_COMMIT, USER_CLASS, VENDOR_CLASS, VENDOR_OPTS, INTERFACE_ID, RECONF_MSG, RECONF_ACCEPT = range(11, 21)
DNS_SERVERS, DOMAIN_LIST, IA_PD, IAPREFIX, REFRESH_TIME, REMOTE_ID, SUBSCRIBER_ID, FQDN = 23, 24, 25, 26, 32, 37, 38, 39
CLIENT_LINKLAYER, SOL_MAX_RT, INF_MAX_RT, RELAY_PORT = 79, 82, 83, 135
SUCCESS, UNSPEC_FAIL, NO_ADDRS, NO_BINDING, NOT_ON_LINK, USE_MULTICAST, NO_PREFIX = range(7)

FRAME_MAX = 1514  # of Ethernet, without its checksum
ALL_SERVERS = "ff02::1:2"
SITE_SERVERS = "ff05::1:3"
ALL_ROUTERS = "ff02::2"
ALL_NODES = "ff02::1"

_xids = itertools.count(0x010203)


def in6(text):
    return ipaddress.IPv6Address(text).packed


def opt(code, body=b""):
    return struct.pack("!HH", code, len(body)) + body


def iaprefix(prefix, preferred=0, valid=0, more=b""):
    net = ipaddress.ip_network(prefix)
    return opt(IAPREFIX, struct.pack("!IIB", preferred, valid, net.prefixlen) + net.network_address.packed + more)


def unmasked(address, length):
    """An IAPREFIX with whatever the address has behind the length."""
    return opt(IAPREFIX, struct.pack("!IIB", 0, 0, length) + in6(address))


def iaaddr(address, preferred=0, valid=0, more=b""):
    return opt(IAADDR, in6(address) + struct.pack("!II", preferred, valid) + more)


def ia_pd(iaid=1, *inner, t1=0, t2=0):
    return opt(IA_PD, struct.pack("!III", iaid, t1, t2) + b"".join(inner))


def ia_na(iaid=1, *inner, t1=0, t2=0):
    return opt(IA_NA, struct.pack("!III", iaid, t1, t2) + b"".join(inner))


def ia_ta(iaid=1, *inner):
    return opt(IA_TA, struct.pack("!I", iaid) + b"".join(inner))


def oro(*codes):
    return opt(ORO, b"".join(struct.pack("!H", c) for c in codes))


def duid(n):
    """A DUID-LL of a subscriber of ours."""
    return struct.pack("!HH", 3, 1) + b"\x02\x00\x5e" + n.to_bytes(3, "big")


def client_id(n):
    return opt(CLIENTID, duid(n))


ELAPSED_0 = opt(ELAPSED, b"\0\0")


def xid():
    return next(_xids) & 0xffffff


def message(kind, *options, x=None):
    x = xid() if x is None else x
    return bytes([kind]) + x.to_bytes(3, "big") + b"".join(options)


def relay(inner, *options, hops=0, link="::", peer="fe80::9", kind=RELAY_FORW):
    return bytes([kind, hops]) + in6(link) + in6(peer) + b"".join(options) + opt(RELAY_MSG, inner)


def walk(data):
    """(code, body) of each option in a row of them, read without scapy: what it does not know it may put together otherwise."""
    while data:
        code, length = struct.unpack("!HH", data[:4])
        assert len(data) >= 4 + length, f"option {code} runs over the end of what holds it"
        yield code, data[4:4 + length]
        data = data[4 + length:]


def multicast_mac(address):
    return "33:33:" + ":".join(f"{b:02x}" for b in in6(address)[12:])


class Answer:
    """A DHCPv6 message that came from the server: where it went, and what scapy reads in it."""

    def __init__(self, frame, at):
        self.at = at
        self.ip, self.udp = frame[si6.IPv6], frame[UDP]
        self.frame = frame
        self.raw = bytes(self.udp.payload)
        self.relays = []  # scapy's layers, outermost first
        self.relay_options = []  # of each of them: [(code, body)]
        data = self.raw
        while data and data[0] == RELAY_REPL:
            self.relays.append(sd6.DHCP6_RelayReply(data))
            self.relay_options.append(list(walk(data[34:])))
            data = dict(self.relay_options[-1])[RELAY_MSG]
        self.message = data
        self.type = data[0]
        self.xid = int.from_bytes(data[1:4], "big")
        self.layer = sd6._dhcp6_dispatcher(data)

    def codes(self):
        return [code for code, _ in walk(self.message[4:])]

    def bodies(self, code):
        """Of the message's own options, as they were sent."""
        return [body for c, body in walk(self.message[4:]) if c == code]

    def options(self, code):
        return [o for o in layers(self.layer) if getattr(o, "optcode", None) == code]

    def one(self, code):
        found = self.options(code)
        assert len(found) == 1, f"option {code} stands {len(found)} times:\n{self}"
        return found[0]

    def has(self, code):
        return bool(self.options(code))

    def duid(self, code):
        found = self.bodies(code)
        assert len(found) == 1, f"option {code} stands {len(found)} times:\n{self}"
        return found[0]

    def status(self):
        """The message's own status; without the option it is success (RFC 9915 §21.13)."""
        return self.one(STATUS).statuscode if self.has(STATUS) else SUCCESS

    def ias(self, code=IA_PD):
        return [Ia(o) for o in self.options(code)]

    def ia(self, code=IA_PD):
        found = self.ias(code)
        assert len(found) == 1, f"IA {code} stands {len(found)} times:\n{self}"
        return found[0]

    def prefix(self):
        """The one prefix that it gives."""
        given = [p for p in self.ia().resources if p.valid]
        assert len(given) == 1, str(self)
        return given[0].what

    def address(self):
        given = [p for p in self.ia(IA_NA).resources if p.valid]
        assert len(given) == 1, str(self)
        return given[0].what

    def __str__(self):
        return f"{NAMES[self.type - 1]} from {self.ip.src} to {self.ip.dst}\n{self.layer.show(dump=True)}"


class Resource:
    def __init__(self, o):
        if isinstance(o, sd6.DHCP6OptIAPrefix):
            self.what = f"{ipaddress.ip_address(o.prefix)}/{o.plen}"
        else:
            self.what = str(ipaddress.ip_address(o.addr))
        self.preferred, self.valid = o.preflft, o.validlft


class Ia:
    def __init__(self, o):
        self.iaid, self.t1, self.t2 = o.iaid, o.T1, o.T2
        inner = o.iapdopt if isinstance(o, sd6.DHCP6OptIA_PD) else o.ianaopts
        self.resources = [Resource(i) for i in inner if isinstance(i, (sd6.DHCP6OptIAPrefix, sd6.DHCP6OptIAAddress))]
        told = [i.statuscode for i in inner if isinstance(i, sd6.DHCP6OptStatusCode)]
        self.status = told[0] if told else SUCCESS

    def lifetimes(self):
        return {r.what: (r.preferred, r.valid) for r in self.resources}


def layers(packet):
    layer = packet.payload
    while layer:
        yield layer
        layer = layer.payload


def dhcp6_in(data):
    """scapy's frame, where it is one of DHCPv6; else None."""
    if data[12:14] != b"\x86\xdd" or len(data) < 62 or data[20] != 17:
        return None
    ports = struct.unpack("!HH", data[54:58])
    return Ether(data) if ports[0] == 547 or ports[1] in (546, 547) else None


def icmp6_in(data, kind):
    if data[12:14] != b"\x86\xdd" or len(data) < 62 or data[20] != 58 or data[54] != kind:
        return None
    return Ether(data)


def checksum_right(frame):
    ip = frame[si6.IPv6]
    upper = bytes(ip.payload)
    return si6.in6_chksum(ip.nh, ip, upper) == 0


class Advertisement:
    """A router advertisement, as scapy reads it."""

    def __init__(self, frame, at):
        self.at, self.frame = at, frame
        self.ip, self.ra = frame[si6.IPv6], frame[si6.ICMPv6ND_RA]
        self.options = list(layers(self.ra))

    def of(self, kind):
        return [o for o in self.options if isinstance(o, kind)]

    def one(self, kind):
        found = self.of(kind)
        assert len(found) == 1, f"{kind.__name__} stands {len(found)} times in\n{self.ra.show(dump=True)}"
        return found[0]


class Subscriber:
    """Somebody on the subscriber link who speaks DHCPv6 and ND by hand. Its kernel answers neighbour solicitations, nothing else."""

    def __init__(self, wire, ns, router_mac, address=None):
        self.wire, self.ns, self.router_mac = wire, ns, router_mac
        self.address = address
        self.heard = []

    def frame(self, upper, dst, src=None, hop_limit=None, mac=None, to_mac=None):
        src = src or self.address
        to_mac = to_mac or (multicast_mac(dst) if ipaddress.ip_address(dst).is_multicast else self.router_mac)
        ip = si6.IPv6(src=src, dst=dst, hlim=hop_limit or 255)
        return bytes(Ether(src=mac or self.wire.mac, dst=to_mac) / ip / upper)

    def send(self, data, src=None, dst=ALL_SERVERS, sport=546, dport=547, hop_limit=None, to_mac=None):
        """In as many fragments as it takes."""
        frame = self.frame(UDP(sport=sport, dport=dport) / data, dst, src, hop_limit or 1, to_mac=to_mac)
        if len(frame) <= FRAME_MAX:
            self.wire.send(frame)
            return
        whole = Ether(frame)
        ip = si6.IPv6(src=whole[si6.IPv6].src, dst=whole[si6.IPv6].dst, hlim=whole[si6.IPv6].hlim)
        for part in si6.fragment6(ip / si6.IPv6ExtHdrFragment(id=xid()) / whole[UDP], FRAME_MAX - len(Ether())):
            self.wire.send(Ether(src=whole.src, dst=whole.dst) / part)

    def collect(self):
        """Everything that has come from the router so far, and not been looked at."""
        for at, mine, data in self.wire.read():
            if mine:
                continue
            frame = dhcp6_in(data)
            if frame is not None:
                self.heard.append(Answer(frame, at))
                continue
            frame = icmp6_in(data, 134)
            if frame is not None:
                self.heard.append(Advertisement(frame, at))
        return self.heard

    def wait(self, what, match, again=None):
        """The first thing heard that matches; it is taken out. again: what a client does that waits for long."""
        end, next_try = time.monotonic() + PATIENCE_S, time.monotonic() + PATIENCE_S / 4
        while True:
            for i, thing in enumerate(self.collect()):
                if match(thing):
                    return self.heard.pop(i)
            if time.monotonic() > end:
                raise AssertionError(f"timed out waiting for {what}; heard {[type(h).__name__ for h in self.heard]}")
            if again and time.monotonic() > next_try:
                again()
                next_try = end
            time.sleep(0.002)

    def ask(self, data, **how):
        """The answer to a message, known by its transaction id.

        After a long time it is sent once more: where our answer to a neighbour solicitation came too late, on a busy machine, the kernel has
        dropped what was for us.
        """
        self.send(data, **how)
        inner = data
        while inner[0] == RELAY_FORW:
            at = 34
            while inner[at:at + 2] != struct.pack("!H", RELAY_MSG):
                at += 4 + int.from_bytes(inner[at + 2:at + 4], "big")
            inner = inner[at + 4:at + 4 + int.from_bytes(inner[at + 2:at + 4], "big")]
        x = int.from_bytes(inner[1:4], "big")
        return self.wait(f"the answer to {NAMES[inner[0] - 1]}", lambda a: isinstance(a, Answer) and a.xid == x, lambda: self.send(data, **how))

    def assert_ignored(self, data, **how):
        """No answer: one that is answered surely is sent after it, and messages are answered in their order."""
        before = len([a for a in self.collect() if isinstance(a, Answer)])
        self.send(data, **how)
        self.ask(message(INFORMATION_REQUEST, client_id(0xffffff), ELAPSED_0))
        heard = [a for a in self.collect() if isinstance(a, Answer)][before:]
        assert not heard, f"answered with {heard[0]}"

    # What most tests begin with.

    def solicit(self, n, *more, **how):
        return self.ask(message(SOLICIT, client_id(n), ELAPSED_0, *(more or (ia_pd(1),))), **how)

    def obtain(self, n, *more, **how):
        """By rapid commit."""
        answer = self.ask(message(SOLICIT, client_id(n), ELAPSED_0, opt(RAPID_COMMIT), *(more or (ia_pd(1),))), **how)
        assert answer.type == REPLY, str(answer)
        return answer

    def server_id(self):
        return opt(SERVERID, self.ask(message(INFORMATION_REQUEST, client_id(0xfffffe), ELAPSED_0)).duid(SERVERID))
