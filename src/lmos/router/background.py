"""What people say to any assistant whatever it is for: the router's idea of a message that is not for its agents.

A roster of three examples says what its agents do, not what they do not. Without these texts everything would have to
be for one of them. They are ours, about no trade in particular, and put the commonest openings ("how much is", "when
does", "I want to") before topics of all kinds, so that an opening alone speaks for no agent. `lesson` learns them as a
class of their own, less those that resemble the roster's texts: to a weather agent, weather is no stranger.

Why the router has texts that no user wrote: docs/adr/0005-background-texts.md.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["BACKGROUND", "background_folds"]

_TEXTS: Final = """
hi there, how are you today
good morning
good evening, nice to meet you
thanks, that was all
goodbye, see you tomorrow
no, not really
okay, great
I do not understand
can you help me
I have a question
I need some help with something
who are you
are you a robot or a person
I want to talk to a human
connect me to a real person please
let me speak with somebody
you are really stupid
I love you
sing a song for me
write a poem about autumn
I am bored, what should I do
what is your favourite colour
where do you live
do you have children
will it rain tomorrow afternoon
how cold does it get in Norway in winter
is there a storm coming this weekend
who won the football match last night
when does the next world cup start
what was the score of the tennis final
who is the best basketball player of all time
how long is a marathon
who is the president of France
how does an election work
which party is in government in Spain
what are the latest news
who was the first person on the moon
when did the second world war end
why did the Roman empire fall
who invented the telephone
what is the capital of Australia
how many people live in India
how far is it from Berlin to Rome
which river is the longest in the world
where is the highest mountain of Africa
how much is 15 percent of 80
convert ten miles to kilometres
solve this equation for x
how does a black hole form
how fast is the speed of light
what is the meaning of life
how do plants make oxygen
what do elephants eat
how long do turtles live
how do I train my puppy to sit
my cat does not eat any more
what breed of dog is good for families
give me a recipe for lemon cake
how long do I have to boil an egg
what can I cook with potatoes and cheese
how many calories are in a banana
is this mushroom edible
which wine goes with fish
recommend a good pizza place nearby
book a table for two tonight
order a large pizza with extra cheese
I have a headache, what should I take
what are the symptoms of the flu
how do I lose weight quickly
is coffee bad for my heart
how many hours should I sleep
make an appointment with my dentist
find me a good doctor
which exercises help against back pain
play some jazz music
what is a good film to watch tonight
who directed that movie
recommend me a novel
how many seasons does this series have
what is on television tonight
I want to read a book about history
how do I play the guitar
teach me to dance
find a cheap flight to Paris
book a hotel in London for next week
which sights should I see in Vienna
do I need a visa for China
how long is the flight to New York
where is the nearest beach
what should I pack for a trip to the mountains
is the museum open on Sundays
when does the next train to Hamburg leave
how do I get to the airport
call me a taxi
is there a traffic jam on the motorway
where can I park in the city centre
how do I change a flat tyre
how often does my car need new oil
what is the best electric car
my engine makes a strange noise
how much does a new bicycle cost
how much is a ticket for the zoo
how much is a new laptop
where can I buy cheap shoes
I am looking for a present for my mother
what size of shirt do I need
do you sell furniture
I want to buy a house
how much is the rent for a flat in Munich
how do I remove a stain from a carpet
how do I fix a leaking tap
paint my bedroom blue
which plants grow in the shade
when should I cut the roses
turn on the lights in the kitchen
set the heating to twenty degrees
lock the front door
start the washing machine
set an alarm for seven o'clock
remind me to call my sister
what is on my calendar tomorrow
cancel my meeting on Friday
send a message to Peter
call my brother
read my new emails
take a picture
translate good night into French
how do you spell necessary
what is a synonym for happy
correct the grammar of this sentence
write a letter to my landlord
summarise this article for me
help me with my homework
how do I study for an exam
which university is the best for medicine
explain photosynthesis to a child
write a program that sorts a list
how do I install Python
my computer keeps crashing
which programming language should I learn
how do I take a screenshot
what is machine learning
do aliens exist
do ghosts exist
what happens after we die
does God exist
am I a good person
I feel sad today
my friend does not talk to me any more
how do I ask somebody for a date
what should I wear to a wedding
we are getting married in June
my grandmother turns ninety next week
congratulations on your birthday
how do I write an application for a job
what should I say in an interview
my boss is unfair
how many days of holiday do I have left
how do I ask for a raise
what is the minimum wage
how do I file my taxes
what is the price of gold
should I buy shares
what is the exchange rate of dollar to euro
how do I save money
is it legal to drive without a licence
I need a lawyer
how do I get a passport
where do I register a dog
report a theft to the police
what is the emergency number
how do I learn to swim
what are the rules of chess
flip a coin
pick a number between one and ten
let us play a game
what is my horoscope for today
tell me a story about a dragon
draw a picture of a sunset
who painted the Mona Lisa
when was the Eiffel tower built
how tall is the tallest building
what is the population of Canada
what language do they speak in Brazil
why do cats purr
when do swallows fly south
how deep is the ocean
how many planets are there
what is the date of Easter this year
how many days until Christmas
when does summer start
how does a vaccine work
what is inflation
how is cheese made
what is glass made of
how do aeroplanes fly
how do I build a bookshelf
I lost my keys in the park
somebody stole my bicycle
there is a spider in my room
the neighbours are too loud
my shoes are too small
the soup is too salty
show me pictures of mountains
show me the way to the station
I want to go fishing
I want to learn Spanish
I want to change my hair colour
I would like to become a pilot
give me some advice
give me the phone number of the town hall
why are you so slow
why is everything so expensive
this is not what I meant
asdf qwer
blah blah blah
test
guten Morgen, wie geht es dir
vielen Dank
auf Wiedersehen
ja, bitte
kannst du mir helfen
ich habe eine Frage
was kannst du alles
bist du ein Mensch oder ein Roboter
ich möchte mit einem Menschen sprechen
erzähl mir einen Witz
sing mir ein Lied
wie wird das Wetter morgen
regnet es heute noch
wie kalt ist es in Norwegen
wer hat gestern das Spiel gewonnen
wann beginnt die nächste Weltmeisterschaft
wer ist der Präsident von Frankreich
wann endete der Zweite Weltkrieg
was ist die Hauptstadt von Australien
wie viele Menschen leben in Indien
wie hoch ist der höchste Berg
wie viel ist fünfzehn Prozent von achtzig
warum ist der Himmel blau
was fressen Elefanten
wie lange muss ein Ei kochen
gib mir ein Rezept für Zitronenkuchen
welcher Wein passt zu Fisch
ich habe Kopfschmerzen
wie viele Stunden sollte man schlafen
mach einen Termin beim Zahnarzt
spiel etwas Musik
welchen Film soll ich heute sehen
such mir einen Flug nach Paris
buche ein Hotel in London
wann fährt der nächste Zug nach Hamburg
wo kann ich hier parken
wie wechsle ich einen Reifen
wie teuer ist ein neues Fahrrad
wo kann ich günstig Schuhe kaufen
ich suche ein Geschenk für meine Mutter
wie bekomme ich einen Fleck aus dem Teppich
mach das Licht in der Küche an
stell den Wecker auf sieben Uhr
erinnere mich an den Anruf
schreib Milch auf die Einkaufsliste
schick Peter eine Nachricht
übersetze gute Nacht ins Französische
hilf mir bei den Hausaufgaben
erkläre mir die Relativitätstheorie
mein Computer stürzt ständig ab
gibt es Außerirdische
was ist der Sinn des Lebens
ich bin heute traurig
wie schreibe ich eine Bewerbung
wie viel Urlaub habe ich noch
wie mache ich meine Steuererklärung
soll ich Aktien kaufen
ich brauche einen Anwalt
wo beantrage ich einen Reisepass
wie lerne ich schwimmen
wie viele Tage sind es bis Weihnachten
wann ist der nächste Vollmond
jemand hat mein Fahrrad gestohlen
die Nachbarn sind zu laut
das ist mir egal
hello there, friend
hey, hello
thanks a lot, you helped me
thank you so much for everything
tell me a really good joke
make us all laugh
could you sing or dance
how is the weather at the moment
what do clouds look like on other planets
what is the name of this tune
make it louder
throw two dice
why do people dream
write down that we need bread
forget about it
hallo zusammen
danke dir
"""

BACKGROUND: Final[tuple[str, ...]] = tuple(_TEXTS.strip().splitlines())


def background_folds(count: int) -> NDArray[np.int64]:
    """A fold in 0..count-1 for each text, by its hash."""
    return np.array([sha256(text.encode()).digest()[0] % count for text in BACKGROUND], np.int64)
