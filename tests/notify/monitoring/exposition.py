"""A strict reader of Prometheus's text format, version 0.0.4, written from its description.

https://prometheus.io/docs/instrumenting/exposition_formats/ is the source of each rule; letter by letter,
so that it shares no regular expression with the code that it checks.
"""

from __future__ import annotations

import string

NAME_START = set(string.ascii_letters + "_:")
NAME = NAME_START | set(string.digits)
Key = tuple[str, frozenset[tuple[str, str]]]


def parse(text: str) -> dict[Key, float]:
    """Return the samples by name and labels. Raises AssertionError if the text breaks a rule."""
    assert not text or text.endswith("\n"), "the last line must end with a line feed"
    assert "\r" not in text
    samples: dict[Key, float] = {}
    helped: set[str] = set()
    typed: dict[str, str] = {}
    finished: set[str] = set()  # all lines of one metric must stand together
    current = ""
    for line in text.split("\n")[:-1]:
        assert line == line.strip()
        if line.startswith("# HELP "):
            name, _, text = line.removeprefix("# HELP ").partition(" ")
            assert name not in helped, "one HELP a metric"
            assert text
            assert "\\" not in text.replace("\\\\", "").replace("\\n", "")
            helped.add(name)
        elif line.startswith("# TYPE "):
            name, _, kind = line.removeprefix("# TYPE ").partition(" ")
            assert name not in typed, "one TYPE a metric"
            assert kind in {"counter", "gauge", "histogram", "summary", "untyped"}
            assert all(key[0] != name for key in samples), "TYPE stands before the first sample"
            typed[name] = kind
        else:
            name, labels, value = _sample(line)
            assert name in typed, f"{name} has a TYPE"
            assert name in helped, f"{name} has a HELP"
            if name != current:
                assert name not in finished, f"the lines of {name} stand together"
                finished.add(current)
                current = name
            key = (name, frozenset(labels))
            assert key not in samples, "each line is of a series of its own"
            samples[key] = value
    return samples


def _sample(line: str) -> tuple[str, list[tuple[str, str]], float]:
    at = 0
    while line[at] in NAME:
        at += 1
    name, labels = line[:at], []
    assert name
    assert name[0] in NAME_START
    if line[at] == "{":
        at += 1
        while line[at] != "}":
            start = at
            while line[at] != "=":
                at += 1
            label = line[start:at]
            assert label
            assert set(label) <= NAME - {":"}
            assert label[0] not in string.digits
            assert not label.startswith("__")
            assert line[at + 1] == '"'
            at += 2
            value = ""
            while line[at] != '"':
                if line[at] == "\\":
                    at += 1
                    value += {"\\": "\\", '"': '"', "n": "\n"}[line[at]]
                else:
                    value += line[at]
                at += 1
            at += 1
            labels.append((label, value))
            if line[at] == ",":
                at += 1
        at += 1
    assert len({label for label, _ in labels}) == len(labels), "a label stands once"
    assert line[at] == " "
    number = line[at + 1 :]
    assert " " not in number, "node_exporter takes no timestamps"
    return name, labels, float(number)
