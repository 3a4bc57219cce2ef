/** The explorable chart: presets, attributes, zoom by drag and keyboard, PNG and CSV. */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { t, tn } from "../i18n";
import { fetchSeries, preset, query, type Period, type SeriesAnswer } from "./data";
import { moment, numeral, options, toData } from "./draw";
import { savePicture } from "./picture";

export class HistoryChart {
  private plot: uPlot | undefined;
  private answer: SeriesAnswer | undefined;
  private asked: AbortController | undefined;
  private attr: string;
  private range: string;
  private period: Period;
  private readonly now: number;
  private readonly url: string;
  private readonly card: HTMLElement;
  private readonly told = document.createElement("p");
  private readonly reset = this.button(t("Whole period"), () => this.choose(this.range));

  constructor(private readonly box: HTMLElement) {
    const { attr, range, series, now } = box.dataset;
    this.attr = attr ?? "";
    this.range = range ?? "all";
    this.url = series ?? "";
    this.now = Number(now);
    this.period = preset(this.range, this.now);
    this.card = box.closest<HTMLElement>(".chart-card") ?? box;
    this.told.className = "visually-hidden";
    this.told.setAttribute("role", "status");
    this.card.append(this.told);
    this.follow("[data-chart-ranges] [data-range]", (link) => this.choose(link.dataset["range"] ?? "all"));
    this.follow("[data-chart-attrs] [data-attr]", (link) => {
      this.attr = link.dataset["attr"] ?? this.attr;
      void this.load();
    });
    this.tools();
    box.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.fit()).observe(box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    void this.load();
  }

  private button(label: string, click: () => void): HTMLButtonElement {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "small-button";
    button.textContent = label;
    button.addEventListener("click", click);
    return button;
  }

  private tools(): void {
    const csv = this.card.querySelector<HTMLElement>("[data-chart-csv]");
    if (!csv?.parentElement) return;
    const picture = this.button(t("Picture as PNG"), () => {
      if (this.plot) savePicture(this.plot, this.box.dataset["name"] ?? "", this.label(), this.attr);
    });
    this.reset.hidden = true;
    csv.after(picture, this.reset);
    const hint = document.createElement("p");
    hint.className = "small muted no-print";
    hint.id = "chart-keys";
    hint.textContent = t("Drag across the chart to look closer. Keys: + and − zoom, arrows move, 0 shows all.");
    csv.parentElement.after(hint);
    this.box.tabIndex = 0;
    this.box.setAttribute("role", "group");
    this.box.setAttribute("aria-describedby", hint.id);
  }

  private follow(selector: string, act: (link: HTMLElement) => void): void {
    const links = [...this.card.querySelectorAll<HTMLElement>(selector)];
    for (const link of links) {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        for (const other of links) other.removeAttribute("aria-current");
        link.setAttribute("aria-current", "true");
        act(link);
      });
    }
  }

  private label(): string {
    const links = this.card.querySelectorAll<HTMLElement>("[data-chart-attrs] [data-attr]");
    const found = [...links].find((link) => link.dataset["attr"] === this.attr);
    return found?.textContent ?? this.box.dataset["label"] ?? this.attr;
  }

  private choose(range: string): void {
    this.range = range;
    this.period = preset(range, this.now);
    void this.load();
  }

  private zoom(from: number, to: number): void {
    if (to - from < 2000) return;
    this.period = { from, to };
    void this.load();
  }

  private async load(): Promise<void> {
    this.asked?.abort();
    this.asked = new AbortController();
    const points = Math.min(2000, Math.max(100, Math.round(this.box.clientWidth)));
    try {
      this.answer = await fetchSeries(this.url, this.attr, this.period, points, this.asked.signal);
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return;
      this.tell(t("The readings could not be fetched."));
      return;
    }
    this.reset.hidden = this.period.to === undefined;
    this.address();
    this.draw();
  }

  /** The address follows, so that a view can be sent on and the download fits what is seen. */
  private address(): void {
    const url = new URL(location.href);
    url.searchParams.set("attr", this.attr);
    url.searchParams.set("range", this.range);
    history.replaceState(null, "", url);
    const csv = this.card.querySelector<HTMLAnchorElement>("[data-chart-csv]");
    if (csv) csv.href = `${this.url.replace(/json$/, "csv")}?${query(this.attr, this.period).toString()}`;
  }

  private draw(): void {
    const answer = this.answer;
    if (!answer) return;
    this.plot?.destroy();
    this.plot = undefined;
    if (!answer.t.length) {
      const empty = document.createElement("p");
      empty.className = "empty";
      empty.textContent = t("No readings in this period.");
      this.box.replaceChildren(empty);
      this.tell(empty.textContent);
      return;
    }
    this.box.replaceChildren();
    const hooks = { setSelect: [(plot: uPlot) => this.selected(plot)] };
    const unit = this.box.dataset["units"] ? (JSON.parse(this.box.dataset["units"]) as Record<string, string>)[this.attr] : "";
    const width = this.box.clientWidth;
    this.plot = new uPlot(
      options(this.label(), unit ?? "", answer, width, this.height(), hooks),
      toData(answer),
      this.box,
    );
    this.tell(this.summary(answer, unit ?? ""));
  }

  private summary(answer: SeriesAnswer, unit: string): string {
    const low = numeral(Math.min(...answer.min));
    const most = numeral(Math.max(...answer.max));
    const high = [most, unit].filter(Boolean).join(" ");
    const parts = [
      tn("%(num)s reading", "%(num)s readings", answer.readings),
      [...new Set([answer.t[0]!, answer.t[answer.t.length - 1]!].map(moment))].join(" – "),
      t("between %(low)s and %(high)s", { low, high }),
    ];
    if (answer.thinned) parts.push(t("the line is thinned out, the band shows lowest and highest"));
    if (!answer.complete) parts.push(t("older readings are left out here"));
    return `${parts.join(" · ")}.`;
  }

  private tell(text: string): void {
    const note = this.card.querySelector("[data-chart-note]");
    if (note) note.textContent = text;
    this.told.textContent = text;
  }

  private selected(plot: uPlot): void {
    const { left, width } = plot.select;
    if (width < 4) return;
    const from = plot.posToVal(left, "x") * 1000;
    const to = plot.posToVal(left + width, "x") * 1000;
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.zoom(from, to);
  }

  private key(event: KeyboardEvent): void {
    if (event.target !== this.box || !this.plot || event.ctrlKey || event.metaKey || event.altKey) return;
    const { min, max } = this.plot.scales["x"] ?? {};
    if (min === undefined || max === undefined || min === null || max === null) return;
    const from = min * 1000;
    const to = max * 1000;
    const span = to - from;
    const moves: Record<string, () => void> = {
      "+": () => this.zoom(from + span / 4, to - span / 4),
      "=": () => this.zoom(from + span / 4, to - span / 4),
      "-": () => this.zoom(from - span / 2, to + span / 2),
      ArrowLeft: () => this.zoom(from - span / 4, to - span / 4),
      ArrowRight: () => this.zoom(from + span / 4, to + span / 4),
      "0": () => this.choose("all"),
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    move();
  }

  private height(): number {
    return Math.round(Math.min(380, Math.max(220, this.box.clientWidth * 0.42)));
  }

  private fit(): void {
    const width = this.box.clientWidth;
    if (this.plot && width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: this.height() });
  }
}
