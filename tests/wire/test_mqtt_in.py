# SPDX-License-Identifier: MIT
"""CONTRACT 1.1: what boards and phones say on the server's topic. The payloads are its literal bytes."""

import pytest

from house import eventually, fresh


@pytest.mark.parametrize("word", ["lock", "unlock"])
@pytest.mark.parametrize("form", [
    "{w} {d}",
    "{w} {d} {a}",
    "{w} {d} {a} 20200731110320",
    "{w} {d} {a} 2020-07-31 11:03:20.123456",
    "{w}   {d}  {a}    2020-07-31 11:03:20.123456",
])
def test_an_order_reaches_the_named_device_as_one_word(house, word, form):
    board = house.board()
    house.say(form.format(w=word, d=board.device, a=board.app))
    order = board.wait(lambda m: m.text == word)
    assert (order.topic, order.payload, order.qos, order.retain) == (board.topic, word.encode(), 2, False)


def test_an_order_reaches_only_the_named_device(house):
    named, other = house.board(), house.board()
    house.say(f"unlock {named.device} {named.app} 20200731110320")
    named.wait_orders("unlock")
    house.settle()
    assert house.watch.texts(other.topic).count("unlock") == 0


@pytest.mark.parametrize("payload", ["lock", "lock *", "unlock", "unlock *", "unlock * app 20200731110320"])
def test_without_an_id_or_with_a_star_all_devices_get_it(make_house, payload):
    house = make_house("http.auth=none")
    boards = [house.board() for _ in range(3)]
    house.say(payload)
    for board in boards:
        board.wait_orders(payload.split()[0])


@pytest.mark.parametrize("word", ["lock", "unlock"])
def test_for_an_unknown_id_nothing_is_sent_and_it_is_counted_and_logged(house, word):
    stranger, bystander, before = fresh("nobody"), house.board(), house.counters()
    seen = house.watch.count()
    house.say(f"{word} {stranger} app 20200731110320")
    house.counted("unknown_device", before)
    house.settle()
    assert [m for m in house.watch.messages[seen:] if m.text == word] == []
    assert bystander.orders() == []
    assert stranger in house.log()


@pytest.mark.parametrize("word", ["Unlock", "UNLOCK", "unloc", "unlocked", "unlock!", "un", "'unlock'", "ünlock"])
def test_the_word_is_looked_up_exactly(house, word):
    board, before = house.board(), house.counters()
    house.say(f"{word} {board.device} {board.app}")
    house.counted("unknown_word", before)
    house.settle()
    assert house.watch.texts(board.topic).count("unlock") == 0


def test_any_other_word_is_counted_logged_with_its_text_escaped_and_answered_with_nothing(house):
    before, seen = house.counters(), house.watch.count()
    word = fresh("dance")
    house.say(f"{word} all \u202enight")
    house.counted("unknown_word", before)
    house.settle()
    assert house.watch.on("settle", seen)
    assert {m.topic for m in house.watch.messages[seen:]} <= {"toserver", "settle"}
    assert word in house.log() and "\u202e" not in house.log()


@pytest.mark.parametrize("state, end, lock", [("0", "done", "unlocked"), ("1", "failed", None)])
@pytest.mark.parametrize("where", ["app topic", "toserver"])
def test_the_boards_answer_ends_the_command(house, state, end, lock, where):
    board = house.board(answer=None)
    house.say(f"unlock {board.device} {board.app} 20200731110320")
    board.wait_orders("unlock")
    board.respond("unlock", state, board.app_topic if where == "app topic" else "toserver")
    eventually(lambda: house.records("commands", device_id=board.device)[0]["state"] == end)
    if lock:
        assert house.records("devices", id=board.device)[0]["lock"] == lock


def test_an_answer_on_the_topic_that_the_phone_gave_itself_counts_too(house):
    board, own = house.board(answer=None), fresh("toapp")
    house.say(f"add_app {board.device} {board.topic} {board.app} {own} 2020-07-31 11:03:20.123456")
    house.watch.wait(lambda m: m.topic == own)
    house.say(f"unlock {board.device} {board.app} 20200731110320")
    board.wait_orders("unlock")
    board.respond("unlock", "0", own)
    eventually(lambda: house.records("commands", device_id=board.device)[0]["state"] == "done")


def test_a_lock_response_says_locked(house):
    board = house.board()
    house.say(f"lock {board.device} {board.app}")
    eventually(lambda: house.records("commands", device_id=board.device)[0]["state"] == "done")
    assert house.records("devices", id=board.device)[0]["lock"] == "locked"


def test_the_state_of_a_lock_is_never_what_was_only_asked_for(house):
    board = house.board(answer=None)
    house.say(f"unlock {board.device} {board.app}")
    board.wait_orders("unlock")
    house.settle()
    assert house.records("devices", id=board.device)[0]["lock"] == "unknown"


def test_on_an_apps_topic_only_responses_count(house):
    board, victim = house.board(), fresh("victim")
    house.say(f"unlock {board.device}", topic=board.app_topic)
    house.say(f"add_device {victim} {victim} app2 app2", topic=board.app_topic)
    house.say(f"data {victim} 1", topic=board.app_topic)
    house.settle()
    assert board.orders() == []
    assert house.records("devices", id=victim) == []
    assert victim not in house.get("/data").text


def test_the_server_does_not_act_on_its_own_alert(make_house):
    house = make_house("http.auth=none", "alerts.picture_wait_ms=100")
    board = house.board()
    house.say(f"find_stranger 1 {board.app_topic} 20200731110320")
    house.watch.wait(lambda m: m.topic == board.app_topic and m.text.startswith("find_stranger "))
    house.settle()
    after = house.counters()
    assert (after["alerts"], after["bad_arguments"], after["unknown_word"]) == (1, 0, 0)


def test_the_servers_topic_can_be_configured(make_house):
    house = make_house("mqtt.server_topic=home/front")
    board = house.peer(["dev1"])
    board.publish("toserver", "add_device dev1 dev1 nobody nobody 1")
    board.publish("home/front", "add_device dev1 dev1 app1 app1 2")
    assert board.wait(lambda m: m.topic == "dev1").text == "hand_shake app1 dev1 0"
    assert len(board.messages) == 1


@pytest.mark.parametrize("value", ["21.5", 'front "door", left', "C:\\\\new", "{}", "\u00fc"])
def test_data_sets_a_key_that_data_shows(house, value):
    key = fresh("key")
    house.say(f"data {key} {value}")
    eventually(lambda: house.get("/data").json.get(key) == value)
