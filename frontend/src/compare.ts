/** The weights on the page of an index: every move ranks units and regions again, at once. */

import { type Basis, type Ranking, rank } from "./compare/rank";
import { language, ready, t } from "./i18n";

const MOST_ROWS = 25;
const SVG = "http://www.w3.org/2000/svg";
const number = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });

class Weights {
  private readonly form: HTMLFormElement;
  private readonly inputs: HTMLInputElement[];
  private readonly status: HTMLElement;
  private basis: Basis | undefined;
  private frame = 0;
  private later = 0;

  constructor(private readonly box: HTMLElement) {
    this.form = box.querySelector("form")!;
    this.inputs = [...box.querySelectorAll<HTMLInputElement>("input[type=range]")];
    this.status = box.querySelector("[data-status]")!;
    this.form.querySelector<HTMLButtonElement>("button[type=submit]")!.hidden = true;
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("input", () => {
      cancelAnimationFrame(this.frame);
      this.frame = requestAnimationFrame(() => void this.move());
    });
  }

  private async move(): Promise<void> {
    try {
      this.basis ??= (await (await fetch(this.box.dataset["values"]!)).json()) as Basis;
    } catch {
      this.status.textContent = t("The figures could not be loaded.");
      return;
    }
    const weights = new Map(this.inputs.map((one) => [one.name.slice(2), Number(one.value)]));
    const total = [...weights.values()].reduce((sum, one) => sum + one, 0);
    for (const output of this.box.querySelectorAll<HTMLElement>("[data-share]")) {
      const own = weights.get(output.dataset["share"]!) ?? 0;
      output.textContent = percent.format(total > 0 ? own / total : 0);
    }
    if (total <= 0) {
      this.status.textContent = t("At least one weight has to be above 0.");
      return;
    }
    const found = rank(this.basis, this.basis.indicators.map((id) => weights.get(id) ?? 0));
    this.showGroups(found);
    this.showUnits(found);
    this.status.textContent = t("Ranked by your weights; intervals are those of the published ones.");
    // Browsers count changes of the address and stop taking them when there are many.
    window.clearTimeout(this.later);
    this.later = window.setTimeout(() => this.remember(weights), 300);
  }

  private showGroups(found: Ranking): void {
    const table = document.querySelector<HTMLTableElement>("table[data-kind=groups]");
    if (!table) return;
    const place = new Map(this.basis!.groups.map((id, n) => [id, n]));
    const rows = [...table.tBodies[0]!.rows];
    const of = (row: HTMLTableRowElement): number => place.get(row.dataset["id"] ?? "") ?? -1;
    for (const row of rows) {
      const n = of(row);
      const own = found.groupRanks[n] ?? Number.NaN;
      if (Number.isNaN(own)) continue;
      this.fill(row, own, found.groupScores[n]!, this.basis!.groups.length);
    }
    const order = (row: HTMLTableRowElement): number => {
      const own = found.groupRanks[of(row)] ?? Number.NaN;
      return Number.isNaN(own) ? Number.POSITIVE_INFINITY : own;
    };
    rows.sort((a, b) => order(a) - order(b));
    table.tBodies[0]!.append(...rows);
    table.classList.add("moved");
    for (const label of document.querySelectorAll<SVGGElement>(".region-rank[data-id]")) {
      const own = found.groupRanks[place.get(label.dataset["id"]!) ?? -1];
      if (own !== undefined && !Number.isNaN(own)) label.querySelector("text")!.textContent = number.format(own);
    }
  }

  private showUnits(found: Ranking): void {
    const table = document.querySelector<HTMLTableElement>("table[data-kind=units]");
    if (!table) return;
    const body = table.tBodies[0]!;
    const basis = this.basis!;
    const model = body.rows[0];
    if (!model) return;
    const shown = new Map([...body.rows].map((row) => [row.dataset["id"], row]));
    const place = new Map(basis.units.map((id, n) => [id, n]));
    let order: number[];
    if (table.hasAttribute("data-top")) {
      order = basis.units.map((_, n) => n).sort((a, b) => found.ranks[a]! - found.ranks[b]!).slice(0, MOST_ROWS);
    } else {
      order = [...shown.keys()].map((id) => place.get(id ?? "") ?? -1).filter((n) => n >= 0);
      order.sort((a, b) => found.ranks[a]! - found.ranks[b]!);
    }
    body.replaceChildren(
      ...order.map((n) => {
        const row = shown.get(basis.units[n]!) ?? this.made(model, n);
        this.fill(row, found.ranks[n]!, found.scores[n]!, basis.units.length);
        return row;
      }),
    );
    table.classList.add("moved");
  }

  /** A row for a unit that was not on this page of the table before. */
  private made(model: HTMLTableRowElement, n: number): HTMLTableRowElement {
    const row = model.cloneNode(true) as HTMLTableRowElement;
    const basis = this.basis!;
    row.dataset["id"] = basis.units[n]!;
    row.querySelector("th")!.textContent = basis.names[n]!;
    const pair = basis.intervals[n];
    row.querySelector("[data-interval]")!.textContent = pair ? pair.map((one) => number.format(one)).join("–") : "";
    row.querySelector("[data-bar]")!.replaceChildren();
    for (const cell of [...row.cells].slice(4)) cell.textContent = "";
    if (pair) row.querySelector("[data-bar]")!.append(drawn(pair, basis.units.length));
    return row;
  }

  private fill(row: HTMLTableRowElement, rank: number, score: number, many: number): void {
    row.querySelector("[data-rank]")!.textContent = number.format(rank);
    row.querySelector("[data-score]")!.textContent = number.format(score);
    row.querySelector(".mark")?.setAttribute("x", (at(rank, many) - 0.6).toFixed(2));
  }

  /** The address keeps the weights, so that it can be passed on. */
  private remember(weights: Map<string, number>): void {
    const address = new URL(window.location.href);
    for (const key of [...address.searchParams.keys()]) if (key.startsWith("w-")) address.searchParams.delete(key);
    const text = [...weights].map(([id, own]) => `${id}:${own}`).join(",");
    address.searchParams.set("weights", text);
    window.history.replaceState(null, "", address);
    const link = document.querySelector<HTMLAnchorElement>("a[data-permalink]");
    if (!link) return;
    const target = new URL(link.href);
    target.searchParams.set("weights", text);
    link.href = target.href;
    link.textContent = target.href;
  }
}

function at(rank: number, many: number): number {
  return 1 + (98 * (rank - 1)) / Math.max(many - 1, 1);
}

function drawn(pair: [number, number], many: number): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "rank-bar");
  svg.setAttribute("viewBox", "0 0 100 10");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const line = (name: string, from: number, to: number): void => {
    const one = document.createElementNS(SVG, "line");
    one.setAttribute("class", name);
    one.setAttribute("x1", from.toFixed(2));
    one.setAttribute("x2", to.toFixed(2));
    one.setAttribute("y1", "5");
    one.setAttribute("y2", "5");
    svg.append(one);
  };
  line("track", 0, 100);
  line("span", at(pair[0], many) - 0.3, at(pair[1], many) + 0.3);
  const mark = document.createElementNS(SVG, "rect");
  mark.setAttribute("class", "mark");
  mark.setAttribute("y", "1");
  mark.setAttribute("width", "1.2");
  mark.setAttribute("height", "8");
  svg.append(mark);
  return svg;
}

const box = document.querySelector<HTMLElement>("#weights-box");
if (box) void ready().then(() => new Weights(box));
