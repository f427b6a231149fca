/** Tokens with all that is known of them. */

import { words } from "../tokenizers/characters.js";
import { EOS, UNK, type Tokenizer } from "../tokenizers/index.js";
import type { Token } from "./translation.js";

/** Return what a vocabulary knows of a token. */
export function describe(tokenizer: Tokenizer, id: number): Token {
  const special = id <= EOS && id !== UNK;
  return { token: tokenizer.token(id), surface: tokenizer.surface(id), wordStart: tokenizer.isWordStart(id), special, id };
}

/** Join tokens to what stands before them, where that alone tells that they touch. */
export function joined(tokenizer: Tokenizer, tokens: readonly Token[]): Token[] {
  return tokens.map((token, place) => {
    if (place === 0 || token.special || !tokenizer.touchesNext(tokens[place - 1]!.id)) return token;
    return { ...token, surface: token.surface.replace(/^ /, ""), wordStart: false };
  });
}

/** Return the tokens that a model reads of a sentence, its end included; an unknown one that is a word shows that word. */
export function sourceTokens(tokenizer: Tokenizer, text: string, ids: readonly number[]): Token[] {
  const numbers = tokenizer.wordNumbers(text);
  const own = words(text);
  const units = tokenizer.units(text);
  const alone = (all: readonly number[], number: number): boolean => all.indexOf(number) === all.lastIndexOf(number);
  const found = ids.map((id, place) => {
    const token = { ...describe(tokenizer, id), wordStart: place === 0 || numbers[place] !== numbers[place - 1] };
    if (id !== UNK) return token;
    const word = numbers[place]!;
    const unit = units.numbers[place]!;
    const shown = (alone(numbers, word) ? own[word] : "") || (alone(units.numbers, unit) ? units.words[unit] : "");
    return shown ? { ...token, surface: (token.wordStart ? " " : "") + shown } : token;
  });
  return joined(tokenizer, [...found, describe(tokenizer, EOS)]);
}
