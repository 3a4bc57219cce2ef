/** The layer of the timetable: asked for every few seconds while it is shown, never stored. */
import { Glides, type LonLat } from "./glide";
import type { Box } from "./store";
import type { Thing } from "./types";

const EVERY_MS = 4000;

export class ScheduledLayer {
  things: Thing[] = [];
  total = 0;
  private timer = 0;
  private readonly glides = new Glides();
  private readonly places = new Map<string, LonLat>();

  constructor(
    private readonly url: string,
    private readonly view: () => Box,
    private readonly changed: () => void,
  ) {}

  get on(): boolean {
    return this.timer !== 0;
  }

  show(on: boolean): void {
    clearInterval(this.timer);
    this.timer = on ? window.setInterval(() => void this.ask(), EVERY_MS) : 0;
    if (on) void this.ask();
    else {
      this.things = [];
      this.changed();
    }
  }

  /** Ask now (the visitor moved). */
  async ask(): Promise<void> {
    if (!this.on || document.hidden) return;
    const { west, south, east, north } = this.view();
    const box = [west, south, east, north].map((part) => part.toFixed(5)).join(",");
    const answer = await fetch(`${this.url}?bbox=${box}`).catch(() => undefined);
    if (!answer?.ok || !this.on) return;
    const body = (await answer.json()) as { features: Thing[]; total: number };
    for (const thing of body.features) {
      const id = thing.properties.id;
      const at = thing.geometry?.coordinates ?? [0, 0];
      const before = this.places.get(id);
      if (before) this.glides.move(id, this.glides.at(id, before), at, EVERY_MS);
      this.places.set(id, at);
    }
    this.things = body.features;
    this.total = body.total;
    if (this.places.size > 20_000) this.places.clear();
    this.changed();
  }

  position(thing: Thing): LonLat {
    return this.glides.at(thing.properties.id, thing.geometry?.coordinates ?? [0, 0]);
  }

  gliding(): boolean {
    return this.glides.any();
  }
}
