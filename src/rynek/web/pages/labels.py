"""Words for people: types, attributes, values, kinds and findings, marked for translation.

A name without an entry is shown humanised ("availableBikeNumber" → "Available bike number").
"""

from __future__ import annotations

import re
from typing import Final

from rynek.web.i18n import Translator

__all__ = ["ATTRIBUTES", "KINDS", "TYPES", "VALUES", "attribute", "humanised", "kind", "type_name"]


def N_(message: str) -> str:  # noqa: N802 - gettext's customary name for "mark, don't translate"
    """Mark a message for the catalogues."""
    return message


TYPES: Final[dict[str, str]] = {
    "AirQualityObserved": N_("Air quality station"),
    "Alert": N_("Service alert"),
    "ArrivalEstimation": N_("Expected arrival"),
    "BikeHireDockingStation": N_("Bike station"),
    "BikeLane": N_("Bike lane"),
    "Building": N_("Building"),
    "CrowdFlowObserved": N_("Pedestrian counter"),
    "Device": N_("Device"),
    "District": N_("District"),
    "EVChargingStation": N_("Charging station"),
    "GtfsAgency": N_("Transport operator"),
    "GtfsRoute": N_("Line"),
    "GtfsShape": N_("Course of a line"),
    "GtfsStation": N_("Station"),
    "GtfsStop": N_("Stop"),
    "GtfsTrip": N_("Trip"),
    "ItemFlowObserved": N_("Traffic counter"),
    "KeyPerformanceIndicator": N_("Indicator"),
    "NoiseLevelObserved": N_("Noise meter"),
    "OffStreetParking": N_("Car park"),
    "OnStreetParking": N_("Street parking"),
    "ParkingGroup": N_("Group of parking places"),
    "ParkingMeter": N_("Parking meter"),
    "ParkingSpot": N_("Parking place"),
    "Road": N_("Road"),
    "Streetlight": N_("Street light"),
    "TrafficFlowObserved": N_("Traffic flow"),
    "Vehicle": N_("Vehicle"),
    "WasteContainer": N_("Waste container"),
    "WasteContainerIsle": N_("Waste collection point"),
    "WeatherForecast": N_("Weather forecast"),
    "WeatherObserved": N_("Weather station"),
}

ATTRIBUTES: Final[dict[str, str]] = {
    "activePeriod": N_("In force"),
    "address": N_("Address"),
    "agency": N_("Operator"),
    "agencyName": N_("Operator"),
    "airQualityIndex": N_("Air quality index"),
    "allowedVehicleType": N_("Vehicles allowed"),
    "alternateName": N_("Other name"),
    "annotations": N_("Notes"),
    "appliesTo": N_("Concerns"),
    "areaServed": N_("Area served"),
    "areBikesRenting": N_("Renting out"),
    "areBikesReturning": N_("Taking back"),
    "arrivalTime": N_("Arrival"),
    "atmosphericPressure": N_("Air pressure"),
    "availableBikeNumber": N_("Bikes available"),
    "availableElectricBikeNumber": N_("Electric bikes available"),
    "availableSpotNumber": N_("Free places"),
    "availableVehicleTypes": N_("Kinds of vehicles"),
    "averageVehicleSpeed": N_("Average speed"),
    "battery": N_("Battery"),
    "bearing": N_("Direction"),
    "bikeNumber": N_("Bikes"),
    "capacity": N_("Capacity"),
    "category": N_("Category"),
    "cause": N_("Cause"),
    "co": N_("Carbon monoxide (CO)"),
    "code": N_("Code"),
    "congestionLevel": N_("Congestion"),
    "currentStopSequence": N_("Stop on the way, by number"),
    "dataProvider": N_("Data provider"),
    "dateCreated": N_("Created"),
    "dateIssued": N_("Issued"),
    "dateLastEmptying": N_("Last emptied"),
    "dateModified": N_("Changed"),
    "dateObserved": N_("Observed"),
    "dateObservedFrom": N_("Observed from"),
    "dateObservedTo": N_("Observed until"),
    "delay": N_("Delay"),
    "description": N_("Description"),
    "directionId": N_("Direction of travel"),
    "disabledBikeNumber": N_("Bikes out of order"),
    "district": N_("District"),
    "effect": N_("Effect"),
    "extraSpotNumber": N_("Extra places"),
    "feature": N_("Feature"),
    "feed": N_("Feed"),
    "fillingLevel": N_("Filling level"),
    "fleetVehicleId": N_("Vehicle number"),
    "freeSlotNumber": N_("Free docks"),
    "hasAgency": N_("Operator"),
    "hasRoute": N_("Line"),
    "hasStop": N_("Stop"),
    "hasTrip": N_("Trip"),
    "hasVehicle": N_("Vehicle"),
    "heading": N_("Direction"),
    "headSign": N_("Towards"),
    "headsign": N_("Towards"),
    "humidity": N_("Humidity"),
    "identifier": N_("Identifier"),
    "illuminance": N_("Illuminance"),
    "intensity": N_("Count"),
    "kpiValue": N_("Value"),
    "label": N_("Label"),
    "language": N_("Language"),
    "lineName": N_("Line"),
    "lineNumber": N_("Line"),
    "location": N_("Place"),
    "material": N_("Material"),
    "maximumParkingDuration": N_("Longest stay"),
    "methane": N_("Methane"),
    "name": N_("Name"),
    "nextStop": N_("Next stop"),
    "no2": N_("Nitrogen dioxide (NO₂)"),
    "o3": N_("Ozone (O₃)"),
    "occupancy": N_("Occupancy"),
    "occupancyRate": N_("Occupancy"),
    "occupancyStatus": N_("How full"),
    "occupiedSpotNumber": N_("Occupied places"),
    "operatedBy": N_("Operator"),
    "operator": N_("Operator"),
    "outOfServiceSlotNumber": N_("Docks out of order"),
    "owner": N_("Owner"),
    "page": N_("Web page"),
    "parkingMode": N_("Parking mode"),
    "peopleCount": N_("People"),
    "permitRequired": N_("Permit required"),
    "phone": N_("Telephone"),
    "platformCode": N_("Platform"),
    "pm10": N_("Fine dust (PM10)"),
    "pm25": N_("Fine dust (PM2.5)"),
    "pm2_5": N_("Fine dust (PM2.5)"),
    "postalCode": N_("Postal code"),
    "precipitation": N_("Precipitation"),
    "provider": N_("Provider"),
    "refDevice": N_("Device"),
    "refRoadSegment": N_("Road"),
    "refRoute": N_("Line"),
    "refStop": N_("Stop"),
    "region": N_("Region"),
    "relativeHumidity": N_("Humidity"),
    "remainingDistance": N_("Remaining distance"),
    "remainingTime": N_("Remaining time"),
    "rentalMethods": N_("Ways to rent"),
    "reserved": N_("Reserved"),
    "routeColor": N_("Colour of the line"),
    "routeId": N_("Line"),
    "routeLongName": N_("Name of the line"),
    "routeShortName": N_("Line"),
    "routeTextColor": N_("Colour of the lettering"),
    "routeType": N_("Kind of line"),
    "scheduleRelationship": N_("Compared with the timetable"),
    "serviceProvided": N_("Services"),
    "serviceStatus": N_("Service"),
    "severity": N_("Severity"),
    "shortName": N_("Short name"),
    "snowHeight": N_("Snow"),
    "so2": N_("Sulphur dioxide (SO₂)"),
    "source": N_("Source"),
    "speed": N_("Speed"),
    "startTime": N_("Start"),
    "stationCode": N_("Station code"),
    "status": N_("Status"),
    "stopCode": N_("Stop number"),
    "stopId": N_("Stop"),
    "stopStatus": N_("At the stop"),
    "storedWasteCode": N_("Waste code"),
    "storedWasteKind": N_("Kind of waste"),
    "storedWasteOrigin": N_("Origin of the waste"),
    "streetAddress": N_("Street address"),
    "subCategory": N_("Subcategory"),
    "temperature": N_("Temperature"),
    "timezone": N_("Time zone"),
    "totalBikeNumber": N_("Bikes in total"),
    "totalSlotNumber": N_("Docks in total"),
    "totalSpotNumber": N_("Places in total"),
    "tripId": N_("Trip"),
    "url": N_("Web address"),
    "validFrom": N_("Valid from"),
    "validityPeriod": N_("Valid"),
    "validTo": N_("Valid until"),
    "vehicleId": N_("Vehicle number"),
    "vehiclePlateIdentifier": N_("Number plate"),
    "vehicleType": N_("Kind of vehicle"),
    "volume": N_("Volume"),
    "weatherType": N_("Weather"),
    "wheelchairAccessible": N_("Wheelchair access"),
    "wheelChairAccessible": N_("Wheelchair access"),
    "windDirection": N_("Wind direction"),
    "windSpeed": N_("Wind speed"),
    "zoneCode": N_("Tariff zone"),
}

KINDS: Final[dict[str, str]] = {
    "Property": N_("Property"),
    "GeoProperty": N_("Place property"),
    "Relationship": N_("Relationship"),
    "LanguageProperty": N_("Property by language"),
    "JsonProperty": N_("JSON property"),
    "VocabProperty": N_("Vocabulary property"),
    "ListProperty": N_("List property"),
    "ListRelationship": N_("List of relationships"),
}

VALUES: Final[dict[str, str]] = {
    "almostEmpty": N_("almost empty"),
    "almostFull": N_("almost full"),
    "bicycle": N_("bicycle"),
    "broken": N_("out of order"),
    "bus": N_("bus"),
    "cableCar": N_("cable car"),
    "car": N_("car"),
    "closed": N_("closed"),
    "critical": N_("critical"),
    "empty": N_("empty"),
    "ferry": N_("ferry"),
    "free": N_("free"),
    "full": N_("full"),
    "funicular": N_("funicular"),
    "glass": N_("glass"),
    "high": N_("high"),
    "informational": N_("for information"),
    "inService": N_("in service"),
    "low": N_("low"),
    "medium": N_("medium"),
    "metro": N_("metro"),
    "occupied": N_("occupied"),
    "onRoute": N_("on its way"),
    "open": N_("open"),
    "organic": N_("organic waste"),
    "other": N_("other"),
    "outOfService": N_("out of service"),
    "paper": N_("paper"),
    "parked": N_("parked"),
    "plastic": N_("plastic"),
    "public": N_("public transport"),
    "scheduled": N_("scheduled"),
    "subway": N_("metro"),
    "train": N_("train"),
    "tram": N_("tram"),
    "trolleybus": N_("trolleybus"),
    "unknown": N_("unknown"),
    "working": N_("working"),
}

_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[_\-]+")


def humanised(name: str) -> str:
    """A technical name as words: "stopSequence" and "stop_sequence" → "Stop sequence"."""
    words = [word for word in _HUMPS.split(name) if word]
    text = " ".join(word if word.isupper() and len(word) > 1 else word.lower() for word in words)
    return text[:1].upper() + text[1:]


def type_name(t: Translator, name: str) -> str:
    """What entities of a type (short name) are called."""
    return t(TYPES[name]) if name in TYPES else humanised(name)


def attribute(t: Translator, name: str) -> str:
    """What an attribute (short name) is called."""
    found = ATTRIBUTES.get(name) or ATTRIBUTES.get(name.lower())
    return t(found) if found else humanised(name)


def kind(t: Translator, name: str) -> str:
    """What a kind of attribute is called."""
    return t(KINDS[name]) if name in KINDS else name
