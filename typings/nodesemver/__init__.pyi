"""The parts of node-semver, which ships no types, that `lmos.resources.versions` uses."""

class SemVer:
    major: int
    minor: int
    patch: int
    prerelease: list[int | str]
    build: list[str]

class Comparator:
    operator: str
    semver: SemVer | object

class Range:
    set: list[list[Comparator]]

def make_semver(version: str, loose: bool) -> SemVer: ...
def make_range(range_: str, loose: bool) -> Range: ...
