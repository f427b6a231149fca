/** What may come next, and how likely: the model's word, then rules, lengths and a given beginning. */

import { RequestError } from "../errors.js";
import { bestChoices } from "./choices.js";
import type { LengthLimit } from "./lengths.js";
import type { Alternative, Row, Rule, SearchOptions, Table } from "./protocol.js";
import type { SpecialTokens } from "./special.js";

/** A token that may come next. */
export interface Choice {
  readonly token: number;
  /** What search ranks by. */
  readonly rank: number;
  /** The model's own number. */
  readonly logProb: number;
}

/** Rules, lengths and the given beginning of one sentence, for any search. */
export class Ranking {
  /** The most tokens, the end of the sentence counted. */
  readonly limit: number;
  readonly #special: SpecialTokens;
  readonly #rules: readonly Rule[];
  readonly #fewest: number;
  readonly #prefix: readonly number[];
  readonly #never: ReadonlySet<number>;
  readonly #notYet: ReadonlySet<number>;
  readonly #alternatives: number;

  constructor(
    special: SpecialTokens,
    limit: LengthLimit,
    rules: readonly Rule[],
    sourceLength: number,
    options: SearchOptions,
  ) {
    this.limit = limit.most(sourceLength);
    this.#special = special;
    this.#rules = rules;
    this.#fewest = limit.fewest(sourceLength);
    this.#prefix = options.prefix ?? [];
    this.#never = new Set([special.bos, ...special.forbidden]);
    this.#notYet = new Set([...this.#never, special.eos]);
    this.#alternatives = options.alternatives ?? 0;
    this.#checkPrefix();
  }

  /** Return the best tokens to write at place `length`, counted from 1, best first. */
  best(logProbs: Row, past: readonly number[], length: number, count: number): Choice[] {
    const given = this.#prefix[length - 1];
    if (given !== undefined) {
      const logProb = logProbs[given]!;
      return logProb > -Infinity ? [{ token: given, rank: logProb, logProb }] : [];
    }
    let ranks = logProbs;
    for (const rule of this.#rules) ranks = rule(ranks, past);
    const excluded = this.#fewest >= length ? this.#notYet : this.#never;
    const tokens = bestChoices(ranks, count, excluded);
    return tokens.map((token) => ({ token, rank: ranks[token]!, logProb: logProbs[token]! }));
  }

  /** Return the likeliest tokens as the model has them, if anybody asks. */
  alternatives(logProbs: Row): Alternative[] {
    if (!this.#alternatives) return [];
    const tokens = bestChoices(logProbs, this.#alternatives, this.#never);
    return tokens.map((token) => ({ token, logProb: logProbs[token]! }));
  }

  #checkPrefix(): void {
    const { bos, eos } = this.#special;
    if (this.#prefix.some((token) => !Number.isInteger(token) || token < 0 || token === bos || token === eos)) {
      throw new RequestError(
        `the prefix is [${this.#prefix.join(", ")}], but only the ids of words can begin a translation, not ${bos} ` +
          `and ${eos}, which begin and end a sentence`,
      );
    }
    if (this.#prefix.length && this.#prefix.length >= this.limit) {
      throw new RequestError(
        `the prefix has ${this.#prefix.length} tokens, but with the end of the sentence a translation may have ` +
          `${this.limit} at most; make the prefix shorter, or maxLength larger`,
      );
    }
  }
}

/** Return one row of a table; the rows share their memory with it. */
export function rowOf(table: Table, row: number): Row {
  return table.values.subarray(row * table.columns, (row + 1) * table.columns);
}
