# SPDX-License-Identifier: MIT
"""The real server (and, where a test wants one, a mosquitto beside it) as a test sees them: started
on free ports in a temporary folder, watched, stopped, killed. Knows processes and ports; what is
said over the wire is in raw_http.py, peers.py and fake_broker.py."""

import contextlib
import http.client
import itertools
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import urllib.parse

from peers import Peer

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = os.environ.get("GATEHOUSE_BIN", str(ROOT / "build" / "san" / "gatehouse"))
READY = re.compile(r"^gatehouse: ready on http://(\S+):(\d+), broker mqtts?://(\S+):(\d+)$", re.M)
CODE = re.compile(r"https?://\S+#code=([0-9A-Za-z_-]+)")
TROUBLE = re.compile(
    r"AddressSanitizer|LeakSanitizer|UndefinedBehavior|runtime error:|handles?\b.*\b(open|left|leak)"
)

_numbers = itertools.count(1)


def fresh(kind="dev"):
    """A name that no other test of this process uses."""
    return f"{kind}{os.getpid() % 1000}x{next(_numbers)}"


def eventually(fn, timeout=10.0, what=None):
    """Calls fn until it returns something true, and returns that."""
    end = time.monotonic() + timeout
    last = None
    while True:
        try:
            last = fn()
        except (AssertionError, OSError, LookupError) as error:
            last = error
        else:
            if last:
                return last
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what or fn}; last was {last!r}")
        time.sleep(0.02)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def port_answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def clean_environment(extra=None):
    env = {k: v for k, v in os.environ.items() if not k.startswith("GATEHOUSE_")}
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0")
    env.update(extra or {})
    return env


def command(*args, env=None, stdin=None, cwd=None, timeout=60):
    """Runs `gatehouse ARGS...` to its end."""
    return subprocess.run(
        [BIN, *map(str, args)], env=clean_environment(env), input=stdin, cwd=cwd or tempfile.gettempdir(),
        capture_output=True, text=True, errors="replace", timeout=timeout, check=False)


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def json(self):
        assert self.type == "application/json", self
        return json.loads(self.body)

    @property
    def type(self):
        return self.headers.get("Content-Type", "").split(";")[0].strip()

    def __eq__(self, other):
        return (self.status, self.text) == other

    def __repr__(self):
        return f"<{self.status} {self.body[:200]!r}>"


def http_call(port, method, path, body=None, headers=None, host="127.0.0.1", timeout=20):
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


class House:
    """One data folder and the server that runs on it, start after start."""

    def __init__(self, folder=None, sets=(), env=None, embedded=True, config=None):
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="gatehouse-wire-"))
        self.data_dir = self.folder / "data"
        # mosquitto may give up root and must still reach its files below.
        self.folder.chmod(0o755)
        self.sets = dict(s.split("=", 1) for s in sets)
        self.env = dict(env or {})
        self.embedded = embedded
        self.config = config
        self.process = None
        self.http_port = self.mqtt_port = None
        self._err, self._out = [], []
        self._token = self._watch = None
        self._peers = []

    # The process.

    def arguments(self, *more):
        sets = {"data_dir": str(self.data_dir), "http.port": "0"}
        if self.embedded:
            sets["mqtt.port"] = "0"
        sets.update(self.sets)
        out = ["--config", str(self.config)] if self.config else []
        for key, value in sets.items():
            out += ["--set", f"{key}={value}"] if value is not None else []
        return [*out, *more]

    def start(self, ready=True, timeout=20, env=None, sets=None, preexec=None):
        assert os.access(BIN, os.X_OK), f"no server at {BIN}: build it first (make wire)"
        self.sets.update(sets or {})
        self._err, self._out = [], []
        self.process = subprocess.Popen(
            [BIN, "serve", *self.arguments()], env=clean_environment({**self.env, **(env or {})}),
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, preexec_fn=preexec)
        self._readers = [
            threading.Thread(target=self._collect, args=pair, daemon=True)
            for pair in ((self.process.stderr, self._err), (self.process.stdout, self._out))]
        for reader in self._readers:
            reader.start()
        if ready:
            self.wait_ready(timeout)
        return self

    @staticmethod
    def _collect(stream, into):
        for line in stream:
            into.append(line.decode("utf-8", "surrogateescape"))

    def log(self):
        return "".join(self._err)

    def out(self):
        return "".join(self._out)

    def is_ready(self):
        found = READY.search(self.log())
        if found:
            self.http_port, self.mqtt_port = int(found[2]), int(found[4])
        elif self.process.poll() is not None:
            raise RuntimeError(f"the server ended with {self.process.returncode}:\n{self.log()}")
        return bool(found)

    def wait_ready(self, timeout=20):
        try:
            eventually(self.is_ready, timeout)
        except AssertionError:
            raise AssertionError(f"not ready in {timeout} s:\n{self.log()}") from None

    def wait_log(self, pattern, timeout=10):
        return eventually(lambda: re.search(pattern, self.log()), timeout, f"{pattern} in the log")

    def _ended(self):
        for reader in self._readers:
            reader.join(5)
        self._dismiss()
        status, self.process = self.process.returncode, None
        return status

    def _dismiss(self):
        Peer.close_all(self._peers)
        self._peers, self._watch = [], None

    def stop(self):
        """An orderly stop: status 0, no handle left open, nothing a sanitizer says."""
        self._dismiss()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self._ended()
            raise AssertionError(f"SIGTERM did not end the server:\n{self.log()}") from None
        status = self._ended()
        self.check_log()
        assert status == 0, f"ended with {status}:\n{self.log()}"

    def check_log(self):
        assert not TROUBLE.search(self.log()), self.log()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._ended()
        self.check_log()

    def wait_end(self, timeout=20):
        """The server ends by itself: its exit status."""
        self.process.wait(timeout)
        return self._ended()

    def restart(self, kill=False, **how):
        (self.kill if kill else self.stop)()
        return self.start(**how)

    def pause(self):
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat")
        state = lambda: stat.read_text().rsplit(")", 1)[1].split()[0]
        # Stopped amid a burst of messages, it would read on in that burst before it looks at the clock.
        eventually(lambda: state() == "S", 5, "it waits for something to do")
        os.kill(self.process.pid, signal.SIGSTOP)
        eventually(lambda: state() == "T", 5, "all of it stands still")

    def resume(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def close(self):
        """The end of a test, whatever state it left."""
        try:
            if self.process and self.process.poll() is None:
                self.process.send_signal(signal.SIGCONT)
                for pid in self.broker_pids():
                    os.kill(pid, signal.SIGCONT)
                self.stop()
            elif self.process:
                self._ended()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def broker_pids(self):
        """The children of the server: its mosquitto."""
        pids = []
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rsplit(")", 1)[1].split()
                if int(fields[1]) == self.process.pid and fields[0] != "Z":
                    pids.append(int(stat.parent.name))
        return pids

    def broker_pid(self):
        pids = eventually(self.broker_pids, 5, "the server's broker")
        assert len(pids) == 1, pids
        return pids[0]

    def no_file_may_grow(self, on=True):
        """While on, the server can't write to any file: a disk that takes nothing."""
        hard = resource.RLIM_INFINITY
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (0 if on else hard, hard))

    @contextlib.contextmanager
    def database(self):
        """The server's database, beside it: not to be written to while it runs."""
        with contextlib.closing(sqlite3.connect(self.data_dir / "gatehouse.db", isolation_level=None)) as db:
            db.execute("PRAGMA wal_autocheckpoint = 0")
            yield db

    @contextlib.contextmanager
    def no_commit(self):
        """Another process holds the write lock: each commit of the server fails, after a real wait."""
        with self.database() as db:
            db.execute("BEGIN IMMEDIATE")
            yield
            db.execute("ROLLBACK")

    def age(self, table, column, days, where):
        """What was stored today was stored days ago."""
        self.stop()
        with self.database() as db:
            db.execute(f"UPDATE {table} SET {column} = {column} - ? WHERE {where}", [days * 86400000])
        self.start()

    # The command line on the same data folder.

    def command(self, *args, **how):
        return command(*args, "--set", f"data_dir={self.data_dir}", **how)

    def export(self):
        done = self.command("export")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def records(self, kind, **where):
        return [r for r in self.export()[kind] if all(r.get(k) == v for k, v in where.items())]

    def make_token(self, role="admin", name="t"):
        done = self.command("token", "create", "--name", name, "--role", role)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1].strip()

    # HTTP.

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def token(self):
        if not self._token:
            self._token = self.make_token()
        return self._token

    def auth(self):
        return {} if self.sets.get("http.auth") == "none" else {"Authorization": f"Bearer {self.token}"}

    def http(self, method, path, body=None, headers=None, token=None, timeout=20):
        """token: None the admin's, False none, else that one."""
        known = self.auth() if token is None else {"Authorization": f"Bearer {token}"} if token else {}
        if isinstance(body, str):
            body = body.encode()
        return http_call(self.http_port, method, path, body, {**known, **(headers or {})}, timeout=timeout)

    def get(self, path, **how):
        return self.http("GET", path, **how)

    def post(self, path, body=None, **how):
        return self.http("POST", path, body, **how)

    def upload(self, picture, pic_name="face.jpg", topic="door", time="20200731110320", **how):
        query = urllib.parse.urlencode({"pic_name": pic_name, "topic": topic, "time": time})
        boundary = "0f5a7cbe24a84a7c8d4d"
        body = (f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{pic_name}"\r\n'
                f"Content-Type: application/octet-stream\r\n\r\n").encode() + picture + \
            f"\r\n--{boundary}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self.post(f"/upload?{query}", body, headers={**kind, **how.pop("headers", {})}, **how)

    def counters(self):
        return self.get("/api/v1/status").json["counters"]

    def counted(self, name, before, timeout=10):
        """Waits until that counter is above what it was in `before`."""
        return eventually(lambda: self.counters()[name] > before[name], timeout, f"{name} counted")

    # MQTT.

    def peer(self, topics=(), **how):
        peer = Peer(self.mqtt_port, topics, **how)
        self._peers.append(peer)
        return peer

    @property
    def watch(self):
        """An ear on every topic."""
        if not self._watch:
            self._watch = self.peer(["#"])
        return self._watch

    def say(self, payload, topic="toserver", **how):
        self.watch.publish(topic, payload, **how)

    def settle(self):
        """Returns when all that was said before has had its effect and been heard by the watch. Twice,
        since what leaves at QoS 2 is let go by the broker one round later than what leaves at 1."""
        for _ in range(2):
            ear = self.watch
            seen = ear.count()
            ear.publish("toserver", "add_device settle settle settle-app settle-app now")
            ear.wait(lambda m: m.topic == "settle", since=seen)

    def board(self, device=None, topic=None, app=None, app_topic=None, answer="0"):
        """A board in the old dialect that has hand-shaken. answer None: it never answers."""
        device = device or fresh("dev")
        board = Board(self.mqtt_port, device, topic or device, app or f"{device}-app",
                      app_topic or app or f"{device}-app", answer)
        self._peers.append(board)
        board.hand_shake()
        return board


class Board(Peer):
    """The ESP8266 lock: hears its topic, answers to the app's topic."""

    def __init__(self, port, device, topic, app, app_topic, answer="0"):
        self.device, self.topic, self.app, self.app_topic = device, topic, app, app_topic
        self.answer = answer
        super().__init__(port, [topic], on_message=self._obey)

    def hand_shake(self):
        seen = self.count()
        self.publish("toserver", f"add_device {self.device} {self.topic} {self.app} {self.app_topic} 20200731110320")
        answer = self.wait(lambda m: m.text.startswith("hand_shake "), since=seen)
        assert answer.text == f"hand_shake {self.app} {self.device} 0"

    def _obey(self, message):
        if message.text in ("lock", "unlock") and self.answer is not None:
            self.respond(message.text)

    def respond(self, word, state=None, topic=None):
        state = self.answer if state is None else state
        self.publish(topic or self.app_topic, f"{word}_response {state} {self.device} {self.app}", wait=False)

    def orders(self):
        """What it was ordered, once it has heard all that the broker has for it by now."""
        mark = fresh("mark")
        self.publish(self.topic, mark, qos=2)
        self.wait(lambda m: m.text == mark)
        return self.orders_so_far()

    def orders_so_far(self):
        return [m.text for m in self.messages if m.text in ("lock", "unlock")]

    def wait_orders(self, *orders, timeout=10):
        eventually(lambda: self.orders_so_far() == list(orders), timeout, f"orders {orders}, had {self.orders_so_far()}")


class Mosquitto:
    """A broker that is not the server's own."""

    def __init__(self, port=None, start=True, lines=()):
        self.port = port or free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-broker-"))
        self.conf = self.folder / "mosquitto.conf"
        self.conf.write_text("\n".join([
            f"listener {self.port} 127.0.0.1", "allow_anonymous true", "persistence false",
            "set_tcp_nodelay true", *(["user root"] if os.geteuid() == 0 else []), *lines, ""]))
        self.process = None
        if start:
            self.start()

    @property
    def address(self):
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self):
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self.process = subprocess.Popen([program, "-c", str(self.conf)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(lambda: port_answers(self.port), 10, "the broker beside")

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
