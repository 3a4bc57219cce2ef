/** The chart as a PNG file, with its title and colours on an opaque ground. */

import type uPlot from "uplot";
import { token } from "./draw";

export function savePicture(plot: uPlot, name: string, label: string, attr: string): void {
  const source = plot.ctx.canvas;
  const scale = window.devicePixelRatio || 1;
  const head = Math.round(44 * scale);
  const canvas = document.createElement("canvas");
  canvas.width = source.width;
  canvas.height = source.height + head;
  const pen = canvas.getContext("2d");
  if (!pen) return;
  pen.fillStyle = token("surface");
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = token("ink");
  pen.font = `600 ${16 * scale}px ${token("font")}`;
  pen.fillText(`${name} · ${label}`, 12 * scale, 27 * scale, canvas.width - 24 * scale);
  pen.drawImage(source, 0, head);
  canvas.toBlob((blob) => {
    if (!blob) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${name}-${attr}.png`.replace(/[^\p{L}\p{N}._-]+/gu, "_");
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });
}
