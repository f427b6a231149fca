/** How long a hypothesis must be and may be. */

/** Numbers of a length limit; see `LengthLimit`. */
export interface LengthSettings {
  /** Most target tokens per source token. */
  readonly ratio?: number;
  /** Tokens on top, so that short sentences have room. */
  readonly extra?: number;
  /** Never more than this, however long the source; null for no such limit. */
  readonly longest?: number | null;
  /** Fewest target tokens per source token. */
  readonly shortestRatio?: number;
  /** Never fewer than this, however short the source. */
  readonly shortest?: number;
}

/**
 * The fewest and the most target tokens of a translation, from the length of its source, its end counted.
 * The most counts the end-of-sentence token, the fewest does not. Where both do not fit, the most wins.
 */
export class LengthLimit {
  readonly #settings: Required<LengthSettings>;

  constructor(settings: LengthSettings = {}) {
    this.#settings = { ratio: 2, extra: 10, longest: null, shortestRatio: 0, shortest: 0, ...settings };
  }

  most(sourceLength: number): number {
    const { ratio, extra, longest } = this.#settings;
    return Math.min(Math.max(Math.floor(sourceLength * ratio) + extra, 1), longest ?? Infinity);
  }

  fewest(sourceLength: number): number {
    const { shortestRatio, shortest } = this.#settings;
    return Math.min(Math.max(Math.floor(sourceLength * shortestRatio), shortest), this.most(sourceLength) - 1);
  }
}
