# SPDX-License-Identifier: MIT
"""The page: its files, and the way in by a code that works once."""

import json
import re

import pytest

from house import CODE


def code_of(house):
    found = CODE.findall(house.log() + house.out())
    assert len(found) == 1, house.log() + house.out()
    return found[0]


def sign_in(house, code):
    return house.post("/api/v1/session", json.dumps({"code": code}), token=False, headers={"Content-Type": "application/json"})


def cookie_of(answer):
    return {"Cookie": answer.headers["Set-Cookie"].split(";")[0]}


def files(house):
    page = house.get("/", token=False)
    return page, sorted(set(re.findall(r"""(?:src|href)=["']?([^"'\s>#?]+)""", page.text)) - {"/"})


def test_the_page_is_html(house):
    page, _ = files(house)
    assert page.status == 200 and page.type == "text/html"
    assert "<button" in page.text.lower()


def test_the_page_needs_nothing_from_elsewhere(house):
    page, names = files(house)
    assert not [n for n in names if "//" in n or ":" in n]
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy or "default-src 'none'" in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"


def test_each_file_of_the_page_has_an_etag_and_is_not_sent_again(house):
    _, names = files(house)
    assert names
    for name in ["/", *names]:
        path = name if name.startswith("/") else "/" + name
        whole = house.get(path, token=False)
        assert whole.status == 200 and whole.headers["ETag"], path
        again = house.get(path, token=False, headers={"If-None-Match": whole.headers["ETag"]})
        assert (again.status, again.body) == (304, b""), path
        assert house.get(path, token=False, headers={"If-None-Match": '"another"'}).status == 200


@pytest.mark.parametrize("path", ["/%2e%2e/config.json.example", "/www/../Makefile", "/.git/config", "/index.html/x", "/Makefile"])
def test_nothing_else_is_served(house, path):
    assert house.get(path, token=False).status in (400, 401, 404)


def test_the_first_start_prints_an_address_that_signs_in_once(make_house):
    house = make_house()
    printed = re.search(r"(https?://\S+)#code=", house.log() + house.out())[1]
    assert printed.rstrip("/") == house.url
    code = code_of(house)
    answer = sign_in(house, code)
    assert answer.status in (200, 204)
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("gatehouse_session=") and "HttpOnly" in cookie and re.search("SameSite=(Strict|Lax)", cookie)
    assert house.get("/api/v1/devices", token=False, headers=cookie_of(answer)).status == 200
    second = sign_in(house, code)
    assert second.status == 401 and not second.headers.get("Set-Cookie")


def test_a_second_start_prints_no_code(make_house):
    house = make_house()
    code_of(house)
    house.restart()
    assert not CODE.search(house.log() + house.out())


def test_with_auth_none_no_code_is_printed(open_house):
    assert not CODE.search(open_house.log() + open_house.out())


def test_a_code_is_no_token(make_house):
    house = make_house()
    assert house.get("/data", token=code_of(house)).status == 401


@pytest.mark.parametrize("body", ['{"code":""}', '{"code":"0000"}', '{"code":1}', "{}", "", "[]", '{"code":"a","code":"b"}'])
def test_a_wrong_code_is_refused(house, body):
    answer = house.post("/api/v1/session", body, token=False, headers={"Content-Type": "application/json"})
    assert answer.status in (400, 401) and not answer.headers.get("Set-Cookie")


def test_a_session_survives_a_restart(make_house):
    house = make_house()
    cookie = cookie_of(sign_in(house, code_of(house)))
    house.restart()
    assert house.get("/api/v1/devices", token=False, headers=cookie).status == 200


def test_a_bearer_token_becomes_a_session(house):
    answer = house.post("/api/v1/session")
    assert answer.status in (200, 204)
    assert house.get("/api/v1/devices", token=False, headers=cookie_of(answer)).status == 200


def test_a_session_cookie_is_no_use_to_a_foreign_page(make_house):
    house = make_house()
    cookie = cookie_of(sign_in(house, code_of(house)))
    board = house.board()
    for foreign in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert house.post(f"/unlock?device={board.device}", token=False, headers={**cookie, **foreign}).status == 403
    house.settle()
    assert board.orders() == []


def test_the_page_shows_the_devices_and_their_state(house):
    board = house.board()
    devices = house.get("/api/v1/devices").json["devices"]
    (device,) = [d for d in devices if d["id"] == board.device]
    assert device["lock"] == "unknown"


def test_many_devices_come_in_pages(make_house, tmp_path):
    house = make_house("http.auth=none")
    ids = [f"door{n:04}" for n in range(1201)]
    old = tmp_path / "config.json"
    old.write_text(json.dumps({"topic": {"2server": "toserver", "2device": ids, "2app_deivce": []}}))
    assert house.command("import", old).returncode == 0
    seen, after = [], None
    while True:
        page = house.get("/api/v1/devices" + (f"?after={after}" if after else "")).json
        assert len(page["devices"]) <= 500
        seen += [device["id"] for device in page["devices"]]
        after = page["next"]
        if not after:
            break
    assert sorted(seen) == ids
