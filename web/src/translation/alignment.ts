/** Links between words, from attention between tokens. */

/** A source word and a target word, both counted from 0. */
export type Link = [source: number, target: number];

/** Return for each token the number of the word it belongs to; the first token always starts one. */
export function wordNumbers(starts: readonly boolean[]): number[] {
  let word = -1;
  return starts.map((start, place) => (word += start || place === 0 ? 1 : 0));
}

/**
 * Link every target word to the source word that got most of its weight.
 *
 * A word's weight is the sum over its source tokens and the mean over its target tokens. Columns behind the source
 * tokens (the end-of-sentence symbol) are one more candidate: a target word that looks there is left without a link.
 *
 * @param weights target tokens times source tokens; more columns or rows are taken for end-of-sentence symbols
 * @param sources the word of each source token, never falling
 * @param targets the word of each target token, never falling
 */
export function linkWords(
  weights: readonly ArrayLike<number>[],
  sources: readonly number[],
  targets: readonly number[],
): Link[] {
  if (!sources.length || !targets.length) return [];
  const last = sources.at(-1)!;
  const counts = new Map<number, number>();
  for (const word of targets) counts.set(word, (counts.get(word) ?? 0) + 1);
  const masses = Array.from({ length: targets.at(-1)! + 1 }, () => new Float64Array(last + 2));
  for (const [token, word] of targets.entries()) {
    const row = new Float64Array(last + 2);
    for (let place = 0; place < weights[token]!.length; place++) {
      row[sources[place] ?? last + 1]! += weights[token]![place]!;
    }
    for (let source = 0; source < row.length; source++) masses[word]![source]! += row[source]! / counts.get(word)!;
  }
  const links: Link[] = [];
  for (const [target, row] of masses.entries()) {
    const most = row.reduce((one, other) => Math.max(one, other), 0);
    const source = row.indexOf(most);
    if (most > 0 && source <= last) links.push([source, target]);
  }
  return links.sort((one, other) => one[0] - other[0] || one[1] - other[1]);
}
