/** What the server answers about one attribute over time, and how it is asked. */

export interface SeriesAnswer {
  attr: string;
  unit: string | null;
  readings: number;
  complete: boolean;
  thinned: boolean;
  t: number[];
  last: number[];
  min: number[];
  max: number[];
}

export interface Period {
  from?: number;
  to?: number;
}

const HOUR = 3_600_000;
const SPANS: Record<string, number> = {
  hour: HOUR,
  day: 24 * HOUR,
  week: 7 * 24 * HOUR,
  month: 30 * 24 * HOUR,
};

/** The period of a preset, counted back from the city's clock; everything for "all". */
export function preset(range: string, now: number): Period {
  const span = SPANS[range];
  return span === undefined ? {} : { from: now - span };
}

export function query(attr: string, period: Period): URLSearchParams {
  const params = new URLSearchParams({ attr });
  if (period.from !== undefined) params.set("from", String(Math.floor(period.from)));
  if (period.to !== undefined) params.set("to", String(Math.ceil(period.to)));
  return params;
}

export async function fetchSeries(
  url: string,
  attr: string,
  period: Period,
  points: number,
  signal: AbortSignal,
): Promise<SeriesAnswer> {
  const params = query(attr, period);
  params.set("points", String(points));
  const answer = await fetch(`${url}?${params.toString()}`, { signal });
  if (!answer.ok) throw new Error(String(answer.status));
  return (await answer.json()) as SeriesAnswer;
}
