/** A button that copies the text of another element. */

import { t } from "../i18n";

export function offerCopy(row: HTMLElement): void {
  const source = document.getElementById(row.dataset["copyFrom"] ?? "");
  if (!source || !navigator.clipboard) return;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = t("Copy the document");
  button.className = "small-button";
  const told = document.createElement("span");
  told.setAttribute("role", "status");
  told.className = "small muted";
  button.addEventListener("click", () => {
    navigator.clipboard.writeText(source.textContent ?? "").then(
      () => (told.textContent = t("Copied")),
      () => (told.textContent = t("The browser does not allow copying")),
    );
  });
  row.append(button, told);
}
