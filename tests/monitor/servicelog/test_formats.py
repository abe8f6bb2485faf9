"""Each format of a log line parses its samples; each wrapper comes off."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.servicelog.formats import FORMATS, Format, Sample, parsed
from monitor.servicelog.wrappers import WRAPPERS, Wrapper, unwrapped

SAMPLES = [(format_, sample) for format_ in FORMATS for sample in format_.samples]


@pytest.mark.parametrize(
    ("format_", "sample"), SAMPLES, ids=[f"{one.name}-{place}" for place, (one, _) in enumerate(SAMPLES)]
)
def test_a_sample_is_parsed_as_its_format_says(format_: Format, sample: Sample) -> None:
    """The first format that fits a sample is its own, and the fields come out as stated."""
    line = parsed(sample.line)
    assert line.format == format_.name
    assert {name: getattr(line, name) for name, _ in sample.fields} == dict(sample.fields)


@pytest.mark.parametrize("format_", FORMATS, ids=lambda one: one.name)
def test_every_format_has_a_sample(format_: Format) -> None:
    """A grammar without a sample is not checked by anything."""
    assert format_.samples


@pytest.mark.parametrize("wrapper", WRAPPERS, ids=lambda one: one.name)
def test_what_a_container_puts_in_front_comes_off(wrapper: Wrapper) -> None:
    """The sample's inner line and instant come out."""
    assert unwrapped(wrapper.sample) == (wrapper.inner, wrapper.at_ms)


@pytest.mark.parametrize("sample", [sample for _, sample in SAMPLES], ids=lambda one: one.line[:30].decode())
def test_no_format_is_taken_for_a_wrapper(sample: Sample) -> None:
    """Nothing comes off a line that nobody wrapped."""
    assert unwrapped(sample.line) == (sample.line, None)


@pytest.mark.parametrize("outer", WRAPPERS, ids=lambda one: one.name)
@pytest.mark.parametrize("inner", WRAPPERS, ids=lambda one: one.name)
def test_wrappers_come_off_in_any_order(outer: Wrapper, inner: Wrapper) -> None:
    """A line wrapped twice is found inside both."""
    front = outer.sample[: len(outer.sample) - len(outer.inner)]
    assert unwrapped(front + inner.sample)[0] == inner.inner


def test_a_line_of_json_is_its_message() -> None:
    """Docker's JSON gives the line and its instant, other JSON stays as it is."""
    line = b'{"log":"2021-02-07 08:21:31,073 | root | INFO | 200\\n","stream":"stdout","time":"2021-02-07T08:21:31.1Z"}'
    assert unwrapped(line) == (b"2021-02-07 08:21:31,073 | root | INFO | 200", 1612686091100)
    assert unwrapped(b'{"predict": [1, 2]}') == (b'{"predict": [1, 2]}', None)
    assert unwrapped(b"[" * 20_000) == (b"[" * 20_000, None)


@given(st.binary(max_size=300))
def test_any_bytes_are_some_line(body: bytes) -> None:
    """No bytes make a parser raise."""
    assert parsed(unwrapped(body)[0]) is not None


@given(st.sampled_from([sample.line for _, sample in SAMPLES]), st.integers(0, 200), st.binary(max_size=4))
def test_a_damaged_line_is_some_line(line: bytes, place: int, instead: bytes) -> None:
    """A known line with bytes replaced in its middle never makes a parser raise."""
    assert parsed(unwrapped(line[:place] + instead + line[place + len(instead) :])[0]) is not None
