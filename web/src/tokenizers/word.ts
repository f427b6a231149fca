/**
 * Words and punctuation as tokens, with marks that keep the spacing.
 *
 * A single space between two tokens is not written down. Where two tokens touch, one of them carries the mark `￭` on
 * the side that touches: the sign that is no word, or of two signs the first. Whitespace other than a single space
 * between two tokens is a token of its own, one per character.
 */

import { EOS, isSilent, type Tokenizer } from "./base.js";
import { isSpace, SPACE_CLASS, words } from "./characters.js";
import { ListTokenizer } from "./vocabulary.js";

const JOINER = "￭";
// A joiner that was in the text. Its first character alone would be a token of one character.
const LITERAL_JOINER = "\ue000j";
// One word (the group), one whitespace character, or one sign. Marks belong to the letter before them, in Hindi as in
// decomposed é, but for those behind U+1F000, and so do the joiners inside words of Persian and Indic scripts.
const PATTERN = new RegExp(`((?:[\\p{L}\\p{N}_\\u200c\\u200d]|(?![\\u{1f000}-\\u{10ffff}])\\p{M})+)|${SPACE_CLASS}|.`, "gsu");

/** Words and punctuation as tokens; case is kept. */
export class WordTokenizer extends ListTokenizer implements Tokenizer {
  readonly kind = "word";
  readonly #marks: boolean;

  /**
   * @param tokens the vocabulary in the order of its ids, without the special symbols
   * @param marks without them, a text is taken as tokens with a space between each two
   */
  constructor(tokens: readonly string[], marks: boolean) {
    super(tokens);
    this.#marks = marks;
  }

  tokenize(text: string): string[] {
    if (this.#marks) return splitWords(text);
    return text ? text.split(" ") : [];
  }

  decode(ids: Iterable<number>): string {
    const tokens = [...ids].filter((id) => !isSilent(id)).map((id) => this.visible(id));
    return this.#marks ? joinWords(tokens) : tokens.join(" ");
  }

  isWordStart(id: number): boolean {
    const token = this.tokens[id]!;
    return id > EOS && !isSpace(token) && !(this.#marks && joinsLeft(token));
  }

  touchesNext(id: number): boolean {
    return id > EOS && this.#marks && joinsRight(this.tokens[id]!);
  }

  surface(id: number): string {
    return isSilent(id) ? "" : this.#surface(this.visible(id));
  }

  wordNumbers(text: string): number[] {
    const numbers: number[] = [];
    let begun = 0;
    let touching = false; // the next token touches the one before it
    for (const token of this.tokenize(text)) {
      if (!this.#marks) {
        numbers.push(begun);
        begun += words(token).length;
      } else if (isSpace(token)) {
        numbers.push(begun);
        touching = false;
      } else {
        if (!touching && !joinsLeft(token)) begun += 1;
        numbers.push(begun - 1);
        touching = joinsRight(token);
      }
    }
    return numbers;
  }

  override units(text: string): { numbers: number[]; words: string[] } {
    const tokens = this.tokenize(text);
    return { numbers: tokens.map((_, number) => number), words: tokens.map((token) => strip(this.#surface(token))) };
  }

  #surface(token: string): string {
    if (isSpace(token)) return token;
    if (!this.#marks) return ` ${token}`;
    return (joinsLeft(token) ? "" : " ") + core(token);
  }
}

/** Split a text into words and signs; `joinWords` is the way back. */
export function splitWords(text: string): string[] {
  const tokens: string[] = [];
  let previousIsSign = false;
  let free = true; // nothing, or a single space, stands before the next token
  for (const match of text.matchAll(PATTERN)) {
    const piece = match[0];
    const end = match.index + piece.length;
    if (piece === " " && match.index > 0 && end < text.length && isSingle(text, match.index)) {
      free = true;
      continue;
    }
    if (isSpace(piece)) {
      tokens.push(piece);
      previousIsSign = false;
      free = true; // nothing joins to whitespace: it is its own spacing
      continue;
    }
    const isSign = match[1] === undefined;
    let token = piece === JOINER ? LITERAL_JOINER : piece;
    if (!free && previousIsSign) {
      tokens[tokens.length - 1] += JOINER;
    } else if (!free && isSign) {
      token = JOINER + token;
    }
    tokens.push(token);
    previousIsSign = isSign;
    free = false;
  }
  return tokens;
}

/** Put tokens together as their marks say; the inverse of `splitWords`. */
export function joinWords(tokens: readonly string[]): string {
  let text = "";
  let touching = true; // the next token touches what stands before it
  for (const token of tokens) {
    if (isSpace(token)) {
      text += token;
      touching = true;
      continue;
    }
    if (!touching && !joinsLeft(token)) text += " ";
    text += core(token);
    touching = joinsRight(token);
  }
  return text;
}

function core(token: string): string {
  const inside = token.slice(joinsLeft(token) ? 1 : 0, token.length - (joinsRight(token) ? 1 : 0));
  return inside === LITERAL_JOINER ? JOINER : inside;
}

// A token of one character is no mark, in code points as in code units: the joiner is one of each.
function joinsLeft(token: string): boolean {
  return token.length > 1 && token.startsWith(JOINER);
}

function joinsRight(token: string): boolean {
  return token.length > 1 && token.endsWith(JOINER);
}

function isSingle(text: string, position: number): boolean {
  return !isSpace(text[position - 1]!) && !isSpace(text[position + 1]!);
}

function strip(text: string): string {
  return text.replace(new RegExp(`^${SPACE_CLASS}+|${SPACE_CLASS}+$`, "g"), "");
}
