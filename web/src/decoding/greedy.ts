/** Greedy search: the most probable token at every step. */

import { LengthLimit } from "./lengths.js";
import { hypothesisOf, tokensOf, type Node } from "./path.js";
import type { Hypothesis, Rule, Search, SearchOptions, StepModel } from "./protocol.js";
import { Ranking, rowOf } from "./ranking.js";
import type { SpecialTokens } from "./special.js";

/** What greedy search is made with. */
export interface GreedySettings {
  readonly special: SpecialTokens;
  readonly limit?: LengthLimit;
  readonly rules?: readonly Rule[];
}

/** Take the most probable token until the end of the sentence; equal ones go to the lower id. */
export class GreedySearch implements Search {
  readonly #special: SpecialTokens;
  readonly #limit: LengthLimit;
  readonly #rules: readonly Rule[];

  constructor({ special, limit = new LengthLimit(), rules = [] }: GreedySettings) {
    this.#special = special;
    this.#limit = limit;
    this.#rules = rules;
  }

  async run<Source, State>(
    model: StepModel<Source, State>,
    source: Source,
    sourceLength: number,
    options: SearchOptions = {},
  ): Promise<Hypothesis[]> {
    const { bos, eos } = this.#special;
    const ranking = new Ranking(this.#special, this.#limit, this.#rules, sourceLength, options);
    let leaf: Node | null = null;
    let state: State = await model.start(source);
    for (let length = 1; length <= ranking.limit; length++) {
      const past: number[] = tokensOf(leaf);
      const step = await model.step([past.at(-1) ?? bos], state);
      state = step.state;
      const logProbs = rowOf(step.logProbs, 0);
      const choice = ranking.best(logProbs, past, length, 1)[0];
      if (!choice) break; // nothing may follow
      leaf = {
        parent: leaf,
        token: choice.token,
        logProb: choice.logProb,
        weights: Float32Array.from(rowOf(step.weights, 0)),
        alternatives: ranking.alternatives(logProbs),
      };
      if (choice.token === eos) break;
      await options.onStep?.([...past, choice.token]);
    }
    return [hypothesisOf(leaf, eos)];
  }
}
