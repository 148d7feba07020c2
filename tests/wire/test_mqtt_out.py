# SPDX-License-Identifier: MIT
"""CONTRACT 1.2: what the server says, byte for byte, with its QoS, never retained."""

import json

import pytest

from house import fresh
from umqtt_like import UmqttLike


def heard(house, topic, since):
    return house.watch.wait(lambda m: m.topic == topic, since=since)


def test_a_board_is_answered_its_hand_shake(house):
    since, dev = house.watch.count(), fresh("device")
    house.say(f"add_device {dev} to{dev} app-{dev} toapp-{dev} 20200731110320")
    answer = heard(house, f"to{dev}", since)
    assert answer.payload == f"hand_shake app-{dev} {dev} 0".encode()
    assert (answer.qos, answer.retain) == (1, False)


def test_a_phone_is_answered_its_hand_shake(house):
    since, dev = house.watch.count(), fresh("device")
    house.say(f"add_app {dev} to{dev} app-{dev} toapp-{dev} 2020-07-31 11:03:20.123456")
    answer = heard(house, f"toapp-{dev}", since)
    assert json.loads(answer.payload, object_pairs_hook=list) == [
        ("action_name", "hand_shake"), ("device_id", dev), ("device_topic", f"to{dev}"),
        ("app_id", f"app-{dev}"), ("app_topic", f"toapp-{dev}"), ("state", 0)]
    assert (answer.qos, answer.retain) == (1, False)


@pytest.mark.parametrize("time", ["", " 20200731110320", " 2020-07-31 11:03:20.123456"])
def test_hand_shake_answers_both(house, time):
    since, dev = house.watch.count(), fresh("device")
    house.say(f"hand_shake {dev} to{dev} app-{dev} toapp-{dev}{time}")
    assert heard(house, f"to{dev}", since).text == f"hand_shake app-{dev} {dev} 0"
    assert json.loads(heard(house, f"toapp-{dev}", since).payload) == {
        "action_name": "hand_shake", "device_id": dev, "device_topic": f"to{dev}",
        "app_id": f"app-{dev}", "app_topic": f"toapp-{dev}", "state": 0}


def test_add_device_answers_the_device_alone_and_add_app_the_app_alone(house):
    since, dev = house.watch.count(), fresh("device")
    house.say(f"add_device {dev} to{dev} app-{dev} toapp-{dev}")
    house.settle()
    assert house.watch.on(f"toapp-{dev}", since) == []
    since = house.watch.count()
    house.say(f"add_app {dev} to{dev} app-{dev} toapp-{dev}")
    house.settle()
    assert len(house.watch.on(f"toapp-{dev}", since)) == 1
    assert house.watch.on(f"to{dev}", since) == []


def test_the_old_boards_client_survives_its_hand_shake(house):
    dev, got = fresh("d"), []
    board = UmqttLike(house.mqtt_port, dev)
    board.subscribe(dev, qos=2)
    board.publish("toserver", f"add_device {dev} {dev} app app 1")
    board.wait_msg(lambda topic, payload: got.append(payload))
    assert got == [f"hand_shake app {dev} 0".encode()]
    board.publish("toserver", f"add_device {dev} {dev} app app 1")
    board.wait_msg(lambda topic, payload: got.append(payload))
    assert len(got) == 2
    board.close()


@pytest.mark.parametrize("word", ["lock", "unlock"])
def test_an_order_is_the_word_alone_at_qos_2_and_not_retained(house, word):
    since, board = house.watch.count(), house.board()
    heard(house, board.topic, since)  # the hand-shake, which the watcher may hear later than the board
    since = house.watch.count()
    house.get(f"/{word}?device={board.device}")
    order = house.watch.wait(lambda m: m.topic == board.topic and not m.text.startswith("hand_shake "), since=since)
    assert (order.payload, order.qos, order.retain) == (word.encode(), 2, False)


def test_nothing_the_server_says_is_retained(house):
    board = house.board()
    house.say(f"unlock {board.device}")
    house.say(f"find_stranger 1 {board.app_topic} 1")
    board.wait_orders("unlock")
    house.upload(b"\xff\xd8not a picture")
    house.settle()
    late = house.peer(["#"])
    house.settle()
    late.wait(lambda m: m.topic == "settle")
    assert [m for m in late.messages if m.retain] == []
