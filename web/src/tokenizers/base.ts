/** What every tokenizer does: text to token ids and back, without loss. */

export const PAD = 0;
export const UNK = 1;
export const BOS = 2;
export const EOS = 3;
export const SPECIALS = ["<pad>", "<unk>", "<s>", "</s>"] as const;

/** What sentencepiece writes for a space: the subword behind it begins a word. */
export const WORD_START = "▁";

/** What an unknown token looks like in decoded text. */
export const UNKNOWN_TEXT = "⁇";

/**
 * Text to token ids and back: the same ids as the tokenizers of the Python package give.
 *
 * `decode(encode(text)) === text` holds for every text whose tokens are in the vocabulary: nothing is normalized,
 * no whitespace is lost.
 */
export interface Tokenizer {
  readonly kind: "sentencepiece" | "word" | "character";

  /** Size of the vocabulary, special symbols included. */
  readonly size: number;

  /** Split a text into tokens; unknown ones stay visible as they are. */
  tokenize(text: string): string[];

  /** Turn a text into token ids; no special symbols are added, the unknown becomes `UNK`. */
  encode(text: string): number[];

  /** Turn token ids into text; `PAD`, `BOS` and `EOS` are skipped. */
  decode(ids: Iterable<number>): string;

  /** Return the token of an id. */
  token(id: number): string;

  /** Tell whether this token begins a new word, so that tokens can be merged into words. */
  isWordStart(id: number): boolean;

  /** Tell whether what follows this token belongs to the same word, whatever it is. */
  touchesNext(id: number): boolean;

  /** Return the text that this token adds, a space in front where it begins a word; "" for special symbols. */
  surface(id: number): string;

  /** Return for each token of `encode(text)` the number of the word (what whitespace separates) it belongs to. */
  wordNumbers(text: string): number[];

  /** Return for each token of `encode(text)` the number of its word, and the words, bare of signs around them. */
  units(text: string): { numbers: number[]; words: string[] };
}

/** Tell whether a token has no text: padding, the beginning or the end of a sentence. */
export function isSilent(id: number): boolean {
  return id === PAD || id === BOS || id === EOS;
}
