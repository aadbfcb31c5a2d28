# SPDX-License-Identifier: GPL-2.0-or-later
"""What an operator leans on: keys, signals, logs for machines, a PID 1 that buries the dead, and options that another program reads back."""
import base64
import datetime
import json
import os
import re
import signal
import time
from pathlib import Path

import packets
import pytest
from clients import WideDhcp6c
from lab import EX_OK, EX_USAGE, VBNG, Stopwatch, run, wait_for

with open(VBNG, "rb") as binary:
    SANITIZED = b"__asan_init" in binary.read()
KEY = "YNqHbfBQKaGvzefSSbpt1vkiOuSs5fCjMQCHs8Nxs2I="


def pubkey(program, text, check=True):
    return run(*program, "pubkey", input=text, check=check)


def test_our_keys_are_wgs_keys():
    """The public key of any private one is what wg says it is, ours and wg's own."""
    seen = set()
    for maker in (VBNG,), ("wg",):
        for _ in range(20):
            private = run(*maker, "genkey").stdout
            raw = base64.b64decode(private.strip(), validate=True)
            assert private.endswith("\n") and len(private) == 45 and len(raw) == 32
            assert raw[0] & 7 == 0 and raw[31] & 0xc0 == 0x40, "clamped, as RFC 7748 §5 says"
            assert pubkey([VBNG], private).stdout == pubkey(["wg"], private).stdout
            seen.add(private)
    assert len(seen) == 40


def test_pubkey_takes_what_wg_takes_and_refuses_what_wg_refuses():
    unclamped = base64.b64encode(b"\xff" * 32).decode()
    zeros = base64.b64encode(b"\x00" * 32).decode()
    for text in KEY, KEY + "\n", unclamped + "\n", zeros + "\n":
        assert pubkey([VBNG], text).stdout == pubkey(["wg"], text).stdout, text
    for text in "", "\n", "secret\n", KEY[:-1] + "\n", KEY[1:] + "\n", KEY[:-2] + "B=\n", KEY[:-2] + "!=\n":
        ours = pubkey([VBNG], text, check=False)
        assert pubkey(["wg"], text, check=False).returncode != 0, text
        assert ours.returncode not in (EX_OK, EX_USAGE) and ours.stdout == "" and "44 characters of base64" in ours.stderr, text
        assert not text.strip() or text.strip() not in ours.stderr, "not even a faulty key is repeated"


def test_sigusr1_logs_a_summary(lab):
    vbng = lab.vbng(LOG_LEVEL="info").wait_serving()
    lab.client(WideDhcp6c).wait()
    for count, signo in enumerate((signal.SIGUSR1, signal.SIGUSR2), 1):
        vbng.send(signo)
        vbng.wait_log(r"info server summary", 5, count)
    line = re.findall(r"info server summary .*", vbng.text())[-1]
    assert "prefixes=1 addresses=1 " in line and "uplink=none" in line and "store_ok=true" in line
    assert int(re.search(r"dhcpv6_answered=(\d+)", line)[1]) >= 2


@pytest.mark.skipif(SANITIZED, reason="the sanitizers need memory of their own")
def test_at_rest_its_processes_are_small(lab):
    """Six mebibytes resident in all, shared pages counted in each, once a client has been served and nothing happens any more."""
    vbng = lab.vbng().wait_serving()
    lab.client(WideDhcp6c).wait()

    def resident_kib():
        kib = [re.search(r"^Rss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M) for pid in [*vbng.pids(), vbng.fib()]]
        assert len(kib) == 3 and all(kib), "init, server, and who changes routes for it"
        return sum(int(k[1]) for k in kib)
    wait_for("memory that is given back", lambda: resident_kib() <= 6 * 1024)


def test_sighup_advertises_at_once(lab):
    vbng = lab.vbng().wait_serving()
    wire = lab.wire()

    def advertised():
        seen.extend(at for at, mine, data in wire.read() if not mine and packets.icmp6_in(data, 134))
        return seen
    seen = []
    # The quick ones of the start are 16 seconds apart (RFC 4861 §6.2.4), and no two come closer together than 3 (§6.2.6).
    wait_for("an advertisement of the start", lambda: vbng.status()["counters"]["ra_sent"] >= 1)
    time.sleep(3.2)
    advertised()
    seen.clear()
    watch = Stopwatch()
    vbng.send(signal.SIGHUP)
    wait_for("the advertisement", advertised, every=0.01)
    assert watch.seconds() < 1
    assert vbng.status()["state"] == "serving"


def test_every_line_of_a_json_log_is_an_object_with_its_time(lab):
    """A whole life: start, leases, a fault of the server, a summary, the stop; of init and of the server."""
    begun, watch = datetime.datetime.now(datetime.timezone.utc), Stopwatch()
    vbng = lab.vbng(LOG_FORMAT="json", DHCPV6_VALID_LIFETIM="1").wait_serving()
    lab.client(WideDhcp6c).wait()
    os.kill(vbng.pids()[1], signal.SIGKILL)
    wait_for("another server", lambda: vbng.verb("healthcheck", check=False).stdout == "serving\n")
    vbng.send(signal.SIGUSR1)
    vbng.wait_log("summary")
    assert vbng.stop()[0] == EX_OK
    last = begun - datetime.timedelta(milliseconds=1)
    events = set()
    for line in vbng.text().splitlines():
        members = json.loads(line, object_pairs_hook=list)
        said = dict(members)
        assert len(said) == len(members), f"a member stands there twice: {line}"
        assert list(said)[:2] == ["ts", "level"] and said["level"] in ("error", "warning", "info", "debug"), line
        assert said["subsystem"] and said["event"], line
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", said["ts"]), line
        ts = datetime.datetime.fromisoformat(said["ts"].replace("Z", "+00:00"))
        # Two processes write: a line may overtake another's by as long as writing takes.
        assert last - datetime.timedelta(seconds=1 + watch.excuse()) <= ts <= datetime.datetime.now(datetime.timezone.utc), line
        last = max(last, ts)
        assert said.get("instance", "provider1") == "provider1"
        events.add(said["event"])
    assert {"serving", "bound", "the server was killed, starting it again", "summary", "stopping", "stopped"} <= events
    assert any("DHCPV6_VALID_LIFETIM" in e for e in events)


def test_orphans_are_reaped(lab):
    """What somebody left behind in the container becomes init's child, ends, and does not stay a zombie; the server's end is not missed for it."""
    vbng = lab.vbng().wait_serving()
    init = vbng.pids()[0]

    def children():
        with open(f"/proc/{init}/task/{init}/children", encoding="ascii") as f:
            return f.read().split()

    # Fifty, the parents of which end before them.
    run("nsenter", "-t", init, "--mount", "--pid", "sh", "-c", "for i in $(seq 50); do (sleep 1 >/dev/null 2>&1 &); done")
    wait_for("the orphans at init", lambda: len(children()) > 40, every=0.01)
    wait_for("their end", lambda: len(children()) == 2)
    vbng.wait_log("reaped an orphan", count=50)
    assert children() == [str(vbng.pids()[1]), str(vbng.fib())] and vbng.status()["server_restarts"] == 0
    os.kill(vbng.pids()[1], signal.SIGKILL)
    wait_for("another server", lambda: vbng.verb("healthcheck", check=False).stdout == "serving\n")
    assert vbng.stop()[0] == EX_OK


def test_rdisc6_reads_preference_and_search_list(lab):
    lab.vbng(ROUTER_ADVERTISEMENT_PREFERENCE="high", DNS_SEARCH="provider1.example,lab.example", ROUTER_ADVERTISEMENT_MANAGED="on",
             ROUTER_ADVERTISEMENT_ROUTES="2001:db8:1::/48@low", ROUTER_ADVERTISEMENT_LIFETIME="900").wait_serving()
    wait_for("a usable link-local address to solicit from", lambda: lab.cpe.addresses("cpe0", "link"))
    told = lab.cpe.exec("rdisc6", "-1", "-n", "-w", "3000", "cpe0").stdout
    seen = {}
    for line in told.splitlines():
        key, colon, text = line.partition(":")
        if colon:
            seen.setdefault(key.strip(), []).append(text.strip())
    assert seen["Router preference"][0].startswith("high"), told
    assert seen["Stateful address conf."][0].startswith("Yes") and seen["Router lifetime"][0].startswith("900")
    searched = " ".join(seen["DNS search list"])
    assert "provider1.example" in searched and "lab.example" in searched, told
    assert "2001:db8:1::/48" in seen["Route"][0] and seen["Route preference"][0].startswith("low"), told
