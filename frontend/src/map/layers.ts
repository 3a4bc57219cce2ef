/** The layers of a city's things, from the ground up: areas, old things, stops, things, vehicles, circles. */
import type { ExpressionSpecification, LayerSpecification, Map as GlMap } from "maplibre-gl";
import { FONT } from "./basestyle";

export const HIT_LAYERS = ["clusters", "vehicles", "things", "stops", "scheduled", "old-near", "old", "areas", "courses"];

const EMPTY = { type: "FeatureCollection" as const, features: [] };
const NEAR = 14; // from this zoom old things get their full marker
const AREAS = 12; // from this zoom an area speaks for itself, without a marker

interface Inks {
  ink: string;
  paper: string;
  accent: string;
  old: string;
  dark: boolean;
}

/** The size of a marker by zoom, times the feature's own `scale`. */
const SIZE = [
  "interpolate", ["linear"], ["zoom"],
  9, ["*", 0.34, ["get", "scale"]], 11, ["*", 0.46, ["get", "scale"]],
  13, ["*", 0.8, ["get", "scale"]], 15, ["get", "scale"],
] as unknown as ExpressionSpecification;

/** Add sources and layers for everything that is not the ground. */
export function addThingLayers(map: GlMap, dark: boolean): void {
  const inks: Inks = dark
    ? { ink: "#e9ece8", paper: "#10171a", accent: "#ffb84d", old: "#74838a", dark }
    : { ink: "#19242a", paper: "#ffffff", accent: "#b4472b", old: "#8d979b", dark };
  for (const source of ["areas", "old", "clusters", "things", "vehicles", "scheduled", "selected"]) {
    if (!map.getSource(source)) map.addSource(source, { type: "geojson", data: EMPTY });
  }
  const layers = [
    ...areas(inks), ...old(inks), selected(inks), ...stops(inks), ...things(inks),
    ...moving("scheduled", inks), ...moving("vehicles", inks), ...clusters(inks),
  ];
  for (const layer of layers) map.addLayer(layer);
}

function areas({ paper, dark }: Inks): LayerSpecification[] {
  const isLine = ["in", ["geometry-type"], ["literal", ["LineString", "MultiLineString"]]] as unknown as ExpressionSpecification;
  return [
    {
      id: "areas", type: "fill", source: "areas", filter: ["!", isLine],
      paint: { "fill-color": ["get", "fill"], "fill-opacity": ["case", ["get", "known"], dark ? 0.8 : 0.85, 0.18] },
    },
    {
      id: "area-edges", type: "line", source: "areas", filter: ["!", isLine],
      paint: { "line-color": ["get", "colour"], "line-width": ["interpolate", ["linear"], ["zoom"], 11, 0.6, 15, 1.8] },
    },
    {
      id: "course-edges", type: "line", source: "areas", filter: isLine, layout: { "line-cap": "round" },
      paint: { "line-color": paper, "line-width": ["interpolate", ["linear"], ["zoom"], 11, 3, 16, 9] },
    },
    {
      id: "courses", type: "line", source: "areas", filter: isLine, layout: { "line-cap": "round" },
      paint: { "line-color": ["get", "fill"], "line-width": ["interpolate", ["linear"], ["zoom"], 11, 1.8, 16, 6] },
    },
  ];
}

/** What is out of date stays small and pale until one looks closely. */
function old({ ink, paper, old: pale }: Inks): LayerSpecification[] {
  return [
    {
      id: "old", type: "circle", source: "old", maxzoom: NEAR,
      paint: {
        "circle-radius": ["interpolate", ["linear"], ["zoom"], 9, 1.1, 11, 2, 14, 3.4],
        "circle-color": pale, "circle-opacity": 0.6,
      },
    },
    {
      id: "old-near", type: "symbol", source: "old", minzoom: NEAR,
      layout: {
        "icon-image": ["get", "icon"], "icon-size": SIZE, "icon-allow-overlap": true, "icon-ignore-placement": true,
        "text-field": ["step", ["zoom"], "", 15, ["concat", ["get", "text"], ["get", "beside"]]], "text-font": FONT,
        "text-size": 10.5, "text-optional": true, "symbol-sort-key": ["get", "sort"],
      },
      paint: { "icon-opacity": 0.8, "text-color": ink, "text-halo-color": paper, "text-halo-width": 1.2 },
    },
  ];
}

function selected({ accent }: Inks): LayerSpecification {
  return {
    id: "selected", type: "circle", source: "selected",
    paint: {
      "circle-radius": 22, "circle-color": accent, "circle-opacity": 0.22,
      "circle-stroke-width": 3, "circle-stroke-color": accent,
    },
  };
}

function stops({ ink, paper }: Inks): LayerSpecification[] {
  return [
    {
      id: "stops", type: "circle", source: "things", filter: ["==", ["get", "stop"], true],
      paint: {
        "circle-radius": ["interpolate", ["linear"], ["zoom"], 12.5, 1.8, 15, 4.2, 18, 7],
        "circle-color": paper, "circle-stroke-color": ["get", "colour"], "circle-stroke-width": 1.6,
      },
    },
    {
      id: "stop-names", type: "symbol", source: "things", minzoom: 15.5,
      filter: ["==", ["get", "stop"], true],
      layout: {
        "text-field": ["get", "name"], "text-font": FONT, "text-size": 11.5, "text-anchor": "left",
        "text-offset": [0.8, 0], "text-max-width": 9, "text-optional": true,
      },
      paint: { "text-color": ink, "text-halo-color": paper, "text-halo-width": 1.4 },
    },
  ];
}

function things({ ink, paper }: Inks): LayerSpecification[] {
  const notStop = ["!=", ["get", "stop"], true] as unknown as ExpressionSpecification;
  return [
    {
      id: "things", type: "symbol", source: "things",
      filter: ["all", notStop, ["any", ["!", ["get", "shaped"]], ["<", ["zoom"], AREAS]]] as never,
      layout: {
        "icon-image": ["get", "icon"], "icon-size": SIZE, "icon-allow-overlap": true,
        "icon-ignore-placement": true, "text-optional": true,
        "text-field": ["step", ["zoom"], "", 11.7, ["get", "text"]], "text-font": FONT,
        "text-size": ["interpolate", ["linear"], ["zoom"], 12, 9.5, 13, 11, 15, 13],
        "text-allow-overlap": true, "text-ignore-placement": true, "symbol-sort-key": ["get", "sort"],
      },
      paint: { "text-color": ink, "text-halo-color": paper, "text-halo-width": 1 },
    },
    {
      id: "things-beside", type: "symbol", source: "things", minzoom: 13,
      filter: ["all", notStop, ["!=", ["get", "beside"], ""]] as never,
      layout: {
        "text-field": ["get", "beside"], "text-font": FONT, "text-size": 12,
        "text-offset": ["case", ["get", "shaped"], ["literal", [0, 0]], ["literal", [0, 1.75]]] as never,
        "symbol-sort-key": ["get", "sort"],
      },
      paint: { "text-color": ink, "text-halo-color": paper, "text-halo-width": 1.6 },
    },
  ];
}

function moving(source: string, { ink, paper }: Inks): LayerSpecification[] {
  return [
    {
      id: `${source}-arrows`, type: "symbol", source, filter: ["has", "bearing"], minzoom: 9.5,
      layout: {
        "icon-image": source === "scheduled" ? "arrow|grey" : "arrow|transport", "icon-size": SIZE,
        "icon-rotate": ["get", "bearing"], "icon-rotation-alignment": "map",
        "icon-allow-overlap": true, "icon-ignore-placement": true,
      },
    },
    {
      id: source, type: "symbol", source,
      layout: {
        "icon-image": ["get", "icon"], "icon-size": SIZE, "icon-allow-overlap": true,
        "icon-ignore-placement": true,
        "text-field": ["step", ["zoom"], "", 12, ["get", "text"]], "text-font": FONT,
        "text-size": ["interpolate", ["linear"], ["zoom"], 12, ["*", 8.6, ["get", "scale"]], 13, ["*", 10.5, ["get", "scale"]], 15, ["*", 12, ["get", "scale"]]],
        "text-allow-overlap": true, "text-ignore-placement": true, "symbol-sort-key": ["get", "sort"],
      },
      paint: { "text-color": ["case", ["get", "onColour"], paper, ink] },
    },
    {
      id: `${source}-beside`, type: "symbol", source, minzoom: 13, filter: ["!=", ["get", "beside"], ""],
      layout: {
        "text-field": ["get", "beside"], "text-font": FONT, "text-size": 11, "text-max-width": 8,
        "text-variable-anchor": ["left", "right", "top", "bottom"], "text-radial-offset": 1.3,
        "symbol-sort-key": ["-", 0, ["get", "sort"]],
      },
      paint: { "text-color": ink, "text-halo-color": paper, "text-halo-width": 1.5 },
    },
  ];
}

function clusters({ paper, dark }: Inks): LayerSpecification[] {
  return [
    {
      id: "clusters", type: "circle", source: "clusters",
      paint: {
        "circle-color": ["get", "colour"], "circle-opacity": 0.92, "circle-stroke-color": paper,
        "circle-stroke-width": 2, "circle-stroke-opacity": 0.9,
        "circle-radius": ["interpolate", ["linear"], ["log10", ["get", "count"]], 0.3, 12, 2, 18, 4, 28, 6, 36],
      },
    },
    {
      id: "cluster-counts", type: "symbol", source: "clusters",
      layout: {
        "text-field": ["get", "text"], "text-font": FONT, "text-size": 12.5,
        "text-allow-overlap": true, "text-ignore-placement": true,
      },
      paint: { "text-color": paper, "text-halo-color": dark ? "#10171a20" : "#19242a40", "text-halo-width": 0.6 },
    },
  ];
}
