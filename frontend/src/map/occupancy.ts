/** How full areas are drawn: four steps, told by lightness and by words. */
import { t } from "../i18n";
import { el } from "./dom";

const STEPS = [0.5, 0.85, 1] as const;
const DAY = ["#cfc8f0", "#9b8bdc", "#6a54c0", "#3a2287"];
const NIGHT = ["#463d78", "#6d5fb5", "#9d90ea", "#d8d2ff"];

/** The colour of a share (1 = full); undefined where nothing is known. */
export function occupancyColour(level: number | undefined, dark: boolean): string | undefined {
  if (level === undefined) return undefined;
  const step = STEPS.filter((bound) => level >= bound).length;
  return (dark ? NIGHT : DAY)[step];
}

/** The key to the colours, for a corner of the map. */
export function occupancyKey(dark: boolean): HTMLElement {
  const words = [t("under 50 % taken"), t("50 to 85 %"), t("85 to 100 %"), t("more cars than places")];
  const rows = words.map((word, step) => {
    const patch = el("span", { class: "key-patch", "aria-hidden": "true" });
    patch.style.background = (dark ? NIGHT : DAY)[step] ?? "";
    return el("li", {}, patch, word);
  });
  return el("div", { class: "map-key" }, el("p", {}, t("How full")), el("ul", {}, ...rows));
}
