/** Search: greedy, and beam search with the ranking, ties and stopping rule of the Python package. */

export { BeamSearch, type BeamSettings } from "./beam.js";
export { GreedySearch, type GreedySettings } from "./greedy.js";
export { LengthLimit, type LengthSettings } from "./lengths.js";
export type * from "./protocol.js";
export { noRepeatNGram, repetitionPenalty } from "./rules.js";
export { NORMALIZATIONS, Scoring, type Normalization, type ScoringSettings } from "./scoring.js";
export type { SpecialTokens } from "./special.js";
