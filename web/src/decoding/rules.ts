/** Against saying the same thing again. */

import type { Rule } from "./protocol.js";

/** No `size` tokens in a row are written twice: Paulus, Xiong and Socher (2018), https://arxiv.org/abs/1705.04304. */
export function noRepeatNGram(size: number): Rule {
  return (logProbs, past) => {
    if (past.length < size) return logProbs;
    const newest = past.slice(past.length - size + 1);
    let ranks = logProbs;
    for (let begin = 0; begin + size <= past.length; begin++) {
      if (!newest.every((token, place) => past[begin + place] === token)) continue;
      if (ranks === logProbs) ranks = logProbs.slice();
      ranks[past[begin + size - 1]!] = -Infinity;
    }
    return ranks;
  };
}

/** Tokens that were written before are less likely to come again: Keskar et al. (2019), section 4.1, on logarithms. */
export function repetitionPenalty(factor: number): Rule {
  return (logProbs, past) => {
    const ranks = logProbs.slice();
    const exact = logProbs instanceof Float32Array ? Math.fround(factor) : factor; // as torch multiplies
    for (const token of new Set(past)) ranks[token] = logProbs[token]! * exact;
    return ranks;
  };
}
