"""A Dockerfile as its instructions, stage by stage; enough of the format for ours."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["Instruction", "Stage", "stages_of"]

_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Instruction:
    """One instruction: `words` are its arguments, from JSON where they are written so, without its `--flags`."""

    name: str
    text: str

    @property
    def exec_form(self) -> bool:
        return self.text.startswith("[")

    @property
    def words(self) -> list[str]:
        if self.exec_form:
            return json.loads(self.text)
        return [word for word in self.text.split() if not word.startswith("--")]

    @property
    def flags(self) -> dict[str, str]:
        return dict(word[2:].split("=", 1) for word in self.text.split() if word.startswith("--") and "=" in word)


@dataclass(frozen=True)
class Stage:
    """`base` is the image or the stage that it begins with."""

    base: str
    instructions: list[Instruction] = field(default_factory=list[Instruction])

    def of(self, name: str) -> list[Instruction]:
        return [instruction for instruction in self.instructions if instruction.name == name]

    def only(self, name: str) -> Instruction:
        """Raises `ValueError` unless there is exactly one."""
        (found,) = self.of(name)
        return found


def stages_of(text: str) -> list[Stage]:
    """The stages; defaults of the arguments before the first one are put into `FROM`."""
    defaults: dict[str, str] = {}
    stages: list[Stage] = []
    for instruction in _instructions(text):
        if instruction.name == "FROM":
            base = _VARIABLE.sub(lambda match: defaults[match[1]], instruction.words[0])
            stages.append(Stage(base))
        elif stages:
            stages[-1].instructions.append(instruction)
        else:
            name, _, default = instruction.text.partition("=")
            defaults[name] = default
    return stages


def _instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if line.strip():
            name, _, rest = line.partition(" ")
            yield Instruction(name, " ".join(rest.split()))
