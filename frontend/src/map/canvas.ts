/** The drawn map: ground, things, vehicles, clusters, selection. Knows nothing of the panel. */
import {
  AttributionControl, GeolocateControl, Map as GlMap, NavigationControl, ScaleControl, setWorkerUrl,
  type GeoJSONSource, type IControl, type MapGeoJSONFeature, type PointLike,
} from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";
import { t } from "../i18n";
import { groundStyle, isDark, type Ground } from "./basestyle";
import { drawArrow, drawMarker, EIGHTHS, lookOf, markerName, parseMarker } from "./icons";
import { addThingLayers, HIT_LAYERS } from "./layers";
import { occupancyColour, occupancyKey } from "./occupancy";
import { numeral, percent } from "./clock";
import type { ScheduledLayer } from "./scheduled";
import type { Box, Store } from "./store";
import type { Cluster, Theme, Thing } from "./types";

setWorkerUrl(new URL(workerUrl, import.meta.url).href);

const FRAME_MS = 110;
const MANY_STALE = 150;

export interface Picked {
  id?: string;
  cluster?: { at: [number, number]; count: number };
}

export interface CanvasOptions {
  container: HTMLElement;
  ground: Ground;
  themes: Theme[];
  centre: [number, number];
  zoom: number;
  bounds: [number, number, number, number] | null;
  home: [number, number, number, number] | null;
}

export class MapCanvas {
  readonly map: GlMap;
  private readonly themes: Map<string, Theme>;
  private selected: string | undefined;
  private store: Store | undefined;
  private scheduled: ScheduledLayer | undefined;
  private lastFrame = 0;
  private running = false;

  constructor(
    private readonly options: CanvasOptions,
    private readonly picked: (what: Picked) => void,
    private readonly moved: (box: Box, zoom: number) => void,
  ) {
    this.themes = new Map(options.themes.map((theme) => [theme.key, theme]));
    this.map = new GlMap({
      container: options.container,
      style: groundStyle(options.ground, isDark()),
      ...(options.bounds
        ? { bounds: options.bounds, fitBoundsOptions: { padding: 24, maxZoom: 14 } }
        : { center: options.centre, zoom: options.zoom }),
      maxZoom: 19,
      minZoom: 1,
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
      fadeDuration: 0,
      locale: words(),
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    this.controls();
    this.map.setMissingStyleImageResolver((id) => this.image(id));
    this.map.on("load", () => this.ready());
    this.map.on("moveend", () => this.tellMoved());
    this.pointer();
    const repaint = (): void => this.restyle();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    if (options.ground.tiles?.attribution) this.map.addControl(new AttributionControl({ compact: true }));
  }

  /** Draw what the store holds from now on. */
  use(store: Store, scheduled: ScheduledLayer): void {
    this.store = store;
    this.scheduled = scheduled;
  }

  box(): Box {
    const bounds = this.map.getBounds();
    return { west: bounds.getWest(), south: bounds.getSouth(), east: bounds.getEast(), north: bounds.getNorth() };
  }

  select(id: string | undefined): void {
    this.selected = id;
    this.draw(true);
  }

  /** Move so that a place can be seen, without leaving the zoom if it is close enough. */
  go(at: [number, number], zoom?: number): void {
    this.map.easeTo({ center: at, zoom: zoom ?? Math.max(this.map.getZoom(), 14.5), duration: 700 });
  }

  private controls(): void {
    this.map.addControl(new NavigationControl({ showCompass: false }), "top-right");
    if (this.options.home) this.map.addControl(new FitControl(this.options.home), "top-right");
    this.map.addControl(new GeolocateControl({ positionOptions: { enableHighAccuracy: true } }), "top-right");
    this.map.addControl(new ScaleControl({ maxWidth: 110 }), "bottom-left");
  }

  private tellMoved(): void {
    this.moved(this.box(), this.map.getZoom());
  }

  private ready(): void {
    this.addLayers();
    this.tellMoved();
    this.draw(true);
    this.options.container.dataset.ready = "true";
  }

  private restyle(): void {
    this.options.container.parentElement?.querySelector(".map-key")?.remove();
    this.map.setStyle(groundStyle(this.options.ground, isDark()), { diff: false });
    this.map.once("styledata", () => {
      this.addLayers();
      this.draw(true);
    });
  }

  private addLayers(): void {
    addThingLayers(this.map, isDark());
  }

  private pointer(): void {
    const map = this.map;
    const canvas = map.getCanvas();
    canvas.setAttribute("aria-label", t("Map. The list beside it holds the same things."));
    map.on("mousemove", (event) => {
      canvas.style.cursor = this.hit(event.point) ? "pointer" : "";
    });
    map.on("click", (event) => {
      const found = this.hit(event.point);
      if (!found) return this.picked({});
      if (found.layer.id !== "clusters") return this.picked({ id: String(found.properties.id) });
      const at = (found.geometry as unknown as { coordinates: [number, number] }).coordinates;
      this.picked({ cluster: { at, count: Number(found.properties.count) } });
    });
  }

  private hit(point: { x: number; y: number }): MapGeoJSONFeature | undefined {
    const layers = HIT_LAYERS.filter((id) => this.map.getLayer(id));
    if (!layers.length) return undefined;
    const reach: [PointLike, PointLike] = [[point.x - 6, point.y - 6], [point.x + 6, point.y + 6]];
    return this.map.queryRenderedFeatures(reach, { layers })[0];
  }

  private image(name: string): void {
    if (this.map.hasImage(name)) return;
    const dark = isDark();
    if (name.startsWith("arrow|")) {
      const transport = this.themes.get("transport");
      const colour = name === "arrow|grey" ? (dark ? "#a9b4b7" : "#545f63") : (dark ? transport?.dark : transport?.colour) ?? "#0b62c4";
      const arrow = drawArrow(colour, dark ? "#10171a" : "#ffffff");
      this.map.addImage(name, arrow.data, { pixelRatio: arrow.pixelRatio });
      return;
    }
    const key = parseMarker(name);
    const theme = key && this.themes.get(key.theme);
    if (!key || !theme) return;
    const picture = drawMarker(key, theme, dark);
    this.map.addImage(name, picture.data, { pixelRatio: picture.pixelRatio });
  }

  private feature(thing: Thing, moves: boolean): object {
    const told = thing.properties;
    const theme = this.themes.get(told.theme);
    const text = moves ? (told.label ?? "") : thingText(thing);
    const look = told.scheduled ? "dashed" : lookOf(told.status);
    const fill = moves || told.level === undefined ? -1 : Math.round(Math.min(1, Math.max(0, told.level)) * EIGHTHS);
    const ring = fill >= 0 && told.number !== undefined;
    const inside = (moves && text.length <= 3) || ring;
    const at = told.scheduled ? this.scheduled?.position(thing) : this.store?.position(thing);
    return {
      type: "Feature",
      geometry: { type: "Point", coordinates: at },
      properties: {
        id: told.id, name: told.name ?? "", stop: told.stop ?? false, shaped: thing.shape !== undefined,
        icon: markerName({ theme: told.theme, look, fill, ring, glyph: moves ? !text : !(inside && text) }),
        text: inside ? text : "", beside: inside ? "" : text,
        onColour: look === "solid" && !ring,
        colour: isDark() ? theme?.dark : theme?.colour,
        scale: moves ? vehicleScale(told.status) : ring ? 1.12 : 1,
        sort: told.status === "moving" ? 3 : told.status === "stale" ? 0 : 1,
        ...(moves && told.bearing !== undefined && told.status === "moving" ? { bearing: told.bearing } : {}),
      },
    };
  }

  private area(thing: Thing): object {
    const told = thing.properties;
    const theme = this.themes.get(told.theme);
    const colour = isDark() ? theme?.dark : theme?.colour;
    return {
      type: "Feature", geometry: thing.shape,
      properties: { id: told.id, colour, fill: occupancyColour(told.level, isDark()) ?? colour, known: told.level !== undefined },
    };
  }

  private cluster(item: Cluster): object {
    const theme = this.themes.get(item.properties.theme);
    return {
      type: "Feature",
      geometry: item.geometry,
      properties: {
        count: item.properties.count, text: short(item.properties.count),
        colour: isDark() ? theme?.dark : theme?.colour,
      },
    };
  }

  private fill(source: string, features: object[]): void {
    const found = this.map.getSource(source) as GeoJSONSource | undefined;
    found?.setData({ type: "FeatureCollection", features } as never);
  }

  /** Draw the store's content; `all` also what does not move. */
  draw(all: boolean): void {
    const store = this.store;
    if (!store || !this.map.getSource("things")) return;
    const shown = store.shown();
    const moving = shown.filter((thing) => thing.properties.type === "Vehicle");
    const stale = (thing: Thing): boolean => thing.properties.status === "stale";
    this.fill("vehicles", moving.filter((thing) => !stale(thing)).map((thing) => this.feature(thing, true)));
    this.fill("scheduled", (this.scheduled?.things ?? []).map((thing) => this.feature(thing, true)));
    if (all) {
      const rest = shown.filter((thing) => thing.properties.type !== "Vehicle");
      const many = rest.filter(stale).length > MANY_STALE;
      const old = [...moving.filter(stale), ...(many ? rest.filter(stale) : [])];
      this.fill("old", old.map((thing) => this.feature(thing, thing.properties.type === "Vehicle")));
      this.fill("things", rest.filter((thing) => !many || !stale(thing)).map((thing) => this.feature(thing, false)));
      const areas = rest.filter((thing) => thing.shape);
      this.fill("areas", areas.map((thing) => this.area(thing)));
      this.showKey(areas.some((thing) => thing.properties.level !== undefined));
      this.fill("clusters", store.clusters.map((item) => this.cluster(item)));
    }
    this.drawSelected();
    this.animate();
  }

  /** Where vehicles have been is known better after a while. */
  renewTraces(): void {
    const { traces } = this.options.ground;
    const source = this.map.getSource("traces") as GeoJSONSource | undefined;
    if (traces && source) source.setData(new URL(traces, location.href).href);
  }

  private showKey(shown: boolean): void {
    const corner = this.options.container.parentElement;
    const there = corner?.querySelector(".map-key");
    if (!shown) there?.remove();
    else if (!there) corner?.append(occupancyKey(isDark()));
  }

  private drawSelected(): void {
    const id = this.selected;
    const seen = id ? this.store?.things.get(id) : undefined;
    const due = id && !seen ? this.scheduled?.things.find((thing) => thing.properties.id === id) : undefined;
    const at = seen?.geometry ? this.store?.position(seen) : due && this.scheduled?.position(due);
    this.fill("selected", at ? [{ type: "Feature", geometry: { type: "Point", coordinates: at }, properties: {} }] : []);
  }

  private gliding(): boolean {
    return (this.store?.gliding() ?? false) || (this.scheduled?.gliding() ?? false);
  }

  private animate(): void {
    if (this.running || !this.gliding()) return;
    this.running = true;
    const step = (now: number): void => {
      if (now - this.lastFrame >= FRAME_MS) {
        this.lastFrame = now;
        const more = this.gliding();
        this.running = false;
        this.draw(false);
        if (!more) return;
        this.running = true;
      }
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }
}

/** Moving vehicles are the largest, standing ones smaller: the eye goes to what is alive. */
function vehicleScale(status: Thing["properties"]["status"]): number {
  if (status === "moving") return 1.15;
  return status === "stale" ? 0.7 : status === "parked" ? 0.76 : 0.92;
}

function thingText(thing: Thing): string {
  const { number, level, label } = thing.properties;
  if (number !== undefined) return numeral(number);
  if (level !== undefined) return percent(level);
  return label ?? "";
}

function short(count: number): string {
  return new Intl.NumberFormat(document.documentElement.lang || "en", { notation: "compact", maximumFractionDigits: 1 }).format(count);
}

function words(): Record<string, string> {
  return {
    "NavigationControl.ZoomIn": t("Zoom in"),
    "NavigationControl.ZoomOut": t("Zoom out"),
    "GeolocateControl.FindMyLocation": t("Show where I am"),
    "GeolocateControl.LocationNotAvailable": t("Your place is not available"),
    "AttributionControl.ToggleAttribution": t("Show sources"),
    "Map.Title": t("Map"),
    "ScaleControl.Meters": t("m"),
    "ScaleControl.Kilometers": t("km"),
    "CooperativeGesturesHandler.WindowsHelpText": t("Use Ctrl and the wheel to zoom the map"),
    "CooperativeGesturesHandler.MacHelpText": t("Use ⌘ and the wheel to zoom the map"),
    "CooperativeGesturesHandler.MobileHelpText": t("Use two fingers to move the map"),
  };
}

/** A button that shows the whole city. */
class FitControl implements IControl {
  private element: HTMLElement | undefined;

  constructor(private readonly bounds: [number, number, number, number]) {}

  onAdd(map: GlMap): HTMLElement {
    const group = document.createElement("div");
    group.className = "maplibregl-ctrl maplibregl-ctrl-group";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "fit-button";
    button.title = t("Show the whole city");
    button.setAttribute("aria-label", t("Show the whole city"));
    button.addEventListener("click", () => map.fitBounds(this.bounds, { padding: 24 }));
    group.append(button);
    this.element = group;
    return group;
  }

  onRemove(): void {
    this.element?.remove();
  }
}
