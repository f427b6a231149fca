/** How tokens of any script are written. */

/* Characters that would not show, or turn others round; but for what shapes letters and emoji around it. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Cn}\p{Zl}\p{Zp}]/gu;
const SHAPING = /[\u200c\u200d\u{e0020}-\u{e007f}]/u;
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const RIGHT_TO_LEFT_LANGUAGES = new Set(["ar", "arc", "dv", "fa", "he", "iw", "ku", "ps", "sd", "syr", "ug", "ur", "yi"]);
/* Letters that join with their neighbors: Arabic, Syriac and N'Ko. */
const JOINING = /[\u0620-\u06ff\u0710-\u077f\u07ca-\u07ea\u08a0-\u08c9]/u;
/* Scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, Chinese and Japanese. */
const NO_SPACES = /[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3001-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef\u{20000}-\u{3ffff}]/u;
const MARK = /^\p{M}/u;
const LANGUAGE = /^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$/;

/** Return text with what would not show spelled out. */
export function visible(text: string): string {
  const shown = text.replace(HIDDEN, (character) =>
    SHAPING.test(character) ? character : `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
  return MARK.test(shown) ? `◌${shown}` : shown; // a combining mark needs something to stand on
}

/** Return the text of a token as a label: never empty. */
export function label(surface: string, token: string, special: boolean): string {
  if (special) return visible(token);
  return visible(surface.trim()) || (surface ? "␣" : visible(token) || "∅");
}

/** Return the direction a sentence is read in. */
export function direction(text: string, language = ""): "ltr" | "rtl" {
  for (const character of text) {
    if (RIGHT_TO_LEFT.test(character)) return "rtl";
    if (/\p{L}/u.test(character)) return "ltr";
  }
  return RIGHT_TO_LEFT_LANGUAGES.has(language.toLowerCase().split("-")[0]!) ? "rtl" : "ltr";
}

/** Tell whether a sentence's words stand without spaces between one character and the next. */
export function partsWithoutSpace(before: string, after: string): boolean {
  const last = [...before].at(-1) ?? "";
  const first = [...after][0] ?? "";
  return NO_SPACES.test(last) || NO_SPACES.test(first);
}

/** Return the two parts of a word so that letters that join go on joining although they stand in two boxes. */
export function joinLetters(before: string, after: string): [string, string] {
  const last = [...before].at(-1) ?? "";
  const first = [...after][0] ?? "";
  return JOINING.test(last) && JOINING.test(first) ? [`${before}\u200d`, `\u200d${after}`] : [before, after];
}

/** Return a language code if it is one that browsers know what to do with. */
export function languageCode(language: string | undefined): string | undefined {
  return language !== undefined && LANGUAGE.test(language) ? language : undefined;
}

/** Write a probability or weight, 0 to 1, as a percentage. */
export function percent(value: number): string {
  const hundred = value * 100;
  if (hundred > 0 && hundred < 0.1) return "<0.1 %";
  return `${hundred < 9.95 ? hundred.toFixed(1) : Math.round(hundred)} %`;
}

/** Write a number, or a dash for one that JSON cannot hold. */
export function decimal(value: number | null | undefined, digits = 2): string {
  return value === null || value === undefined ? "−∞" : value.toFixed(digits).replace("-", "−");
}
