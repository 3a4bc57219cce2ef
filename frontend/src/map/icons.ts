/** Markers, drawn on a canvas when the style first asks for them: shape + glyph + filling. */
import type { Status, Theme } from "./types";

const SIZE = 30; // CSS pixels
const RATIO = 2;
export const EIGHTHS = 8;

const SHAPES: Record<string, string> = {
  circle: "M15 2a13 13 0 1 1 0 26 13 13 0 0 1 0-26z",
  hexagon: "M9 2.5h12l7 12.5-7 12.5H9L2 15z",
  square: "M6 2.5h18A3.5 3.5 0 0 1 27.5 6v18a3.5 3.5 0 0 1-3.5 3.5H6A3.5 3.5 0 0 1 2.5 24V6A3.5 3.5 0 0 1 6 2.5z",
  shield: "M3 4h24l-2.5 18.5a5 5 0 0 1-5 4.5h-9a5 5 0 0 1-5-4.5z",
  octagon: "M9.5 2.5h11l7 7v11l-7 7h-11l-7-7v-11z",
  drop: "M15 1.5c6 6.5 10 10.5 10 16a10 10 0 0 1-20 0C5 12 9 8 15 1.5z",
  triangle: "M15 2.5 28.5 26.5h-27z",
  diamond: "M15 1.5 28.5 15 15 28.5 1.5 15z",
  dot: "M15 6a9 9 0 1 1 0 18 9 9 0 0 1 0-18z",
};

export interface MarkerKey {
  theme: string;
  look: "solid" | "hollow" | "faded" | "dashed";
  /** Eighths of filling, or -1 for none. */
  fill: number;
  /** How a filling is drawn: as the outline's length around a number, or from the bottom. */
  ring: boolean;
  glyph: boolean;
}

export const markerName = (key: MarkerKey): string =>
  `m|${key.theme}|${key.look}|${key.fill}|${key.glyph ? 1 : 0}|${key.ring ? 1 : 0}`;

export function parseMarker(name: string): MarkerKey | undefined {
  const [head, theme, look, fill, glyph, ring] = name.split("|");
  if (head !== "m" || !theme || !look) return undefined;
  return { theme, look: look as MarkerKey["look"], fill: Number(fill), glyph: glyph === "1", ring: ring === "1" };
}

export function lookOf(status: Status): MarkerKey["look"] {
  if (status === "stale") return "faded";
  return status === "parked" ? "hollow" : "solid";
}

/** The picture of a marker, for `map.addImage`. */
export function drawMarker(key: MarkerKey, theme: Theme, dark: boolean): { data: ImageData; pixelRatio: number } {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIZE * RATIO;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  if (!pen) throw new Error("no canvas");
  pen.scale(RATIO, RATIO);
  paint(pen, key, theme, dark);
  return { data: pen.getImageData(0, 0, SIZE * RATIO, SIZE * RATIO), pixelRatio: RATIO };
}

function paint(pen: CanvasRenderingContext2D, key: MarkerKey, theme: Theme, dark: boolean): void {
  const shape = new Path2D(SHAPES[theme.shape] ?? SHAPES.dot);
  const colour = key.look === "faded" ? (dark ? "#8b969c" : "#6c757b") : dark ? theme.dark : theme.colour;
  const paper = dark ? "#10171a" : "#ffffff";
  const hollow = key.look !== "solid" || key.fill >= 0;
  pen.lineJoin = "round";
  pen.strokeStyle = paper;
  pen.lineWidth = 3.5;
  pen.stroke(shape);
  pen.fillStyle = hollow ? paper : colour;
  pen.fill(shape);
  if (key.ring) return paintRing(pen, key, theme, colour);
  if (key.fill > 0) {
    pen.save();
    pen.clip(shape);
    pen.fillStyle = colour;
    pen.globalAlpha = key.look === "faded" ? 0.45 : 0.55;
    const height = (26 * key.fill) / EIGHTHS;
    pen.fillRect(0, 28 - height, SIZE, height);
    pen.restore();
  }
  if (hollow) {
    pen.strokeStyle = colour;
    pen.lineWidth = 2;
    if (key.look === "faded" || key.look === "dashed") pen.setLineDash([3, 2.2]);
    pen.stroke(shape);
    pen.setLineDash([]);
  }
  if (key.glyph) paintGlyph(pen, theme, hollow ? (dark ? "#e9ece8" : "#19242a") : paper);
}

/** The outline as a ring that is as long as the thing is full; the number stands inside. */
function paintRing(pen: CanvasRenderingContext2D, key: MarkerKey, theme: Theme, colour: string): void {
  const outline = SHAPES[theme.shape] ?? SHAPES.dot ?? "";
  const shape = new Path2D(outline);
  const way = document.createElementNS("http://www.w3.org/2000/svg", "path");
  way.setAttribute("d", outline);
  const length = way.getTotalLength();
  pen.save();
  pen.clip(shape);
  pen.strokeStyle = colour;
  pen.lineWidth = 11;
  pen.globalAlpha = 0.22;
  pen.stroke(shape);
  pen.globalAlpha = 1;
  pen.setLineDash([(length * key.fill) / EIGHTHS, length]);
  pen.stroke(shape);
  pen.setLineDash([]);
  pen.restore();
  pen.strokeStyle = colour;
  pen.lineWidth = 1.4;
  if (key.look === "faded") pen.setLineDash([3, 2.2]);
  pen.stroke(shape);
}

function paintGlyph(pen: CanvasRenderingContext2D, theme: Theme, colour: string): void {
  const scale = theme.shape === "dot" ? 0.5 : theme.shape === "triangle" ? 0.52 : 0.66;
  const drop = theme.shape === "triangle" ? 3.5 : theme.shape === "drop" ? 2 : 0;
  pen.save();
  pen.translate(15 - 12 * scale, 15 - 12 * scale + drop);
  pen.scale(scale, scale);
  pen.fillStyle = colour;
  pen.fill(new Path2D(theme.glyph), "evenodd");
  pen.restore();
}

/** The point that shows from under a moving vehicle's disc; points up (north). */
export function drawArrow(colour: string, paper: string): { data: ImageData; pixelRatio: number } {
  const side = 60;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side * RATIO;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  if (!pen) throw new Error("no canvas");
  pen.scale(RATIO, RATIO);
  const tip = new Path2D("M30 2 42.5 22.5 30 30 17.5 22.5z");
  pen.lineJoin = "round";
  pen.strokeStyle = paper;
  pen.lineWidth = 3;
  pen.stroke(tip);
  pen.fillStyle = colour;
  pen.fill(tip);
  return { data: pen.getImageData(0, 0, side * RATIO, side * RATIO), pixelRatio: RATIO };
}

/** The same marker for HTML (chips, list, card): an inline picture that hides from readers. */
export function svgMarker(theme: Theme, look: MarkerKey["look"] = "solid"): SVGSVGElement {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 30 30");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("marker", `marker-${look}`);
  svg.dataset.theme = theme.key;
  svg.style.setProperty("--c", theme.colour);
  svg.style.setProperty("--d", theme.dark);
  const shape = document.createElementNS(space, "path");
  shape.setAttribute("d", SHAPES[theme.shape] ?? SHAPES.dot ?? "");
  shape.classList.add("marker-shape");
  const glyph = document.createElementNS(space, "path");
  const scale = theme.shape === "dot" ? 0.5 : theme.shape === "triangle" ? 0.52 : 0.66;
  const drop = theme.shape === "triangle" ? 3.5 : theme.shape === "drop" ? 2 : 0;
  glyph.setAttribute("d", theme.glyph);
  glyph.setAttribute("fill-rule", "evenodd");
  glyph.setAttribute("transform", `translate(${15 - 12 * scale} ${15 - 12 * scale + drop}) scale(${scale})`);
  glyph.classList.add("marker-glyph");
  svg.append(shape, glyph);
  return svg;
}
