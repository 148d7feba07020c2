# SPDX-License-Identifier: MIT
"""The simulator, told by its bytes: a server that is only a script here, so that what it sends is
compared with the contract and not with our own server. And the demonstration, as a whole."""

import http.server
import os
import pathlib
import re
import signal
import subprocess
import threading

import pytest

from house import BIN, ROOT, clean_environment, eventually, free_port
from peers import Peer

SIM = str(pathlib.Path(BIN).with_name("gatehouse-sim"))
COMPACT = r"20\d{12}"
DART = r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}"
SHAKEN = ('{"action_name":"hand_shake","device_id":"door","device_topic":"todoor",'
          '"app_id":"app","app_topic":"toapp","state":%d}')


class Player:
    """One gatehouse-sim and what it printed."""

    def __init__(self, *args):
        self.lines = []
        self.process = subprocess.Popen([SIM, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True, errors="replace", env=clean_environment())
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True)
        self.reader.start()

    def end(self, timeout=20):
        """Waits for its end: the exit status, and all it printed."""
        status = self.process.wait(timeout)
        self.reader.join(5)
        return status, "".join(self.lines)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.end()

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def play(make_broker):
    """play(*args) starts a player on a broker of its own; play.server hears the server's topic."""
    broker = make_broker()
    players = []

    def start(*args):
        players.append(Player(args[0], *args[1:], "--broker", f"127.0.0.1:{broker.port}"))
        return players[-1]

    start.broker = broker
    start.server = Peer(broker.port, ["toserver"])
    yield start
    for player in players:
        player.close()
    start.server.close()


class Web:
    """An HTTP server that keeps what was posted and answers with one body."""

    def __init__(self):
        self.posts, self.answer, self.picture = [], b"0", None
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                web.posts.append((self.path, self.headers, body))
                self._reply(200, web.answer)

            def do_GET(self):
                self._reply(200 if web.picture else 404, web.picture or b"")

            def _reply(self, status, body):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def web():
    made = Web()
    yield made
    made.close()


def heard(play, pattern, since=0):
    return play.server.wait(lambda m: re.fullmatch(pattern, m.text), since=since)


def shake_lock(play, *args):
    before = play.server.count()
    lock = play("lock", "--device", "door", *args)
    heard(play, f"add_device door todoor app toapp {COMPACT}", since=before)
    play.server.publish("todoor", "hand_shake app door 0")
    eventually(lambda: any("hand-shake accepted" in line for line in lock.lines), what="accepted")
    return lock


def test_a_lock_hand_shakes_obeys_and_answers_on_the_apps_topic(play):
    app = Peer(play.broker.port, ["toapp"])
    lock = shake_lock(play, "--count", 2)
    for word in ("unlock", "lock"):
        play.server.publish("todoor", word, qos=2)
        app.wait(lambda m, word=word: m.text == f"{word}_response 0 door app")
    status, text = lock.end()
    assert status == 0, text
    assert "2 commands, 2 answers" in text and "the door is locked" in text
    app.close()


def test_a_lock_that_fails_says_1_and_stays_as_it_was(play):
    app = Peer(play.broker.port, ["toapp"])
    lock = shake_lock(play, "--count", 1, "--answer", 1)
    play.server.publish("todoor", "unlock", qos=2)
    app.wait(lambda m: m.text == "unlock_response 1 door app")
    assert "the door is locked" in lock.end()[1]
    app.close()


def test_a_lock_may_be_late_or_silent(play):
    app = Peer(play.broker.port, ["toapp"])
    late = shake_lock(play, "--answer-delay", 300)
    play.server.publish("todoor", "unlock", qos=2)
    eventually(lambda: any("command unlock" in line for line in late.lines), what="the command")
    assert app.count() == 0
    app.wait(lambda m: m.text == "unlock_response 0 door app")
    assert late.stop()[0] == 0
    silent = shake_lock(play, "--no-answer", "--count", 1)
    play.server.publish("todoor", "unlock", qos=2)
    assert "1 commands, 0 answers" in silent.end()[1]
    assert app.count() == 1
    app.close()


def test_a_lock_whose_hand_shake_is_refused_ends_with_1(play):
    lock = play("lock", "--device", "door", "--seconds", 2)
    heard(play, "add_device .*")
    play.server.publish("todoor", "hand_shake app door 1")
    status, text = lock.end()
    assert status == 1 and "hand-shake refused" in text and "not hand-shaken" in text


def test_a_lock_comes_back_after_its_broker_did(play):
    lock = shake_lock(play)
    before = play.server.count()
    play.broker.kill()
    eventually(lambda: any("no connection" in line for line in lock.lines), what="the loss")
    play.broker.start()
    heard(play, f"add_device door todoor app toapp {COMPACT}", since=before)
    assert lock.stop(signal.SIGINT)[0] == 0


def test_an_app_hand_shakes_and_presses_by_mqtt_and_http(play, web):
    app = play("app", "--device", "door", "--http", web.url, "--token", "secret")
    heard(play, f"add_app door todoor app toapp {DART}")
    play.server.publish("toapp", SHAKEN % 0)
    heard(play, f"unlock door app {DART}")
    (path, headers, body) = eventually(lambda: web.posts, what="the press by HTTP")[0]
    assert (path, body, headers["Authorization"]) == ("/unlock?device=door", b"", "Bearer secret")
    play.server.publish("toapp", "unlock_response 0 door app")
    status, text = app.end()
    assert status == 0, text
    assert "1 presses, 1 answered by the lock, 0 failures" in text


def test_an_app_can_press_by_test_with_json(play, web):
    app = play("app", "--device", "door", "--http", web.url, "--form", "test", "--way", "http", "--word", "lock")
    heard(play, "add_app .*")
    play.server.publish("toapp", SHAKEN % 0)
    (path, headers, body) = eventually(lambda: web.posts, what="the press by HTTP")[0]
    assert path == "/test" and headers["Content-Type"] == "application/json"
    assert re.fullmatch(r'\{"name":"lock","topic":"door","topic2":"app","time":"%s"\}' % DART, body.decode())
    play.server.publish("toapp", "lock_response 0 door app")
    assert app.end()[0] == 0


@pytest.mark.parametrize("by_http, by_lock", [(b"1", "0"), (b"0", "1")])
def test_a_press_that_failed_ends_with_1(play, web, by_http, by_lock):
    web.answer = by_http
    app = play("app", "--device", "door", "--http", web.url)
    heard(play, "add_app .*")
    play.server.publish("toapp", SHAKEN % 0)
    heard(play, "unlock .*")
    play.server.publish("toapp", f"unlock_response {by_lock} door app")
    status, text = app.end()
    assert status == 1 and "1 failures" in text


def test_a_camera_tells_of_a_stranger_and_posts_a_picture_that_an_app_fetches(play, web, tmp_path):
    saved = tmp_path / "stranger.jpg"
    app = play("app", "--device", "door", "--count", 0, "--alerts", 1, "--save", saved)
    heard(play, "add_app .*")
    play.server.publish("toapp", SHAKEN % 0)
    camera = play("camera", "--device", "porch", "--http", web.url)
    heard(play, f"find_stranger 1 toapp {COMPACT}")
    status, text = camera.end()
    assert status == 0, text
    (path, headers, body) = web.posts[0]
    assert re.fullmatch(f"/upload\\?pic_name=stranger-1\\.jpg&topic=porch&time={COMPACT}", path)
    assert headers["Content-Type"].startswith("multipart/form-data; boundary=")
    picture = body[body.index(b"\r\n\r\n") + 4:body.rindex(b"\r\n--")]
    assert picture[:3] == b"\xff\xd8\xff" and picture[-2:] == b"\xff\xd9"
    play.server.publish("toapp", f"find_stranger 20200731110320 {web.url}/pic/x?c=y")
    # The link answers 404 until the picture is there.
    eventually(lambda: any("HTTP 404" in line for line in app.lines), what="the first try")
    web.picture = picture
    assert app.end()[0] == 0
    assert saved.read_bytes() == picture


def test_a_raw_camera_posts_a_frame_and_may_name_itself(play, web):
    camera = play("camera", "--device", "porch", "--http", web.url, "--raw", "--named")
    heard(play, f"find_stranger 1 toapp porch {COMPACT}")
    assert camera.end()[0] == 0
    body = web.posts[0][2]
    assert body.rindex(b"\r\n--") - body.index(b"\r\n\r\n") - 4 == 640 * 480 * 3


def test_a_refused_picture_ends_with_1(play, web):
    web.answer = b"1"
    camera = play("camera", "--http", web.url, "--answer", 1)
    status, text = camera.end()
    assert status == 1 and "picture refused: 200 1" in text
    assert b"\xff\xd8\xff" not in web.posts[0][2][:400]


def test_a_fleet_is_many_boards_that_all_obey(play):
    def accept(message):
        word, device, topic, app, *_ = message.text.split()
        if word == "add_device":
            play.server.publish(topic, f"hand_shake {app} {device} 0", wait=False)
            play.server.publish(topic, "lock", qos=2, wait=False)

    ear = Peer(play.broker.port, ["toserver"], on_message=accept)
    app = Peer(play.broker.port, ["toapp"])
    fleet = play("fleet", 20, "--device", "door", "--count", 20)
    status, text = fleet.end()
    assert status == 0, text
    assert re.search(r"connected \d+ of 20, hand-shaken", text)
    assert "hand-shaken 20, refused 0, commands 20, answers 20" in text
    eventually(lambda: sorted(app.texts("toapp")) == [f"lock_response 0 door-{n:06} app" for n in range(1, 21)])
    ear.close()
    app.close()


@pytest.mark.parametrize("args, said", [
    ([], "usage"), (["frob"], "usage"), (["lock", "--frob"], "--frob"), (["lock", "--count"], "needs a value"),
    (["lock", "--count", "x"], "count"), (["lock", "--broker", "nowhere"], "HOST:PORT"), (["fleet"], "how many"),
    (["fleet", "0"], "not expected"), (["lock", "--device", "a b"], "device"), (["app", "--http", "ftp://x"], "--http")])
def test_wrong_usage_is_told_with_status_2(args, said):
    done = subprocess.run([SIM, *args], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2 and said in done.stderr and done.stdout == ""


@pytest.mark.parametrize("command", ["lock", "camera", "app", "fleet"])
def test_each_command_has_help_with_examples(command):
    done = subprocess.run([SIM, command, "--help"], capture_output=True, text=True, timeout=20, check=True)
    assert f"gatehouse-sim {command}" in done.stdout and "examples:" in done.stdout


def test_without_a_broker_it_says_so_and_ends_with_1():
    done = subprocess.run([SIM, "app", "--broker", f"127.0.0.1:{free_port()}", "--seconds", "1"],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1 and "Connection refused" in done.stdout


def test_the_demonstration_tells_the_whole_story_and_leaves_nothing(tmp_path):
    env = clean_environment({"TMPDIR": str(tmp_path), "DEMO_PAUSE": "0"})
    env.update(DEMO_SERVER=BIN, DEMO_SIMULATOR=SIM)
    tmp_path.chmod(0o755)
    done = subprocess.run([str(ROOT / "examples" / "demo.sh")], capture_output=True, text=True, timeout=120, env=env,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("hand-shake accepted", "the server knows from the lock", "fetched the picture", "That was the whole story"):
        assert said in done.stdout
    assert os.listdir(tmp_path) == []
