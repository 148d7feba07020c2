# SPDX-License-Identifier: MIT
"""DESIGN.md section 2 and CONTRACT 2.3: what can't be committed isn't acknowledged and doesn't happen.
Another process holds the database's write lock, so that each commit fails after a real wait."""

import time

import pytest

import pictures
from house import eventually, fresh


@pytest.fixture
def stuck(make_house):
    """A server with a board, whose state is all on disk."""
    house = make_house()
    assert house.token
    house.door = house.board()
    house.settle()
    return house


def works_again(house):
    eventually(lambda: house.get("/readyz").status == 200, 20, "it recovers by itself")
    house.settle()


@pytest.mark.parametrize("word", ["lock", "unlock"])
def test_an_order_that_cannot_be_committed_is_a_1_and_never_leaves(stuck, word):
    with stuck.no_commit():
        assert stuck.get(f"/{word}?device={stuck.door.device}") == (200, "1")
        assert stuck.get(f"/{word}?device={stuck.door.device}") == (200, "1"), "changes are refused now"
        answer = stuck.get("/readyz")
        assert answer.status == 503 and "store: changes are refused" in answer.text
    works_again(stuck)
    assert stuck.door.orders() == []
    time.sleep(3.1)
    assert stuck.get(f"/{word}?device={stuck.door.device}") == (200, "0")
    stuck.door.wait_orders(word)


def test_a_hand_shake_that_cannot_be_committed_is_not_answered(stuck):
    late = fresh("late")
    ear = stuck.peer([late])
    with stuck.no_commit():
        ear.publish("toserver", f"add_device {late} {late} app app 1", wait=False)
        eventually(lambda: stuck.get("/readyz").status == 503)
        assert ear.messages == []
    works_again(stuck)
    assert bool(stuck.records("devices", id=late)) == bool(ear.messages), "answered exactly when it is kept"


def test_a_session_that_cannot_be_committed_is_a_503_without_a_cookie(stuck):
    with stuck.no_commit():
        answer = stuck.post("/api/v1/session")
        assert (answer.status, answer.headers.get("Set-Cookie")) == (503, None)
    works_again(stuck)
    assert stuck.post("/api/v1/session").status == 204


def test_a_picture_that_cannot_be_committed_is_a_503_and_leaves_nothing(stuck):
    with stuck.no_commit():
        assert stuck.upload(pictures.jpeg("no"), pic_name="no").status == 503
    works_again(stuck)
    assert stuck.get("/get_pic").status == 404
    assert stuck.records("pictures") == []
    assert stuck.upload(pictures.jpeg("yes")) == (200, "0")


def test_what_is_read_waits_for_the_commit_of_what_it_tells(stuck):
    """`data` said just before: whoever reads it may not be told what is lost a moment later."""
    key = fresh("key")
    stuck.watch  # noqa: B018 connected before
    with stuck.no_commit():
        stuck.say(f"data {key} 1", wait=False)
        answers = []
        eventually(lambda: answers.append(stuck.get("/data")) or stuck.get("/readyz").status == 503)
        assert [a for a in answers if key in a.text] == []
    works_again(stuck)


def test_a_token_that_cannot_be_committed_is_not_printed(stuck):
    with stuck.no_commit():
        done = stuck.command("token", "create", "--name", "late", "--role", "admin")
        assert (done.returncode, done.stdout) == (1, "")
    works_again(stuck)
    assert stuck.records("tokens", name="late") == []


def test_it_tries_again_by_itself_until_a_commit_works(stuck):
    with stuck.no_commit():
        assert stuck.get(f"/unlock?device={stuck.door.device}") == (200, "1")
        time.sleep(5)  # longer than the first try after the failure may take
        assert "store: changes are refused" in stuck.get("/readyz").text
    works_again(stuck)


def test_after_a_failed_commit_an_unlock_under_way_ends_as_unknown_at_once(stuck):
    """The registry is loaded anew, and who waited for the answer is gone: as after a start."""
    silent = stuck.board(answer=None)
    assert stuck.get(f"/unlock?device={silent.device}") == (200, "0")
    silent.wait_orders("unlock")
    with stuck.no_commit():
        assert stuck.post("/api/v1/session").status == 503
    works_again(stuck)
    order = eventually(lambda: stuck.records("commands", device_id=silent.device, state="unknown"))[0]
    assert order["reason"] != "the device did not answer in time"
    assert silent.orders() == ["unlock"]
