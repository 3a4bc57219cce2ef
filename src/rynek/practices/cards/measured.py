"""Which cards ask for an effect on which indicator, of their newest versions."""

from __future__ import annotations

from rynek.base.database import Database
from rynek.base.sqlite import Connection
from rynek.practices.cards.model import Card

__all__ = ["Measured"]


class Measured:
    """Cards by the indicators that they name or that the outcomes of their questions measure. Whoever may see a card
    is asked of `Cards.get`: this says nothing of doors."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, database: Connection, card_id: str, card: Card) -> None:
        """Note the newest version of a card; the caller's transaction."""
        database.execute("DELETE FROM measured WHERE id = ?", (card_id,))
        asked = (name for each in card.questions for name in each.indicators)
        found = dict.fromkeys([*card.indicators, *asked])
        database.executemany(
            "INSERT INTO measured VALUES(?, ?)", [(name, card_id) for name in found]
        )

    def ids(self, indicator: str, limit: int) -> list[str]:
        """The cards, but for removed ones: those that were answered last first."""
        with self._database.reading() as database:
            rows = database.execute(
                "SELECT card.id FROM measured JOIN card ON card.id = measured.id"
                " WHERE measured.indicator = ? AND NOT card.removed ORDER BY"
                " (SELECT max(at) FROM result WHERE result.id = card.id) DESC, card.seq DESC"
                " LIMIT ?",
                (indicator, limit),
            ).fetchall()
        return [str(row[0]) for row in rows]
