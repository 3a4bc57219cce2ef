/** The map's style: the built-in base map under the city's own things, by day and by night. */
import type { LayerSpecification, SourceSpecification, StyleSpecification } from "maplibre-gl";

export interface Ground {
  base: string;
  layers: { name: string; kind: string }[];
  tiles?: { url: string; attribution: string };
  lines?: string;
  traces?: string;
}

interface Palette {
  water: string;
  land: string;
  edge: string;
  city: string;
  cityEdge: string;
  street: string;
  signal: string;
  ink: string;
  halo: string;
}

const DAY: Palette = {
  water: "#d5e3e8", land: "#f4f1e9", edge: "#bdb6a4", city: "#fbfaf6", cityEdge: "#a2967a",
  street: "#ddd4c0", signal: "#cbbf9f", ink: "#4a5459", halo: "#fbfaf6",
};
const NIGHT: Palette = {
  water: "#0a1215", land: "#151d21", edge: "#3b484e", city: "#1a2429", cityEdge: "#5a6a72",
  street: "#35434a", signal: "#44535a", ink: "#a9b4b7", halo: "#10171a",
};

const CODES = (
  "GB UA TR SE ES SK SI CH RS RO RU PT PL NO NL ME MD MK LU LV LT IT IE IS HU GR DE GE FR FI DK CZ CY HR BG BA BE " +
  "BY AT AM AZ AL MA DZ TN"
).split(" ");

export const FONT = ["sans-serif"];

export const isDark = (): boolean => {
  const theme = document.documentElement.dataset.theme;
  return theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
};

/** The whole style of the ground; the caller adds its own sources and layers on top. */
export function groundStyle(ground: Ground, dark: boolean): StyleSpecification {
  const palette = dark ? NIGHT : DAY;
  const sources: Record<string, SourceSpecification> = {};
  const layers: LayerSpecification[] = [
    { id: "water", type: "background", paint: { "background-color": palette.water } },
  ];
  for (const layer of ground.layers) {
    sources[layer.name] = {
      type: "geojson", data: absolute(`${ground.base}/map/base/${layer.name}.geojson`),
      maxzoom: layer.kind === "signals" ? 14 : 11,
    };
    layers.push(...drawn(layer.name, layer.kind, palette));
  }
  if (ground.traces) {
    sources.traces = { type: "geojson", data: absolute(ground.traces), maxzoom: 15 };
    layers.push(traces(palette), dots(palette));
  }
  if (ground.lines) {
    sources.lines = { type: "geojson", data: absolute(ground.lines) };
    layers.push(streets(palette));
  }
  if (ground.tiles?.url) {
    sources.tiles = { type: "raster", tiles: [ground.tiles.url], tileSize: 256, attribution: ground.tiles.attribution };
    layers.push({ id: "tiles", type: "raster", source: "tiles" });
  }
  return { version: 8, sources, layers };
}

const absolute = (path: string): string => new URL(path, location.href).href;

function streets(palette: Palette): LayerSpecification {
  return {
    id: "lines", type: "line", source: "lines",
    layout: { "line-cap": "round", "line-join": "round" },
    paint: {
      "line-color": palette.street,
      "line-width": ["interpolate", ["exponential", 1.5], ["zoom"], 9, 0.6, 12, 1.6, 15, 5, 18, 16],
    },
  };
}

/** Where vehicles have been: a faint drawing of the streets they use. */
function traces(palette: Palette): LayerSpecification {
  return {
    id: "traces", type: "line", source: "traces", filter: ["!=", ["get", "dots"], true],
    layout: { "line-cap": "round" },
    paint: {
      "line-color": palette.street, "line-opacity": 0.75,
      "line-width": ["interpolate", ["exponential", 1.5], ["zoom"], 9, 0.7, 12, 1.8, 15, 6, 18, 18],
    },
  };
}

/** Where very many things stand: they follow the streets, and show them while circles gather them. */
function dots(palette: Palette): LayerSpecification {
  return {
    id: "dots", type: "circle", source: "traces", maxzoom: 16, filter: ["==", ["get", "dots"], true],
    paint: {
      "circle-color": palette.signal, "circle-opacity": 0.8,
      "circle-radius": ["interpolate", ["exponential", 1.4], ["zoom"], 9, 0.5, 11, 0.9, 13, 1.8, 16, 5],
    },
  };
}

function drawn(name: string, kind: string, palette: Palette): LayerSpecification[] {
  const fill = (colour: string, opacity = 1): LayerSpecification => ({
    id: `${name}-fill`, type: "fill", source: name,
    paint: { "fill-color": colour, "fill-opacity": opacity, "fill-antialias": false },
  });
  const line = (colour: string, width: number, dash?: number[]): LayerSpecification => ({
    id: `${name}-line`, type: "line", source: name,
    paint: { "line-color": colour, "line-width": width, ...(dash ? { "line-dasharray": dash } : {}) },
  });
  switch (kind) {
    case "land":
      return [{ ...fill(palette.land), maxzoom: 4 } as LayerSpecification];
    case "countries":
      return [fill(palette.land)];
    case "names":
      return [countryNames(name, palette)];
    case "borders":
      return [line(palette.edge, 0.8)];
    case "country":
      return [line(palette.edge, 1.1)];
    case "boundary":
      return [fill(palette.city), line(palette.cityEdge, 1.4)];
    case "districts":
      return [fill(palette.city, 0.7), line(palette.edge, 0.8, [3, 2]), named(name, palette)];
    case "signals":
      return [{
        id: name, type: "circle", source: name,
        paint: {
          "circle-color": palette.signal,
          "circle-radius": ["interpolate", ["linear"], ["zoom"], 9, 0.7, 12, 1.6, 16, 4],
        },
      }];
    default:
      return [];
  }
}

/** Countries in the visitor's language: the browser knows their names by ISO code. */
function countryNames(name: string, palette: Palette): LayerSpecification {
  const language = document.documentElement.lang || "en";
  const names = new Intl.DisplayNames([language], { type: "region" });
  const pairs = CODES.flatMap((code) => [code, names.of(code) ?? code]);
  return {
    id: name, type: "symbol", source: name, maxzoom: 8,
    layout: {
      "text-field": ["match", ["get", "iso"], ...pairs, ""] as never, "text-font": FONT, "text-size": 12,
      "text-letter-spacing": 0.12, "text-max-width": 8, "symbol-sort-key": ["-", 0, ["get", "area"]],
    },
    paint: { "text-color": palette.ink, "text-opacity": 0.75, "text-halo-color": palette.land, "text-halo-width": 1.2 },
  };
}

function named(name: string, palette: Palette): LayerSpecification {
  return {
    id: `${name}-names`, type: "symbol", source: name, minzoom: 10,
    layout: { "text-field": ["get", "name"], "text-font": FONT, "text-size": 12, "text-max-width": 7 },
    paint: { "text-color": palette.ink, "text-halo-color": palette.halo, "text-halo-width": 1.2 },
  };
}
