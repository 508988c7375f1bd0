"""Versions and version ranges: npm's semantics, with Ivy's spellings accepted.

The resolver matches provided versions against required ranges with it; loading, validation and the CLI use it to refuse
what is neither. `node-semver` parses; comparing is done here on tuples, since a resolver asks often. Results are cached
by text. Nothing here knows agents or channels.

Deliberate differences from the JVM operator, which matches nothing where it cannot read a range:
a lone `x` means every release, as in npm, and a bad range or version is an error that says what to write.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache, total_ordering

import nodesemver

from lmos.resources.range_syntax import fix_for, has_number_after_wildcard, literals_in, to_npm

__all__ = ["BadRange", "BadVersion", "Version", "VersionRange", "parse_range", "parse_version"]

MAX_VERSION_LENGTH = 256
MAX_RANGE_LENGTH = 512
# What the JVM operator can hold: a larger number would stop it in the same cluster.
MAX_VERSION_PART = 2**31 - 1
# npm's Number.MAX_SAFE_INTEGER.
MAX_RANGE_PART = 2**53 - 1

_PRINTABLE = re.compile(r"[\t\x20-\x7e]*")

_Release = tuple[int, int, int]
_Precedence = tuple[int, int, int, tuple[int, tuple[tuple[int, int, str], ...]]]


class BadVersion(ValueError):
    """`text` is no semantic version; `fix` says what to write."""

    def __init__(self, text: str, reason: str, fix: str) -> None:
        super().__init__(f"version {_shown(text)} {reason}; {fix}")
        self.text = text
        self.reason = reason
        self.fix = fix


class BadRange(ValueError):
    """`text` is no version range in npm's or Ivy's syntax; `fix` says what to write."""

    def __init__(self, text: str, reason: str, fix: str) -> None:
        super().__init__(f"version range {_shown(text)} {reason}; {fix}")
        self.text = text
        self.reason = reason
        self.fix = fix


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A semantic version (semver.org 2.0). Equal and ordered by precedence: build metadata does not count."""

    major: int
    minor: int
    patch: int
    prerelease: tuple[int | str, ...] = ()
    build: tuple[str, ...] = ()
    precedence: _Precedence = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # A release comes after all its prereleases, a number before a word, a shorter list before its extension.
        words = tuple((0, i, "") if isinstance(i, int) else (1, 0, i) for i in self.prerelease)
        precedence = (self.major, self.minor, self.patch, (0 if words else 1, words))
        object.__setattr__(self, "precedence", precedence)

    @property
    def release(self) -> _Release:
        """Major, minor and patch."""
        return (self.major, self.minor, self.patch)

    def __eq__(self, other: object) -> bool:
        return self.precedence == other.precedence if isinstance(other, Version) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self.precedence < other.precedence if isinstance(other, Version) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.precedence)

    def __str__(self) -> str:
        text = f"{self.major}.{self.minor}.{self.patch}"
        if self.prerelease:
            text += "-" + ".".join(str(i) for i in self.prerelease)
        return text + ("+" + ".".join(self.build) if self.build else "")


@dataclass(frozen=True, slots=True)
class _Bound:
    operator: str
    version: Version

    def admits(self, version: Version) -> bool:
        match self.operator:
            case ">=":
                return version.precedence >= self.version.precedence
            case ">":
                return version.precedence > self.version.precedence
            case "<=":
                return version.precedence <= self.version.precedence
            case "<":
                return version.precedence < self.version.precedence
            case _:
                return version.precedence == self.version.precedence


@dataclass(frozen=True, slots=True)
class VersionRange:
    """A set of versions. Build with `parse_range`.

    `literals` are the versions that the text names, what it leaves out filled with 0; a range that names none (`*`,
    `latest`, empty) has `0.0.0`.
    """

    text: str
    literals: tuple[Version, ...]
    alternatives: tuple[tuple[_Bound, ...], ...] = field(repr=False)

    def matches(self, version: Version | str) -> bool:
        """Whether `version` lies in the range. Raises `BadVersion` for text that is none.

        As in npm, a prerelease matches only where the range names a prerelease of the same major.minor.patch.
        """
        parsed = _as_version(version)
        return any(_all_admit(bounds, parsed) for bounds in self.alternatives)

    def highest(self, versions: Iterable[Version | str]) -> Version | None:
        """The highest satisfying version, the first of equals; `None` when none satisfies. Raises `BadVersion`."""
        return max(self._satisfying(versions), key=lambda version: version.precedence, default=None)

    def most_similar(self, versions: Iterable[Version | str]) -> Version | None:
        """The satisfying version at the least `distance`, the higher on a tie, the first of equals; else `None`.

        Raises `BadVersion`.
        """
        nearest: Version | None = None
        for version in self._satisfying(versions):
            if nearest is None:
                nearest = version
                continue
            ours, best = self.distance(version), self.distance(nearest)
            if ours < best or (ours == best and version > nearest):
                nearest = version
        return nearest

    def distance(self, version: Version) -> tuple[int, int, int]:
        """How far `version` is from the nearest literal: differences of major, minor and patch, in order of weight."""
        return min(
            (abs(version.major - at.major), abs(version.minor - at.minor), abs(version.patch - at.patch))
            for at in self.literals
        )

    def _satisfying(self, versions: Iterable[Version | str]) -> list[Version]:
        return [version for version in map(_as_version, versions) if self.matches(version)]

    def __str__(self) -> str:
        return self.text


@lru_cache(maxsize=16384)
def parse_version(text: str) -> Version:
    """A strict semantic version; a leading `v` and blanks around it are accepted.

    Raises `BadVersion` for anything else, `1`, `1.0` and `latest` included.
    """
    if len(text) > MAX_VERSION_LENGTH:
        raise BadVersion(text, f"has more than {MAX_VERSION_LENGTH} characters", "shorten its build metadata")
    if _PRINTABLE.fullmatch(text) is None:
        raise BadVersion(text, "contains a character outside printable ASCII", "write digits, letters, '.', '-', '+'")
    try:
        parsed = _version_of(nodesemver.make_semver(text, False))
    except ValueError:
        raise BadVersion(text, *_complaint(text.strip())) from None
    if max(parsed.release) > MAX_VERSION_PART:
        raise BadVersion(text, "is too big", f"each number may be at most {MAX_VERSION_PART}")
    return parsed


@lru_cache(maxsize=4096)
def parse_range(text: str) -> VersionRange:
    """A version range: npm (`^1.2`, `~1`, `1.x`, `>=1 <2 || >=3`, `1.0.0 - 2.0.0`), Ivy (`[1.0,2.0)`, `1.+`, `latest`).

    Empty means every release, as `*` does. Raises `BadRange`.
    """
    if len(text) > MAX_RANGE_LENGTH:
        raise BadRange(text, f"has more than {MAX_RANGE_LENGTH} characters", "shorten the range")
    if _PRINTABLE.fullmatch(text) is None:
        raise BadRange(text, "contains a character outside printable ASCII", fix_for(text))
    npm = to_npm(text)
    try:
        alternatives = tuple(map(_bounds_of, nodesemver.make_range(npm, False).set))
    except ValueError:
        raise BadRange(text, "is not understood", fix_for(text)) from None
    if any(max(bound.version.release) > MAX_RANGE_PART for bounds in alternatives for bound in bounds):
        raise BadRange(text, "is too big", f"each number may be at most {MAX_RANGE_PART}")
    if has_number_after_wildcard(npm):
        raise BadRange(text, "has a number after a wildcard", "write only wildcards after a wildcard, as in '1.x'")
    literals = tuple(Version(a, b, c, _identifiers(prerelease)) for a, b, c, prerelease in literals_in(npm))
    return VersionRange(text, literals or (Version(0, 0, 0),), alternatives)


def _as_version(version: Version | str) -> Version:
    return parse_version(version) if isinstance(version, str) else version


def _all_admit(bounds: tuple[_Bound, ...], version: Version) -> bool:
    if not all(bound.admits(version) for bound in bounds):
        return False
    if not version.prerelease:
        return True
    return any(bound.version.prerelease and bound.version.release == version.release for bound in bounds)


def _complaint(text: str) -> tuple[str, str]:
    """Reason and fix for a version that node-semver refused."""
    if not text:
        return "is empty", "write three numbers, as in '1.0.0'"
    if re.fullmatch(r"v?[0-9]+(\.[0-9]+)?", text):
        return "is incomplete", f"write all three numbers: {text + '.0' * (2 - text.count('.'))!r}"
    if re.fullmatch(r"v?[0-9]+(\.[0-9]+){3,}", text):
        parts = text.split(".")
        return "has more than three numbers", f"write {'.'.join(parts[:3]) + '+' + '.'.join(parts[3:])!r}"
    if re.search(r"(^v?|[.-])0[0-9]", text):
        return "has a number with a leading zero", "write the number without it, as in '1.0.0' for '01.0.0'"
    if re.search(r"[<>=~^*|\[\]]|\.[xX+]", text):
        return "is a range", "an agent provides one version, as in '1.0.0'; ranges belong to the channel"
    return "is not a semantic version", "write major.minor.patch, as in '1.0.0' or '2.1.0-rc.1'"


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")


def _identifiers(text: str) -> tuple[int | str, ...]:
    return tuple(int(word) if word.isdigit() else word for word in text.split(".")) if text else ()


def _bounds_of(comparators: list[nodesemver.Comparator]) -> tuple[_Bound, ...]:
    """node-semver gives "any version" as a comparator whose version is a bare sentinel: no bound at all."""
    return tuple(
        _Bound(c.operator, _version_of(c.semver)) for c in comparators if isinstance(c.semver, nodesemver.SemVer)
    )


def _version_of(semver: nodesemver.SemVer) -> Version:
    return Version(semver.major, semver.minor, semver.patch, tuple(semver.prerelease), tuple(semver.build))
