/** A tokenizer with tags: tokens that say of a whole sentence what language or domain is wanted. */

import type { Tokenizer } from "./base.js";

/** A tokenizer of any kind, and tags behind its vocabulary; a tag is a tag only at the beginning of a text. */
export class TaggedTokenizer implements Tokenizer {
  readonly kind: Tokenizer["kind"];
  readonly #plain: Tokenizer;
  readonly #tags: readonly string[];
  readonly #ids: ReadonlyMap<string, number>;

  constructor(plain: Tokenizer, tags: readonly string[]) {
    this.kind = plain.kind;
    this.#plain = plain;
    this.#tags = tags;
    this.#ids = new Map(tags.map((tag, number) => [tag, plain.size + number]));
  }

  get size(): number {
    return this.#plain.size + this.#tags.length;
  }

  tokenize(text: string): string[] {
    const [tags, rest] = this.#split(text);
    return [...tags, ...this.#plain.tokenize(rest)];
  }

  encode(text: string): number[] {
    const [tags, rest] = this.#split(text);
    return [...tags.map((tag) => this.#ids.get(tag)!), ...this.#plain.encode(rest)];
  }

  decode(ids: Iterable<number>): string {
    const numbers = [...ids];
    const first = numbers.findIndex((id) => !this.#isTag(id));
    const tags = numbers.slice(0, first < 0 ? numbers.length : first).map((id) => this.token(id));
    const text = this.#plain.decode(numbers.filter((id) => !this.#isTag(id)));
    return [...tags, ...(text ? [text] : [])].join(" ");
  }

  token(id: number): string {
    return this.#isTag(id) ? this.#tags[id - this.#plain.size]! : this.#plain.token(id);
  }

  isWordStart(id: number): boolean {
    return this.#isTag(id) || this.#plain.isWordStart(id);
  }

  touchesNext(id: number): boolean {
    return !this.#isTag(id) && this.#plain.touchesNext(id);
  }

  surface(id: number): string {
    if (!this.#isTag(id)) return this.#plain.surface(id);
    // the first character of a text brings no space along, as a first word does
    return this.kind === "character" ? `${this.token(id)} ` : ` ${this.token(id)}`;
  }

  wordNumbers(text: string): number[] {
    const [tags, rest] = this.#split(text);
    return [...tags.keys(), ...this.#plain.wordNumbers(rest).map((number) => number + tags.length)];
  }

  units(text: string): { numbers: number[]; words: string[] } {
    const [tags, rest] = this.#split(text);
    const { numbers, words } = this.#plain.units(rest);
    return { numbers: [...tags.keys(), ...numbers.map((number) => number + tags.length)], words: [...tags, ...words] };
  }

  #isTag(id: number): boolean {
    return id >= this.#plain.size;
  }

  /** Take the tags off the beginning of a text. */
  #split(text: string): [string[], string] {
    const found: string[] = [];
    for (;;) {
      const space = text.indexOf(" ");
      const first = space < 0 ? text : text.slice(0, space);
      if (!this.#ids.has(first)) return [found, text];
      found.push(first);
      if (space < 0) return [found, ""];
      text = text.slice(space + 1);
    }
  }
}
