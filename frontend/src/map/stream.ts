/**
 * One event stream for all tabs of a browser (browsers allow six per host): the tab that holds a
 * lock keeps the stream and passes events on by BroadcastChannel; when it goes, another takes
 * over. Where locks are missing, each tab has its own.
 */

export type State = "connecting" | "open" | "lost" | "closed";
export type Listener = (name: string, data: unknown) => void;

const EVENTS = ["hello", "changes", "resync", "beat", "bye"] as const;
const SILENCE_MS = 40_000;
const MAX_WAIT_MS = 30_000;

interface Passed {
  name: string;
  data: string;
}

export class LiveStream {
  private source: EventSource | undefined;
  private channel: BroadcastChannel | undefined;
  private readonly abort = new AbortController();
  private last = "";
  private tries = 0;
  private timer = 0;
  private watch = 0;
  private heard = Date.now();
  private current: State = "connecting";

  constructor(
    private readonly url: string,
    private readonly listener: Listener,
    private readonly told: (state: State) => void,
  ) {}

  open(): void {
    if ("locks" in navigator && "BroadcastChannel" in window) this.share();
    else this.connect();
    this.watch = window.setInterval(() => this.check(), 5000);
    addEventListener("online", () => this.retry(0));
    addEventListener("pagehide", () => this.close());
  }

  close(): void {
    this.abort.abort();
    clearTimeout(this.timer);
    clearInterval(this.watch);
    this.source?.close();
    this.channel?.close();
    this.current = "closed";
  }

  private share(): void {
    this.channel = new BroadcastChannel(`rynek:${this.url}`);
    this.channel.onmessage = (message: MessageEvent<Passed>) => {
      const { name, data } = message.data;
      if (name === "state") this.state(data as State);
      else if (name === "who") this.pass("state", this.source ? this.current : "");
      else this.handle(name, data);
    };
    this.channel.postMessage({ name: "who", data: "" } satisfies Passed);
    const held = (): Promise<void> =>
      new Promise((release) => {
        this.abort.signal.addEventListener("abort", () => release());
        this.connect();
      });
    navigator.locks
      .request(`rynek:${this.url}`, { signal: this.abort.signal }, held)
      .catch(() => undefined);
  }

  private pass(name: string, data: string): void {
    if (data !== "" && this.source) this.channel?.postMessage({ name, data } satisfies Passed);
  }

  private connect(): void {
    this.source?.close();
    this.heard = Date.now();
    const url = this.last ? `${this.url}?last=${encodeURIComponent(this.last)}` : this.url;
    const source = new EventSource(url);
    this.source = source;
    source.onopen = () => {
      this.tries = 0;
      this.heard = Date.now();
      this.state("open");
      this.pass("state", "open");
    };
    source.onerror = () => this.retry();
    for (const name of EVENTS) {
      source.addEventListener(name, (event: MessageEvent<string>) => {
        this.heard = Date.now();
        if (event.lastEventId) this.last = event.lastEventId;
        this.pass(name, event.data);
        this.handle(name, event.data);
      });
    }
  }

  private handle(name: string, data: string): void {
    if (this.current !== "open") this.state("open");
    this.heard = Date.now();
    if (name === "bye") {
      if (this.source) this.retry();
      return;
    }
    this.listener(name, JSON.parse(data));
  }

  private retry(wait?: number): void {
    if (!this.source || this.abort.signal.aborted) return;
    this.source.close();
    this.state("lost");
    this.pass("state", "lost");
    clearTimeout(this.timer);
    const backOff = Math.min(MAX_WAIT_MS, 1000 * 2 ** this.tries) * (0.75 + Math.random() / 2);
    this.tries += 1;
    this.timer = window.setTimeout(() => this.connect(), wait ?? backOff);
  }

  /** Streams die silently behind some proxies; the server sends at least a beat every 15 s. */
  private check(): void {
    if (this.source && Date.now() - this.heard > SILENCE_MS && this.current === "open") this.retry(0);
  }

  private state(state: State): void {
    if (state === this.current || !state) return;
    this.current = state;
    this.told(state);
  }
}
