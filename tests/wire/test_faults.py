# SPDX-License-Identifier: MIT
"""What is killed, stopped or full at any moment loses nothing that was acknowledged and sends nothing
late (CONTRACT 2.3, DESIGN 2)."""

import contextlib
import http.client
import os
import random
import re
import signal
import subprocess
import threading
import time
import urllib.parse

import pytest

import pictures
import raw_http
from house import House, eventually, free_port, fresh, port_answers
from peers import Peer

ROUNDS = 30  # of each of the two kill tests


class Load:
    """Boards, phones and cameras at work; what was acknowledged to them stands in the ledger."""

    def __init__(self, house, door="door"):
        self.house, self.door = house, door
        self.devices, self.pictures, self.data = set(), {}, {}
        self.stop = threading.Event()
        self.threads = []

    def begin(self):
        self.stop.clear()
        self.threads = [threading.Thread(target=self._until_killed, args=(job, self.house.mqtt_port), daemon=True)
                        for job in (self._boards, self._camera, self._phone)]
        for thread in self.threads:
            thread.start()

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(20)

    def _until_killed(self, job, port):
        with contextlib.suppress(OSError, AssertionError, ValueError, RuntimeError, http.client.HTTPException):
            job(port)

    def _answered(self, message):
        if message.text.endswith(" 0"):
            self.devices.add(message.topic)

    def _boards(self, port):
        ear = Peer(port, ["board/#"], on_message=self._answered)
        while not self.stop.wait(0.01):
            for name in [fresh("board/") for _ in range(3)]:
                ear.publish("toserver", f"add_device {name} {name} {name}-app {name}-app 1", wait=False)
        threading.Thread(target=ear.close, daemon=True).start()

    def _camera(self, _port):
        while not self.stop.is_set():
            name = fresh("pic")
            if self.house.upload(pictures.jpeg(name), pic_name=name, timeout=3) == (200, "0"):
                self.pictures[name] = pictures.jpeg(name)

    def _phone(self, port):
        talker = Peer(port)
        while not self.stop.is_set():
            key = fresh("key")
            talker.publish("toserver", f"data {key} {key}", wait=False)
            shown = self.house.get("/data", timeout=3)
            if shown.status == 200:
                self.data.update(shown.json)
            self.house.get(f"/unlock?device={self.door}", timeout=3)
        threading.Thread(target=talker.close, daemon=True).start()

    def check(self):
        """Everything in the ledger is there."""
        state = self.house.export()
        lost = self.devices - {d["id"] for d in state["devices"]}
        assert not lost, f"acknowledged hand-shakes are lost: {lost}"
        shown = self.house.get("/data").json
        assert self.data.items() <= shown.items(), "data that was shown is lost"
        rows = {p["name"] for p in state["pictures"]}
        assert set(self.pictures) <= rows, f"stored pictures are lost: {set(self.pictures) - rows}"
        for name in random.sample(sorted(self.pictures), min(5, len(self.pictures))):
            query = urllib.parse.urlencode({"pic_name": name, "topic": "door", "time": "20200731110320"})
            assert self.house.get(f"/get_pic?{query}").body == self.pictures[name]
        alive = [c for c in state["commands"] if c["word"] == "unlock" and c["state"] in ("queued", "sent", "delivered")]
        assert not alive, f"unlocks that outlived a kill: {alive}"


@pytest.mark.parametrize("both", [False, True], ids=["server", "server and broker"])
def test_kill_9_under_load_loses_nothing_and_sends_nothing_late(make_house, both):
    house = make_house("mqtt.anonymous=all")
    tokens, load = [house.token], Load(house)
    house.board("door", answer=None)
    for n in range(ROUNDS):
        load.begin()
        time.sleep(random.uniform(0.05, 0.35))
        if n % 8 == 0:
            tokens.append(house.make_token(name=f"t{n}"))
        if both:
            with contextlib.suppress(ProcessLookupError):
                os.kill(house.broker_pid(), signal.SIGKILL)
        house.kill()
        load.end()
        house.start()
        door = house.peer(["door"])
        load.check()
        house.settle()
        assert "unlock" not in door.texts("door"), "a late unlock"
    assert len(load.devices) > ROUNDS and len(load.pictures) > ROUNDS and load.data
    for token in tokens:
        assert house.get("/data", token=token).status == 200


def test_the_broker_lives_on_and_hears_no_late_unlock(outside):
    """The same with a broker that survives the server: one ear hears all that is ever published."""
    ear, ever = Peer(outside.outside.port, ["door/#"]), 0
    for n in range(8):
        door = f"door/{n}"
        outside.board(door, answer=None)
        load = Load(outside, door)
        load.begin()
        time.sleep(random.uniform(0.05, 0.3))
        outside.kill()
        load.end()
        asked = ear.texts(door).count("unlock")
        outside.start()
        outside.settle()
        load.check()
        outside.settle()
        assert ear.texts(door).count("unlock") == asked <= 1
        ever += asked
    assert ever > 0
    ear.close()


@pytest.mark.parametrize("when", ["BEFORE", "AFTER"])
def test_a_kill_around_the_commit_loses_nothing(make_house, when):
    house = make_house()
    house.board("door", answer=None)
    assert house.token
    load = Load(house)
    for number in (1, 2, 3, 5, 8, 13):
        house.stop()
        house.start(ready=False, env={f"GATEHOUSE_TEST_DIE_{when}_COMMIT": str(number)})
        with contextlib.suppress(RuntimeError):
            house.wait_ready()
            load.begin()
        assert house.wait_end(20) == -signal.SIGKILL
        load.end()
        house.start()
        load.check()


def test_what_was_not_committed_is_not_acknowledged(make_house):
    house = make_house()
    house.restart(env={"GATEHOUSE_TEST_DIE_BEFORE_COMMIT": "1"})
    ear = house.peer(["late"])
    ear.publish("toserver", "add_device late late app app 1", wait=False)
    assert house.wait_end() == -signal.SIGKILL
    assert ear.messages == [], "answered before it was on disk"
    house.start()
    assert house.records("devices", id="late") == []


# The broker.

def here_again(house):
    eventually(lambda: house.get("/readyz").status == 200, 20, "ready again")


def test_a_killed_embedded_broker_is_started_again(make_house):
    house = make_house("http.auth=none")
    board = house.board()
    for _ in range(3):
        seen = house.broker_pid()
        os.kill(seen, signal.SIGKILL)
        eventually(lambda: house.broker_pids() not in ([], [seen]), 20)
        here_again(house)
    board.wait_here()
    assert house.get(f"/unlock?device={board.device}") == (200, "0")
    board.wait_orders("unlock")
    pauses = [int(ms) for ms in re.findall(r"started again in (\d+) ms", house.log())]
    assert pauses == [200, 400, 800], "a broker that keeps dying is not started again and again at once"


def test_while_the_broker_is_gone_an_unlock_is_a_1_and_never_comes_later(outside):
    board = outside.board()
    outside.outside.kill()
    assert outside.get(f"/unlock?device={board.device}") == (200, "1")
    outside.outside.start()
    here_again(outside)
    board.wait_here(20)
    outside.watch.wait_here(20)
    outside.settle()
    assert board.orders() == []


def test_a_lock_asked_for_while_the_broker_was_gone_is_kept(outside):
    board = outside.board()
    outside.outside.kill()
    assert outside.get(f"/lock?device={board.device}") == (200, "1")
    board.client.disconnect()
    outside.outside.start()
    ear = outside.peer([board.topic])
    ear.wait(lambda m: m.text == "lock", 20)


def test_an_unlock_to_a_stopped_broker_is_a_1_within_a_second_and_never_comes(outside):
    board = outside.board()
    outside.outside.pause()
    began = time.monotonic()
    assert outside.get(f"/unlock?device={board.device}") == (200, "1")
    assert 0.8 < time.monotonic() - began < 2.5
    outside.outside.resume()
    here_again(outside)
    outside.settle()
    assert board.orders() == []


def test_an_unlock_in_flight_when_the_broker_is_killed_is_not_sent_to_the_next_one(outside):
    board = outside.board()
    outside.outside.pause()
    answers = []
    asker = threading.Thread(target=lambda: answers.append(outside.get(f"/unlock?device={board.device}")))
    asker.start()
    eventually(lambda: any(c["state"] in ("sent", "unknown", "expired") for c in outside.records("commands", device_id=board.device)))
    outside.outside.resume()
    outside.outside.kill()
    asker.join()
    seen = board.orders_so_far().count("unlock")
    outside.outside.start()
    here_again(outside)
    board.wait_here(20)
    outside.watch.wait_here(20)
    outside.settle()
    assert board.orders().count("unlock") == seen


# The server stands still.

def test_http_orders_that_waited_for_a_stopped_server_are_refused(outside):
    board = outside.board()
    assert outside.token
    outside.pause()
    waiting = [raw_http.connect(outside.http_port) for _ in range(3)]
    for s in waiting:
        s.sendall(raw_http.request("GET", f"/unlock?device={board.device}", [f"Authorization: Bearer {outside.token}"]))
    time.sleep(3)
    outside.resume()
    for s in waiting:
        assert raw_http.read_answer(s).body == b"1"
        s.close()
    here_again(outside)
    outside.settle()
    assert board.orders() == []
    why = [r["outcome"] for r in outside.records("door_log", device_id=board.device)]
    assert why == ["STALLED"] * 3, "refused because they waited, not for want of a link"


def test_mqtt_orders_that_waited_for_a_stopped_server_are_not_carried_out(outside):
    board = outside.board()
    outside.watch  # noqa: B018 connected before
    outside.pause()
    outside.say(f"unlock {board.device} {board.app} 1")
    outside.say(f"data {board.device} read")
    time.sleep(3)
    outside.resume()
    outside.wait_log(r"stood still")
    here_again(outside)
    outside.settle()
    assert board.orders() == []
    assert board.device not in outside.get("/data").json, "the connection is closed unread"


def test_after_standing_still_it_serves_again(make_house):
    house = make_house("http.auth=none")
    board = house.board()
    house.pause()
    time.sleep(2.5)
    house.resume()
    here_again(house)
    eventually(lambda: house.get(f"/unlock?device={board.device}") == (200, "0"))
    board.wait_orders("unlock")


# The disk.

def refused_while_nothing_can_be_kept(house, board, statuses):
    seen = house.watch.count()
    assert house.get(f"/unlock?device={board.device}") == (200, "1")
    assert house.get(f"/lock?device={board.device}") == (200, "1")
    assert house.upload(pictures.jpeg("no room"), pic_name="no").status in statuses
    house.say("add_device late late late-app late-app 1", wait=False)
    assert house.get("/hello") == (200, "hello")
    assert eventually(lambda: house.get("/readyz")).status == 503
    return seen


def nothing_left_and_all_works_again(house, board, seen):
    eventually(lambda: house.get("/readyz").status == 200, 20, "it recovers by itself")
    house.watch.wait_here(20)
    assert "late" not in [m.topic for m in house.watch.messages[seen:]] or house.records("devices", id="late")
    assert house.records("pictures", name="no") == []
    house.settle()
    assert board.orders() in ([], ["lock"]), "no unlock that was refused"
    time.sleep(3.1)  # not to join the refused one
    eventually(lambda: house.get(f"/unlock?device={board.device}") == (200, "0"))
    eventually(lambda: board.orders()[-1:] == ["unlock"])
    board.hand_shake()


def test_when_no_file_can_grow_nothing_leaves_and_it_recovers(make_house):
    house = make_house("http.auth=none")
    board = house.board()
    house.settle()
    house.no_file_may_grow()
    seen = refused_while_nothing_can_be_kept(house, board, (503, 507))
    assert "late" not in [m.topic for m in house.watch.messages[seen:]]
    house.no_file_may_grow(False)
    nothing_left_and_all_works_again(house, board, seen)


@pytest.fixture
def small_disk(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=755", "gatehouse-test", tmp_path], check=False)
    if done.returncode:
        pytest.skip("mounting is not allowed here")
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


def test_a_full_disk_is_507_nothing_leaves_and_it_recovers(small_disk):
    house = House(folder=small_disk, sets=["http.auth=none"])
    try:
        house.start()
        board = house.board()
        house.settle()
        filler = small_disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as f:
            while True:
                f.write(bytes(4096))
        eventually(lambda: house.upload(pictures.jpeg("no room"), pic_name="no").status == 507)
        # What fits into the pages that are there already may still be kept.
        for n in range(400):
            if house.get("/readyz").status == 503:
                break
            house.say(f"data key{n} {'x' * 900}")
        seen = refused_while_nothing_can_be_kept(house, board, (507,))
        filler.unlink()
        nothing_left_and_all_works_again(house, board, seen)
        house.stop()
    finally:
        house.close()


def test_a_board_is_answered_the_same_after_a_broker_restart_on_the_same_port(make_house):
    house = make_house("http.auth=none", f"mqtt.port={free_port()}")
    port = house.mqtt_port
    os.kill(house.broker_pid(), signal.SIGKILL)
    # Before the server has noticed, it still calls itself ready.
    eventually(lambda: house.log().count("mqtt: connected to ") == 2, 20)
    here_again(house)
    assert port_answers(port)
    assert house.board().device
