"""A network of real cities from recordings that ship with the package; see docs/demo.md."""

from rynek.demo.install import CITIES, DEFAULT_CITY, data_folder, install
from rynek.demo.past import load_past, load_timetables
from rynek.demo.surveys import OPEN_WAVE, PAST_WAVE, make_surveys

__all__ = [
    "CITIES",
    "DEFAULT_CITY",
    "OPEN_WAVE",
    "PAST_WAVE",
    "data_folder",
    "install",
    "load_past",
    "load_timetables",
    "make_surveys",
]
