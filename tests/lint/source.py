# SPDX-License-Identifier: MIT
"""Checks of the text of the C files: who may include what, banned functions, lengths, leftover words.

    source.py CHECK [ROOT]

CHECK is one of the names in CHECKS. Each message is one line "file:line: what is wrong"; the status
is 1 when there was any. Knows C only as far as comments, literals and functions in our own format.
"""

import os
import re
import subprocess
import sys

FILE_LINES = 500
FUNCTION_LINES = 70

# The arrow: main -> server, mqtt -> actions -> state -> server/base. A folder on the left may include
# what starts with one of the texts on the right; its own private headers nobody else.
ROOMS = {
    "server/base/": ("server/base/",),
    "state/": ("server/base/", "state/"),
    "actions/": ("server/base/", "state/", "actions/"),
    # What came by MQTT is judged by what the registry knows; the store and its rows are not for this room.
    "mqtt/": (
        "server/base/",
        "actions/action.h",
        "actions/command.h",
        "actions/alert.h",
        "state/turn.h",
        "state/registry.h",
        "state/records.h",
        "mqtt/",
    ),
    "server/": ("server/", "state/", "actions/", "mqtt/"),
    "tests/simulator/": ("server/base/", "tests/simulator/"),
}
PRIVATE = re.compile(r"_(priv|private|own)\.h$")

# Headers of libraries, and the files that may include them (the tests outside the simulator may all).
LIBRARIES = {
    r"sqlite3\.h": r"state/",
    r"mosquitto(_plugin|_broker)?\.h|mqtt_protocol\.h": r"mqtt/|tests/simulator/",
    r"microhttpd\.h": r"server/http[a-z_]*\.c|server/http_priv\.h",
    r"cjson/.*|cJSON\.h": r"server/base/json[a-z_]*\.c",
    r"uv\.h": r"mqtt/|server/(?!base/)|tests/simulator/",
    r"sodium\.h": r"server/base/secret\.c",
    r"jpeglib\.h|jerror\.h": r"state/picture|tests/simulator/",
    r"openssl/.*": r"mqtt/|tests/simulator/",
    r"curl/.*": r"server/(?!base/)|tests/simulator/",
}

BANNED = {
    "sprintf": "snprintf",
    "vsprintf": "vsnprintf",
    "strcpy": "text_copy",
    "strcat": "a struct buf or snprintf",
    "strncat": "a struct buf or snprintf",
    "strncpy": "text_copy",
    "atoi": "strtol",
    "atol": "strtol",
    "atoll": "strtoll",
    "atof": "strtod",
    "strtok": "strcspn",
    "gets": "fgets",
    "system": "a child process without a shell",
    "popen": "a child process without a shell",
    "alloca": "malloc or a bounded array",
    "tmpnam": "mkstemp",
    "mktemp": "mkstemp",
}

# Put together here so that this file does not find itself.
LEFTOVERS = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3]) + r")\b")

TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""",
    re.DOTALL,
)
TEXT_FILES = (".c", ".h", ".py", ".sh", ".js", ".css", ".html", ".md", ".json", ".yml", ".example")


def blank(text, literals=True):
    """The text with comments (and literals) as spaces, lines kept."""

    def spaces(match):
        if not literals and match.group()[0] in "\"'":
            return match.group()
        return re.sub(r"[^\n]", " ", match.group())

    return TOKEN.sub(spaces, text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def room_of(path):
    return max((room for room in ROOMS if path.startswith(room)), key=len, default=None)


def may_include(path, room, header):
    if room == "server/" and header.startswith("server/base/"):
        return not PRIVATE.search(header)
    if PRIVATE.search(header):
        return os.path.dirname(path) == os.path.dirname(header)
    return header.startswith(ROOMS[room])


def includes(text):
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]*)[>"]', blank(text, literals=False), re.M):
        yield line_of(text, match.start()), match.group(1), match.group(2)


def check_arrow(path, text):
    room = room_of(path)
    if room is None:
        return
    for line, kind, header in includes(text):
        if kind == '"' and not may_include(path, room, header):
            yield line, f"{room} must not include {header}"
        elif kind == '"' and not re.match(r"(server|state|actions|mqtt|tests)/", header):
            yield line, f'"{header}" is not written from the root'
        for library, allowed in LIBRARIES.items():
            if kind == "<" and re.fullmatch(library, header) and not re.match(allowed, path):
                yield line, f"<{header}> is not for this file (only {allowed})"


def check_order(path, text):
    """A file's own header comes first, which proves that it needs no other."""
    own = path[:-2] + ".h"
    headers = [(line, header) for line, kind, header in includes(text) if kind in '"<']
    named = [line for line, header in headers if header == own]
    if path.endswith(".c") and named and headers[0][1] != own:
        yield named[0], f"{own} must be the first include"


def check_banned(path, text):
    code = blank(text)
    for match in re.finditer(r"\b(" + "|".join(BANNED) + r")\s*\(", code):
        before = code[: match.start()].rstrip()
        if before.endswith((".", "->")):  # a member of that name
            continue
        name = match.group(1)
        yield line_of(code, match.start()), f"{name}() is banned; use {BANNED[name]}"


def check_file_length(path, text):
    lines = text.count("\n")
    if lines > FILE_LINES:
        yield lines, f"{lines} lines, more than {FILE_LINES}"


def check_function_length(path, text):
    """In our format a function's braces stand alone in the first column."""
    start = None
    for number, line in enumerate(blank(text).split("\n"), 1):
        if line.rstrip() == "{":
            start = number
        elif line.rstrip() == "}" and start:
            if number - start + 1 > FUNCTION_LINES:
                yield start, f"a function of {number - start + 1} lines, more than {FUNCTION_LINES}"
            start = None


def check_spdx(path, text):
    if not re.match(r"/\* SPDX-License-Identifier: MIT( \*/)?\n", text):
        yield 1, "does not start with its SPDX line"


def check_leftovers(path, text):
    for match in LEFTOVERS.finditer(text):
        yield line_of(text, match.start()), f"{match.group()} is left over"


CHECKS = {
    "arrow": (check_arrow, (".c", ".h")),
    "order": (check_order, (".c", ".h")),
    "banned": (check_banned, (".c", ".h")),
    "file-length": (check_file_length, (".c", ".h")),
    "function-length": (check_function_length, (".c", ".h")),
    "spdx": (check_spdx, (".c", ".h")),
    "leftovers": (check_leftovers, TEXT_FILES),
}


def files(root, endings):
    """What git knows or would take; in a plain copy, all."""
    listed = subprocess.run(
        ["git", "-C", root, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True
    )
    if listed.returncode == 0:
        names = listed.stdout.split("\n")
    else:
        names = [
            os.path.relpath(os.path.join(folder, name), root) for folder, _, found in os.walk(root) for name in found
        ]
    for name in sorted(set(names)):
        full = os.path.join(root, name)
        if (name.endswith(endings) or name == "Makefile") and os.path.isfile(full):
            with open(full, encoding="utf-8", errors="replace") as file:
                yield name, file.read()


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in CHECKS:
        print("usage: source.py " + "|".join(CHECKS) + " [ROOT]", file=sys.stderr)
        return 2
    check, endings = CHECKS[sys.argv[1]]
    root = sys.argv[2] if len(sys.argv) == 3 else "."
    wrong = 0
    for path, text in files(root, endings):
        if path == "Makefile" and endings is not TEXT_FILES:
            continue
        for line, what in check(path, text):
            print(f"{path}:{line}: {what}")
            wrong += 1
    return 1 if wrong else 0


sys.exit(main())
