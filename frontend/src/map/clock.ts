/** The city's time: the machine's, or a recording's that runs at its own speed. */
import type { ClockTold } from "./types";

// English as Europe writes it, like the server: day before month, 24 hours.
const said = document.documentElement.lang || "en";
const language = said === "en" ? "en-GB" : said;

export class CityClock {
  private base: number;
  private at = performance.now();
  private speed: number;

  private readonly full: Intl.DateTimeFormat;
  private readonly short: Intl.DateTimeFormat;

  constructor(told: ClockTold, zone: string) {
    this.base = told.now;
    this.speed = told.speed;
    this.full = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium", timeZone: zone });
    this.short = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short", timeZone: zone });
  }

  /** Epoch milliseconds now, in the city. */
  now(): number {
    return this.base + (performance.now() - this.at) * this.speed;
  }

  set(now: number, speed = this.speed): void {
    this.base = now;
    this.speed = speed;
    this.at = performance.now();
  }

  get rate(): number {
    return this.speed;
  }

  /** Date and time without seconds. */
  minute(moment: number): string {
    return this.short.format(moment);
  }

  moment(micros: number): string {
    return this.full.format(micros);
  }

  /** "3 minutes ago", against the city's time. */
  age(moment: number): string {
    const seconds = Math.round((moment - this.now()) / 1000);
    const format = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
    const steps: [Intl.RelativeTimeFormatUnit, number][] = [
      ["year", 31_536_000], ["month", 2_592_000], ["day", 86_400], ["hour", 3600], ["minute", 60],
    ];
    for (const [unit, size] of steps) {
      if (Math.abs(seconds) >= size) return format.format(Math.trunc(seconds / size), unit);
    }
    return format.format(Math.min(0, seconds), "second");
  }
}

export const numeral = (value: number): string => new Intl.NumberFormat(language).format(value);
export const percent = (share: number): string =>
  new Intl.NumberFormat(language, { style: "percent" }).format(share);
