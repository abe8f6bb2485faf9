"""The values of flags: durations, ratios, counts and names out of their texts, refused in the words of argparse."""

from __future__ import annotations

import argparse
import re

from localazure.model import MS, S

_UNIT_NS = {"us": 1_000, "ms": MS, "s": S, "m": 60 * S, "h": 3600 * S}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h)")
_RATIO = re.compile(r"(\d+(?:\.\d+)?)(%?)")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,31}")


def duration(text: str) -> int:
    match = _DURATION.fullmatch(text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 20ms, 1.5s or 10m")
    return round(float(match[1]) * _UNIT_NS[match[2]])


def positive_duration(text: str) -> int:
    duration_ns = duration(text)
    if duration_ns == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not longer than nothing")
    return duration_ns


def ratio(text: str) -> float:
    match = _RATIO.fullmatch(text)
    ratio = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= ratio <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a ratio such as 0.01 or 1%")
    return ratio


def share(text: str) -> float:
    share = ratio(text)
    if share == 0:
        raise argparse.ArgumentTypeError(f"{text!r} keeps nothing")
    return share


def limit(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 2**31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 2147483648")
    return int(text)


def number(text: str) -> float:
    if not _RATIO.fullmatch(text) or text.endswith("%") or float(text) > 10:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 10")
    return float(text)


def factor(text: str) -> float:
    if not _RATIO.fullmatch(text) or text.endswith("%") or not 1 <= float(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a factor from 1 to 1000")
    return float(text)


def count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 100000")
    return int(text)


def port(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


def name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a name of letters, digits and dashes, at most 32")
    return text
