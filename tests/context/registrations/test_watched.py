"""What a change of a registration means to a subscription (CIM 009 §5.3.3, §5.11.7)."""

from __future__ import annotations

from rynek.context import RegistrationSpec, parse_types
from rynek.context.registrations import EntityInfo, Registration, RegistrationInfo
from rynek.context.registrations.watched import SourceSelector, reason, shown_information

VEHICLES = RegistrationInfo((EntityInfo(("t:Vehicle",)),), ("a:speed",))
PARKING = RegistrationInfo((EntityInfo(("t:Parking",)), EntityInfo(("t:Zone",))))


def registration(*information: RegistrationInfo) -> Registration:
    """A registration with this information."""
    return Registration(id="urn:r:1", endpoint="http://a.test", information=information)


def selector(*types: str) -> SourceSelector:
    """Looks for registrations of entities of these types."""
    return SourceSelector(tuple(RegistrationSpec(types=parse_types(one, str)) for one in types))


def test_parts_of_several_selectors_come_together_in_order() -> None:
    both = registration(VEHICLES, PARKING)
    found = selector("t:Zone", "t:Vehicle", "t:Parking").match(both)
    assert found is not None
    assert [part.info for part in found.parts] == [VEHICLES, PARKING]
    assert found.parts[1].entities == tuple(reversed(PARKING.entities))
    assert found.parts[0].attrs == frozenset(("a:speed",))
    assert selector("t:Other").match(both) is None


def test_types_narrow_where_each_selector_has_some() -> None:
    assert selector("t:A;t:B", "t:C").types == frozenset(("t:A", "t:B", "t:C"))
    assert selector("t:A", "*").types is None
    assert SourceSelector((RegistrationSpec(attrs=("a:p",)),)).types is None


def test_the_reason_is_what_became_of_the_match() -> None:
    wants = selector("t:Vehicle")
    match, none = wants.match(registration(VEHICLES)), wants.match(registration(PARKING))
    assert reason(None, match) == "newlyMatching"
    assert reason(none, match) == "newlyMatching"
    assert reason(match, match) == "updated"
    assert reason(match, none) == "noLongerMatching"
    assert reason(match, None) == "noLongerMatching"
    assert reason(none, none) is None


def test_what_is_shown_is_what_matters() -> None:
    wants = selector("t:Vehicle")
    both, parking = registration(VEHICLES, PARKING), registration(PARKING)
    match = wants.match(both)
    assert list(shown_information(None, match, both)) == [VEHICLES]
    assert list(shown_information(match, None, parking)) == [PARKING]
    assert list(shown_information(match, None, None)) == [VEHICLES]
