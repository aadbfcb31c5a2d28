# SPDX-License-Identifier: GPL-2.0-or-later
"""What Prometheus finds: where it was told to look, in the format that it reads, and without subscribers noticing."""
import os
import re
import signal
import socket
import time
import urllib.error
import urllib.request

import pytest

import packets
from lab import EX_OK, PATIENCE_S, Stopwatch, assert_same, wait_for
from packets import NO_PREFIX, SOLICIT, Subscriber, client_id, message

PAGE = "/metrics"


def fetch(ns, url):
    """By urllib, from a namespace: (status, headers, text)."""
    with ns.inside():
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, timeout=PATIENCE_S) as r:
                return r.status, r.headers, r.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.headers, e.read().decode()


def refuses(ns, host, port):
    with ns.inside(), socket.socket(socket.AF_INET) as s:
        s.settimeout(2)
        return s.connect_ex((host, port)) != 0


SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)+)\} (\+Inf|[0-9]+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


def parse(text):
    """The exposition format 0.0.4, taken strictly, and what `promtool check metrics` would say of it. {(name, labels): value}"""
    assert text.endswith("\n") and "\r" not in text
    families, samples, name, kind = set(), {}, None, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, explained = line.split(" ", 3)[2:]
            assert name not in families and explained.strip(), line
            families.add(name)
            kind = None
        elif line.startswith("# TYPE "):
            again, kind = line.split(" ", 3)[2:]
            assert again == name and kind in ("counter", "gauge"), line
            assert name.startswith("vbng_") and re.fullmatch("[a-z0-9_]+", name), line
            assert name.endswith("_total") == (kind == "counter"), line
            for unit in ("milliseconds", "minutes", "kilobytes", "_ms", "_kb", "percent"):
                assert unit not in name, line
        else:
            m = SAMPLE.fullmatch(line)
            assert m and kind and m[1] == name, line
            labels = LABEL.findall(m[2])
            assert len(labels) == len(dict(labels)), line
            key = (name, frozenset((k, v) for k, v in labels if k != "instance"))
            assert dict(labels)["instance"] == "provider1" and key not in samples, line
            samples[key] = float(m[3])
    return samples


def value(samples, name, **labels):
    return samples[("vbng_" + name, frozenset(labels.items()))]


def scrape(ns, url):
    status, headers, text = fetch(ns, url)
    assert status == 200 and headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parse(text)


def subscriber_of(lab, vbng):
    mine = wait_for("a usable link-local address", lambda: lab.cpe.addresses("cpe0", "link"))[0]["local"]
    return Subscriber(lab.wire(), lab.cpe, vbng.own.mac("sub0"), mine)


@pytest.mark.parametrize("listen, url", [("host::9547", "http://127.0.0.1:9547"), ("host:127.0.0.1:9547", "http://127.0.0.1:9547"),
                                         ("host:[::1]:9547", "http://[::1]:9547")])
def test_it_is_served_in_the_hosts_namespace(lab, listen, url):
    before = lab.host.snapshot()
    vbng = lab.vbng(METRICS_LISTEN=listen).wait_serving()
    assert value(scrape(lab.host, url + PAGE), "serving") == 1
    assert lab.host.exec("curl", "-gsS", "-o", "/dev/null", "-w", "%{http_code} %{content_type}", url + PAGE).stdout == \
        "200 text/plain; version=0.0.4; charset=utf-8"
    head = lab.host.exec("curl", "-gsSI", url + PAGE).stdout
    assert head.startswith("HTTP/1.1 200 OK\n") and int(re.search(r"Content-Length: (\d+)", head)[1]) > 1000
    assert fetch(lab.host, url + "/")[0] == 404
    assert lab.host.exec("curl", "-gsS", "-d", "x=1", "-o", "/dev/null", "-w", "%{http_code}", url + PAGE).stdout == "405"
    assert refuses(vbng.own, "127.0.0.1", 9547)
    assert vbng.stop()[0] == EX_OK
    assert refuses(lab.host, "127.0.0.1", 9547)
    assert_same(before, lab.host.snapshot)


def test_it_is_served_in_our_own_namespace(lab):
    """At an address, too, that is ours only once the subscriber's NIC is here: a router between us and Prometheus reaches it."""
    vbng = lab.vbng(METRICS_LISTEN="[2001:db8:ffff::1]:9547").wait_serving()
    assert value(scrape(vbng.own, "http://[2001:db8:ffff::1]:9547" + PAGE), "serving") == 1
    wait_for("an address by autoconfiguration", lambda: lab.cpe.addresses("cpe0"))
    assert value(scrape(lab.cpe, "http://[2001:db8:ffff::1]:9547" + PAGE), "serving") == 1
    assert refuses(lab.host, "127.0.0.1", 9547) and refuses(vbng.own, "127.0.0.1", 9547)


def test_without_the_variable_nothing_listens(lab):
    vbng = lab.vbng().wait_serving()
    assert vbng.own.exec("ss", "-Hltn").stdout == "" and lab.host.exec("ss", "-Hltn").stdout == ""


def test_an_independent_reader_understands_it(lab):
    parser = pytest.importorskip("prometheus_client.parser", reason="python3-prometheus-client is not installed")
    lab.internet()
    lab.vbng(METRICS_LISTEN="host::9547").wait_serving()
    text = fetch(lab.host, "http://127.0.0.1:9547" + PAGE)[2]
    theirs = {(s.name, frozenset((k, v) for k, v in s.labels.items() if k != "instance")): s.value
              for f in parser.text_string_to_metric_families(text) for s in f.samples}
    assert theirs == parse(text)


def test_its_numbers_are_those_of_what_happened(lab):
    lab.internet()
    vbng = lab.vbng(METRICS_LISTEN="host::9547").wait_serving()
    url = "http://127.0.0.1:9547" + PAGE
    subscriber = subscriber_of(lab, vbng)
    before = scrape(lab.host, url)
    subscriber.solicit(1)
    subscriber.obtain(2)
    subscriber.assert_ignored(message(SOLICIT))  # no client identifier; followed by an INFORMATION-REQUEST
    wait_for("the tunnel up in the metrics", lambda: value(scrape(lab.host, url), "tunnel_state", state="up") == 1)
    after = scrape(lab.host, url)

    def grew(name, **labels):
        return value(after, name, **labels) - value(before, name, **labels)
    assert value(after, "pool_bound", kind="prefixes") == 1 and value(after, "pool_capacity", kind="prefixes") == 128
    assert value(after, "pool_capacity", kind="addresses") == float("inf")
    assert grew("dhcpv6_received_total") == 4
    assert grew("dhcpv6_messages_received_total", type="SOLICIT") == 3
    assert grew("dhcpv6_messages_received_total", type="INFORMATION-REQUEST") == 1
    assert grew("dhcpv6_messages_answered_total", type="ADVERTISE") == 1 and grew("dhcpv6_messages_answered_total", type="REPLY") == 2
    assert grew("dhcpv6_dropped_total", reason="no_client_id") == 1
    assert value(after, "subscriber_carrier", interface="sub0") == 1 and value(after, "store_ok") == 1
    assert value(after, "router_advertisements_sent_total") >= 1 and value(after, "routes_failed_total") == 0
    assert abs(value(after, "start_time_seconds") - time.time()) < 60
    assert abs(value(after, "tunnel_last_handshake_timestamp_seconds") + value(after, "tunnel_handshake_age_seconds") - time.time()) < 10
    assert value(after, "tunnel_receive_bytes_total") > 0
    lab.cpe.ip("link", "set", "cpe0", "down")
    wait_for("the lost carrier in the metrics", lambda: value(scrape(lab.host, url), "subscriber_carrier", interface="sub0") == 0)


def test_the_tunnels_bytes_are_seconds_old_at_most(lab):
    """Nobody asks but Prometheus."""
    lab.internet()
    vbng = lab.vbng(METRICS_LISTEN="host::9547").wait_serving()
    url = "http://127.0.0.1:9547" + PAGE
    wait_for("the tunnel up", lambda: value(scrape(lab.host, url), "tunnel_state", state="up") == 1)
    before = value(scrape(lab.host, url), "tunnel_transmit_bytes_total")
    vbng.own.exec("ping", "-6", "-c", "3", "-i", "0.2", "-W", "1", "-s", "1000", "2001:db8:0:1::1", check=False)
    wait_for("the pings' bytes", lambda: value(scrape(lab.host, url), "tunnel_transmit_bytes_total") > before + 3000, every=1, within=7)


def test_a_new_server_process_goes_on_with_it(lab):
    vbng = lab.vbng(METRICS_LISTEN="host::9547").wait_serving()
    url = "http://127.0.0.1:9547" + PAGE
    assert value(scrape(lab.host, url), "server_restarts_total") == 0
    os.kill(vbng.pids()[1], signal.SIGKILL)
    # The socket is init's: whoever connects meanwhile waits, and is answered.
    assert value(scrape(lab.host, url), "server_restarts_total") == 1


def test_subscribers_do_not_wait_for_slow_readers(lab):
    """Half requests, readers that do not read, and a storm of connections; meanwhile every SOLICIT is answered at once."""
    vbng = lab.vbng(METRICS_LISTEN="host::9547").wait_serving()
    subscriber = subscriber_of(lab, vbng)
    subscriber.solicit(1)
    server = vbng.pids()[1]
    at_rest = len(os.listdir(f"/proc/{server}/fd"))
    sockets = []
    worst = 0.0
    with lab.host.inside():
        for _ in range(40):
            s = socket.create_connection(("127.0.0.1", 9547), timeout=2)
            s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + (b"\r\n" if len(sockets) % 2 else b""))
            sockets.append(s)
    for n in range(50):
        watch = Stopwatch()
        subscriber.ask(message(SOLICIT, client_id(n + 10), packets.ELAPSED_0, packets.ia_pd(1)))
        worst = max(worst, watch.seconds())
    assert worst < 0.5
    watch = Stopwatch()
    assert value(scrape(lab.host, "http://127.0.0.1:9547" + PAGE), "serving") == 1, "the oldest gave way"
    assert watch.seconds() < 2
    for s in sockets:
        s.close()
    wait_for("all connections closed", lambda: len(os.listdir(f"/proc/{server}/fd")) <= at_rest)


def test_an_exhausted_pool_is_told_counted_and_shown(lab):
    vbng = lab.vbng(METRICS_LISTEN="host::9547", DHCPV6_PD_PREFIX="2001:db8:ffff:8000::/55", DHCPV6_PD_DELEGATION_LENGTH="56").wait_serving()
    subscriber = subscriber_of(lab, vbng)
    for n in 1, 2:
        subscriber.obtain(n)
    assert vbng.status()["pools"][0]["exhausted"] == 0 and "EXHAUSTED" not in vbng.verb("status").stdout
    for n in range(3, 13):
        assert subscriber.solicit(n).ia().status == NO_PREFIX
    lines = [line for line in vbng.text().splitlines() if " pool " in line]
    assert len(lines) == 1, "at once, and not again for a while"
    assert lines[0].startswith("warning pool ") and "pool=prefixes" in lines[0] and "range=2001:db8:ffff:8000::/55" in lines[0]
    assert "capacity=2" in lines[0] and "bound=2" in lines[0] and "DHCPV6_PD_DELEGATION_LENGTH" in lines[0]
    assert vbng.status()["pools"][0]["exhausted"] == 10
    assert "EXHAUSTED: none left for 10 requests since the start" in vbng.verb("status").stdout
    metrics = scrape(lab.host, "http://127.0.0.1:9547" + PAGE)
    assert value(metrics, "pool_exhausted_total", kind="prefixes") == 10 and value(metrics, "pool_exhausted_total", kind="addresses") == 0
    assert value(metrics, "pool_bound", kind="prefixes") == value(metrics, "pool_capacity", kind="prefixes") == 2
    assert "/128 each from 2001:db8:ffff::/64\n" in vbng.verb("status").stdout
    assert vbng.verb("leases", "clear", "2001:db8:ffff:8000::/56").returncode == 0
    assert "had none left for 10 requests since the start" in vbng.verb("status").stdout, "a prefix is free now"
