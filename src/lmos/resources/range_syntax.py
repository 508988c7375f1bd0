"""Spellings of version ranges: Ivy's are rewritten to npm's, known mistakes get a proposal.

Only `resources.versions` uses this. It works on text and knows neither versions nor how ranges match.
"""

from __future__ import annotations

import re

__all__ = ["fix_for", "has_number_after_wildcard", "literals_in", "to_npm"]

_LATEST = frozenset({"latest", "latest.integration", "latest.milestone", "latest.release"})

_NUMBER = r"[0-9]+(?:\.[0-9]+){0,2}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
_INTERVAL = re.compile(rf"([\[\](])\s*({_NUMBER})?\s*,\s*({_NUMBER})?\s*([\[\])])")
_EXACT = re.compile(rf"\[\s*({_NUMBER})\s*\]")
_PLUS = re.compile(r"(?<![0-9A-Za-z.+-])([0-9]+(?:\.[0-9]+)?)\.\+(?=\s|$)")
_BUILD = re.compile(r"(?<=[0-9A-Za-z*])\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*(?=\s|$)")
_PART = r"[0-9]+|[xX*]"
_LITERAL = re.compile(rf"(?<![0-9A-Za-z.*-])v?({_PART})(?:\.({_PART}))?(?:\.({_PART}))?(?:-([0-9A-Za-z.-]+))?")

_EXAMPLES = "write an npm range such as '^1.2.0' or '>=1.0.0 <2.0.0', an Ivy range such as '[1.0,2.0)', or '*'"


def to_npm(text: str) -> str:
    """`text` in npm's syntax, without build metadata, which no range looks at. Unknown syntax passes unchanged."""
    return " || ".join(_alternative(part.strip()) for part in text.split("||"))


def literals_in(npm: str) -> list[tuple[int, int, int, str]]:
    """Each version that a valid npm range names: major, minor, patch, prerelease; parts left out or wild are 0."""
    return [
        (_number(major), _number(minor), _number(patch), prerelease or "")
        for major, minor, patch, prerelease in _LITERAL.findall(npm)
    ]


def has_number_after_wildcard(npm: str) -> bool:
    """Whether a part says "any" and a later one a number, as in `1.x.5`: npm refuses it, node-semver does not."""
    for literal in _LITERAL.finditer(npm):
        parts = [part for part in literal.groups()[:3] if part]
        wild = [not part.isdigit() for part in parts]
        if wild != sorted(wild):
            return True
    return False


def fix_for(text: str) -> str:
    """What to write instead of the bad range `text`."""
    stripped = text.strip()
    if unequal := re.search(r"!=\s*v?([0-9]+)([0-9A-Za-z.+-]*)", stripped):
        version = unequal[1] + unequal[2]
        return (
            f"say what is allowed: '<{version} || >{version}', "
            f"or from the same major on '>={unequal[1]} <{version} || >{version}'"
        )
    for fix in (_without_commas, _with_npm_operators, _with_three_parts):
        proposal = fix(stripped)
        if proposal is not None:
            return proposal
    return _EXAMPLES


def _alternative(text: str) -> str:
    if text in _LATEST or text == "+":
        return "*"
    if exact := _EXACT.fullmatch(text):
        return f"={_three_parts(exact[1])}"
    if interval := _INTERVAL.fullmatch(text):
        return _interval(*interval.groups())
    return _BUILD.sub("", _PLUS.sub(r"\1.x", text))


def _interval(opening: str, low: str | None, high: str | None, closing: str) -> str:
    """Ivy's brackets: a bracket facing its number includes it; one facing away, or a parenthesis, excludes it."""
    bounds: list[str] = []
    if low is not None:
        bounds.append((">=" if opening == "[" else ">") + _three_parts(low))
    if high is not None:
        bounds.append(("<=" if closing == "]" else "<") + _three_parts(high))
    return " ".join(bounds) or "*"


def _three_parts(number: str) -> str:
    """`1.0` as `1.0.0`: a bound of an interval is one version, not every version that begins like it."""
    release, dash, prerelease = _BUILD.sub("", number).partition("-")
    missing = 2 - release.count(".")
    return release + ".0" * missing + dash + prerelease


def _number(part: str) -> int:
    return int(part) if part.isdigit() else 0


def _without_commas(text: str) -> str | None:
    if "," not in text:
        return None
    if any(bracket in text for bracket in "[]()"):
        return "an Ivy range has two bounds, as in '[1.0,2.0)'; join several ranges with ' || '"
    return f"put a space for the comma: {' '.join(text.replace(',', ' ').split())!r}"


def _with_npm_operators(text: str) -> str | None:
    proposal = re.sub(r"\s+or\s+|(?<!\|)\|(?!\|)", " || ", text, flags=re.IGNORECASE)
    proposal = re.sub(r"\s+and\s+|&+", " ", proposal, flags=re.IGNORECASE)
    proposal = proposal.replace("=>", ">=").replace("=<", "<=").replace("===", "=").replace("==", "=")
    proposal = " ".join(proposal.split())
    return None if proposal == " ".join(text.split()) else f"write {proposal!r}"


def _with_three_parts(text: str) -> str | None:
    if re.search(r"[0-9]+(\.[0-9]+){3,}", text):
        return "a version has three parts, major.minor.patch, as in '1.0.0'"
    if re.search(r"(?<![0-9A-Za-z.-])v?0[0-9]|\.0[0-9]", text):
        return "take away the leading zeros, as in '1.2.3' for '01.02.03'"
    return None
