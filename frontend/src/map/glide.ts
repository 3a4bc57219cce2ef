/** Things glide from where they are drawn to where they were seen, instead of jumping. */

export type LonLat = [number, number];

interface Glide {
  from: LonLat;
  to: LonLat;
  start: number;
  length: number;
}

const MOST = 1500;
const JUMP_DEGREES = 0.03;

export class Glides {
  private readonly under = new Map<string, Glide>();
  private readonly still = matchMedia("(prefers-reduced-motion: reduce)");

  /** Let `id` glide in `length` milliseconds; jumps where the way is long or motion unwanted. */
  move(id: string, from: LonLat, to: LonLat, length: number): void {
    if (from[0] === to[0] && from[1] === to[1]) return;
    const far = Math.hypot(to[0] - from[0], to[1] - from[1]) > JUMP_DEGREES;
    if (far || this.still.matches || document.hidden || this.under.size >= MOST) this.under.delete(id);
    else this.under.set(id, { from, to, start: performance.now(), length });
  }

  drop(id: string): void {
    this.under.delete(id);
  }

  /** Where `id` is drawn now; `at` when it does not glide. */
  at(id: string, at: LonLat): LonLat {
    const glide = this.under.get(id);
    if (!glide) return at;
    const share = Math.min(1, (performance.now() - glide.start) / glide.length);
    return [
      glide.from[0] + (glide.to[0] - glide.from[0]) * share,
      glide.from[1] + (glide.to[1] - glide.from[1]) * share,
    ];
  }

  /** Whether anything still glides; forgets what has arrived. */
  any(): boolean {
    const now = performance.now();
    for (const [id, glide] of this.under) if (now - glide.start >= glide.length) this.under.delete(id);
    return this.under.size > 0;
  }
}
