/** What a thing is called and what it says, in words. */
import { t } from "../i18n";
import { numeral, percent } from "./clock";
import type { PageData, Status, Told } from "./types";

export function statusWord(status: Status): string {
  switch (status) {
    case "moving":
      return t("Moving");
    case "parked":
      return t("Standing");
    case "stale":
      return t("Out of date");
    case "undated":
      return t("No time given");
    default:
      return t("Up to date");
  }
}

const LONGEST_ID = 16; // a longer identifier tells people nothing

export const STATUSES: Status[] = ["moving", "parked", "current", "stale", "undated"];

export function title(told: Told, data: PageData): string {
  const kind = data.types[told.type] ?? told.type;
  if (told.type === "Vehicle" && told.label) return t("Line %(line)s", { line: told.label });
  if (told.name) return told.name;
  const own = told.id.slice(told.id.lastIndexOf(":") + 1);
  return told.label ? `${kind} ${told.label}` : own.length > LONGEST_ID ? kind : `${kind} ${own}`;
}

export function delayWords(seconds: number): string {
  const minutes = Math.round(Math.abs(seconds) / 60);
  if (minutes < 1) return t("on time");
  return seconds > 0
    ? t("%(minutes)s min late", { minutes: numeral(minutes) })
    : t("%(minutes)s min early", { minutes: numeral(minutes) });
}

/** The one line that says how a thing is; empty where it says nothing. */
export function says(told: Told, data: PageData): string {
  if (told.attr === "delay" && told.number !== undefined) return delayWords(told.number);
  const word = told.attr ? (data.attributes[told.attr] ?? told.attr) : "";
  if (told.number !== undefined && told.total !== undefined) {
    return t("%(what)s: %(number)s of %(total)s", { what: word, number: numeral(told.number), total: numeral(told.total) });
  }
  if (told.number !== undefined) return `${word}: ${numeral(told.number)}`;
  if (told.level !== undefined) {
    const level = told.levelAttr ? (data.attributes[told.levelAttr] ?? told.levelAttr) : t("Filled");
    return `${level}: ${percent(told.level)}`;
  }
  return told.total !== undefined ? t("%(total)s places", { total: numeral(told.total) }) : "";
}

export const entityUrl = (base: string, id: string): string =>
  `${base}/entities/${encodeURIComponent(id).replaceAll("%3A", ":")}`;
