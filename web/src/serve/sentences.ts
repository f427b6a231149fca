/** A text as the sentences that a model is trained on: one at a time, no line ends. */

export interface Line {
  sentences: string[];
}

/** Split lines into sentences; an empty line has none. */
export function split(text: string, language: string): Line[] {
  const segmenter = sentencesOf(language);
  return text.split(/\r\n|[\n\r\u2028\u2029]/).map((line) => {
    const pieces = segmenter ? [...segmenter.segment(line)].map(({ segment }) => segment) : [line];
    return { sentences: joined(pieces).filter((sentence) => sentence !== "") };
  });
}

/** A sign on its own, as in text whose tokens have spaces between them, belongs to the sentence before it. */
function joined(pieces: string[]): string[] {
  const found: string[] = [];
  for (const piece of pieces) {
    const last = found.length - 1;
    if (last >= 0 && !/[\p{L}\p{N}]/u.test(piece)) found[last] += piece;
    else found.push(piece);
  }
  return found.map((sentence) => sentence.trim());
}

function sentencesOf(language: string): Intl.Segmenter | null {
  if (!("Segmenter" in Intl)) return null;
  try {
    return new Intl.Segmenter(language, { granularity: "sentence" });
  } catch {
    return new Intl.Segmenter(undefined, { granularity: "sentence" }); // the language is no language tag
  }
}

/** Return what a language is called in the language of the reader. */
export function languageName(code: string): string {
  try {
    return new Intl.DisplayNames(undefined, { type: "language" }).of(code) ?? code;
  } catch {
    return code;
  }
}
