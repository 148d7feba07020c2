# SPDX-License-Identifier: MIT
"""CONTRACT 2.3 and 1.3, as far as the old dialect needs them: how long an order lives, which
requests are one order, what it ends as."""

import json
import time

import pytest

from house import eventually, free_port, fresh


def commands(house, board):
    return sorted(house.records("commands", device_id=board.device), key=lambda c: c["created_at"])


def states(house, board):
    return [c["state"] for c in commands(house, board)]


def unlock(house, board, word="unlock"):
    assert house.get(f"/{word}?device={board.device}") == (200, "0")


def press(house, board, word="unlock"):
    """The phone sends each press twice: by MQTT and by HTTP."""
    house.say(f"{word} {board.device} {board.app} 2020-07-31 11:03:20.123456")
    board.wait(lambda m: m.text == word)
    return house.post("/test", json.dumps({"name": word, "topic": board.device, "topic2": board.app, "time": "1"}))


def test_an_answered_order_is_done(house):
    board = house.board()
    unlock(house, board)
    eventually(lambda: states(house, board) == ["done"])


def test_an_order_that_the_board_refuses_is_failed(house):
    board = house.board(answer="1")
    unlock(house, board)
    eventually(lambda: states(house, board) == ["failed"])


def test_while_it_waits_for_its_answer_the_same_order_joins_it(house):
    board = house.board(answer=None)
    for _ in range(3):
        unlock(house, board)
    house.say(f"unlock {board.device} {board.app} 1")
    house.settle()
    assert board.orders() == ["unlock"]
    assert len(commands(house, board)) == 1


def test_one_press_of_the_phone_is_one_order(house):
    board = house.board()
    assert press(house, board) == (200, "0")
    house.settle()
    assert board.orders() == ["unlock"]


def test_the_second_call_joins_also_after_the_board_answered(house):
    board = house.board()
    house.say(f"unlock {board.device} {board.app} 1")
    eventually(lambda: states(house, board) == ["done"])
    unlock(house, board)
    house.settle()
    assert board.orders() == ["unlock"]


def test_the_second_call_joins_also_what_failed(house):
    board = house.board(answer="1")
    house.say(f"unlock {board.device} {board.app} 1")
    eventually(lambda: states(house, board) == ["failed"])
    house.get(f"/unlock?device={board.device}")
    house.settle()
    assert board.orders() == ["unlock"]


def test_after_three_seconds_it_is_a_new_order(house):
    board = house.board()
    unlock(house, board)
    board.wait_orders("unlock")
    time.sleep(3.1)
    unlock(house, board)
    board.wait_orders("unlock", "unlock")


@pytest.mark.parametrize("answer", ["0", None])
def test_not_when_the_opposite_came_between(house, answer):
    board = house.board(answer=answer)
    for word in ("unlock", "lock", "unlock"):
        unlock(house, board, word)
    board.wait_orders("unlock", "lock", "unlock")


def test_lock_joins_only_while_it_waits(house):
    board = house.board(answer=None)
    unlock(house, board, "lock")
    unlock(house, board, "lock")
    board.respond("lock", "0")
    eventually(lambda: states(house, board) == ["done"])
    unlock(house, board, "lock")
    board.wait_orders("lock", "lock")


def test_another_device_never_joins(house):
    one, two = house.board(), house.board()
    unlock(house, one)
    unlock(house, two)
    one.wait_orders("unlock")
    two.wait_orders("unlock")


def test_each_joiner_has_its_own_row_in_the_log(house):
    board = house.board(answer=None)
    for _ in range(3):
        unlock(house, board)
    (command,) = commands(house, board)
    rows = eventually(lambda: len(r := house.records("door_log", device_id=board.device)) >= 3 and r)
    assert {r["command_id"] for r in rows} == {command["id"]}


def test_an_unanswered_unlock_is_unknown_after_ten_seconds_and_not_sent_again(house):
    board = house.board(answer=None)
    unlock(house, board)
    began = time.monotonic()
    eventually(lambda: states(house, board) == ["unknown"], 14)
    assert time.monotonic() - began > 8
    house.settle()
    assert board.orders() == ["unlock"]


def test_an_answer_after_the_end_changes_nothing(house):
    board = house.board(answer=None)
    unlock(house, board)
    board.respond("unlock", "1")
    eventually(lambda: states(house, board) == ["failed"])
    board.respond("unlock", "0")
    house.settle()
    assert states(house, board) == ["failed"]


def test_two_answers_to_one_order_are_counted(house):
    board, before = house.board(answer=None), house.counters()
    unlock(house, board)
    board.respond("unlock", "0")
    board.respond("unlock", "0")
    house.counted("answers_doubled", before)


def test_an_answer_to_no_order_is_counted(house):
    board, before = house.board(), house.counters()
    board.respond("lock", "0")
    house.counted("answers_unmatched", before)


@pytest.mark.parametrize("kill", [False, True], ids=["SIGTERM", "SIGKILL"])
def test_after_a_restart_a_sent_unlock_is_unknown_and_never_sent_again(make_house, kill):
    house = make_house(f"mqtt.port={free_port()}")
    board = house.board(answer=None)
    unlock(house, board)
    board.wait_orders("unlock")
    device = board.device
    house.restart(kill=kill)
    assert [c["state"] for c in house.records("commands", device_id=device)] == ["unknown"]
    ear = house.peer([device])
    house.settle()
    ear.publish("toserver", f"add_device {device} {device} {device}-app {device}-app 1")
    ear.wait(lambda m: m.text.startswith("hand_shake"))
    house.settle()
    assert "unlock" not in [m.text for m in ear.messages]


def test_a_lock_is_sent_again_when_its_board_is_back(house):
    board = house.board(answer=None)
    unlock(house, board, "lock")
    board.wait_orders("lock")
    board.hand_shake()
    eventually(lambda: board.orders().count("lock") == 2)
    board.respond("lock", "0")
    eventually(lambda: states(house, board) == ["done"])


def test_an_unlock_is_not_sent_again_when_its_board_is_back(house):
    board = house.board(answer=None)
    unlock(house, board)
    board.wait_orders("unlock")
    board.hand_shake()
    house.settle()
    assert board.orders() == ["unlock"]


def test_a_board_that_sleeps_does_not_get_an_unlock_after_its_time(house):
    """The broker keeps messages for a durable session; the order's expiry ends that."""
    device = fresh("sleeper")
    board = house.peer([device], client_id=device, clean=False)
    board.publish("toserver", f"add_device {device} {device} app-{device} app-{device} 1")
    board.wait(lambda m: m.text.startswith("hand_shake"))
    board.close()
    assert house.get(f"/unlock?device={device}") == (200, "0")
    time.sleep(11)
    awake = house.peer([device], client_id=device, clean=False)
    house.settle()
    awake.publish("toserver", f"add_device {device} {device} app-{device} app-{device} 1")
    awake.wait(lambda m: m.text.startswith("hand_shake"))
    assert [m.text for m in awake.messages if m.text == "unlock"] == []


def test_to_several_devices_it_is_one_command_each(make_house):
    house = make_house("http.auth=none")
    boards = [house.board() for _ in range(3)]
    assert house.get("/unlock") == (200, "0")
    for board in boards:
        board.wait_orders("unlock")
        eventually(lambda: states(house, board) == ["done"])


def test_rows_of_the_log_go_when_they_are_older_than_configured(make_house):
    house = make_house("retention.audit_days=30")
    old, new = house.board(), house.board()
    for board in (old, new):
        assert house.get(f"/unlock?device={board.device}") == (200, "0")
    house.settle()
    house.age("door_log", "logged_at", 31, f"device_id = '{old.device}'")
    eventually(lambda: house.records("door_log", device_id=old.device) == [])
    assert house.records("door_log", device_id=new.device) != []
