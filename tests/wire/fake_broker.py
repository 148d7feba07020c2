# SPDX-License-Identifier: MIT
"""A broker for one client that does as the test says: MQTT 5 (OASIS, 2019) spelled out in bytes. It
keeps every packet it was sent, answers what it isn't told to withhold, and can speak first."""

import collections
import contextlib
import socket
import struct
import threading
import time

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 1, 2, 3, 4, 5, 6, 7
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = 8, 9, 10, 11, 12, 13, 14
NAMES = {v: k for k, v in list(globals().items()) if isinstance(v, int)}

Packet = collections.namedtuple("Packet", "name at link fields")
Subscription = collections.namedtuple("Subscription", "topic qos no_local retain_as_published handling")


def number(n):
    out = b""
    while True:
        n, low = n >> 7, n & 0x7F
        out += bytes([low | (0x80 if n else 0)])
        if not n:
            return out


def text(t):
    t = t.encode() if isinstance(t, str) else t
    return struct.pack(">H", len(t)) + t


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        self.at += n
        assert self.at <= len(self.data), "packet cut short"
        return self.data[self.at - n:self.at]

    def u8(self):
        return self.take(1)[0]

    def u16(self):
        return struct.unpack(">H", self.take(2))[0]

    def u32(self):
        return struct.unpack(">I", self.take(4))[0]

    def bytes(self):
        return self.take(self.u16())

    def text(self):
        return self.bytes().decode()

    def number(self):
        out = shift = 0
        while True:
            byte = self.u8()
            out |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return out

    def more(self):
        return self.at < len(self.data)

    def properties(self):
        """{number: value}; user properties (38) as a list of pairs."""
        end, found = self.number() + self.at, {}
        while self.at < end:
            kind = self.number()
            if kind == 38:
                found.setdefault(38, []).append((self.text(), self.text()))
            elif kind in (1, 23, 25, 36, 37, 40, 41, 42):
                found[kind] = self.u8()
            elif kind in (19, 33, 34, 35):
                found[kind] = self.u16()
            elif kind in (2, 17, 24, 39):
                found[kind] = self.u32()
            elif kind == 11:
                found[kind] = self.number()
            else:
                found[kind] = self.bytes()
        return found


class FakeBroker:
    """withhold: names of answers that are not given ("SUBACK", "PUBREC", "PUBCOMP", "CONNACK").
    deaf_topics: publishes there are not acknowledged."""

    def __init__(self, withhold=(), port=0):
        self.withhold = set(withhold)
        self.deaf_topics = set()
        self.packets = []
        self.connection = None
        self.links = 0
        self._news = threading.Condition()
        self._pid = 0
        self._server = socket.create_server(("127.0.0.1", port))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self):
        return f"mqtt://127.0.0.1:{self.port}"

    def close(self):
        self._server.close()
        self.cut()

    def cut(self):
        """Ends the present connection without a word."""
        if self.connection:
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    # What came.

    def all(self, name, **fields):
        with self._news:
            return [p for p in self.packets if p.name == name
                    and all(p.fields.get(k) == v for k, v in fields.items())]

    def wait(self, name, timeout=10, count=1, **fields):
        """The count-th packet of that name with those fields."""
        end = time.monotonic() + timeout
        while True:
            found = self.all(name, **fields)
            if len(found) >= count:
                return found[count - 1]
            with self._news:
                left = end - time.monotonic()
                assert left > 0, f"no {name} {fields}; came: {[(p.name, p.fields) for p in self.packets[-15:]]}"
                self._news.wait(min(left, 0.1))

    # What goes.

    def send(self, kind, body, flags=0):
        with contextlib.suppress(OSError):
            self.connection.sendall(bytes([kind << 4 | flags]) + number(len(body)) + body)

    def publish(self, topic, payload, qos=1, retain=False, dup=False):
        """A message to the server; returns its packet number."""
        self._pid += 1
        payload = payload.encode() if isinstance(payload, str) else payload
        head = text(topic) + (struct.pack(">H", self._pid) if qos else b"") + b"\0"
        self.send(PUBLISH, head + payload, qos << 1 | retain | dup << 3)
        return self._pid

    def acknowledge(self, name, pid):
        kind = {v: k for k, v in NAMES.items()}[name]
        self.send(kind, struct.pack(">H", pid), 2 if kind == PUBREL else 0)

    # The wire.

    def _accept(self):
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.links += 1
            self.connection = connection
            threading.Thread(target=self._serve, args=(connection, self.links), daemon=True).start()

    def _serve(self, connection, link):
        stream = connection.makefile("rb")
        with contextlib.suppress(OSError, IndexError, ValueError):
            while True:
                first = stream.read(1)[0]
                size = shift = 0
                while True:
                    byte = stream.read(1)[0]
                    size |= (byte & 0x7F) << shift
                    shift += 7
                    if not byte & 0x80:
                        break
                self._take(link, first >> 4, first & 15, Reader(stream.read(size)))
        self._keep(link, "CLOSED", {})

    def _keep(self, link, name, fields):
        with self._news:
            self.packets.append(Packet(name, time.monotonic(), link, fields))
            self._news.notify_all()

    def _take(self, link, kind, flags, reader):
        name = NAMES[kind]
        fields = getattr(self, "_parse_" + name.lower(), self._parse_numbered)(flags, reader)
        self._keep(link, name, fields)
        answer = {CONNECT: CONNACK, SUBSCRIBE: SUBACK, UNSUBSCRIBE: UNSUBACK, PUBREL: PUBCOMP,
                  PINGREQ: PINGRESP}.get(kind)
        if kind == PUBLISH and fields["qos"] and fields["topic"] not in self.deaf_topics:
            answer = PUBACK if fields["qos"] == 1 else PUBREC
        if kind == PUBREC:
            answer = PUBREL
        if answer and NAMES[answer] not in self.withhold:
            self._answer(answer, fields)

    def _answer(self, kind, fields):
        if kind == CONNACK:
            self.send(kind, b"\0\0\0")
        elif kind == PINGRESP:
            self.send(kind, b"")
        elif kind in (SUBACK, UNSUBACK):
            codes = bytes(s.qos if kind == SUBACK else 0 for s in fields["topics"])
            self.send(kind, struct.pack(">H", fields["pid"]) + b"\0" + codes)
        else:
            self.acknowledge(NAMES[kind], fields["pid"])

    @staticmethod
    def _parse_connect(_flags, reader):
        fields = {"protocol": reader.text(), "level": reader.u8()}
        flags = reader.u8()
        fields.update(clean=bool(flags & 2), keepalive=reader.u16(), properties=reader.properties(),
                      client_id=reader.text(), will=bool(flags & 4))
        if flags & 4:
            fields.update(will_properties=reader.properties(), will_topic=reader.text(),
                          will_payload=reader.bytes())
        if flags & 128:
            fields["username"] = reader.text()
        if flags & 64:
            fields["password"] = reader.bytes()
        return fields

    @staticmethod
    def _parse_publish(flags, reader):
        qos = flags >> 1 & 3
        fields = {"qos": qos, "retain": bool(flags & 1), "dup": bool(flags & 8), "topic": reader.text()}
        fields["pid"] = reader.u16() if qos else None
        fields["properties"] = reader.properties()
        fields["payload"] = reader.data[reader.at:]
        return fields

    @staticmethod
    def _parse_subscribe(_flags, reader):
        pid, _, topics = reader.u16(), reader.properties(), []
        while reader.more():
            topic, options = reader.text(), reader.u8()
            topics.append(Subscription(topic, options & 3, bool(options & 4), bool(options & 8), options >> 4 & 3))
        return {"pid": pid, "topics": topics}

    @staticmethod
    def _parse_unsubscribe(_flags, reader):
        pid, _, topics = reader.u16(), reader.properties(), []
        while reader.more():
            topics.append(Subscription(reader.text(), 0, False, False, 0))
        return {"pid": pid, "topics": topics}

    @staticmethod
    def _parse_numbered(_flags, reader):
        fields = {"pid": reader.u16()} if reader.more() else {}
        fields["reason"] = reader.u8() if reader.more() else 0
        return fields

    @staticmethod
    def _parse_pingreq(_flags, _reader):
        return {}

    @staticmethod
    def _parse_disconnect(_flags, reader):
        return {"reason": reader.u8() if reader.more() else 0}
