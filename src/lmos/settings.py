"""One frozen `Settings` per process, from environment variables `LMOS_*`. Only `server` and `cli` read it.

Rooms below get what they need as arguments. Each field is documented in `docs/reference/settings.md`; a test compares.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["Settings"]


class Settings(BaseSettings):
    """What a process can be told. An unknown `LMOS_*` variable is an error, see `Settings.load`."""

    model_config = SettingsConfigDict(env_prefix="LMOS_", frozen=True, extra="ignore")

    data: Path = Field(default=Path(".lmos"), description="Folder of the embedded store and turn log.")
    host: str = Field(default="127.0.0.1", description="Address that servers listen on.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port of `lmos up`; 0 takes a free one.")
    namespace: str = Field(default="default", description="Namespace of resources that name none.")
    model: str = Field(
        default="offline",
        description="Language model of local agents: `offline`, a pydantic-ai model name (`openai:gpt-5-mini`), "
        "or the base URL of an OpenAI-compatible server, with `#model` at its end.",
    )
    model_api_key: SecretStr | None = Field(default=None, description="Key for a model given as URL.")
    turn_deadline: float = Field(default=60.0, gt=0, description="Seconds that a turn may take.")
    resume_grace: float = Field(
        default=10.0, ge=0, description="Seconds that a streamed turn goes on without its client, who may resume it."
    )
    max_body_bytes: int = Field(default=1_048_576, ge=1024, description="Largest request body, in bytes.")
    synchronous: Literal["full", "normal"] = Field(
        default="full", description="SQLite durability: `full` survives a power cut, `normal` a crash of the process."
    )
    service_hosts: str = Field(
        default="",
        description="`host=address:port` pairs, comma-separated: where service names answer.",
    )
    log_format: Literal["text", "json"] = Field(default="text", description="Format of log lines.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level logged.")
