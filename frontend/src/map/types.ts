/** What the server tells the map (see docs/map.md). */

export type Status = "current" | "moving" | "parked" | "stale" | "undated";

export interface Theme {
  key: string;
  word: string;
  colour: string;
  dark: string;
  shape: string;
  glyph: string;
  visible: boolean;
}

export interface Told {
  id: string;
  theme: string;
  type: string;
  status: Status;
  name?: string;
  label?: string;
  stop?: boolean;
  number?: number;
  total?: number;
  level?: number;
  bearing?: number;
  attr?: string;
  levelAttr?: string;
  seen?: number;
  scheduled?: boolean;
  cluster?: false;
}

export interface ClusterTold {
  cluster: true;
  count: number;
  theme: string;
  themes: Record<string, number>;
}

export interface Place {
  type: "Point";
  coordinates: [number, number];
}

export interface Outline {
  type: "Polygon" | "MultiPolygon" | "LineString" | "MultiLineString";
  coordinates: unknown[];
}

export interface Thing {
  type: "Feature";
  id: number;
  geometry: Place | null;
  properties: Told;
  /** The thing's own outline or course, when few are in view; its `geometry` is the middle. */
  shape?: Outline;
}

export interface Cluster {
  type: "Feature";
  id: number;
  geometry: Place;
  properties: ClusterTold;
}

export interface View {
  type: "FeatureCollection";
  features: (Thing | Cluster)[];
  total: number;
  clustered: boolean;
  now: number;
  frame: number;
  loaded: boolean;
}

export interface ThemeCount {
  total: number;
  placed: number;
  status: Partial<Record<Status, number>>;
}

export interface Legend {
  themes: Record<string, ThemeCount>;
  types: Record<string, number>;
  total: number;
  now: number;
  loaded: boolean;
}

export interface ClockTold {
  now: number;
  speed: number;
  recording: boolean;
}

export interface PageData {
  base: string;
  tenant: string;
  name: string;
  centre: [number, number] | null;
  zoom: number;
  bounds: [number, number, number, number] | null;
  zone: string;
  clock: ClockTold;
  legend: Legend;
  themes: Theme[];
  types: Record<string, string>;
  attributes: Record<string, string>;
  tiles: { url: string; attribution: string };
  layers: { name: string; kind: string }[];
  scheduled: boolean;
  unplaced: { features: Thing[]; total: number };
}

export interface Changes {
  now: number;
  features: Thing[];
  gone: string[];
  more: boolean;
}

export const isCluster = (item: Thing | Cluster): item is Cluster => "cluster" in item.properties && item.properties.cluster === true;

export function pageData<T>(id = "page-data"): T {
  const element = document.getElementById(id);
  if (!element?.textContent) throw new Error(`no #${id} on this page`);
  return JSON.parse(element.textContent) as T;
}
