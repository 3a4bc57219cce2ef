"""Health in the form of draft-inadarei-api-health-check: status, and checks that say what to do."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from typing import Any, Final, Literal

import msgspec

from rynek import __version__
from rynek.base.clock import to_iso
from rynek.base.errors import Problem
from rynek.base.log import redact
from rynek.base.storage import write_fault

__all__ = ["Check", "Status", "document", "live", "ready", "worst"]

Status = Literal["pass", "warn", "fail"]
_ORDER: Final = ("pass", "warn", "fail")
# A history that cannot be written for less may be a disk that is slow for a moment.
_TOLERATED_SECONDS: Final = 60.0
_LITTLE_ROOM: Final = 0.05
_LITTLE_ROOM_BYTES: Final = 1 << 30
_MOST: Final = 200


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at. `key` is "component:measurement"; `output` says what is wrong
    and what to do about it."""

    key: str
    status: Status
    kind: Literal["component", "datastore", "system"] = "component"
    tenant: str = ""
    value: Any = None
    unit: str = ""
    output: str = ""

    def member(self, at: str) -> dict[str, Any]:
        """It as an element of `checks`."""
        told = {
            "componentId": self.tenant,
            "componentType": self.kind,
            "observedValue": self.value,
            "observedUnit": self.unit,
            "status": self.status,
            "time": at,
            "output": redact(self.output)[:1000],
        }
        return {name: value for name, value in told.items() if value not in ("", None)}


def live(engine: Any) -> list[Check]:
    """Whether the process answers: it does when this is read."""
    up = time.monotonic() - engine.started
    return [Check("uptime", "pass", "system", value=round(up, 1), unit="s")]


def ready(engine: Any) -> list[Check]:
    """Whether it can do its work: read, write, keep history."""
    checks = [_running(engine), _disk(engine)]
    for tenant in list(engine.tenants.values()):
        if tenant.trouble.error:
            checks.append(
                Check("tenant:start", "fail", tenant=tenant.name,
                      output=f"{tenant.trouble.error}. Run rynek doctor on the data folder")
            )  # fmt: skip
        elif tenant.begun:
            checks += _looked_at(tenant)
    checks += _publications(engine)
    return checks


def worst(checks: list[Check], default: str) -> Status:
    """The status of all together: what fails in one tenant of several warns, the others are served;
    what fails in the default tenant, or in all, fails."""
    failing = {check.tenant for check in checks if check.status == "fail"}
    tenants = {check.tenant for check in checks if check.tenant}
    if "" in failing or default in failing or (tenants and tenants <= failing):
        return "fail"
    return "warn" if any(check.status != "pass" for check in checks) else "pass"


def document(engine: Any, checks: list[Check], status: Status, *, details: bool) -> dict[str, Any]:
    """The body: the status alone, or with `details` of each check, the worst first."""
    if not details:
        return {"status": status}
    checks = sorted(checks, key=lambda check: -_ORDER.index(check.status))
    at = to_iso(time.time_ns() // 1000)
    members: dict[str, list[dict[str, Any]]] = {}
    for check in checks[:_MOST]:
        members.setdefault(check.key, []).append(check.member(at))
    body: dict[str, Any] = {
        "status": status,
        "version": __version__,
        "serviceId": engine.alias,
        "description": "rynek",
        "checks": members,
    }
    if len(checks) > _MOST:
        body["notes"] = [f"{len(checks) - _MOST} more checks are left out"]
    return body


def _running(engine: Any) -> Check:
    if engine.stopping.is_set():
        return Check("engine:running", "fail", output="the service is stopping")
    if not engine.tenants[engine.default_tenant].begun:
        return Check("engine:running", "fail", output="the service is starting; wait a moment")
    return Check("engine:running", "pass")


def _disk(engine: Any) -> Check:
    try:
        disk = shutil.disk_usage(engine.folder.path)
    except OSError as error:
        return Check("disk:free", "fail", "system",
                     output=f"the data folder cannot be looked at: {error}")  # fmt: skip
    little = disk.free < min(disk.total * _LITTLE_ROOM, _LITTLE_ROOM_BYTES)
    return Check("disk:free", "warn" if little else "pass", "system", value=disk.free,
                 unit="byte", output="little room is left: make some, or give the data folder a"
                 " larger disk" if little else "")  # fmt: skip


def _looked_at(tenant: Any) -> list[Check]:
    try:
        return list(_of_tenant(tenant))
    except Problem as problem:  # it begins, and is about to find that it cannot
        return [Check("tenant:start", "fail", tenant=tenant.name, output=problem.detail)]


def _of_tenant(tenant: Any) -> Iterator[Check]:
    name = tenant.name
    failing = tenant.context.store.failing
    if failing and (fault := write_fault(tenant.folder)) is not None:
        failing = f"the data folder cannot be written ({fault.strerror})"
    yield Check(
        "store:writes", "fail" if failing else "pass", "datastore", name,
        output=f"{failing}. Writes are refused until it is mended; reads go on" if failing else "",
    )  # fmt: skip
    yield _history(tenant)
    state = tenant.history.state()
    if state.set_aside or state.lost or state.damaged:
        yield Check(
            "history:rows", "warn", "datastore", name,
            value=state.set_aside + state.lost, unit="reading",
            output=f"{state.set_aside} readings could not be written and stand beside the table,"
            f" {state.lost} changes were not read in time, damaged files: {len(state.damaged)}."
            " Run rynek doctor --deep on the data folder",
        )  # fmt: skip
    feeds = [feed.name for feed in tenant.feeds.health() if feed.state in ("failing", "stale")]
    if feeds:
        yield Check(
            "feeds:sources", "warn", tenant=name, value=len(feeds), unit="feed",
            output=f"failing or out of date: {', '.join(feeds[:20])}. The page Feeds says why",
        )  # fmt: skip


def _publications(engine: Any) -> Iterator[Check]:
    """Cities whose indicators could not be published when they were last to be."""
    if engine.settings.indicators.publish == "off":
        return
    for run in engine.publications.all():
        if run.problem and run.city in engine.tenants:
            yield Check(
                "indicators:publish", "warn", tenant=run.city,
                output=f"the indicators of {run.period} could not be published: {run.problem}."
                " It is tried again, within an hour",
            )  # fmt: skip


def _history(tenant: Any) -> Check:
    state = tenant.history.state()
    status: Status = "pass"
    output = ""
    if state.error:
        status = "fail" if state.failing_seconds > _TOLERATED_SECONDS else "warn"
        output = (
            f"not written for {state.failing_seconds:.0f} s: {state.error}."
            " Nothing is lost: the log keeps it, and it is tried again"
        )
    elif state.upkeep_error:
        status, output = "warn", f"upkeep fails: {state.upkeep_error}"
    return Check(
        "history:lag", status, "datastore", tenant.name,
        value=round(state.behind_seconds, 1), unit="s", output=output,
    )  # fmt: skip
