/** Cities whose sources give no coordinates: the things as bars instead of an empty map. */
import { t } from "../i18n";
import { numeral } from "./clock";
import { el } from "./dom";
import type { PageData, Thing } from "./types";
import { entityUrl, says, title } from "./words";

const BARS = 16;

/** Whether there are things, and none of them has a place. */
export function nothingPlaced(data: PageData): boolean {
  const counted = Object.values(data.legend.themes);
  return data.unplaced.total > 0 && counted.every((theme) => theme.placed === 0) && !data.scheduled;
}

/** Says why the map is empty, and draws what there is: the things with the highest numbers. */
export function placelessNotice(data: PageData): HTMLElement {
  const told = data.unplaced.features.filter((thing) => thing.properties.number !== undefined);
  const best = [...told].sort((a, b) => (b.properties.number ?? 0) - (a.properties.number ?? 0)).slice(0, BARS);
  const most = Math.max(1, best[0]?.properties.number ?? 1);
  const what = best[0]?.properties.attr;
  return el(
    "section", { class: "placeless-notice" },
    el("h2", {}, t("No places to draw")),
    el("p", {}, t("The source names these things but gives no coordinates. Nothing is placed by guess: they stand in the list, each with its values and charts.")),
    what ? el("h3", {}, data.attributes[what] ?? what) : null,
    el("ol", { class: "bars" }, ...best.map((thing) => bar(thing, most, data))),
    el("p", {}, el("a", { class: "button", href: `${data.base}/entities` }, t("Everything as a list"))),
  );
}

function bar(thing: Thing, most: number, data: PageData): HTMLLIElement {
  const told = thing.properties;
  const fill = el("span", { class: "meter-bar" });
  const theme = data.themes.find((each) => each.key === told.theme);
  fill.style.width = `${(100 * (told.number ?? 0)) / most}%`;
  fill.style.setProperty("--c", theme?.colour ?? "");
  fill.style.setProperty("--d", theme?.dark ?? "");
  return el(
    "li", {},
    el("a", { href: entityUrl(data.base, told.id), title: says(told, data) }, title(told, data)),
    el("span", { class: "bar", "aria-hidden": "true" }, fill),
    el("span", { class: "num" }, numeral(told.number ?? 0)),
  );
}
