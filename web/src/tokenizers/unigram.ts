/** The most probable segmentation under a unigram language model, with the roundings that sentencepiece has. */

const UNKNOWN_PENALTY = 10;

/** Cuts texts into the subwords of a unigram model: Kudo (2018), https://arxiv.org/abs/1804.10959. */
export class UnigramSegmenter {
  readonly #scores: ReadonlyMap<string, number>;
  readonly #longest: number; // code units of the longest subword
  readonly #unknownScore: number;

  /** @param scores subword -> log-probability, each a float32 */
  constructor(scores: ReadonlyMap<string, number>) {
    this.#scores = scores;
    let lowest = Infinity;
    let longest = 0;
    for (const [piece, score] of scores) {
      lowest = Math.min(lowest, score);
      longest = Math.max(longest, piece.length);
    }
    this.#longest = longest;
    this.#unknownScore = Math.fround(lowest - UNKNOWN_PENALTY);
  }

  /** Split a text into subwords; characters that are none stay on their own. */
  segment(text: string): string[] {
    const size = text.length;
    // Sums are rounded to float32 when they are kept and not when they are compared: on ties that decides.
    const best = new Float32Array(size + 1);
    const startsAt = new Int32Array(size + 1).fill(-1);

    const reach = (start: number, end: number, total: number): void => {
      if (startsAt[end] === -1 || total > best[end]!) {
        best[end] = total;
        startsAt[end] = start;
      }
    };

    for (let start = 0; start < size; ) {
      const width = text.codePointAt(start)! > 0xffff ? 2 : 1;
      const sofar = best[start]!;
      let alone = false;
      for (let end = start + width; end <= Math.min(size, start + this.#longest); end++) {
        const score = this.#scores.get(text.slice(start, end));
        if (score === undefined) continue;
        reach(start, end, score + sofar);
        if (end - start === width) alone = true;
      }
      if (!alone) reach(start, start + width, Math.fround(this.#unknownScore + sofar));
      start += width;
    }

    const pieces: string[] = [];
    for (let end = size; end > 0; end = startsAt[end]!) pieces.push(text.slice(startsAt[end], end));
    return pieces.reverse();
  }
}
