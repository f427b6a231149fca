/** A tokenizer whose vocabulary is a plain list of tokens, kept as a text file. */

import { ModelError } from "../errors.js";
import { EOS, SPECIALS, UNK, UNKNOWN_TEXT } from "./base.js";
import { bare, words } from "./characters.js";

/** Tokens and ids by a list. */
export abstract class ListTokenizer {
  protected readonly tokens: readonly string[];
  readonly #ids: ReadonlyMap<string, number>;

  /** @param tokens the vocabulary in the order of its ids, without the special symbols */
  constructor(tokens: readonly string[]) {
    this.tokens = [...SPECIALS, ...tokens];
    // The special symbols stay out, so that text can never spell one of them.
    this.#ids = new Map(tokens.map((token, number) => [token, number + EOS + 1]));
  }

  get size(): number {
    return this.tokens.length;
  }

  abstract tokenize(text: string): string[];

  abstract wordNumbers(text: string): number[];

  encode(text: string): number[] {
    return this.tokenize(text).map((token) => this.#ids.get(token) ?? UNK);
  }

  token(id: number): string {
    return this.tokens[id]!;
  }

  units(text: string): { numbers: number[]; words: string[] } {
    return { numbers: this.wordNumbers(text), words: words(text).map(bare) };
  }

  protected visible(id: number): string {
    return id === UNK ? UNKNOWN_TEXT : this.tokens[id]!;
  }
}

/** Read the tokens of a vocabulary file, without the special symbols. */
export function readVocabulary(path: string, bytes: Uint8Array): string[] {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new ModelError(`${path}: the vocabulary of the tokenizer is not UTF-8; export the model again`);
  }
  const lines = text.split("\n");
  const last = lines.pop();
  const tokens = lines.map(unescape);
  const own = tokens.slice(SPECIALS.length);
  if (last !== "" || SPECIALS.some((name, id) => tokens[id] !== name) || new Set(own).size !== own.length) {
    throw new ModelError(
      `${path}: this is not a whole vocabulary (one token per line, each once, the first four are ` +
        `${SPECIALS.join(" ")}); export the model again`,
    );
  }
  return own;
}

const PLAIN: Record<string, string> = { "\\\\": "\\", "\\n": "\n", "\\r": "\r" };

function unescape(line: string): string {
  return line.includes("\\") ? line.replace(/\\[\\nr]/g, (pair) => PLAIN[pair]!) : line;
}
