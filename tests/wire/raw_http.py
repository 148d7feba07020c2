# SPDX-License-Identifier: MIT
"""HTTP as bytes on a socket: sent whole or in pieces, answered with what really came back."""

import re
import socket
import time

STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


class Answer:
    def __init__(self, raw, closed):
        self.raw, self.closed = raw, closed
        self.statuses = [int(s) for s in STATUS.findall(raw)]
        head, _, self.body = raw.partition(b"\r\n\r\n")
        self.headers = {}
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            self.headers[name.decode("latin-1").lower()] = value.strip().decode("latin-1")

    @property
    def status(self):
        return self.statuses[0] if self.statuses else None

    def __repr__(self):
        return f"<{self.statuses} closed={self.closed} {self.raw[:300]!r}>"


def connect(port, timeout=10):
    s = socket.create_connection(("127.0.0.1", port), timeout)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def send_pieces(s, data, piece):
    """False when the other side closed before all was sent."""
    try:
        if not piece:
            s.sendall(data)
        for at in range(0, len(data) if piece else 0, piece or 1):
            s.sendall(data[at:at + piece])
            time.sleep(0.0001)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def _is_whole(raw):
    head, end, body = raw.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length:\s*(\d+)", head, re.I)
    return bool(end and length and len(body) >= int(length[1]))


def read_answer(s, timeout=5, linger=0.3):
    """Reads until the other side closes; a kept connection is listened to for `linger` s more, so
    that a second answer would be heard."""
    raw, end, closed = b"", time.monotonic() + timeout, False
    while time.monotonic() < end:
        s.settimeout(max(0.01, min(end - time.monotonic(), linger if _is_whole(raw) else timeout)))
        try:
            got = s.recv(65536)
        except (socket.timeout, TimeoutError):
            break
        except ConnectionResetError:
            closed = True
            break
        if not got:
            closed = True
            break
        raw += got
    return Answer(raw, closed)


def exchange(port, data, piece=0, timeout=5, linger=0.3):
    """Sends `data` (whole, or `piece` bytes at a time) on a new connection and reads the answer."""
    with connect(port) as s:
        send_pieces(s, data, piece)
        return read_answer(s, timeout, linger)


def request(method="GET", path="/hello", headers=(), body=b"", host="127.0.0.1", version="1.1"):
    lines = [f"{method} {path} HTTP/{version}", *([f"Host: {host}"] if host else []), *headers]
    if body and not any(h.lower().startswith(("content-length", "transfer-encoding")) for h in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
