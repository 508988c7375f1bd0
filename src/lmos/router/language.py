"""Function words of English and German: which language a text is in, and which of its words say something.

A dozen words a sentence are function words, so counting them tells two languages apart without a model.
"""

from __future__ import annotations

from typing import Literal

from lmos.router.text import words

__all__ = ["FUNCTION_WORDS", "Language", "language_of"]

Language = Literal["en", "de"]

_ENGLISH_WORDS = """
a about after again all also am an and another any anything are as ask at be because been before but by can could did
do does doing done dont else for from get give had has have he hello help her here hey hi him his how i id if ill im
in into is it its ive just know last let like make many me more most much must my need next no not now of off ok okay
on one only or other our out please prior really same see she should show so some such tell than thank thanks that
thats the their them then there these they thing this those to too up us very want was we well were what whats when
where wheres which who whos whom why will with would yes yet you your yours
"""
_GERMAN_WORDS = """
ab aber alle allem allen aller alles als also am an andere anderen auch auf aus bei bin bis bitte bist da dabei damit
danach danke dann das dass davon davor dazu dein deine dem den denn der des dich die dies diese diesem diesen dieser
dieses dir doch dort du ein eine einem einen einer eines er es etwas euch für gab geben gern gerne gib gibt haben habe
hallo hat hatte hier ich ihm ihn ihnen ihr ihre im in ins ist ja jetzt kann kannst kein keine keinen können könnte
letzte letzten mach machen man mehr mein meine meinem meinen meiner mich mir mit möchte muss nach nein nicht nichts
noch nun nur ob oder ohne sein seine sehr sich sie sind so soll sollte über um und uns unser unsere vom von vor vorher
war warum was weil welche welchem welchen welcher welches wem wen wenn wer werden wie wieder wieso will wir wird wo
woher wurde zeig zeige zu zum zur
"""

_ENGLISH = frozenset(_ENGLISH_WORDS.split())
_GERMAN = frozenset(_GERMAN_WORDS.split())

FUNCTION_WORDS: frozenset[str] = _ENGLISH | _GERMAN


def language_of(text: str) -> Language:
    """The language with more function words in `text`; English when neither has more."""
    found = words(text)
    german = sum(word in _GERMAN for word in found) + sum(c in "äöüß" for c in text.casefold())
    return "de" if german > sum(word in _ENGLISH for word in found) else "en"
