# SPDX-License-Identifier: MIT
"""A clear refusal, and nothing lost."""

import re
import socket
import sqlite3

import pytest

import pictures
from house import Mosquitto, eventually, fresh

PAYLOADS = {
    "empty": b"", "a space": b" ", "spaces": b" " * 50, "a NUL": b"\0", "NULs": b"\0" * 100, "word and NUL": b"unlock\0door",
    "binary": bytes(range(256)), "invalid UTF-8": b"unlock \xff\xfe", "control": b"unlock \x1b[2J\x07", "newline": b"lock\nunlock",
    "tab": b"unlock\tdoor", "one word of 4 KB": b"x" * 4096, "over 4 KB": b"unlock " + b"x" * 5000, "60 KB": b"unlock " + b"y" * 60_000,
    "500 words": b"unlock " + b"a " * 500, "JSON": b'{"a":1}', "format letters": b"%s%n%x %n%n", "quotes": b"'; DROP TABLE devices; --",
    "right to left": "\u202eunlock door".encode(), "line separator": "unlock \u2028 door".encode(), "BOM": "\ufeffunlock door".encode(),
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
@pytest.mark.parametrize("topic", ["toserver", "app"])
def test_no_payload_moves_a_door_or_ends_the_server(open_house, payload, topic):
    board = open_house.board()
    open_house.say(payload, topic="toserver" if topic == "toserver" else board.app_topic)
    open_house.settle()
    assert board.orders() == []
    assert open_house.get("/hello") == (200, "hello")


def test_a_payload_of_1_mb_ends_only_its_senders_connection(open_house):
    sender = open_house.peer()
    sender.publish("toserver", b"unlock " + b"y" * 1_000_000, wait=False)
    open_house.settle()
    assert open_house.get("/readyz").status == 200


def test_what_is_no_text_is_counted(open_house):
    before = open_house.counters()
    bad = [b"", b"\0", b"unlock \xff", b"unlock " + b"x" * 5000, b"lock\x01"]
    for payload in bad:
        open_house.say(payload)
    open_house.settle()
    assert open_house.counters()["bad_payload"] - before["bad_payload"] == len(bad)


def test_no_raw_control_character_reaches_the_log(make_house):
    house = make_house("http.auth=none")
    for payload in PAYLOADS.values():
        house.say(payload)
    house.say("dance \u202e\u2066\u0085 night".encode())
    house.upload(b"no", pic_name="\x1b[2J\r\nfake: line", topic="\u202e")
    house.get("/unlock?device=" + "%C2%85%1B")
    house.get("/hello", headers={"User-Agent": "\x1b[2J"})
    house.settle()
    log = house.log()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", log)
    assert not re.search("^fake:", log, re.M)


def test_many_bad_payloads_do_not_fill_the_log(make_house):
    house = make_house("http.auth=none")
    for n in range(2000):
        house.say(f"nonsense{n} {'x' * 500}", wait=False)
    house.settle()
    assert len(house.log()) < 2_000_000


# The database.

def stopped_with_state(make_house):
    house = make_house("http.auth=none")
    house.say("data answer 42")
    eventually(lambda: house.get("/data").json == {"answer": "42"})
    house.upload(pictures.jpeg("kept"))
    house.stop()
    return house, house.data_dir / "gatehouse.db"


def refuses_to_start(house, *words):
    house.start(ready=False)
    assert house.wait_end() == 1
    for word in words:
        assert re.search(word, house.log(), re.I), house.log()


def test_a_database_from_the_future_is_refused_and_left_alone(make_house):
    house, file = stopped_with_state(make_house)
    with sqlite3.connect(file) as db:
        now = db.execute("PRAGMA user_version").fetchone()[0]
        assert now > 0
        db.execute("PRAGMA user_version = 9999")
    db.close()
    refuses_to_start(house, "newer|version")
    assert house.command("export").returncode == 1
    with sqlite3.connect(file) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == 9999
        db.execute(f"PRAGMA user_version = {now}")
    db.close()
    house.start()
    assert house.get("/data").json == {"answer": "42"}


@pytest.mark.parametrize("harm", ["half", "100 bytes", "nothing left", "garbage in the middle", "another file"])
def test_a_damaged_database_is_refused_and_never_silently_empty(make_house, harm):
    house, file = stopped_with_state(make_house)
    whole = file.read_bytes()
    bad = {"half": whole[:len(whole) // 2], "100 bytes": whole[:100], "nothing left": b"",
           "garbage in the middle": whole[:4096] + b"\xa5" * (len(whole) - 4096), "another file": b"hello\n" * 1000}[harm]
    file.write_bytes(bad)
    for side in file.parent.glob("gatehouse.db-*"):
        side.unlink()
    refuses_to_start(house, "gatehouse.db")
    assert file.read_bytes() == bad, "left as it is"
    file.write_bytes(whole)
    house.start()
    assert house.get("/data").json == {"answer": "42"}


def test_a_data_folder_that_cannot_be_made_is_said(make_house):
    house = make_house("http.auth=none", start=False)
    (house.folder / "file").write_text("x")
    house.data_dir = house.folder / "file" / "data"
    refuses_to_start(house, "file/data")


# Ports and programs.

def test_an_http_port_that_is_taken_is_said(make_house):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refuses_to_start(make_house(f"http.port={port}", start=False), str(port), "http.port|taken|in use")


def test_a_broker_port_that_is_taken_is_said(make_house):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refuses_to_start(make_house(f"mqtt.port={port}", start=False), str(port), "mqtt.port|taken|in use")


def test_a_mosquitto_on_the_port_is_said(make_house):
    other = Mosquitto()
    try:
        refuses_to_start(make_house(f"mqtt.port={other.port}", start=False), str(other.port), "mqtt.port|taken|in use")
    finally:
        other.close()


def test_a_missing_mosquitto_is_said_with_the_cure(make_house):
    house = make_house(start=False, env={"GATEHOUSE_MOSQUITTO": "/nonexistent"})
    refuses_to_start(house, "mosquitto", "install|GATEHOUSE_MOSQUITTO|apt")


def test_three_mistakes_at_once_are_all_said(make_house):
    house = make_house("http.port=70000", "pairing=perhaps", "nothing.such=1", start=False)
    house.start(ready=False)
    assert house.wait_end() == 2
    for key in ("http.port", "pairing", "nothing.such"):
        assert key in house.log()


def test_strange_queries_never_break_a_request(open_house):
    for query in ("device", "device=", "device=&device=x", "=", "&&&", "device=%F0%9F%98%80", "x" * 3000, "device=%25s%25n"):
        for path in ("/unlock", "/get_pic", "/data", "/hello"):
            assert open_house.get(f"{path}?{query}").status in (200, 400, 404), (path, query)


def test_an_upload_with_strange_names_is_kept_or_refused_but_never_misplaced(open_house):
    for name in ("", "x" * 400, "a\nb", "../../etc/passwd", "\u202e", "a b", "#", "a\0b"):
        assert open_house.upload(pictures.jpeg(fresh()), pic_name=name, topic=name).status in (200, 400)
    files = [p for p in open_house.folder.rglob("*") if p.is_file() and p.read_bytes()[:2] == b"\xff\xd8"]
    assert all(re.fullmatch("[0-9a-f]{32}", p.name) for p in files)


def test_many_hand_shakes_do_not_stop_the_server(make_house):
    house = make_house("http.auth=none")
    for n in range(1000):
        house.say(f"add_device d{n} t{n} a{n} b{n} 1", wait=False)
    house.settle()
    assert len(house.export()["devices"]) >= 1000
    assert house.get("/hello") == (200, "hello")
