"""What `pip install redline` puts on a machine."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from tests.house.repository import PACKAGES, ROOT, shipped_files

DATA = (".html", ".j2", ".css", ".kql", ".json")


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Paths in the wheel that the tree builds."""
    folder = tmp_path_factory.mktemp("wheel")
    built = next(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"]))
    with zipfile.ZipFile(Path(built)) as wheel:
        return wheel.namelist()


def test_the_wheel_holds_the_flat_packages_and_nothing_else(names: list[str]) -> None:
    """Top-level names are cli.py, the six packages and the wheel's own records."""
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"cli.py", *PACKAGES}


def test_the_wheel_holds_every_module(names: list[str]) -> None:
    """No module stays behind."""
    assert {path.relative_to(ROOT).as_posix() for path in shipped_files()} <= set(names)


def test_the_wheel_holds_templates_and_styles(names: list[str]) -> None:
    """Files that the packages read at run time travel with them."""
    needed = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in DATA
    }
    assert needed
    assert needed <= set(names)


def test_the_wheel_holds_no_tests_and_no_caches(names: list[str]) -> None:
    """Nothing but what runs is installed."""
    assert [name for name in names if "test" in name.partition("/")[0] or "__pycache__" in name] == []


def test_the_licence_travels_with_the_wheel(names: list[str]) -> None:
    """The MIT licence is among the wheel's records."""
    assert any(name.endswith("licenses/LICENSE") for name in names)
