/** What beam search ranks by: log-probability, length and coverage. */

import { RequestError } from "../errors.js";

const UNSEEN = 1e-6;

export const NORMALIZATIONS = ["average", "none", "gnmt", "reward"] as const;

export type Normalization = (typeof NORMALIZATIONS)[number];

/** How length and coverage enter the score of a hypothesis. */
export interface ScoringSettings {
  /**
   * `none`: log-probability; `average`: over length to the power of the penalty; `gnmt`: over ((5 + length) / 6) to
   * that power, Wu et al. (2016), equation 14, https://arxiv.org/abs/1609.08144; `reward`: plus penalty times length.
   */
  readonly normalization?: Normalization;
  readonly lengthPenalty?: number;
  /** Factor of the penalty of that equation on source tokens that were hardly looked at; complete hypotheses pay it. */
  readonly coveragePenalty?: number;
}

/** Scores of hypotheses; lengths count the end-of-sentence token. */
export class Scoring {
  readonly normalization: Normalization;
  readonly lengthPenalty: number;
  readonly coveragePenalty: number;

  constructor({ normalization = "average", lengthPenalty = 1, coveragePenalty = 0 }: ScoringSettings = {}) {
    if (!NORMALIZATIONS.includes(normalization)) {
      throw new RequestError(
        `lengthNormalization is ${JSON.stringify(normalization)}, but it must be one of ${NORMALIZATIONS.join(", ")}`,
      );
    }
    for (const [name, number] of Object.entries({ lengthPenalty, coveragePenalty })) {
      if (!(Number.isFinite(number) && number >= 0)) {
        throw new RequestError(`${name} is ${number}, but it must be a finite number of at least 0`);
      }
    }
    this.normalization = normalization;
    this.lengthPenalty = lengthPenalty;
    this.coveragePenalty = coveragePenalty;
  }

  /** Return the score of a hypothesis of `length` tokens. */
  score(logProb: number, length: number): number {
    return logProb / this.#divisor(length) + (this.normalization === "reward" ? length * this.lengthPenalty : 0);
  }

  /** Return a score that no continuation exceeds: certainty in every token until the limit. */
  bestPossible(logProb: number, limit: number): number {
    return this.score(logProb, limit);
  }

  /** Return the coverage penalty of a hypothesis that gave source tokens this much attention: at most 0. */
  coverage(attended: ArrayLike<number>): number {
    let sum = 0;
    for (let place = 0; place < attended.length; place++) {
      sum += Math.log(Math.min(Math.max(attended[place]!, UNSEEN), 1));
    }
    return this.coveragePenalty * sum;
  }

  #divisor(length: number): number {
    if (this.normalization === "average") return Math.max(length, 1) ** this.lengthPenalty;
    if (this.normalization === "gnmt") return ((5 + length) / 6) ** this.lengthPenalty;
    return 1;
  }
}
