/** What the server sends, as far as the page reads it. */

export interface Model {
  name: string;
  source_language: string;
  target_language: string;
  attention: string;
  beam_size: number;
}

export interface Limits {
  characters: number;
  sentences: number;
  beam_size: number;
}

export interface Models {
  models: Model[];
  limits: Limits;
}

export interface Token {
  token: string;
  surface: string;
  word_start: boolean;
  special: boolean;
}

export interface Alternative {
  token: Token;
  log_prob: number | null;
}

/** What the attention view draws, and the page reads only where it is named here. */
export interface Panel {
  tokens: Token[];
  source_tokens: Token[];
  alternatives: Alternative[][] | null;
}

export interface Translation {
  text: string;
  score: number | null;
  finished: boolean;
  truncated: boolean;
  panel?: Panel;
}

export interface Result {
  source: string;
  translations: Translation[];
}

export interface Request {
  text: string[];
  model: string;
  beam_size?: number;
  n_best: number;
  panel: boolean;
}

/** What comes while sentences are translated. */
export type News =
  | { kind: "partial"; sentence: number; text: string; panel?: Panel } // drawn now and then only
  | { kind: "result"; sentence: number; result: Result };
