# SPDX-License-Identifier: MIT
"""CONTRACT 1.6: requests that are refused. Each is sent whole and byte by byte, with a well-formed
request glued behind it, which must never be answered: that would be a request smuggled in."""

import pytest

import raw_http

SECOND = b"GET /hello HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def line(text, host="Host: 127.0.0.1\r\n"):
    return text.encode("latin-1") + b"\r\n" + host.encode() + b"\r\n"


def with_headers(*headers, body=b"", method="GET", path="/hello", host=True):
    lines = [f"{method} {path} HTTP/1.1".encode()] + ([b"Host: 127.0.0.1"] if host else [])
    lines += [h if isinstance(h, bytes) else h.encode("latin-1") for h in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


CHUNKED = "Transfer-Encoding: chunked"
BAD = (400,)
VERSION = (400, 505)  # RFC 9110 15.6.6; libmicrohttpd says it before anybody else is asked

# name: (bytes, the statuses that are right)
REFUSED = {
    # The request line.
    "version 2.0": (line("GET /hello HTTP/2.0"), VERSION),
    "version 9.9": (line("GET /hello HTTP/9.9"), VERSION),
    "version in lower case": (line("GET /hello http/1.1"), BAD),
    "a word too many": (line("GET /hello HTTP/1.1 x"), BAD),
    "no slash": (line("GET hello HTTP/1.1"), BAD),
    "NUL in the method": (line("G\0T /hello HTTP/1.1"), (400, 405)),
    "control character in the path": (line("GET /hel\x01lo HTTP/1.1"), BAD),
    "DEL in the path": (line("GET /hello\x7f HTTP/1.1"), BAD),
    "raw byte over 127 in the path": (line("GET /hell\xf6 HTTP/1.1"), BAD),
    "NUL in the path": (line("GET /hello\0x HTTP/1.1"), BAD),
    "escaped NUL": (line("GET /hello%00 HTTP/1.1"), BAD),
    "escaped NUL and more": (line("GET /hello%00.png HTTP/1.1"), BAD),
    "escaped NUL in the query": (line("GET /unlock?device=a%00b HTTP/1.1"), BAD),
    "escaped newline in the path": (line("GET /hello%0a HTTP/1.1"), BAD),
    "escaped newline in the query": (line("GET /unlock?device=a%0d%0ab HTTP/1.1"), BAD),
    "escaped DEL": (line("GET /hello%7f HTTP/1.1"), BAD),
    "half an escape": (line("GET /hello%2 HTTP/1.1"), BAD),
    "no hex in an escape": (line("GET /hello%zz HTTP/1.1"), BAD),
    "escaped invalid UTF-8": (line("GET /hell%ff HTTP/1.1"), BAD),
    "overlong slash": (line("GET /..%c0%afetc HTTP/1.1"), BAD),
    "dot dot": (line("GET /../hello HTTP/1.1"), BAD),
    "dot dot at the end": (line("GET /hello/.. HTTP/1.1"), BAD),
    "dot dot escaped": (line("GET /%2e%2e/hello HTTP/1.1"), BAD),
    "dot dot half escaped": (line("GET /.%2E/hello HTTP/1.1"), BAD),
    "dot dot slash escaped": (line("GET /..%2fhello HTTP/1.1"), BAD),
    "dot dot backslash": (line("GET /..\\hello HTTP/1.1"), BAD),
    "dot dot backslash escaped": (line("GET /..%5chello HTTP/1.1"), BAD),
    "dot dot escaped twice": (line("GET /%252e%252e/hello HTTP/1.1"), (400, 404)),
    "address of 20 KB": (line("GET /" + "x" * 20000 + " HTTP/1.1"), (400, 414, 431)),
    # Host.
    "no Host": (with_headers(host=False), BAD),
    "two Hosts": (with_headers("Host: 127.0.0.1"), BAD),
    "two different Hosts": (with_headers("Host: evil.example"), BAD),
    "two Hosts in two cases": (with_headers("hOST: 127.0.0.1"), BAD),
    "empty Host": (with_headers("Host:", host=False), (400, 403)),
    "Host with a space": (with_headers("Host: 127.0.0.1 evil", host=False), (400, 403)),
    "Host with a name before an at sign": (with_headers("Host: a@127.0.0.1", path="/data", host=False), (400, 403)),
    "Host with a NUL": (with_headers(b"Host: 127.0.0.1\0.evil", host=False), BAD),
    # Framing.
    "two lengths": (with_headers("Content-Length: 5", "Content-Length: 6", body=b"hello", method="POST"), BAD),
    "twice the same length": (with_headers("Content-Length: 5", "Content-Length: 5", body=b"hello", method="POST"), BAD),
    "a list of lengths": (with_headers("Content-Length: 5, 5", body=b"hello", method="POST"), BAD),
    "length with a sign": (with_headers("Content-Length: +5", body=b"hello", method="POST"), BAD),
    "length below zero": (with_headers("Content-Length: -5", body=b"hello", method="POST"), BAD),
    "hexadecimal length": (with_headers("Content-Length: 0x5", body=b"hello", method="POST"), BAD),
    "length and a letter": (with_headers("Content-Length: 5a", body=b"hello", method="POST"), BAD),
    "empty length": (with_headers("Content-Length:", body=b"hello", method="POST"), BAD),
    "length over 64 bits": (with_headers("Content-Length: 99999999999999999999", method="POST"), (400, 413)),
    "length and chunks": (with_headers("Content-Length: 5", CHUNKED, body=b"0\r\n\r\n", method="POST"), BAD),
    "chunks and length": (with_headers(CHUNKED, "Content-Length: 5", body=b"0\r\n\r\n", method="POST"), BAD),
    "length with a space before the colon": (with_headers(b"Content-Length : 5", body=b"hello", method="POST"), BAD),
    "chunks with a space before the colon": (with_headers(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n", method="POST"), BAD),
    "chunked twice": (with_headers(CHUNKED, CHUNKED, body=b"0\r\n\r\n", method="POST"), BAD),
    "chunked twice in one line": (with_headers("Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n", method="POST"), BAD),
    "gzip": (with_headers("Transfer-Encoding: gzip", body=b"0\r\n\r\n", method="POST"), BAD),
    "gzip and chunked": (with_headers("Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n", method="POST"), BAD),
    "identity": (with_headers("Transfer-Encoding: identity", body=b"0\r\n\r\n", method="POST"), BAD),
    "not quite chunked": (with_headers("Transfer-Encoding: xchunked", body=b"0\r\n\r\n", method="POST"), BAD),
    "chunked after a vertical tab": (with_headers(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n", method="POST"), BAD),
    "chunks in HTTP/1.0": (b"POST /hello HTTP/1.0\r\nHost: 127.0.0.1\r\n" + CHUNKED.encode() + b"\r\n\r\n0\r\n\r\n", BAD),
    "chunk size in letters": (with_headers(CHUNKED, body=b"zz\r\nhello\r\n0\r\n\r\n", method="POST"), BAD),
    "chunk size below zero": (with_headers(CHUNKED, body=b"-1\r\nhello\r\n0\r\n\r\n", method="POST"), BAD),
    "chunk size over 64 bits": (with_headers(CHUNKED, body=b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n", method="POST"), (400, 413)),
    "chunk longer than said": (with_headers(CHUNKED, body=b"3\r\nhello\r\n0\r\n\r\n", method="POST"), BAD),
    # Headers.
    "folded header": (with_headers("X: a", " b"), BAD),
    "header folded with a tab": (with_headers("X: a", "\tb"), BAD),
    "folded Host": (with_headers("Host:", " 127.0.0.1", host=False), BAD),
    "space before the first header": (b"GET /hello HTTP/1.1\r\n Host: 127.0.0.1\r\n\r\n", BAD),
    "header without a colon": (with_headers("Something"), BAD),
    "header without a name": (with_headers(": x"), BAD),
    "space in a name": (with_headers("X Y: x"), BAD),
    "space before a colon": (with_headers("X : x"), BAD),
    "NUL in a name": (with_headers(b"X\0Y: x"), BAD),
    "NUL in a value": (with_headers(b"X: a\0b"), BAD),
    "control character in a value": (with_headers(b"X: a\x01b"), BAD),
    "DEL in a value": (with_headers(b"X: a\x7fb"), BAD),
    "bare CR in a value": (with_headers(b"X: a\rb"), BAD),
    "name with a byte over 127": (with_headers(b"X\xe4: a"), BAD),
    "name with a bracket": (with_headers("X(Y): a"), BAD),
    "two Authorizations": (with_headers("Authorization: Bearer a", "Authorization: Bearer b"), BAD),
    "Authorization with a NUL": (with_headers(b"Authorization: Bearer a\0b"), BAD),
    "one header of 9 KB": (with_headers("X: " + "x" * 9000), (431,)),
    "headers of 9 KB together": (with_headers(*[f"X{n}: {'x' * 40}" for n in range(200)]), (431,)),
    # Sizes.
    "a body over 64 KB": (with_headers("Content-Length: 65537", method="POST", path="/test"), (413,)),
    "a body for hello over 64 KB": (with_headers("Content-Length: 65537", method="POST"), (413,)),
    "an upload over the limit": (with_headers("Content-Length: 99999999", "Content-Type: multipart/form-data; boundary=xyz",
                                              method="POST", path="/upload"), (413,)),
    # Methods that are none.
    "an unknown method": (line("BREW /hello HTTP/1.1"), (405,)),
    "a method in lower case": (line("get /hello HTTP/1.1"), (405,)),
    "TRACE": (line("TRACE /hello HTTP/1.1"), (405,)),
    "CONNECT": (line("CONNECT 127.0.0.1:80 HTTP/1.1"), (400, 405)),
}


def test_the_table_is_long_enough():
    assert len(REFUSED) >= 60


def without_doubled_head(answer):
    """libmicrohttpd 0.9.75 writes the head of its own refusals (lengths that are no numbers) twice."""
    head = answer.raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    return answer.statuses[1:] if answer.raw.startswith(head * 2) else answer.statuses


@pytest.mark.parametrize("piece", [0, 1], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("data, right", REFUSED.values(), ids=REFUSED.keys())
def test_it_is_refused_once(open_house, data, right, piece):
    smuggled = SECOND if 405 not in right else b""
    answer = raw_http.exchange(open_house.http_port, data + smuggled, piece=piece and max(1, len(data) // 400))
    assert len(without_doubled_head(answer)) == 1, answer
    assert answer.status in right, answer
    if right == BAD:
        assert answer.closed, "400 and the connection is closed"


@pytest.mark.parametrize("word", ["lock", "unlock"])
def test_a_refused_request_moves_no_door(open_house, word):
    board = open_house.board()
    for data in (with_headers("X: a", " b", path=f"/{word}?device={board.device}"),
                 with_headers("Host: 127.0.0.1", path=f"/{word}?device={board.device}"),
                 with_headers("Content-Length: 5", CHUNKED, body=b"0\r\n\r\n", method="POST", path=f"/{word}?device={board.device}"),
                 with_headers(b"Content-Length : 50", method="POST", body=line(f"GET /{word}?device={board.device} HTTP/1.1"))):
        assert raw_http.exchange(open_house.http_port, data).statuses == [400]
    open_house.settle()
    assert board.orders() == []


def test_it_answers_on_after_all_of_that(open_house):
    for data, _ in list(REFUSED.values())[:20]:
        raw_http.exchange(open_house.http_port, data, linger=0.05)
    assert open_house.get("/hello") == (200, "hello")


def test_garbage_is_no_request(open_house):
    for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
        answer = raw_http.exchange(open_house.http_port, data + SECOND, timeout=3)
        assert answer.statuses in ([], [400], [405], [505]), answer


def test_pipelined_good_requests_are_all_answered(open_house):
    with raw_http.connect(open_house.http_port) as s:
        s.sendall(SECOND * 3)
        answer = raw_http.read_answer(s)
    assert answer.statuses == [200, 200, 200]
