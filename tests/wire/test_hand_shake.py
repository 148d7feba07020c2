# SPDX-License-Identifier: MIT
"""CONTRACT 1.2: who may claim what in a hand-shake, and what a refusal looks like."""

import json

import pytest

from house import eventually, fresh

LONG = "x" * 129
HOSTILE = {
    "plus": "a+b", "hash": "a#", "hash alone": "#", "plus alone": "+", "dollar first": "$SYS", "dollar": "$",
    "too long": LONG, "too long in bytes": "ä" * 65,
}
# What no MQTT string or no split word can carry: the whole payload is refused.
BROKEN = {
    "NUL": b"a\0b", "control": b"a\x01b", "newline": b"a\nb", "delete": b"a\x7fb", "C1 control": b"a\xc2\x85b",
    "invalid UTF-8": b"a\xff", "surrogate": b"a\xed\xa0\x80", "overlong": b"\xc0\xaf",
}


def known(house, text):
    state = house.export()
    return [r for kind in ("devices", "apps", "pairs") for r in state[kind] if text in json.dumps(r, ensure_ascii=False)]


@pytest.mark.parametrize("bad", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_device_id_is_refused_to_the_board(house, bad):
    topic, before = fresh("topic"), house.counters()
    house.say(f"add_device {bad} {topic} {topic}-app {topic}-app 1")
    answer = house.watch.wait(lambda m: m.topic == topic)
    assert answer.text.split(" ")[0] == "hand_shake" and answer.text.split(" ")[-1] == "1"
    house.counted("hand_shake_refused", before)
    assert known(house, topic) == []


def test_nobody_may_be_called_as_all_doors_are(house):
    board = house.peer(["star"])
    house.say("add_device * star star-app star-app 1")
    assert board.wait(lambda m: m.text.startswith("hand_shake")).text.endswith(" 1")
    assert house.records("devices", id="*") == []


@pytest.mark.parametrize("bad", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_device_topic_is_refused_and_never_used(house, bad):
    dev, before = fresh("device"), house.counters()
    house.say(f"add_device {dev} {bad} {dev}-app {dev}-app 1")
    house.counted("hand_shake_refused", before)
    house.settle()
    assert known(house, dev) == []
    assert house.watch.on(bad) == []


@pytest.mark.parametrize("bad", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("place", ["app id", "app topic"])
def test_a_hostile_app_name_is_refused(house, bad, place):
    dev, before = fresh("device"), house.counters()
    names = (bad, f"{dev}-toapp") if place == "app id" else (f"{dev}-app", bad)
    house.say(f"hand_shake {dev} {dev} {names[0]} {names[1]} 1")
    refusal = house.watch.wait(lambda m: m.topic == dev)
    assert refusal.text.endswith(" 1")
    house.counted("hand_shake_refused", before)
    assert known(house, dev) == []


def test_a_phones_refusal_is_the_same_object_with_state_1(house):
    dev = fresh("device")
    house.say(f"add_app a+b to{dev} app-{dev} toapp-{dev} 2020-07-31 11:03:20.123456")
    refusal = json.loads(house.watch.wait(lambda m: m.topic == f"toapp-{dev}").payload)
    assert list(refusal) == ["action_name", "device_id", "device_topic", "app_id", "app_topic", "state"]
    assert (refusal["action_name"], refusal["app_id"], refusal["app_topic"], refusal["state"]) == (
        "hand_shake", f"app-{dev}", f"toapp-{dev}", 1)


@pytest.mark.parametrize("bad", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_text_is_never_recorded(house, bad):
    dev, before = fresh("device").encode(), house.counters()
    house.say(b"add_device " + dev + bad + b" " + dev + b" app-" + dev + b" app-" + dev + b" 1")
    eventually(lambda: house.counters()["bad_payload"] + house.counters()["hand_shake_refused"]
               > before["bad_payload"] + before["hand_shake_refused"])
    house.settle()
    assert known(house, dev.decode()) == []
    assert all(m.text.endswith(" 1") for m in house.watch.on(dev.decode()))


@pytest.mark.parametrize("good", ["x" * 128, "ä" * 64, "a/b/c", "a$b", "5790ed00", "door.front-1_2", "门"])
def test_128_bytes_of_utf_8_are_welcome(house, good):
    tail = fresh("-")
    name = good[:len(good) - len(tail)] + tail if len(good.encode()) == 128 and good.isascii() else good
    since = house.watch.count()
    house.say(f"add_device {name} {name} {tail}app {tail}app 1")
    assert house.watch.wait(lambda m: m.topic == name, since=since).text == f"hand_shake {tail}app {name} 0"


@pytest.mark.parametrize("payload", ["add_device", "add_device a", "add_device a b c", "hand_shake a b c", "add_app x y z"])
def test_too_few_names_are_counted_and_nothing_is_recorded(house, payload):
    before, devices = house.counters(), len(house.export()["devices"])
    house.say(payload)
    house.counted("bad_arguments", before)
    assert len(house.export()["devices"]) == devices


@pytest.mark.parametrize("what", ["id", "topic"])
def test_nobody_takes_the_servers_own_topic(house, what):
    dev, before = fresh("device"), house.counters()
    house.say(f"add_device {dev} toserver {dev}-app {dev}-app 1" if what == "topic"
              else f"add_app {dev} {dev} {dev}-app toserver 1")
    house.counted("hand_shake_refused", before)
    house.settle()
    assert known(house, dev) == []
    assert [m for m in house.watch.on("toserver") if m.text.startswith(("hand_shake " + dev, "{"))] == []


def test_a_topic_that_a_board_holds_is_not_given_to_another(house):
    board, thief, before = house.board(), fresh("thief"), house.counters()
    seen = board.count()
    house.say(f"add_device {thief} {board.topic} {thief}-app {thief}-app 1")
    house.counted("hand_shake_refused", before)
    house.settle()
    assert known(house, thief) == []
    assert board.messages[seen:] == [], "a stranger's mistake must not reach another's board"


def test_an_id_that_a_board_holds_is_not_moved_to_another_topic(house):
    board, elsewhere = house.board(), fresh("elsewhere")
    house.say(f"add_device {board.device} {elsewhere} {board.app} {board.app_topic} 1")
    assert house.watch.wait(lambda m: m.topic == elsewhere).text == f"hand_shake {board.app} {board.device} 1"
    assert house.records("devices", id=board.device)[0]["topic"] == board.topic
    house.say(f"unlock {board.device}")
    board.wait_orders("unlock")


def test_an_app_cannot_claim_a_boards_topic(house):
    board, app, before = house.board(), fresh("app"), house.counters()
    seen = board.count()
    house.say(f"add_app {fresh('d')} {fresh('t')} {app} {board.topic} 1")
    house.counted("hand_shake_refused", before)
    house.settle()
    assert known(house, app) == []
    assert board.messages[seen:] == []


def test_an_app_that_spoke_keeps_its_topic(house):
    dev, other = fresh("device"), fresh("other")
    house.say(f"add_app {dev} {dev} {dev}-app {dev}-toapp 1")
    house.watch.wait(lambda m: m.topic == f"{dev}-toapp")
    since = house.watch.count()
    house.say(f"add_app {other} {other} {other}-app {dev}-toapp 1")
    house.settle()
    assert house.watch.on(f"{dev}-toapp", since) == []
    assert known(house, f"{other}-app") == []


def test_the_same_id_and_topic_again_is_welcome(house):
    board = house.board()
    for _ in range(3):
        board.hand_shake()
    assert len(house.records("devices", id=board.device)) == 1


def test_the_existing_phone_names_itself_otherwise_than_the_board_named_it(make_house):
    """The board says `app app`; then the phone calls itself `app toapp`."""
    house = make_house("http.auth=none")
    house.say("add_device device todevice app app 20200731110320")
    assert house.watch.wait(lambda m: m.topic == "todevice").text == "hand_shake app device 0"
    house.say("add_app device todevice app toapp 2020-07-31 11:03:20.123456")
    assert json.loads(house.watch.wait(lambda m: m.topic == "toapp").payload)["state"] == 0
    assert [a["topic"] for a in house.records("apps", id="app")] == ["toapp"]
    # The board was told `app` and goes on answering there.
    house.say("unlock device app 2020-07-31 11:03:20.123456")
    house.watch.wait(lambda m: m.topic == "todevice" and m.text == "unlock")
    house.say("unlock_response 0 device app", topic="app")
    eventually(lambda: house.records("commands", device_id="device")[0]["state"] == "done")


def test_a_refusal_does_not_go_where_a_board_answers_its_phone(make_house):
    house = make_house("http.auth=none")
    for payload in ("add_device device todevice app app 1", "add_app device todevice app toapp 1"):
        house.say(payload)
    house.settle()
    since, before = house.watch.count(), house.counters()
    house.say("add_device a+b app x y 1")
    house.counted("hand_shake_refused", before)
    house.settle()
    assert house.watch.on("app", since) == []


def test_a_board_named_by_an_app_alone_sets_its_own_topic_later(house):
    dev = fresh("device")
    house.say(f"add_app {dev} wrong-{dev} {dev}-app {dev}-app 1")
    house.watch.wait(lambda m: m.topic == f"{dev}-app")
    house.say(f"add_device {dev} right-{dev} {dev}-app {dev}-app 1")
    assert house.watch.wait(lambda m: m.topic == f"right-{dev}").text == f"hand_shake {dev}-app {dev} 0"
    assert house.records("devices", id=dev)[0]["topic"] == f"right-{dev}"


def test_a_hand_shake_records_device_app_and_pair(house):
    board = house.board(app_topic=fresh("toapp"))
    assert house.records("devices", id=board.device)[0]["topic"] == board.topic
    assert house.records("apps", id=board.app)[0]["topic"] == board.app_topic
    assert len(house.records("pairs", device_id=board.device, app_id=board.app)) == 1


def test_closed_pairing_refuses_and_records_nothing(make_house):
    house = make_house("pairing=closed", "http.auth=none")
    house.say("add_device device todevice app app 1")
    assert house.watch.wait(lambda m: m.topic == "todevice").text == "hand_shake app device 1"
    assert house.export()["devices"] == []


@pytest.mark.parametrize("may, shakes, unlocks", [("all", True, True), ("hand_shake", True, False), ("nothing", False, False)])
def test_what_a_sender_without_a_name_may_do(make_house, may, shakes, unlocks):
    house = make_house(f"mqtt.anonymous={may}", "http.auth=none")
    before = house.counters()
    house.say("add_device device todevice app app 1")
    if shakes:
        assert house.watch.wait(lambda m: m.topic == "todevice").text == "hand_shake app device 0"
    else:
        house.counted("not_allowed", before)
    assert bool(house.export()["devices"]) == shakes
    house.say("unlock device app 1")
    if unlocks:
        house.watch.wait(lambda m: m.topic == "todevice" and m.text == "unlock")
    else:
        eventually(lambda: house.counters()["not_allowed"] > before["not_allowed"] + (not shakes))
        if shakes:
            house.settle()
        assert "unlock" not in house.watch.texts("todevice")
