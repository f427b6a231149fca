/** Translate with an exported model of seq2seq_attn, in browsers and in Node. */

export * from "./decoding/index.js";
export * from "./errors.js";
export * from "./exported/index.js";
export * from "./tokenizers/index.js";
export * from "./translation/index.js";
