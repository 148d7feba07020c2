# SPDX-License-Identifier: MIT
"""No misunderstanding opens every door: `device` given in a way that isn't read is a refusal, never all."""

import pytest

FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=0f5a7cbe24a84a7c"


def part(value, boundary=b"0f5a7cbe24a84a7c"):
    return (b"--" + boundary + b'\r\nContent-Disposition: form-data; name="device"\r\n\r\n' + value +
            b"\r\n--" + boundary + b"--\r\n")


@pytest.mark.parametrize(("kind", "body"), [
    (FORM, b"device=%zz"), (FORM, b"device=%ff"), (FORM, b"device="), (FORM, b"Device=nosuch"),
    (FORM + "; charset=utf-8", b"device=nosuch"), (FORM, b"device=nosuch&x=%zz"),
    ("application/json", b'{"device": "nosuch"}'), ("text/plain", b"device=nosuch"), (None, b"device=nosuch"),
    (MULTIPART, part(b"nosuch")), (MULTIPART, part(b"\xff")), (MULTIPART, part(b"n" * 2000)),
    (MULTIPART, part(b"nosuch")[:-8]), ("multipart/form-data; boundary=x", part(b"nosuch", b"x")),
    ("multipart/form-data", part(b"nosuch")),
])
def test_a_device_that_is_not_understood_opens_nothing(open_house, kind, body):
    board = open_house.board()
    assert open_house.post("/unlock", body, headers={"Content-Type": kind} if kind else {}) == (200, "1")
    open_house.settle()
    assert board.orders() == []


def test_a_body_that_speaks_of_no_device_is_not_looked_at(make_house):
    house = make_house("http.auth=none")
    board = house.board()
    assert house.post("/unlock", b'{"name": "unlock"}', headers={"Content-Type": "application/json"}) == (200, "0")
    board.wait_orders("unlock")


def test_a_star_in_test_is_no_device(open_house):
    board = open_house.board()
    body = '{"name":"unlock","topic":"*","topic2":"app","time":"t"}'
    assert open_house.post("/test", body) == (200, "1")
    open_house.settle()
    assert board.orders() == []
