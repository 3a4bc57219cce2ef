/** What is in view, kept current by the stream; moving things glide between their positions. */
import type { PageData, Status, Thing, Cluster, View, Changes } from "./types";
import { isCluster } from "./types";
import { Glides, type LonLat } from "./glide";

export interface Filters {
  themes: Set<string>;
  statuses: Set<Status>;
  line: string;
}

export interface Box {
  west: number;
  south: number;
  east: number;
  north: number;
}

const REFETCH_MS = 5000;

export class Store {
  readonly things = new Map<string, Thing>();
  clusters: Cluster[] = [];
  total = 0;
  clustered = false;
  loaded = true;
  private box: Box = { west: -180, south: -90, east: 180, north: 90 };
  private zoom = 0;
  private readonly glides = new Glides();
  private fetching: AbortController | undefined;
  private due = 0;
  private lastFetch = 0;

  constructor(
    private readonly data: PageData,
    readonly filters: Filters,
    private readonly changed: (why: "view" | "live") => void,
    private readonly failed: (failed: boolean) => void,
  ) {}

  /** Ask for everything in a view (a little more, so that panning does not show bare edges). */
  async look(box: Box, zoom: number): Promise<void> {
    const wide = (box.east - box.west) * 0.2;
    const high = (box.north - box.south) * 0.2;
    this.box = {
      west: box.west - wide, east: box.east + wide,
      south: Math.max(-90, box.south - high), north: Math.min(90, box.north + high),
    };
    this.zoom = zoom;
    await this.fetch();
  }

  /** Ask again soon, but not more often than every few seconds. */
  refresh(): void {
    if (this.due) return;
    const wait = Math.max(0, this.lastFetch + REFETCH_MS - Date.now());
    this.due = window.setTimeout(() => {
      this.due = 0;
      void this.fetch();
    }, wait);
  }

  private async fetch(): Promise<void> {
    this.fetching?.abort();
    const abort = (this.fetching = new AbortController());
    this.lastFetch = Date.now();
    const { west, south, east, north } = this.box;
    const query = new URLSearchParams({
      bbox: [west, south, east, north].map((n) => n.toFixed(5)).join(","),
      zoom: this.zoom.toFixed(2),
      themes: [...this.filters.themes].join(",") || "none",
    });
    if (this.filters.statuses.size) query.set("status", [...this.filters.statuses].join(","));
    try {
      const answer = await fetch(`${this.data.base}/map/features?${query}`, { signal: abort.signal });
      if (!answer.ok) throw new Error(String(answer.status));
      this.take((await answer.json()) as View);
      this.failed(false);
    } catch (error) {
      if (!abort.signal.aborted) this.failed(true);
    }
  }

  private take(view: View): void {
    const seen = new Set<string>();
    this.clusters = [];
    for (const item of view.features) {
      if (isCluster(item)) {
        this.clusters.push(item);
        continue;
      }
      seen.add(item.properties.id);
      this.put(item);
    }
    for (const id of this.things.keys()) if (!seen.has(id)) this.drop(id);
    this.total = view.total;
    this.clustered = view.clustered;
    this.loaded = view.loaded;
    this.changed("view");
    if (!view.loaded) this.refresh();
  }

  /** A frame of the stream. */
  apply(frame: Changes): void {
    for (const id of frame.gone) this.drop(id);
    if (this.clustered) {
      if (frame.features.length || frame.gone.length || frame.more) this.refresh();
      for (const thing of frame.features) if (this.things.has(thing.properties.id)) this.put(thing);
    } else {
      for (const thing of frame.features) {
        if (this.wanted(thing)) this.put(thing);
        else this.drop(thing.properties.id);
      }
      this.total = this.things.size;
      if (frame.more) this.refresh();
    }
    this.changed("live");
  }

  private wanted(thing: Thing): boolean {
    const told = thing.properties;
    if (!thing.geometry || !this.filters.themes.has(told.theme)) return false;
    if (told.stop && this.zoom < 12.5) return false;
    if (this.filters.statuses.size && !this.filters.statuses.has(told.status)) return false;
    const [lon, lat] = thing.geometry.coordinates;
    const { west, east, south, north } = this.box;
    return lon >= west && lon <= east && lat >= south && lat <= north;
  }

  private put(thing: Thing): void {
    const id = thing.properties.id;
    const before = this.things.get(id);
    const from = before?.geometry ? this.position(before) : undefined;
    if (before?.shape && !thing.shape) thing.shape = before.shape; // frames carry no outlines
    this.things.set(id, thing);
    const to = thing.geometry?.coordinates;
    if (!from || !to) return;
    const gap = (thing.properties.seen ?? 0) - (before?.properties.seen ?? 0);
    const length = Math.min(8000, Math.max(700, gap > 0 ? gap / Math.max(1, this.data.clock.speed) : 1500));
    this.glides.move(id, from, to, length);
  }

  private drop(id: string): void {
    this.things.delete(id);
    this.glides.drop(id);
  }

  /** Where a thing is drawn now. */
  position(thing: Thing): LonLat {
    return this.glides.at(thing.properties.id, thing.geometry?.coordinates ?? [0, 0]);
  }

  /** Whether anything still glides. */
  gliding(): boolean {
    return this.glides.any();
  }

  /** The things in view that pass the line filter. */
  shown(): Thing[] {
    const line = this.filters.line.trim().toLocaleLowerCase();
    const all = [...this.things.values()];
    return line ? all.filter((thing) => (thing.properties.label ?? "").toLocaleLowerCase() === line) : all;
  }
}
