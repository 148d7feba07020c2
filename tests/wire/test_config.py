# SPDX-License-Identifier: MIT
"""CONTRACT part 3: keys, their sources, the command line and its exit status."""

import json
import pathlib
import re
import socket

import pytest

from house import ROOT, READY, command, eventually, free_port, port_answers

# The table of CONTRACT part 3: key, default.
KEYS = {
    "data_dir": "data", "http.listen": "127.0.0.1", "http.port": 5000, "http.auth": "token", "http.trusted": [],
    "http.public_url": "", "http.max_upload_mb": 16, "http.tls.cert": "", "http.tls.key": "", "http.insecure": False,
    "mqtt.broker": "embedded", "mqtt.listen": "127.0.0.1", "mqtt.port": 1883, "mqtt.username": "", "mqtt.password": "",
    "mqtt.ca_file": "", "mqtt.client_id": "", "mqtt.server_topic": "toserver", "mqtt.tls.port": 0, "mqtt.tls.cert": "",
    "mqtt.tls.key": "", "telemetry.topics": ["sensors/#"], "site.timezone": "", "alerts.picture_wait_ms": 5000,
    "alerts.raw_frames": ["640x480", "1280x720", "1920x1080"], "retention.pictures_mb": 1024,
    "retention.pictures_days": 90, "retention.telemetry_mb": 1024, "retention.telemetry_days": 365,
    "retention.audit_days": 730, "custom": {},
}
# Their default depends on the broker; the example file may show that in its own way.
KEYS_BY_BROKER = {"pairing", "mqtt.anonymous"}


def flat(value, prefix=""):
    for key, child in value.items():
        if isinstance(child, dict) and prefix + key != "custom":
            yield from flat(child, f"{prefix}{key}.")
        else:
            yield prefix + key, child


def check(*sets, file=None, env=None, cwd=None):
    args = ["check-config"] + (["--config", file] if file else [])
    for one in sets:
        args += ["--set", one]
    return command(*args, env=env, cwd=cwd)


def test_the_example_holds_every_key_at_its_default():
    found = dict(flat(json.loads((ROOT / "config.json.example").read_text())))
    assert set(found) - KEYS_BY_BROKER == set(KEYS)
    assert {k: v for k, v in found.items() if k in KEYS} == KEYS


def test_the_example_is_a_configuration():
    done = check(file=ROOT / "config.json.example")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("key", sorted(KEYS_BY_BROKER | set(KEYS)))
def test_a_wrong_type_is_an_error_that_names_the_key(key, tmp_path):
    wrong = 17.5 if not isinstance(KEYS.get(key), bool) else "perhaps"
    value = wrong
    for part in reversed(key.split(".")):
        value = {part: value}
    file = tmp_path / "c.json"
    file.write_text(json.dumps(value))
    done = check(file=file)
    assert done.returncode == 2 and key in done.stderr, done


@pytest.mark.parametrize("one", [
    "http.port=65536", "http.port=-1", "http.port=http", "http.port=", "http.auth=maybe", "http.auth=tokens", "http.max_upload_mb=0",
    "mqtt.port=70000", "mqtt.broker=http://x", "mqtt.broker=mqtt://", "mqtt.broker=mqtt://host:port", "pairing=maybe",
    "mqtt.anonymous=some", "alerts.picture_wait_ms=-1", 'alerts.raw_frames=["640"]', 'alerts.raw_frames=["0x0"]',
    'http.trusted=["everybody"]', 'http.trusted=["10.0.0.0/33"]', "mqtt.server_topic=a/#", "mqtt.server_topic=",
    "mqtt.server_topic=$SYS", "retention.pictures_days=-1", "custom=1", "http.insecure=maybe", "http.public_url=ftp://x"])
def test_a_value_out_of_range_names_the_key_and_what_was_expected(one):
    key = one.split("=")[0]
    done = check(one)
    assert done.returncode == 2, done
    (line,) = [l for l in done.stderr.splitlines() if key in l]
    assert len(line) > len(key) + 10, "what was expected"


RANGES = {
    "http.port": (0, 65535), "http.max_upload_mb": (1, 1024), "mqtt.port": (0, 65535), "mqtt.tls.port": (0, 65535),
    "alerts.picture_wait_ms": (0, 60000), "retention.pictures_mb": (1, 1 << 24), "retention.pictures_days": (1, 36500),
    "retention.telemetry_mb": (1, 1 << 24), "retention.telemetry_days": (1, 36500), "retention.audit_days": (1, 36500),
}


@pytest.mark.parametrize("key", RANGES)
def test_a_number_is_taken_up_to_its_bounds_and_no_further(key):
    least, most = RANGES[key]
    paper = ("mqtt.tls.cert=a", "mqtt.tls.key=b") if key == "mqtt.tls.port" else ()
    assert check(f"{key}={most}", *paper).returncode == 0
    assert check(f"{key}={least}").returncode == 0
    for wrong in (least - 1, most + 1):
        done = check(f"{key}={wrong}", *paper)
        assert done.returncode == 2 and f"a whole number from {least} to {most}" in done.stderr, done


@pytest.mark.parametrize("one", ["nothing=1", "http.nothing=1", "http=1", "HTTP.PORT=1", "http.port", "=1", "http.port.x=1"])
def test_an_unknown_key_is_an_error(one):
    done = check(one)
    assert done.returncode == 2 and one.split("=")[0] in done.stderr, done


def test_all_errors_are_told_at_once(tmp_path):
    file = tmp_path / "c.json"
    file.write_text(json.dumps({"http": {"port": "x", "colour": "red"}, "pairing": 1}))
    done = check("alerts.picture_wait_ms=-5", file=file, env={"GATEHOUSE_MQTT_PORT": "99999"})
    assert done.returncode == 2
    for key in ("http.port", "http.colour", "pairing", "alerts.picture_wait_ms", "mqtt.port"):
        assert key in done.stderr, done.stderr


def test_the_server_does_not_start_with_errors(make_house):
    house = make_house("http.port=99999", "pairing=maybe", start=False)
    house.start(ready=False)
    assert house.wait_end() == 2
    assert "http.port" in house.log() and "pairing" in house.log()
    assert not house.data_dir.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "{'http':{}}", '{"http":{"port":1,"port":2}}', '{"data_dir":"a\\u0000b"}', "{} x"])
def test_a_file_that_is_no_json_object_is_an_error(text, tmp_path):
    file = tmp_path / "c.json"
    file.write_text(text)
    assert check(file=file).returncode == 2


def test_a_named_file_must_be_there(tmp_path):
    done = check(file=tmp_path / "none.json")
    assert done.returncode == 2 and "none.json" in done.stderr


def test_config_json_in_the_working_folder_counts_when_nothing_is_named(tmp_path):
    (tmp_path / "config.json").write_text('{"http":{"port":70000}}')
    assert check(cwd=tmp_path).returncode == 2
    (tmp_path / "config.json").unlink()
    assert check(cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("sources, wins", [(("file",), "file"), (("file", "environment"), "environment"),
                                           (("file", "environment", "command line"), "command line")])
def test_command_line_before_environment_before_file(make_house, tmp_path, sources, wins):
    ports = {source: free_port() for source in sources}
    file = tmp_path / "c.json"
    file.write_text(json.dumps({"http": {"port": ports["file"]}, "custom": {"a": 1}}))
    env = {"GATEHOUSE_HTTP_PORT": str(ports["environment"])} if "environment" in sources else {}
    house = make_house(start=False, config=file, env=env)
    house.sets["http.port"] = ports.get("command line")
    house.start()
    assert house.http_port == ports[wins]


@pytest.mark.parametrize("key", sorted(KEYS))
def test_each_key_has_its_environment_variable(key):
    name = "GATEHOUSE_" + key.upper().replace(".", "_")
    done = check(env={name: "x" * 5000})
    assert done.returncode == 2 and (key in done.stderr or name in done.stderr), done


def test_a_secret_can_come_from_a_file(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("geheim\n")
    name = {"GATEHOUSE_MQTT_PASSWORD_FILE": str(secret)}
    broker = "mqtt.broker=mqtt://127.0.0.1:1"
    assert check(broker, "mqtt.username=u", env=name).returncode == 0
    done = check(broker, "mqtt.username=u", env={"GATEHOUSE_MQTT_PASSWORD_FILE": str(tmp_path / "none")})
    assert done.returncode == 2 and "mqtt.password" in done.stderr + done.stderr.lower().replace("_", ".")
    assert "geheim" not in done.stderr + done.stdout


def test_auth_none_off_loopback_is_refused_unless_insecure():
    done = check("http.auth=none", "http.listen=0.0.0.0")
    assert done.returncode == 2 and "http.auth" in done.stderr and "http.insecure" in done.stderr
    assert check("http.auth=none", "http.listen=0.0.0.0", "http.insecure=true").returncode == 0
    assert check("http.auth=none", "http.listen=::1").returncode == 0


def test_a_certificate_needs_its_key():
    for one in ("http.tls.cert=/c.pem", "http.tls.key=/k.pem"):
        done = check(one)
        assert done.returncode == 2 and "http.tls" in done.stderr


def test_port_0_takes_a_free_port_and_says_which(make_house):
    house = make_house()
    assert house.http_port > 0 and house.mqtt_port > 0
    assert house.http("GET", "/hello").status == 200
    house.peer(["x"])


def test_ready_is_said_once_on_standard_error(make_house):
    house = make_house()
    assert len(READY.findall(house.log())) == 1
    assert not READY.search(house.out())


def test_serve_is_what_happens_without_a_word(tmp_path):
    import subprocess
    from house import BIN, clean_environment
    with subprocess.Popen([BIN, "--set", f"data_dir={tmp_path / 'd'}", "--set", "http.port=0", "--set", "mqtt.port=0"],
                          stderr=subprocess.PIPE, text=True, env=clean_environment(), cwd=tmp_path) as server:
        assert any(READY.match(line) for line in server.stderr), "it ended without being ready"
        server.terminate()
        server.stderr.read()
        assert server.wait(20) == 0


def test_help_names_every_command():
    done = command("--help")
    assert done.returncode == 0 and done.stderr == ""
    for word in ("serve", "check-config", "export", "import", "backup", "restore", "token", "--config", "--set", "--version"):
        assert word in done.stdout, word


def test_version_is_the_name_and_a_number():
    done = command("--version")
    assert done.returncode == 0 and re.match(r"^gatehouse \d+\.\d+\.\d+", done.stdout)


@pytest.mark.parametrize("args", [["dance"], ["--dance"], ["serve", "more"], ["import"], ["backup"], ["restore"], ["token"],
                                  ["token", "create"], ["token", "create", "--name", "a"], ["--set"], ["--config"],
                                  ["token", "create", "--name", "a", "--role", "king"], ["export", "more"],
                                  ["token", "create", "--name", "", "--role", "admin"]])
def test_wrong_usage_is_status_2_with_a_word_why(args, tmp_path):
    done = command(*args, cwd=tmp_path)
    assert done.returncode == 2, done
    assert done.stderr and not done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["127.0.0.1", "::1", "0.0.0.0"])
def test_it_listens_where_it_is_told(make_house, where):
    house = make_house(f"http.listen={where}", start=False)
    house.start(ready=False)
    eventually(lambda: re.search(r"ready on http://\[?" + re.escape(where) + r"\]?:(\d+), broker", house.log()), 20)
    port = int(re.search(r"ready on http://\S+:(\d+), broker", house.log())[1])
    from house import http_call
    assert http_call(port, "GET", "/hello", host="::1" if where == "::1" else "127.0.0.1").status == 200


def test_the_embedded_broker_listens_where_it_is_told(make_house):
    house = make_house("mqtt.listen=127.0.0.2")
    assert f"broker mqtt://127.0.0.2:{house.mqtt_port}" in house.log()
    assert not port_answers(house.mqtt_port)
    with socket.create_connection(("127.0.0.2", house.mqtt_port), 5):
        pass


def test_custom_keys_from_the_file_survive_and_the_stored_ones_win(make_house, tmp_path):
    file = tmp_path / "c.json"
    file.write_text('{"custom": {"colour": "red", "list": [1, {"a": null}]}}')
    house = make_house(config=file)
    stored = {r["key"]: r["value"] for r in house.export()["custom"]}
    read = {k: v if not isinstance(v, str) or k == "colour" and v == "red" else json.loads(v) for k, v in stored.items()}
    assert read == {"colour": "red", "list": [1, {"a": None}]}
    file.write_text('{"custom": {"colour": "blue"}}')
    house.restart()
    assert {r["key"]: r["value"] for r in house.export()["custom"]} == stored


def test_the_data_folder_is_the_owners_alone(make_house):
    house = make_house()
    for path in [house.data_dir, *house.data_dir.glob("*.db*")]:
        assert pathlib.Path(path).stat().st_mode & 0o007 == 0, path
