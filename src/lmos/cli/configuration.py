"""Settings of a command: what its options say, else the environment. Commands that serve or call out load them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmos.cli.errors import CommandError

if TYPE_CHECKING:
    from lmos.settings import Settings

__all__ = ["load_settings"]


def load_settings(**given: Any) -> Settings:
    """`Settings` with `given` (what is `None` was not given). Raises `CommandError` naming each bad value."""
    from pydantic import ValidationError

    from lmos.settings import Settings, UnknownSetting

    known = {name: value for name, value in given.items() if value is not None}
    try:
        return Settings.load(**known)
    except UnknownSetting as error:
        raise CommandError(str(error), "correct or unset the variable") from error
    except ValidationError as error:
        problems = error.errors()
        faults = "; ".join(f"{_source(e['loc'], known)}={e['input']!r}: {e['msg']}" for e in problems)
        raise CommandError(f"bad setting: {faults}", "correct the option or the environment variable") from error


def _source(location: tuple[int | str, ...], given: dict[str, Any]) -> str:
    name = str(location[0])
    return f"--{name.replace('_', '-')}" if name in given else f"LMOS_{name.upper()}"
