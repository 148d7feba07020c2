# SPDX-License-Identifier: MIT
"""CONTRACT 1.3: /upload and /get_pic."""

import os
import urllib.parse

import pytest

import pictures
import raw_http
from house import eventually, fresh


def get_pic(house, **query):
    return house.get("/get_pic" + ("?" + urllib.parse.urlencode(query) if query else ""))


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_picture_is_404(make_house, method):
    assert make_house("http.auth=none").http(method, "/get_pic").status == 404


@pytest.mark.parametrize("make, kind", [(pictures.jpeg, "image/jpeg"), (pictures.png, "image/png")])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_newest_picture_comes_back_byte_for_byte(make_house, make, kind, method):
    house = make_house("http.auth=none")
    for text in ("older", "newer"):
        answer = house.upload(make(text))
        assert answer == (200, "0") and answer.type == "text/plain"
    answer = house.http(method, "/get_pic")
    assert (answer.status, answer.type, answer.body) == (200, kind, make("newer"))


def test_the_newest_under_a_name_a_topic_and_a_time(house):
    name, topic = fresh("pic") + ".jpg", fresh("door")
    for time, text in (("1", "a"), ("1", "b"), ("2", "c")):
        house.upload(pictures.jpeg(name + text), pic_name=name, topic=topic, time=time)
    house.upload(pictures.jpeg(name + "elsewhere"), pic_name=name, topic=fresh("door"), time="1")
    house.upload(pictures.jpeg("another"))
    assert get_pic(house, pic_name=name, topic=topic, time="1").body == pictures.jpeg(name + "b")
    assert get_pic(house, pic_name=name, topic=topic, time="2").body == pictures.jpeg(name + "c")
    assert get_pic(house, pic_name=name, topic=topic, time="3").status == 404
    form = urllib.parse.urlencode({"pic_name": name, "topic": topic, "time": "1"})
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert house.post("/get_pic", form, headers=kind).body == pictures.jpeg(name + "b")
    assert get_pic(house, pic_name=fresh("other"), topic=topic, time="1").status == 404


NOT_A_PICTURE = {
    "empty": b"", "text": b"hello", "only a start": b"\xff\xd8", "no frame header": b"\xff\xd8\xff\xd9",
    "width 0": pictures.jpeg("x", 8, 8).replace(b"\x08\x00\x08\x00\x08\x01", b"\x08\x00\x08\x00\x00\x01"),
    "height 0": pictures.jpeg("x", 8, 8).replace(b"\x08\x00\x08\x00\x08\x01", b"\x08\x00\x00\x00\x08\x01"),
    "GIF": b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "PNG of width 0": pictures.png("x", 0, 2),
    "PNG of height 0": pictures.png("x", 2, 0), "PNG of 65536": pictures.png("x", 65536, 0)[:60],
    "cut PNG": pictures.png()[:12], "a raw frame and one byte": bytes(3 * 640 * 480 + 1),
    "a raw frame less one byte": bytes(3 * 640 * 480 - 1), "SVG": b"<svg onload='alert(1)'/>",
    "HTML that starts like a JPEG": b"\xff\xd8\xff<script>alert(1)</script>",
}


@pytest.mark.parametrize("data", NOT_A_PICTURE.values(), ids=NOT_A_PICTURE.keys())
def test_what_is_no_picture_is_a_1_and_not_kept(house, data):
    name = fresh("pic")
    assert house.upload(data, pic_name=name) == (200, "1")
    assert get_pic(house, pic_name=name, topic="door", time="20200731110320").status == 404


@pytest.mark.parametrize("width, height", [(640, 480), (1280, 720), (1920, 1080)])
def test_the_existing_cameras_raw_frame_becomes_a_jpeg(house, width, height):
    name = fresh("frame")
    frame = bytes((x * 7) & 255 for x in range(3 * width)) * height
    assert house.upload(frame, pic_name=name) == (200, "0")
    answer = get_pic(house, pic_name=name, topic="door", time="20200731110320")
    assert answer.type == "image/jpeg"
    assert pictures.jpeg_size(answer.body) == (width, height)
    assert len(answer.body) < len(frame)


def test_raw_frames_of_other_sizes_can_be_configured(make_house):
    house = make_house('alerts.raw_frames=["32x16"]', "http.auth=none")
    assert house.upload(bytes(3 * 32 * 16)) == (200, "0")
    assert pictures.jpeg_size(house.get("/get_pic").body) == (32, 16)
    assert house.upload(bytes(3 * 640 * 480)) == (200, "1")


def test_one_byte_over_the_limit_is_413_as_soon_as_the_length_is_known(make_house):
    house = make_house("http.max_upload_mb=1", "http.auth=none")
    most = (1 << 20) + (64 << 10)  # the picture, and what a multipart body may have beside it
    answers = [raw_http.exchange(house.http_port, raw_http.request(
        "POST", "/upload?pic_name=a&topic=b&time=c",
        ["Content-Type: multipart/form-data; boundary=xyz", f"Content-Length: {length}"]), timeout=1)
        for length in (most, most + 1)]
    assert [a.statuses for a in answers] == [[], [413]]


def test_the_largest_picture_is_the_configured_one(make_house):
    house = make_house("http.max_upload_mb=1", "http.auth=none")
    fits = pictures.jpeg("fits")
    fits += bytes((1 << 20) - len(fits))
    assert house.upload(fits) == (200, "0")
    assert house.upload(fits + b"x").status == 413
    assert house.get("/get_pic").body == fits


def test_a_body_without_a_length_over_the_limit_is_413_or_cut(make_house):
    house = make_house("http.max_upload_mb=1", "http.auth=none")
    head = raw_http.request("POST", "/upload?pic_name=a&topic=b&time=c",
                            ["Content-Type: multipart/form-data; boundary=xyz", "Transfer-Encoding: chunked"])
    part = b'--xyz\r\nContent-Disposition: form-data; name="f"; filename="a.jpg"\r\n\r\n' + pictures.jpeg()
    block = b"10000\r\n" + bytes(65536) + b"\r\n"
    with raw_http.connect(house.http_port) as s:
        raw_http.send_pieces(s, head + b"%x\r\n%b\r\n" % (len(part), part) + block * 40, 65536)
        answer = raw_http.read_answer(s)
    assert answer.statuses in ([413], []) and answer.closed
    assert house.get("/get_pic").status == 404


def multipart(boundary, *parts, end=True):
    out = b""
    for headers, data in parts:
        out += f"--{boundary}\r\n{headers}\r\n\r\n".encode() + data + b"\r\n"
    return out + (f"--{boundary}--\r\n".encode() if end else b"")


def post_parts(house, name, body, kind="multipart/form-data; boundary=xyz"):
    return house.post(f"/upload?pic_name={name}&topic=t&time=1", body, headers={"Content-Type": kind})


FILE = 'Content-Disposition: form-data; name="file"; filename="a.jpg"'


def test_the_first_file_part_counts(house):
    name = fresh("pic")
    body = multipart("xyz", ('Content-Disposition: form-data; name="note"', b"hello"), (FILE, pictures.jpeg("first")),
                     (FILE.replace("a.jpg", "b.jpg"), pictures.jpeg("second")))
    assert post_parts(house, name, body) == (200, "0")
    assert get_pic(house, pic_name=name, topic="t", time="1").body == pictures.jpeg("first")


def test_a_chunked_upload_is_taken(house):
    name = fresh("pic")
    body = multipart("xyz", (FILE, pictures.jpeg(name)))
    pieces = b"".join(b"%x\r\n%b\r\n" % (len(body[i:i + 7]), body[i:i + 7]) for i in range(0, len(body), 7)) + b"0\r\n\r\n"
    head = raw_http.request("POST", f"/upload?pic_name={name}&topic=t&time=1", [
        "Content-Type: multipart/form-data; boundary=xyz", "Transfer-Encoding: chunked",
        f"Authorization: Bearer {house.token}"])
    answer = raw_http.exchange(house.http_port, head + pieces)
    assert answer.statuses == [200] and b"\r\n0" in answer.raw
    assert get_pic(house, pic_name=name, topic="t", time="1").body == pictures.jpeg(name)


def test_an_upload_byte_by_byte_is_taken(house):
    name, body = fresh("pic"), multipart("xyz", (FILE, pictures.jpeg("slow")))
    data = raw_http.request("POST", f"/upload?pic_name={name}&topic=t&time=1", [
        "Content-Type: multipart/form-data; boundary=xyz", f"Authorization: Bearer {house.token}"], body)
    answer = raw_http.exchange(house.http_port, data, piece=1)
    assert answer.statuses == [200]
    assert get_pic(house, pic_name=name, topic="t", time="1").body == pictures.jpeg("slow")


PICTURE = pictures.jpeg("broken")
BROKEN = {
    "no final boundary": multipart("xyz", (FILE, PICTURE), end=False),
    "cut in the boundary": multipart("xyz", (FILE, PICTURE))[:-6],
    "cut in the picture": multipart("xyz", (FILE, PICTURE))[:-40],
    "another boundary": multipart("abc", (FILE, PICTURE)),
    "no file part": multipart("xyz", ('Content-Disposition: form-data; name="a"', PICTURE)),
    "no parts": b"--xyz--\r\n", "nothing": b"", "no headers": b"--xyz\r\n\r\n" + PICTURE + b"\r\n--xyz--\r\n",
    "the picture alone": PICTURE,
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_body_is_refused_and_nothing_is_kept(house, body):
    name = fresh("pic")
    answer = post_parts(house, name, body)
    assert answer.status == 400 or answer == (200, "1")
    assert get_pic(house, pic_name=name, topic="t", time="1").status == 404


@pytest.mark.parametrize("kind", ["text/plain", "image/jpeg", "multipart/form-data", "multipart/form-data; boundary=",
                                  "multipart/mixed; boundary=xyz"])
def test_a_body_of_another_kind_is_refused(house, kind):
    name = fresh("pic")
    answer = post_parts(house, name, multipart("xyz", (FILE, PICTURE)), kind)
    assert answer.status in (400, 415) or answer == (200, "1")
    assert get_pic(house, pic_name=name, topic="t", time="1").status == 404


@pytest.mark.parametrize("file_name", ["../../../etc/passwd", "/etc/passwd", "..\\..\\x", "a/../../b", "x" * 500])
def test_the_clients_file_name_is_never_a_path(make_house, file_name):
    house = make_house("http.auth=none")
    body = multipart("xyz", (FILE.replace("a.jpg", file_name), pictures.jpeg("name")))
    assert post_parts(house, "p", body) == (200, "0")
    query = urllib.parse.quote(file_name, safe="")
    house.post(f"/upload?pic_name={query}&topic={query}&time=1", body, headers={"Content-Type": "multipart/form-data; boundary=xyz"})
    below = {p for p in house.folder.rglob("*") if p.is_file() and p.read_bytes() == pictures.jpeg("name")}
    assert below and all(house.data_dir / "pictures" in p.parents for p in below)
    assert all(len(p.name) == 32 for p in below)


def test_an_upload_that_ends_half_way_leaves_nothing(house):
    data = raw_http.request("POST", "/upload?pic_name=half&topic=t&time=1", [
        "Content-Type: multipart/form-data; boundary=xyz", f"Authorization: Bearer {house.token}",
        "Content-Length: 100000"], b'--xyz\r\n' + FILE.encode() + b"\r\n\r\n" + pictures.jpeg("half") + bytes(20000))
    with raw_http.connect(house.http_port) as s:
        s.sendall(data)
    eventually(lambda: not temporary_files(house))
    assert get_pic(house, pic_name="half", topic="t", time="1").status == 404


def temporary_files(house):
    """Files below the data folder that hold picture bytes but are no kept picture."""
    kept = {p["id"] for p in house.export()["pictures"]}
    return [p for p in (house.data_dir / "pictures").rglob("*") if p.is_file() and p.name not in kept]


def test_what_a_crash_left_is_swept_at_the_next_start(make_house):
    house = make_house("http.auth=none")
    assert house.upload(pictures.jpeg("kept")) == (200, "0")
    (file,) = [p for p in (house.data_dir / "pictures").rglob("*") if p.is_file()]
    house.stop()
    orphan = file.parent / (file.name[:2] + "0" * 30)
    orphan.write_bytes(b"\xff\xd8orphan")
    house.start()
    eventually(lambda: not orphan.exists())
    assert house.get("/get_pic").body == pictures.jpeg("kept")


def test_a_picture_whose_file_is_gone_is_404_after_a_restart(make_house):
    house = make_house("http.auth=none")
    house.upload(pictures.jpeg("lost"))
    house.stop()
    for file in (house.data_dir / "pictures").rglob("*"):
        if file.is_file():
            file.unlink()
    house.start()
    assert house.get("/get_pic").status == 404


def test_the_oldest_pictures_go_when_the_limit_is_reached_and_the_log_says_so(make_house):
    house = make_house("retention.pictures_mb=1", "http.auth=none")
    filler = os.urandom(300_000)
    def big(text):
        return pictures.jpeg(text)[:-2] + filler.replace(b"\xff", b"\xfe") + b"\xff\xd9"
    for n in range(5):
        assert house.upload(big(f"p{n}"), pic_name=f"p{n}") == (200, "0")
    eventually(lambda: get_pic(house, pic_name="p0", topic="door", time="20200731110320").status == 404, 20)
    assert get_pic(house, pic_name="p4", topic="door", time="20200731110320").body == big("p4")
    house.wait_log(r"retention|over the limit|oldest|removed")
    eventually(lambda: sum(p.stat().st_size for p in (house.data_dir / "pictures").rglob("*") if p.is_file()) <= 1 << 20)


def test_pictures_that_are_too_old_go(make_house):
    house = make_house("retention.pictures_days=2", "http.auth=none")
    for name in ("old", "new"):
        assert house.upload(pictures.jpeg(name), pic_name=name) == (200, "0")
    house.age("pictures", "created_at", 1, "name = 'new'")
    house.age("pictures", "created_at", 3, "name = 'old'")
    eventually(lambda: [p["name"] for p in house.records("pictures")] == ["new"])
    house.wait_log("1 older than 2.0 days")
    assert get_pic(house, pic_name="old").status == 404
    assert get_pic(house, pic_name="new").status == 200


def test_pictures_belong_to_the_owner_alone(make_house):
    house = make_house("http.auth=none")
    house.upload(pictures.jpeg("mine"))
    modes = {oct(p.stat().st_mode & 0o077) for p in (house.data_dir / "pictures").rglob("*") if p.is_file()}
    assert modes == {"0o0"}
