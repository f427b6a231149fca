/** The words of a translation, each with the tokens that it is written with. */

import type { Token } from "./messages.js";

export interface Word {
  text: string;
  /** What stands before it: a space, or nothing. */
  before: string;
  /** Numbers of its tokens. */
  tokens: number[];
}

/** Put tokens together to words; special ones are part of none. */
export function wordsOf(tokens: Token[]): Word[] {
  const words: Word[] = [];
  tokens.forEach((token, number) => {
    if (token.special) return;
    const last = words.at(-1);
    if (last && !token.word_start && !/^\s/.test(token.surface)) {
      last.text += token.surface;
      last.tokens.push(number);
      return;
    }
    const text = token.surface.trimStart();
    const space = token.surface.slice(0, token.surface.length - text.length);
    words.push({ text, before: words.length ? space || " " : "", tokens: [number] });
  });
  return words;
}
