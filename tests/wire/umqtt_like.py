# SPDX-License-Identifier: MIT
"""A client that behaves as MicroPython's old umqtt.simple does: MQTT 3.1.1, it subscribes at QoS 2,
and when a QoS 2 message comes it calls its callback and then stops at an assertion."""

import socket
import struct


class UmqttLike:
    def __init__(self, port, client_id):
        self.sock = socket.create_connection(("127.0.0.1", port), 10)
        body = b"\x00\x04MQTT\x04\x02\x00\x3c" + self._text(client_id)
        self.sock.sendall(b"\x10" + bytes([len(body)]) + body)
        assert self._read(4) == b"\x20\x02\x00\x00"

    @staticmethod
    def _text(text):
        return struct.pack(">H", len(text)) + text.encode()

    def _read(self, n):
        data = b""
        while len(data) < n:
            got = self.sock.recv(n - len(data))
            if not got:
                raise OSError("the broker closed")
            data += got
        return data

    def subscribe(self, topic, qos=2):
        body = b"\x00\x01" + self._text(topic) + bytes([qos])
        self.sock.sendall(b"\x82" + bytes([len(body)]) + body)
        answer = self._read(5)
        assert answer[0] == 0x90 and answer[4] != 0x80

    def publish(self, topic, payload):
        body = self._text(topic) + payload.encode()
        assert len(body) < 128
        self.sock.sendall(b"\x30" + bytes([len(body)]) + body)

    def wait_msg(self, callback):
        first, size, shift = self._read(1)[0], 0, 0
        while True:
            byte = self._read(1)[0]
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        body, qos = self._read(size), (first >> 1) & 3
        assert first & 0xF0 == 0x30, f"not a message: {first:#x}"
        end = 2 + struct.unpack(">H", body[:2])[0]
        callback(body[2:end], body[end + (2 if qos else 0):])
        if qos == 1:
            self.sock.sendall(b"\x40\x02" + body[end:end + 2])
        assert qos < 2, "a QoS 2 message stops this client"

    def close(self):
        self.sock.close()
