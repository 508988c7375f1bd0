"""A user's agent file, as the documentation teaches it: held to pyright's strict mode with the rest of the tests."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from lmos import Agent, Capability, Turn, tool


@dataclass
class Forecast:
    city: str
    day: date
    degrees: float


@tool(examples=["Will it rain in Bonn tomorrow?", "How warm is it in Paris?"])
async def forecast(city: str, turn: Turn, day: date | None = None, unit: Literal["C", "F"] = "C") -> Forecast:
    """The weather of a city on a day.

    Args:
        city: The city.
        day: The day, today when left out.
        unit: Unit of the temperature.
    """
    turn.emit(f"I look up {city} for you.")
    degrees = 20.0 if unit == "C" else 68.0
    return Forecast(city, day or date(2026, 11, 25), degrees)


def prompt(turn: Turn) -> str:
    return f"You tell {turn.user_id} the weather. Answer in {turn.param('language', 'English')}."


agent = Agent(
    name="weather",
    description="Tells the weather",
    capabilities=[Capability("forecast", "1.0.0", "Weather of a city", ["What is the weather like in Bonn?"])],
    prompt=prompt,
    tools=[forecast],
    channels=["web"],
)
