/** Hypotheses that are no longer extended. */

import type { Node } from "./path.js";

/** A hypothesis and what it is ranked by. */
export interface Ranked {
  readonly score: number;
  readonly node: Node | null;
}

/** The best hypotheses that ended, best first; of equals the older comes first. */
export class Pool {
  readonly #places: number;
  #ranked: Ranked[] = [];

  constructor(places: number) {
    this.#places = places;
  }

  get ranked(): readonly Ranked[] {
    return this.#ranked;
  }

  add(found: readonly Ranked[]): void {
    this.#ranked = byScore([...this.#ranked, ...found]).slice(0, this.#places);
  }

  /** Return the score in a place, from 0; minus infinity if it is empty. */
  score(place: number): number {
    return this.#ranked[place]?.score ?? -Infinity;
  }

  /** Count those that are at least as good. */
  atLeast(score: number): number {
    return this.#ranked.filter((each) => each.score >= score).length;
  }
}

/** Return them best first; equals stay in their order. */
export function byScore(ranked: readonly Ranked[]): Ranked[] {
  return [...ranked].sort((one, other) => other.score - one.score);
}
