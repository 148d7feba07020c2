# SPDX-License-Identifier: MIT
"""What follows from the table of routes, checked for each of its rows as the program itself lists them."""

import re

import pytest

from house import command

ROWS = re.compile(r"^\| ([A-Z, ]+) \| `(/[^`]*)` \| (\w+) \| ", re.M)


def table():
    listed = command("list")
    assert listed.returncode == 0, listed.stderr
    section = listed.stdout.split("## Routes")[1].split("## ")[0]
    return [(m[1].split(", "), m[2], m[3]) for m in ROWS.finditer(section)]


def example(pattern):
    return pattern.replace("{id}", "0" * 32).replace("{path*}", "index.html")


def test_the_table_is_not_empty():
    addresses = [row[1] for row in table()]
    for address in ("/hello", "/lock", "/unlock", "/test", "/get_pic", "/upload", "/data", "/livez",
                    "/readyz", "/healthz"):
        assert address in addresses


def methods_by_address():
    methods = {}
    for listed, pattern, _ in table():
        methods.setdefault(pattern, set()).update(listed)
    return methods


def test_each_address_answers_405_with_allow_to_a_method_it_does_not_take(house):
    for pattern, listed in methods_by_address().items():
        for method in {"GET", "POST", "PUT", "DELETE", "PATCH"} - listed:
            reply = house.http(method, example(pattern))
            assert reply.status == 405, (method, pattern, reply)
            allowed = set(reply.headers["Allow"].split(", "))
            assert allowed - {"HEAD"} == listed, (method, pattern, allowed)


def test_each_address_that_wants_a_token_refuses_without_one(house):
    for listed, pattern, who in table():
        if who == "anybody":
            continue
        for method in listed:
            reply = house.http(method, example(pattern), token=False)
            assert reply.status == 401, (method, pattern, reply)
            assert reply.headers["WWW-Authenticate"].startswith("Bearer")
            assert house.http(method, example(pattern), token="0" * 64).status == 401


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_a_role_below_the_row_is_refused(house, role):
    token = house.make_token(role=role, name=f"only-{role}")
    order = ["viewer", "member", "admin"]
    for listed, pattern, who in table():
        if who in order and order.index(who) > order.index(role):
            for method in listed:
                assert house.http(method, example(pattern), token=token).status == 403, pattern


def test_the_documents_show_the_tables_of_the_program():
    from house import ROOT
    assert (ROOT / "docs" / "tables.md").read_text() == command("list").stdout
    assert (ROOT / "config.json.example").read_text() == command("list", "example").stdout


def test_the_uses_of_each_address_are_counted(house):
    def uses():
        return {row["address"]: row["uses"] for row in house.get("/api/v1/status").json["routes"]}
    before = uses()
    assert house.get("/hello").status == 200
    after = uses()
    assert after["/hello"] == before["/hello"] + 1 and after["/data"] == before["/data"]
    assert set(after) == set(methods_by_address())
