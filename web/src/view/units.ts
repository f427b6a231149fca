/** What stands on the axes of a map: tokens, or the words they are merged into. */

import { axes, type AttentionMap, type Panel, type Part, type Token } from "./document.js";
import { label, partsWithoutSpace } from "./text.js";

/** One place on an axis: a token, or all tokens of a word. */
export interface Unit {
  label: string;
  /** Numbers of its tokens. */
  tokens: number[];
  special: boolean;
  unknown: boolean;
  /** Whether it stands without a space behind the unit before it, and is part of the same word. */
  goesOn: boolean;
  /** Whether it stands behind a space. */
  spaced: boolean;
  /** Number of the word that whitespace separates, which all tokenizers agree on. */
  word: number;
}

export interface Grid {
  part: Part;
  rows: Unit[];
  columns: Unit[];
  /** A row per unit that looks; none where there is no attention. */
  weights: number[][];
}

/** Return the units of a sentence, each token one, or all tokens of a word one. */
export function units(tokens: readonly Token[], words: boolean): Unit[] {
  const found: Unit[] = [];
  let word = -1;
  let text = ""; // of the unit
  let before = "";
  tokens.forEach((token, number) => {
    const begins = token.word_start || token.special || found.length === 0 || found.at(-1)!.special;
    if (token.word_start || token.special || word < 0) word += 1;
    const goesOn = !begins && !partsWithoutSpace(before, token.surface);
    const unknown = token.token === "<unk>";
    if (words && goesOn) {
      const last = found.at(-1)!;
      last.tokens.push(number);
      text += token.surface;
      last.label = label(text, token.token, false);
      last.unknown ||= unknown;
    } else {
      const special = token.special && !unknown;
      text = token.surface;
      found.push({ label: label(text, token.token, special), tokens: [number], special, unknown, goesOn, spaced: begins, word });
    }
    before = token.surface;
  });
  return found;
}

/** Return a map between units: what a word gets is the sum, what a word gives the mean over its tokens. */
export function grid(panel: Panel, map: AttentionMap | undefined, words: boolean): Grid {
  const part = map?.part ?? "cross";
  const [looking, seen] = axes(panel, part);
  const rows = units(looking, words);
  const columns = units(seen, words);
  if (map === undefined) return { part, rows, columns, weights: [] };
  const weights = rows.map((row) =>
    columns.map((column) => {
      let sum = 0;
      for (const from of row.tokens) for (const to of column.tokens) sum += map.weights[from]?.[to] ?? 0;
      return sum / row.tokens.length;
    }),
  );
  return { part, rows, columns, weights };
}
