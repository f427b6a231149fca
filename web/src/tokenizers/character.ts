/** Every character is a token. */

import { EOS, isSilent, type Tokenizer } from "./base.js";
import { isSpace, numberWords } from "./characters.js";
import { ListTokenizer } from "./vocabulary.js";

/** Every character (code point) is a token, spaces too; a space begins the word that follows it. */
export class CharacterTokenizer extends ListTokenizer implements Tokenizer {
  readonly kind = "character";

  tokenize(text: string): string[] {
    return [...text];
  }

  decode(ids: Iterable<number>): string {
    return [...ids].map((id) => this.surface(id)).join("");
  }

  isWordStart(id: number): boolean {
    return id > EOS && isSpace(this.tokens[id]!);
  }

  touchesNext(): boolean {
    return false;
  }

  surface(id: number): string {
    return isSilent(id) ? "" : this.visible(id);
  }

  wordNumbers(text: string): number[] {
    return numberWords([...text], text);
  }
}
