/** The page of a city's indicators: what is still being computed comes in by itself, and the picture
 *  can be had as PNG, too. */

import { ready, t } from "./i18n";

const PATIENCE_MS = 4000;
const MOST_TRIES = 60;
const SCALE = 2;

/** Puts the parts of a newer answer in the place of those that are shown. */
async function again(tries: number): Promise<void> {
  const answer = await fetch(window.location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (document.querySelector("[data-late=whole]")) {
    if (!page.querySelector("[data-late=whole]")) return window.location.reload();
  }
  for (const part of document.querySelectorAll<HTMLElement>("[data-part]")) {
    const newer = page.getElementById(part.id);
    if (newer && !part.contains(document.activeElement)) part.replaceWith(newer);
  }
  const status = document.querySelector("[data-pending]");
  if (!page.querySelector("[data-pending]")) status?.remove();
  else if (tries < MOST_TRIES) window.setTimeout(() => void again(tries + 1), PATIENCE_MS);
}

/** Draws the SVG on a canvas and hands it out as a file. */
async function picture(link: HTMLAnchorElement): Promise<void> {
  const answer = await fetch(link.href);
  if (!answer.ok) throw new Error(String(answer.status));
  const url = URL.createObjectURL(new Blob([await answer.text()], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth * SCALE;
    canvas.height = image.naturalHeight * SCALE;
    canvas.getContext("2d")!.drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/png"));
    if (!blob) throw new Error("no picture");
    const file = document.createElement("a");
    file.href = URL.createObjectURL(blob);
    file.download = link.dataset["picture"] || "indicators.png";
    file.click();
    window.setTimeout(() => URL.revokeObjectURL(file.href), 60_000);
  } finally {
    URL.revokeObjectURL(url);
  }
}

async function start(): Promise<void> {
  await ready();
  for (const link of document.querySelectorAll<HTMLAnchorElement>("a[data-picture]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = t("Picture as PNG");
    const status = document.createElement("span");
    status.setAttribute("role", "status");
    button.addEventListener("click", () => {
      status.textContent = "";
      picture(link).catch(() => (status.textContent = t("The picture could not be made.")));
    });
    link.after(" ", button, " ", status);
  }
  if (document.querySelector("[data-pending]")) window.setTimeout(() => void again(1), PATIENCE_MS);
}

void start();
