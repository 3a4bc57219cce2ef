"""History for `rynek practice`: of a city in a data folder that no service runs on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from rynek.cli.options import settings_of
from rynek.practices import Panel, Question

__all__ = ["asker"]


def asker(
    config: Path | None, data: Path | None, tenant: str | None
) -> Callable[[Question], Panel]:
    """Answers questions from the history of a city."""

    def ask(question: Question) -> Panel:
        return asyncio.run(_asked(question, config, data, question.tenant or tenant))

    return ask


async def _asked(
    question: Question, config: Path | None, data: Path | None, tenant: str | None
) -> Panel:
    from rynek.cli.transfer import Folder
    from rynek.practices import panel_of_history

    async with Folder(settings_of(config, data), tenant, create=False) as city:
        return await panel_of_history(city.history, question)
