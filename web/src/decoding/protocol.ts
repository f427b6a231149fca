/** What search needs of a model, and what it gives back. Search knows token ids, never text. */

/** Numbers of rows side by side: row r, column c is at `r * columns + c`. */
export interface Table {
  readonly values: Row;
  readonly columns: number;
}

/** What one step of a model gives. */
export interface Step<State> {
  /** Log-probabilities of the next token, rows times vocabulary. */
  readonly logProbs: Table;
  /** Attention, rows times source tokens. */
  readonly weights: Table;
  readonly state: State;
}

/** A model that extends hypotheses of one sentence by one token at a time. */
export interface StepModel<Source, State> {
  /** Read a source sentence; return a state of one row. */
  start(source: Source): Promise<State>;

  /** Feed each row its newest token. */
  step(tokens: readonly number[], state: State): Promise<Step<State>>;

  /** Return the state of these rows, in their order; repeats and omissions are allowed. */
  select(state: State, rows: readonly number[]): State;
}

/** One translation of one sentence, as search found it. */
export interface Hypothesis {
  /** Target ids, without the begin- and end-of-sentence tokens. */
  readonly tokens: readonly number[];
  /** Natural logarithm of the model's probability, end-of-sentence token included. */
  readonly logProb: number;
  /** What the search ranks by; `logProb` where it does not rank. */
  readonly score: number;
  /** Whether the end-of-sentence token was reached within the length limit. */
  readonly finished: boolean;
  /** Attention while predicting each token and, when finished, the end-of-sentence token. */
  readonly weights: readonly Float32Array[];
  /** One per row of `weights`; they sum to `logProb`. */
  readonly tokenLogProbs: readonly number[];
  /** The likeliest tokens at each place, best first; none if they were not asked for. */
  readonly alternatives: readonly (readonly Alternative[])[];
}

/** A token that the model considered. */
export interface Alternative {
  readonly token: number;
  readonly logProb: number;
}

/** What search does for one sentence beyond finding it. */
export interface SearchOptions {
  /** How many of the likeliest tokens to note at each place; 0 for none. */
  readonly alternatives?: number;
  /** Target ids that the translation begins with. */
  readonly prefix?: readonly number[];
  /** Told after each step what the best hypothesis has written so far; it may throw, which ends the search. */
  readonly onStep?: ((tokens: readonly number[]) => void | Promise<void>) | undefined;
}

/** A way to find translations. */
export interface Search {
  /**
   * Return hypotheses of one sentence, best first, at least one.
   *
   * @param sourceLength tokens of the source sentence, its end counted; limits of length follow from it
   */
  run<Source, State>(
    model: StepModel<Source, State>,
    source: Source,
    sourceLength: number,
    options?: SearchOptions,
  ): Promise<Hypothesis[]>;
}

/** Log-probabilities of one row. */
export type Row = Float32Array | Float64Array;

/**
 * What may be written next, beyond what the model says: returns what search ranks by, minus infinity for what must not
 * come next. No rank may be above 0, and the argument stays as it is.
 */
export type Rule = (logProbs: Row, past: readonly number[]) => Row;
