/** The city's live map: joins canvas, panel, store and stream. */
import "maplibre-gl/dist/maplibre-gl.css";
import { ready, t } from "./i18n";
import { MapCanvas, type Picked } from "./map/canvas";
import { CityClock, numeral } from "./map/clock";
import { debounce, throttle } from "./map/dom";
import { readHash, writeHash } from "./map/hash";
import { Panel } from "./map/panel";
import { nothingPlaced, placelessNotice } from "./map/placeless";
import { ScheduledLayer } from "./map/scheduled";
import { Store, type Filters } from "./map/store";
import { LiveStream, type State } from "./map/stream";
import { pageData, type Changes, type ClockTold, type Legend, type PageData, type Thing } from "./map/types";

const byId = (id: string): HTMLElement => {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no #${id}`);
  return found;
};

function filtersOf(data: PageData, asked: string[] | undefined): Filters {
  const visible = data.themes.filter((theme) => theme.visible).map((theme) => theme.key);
  return { themes: new Set(asked ?? visible), statuses: new Set(), line: "" };
}

class LiveMap {
  private readonly data = pageData<PageData>();
  private readonly clock = new CityClock(this.data.clock, this.data.zone);
  private readonly hash = readHash();
  private readonly filters = filtersOf(this.data, this.hash.themes);
  private readonly state = byId("map-state");
  private readonly told = byId("map-told");
  private readonly store: Store;
  private readonly scheduled: ScheduledLayer;
  private readonly canvas: MapCanvas;
  private readonly panel: Panel;
  private selected: Thing | undefined;
  private stream: LiveStream | undefined;
  private announced = -1;

  constructor() {
    byId("map-frame").hidden = false;
    byId("map-panel").hidden = false;
    byId("map-plain").hidden = true;
    this.store = new Store(this.data, this.filters, (why) => this.changed(why), (failed) => this.failed(failed));
    this.scheduled = new ScheduledLayer(
      `${this.data.base}/map/scheduled`,
      () => this.canvas.box(),
      () => {
        this.canvas.draw(false);
        this.panel.showScheduled(this.scheduled.on, this.scheduled.total);
        this.renewList();
      },
    );
    this.panel = new Panel(byId("map-panel"), this.data, this.clock, this.filters, {
      filtered: () => this.filtered(),
      chosen: (id, thing) => this.choose(id, thing, true),
      closed: () => this.unchoose(),
      scheduled: (on) => this.scheduled.show(on),
    });
    const { data, hash } = this;
    this.canvas = new MapCanvas(
      {
        container: byId("map"),
        ground: { base: data.base, layers: data.layers, tiles: data.tiles, lines: `${data.base}/map/lines.geojson`, traces: `${data.base}/map/traces.geojson` },
        themes: data.themes,
        centre: hash.centre ?? data.centre ?? [15, 50],
        zoom: hash.zoom ?? data.zoom,
        bounds: hash.centre || data.centre ? null : data.bounds,
        home: data.bounds,
      },
      (what) => this.picked(what),
      (box, zoom) => {
        void this.store.look(box, zoom);
        void this.scheduled.ask();
        this.remember();
        this.announce();
      },
    );
    this.canvas.use(this.store, this.scheduled);
    if (data.scheduled) {
      this.panel.showScheduled(false, 0);
      // Where nothing is observed, the timetable is all there is to see.
      if (!data.legend.themes.transport?.total) this.scheduled.show(true);
    }
    if (nothingPlaced(data)) {
      byId("map-frame").append(placelessNotice(data));
      byId("map-frame").classList.add("placeless");
      this.panel.open(true);
    }
    this.follow();
    setInterval(() => this.tick(), 1000);
    setInterval(() => void this.countAgain(), 10_000);
    setTimeout(() => this.canvas.renewTraces(), 30_000);
    setInterval(() => this.canvas.renewTraces(), 180_000);
  }

  private follow(): void {
    this.stream = new LiveStream(
      `${this.data.base}/map/stream`,
      (name, body) => this.event(name, body),
      (state) => this.connection(state),
    );
    this.stream.open();
  }

  private event(name: string, body: unknown): void {
    if (name === "hello" || name === "beat") {
      const told = body as ClockTold;
      this.clock.set(told.now, told.speed);
    } else if (name === "changes") {
      const frame = body as Changes;
      this.clock.set(frame.now);
      this.store.apply(frame);
    } else if (name === "resync") this.store.refresh();
  }

  private connection(state: State): void {
    const lost = state === "lost";
    this.state.hidden = !lost;
    this.state.textContent = lost ? t("Connection lost. Trying again…") : "";
    if (state === "open") this.store.refresh();
  }

  private failed(failed: boolean): void {
    if (!failed) return;
    this.state.hidden = false;
    this.state.textContent = t("The server does not answer. Trying again…");
    this.store.refresh();
  }

  private readonly renewList = throttle(() => {
    const shown = this.store.shown();
    const placed = this.filters.line ? shown.length : this.store.total;
    const unplaced = this.data.unplaced.features.filter((thing) => this.filters.themes.has(thing.properties.theme));
    if (this.scheduled.on && !this.store.total) this.panel.showList(this.scheduled.things, this.scheduled.total, false);
    else if (this.store.total || this.filters.line) this.panel.showList(shown, placed, this.store.clustered);
    else this.panel.showList(unplaced, unplaced.length, false);
  }, 1500);

  private changed(why: "view" | "live"): void {
    if (why === "view" && this.state.textContent === t("The server does not answer. Trying again…")) this.state.hidden = true;
    this.canvas.draw(true);
    this.renewList();
    this.renewCard();
  }

  private renewCard(): void {
    const id = this.selected?.properties.id;
    const now = id ? this.store.things.get(id) : undefined;
    if (now) this.selected = now;
    this.panel.renew(this.selected);
  }

  private filtered(): void {
    void this.store.look(this.canvas.box(), this.canvas.map.getZoom());
    this.canvas.draw(true);
    this.renewList();
    this.remember();
  }

  private picked(what: Picked): void {
    if (what.cluster) this.canvas.go(what.cluster.at, this.canvas.map.getZoom() + 2);
    else if (what.id) this.choose(what.id, undefined, false);
    else this.unchoose();
  }

  private choose(id: string, known: Thing | undefined, go: boolean): void {
    const thing = this.store.things.get(id) ?? this.scheduled.things.find((each) => each.properties.id === id) ?? known ?? this.data.unplaced.features.find((each) => each.properties.id === id);
    if (!thing) return;
    this.selected = thing;
    this.panel.show(thing);
    this.canvas.select(id);
    if (go && thing.geometry) this.canvas.go(thing.geometry.coordinates);
  }

  private unchoose(): void {
    this.selected = undefined;
    this.panel.show(undefined);
    this.canvas.select(undefined);
  }

  private readonly remember = debounce(() => {
    const centre = this.canvas.map.getCenter();
    const all = this.data.themes.every((theme) => this.filters.themes.has(theme.key) === theme.visible);
    writeHash({ centre: [centre.lng, centre.lat], zoom: this.canvas.map.getZoom(), themes: all ? undefined : [...this.filters.themes] });
  }, 400);

  /** Tell screen readers what came into view, after the visitor moved, never because it is live. */
  private readonly announce = debounce(() => {
    if (this.announced === this.store.total) return;
    this.announced = this.store.total;
    this.told.textContent = t("In view: %(count)s", { count: numeral(this.store.total) });
  }, 1800);

  private tick(): void {
    const now = this.clock.minute(this.clock.now());
    for (const time of document.querySelectorAll(".recording time")) if (time.textContent !== now) time.textContent = now;
    this.renewCard();
  }

  private async countAgain(): Promise<void> {
    if (document.hidden) return;
    const answer = await fetch(`${this.data.base}/map/legend`).catch(() => undefined);
    if (!answer?.ok) return;
    this.data.legend = (await answer.json()) as Legend;
    if (!byId("map-panel").contains(document.activeElement?.closest(".chips") ?? null)) this.panel.showLegend(this.data.legend);
  }
}

void ready().then(() => new LiveMap());
