/** Text in, translations out. */

export type { Link } from "./alignment.js";
export type { Partial, Token, TokenAlternative, TranslateOptions, Translation } from "./translation.js";
export { Translator, type LoadOptions } from "./translator.js";
