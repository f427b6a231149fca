/** The few token ids that mean something to search. */
export interface SpecialTokens {
  /** Begin of sentence, fed to the model first and never chosen. */
  readonly bos: number;
  /** End of sentence. */
  readonly eos: number;
  /** Other tokens that are never chosen. */
  readonly forbidden: readonly number[];
}
