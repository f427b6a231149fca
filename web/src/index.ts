export * from "./errors.js";
export * from "./tokenizers/index.js";
export * from "./decoding/index.js";
