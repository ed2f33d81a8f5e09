"""A book-like English text of about 4,000 tokens, written for this repository: a short story, then the story's
log book, whose entries are put together by a seeded generator.

    python scripts/golden/passage.py            writes crates/loci/tests/fixtures/oracle/passage.txt
"""

from pathlib import Path

from layer_stream import splitmix64

FIXTURE = Path(__file__).parents[2] / "crates/loci/tests/fixtures/oracle/passage.txt"

STORY = """\
THE KEEPER OF THE NORTH ROOM

When my aunt Verity died she left me a house with eleven rooms and a letter that spoke of twelve. I read the letter three times at the kitchen table while the solicitor, a patient man with ink on his cuffs, pretended to look out at the garden. It was a short letter. It told me where the coal was kept, which of the neighbours would lend a ladder, and how to stop the pump from freezing; and at the end, in the same even hand, it said: "The north room I leave as it is. Wind the clock on Sundays and write down what you see."

"There is no north room," said the solicitor, when I asked him. "I made the inventory myself. Four rooms below, five above, and the two in the roof. The north side of the house is a wall."

It was a wall. I walked round it that same evening, with my collar up against the rain, and counted the windows, and there were none on that side. The stones were older than the rest of the building and had a greenish look, as if they had stood in water for a long time. An elder bush grew against them. A wren flew out of the bush and scolded me, and I went in again and made a fire.

I am not a person who looks for mysteries. I had kept the books of a shipping firm for nineteen years, and what I liked about the work was that every figure had another figure somewhere which it must agree with. So I did what I would have done with an account that did not balance: I measured. I had a tape of my aunt's, the kind that winds into a leather case, and on the second day I measured every room of the house, the thickness of the walls where the doors let me see it, and the outside from corner to corner. The outside was longer than the inside by fourteen feet and some inches. I did the sum again with a fresh pencil. Fourteen feet, and some inches.

After that it was only a matter of looking for the door, and a person who is looking for a door will find it. It was at the back of the linen cupboard on the landing, behind a shelf of pillowcases that smelled of lavender. It had no handle, only a small brass ring let into the wood, and when I pulled the ring the door came towards me without a sound, as though it had been oiled the day before.

The room was long and narrow. A grey light fell into it from a pane in the roof. Along one side stood a table, and on the table lay a row of ledgers, bound in blue cloth, with dates on their spines; at the far end hung a clock in a walnut case, and beneath the clock was a chair. There was nothing else. The clock had stopped at ten minutes to four.

I opened the first of the ledgers. It was not my aunt's hand but an older one, brown and sloping. "Sunday," it said. "Wound the clock. Wind from the west. From the pane I saw the harbour and eleven ships, and one of them I did not know." I read on. There was an entry for every Sunday, a line or two, never more than five. The hands changed: the sloping hand gave way to a square one, and the square hand to a hand so small that I had to carry the book to the light. Some wrote of the weather, some of the ships, and one, for a whole winter, of a fox that came over the ice. Nobody explained anything. In the last of the ledgers I found my aunt, forty-one years of her, and her final entry was dated nine days before her death. "Wound the clock. I shall not manage the stairs again. The girl will come, I think; she always liked a thing to add up."

I should say that the house stands thirty miles from the sea.

I sat for a while in the chair. Then I wound the clock, although it was a Wednesday, because it seemed wrong to leave it standing; it began to tick at once, in a slow, dry, reasonable voice. And I climbed on the chair and put my face to the pane in the roof. What I had expected to see was the sky, or at most the top of the elm behind the stable. What I saw was a harbour in the morning, as clear as a picture in a shop, with a long stone mole and a light at the end of it, and gulls, and men rolling barrels, and ships. I counted them. There were eleven. I counted again, for that is my habit, and there were eleven; and the name on the stern of the nearest was one that I had written myself, many hundreds of times, in the books of the firm, until the winter when she did not come home.

I got down from the chair. My hands were not quite steady, but they were steady enough. I took the last ledger, and turned to the first clean page, and looked in my pockets for a pen.

"Wednesday," I wrote. "Wound the clock."

What follows I have copied from that ledger, leaving out only the weeks in which I was ill, and those in which there was fog.

"""

DAYS = ["Sunday", "Sunday, late", "Sunday, before breakfast", "Sunday, after church", "Sunday, by lamplight"]
WINDS = [
    "Wind from the west, and rain in it.",
    "No wind at all; the smoke of the town went straight up.",
    "A stiff breeze from the north-east, and the flags all standing out like boards.",
    "The wind went round to the south at noon and brought warm weather.",
    "It blew so hard that the men on the mole walked bent over, holding their caps.",
    "Hardly enough wind to move the weathercock.",
]
SIGHTS = [
    "{n} ships in the harbour, and a barge with a red sail that came and went twice.",
    "I counted {n} ships, though one of them lay half behind the custom house and may have been two.",
    "Only {n} ships today; the rest must have gone out with the morning tide.",
    "A new ship, very white, the {nth} along the quay, with a name that I could not make out.",
    "They were painting the light at the end of the mole, and {n} boys sat on the wall and gave advice.",
    "A funeral went along the quay, {n} carriages, and every ship had her colours at half mast.",
    "The fishing fleet came in, {n} boats, so low in the water that I was afraid for them.",
]
PEOPLE = [
    "The harbour master was out with his dog and looked up once, as though he had heard something.",
    "A woman in a green shawl stood where she always stands and waited, and in the end went home alone.",
    "The old man who mends nets has a boy to help him now, and the boy does not listen.",
    "Two sailors carried a piano out of the Anchor and set it down in the road, and one of them played it.",
    "A girl let down a basket from an upper window, and a baker put a loaf in it and took out a coin.",
    "The pilot's wife hung out her washing, and the wind took a sheet, and half the street ran after it.",
    "Nobody was about but a cat, which walked the whole length of the quay without once being in a hurry.",
]
THOUGHTS = [
    "I asked the solicitor whether my aunt had ever been abroad, and he thought not.",
    "I have begun to know the ships by their masts, as one knows people by their walk.",
    "The clock loses four minutes in a week; my aunt noted the same, and so did the man before her.",
    "It struck me today that nobody in the ledgers ever tried to open the pane.",
    "I compared the count with the same Sunday in my aunt's first year, and it agreed.",
    "In the village they say that this was once the house of a ship's chandler, which makes no sense, so far inland.",
    "I dreamed of the place for the first time, and in the dream I could smell the tar.",
    "",
]
NUMBERS = ["seven", "nine", "eleven", "twelve", "fourteen", "sixteen"]
ORDINALS = ["third", "fourth", "fifth", "sixth", "seventh"]
ENTRIES = 34


def passage():
    """The whole text, always the same."""
    numbers = splitmix64(1851)

    def pick(choices, avoid):
        left = [choice for choice in choices if choice not in avoid]
        return left[next(numbers) % len(left)]

    text, recent = STORY, []
    for week in range(ENTRIES):
        parts = [pick(DAYS, ()), *(pick(choices, recent[-8:]) for choices in (WINDS, SIGHTS, PEOPLE, THOUGHTS))]
        recent += parts
        day, wind, sight, person, thought = parts
        sight = sight.format(n=pick(NUMBERS, ()), nth=pick(ORDINALS, ()))
        lines = [wind, sight[0].upper() + sight[1:], person]
        if next(numbers) % 3 == 0:
            lines = [lines[1], lines[0], lines[2]]
        text += f"{day}. " + " ".join(["Wound the clock.", *lines, thought]).strip() + "\n\n"
    return text


if __name__ == "__main__":
    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    FIXTURE.write_text(passage())
    print(f"{FIXTURE}: {len(passage())} bytes")
