"""Computes the answers that ship with the catalogue's cards: `python tools/card_answers.py DATA`.

DATA is the folder of recorded data (paths as in the cards' recipes). What is written is the same,
byte for byte, on one platform with one lock file.
"""

import sys
import tempfile
from pathlib import Path

import msgspec

from rynek.practices.cards import Cards
from rynek.practices.cards.estimating import answer_question
from rynek.practices.cards.shipped import CATALOGUE, Answered, shipped


def main(data: Path) -> None:
    """Write a JSON file beside each card that has questions."""
    with tempfile.TemporaryDirectory() as room:
        cards = Cards(Path(room) / "practices.db")
        for one in shipped():
            answers = {}
            for question in one.card.questions:
                found = answer_question(cards, one.id, question, data)
                answers[question.key] = Answered(
                    found.specification, found.input, found.rynek, found.document
                )
            if answers:
                body = msgspec.json.format(msgspec.json.encode(answers), indent=1)
                (CATALOGUE / f"{one.id}.json").write_bytes(body + b"\n")
                print(one.id, ", ".join(answers))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
