/** The page: type, see the translation while it is written, and where the model looked. */

import { alternativesOf } from "./alternatives.js";
import { Attention } from "./attention.js";
import { Client, Refused } from "./client.js";
import { byId, element } from "./dom.js";
import type { Limits, Model, Panel, Result } from "./messages.js";
import { Output, textOf } from "./output.js";
import { languageName, split, type Line } from "./sentences.js";
import type { Word } from "./words.js";

const PAUSE = 400; // milliseconds without a key, after which what was typed is translated
const KEPT = 500; // results, so that a sentence is not translated again because another one changed

/** How sentences are to be translated. */
interface Options {
  model: string;
  beam_size?: number;
  n_best: number;
}

export class Page {
  readonly #client = new Client();
  readonly #source = byId("source", HTMLTextAreaElement);
  readonly #model = byId("model", HTMLSelectElement);
  readonly #beam = byId("beam-size", HTMLInputElement);
  readonly #nBest = byId("n-best", HTMLInputElement);
  readonly #status = byId("status", HTMLElement);
  readonly #token = byId("token-dialog", HTMLDialogElement);
  readonly #alternatives = byId("alternatives", HTMLElement);
  readonly #choices = byId("choices", HTMLElement);
  readonly #output = new Output(byId("output", HTMLElement), {
    select: (sentence) => this.#select(sentence),
    word: (sentence, word) => this.#showAlternatives(sentence, word),
  });
  readonly #attention = new Attention(byId("attention-section", HTMLElement), byId("attention", HTMLElement));
  readonly #tree = byId("tree", HTMLInputElement);
  readonly #trees = new Map<string, Panel>();
  readonly #known = new Map<string, Result>();
  #models: Model[] = [];
  #limits: Limits | null = null;
  #asked: Options | null = null;
  #lines: Line[] = [];
  #results: (Result | null)[] = [];
  #chosen: number[] = []; // of each sentence, which of its translations
  #selected = 0;
  #running = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  async start(): Promise<void> {
    this.#listen();
    await this.#load();
  }

  #listen(): void {
    this.#source.addEventListener("input", () => this.#later(PAUSE));
    this.#source.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.#later(0);
      }
    });
    for (const input of [this.#beam, this.#nBest]) input.addEventListener("input", () => this.#later(PAUSE));
    this.#model.addEventListener("change", () => {
      this.#beam.value = String(this.#current.beam_size);
      this.#describe();
      this.#later(0);
    });
    this.#tree.addEventListener("change", () => this.#select(this.#selected));
    byId("clear", HTMLButtonElement).addEventListener("click", () => {
      this.#source.value = "";
      this.#source.focus();
      this.#later(0);
    });
    byId("copy", HTMLButtonElement).addEventListener("click", () => void this.#copy());
    byId("token-form", HTMLFormElement).addEventListener("submit", () => {
      this.#client.token = byId("token", HTMLInputElement).value;
      void this.#load();
    });
  }

  async #load(): Promise<void> {
    try {
      const { models, limits } = await this.#client.models();
      this.#models = models;
      this.#limits = limits;
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#model.replaceChildren(...this.#models.map(({ name }) => element("option", { value: name }, name)));
    byId("model-label", HTMLElement).hidden = this.#models.length < 2;
    this.#beam.max = this.#nBest.max = String(this.#limits.beam_size);
    this.#beam.value = String(this.#models[0]!.beam_size);
    this.#describe();
    this.#say("");
    if (this.#source.value.trim()) this.#later(0); // what the browser kept of another visit
  }

  get #current(): Model {
    return this.#models.find(({ name }) => name === this.#model.value) ?? this.#models[0]!;
  }

  #describe(): void {
    const { source_language, target_language, attention } = this.#current;
    byId("source-language", HTMLElement).textContent = languageName(source_language);
    byId("target-language", HTMLElement).textContent = languageName(target_language);
    byId("mechanism", HTMLElement).textContent = attention;
    this.#source.lang = source_language;
  }

  #later(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#translate(), milliseconds);
  }

  async #translate(): Promise<void> {
    this.#running.abort();
    const running = (this.#running = new AbortController());
    if (!this.#models.length) return;
    this.#lines = split(this.#source.value, this.#current.source_language);
    const sentences = this.#lines.flatMap((line) => line.sentences);
    this.#asked = this.#options(); // what is in the fields may change before the answer comes
    this.#results = sentences.map((sentence) => this.#known.get(this.#key(sentence)) ?? null);
    this.#chosen = sentences.map(() => 0);
    this.#selected = Math.min(this.#selected, Math.max(sentences.length - 1, 0));
    this.#output.begin(this.#lines, this.#current.target_language);
    this.#results.forEach((result, number) => result && this.#output.result(number, result, 0));
    this.#select(this.#selected);
    const missing = sentences.flatMap((_, number) => (this.#results[number] ? [] : [number]));
    if (!missing.length) {
      this.#say("");
      return;
    }
    this.#say("translating", "busy");
    try {
      await this.#stream(sentences, missing, running.signal);
      this.#say("");
    } catch (error) {
      if (!running.signal.aborted) this.#fail(error);
    }
  }

  /** Translate the sentences with these numbers, as many at a time as the server takes. */
  async #stream(sentences: string[], missing: number[], signal: AbortSignal): Promise<void> {
    const most = this.#limits!.sentences;
    for (let begin = 0; begin < missing.length; begin += most) {
      const numbers = missing.slice(begin, begin + most);
      const request = { ...this.#asked!, text: numbers.map((number) => sentences[number]!), panel: true };
      for await (const news of this.#client.translate(request, signal)) {
        if (signal.aborted) return;
        const number = numbers[news.sentence]!;
        if (news.kind === "partial") {
          this.#output.partial(number, news.text);
          if (number === this.#selected && news.panel) this.#attention.show(news.panel);
          continue;
        }
        this.#results[number] = news.result;
        keep(this.#known, this.#key(sentences[number]!), news.result);
        this.#output.result(number, news.result, 0);
        if (number === this.#selected) this.#select(number);
      }
    }
  }

  #options(): Options {
    const most = this.#limits!.beam_size;
    const nBest = whole(this.#nBest, 1, most);
    const usual = this.#current.beam_size;
    const beam = whole(this.#beam, usual, most);
    const asked = { model: this.#current.name, n_best: nBest };
    // left alone, it is the server that makes room for all that are wanted: it knows of groups
    return beam === Math.min(usual, most) ? asked : { ...asked, beam_size: Math.max(beam, nBest) };
  }

  #key(sentence: string): string {
    return JSON.stringify([this.#asked, sentence]);
  }

  #select(number: number): void {
    this.#selected = number;
    this.#output.select(this.#results.length > 1 ? number : -1);
    this.#alternatives.hidden = true;
    const result = this.#results[number];
    this.#attention.show(this.#panel(number));
    this.#showChoices(number, result ?? null);
    if (result && this.#tree.checked && !this.#chosen[number]) void this.#showTree(number, result);
  }

  /** Search once more, now with a record of all that was considered. */
  async #showTree(number: number, result: Result): Promise<void> {
    const key = this.#key(result.source);
    try {
      const { model, beam_size } = this.#asked!;
      const panel = this.#trees.get(key) ?? (await this.#client.attend(result.source, model, beam_size));
      keep(this.#trees, key, panel);
      if (this.#results[number] === result && this.#selected === number) this.#attention.show(panel);
    } catch (error) {
      this.#fail(error);
    }
  }

  #panel(number: number): Panel | null {
    return this.#results[number]?.translations[this.#chosen[number] ?? 0]?.panel ?? null;
  }

  #showChoices(number: number, result: Result | null): void {
    this.#choices.hidden = !result || result.translations.length < 2;
    if (!result || this.#choices.hidden) return;
    const items = result.translations.map((found, place) => {
      const input = element("input", { type: "radio", name: "choice", value: String(place) });
      input.checked = place === this.#chosen[number];
      input.addEventListener("change", () => {
        this.#chosen[number] = place;
        this.#output.result(number, result, place);
        this.#attention.show(this.#panel(number));
        this.#alternatives.hidden = true;
      });
      const score = element("span", { class: "score" }, found.score === null ? "" : found.score.toFixed(3));
      const text = element("span", { lang: this.#current.target_language, dir: "auto" }, found.text);
      return element("li", {}, element("label", {}, input, text, score));
    });
    byId("choice-list", HTMLElement).replaceChildren(...items);
  }

  #showAlternatives(number: number, word: Word): void {
    const panel = this.#panel(number);
    if (!panel?.alternatives) return;
    const language = this.#current.target_language;
    const quoted = element("q", { lang: language, dir: "auto" }, word.text);
    const close = element("button", { type: "button", class: "close", "aria-label": "close" }, "×");
    close.addEventListener("click", () => (this.#alternatives.hidden = true));
    const title = element("h2", {}, "In the place of ", quoted);
    this.#alternatives.replaceChildren(element("header", {}, title, close), alternativesOf(word, panel, language));
    this.#alternatives.hidden = false;
  }

  async #copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(textOf(this.#lines, this.#results, this.#chosen));
      this.#say("copied");
    } catch {
      this.#say("the browser does not allow to copy", "error");
    }
  }

  #fail(error: unknown): void {
    if (error instanceof Refused && error.status === 401) {
      this.#say("this server needs a token", "error");
      if (!this.#token.open) this.#token.showModal();
      return;
    }
    if (error instanceof Refused) {
      this.#say(`${error.message}: ${error.mend}`, "error");
      if (error.retryAfter) this.#later(error.retryAfter * 1000);
      return;
    }
    this.#say("something went wrong in this page; load it again", "error");
    throw error;
  }

  #say(text: string, kind = ""): void {
    this.#status.textContent = text;
    this.#status.dataset["kind"] = kind;
  }
}

/** Keep something that need not be asked for again; the oldest goes when there are many. */
function keep<T>(kept: Map<string, T>, key: string, value: T): void {
  if (kept.size >= KEPT && !kept.has(key)) kept.delete(kept.keys().next().value!);
  kept.set(key, value);
}

/** Return the number in a field, or another one where there is none. */
function whole(input: HTMLInputElement, otherwise: number, most: number): number {
  const found = Math.trunc(Number(input.value));
  return found >= 1 ? Math.min(found, most) : otherwise;
}
