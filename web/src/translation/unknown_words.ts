/**
 * Unknown words of a translation, replaced by words of its source: the one that attention means is copied.
 * Luong, Pham and Manning (2015), section 4, https://arxiv.org/abs/1508.04025.
 */

import { UNK, UNKNOWN_TEXT, type Tokenizers } from "../tokenizers/index.js";

/** Return the text of a translation, with source words in the place of unknown tokens. */
export function writeUnknown(
  tokenizers: Tokenizers,
  source: string,
  tokens: readonly number[],
  weights: readonly ArrayLike<number>[],
): string {
  const { target } = tokenizers;
  // An unknown token is written as a sign, which the text may hold for itself, too.
  const pieces = target.decode(tokens).split(UNKNOWN_TEXT);
  const { numbers, words } = tokenizers.source.units(source);
  let text = pieces[0]!;
  let next = 1;
  for (const [place, token] of tokens.entries()) {
    if (token === UNK) {
      text += meant(weights[place]!, numbers, words) + (pieces[next++] ?? "");
    } else {
      const signs = target.surface(token).split(UNKNOWN_TEXT).length - 1;
      for (let sign = 0; sign < signs; sign++) text += UNKNOWN_TEXT + (pieces[next++] ?? "");
    }
  }
  return text;
}

/** Return the source word with most weight; of equals the first. */
function meant(weights: ArrayLike<number>, numbers: readonly number[], words: readonly string[]): string {
  const masses = words.map(() => 0);
  for (const [place, number] of numbers.entries()) {
    if (words[number] && place < weights.length) masses[number]! += weights[place]!;
  }
  const best = Math.max(0, ...masses);
  return best > 0 ? words[masses.indexOf(best)]! : UNKNOWN_TEXT; // it looked at no word, only at the end
}
