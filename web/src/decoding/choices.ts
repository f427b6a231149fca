/** Which tokens are the best of a row. */

import { TranslationError } from "../errors.js";

/** Return the `count` best tokens, or all there are, best first; equal ones in the order of their ids. */
export function bestChoices(ranks: ArrayLike<number>, count: number, excluded: ReadonlySet<number>): number[] {
  const values: number[] = [];
  const tokens: number[] = [];
  for (let token = 0; token < ranks.length; token++) {
    const value = ranks[token]!;
    if (Number.isNaN(value)) {
      throw new TranslationError(
        "the model's probabilities are not numbers (NaN): its training diverged or the exported model is damaged",
      );
    }
    if (value === -Infinity || excluded.has(token)) continue;
    if (tokens.length === count && value <= values[count - 1]!) continue;
    let place = Math.min(tokens.length, count - 1);
    while (place > 0 && values[place - 1]! < value) {
      values[place] = values[place - 1]!;
      tokens[place] = tokens[place - 1]!;
      place -= 1;
    }
    values[place] = value;
    tokens[place] = token;
  }
  return tokens;
}
