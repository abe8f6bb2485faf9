"""What the house rules look at: our source files, by kind."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("commands", "scoring", "capacity", "locustfiles", "monitor", "reports", "localazure")
NOT_OURS = (".git", ".node", ".venv", ".venv-azureml", "redline-runs", "node_modules", "dist", "build")


def shipped_files() -> list[Path]:
    """Every Python file that the wheel holds."""
    return [ROOT / "cli.py", *sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))]


def python_files() -> list[Path]:
    """Every Python file of the repository."""
    return sorted(path for path in text_files() if path.suffix == ".py")


def text_files() -> Iterator[Path]:
    """Every file of the repository that people wrote: no caches, environments or runs."""
    for entry in sorted(ROOT.iterdir()):
        if entry.is_file() and entry.suffix not in (".png", ".svg"):
            yield entry
        elif entry.is_dir() and entry.name not in NOT_OURS and not entry.name.endswith(("_cache", ".egg-info")):
            if entry.name.startswith(".") and entry.name not in (".ci", ".github"):
                continue
            yield from (
                path
                for path in sorted(entry.rglob("*"))
                if path.is_file() and "__pycache__" not in path.parts and path.suffix not in (".png", ".pyc")
            )


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported_modules(path: Path) -> set[str]:
    """The modules a file imports anywhere, under their full dotted names; imports for type checking are left out."""
    found: set[str] = set()
    pending: list[ast.AST] = [tree_of(path)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        pending.extend(ast.iter_child_nodes(node))
    return found
