"""docs/deploy.md shows what the commands of deploy/ really print."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.serving import Served, serving
from tests.deploy.transcripts import SERVE, blocks, prepare, ran, said, shape
from tests.deploy.written import commands


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("endpoint"), *SERVE) as found:
        prepare(found)
        yield found


def test_every_block_of_the_docs_is_a_command_of_a_file_and_each_kind_is_shown() -> None:
    """The words stand in deploy/ as they stand in the docs."""
    written = {" ".join(words) for words in commands().values()}
    assert set(blocks()) <= written
    assert {words.split()[0] for words in blocks()} == {words.split()[0] for words in written}


@pytest.mark.parametrize("words", [words for words in blocks() if words.split()[0] in ("check", "watch")])
def test_checks_and_watchers_print_what_the_docs_show(words: str, served: Served) -> None:
    """All but the figures."""
    told = ran(served, words.split())
    assert shape(said(told)) == shape(blocks()[words])
