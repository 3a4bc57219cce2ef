/** uPlot with the page's colours, language and time zone. */

import uPlot from "uplot";
import { language, t } from "../i18n";
import type { SeriesAnswer } from "./data";

const DAY = 86_400;
const zone = document.documentElement.dataset["zone"] ?? "UTC";

const format = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
  new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, { timeZone: zone, ...options });
const exact = format({ dateStyle: "medium", timeStyle: "medium" });
const clock = format({ hour: "2-digit", minute: "2-digit" });
const seconds = format({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
const plain = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" });
const day = format({ day: "numeric", month: "short" });
const month = format({ month: "short", year: "numeric" });

export const moment = (ms: number): string => exact.format(ms);
export const numeral = (value: number): string =>
  value.toLocaleString(language, { maximumFractionDigits: 3 });

export const token = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function timeLabels(splits: number[]): string[] {
  const step = splits.length > 1 ? splits[1]! - splits[0]! : DAY;
  const form = step >= 27 * DAY ? month : step >= DAY ? day : step < 60 ? seconds : clock;
  const spanned = splits.length > 1 && splits[splits.length - 1]! - splits[0]! > DAY;
  return splits.map((at) => {
    const label = form.format(at * 1000);
    const midnight = form === clock && spanned && plain.format(at * 1000) === "00:00";
    return midnight ? day.format(at * 1000) : label;
  });
}

export function toData(answer: SeriesAnswer): uPlot.AlignedData {
  const times = answer.t.map((ms) => ms / 1000);
  return answer.thinned ? [times, answer.last, answer.max, answer.min] : [times, answer.last];
}

export function options(
  label: string,
  unit: string,
  answer: SeriesAnswer,
  width: number,
  height: number,
  hooks: uPlot.Hooks.Arrays,
): uPlot.Options {
  const ink = token("muted");
  // Around a single time uPlot would show years.
  const only = answer.t[0] === answer.t.at(-1) && answer.t[0] !== undefined ? answer.t[0] / 1000 : undefined;
  const axis: Partial<uPlot.Axis> = {
    stroke: ink,
    font: `12px ${token("font")}`,
    grid: { stroke: token("line"), width: 1 },
    ticks: { stroke: token("line"), width: 1 },
  };
  const shown = (_: uPlot, value: number | null): string =>
    value === null || value === undefined ? "–" : `${numeral(value)}${unit ? ` ${unit}` : ""}`;
  const edge = { stroke: "transparent", points: { show: false }, value: shown };
  const stepped = !answer.thinned && uPlot.paths.stepped ? uPlot.paths.stepped({ align: 1 }) : undefined;
  const series: uPlot.Series[] = [
    { label: t("Time"), value: (_, at) => (at ? moment(at * 1000) : "–") },
    {
      label,
      stroke: token("series-1"),
      width: 2,
      value: shown,
      points: { show: answer.t.length < 60, size: 5 },
      ...(stepped ? { paths: stepped } : {}),
    },
  ];
  const bands: uPlot.Band[] = [];
  if (answer.thinned) {
    series.push({ label: t("Highest"), ...edge }, { label: t("Lowest"), ...edge });
    bands.push({ series: [2, 3], fill: `${token("series-1")}33` });
  }
  return {
    width,
    height,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), zone),
    series,
    bands,
    hooks,
    axes: [
      { ...axis, values: (_, splits) => timeLabels(splits), space: 70 },
      { ...axis, size: (_, values) => 16 + Math.max(3, ...(values ?? []).map((v) => v.length)) * 7.2, values: (_, splits) => splits.map((v) => numeral(v)) },
    ],
    scales: { x: { range: (_, low, high) => (only === undefined ? [low, high] : [only - 3300, only + 300]) }, y: { range: (_, low, high) => spread(low, high) } },
    cursor: { drag: { x: true, y: false }, points: { size: 8 } },
    legend: { live: true },
  };
}

/** The range of the value axis: from zero where the values are near it, never flat. */
function spread(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null) return [0, 1];
  const bottom = low > 0 && low < (high - low) * 2 ? 0 : low === high && low > 0 ? 0 : low;
  const room = (high - bottom || Math.abs(high) || 1) * 0.06;
  return [bottom === 0 ? 0 : bottom - room, high + room];
}
