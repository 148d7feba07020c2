# SPDX-License-Identifier: MIT
"""Who may do what over HTTP: bearer tokens, roles, trusted addresses (CONTRACT part 3)."""

import json

import pytest

import pictures
import raw_http
from house import fresh

CLOSED = [("GET", "/lock"), ("POST", "/lock"), ("GET", "/unlock"), ("POST", "/unlock"), ("POST", "/test"), ("GET", "/get_pic"),
          ("POST", "/get_pic"), ("POST", "/upload"), ("GET", "/data"), ("GET", "/api/v1/devices"), ("GET", "/api/v1/status")]


@pytest.mark.parametrize("method, path", CLOSED)
def test_without_a_token_it_is_401_with_the_way_to_sign_in(house, method, path):
    answer = house.http(method, path, token=False)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("method, path", [("GET", "/hello"), ("GET", "/livez"), ("GET", "/readyz"), ("GET", "/healthz"), ("GET", "/")])
def test_these_are_open(house, method, path):
    assert house.http(method, path, token=False).status == 200


@pytest.mark.parametrize("credential", [
    "Bearer", "Bearer ", "Bearer x", "Bearer " + "0" * 64, "Basic YTpi", "Token {t}", "Bearer {t}0", "Bearer 0{t}",
    "Bearer {t} {t}", "{t}", "Bearer {p}", "Bearer {T}x"])
def test_a_wrong_credential_is_401(house, credential):
    token = house.token
    text = credential.format(t=token, p=token[:-1], T=token.upper())
    assert house.get("/data", token=False, headers={"Authorization": text}).status == 401


def test_the_schemes_case_does_not_matter(house):
    assert house.get("/data", token=False, headers={"Authorization": f"bearer {house.token}"}).status == 200


def test_without_a_token_no_door_moves_and_nothing_is_stored(house):
    board, name = house.board(), fresh("pic")
    for word in ("lock", "unlock"):
        assert house.get(f"/{word}?device={board.device}", token=False).status == 401
    assert house.post("/test", '{"name":"unlock","topic":"%s","topic2":"","time":""}' % board.device, token=False).status == 401
    assert house.upload(pictures.jpeg(), pic_name=name, token=False).status == 401
    house.settle()
    assert board.orders() == []
    assert house.records("pictures", name=name) == []


def test_an_upload_is_refused_before_its_body_comes(house):
    head = raw_http.request("POST", "/upload", ["Content-Type: multipart/form-data; boundary=x", "Content-Length: 5000000"])
    assert raw_http.exchange(house.http_port, head).statuses == [401]


def test_a_token_in_the_address_is_no_credential(house):
    assert house.get(f"/data?token={house.token}&access_token={house.token}", token=False).status == 401


@pytest.mark.parametrize("role, sees, orders", [("viewer", 200, 403), ("member", 200, 200), ("admin", 200, 200)])
def test_what_each_role_may(house, role, sees, orders):
    board, token = house.board(), house.make_token(role, fresh(role))
    for path in ("/api/v1/devices", "/data"):
        assert house.get(path, token=token).status == sees
    for word in ("lock", "unlock"):
        assert house.get(f"/{word}?device={board.device}", token=token).status == orders
    order = json.dumps({"name": "unlock", "topic": board.device, "topic2": "app", "time": "1"})
    assert house.post("/test", order, token=token).status == orders
    assert house.upload(pictures.jpeg(role), token=token).status == orders
    house.settle()
    assert board.orders() == (["lock", "unlock"] if orders == 200 else [])


def test_a_token_made_while_the_server_runs_works_at_once(house):
    assert house.get("/data", token=house.make_token(name=fresh("now"))).status == 200


def test_a_token_made_while_it_does_not_run_works_after_the_start(make_house):
    house = make_house(start=False)
    token, guest = house.make_token(), house.make_token(role="viewer", name="guest")
    house.start()
    assert house.get("/data", token=token).status == 200
    assert house.get("/data", token=guest).status == 200
    assert house.get("/lock?device=nobody", token=guest).status == 403
    house.restart()
    assert house.get("/data", token=token).status == 200


def test_a_token_is_long_and_alone_on_the_last_line(house):
    done = house.command("token", "create", "--name", "phone", "--role", "member")
    assert done.returncode == 0
    last = done.stdout.splitlines()[-1]
    assert len(last) >= 43 and last.isalnum()


def test_only_the_hash_of_a_token_is_kept(make_house):
    house = make_house()
    token = house.token
    house.get("/data")
    log = house.log() + house.out()
    house.stop()
    for file in house.folder.rglob("*"):
        if file.is_file():
            assert token.encode() not in file.read_bytes(), file
    assert token not in log + house.log() + house.command("export").stdout


def test_who_asked_stands_in_the_log_of_the_door(house):
    board, name = house.board(), fresh("phone")
    house.get(f"/unlock?device={board.device}", token=house.make_token("member", name))
    rows = house.records("door_log", device_id=board.device)
    assert [(r["who"], r["way"], r["word"], r["allowed"]) for r in rows][:1] == [(name, "http", "unlock", True)]


def test_http_trusted_opens_the_old_addresses_alone(make_house):
    house = make_house('http.trusted=["10.0.0.0/8","127.0.0.0/8"]')
    board = house.board()
    assert house.get(f"/unlock?device={board.device}", token=False) == (200, "0")
    assert house.upload(pictures.jpeg(), token=False) == (200, "0")
    assert house.get("/data", token=False).status == 200
    assert house.get("/api/v1/devices", token=False).status == 401


def test_http_trusted_elsewhere_opens_nothing(make_house):
    house = make_house('http.trusted=["10.0.0.0/8","::1/128"]')
    assert house.get("/unlock", token=False).status == 401


def test_http_auth_none_leaves_all_open(open_house):
    board = open_house.board()
    assert open_house.get(f"/unlock?device={board.device}", token=False) == (200, "0")
    assert open_house.get("/api/v1/devices", token=False).status == 200


def test_where_everybody_is_let_in_nobody_gets_a_session_that_outlives_that(make_house):
    house = make_house("http.auth=none")
    kind = {"Authorization": "Bearer " + "0" * 64}
    assert house.post("/api/v1/session", token=False, headers=kind).status == 401
    assert house.post("/api/v1/session", token=False, headers={"Cookie": "a=b"}).status == 401
    token = house.make_token("viewer")
    answer = house.post("/api/v1/session", token=token)
    assert answer.status == 204
    cookie = answer.headers["Set-Cookie"].split(";")[0]
    house.restart(sets={"http.auth": "token"})
    assert house.get("/unlock", token=False, headers={"Cookie": cookie}).status == 403, "a viewer's"
