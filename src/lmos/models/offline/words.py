"""English and German word tables of the offline model: months, numbers, small words. Data only."""

from __future__ import annotations

from typing import Final

__all__ = [
    "CANCEL",
    "ENGLISH",
    "GERMAN",
    "LEANING_STARTS",
    "LEANING_WORDS",
    "MONTHS",
    "MONTH_NAMES",
    "NEXT",
    "NO",
    "NUMBERS",
    "PREVIOUS",
    "YES",
]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ENGLISH_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_GERMAN_MONTHS: Final = (
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
)
MONTH_NAMES: Final = {"en": _ENGLISH_MONTHS, "de": _GERMAN_MONTHS}

MONTHS: Final[dict[str, int]] = {
    **{name.lower(): number for names in MONTH_NAMES.values() for number, name in enumerate(names, 1)},
    **{name[:3].lower(): number for number, name in enumerate(_ENGLISH_MONTHS, 1) if name != "May"},
    "sept": 9,
    "maerz": 3,
    "mär": 3,
    "okt": 10,
    "dez": 12,
    "jänner": 1,
}
"""Lower-case names and abbreviations to 1..12."""

_ENGLISH_UNITS: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_GERMAN_UNITS: Final = (
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn "
    "achtzehn neunzehn"
)
_ENGLISH_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
_GERMAN_TENS: Final = "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"
NUMBERS: Final[dict[str, int]] = {
    **{word: number for words in (_ENGLISH_UNITS, _GERMAN_UNITS) for number, word in enumerate(words.split())},
    **{word: 10 * number for words in (_ENGLISH_TENS, _GERMAN_TENS) for number, word in enumerate(words.split(), 2)},
    "hundred": 100,
    "hundert": 100,
    "thousand": 1000,
    "tausend": 1000,
    "dozen": 12,
}
"""Lower-case number words. "a", "an", "ein" and "eine" are articles far more often than numbers, and are left out."""

YES: Final = _words("yes yeah yep sure ok okay please true correct on ja gerne jawohl klar richtig stimmt")
NO: Final = _words("no nope not never false without off nein nicht kein keine keinen ohne")
CANCEL: Final = ("never mind", "nevermind", "forget it", "vergiss es", "egal", "stop", "abbrechen", "lass es")

PREVIOUS: Final = ("before", "previous", "prior", "earlier", "davor", "vorherige", "vorherigen", "vorige", "vorigen")
NEXT: Final = ("after that", "following", "next one", "danach", "darauf", "nächste", "nächsten")
LEANING_STARTS: Final = ("and", "what about", "how about", "also", "und", "auch", "was ist mit", "wie ist es mit")
"""Starts of a text that goes on from what was said before."""

LEANING_WORDS: Final = (*PREVIOUS, *NEXT, "that one", "the one", "the other one", "diese", "die andere")
"""Words that point to what was said before, wherever they stand. "It" and "das" point anywhere, and are left out."""

GERMAN: Final = _words(
    "ich du wir sie ihr er es der die das den dem des ein eine einen einem einer meine mein meinen meiner meinem dein "
    "deine ihre ihren unser unsere und oder aber nicht kein keine keinen ist sind war waren hat habe haben hatte wie "
    "was wann wo warum wer welche welcher welches bitte für mit von zu zum zur im in am an auf bei nach über aus um "
    "kann können muss müssen soll möchte würde will wird werden wurde hallo danke guten ja nein gibt geht mir mich "
    "dir dich uns ihnen davor danach so auch noch mal da"
)
ENGLISH: Final = _words(
    "i you we they the a an my your and or not is are was were has have had how what when where why who which please "
    "for with of to in on at by can could would want hello hi thanks yes no do does did me it before after"
)
