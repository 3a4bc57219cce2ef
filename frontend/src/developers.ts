/** The change stream on the page for developers: a button that lets new changes come in live. */

import { language, ready, t, tn } from "./i18n";

interface Change {
  seq: number;
  at: string;
  op: string;
  id: string;
  type: string[];
  source: string;
  attributes: string[];
  deleted?: { attribute: string }[];
}

const MOST_ROWS = 100;
const zone = document.documentElement.dataset["zone"] ?? "UTC";
const when = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium", timeZone: zone });

class LiveChanges {
  private readonly body: HTMLElement;
  private readonly template: HTMLTemplateElement;
  private readonly button = document.createElement("button");
  private readonly status = document.createElement("p");
  private readonly words: Record<string, string>;
  private source: EventSource | undefined;
  private last: number;
  private came = 0;
  private waiting: Change[] = [];

  constructor(private readonly box: HTMLElement) {
    this.body = box.querySelector("tbody")!;
    this.template = box.querySelector("template")!;
    this.words = JSON.parse(box.dataset["words"] ?? "{}") as Record<string, string>;
    this.last = Number(box.dataset["last"] ?? 0);
    this.button.type = "button";
    this.button.setAttribute("aria-pressed", "false");
    this.button.textContent = t("Follow live");
    this.button.addEventListener("click", () => (this.source ? this.stop() : this.start()));
    this.status.setAttribute("role", "status");
    this.status.className = "small muted";
    box.querySelector("[data-live-tools]")!.append(this.button, this.status);
    window.addEventListener("pagehide", () => this.stop());
  }

  private start(): void {
    this.source = new EventSource(`${this.box.dataset["events"]}?after=${this.last}`);
    this.source.addEventListener("change", (event) => this.take(JSON.parse(event.data) as Change));
    this.source.addEventListener("bye", () => this.stop());
    this.button.setAttribute("aria-pressed", "true");
    this.tell();
  }

  private stop(): void {
    this.source?.close();
    this.source = undefined;
    this.button.setAttribute("aria-pressed", "false");
  }

  private take(change: Change): void {
    this.last = change.seq;
    this.came += 1;
    if (this.waiting.push(change) === 1) requestAnimationFrame(() => this.show());
    if (this.waiting.length > MOST_ROWS) this.waiting.shift();
  }

  private show(): void {
    const rows = this.waiting.reverse().map((change) => this.row(change));
    this.waiting = [];
    this.body.prepend(...rows);
    while (this.body.childElementCount > MOST_ROWS) this.body.lastElementChild!.remove();
    this.tell();
  }

  private tell(): void {
    this.status.textContent = tn("%(num)s new change", "%(num)s new changes", this.came);
  }

  private row(change: Change): Node {
    const row = this.template.content.cloneNode(true) as DocumentFragment;
    const gone = new Set((change.deleted ?? []).map((each) => `−${each.attribute}`));
    const cells: Record<string, string> = {
      seq: change.seq.toLocaleString(language),
      at: when.format(new Date(change.at)),
      op: this.words[change.op] ?? change.op,
      id: change.id,
      type: change.type.join(", "),
      attributes: [...change.attributes, ...gone].join(", ") || "–",
      source: change.source,
    };
    for (const [name, text] of Object.entries(cells)) {
      row.querySelector(`[data-cell="${name}"]`)!.textContent = text;
    }
    row.querySelector("time")!.dateTime = change.at;
    const link = row.querySelector("a")!;
    if (change.op === "delete") link.replaceWith(change.id);
    else link.href = `${this.box.dataset["entities"]}/${encodeURIComponent(change.id).replaceAll("%3A", ":")}`;
    return row;
  }
}

void ready().then(() => {
  for (const box of document.querySelectorAll<HTMLElement>("[data-changes]")) new LiveChanges(box);
});
