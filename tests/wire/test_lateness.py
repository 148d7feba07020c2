# SPDX-License-Identifier: MIT
"""No unlock is carried out long after it was asked for, wherever it waited meanwhile (CONTRACT 2.3)."""

import resource
import time

import raw_http
from house import eventually


def few_files():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def test_an_unlock_that_waited_for_a_place_among_the_connections_is_refused(make_house):
    house = make_house("http.auth=none", start=False).start(preexec=few_files)
    board = house.board()
    crowd = [raw_http.connect(house.http_port) for _ in range(40)]
    late = raw_http.connect(house.http_port)
    late.sendall(raw_http.request("GET", f"/unlock?device={board.device}"))
    time.sleep(4)
    for s in crowd:
        s.close()
    assert raw_http.read_answer(late).body == b"1"
    late.close()
    house.settle()
    assert board.orders() == []
    eventually(lambda: house.get(f"/unlock?device={board.device}") == (200, "0"))


def test_a_request_in_pieces_counts_from_its_last_one(make_house):
    house = make_house("http.auth=none")
    board = house.board()
    slow = raw_http.connect(house.http_port)
    request = raw_http.request("GET", f"/unlock?device={board.device}")
    slow.sendall(request[:20])
    time.sleep(3)
    slow.sendall(request[20:])
    assert raw_http.read_answer(slow).body == b"0"
    slow.close()
