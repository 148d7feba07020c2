# SPDX-License-Identifier: MIT
"""What goes wrong at the first try is said with its cause and its cure, and ends cleanly."""

import os
import socket
import sqlite3
import subprocess

import pytest

import raw_http
from house import BIN, TROUBLE, command


def fails(said, *args, status=1, env=None):
    done = command(*args, env=env, timeout=20)
    assert done.returncode == status, done.stderr
    assert not TROUBLE.search(done.stderr), done.stderr
    for text in said:
        assert text in done.stderr, done.stderr


@pytest.mark.parametrize("folder", ["/proc/nope", "/etc/passwd", "/no/such/folder"])
def test_a_data_dir_that_can_not_be_made(folder):
    fails([folder, "data_dir must be"], "serve", "--set", f"data_dir={folder}")


def test_a_data_dir_of_somebody_else(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    mine = tmp_path / "mine"
    mine.mkdir(0o755)
    os.chmod(tmp_path, 0o755)
    # setpriv needs no login shell and no session of that user's.
    done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", BIN, "serve", "--set", f"data_dir={mine}"],
                          capture_output=True, text=True, timeout=20, cwd="/", check=False)
    if "setpriv" in done.stderr or "Permission denied" not in done.stderr:
        pytest.skip("that user can't run this program here")
    assert done.returncode == 1 and "data_dir must be" in done.stderr and not TROUBLE.search(done.stderr), done.stderr


@pytest.mark.parametrize("key", ["http.port", "mqtt.port"])
def test_a_port_that_is_taken(tmp_path, key):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"http.port": 0, "mqtt.port": 0, key: port}
        sets = [arg for k, v in ports.items() for arg in ("--set", f"{k}={v}")]
        fails([f"127.0.0.1:{port} is taken", key], "serve", "--set", f"data_dir={tmp_path / 'd'}",
              "--set", "http.listen=127.0.0.1", *sets)


def test_mosquitto_missing(tmp_path):
    fails(["mosquitto"], "serve", "--set", f"data_dir={tmp_path / 'd'}", "--set", "http.port=0",
          env={"GATEHOUSE_MOSQUITTO": "/nosuch"})


@pytest.mark.parametrize("words", [["export"], ["backup", "to"]])
def test_reading_a_state_that_is_not_there(tmp_path, words):
    args = [str(tmp_path / w) if w == "to" else w for w in words]
    fails(["there is no state", "data_dir"], *args, "--set", f"data_dir={tmp_path / 'none'}")
    assert list(tmp_path.iterdir()) == [], "nothing is left where nothing was"


@pytest.mark.parametrize("words", [["token", "create", "--name", "x", "--role", "viewer"], ["list", "example"], ["--help"]])
def test_what_could_not_be_printed_is_a_failure(tmp_path, words):
    sets = [] if words == ["--help"] else ["--set", f"data_dir={tmp_path / 'd'}"]
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([BIN, *words, *sets], stdout=full, stderr=subprocess.PIPE, text=True, timeout=20, check=False)
    assert done.returncode == 1 and "standard output" in done.stderr, done.stderr


def test_a_restore_that_the_server_can_not_do_names_where_to_look(make_house, tmp_path):
    house = make_house()
    backup = tmp_path / "b"
    assert house.command("backup", backup).returncode == 0
    with sqlite3.connect(house.data_dir / "gatehouse.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        done = house.command("restore", backup)
        other.execute("ROLLBACK")
    assert done.returncode == 1 and "the server's log says why" in done.stderr, done.stderr
    assert "locked" in house.log()


def test_verbose_logs_what_else_is_not_said(make_house):
    for option, said in (("--verbose", True), (None, False)):
        house = make_house("http.auth=none", start=False)
        plain = house.arguments()
        house.arguments = lambda *more, words=plain, option=option: [*words, *([option] if option else []), *more]
        house.start()
        raw_http.exchange(house.http_port, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: x\r\n\r\n")
        if said:
            house.wait_log(r" debug http: ")
        house.stop()
        assert (" debug " in house.log()) == said
