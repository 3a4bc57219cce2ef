"""Say what is in a recorded GTFS-Realtime file, without writing anything."""

from __future__ import annotations

import os
from pathlib import Path

from rynek.feeds import check

DATA = Path(os.environ.get("RYNEK_TEST_DATA", "../shared/data"))


def main() -> None:
    """Check the vehicle positions of Poznań and show what they become and what is odd."""
    report = check(
        str(DATA / "gtfs_rt/poznan/2026-01-28T150359Z_vehicle_positions.pb"),
        zone="Europe/Warsaw",
        bounds=(16.5, 52.1, 17.4, 52.7),
    )
    print(report.to_text())
    assert report.entities == {"Vehicle": 544}


if __name__ == "__main__":
    main()
