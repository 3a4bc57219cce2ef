/** An index with other weights; the same arithmetic as rynek.indicators.index.rerank and regions. */

export interface Basis {
  indicators: string[];
  normalisation: string;
  aggregation: string;
  groups: string[];
  group: number[];
  units: string[];
  names: string[];
  values: (number | null)[][];
  weights: number[];
  intervals: ([number, number] | null)[];
}

export interface Ranking {
  scores: number[];
  ranks: number[];
  groupScores: number[];
  groupRanks: number[];
}

const FLOOR = 0.01;

export function rank(basis: Basis, weights: number[]): Ranking {
  const scores = scored(basis, weights);
  const { means, variances } = regionMeans(basis, scores);
  const there = means.map((_, n) => n).filter((n) => !Number.isNaN(means[n]!));
  const shrunk = shrink(there.map((n) => means[n]!), there.map((n) => variances[n]!));
  const groupScores = means.map(() => Number.NaN);
  const groupRanks = means.map(() => Number.NaN);
  const order = descending(shrunk);
  there.forEach((n, at) => {
    groupScores[n] = shrunk[at]!;
    groupRanks[n] = order[at]!;
  });
  return { scores, ranks: descending(scores), groupScores, groupRanks };
}

function scored(basis: Basis, weights: number[]): number[] {
  const points = basis.normalisation === "zscore" ? 1 : 100;
  const geometric = basis.aggregation === "geometric";
  const found = basis.values.map((row) => {
    let sum = 0;
    let total = 0;
    row.forEach((value, n) => {
      if (value === null) return;
      sum += weights[n]! * (geometric ? Math.log(positive(value / points, basis.normalisation)) : value);
      total += weights[n]!;
    });
    return total > 0 ? sum / total : Number.NaN;
  });
  // A unit that has nothing of what counts has no score of its own: the middle.
  const known = found.filter((one) => !Number.isNaN(one)).sort((a, b) => a - b);
  const middle = (known[Math.floor((known.length - 1) / 2)]! + known[Math.floor(known.length / 2)]!) / 2;
  return found.map((one) => {
    const score = Number.isNaN(one) ? middle : one;
    return geometric ? points * Math.exp(score) : score;
  });
}

function positive(value: number, how: string): number {
  return Math.max(FLOOR, how === "zscore" ? 1 + value / 10 : FLOOR + (1 - FLOOR) * value);
}

/** Ranks from 1 for the highest; equal scores share their mean rank. */
function descending(scores: number[]): number[] {
  const order = scores.map((_, n) => n).sort((a, b) => scores[b]! - scores[a]!);
  const ranks = new Array<number>(scores.length);
  for (let first = 0; first < order.length; ) {
    let last = first;
    while (last + 1 < order.length && scores[order[last + 1]!] === scores[order[first]!]) last += 1;
    for (let n = first; n <= last; n += 1) ranks[order[n]!] = (first + last) / 2 + 1;
    first = last + 1;
  }
  return ranks;
}

function regionMeans(basis: Basis, scores: number[]): { means: number[]; variances: number[] } {
  const many = basis.groups.length;
  const total = new Array<number>(many).fill(0);
  const squares = new Array<number>(many).fill(0);
  const sums = new Array<number>(many).fill(0);
  scores.forEach((score, n) => {
    const g = basis.group[n]!;
    if (g < 0) return;
    total[g]! += basis.weights[n]!;
    squares[g]! += basis.weights[n]! ** 2;
    sums[g]! += basis.weights[n]! * score;
  });
  const means = sums.map((sum, g) => (total[g]! > 0 ? sum / total[g]! : Number.NaN));
  let left = 0;
  scores.forEach((score, n) => {
    const g = basis.group[n]!;
    if (g >= 0) left += (score - means[g]!) ** 2;
  });
  const freedom = scores.length - total.filter((one) => one > 0).length;
  const pooled = freedom > 0 ? left / freedom : 0;
  return { means, variances: squares.map((square, g) => (pooled * square) / total[g]! ** 2) };
}

/** Parametric empirical Bayes (Morris 1983), as the service computes it. */
function shrink(means: number[], variances: number[]): number[] {
  const k = means.length;
  if (k < 4) return means;
  const spread = variances.map((one) => Math.max(one, 1e-300));
  let between = 0;
  let centre = 0;
  for (let round = 0; round < 50; round += 1) {
    const w = spread.map((one) => 1 / (one + between));
    const sum = w.reduce((a, b) => a + b, 0);
    centre = w.reduce((a, one, n) => a + one * means[n]!, 0) / sum;
    const square = w.reduce((a, one, n) => a + one * ((k / (k - 1)) * (means[n]! - centre) ** 2 - spread[n]!), 0);
    const next = Math.max(0, square / sum);
    const done = Math.abs(next - between) <= 1e-10 * Math.abs(between);
    between = next;
    if (done) break;
  }
  const w = spread.map((one) => 1 / (one + between));
  centre = w.reduce((a, one, n) => a + one * means[n]!, 0) / w.reduce((a, b) => a + b, 0);
  return means.map((mean, n) => {
    const factor = ((k - 3) / (k - 1)) * spread[n]! * w[n]!;
    return (1 - factor) * mean + factor * centre;
  });
}
