/** The translation, word by word, and what the model could have written in the place of each. */

import { button } from "./elements.js";
import type { ShownToken } from "./messages.js";

/** Shows a translation; a click on a token lists its alternatives, and a click on one of these takes it. */
export class Alternatives {
  readonly #target: HTMLElement;
  readonly #list: HTMLElement;
  readonly #take: (prefix: readonly number[]) => void;
  #tokens: readonly ShownToken[] = [];
  #opened: HTMLButtonElement | null = null;
  #taken: number | null = null;

  /** @param take is told the ids that the next translation is to begin with */
  constructor(target: HTMLElement, list: HTMLElement, take: (prefix: readonly number[]) => void) {
    this.#target = target;
    this.#list = list;
    this.#take = take;
    list.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#close(true);
    });
  }

  /** Show what has been translated so far. */
  partial(text: string): void {
    this.#close(false);
    this.#target.textContent = text;
  }

  /** Show a whole translation. */
  show(tokens: readonly ShownToken[]): void {
    this.#close(false);
    this.#tokens = tokens;
    const parts = tokens.map((token, place) => this.#part(token, place));
    this.#target.replaceChildren(...parts);
    // the choice that had the focus is gone, or hidden; who went elsewhere meanwhile stays there
    const focused = document.activeElement;
    const nowhere = focused === document.body || this.#list.contains(focused);
    if (this.#taken !== null && nowhere) parts[this.#taken]?.focus();
    this.#taken = null;
  }

  #part(token: ShownToken, place: number): HTMLButtonElement {
    const text = place === 0 ? token.surface.replace(/^ /, "") : token.surface;
    const part = button(token.special ? " ⏎" : text, () => this.#open(part, place));
    part.setAttribute("aria-expanded", "false");
    if (token.special) part.setAttribute("aria-label", "end of the sentence");
    return part;
  }

  #open(part: HTMLButtonElement, place: number): void {
    const again = part === this.#opened;
    this.#close(false);
    if (again) return;
    this.#opened = part;
    part.setAttribute("aria-expanded", "true");
    const token = this.#tokens[place]!;
    const before = this.#tokens.slice(0, place).map(({ id }) => id);
    const choices = token.alternatives.map(({ id, token: name, surface, logProb }) => {
      const choice = button(surface.trim() || name, () => {
        this.#taken = place;
        this.#take([...before, id]);
      });
      const share = document.createElement("small");
      share.textContent = ` ${(100 * Math.exp(logProb)).toFixed(1)} %`;
      choice.append(share);
      choice.setAttribute("aria-pressed", String(id === token.id));
      // a translation cannot be made to begin with its end
      choice.disabled = surface === "";
      return choice;
    });
    this.#list.replaceChildren(...choices);
    this.#list.hidden = false;
  }

  #close(focus: boolean): void {
    this.#opened?.setAttribute("aria-expanded", "false");
    if (focus) this.#opened?.focus();
    this.#opened = null;
    this.#list.hidden = true;
  }
}
