/** Subwords by sentencepiece, without any normalization: the models that the Python package trains. */

import { EOS, isSilent, SPECIALS, UNK, UNKNOWN_TEXT, WORD_START, type Tokenizer } from "./base.js";
import { mergePairs } from "./bpe.js";
import { bare, numberWords, words } from "./characters.js";
import type { Pieces } from "./pieces.js";
import { UnigramSegmenter } from "./unigram.js";

// Sentencepiece writes a space as U+2581, so a U+2581 of the text would come back as a space; some other
// characters it refuses while training. All of them are spelled as two characters.
const ESCAPE = "\ue000";
const RESERVED = [ESCAPE, WORD_START, "\u2585", "\t", "\0", "\n", "\r"];
const SPELLED = new Map(RESERVED.map((character, number) => [character, `${ESCAPE}${number}`]));
// Half a surrogate pair is no character of any encoding: it becomes the replacement character.
const TO_ESCAPE = new RegExp(`[${RESERVED.join("")}\\ud800-\\udfff]`, "gu");
const TO_UNESCAPE = new RegExp(`${ESCAPE}([0-${RESERVED.length - 1}])`, "g");

/** Subwords; `▁` begins a word. */
export class SentencePieceTokenizer implements Tokenizer {
  readonly kind = "sentencepiece";
  readonly #texts: readonly string[];
  readonly #ids: ReadonlyMap<string, number>;
  readonly #segment: (text: string) => string[];

  constructor(pieces: Pieces) {
    this.#texts = pieces.texts;
    const own = [...pieces.texts.keys()].filter((id) => id > EOS);
    this.#ids = new Map(own.map((id) => [pieces.texts[id]!, id]));
    const scores = new Map(own.map((id) => [pieces.texts[id]!, pieces.scores[id]!]));
    if (pieces.algorithm === "bpe") {
      this.#segment = (text) => mergePairs(text, scores);
    } else {
      const segmenter = new UnigramSegmenter(scores);
      this.#segment = (text) => segmenter.segment(text);
    }
  }

  get size(): number {
    return this.#texts.length;
  }

  tokenize(text: string): string[] {
    return this.#split(text).map(({ piece }) => piece);
  }

  encode(text: string): number[] {
    return this.#split(text).map(({ id }) => id);
  }

  decode(ids: Iterable<number>): string {
    const spelled = [...ids].filter((id) => !isSilent(id)).map((id) => (id === UNK ? UNKNOWN_TEXT : this.#texts[id]!));
    const text = spelled.join("");
    return unescape((text.startsWith(WORD_START) ? text.slice(1) : text).replaceAll(WORD_START, " "));
  }

  token(id: number): string {
    return id <= EOS ? SPECIALS[id]! : this.#texts[id]!;
  }

  isWordStart(id: number): boolean {
    return this.token(id).startsWith(WORD_START);
  }

  touchesNext(): boolean {
    return false;
  }

  surface(id: number): string {
    if (isSilent(id)) return "";
    return id === UNK ? UNKNOWN_TEXT : this.#texts[id]!.replaceAll(WORD_START, " ");
  }

  wordNumbers(text: string): number[] {
    const pieces = this.tokenize(text);
    // a tab is spelled as two letters while it is encoded, and yet it separates words
    const spelled = pieces.join("").replaceAll(WORD_START, " ");
    return numberWords(
      pieces,
      spelled.replace(TO_UNESCAPE, (_, number: string) => RESERVED[Number(number)]!.repeat(2)),
    );
  }

  units(text: string): { numbers: number[]; words: string[] } {
    return { numbers: this.wordNumbers(text), words: words(text).map(bare) };
  }

  /** Return the subwords of a text and their ids; neighboring unknown characters become one. */
  #split(text: string): { piece: string; id: number }[] {
    if (!text) return [];
    const found: { piece: string; id: number }[] = [];
    for (const piece of this.#segment(WORD_START + escape(text).replaceAll(" ", WORD_START))) {
      const id = this.#ids.get(piece) ?? UNK;
      const last = found.at(-1);
      if (id === UNK && last?.id === UNK) {
        last.piece += piece;
      } else {
        found.push({ piece, id });
      }
    }
    return found;
  }
}

/** Spell what sentencepiece would not give back; `unescape` is the way back. */
export function escape(text: string): string {
  return text.replace(TO_ESCAPE, (character) => SPELLED.get(character) ?? "\ufffd");
}

/** Undo `escape`. */
export function unescape(text: string): string {
  return text.replace(TO_UNESCAPE, (_, number: string) => RESERVED[Number(number)]!);
}
