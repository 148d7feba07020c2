# SPDX-License-Identifier: MIT
"""Real pictures, made by hand: small, and each different."""

import struct
import zlib


def _segment(marker, body):
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def jpeg(text="", width=8, height=8):
    """A whole baseline JPEG: one grey block repeated; `text` goes into a comment."""
    blocks = -(-width // 8) * -(-height // 8)
    table = lambda kind: bytes([kind, 1]) + bytes(15) + bytes([0])
    bits = "00" * blocks
    bits += "1" * (-len(bits) % 8)
    scan = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return (b"\xff\xd8" + _segment(0xFE, b"c" + text.encode()) + _segment(0xDB, bytes([0]) + bytes([1]) * 64)
            + _segment(0xC0, struct.pack(">BHHB", 8, height, width, 1) + bytes([1, 0x11, 0]))
            + _segment(0xC4, table(0x00)) + _segment(0xC4, table(0x10))
            + _segment(0xDA, bytes([1, 1, 0x00, 0, 63, 0])) + scan + b"\xff\xd9")


def jpeg_size(data):
    """(width, height) from the frame header."""
    assert data[:2] == b"\xff\xd8", data[:16]
    at = 2
    while at + 4 <= len(data):
        marker, length = data[at + 1], struct.unpack(">H", data[at + 2:at + 4])[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5:at + 9])
            return width, height
        at += 2 + length
    raise AssertionError("no frame header")


def png(text="", width=2, height=2):
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    rows = b"".join(b"\0" + bytes(width) for _ in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
            + chunk(b"tEXt", b"Comment\0" + text.encode()) + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b""))
