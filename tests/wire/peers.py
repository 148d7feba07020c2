# SPDX-License-Identifier: MIT
"""Boards and phones as independent MQTT clients: paho, MQTT 3.1.1. Each keeps all it hears."""

import socket
import threading
import time

import paho.mqtt.client as mqtt


class Message:
    def __init__(self, heard):
        self.topic, self.payload = heard.topic, heard.payload
        self.qos, self.retain = heard.qos, bool(heard.retain)
        self.at = time.monotonic()

    @property
    def text(self):
        return self.payload.decode("utf-8", "replace")

    def __repr__(self):
        return f"<{self.topic} qos {self.qos} {self.payload[:120]!r}>"


def _without_delay(_client, _data, sock):
    """paho leaves Nagle's algorithm on, which costs each exchange 40 ms: ours to wait for, not to test."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Peer:
    def __init__(self, port, topics=(), client_id="", clean=True, qos=2, on_message=None, wait=True):
        self.messages = []
        self.topics, self.qos = list(topics), qos
        self._extra = on_message
        self._news = threading.Condition()
        self._subscribed = threading.Event()
        self.client = mqtt.Client(client_id, clean_session=clean, protocol=mqtt.MQTTv311)
        self.client.reconnect_delay_set(0.05, 0.2)
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_disconnect = lambda *_: self._subscribed.clear()
        self.client.on_message = self._on_message
        self.client.on_socket_open = _without_delay
        self.client.connect("127.0.0.1", port, keepalive=30)
        self.client.loop_start()
        if wait:
            self.wait_here()

    def _on_connect(self, client, _data, _flags, code):
        if code == 0 and self.topics:
            client.subscribe([(topic, self.qos) for topic in self.topics])
        elif code == 0:
            self._subscribed.set()

    def _on_message(self, _client, _data, heard):
        message = Message(heard)
        with self._news:
            self.messages.append(message)
            self._news.notify_all()
        if self._extra:
            self._extra(message)

    def wait_here(self, timeout=10):
        assert self._subscribed.wait(timeout), "not connected and subscribed"

    def publish(self, topic, payload, qos=1, retain=False, wait=True):
        sent = self.client.publish(topic, payload, qos, retain)
        if wait:
            sent.wait_for_publish(10)
            assert sent.is_published(), f"{topic} {payload!r} was not taken"

    def count(self):
        return len(self.messages)

    def wait(self, match, timeout=10, since=0):
        """The first message from number `since` on for which match(message) holds."""
        end = time.monotonic() + timeout
        with self._news:
            while True:
                found = next((m for m in self.messages[since:] if match(m)), None)
                if found:
                    return found
                left = end - time.monotonic()
                assert left > 0, f"not heard in {timeout} s; heard {self.messages[-20:]}"
                self._news.wait(left)

    def on(self, topic, since=0):
        return [m for m in self.messages[since:] if m.topic == topic]

    def texts(self, topic, since=0):
        return [m.text for m in self.on(topic, since)]

    @staticmethod
    def close_all(peers):
        """At once: each may take up to a second."""
        threads = [threading.Thread(target=peer.close) for peer in peers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()
