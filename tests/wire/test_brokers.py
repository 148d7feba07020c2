# SPDX-License-Identifier: MIT
"""CONTRACT part 3: brokers that are not our own, with and without TLS, and the boards' TLS listener."""

import pathlib
import ssl
import subprocess
import tempfile
import threading

import paho.mqtt.client as mqtt
import pytest

from house import eventually, free_port


@pytest.fixture(scope="module")
def shelf():
    """A folder that the broker's user can read."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-papers-") as folder:
        pathlib.Path(folder).chmod(0o755)
        yield pathlib.Path(folder)


@pytest.fixture(scope="module")
def papers(shelf):
    """A certificate authority and a certificate for 127.0.0.1."""
    folder = shelf

    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)

    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for name in ("ca", "other"):
        openssl("req", "-x509", *curve, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}", "-days", "2")
    openssl("req", *curve, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=127.0.0.1")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "server.pem",
            "-days", "2", "-extfile", "names")
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder


def tls_lines(papers):
    return [f"cafile {papers}/ca.pem", f"certfile {papers}/server.pem", f"keyfile {papers}/server.key"]


def test_a_broker_with_tls(make_house, make_broker, papers):
    broker = make_broker(lines=tls_lines(papers))
    house = make_house(f"mqtt.broker=mqtts://127.0.0.1:{broker.port}", f"mqtt.ca_file={papers}/ca.pem", "http.auth=none",
                       "mqtt.anonymous=all", embedded=False)
    got, here = [], threading.Event()
    board = mqtt.Client(protocol=mqtt.MQTTv311)
    board.tls_set(f"{papers}/ca.pem", tls_version=ssl.PROTOCOL_TLS_CLIENT)
    board.on_message = lambda _c, _u, m: got.append(m.payload.decode())
    board.on_subscribe = lambda *_: here.set()
    board.connect("127.0.0.1", broker.port)
    board.subscribe("door", 2)
    board.loop_start()
    assert here.wait(10)
    board.publish("toserver", "add_device door door app app 1", 1)
    eventually(lambda: got == ["hand_shake app door 0"])
    assert house.get("/unlock?device=door") == (200, "0")
    eventually(lambda: got[1:] == ["unlock"])
    board.disconnect()
    board.loop_stop()


@pytest.mark.parametrize("ca, host", [("other.pem", "127.0.0.1"), ("ca.pem", "127.0.0.2")], ids=["another authority", "another name"])
def test_a_broker_that_cannot_show_who_it_is_is_not_used(make_house, make_broker, papers, ca, host):
    broker = make_broker()
    broker.kill()
    broker.conf.write_text(broker.conf.read_text().replace("127.0.0.1", "0.0.0.0") + "\n".join(tls_lines(papers)) + "\n")
    broker.start()
    port = free_port()
    house = make_house(f"mqtt.broker=mqtts://{host}:{broker.port}", f"mqtt.ca_file={papers}/{ca}", f"http.port={port}",
                       "http.auth=none", start=False, embedded=False)
    house.start(ready=False)
    house.http_port = port
    house.wait_log(r"(?i)certificate|tls|verif")
    assert not house.is_ready()
    assert house.get("/readyz").status == 503


def test_a_broker_that_wants_a_password(make_house, make_broker, shelf):
    passwords = shelf / "passwords"
    passwords.write_text("gatehouse:geheim\n")
    subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True)
    passwords.chmod(0o644)
    broker = make_broker(start=False, lines=[f"password_file {passwords}"])
    broker.conf.write_text(broker.conf.read_text().replace("allow_anonymous true", "allow_anonymous false"))
    broker.start()
    file = shelf / "secret"
    file.write_text("geheim\n")
    house = make_house(f"mqtt.broker={broker.address}", "mqtt.username=gatehouse", "http.auth=none", embedded=False,
                       env={"GATEHOUSE_MQTT_PASSWORD_FILE": str(file)})
    assert house.get("/readyz").status == 200
    house.stop()
    assert "geheim" not in house.log() + house.out()
    port = free_port()
    house.sets.update({"http.port": str(port), "mqtt.password": "falsch"})
    house.env.clear()
    house.start(ready=False)
    house.http_port = port
    house.wait_log(r"(?i)not authori[sz]ed|bad user|password|refused")
    assert house.get("/readyz").status == 503


def test_the_embedded_broker_has_a_tls_listener_for_boards(make_house, papers):
    port = free_port()
    house = make_house(f"mqtt.tls.port={port}", f"mqtt.tls.cert={papers}/server.pem", f"mqtt.tls.key={papers}/server.key")
    here = threading.Event()
    board = mqtt.Client(protocol=mqtt.MQTTv311)
    board.tls_set(f"{papers}/ca.pem", tls_version=ssl.PROTOCOL_TLS_CLIENT)
    board.on_connect = lambda *_: here.set()
    board.connect("127.0.0.1", port)
    board.loop_start()
    assert here.wait(10)
    board.disconnect()
    board.loop_stop()
    assert house.process.poll() is None


def test_an_anonymous_message_on_an_outside_broker_does_nothing_unless_configured(make_house, make_broker):
    broker = make_broker()
    house = make_house(f"mqtt.broker={broker.address}", "http.auth=none", embedded=False)
    before = house.counters()
    house.say("add_device device todevice app app 1")
    house.say("unlock device app 1")
    house.counted("not_allowed", before)
    assert house.export()["devices"] == []


def test_the_server_says_so_when_every_sender_is_anonymous(make_house):
    assert "anonymous" in make_house().log()
