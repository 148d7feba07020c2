# SPDX-License-Identifier: MIT
"""CONTRACT 1.3: the addresses that phones and boards call. Plain text, byte for byte."""

import json
import socket
import urllib.parse

import pytest

import raw_http
from house import eventually, fresh


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_hello_says_hello(house, method):
    answer = house.http(method, "/hello", token=False)
    assert answer == (200, "hello")
    assert answer.type == "text/plain"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("word", ["lock", "unlock"])
def test_an_order_handed_to_the_broker_is_a_0(house, method, word):
    board = house.board()
    answer = house.http(method, f"/{word}?device={board.device}")
    assert answer == (200, "0")
    assert answer.type == "text/plain"
    board.wait_orders(word)


def test_the_device_can_stand_in_a_form(house):
    board = house.board()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert house.post("/unlock", f"device={board.device}", headers=kind) == (200, "0")
    board.wait_orders("unlock")


def test_a_0_does_not_wait_for_the_boards_answer(house):
    board = house.board(answer=None)
    assert house.get(f"/unlock?device={board.device}") == (200, "0")


@pytest.mark.parametrize("word", ["lock", "unlock"])
def test_an_unknown_device_is_a_1(house, word):
    assert house.get(f"/{word}?device={fresh('nobody')}") == (200, "1")


@pytest.mark.parametrize("device", ["%23", "a%2Bb", "x" * 300, "%C3%A4"])
def test_a_device_that_cannot_be_is_a_1(house, device):
    assert house.get(f"/unlock?device={device}") == (200, "1")


def test_without_a_device_all_get_it(make_house):
    house = make_house("http.auth=none")
    boards = [house.board() for _ in range(3)]
    assert house.get("/lock") == (200, "0")
    for board in boards:
        board.wait_orders("lock")


@pytest.mark.parametrize("word", ["lock", "unlock"])
def test_without_a_broker_the_answer_is_1(outside, word):
    board = outside.board()
    outside.outside.kill()
    assert outside.get(f"/{word}?device={board.device}") == (200, "1")
    eventually(lambda: outside.get("/readyz").status == 503)
    assert outside.get(f"/{word}?device={board.device}") == (200, "1")


@pytest.mark.parametrize("path", ["/lock", "/unlock"])
def test_head_of_what_changes_something_is_405(house, path):
    answer = house.http("HEAD", path)
    assert answer.status == 405
    allow = {m.strip() for m in answer.headers["Allow"].split(",")}
    assert {"GET", "POST"} <= allow and "HEAD" not in allow


@pytest.mark.parametrize("word", ["lock", "unlock"])
@pytest.mark.parametrize("how", ["json", "form"])
def test_the_phones_test_address(house, word, how):
    board = house.board()
    order = json.dumps({"name": word, "topic": board.device, "topic2": board.app, "time": "2020-07-31 11:03:20.123456"})
    if how == "json":
        answer = house.post("/test", order, headers={"Content-Type": "application/json"})
    else:
        answer = house.post("/test", urllib.parse.urlencode({"data": order}),
                            headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer == (200, "0")
    board.wait_orders(word)


def test_the_test_address_takes_json_without_a_content_type(house):
    board = house.board()
    assert house.post("/test", json.dumps({"name": "lock", "topic": board.device, "topic2": "", "time": ""})) == (200, "0")


@pytest.mark.parametrize("order", [
    {"name": "open", "topic": "DEV", "topic2": "app", "time": "1"},
    {"name": "Unlock", "topic": "DEV", "topic2": "app", "time": "1"},
    {"name": "data", "topic": "DEV", "topic2": "app", "time": "1"},
    {"name": "", "topic": "DEV", "topic2": "app", "time": "1"},
    {"name": 1, "topic": "DEV", "topic2": "app", "time": "1"},
    {"topic": "DEV"},
    {},
    {"name": "unlock"},
    {"name": "unlock", "topic": ""},
    {"name": "unlock", "topic": "a b"},
    {"name": "unlock", "topic": 1},
    {"name": "unlock", "topic": "nobody-there", "topic2": "app", "time": "1"},
])
def test_another_name_or_device_is_a_1(house, order):
    board = house.board()
    order = {k: board.device if v == "DEV" else v for k, v in order.items()}
    assert house.post("/test", json.dumps(order), headers={"Content-Type": "application/json"}) == (200, "1")
    house.settle()
    assert board.orders() == []


BAD_JSON = {
    "empty": "", "word": "unlock", "cut": '{"name":"unlock"', "single quotes": "{'name':'unlock'}",
    "trailing": '{"name":"lock"} x', "doubled key": '{"name":"lock","name":"unlock"}',
    "escaped NUL": '{"name":"lock\\u0000"}', "raw NUL": '{"name":"lo\0ck"}', "bad UTF-8": b'{"name":"\xff"}',
    "17 levels": "[" * 17 + "]" * 17, "over 64 KB": '{"name":"' + "x" * 66000 + '"}',
    "leading zero": '{"name":01}', "huge number": '{"name":1e999}', "lone surrogate": '{"name":"\\ud800"}',
}


@pytest.mark.parametrize("body", BAD_JSON.values(), ids=BAD_JSON.keys())
def test_a_body_that_is_no_json_is_400(house, body):
    assert house.post("/test", body, headers={"Content-Type": "application/json"}).status in (
        (400, 413) if len(body) > 65536 else (400,))


def test_a_form_whose_data_is_no_json_is_400(house):
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert house.post("/test", "data=unlock", headers=kind).status == 400
    assert house.post("/test", "other=1", headers=kind).status == 400


@pytest.mark.parametrize("method, path", [("GET", "/test"), ("PUT", "/test"), ("GET", "/upload"), ("DELETE", "/hello"),
                                          ("PUT", "/get_pic"), ("POST", "/data"), ("POST", "/livez")])
def test_another_method_is_405_with_allow(house, method, path):
    answer = house.http(method, path)
    assert answer.status == 405
    assert method not in answer.headers["Allow"].replace(" ", "").split(",")


def test_head_of_what_changes_nothing_is_the_get_without_its_body(house):
    raw = raw_http.exchange(house.http_port, raw_http.request("HEAD", "/hello", ["Connection: close"]))
    assert raw.statuses == [200] and raw.body == b"" and raw.headers["content-length"] == "5"


@pytest.mark.parametrize("path", ["/nothing", "/lock/", "/Lock", "/hello/x", "/api", "/api/v1/nothing", "/trigger"])
def test_an_unknown_address_is_404(house, path):
    assert house.get(path).status == 404
    assert house.post(path).status == 404


def test_data_is_one_flat_object_in_order_of_appearance(make_house):
    house = make_house("http.auth=none")
    assert house.get("/data").json == {}
    for line in ("data zebra 1", "data apple 2", "data mango 3", "data zebra 4"):
        house.say(line)
    eventually(lambda: house.get("/data").json.get("zebra") == "4")
    answer = house.get("/data")
    assert answer.type == "application/json"
    assert json.loads(answer.body, object_pairs_hook=list) == [("zebra", "4"), ("apple", "2"), ("mango", "3")]


def test_data_keeps_its_order_over_a_restart(make_house):
    house = make_house("http.auth=none")
    for key in "zyxabc":
        house.say(f"data {key} {key}")
    eventually(lambda: len(house.get("/data").json) == 6)
    before = house.get("/data").body
    house.restart()
    assert house.get("/data").body == before


FOREIGN = {
    "origin": {"Origin": "http://evil.example"}, "origin null": {"Origin": "null"},
    "referer": {"Referer": "http://evil.example/page"}, "cross-site": {"Sec-Fetch-Site": "cross-site"},
    "same-site": {"Sec-Fetch-Site": "same-site"}, "host": {"Host": "evil.example"},
    "host and port": {"Host": "evil.example:5000"},
    "prefix": {"Referer": "http://127.0.0.1.evil.example/"}, "user": {"Referer": "http://127.0.0.1@evil.example/"},
}


@pytest.mark.parametrize("path", ["/hello", "/unlock", "/lock", "/get_pic", "/data"])
@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
def test_a_foreign_page_is_refused(house, path, headers):
    assert house.get(path, headers=headers).status == 403


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
def test_a_foreign_page_moves_no_door_also_without_sign_in(open_house, headers):
    board = open_house.board()
    assert open_house.get(f"/unlock?device={board.device}", headers=headers).status == 403
    open_house.settle()
    assert board.orders() == []


@pytest.mark.parametrize("word", ["lock", "unlock"])
def test_a_foreign_page_moves_no_door_by_an_image_without_a_referer(open_house, word):
    """What a browser sends for <img referrerpolicy="no-referrer"> to an address without TLS."""
    board = open_house.board()
    browser = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
               "Accept": "image/avif,image/webp,*/*"}
    assert open_house.get(f"/{word}?device={board.device}", headers=browser).status == 403
    open_house.settle()
    assert board.orders() == []
    own = {**browser, "Origin": open_house.url}
    assert open_house.post(f"/{word}?device={board.device}", headers=own) == (200, "0")


def test_our_own_page_and_a_plain_client_are_welcome(house):
    for headers in ({"Origin": house.url}, {"Referer": house.url + "/"}, {"Sec-Fetch-Site": "same-origin"},
                    {"Sec-Fetch-Site": "none"}, {"Host": f"127.0.0.1:{house.http_port}"}, {"Host": f"localhost:{house.http_port}"},
                    {"Host": f"{socket.gethostname()}:{house.http_port}"}, {"Host": f"{socket.gethostname()}.local"}):
        assert house.get("/data", headers=headers).status == 200, headers


def test_the_public_url_is_one_of_our_hosts(make_house):
    house = make_house("http.public_url=https://door.example.org", "http.auth=none")
    assert house.get("/data", headers={"Host": "door.example.org"}).status == 200
    assert house.get("/data", headers={"Host": "door.example.com"}).status == 403


def test_livez_readyz_healthz_are_open(house):
    for path in ("/livez", "/readyz", "/healthz"):
        assert house.get(path, token=False).status == 200, path
