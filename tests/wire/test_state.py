# SPDX-License-Identifier: MIT
"""CONTRACT part 3 and 1.5: export, import, backup, restore; with a server and without one."""

import json
import re
import socket
import stat
import time

import pytest

import pictures
from house import command, eventually

# What save_to_config of the Python server writes (CONTRACT 1.5).
OLD_CONFIG = {
    "client_id": "server", "action_load": ["action"], "action_func_name": ["lock", "unlock"], "host": "127.0.0.1",
    "port": 1883, "keepalive": 60,
    "topic": {"2server": "toserver", "2device": ["todevice", "garage"], "2app_deivce": ["toapp"]},
    "device_pair_app2device": {"toapp": ["todevice"]}, "device_pair_device2app": {"todevice": ["toapp"]},
    "use_quick_search": True, "qos": 2, "on_running": True, "on_connect": None, "device_type": "server",
    "topic_subscribe": ["toserver"],
}


def furnish(house):
    board = house.board()
    house.get(f"/unlock?device={board.device}")
    eventually(lambda: house.records("commands", device_id=board.device)[0]["state"] == "done")
    house.upload(pictures.jpeg("kept"), topic=board.device, pic_name="kept.jpg")
    house.say("data answer 42")
    eventually(lambda: house.get("/data").json.get("answer") == "42")
    return board


def plain(document):
    return {k: v for k, v in document.items() if k != "exported_at"}


def test_export_is_one_document_that_says_all(make_house):
    house = make_house("http.auth=none")
    board = furnish(house)
    state = house.export()
    assert state["format"] == "gatehouse-state" and state["version"] == 1
    assert [d["id"] for d in state["devices"]] == [board.device]
    assert [a["id"] for a in state["apps"]] == [board.app]
    assert len(state["pairs"]) == len(state["pictures"]) == 1
    assert state["commands"][0]["word"] == "unlock"
    assert len(state["door_log"]) >= 1


def test_the_same_state_gives_the_same_bytes(make_house):
    house = make_house("http.auth=none")
    furnish(house)
    mask = lambda text: re.sub(r'("exported_at"\s*:\s*)"[^"]*"', r"\1", text)
    running = mask(house.command("export").stdout)
    assert running == mask(house.command("export").stdout)
    house.stop()
    assert mask(house.command("export").stdout) == running


def test_each_key_that_is_a_time_ends_in_at_and_is_rfc_3339(make_house):
    house = make_house("http.auth=none")
    furnish(house)
    time = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")

    def look(value):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(child, (dict, list)):
                look(child)
            elif isinstance(child, str) and isinstance(key, str):
                assert bool(time.match(child)) == key.endswith("_at") or child == "", (key, child)

    look(house.export())


def test_export_holds_no_secret(make_house):
    house = make_house()
    house.get("/data")
    assert house.token not in house.command("export").stdout


@pytest.mark.parametrize("running", [True, False])
def test_import_of_an_export_is_the_same_state(make_house, tmp_path, running):
    house = make_house("http.auth=none")
    furnish(house)
    file = tmp_path / "state.json"
    file.write_text(house.command("export").stdout)
    other = make_house("http.auth=none", start=running)
    done = other.command("import", file)
    assert done.returncode == 0, done.stderr
    assert plain(other.export())["devices"] == plain(house.export())["devices"]
    for kind in ("apps", "pairs", "data", "custom"):
        assert other.export()[kind] == house.export()[kind]
    if not running:
        other.start()
    assert other.get("/data").json["answer"] == "42"


@pytest.mark.parametrize("running", [True, False])
def test_import_of_the_python_servers_config(make_house, tmp_path, running):
    house = make_house("http.auth=none", start=running)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(OLD_CONFIG))
    done = house.command("import", file)
    assert done.returncode == 0, done.stderr
    assert {d["id"]: d["topic"] for d in house.export()["devices"]} == {"todevice": "todevice", "garage": "garage"}
    assert {a["id"]: a["topic"] for a in house.export()["apps"]} == {"toapp": "toapp"}
    for key in ("action_load", "use_quick_search", "on_running", "device_type"):
        assert key in done.stdout + done.stderr, f"{key} is listed as skipped"
    if not running:
        house.start()
    ear = house.peer(["garage"])
    assert house.get("/lock?device=garage") == (200, "0")
    ear.wait(lambda m: m.text == "lock")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format":"other"}', '{"format":"gatehouse-state","version":99}',
                                  '{"format":"gatehouse-state","version":1,"devices":[{"id":"a+b"}]}',
                                  '{"topic":{"2device":["a/#"]}}', "null", '{"format":"gatehouse-state","version":1,"devices":5}'])
def test_a_document_that_cannot_be_is_refused_and_changes_nothing(make_house, tmp_path, text):
    house = make_house("http.auth=none")
    before = plain(house.export())
    file = tmp_path / "bad.json"
    file.write_text(text)
    done = house.command("import", file)
    assert done.returncode in (1, 2) and done.stderr
    assert plain(house.export()) == before


def test_import_is_all_or_nothing(make_house, tmp_path):
    house = make_house("http.auth=none")
    furnish(house)
    state = house.export()
    state["devices"].append(dict(state["devices"][0], id="z" * 500))
    file = tmp_path / "half.json"
    state["apps"][0]["topic"] = "elsewhere"
    file.write_text(json.dumps(state))
    before = plain(house.export())
    assert house.command("import", file).returncode != 0
    assert plain(house.export()) == before


@pytest.mark.parametrize("running", [True, False])
def test_backup_and_restore_bring_everything_back(make_house, tmp_path, running):
    house = make_house("http.auth=none")
    furnish(house)
    if not running:
        house.stop()
    before = plain(house.export())
    done = house.command("backup", tmp_path / "copy")
    assert done.returncode == 0, done.stderr
    other = make_house("http.auth=none", start=running)
    done = other.command("restore", tmp_path / "copy")
    assert done.returncode == 0, done.stderr
    if not running:
        other.start()
    for kind in ("devices", "apps", "pairs", "data", "pictures", "alerts"):
        assert other.export()[kind] == before[kind], kind
    assert other.get("/get_pic").body == pictures.jpeg("kept")
    other.restart()
    assert other.get("/get_pic").body == pictures.jpeg("kept")
    assert other.get("/data").json["answer"] == "42"


@pytest.mark.parametrize("harm", ["a byte of a picture", "a picture gone", "the database cut", "the manifest gone"])
def test_a_harmed_backup_is_refused_and_changes_nothing(make_house, tmp_path, harm):
    house = make_house("http.auth=none")
    furnish(house)
    copy = tmp_path / "copy"
    assert house.command("backup", copy).returncode == 0
    picture = next(p for p in (copy / "pictures").rglob("*") if p.is_file())
    database = next(p for p in copy.rglob("*.db"))
    if harm == "a byte of a picture":
        picture.write_bytes(picture.read_bytes()[:-3] + b"xyz")
    elif harm == "a picture gone":
        picture.unlink()
    elif harm == "the database cut":
        database.write_bytes(database.read_bytes()[:5000])
    else:
        (copy / "manifest.json").unlink()
    other = make_house("http.auth=none")
    other.say("data mine 1")
    eventually(lambda: other.get("/data").json == {"mine": "1"})
    done = other.command("restore", copy)
    assert done.returncode == 1 and done.stderr
    assert other.get("/data").json == {"mine": "1"}


def test_a_backup_never_overwrites(make_house, tmp_path):
    house = make_house("http.auth=none")
    (tmp_path / "mine").write_text("mine")
    assert house.command("backup", tmp_path).returncode == 1
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_a_backup_under_load_is_whole(make_house, tmp_path):
    house = make_house("http.auth=none")
    import threading
    stop = threading.Event()

    def load():
        n = 0
        while not stop.is_set():
            n += 1
            house.upload(pictures.jpeg(f"load{n}"), pic_name=f"load{n}")

    worker = threading.Thread(target=load)
    worker.start()
    try:
        done = house.command("backup", tmp_path / "copy")
    finally:
        stop.set()
        worker.join()
    assert done.returncode == 0, done.stderr
    other = make_house("http.auth=none", start=False)
    assert other.command("restore", tmp_path / "copy").returncode == 0
    other.start()
    for row in other.export()["pictures"]:
        answer = other.get(f"/get_pic?pic_name={row['name']}&topic=door&time=20200731110320")
        assert answer.body == pictures.jpeg(row["name"])


def test_everything_is_back_after_a_restart(make_house):
    house = make_house("http.auth=none")
    board = furnish(house)
    before = plain(house.export())
    house.restart()
    assert plain(house.export()) == before
    assert house.get("/get_pic").body == pictures.jpeg("kept")
    ear = house.peer([board.topic])
    assert house.get(f"/lock?device={board.device}") == (200, "0")
    ear.wait(lambda m: m.text == "lock")


def test_the_control_socket_is_the_owners_alone(make_house):
    house = make_house()
    sockets = [p for p in house.data_dir.rglob("*") if stat.S_ISSOCK(p.lstat().st_mode)]
    assert sockets and all(p.stat().st_mode & 0o077 == 0 for p in sockets)


def test_a_second_server_on_the_same_folder_is_refused(make_house):
    house = make_house()
    done = command("serve", *house.arguments(), timeout=20)
    assert done.returncode == 1 and str(house.data_dir) in done.stderr
    assert house.get("/data").status == 200


def test_while_a_backup_holds_them_no_picture_goes(make_house):
    house = make_house("retention.pictures_mb=1", "http.auth=none")

    def upload(name):
        picture = pictures.jpeg(name)
        assert house.upload(picture + bytes(600_000), pic_name=name) == (200, "0")

    names = lambda: [p["name"] for p in house.records("pictures")]
    with socket.socket(socket.AF_UNIX) as hold:
        hold.connect(str(house.data_dir / "control.sock"))
        hold.sendall(b'{"do":"hold"}\n')
        assert hold.recv(16) == b"{}\n"
        for name in "abc":
            upload(name)
        time.sleep(0.5)  # for what must not happen
        assert sorted(names()) == ["a", "b", "c"]
    upload("d")
    eventually(lambda: names() == ["d"])
