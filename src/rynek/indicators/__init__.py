"""Indicators: what a city's data mean, and cities compared with how sure that is.

`definitions()` are the indicators that come with rynek, `compute_indicators(record, …)` gives their
values for a period of a city's history, each with coverage and provenance; with `KeptDays(tenant)`
it reads only days of which something changed. `compute_indicator_trend` is the same for several
periods: twelve months from kept days, without a look at the readings.
`evaluate_index(specification, folder)` computes a composite index with its uncertainty, and
`document(index)` is the whole of it in plain values.
"""

from rynek.indicators.database import FILE as INDICATORS_FILE
from rynek.indicators.database import open_indicators
from rynek.indicators.definition import LANGUAGES, Definition, definitions, find_definition
from rynek.indicators.index.document import document
from rynek.indicators.index.evaluation import Index, evaluate_index
from rynek.indicators.index.published import Comparisons, Published, seed_comparisons
from rynek.indicators.index.rerank import Reranked, rerank
from rynek.indicators.index.specification import (
    Specification,
    Text,
    load_specification,
    parse_specification,
)
from rynek.indicators.kpi.compute import compute as compute_indicators
from rynek.indicators.kpi.compute import compute_trend as compute_indicator_trend
from rynek.indicators.kpi.kept import KEPT_FILE, KeptDays
from rynek.indicators.kpi.known import Sources, inhabitants
from rynek.indicators.kpi.ngsi_ld import entity_id, value_entity
from rynek.indicators.kpi.period import Period, last_month, parse_period
from rynek.indicators.kpi.publication import (
    Publication,
    Publications,
    due_periods,
    published_values,
)
from rynek.indicators.kpi.value import Value
from rynek.indicators.kpi.value import to_document as value_document
from rynek.indicators.likeness import FEWEST_CITIES, FEWEST_SHARED, LABELS, Alike, Likeness, Shared
from rynek.indicators.likeness import Measured as MeasuredCity
from rynek.indicators.profiles import PROFILES_FILE, Profile, Profiles
from rynek.indicators.reference.definition import load_definition
from rynek.indicators.reference.definition import shipped as shipped_definitions
from rynek.indicators.reference.importing import to_csv
from rynek.indicators.reference.store import References, seed_references
from rynek.indicators.saying import read_message, say
from rynek.indicators.survey.answering import Answers, Fault, State, read_answers
from rynek.indicators.survey.database import FILE as SURVEYS_FILE
from rynek.indicators.survey.deadline import read_deadline
from rynek.indicators.survey.export import write_export
from rynek.indicators.survey.measured import CONFIRMED, Measured, text_of
from rynek.indicators.survey.measuring import measured_figures
from rynek.indicators.survey.model import Choice, Element, Survey
from rynek.indicators.survey.reading import read_survey, read_workbook
from rynek.indicators.survey.results import results
from rynek.indicators.survey.store import Opened, Respondent, Response, Surveys, Wave
from rynek.indicators.survey.template import write_template
from rynek.indicators.table import Form, Frame, read_frame

__all__ = [
    "CONFIRMED",
    "FEWEST_CITIES",
    "FEWEST_SHARED",
    "INDICATORS_FILE",
    "KEPT_FILE",
    "LABELS",
    "LANGUAGES",
    "PROFILES_FILE",
    "SURVEYS_FILE",
    "Alike",
    "Answers",
    "Choice",
    "Comparisons",
    "Definition",
    "Element",
    "Fault",
    "Form",
    "Frame",
    "Index",
    "KeptDays",
    "Likeness",
    "Measured",
    "MeasuredCity",
    "Opened",
    "Period",
    "Profile",
    "Profiles",
    "Publication",
    "Publications",
    "Published",
    "References",
    "Reranked",
    "Respondent",
    "Response",
    "Shared",
    "Sources",
    "Specification",
    "State",
    "Survey",
    "Surveys",
    "Text",
    "Value",
    "Wave",
    "compute_indicator_trend",
    "compute_indicators",
    "definitions",
    "document",
    "due_periods",
    "entity_id",
    "evaluate_index",
    "find_definition",
    "inhabitants",
    "last_month",
    "load_definition",
    "load_specification",
    "measured_figures",
    "open_indicators",
    "parse_period",
    "parse_specification",
    "published_values",
    "read_answers",
    "read_deadline",
    "read_frame",
    "read_message",
    "read_survey",
    "read_workbook",
    "rerank",
    "results",
    "say",
    "seed_comparisons",
    "seed_references",
    "shipped_definitions",
    "text_of",
    "to_csv",
    "value_document",
    "value_entity",
    "write_export",
    "write_template",
]
