/** What characters are. JavaScript's `\s` and `\w` mean something else than Python's, which models were trained with. */

const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

/** A class of a regular expression: whitespace. */
export const SPACE_CLASS = `[${SPACE}]`;

/** A class of a regular expression: everything else. */
export const NO_SPACE_CLASS = `[^${SPACE}]`;

const ALL_SPACE = new RegExp(`^${SPACE_CLASS}+$`);
const WORDS = new RegExp(`${NO_SPACE_CLASS}+`, "g");
// Ideographs that stand for numbers are letters already; U+19DA is a digit that no decimal system has.
const WORD_CHARACTER = /[\p{L}\p{N}\p{M}]/u;

/** Tell whether a text is whitespace and nothing else; an empty one is not. */
export function isSpace(text: string): boolean {
  return ALL_SPACE.test(text);
}

/** Tell whether this is a letter, a digit or a mark of one, and no sign or space. */
export function isWordCharacter(character: string): boolean {
  return WORD_CHARACTER.test(character);
}

/** Split at whitespace. */
export function words(text: string): string[] {
  return text.match(WORDS) ?? [];
}

/** Take the signs off both ends of a word that is not all signs. */
export function bare(word: string): string {
  const characters = [...word];
  const first = characters.findIndex(isWordCharacter);
  if (first < 0) return word;
  return characters.slice(first, characters.findLastIndex(isWordCharacter) + 1).join("");
}

/**
 * Return for each of the pieces that `text` consists of the number of the word it begins in.
 * A piece that begins with whitespace belongs to the word behind that.
 */
export function numberWords(pieces: readonly string[], text: string): number[] {
  const ends = [...text.matchAll(WORDS)].map((match) => match.index + match[0].length);
  const numbers: number[] = [];
  let position = 0;
  let word = 0;
  for (const piece of pieces) {
    while (word < ends.length && ends[word]! <= position) word += 1;
    numbers.push(word);
    position += piece.length;
  }
  return numbers;
}
