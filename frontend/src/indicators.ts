/** The page of a city's indicators: what is still being computed comes in by itself, and the picture
 *  can be had as PNG, too. */

import { ready, t } from "./i18n";

const PATIENCE_MS = 4000;
const MOST_TRIES = 60;
const SCALE = 2;

/** The same page as it is now; nothing where it cannot be had at the moment. */
async function fetched(): Promise<Document | null> {
  try {
    const answer = await fetch(window.location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return null;
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch {
    return null;
  }
}

const periodOf = (page: Document): string | undefined =>
  page.querySelector<HTMLElement>("[data-period]")?.dataset["period"];

/** Puts the parts of a newer page in the place of those that are shown, but for what has the focus;
 *  whether all of it came in. */
function bringIn(page: Document): boolean {
  const isWhole = document.querySelector("[data-late=whole]") !== null;
  const isOther = isWhole ? !page.querySelector("[data-late=whole]") : periodOf(page) !== periodOf(document);
  if (isOther && !document.activeElement?.matches("input, select")) window.location.reload();
  if (isOther || isWhole) return false;
  let isDone = !page.querySelector("[data-pending]");
  for (const part of document.querySelectorAll<HTMLElement>("[data-part]")) {
    const newer = page.getElementById(part.id);
    if (part.contains(document.activeElement)) isDone = false;
    else if (newer) part.replaceWith(newer);
  }
  return isDone;
}

async function again(tries: number): Promise<void> {
  const page = await fetched();
  if (page && bringIn(page)) document.querySelector("[data-pending]")?.remove();
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
