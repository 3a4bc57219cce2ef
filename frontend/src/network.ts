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
      minZoom: 2,
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
    const layers = [{ name: "land", kind: "land" }, { name: "countries", kind: "countries" }, { name: "country_names", kind: "names" }];
    return groundStyle({ base: root, layers }, isDark());
  }

  private layers(): void {
    const dark = isDark();
    const ink = dark ? "#e9ece8" : "#19242a";
    const paper = dark ? "#10171a" : "#ffffff";
    this.map.addSource("cities", { type: "geojson", data: { type: "FeatureCollection", features: [] } });
    this.map.addLayer({
      id: "cities", type: "circle", source: "cities",
      paint: {
        "circle-color": dark ? "#f0a086" : "#b4472b", "circle-stroke-color": paper, "circle-stroke-width": 2.5,
        "circle-radius": ["interpolate", ["linear"], ["log10", ["max", 1, ["get", "total"]]], 0, 7, 2, 10, 4, 16, 6, 22],
      },
    });
    this.map.addLayer({
      id: "city-names", type: "symbol", source: "cities",
      layout: {
        "text-field": ["format", ["get", "name"], { "font-scale": 1.15 }, "\n", {}, ["get", "words"], { "font-scale": 0.85 }],
        "text-font": FONT, "text-size": 13, "text-variable-anchor": ["left", "right", "top", "bottom"],
        "text-radial-offset": 1.2, "text-justify": "auto", "text-max-width": 14,
      },
      paint: { "text-color": ink, "text-halo-color": paper, "text-halo-width": 1.6 },
    });
  }

  private async renew(): Promise<void> {
    if (document.hidden) return;
    const answer = await fetch(this.url).catch(() => undefined);
    if (!answer?.ok) return;
    const network = (await answer.json()) as Network;
    const features = network.features.map((city) => ({
      ...city,
      properties: { ...city.properties, words: words(city.properties.total, city.properties.moving) },
    }));
    (this.map.getSource("cities") as GeoJSONSource | undefined)?.setData({ type: "FeatureCollection", features } as never);
    if (!this.fitted && features.length) this.fit(network.features);
  }

  private fit(cities: CityFeature[]): void {
    this.fitted = true;
    const box = new LngLatBounds();
    for (const city of cities) box.extend(city.geometry.coordinates);
    this.map.fitBounds(box, { padding: { top: 50, bottom: 50, left: 60, right: 110 }, maxZoom: 6, animate: false });
  }
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
