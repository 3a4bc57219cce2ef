"""docs/operations.md: every metric is in the table, and every metric of an alert exists."""

from __future__ import annotations

import re
from pathlib import Path

from rynek.web.watch import listed

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(rynek_\w+)` \| (\w+) \| (.*?) \| (.*?) \|$", re.MULTILINE)
OF_THE_LIBRARY = {"process_open_fds", "process_max_fds"}


def test_the_table_lists_every_metric_as_it_is() -> None:
    told = {name: (kind, labels, meaning) for name, kind, labels, meaning in ROW.findall(PAGE)}
    assert told == {
        one.name: (one.kind, ", ".join(f"`{label}`" for label in one.labels), one.meaning)
        for one in listed()
    }


def test_alerts_name_metrics_and_labels_that_exist() -> None:
    known = {one.name: set(one.labels) for one in listed()}
    for one in listed():
        if one.kind == "histogram":
            for end, more in (("_bucket", {"le"}), ("_sum", set()), ("_count", set())):
                known[one.name + end] = set(one.labels) | more
    rules = re.search(r"```yaml\ngroups:\n(.*?)```", PAGE, re.DOTALL)
    assert rules is not None
    named = re.findall(r"\b((?:rynek|process)_\w+)(?:\{([^}]*)\})?", rules[1])
    assert len(named) > 12
    for name, matchers in named:
        assert name in known or name in OF_THE_LIBRARY, name
        labels = set(re.findall(r"(\w+)\s*=~?", matchers)) - {"job"}
        assert labels <= known.get(name, set()), (name, labels)
    for alert in re.split(r"- alert: ", rules[1])[1:]:
        label = set(re.findall(r"\$labels\.(\w+)", alert))
        metrics = [one for one in known if re.search(rf"\b{one}\b", alert)]
        assert all(label <= known[one] for one in metrics), alert
