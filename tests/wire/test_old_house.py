# SPDX-License-Identifier: MIT
"""docs/old-house.md holds one block of configuration for the phones and boards of the old system. The
server is started with exactly that block, but for addresses and ports, and the old clients go through
their day."""

import json
import re

import pytest

from house import ROOT, House
from pictures import jpeg


def documented():
    text = (ROOT / "docs" / "old-house.md").read_text()
    return json.loads(re.search(r"```json\n(.*?)```", text, re.S)[1])


@pytest.fixture
def old_house(tmp_path):
    config = documented()
    assert config["http"]["listen"] == config["mqtt"]["listen"] == "0.0.0.0"
    config["http"].update(port=0, trusted=["127.0.0.0/8"], public_url="")
    config["mqtt"]["port"] = 0
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    house = House(config=path, embedded=False)
    house.sets.pop("http.port", None)
    house.start()
    yield house
    house.close()


def test_the_documented_block_is_a_good_configuration(tmp_path):
    from house import command
    path = tmp_path / "config.json"
    path.write_text(json.dumps(documented()))
    assert command("check-config", "--config", path).returncode == 0


def test_old_clients_need_no_token_and_all_else_does(old_house):
    board = old_house.board("device", "todevice", "app", "toapp")
    assert old_house.post("/unlock", token=False) == (200, "0")
    board.wait_orders("unlock")
    assert old_house.post("/test", json.dumps({"name": "lock", "topic": "device", "topic2": "app",
                                               "time": "t"}), token=False) == (200, "0")
    board.wait_orders("unlock", "lock")
    assert old_house.upload(jpeg(), topic="device", token=False) == (200, "0")
    assert old_house.get("/get_pic", token=False).type == "image/jpeg"
    assert old_house.get("/api/v1/devices", token=False).status == 401


def test_what_is_not_safe_is_said_at_the_start(old_house):
    assert "every sender is anonymous" in old_house.log()
    assert "need no token" in old_house.log()
