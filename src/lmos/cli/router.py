"""`lmos router eval` measures the router on labelled messages; `lmos router doctor` examines a roster."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import App, Parameter

from lmos.cli.errors import CommandError
from lmos.cli.options import Namespace
from lmos.cli.where import HERE, Where
from lmos.resources.agent import STABLE

if TYPE_CHECKING:
    from lmos.encoders.base import Encoder
    from lmos.router.base import Classifier, Roster
    from lmos.router.evaluation.data import Row, Sets
    from lmos.router.evaluation.doctor import Checkup
    from lmos.router.evaluation.metrics import Measured
    from lmos.router.evaluation.recorded import RecordedClassifier
    from lmos.router.evaluation.report import About

__all__ = ["doctor", "eval_", "router"]

BELOW: Final = 2
"""Exit code: a figure is below `--fail-under`, or the doctor found something and `--strict` is given."""

router = App(name="router", help="Measure the router on your own data, and examine a roster.")

EncoderName = Annotated[
    Literal["static", "onnx", "cascade"] | None,
    Parameter(
        help="Encoder: `static`, `onnx`, or `cascade` of both; what is installed when not given.", show_default=False
    ),
]
AgentsFile = Annotated[
    Path | None, Parameter(help="JSON list of agents with descriptions and examples.", show_default=False)
]
TrainFile = Annotated[Path | None, Parameter(help="File to learn from; the same format.", show_default=False)]


@router.command(name="eval")
def eval_(
    test: Annotated[Path, Parameter(help="Labelled messages: CSV, JSON lines, or gzip of them.")],
    /,
    *,
    train: TrainFile = None,
    agents: AgentsFile = None,
    train_split: Annotated[
        str | None, Parameter(help="Split to learn from; `train` when not given.", show_default=False)
    ] = None,
    test_split: Annotated[
        str | None, Parameter(help="Split to measure on; `test`, else `dev` or `valid`.", show_default=False)
    ] = None,
    encoder: EncoderName = None,
    strategy: Annotated[
        Literal["vector", "llm", "hybrid", "hybrid-abstract"], Parameter(name="--router", help="As LMOS_ROUTER.")
    ] = "vector",
    model: Annotated[
        str | None,
        Parameter(help="Language model, as for `lmos up`. [env var: LMOS_ROUTER_MODEL]", show_default=False),
    ] = None,
    llm_answers: Annotated[
        Path | None,
        Parameter(help="Recorded answers as the hybrid's model: JSON lines `{text, agent}`.", show_default=False),
    ] = None,
    self_fed: Annotated[
        bool,
        Parameter(negative="", help="Play dialogues with the agent that our own last decision chose, not the label's."),
    ] = False,
    predictions: Annotated[
        Path | None, Parameter(help="Write each row and its decision to this file, as JSON lines.", show_default=False)
    ] = None,
    fail_under: Annotated[
        tuple[str, ...],
        Parameter(
            negative="",
            show_default=False,
            help="`NAME=PERCENT` or `PERCENT` (of right agents): exit with 2 when below. May be given several times.",
        ),
    ] = (),
    output: Annotated[
        Literal["text", "json", "html"], Parameter(name=["--output", "-o"], help="Format of the report on stdout.")
    ] = "text",
) -> int:
    """Measure the router: accuracy, coverage, calibration, messages for nobody, confusions, groups and times.

    Without `--train` the column `split` divides the file. Rows of agent `none` are messages that nobody should answer.
    """
    from lmos.router.evaluation.data import read_agents, read_rows, roster_of, sets_of

    limits = [_limit(text) for text in fail_under]
    _log_to_stderr(quiet=llm_answers is not None)
    sets = sets_of(
        read_rows(test), None if train is None else read_rows(train), train_split=train_split, test_split=test_split
    )
    roster = roster_of(sets.train, () if agents is None else read_agents(agents))
    vector, names = _vector(encoder)
    classifier, recorded = _classifier(strategy, vector, model, llm_answers)
    measured, lines = asyncio.run(_measure(classifier, roster, sets, self_fed))
    names = "none" if strategy == "llm" else names
    about = _about(test, sets, roster, classifier, names, self_fed, recorded)
    if predictions is not None:
        predictions.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    _print(about, measured, output)
    return _verdict(measured, limits)


def _log_to_stderr(*, quiet: bool) -> None:
    """Stdout is for the report. `quiet` leaves out what the report counts: messages without a recorded answer."""
    from lmos.cli.configuration import load_settings
    from lmos.cli.serving_log import configure_log

    configure_log(load_settings(log_level="error" if quiet else "warning"))


async def _measure(classifier: Classifier, roster: Roster, sets: Sets, self_fed: bool) -> tuple[Measured, list[str]]:
    from lmos.router.evaluation.metrics import measure
    from lmos.router.evaluation.play import play, prediction_lines

    played = await play(classifier, roster, sets.test, self_fed=self_fed)
    return measure(played), prediction_lines(played.predictions)


def _encoders(name: str | None) -> tuple[Encoder, ...]:
    """The encoders that the option names, fastest first. Raises `EncoderError`."""
    from lmos.encoders.registry import encoder_named, installed_encoders

    if name is None:
        return installed_encoders()
    return tuple(encoder_named(one) for one in (("static", "onnx") if name == "cascade" else (name,)))


def _vector(encoder: str | None) -> tuple[Classifier, str]:
    """The vector classifier, and its encoders in words."""
    from lmos.router.vector import VectorClassifier

    encoders = _encoders(encoder)
    return VectorClassifier(*encoders), " then ".join(found.name for found in encoders)


def _classifier(
    strategy: str, vector: Classifier, model: str | None, answers: Path | None
) -> tuple[Classifier, RecordedClassifier | None]:
    """The classifier to measure, and the recorded model in it."""
    from lmos.router.strategies import classifier_named, composed

    if answers is not None:
        from lmos.router.evaluation.recorded import RecordedClassifier
        from lmos.router.hybrid import HybridClassifier

        if strategy not in ("vector", "hybrid"):
            raise CommandError(f"--llm-answers is not for the router {strategy!r}", "leave --router out, or say hybrid")
        recorded = RecordedClassifier(answers)
        return composed(HybridClassifier(vector, recorded)), recorded
    from lmos.cli.configuration import load_settings
    from lmos.models.registry import model_named

    settings = load_settings(router_model=model)
    key = settings.model_api_key
    name = settings.router_model or settings.model
    return (
        classifier_named(
            strategy, vector, model=lambda: model_named(name, api_key=key.get_secret_value() if key else None)
        ),
        None,
    )


def _about(
    test: Path,
    sets: Sets,
    roster: Roster,
    classifier: Classifier,
    encoder: str,
    self_fed: bool,
    recorded: RecordedClassifier | None,
) -> About:
    from lmos.router.evaluation.report import About

    capabilities = [capability for agent in roster.agents for capability in agent.capabilities]
    unknown = sorted({row.agent for row in sets.test if not row.foreign and roster.agent(row.agent) is None})
    notes = [f"agents of the test that nothing is known of: {', '.join(unknown)}"] if unknown else []
    if recorded is not None and recorded.missing:
        notes.append(f"{recorded.missing} messages had no recorded answer; the router asked back instead")
    return About(
        test=test.name,
        sets=sets.how,
        router=classifier.name.removeprefix("explicit+"),
        encoder=encoder,
        agents=len(roster.agents),
        capabilities=len(capabilities),
        examples=sum(len(capability.examples) for capability in capabilities),
        rows=len(sets.test),
        foreign=sum(row.foreign for row in sets.test),
        fed=_fed(sets.test, self_fed),
        notes=tuple(notes),
    )


def _fed(rows: tuple[Row, ...], self_fed: bool) -> str:
    if not any(row.dialogue or row.history for row in rows):
        return "each message alone"
    return "dialogues fed by own decisions" if self_fed else "dialogues fed by the labels"


def _print(about: About, measured: Measured, output: str) -> None:
    from lmos.router.evaluation.page import as_html
    from lmos.router.evaluation.report import as_json, as_text

    if output == "json":
        sys.stdout.write(json.dumps(as_json(about, measured), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(as_text(about, measured) if output == "text" else as_html(about, measured))


def _limit(text: str) -> tuple[str, float]:
    """`NAME=PERCENT` or `PERCENT`. Raises `CommandError`."""
    name, equals, value = text.rpartition("=")
    try:
        limit = float(value)
    except ValueError:
        limit = -1.0
    known = ("agent", "capability", "covered", "direct", "rejected", "auroc", "rejected-keeping-95")
    if not 0 <= limit <= 100 or (equals and name not in known):
        fix = f"write e.g. 99.5 or covered=97; names: {', '.join(known)}"
        raise CommandError(f"--fail-under {text!r} is no limit", fix)
    return name or "agent", limit


def _verdict(measured: Measured, limits: list[tuple[str, float]]) -> int:
    """0, or `BELOW` with a line on stderr for each figure that is below its limit, or cannot be told."""
    from lmos.router.evaluation.report import figures, percent

    found = figures(measured)
    below = False
    for name, limit in limits:
        value = found[name]
        if value is None or value < limit:
            below = True
            print(f"{name}: {percent(value)} is below {limit:g} %", file=sys.stderr)
    return BELOW if below else 0


@router.command
def doctor(
    train: Annotated[Path | None, Parameter(help="Labelled examples: CSV, JSON lines, or gzip of them.")] = None,
    /,
    *,
    agents: AgentsFile = None,
    train_split: Annotated[
        str | None, Parameter(help="Split of the examples; `train` when not given.", show_default=False)
    ] = None,
    tenant: Annotated[str | None, Parameter(help="Examine a channel of the platform: its tenant.")] = None,
    channel: Annotated[str | None, Parameter(help="Examine a channel of the platform: its channel.")] = None,
    subset: Annotated[str, Parameter(help="Subset of that channel.")] = STABLE,
    encoder: EncoderName = None,
    strict: Annotated[bool, Parameter(negative="", help="Exit with 2 when there is a finding.")] = False,
    output: Annotated[
        Literal["text", "json"], Parameter(name=["--output", "-o"], help="Format of the report on stdout.")
    ] = "text",
    namespace: Namespace = None,
    where: Where = HERE,
) -> int:
    """Examine the agents of a file or of a channel: what is confusable, missing or said twice, and what to change.

    Judges each example by models that never saw it, so it needs no test data.
    """
    roster = asyncio.run(_roster(train, agents, train_split, tenant, channel, subset, namespace, where))
    if not roster.agents:
        raise CommandError("there is no agent to examine", "give a file, --agents, or --tenant and --channel")
    checkup = asyncio.run(_examine(roster, encoder))
    _print_checkup(checkup, output)
    return BELOW if strict and checkup.findings else 0


async def _roster(
    train: Path | None,
    agents: Path | None,
    train_split: str | None,
    tenant: str | None,
    channel: str | None,
    subset: str,
    namespace: str | None,
    where: Where,
) -> Roster:
    from lmos.router.evaluation.data import read_agents, read_rows, roster_of, training_rows

    if tenant is not None and channel is not None:
        from lmos.cli.route import find_routing
        from lmos.runtime.routes import compile_route

        workspace = where.workspace()
        scope = workspace.namespace(namespace)
        return compile_route(await find_routing(workspace, scope, tenant, channel, subset)).roster
    if tenant is not None or channel is not None:
        raise CommandError("a channel is named by two options", "give both --tenant and --channel")
    rows = [] if train is None else training_rows(read_rows(train), train_split)[0]
    return roster_of(rows, () if agents is None else read_agents(agents))


async def _examine(roster: Roster, encoder: str | None) -> Checkup:
    from lmos.encoders.cached import CachedEncoder
    from lmos.router.evaluation.doctor import examine
    from lmos.router.vector import VectorClassifier

    encoders = [CachedEncoder(found) for found in _encoders(encoder)]
    return await examine(roster, encoders[-1], lambda: VectorClassifier(*encoders))


def _print_checkup(checkup: Checkup, output: str) -> None:
    from lmos.router.evaluation.report import checkup_json, checkup_text

    if output == "json":
        sys.stdout.write(json.dumps(checkup_json(checkup), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(checkup_text(checkup))
