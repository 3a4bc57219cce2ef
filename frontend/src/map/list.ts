/** The list of what is in view: one stop for Tab, arrow keys inside, Enter selects. */
import { t } from "../i18n";
import type { CityClock } from "./clock";
import { numeral } from "./clock";
import { el } from "./dom";
import { lookOf, svgMarker } from "./icons";
import type { PageData, Theme, Thing } from "./types";
import { says, statusWord, title } from "./words";

const SHOWN = 150;

export class ThingList {
  readonly element: HTMLElement;
  private readonly box: HTMLUListElement;
  private readonly more: HTMLParagraphElement;
  private things: Thing[] = [];
  private selected = "";
  private active = "";
  private signature = "";
  private readonly themes: Map<string, Theme>;

  constructor(
    private readonly data: PageData,
    private readonly clock: CityClock,
    private readonly chosen: (id: string) => void,
  ) {
    this.themes = new Map(data.themes.map((theme) => [theme.key, theme]));
    this.box = el("ul", { class: "thing-list", role: "listbox", tabindex: "0", "aria-label": t("In view") });
    this.more = el("p", { class: "list-more muted small" });
    this.element = el("div", { class: "list-wrap" }, this.box, this.more);
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.box.addEventListener("click", (event) => {
      const item = (event.target as Element).closest<HTMLElement>("[data-id]");
      if (item?.dataset.id) this.choose(item.dataset.id);
    });
    this.box.addEventListener("focus", () => this.activate(this.active || this.things[0]?.properties.id || ""));
  }

  /** Show these, best first; `total` may be more than what is listed. */
  show(things: Thing[], total: number, clustered: boolean): void {
    const sorted = [...things].sort((a, b) => rank(a) - rank(b) || this.name(a).localeCompare(this.name(b), undefined, { numeric: true }));
    this.things = sorted.slice(0, SHOWN);
    const signature = this.things.map((x) => `${x.properties.id}${x.properties.status}${x.properties.number}${x.properties.label}`).join();
    if (signature !== this.signature) {
      this.signature = signature;
      this.box.replaceChildren(...this.things.map((thing) => this.item(thing)));
      this.mark();
    }
    const rest = Math.max(0, total - this.things.length);
    this.more.textContent = !total
      ? t("Nothing of this is in view.")
      : clustered
        ? t("%(count)s more are gathered in circles. Zoom in to see them one by one.", { count: numeral(rest) })
        : rest
          ? t("%(count)s more are in view. Zoom in or search.", { count: numeral(rest) })
          : "";
    this.more.hidden = !this.more.textContent;
  }

  select(id: string): void {
    this.selected = id;
    if (id) this.active = id;
    this.mark();
  }

  private name(thing: Thing): string {
    return title(thing.properties, this.data);
  }

  private item(thing: Thing): HTMLLIElement {
    const told = thing.properties;
    const theme = this.themes.get(told.theme);
    const facts = [says(told, this.data), told.stop ? "" : statusWord(told.status)].filter(Boolean).join(" · ");
    return el(
      "li",
      { role: "option", id: optionId(told.id), "data-id": told.id, "aria-selected": "false" },
      theme ? svgMarker(theme, lookOf(told.status)) : null,
      el("span", { class: "thing-name" }, this.name(thing)),
      el("span", { class: "thing-facts" }, [told.label && told.name && told.type === "Vehicle" ? told.name : "", facts].filter(Boolean).join(" · ")),
    );
  }

  private key(event: KeyboardEvent): void {
    const at = this.things.findIndex((thing) => thing.properties.id === this.active);
    const steps: Record<string, number> = {
      ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: this.things.length - 1, PageDown: at + 10, PageUp: at - 10,
    };
    const to = steps[event.key];
    if (to !== undefined) {
      event.preventDefault();
      const next = this.things[Math.min(this.things.length - 1, Math.max(0, to))];
      if (next) this.activate(next.properties.id);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      if (this.active) this.choose(this.active);
    }
  }

  private activate(id: string): void {
    this.active = id;
    this.mark();
    document.getElementById(optionId(id))?.scrollIntoView({ block: "nearest" });
  }

  private choose(id: string): void {
    this.active = id;
    this.chosen(id);
  }

  private mark(): void {
    for (const item of this.box.children) {
      const id = (item as HTMLElement).dataset.id;
      item.setAttribute("aria-selected", String(id === this.selected));
      item.classList.toggle("active", id === this.active);
    }
    if (this.active && document.getElementById(optionId(this.active))) {
      this.box.setAttribute("aria-activedescendant", optionId(this.active));
    } else this.box.removeAttribute("aria-activedescendant");
  }

  /** Used by tests and the card: the age of a reading in the city's time. */
  age(thing: Thing): string {
    return thing.properties.seen === undefined ? "" : this.clock.age(thing.properties.seen);
  }
}

const optionId = (id: string): string => `in-view-${id.replaceAll(/[^\w-]/g, "_")}`;

function rank(thing: Thing): number {
  const told = thing.properties;
  return (told.stop ? 10 : 0) + { moving: 0, current: 1, parked: 2, undated: 3, stale: 4 }[told.status];
}
