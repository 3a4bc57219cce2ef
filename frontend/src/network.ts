/** The start page's map: every city with what is live in it. */
import "maplibre-gl/dist/maplibre-gl.css";
import { LngLatBounds, Map as GlMap, NavigationControl, setWorkerUrl, type GeoJSONSource } from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";
import { ready, t, tn } from "./i18n";
import { FONT, groundStyle, isDark } from "./map/basestyle";

setWorkerUrl(new URL(workerUrl, import.meta.url).href);

interface CityFeature {
  type: "Feature";
  id: number;
  geometry: { type: "Point"; coordinates: [number, number] };
  properties: { id: string; name: string; url: string; total: number; moving: number };
}

interface Network {
  type: "FeatureCollection";
  features: CityFeature[];
}

const EVERY_MS = 5000;
const DISC = 36;
/** What the built-in ground shows: beyond it there is nothing to see. */
const GROUND: [number, number, number, number] = [-25, 33, 62, 72];

class NetworkMap {
  private readonly map: GlMap;
  private fitted = false;

  constructor(element: HTMLElement, private readonly url: string) {
    element.hidden = false;
    this.map = new GlMap({
      container: element,
      style: this.style(),
      center: [20, 50],
      zoom: 3,
      maxBounds: GROUND,
      maxZoom: 9,
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
      fadeDuration: 0,
      cooperativeGestures: true,
      locale: {
        "NavigationControl.ZoomIn": t("Zoom in"),
        "NavigationControl.ZoomOut": t("Zoom out"),
        "Map.Title": t("Map"),
        "CooperativeGesturesHandler.WindowsHelpText": t("Use Ctrl and the wheel to zoom the map"),
        "CooperativeGesturesHandler.MacHelpText": t("Use ⌘ and the wheel to zoom the map"),
        "CooperativeGesturesHandler.MobileHelpText": t("Use two fingers to move the map"),
      },
    });
    this.map.addControl(new NavigationControl({ showCompass: false }), "top-right");
    this.map.getCanvas().setAttribute("aria-label", t("Map of the cities. The list below it holds the same."));
    this.map.on("load", () => {
      this.layers();
      void this.renew();
      setInterval(() => void this.renew(), EVERY_MS);
    });
    this.map.on("click", "cities", (event) => {
      const url = event.features?.[0]?.properties.url as string | undefined;
      if (url) location.assign(url);
    });
    this.map.on("mouseenter", "cities", () => (this.map.getCanvas().style.cursor = "pointer"));
    this.map.on("mouseleave", "cities", () => (this.map.getCanvas().style.cursor = ""));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.map.setStyle(this.style(), { diff: false });
      this.map.once("styledata", () => {
        this.layers();
        void this.renew();
      });
    });
  }

  private style(): ReturnType<typeof groundStyle> {
    const root = this.url.slice(0, this.url.lastIndexOf("/map/"));
    const layers = [{ name: "land", kind: "land" }, { name: "countries", kind: "countries" }, { name: "borders", kind: "borders" }, { name: "country_names", kind: "names" }];
    return groundStyle({ base: root, layers }, isDark());
  }

  private layers(): void {
    const dark = isDark();
    const ink = dark ? "#e9ece8" : "#19242a";
    const paper = dark ? "#10171a" : "#ffffff";
    this.map.addSource("cities", { type: "geojson", data: { type: "FeatureCollection", features: [] } });
    if (!this.map.hasImage("disc")) this.map.addImage("disc", disc(dark ? "#f0a086" : "#b4472b", paper), { pixelRatio: 2 });
    this.map.addLayer({
      id: "city-names", type: "symbol", source: "cities",
      layout: {
        "text-field": ["format", ["get", "name"], { "font-scale": 1.15 }, "\n", {}, ["get", "words"], { "font-scale": 0.85 }],
        "text-font": FONT, "text-size": 12.5,
        "text-radial-offset": ["interpolate", ["linear"], ["log10", ["max", 1, ["get", "total"]]], 0, 1.4, 2, 1.4, 4, 1.7, 6, 2.1],
        "text-justify": "auto", "text-max-width": 14,
        "text-variable-anchor": ["left", "right", "bottom", "top", "bottom-right", "top-right", "bottom-left", "top-left"],
        "text-padding": 0, "symbol-sort-key": ["get", "east"],
      },
      paint: { "text-color": ink, "text-halo-color": paper, "text-halo-width": 1.8 },
    });
    // Above the names: symbols on top are placed first, so that no name lies on a city.
    this.map.addLayer({
      id: "cities", type: "symbol", source: "cities",
      layout: {
        "icon-image": "disc", "icon-allow-overlap": true, "icon-padding": 0,
        "icon-size": ["interpolate", ["linear"], ["log10", ["max", 1, ["get", "total"]]], 0, 0.34, 2, 0.42, 4, 0.68, 6, 0.95],
      },
    });
  }

  private async renew(): Promise<void> {
    if (document.hidden) return;
    const answer = await fetch(this.url).catch(() => undefined);
    if (!answer?.ok) return;
    const network = (await answer.json()) as Network;
    const narrow = this.map.getContainer().clientWidth < 520; // the cards below say it too
    const features = network.features.map((city) => ({
      ...city,
      properties: { ...city.properties, east: city.geometry.coordinates[0], words: narrow ? "" : words(city.properties.total, city.properties.moving) },
    }));
    (this.map.getSource("cities") as GeoJSONSource | undefined)?.setData({ type: "FeatureCollection", features } as never);
    if (!this.fitted && features.length) this.fit(network.features);
  }

  private fit(cities: CityFeature[]): void {
    this.fitted = true;
    const box = new LngLatBounds();
    for (const city of cities) box.extend(city.geometry.coordinates);
    this.map.fitBounds(box, { padding: padding(this.map.getContainer()), maxZoom: 6, animate: false });
  }
}

/** Room for the names beside the outermost cities. */
function padding(element: HTMLElement): { top: number; bottom: number; left: number; right: number } {
  const side = Math.min(110, element.clientWidth * 0.2);
  return { top: 44, bottom: 40, left: side * 0.7, right: side };
}

/** A white-edged disc of DISC pixels across, scaled by `icon-size`. */
function disc(colour: string, paper: string): ImageData {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = DISC * 2;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  if (!pen) throw new Error("no canvas");
  pen.arc(DISC, DISC, DISC - 4, 0, 2 * Math.PI);
  pen.fillStyle = colour;
  pen.fill();
  pen.lineWidth = 7;
  pen.strokeStyle = paper;
  pen.stroke();
  return pen.getImageData(0, 0, DISC * 2, DISC * 2);
}

function words(total: number, moving: number): string {
  if (moving) return tn("%(num)s moving now", "%(num)s moving now", moving);
  return total ? tn("%(num)s thing", "%(num)s things", total) : "";
}

const element = document.getElementById("network-map");
if (element?.dataset.features) {
  const url = element.dataset.features;
  void ready().then(() => new NetworkMap(element, url));
}
