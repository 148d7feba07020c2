# SPDX-License-Identifier: MIT
"""A stop while things are under way: who waits is answered, nothing is used after it was freed, and
the process ends in time."""

import contextlib
import json
import os
import sqlite3
import subprocess
import threading
import time

import pytest

import raw_http
from fake_broker import FakeBroker
from house import BIN, clean_environment, eventually


@contextlib.contextmanager
def locked(house):
    """While it lasts the server's commits wait for the database, as they do for a slow disk."""
    other = sqlite3.connect(house.data_dir / "gatehouse.db", isolation_level=None, check_same_thread=False)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield other
    finally:
        other.close()


def begin(house, *args):
    return subprocess.Popen([BIN, *map(str, args), "--set", f"data_dir={house.data_dir}"],
                            env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def python_state(tmp_path, topics):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"client_id": "x", "host": "h", "port": 1883, "topic": {
        "2server": "toserver", "2device": [f"d{n}" for n in range(topics)], "2app_deivce": ["a"]}}))
    return path


def test_a_stop_while_an_import_is_being_kept(make_house, tmp_path):
    house = make_house()
    with locked(house):
        asker = begin(house, "import", python_state(tmp_path, 10))
        eventually(lambda: "changes are refused" in house.get("/readyz", token=False).text, 5)
        house.stop()
    _, said = asker.communicate(timeout=10)
    assert asker.returncode == 1 and said.strip(), said


def test_a_stop_while_an_import_is_kept_after_all(make_house, tmp_path):
    house = make_house()
    with locked(house) as other:
        asker = begin(house, "import", python_state(tmp_path, 10))
        eventually(lambda: "changes are refused" in house.get("/readyz", token=False).text, 5)
        threading.Timer(0.7, other.execute, ["ROLLBACK"]).start()
        house.stop()
    asker.communicate(timeout=10)
    assert house.records("devices", id="d1"), "it was on its way, and is on the disk"


def test_a_stop_while_an_import_is_being_read(make_house, tmp_path):
    house = make_house()
    asker = begin(house, "import", python_state(tmp_path, 100_000))
    time.sleep(0.25)
    house.stop()
    asker.communicate(timeout=20)


def test_an_import_of_no_regular_file_is_refused_and_holds_up_nothing(make_house, tmp_path):
    house = make_house()
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, "/dev/zero"):
        done = house.command("import", path, timeout=10)
        assert done.returncode == 1 and str(path) in done.stderr and "state file" in done.stderr, done.stderr
    house.stop()


def test_a_stop_while_a_restore_is_being_made(make_house, tmp_path):
    house = make_house()
    house.board()
    assert house.command("backup", tmp_path / "b").returncode == 0
    with locked(house):
        asker = begin(house, "restore", tmp_path / "b")
        eventually(lambda: "changes are refused" in house.get("/readyz", token=False).text, 5)
        house.stop()
    asker.communicate(timeout=10)


def test_a_stop_while_a_commit_waits_for_the_disk(make_house):
    house = make_house("http.auth=none")
    board = house.board()
    answers = []

    def ask():
        with contextlib.suppress(OSError):
            answers.append(house.get(f"/unlock?device={board.device}"))

    with locked(house):
        askers = [threading.Thread(target=ask) for _ in range(3)]
        for asker in askers:
            asker.start()
            time.sleep(0.1)
        house.stop()
    for asker in askers:
        asker.join()
    assert all(answer == (200, "1") for answer in answers), answers


@pytest.fixture
def silent(make_house):
    """A server whose broker takes no QoS 2 message."""
    broker = FakeBroker(withhold=["PUBREC"])
    house = make_house("mqtt.broker=" + broker.address, "http.auth=none", "mqtt.anonymous=all", embedded=False)
    house.fake = broker
    yield house
    broker.close()


def test_an_unlock_that_waits_for_the_broker_is_a_1_when_the_server_stops(silent):
    silent.fake.publish("toserver", "add_device door door app app 1")
    silent.fake.wait("PUBLISH", topic="door")
    client = raw_http.connect(silent.http_port)
    client.sendall(raw_http.request("GET", "/unlock?device=door"))
    silent.fake.wait("PUBLISH", payload=b"unlock")
    silent.stop()
    assert raw_http.read_answer(client).body == b"1"
    client.close()
