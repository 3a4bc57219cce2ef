/** The panel beside the map: search, themes with counts, filters, the chosen thing, the list. */
import { t } from "../i18n";
import type { CityClock } from "./clock";
import { numeral, percent } from "./clock";
import { debounce, el } from "./dom";
import { lookOf, svgMarker } from "./icons";
import { ThingList } from "./list";
import type { Filters } from "./store";
import type { Legend, PageData, Status, Theme, Thing } from "./types";
import { delayWords, entityUrl, says, STATUSES, statusWord, title } from "./words";

export interface PanelActions {
  filtered(): void;
  chosen(id: string, thing?: Thing): void;
  closed(): void;
  scheduled(on: boolean): void;
}

export class Panel {
  readonly list: ThingList;
  private readonly chips = el("div", { class: "chips", role: "group", "aria-label": t("Themes") });
  private readonly states = el("div", { class: "chips chips-small", role: "group", "aria-label": t("Show only") });
  private readonly due = el("div", { class: "chips chips-small", hidden: true });
  private readonly card = el("div", { class: "thing-card", hidden: true });
  private readonly results = el("ul", { class: "results", hidden: true, id: "search-results" });
  private readonly heading = el("h2", { class: "list-head" });
  private readonly grip: HTMLButtonElement;
  private readonly themes: Map<string, Theme>;
  private line: HTMLInputElement;
  private shown: Thing | undefined;
  private legend: Legend;

  constructor(
    private readonly root: HTMLElement,
    private readonly data: PageData,
    private readonly clock: CityClock,
    private readonly filters: Filters,
    private readonly actions: PanelActions,
  ) {
    this.themes = new Map(data.themes.map((theme) => [theme.key, theme]));
    this.legend = data.legend;
    this.list = new ThingList(data, clock, (id) => actions.chosen(id));
    this.grip = el("button", { type: "button", class: "grip", "aria-expanded": "false", "aria-controls": "panel-body" });
    this.grip.addEventListener("click", () => this.open(!root.classList.contains("open")));
    this.line = el("input", { type: "text", id: "line-filter", inputmode: "text", autocomplete: "off", maxlength: "20", value: filters.line });
    this.build();
    this.showLegend(data.legend);
  }

  private build(): void {
    const transport = "transport" in this.data.legend.themes;
    this.line.addEventListener("input", debounce(() => {
      this.filters.line = this.line.value;
      this.actions.filtered();
    }, 250));
    const body = el(
      "div", { class: "panel-body", id: "panel-body" },
      this.search(),
      this.card,
      this.chips,
      this.due,
      this.states,
      transport && el("p", { class: "line-filter" }, el("label", { for: "line-filter" }, t("Line")), this.line),
      this.heading,
      this.list.element,
    );
    this.root.replaceChildren(this.grip, body);
  }

  /** On small screens the panel is a sheet that opens and closes. */
  open(open: boolean): void {
    this.root.classList.toggle("open", open);
    this.grip.setAttribute("aria-expanded", String(open));
  }

  showLegend(legend: Legend): void {
    this.legend = legend;
    const keys = this.data.themes.filter((theme) => theme.key in legend.themes);
    this.chips.replaceChildren(...keys.map((theme) => this.chip(theme)));
    const present = STATUSES.filter((status) => this.count(status) > 0);
    this.states.replaceChildren(...(present.length > 1 ? present.map((status) => this.state(status)) : []));
  }

  /** The chip of the timetable's layer, which is not a theme: nothing of it was observed. */
  showScheduled(on: boolean, total: number): void {
    const focused = this.due.contains(document.activeElement);
    const chip = el(
      "button", { type: "button", class: "chip chip-due", "aria-pressed": String(on) },
      el("span", { class: "dot dot-stale", "aria-hidden": "true" }),
      el("span", {}, t("Scheduled, not observed")), total ? el("span", { class: "num" }, numeral(total)) : null,
    );
    chip.addEventListener("click", () => this.actions.scheduled(!on));
    this.due.replaceChildren(chip);
    this.due.hidden = false;
    if (focused) chip.focus();
  }

  private count(status: Status): number {
    return Object.entries(this.legend.themes)
      .filter(([key]) => this.filters.themes.has(key))
      .reduce((sum, [, counted]) => sum + (counted.status[status] ?? 0), 0);
  }

  private chip(theme: Theme): HTMLButtonElement {
    const on = this.filters.themes.has(theme.key);
    const count = this.legend.themes[theme.key]?.total ?? 0;
    const chip = el(
      "button", { type: "button", class: "chip", "aria-pressed": String(on), "data-theme-key": theme.key },
      svgMarker(theme), el("span", {}, theme.word), el("span", { class: "num" }, numeral(count)),
    );
    chip.addEventListener("click", () => this.toggle(this.filters.themes, theme.key, `[data-theme-key="${theme.key}"]`));
    return chip;
  }

  private state(status: Status): HTMLButtonElement {
    const on = this.filters.statuses.has(status);
    const chip = el(
      "button", { type: "button", class: "chip", "aria-pressed": String(on), "data-status": status },
      el("span", { class: `dot dot-${status}`, "aria-hidden": "true" }),
      el("span", {}, statusWord(status)), el("span", { class: "num" }, numeral(this.count(status))),
    );
    chip.addEventListener("click", () => this.toggle(this.filters.statuses, status, `[data-status="${status}"]`));
    return chip;
  }

  private toggle<T>(set: Set<T>, key: T, again: string): void {
    if (set.has(key)) set.delete(key);
    else set.add(key);
    this.showLegend(this.legend);
    this.root.querySelector<HTMLElement>(again)?.focus();
    this.actions.filtered();
  }

  showList(things: Thing[], total: number, clustered: boolean): void {
    this.heading.textContent = t("In view: %(count)s", { count: numeral(total) });
    this.grip.replaceChildren(el("span", { class: "grip-bar", "aria-hidden": "true" }), this.heading.textContent);
    this.list.show(things, total, clustered);
  }

  /** The card of the chosen thing; nothing closes it. */
  show(thing: Thing | undefined): void {
    this.shown = thing;
    this.card.hidden = !thing;
    this.list.select(thing?.properties.id ?? "");
    if (!thing) return;
    const told = thing.properties;
    const theme = this.themes.get(told.theme);
    const close = el("button", { type: "button", class: "card-close", "aria-label": t("Close") }, "×");
    close.addEventListener("click", () => this.actions.closed());
    const head = el("h2", { class: "card-title", tabindex: "-1" }, title(told, this.data));
    this.card.replaceChildren(...[
      el("div", { class: "card-head" }, theme ? svgMarker(theme, lookOf(told.status)) : null, head, close),
      this.meter(told.level, theme),
      el("dl", { class: "card-facts" }, ...this.facts(thing)),
      ...this.links(thing),
    ].filter((part): part is HTMLElement => part !== null));
    this.open(true);
  }

  private links(thing: Thing): HTMLElement[] {
    const told = thing.properties;
    if (told.scheduled) return [el("p", { class: "small muted" }, t("Worked out from the timetable. Scheduled, not observed."))];
    const link = el("a", { class: "button", href: entityUrl(this.data.base, told.id) }, t("All values and history"));
    if (told.type !== "Vehicle" || !told.label) return [el("p", {}, link)];
    const only = el("button", { type: "button", class: "button quiet" }, t("Only line %(line)s", { line: told.label }));
    only.addEventListener("click", () => {
      this.filters.line = this.line.value = told.label ?? "";
      this.actions.filtered();
    });
    return [el("p", { class: "button-row" }, link, only)];
  }

  private meter(level: number | undefined, theme: Theme | undefined): HTMLElement | null {
    if (level === undefined || !theme) return null;
    const bar = el("span", { class: "meter-bar" });
    bar.style.width = `${Math.round(Math.min(1, Math.max(0, level)) * 100)}%`;
    bar.style.setProperty("--c", theme.colour);
    bar.style.setProperty("--d", theme.dark);
    return el("div", { class: "meter", role: "img", "aria-label": percent(level) }, bar);
  }

  private facts(thing: Thing): Node[] {
    const told = thing.properties;
    const rows: [string, string][] = [
      [t("Kind"), this.data.types[told.type] ?? told.type],
      [t("Name"), told.name && told.name !== title(told, this.data) ? told.name : ""],
      [t("State"), told.stop ? "" : statusWord(told.status)],
    ];
    if (told.attr === "delay" && told.number !== undefined) rows.push([t("Punctuality"), delayWords(told.number)]);
    else {
      const said = says(told, this.data);
      const cut = said.indexOf(": ");
      if (said) rows.push(cut > 0 ? [said.slice(0, cut), said.slice(cut + 2)] : [t("Size"), said]);
    }
    if (told.seen !== undefined) rows.push([t("Observed"), `${this.clock.age(told.seen)} (${this.clock.moment(told.seen)})`]);
    return rows.filter(([, value]) => value).flatMap(([term, value]) => [el("dt", {}, term), el("dd", {}, value)]);
  }

  /** Bring the card up to date without moving the focus. */
  renew(thing: Thing | undefined): void {
    const list = this.card.querySelector("dl");
    if (!thing || !list || this.shown?.properties.id !== thing.properties.id) return;
    this.shown = thing;
    list.replaceChildren(...this.facts(thing));
  }

  private search(): HTMLElement {
    const input = el("input", {
      type: "search", id: "map-search", placeholder: t("Search lines, stops, stations"), autocomplete: "off",
      "aria-label": t("Search on the map"), maxlength: "100", "aria-controls": "search-results",
    });
    const find = debounce(() => void this.find(input.value), 250);
    input.addEventListener("input", find);
    input.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        input.value = "";
        this.results.hidden = true;
      }
      if (event.key === "ArrowDown") this.results.querySelector<HTMLElement>("button")?.focus();
    });
    this.results.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const all = [...this.results.querySelectorAll<HTMLElement>("button")];
      const next = all[all.indexOf(document.activeElement as HTMLElement) + step];
      (next ?? input).focus();
    });
    return el("div", { class: "map-search", role: "search" }, input, this.results);
  }

  private async find(query: string): Promise<void> {
    this.results.hidden = !query.trim();
    if (!query.trim()) return;
    const answer = await fetch(`${this.data.base}/map/search?q=${encodeURIComponent(query)}`).catch(() => undefined);
    if (!answer?.ok) return;
    const found = ((await answer.json()) as { features: Thing[] }).features;
    this.results.replaceChildren(...found.map((thing) => this.result(thing)));
    if (!found.length) this.results.append(el("li", { class: "muted" }, t("Nothing found.")));
  }

  private result(thing: Thing): HTMLLIElement {
    const told = thing.properties;
    const theme = this.themes.get(told.theme);
    const button = el(
      "button", { type: "button" }, theme ? svgMarker(theme, lookOf(told.status)) : null,
      el("span", { class: "thing-name" }, title(told, this.data)),
      el("span", { class: "thing-facts" }, [told.name !== title(told, this.data) ? told.name : "", this.data.types[told.type] ?? told.type, thing.geometry ? "" : t("no place known")].filter(Boolean).join(" · ")),
    );
    button.addEventListener("click", () => {
      this.results.hidden = true;
      this.actions.chosen(told.id, thing);
    });
    return el("li", {}, button);
  }
}
