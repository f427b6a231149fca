/** The translations, sentence by sentence, line by line as in the source. */

import { element } from "./dom.js";
import type { Panel, Result } from "./messages.js";
import type { Line } from "./sentences.js";
import { wordsOf, type Word } from "./words.js";

export interface OutputEvents {
  /** A sentence is to be looked at. */
  select(sentence: number): void;
  /** A word of it was chosen. */
  word(sentence: number, word: Word): void;
}

export class Output {
  #sentences: HTMLElement[] = [];

  constructor(
    readonly root: HTMLElement,
    readonly events: OutputEvents,
  ) {}

  /** Make room for the translations of a text; what is known of them already can be shown next. */
  begin(lines: Line[], language: string): void {
    this.#sentences = [];
    const paragraphs = lines.map((line) => {
      const paragraph = element("p", { lang: language, dir: "auto" });
      for (const _ of line.sentences) {
        const sentence = element("span", { class: "sentence waiting" });
        const number = this.#sentences.push(sentence) - 1;
        sentence.addEventListener("click", () => this.events.select(number));
        paragraph.append(sentence, " ");
      }
      return paragraph;
    });
    this.root.replaceChildren(...paragraphs);
  }

  /** Show how a translation begins so far. */
  partial(number: number, text: string): void {
    const sentence = this.#sentences[number];
    if (!sentence) return;
    sentence.className = "sentence writing";
    sentence.textContent = text;
  }

  /** Show one of the translations of a sentence; its words can be chosen. */
  result(number: number, result: Result, choice: number): void {
    const sentence = this.#sentences[number];
    const found = result.translations[choice] ?? result.translations[0];
    if (!sentence || !found) return;
    sentence.className = "sentence";
    if (!found.panel) {
      sentence.textContent = found.text;
      return;
    }
    sentence.replaceChildren(...wordsOf(found.panel.tokens).flatMap((word) => this.#word(number, word)));
    if (found.truncated) sentence.append(note("too long for the model, which read only its beginning"));
    if (!found.finished) sentence.append(note("cut off: the translation became too long"));
  }

  select(number: number): void {
    this.#sentences.forEach((sentence, other) => sentence.classList.toggle("selected", other === number));
  }

  clear(): void {
    this.#sentences = [];
    this.root.replaceChildren();
  }

  #word(number: number, word: Word): (Node | string)[] {
    const button = element("button", { type: "button", class: "word", title: "what else it might have been" }, word.text);
    button.addEventListener("click", (event) => {
      event.stopPropagation();
      this.events.select(number);
      this.events.word(number, word);
    });
    return [word.before, button];
  }
}

function note(text: string): HTMLElement {
  return element("small", { class: "note" }, ` [${text}]`);
}

/** Return the text of the translations, as it is copied. */
export function textOf(lines: Line[], results: (Result | null)[], choices: number[]): string {
  let number = 0;
  return lines
    .map((line) =>
      line.sentences
        .map(() => {
          const found = results[number]?.translations[choices[number] ?? 0]?.text ?? "";
          number += 1;
          return found;
        })
        .join(" "),
    )
    .join("\n");
}

export type { Panel };
