"""What is kept of attempts and failures, and what happens when the disk refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from capacity.runfolder import read_failures
from locustfiles._recorder import KEPT_PER_LABEL, Recorder
from scoring.attempt import RECORD, Attempt, Failure, from_record, to_record

ONE = Attempt("0f" * 16, 1, 2, 3, 4, 200, None, trial=7, payload=2, received_bytes=44, server_us=1_500)
TWO = Attempt("1e" * 16, 5, 6, None, 8, None, Failure.EMPTY_REPLY, flags=1)
KEY = "k3y-that-nobody-may-see"


def failure(recorder: Recorder, *, head: bytes = b"", body: bytes = b"", detail: str = "") -> None:
    """One failure under the label 503."""
    recorder.add_failure(request_id="ab", trial=1, users=8, label="503", detail=detail, head=head, body=body)


def test_records_are_read_back_as_they_were_added(tmp_path: Path) -> None:
    """attempts.bin holds 64 bytes for each attempt, in order."""
    recorder = Recorder(tmp_path)
    recorder.add(to_record(ONE))
    recorder.drain()
    recorder.add(to_record(TWO))
    recorder.close()
    raw = (tmp_path / "attempts.bin").read_bytes()
    assert [from_record(raw[at : at + RECORD.size]) for at in range(0, len(raw), RECORD.size)] == [ONE, TWO]


def test_listeners_hear_every_record_once() -> None:
    """Without a folder nothing is written, and those who count hear all the same."""
    recorder, heard = Recorder(None), []
    recorder.listeners.append(heard.append)
    recorder.add(to_record(ONE))
    recorder.drain()
    recorder.drain()
    assert heard == [to_record(ONE)]


def test_a_worker_writes_a_file_of_its_own(tmp_path: Path) -> None:
    """The suffix stands in the name of the attempts, failures share one file."""
    recorder = Recorder(tmp_path, suffix="-1-abcd")
    recorder.add(to_record(ONE))
    failure(recorder)
    recorder.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["attempts-1-abcd.bin", "failures.jsonl"]


def test_only_the_first_failures_of_a_label_are_wanted() -> None:
    """Two hundred of each label are kept in detail; another label has its own two hundred."""
    recorder = Recorder(None)
    assert [recorder.wants("503") for _ in range(KEPT_PER_LABEL + 5)] == [True] * KEPT_PER_LABEL + [False] * 5
    assert recorder.wants("500")


def test_a_failure_keeps_what_helps_and_nothing_that_harms(tmp_path: Path) -> None:
    """Known headers and 300 characters of the body stay; escape codes and the key do not."""
    recorder = Recorder(tmp_path, secrets=(KEY,))
    head = b"http/1.1 424 x\r\nms-azureml-model-error-reason: model_error\r\nset-cookie: a=b\r\n"
    failure(recorder, head=head, body=b"\x1b[31mkey " + KEY.encode() + b" " + b"z" * 500, detail=f"no {KEY}")
    recorder.close()
    text = (tmp_path / "failures.jsonl").read_text()
    (line,) = read_failures_of(tmp_path)
    assert KEY not in text
    assert "\x1b" not in line["body"]
    assert len(line["body"]) == 300
    assert line["headers"] == {"ms-azureml-model-error-reason": "model_error"}
    assert (line["request_id"], line["users"], line["trial"], line["label"]) == ("ab", 8, 1, "503")


def read_failures_of(folder: Path) -> list[dict[str, object]]:
    """The lines of failures.jsonl in a folder that needs no run.json."""
    (folder / "run.json").write_text("{}")
    return read_failures(folder)


def test_a_full_disk_is_told_once_and_the_counting_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """ENOSPC ends the writing, not the run: one warning line, and every listener hears on."""
    (tmp_path / "attempts.bin").symlink_to("/dev/full")
    recorder, heard = Recorder(tmp_path), []
    recorder.listeners.append(heard.append)
    for _ in range(3):
        recorder.add(to_record(ONE))
        recorder.drain()
    recorder.close()
    assert heard == [to_record(ONE)] * 3
    said = capsys.readouterr().err
    assert said == (
        "warning: attempts.bin cannot be written: No space left on device; the run goes on, its counts are kept in"
        " memory\n"
    )


def test_a_folder_that_is_gone_is_told_like_a_full_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each file that cannot be written has its own warning, once."""
    recorder = Recorder(tmp_path / "gone")
    recorder.add(to_record(ONE))
    failure(recorder)
    recorder.drain()
    recorder.drain()
    assert [line.split(":")[1] for line in capsys.readouterr().err.splitlines()] == [
        " attempts.bin cannot be written",
        " failures.jsonl cannot be written",
    ]


def test_failure_lines_are_json(tmp_path: Path) -> None:
    """Each line of failures.jsonl is one JSON object, whatever bytes came."""
    recorder = Recorder(tmp_path)
    failure(recorder, head=b"x\r\nx-request-id: \xff\xfe\r\n", body=bytes(range(256)))
    recorder.close()
    (line,) = (tmp_path / "failures.jsonl").read_text().splitlines()
    assert json.loads(line)["headers"] == {"x-request-id": "\\xff\\xfe"}
