"""What a rule is made of: when it applies, what speaks for it and by whom, what speaks against it, what to do.

A sign names its witnesses. Two independent witnesses make a case "high", one makes it "medium", none leaves it "low";
a contradiction takes one level off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from monitor.diagnosis.facts import Facts
from monitor.diagnosis.setting import Setting

Witnesses = frozenset[str]
NOBODY: Witnesses = frozenset()
LEVELS = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Sign:
    """Something seen of a request. `by` gives who saw it, nobody where it does not hold."""

    text: str  # follows "12 of 40"
    by: Callable[[Facts, Setting], Witnesses]
    is_proof: bool = True  # False: it is told, and makes nothing surer


@dataclass(frozen=True, slots=True)
class Need:
    """Evidence that would settle the cause, where it is not at hand."""

    lacks: Callable[[Facts, Setting], bool]
    text: Callable[[Setting], str]


@dataclass(frozen=True, slots=True)
class Rule:
    """One cause. The rules are tried in order; the first that applies to a case explains it."""

    id: str
    when: Callable[[Facts, Setting], bool]
    cause: Callable[[Facts, Setting], str]
    next_step: Callable[[Facts, Setting], str]
    signs: tuple[Sign, ...]
    against: tuple[Sign, ...] = ()
    needs: tuple[Need, ...] = ()
    key: Callable[[Facts], object] = lambda _: None  # failures with different keys are different findings
    figures: Callable[[Facts, Setting], tuple[str, ...]] = lambda _facts, _setting: ()
    doubt: Callable[[int, Setting], tuple[str, ...]] = lambda _count, _setting: ()  # what the number itself contradicts
    most: str = "high"  # the confidence it never exceeds


def witnesses(rule: Rule, facts: Facts, setting: Setting) -> Witnesses:
    """Everybody who saw a proof of the rule's cause in this case."""
    return frozenset().union(*(sign.by(facts, setting) for sign in rule.signs if sign.is_proof))


def is_contradicted(rule: Rule, facts: Facts, setting: Setting) -> bool:
    return any(sign.by(facts, setting) for sign in rule.against)


def confidence(rule: Rule, facts: Facts, setting: Setting) -> str:
    """How sure the rule's cause is for one case: one of LEVELS."""
    level = min(2, len(witnesses(rule, facts, setting)))
    if is_contradicted(rule, facts, setting):
        level = max(0, level - 1)
    return LEVELS[min(level, LEVELS.index(rule.most))]
